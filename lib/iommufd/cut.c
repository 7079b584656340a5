/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Cutting an area in two, for VFIO's type 1, which could unmap in the middle of a mapping (Linux:
 * drivers/iommu/iommufd/io_pagetable.c, iopt_cut_iova()). The two areas go on pointing into one
 * pages object, and no table changes.
 *
 * Page tables cannot split a large entry, so a filled area can be cut only where large pages are
 * disabled: there every page was mapped by itself.
 *
 * A cut at the last byte does nothing, for it is there already. That one at the first byte does
 * nothing either is a slip of Linux 7.3, where it should be -EINVAL if an area cannot be as small
 * as a byte; reproduced unless bugs are to be fixed.
 *
 * A design may refuse all cuts, before any is made.
 */
#include "lib/iommufd/io_pagetable.h"

static struct iopt_area *part_new(const struct iopt_area *area, iova_t first, iova_t last)
{
	struct iopt_area *part = kzalloc(sizeof(*part), GFP_KERNEL_ACCOUNT);
	u64 start_byte = iopt_area_start_byte(area, first);

	if (!part)
		return NULL;
	part->iopt = area->iopt;
	part->pages = area->pages;
	part->first = first;
	part->last = last;
	part->page_offset = start_byte % PAGE_SIZE;
	part->pages_index = start_byte / PAGE_SIZE;
	part->iommu_prot = area->iommu_prot;
	part->storage_domain = area->storage_domain;
	return part;
}

/* What may refuse, under pages->mutex. Success: both parts hold their pages. */
static int prepare_split(struct iopt_area *area, iova_t new_start)
{
	struct io_pagetable *iopt = area->iopt;

	if (area->num_accesses)
		return -EINVAL;
	if (area->storage_domain && !iopt->disable_large_pages)
		return -EINVAL;
	if (!range_tree_reserve(&iopt->areas->tree, 2))
		return -ENOMEM;
	if (!area->storage_domain)
		return 0;
	return iopt_pages_split_hold(area->pages,
				     iopt_area_start_byte(area, new_start) / PAGE_SIZE);
}

static void insert_part(struct iopt_area *part)
{
	bool inserted = range_tree_insert(&part->iopt->areas->tree, part->first, part->last,
					  (uintptr_t)part);

	assert(inserted);
}

static int area_split(struct iopt_area *area, iova_t iova)
{
	struct io_pagetable *iopt = area->iopt;
	struct iopt_pages *pages = area->pages;
	u64 alignment = iopt->iova_alignment;
	struct iopt_area *lhs, *rhs;
	int rc = -ENOMEM;

	if (iova == area->last || (iova == area->first && !current->kernel->fix_bugs))
		return 0;
	if (!pages || area->prevent_access)
		return -EBUSY;
	if (pages->type == IOPT_ADDRESS_DMABUF)
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(iova + 1, alignment) ||
	    !IS_ALIGNED(iopt_area_start_byte(area, iova + 1), alignment))
		return -EINVAL;
	lhs = part_new(area, area->first, iova);
	if (!lhs)
		return -ENOMEM;
	rhs = part_new(area, iova + 1, area->last);
	if (!rhs)
		goto err_free_lhs;
	mutex_lock(&pages->mutex);
	rc = prepare_split(area, iova + 1);
	if (rc)
		goto err_unlock;
	range_tree_remove(&iopt->areas->tree, area->first);
	insert_part(lhs);
	insert_part(rhs);
	iopt_get_pages(pages);
	kfree(area);
	mutex_unlock(&pages->mutex);
	return 0;

err_unlock:
	mutex_unlock(&pages->mutex);
	kfree(rhs);
err_free_lhs:
	kfree(lhs);
	return rc;
}

int iopt_cut_iova(struct io_pagetable *iopt, const iova_t *iovas, unsigned nr)
{
	struct iopt_area *area;
	unsigned i;
	int rc;

	down_write(&iopt->iova_rwsem);
	rc = iommufd_gate(cut_gate, iopt);
	for (i = 0; i < nr && !rc; i++) {
		area = iopt_area_iter_first(iopt, iovas[i], iovas[i]);
		if (area)
			rc = area_split(area, iovas[i]);
	}
	up_write(&iopt->iova_rwsem);
	return rc;
}
