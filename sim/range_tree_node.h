/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The nodes of a range tree and the cursor that points into them. For sim/range_tree*.c only.
 *
 * A node is 512 bytes, eight cache lines: of a leaf, a search touches the lines of last[] alone,
 * then one line each of start[] and value[]. Ranges are disjoint, so one search by last answers
 * everything: the first range with last >= x is the one that contains x, or else the next one.
 *
 *   inner   child 0 | sep 0 | child 1 | sep 1 | ... | child n-1
 *   leaf    (start, last, value) * n, ascending; next leaf
 *
 * Every last below child i is <= sep i, and every start below child i + 1 is > every last below
 * child i. A separator may exceed what is below it (after removals), so a search can end behind the
 * last entry of its leaf; the answer is then the first entry of the next leaf.
 */
#ifndef SIM_RANGE_TREE_NODE_H
#define SIM_RANGE_TREE_NODE_H

#include "sim/range_tree.h"

#define LEAF_MAX 21u
#define LEAF_MIN 7u
#define INNER_MAX 42u
#define INNER_MIN 14u
#define RANGE_TREE_MAX_HEIGHT 12u

struct range_node {
	u16 n;                  /* entries, or children */
	u16 level;              /* 0 = leaf, RANGE_NODE_FREE = recycled */
	u32 next;               /* index + 1: the leaf to the right, or the next free node */
	union {
		struct {
			u64 last[LEAF_MAX];
			u64 start[LEAF_MAX];
			u64 value[LEAF_MAX];
		} leaf;
		struct {
			u64 sep[INNER_MAX - 1];
			u32 child[INNER_MAX];   /* index */
		} inner;
	};
};

_Static_assert(sizeof(struct range_node) == 512, "eight cache lines");

#define RANGE_NODE_FREE 0xffffu

/* A place in a tree: one step per level, [0] being the leaf. */
struct range_cursor {
	struct {
		u32 node;
		u32 pos;
	} at[RANGE_TREE_MAX_HEIGHT];
};

static inline struct range_node *range_node_at(const struct range_pool *pool, u32 index)
{
	return &pool->nodes[index];
}

/*
 * How many of the ascending @keys are < @x. Random addresses make each comparison unpredictable, so
 * none is a branch, except for the one that ascending addresses always take.
 */
static inline u32 range_keys_below(const u64 *keys, u32 n, u64 x)
{
	const u64 *base = keys;
	u32 below = 0;

	if (!n || keys[n - 1] < x)
		return n;
	while (n > 16) {
		u32 half = n / 2;

		base += (base[half - 1] < x) * half;
		n -= half;
	}
	/* Of what is left every fourth, then the three before the first that is not below. */
	for (u32 i = 3; i < n; i += 4)
		below += base[i] < x;
	base += 4 * below;
	n -= 4 * below;
	below = 0;
	for (u32 i = 0; i < min(n, 3u); i++)
		below += base[i] < x;
	return base - keys + below;
}

static inline u32 range_inner_child(const struct range_node *node, u64 x)
{
	return range_keys_below(node->inner.sep, node->n - 1, x);
}

u32 range_pool_take(struct range_pool *pool, u16 level);       /* after range_pool_ensure() */
void range_pool_give(struct range_pool *pool, u32 index);

/* The path to where the first range with last >= @x is or would be. False: the tree is empty. */
bool range_tree_seek(const struct range_tree *tree, u64 x, struct range_cursor *cursor);
/* The leaf and position of the entry at the cursor or, if that is past its leaf, behind it. */
struct range_node *range_cursor_peek(const struct range_tree *tree,
				     const struct range_cursor *cursor, u32 *pos);
/* Moves to the first entry of the next leaf. False: there is none. */
bool range_cursor_next_leaf(const struct range_tree *tree, struct range_cursor *cursor);
/* At a cursor from range_tree_seek(start), with nodes ensured and no overlap. */
void range_tree_insert_at(struct range_tree *tree, struct range_cursor *cursor,
			  const struct range_entry *entry);
void range_tree_remove_at(struct range_tree *tree, struct range_cursor *cursor);
/* Gives the entry at the cursor another last; the caller knows that it overlaps nothing then. */
void range_tree_set_last_at(struct range_tree *tree, struct range_cursor *cursor, u64 last);

#endif
