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

static int window_new(struct mm *mm, u64 first, u64 last)
{
	struct user_mem *um = mm->um;
	struct phys_mem *mem = mm->kernel->mem;
	u64 nr_pages = last - first + 1;
	u64 pfn = ALIGN_UP(um->next_window_pfn, window_align(nr_pages));
	struct window *window = kheap_new(&mm->kernel->heap, struct window);

	if (!window)
		return -ENOMEM;
	*window = (struct window){ .mm = mm, .pfn = pfn, .nr_pages = nr_pages,
				   .user_page = first };
	if (!range_tree_insert(&um->windows, pfn, pfn + nr_pages - 1, (uintptr_t)window))
		goto free_window;
	if (!phys_mem_window_add(mem, pfn << PAGE_SHIFT, nr_pages << PAGE_SHIFT,
				 (void *)(uintptr_t)(first << PAGE_SHIFT), mm->host_pid))
		goto remove_window;
	if (!range_tree_paint(&mm->frames, first, last, pfn, true))
		goto remove_phys;
	um->next_window_pfn = pfn + nr_pages;
	dma_check_set_owner(mm->kernel->machine, pfn << PAGE_SHIFT, nr_pages << PAGE_SHIFT,
			    FRAME_WINDOW);
	return 0;

remove_phys:
	phys_mem_window_remove(mem, pfn << PAGE_SHIFT);
remove_window:
	range_tree_remove(&um->windows, pfn);
free_window:
	kheap_free(&mm->kernel->heap, window);
	return -ENOMEM;
}

int window_frames(struct mm *mm, u64 first, u64 last, struct pfn_runs *runs)
{
	struct range_entry entry;
	u64 at, end;
	int err;

	for (at = first; at <= last; at = end + 1) {
		if (!range_tree_find_first(&mm->frames, at, last, &entry) || entry.start > at) {
			end = range_tree_find_first(&mm->frames, at, last, &entry) ?
			      entry.start - 1 : last;
			err = window_new(mm, at, end);
			if (err)
				return err;
			if (!range_tree_lookup(&mm->frames, at, &entry))
				assert(!"just painted");
		}
		end = min(entry.last, last);
		err = pfn_runs_add(&mm->kernel->heap, runs,
				   (entry.value + (at - entry.start)) << PAGE_SHIFT, end - at + 1);
		if (err) {
			/* The caller knows only of what is in @runs. */
			struct pfn_run run = {
				.pa = (entry.value + (at - entry.start)) << PAGE_SHIFT,
				.nr_pages = end - at + 1,
			};
			struct pfn_runs rest = { .runs = &run, .nr = 1 };

			window_drop_unpinned(mm->um, &rest);
			return err;
		}
	}
	return 0;
}

/* [first, first + nr_pages) of @window is all that is left. NULL @window: a new record. */
static void window_remain(struct user_mem *um, const struct window *whole, struct window *window,
			  u64 first, u64 nr_pages)
{
	struct kernel_base *kernel = um->kernel;
	u64 user_page = whole->user_page + (first - whole->pfn);

	if (!window)
		window = kheap_new(&kernel->heap, struct window);
	assert(window);         /* nofail */
	*window = (struct window){ .mm = whole->mm, .pfn = first, .nr_pages = nr_pages,
				   .user_page = user_page };
	if (!range_tree_insert(&um->windows, first, first + nr_pages - 1, (uintptr_t)window) ||
	    !phys_mem_window_add(kernel->mem, first << PAGE_SHIFT, nr_pages << PAGE_SHIFT,
				 (void *)(uintptr_t)(user_page << PAGE_SHIFT),
				 whole->mm->host_pid))
		assert(!"no memory, and no injected failure");
}

/* Pages [first, last] go; what is before and after them stays as windows of its own. */
static void window_drop_part(struct user_mem *um, struct window *window, u64 first, u64 last)
{
	struct kernel_base *kernel = um->kernel;
	const struct window whole = *window;
	u64 nr_pages = last - first + 1, page = whole.user_page + (first - whole.pfn);
	u64 end = whole.pfn + whole.nr_pages;

	nofail_begin(kernel);
	if (!range_tree_erase(&whole.mm->frames, page, page + nr_pages - 1, true))
		assert(!"no memory, and no injected failure");
	phys_mem_window_remove(kernel->mem, whole.pfn << PAGE_SHIFT);
	range_tree_remove(&um->windows, whole.pfn);
	if (first > whole.pfn) {
		window_remain(um, &whole, window, whole.pfn, first - whole.pfn);
		window = NULL;
	}
	if (last + 1 < end)
		window_remain(um, &whole, window, last + 1, end - last - 1);
	else
		kheap_free(&kernel->heap, window);
	nofail_end(kernel);
	dma_check_set_owner(kernel->machine, first << PAGE_SHIFT, nr_pages << PAGE_SHIFT,
			    FRAME_FREE);
}

void window_drop(struct user_mem *um, u64 first_pfn, u64 last_pfn)
{
	struct range_entry entry;
	u64 at, end;

	for (at = first_pfn; at <= last_pfn; at = end + 1) {
		if (!range_tree_lookup(&um->windows, at, &entry))
			assert(!"a window frame without a window");
		end = min(entry.last, last_pfn);
		window_drop_part(um, (struct window *)(uintptr_t)entry.value, at, end);
	}
}

void window_drop_unpinned(struct user_mem *um, const struct pfn_runs *runs)
{
	struct range_entry entry;

	for (u32 i = 0; i < runs->nr; i++) {
		u64 at = runs->runs[i].pa >> PAGE_SHIFT, last = at + runs->runs[i].nr_pages - 1;

		if (runs->runs[i].pa < PHYS_WINDOW_BASE)
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
