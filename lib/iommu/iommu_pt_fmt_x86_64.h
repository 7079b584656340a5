/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * x86_64 first-stage entries (generic_pt/fmt/x86_64.h). Masks: sim/pt_formats.h.
 *
 * Reading is implied, so write-only maps as read-write. A is preset everywhere and D in writable
 * leaves: hardware never has to write here, and there is no dirty tracking. XD is never set.
 */
#ifndef LIB_IOMMU_IOMMU_PT_FMT_X86_64_H
#define LIB_IOMMU_IOMMU_PT_FMT_X86_64_H

#include "lib/iommu/iommu_pt.h"

#define X86_64_PGSIZES (BIT_ULL(12) | BIT_ULL(21) | BIT_ULL(30))

static inline enum pt_entry_type x86_64_type(u64 entry, unsigned level)
{
	if (!(entry & X86_64_P))
		return PT_ENTRY_EMPTY;
	if (level == 0 || (level <= 2 && entry & X86_64_PS))
		return PT_ENTRY_OA;
	return PT_ENTRY_TABLE;
}

static inline int x86_64_set_prot(int prot, u64 *attrs)
{
	*attrs = X86_64_P | X86_64_U | X86_64_A;
	if (prot & IOMMU_WRITE)
		*attrs |= X86_64_RW | X86_64_D;
	return 0;
}

static inline u64 x86_64_leaf_attrs(u64 attrs, unsigned lg2, unsigned level)
{
	return attrs | (level ? X86_64_PS : 0);
}

static inline u64 x86_64_oa_field(pa_t oa)
{
	return oa & PT_ADDRESS_MASK;
}

static inline pa_t x86_64_oa(u64 entry)
{
	return entry & PT_ADDRESS_MASK;
}

static inline unsigned x86_64_contig_lg2(u64 entry, unsigned level)
{
	return 0;
}

static inline pa_t x86_64_table_pa(u64 entry)
{
	return entry & PT_ADDRESS_MASK;
}

static inline u64 x86_64_table_entry(pa_t pa, unsigned level)
{
	return pa | X86_64_P | X86_64_RW | X86_64_U | X86_64_A;
}

static inline int x86_64_prot(u64 entry)
{
	return IOMMU_READ | (entry & X86_64_RW ? IOMMU_WRITE : 0);
}

static inline bool x86_64_is_dirty(u64 entry)
{
	return false;
}

static inline u64 x86_64_make_dirty(u64 entry)
{
	return entry;
}

static inline u64 x86_64_make_clean(u64 entry)
{
	return entry;
}

static inline bool x86_64_entry_ok(u64 entry, unsigned level)
{
	u64 table = X86_64_P | X86_64_RW | X86_64_U;
	u64 leaf = table | X86_64_A | X86_64_D | (level ? X86_64_PS : 0);

	switch (x86_64_type(entry, level)) {
	case PT_ENTRY_EMPTY:
		return !entry;
	case PT_ENTRY_TABLE:
		return !(entry & ~(PT_ADDRESS_MASK | table | X86_64_A)) && (entry & table) == table;
	case PT_ENTRY_OA:
		return !(entry & ~(PT_ADDRESS_MASK | leaf)) && entry & X86_64_U &&
		       IS_ALIGNED(entry & PT_ADDRESS_MASK, BIT_ULL(PT_LEVEL_LG2(level)));
	}
	return false;
}

#endif
