/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Attach, replace, detach: which hardware page table a device runs on, with its requester id
 * (IOMMU_NO_PASID) or with a PASID (Linux: drivers/iommu/iommufd/device.c). Which HWPT a program
 * means when it names an IOAS is found out in attach_auto.c.
 *
 * All devices of a group share one HWPT per PASID. Reserved regions of a device go into the IOAS
 * behind its requester id's HWPT before it enters, and leave after it has left; a nested HWPT
 * stands for its parent in this.
 *
 * PASIDs want every HWPT involved to be made for them (IOMMU_HWPT_ALLOC_PASID): the PASID's, and
 * the requester id's for as long as any PASID is attached.
 *
 * Locks: ioas->mutex, then the group's lock, then those of the IOVA space and of the IOMMU core.
 *
 * Unlike Linux: a device may run on a domain restored from the previous kernel although it is not
 * attached to anything in this context. Attaching it then moves it in one step, without a moment in
 * which it has no translation.
 *
 * A bug of Linux 7.3, reproduced unless bugs are to be fixed: a replace that fails between two
 * HWPTs of one IOAS takes the reserved regions of the device out of it, although the device stays.
 *
 * Left out: software MSI windows; virtual functions, which share their page requests.
 */
#include "lib/iommufd/eventq.h"
#include "lib/iommufd/io_pagetable.h"

/* What attaching at @pasid reserves in. NULL: a PASID, or a restored HWPT, reserves nothing. */
static struct io_pagetable *resv_iopt(struct iommufd_hw_pagetable *hwpt, ioasid_t pasid)
{
	struct iommufd_ioas *ioas = find_hwpt_paging(hwpt)->ioas;

	return ioas && pasid == IOMMU_NO_PASID ? &ioas->iopt : NULL;
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

/* -EINVAL: with PASIDs in use, @hwpt is none for them. */
static int check_pasid_compat(struct iommufd_hw_pagetable *hwpt, struct iommufd_group *igroup,
			      ioasid_t pasid)
{
	struct iommufd_attach *attach;
	u64 first = IOMMU_NO_PASID;

	lockdep_assert_held(&igroup->lock);
	if (pasid == IOMMU_NO_PASID) {
		if (hwpt->pasid_compat)
			return 0;
		return xa_find_after(&igroup->pasid_attach, &first, 0xffffffffu, XA_PRESENT) ?
		       -EINVAL : 0;
	}
	if (!hwpt->pasid_compat)
		return -EINVAL;
	attach = xa_load(&igroup->pasid_attach, IOMMU_NO_PASID);
	return attach && !attach->hwpt->pasid_compat ? -EINVAL : 0;
}

static struct iommufd_attach_handle *get_handle(struct iommufd_group *igroup, ioasid_t pasid)
{
	struct iommu_attach_handle *handle = iommu_attach_handle_get(igroup->group, pasid, 0);

	if (IS_ERR(handle))
		return NULL;
	return container_of(handle, struct iommufd_attach_handle, handle);
}

static struct iommufd_attach_handle *handle_new(struct iommufd_device *idev)
{
	struct iommufd_attach_handle *handle = kzalloc(sizeof(*handle), GFP_KERNEL);

	if (handle)
		handle->idev = idev;
	return handle;
}

/* The first device of the group at this PASID: the hardware is told. */
static int hwpt_attach_device(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
			      ioasid_t pasid)
{
	struct iommu_group *group = idev->igroup->group;
	struct iommufd_attach_handle *handle;
	int rc = check_pasid_compat(hwpt, idev->igroup, pasid);

	if (rc)
		return rc;
	handle = handle_new(idev);
	if (!handle)
		return -ENOMEM;
	if (pasid == IOMMU_NO_PASID)
		rc = iommu_attach_group_handle(hwpt->domain, group, &handle->handle);
	else
		rc = iommu_attach_device_pasid(hwpt->domain, idev->dev, pasid, &handle->handle);
	if (rc)
		kfree(handle);
	return rc;
}

static void hwpt_detach_device(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
			       ioasid_t pasid)
{
	struct iommufd_attach_handle *handle = get_handle(idev->igroup, pasid);

	if (pasid == IOMMU_NO_PASID)
		iommu_detach_group_handle(hwpt->domain, idev->igroup->group);
	else
		iommu_detach_device_pasid(hwpt->domain, idev->dev, pasid);
	iommufd_auto_response_faults(hwpt, handle);
	kfree(handle);
}

static int hwpt_replace_device(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
			       ioasid_t pasid, struct iommufd_hw_pagetable *old)
{
	struct iommufd_attach_handle *handle, *old_handle = get_handle(idev->igroup, pasid);
	int rc = check_pasid_compat(hwpt, idev->igroup, pasid);

	if (rc)
		return rc;
	handle = handle_new(idev);
	if (!handle)
		return -ENOMEM;
	if (pasid == IOMMU_NO_PASID)
		rc = iommu_replace_group_handle(idev->igroup->group, hwpt->domain,
						&handle->handle);
	else
		rc = iommu_replace_device_pasid(hwpt->domain, idev->dev, pasid, &handle->handle);
	if (rc) {
		kfree(handle);
		return rc;
	}
	iommufd_auto_response_faults(old, old_handle);
	kfree(old_handle);
	return 0;
}

/* The group's record of @pasid, new and with a reserved slot if there is none. */
static int attach_get(struct iommufd_group *igroup, ioasid_t pasid, struct iommufd_attach **out)
{
	struct iommufd_attach *attach = xa_load(&igroup->pasid_attach, pasid);
	int rc;

	if (!attach) {
		rc = xa_reserve(&igroup->pasid_attach, pasid, GFP_KERNEL);
		if (rc)
			return rc;
		attach = kzalloc(sizeof(*attach), GFP_KERNEL);
		if (!attach) {
			xa_release(&igroup->pasid_attach, pasid);
			return -ENOMEM;
		}
		xa_init(&attach->device_array);
	}
	*out = attach;
	return 0;
}

/* Undoes attach_get() unless somebody is attached. */
static void attach_put(struct iommufd_group *igroup, ioasid_t pasid, struct iommufd_attach *attach)
{
	if (attach->hwpt && !xa_empty(&attach->device_array))
		return;
	xa_erase(&igroup->pasid_attach, pasid);
	xa_destroy(&attach->device_array);
	kfree(attach);
}

static int attach_locked(struct iommufd_group *igroup, struct iommufd_device *idev, ioasid_t pasid,
			 struct iommufd_hw_pagetable *hwpt, struct iommufd_attach *attach)
{
	struct io_pagetable *iopt = resv_iopt(hwpt, pasid);
	int rc;

	rc = xa_insert(&attach->device_array, idev->obj.id, NULL, GFP_KERNEL);
	if (rc)
		return rc;      /* -EBUSY: attached */
	rc = check_gates(idev, hwpt);
	if (!rc && attach->hwpt && attach->hwpt != hwpt)
		rc = -EINVAL;
	if (rc)
		goto err_release;
	rc = reserve_for(iopt, idev);
	if (rc)
		goto err_release;
	rc = attach->hwpt ? 0 : hwpt_attach_device(hwpt, idev, pasid);
	if (rc)
		goto err_unreserve;
	attach->hwpt = hwpt;
	/* Both slots are reserved: storing needs no memory. */
	xa_store(&igroup->pasid_attach, pasid, attach, GFP_KERNEL);
	xa_store(&attach->device_array, idev->obj.id, idev, GFP_KERNEL);
	hwpt->obj.users++;
	return 0;

err_unreserve:
	unreserve_for(iopt, idev);
err_release:
	xa_release(&attach->device_array, idev->obj.id);
	return rc;
}

int iommufd_hw_pagetable_attach(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
				ioasid_t pasid)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_attach *attach;
	int rc;

	mutex_lock(&igroup->lock);
	rc = attach_get(igroup, pasid, &attach);
	if (rc)
		goto unlock;
	rc = attach_locked(igroup, idev, pasid, hwpt, attach);
	if (rc)
		attach_put(igroup, pasid, attach);
unlock:
	mutex_unlock(&igroup->lock);
	return rc;
}

static struct iommufd_hw_pagetable *detach_locked(struct iommufd_group *igroup,
						  struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_attach *attach = xa_load(&igroup->pasid_attach, pasid);
	struct iommufd_hw_pagetable *hwpt;

	if (!attach || !xa_load(&attach->device_array, idev->obj.id))
		return NULL;
	hwpt = attach->hwpt;
	xa_erase(&attach->device_array, idev->obj.id);
	if (xa_empty(&attach->device_array))
		hwpt_detach_device(hwpt, idev, pasid);
	attach_put(igroup, pasid, attach);
	unreserve_for(resv_iopt(hwpt, pasid), idev);
	return hwpt;
}

struct iommufd_hw_pagetable *iommufd_hw_pagetable_detach(struct iommufd_device *idev,
							 ioasid_t pasid)
{
	struct iommufd_hw_pagetable *hwpt;

	mutex_lock(&idev->igroup->lock);
	hwpt = detach_locked(idev->igroup, idev, pasid);
	mutex_unlock(&idev->igroup->lock);
	if (hwpt)
		iommufd_hw_pagetable_put(idev->ictx, hwpt);
	return hwpt;
}

static void unreserve_all(struct iommufd_attach *attach, struct io_pagetable *iopt)
{
	struct iommufd_device *cur;
	u64 index;

	xa_for_each(&attach->device_array, index, cur)
		unreserve_for(iopt, cur);
}

static int reserve_all(struct iommufd_attach *attach, struct io_pagetable *iopt)
{
	struct iommufd_device *cur;
	u64 index;
	int rc;

	xa_for_each(&attach->device_array, index, cur) {
		rc = reserve_for(iopt, cur);
		if (rc) {
			unreserve_all(attach, iopt);
			return rc;
		}
	}
	return 0;
}

static int replace_locked(struct iommufd_group *igroup, struct iommufd_device *idev, ioasid_t pasid,
			  struct iommufd_hw_pagetable *hwpt, struct iommufd_hw_pagetable **old)
{
	struct iommufd_attach *attach = xa_load(&igroup->pasid_attach, pasid);
	struct io_pagetable *from, *to = resv_iopt(hwpt, pasid);
	struct iommufd_hw_pagetable *old_hwpt;
	struct iommufd_device *cur;
	u64 index;
	int rc;

	if (!attach || !xa_load(&attach->device_array, idev->obj.id))
		return -EINVAL;
	old_hwpt = attach->hwpt;
	rc = check_gates(idev, hwpt);
	if (rc || hwpt == old_hwpt)
		return rc;
	from = resv_iopt(old_hwpt, pasid);
	rc = from != to ? reserve_all(attach, to) : 0;
	if (rc)
		return rc;
	rc = hwpt_replace_device(hwpt, idev, pasid, old_hwpt);
	if (rc) {
		if (from != to || !current->kernel->fix_bugs)
			unreserve_all(attach, to);
		return rc;
	}
	if (from != to)
		unreserve_all(attach, from);
	attach->hwpt = hwpt;
	/* Each device's reference moves over; one on the old HWPT stays for the caller to put. */
	old_hwpt->obj.users++;
	xa_for_each(&attach->device_array, index, cur) {
		hwpt->obj.users++;
		old_hwpt->obj.users--;
	}
	*old = old_hwpt;
	return 0;
}

int iommufd_hw_pagetable_replace(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
				 ioasid_t pasid, struct iommufd_hw_pagetable **old)
{
	int rc;

	*old = NULL;
	mutex_lock(&idev->igroup->lock);
	rc = replace_locked(idev->igroup, idev, pasid, hwpt, old);
	mutex_unlock(&idev->igroup->lock);
	return rc;
}
