/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * GET_HW_INFO: what the IOMMU behind a device can do. The machine's units are VT-d, so this is the
 * capability registers as they are (Linux: drivers/iommu/iommufd/device.c, intel_iommu_hw_info()).
 */
#include "lib/iommufd/iommufd_private.h"

#include "lib/mm/user_mem.h"
#include "sim/iommu_hw.h"
#include "sim/iommu_regs.h"
#include "sim/machine_kernel.h"

/* The driver's part: accepts its own type and the default. */
static int vtd_hw_info(struct device *dev, u32 *type, struct iommu_hw_info_vtd *info)
{
	if (*type != IOMMU_HW_INFO_TYPE_DEFAULT && *type != IOMMU_HW_INFO_TYPE_INTEL_VTD)
		return -EOPNOTSUPP;
	*info = (struct iommu_hw_info_vtd){
		.cap_reg = iommu_hw_read(dev->iommu->hw, IOMMU_REG_CAP),
		.ecap_reg = iommu_hw_read(dev->iommu->hw, IOMMU_REG_ECAP),
	};
	*type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	return 0;
}

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

static int fill_hw_info(struct iommufd_ucmd *ucmd, struct device *dev)
{
	struct iommu_hw_info *cmd = ucmd->cmd;
	struct iommu_hw_info_vtd info;
	u32 length;
	int rc;

	rc = vtd_hw_info(dev, &cmd->out_data_type, &info);
	if (rc)
		return rc;
	length = min(cmd->data_len, (u32)sizeof(info));
	if (copy_to_user(cmd->data_uptr, &info, length))
		return -EFAULT;
	if (clear_user(cmd->data_uptr + length, cmd->data_len - length))
		return -EFAULT;
	cmd->data_len = sizeof(info);
	/* VT-d tracks dirty in second-stage tables only. Neither ATS nor PASIDs are modelled. */
	cmd->out_capabilities = IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	if (machine_pt_format(current->kernel->machine) == IFS_PT_VTDSS)
		cmd->out_capabilities |= IOMMU_HW_CAP_DIRTY_TRACKING;
	cmd->out_max_pasid_log2 = 0;
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
