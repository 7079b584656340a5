/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The hardware's page-table walk. */
#ifndef SIM_WALKER_H
#define SIM_WALKER_H

#include <iommufd-sim/machine.h>
#include <iommufd-sim/proto/types.h>

#include "sim/machine_state.h"
#include "sim/pt_formats.h"

struct phys_mem;

struct walk {
	pa_t pa;                /* where @iova leads */
	u32 level;              /* of the leaf */
	u32 access;             /* IOTLB_*: what all entries allow; DIRTY as now set */
	pa_t path_pa[PT_LEVELS];        /* of the PT_LEVELS - level entries used, top first */
	u64 path_value[PT_LEVELS];      /* what they hold now */
};

/*
 * Translates @iova under the 4-level table at @top. 0 and *@out, or the fault reason. With
 * @update the accessed bits, and for a write the dirty bit, are set in memory, only on success.
 */
u8 walker_walk(const struct phys_mem *mem, enum ifs_pt_format format, pa_t top, iova_t iova,
	       bool write, bool update, struct walk *out);

/* Accessed and dirty bits of @format: what the hardware itself changes. */
static inline u64 walker_status_bits(enum ifs_pt_format format)
{
	return format == IFS_PT_X86_64 ? X86_64_A | X86_64_D : VTDSS_A | VTDSS_D;
}

#endif
