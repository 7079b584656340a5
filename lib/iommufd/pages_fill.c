/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Filling domains from pages objects: each maximal run of consecutive frames becomes one
 * iommu_map(), the first starting at the offset within its page, the last trimmed to the area. With
 * huge pages disabled every page is mapped by itself.
 *
 * An area is *stored* while at least one domain holds it: then its pages are held, and the DMA
 * checker has its grants. Grants are made from the frames that were pinned, not from what tables
 * say:
 *
 *     hold, grant, map (every domain)   ...   unmap (every domain), revoke, unhold
 *
 * so that a frame is given back only when neither a table nor the IOTLB can name it.
 */
#include "lib/iommufd/io_pagetable.h"
#include "lib/iommufd/pfn_reader.h"

#include "sim/dma_check.h"

struct fill {
	const struct iopt_area *area;
	struct iommu_domain *domain;    /* NULL: grant instead of mapping */
	iova_t next;                    /* everything below is mapped */
	bool mmio;                      /* no memory but a device's */
};

/* What of a run of frames the area shows, and where. */
static void fill_clip(const struct iopt_area *area, u64 page_index, pa_t *pa, u64 nr_pages,
		      iova_t *iova, u64 *length)
{
	u64 offset = (page_index - area->pages_index) * PAGE_SIZE;
	u64 rest;

	*length = nr_pages * PAGE_SIZE;
	if (!offset) {
		*iova = area->first;
		*pa += area->page_offset;
		*length -= area->page_offset;
	} else {
		*iova = area->first + offset - area->page_offset;
	}
	rest = area->last - *iova + 1;
	/* rest is 0 for an area of 2^64 bytes only, which no map makes. */
	*length = min(*length, rest);
}

static int fill_map(struct fill *fill, iova_t iova, pa_t pa, u64 length, bool large)
{
	u64 step = large ? length : PAGE_SIZE, done;
	int prot = fill->area->iommu_prot, rc;

	if (fill->mmio)
		prot = (prot & ~IOMMU_CACHE) | IOMMU_MMIO;
	for (done = 0; done < length; done += step) {
		rc = iommu_map(fill->domain, iova + done, pa + done, min(step, length - done),
			       prot, GFP_KERNEL_ACCOUNT);
		if (rc)
			return rc;
		fill->next = iova + done + min(step, length - done);
	}
	return 0;
}

static int fill_run(void *ctx, u64 page_index, pa_t pa, u64 nr_pages)
{
	struct fill *fill = ctx;
	const struct iopt_area *area = fill->area;
	iova_t iova;
	u64 length;

	fill_clip(area, page_index, &pa, nr_pages, &iova, &length);
	if (fill->domain)
		return fill_map(fill, iova, pa, length, !area->iopt->disable_large_pages);
	dma_check_grant(current->kernel->machine, area->iopt->dma_space, iova, pa, length,
			area->iommu_prot & IOMMU_READ, area->iommu_prot & IOMMU_WRITE);
	return 0;
}

static void unmap_range(struct iommu_domain *domain, iova_t first, u64 length)
{
	u64 unmapped = length ? iommu_unmap(domain, first, length) : 0;

	WARN_ON(unmapped != length);
}

/* Writes the tables of one domain. On failure they are as before. */
static int area_map_domain(struct iopt_area *area, struct iopt_pages *pages,
			   struct iommu_domain *domain)
{
	struct fill fill = { .area = area, .domain = domain, .next = area->first };
	int rc;

	if (pages->type == IOPT_ADDRESS_DMABUF) {
		rc = iopt_dmabuf_track_domain(area, pages, domain);
		if (rc || pages->dmabuf_revoked)
			return rc;
		fill.mmio = true;
	}
	rc = iopt_pages_for_each_run(pages, area->pages_index, iopt_area_last_index(area),
				     fill_run, &fill);
	if (!rc)
		return 0;
	unmap_range(domain, area->first, fill.next - area->first);
	if (pages->type == IOPT_ADDRESS_DMABUF)
		iopt_dmabuf_untrack_domain(area, pages, domain);
	return rc;
}

/*
 * Devices only translate whole pages, so the checker knows nothing smaller. An area that is no such
 * thing cannot share an IOVA space with a device's domain.
 */
static bool area_is_of_pages(const struct iopt_area *area)
{
	return IS_ALIGNED(area->first | iopt_area_length(area) | area->page_offset, PAGE_SIZE);
}

static int area_store(struct iopt_area *area, struct iopt_pages *pages)
{
	struct fill fill = { .area = area };
	int rc = iopt_pages_hold(pages, area->pages_index, iopt_area_last_index(area),
				 IOPT_HOLD_DOMAIN);

	if (rc || pages->dmabuf_revoked || !area_is_of_pages(area))
		return rc;
	return iopt_pages_for_each_run(pages, area->pages_index, iopt_area_last_index(area),
				       fill_run, &fill);
}

void iopt_area_revoke_grants(struct iopt_area *area)
{
	if (area_is_of_pages(area))
		dma_check_revoke(current->kernel->machine, area->iopt->dma_space, area->first,
				 iopt_area_length(area));
}

void iopt_area_unstore(struct iopt_area *area, struct iopt_pages *pages)
{
	area->storage_domain = NULL;
	iopt_area_revoke_grants(area);
	iopt_pages_unhold(pages, area->pages_index, iopt_area_last_index(area), IOPT_HOLD_DOMAIN);
}

void iopt_area_unmap_domain(struct iopt_area *area, struct iopt_pages *pages,
			    struct iommu_domain *domain)
{
	if (pages->type == IOPT_ADDRESS_DMABUF)
		iopt_dmabuf_untrack_domain(area, pages, domain);
	if (!pages->dmabuf_revoked)
		iopt_area_clear_tables(area, domain);
}

void iopt_area_clear_tables(struct iopt_area *area, struct iommu_domain *domain)
{
	unmap_range(domain, area->first, iopt_area_length(area));
}

int iopt_area_fill_domains(struct iopt_area *area, struct iopt_pages *pages)
{
	struct io_pagetable *iopt = area->iopt;
	struct iommu_domain *domain, *undo;
	u64 index, undo_index;
	int rc;

	lockdep_assert_held_read(&iopt->domains_rwsem);
	if (!iopt->next_domain_id)
		return 0;
	mutex_lock(&pages->mutex);
	rc = pages->dmabuf_revoked ? 0 : batch_init();
	if (!rc)
		rc = area_store(area, pages);
	if (rc)
		goto out_unlock;
	xa_for_each(&iopt->domains, index, domain) {
		rc = area_map_domain(area, pages, domain);
		if (rc)
			goto err_unmap;
	}
	area->storage_domain = xa_load(&iopt->domains, 0);
	goto out_unlock;

err_unmap:
	xa_for_each(&iopt->domains, undo_index, undo) {
		if (undo_index == index)
			break;
		iopt_area_unmap_domain(area, pages, undo);
	}
	iopt_area_unstore(area, pages);
out_unlock:
	mutex_unlock(&pages->mutex);
	return rc;
}

void iopt_area_unfill_domains(struct iopt_area *area, struct iopt_pages *pages)
{
	struct io_pagetable *iopt = area->iopt;
	struct iommu_domain *domain;
	u64 index;

	lockdep_assert_held_read(&iopt->domains_rwsem);
	mutex_lock(&pages->mutex);
	if (area->storage_domain) {
		xa_for_each(&iopt->domains, index, domain)
			iopt_area_unmap_domain(area, pages, domain);
		iopt_area_unstore(area, pages);
	}
	mutex_unlock(&pages->mutex);
}

int iopt_area_fill_domain(struct iopt_area *area, struct iommu_domain *domain)
{
	bool stored = area->storage_domain;
	int rc;

	lockdep_assert_held(&area->pages->mutex);
	rc = area->pages->dmabuf_revoked ? 0 : batch_init();
	if (!rc && !stored)
		rc = area_store(area, area->pages);
	if (rc)
		return rc;
	rc = area_map_domain(area, area->pages, domain);
	if (!rc && !stored)
		area->storage_domain = domain;
	if (rc && !stored)
		iopt_area_unstore(area, area->pages);
	return rc;
}

int ifs_iopt_area_for_each_run(struct iopt_area *area,
			       int (*fn)(void *ctx, u64 page_index, pa_t pa, u64 nr_pages),
			       void *ctx)
{
	if (!area->pages || !area->storage_domain)
		return -ENOENT;
	return iopt_pages_for_each_run(area->pages, area->pages_index, iopt_area_last_index(area),
				       fn, ctx);
}
