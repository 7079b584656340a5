/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Domains of an IOVA space, and what they ask of it: alignment and aperture (Linux:
 * drivers/iommu/iommufd/io_pagetable.c, the table part).
 *
 * A domain that joins is filled from every complete area; one that leaves is emptied, and the last
 * one gives the pages back. domains_rwsem is held for writing throughout, so no map or unmap is
 * half way.
 *
 * The alignment of the space is the largest page size that anything attached calls its smallest,
 * and never more than a CPU page. It rises only if every area, pending ones too, already has it.
 */
#include "lib/iommufd/access.h"

static int iopt_check_iova_alignment(struct io_pagetable *iopt, u64 alignment)
{
	struct iopt_area *area;

	for (area = iopt_area_iter_first(iopt, 0, U64_MAX); area;
	     area = iopt_area_iter_next(area, 0, U64_MAX))
		if (!IS_ALIGNED(area->first, alignment) ||
		    !IS_ALIGNED(iopt_area_length(area), alignment) ||
		    !IS_ALIGNED(area->page_offset, alignment))
			return -EADDRINUSE;
	return 0;
}

static u64 domain_alignment(const struct iommu_domain *domain)
{
	return 1ull << __builtin_ctzll(domain->pgsize_bitmap);
}

/* From scratch: after something that asked for alignment came or went. */
static int iopt_calculate_iova_alignment(struct io_pagetable *iopt)
{
	u64 alignment = iopt->disable_large_pages ? PAGE_SIZE : 1;
	struct iommufd_access *access;
	struct iommu_domain *domain;
	u64 index;
	int rc;

	xa_for_each(&iopt->domains, index, domain)
		alignment = max(alignment, domain_alignment(domain));
	xa_for_each(&iopt->access_list, index, access)
		alignment = max(alignment, access->iova_alignment);
	if (alignment > iopt->iova_alignment) {
		rc = iopt_check_iova_alignment(iopt, alignment);
		if (rc)
			return rc;
	}
	iopt->iova_alignment = alignment;
	return 0;
}

static void unfill_area(struct iopt_area *area, struct iommu_domain *domain, bool last)
{
	mutex_lock(&area->pages->mutex);
	iopt_area_unmap_domain(area, area->pages, domain);
	if (last)
		iopt_area_unstore(area, area->pages);
	mutex_unlock(&area->pages->mutex);
}

static int iopt_fill_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	bool first = !iopt->next_domain_id;
	struct iopt_area *area, *undo;
	int rc;

	for (area = iopt_area_iter_first(iopt, 0, U64_MAX); area;
	     area = iopt_area_iter_next(area, 0, U64_MAX)) {
		if (!area->pages)
			continue;
		mutex_lock(&area->pages->mutex);
		rc = iopt_area_fill_domain(area, domain);
		mutex_unlock(&area->pages->mutex);
		if (rc)
			goto err_unfill;
	}
	return 0;

err_unfill:
	for (undo = iopt_area_iter_first(iopt, 0, U64_MAX); undo != area;
	     undo = iopt_area_iter_next(undo, 0, U64_MAX))
		if (undo->pages)
			unfill_area(undo, domain, first);
	return rc;
}

/* The domain must have left iopt->domains. */
static void iopt_unfill_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	struct iommu_domain *storage = xa_load(&iopt->domains, 0);
	struct iopt_area *area;

	for (area = iopt_area_iter_first(iopt, 0, U64_MAX); area;
	     area = iopt_area_iter_next(area, 0, U64_MAX)) {
		if (!area->pages)
			continue;
		if (storage && area->storage_domain == domain)
			area->storage_domain = storage;
		unfill_area(area, domain, !storage);
	}
}

static int iopt_reserve_aperture(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	const struct iommu_domain_geometry *geometry = &domain->geometry;
	int rc = 0;

	if (geometry->aperture_start != 0)
		rc = iopt_reserve_iova(iopt, 0, geometry->aperture_start - 1, domain);
	if (!rc && geometry->aperture_end != U64_MAX)
		rc = iopt_reserve_iova(iopt, geometry->aperture_end + 1, U64_MAX, domain);
	return rc;
}

int iopt_table_add_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	u64 alignment;
	int rc;

	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	rc = iommufd_gate(domain_gate, iopt);
	if (rc)
		goto out_unlock;
	alignment = max(domain_alignment(domain), iopt->iova_alignment);
	if (alignment > PAGE_SIZE) {
		rc = -EINVAL;
		goto out_unlock;
	}
	if (alignment != iopt->iova_alignment) {
		rc = iopt_check_iova_alignment(iopt, alignment);
		if (rc)
			goto out_unlock;
	}
	rc = iopt_reserve_aperture(iopt, domain);
	if (rc)
		goto err_unreserve;
	rc = xa_reserve(&iopt->domains, iopt->next_domain_id, GFP_KERNEL);
	if (rc)
		goto err_unreserve;
	domain->dma_space = iopt->dma_space;
	rc = iopt_fill_domain(iopt, domain);
	if (rc)
		goto err_release;
	iopt->iova_alignment = alignment;
	xa_store(&iopt->domains, iopt->next_domain_id, domain, GFP_KERNEL);
	iopt->next_domain_id++;
	goto out_unlock;

err_release:
	xa_release(&iopt->domains, iopt->next_domain_id);
err_unreserve:
	iopt_remove_reserved_iova_locked(iopt, domain);
out_unlock:
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
	return rc;
}

void iopt_table_remove_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	struct iommu_domain *tail;
	u32 index = 0;

	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	/* Removal cannot fail: a design must have held the HWPT before it came to this. */
	WARN_ON(iommufd_gate(domain_gate, iopt));
	while (index < iopt->next_domain_id && xa_load(&iopt->domains, index) != domain)
		index++;
	assert(index < iopt->next_domain_id);
	/* The last one fills the hole, so that 0 to next_domain_id - 1 are in use. */
	iopt->next_domain_id--;
	tail = xa_erase(&iopt->domains, iopt->next_domain_id);
	if (index != iopt->next_domain_id)
		xa_store(&iopt->domains, index, tail, GFP_KERNEL);

	iopt_unfill_domain(iopt, domain);
	iopt_remove_reserved_iova_locked(iopt, domain);
	WARN_ON(iopt_calculate_iova_alignment(iopt));
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
}

int iopt_disable_large_pages(struct io_pagetable *iopt)
{
	int rc = 0;

	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	if (iopt->disable_large_pages)
		goto out_unlock;
	/* What is mapped was mapped with large pages. */
	if (!xa_empty(&iopt->domains) && iopt->areas->tree.count) {
		rc = -EINVAL;
		goto out_unlock;
	}
	iopt->disable_large_pages = true;
	rc = iopt_calculate_iova_alignment(iopt);
	if (rc)
		iopt->disable_large_pages = false;
out_unlock:
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
	return rc;
}

void iopt_enable_large_pages(struct io_pagetable *iopt)
{
	int rc;

	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	iopt->disable_large_pages = false;
	rc = iopt_calculate_iova_alignment(iopt);
	WARN_ON(rc);
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
}

int iopt_add_access(struct io_pagetable *iopt, struct iommufd_access *access, u32 *list_id)
{
	u32 id;
	int rc;

	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	rc = xa_alloc(&iopt->access_list, &id, access, XA_LIMIT(0, 0xffff), GFP_KERNEL_ACCOUNT);
	if (rc)
		goto out_unlock;
	rc = iopt_calculate_iova_alignment(iopt);
	if (rc)
		xa_erase(&iopt->access_list, id);
	else
		*list_id = id;
out_unlock:
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
	return rc;
}

void iopt_remove_access(struct io_pagetable *iopt, struct iommufd_access *access, u32 list_id)
{
	down_write(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	WARN_ON(xa_erase(&iopt->access_list, list_id) != access);
	WARN_ON(iopt_calculate_iova_alignment(iopt));
	up_write(&iopt->iova_rwsem);
	up_write(&iopt->domains_rwsem);
}
