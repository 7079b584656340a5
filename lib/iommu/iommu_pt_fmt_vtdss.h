/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * VT-d second-stage entries (VT-d specification, 9.8; generic_pt/fmt/vtdss.h). Masks:
 * sim/pt_formats.h.
 *
 * To this code an entry is present if it is not zero; to hardware, if R or W is set. Leaves
 * always have one of them, so the two differ only on damaged tables, which entry_ok() refuses.
 */
#ifndef LIB_IOMMU_IOMMU_PT_FMT_VTDSS_H
#define LIB_IOMMU_IOMMU_PT_FMT_VTDSS_H

#include "lib/iommu/iommu_pt.h"

#define VTDSS_PGSIZES (BIT_ULL(12) | BIT_ULL(21) | BIT_ULL(30))

static inline enum pt_entry_type vtdss_type(u64 entry, unsigned level)
{
	if (!entry)
		return PT_ENTRY_EMPTY;
	if (level == 0 || (level <= 2 && entry & VTDSS_PS))
		return PT_ENTRY_OA;
	return PT_ENTRY_TABLE;
}

static inline int vtdss_set_prot(int prot, u64 *attrs)
{
	if (!(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	*attrs = (prot & IOMMU_READ ? VTDSS_R : 0) | (prot & IOMMU_WRITE ? VTDSS_W : 0);
	return 0;
}

static inline u64 vtdss_leaf_attrs(u64 attrs, unsigned lg2, unsigned level)
{
	return attrs | (level ? VTDSS_PS : 0);
}

static inline u64 vtdss_oa_field(pa_t oa)
{
	return oa & PT_ADDRESS_MASK;
}

static inline pa_t vtdss_oa(u64 entry)
{
	return entry & PT_ADDRESS_MASK;
}

static inline unsigned vtdss_contig_lg2(u64 entry, unsigned level)
{
	return 0;
}

static inline pa_t vtdss_table_pa(u64 entry)
{
	return entry & PT_ADDRESS_MASK;
}

static inline u64 vtdss_table_entry(pa_t pa, unsigned level)
{
	return pa | VTDSS_R | VTDSS_W;
}

static inline int vtdss_prot(u64 entry)
{
	return (entry & VTDSS_R ? IOMMU_READ : 0) | (entry & VTDSS_W ? IOMMU_WRITE : 0);
}

static inline bool vtdss_is_dirty(u64 entry)
{
	return entry & VTDSS_D;
}

static inline u64 vtdss_make_dirty(u64 entry)
{
	return entry | VTDSS_D;
}

static inline u64 vtdss_make_clean(u64 entry)
{
	return entry & ~VTDSS_D;
}

static inline bool vtdss_entry_ok(u64 entry, unsigned level)
{
	u64 leaf = VTDSS_R | VTDSS_W | VTDSS_A | VTDSS_D | (level ? VTDSS_PS : 0);

	switch (vtdss_type(entry, level)) {
	case PT_ENTRY_EMPTY:
		return true;
	case PT_ENTRY_TABLE:
		return !(entry & ~(PT_ADDRESS_MASK | VTDSS_R | VTDSS_W | VTDSS_A)) &&
		       vtdss_prot(entry) == (IOMMU_READ | IOMMU_WRITE);
	case PT_ENTRY_OA:
		return !(entry & ~(PT_ADDRESS_MASK | leaf)) && vtdss_prot(entry) &&
		       IS_ALIGNED(entry & PT_ADDRESS_MASK, BIT_ULL(PT_LEVEL_LG2(level)));
	}
	return false;
}

#endif
