/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the two halves of the DMA checker share. */
#ifndef SIM_DMA_CHECK_INTERNAL_H
#define SIM_DMA_CHECK_INTERNAL_H

#include "sim/machine_internal.h"

/* Low bits of a grant's value; the rest is the pa. They stay put as the value advances by pages. */
#define GRANT_READ 1ull
#define GRANT_WRITE 2ull
#define GRANT_BITS 3ull

/* An owner's value: which boot declared it, and what it is. */
#define OWNER_BITS 8

static inline u64 owner_value(const struct ifs_machine *machine, enum frame_owner owner)
{
	return (u64)machine->state->boots << OWNER_BITS | (u64)owner;
}

static inline u32 owner_of(u64 value)
{
	return (u32)(value & (BIT_ULL(OWNER_BITS) - 1));
}

const char *owner_name(u32 owner);
/* NULL: no such space, or dead. */
struct check_space *check_space_get(const struct ifs_machine *machine, u32 space);
void check_space_tree(const struct ifs_machine *machine, const struct check_space *space,
		      struct range_tree *tree);

/* iommu_hw.c: reports TABLE_FREED if a walk can still get to [@pa, @last]. */
void iommu_hw_tables_freed(struct ifs_machine *machine, pa_t pa, pa_t last, const char *new_owner);

#endif
