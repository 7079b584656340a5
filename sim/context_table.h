/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Root and context tables as they lie in RAM (VT-d 9.1, 9.3; legacy mode).
 *
 *  root entry (16 bytes, index = bus)         context entry (16 bytes, index = devfn)
 *   lo 63:12 context table, 0 P                lo 63:12 page table, 3:2 TT, 1 FPD, 0 P
 *   hi reserved                                hi 23:8 DID, 6:3 available, 2:0 AW
 */
#ifndef SIM_CONTEXT_TABLE_H
#define SIM_CONTEXT_TABLE_H

#include <iommufd-sim/proto/types.h>

#include "sim/iommu_regs.h"

struct phys_mem;

struct context_entry {
	u64 lo, hi;
};

/*
 * Reads the context entry of @bdf under the root table that @rtaddr names, from RAM. 0, or the
 * fault reason; *@fpd then says whether the fault is to be kept quiet.
 */
u8 context_table_lookup(const struct phys_mem *mem, u64 rtaddr, u16 bdf, struct context_entry *out,
			bool *fpd);

static inline u32 context_domain_id(const struct context_entry *context)
{
	return (u32)((context->hi & IOMMU_CTX_DID_MASK) >> IOMMU_CTX_DID_SHIFT);
}

static inline bool context_is_passthrough(const struct context_entry *context)
{
	return (context->lo & IOMMU_CTX_TT_MASK) >> IOMMU_CTX_TT_SHIFT ==
	       IOMMU_CTX_TT_PASSTHROUGH;
}

#endif
