/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * PCI devices: where they sit, what they have done, and DMA by hand.
 *
 * Handles are made for all slots with the machine and stay valid as long as it; the device's
 * state is in the arena. Enumeration is by segment and bus address, whatever the order of
 * plugging in.
 */
#include <iommufd-sim/device.h>

#include <stdio.h>

#include "sim/dma.h"
#include "sim/machine_internal.h"
#include "sim/stream.h"

void device_init(struct ifs_device *device, struct ifs_machine *machine, u32 index)
{
	device->machine = machine;
	device->state = &machine->state->devices[index];
}

static u32 device_address(const struct device_state *device)
{
	return (u32)device->segment << 16 | device->bdf;
}

/*
 * A unit knows requesters by bus, slot and function: two segments behind one unit must not use the
 * same.
 */
static bool requester_is_taken(const struct machine_state *state, const struct device_state *new)
{
	for (u32 i = 0; i < state->nr_devices; i++)
		if (state->devices[i].iommu == new->iommu && state->devices[i].bdf == new->bdf)
			return true;
	return false;
}

struct ifs_device *ifs_machine_add_device(struct ifs_machine *machine,
					  const struct ifs_device_config *config,
					  struct ifs_error *error)
{
	struct machine_state *state = machine->state;
	struct ifs_device_config given = { 0 };
	struct device_state new = { 0 };
	u32 at, i, n = state->nr_devices;

	memcpy(&given, config, min(config->size, sizeof(given)));
	if (!config->size || given.slot > 31 || given.function > 7) {
		sim_error(error, EINVAL, "device %04x:%02x:%02x.%x: address out of range",
			  given.segment, given.bus, given.slot, given.function);
		return NULL;
	}
	new.segment = given.segment;
	new.bdf = (u16)(given.bus << 8 | given.slot << 3 | given.function);
	new.iommu = given.iommu;
	if (given.iommu >= state->nr_iommus) {
		sim_error(error, EINVAL, "device %04x:%02x:%02x.%x: IOMMU unit %u of %u",
			  given.segment, given.bus, given.slot, given.function, given.iommu,
			  state->nr_iommus);
		return NULL;
	}
	if (n == MACHINE_MAX_DEVICES) {
		sim_error(error, ENOSPC, "no room for another device: there are %u", n);
		return NULL;
	}
	for (at = 0; at < n; at++)
		if (device_address(&state->devices[state->device_order[at]]) >=
		    device_address(&new))
			break;
	if (at < n && device_address(&state->devices[state->device_order[at]]) ==
			      device_address(&new)) {
		sim_error(error, EEXIST, "device %04x:%02x:%02x.%x is there already",
			  given.segment, given.bus, given.slot, given.function);
		return NULL;
	}
	if (requester_is_taken(state, &new)) {
		sim_error(error, EEXIST, "device %04x:%02x:%02x.%x: IOMMU unit %u has one of that "
			  "address in another segment", given.segment, given.bus, given.slot,
			  given.function, given.iommu);
		return NULL;
	}
	for (i = n; i > at; i--)
		state->device_order[i] = state->device_order[i - 1];
	state->device_order[at] = n;
	state->devices[n] = new;
	state->nr_devices++;
	return &machine->devices[n];
}

struct ifs_device *machine_device(struct ifs_machine *machine, unsigned index)
{
	if (index >= machine->state->nr_devices)
		return NULL;
	return &machine->devices[machine->state->device_order[index]];
}

struct ifs_device *ifs_machine_get_device(struct ifs_machine *machine, unsigned index)
{
	return machine_device(machine, index);
}

void ifs_device_name(const struct ifs_device *device, char name[16])
{
	u16 bdf = device->state->bdf;

	snprintf(name, 16, "%04x:%02x:%02x.%x", device->state->segment, bdf >> 8,
		 bdf >> 3 & 31, bdf & 7);
}

unsigned device_iommu_unit(const struct ifs_device *device)
{
	return device->state->iommu;
}

u16 device_segment(const struct ifs_device *device)
{
	return device->state->segment;
}

u16 device_bdf(const struct ifs_device *device)
{
	return device->state->bdf;
}

void device_reset(struct ifs_device *device)
{
	memset(&device->state->stream, 0, sizeof(device->state->stream));
}

static enum ifs_dma_status dma_by_hand(struct ifs_device *device, enum dma_kind kind, iova_t iova,
				       void *buf, u64 length, struct ifs_dma_fault *fault)
{
	struct dma_result result;

	dma_request(device, kind, iova, buf, length, &result);
	if (fault)
		*fault = result.fault;
	return result.status;
}

enum ifs_dma_status ifs_device_dma_read(struct ifs_device *device, ifs_iova_t iova, void *to,
					uint64_t length, struct ifs_dma_fault *fault)
{
	return dma_by_hand(device, DMA_READ, iova, to, length, fault);
}

enum ifs_dma_status ifs_device_dma_write(struct ifs_device *device, ifs_iova_t iova,
					 const void *from, uint64_t length,
					 struct ifs_dma_fault *fault)
{
	return dma_by_hand(device, DMA_WRITE, iova, (void *)from, length, fault);
}

void ifs_device_get_stats(const struct ifs_device *device, struct ifs_device_stats *out)
{
	const struct device_counts *counts = &device->state->counts;
	struct ifs_device_stats stats = {
		.size = out->size,
		.bursts = counts->bursts,
		.dma_done = counts->dma_done,
		.dma_bytes = counts->dma_bytes,
		.dma_blocked = counts->dma_blocked,
		.dma_lost = counts->dma_lost,
		.dma_astray = counts->dma_astray,
		.dma_corrupt = counts->dma_corrupt,
		.streaming = device->state->stream.running,
	};

	memcpy(out, &stats, min(out->size, sizeof(stats)));
}

const char *device_check_state(const struct machine_state *state)
{
	const char *wrong;
	u32 i, address, before = 0;

	if (state->nr_devices > MACHINE_MAX_DEVICES)
		return "nr_devices is out of range";
	for (i = 0; i < state->nr_devices; i++) {
		const struct device_state *device = &state->devices[i];

		if (device->iommu >= state->nr_iommus)
			return "a device's IOMMU unit is out of range";
		if (device->context_valid > 1)
			return "a device's context_valid is neither 0 nor 1";
		wrong = stream_check_state(&device->stream);
		if (wrong)
			return wrong;
		if (state->device_order[i] >= state->nr_devices)
			return "device_order is out of range";
	}
	for (i = 0; i < state->nr_devices; i++) {       /* ascending, hence a permutation too */
		address = device_address(&state->devices[state->device_order[i]]);
		if (i && address <= before)
			return "device_order is not ascending";
		before = address;
	}
	return NULL;
}
