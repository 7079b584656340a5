/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The VT-d driver, its registers: root pointer, translation enable, invalidation, faults, domain
 * ids (drivers/iommu/intel/iommu.c, dmar.c, cache.c; VT-d specification chapters 6, 7 and 11).
 *
 * Translation goes on once and is never switched off again: with it off, hardware lets every DMA
 * pass untranslated. What ends a unit's use is an empty root table.
 *
 * Domain ids: 0 tags nothing, 1 is the one that identity domains share, the rest is handed out
 * lowest first.
 *
 * Invalidation is done through registers and so complete when the write returns. Unlike Linux: a
 * page range is cut into naturally aligned blocks that cover exactly it, where Linux rounds up to
 * one block; a needlessly wide flush hides missing ones. Above VTD_MAX_RANGES blocks the whole
 * domain is flushed.
 *
 * Left out: queued invalidation, device TLBs, scalable mode, interrupts (faults are polled).
 */
#include "lib/iommu/iommu_private.h"

#include <assert.h>

#include <iommufd-sim/proto/bug.h>

#include "sim/iommu_hw.h"

#define VTD_FIRST_DID 2
#define VTD_MAX_RANGES 8
#define VTD_MAX_AM 18           /* 2^18 pages: 1 GiB, the largest leaf */

static u32 vtd_nr_dids(u64 cap)
{
	return 1u << (4 + 2 * (cap & 7));
}

int vtd_unit_new(struct iommu_core *core, unsigned index, struct iommu_device **out)
{
	struct kheap *heap = &core->kernel->heap;
	struct iommu_device *iommu = kheap_new(heap, struct iommu_device);

	if (!iommu)
		return -ENOMEM;
	iommu->ops = &vtd_ops;
	iommu->unit = index;
	iommu->hw = machine_iommu(core->kernel->machine, index);
	iommu->base_pa = iommu_hw_base_pa(iommu->hw);
	iommu->nr_dids = vtd_nr_dids(iommu_hw_read(iommu->hw, IOMMU_REG_CAP));
	iommu->did_bitmap = kheap_alloc(heap, DIV_ROUND_UP(iommu->nr_dids, 64) * sizeof(u64),
					"iommu did_bitmap");
	if (!iommu->did_bitmap) {
		kheap_free(heap, iommu);
		return -ENOMEM;
	}
	iommu->did_bitmap[0] = BIT_ULL(VTD_FIRST_DID) - 1;
	mutex_init(&iommu->lock);
	INIT_LIST_HEAD(&iommu->list);
	*out = iommu;
	return 0;
}

void vtd_unit_free(struct iommu_core *core, struct iommu_device *iommu)
{
	kheap_free(&core->kernel->heap, iommu->did_bitmap);
	kheap_free(&core->kernel->heap, iommu);
}

void vtd_enable_translation(struct iommu_device *iommu)
{
	u64 enabled = iommu_hw_read(iommu->hw, IOMMU_REG_GSTS) & IOMMU_GSTS_TES;

	iommu_hw_write(iommu->hw, IOMMU_REG_RTADDR, iommu->root_pa);
	/* A one-shot bit is written together with what is to stay on. */
	iommu_hw_write(iommu->hw, IOMMU_REG_GCMD, enabled | IOMMU_GCMD_SRTP);
	vtd_flush_all(iommu);
	if (!enabled)
		iommu_hw_write(iommu->hw, IOMMU_REG_GCMD, IOMMU_GCMD_TE);
}

static void vtd_write_ccmd(struct iommu_device *iommu, u64 granularity, u64 operands)
{
	iommu_hw_write(iommu->hw, IOMMU_REG_CCMD,
		       IOMMU_CCMD_ICC | granularity << IOMMU_CCMD_CIRG_SHIFT | operands);
	WARN_ON(iommu_hw_read(iommu->hw, IOMMU_REG_CCMD) & IOMMU_CCMD_ICC);
}

static void vtd_write_iotlb(struct iommu_device *iommu, u64 granularity, u32 did)
{
	iommu_hw_write(iommu->hw, IOMMU_REG_IOTLB,
		       IOMMU_IOTLB_IVT | granularity << IOMMU_IOTLB_IIRG_SHIFT |
		       (u64)did << IOMMU_IOTLB_DID_SHIFT);
	WARN_ON(iommu_hw_read(iommu->hw, IOMMU_REG_IOTLB) & IOMMU_IOTLB_IVT);
}

void vtd_flush_all(struct iommu_device *iommu)
{
	vtd_write_ccmd(iommu, 1, 0);
	vtd_write_iotlb(iommu, 1, 0);
}

void vtd_flush_context(struct iommu_device *iommu, u16 bdf, u32 did)
{
	vtd_write_ccmd(iommu, 3, (u64)bdf << IOMMU_CCMD_SID_SHIFT |
		       (u64)did << IOMMU_CCMD_DID_SHIFT);
}

void vtd_flush_iotlb_domain(struct iommu_device *iommu, u32 did)
{
	vtd_write_iotlb(iommu, 2, did);
}

/* lg2 of the largest naturally aligned block of pages at the head of (page, last_page). */
static unsigned vtd_block_am(u64 page, u64 last_page)
{
	unsigned am = page ? __builtin_ctzll(page) : VTD_MAX_AM;
	unsigned fits = 63 - __builtin_clzll(last_page - page + 1);

	return min(min(am, fits), (unsigned)VTD_MAX_AM);
}

void vtd_flush_iotlb_range(struct iommu_device *iommu, u32 did, iova_t start, iova_t last)
{
	u64 first_page = start >> PAGE_SHIFT, last_page = last >> PAGE_SHIFT;
	unsigned nr_blocks = 0;
	u64 page;

	for (page = first_page; page <= last_page && nr_blocks <= VTD_MAX_RANGES; nr_blocks++)
		page += BIT_ULL(vtd_block_am(page, last_page));
	if (nr_blocks > VTD_MAX_RANGES) {
		vtd_flush_iotlb_domain(iommu, did);
		return;
	}
	for (page = first_page; page <= last_page;) {
		unsigned am = vtd_block_am(page, last_page);

		iommu_hw_write(iommu->hw, IOMMU_REG_IVA, page << PAGE_SHIFT | am);
		vtd_write_iotlb(iommu, 3, did);
		page += BIT_ULL(am);
	}
}

/* Prints and clears one fault recording register. False: it holds no fault. */
static bool vtd_handle_fault(struct iommu_device *iommu, u32 reg)
{
	u64 hi = iommu_hw_read(iommu->hw, reg + 8);
	unsigned sid = hi & 0xffff, reason = hi >> 32 & 0xff;

	if (!(hi & IOMMU_FRCD_F))
		return false;
	pr_err("DMAR: unit %u: [DMA %s] device %02x:%02x.%x fault addr 0x%llx reason 0x%02x",
	       iommu->unit, hi & BIT_ULL(62) ? "Read" : "Write", sid >> 8, sid >> 3 & 0x1f, sid & 7,
	       (unsigned long long)(iommu_hw_read(iommu->hw, reg) & PAGE_MASK), reason);
	iommu_hw_write(iommu->hw, reg + 8, IOMMU_FRCD_F);
	return true;
}

void vtd_handle_faults(struct iommu_device *iommu)
{
	u64 cap = iommu_hw_read(iommu->hw, IOMMU_REG_CAP);
	u32 frcd = (cap >> 24 & 0x3ff) * 16;
	u32 nr_frcd = (cap >> 40 & 0xff) + 1;
	u64 fsts = iommu_hw_read(iommu->hw, IOMMU_REG_FSTS);
	u32 index = fsts >> 8 & 0xff;

	/* From the oldest on, around the ring once. */
	for (u32 i = 0; i < nr_frcd; i++)
		if (!vtd_handle_fault(iommu, frcd + (index + i) % nr_frcd * 16))
			break;
	if (fsts & IOMMU_FSTS_PFO) {
		pr_err("DMAR: unit %u: fault overflow", iommu->unit);
		iommu_hw_write(iommu->hw, IOMMU_REG_FSTS, IOMMU_FSTS_PFO);
	}
}

bool vtd_did_is_taken(const struct iommu_device *iommu, u32 did)
{
	return did >= iommu->nr_dids || iommu->did_bitmap[did / 64] & BIT_ULL(did % 64);
}

u32 vtd_did_next(const struct iommu_device *iommu, u32 did)
{
	u64 taken;

	for (u32 word = did / 64; word * 64 < iommu->did_end; word++, did = word * 64) {
		taken = iommu->did_bitmap[word] & ~0ull << did % 64;
		if (taken)
			return word * 64 + (u32)__builtin_ctzll(taken);
	}
	return 0;
}

void vtd_did_take(struct iommu_device *iommu, u32 did)
{
	iommu->did_bitmap[did / 64] |= BIT_ULL(did % 64);
	iommu->did_end = max(iommu->did_end, did + 1);
}

int vtd_did_alloc(struct iommu_device *iommu, u32 *did)
{
	u32 free = VTD_FIRST_DID;

	while (free < iommu->nr_dids && !~iommu->did_bitmap[free / 64])
		free = (free / 64 + 1) * 64;
	while (vtd_did_is_taken(iommu, free) && free < iommu->nr_dids)
		free++;
	if (free >= iommu->nr_dids)
		return -ENOSPC;
	vtd_did_take(iommu, free);
	*did = free;
	return 0;
}

void vtd_did_free(struct iommu_device *iommu, u32 did)
{
	assert(did >= VTD_FIRST_DID && did < iommu->nr_dids && vtd_did_is_taken(iommu, did));
	iommu->did_bitmap[did / 64] &= ~BIT_ULL(did % 64);
}

int ifs_iommu_did_reserve(struct iommu_device *iommu, u32 did)
{
	int ret = 0;

	mutex_lock(&iommu->lock);
	if (vtd_did_is_taken(iommu, did))
		ret = -EBUSY;
	else
		vtd_did_take(iommu, did);
	mutex_unlock(&iommu->lock);
	return ret;
}
