/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Power off and on again: the machine becomes what ifs_machine_new() with the same configuration
 * and ifs_machine_add_device() with the same devices gave, byte for byte, without giving the
 * mapping back and taking it again. Faulting pages in is most of what a small test pays for.
 *
 * The state's arrays have their largest size; only what was ever used of each is cleared, which
 * its own counter tells. Each counter is therefore cleared last.
 */
#include <iommufd-sim/machine.h>

#include <stddef.h>

#include "sim/machine_internal.h"

static void devices_reset(struct machine_state *state)
{
	u32 i;

	for (i = 0; i < state->nr_devices; i++) {
		struct device_state *device = &state->devices[i];
		u16 segment = device->segment, bdf = device->bdf;
		u32 iommu = device->iommu;

		*device = (struct device_state){ .segment = segment, .bdf = bdf, .iommu = iommu };
	}
}

static void reports_reset(struct machine_state *state)
{
	memset(state->rule_counts, 0, sizeof(state->rule_counts));
	memset(state->reports, 0, state->nr_reports * sizeof(state->reports[0]));
	state->nr_reports = 0;
	memset(state->log, 0, min(state->log_bytes, (u64)EVENT_LOG_BYTES));
	state->log_bytes = 0;
}

/* The IOTLB is filled after misses only; it is by far the largest part. */
static void iommus_reset(struct machine_state *state)
{
	u32 i;

	for (i = 0; i < state->nr_iommus; i++) {
		struct iommu_state *iommu = &state->iommus[i];
		const u32 *live = iommu->iotlb_live;

		if (state->counts.iotlb_misses || live[0] | live[1] | live[2])
			memset(iommu->iotlb, 0, state->iotlb_entries * sizeof(iommu->iotlb[0]));
		memset(iommu->faults, 0, state->fault_entries * sizeof(iommu->faults[0]));
		memset(iommu, 0, offsetof(struct iommu_state, faults));
	}
}

/* What stays is what ifs_machine_new() and ifs_machine_add_device() were told. */
static void head_reset(struct machine_state *state)
{
	state->steps = 0;
	state->stopped = 0;
	state->boots = 0;
	state->boot_params = (struct machine_boot_params){ 0 };
	state->counts = (struct machine_counts){ 0 };
}

void ifs_machine_reset(struct ifs_machine *machine)
{
	struct machine_state *state = machine->state;

	devices_reset(state);
	iommus_reset(state);
	reports_reset(state);
	dma_check_reset(machine);
	head_reset(state);
	phys_mem_windows_drop(&machine->mem);
	phys_mem_reset(&machine->mem);
}
