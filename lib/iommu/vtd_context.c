/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The VT-d driver, its root and context tables (legacy mode; VT-d specification 9.1 and 9.3).
 *
 *   root entry (bus)               context entry (devfn)
 *   lo  63:12 context table  0 P   lo  63:12 page table   3:2 TT   1 FPD   0 P
 *   hi  0                          hi  23:8 domain id   6 first-stage format   2:0 AW
 *
 * A device without a domain has no entry: blocked, every DMA faults. A change of domain is one
 * write of 16 bytes over the old entry, so that there is no moment without one, followed by the
 * invalidations the specification asks for (6.5.3.3): context cache of the device, IOTLB of the
 * old domain id.
 *
 * The DMA checker is told of each change exactly when it has become effective.
 */
#include "lib/iommu/iommu_private.h"

#include <assert.h>

#include "lib/kho/kho.h"
#include "sim/dma_check.h"
#include "sim/phys_mem.h"

#define VTD_NR_BUSES 256
#define VTD_NR_DEVFNS 256
#define VTD_AW_LEVELS(levels) ((levels) - 2)

struct vtd_root_entry {
	u64 lo, hi;
};

static struct vtd_root_entry *vtd_root(struct kernel_base *kernel,
				       const struct iommu_device *iommu)
{
	struct vtd_root_entry *root = phys_mem_ptr(kernel->mem, iommu->root_pa, PAGE_SIZE);

	assert(root);
	return root;
}

/* 0: there is none. */
static pa_t vtd_context_table_pa(struct kernel_base *kernel, const struct iommu_device *iommu,
				 unsigned bus)
{
	u64 lo = vtd_root(kernel, iommu)[bus].lo;

	return lo & IOMMU_ROOT_P ? lo & IOMMU_PTR_MASK : 0;
}

int vtd_root_new(struct iommu_core *core, struct iommu_device *iommu)
{
	return iommu_pages_alloc(core->kernel, &iommu->root_pa);
}

void vtd_root_free(struct iommu_core *core, struct iommu_device *iommu)
{
	const struct vtd_root_entry *root;

	if (!iommu->root_pa)
		return;
	root = vtd_root(core->kernel, iommu);
	for (unsigned bus = 0; bus < VTD_NR_BUSES; bus++) {
		pa_t table_pa = root[bus].lo & IOMMU_PTR_MASK;

		if (table_pa && root[bus].lo & IOMMU_ROOT_P)
			iommu_pages_free(core->kernel, table_pa);
	}
	iommu_pages_free(core->kernel, iommu->root_pa);
	iommu->root_pa = 0;
}

struct vtd_context_entry *vtd_context_find(struct kernel_base *kernel,
					   const struct iommu_device *iommu, u16 bdf)
{
	pa_t table_pa = vtd_context_table_pa(kernel, iommu, bdf >> 8);
	struct vtd_context_entry *table;

	if (!table_pa)
		return NULL;
	table = phys_mem_ptr(kernel->mem, table_pa, PAGE_SIZE);
	assert(table);
	return &table[bdf & 0xff];
}

int vtd_context_prepare(struct kernel_base *kernel, struct iommu_device *iommu, u16 bdf)
{
	pa_t table_pa;
	int ret;

	lockdep_assert_held(&iommu->lock);
	if (vtd_context_find(kernel, iommu, bdf))
		return 0;
	ret = iommu_pages_alloc(kernel, &table_pa);
	if (ret)
		return ret;
	/* A preserved root table must not lead to a page that is not. */
	if (kernel->kho && kho_is_preserved(kernel->kho, iommu->root_pa)) {
		ret = iommu_preserve_page(kernel, table_pa);
		if (ret) {
			iommu_pages_free(kernel, table_pa);
			return ret;
		}
	}
	vtd_root(kernel, iommu)[bdf >> 8].lo = table_pa | IOMMU_ROOT_P;
	return 0;
}

struct vtd_context_entry vtd_context_of(const struct iommu_domain *domain)
{
	bool first_stage = domain->pt.format == IOMMU_PT_X86_64;

	return (struct vtd_context_entry){
		.lo = domain->pt.top_pa | IOMMU_CTX_TT_TRANSLATE << IOMMU_CTX_TT_SHIFT |
		      IOMMU_CTX_P,
		.hi = (u64)domain->did << IOMMU_CTX_DID_SHIFT |
		      (first_stage ? IOMMU_CTX_FIRST_STAGE : 0) |
		      VTD_AW_LEVELS(domain->pt.top_level + 1),
	};
}

/* After an entry was changed: the caches that may hold the one before. */
static void vtd_flush_entry(struct iommu_device *iommu, u16 bdf,
			    const struct vtd_context_entry *old)
{
	u32 did = (old->hi & IOMMU_CTX_DID_MASK) >> IOMMU_CTX_DID_SHIFT;

	if (!(old->lo & IOMMU_CTX_P))
		return;
	vtd_flush_context(iommu, bdf, did);
	vtd_flush_iotlb_domain(iommu, did);
}

void vtd_context_set(struct kernel_base *kernel, struct device *dev,
		     const struct iommu_domain *domain)
{
	struct iommu_device *iommu = dev->iommu;
	struct vtd_context_entry *entry = vtd_context_find(kernel, iommu, dev->bdf);
	struct vtd_context_entry old;

	lockdep_assert_held(&iommu->lock);
	assert(entry && domain->did);
	old = *entry;
	*entry = vtd_context_of(domain);
	vtd_flush_entry(iommu, dev->bdf, &old);
	dma_check_bind(kernel->machine, dev->hw, domain->dma_space);
}

void vtd_context_clear(struct kernel_base *kernel, struct iommu_device *iommu, u16 bdf)
{
	struct vtd_context_entry *entry = vtd_context_find(kernel, iommu, bdf);
	struct vtd_context_entry old;

	lockdep_assert_held(&iommu->lock);
	if (!entry)
		return;
	old = *entry;
	*entry = (struct vtd_context_entry){ 0 };
	vtd_flush_entry(iommu, bdf, &old);
}

void vtd_context_for_each(struct kernel_base *kernel, const struct iommu_device *iommu,
			  void (*fn)(void *ctx, u16 bdf, const struct vtd_context_entry *entry),
			  void *ctx)
{
	const struct vtd_root_entry *root = vtd_root(kernel, iommu);

	for (unsigned bus = 0; bus < VTD_NR_BUSES; bus++) {
		const struct vtd_context_entry *table;

		if (!(root[bus].lo & IOMMU_ROOT_P))
			continue;
		table = vtd_context_find(kernel, iommu, bus << 8);
		for (unsigned devfn = 0; table && devfn < VTD_NR_DEVFNS; devfn++)
			if (table[devfn].lo & IOMMU_CTX_P)
				fn(ctx, bus << 8 | devfn, &table[devfn]);
	}
}
