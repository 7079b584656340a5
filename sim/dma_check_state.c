/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The DMA checker's state in an arena that is opened is input: counts, indices, lists and trees are
 * walked once here, each walk bounded by the size of what it walks, so that the rest of the checker
 * may trust them.
 */
#include "sim/dma_check.h"

#include <stdlib.h>

#include "sim/dma_check_internal.h"

static const char *spaces_check(struct ifs_machine *machine, u8 *seen)
{
	const struct check_state *check = &machine->state->check;
	struct range_tree tree;
	u64 spaces = 0, grants = 0;
	const char *wrong;
	u32 i;

	for (i = 1; i < check->spaces_used; i++) {
		const struct check_space *space = &check->spaces[i];

		if (space->alive > 1 || space->creator_gone > 1)
			return "a DMA space's flag is neither 0 nor 1";
		if (!space->alive && (space->grants.root || space->grants.count))
			return "a dead DMA space has grants";
		if (!space->alive)
			continue;
		check_space_tree(machine, space, &tree);
		wrong = range_tree_check_disjoint(&tree, seen);
		if (wrong)
			return wrong;
		spaces++;
		grants += space->grants.count;
	}
	if (spaces != check->nr_spaces || grants != check->nr_grants)
		return "nr_spaces or nr_grants does not count the DMA spaces";
	return NULL;
}

static const char *trees_check(struct ifs_machine *machine)
{
	const struct range_pool *pool = &machine->checker.pool;
	const char *wrong;
	u8 *seen;

	wrong = range_pool_check(pool);
	if (wrong)
		return wrong;
	seen = calloc(1, pool->used / 8 + 1);
	if (!seen)
		return "no memory to check it";
	wrong = range_tree_check_disjoint(&machine->checker.owners, seen);
	if (!wrong)
		wrong = spaces_check(machine, seen);
	free(seen);
	return wrong;
}

static const char *free_spaces_check(const struct check_state *check)
{
	u32 at, n = 0;

	for (at = check->spaces_free_head; at; at = check->spaces[at].next_free) {
		if (at >= check->spaces_used || check->spaces[at].alive)
			return "the list of free DMA spaces names one that is not free";
		if (++n >= check->spaces_used)
			return "the list of free DMA spaces does not end";
	}
	if (n + check->nr_spaces + 1 != check->spaces_used)
		return "the list of free DMA spaces is incomplete";
	return NULL;
}

static const char *bindings_check(const struct machine_state *state)
{
	const struct check_state *check = &state->check;
	u64 bound = 0;
	u32 i, j;

	for (i = 0; i < state->nr_devices; i++) {
		u32 space = state->devices[i].space, n = 0;

		if (!space)
			continue;
		if (space >= check->spaces_used || !check->spaces[space].alive)
			return "a device is in a DMA space that does not exist";
		for (j = 0; j < state->nr_devices; j++)
			n += state->devices[j].space == space;
		if (n != check->spaces[space].nr_bound)
			return "nr_bound of a DMA space does not count its devices";
		bound++;
	}
	for (i = 1; i < check->spaces_used; i++) {
		if (!check->spaces[i].alive)
			continue;
		if (check->spaces[i].creator_gone && !check->spaces[i].nr_bound)
			return "a DMA space is alive without creator or device";
		bound -= min((u64)check->spaces[i].nr_bound, bound);
		if (check->spaces[i].nr_bound > state->nr_devices)
			return "nr_bound of a DMA space is out of range";
	}
	return bound ? "a DMA space has more devices than there are" : NULL;
}

const char *dma_check_check_state(struct ifs_machine *machine)
{
	const struct check_state *check = &machine->state->check;
	u64 capacity = machine->arena.header.nodes_bytes / range_node_bytes();
	const char *wrong;
	u64 i, n;

	if (check->pool_used > capacity)
		return "pool_used of the DMA checker is out of range";
	if (check->pool_free_head > check->pool_used || check->pool_nr_free > check->pool_used)
		return "the DMA checker's list of free nodes is out of range";
	if (!check->spaces_used || check->spaces_used > CHECK_MAX_SPACES)
		return "spaces_used of the DMA checker is out of range";
	n = min(check->history_next, (u64)OWNER_HISTORY);
	for (i = 0; i < n; i++)
		if (check->history[i].owner >= NR_FRAME_OWNERS)
			return "an owner in the DMA checker's history is out of range";
	wrong = trees_check(machine);
	if (!wrong)
		wrong = free_spaces_check(check);
	if (!wrong)
		wrong = bindings_check(machine->state);
	return wrong;
}
