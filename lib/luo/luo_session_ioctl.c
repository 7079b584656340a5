/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The ioctls of a session file (luo_session_ioctl() and below). Whether the session is outgoing or
 * incoming is judged before the size of the argument, and the big rwsem is taken last.
 */
#include <fcntl.h>

#include "lib/luo/luo_internal.h"

static int luo_session_preserve_fd(struct liveupdate_session *session, struct luo_ucmd *ucmd)
{
	struct liveupdate_session_preserve_fd *argp = ucmd->cmd;
	int err;

	mutex_lock(&session->mutex);
	err = luo_preserve_file(session, argp->token, argp->fd);
	if (!err) {
		/* A fault here is reported, but the file stays preserved (trap 15). */
		err = luo_ucmd_respond(ucmd, sizeof(*argp));
		if (err)
			pr_warn("luo: the file was preserved, but the response failed");
	}
	mutex_unlock(&session->mutex);
	return err;
}

static int luo_session_retrieve_fd(struct liveupdate_session *session, struct luo_ucmd *ucmd)
{
	struct liveupdate_session_retrieve_fd *argp = ucmd->cmd;
	struct file *file;
	int err;

	argp->fd = get_unused_fd_flags(O_CLOEXEC);
	if (argp->fd < 0)
		return argp->fd;
	mutex_lock(&session->mutex);
	err = luo_retrieve_file(session, argp->token, &file);
	mutex_unlock(&session->mutex);
	if (err < 0)
		goto put_fd;
	err = luo_ucmd_respond(ucmd, sizeof(*argp));
	if (err)
		goto put_file;
	fd_install(argp->fd, file);
	return 0;

put_file:
	fput(file);
put_fd:
	put_unused_fd(argp->fd);
	return err;
}

static int luo_session_finish(struct liveupdate_session *session, struct luo_ucmd *ucmd)
{
	struct liveupdate_session_finish *argp = ucmd->cmd;
	int err;

	if (argp->reserved)
		return -EINVAL;
	err = luo_session_finish_one(session);
	return err ? err : luo_ucmd_respond(ucmd, sizeof(*argp));
}

static int luo_session_get_name(struct liveupdate_session *session, struct luo_ucmd *ucmd)
{
	struct liveupdate_session_get_name *argp = ucmd->cmd;

	if (argp->reserved)
		return -EINVAL;
	luo_strscpy((char *)argp->name, session->name, sizeof(argp->name));
	return luo_ucmd_respond(ucmd, sizeof(*argp));
}

union luo_session_buffer {
	struct liveupdate_session_finish finish;
	struct liveupdate_session_preserve_fd preserve;
	struct liveupdate_session_retrieve_fd retrieve;
	struct liveupdate_session_get_name get_name;
};

enum luo_ioctl_type { LUO_IOCTL_ALL, LUO_IOCTL_INCOMING, LUO_IOCTL_OUTGOING };

static const struct {
	struct luo_ucmd_op op;
	enum luo_ioctl_type type;
	int (*execute)(struct liveupdate_session *session, struct luo_ucmd *ucmd);
} luo_session_ops[] = {
	{ { sizeof(struct liveupdate_session_preserve_fd), 16, LIVEUPDATE_SESSION_PRESERVE_FD },
	  LUO_IOCTL_OUTGOING, luo_session_preserve_fd },
	{ { sizeof(struct liveupdate_session_retrieve_fd), 16, LIVEUPDATE_SESSION_RETRIEVE_FD },
	  LUO_IOCTL_INCOMING, luo_session_retrieve_fd },
	{ { sizeof(struct liveupdate_session_finish), 8, LIVEUPDATE_SESSION_FINISH },
	  LUO_IOCTL_INCOMING, luo_session_finish },
	{ { sizeof(struct liveupdate_session_get_name), 72, LIVEUPDATE_SESSION_GET_NAME },
	  LUO_IOCTL_ALL, luo_session_get_name },
};

static bool type_valid(const struct liveupdate_session *session, enum luo_ioctl_type type)
{
	return type == LUO_IOCTL_ALL || session->retrieved == (type == LUO_IOCTL_INCOMING);
}

static long luo_session_ioctl(struct file *file, unsigned cmd, uva_t arg)
{
	struct liveupdate_session *session = file->private_data;
	unsigned nr = _IOC_NR(cmd);
	union luo_session_buffer buffer;
	struct luo_ucmd ucmd = { 0 };
	unsigned i = nr - LIVEUPDATE_CMD_SESSION_BASE;
	int err;

	if (nr < LIVEUPDATE_CMD_SESSION_BASE || i >= ARRAY_SIZE(luo_session_ops))
		return -EINVAL;
	err = luo_ucmd_start(&ucmd, &luo_session_ops[i].op, cmd, arg);
	if (err)
		return err;
	if (!type_valid(session, luo_session_ops[i].type))
		return -EINVAL;
	err = luo_ucmd_fetch(&ucmd, &luo_session_ops[i].op, &buffer);
	if (err)
		return err;
	err = luo_serialize_enter(session->luo);
	if (err)
		return err;
	err = luo_session_ops[i].execute(session, &ucmd);
	luo_serialize_leave(session->luo);
	return err;
}

const struct file_operations luo_session_fops = {
	.name = "[luo_session]",
	.release = luo_session_release,
	.ioctl = luo_session_ioctl,
};
