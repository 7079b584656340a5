/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * read, write and their kin, truncation and allocation (fs/read_write.c, fs/open.c), and
 * memfd_create: what Linux checks before the file's own operation runs, in its order.
 *
 * Two kinds of file have no offset: character devices, where a positioned read fails as a plain one
 * does, and anonymous inodes, where it is -ESPIPE, as it is for a file that says so
 * (FMODE_NONSEEKABLE).
 */
#include "lib/kernel/syscall.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#define MAX_RW_COUNT (INT_MAX & ~0xfffull)

static bool is_nonseekable(const struct file *file)
{
	return is_anon_inode(file) || (file->f_mode & FMODE_NONSEEKABLE);
}

/* rw_verify_area(): before @count is cut to MAX_RW_COUNT. */
static int verify_area(u64 pos, u64 count)
{
	s64 end;

	return count > INT64_MAX || check_add_overflow((s64)pos, (s64)count, &end) ? -EINVAL : 0;
}

/* Could it be the user's memory at all? Asked before the file is, even if nothing is copied. */
static bool access_ok(uva_t at, u64 count)
{
	u64 end;

	return !check_add_overflow(at, count, &end) && end <= TASK_SIZE_MAX;
}

/* @at < 0: at the file's own offset, which moves. */
static long do_read(struct file *file, uva_t to, u64 count, s64 at)
{
	u64 pos = at < 0 ? file->f_pos : (u64)at;
	long done;

	if (!(file->f_mode & FMODE_READ))
		return -EBADF;
	if (!file->f_op->read)
		return -EINVAL;
	if (!access_ok(to, count))
		return -EFAULT;
	if (verify_area(pos, count))
		return -EINVAL;
	done = file->f_op->read(file, to, min(count, MAX_RW_COUNT), &pos);
	if (done >= 0 && at < 0)
		file->f_pos = pos;
	return done;
}

static long do_write(struct file *file, uva_t from, u64 count, s64 at)
{
	u64 pos = at < 0 ? file->f_pos : (u64)at;
	long done;

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!file->f_op->write)
		return -EINVAL;
	if (!access_ok(from, count))
		return -EFAULT;
	if (verify_area(pos, count))
		return -EINVAL;
	done = file->f_op->write(file, from, min(count, MAX_RW_COUNT), &pos);
	if (done >= 0 && at < 0)
		file->f_pos = pos;
	return done;
}

ssize_t ifs_read(struct ifs_process *process, int fd, void *to, size_t count)
{
	struct file *file;
	struct task task;
	long done = -EBADF;

	if (!syscall_enter(&task, process, "read"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		done = do_read(file, (uintptr_t)to, count, -1);
		fput(file);
	}
	syscall_leave(&task, process);
	return done;
}

ssize_t ifs_write(struct ifs_process *process, int fd, const void *from, size_t count)
{
	struct file *file;
	struct task task;
	long done = -EBADF;

	if (!syscall_enter(&task, process, "write"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		done = do_write(file, (uintptr_t)from, count, -1);
		fput(file);
	}
	syscall_leave(&task, process);
	return done;
}

ssize_t ifs_pread(struct ifs_process *process, int fd, void *to, size_t count, off_t at)
{
	struct file *file;
	struct task task;
	long done = -EBADF;

	if (!syscall_enter(&task, process, "pread"))
		return -EIO;
	file = at < 0 ? NULL : files_get(process->files, fd);
	if (at < 0)
		done = -EINVAL;
	if (file) {
		done = is_nonseekable(file) ? -ESPIPE : do_read(file, (uintptr_t)to, count, at);
		fput(file);
	}
	syscall_leave(&task, process);
	return done;
}

ssize_t ifs_pwrite(struct ifs_process *process, int fd, const void *from, size_t count, off_t at)
{
	struct file *file;
	struct task task;
	long done = -EBADF;

	if (!syscall_enter(&task, process, "pwrite"))
		return -EIO;
	file = at < 0 ? NULL : files_get(process->files, fd);
	if (at < 0)
		done = -EINVAL;
	if (file) {
		done = is_nonseekable(file) ? -ESPIPE : do_write(file, (uintptr_t)from, count, at);
		fput(file);
	}
	syscall_leave(&task, process);
	return done;
}

off_t ifs_lseek(struct ifs_process *process, int fd, off_t offset, int whence)
{
	struct file *file;
	struct task task;
	long ret = -EBADF;

	if (!syscall_enter(&task, process, "lseek"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		if (whence < 0 || whence > SEEK_HOLE)
			ret = -EINVAL;
		else if (!file->f_op->llseek)
			ret = -ESPIPE;
		else
			ret = file->f_op->llseek(file, offset, whence);
		fput(file);
	}
	syscall_leave(&task, process);
	return ret;
}

int ifs_ftruncate(struct ifs_process *process, int fd, off_t size)
{
	struct file *file;
	struct task task;
	int err = -EBADF;

	if (!syscall_enter(&task, process, "ftruncate"))
		return -EIO;
	file = size < 0 ? NULL : files_get(process->files, fd);
	if (size < 0)
		err = -EINVAL;
	if (file) {
		if (!file->f_op->truncate || !(file->f_mode & FMODE_WRITE))
			err = -EINVAL;
		else
			err = file->f_op->truncate(file, size);
		fput(file);
	}
	syscall_leave(&task, process);
	return err;
}

/* vfs_fallocate(): modes exclude one another, FALLOC_FL_KEEP_SIZE goes with some of them. */
static int fallocate_check(const struct file *file, int mode, s64 offset, s64 length)
{
	s64 end;

	if (offset < 0 || length <= 0)
		return -EINVAL;
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_UNSHARE_RANGE:
	case FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
	case 0x80:      /* FALLOC_FL_WRITE_ZEROES, newer than some headers */
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (!file->f_op->truncate)
		return -ENODEV;
	if (check_add_overflow(offset, length, &end))
		return -EFBIG;
	return file->f_op->fallocate ? 0 : -EOPNOTSUPP;
}

int ifs_fallocate(struct ifs_process *process, int fd, int mode, off_t offset, off_t length)
{
	struct file *file;
	struct task task;
	int err = -EBADF;

	if (!syscall_enter(&task, process, "fallocate"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		err = fallocate_check(file, mode, offset, length);
		if (!err)
			err = file->f_op->fallocate(file, mode, offset, length);
		fput(file);
	}
	syscall_leave(&task, process);
	return err;
}

int ifs_memfd_create(struct ifs_process *process, const char *name, unsigned flags)
{
	struct ifs_kernel *kernel = process->kernel;
	struct file *file;
	struct task task;
	int fd;

	if (!syscall_enter(&task, process, "memfd_create"))
		return -EIO;
	fd = memfd_create_file(&kernel->base, &kernel->memfd_config, (uintptr_t)name, flags, &file);
	if (fd)
		goto leave;
	fd = files_get_unused_fd(process->files, flags & 1u /* MFD_CLOEXEC */ ? O_CLOEXEC : 0);
	if (fd >= 0)
		files_install(process->files, fd, file);
	else
		fput(file);
leave:
	syscall_leave(&task, process);
	return fd;
}
