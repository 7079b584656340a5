/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Pages objects on a dma-buf: one physical range, which its exporter may take back at any time
 * (Linux: drivers/iommu/iommufd/pages.c, iopt_alloc_dmabuf_pages() and iopt_revoke_notify()).
 *
 * Nothing is pinned or charged. Taken back, the range leaves every table at once, and the pages
 * object stays revoked for good: its areas remain, can be copied and unmapped, and map nothing. So
 * the object knows each (area, domain) that it is mapped in: those are found without the locks of
 * the IOVA spaces, which an exporter must not wait for.
 *
 * Locks: dma_buf.resv, then pages->mutex.
 */
#include "lib/iommufd/io_pagetable.h"

#include "lib/fs/dma_buf.h"

/* An area of the object that @domain maps. */
struct dmabuf_track {
	struct list_head item;          /* iopt_pages.dmabuf_tracker */
	struct iopt_area *area;
	struct iommu_domain *domain;
};

static void revoke_notify(struct dma_buf_attachment *attach)
{
	struct iopt_pages *pages = attach->importer_priv;
	struct dmabuf_track *track;

	mutex_lock(&pages->mutex);
	if (!pages->dmabuf_revoked) {
		list_for_each_entry(track, &pages->dmabuf_tracker, item) {
			struct iopt_area *area = track->area;

			iopt_area_clear_tables(area, track->domain);
			iopt_area_revoke_grants(area);
		}
		pages->dmabuf_revoked = true;
	}
	mutex_unlock(&pages->mutex);
}

static const struct dma_buf_attach_ops revoke_ops = { .invalidate_mappings = revoke_notify };

int iopt_dmabuf_attach(struct iopt_pages *pages, struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;
	struct phys_vec phys = { 0 };
	int rc;

	rc = dma_buf_attach(dmabuf, &revoke_ops, pages, &attach);
	if (rc)
		return rc;
	mutex_lock(&dmabuf->resv);
	rc = dmabuf->ops->iommufd_map ? dmabuf->ops->iommufd_map(attach, &phys) : -EOPNOTSUPP;
	mutex_unlock(&dmabuf->resv);
	if (rc) {
		dma_buf_detach(attach);
		return rc;
	}
	pages->dmabuf_attach = attach;
	pages->dmabuf_pa = phys.paddr;
	return 0;
}

void iopt_dmabuf_detach(struct iopt_pages *pages)
{
	WARN_ON(!list_empty(&pages->dmabuf_tracker));
	if (pages->dmabuf_attach)
		dma_buf_detach(pages->dmabuf_attach);
}

int iopt_dmabuf_track_domain(struct iopt_area *area, struct iopt_pages *pages,
			     struct iommu_domain *domain)
{
	struct dmabuf_track *track;

	lockdep_assert_held(&pages->mutex);
	track = kzalloc(sizeof(*track), GFP_KERNEL_ACCOUNT);
	if (!track)
		return -ENOMEM;
	track->area = area;
	track->domain = domain;
	list_add_tail(&track->item, &pages->dmabuf_tracker);
	return 0;
}

void iopt_dmabuf_untrack_domain(struct iopt_area *area, struct iopt_pages *pages,
				struct iommu_domain *domain)
{
	struct dmabuf_track *track;

	lockdep_assert_held(&pages->mutex);
	list_for_each_entry(track, &pages->dmabuf_tracker, item) {
		if (track->area != area || track->domain != domain)
			continue;
		list_del(&track->item);
		kfree(track);
		return;
	}
	WARN_ON(true);
}
