/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Which free ranges can serve which request. Ranges are filed by the order of the largest naturally
 * aligned block they contain; for each order the lowest one is at hand. First fit for 2^k aligned
 * pages is then the minimum over a few numbers, however many holes there are.
 *
 * The buddy allocator (mm/page_alloc.c) keeps lists per order for the same reason. Unlike Linux:
 * free memory is one entry per range and not per block, and the lowest fitting address wins, so
 * that the same calls always give the same frames.
 */
#include <assert.h>

#include "lib/mm/page_alloc_internal.h"

#define KEY_SHIFT 52
#define KEY(order, first) ((u64)(order) << KEY_SHIFT | (first))
#define KEY_FIRST(key) ((key) & (BIT_ULL(KEY_SHIFT) - 1))

static unsigned lg2(u64 n)
{
	return 63 - __builtin_clzll(n);
}

unsigned free_range_order(u64 first, u64 last)
{
	unsigned order = lg2(last - first + 1);

	/* A range of 2^k pages has an aligned block of 2^k, or of 2^(k-1) at least. */
	if (ALIGN_UP(first, BIT_ULL(order)) + BIT_ULL(order) - 1 > last)
		order--;
	assert(order < FREE_ORDERS);
	return order;
}

void free_index_init(struct free_index *index, struct range_pool *pool)
{
	*index = (struct free_index){ .orders = 0 };
	range_tree_init(&index->tree, pool);
}

void free_index_add(struct free_index *index, u64 first, u64 last)
{
	unsigned order;
	bool done;

	if (first > last)
		return;
	order = free_range_order(first, last);
	done = range_tree_insert(&index->tree, KEY(order, first), KEY(order, first), last);
	assert(done);
	if (!(index->orders & BIT_ULL(order)) || first < index->first[order])
		index->first[order] = first;
	index->orders |= BIT_ULL(order);
}

void free_index_remove(struct free_index *index, u64 first, u64 last)
{
	unsigned order = free_range_order(first, last);
	struct range_entry next;
	bool done = range_tree_remove(&index->tree, KEY(order, first));

	assert(done);
	if (index->first[order] != first)
		return;
	if (range_tree_find_first(&index->tree, KEY(order, first), KEY(order + 1, 0) - 1, &next))
		index->first[order] = KEY_FIRST(next.start);
	else
		index->orders &= ~BIT_ULL(order);
}

/* The lowest range of @order, below @limit, in which an aligned run of @nr pages fits. */
static bool find_in_order(const struct free_index *index, unsigned order, u64 nr, u64 align,
			  u64 limit, u64 *first, u64 *last, u64 *at)
{
	u64 from = index->first[order];
	struct range_entry entry;

	while (range_tree_find_first(&index->tree, KEY(order, from), KEY(order + 1, 0) - 1,
				     &entry)) {
		*first = KEY_FIRST(entry.start);
		*last = entry.value;
		*at = ALIGN_UP(*first, align);
		if (*first >= limit)
			return false;
		if (*at <= *last && *last - *at >= nr - 1)
			return true;
		from = *first + 1;
	}
	return false;
}

bool free_index_find(const struct free_index *index, u64 nr, unsigned align_order, u64 *first,
		     u64 *last, u64 *at)
{
	/*
	 * A run of n pages holds an aligned block of more than n / 4, so lower orders cannot fit;
	 * nor can those below align_order if the run holds such a block.
	 */
	unsigned low = max(lg2(nr), 2u) - 2;
	u64 lowest = ~0ull;

	if (nr >= BIT_ULL(align_order))
		low = max(low, align_order);
	for (unsigned order = low; order < FREE_ORDERS; order++) {
		u64 range_first, range_last, range_at;

		if (!(index->orders & BIT_ULL(order)) || index->first[order] >= lowest)
			continue;
		if (!find_in_order(index, order, nr, BIT_ULL(align_order), lowest, &range_first,
				   &range_last, &range_at))
			continue;
		lowest = range_first;
		*first = range_first;
		*last = range_last;
		*at = range_at;
	}
	return lowest != ~0ull;
}

bool free_index_has(const struct free_index *index, u64 first, u64 last)
{
	struct range_entry entry;

	return range_tree_lookup(&index->tree, KEY(free_range_order(first, last), first), &entry) &&
	       entry.value == last;
}

const char *free_index_check(const struct free_index *index)
{
	struct range_entry entry = { 0 };
	const char *wrong = range_tree_check(&index->tree);
	u64 orders = 0;

	if (wrong)
		return wrong;
	for (bool more = range_tree_find_first(&index->tree, 0, ~0ull, &entry); more;
	     more = range_tree_next(&index->tree, entry.start, &entry)) {
		unsigned order = entry.start >> KEY_SHIFT;

		if (free_range_order(KEY_FIRST(entry.start), entry.value) != order)
			return "a free range is filed under the wrong order";
		if (!(orders & BIT_ULL(order)) && index->first[order] != KEY_FIRST(entry.start))
			return "the lowest free range of an order is not the one at hand";
		orders |= BIT_ULL(order);
	}
	return orders == index->orders ? NULL : "the set of orders with free ranges is wrong";
}
