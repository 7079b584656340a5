/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the DMA checker is told: owners of frames, grants of spaces, devices in spaces. How it
 * judges a DMA is in dma_check_hw.c.
 *
 * Owners are one range tree over physical addresses (absent = free). Each space has a range tree
 * over iovas whose values are pa | permission bits, linear, so that a grant of any size is one
 * entry. All trees take their nodes from one fixed pool in the arena; their roots are in the
 * arena too and are written back after each change, so that the file is complete at any moment.
 *
 * Owners carry the boot that declared them: the next kernel declares all of RAM anew, and a table
 * page of the previous kernel is not this one's to free.
 *
 * Invariants: nr_bound of a space is the number of devices in it; a space is alive while its
 * creator has not put it or a device is bound; nr_grants is the sum over all spaces.
 */
#include "sim/dma_check.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/dma_check_internal.h"

static const char *const owner_names[] = {
	[FRAME_FREE] = "free",
	[FRAME_RESERVED] = "reserved",
	[FRAME_KERNEL] = "kernel",
	[FRAME_TABLE] = "table",
	[FRAME_MEMFD] = "memfd",
	[FRAME_WINDOW] = "window",
	[FRAME_SCRATCH] = "scratch",
	[FRAME_DMABUF] = "dma-buf",
};

const char *owner_name(u32 owner)
{
	return owner < ARRAY_SIZE(owner_names) ? owner_names[owner] : "unknown";
}

/* The pool is a fixed area of the arena: never bigger, never elsewhere. */
static void *pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	return NULL;
}

static void pool_release(void *ctx, void *pool)
{
}

static void tree_load(struct ifs_machine *machine, struct range_tree *tree,
		      const struct tree_state *state)
{
	range_tree_init(tree, &machine->checker.pool);
	tree->root = state->root;
	tree->height = state->height;
	tree->count = state->count;
}

/* After every change: the arena is never behind. */
static void tree_store(struct ifs_machine *machine, const struct range_tree *tree,
		       struct tree_state *state)
{
	struct check_state *check = &machine->state->check;
	struct range_pool *pool = &machine->checker.pool;

	state->root = tree->root;
	state->height = tree->height;
	state->count = tree->count;
	check->pool_used = pool->used;
	check->pool_free_head = pool->free_head;
	check->pool_nr_free = pool->nr_free;
	machine->checker.generation++;
}

void dma_check_init(struct ifs_machine *machine)
{
	struct checker *checker = &machine->checker;
	struct check_state *check = &machine->state->check;

	range_pool_init(&checker->pool, NULL, pool_grow, pool_release);
	checker->pool.nodes = machine->arena.nodes;
	checker->pool.capacity = (u32)(machine->arena.header.nodes_bytes / range_node_bytes());
	checker->pool.used = check->pool_used;
	checker->pool.free_head = check->pool_free_head;
	checker->pool.nr_free = check->pool_nr_free;
	checker->generation = 1;
	if (!check->spaces_used)
		check->spaces_used = 1;
	tree_load(machine, &checker->owners, &check->owners);
}

void dma_check_reset(struct ifs_machine *machine)
{
	struct check_state *check = &machine->state->check;
	u64 generation = machine->checker.generation;

	memset(machine->arena.nodes, 0, check->pool_used * range_node_bytes());
	memset(check->history, 0, min(check->history_next, (u64)OWNER_HISTORY) *
				  sizeof(check->history[0]));
	memset(check->spaces, 0, check->spaces_used * sizeof(check->spaces[0]));
	memset(check, 0, offsetof(struct check_state, history));
	dma_check_init(machine);
	/* Never an old number again: the caches of runs are told apart by it. */
	machine->checker.generation = generation + 1;
}

struct check_space *check_space_get(const struct ifs_machine *machine, u32 space)
{
	struct check_state *check = &machine->state->check;

	if (!space || space >= check->spaces_used || !check->spaces[space].alive)
		return NULL;
	return &check->spaces[space];
}

void check_space_tree(const struct ifs_machine *machine, const struct check_space *space,
		      struct range_tree *tree)
{
	tree_load((struct ifs_machine *)machine, tree, &space->grants);
}

static void pool_is_full(struct ifs_machine *machine, const char *what)
{
	sim_report(machine, IFS_RULE_WARN, "the DMA checker has no room for another %s: "
		   "its reports are unreliable from here on", what);
}

static void history_add(struct ifs_machine *machine, pa_t pa, pa_t last, u32 owner)
{
	struct machine_state *state = machine->state;
	struct check_state *check = &state->check;
	struct owner_change *change;

	if (check->history_next) {      /* pages one by one within one step are one change */
		change = &check->history[(check->history_next - 1) % OWNER_HISTORY];
		if (change->owner == owner && change->step == state->steps &&
		    change->boot == state->boots && change->last + 1 == pa) {
			change->last = last;
			return;
		}
	}
	change = &check->history[check->history_next++ % OWNER_HISTORY];
	*change = (struct owner_change){ .step = state->steps, .pa = pa, .last = last,
					 .owner = owner, .boot = state->boots };
}

/* Frames that were this kernel's tables are changing hands: can hardware still get there? */
static void tables_freed(struct ifs_machine *machine, pa_t pa, pa_t last, enum frame_owner owner)
{
	u64 table = owner_value(machine, FRAME_TABLE);
	struct range_entry entry;
	pa_t at = pa;

	while (range_tree_find_first(&machine->checker.owners, at, last, &entry)) {
		if (entry.value == table)
			iommu_hw_tables_freed(machine, max(entry.start, pa),
					      min(entry.last, last), owner_name(owner));
		if (entry.last >= last)
			break;
		at = entry.last + 1;
	}
}

void dma_check_set_owner(struct ifs_machine *machine, pa_t pa, u64 length, enum frame_owner owner)
{
	struct range_tree *owners = &machine->checker.owners;
	pa_t last = pa + length - 1;
	bool done;

	if (!length)
		return;
	assert(last >= pa);
	assert(owner < ARRAY_SIZE(owner_names));
	/* Tables lie in RAM. */
	if (owner != FRAME_TABLE && pa < PHYS_WINDOW_BASE)
		tables_freed(machine, pa, last, owner);
	done = owner == FRAME_FREE
		       ? range_tree_erase(owners, pa, last, false)
		       : range_tree_paint(owners, pa, last, owner_value(machine, owner), false);
	if (!done)
		pool_is_full(machine, "owner");
	tree_store(machine, owners, &machine->state->check.owners);
	history_add(machine, pa, last, owner);
}

enum frame_owner dma_check_owner(struct ifs_machine *machine, pa_t pa)
{
	struct range_entry entry;

	if (range_tree_lookup(&machine->checker.owners, pa, &entry))
		return (enum frame_owner)owner_of(entry.value);
	return pa >= PHYS_WINDOW_BASE && phys_mem_has_window(&machine->mem, pa) ? FRAME_WINDOW
										: FRAME_FREE;
}

u32 dma_check_space_new(struct ifs_machine *machine)
{
	struct check_state *check = &machine->state->check;
	u32 space = check->spaces_free_head;

	if (space) {
		check->spaces_free_head = check->spaces[space].next_free;
	} else if (check->spaces_used < CHECK_MAX_SPACES) {
		space = check->spaces_used++;
	} else {
		pool_is_full(machine, "space");
		return 0;
	}
	check->spaces[space] = (struct check_space){ .alive = 1 };
	check->nr_spaces++;
	return space;
}

static void space_free_if_unused(struct ifs_machine *machine, u32 index)
{
	struct check_state *check = &machine->state->check;
	struct check_space *space = &check->spaces[index];
	struct range_tree grants;

	if (!space->alive || !space->creator_gone || space->nr_bound)
		return;
	tree_load(machine, &grants, &space->grants);
	check->nr_grants -= grants.count;
	range_tree_clear(&grants);
	tree_store(machine, &grants, &space->grants);
	space->alive = 0;
	space->next_free = check->spaces_free_head;
	check->spaces_free_head = index;
	check->nr_spaces--;
}

void dma_check_space_put(struct ifs_machine *machine, u32 space)
{
	struct check_space *s = check_space_get(machine, space);

	if (!s)
		return;
	s->creator_gone = 1;
	space_free_if_unused(machine, space);
}

void dma_check_grant(struct ifs_machine *machine, u32 space, iova_t iova, pa_t pa, u64 length,
		     bool readable, bool writable)
{
	struct check_space *s = check_space_get(machine, space);
	struct range_tree grants;
	u64 value;

	if (!s || !length)
		return;
	assert(iova + length - 1 >= iova);
	assert(IS_ALIGNED(pa, PAGE_SIZE) && IS_ALIGNED(iova, PAGE_SIZE));
	tree_load(machine, &grants, &s->grants);
	machine->state->check.nr_grants -= grants.count;
	value = pa | (readable ? GRANT_READ : 0) | (writable ? GRANT_WRITE : 0);
	if (!range_tree_paint(&grants, iova, iova + length - 1, value, true))
		pool_is_full(machine, "grant");
	machine->state->check.nr_grants += grants.count;
	tree_store(machine, &grants, &s->grants);
}

void dma_check_revoke(struct ifs_machine *machine, u32 space, iova_t iova, u64 length)
{
	struct check_space *s = check_space_get(machine, space);
	struct range_tree grants;

	if (!s || !length)
		return;
	assert(iova + length - 1 >= iova);
	tree_load(machine, &grants, &s->grants);
	machine->state->check.nr_grants -= grants.count;
	if (!range_tree_erase(&grants, iova, iova + length - 1, true))
		pool_is_full(machine, "grant");
	machine->state->check.nr_grants += grants.count;
	tree_store(machine, &grants, &s->grants);
}

void dma_check_bind(struct ifs_machine *machine, struct ifs_device *device, u32 space)
{
	struct check_space *to = check_space_get(machine, space);
	u32 old = device->state->space;

	device->state->space = to ? space : 0;
	if (to)
		to->nr_bound++;
	if (old) {
		machine->state->check.spaces[old].nr_bound--;
		space_free_if_unused(machine, old);
	}
	machine->checker.generation++;
}

u32 dma_check_space_of(struct ifs_machine *machine, struct ifs_device *device)
{
	return device->state->space;
}

void dma_check_kexec(struct ifs_machine *machine)
{
	u32 i;

	for (i = 1; i < machine->state->check.spaces_used; i++)
		dma_check_space_put(machine, i);
}

void dma_check_counts(struct ifs_machine *machine, u64 *spaces, u64 *grants)
{
	*spaces = machine->state->check.nr_spaces;
	*grants = machine->state->check.nr_grants;
}
