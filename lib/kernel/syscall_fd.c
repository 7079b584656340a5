/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * System calls about descriptors: open, close, dup, SCM_RIGHTS, fcntl, fstat, poll
 * (fs/open.c, fs/file.c, fs/fcntl.c, fs/select.c).
 */
#include "lib/kernel/syscall.h"

#include <fcntl.h>

/* What F_SETFL may change (fs/fcntl.c, SETFL_MASK). */
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)
#define POLL_DEFAULT (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

int ifs_open(struct ifs_process *process, const char *path, int flags)
{
	struct file *file;
	struct task task;
	int fd, err;

	if (!syscall_enter(&task, process, "open"))
		return -EIO;
	fd = !path ? -EFAULT : !*path ? -ENOENT : files_get_unused_fd(process->files, flags);
	if (fd < 0)
		goto leave;
	err = fs_open(process->kernel->base.fs, path, flags, &file);
	if (err) {
		files_put_unused_fd(process->files, fd);
		fd = err;
		goto leave;
	}
	files_install(process->files, fd, file);
leave:
	syscall_leave(&task, process);
	return fd;
}

int ifs_close(struct ifs_process *process, int fd)
{
	struct task task;
	int err;

	if (!syscall_enter(&task, process, "close"))
		return -EIO;
	err = files_close(process->files, fd);
	syscall_leave(&task, process);
	return err;
}

int ifs_dup(struct ifs_process *process, int fd)
{
	struct task task;
	int copy;

	if (!syscall_enter(&task, process, "dup"))
		return -EIO;
	copy = files_dup(process->files, fd, 0, 0);
	syscall_leave(&task, process);
	return copy;
}

/* The receiver's half of SCM_RIGHTS without MSG_CMSG_CLOEXEC. */
int ifs_send_fd(struct ifs_process *from, int fd, struct ifs_process *to)
{
	struct file *file;
	struct task task;
	int copy;

	if (from->kernel != to->kernel)
		return -EXDEV;
	if (!syscall_enter(&task, from, "send_fd"))
		return -EIO;
	file = files_get(from->files, fd);
	if (!file) {
		copy = -EBADF;
		goto leave;
	}
	copy = files_get_unused_fd(to->files, 0);
	if (copy >= 0)
		files_install(to->files, copy, file);
	else
		fput(file);
leave:
	syscall_leave(&task, from);
	return copy;
}

static int fcntl_setfl(struct file *file, unsigned flags)
{
	if (flags & O_DIRECT)
		return -EINVAL; /* no file here can do it */
	file->f_flags = (flags & SETFL_MASK) | (file->f_flags & ~SETFL_MASK);
	return 0;
}

static int fcntl_dupfd(struct ifs_process *process, int fd, unsigned long min_fd, unsigned flags)
{
	if (min_fd >= process->rlimit_nofile)
		return -EINVAL;
	return files_dup(process->files, fd, min_fd, flags);
}

static int do_fcntl(struct ifs_process *process, struct file *file, int fd, int cmd,
		    unsigned long arg)
{
	switch (cmd) {
	case F_DUPFD:
		return fcntl_dupfd(process, fd, (unsigned)arg, 0);
	case F_DUPFD_CLOEXEC:
		return fcntl_dupfd(process, fd, (unsigned)arg, O_CLOEXEC);
	case F_GETFD:
		return files_get_flags(process->files, fd);
	case F_SETFD:
		return files_set_flags(process->files, fd, (int)arg & FD_CLOEXEC);
	case F_GETFL:
		return (int)file->f_flags;
	case F_SETFL:
		return fcntl_setfl(file, (unsigned)arg);
	case F_ADD_SEALS:
		if (arg > UINT_MAX)
			return -EINVAL; /* seals are 32 bits wide, the argument is not */
		return file->f_op->add_seals ? file->f_op->add_seals(file, arg) : -EINVAL;
	case F_GET_SEALS:
		return file->f_op->get_seals ? file->f_op->get_seals(file) : -EINVAL;
	default:
		return -EINVAL;
	}
}

int ifs_fcntl(struct ifs_process *process, int fd, int cmd, unsigned long arg)
{
	struct file *file;
	struct task task;
	int ret = -EBADF;

	if (!syscall_enter(&task, process, "fcntl"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		ret = do_fcntl(process, file, fd, cmd, arg);
		fput(file);
	}
	syscall_leave(&task, process);
	return ret;
}

/* Device files keep the mode their driver asks for; what has no name is its owner's alone. */
static u32 default_mode(const char *path)
{
	if (strncmp(path, "/dev/", 5))
		return S_IRUSR | S_IWUSR;
	if (!strcmp(path, "/dev/iommu"))
		return S_IFCHR | 0660;
	if (!strcmp(path, "/dev/vfio/vfio") || !strcmp(path, "/dev/null"))
		return S_IFCHR | 0666;
	return S_IFCHR | 0600;
}

int ifs_fstat(struct ifs_process *process, int fd, struct ifs_stat *out)
{
	struct ifs_stat stat = { 0 };
	struct file *file;
	struct task task;
	int err = -EBADF;

	if (!syscall_enter(&task, process, "fstat"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		stat.mode = default_mode(file->name);
		if (file->f_op->stat)
			file->f_op->stat(file, &stat.size, &stat.mode, &stat.blocks);
		_Static_assert(sizeof(stat.name) == sizeof(file->name), "same name field");
		memcpy(stat.name, file->name, sizeof(stat.name));
		err = copy_to_user((uintptr_t)out, &stat, sizeof(stat));
		fput(file);
	}
	syscall_leave(&task, process);
	return err;
}

int ifs_poll(struct ifs_process *process, int fd, short events)
{
	const unsigned always = POLLERR | POLLHUP;
	unsigned ready = POLLNVAL;
	struct file *file;
	struct task task;

	if (fd < 0)
		return 0;
	if (!syscall_enter(&task, process, "poll"))
		return -EIO;
	file = files_get(process->files, fd);
	if (file) {
		ready = file->f_op->poll ? file->f_op->poll(file) : POLL_DEFAULT;
		ready &= (unsigned short)events | always;
		fput(file);
	}
	syscall_leave(&task, process);
	return (int)ready;
}
