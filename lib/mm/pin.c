/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Pinning (pin_user_pages() with FOLL_LONGTERM, and what memfd_pin_folios() leaves on a page).
 *
 * A pin belongs to frames and not to addresses: once taken, the mapping may go, the process may
 * exit, the file may be truncated; the frames stay until they are unpinned. A range of user memory
 * may consist of mappings of memory files (frames of RAM) and memory of the program's own
 * (window.c).
 *
 * Unlike Linux: own memory is looked at when it is pinned, not tracked. Its pages are made present
 * with the permission asked for (MADV_POPULATE_READ or _WRITE), which is also what breaks
 * copy-on-write there as FAULT_FLAG_UNSHARE does here. Of a trusting process that is not asked: a
 * device that reaches a page that is not there is refused then, not the pin.
 */
#include <sys/mman.h>

#include <iommufd-sim/proto/file.h>

#include "lib/mm/page_alloc.h"
#include "lib/mm/user_mem_internal.h"
#include "sim/phys_mem.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static void frame_unpinned(void *ctx, u64 first, u64 last, bool given_up)
{
	struct user_mem *um = ctx;

	if (first >= PHYS_WINDOW_BASE >> PAGE_SHIFT)
		window_drop(um, first, last);
	else if (given_up)
		pages_free(um->kernel->page_alloc, first << PAGE_SHIFT, last - first + 1);
}

static void run_unpin(struct user_mem *um, const struct pfn_run *run)
{
	u64 first = run->pa >> PAGE_SHIFT;

	range_count_dec(&um->pins, um->kernel, first, first + run->nr_pages - 1, frame_unpinned,
			um);
	um->nr_pins -= run->nr_pages;
}

int frames_pin(struct kernel_base *kernel, const struct pfn_runs *runs)
{
	struct user_mem *um;
	u32 i;

	if (user_mem_ensure(kernel))
		return -ENOMEM;
	um = kernel->user_mem;
	for (i = 0; i < runs->nr; i++) {
		const struct pfn_run *run = pfn_runs_get(runs, i);
		u64 first = run->pa >> PAGE_SHIFT;

		if (!range_count_inc(&um->pins, first, first + run->nr_pages - 1))
			goto unpin;
		um->nr_pins += run->nr_pages;
	}
	return 0;

unpin:
	while (i--)
		run_unpin(um, pfn_runs_get(runs, i));
	user_mem_free_unused(kernel);
	return -ENOMEM;
}

void frames_unpin(struct kernel_base *kernel, const struct pfn_runs *runs)
{
	if (!runs->nr)
		return;
	for (u32 i = 0; i < runs->nr; i++)
		run_unpin(kernel->user_mem, pfn_runs_get(runs, i));
	user_mem_free_unused(kernel);
}

static void frame_free(void *ctx, u64 first, u64 last, bool marked)
{
	struct user_mem *um = ctx;

	pages_free(um->kernel->page_alloc, first << PAGE_SHIFT, last - first + 1);
}

void frames_release(struct kernel_base *kernel, pa_t pa, u64 nr_pages)
{
	struct user_mem *um = kernel->user_mem;
	u64 first = pa >> PAGE_SHIFT;

	if (!um) {              /* nobody ever pinned anything */
		pages_free(kernel->page_alloc, pa, nr_pages);
		return;
	}
	range_count_mark(&um->pins, kernel, first, first + nr_pages - 1, frame_free, um);
}

u64 frames_nr_pins(struct kernel_base *kernel, pa_t pa, u64 nr_pages)
{
	u64 first = pa >> PAGE_SHIFT;

	if (!kernel->user_mem)
		return 0;
	return range_count_sum(&kernel->user_mem->pins, first, first + nr_pages - 1);
}

u64 user_mem_nr_pins(struct kernel_base *kernel)
{
	return kernel->user_mem ? kernel->user_mem->nr_pins : 0;
}

/* A host before Linux 5.14 cannot populate: then only whether pages are mapped can be found out. */
static bool host_can_populate(void)
{
	char page[1];

	return !madvise((void *)((uintptr_t)page & PAGE_MASK), PAGE_SIZE, MADV_POPULATE_READ);
}

static bool host_pages_mapped(uva_t start, u64 length)
{
	unsigned char vec[256];

	while (length) {
		u64 chunk = min(length, sizeof(vec) * PAGE_SIZE);

		if (mincore((void *)(uintptr_t)start, chunk, vec))
			return false;
		start += chunk;
		length -= chunk;
	}
	return true;
}

static bool own_pages_touch(uva_t start, u64 length, bool write)
{
	return !madvise((void *)(uintptr_t)start, length,
			write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) ||
	       (errno == EINVAL && !host_can_populate() && host_pages_mapped(start, length));
}

static int own_memory_frames(struct mm *mm, uva_t start, uva_t last, bool write,
			     struct pfn_runs *runs)
{
	u64 length = last - start + 1;

	if (!mm_is_here(mm) && !host_pages_touch(mm, start, length, write))
		return -EFAULT;
	if (mm_is_here(mm) && !mm->trusting && !own_pages_touch(start, length, write))
		return -EFAULT;
	return window_frames(mm, start >> PAGE_SHIFT, last >> PAGE_SHIFT, runs);
}

/* Frames of the file behind [start, last] of @vma: they must all be within the file. */
static int vma_frames(struct vma *vma, uva_t start, uva_t last, bool write, struct pfn_runs *runs)
{
	u64 length = last - start + 1, before = pfn_runs_nr_pages(runs);
	int err;

	if (!(vma->prot & (write ? PROT_WRITE : PROT_READ)) || vma->file->f_op->mmap_pfn)
		return -EFAULT;
	err = vma->file->f_op->mmap_frames(vma->file, vma->offset + (start - vma->start), length,
					   runs);
	if (err)
		return err;
	/* What lies beyond the end of the file would be SIGBUS. */
	return pfn_runs_nr_pages(runs) - before == length >> PAGE_SHIFT ? 0 : -EFAULT;
}

static int user_frames(struct mm *mm, uva_t start, uva_t last, bool write, struct pfn_runs *runs)
{
	uva_t at, end;
	int err = 0;

	for (at = start; !err && at <= last; at = end + 1) {
		struct vma *vma;

		if (!vma_find_first(mm, at, last, &vma)) {
			end = last;
			err = own_memory_frames(mm, at, end, write, runs);
		} else if (vma->start > at) {
			end = vma->start - 1;
			err = own_memory_frames(mm, at, end, write, runs);
		} else {
			end = min(vma_last(vma), last);
			err = vma_frames(vma, at, end, write, runs);
		}
	}
	return err;
}

int mm_pin(struct mm *mm, uva_t uva, u64 nr_pages, bool write, struct pfn_runs *runs)
{
	struct kheap *heap = &mm->kernel->heap;
	u32 nr = runs->nr;
	u64 last_nr_pages = nr ? pfn_runs_get(runs, nr - 1)->nr_pages : 0;
	struct pfn_runs got = { 0 };
	int err;

	if (!nr_pages)
		return 0;
	if (mm->dead || uva & ~PAGE_MASK || uva >= TASK_SIZE_MAX ||
	    nr_pages > (TASK_SIZE_MAX - uva) >> PAGE_SHIFT)
		return -EFAULT;
	down_read(&mm->mmap_lock);
	/* No task can run between finding the frames and pinning them: nothing here can sleep. */
	err = user_frames(mm, uva, uva + nr_pages * PAGE_SIZE - 1, write, &got);
	if (!err)
		err = frames_pin(mm->kernel, &got);
	up_read(&mm->mmap_lock);
	if (err)
		goto drop_windows;
	if (!nr) {
		pfn_runs_deinit(heap, runs);
		*runs = got;
		return 0;
	}
	for (u32 i = 0; i < got.nr; i++) {
		const struct pfn_run *run = pfn_runs_get(&got, i);

		err = pfn_runs_add(heap, runs, run->pa, run->nr_pages);
		if (err)
			goto unpin;
	}
	pfn_runs_deinit(heap, &got);
	return 0;

unpin:
	pfn_runs_cut(runs, nr, last_nr_pages);
	frames_unpin(mm->kernel, &got);
	pfn_runs_deinit(heap, &got);
	return err;
drop_windows:
	window_drop_unpinned(mm->um, &got);
	pfn_runs_deinit(heap, &got);
	return err;
}

void mm_unpin(struct mm *mm, uva_t uva, u64 nr_pages, const struct pfn_runs *runs)
{
	frames_unpin(mm->kernel, runs);
}
