/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * GET_HW_INFO: what the IOMMU behind a device can do, as its driver says it (Linux:
 * drivers/iommu/iommufd/device.c).
 */
#include "lib/iommufd/iommufd_private.h"

#include <iommufd-sim/proto/iommu_driver.h>

#include "lib/mm/user_mem.h"

static int clear_user(uva_t to, u64 length)
{
	static const u8 zeroes[256];

	while (length) {
		u64 step = min(length, (u64)sizeof(zeroes));

		if (copy_to_user(to, zeroes, step))
			return -EFAULT;
		to += step;
		length -= step;
	}
	return 0;
}

static u64 hw_capabilities(struct device *dev)
{
	u64 capabilities = 0;

	if (device_iommu_capable(dev, IOMMU_CAP_DIRTY_TRACKING))
		capabilities |= IOMMU_HW_CAP_DIRTY_TRACKING;
	if (!device_iommu_capable(dev, IOMMU_CAP_PCI_ATS_SUPPORTED))
		capabilities |= IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	return capabilities;
}

static int fill_hw_info(struct iommufd_ucmd *ucmd, struct device *dev)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	struct iommu_hw_info *cmd = ucmd->cmd;
	u8 info[IOMMU_HW_INFO_MAX];
	u32 info_length = 0, length;
	int rc = 0;

	if (ops->hw_info)
		rc = ops->hw_info(dev, info, &info_length, &cmd->out_data_type);
	else
		cmd->out_data_type = IOMMU_HW_INFO_TYPE_NONE;
	if (rc)
		return rc;
	length = min(cmd->data_len, info_length);
	if (copy_to_user(cmd->data_uptr, info, length))
		return -EFAULT;
	if (clear_user(cmd->data_uptr + length, cmd->data_len - length))
		return -EFAULT;
	cmd->data_len = info_length;
	cmd->out_capabilities = hw_capabilities(dev);
	cmd->out_max_pasid_log2 = dev->max_pasids ? 31 - __builtin_clz(dev->max_pasids) : 0;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

int iommufd_get_hw_info(struct iommufd_ucmd *ucmd)
{
	struct iommu_hw_info *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	int rc;

	if (cmd->flags & ~(u32)IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		return -EOPNOTSUPP;
	if (cmd->__reserved[0] || cmd->__reserved[1] || cmd->__reserved[2])
		return -EOPNOTSUPP;
	if (!(cmd->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE))
		cmd->in_data_type = IOMMU_HW_INFO_TYPE_DEFAULT;
	idev = iommufd_get_device(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = fill_hw_info(ucmd, idev->dev);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}
