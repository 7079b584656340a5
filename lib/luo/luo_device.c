/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * /dev/liveupdate (kernel/liveupdate/luo_core.c). One open description at a time. The first open
 * after boot deserializes what the previous kernel handed over; if that fails, every open of this
 * boot fails with -EIO (but for want of memory: luo_serialize.c).
 */
#include <fcntl.h>

#include "lib/luo/luo_internal.h"

#define DEVICE_PATH "/dev/liveupdate"

/* Both commands: a name in, a descriptor out. */
union luo_device_buffer {
	struct liveupdate_ioctl_create_session create;
	struct liveupdate_ioctl_retrieve_session retrieve;
};

static int luo_ioctl_session(struct luo *luo, struct luo_ucmd *ucmd,
			     int (*get)(struct luo *luo, const char *name, struct file **out))
{
	struct liveupdate_ioctl_create_session *argp = ucmd->cmd;
	struct file *file;
	int err;

	argp->fd = get_unused_fd_flags(O_CLOEXEC);
	if (argp->fd < 0)
		return argp->fd;
	err = get(luo, (const char *)argp->name, &file);
	if (err)
		goto put_fd;
	err = luo_ucmd_respond(ucmd, sizeof(*argp));
	if (err)
		goto put_file;
	fd_install(argp->fd, file);
	return 0;

put_file:
	/* The last reference: a created session is gone again, a retrieved one is finished. */
	fput(file);
put_fd:
	put_unused_fd(argp->fd);
	return err;
}

static const struct {
	struct luo_ucmd_op op;
	int (*get)(struct luo *luo, const char *name, struct file **out);
} luo_ioctl_ops[] = {
	{ { sizeof(struct liveupdate_ioctl_create_session), 72, LIVEUPDATE_IOCTL_CREATE_SESSION },
	  luo_session_create },
	{ { sizeof(struct liveupdate_ioctl_retrieve_session), 72,
	    LIVEUPDATE_IOCTL_RETRIEVE_SESSION }, luo_session_retrieve },
};

static long luo_ioctl(struct file *file, unsigned cmd, uva_t arg)
{
	unsigned nr = _IOC_NR(cmd);
	union luo_device_buffer buffer;
	struct luo_ucmd ucmd = { 0 };
	int err;

	if (nr >= ARRAY_SIZE(luo_ioctl_ops))
		return -EINVAL;
	err = luo_ucmd_start(&ucmd, &luo_ioctl_ops[nr].op, cmd, arg);
	if (!err)
		err = luo_ucmd_fetch(&ucmd, &luo_ioctl_ops[nr].op, &buffer);
	return err ? err : luo_ioctl_session(file->private_data, &ucmd, luo_ioctl_ops[nr].get);
}

static void luo_release(struct file *file)
{
	struct luo *luo = file->private_data;

	luo->in_use = false;
}

static const struct file_operations luo_fops = {
	.name = DEVICE_PATH,
	.release = luo_release,
	.ioctl = luo_ioctl,
};

static int luo_open(struct file *file, void *ctx)
{
	struct luo *luo = ctx;

	if (luo->in_use)
		return -EBUSY;
	luo->in_use = true;
	if (luo_session_deserialize(luo)) {
		luo->in_use = false;
		return -EIO;
	}
	file->f_op = &luo_fops;
	file->private_data = luo;
	return 0;
}

int luo_device_register(struct luo *luo)
{
	int err = fs_register(luo->kernel->fs, DEVICE_PATH, luo_open, luo);

	luo->device_registered = !err;
	return err;
}

void luo_device_unregister(struct luo *luo)
{
	if (luo->device_registered)
		fs_unregister(luo->kernel->fs, DEVICE_PATH);
	luo->device_registered = false;
}
