/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A range's value is twice the count, plus 1 if its pages are marked. Absent means 0: a range whose
 * count drops to 0 is erased, marked or not, so that 0 and 1 are never stored.
 */
#include "lib/mm/range_count.h"

#include <assert.h>

#define ONE 2u
#define MARK 1u

static void *pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	struct kernel_base *kernel = ctx;

	return kheap_realloc(&kernel->heap, old, bytes, "range_pool");
}

static void pool_release(void *ctx, void *pool)
{
	struct kernel_base *kernel = ctx;

	kheap_free(&kernel->heap, pool);
}

void range_pool_init_kheap(struct range_pool *pool, struct kernel_base *kernel)
{
	range_pool_init(pool, kernel, pool_grow, pool_release);
}

/* The first piece of [at, last] with one value: its last page and value (0: not in the tree). */
static u64 piece_at(const struct range_tree *tree, u64 at, u64 last, u64 *value)
{
	struct range_entry entry;

	*value = 0;
	if (!range_tree_find_first(tree, at, last, &entry))
		return last;
	if (entry.start > at)
		return entry.start - 1;
	*value = entry.value;
	return min(entry.last, last);
}

bool range_count_inc(struct range_tree *tree, u64 first, u64 last)
{
	u64 at = first, end, value;
	enum range_paint quick;
	u32 pieces = 0;

	/* Nobody counts any of it yet: most often. */
	quick = range_tree_paint_free(tree, first, last, ONE, false);
	if (quick != RANGE_MEETS)
		return quick == RANGE_PAINTED;
	for (;; at = end + 1) {
		end = piece_at(tree, at, last, &value);
		pieces++;
		if (end == last)
			break;
	}
	/* Each paint may leave a piece on either side of what it cuts. */
	if (!range_tree_reserve(tree, 2 * pieces))
		return false;
	for (at = first;; at = end + 1) {
		end = piece_at(tree, at, last, &value);
		if (!range_tree_paint(tree, at, end, value + ONE, false))
			assert(!"reserved");
		if (end == last)
			return true;
	}
}

void range_count_dec(struct range_tree *tree, struct kernel_base *kernel, u64 first, u64 last,
		     void (*zero)(void *ctx, u64 first, u64 last, bool marked), void *ctx)
{
	struct range_entry piece;
	u64 at;
	bool done;

	nofail_begin(kernel);
	for (at = first;; at = piece.last + 1) {
		done = range_tree_take(tree, at, last, false, &piece);
		assert(done && piece.start == at);      /* dropped more often than taken, else */
		if (piece.value >= 2 * ONE) {
			done = range_tree_paint(tree, at, piece.last, piece.value - ONE, false);
			assert(done);
		} else {
			zero(ctx, at, piece.last, piece.value & MARK);
		}
		if (piece.last == last)
			break;
	}
	nofail_end(kernel);
}

void range_count_mark(struct range_tree *tree, struct kernel_base *kernel, u64 first, u64 last,
		      void (*zero)(void *ctx, u64 first, u64 last, bool marked), void *ctx)
{
	u64 at, end, value;

	nofail_begin(kernel);
	for (at = first;; at = end + 1) {
		end = piece_at(tree, at, last, &value);
		if (!value)
			zero(ctx, at, end, false);
		else if (!range_tree_paint(tree, at, end, value | MARK, false))
			assert(!"no memory, and no injected failure");
		if (end == last)
			break;
	}
	nofail_end(kernel);
}

u64 range_count_sum(const struct range_tree *tree, u64 first, u64 last)
{
	u64 at, end, value, sum = 0;

	for (at = first;; at = end + 1) {
		end = piece_at(tree, at, last, &value);
		sum += value / ONE * (end - at + 1);
		if (end == last)
			return sum;
	}
}
