/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Groups: what devices are attached to, and who may do DMA through them (drivers/iommu/iommu.c).
 *
 * A group without a domain is blocked: its devices have no context entry. There are no users of
 * the DMA API here, so that this is also what a released group returns to (Linux: its default
 * domain).
 *
 * A change of domain is made in two steps: everything that needs memory or ids for all devices
 * first, then the devices one by one, and back again if one refuses. Replace therefore leaves no
 * moment without a translation, and a failed call nothing changed but perhaps an empty context
 * table. PASIDs: iommu_pasid.c.
 *
 * Restored devices: their group has a domain from the start. Unlike Linux, where nothing can be
 * restored yet: the owner may attach another domain over a restored one, in one step, and a release
 * leaves the restored domain in place, because the previous kernel's user still needs it.
 */
#include "lib/iommu/iommu_private.h"

#include <assert.h>

#include <iommufd-sim/proto/bug.h>

struct iommu_group *iommu_group_new(struct iommu_core *core)
{
	struct iommu_group *group = kheap_new(&core->kernel->heap, struct iommu_group);

	if (!group)
		return NULL;
	group->id = core->next_group_id++;
	mutex_init(&group->mutex);
	INIT_LIST_HEAD(&group->devices);
	xa_init(&group->pasid_array);
	return group;
}

void iommu_group_free(struct iommu_core *core, struct iommu_group *group)
{
	xa_destroy(&group->pasid_array);
	kheap_free(&core->kernel->heap, group);
}

/* The part of entering @domain that may fail without anything to take back. */
static int group_prepare(struct iommu_group *group, struct iommu_domain *domain)
{
	struct device *dev;
	int ret = 0;

	list_for_each_entry(dev, &group->devices, group_node)
		if (dev_iommu_ops(dev) != domain->owner)
			return -EINVAL;
	if (!domain->ops->prepare)
		return 0;
	list_for_each_entry(dev, &group->devices, group_node) {
		ret = domain->ops->prepare(domain, dev);
		if (ret)
			break;
	}
	return ret;
}

/* Back to @old, after @failed could not enter @domain: those before it had. */
static void group_roll_back(struct iommu_group *group, struct iommu_domain *domain,
			    struct iommu_domain *old, const struct device *failed)
{
	struct device *dev;

	list_for_each_entry(dev, &group->devices, group_node) {
		if (dev == failed)
			return;
		if (!old)
			dev_iommu_ops(dev)->block_dev(dev, domain);
		else
			WARN_ON(old->ops->attach_dev(old, dev, domain));
	}
}

int iommu_group_set_domain(struct iommu_group *group, struct iommu_domain *domain)
{
	struct iommu_domain *old = group->domain;
	struct device *dev;
	int ret;

	lockdep_assert_held(&group->mutex);
	if (old == domain)
		return 0;
	ret = group_prepare(group, domain);
	if (ret)
		return ret;
	list_for_each_entry(dev, &group->devices, group_node) {
		ret = domain->ops->attach_dev(domain, dev, old);
		if (ret) {
			group_roll_back(group, domain, old, dev);
			return ret;
		}
	}
	list_for_each_entry(dev, &group->devices, group_node) {
		domain->nr_attached++;
		if (old)
			old->nr_attached--;
	}
	group->domain = domain;
	if (old && !old->nr_attached)
		iommu_domain_detached(iommu_core_current(), old);
	return 0;
}

void iommu_group_block(struct iommu_core *core, struct iommu_group *group)
{
	struct iommu_domain *old = group->domain;
	struct device *dev;

	lockdep_assert_held(&group->mutex);
	list_for_each_entry(dev, &group->devices, group_node) {
		dev_iommu_ops(dev)->block_dev(dev, old);
		if (old)
			old->nr_attached--;
	}
	group->domain = NULL;
	if (old && !old->nr_attached)
		iommu_domain_detached(core, old);
}

int iommu_group_attach(struct iommu_group *group, struct iommu_domain *domain)
{
	lockdep_assert_held(&group->mutex);
	if (group->domain && !group->domain->restored_from)
		return -EBUSY;
	return iommu_group_set_domain(group, domain);
}

int ifs_iommu_attach_group(struct iommu_domain *domain, struct iommu_group *group)
{
	int ret;

	mutex_lock(&group->mutex);
	ret = iommu_group_attach(group, domain);
	mutex_unlock(&group->mutex);
	return ret;
}

int ifs_iommu_replace_group(struct iommu_domain *domain, struct iommu_group *group)
{
	int ret;

	if (WARN_ON(!domain))
		return -EINVAL;
	mutex_lock(&group->mutex);
	ret = iommu_group_set_domain(group, domain);
	mutex_unlock(&group->mutex);
	return ret;
}

void ifs_iommu_detach_group(struct iommu_domain *domain, struct iommu_group *group)
{
	mutex_lock(&group->mutex);
	WARN_ON(group->domain != domain);
	iommu_group_block(iommu_core_current(), group);
	mutex_unlock(&group->mutex);
}

int ifs_iommu_device_claim_dma_owner(struct device *dev, void *owner)
{
	struct kernel_base *kernel = current->kernel;
	const struct ifs_design *design = kernel->design;
	struct iommu_group *group = dev->group;
	bool restored;
	int ret = 0;

	if (WARN_ON(!owner))
		return -EINVAL;
	mutex_lock(&group->mutex);
	if (group->owner_cnt) {
		if (group->owner == owner)
			group->owner_cnt++;
		else
			ret = -EPERM;
		goto unlock;
	}
	restored = dev->restored_state || (group->domain && group->domain->restored_from);
	if (restored && design && design->claim_owner)
		ret = design->claim_owner(kernel->design_data, dev, owner);
	else if (group->domain)
		ret = -EBUSY;
	if (ret)
		goto unlock;
	group->owner = owner;
	group->owner_cnt = 1;
unlock:
	mutex_unlock(&group->mutex);
	return ret;
}

void ifs_iommu_device_release_dma_owner(struct device *dev)
{
	struct iommu_group *group = dev->group;

	mutex_lock(&group->mutex);
	if (WARN_ON(!group->owner_cnt))
		goto unlock;
	if (--group->owner_cnt)
		goto unlock;
	group->owner = NULL;
	WARN_ON(!xa_empty(&group->pasid_array));
	if (group->domain && !group->domain->restored_from)
		iommu_group_block(iommu_core_current(), group);
unlock:
	mutex_unlock(&group->mutex);
}

void ifs_iommu_block_device(struct device *dev, const char *why)
{
	struct iommu_core *core = iommu_core_current();

	mutex_lock(&dev->group->mutex);
	iommu_group_block(core, dev->group);
	mutex_unlock(&dev->group->mutex);
	pr_err("iommu: %s blocked: %s", dev->name, why);
	kernel_report(core->kernel, IFS_RULE_DEVICE_BLOCKED, "%s blocked: %s", dev->name, why);
}
