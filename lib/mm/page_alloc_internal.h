/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What page_alloc.c, page_free_index.c and page_alloc_check.c share. */
#ifndef LIB_MM_PAGE_ALLOC_INTERNAL_H
#define LIB_MM_PAGE_ALLOC_INTERNAL_H

#include "lib/mm/page_alloc.h"
#include "sim/range_tree.h"

#define FREE_ORDERS 41          /* 2^40 pages are 2^52 bytes */

/*
 * Free ranges by the order of the largest naturally aligned block inside: a range of order k serves
 * any aligned request of 2^k pages or less, and no larger one.
 */
struct free_index {
	struct range_tree tree;         /* order << 52 | first pfn -> last pfn */
	u64 orders;                     /* bit: there are free ranges of that order */
	u64 first[FREE_ORDERS];         /* the lowest of them, if the bit is set */
};

struct page_alloc {
	struct kernel_base *kernel;
	u64 nr_pages;
	bool published;                 /* the DMA checker follows this map */
	struct range_pool pool;         /* of all trees here */
	struct range_tree owners;       /* pfns -> frame_owner; covers RAM, neighbours differ */
	struct range_tree dirty;        /* free pfns that may not read as zero */
	struct free_index free;
	u64 count[NR_FRAME_OWNERS];
};

/* The largest k with a naturally aligned block of 2^k pages within [first, last]. */
unsigned free_range_order(u64 first, u64 last);
void free_index_init(struct free_index *index, struct range_pool *pool);
/* Room for the nodes must have been made. Empty ranges (first > last) are ignored. */
void free_index_add(struct free_index *index, u64 first, u64 last);
void free_index_remove(struct free_index *index, u64 first, u64 last);
/* The lowest place for @nr pages aligned to 2^@align_order: the range, and where in it. */
bool free_index_find(const struct free_index *index, u64 nr, unsigned align_order, u64 *first,
		     u64 *last, u64 *at);
bool free_index_has(const struct free_index *index, u64 first, u64 last);
/* NULL, or what is wrong. */
const char *free_index_check(const struct free_index *index);

#endif
