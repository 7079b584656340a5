/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Virtual IOMMUs, and commands that are not there yet.
 *
 * VT-d has no vIOMMU support in Linux 7.3, so VIOMMU_ALLOC gets as far as asking the driver, and
 * what builds on a vIOMMU as far as not finding one: exactly what Linux answers on such hardware.
 */
#include "lib/iommufd/iommufd_private.h"

int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iommufd_device *idev;

	if (cmd->flags || cmd->type == IOMMU_VIOMMU_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	idev = iommufd_get_device(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return -EOPNOTSUPP;
}

int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd)
{
	return -ENOENT;
}

int iommufd_veventq_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_veventq_alloc *cmd = ucmd->cmd;

	if (cmd->flags || cmd->__reserved || cmd->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->veventq_depth || cmd->veventq_depth > 1u << 19)
		return -EINVAL;
	return -ENOENT;
}

int iommufd_hw_queue_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;
	u64 last;

	if (cmd->flags || cmd->type == IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->length)
		return -EINVAL;
	if (check_add_overflow(cmd->nesting_parent_iova, cmd->length - 1, &last))
		return -EOVERFLOW;
	return -ENOENT;
}

/*
 * NOIOMMU_GET_PA: what Linux answers without CONFIG_IOMMUFD_NOIOMMU.
 * Unlike Linux: FAULT_QUEUE_ALLOC and IOAS_CHANGE_PROCESS, which are not modelled, answer the same.
 */
int iommufd_unsupported(struct iommufd_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}
