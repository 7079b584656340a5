/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Attach, replace, detach: which hardware page table a device runs on (Linux:
 * drivers/iommu/iommufd/device.c).
 *
 * The target is a HWPT, or an IOAS: then the first of its auto HWPTs that accepts the device, or a
 * new one. A refusal with -EINVAL means "try the next". Reserved regions of the device go into the
 * IOAS before, and leave it after.
 *
 * Locks: ioas->mutex, then the group's lock, then those of the IOVA space and of the IOMMU core.
 *
 * Unlike Linux: a device may run on a domain restored from the previous kernel although it is not
 * attached to anything in this context. Attaching it then moves it in one step, without a moment in
 * which it has no translation; and an auto HWPT is filled before the device enters it, not after.
 *
 * Left out: PASIDs.
 */
#include "lib/iommufd/io_pagetable.h"

/*
 * Moves the device's group. A function, so that auto HWPTs serve both. NULL *@old: nothing to put.
 */
typedef int (*attach_fn)(struct iommufd_device *idev, struct iommufd_hw_pagetable *hwpt,
			 struct iommufd_hw_pagetable **old);

/* NULL: a restored HWPT, which has no IOVA space to reserve in. */
static struct io_pagetable *hwpt_iopt(struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_ioas *ioas = to_hwpt_paging(hwpt)->ioas;

	return ioas ? &ioas->iopt : NULL;
}

static int reserve_for(struct io_pagetable *iopt, struct iommufd_device *idev)
{
	return iopt ? iopt_enforce_dev_resv_regions(iopt, idev->dev) : 0;
}

static void unreserve_for(struct io_pagetable *iopt, struct iommufd_device *idev)
{
	if (iopt)
		iopt_remove_reserved_iova(iopt, idev->dev);
}

static int check_gates(struct iommufd_device *idev, struct iommufd_hw_pagetable *hwpt)
{
	int rc = iommufd_gate(attach_gate, idev);

	if (!rc)
		rc = iommufd_gate(attach_to_gate, idev, hwpt);
	return rc;
}

/* The first device of the group: its domain is written to the hardware. */
static int attach_group(struct iommufd_group *igroup, struct iommufd_device *idev,
			struct iommufd_hw_pagetable *hwpt)
{
	if (iommufd_device_restored_domain(idev->dev))
		return iommu_replace_group(hwpt->domain, igroup->group);
	return iommu_attach_group(hwpt->domain, igroup->group);
}

static int attach_locked(struct iommufd_group *igroup, struct iommufd_device *idev,
			 struct iommufd_hw_pagetable *hwpt)
{
	bool first = !igroup->hwpt;
	int rc;

	rc = xa_insert(&igroup->device_array, idev->obj.id, NULL, GFP_KERNEL);
	if (rc)
		return rc;      /* -EBUSY: attached */
	rc = check_gates(idev, hwpt);
	if (rc)
		goto err_release;
	if (!first && igroup->hwpt != hwpt) {
		rc = -EINVAL;
		goto err_release;
	}
	rc = reserve_for(hwpt_iopt(hwpt), idev);
	if (rc)
		goto err_release;
	rc = first ? attach_group(igroup, idev, hwpt) : 0;
	if (rc)
		goto err_unreserve;
	igroup->hwpt = hwpt;
	hwpt->obj.users++;
	xa_store(&igroup->device_array, idev->obj.id, idev, GFP_KERNEL);
	return 0;

err_unreserve:
	unreserve_for(hwpt_iopt(hwpt), idev);
err_release:
	xa_release(&igroup->device_array, idev->obj.id);
	return rc;
}

int iommufd_hw_pagetable_attach(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev)
{
	int rc;

	mutex_lock(&idev->igroup->lock);
	rc = attach_locked(idev->igroup, idev, hwpt);
	mutex_unlock(&idev->igroup->lock);
	return rc;
}

static int do_attach(struct iommufd_device *idev, struct iommufd_hw_pagetable *hwpt,
		     struct iommufd_hw_pagetable **old)
{
	*old = NULL;
	return iommufd_hw_pagetable_attach(hwpt, idev);
}

static struct iommufd_hw_pagetable *detach_locked(struct iommufd_group *igroup,
						  struct iommufd_device *idev)
{
	struct iommufd_hw_pagetable *hwpt = igroup->hwpt;

	if (!xa_load(&igroup->device_array, idev->obj.id))
		return NULL;
	xa_erase(&igroup->device_array, idev->obj.id);
	if (xa_empty(&igroup->device_array)) {
		iommu_detach_group(hwpt->domain, igroup->group);
		igroup->hwpt = NULL;
	}
	unreserve_for(hwpt_iopt(hwpt), idev);
	return hwpt;
}

struct iommufd_hw_pagetable *iommufd_hw_pagetable_detach(struct iommufd_device *idev)
{
	struct iommufd_hw_pagetable *hwpt;

	mutex_lock(&idev->igroup->lock);
	hwpt = detach_locked(idev->igroup, idev);
	mutex_unlock(&idev->igroup->lock);
	if (hwpt)
		iommufd_hw_pagetable_put(idev->ictx, hwpt);
	return hwpt;
}

static void unreserve_group(struct iommufd_group *igroup, struct io_pagetable *iopt)
{
	struct iommufd_device *cur;
	u64 index;

	xa_for_each(&igroup->device_array, index, cur)
		unreserve_for(iopt, cur);
}

static int reserve_group(struct iommufd_group *igroup, struct io_pagetable *iopt)
{
	struct iommufd_device *cur;
	u64 index;
	int rc;

	xa_for_each(&igroup->device_array, index, cur) {
		rc = reserve_for(iopt, cur);
		if (rc) {
			unreserve_group(igroup, iopt);
			return rc;
		}
	}
	return 0;
}

static int replace_locked(struct iommufd_group *igroup, struct iommufd_device *idev,
			  struct iommufd_hw_pagetable *hwpt, struct iommufd_hw_pagetable **old)
{
	struct iommufd_hw_pagetable *old_hwpt = igroup->hwpt;
	struct io_pagetable *from, *to = hwpt_iopt(hwpt);
	struct iommufd_device *cur;
	u64 index, nr_devices = 0;
	int rc;

	if (!old_hwpt || !xa_load(&igroup->device_array, idev->obj.id))
		return -EINVAL;
	rc = check_gates(idev, hwpt);
	if (rc || hwpt == old_hwpt)
		return rc;
	from = hwpt_iopt(old_hwpt);
	rc = from != to ? reserve_group(igroup, to) : 0;
	if (rc)
		return rc;
	rc = iommu_replace_group(hwpt->domain, igroup->group);
	if (rc) {
		if (from != to)
			unreserve_group(igroup, to);
		return rc;
	}
	if (from != to)
		unreserve_group(igroup, from);
	igroup->hwpt = hwpt;
	/* Each device's reference moves over; one on the old HWPT stays for the caller to put. */
	xa_for_each(&igroup->device_array, index, cur)
		nr_devices++;
	hwpt->obj.users += nr_devices;
	old_hwpt->obj.users -= nr_devices - 1;
	*old = old_hwpt;
	return 0;
}

static int do_replace(struct iommufd_device *idev, struct iommufd_hw_pagetable *hwpt,
		      struct iommufd_hw_pagetable **old)
{
	int rc;

	*old = NULL;
	mutex_lock(&idev->igroup->lock);
	rc = replace_locked(idev->igroup, idev, hwpt, old);
	mutex_unlock(&idev->igroup->lock);
	return rc;
}

/* The first auto HWPT of the IOAS that takes the device. -EINVAL: none does. */
static int try_auto_domains(struct iommufd_device *idev, struct iommufd_ioas *ioas, u32 *pt_id,
			    attach_fn attach, struct iommufd_hw_pagetable **old)
{
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	list_for_each_entry(hwpt, &ioas->hwpt_list, hwpt_item) {
		if (!hwpt->auto_domain || !iommufd_lock_obj(&hwpt->common.obj))
			continue;
		rc = attach(idev, &hwpt->common, old);
		iommufd_put_object(idev->ictx, &hwpt->common.obj);
		if (rc == -EINVAL)
			continue;
		if (!rc)
			*pt_id = hwpt->common.obj.id;
		return rc;
	}
	return -EINVAL;
}

static int auto_get_domain(struct iommufd_device *idev, struct iommufd_ioas *ioas, u32 *pt_id,
			   attach_fn attach, struct iommufd_hw_pagetable **old)
{
	bool immediate = attach == do_attach && !iommufd_device_restored_domain(idev->dev);
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	mutex_lock(&ioas->mutex);
	rc = try_auto_domains(idev, ioas, pt_id, attach, old);
	if (rc != -EINVAL)
		goto out_unlock;
	*old = NULL;
	rc = iommufd_hwpt_paging_alloc(idev->ictx, ioas, idev, 0, immediate, false, &hwpt);
	if (rc)
		goto out_unlock;
	if (!immediate) {
		rc = attach(idev, &hwpt->common, old);
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

static int change_pt(struct iommufd_device *idev, u32 *pt_id, attach_fn attach)
{
	struct iommufd_object *pt = iommufd_get_object(idev->ictx, *pt_id, IOMMUFD_OBJ_ANY);
	struct iommufd_hw_pagetable *old = NULL;
	int rc;

	if (IS_ERR(pt))
		return PTR_ERR(pt);
	if (pt->type == IOMMUFD_OBJ_HWPT_PAGING)
		rc = attach(idev, container_of(pt, struct iommufd_hw_pagetable, obj), &old);
	else if (pt->type == IOMMUFD_OBJ_IOAS)
		rc = auto_get_domain(idev, container_of(pt, struct iommufd_ioas, obj), pt_id,
				     attach, &old);
	else
		rc = -EINVAL;
	iommufd_put_object(idev->ictx, pt);
	/* With every lock released: an auto HWPT may go here. */
	if (old)
		iommufd_hw_pagetable_put(idev->ictx, old);
	return rc;
}

int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id)
{
	int rc = change_pt(idev, pt_id, do_attach);

	/* So that a device cannot be destroyed while it is attached. */
	if (!rc)
		idev->obj.users++;
	return rc;
}

int iommufd_device_replace(struct iommufd_device *idev, u32 *pt_id)
{
	return change_pt(idev, pt_id, do_replace);
}

int iommufd_device_check_detach(struct iommufd_device *idev)
{
	int rc;

	mutex_lock(&idev->igroup->lock);
	rc = iommufd_gate(attach_gate, idev);
	mutex_unlock(&idev->igroup->lock);
	return rc;
}

void iommufd_device_detach(struct iommufd_device *idev)
{
	if (iommufd_hw_pagetable_detach(idev))
		idev->obj.users--;
}
