/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Range trees: insert and remove. The nodes an insert may need are ensured before anything changes;
 * a remove only gives nodes back. Every node but the root keeps at least a third of its places.
 */
#include "sim/range_tree.h"

#include <assert.h>

#include "sim/range_tree_node.h"

#define move_items(to, from, n) memmove(to, from, (n) * sizeof(*(to)))

u64 range_tree_nodes_for(const struct range_tree *tree, u32 n)
{
	/*
	 * Each insert may split every level; one of them also makes a new root, which splits no
	 * more.
	 */
	return (u64)n * (tree->height + 1) + 1;
}

bool range_tree_reserve(struct range_tree *tree, u32 n)
{
	return range_pool_ensure(tree->pool, range_tree_nodes_for(tree, n));
}

static void leaf_put(struct range_node *node, u32 pos, const struct range_entry *entry)
{
	u32 n = node->n - pos;

	move_items(&node->leaf.last[pos + 1], &node->leaf.last[pos], n);
	move_items(&node->leaf.start[pos + 1], &node->leaf.start[pos], n);
	move_items(&node->leaf.value[pos + 1], &node->leaf.value[pos], n);
	node->leaf.last[pos] = entry->last;
	node->leaf.start[pos] = entry->start;
	node->leaf.value[pos] = entry->value;
	node->n++;
}

static void leaf_copy(struct range_node *to, u32 at, const struct range_node *from, u32 pos, u32 n)
{
	move_items(&to->leaf.last[at], &from->leaf.last[pos], n);
	move_items(&to->leaf.start[at], &from->leaf.start[pos], n);
	move_items(&to->leaf.value[at], &from->leaf.value[pos], n);
}

/* Puts @child behind child @pos, and @sep between the two. */
static void inner_put(struct range_node *node, u32 pos, u64 sep, u32 child)
{
	u32 n = node->n - pos - 1;

	move_items(&node->inner.sep[pos + 1], &node->inner.sep[pos], n);
	move_items(&node->inner.child[pos + 2], &node->inner.child[pos + 1], n);
	node->inner.sep[pos] = sep;
	node->inner.child[pos + 1] = child;
	node->n++;
}

/* Takes out child @pos + 1 and the separator before it: child @pos now covers both. */
static void inner_take(struct range_node *node, u32 pos)
{
	u32 n = node->n - pos - 2;

	move_items(&node->inner.sep[pos], &node->inner.sep[pos + 1], n);
	move_items(&node->inner.child[pos + 1], &node->inner.child[pos + 2], n);
	node->n--;
}

/* A path whose entry has become the last of its leaf: separators must not lie below it. */
static void raise_separators(struct range_tree *tree, const struct range_cursor *cursor, u64 last)
{
	for (u32 level = 1; level < tree->height; level++) {
		struct range_node *node = range_node_at(tree->pool, cursor->at[level].node);
		u32 pos = cursor->at[level].pos;

		if (pos + 1 == node->n)
			continue;
		if (node->inner.sep[pos] < last)
			node->inner.sep[pos] = last;
		return;
	}
}

/* Links the right half of a split node, level by level, as far up as nodes are full. */
static void insert_child(struct range_tree *tree, struct range_cursor *cursor, u64 sep, u32 child)
{
	struct range_pool *pool = tree->pool;
	struct range_node *root;
	u32 index, old_root;

	for (u32 level = 1; level < tree->height; level++) {
		struct range_node *node = range_node_at(pool, cursor->at[level].node), *right;
		u32 pos = cursor->at[level].pos, keep;
		u64 up;

		if (node->n < INNER_MAX) {
			inner_put(node, pos, sep, child);
			return;
		}
		/* Growth at the right end leaves fuller nodes behind. */
		keep = pos + 1 == node->n ? INNER_MAX - INNER_MIN : INNER_MAX / 2;
		index = range_pool_take(pool, level);
		right = range_node_at(pool, index);
		right->n = node->n - keep;
		move_items(&right->inner.child[0], &node->inner.child[keep], right->n);
		move_items(&right->inner.sep[0], &node->inner.sep[keep], right->n - 1);
		up = node->inner.sep[keep - 1];
		node->n = keep;
		if (pos < keep)
			inner_put(node, pos, sep, child);
		else
			inner_put(right, pos - keep, sep, child);
		sep = up;
		child = index;
	}
	old_root = tree->root - 1;
	assert(tree->height < RANGE_TREE_MAX_HEIGHT);
	index = range_pool_take(pool, tree->height);
	root = range_node_at(pool, index);
	root->n = 2;
	root->inner.child[0] = old_root;
	root->inner.child[1] = child;
	root->inner.sep[0] = sep;
	tree->root = index + 1;
	tree->height++;
}

void range_tree_insert_at(struct range_tree *tree, struct range_cursor *cursor,
			  const struct range_entry *entry)
{
	struct range_pool *pool = tree->pool;
	struct range_node *leaf, *right;
	u32 index, keep, pos;

	tree->count++;
	if (!tree->root) {
		index = range_pool_take(pool, 0);
		tree->root = index + 1;
		tree->height = 1;
		leaf_put(range_node_at(pool, index), 0, entry);
		return;
	}
	leaf = range_node_at(pool, cursor->at[0].node);
	pos = cursor->at[0].pos;
	if (pos == leaf->n)
		raise_separators(tree, cursor, entry->last);
	if (leaf->n < LEAF_MAX) {
		leaf_put(leaf, pos, entry);
		return;
	}
	/* Ascending inserts, the common case of a map, leave fuller leaves behind. */
	keep = pos == LEAF_MAX ? LEAF_MAX - LEAF_MIN + 1 : LEAF_MAX / 2;
	index = range_pool_take(pool, 0);
	right = range_node_at(pool, index);
	right->n = LEAF_MAX - keep;
	leaf_copy(right, 0, leaf, keep, right->n);
	leaf->n = keep;
	right->next = leaf->next;
	leaf->next = index + 1;
	if (pos <= keep)
		leaf_put(leaf, pos, entry);
	else
		leaf_put(right, pos - keep, entry);
	insert_child(tree, cursor, leaf->leaf.last[leaf->n - 1], index);
}

bool range_tree_insert(struct range_tree *tree, u64 start, u64 last, u64 value)
{
	struct range_entry entry = { .start = start, .last = last, .value = value };
	const struct range_node *leaf;
	struct range_cursor cursor;
	u32 pos;

	assert(start <= last);
	if (range_tree_seek(tree, start, &cursor)) {
		leaf = range_cursor_peek(tree, &cursor, &pos);
		if (leaf && leaf->leaf.start[pos] <= last)
			return false;
	}
	if (!range_pool_ensure(tree->pool, (u64)tree->height + 1))
		return false;
	range_tree_insert_at(tree, &cursor, &entry);
	return true;
}

/* Evens out or merges children @pos and @pos + 1 of @parent, leaves. True: merged. */
static bool leaves_balance(struct range_tree *tree, struct range_node *parent, u32 pos)
{
	struct range_node *left = range_node_at(tree->pool, parent->inner.child[pos]);
	struct range_node *right = range_node_at(tree->pool, parent->inner.child[pos + 1]);
	u32 total = left->n + right->n, keep = total / 2, n;

	if (total <= LEAF_MAX) {
		leaf_copy(left, left->n, right, 0, right->n);
		left->n = total;
		left->next = right->next;
		return true;
	}
	if (left->n > keep) {
		n = left->n - keep;
		leaf_copy(right, n, right, 0, right->n);
		leaf_copy(right, 0, left, keep, n);
	} else {
		n = keep - left->n;
		leaf_copy(left, left->n, right, 0, n);
		leaf_copy(right, 0, right, n, right->n - n);
	}
	left->n = keep;
	right->n = total - keep;
	parent->inner.sep[pos] = left->leaf.last[keep - 1];
	return false;
}

/* The same for inner nodes: the parent's separator stands between their own. */
static bool inners_balance(struct range_tree *tree, struct range_node *parent, u32 pos)
{
	struct range_node *left = range_node_at(tree->pool, parent->inner.child[pos]);
	struct range_node *right = range_node_at(tree->pool, parent->inner.child[pos + 1]);
	u32 total = left->n + right->n, keep;
	u64 sep[2 * INNER_MAX];
	u32 child[2 * INNER_MAX];

	move_items(child, left->inner.child, left->n);
	move_items(child + left->n, right->inner.child, right->n);
	move_items(sep, left->inner.sep, left->n - 1);
	sep[left->n - 1] = parent->inner.sep[pos];
	move_items(sep + left->n, right->inner.sep, right->n - 1);
	keep = total <= INNER_MAX ? total : total / 2;
	left->n = keep;
	move_items(left->inner.child, child, keep);
	move_items(left->inner.sep, sep, keep - 1);
	if (keep == total)
		return true;
	right->n = total - keep;
	move_items(right->inner.child, child + keep, total - keep);
	move_items(right->inner.sep, sep + keep, total - keep - 1);
	parent->inner.sep[pos] = sep[keep - 1];
	return false;
}

void range_tree_remove_at(struct range_tree *tree, struct range_cursor *cursor)
{
	struct range_pool *pool = tree->pool;
	struct range_node *node = range_node_at(pool, cursor->at[0].node);
	u32 pos = cursor->at[0].pos, root = tree->root - 1;

	assert(pos < node->n);
	leaf_copy(node, pos, node, pos + 1, node->n - pos - 1);
	node->n--;
	tree->count--;
	for (u32 level = 1; level < tree->height; level++) {
		struct range_node *parent = range_node_at(pool, cursor->at[level].node);
		u32 child = cursor->at[level].pos, gone;
		bool merged;

		if (node->n >= (level == 1 ? LEAF_MIN : INNER_MIN))
			return;
		if (child + 1 == parent->n)
			child--;                /* no right neighbour: the pair to the left */
		gone = parent->inner.child[child + 1];
		merged = level == 1 ? leaves_balance(tree, parent, child) :
				      inners_balance(tree, parent, child);
		if (!merged)
			return;
		inner_take(parent, child);
		range_pool_give(pool, gone);
		node = parent;
	}
	/* @node is the root. */
	if (tree->height > 1 && node->n == 1) {
		tree->root = node->inner.child[0] + 1;
		tree->height--;
		range_pool_give(pool, root);
	} else if (node->n == 0) {
		tree->root = 0;
		tree->height = 0;
		range_pool_give(pool, root);
	}
}

bool range_tree_remove(struct range_tree *tree, u64 start)
{
	struct range_cursor cursor;
	const struct range_node *leaf;

	if (!range_tree_seek(tree, start, &cursor))
		return false;
	leaf = range_node_at(tree->pool, cursor.at[0].node);
	if (cursor.at[0].pos == leaf->n) {
		if (!range_cursor_next_leaf(tree, &cursor))
			return false;
		leaf = range_node_at(tree->pool, cursor.at[0].node);
	}
	if (leaf->leaf.start[cursor.at[0].pos] != start)
		return false;
	range_tree_remove_at(tree, &cursor);
	return true;
}

void range_tree_set_last_at(struct range_tree *tree, struct range_cursor *cursor, u64 last)
{
	struct range_node *leaf = range_node_at(tree->pool, cursor->at[0].node);
	u32 pos = cursor->at[0].pos;

	leaf->leaf.last[pos] = last;
	if (pos + 1 == leaf->n)
		raise_separators(tree, cursor, last);
}
