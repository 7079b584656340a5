/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * System calls about directories: openat and getdents64 (fs/open.c, fs/readdir.c). Only what
 * fault_files.c serves has any; elsewhere names are whole paths.
 */
#include "lib/kernel/syscall.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

/* "DIRECTORY/path" in @out, for a descriptor of a directory. */
static int path_below(struct ifs_process *process, int dirfd, const char *path, char *out,
		      size_t size)
{
	struct file *dir;
	struct task task;
	int err = -EBADF;

	if (!syscall_enter(&task, process, "openat"))
		return -EIO;
	dir = files_get(process->files, dirfd);
	if (dir) {
		err = dir->f_op->dir_entry ? 0 : -ENOTDIR;
		if (!err && snprintf(out, size, "%s/%s", dir->name, path) >= (int)size)
			err = -ENAMETOOLONG;
		fput(dir);
	}
	syscall_leave(&task, process);
	return err;
}

int ifs_openat(struct ifs_process *process, int dirfd, const char *path, int flags)
{
	char whole[sizeof(((struct file *)0)->name)];
	int err;

	if (!path || !*path || *path == '/')
		return ifs_open(process, path, flags);
	if (dirfd == AT_FDCWD)
		return -ENOENT;
	err = path_below(process, dirfd, path, whole, sizeof(whole));
	return err ? err : ifs_open(process, whole, flags);
}

/* The entry at @index, "." and ".." first. */
static const char *entry_at(struct file *dir, u64 index, bool *is_dir)
{
	*is_dir = true;
	if (index < 2)
		return index ? ".." : ".";
	return dir->f_op->dir_entry(dir, index - 2, is_dir);
}

/* struct linux_dirent64 is what the C library's struct dirent64 begins like. */
static long fill_entries(struct file *dir, uva_t to, u64 count)
{
	u64 filled = 0;
	const char *name;
	bool is_dir;

	while ((name = entry_at(dir, dir->f_pos, &is_dir))) {
		struct dirent64 entry = { .d_ino = dir->f_pos + 1,
					  .d_off = (off_t)dir->f_pos + 1,
					  .d_type = is_dir ? DT_DIR : DT_REG };
		u64 bytes = ALIGN_UP(offsetof(struct dirent64, d_name) + strlen(name) + 1, 8);

		if (filled + bytes > count)
			return filled ? (long)filled : -EINVAL;
		entry.d_reclen = (u16)bytes;
		snprintf(entry.d_name, sizeof(entry.d_name), "%s", name);
		if (copy_to_user(to + filled, &entry, bytes))
			return filled ? (long)filled : -EFAULT;
		filled += bytes;
		dir->f_pos++;
	}
	return (long)filled;
}

ssize_t ifs_getdents64(struct ifs_process *process, int fd, void *to, size_t count)
{
	struct file *file;
	struct task task;
	long done = -EBADF;

	if (!syscall_enter(&task, process, "getdents64"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		done = file->f_op->dir_entry ? fill_entries(file, (uintptr_t)to, count) : -ENOTDIR;
		fput(file);
	}
	syscall_leave(&task, process);
	return done;
}
