/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Range trees as a painted line: paint and erase cut what they meet and join what fits.
 *
 * Painting page after page, each continuing the one before, is the common case; it is one search
 * and one store.
 */
#include "sim/range_tree.h"

#include <assert.h>

#include "sim/range_tree_node.h"

/* What @entry says about @at, which lies in it or just behind it. */
static u64 value_at(const struct range_entry *entry, u64 at, bool linear)
{
	return linear ? entry->value + (at - entry->start) : entry->value;
}

/* Puts a sought cursor on an entry, if it is past its leaf, and reads that. False: none. */
static bool cursor_settle(const struct range_tree *tree, struct range_cursor *cursor,
			  struct range_entry *out)
{
	const struct range_node *leaf = range_node_at(tree->pool, cursor->at[0].node);
	u32 pos;

	if (cursor->at[0].pos == leaf->n) {
		if (!range_cursor_next_leaf(tree, cursor))
			return false;
		leaf = range_node_at(tree->pool, cursor->at[0].node);
	}
	pos = cursor->at[0].pos;
	*out = (struct range_entry){
		.start = leaf->leaf.start[pos], .last = leaf->leaf.last[pos],
		.value = leaf->leaf.value[pos],
	};
	return true;
}

/* Puts the cursor on the first range with last >= @x and reads it. False: none. */
static bool seek_entry(const struct range_tree *tree, u64 x, struct range_cursor *cursor,
		       struct range_entry *out)
{
	return range_tree_seek(tree, x, cursor) && cursor_settle(tree, cursor, out);
}

static void set_start_at(struct range_tree *tree, const struct range_cursor *cursor, u64 start,
			 u64 value)
{
	struct range_node *leaf = range_node_at(tree->pool, cursor->at[0].node);

	leaf->leaf.start[cursor->at[0].pos] = start;
	leaf->leaf.value[cursor->at[0].pos] = value;
}

static void insert_now(struct range_tree *tree, const struct range_entry *entry)
{
	struct range_cursor cursor;

	range_tree_seek(tree, entry->start, &cursor);
	range_tree_insert_at(tree, &cursor, entry);
}

/* Cuts [start, last] out. One insert's nodes are ensured if it lies within a single range. */
static void cut(struct range_tree *tree, u64 start, u64 last, bool linear)
{
	struct range_cursor cursor;
	struct range_entry entry, rest;

	while (seek_entry(tree, start, &cursor, &entry) && entry.start <= last) {
		bool left = entry.start < start, right = entry.last > last;

		if (right)
			rest = (struct range_entry){
				.start = last + 1, .last = entry.last,
				.value = value_at(&entry, last + 1, linear),
			};
		if (left)
			range_tree_set_last_at(tree, &cursor, start - 1);
		if (left && right)
			insert_now(tree, &rest);
		else if (right)
			set_start_at(tree, &cursor, rest.start, rest.value);
		else if (!left)
			range_tree_remove_at(tree, &cursor);
		if (entry.last >= last)
			return;
	}
}

bool range_tree_erase(struct range_tree *tree, u64 start, u64 last, bool linear)
{
	struct range_cursor cursor;
	struct range_entry entry;

	assert(start <= last);
	if (!seek_entry(tree, start, &cursor, &entry) || entry.start > last)
		return true;
	if (entry.start >= start && entry.last == last) {       /* one whole range: most often */
		range_tree_remove_at(tree, &cursor);
		return true;
	}
	if (entry.start < start && entry.last > last && !range_tree_reserve(tree, 1))
		return false;
	cut(tree, start, last, linear);
	return true;
}

/*
 * The common cases, with one search: touches nothing; already so; continues the range to the left
 * and touches nothing to the right. True: done.
 */
static bool paint_quickly(struct range_tree *tree, const struct range_entry *paint, bool linear)
{
	struct range_cursor cursor, behind;
	struct range_entry left;
	const struct range_node *leaf;
	u32 pos;

	if (!range_tree_seek(tree, paint->start - !!paint->start, &cursor))
		return false;
	leaf = range_cursor_peek(tree, &cursor, &pos);
	if (!leaf || (leaf->leaf.start[pos] > paint->last &&
		      leaf->leaf.start[pos] - 1 > paint->last)) {
		/* Nothing ends just before it either, or the search had found that. */
		if (!range_pool_ensure(tree->pool, (u64)tree->height + 1))
			return false;
		range_tree_insert_at(tree, &cursor, paint);
		return true;
	}
	if (!cursor_settle(tree, &cursor, &left))
		return false;
	if (left.start >= paint->start || value_at(&left, paint->start, linear) != paint->value)
		return left.start == paint->start && left.value == paint->value &&
		       left.last >= paint->last;
	if (left.last >= paint->last)
		return true;
	if (left.last != paint->start - 1)
		return false;
	behind = cursor;
	behind.at[0].pos++;
	leaf = range_cursor_peek(tree, &behind, &pos);
	if (leaf && leaf->leaf.start[pos] - 1 <= paint->last)
		return false;
	range_tree_set_last_at(tree, &cursor, paint->last);
	return true;
}

bool range_tree_paint(struct range_tree *tree, u64 start, u64 last, u64 value, bool linear)
{
	struct range_entry paint = { .start = start, .last = last, .value = value }, near;

	assert(start <= last);
	if (paint_quickly(tree, &paint, linear))
		return true;
	/* Cutting may leave one more range, and the painted one is the second. */
	if (!range_tree_reserve(tree, 2))
		return false;
	/* Neighbours that agree become part of what is painted, so that nothing is left to join. */
	if (start > 0 && range_tree_lookup(tree, start - 1, &near) &&
	    value_at(&near, start, linear) == value) {
		paint.start = near.start;
		paint.value = near.value;
	}
	if (last < ~0ull && range_tree_lookup(tree, last + 1, &near) &&
	    value_at(&near, last + 1, linear) == value_at(&paint, last + 1, linear))
		paint.last = near.last;
	cut(tree, paint.start, paint.last, linear);
	insert_now(tree, &paint);
	return true;
}
