/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Physical pages (mm/page_alloc.c, mm/memblock.c at boot), counted in pfns here.
 *
 * One map says who owns each frame; it covers RAM without a gap. A second files the free ranges by
 * what they can serve (page_free_index.c). A third remembers which free frames may hold old bytes,
 * so that untouched memory is never touched just to zero it: handing out 1 TiB costs a few entries.
 *
 * Frames of the kernel and its tables are poisoned when freed, so that whoever still walks them
 * sees 0x6b and not yesterday's table. Frames of memory files are given back to the host and read
 * as zero.
 *
 * Freeing and changing owners must not fail, but may split ranges. Each call therefore ends by
 * making room for the next one's nodes; fault injection does not apply to that.
 *
 * Unlike Linux: no zone lock. Nothing between the first and the last line of a call is a point
 * where another task may run. And all RAM is one zone, above which orders do not end at
 * MAX_PAGE_ORDER.
 */
#include "lib/mm/page_alloc.h"

#include <assert.h>

#include "lib/base/task.h"
#include "lib/mm/page_alloc_internal.h"
#include "sim/phys_mem.h"

static void *pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	struct page_alloc *pages = ctx;

	return kheap_realloc(&pages->kernel->heap, old, bytes, "page allocator");
}

static void pool_release(void *ctx, void *pool)
{
	struct page_alloc *pages = ctx;

	kheap_free(&pages->kernel->heap, pool);
}

/* Room for all that one call can add: a painting in each of two maps, two free ranges. */
static bool make_room(struct page_alloc *pages)
{
	return range_pool_ensure(&pages->pool, range_tree_nodes_for(&pages->owners, 2) +
					       range_tree_nodes_for(&pages->dirty, 2) +
					       range_tree_nodes_for(&pages->free.tree, 2));
}

/* For calls that cannot fail. False only if the host is out of memory. */
static bool make_room_surely(struct page_alloc *pages)
{
	struct kheap *heap = &pages->kernel->heap;
	struct fail_points *fail = heap->fail;
	bool done;

	heap->fail = NULL;
	done = make_room(pages);
	heap->fail = fail;
	return done;
}

/* A call that cannot fail, without a place to note its result: the frames stay as they are. */
static void report_no_room(struct page_alloc *pages, u64 first, u64 last)
{
	kernel_report(pages->kernel, IFS_RULE_LEAK,
		      "no host memory to note the new owner of pages 0x%llx to 0x%llx",
		      (unsigned long long)first, (unsigned long long)last);
}

static void tell_checker(struct page_alloc *pages, u64 first, u64 last, enum frame_owner owner)
{
	if (!pages->published)
		return;
	dma_check_set_owner(pages->kernel->machine, first << PAGE_SHIFT,
			    (last - first + 1) << PAGE_SHIFT, owner);
}

/*
 * Until a frame changes hands for the first time, this kernel has only been finding out what the
 * previous one kept: the checker goes on with what that one said. A boot that fails before, fails
 * with nobody's memory taken away.
 */
static void publish(struct page_alloc *pages)
{
	struct range_entry entry = { 0 };
	u64 at = 0;

	if (pages->published)
		return;
	pages->published = true;
	while (range_tree_lookup(&pages->owners, at, &entry)) {
		tell_checker(pages, entry.start, entry.last, (enum frame_owner)entry.value);
		at = entry.last + 1;
	}
}

static void owners_paint(struct page_alloc *pages, u64 first, u64 last, enum frame_owner from,
			 enum frame_owner to)
{
	bool done = range_tree_paint(&pages->owners, first, last, to, false);

	assert(done);                           /* there was room */
	pages->count[from] -= last - first + 1;
	pages->count[to] += last - first + 1;
}

/* [first, last] of the free range [range_first, range_last] gets an owner. */
static void take(struct page_alloc *pages, u64 range_first, u64 range_last, u64 first, u64 last,
		 enum frame_owner owner)
{
	free_index_remove(&pages->free, range_first, range_last);
	owners_paint(pages, first, last, FRAME_FREE, owner);
	if (first > range_first)
		free_index_add(&pages->free, range_first, first - 1);
	free_index_add(&pages->free, last + 1, range_last);
}

/* What may be dirty of [first, last] is zeroed (@zero) and no longer listed. */
static void clean(struct page_alloc *pages, u64 first, u64 last, bool zero)
{
	struct range_entry entry;
	bool done;

	if (!range_tree_find_first(&pages->dirty, first, last, &entry))
		return;
	for (u64 at = first; zero && range_tree_find_first(&pages->dirty, at, last, &entry);) {
		u64 from = max(entry.start, at), to = min(entry.last, last);

		phys_mem_zero(pages->kernel->mem, from << PAGE_SHIFT,
			      (to - from + 1) << PAGE_SHIFT);
		if (to == last)
			break;
		at = to + 1;
	}
	done = range_tree_erase(&pages->dirty, first, last, false);
	assert(done);
}

int page_alloc_new(struct kernel_base *kernel, struct page_alloc **out)
{
	u64 nr_pages = phys_mem_bytes(kernel->mem) >> PAGE_SHIFT;
	struct page_alloc *pages = kheap_new(&kernel->heap, struct page_alloc);

	if (!pages)
		return -ENOMEM;
	assert(nr_pages > 1);
	pages->kernel = kernel;
	pages->nr_pages = nr_pages;
	range_pool_init(&pages->pool, pages, pool_grow, pool_release);
	range_tree_init(&pages->owners, &pages->pool);
	range_tree_init(&pages->dirty, &pages->pool);
	free_index_init(&pages->free, &pages->pool);
	if (!make_room(pages))
		goto free_pages;
	range_tree_insert(&pages->owners, 0, 0, FRAME_KERNEL);
	range_tree_insert(&pages->owners, 1, nr_pages - 1, FRAME_FREE);
	pages->count[FRAME_KERNEL] = 1;
	pages->count[FRAME_FREE] = nr_pages - 1;
	free_index_add(&pages->free, 1, nr_pages - 1);
	/* Nobody knows what an earlier kernel wrote; what the host never backed is zero. */
	if (!phys_mem_is_untouched(kernel->mem))
		range_tree_insert(&pages->dirty, 1, nr_pages - 1, 0);
	if (!make_room(pages))
		goto free_pool;
	*out = pages;
	return 0;

free_pool:
	range_pool_deinit(&pages->pool);
free_pages:
	kheap_free(&kernel->heap, pages);
	return -ENOMEM;
}

void page_alloc_free(struct page_alloc *pages)
{
	if (!pages)
		return;
	range_pool_deinit(&pages->pool);
	kheap_free(&pages->kernel->heap, pages);
}

/* What both allocating calls have in common before they look for a place. */
static bool may_alloc(struct page_alloc *pages, u64 nr_pages)
{
	sched_point("alloc_pages", NULL);
	return !fail_alloc_hit(&pages->kernel->fail, FAIL_ALLOC_PAGES, NULL, nr_pages) &&
	       make_room(pages);
}

static void hand_out(struct page_alloc *pages, u64 range_first, u64 range_last, u64 first,
		     u64 last, enum frame_owner owner)
{
	assert(owner != FRAME_FREE);
	publish(pages);
	take(pages, range_first, range_last, first, last, owner);
	clean(pages, first, last, true);
	tell_checker(pages, first, last, owner);
	make_room_surely(pages);
}

int pages_alloc(struct page_alloc *pages, u64 nr_pages, unsigned align_order,
		enum frame_owner owner, pa_t *pa)
{
	u64 first, last, at;

	assert(nr_pages);
	if (!may_alloc(pages, nr_pages))
		return -ENOMEM;
	if (nr_pages > pages->nr_pages || align_order >= FREE_ORDERS)
		return -ENOMEM;
	if (!free_index_find(&pages->free, nr_pages, align_order, &first, &last, &at))
		return -ENOMEM;
	hand_out(pages, first, last, at, at + nr_pages - 1, owner);
	*pa = at << PAGE_SHIFT;
	return 0;
}

int pages_alloc_extent(struct page_alloc *pages, u64 max_pages, unsigned align_order,
		       enum frame_owner owner, pa_t *pa, u64 *nr_pages)
{
	u64 block = BIT_ULL(align_order), first, last, at, nr;

	assert(max_pages && IS_ALIGNED(max_pages, block));
	if (!may_alloc(pages, max_pages))
		return -ENOMEM;
	if (align_order >= FREE_ORDERS)
		return -ENOMEM;
	if (!free_index_find(&pages->free, block, align_order, &first, &last, &at))
		return -ENOMEM;
	nr = min(ALIGN_DOWN(last - at + 1, block), max_pages);
	hand_out(pages, first, last, at, at + nr - 1, owner);
	*pa = at << PAGE_SHIFT;
	*nr_pages = nr;
	return 0;
}

/* True if [pa, pa + nr_pages) is RAM; its pfns then. */
static bool pfns_of(const struct page_alloc *pages, pa_t pa, u64 nr_pages, u64 *first, u64 *last)
{
	u64 pfn = pa >> PAGE_SHIFT;

	if (!nr_pages || !IS_ALIGNED(pa, PAGE_SIZE) || pfn >= pages->nr_pages ||
	    nr_pages > pages->nr_pages - pfn)
		return false;
	*first = pfn;
	*last = pfn + nr_pages - 1;
	return true;
}

static enum frame_owner owner_at(const struct page_alloc *pages, u64 pfn, u64 *range_first,
				 u64 *range_last)
{
	struct range_entry entry;
	bool found = range_tree_lookup(&pages->owners, pfn, &entry);

	assert(found);
	*range_first = entry.start;
	*range_last = entry.last;
	return (enum frame_owner)entry.value;
}

/* [first, last], all of it @owner's, becomes free and joins the free ranges beside it. */
static void free_run(struct page_alloc *pages, u64 first, u64 last, enum frame_owner owner)
{
	struct phys_mem *mem = pages->kernel->mem;
	u64 from, to;
	bool done;

	publish(pages);
	if (owner_at(pages, first - 1, &from, &to) == FRAME_FREE)
		free_index_remove(&pages->free, from, to);
	if (last + 1 < pages->nr_pages && owner_at(pages, last + 1, &from, &to) == FRAME_FREE)
		free_index_remove(&pages->free, from, to);
	owners_paint(pages, first, last, owner, FRAME_FREE);
	owner_at(pages, first, &from, &to);
	free_index_add(&pages->free, from, to);
	tell_checker(pages, first, last, FRAME_FREE);
	if (owner == FRAME_MEMFD) {
		phys_mem_zero(mem, first << PAGE_SHIFT, (last - first + 1) << PAGE_SHIFT);
		return;
	}
	phys_mem_poison(mem, first << PAGE_SHIFT, (last - first + 1) << PAGE_SHIFT, KHEAP_POISON);
	done = range_tree_paint(&pages->dirty, first, last, 0, false);
	assert(done);
}

void pages_free(struct page_alloc *pages, pa_t pa, u64 nr_pages)
{
	u64 first, last, from, to;
	bool in_ram = pfns_of(pages, pa, nr_pages, &first, &last);

	assert(in_ram && first > 0);
	for (u64 at = first; at <= last; at = to + 1) {
		enum frame_owner owner = owner_at(pages, at, &from, &to);

		to = min(to, last);
		if (owner == FRAME_FREE)
			kernel_report(pages->kernel, IFS_RULE_USE_AFTER_FREE,
				      "pages 0x%llx to 0x%llx are freed twice",
				      (unsigned long long)at, (unsigned long long)to);
		else if (make_room_surely(pages))
			free_run(pages, at, to, owner);
		else
			report_no_room(pages, at, to);
	}
	make_room_surely(pages);
}

int pages_reserve(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner)
{
	u64 first, last, from, to;

	assert(owner != FRAME_FREE);
	if (!pfns_of(pages, pa, nr_pages, &first, &last))
		return -EINVAL;
	if (owner_at(pages, first, &from, &to) != FRAME_FREE || to < last)
		return -EINVAL;
	if (!make_room(pages))
		return -ENOMEM;
	take(pages, from, to, first, last, owner);
	clean(pages, first, last, false);       /* their bytes are someone's */
	tell_checker(pages, first, last, owner);
	make_room_surely(pages);
	return 0;
}

bool pages_all_owned(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner)
{
	u64 first, last, from, to;

	/* Neighbouring ranges differ in owner, so one range must cover it all. */
	return pfns_of(pages, pa, nr_pages, &first, &last) &&
	       owner_at(pages, first, &from, &to) == owner && to >= last;
}

int pages_claim(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner)
{
	assert(owner != FRAME_FREE);
	if (!pages_all_owned(pages, pa, nr_pages, FRAME_RESERVED))
		return -ENOENT;
	pages_set_owner(pages, pa, nr_pages, owner);
	return 0;
}

void pages_set_owner(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner)
{
	u64 first, last, from, to;
	bool in_ram = pfns_of(pages, pa, nr_pages, &first, &last);

	assert(in_ram && first > 0 && owner != FRAME_FREE);
	publish(pages);
	for (u64 at = first; at <= last; at = to + 1) {
		enum frame_owner was = owner_at(pages, at, &from, &to);

		to = min(to, last);
		if (was == FRAME_FREE)
			kernel_report(pages->kernel, IFS_RULE_USE_AFTER_FREE,
				      "free pages 0x%llx to 0x%llx are given an owner",
				      (unsigned long long)at, (unsigned long long)to);
		else if (!make_room_surely(pages))
			report_no_room(pages, at, to);
		else if (was != owner) {
			owners_paint(pages, at, to, was, owner);
			tell_checker(pages, at, to, owner);
		}
	}
	make_room_surely(pages);
}

enum frame_owner pages_owner(struct page_alloc *pages, pa_t pa)
{
	u64 from, to;

	if (pa >= PHYS_WINDOW_BASE)
		return FRAME_WINDOW;
	if (pa >> PAGE_SHIFT >= pages->nr_pages)
		return FRAME_FREE;
	return owner_at(pages, pa >> PAGE_SHIFT, &from, &to);
}

u64 pages_count(const struct page_alloc *pages, enum frame_owner owner)
{
	assert(owner < NR_FRAME_OWNERS);
	return pages->count[owner];
}
