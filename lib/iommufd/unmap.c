/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Unmapping: whole areas within a range, lowest first (drivers/iommu/iommufd/io_pagetable.c,
 * iopt_unmap_iova_range()).
 *
 * It is not atomic, and Linux's programs know: the areas before the one that cannot go are gone
 * when the error is returned, and how many bytes that were is not.
 *
 * Who accesses an area from inside the kernel is asked to let go first, with no lock held; then the
 * walk begins again at that area. Areas locked by iommufd itself are not asked about.
 */
#include "lib/iommufd/access.h"

/* So often is one area's user asked before we give up. */
#define UNMAP_TRIES 100u

void iopt_abort_area(struct iopt_area *area)
{
	struct io_pagetable *iopt = area->iopt;
	bool removed;

	WARN_ON(area->pages);
	if (iopt) {
		down_write(&iopt->iova_rwsem);
		iommufd_hook(area_aborted, iopt);
		removed = range_tree_remove(&iopt->areas->tree, area->first);
		assert(removed);
		iopt->areas->full_below = min(iopt->areas->full_below, area->first);
		up_write(&iopt->iova_rwsem);
	}
	kfree(area);
}

struct unmap_walk {
	iova_t start, last;
	u64 bytes;              /* unmapped so far */
	unsigned tries;         /* of asking for the area at @start */
	u64 asked_length;       /* nonzero: @start must be asked for, then the walk goes on */
};

/* As far as nobody has to be asked. */
static int unmap_walk(struct io_pagetable *iopt, struct unmap_walk *walk)
{
	struct iopt_area *area;
	int rc;

	walk->asked_length = 0;
	/* In read mode, so that no domain comes or goes while an area has no pages. */
	down_read(&iopt->domains_rwsem);
	down_write(&iopt->iova_rwsem);
	rc = iommufd_gate(unmap_gate, iopt);
	while (!rc && (area = iopt_area_iter_first(iopt, walk->start, walk->last))) {
		iova_t area_first = area->first, area_last = area->last;
		struct iopt_pages *pages = area->pages;

		if (!pages || area->num_locks) {
			rc = -EBUSY;
			break;
		}
		if (area_first < walk->start || area_last > walk->last) {
			rc = -ENOENT;
			break;
		}
		if (area_first != walk->start)
			walk->tries = 0;
		if (area->num_accesses) {
			walk->start = area_first;
			walk->asked_length = iopt_area_length(area);
			area->prevent_access = true;
			break;
		}
		area->pages = NULL;
		up_write(&iopt->iova_rwsem);

		iopt_area_unfill_domains(area, pages);
		iopt_abort_area(area);
		iopt_put_pages(pages);
		walk->bytes += area_last - area_first + 1;

		down_write(&iopt->iova_rwsem);
		/* Others may have mapped behind us meanwhile: never look back. */
		if (area_last >= walk->last)
			break;
		walk->start = area_last + 1;
	}
	up_write(&iopt->iova_rwsem);
	up_read(&iopt->domains_rwsem);
	return rc;
}

static int iopt_unmap_iova_range(struct io_pagetable *iopt, iova_t start, iova_t last,
				 u64 *unmapped)
{
	struct unmap_walk walk = { .start = start, .last = last };
	int rc;

	for (;;) {
		rc = unmap_walk(iopt, &walk);
		if (rc || !walk.asked_length)
			break;
		iommufd_access_notify_unmap(iopt, walk.start, walk.asked_length);
		if (WARN_ON(++walk.tries > UNMAP_TRIES)) {
			rc = -EDEADLOCK;
			break;
		}
	}
	*unmapped = walk.bytes;
	return rc;
}

int iopt_unmap_iova(struct io_pagetable *iopt, iova_t iova, u64 length, u64 *unmapped)
{
	iova_t last;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	return iopt_unmap_iova_range(iopt, iova, last, unmapped);
}

int iopt_unmap_all(struct io_pagetable *iopt, u64 *unmapped)
{
	return iopt_unmap_iova_range(iopt, 0, U64_MAX, unmapped);
}
