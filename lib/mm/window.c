/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Frames for memory that a process brought with it (malloc, mmap): a window of the physical address
 * space above RAM, in which the machine finds the host's memory.
 *
 * A page of an address space has one frame from its first pin to its last unpin, also if it was
 * unmapped in between. Pinned anew it gets a new number, as it might in Linux: what still points at
 * the old one is found out. Numbers come in order and are never used twice, so they depend on the
 * calls made and not on where the host put things; a window of up to 1 GiB is naturally aligned, so
 * that large pages can be used for it.
 *
 * Left out: pages that two address spaces share with each other. Each sees frames of its own.
 *
 * Unlike Linux: on a machine that host processes share (@shared), own memory of a process that has
 * ended cannot be reached any more, pinned or not.
 */
#include <assert.h>

#include "lib/mm/user_mem_internal.h"
#include "sim/dma_check.h"
#include "sim/phys_mem.h"

#define WINDOW_MAX_ALIGN (1ull << (30 - PAGE_SHIFT))

static u64 window_align(u64 nr_pages)
{
	u64 align = 1;

	while (align < nr_pages && align < WINDOW_MAX_ALIGN)
		align *= 2;
	return align;
}

/* Frames for user pages [first, last], which have none. */
static int window_new(struct mm *mm, u64 first, u64 last, u64 *out)
{
	struct user_mem *um = mm->um;
	struct phys_mem *mem = mm->kernel->mem;
	u64 nr_pages = last - first + 1, bytes = nr_pages << PAGE_SHIFT;
	u64 pfn = ALIGN_UP(um->next_window_pfn, window_align(nr_pages));

	if (!range_tree_paint(&um->windows, pfn, pfn + nr_pages - 1, (uintptr_t)mm, false))
		return -ENOMEM;
	if (!phys_mem_window_add(mem, pfn << PAGE_SHIFT, bytes,
				 (void *)(uintptr_t)(first << PAGE_SHIFT), mm->host_pid))
		goto erase_window;
	if (!range_tree_paint(&mm->frames, first, last, pfn, true))
		goto remove_phys;
	um->next_window_pfn = pfn + nr_pages;
	dma_check_set_owner(mm->kernel->machine, pfn << PAGE_SHIFT, bytes, FRAME_WINDOW);
	*out = pfn;
	return 0;

remove_phys:
	phys_mem_window_remove(mem, pfn << PAGE_SHIFT, bytes, NULL);
erase_window:
	/* The highest number so far: nothing is cut in two, so it needs no memory. */
	range_tree_erase(&um->windows, pfn, pfn + nr_pages - 1, false);
	return -ENOMEM;
}

int window_frames(struct mm *mm, u64 first, u64 last, struct pfn_runs *runs)
{
	struct range_entry entry;
	u64 at, end, pfn;
	int err;

	for (at = first; at <= last; at = end + 1) {
		bool found = range_tree_find_first(&mm->frames, at, last, &entry);

		if (found && entry.start <= at) {
			end = min(entry.last, last);
			pfn = entry.value + (at - entry.start);
		} else {
			end = found ? entry.start - 1 : last;
			err = window_new(mm, at, end, &pfn);
			if (err)
				return err;
		}
		err = pfn_runs_add(&mm->kernel->heap, runs, pfn << PAGE_SHIFT, end - at + 1);
		if (err) {
			/* The caller knows only of what is in @runs. */
			struct pfn_runs rest = {
				.one = { .pa = pfn << PAGE_SHIFT, .nr_pages = end - at + 1 },
				.nr = 1,
			};

			window_drop_unpinned(mm->um, &rest);
			return err;
		}
	}
	return 0;
}

/* Frames [first, last] of @mm, which nobody pins: its pages have none any more. */
static void window_drop_of(struct mm *mm, u64 first, u64 last)
{
	struct kernel_base *kernel = mm->kernel;
	u64 bytes, at, page;
	void *host;

	for (at = first; at <= last; at += bytes >> PAGE_SHIFT) {
		bytes = phys_mem_window_remove(kernel->mem, at << PAGE_SHIFT,
					       (last - at + 1) << PAGE_SHIFT, &host);
		assert(bytes);
		page = (uintptr_t)host >> PAGE_SHIFT;
		if (!range_tree_erase(&mm->frames, page, page + (bytes >> PAGE_SHIFT) - 1, true))
			assert(!"no memory, and no injected failure");
	}
}

void window_drop(struct user_mem *um, u64 first_pfn, u64 last_pfn)
{
	struct range_entry entry;

	nofail_begin(um->kernel);
	for (u64 at = first_pfn; at <= last_pfn; at = entry.last + 1) {
		if (!range_tree_take(&um->windows, at, last_pfn, false, &entry))
			assert(!"a window frame without a window, or no memory");
		assert(entry.start == at);
		window_drop_of((struct mm *)(uintptr_t)entry.value, at, entry.last);
	}
	nofail_end(um->kernel);
	dma_check_set_owner(um->kernel->machine, first_pfn << PAGE_SHIFT,
			    (last_pfn - first_pfn + 1) << PAGE_SHIFT, FRAME_FREE);
}

void window_drop_unpinned(struct user_mem *um, const struct pfn_runs *runs)
{
	struct range_entry entry;

	for (u32 i = 0; i < runs->nr; i++) {
		const struct pfn_run *run = pfn_runs_get(runs, i);
		u64 at = run->pa >> PAGE_SHIFT, last = at + run->nr_pages - 1;

		if (run->pa < PHYS_WINDOW_BASE)
			continue;
		while (at <= last) {
			bool found = range_tree_find_first(&um->pins, at, last, &entry);
			u64 gap_end = found ? entry.start : last + 1;

			if (gap_end > at)
				window_drop(um, at, gap_end - 1);
			at = found ? entry.last + 1 : last + 1;
		}
	}
}
