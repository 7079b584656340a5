/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Open file descriptions and descriptor tables, with Linux's lifetime: dup and fork share the
 * description, release() runs when the last reference goes.
 */
#ifndef LIB_FS_FILE_H
#define LIB_FS_FILE_H

#include <poll.h>

#include <iommufd-sim/proto/file.h>

#include "lib/base/kernel_base.h"

struct files;                   /* a descriptor table */
struct file_system;

/* Character devices and other names that open() knows. */
int file_system_new(struct kernel_base *kernel, struct file_system **out);
void file_system_free(struct file_system *fs);
/*
 * @open gets a file with f_op unset; it sets f_op and private_data. Paths are absolute, at most 63
 * bytes. One that ends in '/' is a tree: @open answers for all that begins with it, and finds the
 * path, without a '/' at its end, in file->name, which it may change.
 */
int fs_register(struct file_system *fs, const char *path, int (*open)(struct file *file, void *ctx),
		void *ctx);
void fs_unregister(struct file_system *fs, const char *path);
/* open(2) of a registered path: -ENOENT else. */
int fs_open(struct file_system *fs, const char *path, unsigned flags, struct file **out);
/* /dev/null, the file that can do nothing. */
int dev_null_register(struct file_system *fs);
void dev_null_unregister(struct file_system *fs);
u64 fs_nr_files(const struct file_system *fs);         /* open descriptions, for leak checks */
/* Every open description in the order in which they were made: @after NULL starts, NULL ends. */
struct file *fs_next_file(const struct file_system *fs, const struct file *after);

/* An anonymous inode file: one reference for the caller. */
int anon_file_new(struct file_system *fs, const char *name, const struct file_operations *ops,
		  void *private_data, unsigned flags, struct file **out);

int files_new(struct kernel_base *kernel, u32 rlimit_nofile, struct files **out);
int files_fork(struct files *parent, struct files **out);      /* shares every description */
void files_exit(struct files *files);                  /* closes all, lowest first, and frees */
/* The table of the current task's process is found through its context. */
int files_get_unused_fd(struct files *files, unsigned flags);  /* lowest free, -EMFILE, -ENOMEM */
void files_put_unused_fd(struct files *files, int fd);
void files_install(struct files *files, int fd, struct file *file);    /* takes the reference */
struct file *files_get(struct files *files, int fd);   /* fget(): a new reference, or NULL */
int files_next(const struct files *files, int fd);     /* lowest open number from @fd on, or -1 */
int files_close(struct files *files, int fd);          /* -EBADF */
int files_dup(struct files *files, int fd, int min_fd, unsigned flags);
int files_get_flags(struct files *files, int fd);      /* FD_CLOEXEC, or -EBADF */
int files_set_flags(struct files *files, int fd, int flags);

#endif
