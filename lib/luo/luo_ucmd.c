/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * How LUO reads and answers an ioctl (luo_ioctl(), luo_session_ioctl(), luo_ucmd_respond()). The
 * order of checks is ABI: the size is fetched before the full command number is looked at, so a
 * wrong number with a bad pointer is -EFAULT (trap 3).
 */
#include "lib/luo/luo_internal.h"

int luo_ucmd_start(struct luo_ucmd *ucmd, const struct luo_ucmd_op *op, unsigned cmd, uva_t arg)
{
	int err;

	ucmd->ubuffer = arg;
	err = copy_from_user(&ucmd->user_size, arg, sizeof(ucmd->user_size));
	if (err)
		return err;
	return op->ioctl_num == cmd ? 0 : -ENOTTY;
}

int luo_ucmd_fetch(struct luo_ucmd *ucmd, const struct luo_ucmd_op *op, void *cmd)
{
	if (ucmd->user_size < op->min_size)
		return -EINVAL;
	ucmd->cmd = cmd;
	return copy_struct_from_user(cmd, op->size, ucmd->ubuffer, ucmd->user_size);
}

int luo_ucmd_respond(const struct luo_ucmd *ucmd, size_t kernel_cmd_size)
{
	size_t size = min((size_t)ucmd->user_size, kernel_cmd_size);

	return copy_to_user(ucmd->ubuffer, ucmd->cmd, size);
}
