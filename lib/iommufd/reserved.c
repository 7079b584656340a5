/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * IOVA that cannot be used, and IOVA that must stay usable.
 *
 * Reservations come from the aperture of a domain and from the regions of a device, and carry who
 * made them: they are removed by owner. They may repeat and overlap. A reservation fails over any
 * area, pending ones too, and over what userspace asked to keep free (the allowed list).
 *
 * Which regions a device has is its driver's to say. Those that only firmware uses before a driver
 * takes over (direct relaxable) are no obstacle.
 */
#include "lib/iommufd/io_pagetable.h"

const struct iopt_reserved *iopt_reserved_first(const struct io_pagetable *iopt, iova_t first,
						iova_t last)
{
	const struct iopt_reserved *r;

	list_for_each_entry(r, &iopt->reserved, item) {
		if (r->first > last)
			break;
		if (r->last >= first)
			return r;
	}
	return NULL;
}

bool iopt_allowed_intersects(const struct io_pagetable *iopt, iova_t first, iova_t last)
{
	const struct iopt_allowed *a;

	list_for_each_entry(a, &iopt->allowed, item) {
		if (a->first > last)
			break;
		if (a->last >= first)
			return true;
	}
	return false;
}

int iopt_reserve_iova(struct io_pagetable *iopt, iova_t first, iova_t last, const void *owner)
{
	struct iopt_reserved *new, *r;

	lockdep_assert_held_write(&iopt->iova_rwsem);
	if (iopt_area_iter_first(iopt, first, last) || iopt_allowed_intersects(iopt, first, last))
		return -EADDRINUSE;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	new->first = first;
	new->last = last;
	new->owner = owner;
	list_for_each_entry(r, &iopt->reserved, item)
		if (r->first > first)
			break;
	list_add_tail(&new->item, &r->item);
	return 0;
}

void iopt_remove_reserved_iova_locked(struct io_pagetable *iopt, const void *owner)
{
	struct iopt_reserved *r, *next;

	lockdep_assert_held_write(&iopt->iova_rwsem);
	list_for_each_entry_safe(r, next, &iopt->reserved, item) {
		if (r->owner != owner)
			continue;
		iopt->areas->full_below = min(iopt->areas->full_below, r->first);
		list_del(&r->item);
		kfree(r);
	}
}

void iopt_remove_reserved_iova(struct io_pagetable *iopt, const void *owner)
{
	down_write(&iopt->iova_rwsem);
	iopt_remove_reserved_iova_locked(iopt, owner);
	up_write(&iopt->iova_rwsem);
}

int iopt_enforce_dev_resv_regions(struct io_pagetable *iopt, struct device *dev)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int rc;

	if (iommufd_should_fail(FAIL_IOPT_TABLE_ENFORCE_DEV_RESV_REGIONS))
		return -EINVAL;
	down_write(&iopt->iova_rwsem);
	rc = iommu_get_resv_regions(dev, &regions);
	list_for_each_entry(region, &regions, list) {
		if (rc)
			break;
		if (region->type != IOMMU_RESV_DIRECT_RELAXABLE)
			rc = iopt_reserve_iova(iopt, region->start,
					       region->start + region->length - 1, dev);
	}
	if (rc)
		iopt_remove_reserved_iova_locked(iopt, dev);
	iommu_put_resv_regions(dev, &regions);
	up_write(&iopt->iova_rwsem);
	return rc;
}

int iopt_set_allow_iova(struct io_pagetable *iopt, struct list_head *allowed)
{
	struct iopt_allowed *a, *next;
	LIST_HEAD(old);

	down_write(&iopt->iova_rwsem);
	list_for_each_entry(a, allowed, item) {
		if (iopt_reserved_first(iopt, a->first, a->last)) {
			up_write(&iopt->iova_rwsem);
			return -EADDRINUSE;
		}
	}
	list_for_each_entry_safe(a, next, &iopt->allowed, item) {
		list_del(&a->item);
		list_add_tail(&a->item, &old);
	}
	list_for_each_entry_safe(a, next, allowed, item) {
		list_del(&a->item);
		list_add_tail(&a->item, &iopt->allowed);
	}
	up_write(&iopt->iova_rwsem);
	iopt_free_allowed(&old);
	return 0;
}

void iopt_free_allowed(struct list_head *allowed)
{
	struct iopt_allowed *a, *next;

	list_for_each_entry_safe(a, next, allowed, item) {
		list_del(&a->item);
		kfree(a);
	}
}

int iopt_for_each_usable(const struct io_pagetable *iopt, int (*fn)(void *, iova_t, iova_t),
			 void *ctx)
{
	const struct iopt_reserved *r;
	iova_t from = 0;
	int rc;

	list_for_each_entry(r, &iopt->reserved, item) {
		if (r->first > from) {
			rc = fn(ctx, from, r->first - 1);
			if (rc)
				return rc;
		}
		if (r->last == U64_MAX)
			return 0;
		from = max(from, r->last + 1);
	}
	return fn(ctx, from, U64_MAX);
}
