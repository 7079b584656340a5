/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A map from disjoint closed ranges of u64 to one u64 value each, kept in a B+ tree.
 *
 * Used wherever the simulator keeps something per range instead of per page: IOVA areas, free and
 * owned frames, DMA grants, file extents. Nodes are named by 32-bit indices into one pool, so that
 * a tree can live in the machine's arena (a fixed pool that survives kexec and exec) or in a
 * kernel's heap (a pool that grows and may fail to).
 *
 * Invariants: ranges never overlap, start <= last, keys ascend. Insert either succeeds or changes
 * nothing. Remove never fails and never allocates.
 */
#ifndef SIM_RANGE_TREE_H
#define SIM_RANGE_TREE_H

#include <iommufd-sim/proto/types.h>

struct range_node;

/* Where nodes live. grow() returns the (possibly moved) pool of at least @bytes, or NULL. */
struct range_pool {
	struct range_node *nodes;
	u32 capacity;           /* nodes that fit */
	u32 used;               /* nodes ever handed out */
	u32 free_head;          /* index + 1 of the first recycled node, 0 = none */
	u32 nr_free;
	void *(*grow)(void *ctx, void *old, size_t old_bytes, size_t bytes);
	void (*release)(void *ctx, void *pool);
	void *ctx;
};

struct range_tree {
	struct range_pool *pool;
	u32 root;               /* index + 1, 0 = empty */
	u32 height;
	u64 count;
};

struct range_entry {
	u64 start, last, value;
};

void range_pool_init(struct range_pool *pool, void *ctx,
		     void *(*grow)(void *, void *, size_t, size_t),
		     void (*release)(void *, void *));
void range_pool_deinit(struct range_pool *pool);
size_t range_node_bytes(void);
/* Room for @n nodes more, for callers that change several trees of one pool together. */
bool range_pool_ensure(struct range_pool *pool, u64 n);

void range_tree_init(struct range_tree *tree, struct range_pool *pool);
void range_tree_clear(struct range_tree *tree);        /* gives all nodes back */

/* False: no memory, or overlaps (check with range_tree_find_first()). Nothing changed then. */
bool range_tree_insert(struct range_tree *tree, u64 start, u64 last, u64 value);
/* Makes sure that the next @n inserts (or splits) cannot fail: a painting counts as two. */
bool range_tree_reserve(struct range_tree *tree, u32 n);
/* The nodes that needs. */
u64 range_tree_nodes_for(const struct range_tree *tree, u32 n);
/* Removes the range that starts exactly at @start. False if there is none. */
bool range_tree_remove(struct range_tree *tree, u64 start);
/* The lowest range that intersects [start, last]. */
bool range_tree_find_first(const struct range_tree *tree, u64 start, u64 last,
			   struct range_entry *out);
/* The lowest range with .start > @after / the highest with .last < @before. */
bool range_tree_next(const struct range_tree *tree, u64 after, struct range_entry *out);
bool range_tree_prev(const struct range_tree *tree, u64 before, struct range_entry *out);
/* The range containing @at. */
bool range_tree_lookup(const struct range_tree *tree, u64 at, struct range_entry *out);
/* Changes the value of the range that starts at @start. */
bool range_tree_set_value(struct range_tree *tree, u64 start, u64 value);

/*
 * Painting: make [start, last] carry @value, splitting what it cuts, replacing what it covers and
 * merging with neighbours that touch and for which the value is the same (or, with @linear,
 * continues: value + offset). Adds at most two entries; false = no memory, unchanged.
 */
bool range_tree_paint(struct range_tree *tree, u64 start, u64 last, u64 value, bool linear);
/* The same with one search, where nothing is yet and at most one neighbour is joined. */
enum range_paint {
	RANGE_PAINTED,
	RANGE_MEETS,            /* something there, or two to join: not done */
	RANGE_NO_MEMORY,
};
enum range_paint range_tree_paint_free(struct range_tree *tree, u64 start, u64 last, u64 value,
				       bool linear);
/* The reverse: cut [start, last] out. With @linear the value of a right remainder is advanced. */
bool range_tree_erase(struct range_tree *tree, u64 start, u64 last, bool linear);
/*
 * Cuts out the first part of [start, last] that one range covers, and says where it was and what it
 * carried there. False: there is none, or no memory to cut one in two.
 */
bool range_tree_take(struct range_tree *tree, u64 start, u64 last, bool linear,
		     struct range_entry *out);

/* Walks every invariant; returns NULL or a sentence naming the first one broken. */
const char *range_tree_check(const struct range_tree *tree);
/*
 * The same in two parts, for several trees in one pool that comes from outside: the pool once, then
 * each tree. @seen has a bit per node, all zero at first: no two trees may share a node.
 */
const char *range_pool_check(const struct range_pool *pool);
const char *range_tree_check_disjoint(const struct range_tree *tree, u8 *seen);

#endif
