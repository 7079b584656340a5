/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * From source id to context entry (VT-d 3.4.2, legacy mode). Every pointer is read from RAM and may
 * lead anywhere: a table outside RAM, a reserved bit or a combination the unit does not support is
 * a fault and nothing worse.
 *
 * The unit has SAGAW = 4-level tables only and no device TLBs, hence AW other than 2 and
 * translation types 1 and 3 are invalid (reason 0x03). Left out: scalable mode; a root address
 * that selects it is a bad root address.
 */
#include "sim/context_table.h"

#include "sim/fault_log.h"
#include "sim/machine_internal.h"

#define ROOT_RESERVED_LO (GENMASK_ULL(11, 1) | GENMASK_ULL(63, 52))
#define CONTEXT_RESERVED_LO (GENMASK_ULL(11, 4) | GENMASK_ULL(63, 52))
#define CONTEXT_RESERVED_HI (GENMASK_ULL(63, 24) | BIT_ULL(7))
#define RTADDR_MODE GENMASK_ULL(11, 10)
#define AW_4_LEVELS 2ull

u8 context_table_lookup(const struct phys_mem *mem, u64 rtaddr, u16 bdf, struct context_entry *out,
			bool *fpd)
{
	const u64 *root, *context;
	u64 lo, hi, type;

	*fpd = false;
	root = ram_entry(mem, (rtaddr & PAGE_MASK) + (pa_t)(bdf >> 8) * 16);
	if (!root || rtaddr & RTADDR_MODE)
		return FAULT_BAD_ROOT_ADDRESS;
	if (!(root[0] & IOMMU_ROOT_P))
		return FAULT_ROOT_NOT_PRESENT;
	if (root[0] & ROOT_RESERVED_LO || root[1])
		return FAULT_ROOT_RESERVED;

	context = ram_entry(mem, (root[0] & IOMMU_PTR_MASK) + (pa_t)(bdf & 0xff) * 16);
	if (!context)
		return FAULT_BAD_CONTEXT_POINTER;
	lo = context[0];
	hi = context[1];
	*fpd = lo & IOMMU_CTX_FPD;
	if (!(lo & IOMMU_CTX_P))
		return FAULT_CONTEXT_NOT_PRESENT;
	if (lo & CONTEXT_RESERVED_LO || hi & CONTEXT_RESERVED_HI)
		return FAULT_CONTEXT_RESERVED;
	type = (lo & IOMMU_CTX_TT_MASK) >> IOMMU_CTX_TT_SHIFT;
	if ((hi & IOMMU_CTX_AW_MASK) != AW_4_LEVELS ||
	    (type != IOMMU_CTX_TT_TRANSLATE && type != IOMMU_CTX_TT_PASSTHROUGH))
		return FAULT_CONTEXT_INVALID;
	out->lo = lo;
	out->hi = hi;
	return FAULT_NONE;
}
