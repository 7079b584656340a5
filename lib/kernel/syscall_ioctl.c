/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * ioctl(2): the commands the VFS answers for every file come first (fs/ioctl.c, do_vfs_ioctl()),
 * all others go to the file.
 */
#include "lib/kernel/syscall.h"

#include <fcntl.h>
#include <sys/ioctl.h>

static long fionbio(struct file *file, uva_t arg)
{
	int on;

	if (copy_from_user(&on, arg, sizeof(on)))
		return -EFAULT;
	if (on)
		file->f_flags |= O_NONBLOCK;
	else
		file->f_flags &= ~O_NONBLOCK;
	return 0;
}

/* No file here has a fasync operation, so only asking for what is already so can work. */
static long fioasync(struct file *file, uva_t arg)
{
	int on;

	if (copy_from_user(&on, arg, sizeof(on)))
		return -EFAULT;
	return !!on == !!(file->f_flags & O_ASYNC) ? 0 : -ENOTTY;
}

static long fionread(struct file *file, uva_t arg)
{
	u64 size = 0, blocks = 0;
	u32 mode = 0;
	int left;

	file->f_op->stat(file, &size, &mode, &blocks);
	left = (int)(size - file->f_pos);
	return copy_to_user(arg, &left, sizeof(left));
}

static bool is_regular(const struct file *file)
{
	return file->f_op->truncate && file->f_op->stat;
}

static long do_ioctl(struct ifs_process *process, struct file *file, int fd, unsigned cmd,
		     uva_t arg)
{
	switch (cmd) {
	case FIOCLEX:
		return files_set_flags(process->files, fd, FD_CLOEXEC);
	case FIONCLEX:
		return files_set_flags(process->files, fd, 0);
	case FIONBIO:
		return fionbio(file, arg);
	case FIOASYNC:
		return fioasync(file, arg);
	case FIONREAD:
		if (is_regular(file))
			return fionread(file, arg);
		break;
	default:
		break;
	}
	return file->f_op->ioctl ? file->f_op->ioctl(file, cmd, arg) : -ENOTTY;
}

int ifs_ioctl(struct ifs_process *process, int fd, unsigned long cmd, void *arg)
{
	struct file *file;
	struct task task;
	long ret = -EBADF;

	if (!syscall_enter(&task, process, "ioctl"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		ret = do_ioctl(process, file, fd, (unsigned)cmd, (uintptr_t)arg);
		fput(file);
	}
	syscall_leave(&task, process);
	return (int)ret;
}
