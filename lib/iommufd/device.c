/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Devices bound to a context, and the mirror of their IOMMU groups in it (Linux:
 * drivers/iommu/iommufd/device.c). Attaching is in attach.c.
 *
 * Binding claims DMA ownership of the whole group for the context, and holds the context's file: it
 * lives on while a device is bound, unless that is one of the selftest interface's. All units here
 * isolate interrupts, so that check of Linux always passes.
 *
 * An existing vDEVICE holds its device; an unbind takes it away first.
 *
 * A device restored from the previous kernel is bound while it runs on its restored domain. Nothing
 * here disturbs that; see iommufd_device_block_restored().
 */
#include "lib/iommufd/iommufd_private.h"

#include "lib/iommufd/io_pagetable.h"

bool iommufd_selftest_is_mock_dev(const struct device *dev)
{
	return !dev->hw;
}

struct iommufd_device *iommufd_get_device(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_DEVICE);

	if (IS_ERR(obj))
		return (void *)obj;
	return container_of(obj, struct iommufd_device, obj);
}

static void iommufd_put_group(struct iommufd_group *igroup)
{
	assert(igroup->refs);
	if (--igroup->refs)
		return;
	WARN_ON(!xa_empty(&igroup->pasid_attach));
	xa_erase(&igroup->ictx->groups, igroup->group->id);
	xa_destroy(&igroup->pasid_attach);
	mutex_destroy(&igroup->lock);
	kfree(igroup);
}

/* A reference on the context's mirror of the device's group, made on first use. */
static int iommufd_get_group(struct iommufd_ctx *ictx, struct device *dev,
			     struct iommufd_group **out)
{
	struct iommufd_group *igroup;
	int rc;

	if (!dev->group)
		return -ENODEV;
	xa_lock(&ictx->groups);
	igroup = xa_load(&ictx->groups, dev->group->id);
	if (igroup)
		igroup->refs++;
	xa_unlock(&ictx->groups);
	if (igroup) {
		*out = igroup;
		return 0;
	}
	igroup = kzalloc(sizeof(*igroup), GFP_KERNEL);
	if (!igroup)
		return -ENOMEM;
	igroup->refs = 1;
	mutex_init(&igroup->lock);
	xa_init(&igroup->pasid_attach);
	igroup->ictx = ictx;
	igroup->group = dev->group;
	rc = xa_insert(&ictx->groups, dev->group->id, igroup, GFP_KERNEL);
	if (rc) {
		xa_destroy(&igroup->pasid_attach);
		kfree(igroup);
		return rc;
	}
	*out = igroup;
	return 0;
}

/* The device is about to go: its vDEVICE, which holds it, goes first and leaves a tombstone. */
void iommufd_device_pre_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev = container_of(obj, struct iommufd_device, obj);
	struct iommufd_vdevice *vdev;

	mutex_lock(&idev->igroup->lock);
	idev->destroying = true;
	vdev = idev->vdev;
	/* One that a DESTROY has already taken out of the table goes by itself. */
	if (vdev && iommufd_try_inc_users(idev->ictx, &vdev->obj))
		vdev = NULL;
	mutex_unlock(&idev->igroup->lock);
	if (vdev)
		iommufd_object_tombstone_user(idev->ictx, &vdev->obj);
}

void iommufd_device_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev = container_of(obj, struct iommufd_device, obj);

	/* A bind that failed never got that far. */
	if (!idev->igroup)
		return;
	iommu_device_release_dma_owner(idev->dev);
	iommufd_put_group(idev->igroup);
}

int iommufd_device_bind(struct iommufd_ctx *ictx, struct device *dev, u32 *id,
			struct iommufd_device **out)
{
	struct iommufd_group *igroup;
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	int rc;

	rc = iommufd_object_alloc(ictx, sizeof(*idev), IOMMUFD_OBJ_DEVICE, &obj);
	if (rc)
		return rc;
	idev = container_of(obj, struct iommufd_device, obj);
	idev->ictx = ictx;
	idev->dev = dev;
	rc = -EINVAL;
	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		goto err_abort;
	rc = iommufd_get_group(ictx, dev, &igroup);
	if (rc)
		goto err_abort;
	rc = iommu_device_claim_dma_owner(dev, ictx);
	if (rc)
		goto err_put_group;
	idev->igroup = igroup;
	idev->enforce_cache_coherency =
		device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
	if (!iommufd_selftest_is_mock_dev(dev))
		get_file(ictx->file);
	/* The caller's, until iommufd_device_unbind(). */
	obj->users++;
	iommufd_object_finalize(ictx, obj);
	*id = obj->id;
	*out = idev;
	return 0;

err_put_group:
	iommufd_put_group(igroup);
err_abort:
	iommufd_object_abort_and_destroy(ictx, obj);
	return rc;
}

void iommufd_device_unbind(struct iommufd_device *idev)
{
	bool is_mock = iommufd_selftest_is_mock_dev(idev->dev);
	struct iommufd_ctx *ictx = idev->ictx;

	iommufd_object_destroy_user(ictx, &idev->obj);
	if (!is_mock)
		iommufd_ctx_put(ictx);
}

struct iommu_domain *iommufd_device_restored_domain(struct device *dev)
{
	struct iommu_domain *domain = dev->group ? dev->group->domain : NULL;

	return domain && domain->restored_from ? domain : NULL;
}

void iommufd_device_block_restored(struct iommufd_device *idev)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommu_domain *domain;

	mutex_lock(&igroup->lock);
	domain = iommufd_device_restored_domain(idev->dev);
	if (domain && !xa_load(&igroup->pasid_attach, IOMMU_NO_PASID))
		iommu_detach_group(domain, igroup->group);
	mutex_unlock(&igroup->lock);
}

static struct iommufd_hw_pagetable *attached_hwpt(struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_attach *attach = xa_load(&idev->igroup->pasid_attach, pasid);

	return attach && xa_load(&attach->device_array, idev->obj.id) ? attach->hwpt : NULL;
}

struct iommufd_hw_pagetable *ifs_iommufd_device_hwpt(struct iommufd_device *idev)
{
	return attached_hwpt(idev, IOMMU_NO_PASID);
}

bool ifs_iommufd_device_uses_pasids(struct iommufd_device *idev)
{
	struct iommufd_attach *attach;
	u64 pasid;

	xa_for_each(&idev->igroup->pasid_attach, pasid, attach)
		if (pasid != IOMMU_NO_PASID && attached_hwpt(idev, (ioasid_t)pasid))
			return true;
	return false;
}

struct device *ifs_iommufd_device_dev(struct iommufd_device *idev)
{
	return idev->dev;
}

struct iommufd_ctx *ifs_iommufd_device_ctx(struct iommufd_device *idev)
{
	return idev->ictx;
}
