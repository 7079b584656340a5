/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* struct file as handlers see it. */
#ifndef IOMMUFD_SIM_PROTO_FILE_H
#define IOMMUFD_SIM_PROTO_FILE_H

#include <iommufd-sim/proto/list.h>

struct file;
struct mm;

/*
 * All return 0, a count, or -errno. A NULL member means what Linux does without it (noted behind).
 */
struct file_operations {
	const char *name;       /* as in "anon_inode:[name]" or the device's path */
	void (*release)(struct file *file);
	long (*ioctl)(struct file *file, unsigned cmd, uva_t arg);              /* -ENOTTY */
	long (*read)(struct file *file, uva_t to, u64 count, u64 *pos);         /* -EINVAL */
	long (*write)(struct file *file, uva_t from, u64 count, u64 *pos);      /* -EINVAL */
	long (*llseek)(struct file *file, s64 offset, int whence);              /* -ESPIPE */
	unsigned (*poll)(struct file *file);            /* POLLIN | POLLOUT | RDNORM | WRNORM */
	int (*truncate)(struct file *file, u64 size);                           /* -EINVAL */
	int (*fallocate)(struct file *file, int mode, u64 offset, u64 length);  /* -EOPNOTSUPP */
	int (*add_seals)(struct file *file, unsigned seals);                    /* -EINVAL */
	int (*get_seals)(struct file *file);                                    /* -EINVAL */
	/*
	 * Mapping a file: make [offset, offset + length) present and append its frames to @runs
	 * (struct pfn_runs, lib/mm); fewer than asked for: the file ends there. It may not sleep.
	 * mmap_check says whether the mapping may be made: @may_write is true if the file is open
	 * for writing and comes back false if the mapping may never become writable.
	 */
	int (*mmap_check)(struct file *file, u64 offset, u64 length, int prot, int flags,
			  bool *may_write);             /* -ENODEV */
	int (*mmap_frames)(struct file *file, u64 offset, u64 length, void *runs);
	/* A mapping that begins at @offset came (1) or went (-1); one that is split is two. */
	void (*mmap_change)(struct file *file, u64 offset, int delta, bool may_write);
	/* What mappings consist of: they begin, end and are cut at multiples of it. */
	u64 (*mmap_page_size)(struct file *file);               /* PAGE_SIZE */
	/* The order of the folio that is mapped at @offset. */
	unsigned (*mmap_folio_order)(struct file *file, u64 offset);    /* 0 */
	/* The frames are no ordinary memory (VM_PFNMAP): mapped they cannot be pinned. */
	bool mmap_pfn;
	bool mmap_private;      /* mmap_check is asked about MAP_PRIVATE, too */
	void (*stat)(struct file *file, u64 *size, u32 *mode, u64 *blocks);
	/* A directory: its name number @index, from 0, or NULL. */
	const char *(*dir_entry)(struct file *file, u64 index, bool *is_dir);   /* -ENOTDIR */
};

#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_NONSEEKABLE 4u      /* a positioned read or write is -ESPIPE */

struct file {
	const struct file_operations *f_op;
	void *private_data;
	u64 f_pos;
	unsigned f_flags;       /* O_* */
	unsigned f_mode;        /* FMODE_* */
	u32 f_count;            /* references */
	u32 rsv;
	struct file_system *fs;
	struct list_head fs_node;
	char name[96];          /* what readlink of /proc/self/fd/N shows */
};

IFS_PUBLIC struct file *ifs_get_file(struct file *file);
IFS_PUBLIC void ifs_fput(struct file *file);
/* Of the current task's process. fget() NULL: not open. */
IFS_PUBLIC struct file *ifs_fget(int fd);
IFS_PUBLIC int ifs_get_unused_fd_flags(unsigned flags);
IFS_PUBLIC void ifs_put_unused_fd(int fd);
IFS_PUBLIC void ifs_fd_install(int fd, struct file *file);
IFS_PUBLIC int ifs_anon_inode_getfile(const char *name, const struct file_operations *ops,
				      void *private_data, unsigned flags, struct file **out);
/* mm/memfd.c: the seals, or -EINVAL for what cannot have any. */
IFS_PUBLIC int ifs_memfd_get_seals(struct file *file);

#define get_file ifs_get_file
#define fput ifs_fput
#define fget ifs_fget
#define get_unused_fd_flags ifs_get_unused_fd_flags
#define put_unused_fd ifs_put_unused_fd
#define fd_install ifs_fd_install
#define memfd_get_seals ifs_memfd_get_seals
#define file_inode_id(file) ((unsigned long)(file)->private_data)

#define F_SEAL_SEAL 0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW 0x0004
#define F_SEAL_WRITE 0x0008
#define F_SEAL_FUTURE_WRITE 0x0010
#define F_SEAL_EXEC 0x0020

#endif
