/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Domains: mapping, dirty tracking, the end (drivers/iommu/iommu.c). A domain is made by a driver
 * and belongs to one unit; its tables have the format that the unit walks. A nested domain has none
 * of its own.
 *
 * Table pages that an operation unlinked are freed only after the IOTLB flush: until then
 * hardware may still be reading them.
 *
 * Freeing: a domain that its holder frees while devices are attached is a bug in the holder,
 * except for one taken over from the previous kernel: those are attached before anybody holds
 * them, and go when the holder has let go and the last device has left, whichever comes last.
 */
#include "lib/iommu/iommu_private.h"

#include <assert.h>

#include <iommufd-sim/proto/bug.h>


void iommu_iotlb_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather)
{
	if (gather->any && domain->ops->flush_iotlb_range)
		domain->ops->flush_iotlb_range(domain, gather->start, gather->last);
	domain->pt.nr_table_pages -= iommu_put_pages_list(current->kernel, &gather->freelist);
	gather->any = false;
}

struct iommu_domain *iommu_domain_new(struct iommu_device *iommu,
				      const struct iommu_domain_ops *ops, size_t size)
{
	struct iommu_core *core = iommu_core_current();
	struct iommu_domain *domain = kheap_alloc(&core->kernel->heap, size, "struct iommu_domain");

	if (!domain)
		return NULL;
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->owner = iommu->ops;
	domain->ops = ops;
	domain->iommu = iommu;
	mutex_lock(&core->lock);
	list_add_tail(&domain->list, &core->domains);
	mutex_unlock(&core->lock);
	return domain;
}

void iommu_domain_destroy(struct iommu_core *core, struct iommu_domain *domain)
{
	const struct ifs_design *design = core->kernel->design;
	struct pt_ctx ctx;

	assert(!domain->nr_attached && !domain->did);
	if (domain->pt.top_pa) {
		pt_ctx_init(&ctx, core->kernel, &domain->pt);
		pt_ops_of(&domain->pt)->free_tables(&ctx);
	}
	if (domain->restored_from && design && design->domain_released)
		design->domain_released(core->kernel->design_data, domain);
	mutex_lock(&core->lock);
	list_del(&domain->list);
	mutex_unlock(&core->lock);
	kheap_free(&core->kernel->heap, domain);
}

void iommu_domain_detached(struct iommu_core *core, struct iommu_domain *domain)
{
	assert(!domain->nr_attached);
	if (domain->ops->last_detached)
		domain->ops->last_detached(domain);
	if (domain->holder_gone)
		iommu_domain_destroy(core, domain);
}

struct iommu_domain *ifs_iommu_domain_alloc_paging_flags(struct device *dev, u32 flags)
{
	return dev_iommu_ops(dev)->domain_alloc_paging_flags(dev, flags, NULL);
}

void ifs_iommu_domain_free(struct iommu_domain *domain)
{
	if (!domain)
		return;
	domain->handle = NULL;
	if (domain->nr_attached) {
		WARN(!domain->restored_from, "domain freed while devices are attached to it");
		domain->holder_gone = true;
		return;
	}
	if (domain->did)
		iommu_domain_detached(iommu_core_current(), domain);
	iommu_domain_destroy(iommu_core_current(), domain);
}

static void pt_ctx_of(struct pt_ctx *ctx, struct iommu_domain *domain,
		      struct iommu_iotlb_gather *gather)
{
	pt_ctx_init(ctx, current->kernel, &domain->pt);
	ctx->pgsize_bitmap = domain->pgsize_bitmap;
	ctx->gather = gather;
}

int ifs_iommu_map(struct iommu_domain *domain, iova_t iova, pa_t paddr, u64 size, int prot,
		  gfp_t gfp)
{
	struct iommu_iotlb_gather gather = { 0 };
	struct pt_ctx ctx;
	u64 mapped = 0;
	int ret;

	if (WARN_ON(domain->type != IOMMU_DOMAIN_UNMANAGED))
		return -EINVAL;
	if (gfp != GFP_ATOMIC)
		might_sleep();
	pt_ctx_of(&ctx, domain, &gather);
	ret = pt_ops_of(&domain->pt)->map(&ctx, iova, paddr, size, prot, &mapped);
	iommu_iotlb_sync(domain, &gather);
	if (ret && mapped)
		WARN_ON(ifs_iommu_unmap(domain, iova, mapped) != mapped);
	return ret;
}

u64 ifs_iommu_unmap(struct iommu_domain *domain, iova_t iova, u64 size)
{
	struct iommu_iotlb_gather gather = { 0 };
	struct pt_ctx ctx;
	u64 unmapped;

	if (WARN_ON(domain->type != IOMMU_DOMAIN_UNMANAGED))
		return 0;
	pt_ctx_of(&ctx, domain, &gather);
	unmapped = pt_ops_of(&domain->pt)->unmap(&ctx, iova, size);
	iommu_iotlb_sync(domain, &gather);
	return unmapped;
}

pa_t ifs_iommu_iova_to_phys(struct iommu_domain *domain, iova_t iova)
{
	struct pt_ctx ctx;

	if (domain->type == IOMMU_DOMAIN_IDENTITY)
		return iova;
	if (domain->type == IOMMU_DOMAIN_BLOCKED)
		return 0;
	pt_ctx_of(&ctx, domain, NULL);
	return pt_ops_of(&domain->pt)->iova_to_phys(&ctx, iova);
}

int ifs_iommu_read_and_clear_dirty(struct iommu_domain *domain, iova_t iova, u64 size,
				   bool no_clear,
				   void (*fn)(void *ctx, iova_t iova, u64 length), void *ctx)
{
	struct iommu_iotlb_gather gather = { 0 };
	struct pt_ctx pt;
	int ret;

	if (!domain->dirty_ops)
		return -EOPNOTSUPP;
	pt_ctx_of(&pt, domain, &gather);
	ret = pt_ops_of(&domain->pt)->read_and_clear_dirty(&pt, iova, size, no_clear, fn, ctx);
	/* A translation cached as dirty would not set the bit again. */
	iommu_iotlb_sync(domain, &gather);
	return ret;
}

int ifs_iommu_set_dirty_tracking(struct iommu_domain *domain, bool enable)
{
	if (!domain->dirty_ops)
		return -EOPNOTSUPP;
	domain->dirty_tracking = enable;
	return 0;
}
