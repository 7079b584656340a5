/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Attach handles and PASIDs (drivers/iommu/iommu.c). A group's pasid_array has one handle per
 * attached PASID; index 0, IOMMU_NO_PASID, is that of the group's own domain, if it was attached
 * with one.
 *
 * A slot is reserved before the driver is asked, so that nothing can fail after it has agreed, and
 * filled only then: a page fault must not find what is not yet attached.
 */
#include "lib/iommu/iommu_private.h"

#include <iommufd-sim/proto/bug.h>

struct iommu_attach_handle *ifs_iommu_attach_handle_get(struct iommu_group *group, ioasid_t pasid,
							u32 type)
{
	struct iommu_attach_handle *handle = xa_load(&group->pasid_array, pasid);

	if (!handle)
		return ERR_PTR(-ENOENT);
	if (type && handle->domain->type != type)
		return ERR_PTR(-EBUSY);
	return handle;
}

/* Into a slot that is reserved. */
static void handle_publish(struct iommu_group *group, ioasid_t pasid,
			   struct iommu_attach_handle *handle)
{
	WARN_ON(xa_is_err(xa_store(&group->pasid_array, pasid, handle, GFP_KERNEL)));
}

int ifs_iommu_attach_group_handle(struct iommu_domain *domain, struct iommu_group *group,
				  struct iommu_attach_handle *handle)
{
	int ret;

	if (!handle)
		return -EINVAL;
	mutex_lock(&group->mutex);
	handle->domain = domain;
	ret = xa_insert(&group->pasid_array, IOMMU_NO_PASID, NULL, GFP_KERNEL);
	if (ret)
		goto unlock;
	ret = iommu_group_attach(group, domain);
	if (ret)
		xa_release(&group->pasid_array, IOMMU_NO_PASID);
	else
		handle_publish(group, IOMMU_NO_PASID, handle);
unlock:
	mutex_unlock(&group->mutex);
	return ret;
}

int ifs_iommu_replace_group_handle(struct iommu_group *group, struct iommu_domain *domain,
				   struct iommu_attach_handle *handle)
{
	int ret;

	if (!domain || !handle)
		return -EINVAL;
	mutex_lock(&group->mutex);
	handle->domain = domain;
	ret = xa_reserve(&group->pasid_array, IOMMU_NO_PASID, GFP_KERNEL);
	if (ret)
		goto unlock;
	ret = iommu_group_set_domain(group, domain);
	if (ret)
		xa_release(&group->pasid_array, IOMMU_NO_PASID);
	else
		handle_publish(group, IOMMU_NO_PASID, handle);
unlock:
	mutex_unlock(&group->mutex);
	return ret;
}

void ifs_iommu_detach_group_handle(struct iommu_domain *domain, struct iommu_group *group)
{
	mutex_lock(&group->mutex);
	WARN_ON(group->domain != domain);
	iommu_group_block(iommu_core_current(), group);
	xa_erase(&group->pasid_array, IOMMU_NO_PASID);
	mutex_unlock(&group->mutex);
}

/* Undoes the first devices of a group, up to @failed (NULL: all). @old NULL: nothing was there. */
static void pasid_undo(struct iommu_group *group, ioasid_t pasid, struct iommu_domain *domain,
		       struct iommu_domain *old, const struct device *failed)
{
	struct device *dev;

	list_for_each_entry(dev, &group->devices, group_node) {
		if (dev == failed)
			return;
		if (!old || WARN_ON(old->ops->set_dev_pasid(old, dev, pasid, domain)))
			dev_iommu_ops(dev)->block_dev_pasid(dev, pasid, domain);
	}
}

static int pasid_set(struct iommu_group *group, ioasid_t pasid, struct iommu_domain *domain,
		     struct iommu_domain *old)
{
	struct device *dev;
	int ret;

	list_for_each_entry(dev, &group->devices, group_node) {
		ret = domain->ops->set_dev_pasid(domain, dev, pasid, old);
		if (ret) {
			pasid_undo(group, pasid, domain, old, dev);
			return ret;
		}
	}
	domain->nr_attached++;
	return 0;
}

/* @domain has lost a PASID. */
static void pasid_left(struct iommu_domain *domain)
{
	if (!--domain->nr_attached)
		iommu_domain_detached(iommu_core_current(), domain);
}

/* What attach and replace check before they look at the group. */
static int pasid_check(const struct iommu_domain *domain, const struct device *dev, ioasid_t pasid)
{
	if (!domain->ops->set_dev_pasid || !dev_iommu_ops(dev)->block_dev_pasid)
		return -EOPNOTSUPP;
	if (domain->owner != dev_iommu_ops(dev) || pasid == IOMMU_NO_PASID)
		return -EINVAL;
	return 0;
}

/* A device without any PASID (max_pasids 0) cannot use one and so is no obstacle. */
static bool pasid_fits(const struct iommu_group *group, ioasid_t pasid)
{
	const struct device *dev;

	list_for_each_entry(dev, &group->devices, group_node)
		if (dev->max_pasids && pasid >= dev->max_pasids)
			return false;
	return true;
}

int ifs_iommu_attach_device_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid,
				  struct iommu_attach_handle *handle)
{
	struct iommu_group *group = dev->group;
	int ret = pasid_check(domain, dev, pasid);

	if (ret)
		return ret;
	if (WARN_ON(!handle))
		return -EINVAL;
	mutex_lock(&group->mutex);
	ret = -EINVAL;
	if (!pasid_fits(group, pasid))
		goto unlock;
	handle->domain = domain;
	ret = xa_insert(&group->pasid_array, pasid, NULL, GFP_KERNEL);
	if (ret)
		goto unlock;
	ret = pasid_set(group, pasid, domain, NULL);
	if (ret)
		xa_release(&group->pasid_array, pasid);
	else
		handle_publish(group, pasid, handle);
unlock:
	mutex_unlock(&group->mutex);
	return ret;
}

int ifs_iommu_replace_device_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid,
				   struct iommu_attach_handle *handle)
{
	struct iommu_group *group = dev->group;
	struct iommu_attach_handle *old;
	int ret = pasid_check(domain, dev, pasid);

	if (ret)
		return ret;
	if (!handle)
		return -EINVAL;
	mutex_lock(&group->mutex);
	old = xa_load(&group->pasid_array, pasid);
	/* A handle is found without a lock by page faults: it must not change what it means. */
	if (!old || WARN_ON(old == handle)) {
		ret = -EINVAL;
		goto unlock;
	}
	handle->domain = domain;
	if (old->domain != domain) {
		ret = pasid_set(group, pasid, domain, old->domain);
		if (ret)
			goto unlock;
		pasid_left(old->domain);
	}
	handle_publish(group, pasid, handle);
unlock:
	mutex_unlock(&group->mutex);
	return ret;
}

void ifs_iommu_detach_device_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid)
{
	struct iommu_group *group = dev->group;
	struct iommu_attach_handle *handle;

	mutex_lock(&group->mutex);
	handle = xa_load(&group->pasid_array, pasid);
	if (!WARN_ON(!handle || handle->domain != domain)) {
		pasid_undo(group, pasid, domain, NULL, NULL);
		xa_erase(&group->pasid_array, pasid);
		pasid_left(domain);
	}
	mutex_unlock(&group->mutex);
}
