/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Range trees: the pool of nodes, and everything that only looks. See range_tree_node.h for the
 * layout, range_tree_modify.c for insert and remove, range_tree_paint.c for painting.
 */
#include "sim/range_tree.h"

#include <assert.h>

#include "sim/range_tree_node.h"

void range_pool_init(struct range_pool *pool, void *ctx,
		     void *(*grow)(void *, void *, size_t, size_t), void (*release)(void *, void *))
{
	*pool = (struct range_pool){ .grow = grow, .release = release, .ctx = ctx };
}

void range_pool_deinit(struct range_pool *pool)
{
	if (pool->nodes && pool->release)
		pool->release(pool->ctx, pool->nodes);
	pool->nodes = NULL;
	pool->capacity = pool->used = pool->free_head = pool->nr_free = 0;
}

size_t range_node_bytes(void)
{
	return sizeof(struct range_node);
}

bool range_pool_ensure(struct range_pool *pool, u64 n)
{
	u64 there = (u64)pool->nr_free + pool->capacity - pool->used;
	u64 capacity = pool->capacity ? pool->capacity : 4;
	void *nodes;

	if (__builtin_expect(there >= n, 1))
		return true;
	if (!pool->grow)
		return false;
	while (capacity - pool->used + pool->nr_free < n)
		capacity *= 2;
	if (capacity > UINT32_MAX)
		return false;
	nodes = pool->grow(pool->ctx, pool->nodes, pool->capacity * sizeof(struct range_node),
			   capacity * sizeof(struct range_node));
	if (!nodes)
		return false;
	pool->nodes = nodes;
	pool->capacity = capacity;
	return true;
}

u32 range_pool_take(struct range_pool *pool, u16 level)
{
	struct range_node *node;
	u32 index;

	if (pool->free_head) {
		index = pool->free_head - 1;
		pool->free_head = range_node_at(pool, index)->next;
		pool->nr_free--;
	} else {
		assert(pool->used < pool->capacity);    /* the caller ensured it */
		index = pool->used++;
	}
	node = range_node_at(pool, index);
	node->n = 0;
	node->level = level;
	node->next = 0;
	return index;
}

void range_pool_give(struct range_pool *pool, u32 index)
{
	struct range_node *node = range_node_at(pool, index);

	node->n = 0;
	node->level = RANGE_NODE_FREE;
	node->next = pool->free_head;
	pool->free_head = index + 1;
	pool->nr_free++;
}

void range_tree_init(struct range_tree *tree, struct range_pool *pool)
{
	*tree = (struct range_tree){ .pool = pool };
}

static void give_all(struct range_pool *pool, u32 index)
{
	const struct range_node *node = range_node_at(pool, index);

	for (u32 i = 0; node->level && i < node->n; i++)
		give_all(pool, node->inner.child[i]);
	range_pool_give(pool, index);
}

void range_tree_clear(struct range_tree *tree)
{
	if (tree->root)
		give_all(tree->pool, tree->root - 1);
	tree->root = 0;
	tree->height = 0;
	tree->count = 0;
}

/* The leaf that range_tree_seek() ends in, for those who need no path. */
static struct range_node *find_leaf(const struct range_tree *tree, u64 x, u32 *pos)
{
	struct range_node *node;

	if (!tree->root)
		return NULL;
	node = range_node_at(tree->pool, tree->root - 1);
	for (u32 level = tree->height - 1; level > 0; level--)
		node = range_node_at(tree->pool, node->inner.child[range_inner_child(node, x)]);
	/* The entry is read next: fetch its start while last[] is searched. */
	__builtin_prefetch(&node->leaf.start[LEAF_MAX / 2]);
	*pos = range_keys_below(node->leaf.last, node->n, x);
	if (__builtin_expect(*pos == node->n, 0)) {
		if (!node->next)
			return NULL;
		node = range_node_at(tree->pool, node->next - 1);
		*pos = 0;
	}
	return node;
}

bool range_tree_seek(const struct range_tree *tree, u64 x, struct range_cursor *cursor)
{
	u32 index = tree->root - 1;
	struct range_node *node;

	if (!tree->root)
		return false;
	for (u32 level = tree->height - 1; level > 0; level--) {
		u32 pos;

		node = range_node_at(tree->pool, index);
		pos = range_inner_child(node, x);
		cursor->at[level].node = index;
		cursor->at[level].pos = pos;
		index = node->inner.child[pos];
	}
	node = range_node_at(tree->pool, index);
	cursor->at[0].node = index;
	cursor->at[0].pos = range_keys_below(node->leaf.last, node->n, x);
	return true;
}

struct range_node *range_cursor_peek(const struct range_tree *tree,
				     const struct range_cursor *cursor, u32 *pos)
{
	struct range_node *node = range_node_at(tree->pool, cursor->at[0].node);

	*pos = cursor->at[0].pos;
	if (*pos < node->n)
		return node;
	*pos = 0;
	return node->next ? range_node_at(tree->pool, node->next - 1) : NULL;
}

bool range_cursor_next_leaf(const struct range_tree *tree, struct range_cursor *cursor)
{
	u32 level = 1, index;

	while (level < tree->height) {
		const struct range_node *node = range_node_at(tree->pool, cursor->at[level].node);

		if (cursor->at[level].pos + 1 < node->n)
			break;
		level++;
	}
	if (level >= tree->height)
		return false;
	cursor->at[level].pos++;
	for (; level > 0; level--) {
		const struct range_node *node = range_node_at(tree->pool, cursor->at[level].node);

		index = node->inner.child[cursor->at[level].pos];
		cursor->at[level - 1].node = index;
		cursor->at[level - 1].pos = 0;
	}
	return true;
}

static void entry_read(const struct range_node *leaf, u32 pos, struct range_entry *out)
{
	out->start = leaf->leaf.start[pos];
	out->last = leaf->leaf.last[pos];
	out->value = leaf->leaf.value[pos];
}

bool range_tree_find_first(const struct range_tree *tree, u64 start, u64 last,
			   struct range_entry *out)
{
	const struct range_node *leaf;
	u32 pos;

	leaf = find_leaf(tree, start, &pos);
	if (!leaf || leaf->leaf.start[pos] > last)
		return false;
	entry_read(leaf, pos, out);
	return true;
}

bool range_tree_lookup(const struct range_tree *tree, u64 at, struct range_entry *out)
{
	return range_tree_find_first(tree, at, at, out);
}

bool range_tree_next(const struct range_tree *tree, u64 after, struct range_entry *out)
{
	const struct range_node *leaf;
	u32 pos;

	leaf = find_leaf(tree, after, &pos);
	if (!leaf)
		return false;
	if (leaf->leaf.start[pos] <= after && ++pos == leaf->n) {
		if (!leaf->next)
			return false;
		leaf = range_node_at(tree->pool, leaf->next - 1);
		pos = 0;
	}
	entry_read(leaf, pos, out);
	return true;
}

bool range_tree_prev(const struct range_tree *tree, u64 before, struct range_entry *out)
{
	const struct range_node *node;
	struct range_cursor cursor;
	u32 level = 0;

	if (!range_tree_seek(tree, before, &cursor))
		return false;
	while (level < tree->height && cursor.at[level].pos == 0)
		level++;
	if (level == tree->height)
		return false;
	/* One to the left there, then all the way right. */
	node = range_node_at(tree->pool, cursor.at[level].node);
	if (level > 0) {
		node = range_node_at(tree->pool, node->inner.child[cursor.at[level].pos - 1]);
		while (--level > 0)
			node = range_node_at(tree->pool, node->inner.child[node->n - 1]);
		entry_read(node, node->n - 1, out);
	} else {
		entry_read(node, cursor.at[0].pos - 1, out);
	}
	return true;
}

bool range_tree_set_value(struct range_tree *tree, u64 start, u64 value)
{
	struct range_node *leaf;
	u32 pos;

	leaf = find_leaf(tree, start, &pos);
	if (!leaf || leaf->leaf.start[pos] != start)
		return false;
	leaf->leaf.value[pos] = value;
	return true;
}
