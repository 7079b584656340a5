/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Range trees: the checker. It trusts nothing, because a tree may come from an arena file: every
 * index is bounded before it is followed, and no more nodes are visited than the pool ever gave
 * out.
 */
#include "sim/range_tree.h"

#include "sim/range_tree_node.h"

struct walk {
	const struct range_tree *tree;
	u8 *seen;               /* a bit per node of the pool, or NULL */
	u64 entries;
	u32 nodes;
	bool any;               /* prev_last is the last of the entry before */
	u64 prev_last;
	u32 leaf_next;          /* what the leaf before says comes next; checked if any */
};

static const char *check_leaf(struct walk *walk, const struct range_node *node, u32 index,
			      u64 limit)
{
	if (node->n > LEAF_MAX || node->n < (walk->tree->height == 1 ? 1 : LEAF_MIN))
		return "a leaf has too few or too many entries";
	if (walk->any && walk->leaf_next != index + 1)
		return "a leaf does not link to the one on its right";
	walk->leaf_next = node->next;
	for (u32 i = 0; i < node->n; i++) {
		if (node->leaf.start[i] > node->leaf.last[i])
			return "a range ends before it starts";
		if (walk->any && node->leaf.start[i] <= walk->prev_last)
			return "ranges overlap or do not ascend";
		walk->any = true;
		walk->prev_last = node->leaf.last[i];
	}
	if (walk->prev_last > limit)
		return "a range lies above its separator";
	walk->entries += node->n;
	return NULL;
}

static const char *check_node(struct walk *walk, u32 index, u32 level, u64 limit)
{
	const struct range_pool *pool = walk->tree->pool;
	const struct range_node *node;
	const char *wrong;

	if (index >= pool->used)
		return "a node lies outside the pool";
	if (++walk->nodes > pool->used)
		return "the tree has more nodes than the pool: a cycle";
	node = range_node_at(pool, index);
	if (walk->seen && walk->seen[index / 8] & 1u << index % 8)
		return "a node belongs to two trees";
	if (walk->seen)
		walk->seen[index / 8] |= (u8)(1u << index % 8);
	if (node->level != level)
		return "a node is not of its level";
	if (level == 0)
		return check_leaf(walk, node, index, limit);
	if (node->n > INNER_MAX || node->n < (level + 1 == walk->tree->height ? 2 : INNER_MIN))
		return "an inner node has too few or too many children";
	for (u32 i = 0; i < node->n; i++) {
		u64 below = i + 1 < node->n ? node->inner.sep[i] : limit;

		if (below > limit)
			return "a separator lies above its parent's";
		wrong = check_node(walk, node->inner.child[i], level - 1, below);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *check_free(const struct range_pool *pool)
{
	u32 head = pool->free_head, n = 0;

	while (head) {
		if (head > pool->used || ++n > pool->nr_free)
			return "the list of free nodes leaves the pool or does not end";
		if (range_node_at(pool, head - 1)->level != RANGE_NODE_FREE)
			return "a node in use is on the list of free ones";
		head = range_node_at(pool, head - 1)->next;
	}
	return n == pool->nr_free ? NULL : "the number of free nodes is wrong";
}

const char *range_pool_check(const struct range_pool *pool)
{
	if (pool->used > pool->capacity)
		return "the pool has given out more nodes than it has";
	return check_free(pool);
}

const char *range_tree_check_disjoint(const struct range_tree *tree, u8 *seen)
{
	struct walk walk = { .tree = tree, .seen = seen };
	const char *wrong;

	if (!tree->root)
		return tree->height || tree->count ? "an empty tree has a height or a count" : NULL;
	if (tree->height < 1 || tree->height > RANGE_TREE_MAX_HEIGHT)
		return "the height is out of bounds";
	wrong = check_node(&walk, tree->root - 1, tree->height - 1, ~0ull);
	if (wrong)
		return wrong;
	if (walk.leaf_next)
		return "the last leaf links to another";
	return walk.entries == tree->count ? NULL : "the number of ranges is wrong";
}

const char *range_tree_check(const struct range_tree *tree)
{
	const char *wrong = range_pool_check(tree->pool);

	return wrong ? wrong : range_tree_check_disjoint(tree, NULL);
}
