/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * One DMA request: device > context entry > IOTLB, else walker > checker > memory, or the fault
 * ring.
 *
 * A request is split where a leaf ends; each piece is translated and checked once, then moved
 * with one memcpy. A fault ends the request; what was moved before stays moved, as on a real bus.
 *
 * Context entries are cached per device as in VT-d 6.2.2 and need an explicit invalidation
 * (CCMD). Cached translations and context entries are compared with memory whenever they are
 * used; a difference that changes where this access goes is a report (stale-iotlb), and the
 * hardware goes on with what it has cached. An entry that allows less than is asked for is not
 * used: hardware walks again before it faults, so that granting more needs no invalidation.
 */
#include "sim/dma.h"

#include "sim/context_table.h"
#include "sim/dma_check_hw.h"
#include "sim/fault_log.h"
#include "sim/iotlb.h"
#include "sim/machine_internal.h"
#include "sim/walker.h"

#define ADDRESS_WIDTH 48

/* Where an iova leads, and for how many bytes. */
struct dma_run {
	pa_t pa;
	u64 length;
};

static const char *device_label(const struct ifs_device *device, char name[16])
{
	ifs_device_name(device, name);
	return name;
}

/* The context entry in use may differ from the one in memory: software forgot to invalidate. */
static void context_check_stale(struct ifs_device *device, const struct context_entry *memory,
				u8 reason)
{
	struct device_state *state = device->state;
	char name[16];

	if (!reason && memory->lo == state->context_lo && memory->hi == state->context_hi)
		return;
	if (state->context_reported)
		return;
	state->context_reported = 1;
	sim_report(device->machine, IFS_RULE_STALE_IOTLB,
		   "device %s: the cached context entry %016llx %016llx is no longer in memory "
		   "(no context-cache invalidation)", device_label(device, name),
		   (unsigned long long)state->context_hi, (unsigned long long)state->context_lo);
}

static u8 context_get(struct iommu_hw *hw, struct ifs_device *device, struct context_entry *out,
		      bool *fpd)
{
	struct device_state *state = device->state;
	u8 reason;

	reason = context_table_lookup(&hw->machine->mem, hw->state->root, state->bdf, out, fpd);
	if (state->context_valid) {
		context_check_stale(device, out, reason);
		out->lo = state->context_lo;
		out->hi = state->context_hi;
		*fpd = out->lo & IOMMU_CTX_FPD;
		return FAULT_NONE;
	}
	if (reason)
		return reason;
	state->context_lo = out->lo;
	state->context_hi = out->hi;
	state->context_valid = 1;
	state->context_reported = 0;
	return FAULT_NONE;
}

/* A cached translation whose tables changed: harmless if a walk would lead to the same place. */
static void iotlb_check_stale(struct ifs_device *device, struct iotlb_entry *entry, pa_t top,
			      enum ifs_pt_format format, iova_t iova, bool write)
{
	struct ifs_machine *machine = device->machine;
	pa_t cached = entry->pa + (iova & (BIT_ULL(PT_LEVEL_LG2(entry->level)) - 1));
	struct walk walk;
	char name[16];
	u8 reason;

	if (entry->reported)
		return;
	reason = walker_walk(&machine->mem, format, top, iova, write, false, &walk);
	if (!reason && walk.pa == cached)
		return;
	entry->reported = 1;
	sim_report(machine, IFS_RULE_STALE_IOTLB,
		   "device %s: %s of iova 0x%llx uses a cached translation of domain id %u to pa "
		   "0x%llx; in memory it is %s (no IOTLB invalidation)", device_label(device, name),
		   write ? "write" : "read", (unsigned long long)iova, entry->domain_id,
		   (unsigned long long)cached, reason ? "gone" : "another");
}

static u8 translate_paging(struct iommu_hw *hw, struct ifs_device *device,
			   const struct context_entry *context, iova_t iova, bool write,
			   struct dma_run *run)
{
	struct machine_counts *counts = &hw->machine->state->counts;
	enum ifs_pt_format format = context->hi & IOMMU_CTX_FIRST_STAGE ? IFS_PT_X86_64
									: IFS_PT_VTDSS;
	u32 need = write ? IOTLB_WRITE | IOTLB_DIRTY : IOTLB_READ;
	u32 domain_id = context_domain_id(context);
	pa_t top = context->lo & IOMMU_PTR_MASK;
	struct iotlb_entry *entry;
	struct walk walk;
	u64 offset;
	u8 reason;

	entry = iotlb_lookup(hw, domain_id, iova);
	if (entry && (entry->access & need) == need) {
		counts->iotlb_hits++;
		if (!iotlb_entry_is_current(hw, entry, top, format))
			iotlb_check_stale(device, entry, top, format, iova, write);
	} else {
		counts->iotlb_misses++;
		reason = walker_walk(&hw->machine->mem, format, top, iova, write, true, &walk);
		if (reason)
			return reason;
		dma_check_walked(hw, &walk);
		entry = iotlb_fill(hw, domain_id, iova, &walk);
	}
	offset = iova & (BIT_ULL(PT_LEVEL_LG2(entry->level)) - 1);
	run->pa = entry->pa + offset;
	run->length = BIT_ULL(PT_LEVEL_LG2(entry->level)) - offset;
	return FAULT_NONE;
}

static u8 translate(struct ifs_device *device, iova_t iova, bool write, struct dma_run *run)
{
	struct iommu_hw *hw = &device->machine->iommus[device->state->iommu];
	struct context_entry context;
	bool fpd = false;
	u8 reason;

	if (!(hw->state->gsts & IOMMU_GSTS_TES)) {
		run->pa = iova;
		run->length = PAGE_SIZE - (iova & (PAGE_SIZE - 1));
		return FAULT_NONE;
	}
	reason = context_get(hw, device, &context, &fpd);
	if (!reason && !context_is_passthrough(&context)) {
		reason = translate_paging(hw, device, &context, iova, write, run);
	} else if (!reason) {
		run->pa = iova;
		run->length = PAGE_SIZE - (iova & (PAGE_SIZE - 1));
		if (iova >> ADDRESS_WIDTH)
			reason = FAULT_BEYOND_WIDTH;
	}
	if (reason && !fpd)
		fault_log_record(hw, device->state->bdf, iova, write, reason);
	return reason;
}

/* Moves or compares one run. False: there is no memory at @pa. */
static bool run_move(struct phys_mem *mem, enum dma_kind kind, iova_t iova, pa_t pa, u8 *buf,
		     u64 length, struct dma_result *out)
{
	u8 *ram = ram_ptr(mem, pa, length), bounce[512];
	u64 at, n;

	if (kind == DMA_READ)
		return phys_mem_read(mem, pa, buf, length);
	if (kind == DMA_WRITE)
		return phys_mem_write(mem, pa, buf, length);
	if (ram && !memcmp(ram, buf, length))
		return true;
	for (at = 0; at < length; at += n) {    /* window memory, or looking for the difference */
		n = min(length - at, (u64)sizeof(bounce));
		if (!phys_mem_read(mem, pa + at, bounce, n))
			return false;
		if (!out->differs && memcmp(bounce, buf + at, n)) {
			u64 i = 0;

			while (bounce[i] == buf[at + i])
				i++;
			out->differs = true;
			out->differs_at = iova + at + i;
		}
	}
	return true;
}

static void count_faulted(struct ifs_device *device, iova_t iova, bool write, u8 reason)
{
	struct machine_counts *all = &device->machine->state->counts;
	struct device_counts *own = &device->state->counts;

	if (dma_check_faulted(device, iova, write, reason)) {
		all->dma_lost++;
		own->dma_lost++;
	} else {
		all->dma_blocked++;
		own->dma_blocked++;
	}
}

static void count_done(struct ifs_device *device, u64 bytes, bool whole, bool astray)
{
	struct machine_counts *all = &device->machine->state->counts;
	struct device_counts *own = &device->state->counts;

	all->dma_bytes += bytes;
	own->dma_bytes += bytes;
	all->dma_done += whole;
	own->dma_done += whole;
	all->dma_astray += astray;
	own->dma_astray += astray;
}

/* Checks one run, then moves it. A machine that stops on reports stops before the access. */
static u8 run_access(struct ifs_device *device, enum dma_kind kind, iova_t iova,
		     const struct dma_run *run, void *buf, struct dma_result *out, bool *astray)
{
	bool write = kind == DMA_WRITE, granted;

	granted = dma_check_reached(device, iova, run->pa, run->length, write);
	*astray |= !granted;
	if (device->machine->state->stopped ||
	    run_move(&device->machine->mem, kind, iova, run->pa, buf, run->length, out))
		return FAULT_NONE;
	if (granted)
		count_faulted(device, iova, write, FAULT_NO_MEMORY);
	return FAULT_NO_MEMORY;
}

void dma_request(struct ifs_device *device, enum dma_kind kind, iova_t iova, void *buf, u64 length,
		 struct dma_result *out)
{
	struct ifs_machine *machine = device->machine;
	bool write = kind == DMA_WRITE, astray = false;
	u64 done = 0;

	memset(out, 0, sizeof(*out));
	if (machine->state->stopped) {
		out->status = IFS_DMA_STOPPED;
		return;
	}
	machine->state->steps++;        /* sim_step(), without the call */
	if (length && iova + length - 1 < iova) {       /* no bus address beyond 2^64 */
		out->status = IFS_DMA_FAULT;
		out->fault = (struct ifs_dma_fault){ .iova = iova, .write = write,
						     .reason = FAULT_BEYOND_WIDTH };
		count_faulted(device, iova, write, FAULT_BEYOND_WIDTH);
		return;
	}
	while (done < length) {
		struct dma_run run;
		u8 reason = translate(device, iova + done, write, &run);

		if (reason)
			count_faulted(device, iova + done, write, reason);
		if (!reason) {
			run.length = min(run.length, length - done);
			reason = run_access(device, kind, iova + done, &run, (u8 *)buf + done,
					    out, &astray);
		}
		if (reason) {
			out->status = IFS_DMA_FAULT;
			out->fault = (struct ifs_dma_fault){ .iova = iova + done, .write = write,
							     .reason = reason, .bytes_done = done };
			break;
		}
		if (machine->state->stopped) {
			out->status = IFS_DMA_STOPPED;
			break;
		}
		done += run.length;
	}
	out->done = done;
	count_done(device, done, done == length, astray);
}
