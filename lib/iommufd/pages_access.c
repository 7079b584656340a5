/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The memory of a pages object in the hands of the CPU: pinned for an access, or copied (Linux:
 * drivers/iommu/iommufd/pages.c, from iopt_pages_rw_access() on).
 *
 * Where a copy looks depends, and programs can tell:
 *   own memory, called by the mapping process    its present mapping, whatever is pinned
 *   another process's, within one page           that process's present mapping
 *   everything else                              the frames: those that are pinned, and for the
 *                                                rest what a pin would find now
 *
 * Unlike Linux: a frame of memory that the program mapped by itself is the memory at that address;
 * once the program has unmapped it, a copy from the pinned frame is -EFAULT.
 */
#include "lib/iommufd/access.h"
#include "lib/iommufd/pinned.h"

#include "sim/phys_mem.h"

struct pages_out {
	pa_t *next;
};

static int take_pages(void *ctx, u64 page_index, pa_t pa, u64 nr_pages)
{
	struct pages_out *out = ctx;

	for (u64 i = 0; i < nr_pages; i++)
		*out->next++ = pa + i * PAGE_SIZE;
	return 0;
}

int iopt_area_add_access(struct iopt_area *area, u64 first, u64 last, pa_t *out, unsigned flags,
			 bool lock_area)
{
	struct pages_out pages_out = { .next = out };
	struct iopt_pages *pages = area->pages;
	int rc;

	if ((flags & IOMMUFD_ACCESS_RW_WRITE) && !pages->writable)
		return -EPERM;
	if (pages->type == IOPT_ADDRESS_DMABUF)
		return -EINVAL;
	mutex_lock(&pages->mutex);
	rc = iopt_pages_hold(pages, first, last, IOPT_HOLD_ACCESS);
	if (!rc) {
		if (out)
			iopt_pages_for_each_run(pages, first, last, take_pages, &pages_out);
		area->num_accesses++;
		area->num_locks += lock_area;
	}
	mutex_unlock(&pages->mutex);
	return rc;
}

void iopt_area_remove_access(struct iopt_area *area, u64 first, u64 last, bool unlock_area)
{
	struct iopt_pages *pages = area->pages;

	mutex_lock(&pages->mutex);
	if (!WARN_ON(!area->num_accesses || area->num_locks < unlock_area)) {
		area->num_accesses--;
		area->num_locks -= unlock_area;
		iopt_pages_unhold(pages, first, last, IOPT_HOLD_ACCESS);
	}
	mutex_unlock(&pages->mutex);
}

/* Between @data and the frames, @offset bytes into the first one. */
static int copy_runs(const struct pfn_runs *runs, u64 offset, u8 *data, u64 length, bool write)
{
	struct phys_mem *mem = current->kernel->mem;
	u32 i;

	for (i = 0; i < runs->nr && length; i++) {
		const struct pfn_run *run = pfn_runs_get(runs, i);
		u64 step = min(length, run->nr_pages * PAGE_SIZE - offset);
		bool done = write ? phys_mem_write(mem, run->pa + offset, data, step)
				  : phys_mem_read(mem, run->pa + offset, data, step);

		if (!done)
			return -EFAULT;
		data += step;
		length -= step;
		offset = 0;
	}
	assert(!length);
	return 0;
}

/* Through the frames. */
static int rw_slow(struct iopt_pages *pages, u64 start_byte, void *data, u64 length, unsigned flags)
{
	u64 first = start_byte / PAGE_SIZE, last = (start_byte + length - 1) / PAGE_SIZE;
	struct pfn_runs runs = { 0 }, transient = { 0 };
	int rc;

	mutex_lock(&pages->mutex);
	rc = iopt_pages_gather(pages, first, last, &runs, &transient);
	if (!rc) {
		rc = copy_runs(&runs, start_byte % PAGE_SIZE, data, length,
			       flags & IOMMUFD_ACCESS_RW_WRITE);
		frames_unpin(current->kernel, &transient);
	}
	pfn_runs_deinit(&current->kernel->heap, &transient);
	pfn_runs_deinit(&current->kernel->heap, &runs);
	mutex_unlock(&pages->mutex);
	return rc;
}

/* Within one page, of another process that may be gone. */
static int rw_page(struct iopt_pages *pages, u64 start_byte, void *data, u64 length, unsigned flags)
{
	bool write = flags & IOMMUFD_ACCESS_RW_WRITE;
	struct pfn_runs runs = { 0 };
	int rc;

	if (mm_is_dead(pages->source_mm))
		return rw_slow(pages, start_byte, data, length, flags);
	if (iommufd_should_fail(FAIL_IOPT_PAGES_RW_PAGE))
		return -EINVAL;
	rc = mm_pin(pages->source_mm, pages->uptr + ALIGN_DOWN(start_byte, PAGE_SIZE), 1, write,
		    &runs);
	if (!rc) {
		rc = copy_runs(&runs, start_byte % PAGE_SIZE, data, length, write);
		mm_unpin(pages->source_mm, pages->uptr + ALIGN_DOWN(start_byte, PAGE_SIZE), 1,
			 &runs);
	}
	pfn_runs_deinit(&current->kernel->heap, &runs);
	return rc;
}

/* Through the mapping of the source process, in its place. */
static int rw_user(struct iopt_pages *pages, u64 start_byte, void *data, u64 length, unsigned flags)
{
	struct mm *own = current->mm;
	int rc;

	current->mm = pages->source_mm;
	if (flags & IOMMUFD_ACCESS_RW_WRITE)
		rc = copy_to_user(pages->uptr + start_byte, data, length);
	else
		rc = copy_from_user(data, pages->uptr + start_byte, length);
	current->mm = own;
	return rc;
}

int iopt_pages_rw_access(struct iopt_pages *pages, u64 start_byte, void *data, u64 length,
			 unsigned flags)
{
	bool change_mm = current->mm != pages->source_mm || (flags & IOMMUFD_ACCESS_RW_SLOW_PATH);

	if ((flags & IOMMUFD_ACCESS_RW_WRITE) && !pages->writable)
		return -EPERM;
	if (pages->type == IOPT_ADDRESS_DMABUF)
		return -EINVAL;
	if (pages->type != IOPT_ADDRESS_USER)
		return rw_slow(pages, start_byte, data, length, flags);
	if (!change_mm)
		return rw_user(pages, start_byte, data, length, flags);
	if (flags & IOMMUFD_ACCESS_RW_KTHREAD) {
		if (mm_is_dead(pages->source_mm))
			return rw_slow(pages, start_byte, data, length, flags);
		return rw_user(pages, start_byte, data, length, flags);
	}
	if (start_byte / PAGE_SIZE == (start_byte + length - 1) / PAGE_SIZE)
		return rw_page(pages, start_byte, data, length, flags);
	return rw_slow(pages, start_byte, data, length, flags);
}
