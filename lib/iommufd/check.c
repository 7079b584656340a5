/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every invariant of every context, for tests to walk after each call. Answers NULL or a sentence
 * about the first one that is broken.
 */
#include "lib/iommufd/io_pagetable.h"

static const char *check_area(struct io_pagetable *iopt, struct iopt_area *area)
{
	u64 alignment = iopt->iova_alignment;

	if (area->iopt != iopt)
		return "an area belongs to another IOVA space";
	if (!area->pages)
		return "an area is pending although no call runs";
	if (!IS_ALIGNED(area->first, alignment) || !IS_ALIGNED(iopt_area_length(area), alignment) ||
	    !IS_ALIGNED(area->page_offset, alignment))
		return "an area is less aligned than its IOVA space";
	if (!!area->storage_domain != !!iopt->next_domain_id)
		return "an area is not stored although there is a domain, or the reverse";
	if (iopt_reserved_first(iopt, area->first, area->last))
		return "an area lies in reserved IOVA";
	/* Up to one page it says nothing: an area at IOVA 0 spans that. */
	if (iopt->areas->full_below > PAGE_SIZE && area->first < iopt->areas->full_below &&
	    area->last >= iopt->areas->full_below)
		return "the full part of an IOVA space ends within an area";
	if (iopt_area_last_index(area) >= area->pages->npages)
		return "an area reaches beyond its pages object";
	return iopt_pages_check(area->pages);
}

static int take_first_pa(void *ctx, u64 page_index, pa_t pa, u64 nr_pages)
{
	*(pa_t *)ctx = pa;
	return 1;
}

/* Does each domain's table map the area's first byte to its frame, and the last one at all? */
static const char *check_area_tables(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iommu_domain *domain;
	pa_t pa = 0;
	u64 index;

	if (!area->storage_domain || area->pages->dmabuf_revoked)
		return NULL;
	mutex_lock(&area->pages->mutex);
	iopt_area_for_each_run(area, take_first_pa, &pa);
	mutex_unlock(&area->pages->mutex);
	xa_for_each(&iopt->domains, index, domain) {
		if (iommu_iova_to_phys(domain, area->first) != pa + area->page_offset)
			return "a domain maps an area to other frames than are pinned";
		if (!iommu_iova_to_phys(domain, area->last))
			return "a domain does not map an area to its end";
	}
	return NULL;
}

const char *iopt_check(struct io_pagetable *iopt)
{
	const char *broken = range_tree_check(&iopt->areas->tree);
	const struct iopt_allowed *a;
	struct iopt_area *area;
	u32 i;

	down_read(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, 0, U64_MAX); area && !broken;
	     area = iopt_area_iter_next(area, 0, U64_MAX)) {
		broken = check_area(iopt, area);
		if (!broken)
			broken = check_area_tables(iopt, area);
	}
	up_read(&iopt->iova_rwsem);
	list_for_each_entry(a, &iopt->allowed, item)
		if (iopt_reserved_first(iopt, a->first, a->last))
			broken = "an allowed range is reserved";
	for (i = 0; i < iopt->next_domain_id; i++)
		if (!xa_load(&iopt->domains, i))
			broken = "the domains of an IOVA space are not numbered without a gap";
	return broken;
}

static const char *check_object(struct iommufd_object *obj)
{
	u32 held = 0;

	/* A vDEVICE holds its device in both counts. */
	if (obj->type == IOMMUFD_OBJ_DEVICE)
		held = container_of(obj, struct iommufd_device, obj)->vdev ? 1 : 0;
	if (obj->wait_cnt != 1 + held)
		return "an object is in short-term use although no call runs";
	if (!obj->users)
		return "an object in the table has no reference";
	if (obj->type == IOMMUFD_OBJ_IOAS)
		return iopt_check(&container_of(obj, struct iommufd_ioas, obj)->iopt);
	return NULL;
}

const char *iommufd_check(struct kernel_base *kernel)
{
	const char *broken = NULL;
	struct iommufd_object *obj;
	struct iommufd_ctx *ictx;
	u64 index;

	if (!kernel->iommufd)
		return NULL;
	list_for_each_entry(ictx, &kernel->iommufd->contexts, list)
		xa_for_each(&ictx->objects, index, obj)
			if (!broken)
				broken = check_object(obj);
	return broken;
}
