/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * IOMMU_OPTION and IOMMU_VFIO_IOAS (Linux: drivers/iommu/iommufd/main.c, ioas.c, vfio_compat.c).
 *
 * The accounting mode may only change while the context has no object at all, and that is found out
 * before the value is looked at.
 */
#include "lib/iommufd/io_pagetable.h"

#include <linux/capability.h>

static int set_rlimit_mode(struct iommufd_ctx *ictx, u64 value)
{
	int rc = 0;

	if (!cred_capable(current->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	xa_lock(&ictx->objects);
	if (!xa_empty(&ictx->objects))
		rc = -EBUSY;
	else if (value > 1)
		rc = -EINVAL;
	else
		ictx->account_mode = value ? ACCOUNT_MM : ACCOUNT_USER;
	xa_unlock(&ictx->objects);
	return rc;
}

static int option_rlimit_mode(struct iommufd_ctx *ictx, struct iommu_option *cmd)
{
	if (cmd->object_id)
		return -EOPNOTSUPP;
	switch (cmd->op) {
	case IOMMU_OPTION_OP_GET:
		cmd->val64 = ictx->account_mode == ACCOUNT_MM;
		return 0;
	case IOMMU_OPTION_OP_SET:
		return set_rlimit_mode(ictx, cmd->val64);
	default:
		return -EOPNOTSUPP;
	}
}

static int set_huge_pages(struct io_pagetable *iopt, u64 value)
{
	switch (value) {
	case 0:
		return iopt_disable_large_pages(iopt);
	case 1:
		iopt_enable_large_pages(iopt);
		return 0;
	default:
		return -EINVAL;
	}
}

static int option_huge_pages(struct iommufd_ctx *ictx, struct iommu_option *cmd)
{
	struct iommufd_ioas *ioas = iommufd_get_ioas(ictx, cmd->object_id);
	int rc = 0;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (cmd->op == IOMMU_OPTION_OP_GET)
		cmd->val64 = !ioas->iopt.disable_large_pages;
	else if (cmd->op == IOMMU_OPTION_OP_SET)
		rc = set_huge_pages(&ioas->iopt, cmd->val64);
	else
		rc = -EOPNOTSUPP;
	iommufd_put_object(ictx, &ioas->obj);
	return rc;
}

int iommufd_option(struct iommufd_ucmd *ucmd)
{
	struct iommu_option *cmd = ucmd->cmd;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	switch (cmd->option_id) {
	case IOMMU_OPTION_RLIMIT_MODE:
		rc = option_rlimit_mode(ucmd->ictx, cmd);
		break;
	case IOMMU_OPTION_HUGE_PAGES:
		rc = option_huge_pages(ucmd->ictx, cmd);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (rc)
		return rc;
	if (copy_to_user(ucmd->ubuffer + offsetof(struct iommu_option, val64), &cmd->val64,
			 sizeof(cmd->val64)))
		return -EFAULT;
	return 0;
}

static int vfio_ioas_get(struct iommufd_ucmd *ucmd)
{
	struct iommu_vfio_ioas *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	int rc = 0;

	xa_lock(&ucmd->ictx->objects);
	ioas = ucmd->ictx->vfio_ioas;
	if (!ioas || !iommufd_lock_obj(&ioas->obj))
		rc = -ENODEV;
	xa_unlock(&ucmd->ictx->objects);
	if (rc)
		return rc;
	cmd->ioas_id = ioas->obj.id;
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd)
{
	struct iommu_vfio_ioas *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	switch (cmd->op) {
	case IOMMU_VFIO_IOAS_GET:
		return vfio_ioas_get(ucmd);
	case IOMMU_VFIO_IOAS_SET:
		ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
		if (IS_ERR(ioas))
			return PTR_ERR(ioas);
		/* No reference: destroying the IOAS clears the pointer. */
		xa_lock(&ucmd->ictx->objects);
		ucmd->ictx->vfio_ioas = ioas;
		xa_unlock(&ucmd->ictx->objects);
		iommufd_put_object(ucmd->ictx, &ioas->obj);
		return 0;
	case IOMMU_VFIO_IOAS_CLEAR:
		xa_lock(&ucmd->ictx->objects);
		ucmd->ictx->vfio_ioas = NULL;
		xa_unlock(&ucmd->ictx->objects);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
