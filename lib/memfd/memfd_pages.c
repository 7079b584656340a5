/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The pages of a memory file (mm/shmem.c), kept as extents: consecutive pages on consecutive
 * frames, made of folios of one order. A terabyte is a few extents; nothing here looks at single
 * pages.
 *
 * The tree's key is the byte offset and its value pa | order: an address leaves 12 bits free, and
 * both key and address advance by bytes, so that neighbours that continue each other merge by
 * themselves.
 *
 * Frames belong to the allocator's owner FRAME_MEMFD while the file or a pin has them: a page that
 * leaves the file while it is pinned lives on until it is unpinned (frames_release()).
 *
 * Unlike Linux: a folio that a hole cuts in two is split into single pages, not into the largest
 * pieces that fit; filling is all or nothing; there is no swap and no page that is not up to date.
 */
#include "lib/memfd/memfd_internal.h"

#include <assert.h>

#include "lib/mm/page_alloc.h"
#include "lib/mm/range_count.h"
#include "sim/phys_mem.h"

#define ORDER_MASK (PAGE_SIZE - 1)

static u64 bytes_of(u64 pages)
{
	return pages << PAGE_SHIFT;
}

void memfd_pages_init(struct memfd *memfd)
{
	range_pool_init_kheap(&memfd->pool, memfd->kernel);
	range_tree_init(&memfd->extents, &memfd->pool);
}

void memfd_pages_deinit(struct memfd *memfd)
{
	struct range_entry entry;

	for (bool more = range_tree_find_first(&memfd->extents, 0, ~0ull, &entry); more;
	     more = range_tree_next(&memfd->extents, entry.start, &entry))
		frames_release(memfd->kernel, entry.value & ~ORDER_MASK,
			       (entry.last - entry.start + 1) >> PAGE_SHIFT);
	range_tree_clear(&memfd->extents);
	range_pool_deinit(&memfd->pool);
	memfd->nr_pages = 0;
}

/* The first extent that meets [index, end), clipped to it. */
static bool extent_first(struct memfd *memfd, u64 index, u64 end, struct memfd_extent *out)
{
	struct range_entry entry;
	u64 start, last;

	if (index >= end ||
	    !range_tree_find_first(&memfd->extents, bytes_of(index), bytes_of(end) - 1, &entry))
		return false;
	start = max(entry.start, bytes_of(index));
	last = min(entry.last, bytes_of(end) - 1);
	*out = (struct memfd_extent){
		.index = start >> PAGE_SHIFT,
		.nr_pages = (last - start + 1) >> PAGE_SHIFT,
		.pa = (entry.value & ~ORDER_MASK) + (start - entry.start),
		.order = entry.value & ORDER_MASK,
	};
	return true;
}

bool memfd_extent_at(struct memfd *memfd, u64 index, struct memfd_extent *out)
{
	struct range_entry entry;
	u64 at = bytes_of(index);

	if (index > ~0ull >> PAGE_SHIFT || !range_tree_lookup(&memfd->extents, at, &entry))
		return false;
	return extent_first(memfd, index, (entry.last >> PAGE_SHIFT) + 1, out);
}

static bool extent_add(struct memfd *memfd, u64 index, u64 nr_pages, pa_t pa, u32 order)
{
	if (!range_tree_paint(&memfd->extents, bytes_of(index), bytes_of(index + nr_pages) - 1,
			      pa | order, true))
		return false;
	memfd->nr_pages += nr_pages;
	return true;
}

int memfd_insert(struct memfd *memfd, const struct memfd_extent *extent)
{
	struct memfd_extent there;

	if (extent_first(memfd, extent->index, extent->index + extent->nr_pages, &there))
		return -EEXIST;
	return extent_add(memfd, extent->index, extent->nr_pages, extent->pa, extent->order) ?
	       0 : -ENOMEM;
}

/* The next smaller order we try: a gigabyte page falls back to 2 MiB, these to single pages. */
static u32 order_below(u32 order)
{
	return order > 9 ? 9 : 0;
}

/*
 * How the hole [first, end) begins: with folios of which order (at most @limit), for how many
 * pages. Small folios fill up to where larger ones fit.
 */
static u32 hole_order(u64 first, u64 end, u32 limit, u64 *nr_pages)
{
	u64 until = end;
	u32 order;

	for (order = limit; order; order = order_below(order)) {
		u64 folio = 1ull << order, aligned = ALIGN_UP(first, folio);

		if (aligned == first && first + folio <= end) {
			*nr_pages = ALIGN_DOWN(min(until, end) - first, folio);
			return order;
		}
		if (aligned + folio <= end)
			until = min(until, aligned);
	}
	*nr_pages = until - first;
	return 0;
}

static int hole_fill(struct memfd *memfd, u64 first, u64 end, struct pfn_runs *added)
{
	struct kernel_base *kernel = memfd->kernel;
	u32 limit = memfd->config.folio_order;

	while (first < end) {
		u64 want, got;
		u32 order = hole_order(first, end, limit, &want);
		pa_t pa;
		int err;

		err = pages_alloc_extent(kernel->page_alloc, want, order, FRAME_MEMFD, &pa, &got);
		if (err && order && !memfd->nr_huge_pages) {
			limit = order_below(order);
			continue;
		}
		if (err)
			return err;
		err = pfn_runs_add(&kernel->heap, added, bytes_of(first), got);
		if (!err && !extent_add(memfd, first, got, pa, order)) {
			struct pfn_run *last = pfn_runs_get(added, added->nr - 1);

			last->nr_pages -= got;
			added->nr -= !last->nr_pages;
			err = -ENOMEM;
		}
		if (err) {
			pages_free(kernel->page_alloc, pa, got);
			return err;
		}
		first += got;
	}
	return 0;
}

/*
 * A fault in a hole brings a whole folio if all of it is a hole and within the file (what shmem
 * does with huge=within_size): [*first, *end) of the hole [hole, hole_end) grows accordingly.
 */
static void hole_widen(struct memfd *memfd, u64 hole, u64 hole_end, u64 *first, u64 *end)
{
	u64 folio = 1ull << memfd->config.folio_order;
	u64 size = DIV_ROUND_UP(memfd->size, PAGE_SIZE);

	if (folio == 1)
		return;
	if (ALIGN_DOWN(*first, folio) >= hole && ALIGN_DOWN(*first, folio) + folio <= hole_end &&
	    ALIGN_DOWN(*first, folio) + folio <= max(size, *end))
		*first = ALIGN_DOWN(*first, folio);
	if (ALIGN_UP(*end, folio) <= min(hole_end, size) && ALIGN_UP(*end, folio) - folio >= hole)
		*end = ALIGN_UP(*end, folio);
}

int memfd_fill(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *added)
{
	u64 at = index, end = index + nr_pages;

	while (at < end) {
		struct range_entry entry;
		u64 first = at, hole, hole_end;
		u64 fill_end;
		int err;

		if (range_tree_lookup(&memfd->extents, bytes_of(at), &entry)) {
			at = (entry.last >> PAGE_SHIFT) + 1;
			continue;
		}
		hole = range_tree_prev(&memfd->extents, bytes_of(at), &entry) ?
		       (entry.last >> PAGE_SHIFT) + 1 : 0;
		hole_end = range_tree_next(&memfd->extents, bytes_of(at), &entry) ?
			   entry.start >> PAGE_SHIFT : ~0ull >> PAGE_SHIFT;
		fill_end = min(end, hole_end);
		at = fill_end;
		hole_widen(memfd, hole, hole_end, &first, &fill_end);
		err = hole_fill(memfd, first, fill_end, added);
		if (err) {
			memfd_unfill(memfd, added);
			pfn_runs_deinit(&memfd->kernel->heap, added);
			return err;
		}
	}
	return 0;
}

/* Cuts [index, index + nr_pages), all of one extent, out of the file. Cannot fail. */
static void extent_erase(struct memfd *memfd, const struct memfd_extent *extent)
{
	nofail_begin(memfd->kernel);
	if (!range_tree_erase(&memfd->extents, bytes_of(extent->index),
			      bytes_of(extent->index + extent->nr_pages) - 1, true))
		assert(!"no memory, and no injected failure");
	nofail_end(memfd->kernel);
	memfd->nr_pages -= extent->nr_pages;
}

void memfd_unfill_from(struct memfd *memfd, const struct pfn_runs *added, u64 index)
{
	u64 keep_end = ALIGN_UP(index, 1ull << memfd->config.folio_order);
	struct memfd_extent extent;

	for (u32 i = 0; i < added->nr; i++) {
		const struct pfn_run *run = pfn_runs_get(added, i);
		u64 at = run->pa >> PAGE_SHIFT, end = at + run->nr_pages;

		at = max(at, keep_end);

		while (extent_first(memfd, at, end, &extent)) {
			extent_erase(memfd, &extent);
			frames_release(memfd->kernel, extent.pa, extent.nr_pages);
		}
	}
}

void memfd_unfill(struct memfd *memfd, struct pfn_runs *added)
{
	memfd_unfill_from(memfd, added, 0);
	added->nr = 0;
}

int memfd_populate(struct memfd *memfd, u64 index, u64 nr_pages)
{
	struct pfn_runs added = { 0 };
	int err = memfd_fill(memfd, index, nr_pages, &added);

	pfn_runs_deinit(&memfd->kernel->heap, &added);
	return err;
}

/* False: the folio at page @index is pinned and has to stay in one piece. */
static bool folio_split(struct memfd *memfd, const struct memfd_extent *piece, u64 index)
{
	u64 folio = 1ull << piece->order, first = ALIGN_DOWN(index, folio);
	pa_t pa = piece->pa + bytes_of(first) - bytes_of(piece->index);
	bool done;

	if (frames_nr_pins(memfd->kernel, pa, folio))
		return false;
	nofail_begin(memfd->kernel);
	done = range_tree_paint(&memfd->extents, bytes_of(first), bytes_of(first + folio) - 1, pa,
				true);
	assert(done);
	nofail_end(memfd->kernel);
	return true;
}

static void bytes_zero(struct memfd *memfd, u64 start, u64 end)
{
	struct memfd_extent extent;

	while (start < end && extent_first(memfd, start >> PAGE_SHIFT,
					   DIV_ROUND_UP(end, PAGE_SIZE), &extent)) {
		u64 from = max(start, bytes_of(extent.index));
		u64 to = min(end, bytes_of(extent.index + extent.nr_pages));

		phys_mem_zero(memfd->kernel->mem, extent.pa + (from - bytes_of(extent.index)),
			      to - from);
		start = to;
	}
}

/* Mappings let go of the frames before the allocator may give them to somebody else. */
static void extent_remove(struct memfd *memfd, const struct memfd_extent *extent)
{
	extent_erase(memfd, extent);
	if (memfd->nr_mappings)
		unmap_mapping_range(memfd->kernel, memfd, bytes_of(extent->index),
				    bytes_of(extent->nr_pages));
	frames_release(memfd->kernel, extent->pa, extent->nr_pages);
}

/* Removes whole pages. An edge within a large folio splits it, or is zeroed if it is pinned. */
static void pages_remove(struct memfd *memfd, u64 at, u64 end)
{
	struct memfd_extent extent;

	while (extent_first(memfd, at, end, &extent)) {
		u64 folio = 1ull << extent.order;
		u64 extent_end = extent.index + extent.nr_pages;
		u64 cut = 0;            /* pages at the start that are less than a folio */

		if (extent.index & (folio - 1))
			cut = min(ALIGN_UP(extent.index, folio), extent_end) - extent.index;
		else if (extent.nr_pages < folio)
			cut = extent.nr_pages;
		if (cut) {
			at = extent.index;
			if (!folio_split(memfd, &extent, at)) {
				bytes_zero(memfd, bytes_of(at), bytes_of(at + cut));
				at += cut;
			}
			continue;
		}
		extent.nr_pages = ALIGN_DOWN(extent.nr_pages, folio);
		extent_remove(memfd, &extent);
		at = extent.index + extent.nr_pages;
	}
}

void memfd_remove(struct memfd *memfd, u64 start, u64 end)
{
	u64 first = ALIGN_UP(start, PAGE_SIZE), last = ALIGN_DOWN(end, PAGE_SIZE);

	if (first > last) {             /* within one page */
		bytes_zero(memfd, start, end);
		return;
	}
	bytes_zero(memfd, start, first);
	bytes_zero(memfd, last, end);
	pages_remove(memfd, first >> PAGE_SHIFT, last >> PAGE_SHIFT);
}

int memfd_frames(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *runs)
{
	u64 at = index, end = index + nr_pages;
	struct memfd_extent extent;
	int err = 0;

	while (!err && at < end) {
		if (!extent_first(memfd, at, end, &extent) || extent.index != at)
			assert(!"filled by the caller");
		err = pfn_runs_add(&memfd->kernel->heap, runs, extent.pa, extent.nr_pages);
		at += extent.nr_pages;
	}
	return err;
}
