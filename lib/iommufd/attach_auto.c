/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * From an id to an attachment: the device API of iommufd (Linux: drivers/iommu/iommufd/device.c).
 *
 * The id names a HWPT, or an IOAS: then the first of its auto HWPTs that accepts the device, or a
 * new one. A refusal with -EINVAL means "try the next". HWPTs that userspace made are never picked,
 * and auto HWPTs are not made for PASIDs: a PASID on an IOAS ends with -EINVAL.
 *
 * Unlike Linux: if the device runs on a domain restored from the previous kernel, a new auto HWPT
 * is filled before the device enters it, not after.
 */
#include "lib/iommufd/io_pagetable.h"

/*
 * Moves the device's group. A function, so that auto HWPTs serve both. NULL *@old: nothing to put.
 */
typedef int (*attach_fn)(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
			 ioasid_t pasid, struct iommufd_hw_pagetable **old);

static int do_attach(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
		     ioasid_t pasid, struct iommufd_hw_pagetable **old)
{
	*old = NULL;
	return iommufd_hw_pagetable_attach(hwpt, idev, pasid);
}

/* The first auto HWPT of the IOAS that takes the device. -EINVAL: none does. */
static int try_auto_domains(struct iommufd_device *idev, ioasid_t pasid, struct iommufd_ioas *ioas,
			    u32 *pt_id, attach_fn attach, struct iommufd_hw_pagetable **old)
{
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	list_for_each_entry(hwpt, &ioas->hwpt_list, hwpt_item) {
		if (!hwpt->auto_domain || !iommufd_lock_obj(&hwpt->common.obj))
			continue;
		rc = attach(&hwpt->common, idev, pasid, old);
		iommufd_put_object(idev->ictx, &hwpt->common.obj);
		if (rc == -EINVAL)
			continue;
		if (!rc)
			*pt_id = hwpt->common.obj.id;
		return rc;
	}
	return -EINVAL;
}

static int auto_get_domain(struct iommufd_device *idev, ioasid_t pasid, struct iommufd_ioas *ioas,
			   u32 *pt_id, attach_fn attach, struct iommufd_hw_pagetable **old)
{
	bool immediate = attach == do_attach && !iommufd_device_restored_domain(idev->dev);
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	mutex_lock(&ioas->mutex);
	rc = try_auto_domains(idev, pasid, ioas, pt_id, attach, old);
	if (rc != -EINVAL)
		goto out_unlock;
	*old = NULL;
	rc = iommufd_hwpt_paging_alloc(idev->ictx, ioas, idev, pasid, 0, immediate, NULL, &hwpt);
	if (rc)
		goto out_unlock;
	if (!immediate) {
		rc = attach(&hwpt->common, idev, pasid, old);
		if (rc) {
			iommufd_object_abort_and_destroy(idev->ictx, &hwpt->common.obj);
			goto out_unlock;
		}
	}
	hwpt->auto_domain = true;
	*pt_id = hwpt->common.obj.id;
	iommufd_object_finalize(idev->ictx, &hwpt->common.obj);
out_unlock:
	mutex_unlock(&ioas->mutex);
	return rc;
}

static int change_pt(struct iommufd_device *idev, ioasid_t pasid, u32 *pt_id, attach_fn attach)
{
	struct iommufd_object *pt = iommufd_get_object(idev->ictx, *pt_id, IOMMUFD_OBJ_ANY);
	struct iommufd_hw_pagetable *old = NULL;
	int rc;

	if (IS_ERR(pt))
		return PTR_ERR(pt);
	switch (pt->type) {
	case IOMMUFD_OBJ_HWPT_NESTED:
	case IOMMUFD_OBJ_HWPT_PAGING:
		rc = attach(container_of(pt, struct iommufd_hw_pagetable, obj), idev, pasid, &old);
		break;
	case IOMMUFD_OBJ_IOAS:
		rc = auto_get_domain(idev, pasid, container_of(pt, struct iommufd_ioas, obj), pt_id,
				     attach, &old);
		break;
	default:
		rc = -EINVAL;
		break;
	}
	iommufd_put_object(idev->ictx, pt);
	/* With every lock released: an auto HWPT may go here. */
	if (old)
		iommufd_hw_pagetable_put(idev->ictx, old);
	return rc;
}

int iommufd_device_attach(struct iommufd_device *idev, ioasid_t pasid, u32 *pt_id)
{
	int rc = change_pt(idev, pasid, pt_id, do_attach);

	/* So that a device cannot be destroyed while it is attached. */
	if (!rc)
		idev->obj.users++;
	return rc;
}

int iommufd_device_replace(struct iommufd_device *idev, ioasid_t pasid, u32 *pt_id)
{
	return change_pt(idev, pasid, pt_id, iommufd_hw_pagetable_replace);
}

int iommufd_device_check_detach(struct iommufd_device *idev)
{
	int rc;

	mutex_lock(&idev->igroup->lock);
	rc = iommufd_gate(attach_gate, idev);
	mutex_unlock(&idev->igroup->lock);
	return rc;
}

void iommufd_device_detach(struct iommufd_device *idev, ioasid_t pasid)
{
	if (iommufd_hw_pagetable_detach(idev, pasid))
		idev->obj.users--;
}
