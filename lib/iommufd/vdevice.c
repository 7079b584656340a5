/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Virtual devices: the name (virt_id) that a device has on a virtual IOMMU (Linux:
 * drivers/iommu/iommufd/viommu.c, driver.c). One per device, one per name.
 *
 * A vDEVICE holds its device in both counts for as long as it lives. When the device is unbound
 * first, iommufd_device_pre_destroy() takes the vDEVICE away and leaves a tombstone in place of its
 * id. Everything that ties the two together is under the lock of the device's group.
 */
#include "lib/iommufd/iommufd_private.h"

#include <iommufd-sim/proto/viommu.h>

void iommufd_vdevice_abort(struct iommufd_object *obj)
{
	struct iommufd_vdevice *vdev = container_of(obj, struct iommufd_vdevice, obj);

	lockdep_assert_held(&vdev->idev->igroup->lock);
	if (vdev->destroy)
		vdev->destroy(vdev);
	/* Another's, or still reserved, if the creation failed on the way: then it stays. */
	xa_cmpxchg(&vdev->viommu->vdevs, vdev->virt_id, vdev, NULL, GFP_KERNEL);
	vdev->viommu->obj.users--;
	vdev->idev->vdev = NULL;
}

void iommufd_vdevice_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev = container_of(obj, struct iommufd_vdevice, obj)->idev;

	mutex_lock(&idev->igroup->lock);
	iommufd_vdevice_abort(obj);
	mutex_unlock(&idev->igroup->lock);
	iommufd_put_object(idev->ictx, &idev->obj);
}

/* The name on the vIOMMU: reserved, accepted by the driver, then visible. */
static int vdevice_register(struct iommufd_vdevice *vdev)
{
	struct iommufd_viommu *viommu = vdev->viommu;
	int rc;

	rc = xa_insert(&viommu->vdevs, vdev->virt_id, NULL, GFP_KERNEL);
	if (rc)
		return rc == -EBUSY ? -EEXIST : rc;
	if (viommu->ops->vdevice_init) {
		rc = viommu->ops->vdevice_init(vdev);
		if (rc) {
			xa_release(&viommu->vdevs, vdev->virt_id);
			return rc;
		}
	}
	xa_store(&viommu->vdevs, vdev->virt_id, vdev, GFP_KERNEL);
	return 0;
}

/* Needs the lock of the device's group. On success the vDEVICE owns the caller's reference. */
static int vdevice_alloc_locked(struct iommufd_ucmd *ucmd, struct iommufd_viommu *viommu,
				struct iommufd_device *idev)
{
	size_t size = max(viommu->ops->vdevice_size, sizeof(struct iommufd_vdevice));
	struct iommu_vdevice_alloc *cmd = ucmd->cmd;
	struct iommufd_vdevice *vdev;
	struct iommufd_object *obj;
	int rc;

	if (idev->destroying)
		return -ENOENT;
	if (idev->vdev)
		return -EEXIST;
	rc = iommufd_object_alloc(ucmd->ictx, size, IOMMUFD_OBJ_VDEVICE, &obj);
	if (rc)
		return rc;
	vdev = container_of(obj, struct iommufd_vdevice, obj);
	vdev->virt_id = cmd->virt_id;
	vdev->viommu = viommu;
	viommu->obj.users++;
	vdev->idev = idev;
	idev->vdev = vdev;
	rc = vdevice_register(vdev);
	if (rc)
		goto err_abort;
	cmd->out_vdevice_id = obj->id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_abort;
	iommufd_object_finalize(ucmd->ictx, obj);
	return 0;

err_abort:
	iommufd_object_abort_and_destroy(ucmd->ictx, obj);
	return rc;
}

int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_vdevice_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	struct iommufd_device *idev;
	int rc;

	viommu = iommufd_get_viommu(ucmd->ictx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	idev = iommufd_get_device(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev)) {
		rc = PTR_ERR(idev);
		goto out_put_viommu;
	}
	rc = -EINVAL;
	if (viommu->iommu_dev == idev->dev->iommu) {
		mutex_lock(&idev->igroup->lock);
		rc = vdevice_alloc_locked(ucmd, viommu, idev);
		mutex_unlock(&idev->igroup->lock);
	}
	if (rc)
		iommufd_put_object(ucmd->ictx, &idev->obj);
out_put_viommu:
	iommufd_put_object(ucmd->ictx, &viommu->obj);
	return rc;
}

struct device *ifs_iommufd_viommu_find_dev(struct iommufd_viommu *viommu, u64 vdev_id)
{
	struct iommufd_vdevice *vdev;

	lockdep_assert_held(&viommu->vdevs.xa_lock);
	vdev = xa_load(&viommu->vdevs, vdev_id);
	return vdev ? vdev->idev->dev : NULL;
}

int ifs_iommufd_viommu_get_vdev_id(struct iommufd_viommu *viommu, struct device *dev, u64 *vdev_id)
{
	struct iommufd_vdevice *vdev;
	int rc = -ENOENT;
	u64 index;

	xa_lock(&viommu->vdevs);
	xa_for_each(&viommu->vdevs, index, vdev) {
		if (vdev->idev->dev != dev)
			continue;
		*vdev_id = vdev->virt_id;
		rc = 0;
		break;
	}
	xa_unlock(&viommu->vdevs);
	return rc;
}
