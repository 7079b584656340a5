/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * How the DMA checker judges what the hardware did. Works per run of contiguous addresses, never
 * per byte; the last grant and the last owner of each device are remembered, so that a stream
 * inside one mapping costs a few comparisons per burst. Any change of grants, owners or bindings
 * starts a new generation and voids what is remembered.
 *
 * A frame gives memory to devices if it is a memfd's or a window's; or if it is RESERVED and the
 * space is one that the previous kernel left behind: between boot and restore that is how it
 * looks.
 */
#include "sim/dma_check_hw.h"

#include <stdio.h>

#include "sim/dma_check_internal.h"
#include "sim/walker.h"

#define HISTORY_SHOWN 3

void dma_check_history(const struct ifs_machine *machine, pa_t pa, char *text, size_t bytes)
{
	const struct check_state *check = &machine->state->check;
	const struct owner_change *shown[HISTORY_SHOWN];
	u64 next = check->history_next, oldest, i;
	u32 n = 0;
	size_t at = 0;

	oldest = next > OWNER_HISTORY ? next - OWNER_HISTORY : 0;
	for (i = next; i > oldest && n < HISTORY_SHOWN; i--) {
		const struct owner_change *change = &check->history[(i - 1) % OWNER_HISTORY];

		if (pa >= change->pa && pa <= change->last)
			shown[n++] = change;
	}
	snprintf(text, bytes, "no owner known");
	while (n-- && at < bytes)
		at += (size_t)snprintf(text + at, bytes - at, "%sstep %llu %s", at ? ", " : "",
				       (unsigned long long)shown[n]->step,
				       owner_name(shown[n]->owner));
}

static bool gives_memory(const struct check_space *space, u32 owner)
{
	return owner == FRAME_MEMFD || owner == FRAME_DMABUF || owner == FRAME_WINDOW ||
	       (owner == FRAME_RESERVED && space->creator_gone);
}

static bool cache_covers(const struct ifs_machine *machine, const struct run_cache *cache,
			 u64 at, u64 last)
{
	return cache->generation == machine->checker.generation && at >= cache->start &&
	       last <= cache->last;
}

static void cache_fill(const struct ifs_machine *machine, struct run_cache *cache,
		       const struct range_entry *entry)
{
	*cache = (struct run_cache){ .generation = machine->checker.generation,
				     .start = entry->start, .last = entry->last,
				     .value = entry->value };
}

/* Nothing wrong: NULL. Else in what way the space does not grant @pa at @iova; trims *@length. */
static const char *grant_violation(struct ifs_device *device, iova_t iova, pa_t pa, u64 *length,
				   bool write)
{
	struct ifs_machine *machine = device->machine;
	struct run_cache *cache = &device->grant;
	u64 need = write ? GRANT_WRITE : GRANT_READ;
	struct check_space *space;

	if (!cache_covers(machine, cache, iova, iova)) {
		struct range_tree grants;
		struct range_entry entry;

		space = check_space_get(machine, device->state->space);
		if (!space)
			return "is in no space";
		check_space_tree(machine, space, &grants);
		if (!range_tree_lookup(&grants, iova, &entry))
			return "has no grant there";
		cache_fill(machine, cache, &entry);
	}
	if ((cache->value & ~GRANT_BITS) + (iova - cache->start) != pa)
		return "has a grant of another frame there";
	if (!(cache->value & need))
		return write ? "may only read there" : "may only write there";
	*length = min(*length, cache->last - iova + 1);
	return NULL;
}

static const char *owner_violation(struct ifs_device *device, pa_t pa, u64 *length)
{
	struct ifs_machine *machine = device->machine;
	struct run_cache *cache = &device->owner;
	const struct check_space *space;
	struct range_entry entry;
	u32 owner;

	if (!cache_covers(machine, cache, pa, pa)) {
		if (!range_tree_lookup(&machine->checker.owners, pa, &entry)) {
			entry.start = ALIGN_DOWN(pa, PAGE_SIZE);
			entry.last = entry.start + PAGE_SIZE - 1;
			entry.value = owner_value(machine, dma_check_owner(machine, pa));
		}
		owner = owner_of(entry.value);
		space = check_space_get(machine, device->state->space);
		if (!space || !gives_memory(space, owner))
			return owner_name(owner);
		cache_fill(machine, cache, &entry);
	}
	*length = min(*length, cache->last - pa + 1);
	return NULL;
}

static void report_astray(struct ifs_device *device, iova_t iova, pa_t pa, bool write,
			  const char *why)
{
	char name[16], history[96];

	ifs_device_name(device, name);
	dma_check_history(device->machine, pa, history, sizeof(history));
	sim_report(device->machine, IFS_RULE_DMA_ASTRAY,
		   "device %s: %s of iova 0x%llx reached pa 0x%llx, but it %s; frame: %s", name,
		   write ? "write" : "read", (unsigned long long)iova, (unsigned long long)pa, why,
		   history);
}

bool dma_check_reached(struct ifs_device *device, iova_t iova, pa_t pa, u64 length, bool write)
{
	while (length) {
		const char *why, *owner;
		char text[64];
		u64 run = length;

		why = grant_violation(device, iova, pa, &run, write);
		if (!why) {
			owner = owner_violation(device, pa, &run);
			if (owner) {
				snprintf(text, sizeof(text), "is no device's: owner %s", owner);
				why = text;
			}
		}
		if (why) {
			report_astray(device, iova, pa, write, why);
			return false;
		}
		iova += run;
		pa += run;
		length -= run;
	}
	return true;
}

bool dma_check_faulted(struct ifs_device *device, iova_t iova, bool write, u8 reason)
{
	struct ifs_machine *machine = device->machine;
	struct check_space *space = check_space_get(machine, device->state->space);
	struct range_tree grants;
	struct range_entry entry;
	char name[16], history[96];
	pa_t pa;

	if (!space)
		return false;
	check_space_tree(machine, space, &grants);
	if (!range_tree_lookup(&grants, iova, &entry) ||
	    !(entry.value & (write ? GRANT_WRITE : GRANT_READ)))
		return false;
	pa = (entry.value & ~GRANT_BITS) + (iova - entry.start);
	ifs_device_name(device, name);
	dma_check_history(machine, pa, history, sizeof(history));
	sim_report(machine, IFS_RULE_DMA_LOST,
		   "device %s: %s of iova 0x%llx faulted (reason 0x%02x), but space %u grants it "
		   "pa 0x%llx; frame: %s", name, write ? "write" : "read", (unsigned long long)iova,
		   reason, device->state->space, (unsigned long long)pa, history);
	return true;
}

static bool may_hold_tables(u32 owner)
{
	return owner == FRAME_TABLE || owner == FRAME_KERNEL || owner == FRAME_RESERVED;
}

void dma_check_walked(struct iommu_hw *hw, const struct walk *walk)
{
	struct ifs_machine *machine = hw->machine;
	struct run_cache *cache = &hw->table_owner;
	struct range_entry entry;
	char history[96];
	u32 i;

	if (!machine->checker.owners.count)     /* nobody declares owners here */
		return;
	for (i = 0; i < PT_LEVELS - walk->level; i++) {
		pa_t pa = walk->path_pa[i];

		if (cache_covers(machine, cache, pa, pa))
			continue;
		if (range_tree_lookup(&machine->checker.owners, pa, &entry) &&
		    may_hold_tables(owner_of(entry.value))) {
			cache_fill(machine, cache, &entry);
			continue;
		}
		dma_check_history(machine, pa, history, sizeof(history));
		sim_report(machine, IFS_RULE_TABLE_FREED, "unit %u walks the table at pa 0x%llx, "
			   "which is no table: owner %s; frame: %s", hw->unit,
			   (unsigned long long)(pa & PAGE_MASK),
			   owner_name(dma_check_owner(machine, pa)), history);
		return;
	}
}
