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

/* The entry at the cursor begins earlier: no separator before it may reach into it. */
static void extend_left(struct range_tree *tree, const struct range_cursor *cursor, u64 start,
			u64 value)
{
	set_start_at(tree, cursor, start, value);
	if (cursor->at[0].pos)
		return;
	for (u32 level = 1; level < tree->height; level++) {
		struct range_node *node = range_node_at(tree->pool, cursor->at[level].node);
		u32 pos = cursor->at[level].pos;

		if (!pos)
			continue;
		if (node->inner.sep[pos - 1] >= start)
			node->inner.sep[pos - 1] = start - 1;
		return;
	}
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

/*
 * Takes [start, last] off the entry at the cursor, which reaches at least that far on one side or
 * is all of it. False: it goes on at both ends, so one more node is needed.
 */
static bool trim(struct range_tree *tree, struct range_cursor *cursor,
		 const struct range_entry *entry, u64 start, u64 last, bool linear)
{
	if (entry->start >= start && entry->last <= last)
		range_tree_remove_at(tree, cursor);
	else if (entry->start >= start)
		set_start_at(tree, cursor, last + 1, value_at(entry, last + 1, linear));
	else if (entry->last <= last)
		range_tree_set_last_at(tree, cursor, start - 1);
	else
		return false;
	return true;
}

bool range_tree_erase(struct range_tree *tree, u64 start, u64 last, bool linear)
{
	struct range_cursor cursor;
	struct range_entry entry;

	assert(start <= last);
	if (!seek_entry(tree, start, &cursor, &entry) || entry.start > last)
		return true;
	if (entry.last >= last && trim(tree, &cursor, &entry, start, last, linear))
		return true;            /* within one range, at an end of it: most often */
	if (entry.start < start && entry.last > last && !range_tree_reserve(tree, 1))
		return false;
	cut(tree, start, last, linear);
	return true;
}

bool range_tree_take(struct range_tree *tree, u64 start, u64 last, bool linear,
		     struct range_entry *out)
{
	struct range_cursor cursor;
	struct range_entry entry;

	assert(start <= last);
	if (!seek_entry(tree, start, &cursor, &entry) || entry.start > last)
		return false;
	out->start = max(start, entry.start);
	out->last = min(last, entry.last);
	out->value = value_at(&entry, out->start, linear);
	if (trim(tree, &cursor, &entry, out->start, out->last, linear))
		return true;
	if (!range_tree_reserve(tree, 1))
		return false;
	cut(tree, out->start, out->last, linear);
	return true;
}

/* The entry behind the one at @at, and the cursor on it. False: that was the last. */
static bool next_entry(const struct range_tree *tree, const struct range_cursor *at,
		       struct range_cursor *next, struct range_entry *out)
{
	*next = *at;
	next->at[0].pos++;
	return cursor_settle(tree, next, out);
}

/* Does @left, continued, say what @right says? */
static bool goes_on(const struct range_entry *left, const struct range_entry *right, bool linear)
{
	return value_at(left, right->start, linear) == right->value;
}

enum range_paint range_tree_paint_free(struct range_tree *tree, u64 start, u64 last, u64 value,
				       bool linear)
{
	struct range_entry paint = { .start = start, .last = last, .value = value }, left, right;
	struct range_cursor cursor, at, behind;
	bool joins_left = false, joins_right, any;

	if (!range_pool_ensure(tree->pool, (u64)tree->height + 1))
		return RANGE_NO_MEMORY;
	/* Where it would go; @at: the first entry that ends at start - 1 or later. */
	if (!range_tree_seek(tree, start - !!start, &cursor)) {
		range_tree_insert_at(tree, &cursor, &paint);
		return RANGE_PAINTED;
	}
	at = cursor;
	any = cursor_settle(tree, &at, &right);
	if (any && start && right.last == start - 1) {
		left = right;
		joins_left = goes_on(&left, &paint, linear);
		cursor = at;
		cursor.at[0].pos++;
		any = next_entry(tree, &at, &behind, &right);
	} else {
		behind = at;
	}
	if (any && right.start <= last)
		return RANGE_MEETS;
	joins_right = any && right.start - 1 == last && goes_on(&paint, &right, linear);
	if (joins_left && joins_right)
		return RANGE_MEETS;
	if (joins_left)
		range_tree_set_last_at(tree, &at, last);
	else if (joins_right)
		extend_left(tree, &behind, start, value);
	else
		range_tree_insert_at(tree, &cursor, &paint);
	return RANGE_PAINTED;
}

bool range_tree_paint(struct range_tree *tree, u64 start, u64 last, u64 value, bool linear)
{
	struct range_entry paint = { .start = start, .last = last, .value = value }, near;
	enum range_paint quick;

	assert(start <= last);
	quick = range_tree_paint_free(tree, start, last, value, linear);
	if (quick != RANGE_MEETS)
		return quick == RANGE_PAINTED;
	if (range_tree_lookup(tree, start, &near) && near.last >= last &&
	    value_at(&near, start, linear) == value)
		return true;            /* so already */
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
