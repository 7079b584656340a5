/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Fault recording (VT-d 7.3 "primary fault logging", registers 11.4.14): a ring of 16-byte records.
 *
 *  lo  63:12 page of the address
 *  hi  63 F (pending, write 1 to clear), 62 T (1: read), 39:32 reason, 15:0 source id
 *
 * A fault that finds its record still pending sets overflow and is dropped; until software clears
 * the overflow, so are all others. Hardware never calls up: software polls the pending bit.
 *
 * Invariant: fault_first is where the oldest pending record is, or fault_next if none is pending.
 *
 * Left out: collapsing of equal faults, and interrupts.
 */
#include "sim/fault_log.h"

#include "sim/iommu_regs.h"
#include "sim/machine_internal.h"

#define RECORD_READ BIT_ULL(62)
#define RECORD_REASON_SHIFT 32
#define FSTS_FRI_SHIFT 8

void fault_log_record(struct iommu_hw *hw, u16 bdf, iova_t iova, bool write, u8 reason)
{
	struct iommu_state *state = hw->state;
	struct fault_record *record = &state->faults[state->fault_next];
	struct machine_counts *counts = &hw->machine->state->counts;

	if (state->fault_overflow || record->hi & IOMMU_FRCD_F) {
		state->fault_overflow = 1;
		counts->faults_overflowed++;
		return;
	}
	record->lo = iova & PAGE_MASK;
	record->hi = IOMMU_FRCD_F | (write ? 0 : RECORD_READ) |
		     (u64)reason << RECORD_REASON_SHIFT | bdf;
	if (++state->fault_next == hw->machine->state->fault_entries)
		state->fault_next = 0;
	counts->faults_recorded++;
}

u32 fault_log_status(const struct iommu_hw *hw)
{
	const struct iommu_state *state = hw->state;
	u64 oldest = state->faults[state->fault_first].hi;

	return (state->fault_overflow ? (u32)IOMMU_FSTS_PFO : 0) |
	       (oldest & IOMMU_FRCD_F ? (u32)IOMMU_FSTS_PPF : 0) |
	       state->fault_first << FSTS_FRI_SHIFT;
}

void fault_log_clear_overflow(struct iommu_hw *hw)
{
	hw->state->fault_overflow = 0;
}

u64 fault_log_read(const struct iommu_hw *hw, u32 index, bool high)
{
	if (index >= hw->machine->state->fault_entries)
		return 0;
	return high ? hw->state->faults[index].hi : hw->state->faults[index].lo;
}

void fault_log_clear(struct iommu_hw *hw, u32 index)
{
	struct iommu_state *state = hw->state;
	u32 i, n = hw->machine->state->fault_entries;

	if (index >= n)
		return;
	state->faults[index].hi &= ~IOMMU_FRCD_F;
	/* Software may clear in any order: the oldest pending one, else where the next will go. */
	for (i = 0; i < n; i++) {
		if (state->faults[state->fault_first].hi & IOMMU_FRCD_F)
			return;
		state->fault_first = (state->fault_first + 1) % n;
	}
	state->fault_first = state->fault_next;
}

const char *fault_log_check_state(const struct iommu_state *state, u32 entries)
{
	u32 i;

	if (state->fault_next >= entries || state->fault_first >= entries)
		return "an index into a fault ring is out of range";
	if (state->faults[state->fault_first].hi & IOMMU_FRCD_F)
		return NULL;
	for (i = 0; i < entries; i++)
		if (state->faults[i].hi & IOMMU_FRCD_F)
			return "a fault is pending, but not the oldest";
	return state->fault_first == state->fault_next ? NULL
		: "the oldest fault of an empty ring is not the next";
}
