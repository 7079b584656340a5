/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Virtual IOMMUs: a slice of a physical one that a program hands to its guest, on top of a nesting
 * parent (Linux: drivers/iommu/iommufd/viommu.c). What can be done with it is the driver's; the
 * objects around it are in vdevice.c, veventq.c and hw_queue.c.
 *
 * VT-d has no vIOMMU support in Linux 7.3, so on such a device VIOMMU_ALLOC is -EOPNOTSUPP before
 * it has looked at the HWPT.
 */
#include "lib/iommufd/iommufd_private.h"

#include <iommufd-sim/proto/viommu.h>

struct iommufd_viommu *iommufd_get_viommu(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_VIOMMU);

	if (IS_ERR(obj))
		return (void *)obj;
	return container_of(obj, struct iommufd_viommu, obj);
}

void iommufd_viommu_destroy(struct iommufd_object *obj)
{
	struct iommufd_viommu *viommu = container_of(obj, struct iommufd_viommu, obj);

	/* No ops: the driver's init failed, and has undone what it did. */
	if (viommu->ops && viommu->ops->destroy)
		viommu->ops->destroy(viommu);
	viommu->hwpt->common.obj.users--;
	xa_destroy(&viommu->vdevs);
}

/* 0: the driver has no such type, or no vIOMMUs at all. */
static size_t viommu_size(struct device *dev, u32 type)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	size_t size;

	if (!ops->get_viommu_size || !ops->viommu_init)
		return 0;
	size = ops->get_viommu_size(dev, type);
	assert(!size || size >= sizeof(struct iommufd_viommu));
	return size;
}

static int viommu_alloc_on(struct iommufd_ucmd *ucmd, struct iommufd_device *idev, size_t size,
			   struct iommufd_hwpt_paging *hwpt)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	const struct iommu_user_data user_data = {
		.type = cmd->type,
		.uptr = cmd->data_uptr,
		.len = cmd->data_len,
	};
	struct iommufd_viommu *viommu;
	struct iommufd_object *obj;
	int rc;

	if (!hwpt->nest_parent)
		return -EINVAL;
	rc = iommufd_object_alloc_ucmd(ucmd, size, IOMMUFD_OBJ_VIOMMU, &obj);
	if (rc)
		return rc;
	viommu = container_of(obj, struct iommufd_viommu, obj);
	xa_init(&viommu->vdevs);
	viommu->type = cmd->type;
	viommu->ictx = ucmd->ictx;
	viommu->hwpt = hwpt;
	hwpt->common.obj.users++;
	INIT_LIST_HEAD(&viommu->veventqs);
	init_rwsem(&viommu->veventqs_rwsem);
	viommu->iommu_dev = idev->dev->iommu;
	rc = dev_iommu_ops(idev->dev)->viommu_init(viommu, hwpt->common.domain,
						   cmd->data_len ? &user_data : NULL);
	if (rc)
		return rc;
	assert(viommu->ops);
	cmd->out_viommu_id = obj->id;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_device *idev;
	size_t size;
	int rc;

	if (cmd->flags || cmd->type == IOMMU_VIOMMU_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	idev = iommufd_get_device(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	size = viommu_size(idev->dev, cmd->type);
	if (!size) {
		rc = -EOPNOTSUPP;
		goto out_put_idev;
	}
	hwpt = iommufd_get_hwpt_paging(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		goto out_put_idev;
	}
	rc = viommu_alloc_on(ucmd, idev, size, hwpt);
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
out_put_idev:
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}

/*
 * NOIOMMU_GET_PA: what Linux answers without CONFIG_IOMMUFD_NOIOMMU.
 */
int iommufd_unsupported(struct iommufd_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}
