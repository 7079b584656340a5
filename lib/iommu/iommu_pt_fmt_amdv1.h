/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * AMDv1 host entries (AMD I/O Virtualization Technology specification, 2.2.3;
 * generic_pt/fmt/amdv1.h), and the variant of the selftest's mock driver, whose smallest page is
 * 2 KiB: define AMDV1_GRANULE_LG2 before, and AMDV1_FORCE_COHERENCE (FC in every leaf).
 *
 *   62 IW  61 IR  60 FC    51:12 address, in granules    11:9 NL    6 D    0 PR
 *
 * NL of a table entry is the level of the table that holds it. NL 0 is a leaf of one item's size.
 * NL 7 is a larger leaf, which fills a naturally aligned block of items with the same value: its
 * size is coded in the low bits of the address field as a run of ones, one fewer than the lg2 of
 * its granules. D is per item; a leaf is dirty if any of its items is.
 *
 * Leaves may have any power of two, up to 2^51, but not 2^39 (hardware erratum): there is no leaf
 * of one item at level 3 of 4 KiB granules.
 */
#ifndef LIB_IOMMU_IOMMU_PT_FMT_AMDV1_H
#define LIB_IOMMU_IOMMU_PT_FMT_AMDV1_H

#include "lib/iommu/iommu_pt.h"

#define AMDV1_PR BIT_ULL(0)
#define AMDV1_D BIT_ULL(6)
#define AMDV1_NL_SHIFT 9
#define AMDV1_NL_MASK 7u
#define AMDV1_NL_SIZE 7u        /* the size is in the address field */
#define AMDV1_FIELD_SHIFT 12
#define AMDV1_FIELD_MASK GENMASK_ULL(51, 12)
#define AMDV1_FC BIT_ULL(60)
#define AMDV1_IR BIT_ULL(61)
#define AMDV1_IW BIT_ULL(62)

static inline unsigned amdv1_item_lg2(unsigned level)
{
	return AMDV1_GRANULE_LG2 + PT_LEVEL_BITS * level;
}

static inline unsigned amdv1_nl(u64 entry)
{
	return entry >> AMDV1_NL_SHIFT & AMDV1_NL_MASK;
}

/* The address field as it is, in granules. */
static inline u64 amdv1_field(u64 entry)
{
	return (entry & AMDV1_FIELD_MASK) >> AMDV1_FIELD_SHIFT;
}

static inline u64 amdv1_oa_field(pa_t pa)
{
	return pa >> AMDV1_GRANULE_LG2 << AMDV1_FIELD_SHIFT & AMDV1_FIELD_MASK;
}

static inline enum pt_entry_type amdv1_type(u64 entry, unsigned level)
{
	unsigned nl = amdv1_nl(entry);

	if (!(entry & AMDV1_PR))
		return PT_ENTRY_EMPTY;
	return !level || !nl || nl == AMDV1_NL_SIZE ? PT_ENTRY_OA : PT_ENTRY_TABLE;
}

static inline int amdv1_set_prot(int prot, u64 *attrs)
{
	*attrs = AMDV1_PR | (AMDV1_FORCE_COHERENCE ? AMDV1_FC : 0) |
		 (prot & IOMMU_READ ? AMDV1_IR : 0) |
		 (prot & IOMMU_WRITE ? AMDV1_IW : 0);
	return 0;
}

static inline u64 amdv1_leaf_attrs(u64 attrs, unsigned lg2, unsigned level)
{
	if (lg2 == amdv1_item_lg2(level))
		return attrs;
	return attrs | (u64)AMDV1_NL_SIZE << AMDV1_NL_SHIFT |
	       (BIT_ULL(lg2 - AMDV1_GRANULE_LG2 - 1) - 1) << AMDV1_FIELD_SHIFT;
}

/* lg2 of a leaf's items. */
static inline unsigned amdv1_contig_lg2(u64 entry, unsigned level)
{
	unsigned lg2;

	if (amdv1_nl(entry) != AMDV1_NL_SIZE)
		return 0;
	lg2 = AMDV1_GRANULE_LG2 + 1 + __builtin_ctzll(~amdv1_field(entry));
	/* Only a damaged entry is out of these bounds. */
	return lg2 < amdv1_item_lg2(level) ? 0 : min(lg2 - amdv1_item_lg2(level), 8u);
}

static inline pa_t amdv1_oa(u64 entry)
{
	u64 field = amdv1_field(entry);

	if (amdv1_nl(entry) == AMDV1_NL_SIZE)
		field &= field + 1;     /* without the run of ones; the zero after it is address */
	return field << AMDV1_GRANULE_LG2;
}

static inline pa_t amdv1_table_pa(u64 entry)
{
	return amdv1_field(entry) << AMDV1_GRANULE_LG2;
}

static inline u64 amdv1_table_entry(pa_t pa, unsigned level)
{
	return AMDV1_PR | (u64)level << AMDV1_NL_SHIFT | amdv1_oa_field(pa) | AMDV1_IR | AMDV1_IW;
}

static inline int amdv1_prot(u64 entry)
{
	return (entry & AMDV1_IR ? IOMMU_READ : 0) | (entry & AMDV1_IW ? IOMMU_WRITE : 0);
}

static inline bool amdv1_is_dirty(u64 entry)
{
	return entry & AMDV1_D;
}

static inline u64 amdv1_make_dirty(u64 entry)
{
	return entry | AMDV1_D;
}

static inline u64 amdv1_make_clean(u64 entry)
{
	return entry & ~AMDV1_D;
}

static inline bool amdv1_leaf_ok(u64 entry, unsigned level)
{
	unsigned lg2 = amdv1_item_lg2(level);

	if (entry & ~(AMDV1_PR | AMDV1_D | (u64)AMDV1_NL_MASK << AMDV1_NL_SHIFT |
		      AMDV1_FIELD_MASK | AMDV1_FC | AMDV1_IR | AMDV1_IW) || !amdv1_prot(entry))
		return false;
	if (amdv1_nl(entry) == AMDV1_NL_SIZE) {
		unsigned size_lg2 = AMDV1_GRANULE_LG2 + 1 + __builtin_ctzll(~amdv1_field(entry));

		return size_lg2 > lg2 && size_lg2 < lg2 + PT_LEVEL_BITS;
	}
	return !amdv1_nl(entry) && IS_ALIGNED(amdv1_oa(entry), BIT_ULL(lg2));
}

static inline bool amdv1_entry_ok(u64 entry, unsigned level)
{
	switch (amdv1_type(entry, level)) {
	case PT_ENTRY_EMPTY:
		return !entry;
	case PT_ENTRY_TABLE:
		return entry == amdv1_table_entry(amdv1_table_pa(entry), level) &&
		       IS_ALIGNED(amdv1_table_pa(entry), PAGE_SIZE);
	case PT_ENTRY_OA:
		return amdv1_leaf_ok(entry, level);
	}
	return false;
}

#endif
