/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Runs of consecutive frames. A gigabyte in one piece is one run; what fragments is what costs. The
 * first run lies in the structure itself; from the second on all are in an array.
 */
#include <assert.h>

#include "lib/mm/user_mem.h"

int pfn_runs_add(struct kheap *heap, struct pfn_runs *runs, pa_t pa, u64 nr_pages)
{
	struct pfn_run *last = runs->nr ? pfn_runs_get(runs, runs->nr - 1) : NULL;

	if (!nr_pages)
		return 0;
	if (last && last->pa + last->nr_pages * PAGE_SIZE == pa) {
		last->nr_pages += nr_pages;
		return 0;
	}
	if (runs->nr && runs->nr >= runs->capacity) {
		u32 capacity = runs->capacity ? 2 * runs->capacity : 4;
		struct pfn_run *grown;

		if (capacity < runs->capacity)
			return -ENOMEM;
		grown = kheap_realloc(heap, runs->many, capacity * sizeof(*grown),
				      "struct pfn_run");
		if (!grown)
			return -ENOMEM;
		if (!runs->many)
			grown[0] = runs->one;
		runs->many = grown;
		runs->capacity = capacity;
	}
	*pfn_runs_get(runs, runs->nr++) = (struct pfn_run){ .pa = pa, .nr_pages = nr_pages };
	return 0;
}

void pfn_runs_cut(struct pfn_runs *runs, u32 nr, u64 last_nr_pages)
{
	assert(nr <= runs->nr);
	runs->nr = nr;
	if (nr) {
		assert(last_nr_pages <= pfn_runs_get(runs, nr - 1)->nr_pages);
		pfn_runs_get(runs, nr - 1)->nr_pages = last_nr_pages;
	}
}

void pfn_runs_deinit(struct kheap *heap, struct pfn_runs *runs)
{
	kheap_free(heap, runs->many);
	*runs = (struct pfn_runs){ 0 };
}

u64 pfn_runs_nr_pages(const struct pfn_runs *runs)
{
	u64 nr_pages = 0;

	for (u32 i = 0; i < runs->nr; i++)
		nr_pages += pfn_runs_get(runs, i)->nr_pages;
	return nr_pages;
}

pa_t pfn_runs_at(const struct pfn_runs *runs, u64 index, u64 *contiguous)
{
	for (u32 i = 0; i < runs->nr; i++) {
		const struct pfn_run *run = pfn_runs_get(runs, i);

		if (index < run->nr_pages) {
			*contiguous = run->nr_pages - index;
			return run->pa + index * PAGE_SIZE;
		}
		index -= run->nr_pages;
	}
	assert(!"index past the last page of the runs");
	return 0;
}
