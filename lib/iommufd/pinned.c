/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Which pages of a pages object are pinned, and who holds them (Linux:
 * drivers/iommu/iommufd/pages.c).
 *
 * However many areas and domains use a page of the object, it is pinned and charged once, from the
 * first hold to the last. Holds are kept per range of page indexes, never per page:
 *
 *     area A              |--------------------|
 *     area B (a copy)              |----|
 *     pinned ranges       |   1    | 2  |  1   |        holders
 *
 * Invariants: ranges are disjoint; each has at least one holder and knows its frames as runs; both
 * bounds of every hold are bounds of ranges. So taking a hold may have to split a range and can
 * fail; giving it back splits nothing and cannot.
 *
 * Frames come from GUP on the mapping process (USER) or from the memory file (FILE). Those of a
 * dma-buf are its exporter's, neither pinned nor charged: holds are kept all the same. A page that
 * is held already is not looked up again: that is why new domains still see the original frames
 * after the process unmapped the memory or died.
 */
#include "lib/iommufd/pfn_reader.h"
#include "lib/iommufd/pinned.h"

#include "lib/memfd/memfd.h"

static u64 range_nr_pages(const struct pinned_range *range)
{
	return range->last - range->first + 1;
}

/* The lowest pinned range that intersects [first, last]. */
static struct pinned_range *pinned_first(const struct iopt_pages *pages, u64 first, u64 last)
{
	struct pinned_range *only = pages->pinned->only;
	struct range_entry entry;

	if (only)
		return only->first <= last && only->last >= first ? only : NULL;
	if (!range_tree_find_first(&pages->pinned->ranges, first, last, &entry))
		return NULL;
	return (struct pinned_range *)(uintptr_t)entry.value;
}

/* Needs nodes for two entries: range_tree_reserve(). */
static void pinned_insert(struct iopt_pinned *pinned, struct pinned_range *range)
{
	struct pinned_range *only = pinned->only;
	bool done = true;

	if (!only && !pinned->ranges.count) {
		pinned->only = range;
		return;
	}
	if (only)
		done = range_tree_insert(&pinned->ranges, only->first, only->last, (uintptr_t)only);
	pinned->only = NULL;
	done = done && range_tree_insert(&pinned->ranges, range->first, range->last,
					 (uintptr_t)range);
	assert(done);
}

static void pinned_remove(struct iopt_pinned *pinned, struct pinned_range *range)
{
	bool done;

	if (pinned->only == range) {
		pinned->only = NULL;
		return;
	}
	done = range_tree_remove(&pinned->ranges, range->first);
	assert(done);
}

static struct pinned_range *range_new(struct iopt_pages *pages)
{
	struct iopt_pinned *pinned = pages->pinned;

	if (pinned->first_range_used)
		return kzalloc(sizeof(struct pinned_range), GFP_KERNEL_ACCOUNT);
	pinned->first_range_used = true;
	return &pinned->first_range;
}

static void range_free(struct iopt_pages *pages, struct pinned_range *range)
{
	struct iopt_pinned *pinned = pages->pinned;

	pfn_runs_deinit(&current->kernel->heap, &range->runs);
	if (range != &pinned->first_range) {
		kfree(range);
		return;
	}
	pinned->first_range = (struct pinned_range){ 0 };
	pinned->first_range_used = false;
}

static int pin_memory(struct iopt_pages *pages, u64 first, u64 nr_pages, struct pfn_runs *runs)
{
	if (pages->type == IOPT_ADDRESS_FILE) {
		if (!file_is_memfd(pages->file))
			return -EINVAL;
		return memfd_pin(file_memfd(pages->file), pages->start / PAGE_SIZE + first,
				 nr_pages, runs);
	}
	if (pages->type == IOPT_ADDRESS_DMABUF)
		return pfn_runs_add(&current->kernel->heap, runs,
				    pages->dmabuf_pa + pages->start + first * PAGE_SIZE, nr_pages);
	if (mm_is_dead(pages->source_mm))
		return -EFAULT;
	return mm_pin(pages->source_mm, pages->uptr + first * PAGE_SIZE, nr_pages,
		      pages->writable, runs);
}

static void unpin_memory(struct iopt_pages *pages, const struct pinned_range *range)
{
	if (pages->type == IOPT_ADDRESS_FILE)
		memfd_unpin(file_memfd(pages->file), &range->runs);
	else if (pages->type == IOPT_ADDRESS_USER)
		mm_unpin(pages->source_mm, pages->uptr + range->first * PAGE_SIZE,
			 range_nr_pages(range), &range->runs);
}

/* Removes a range that nobody holds, and its pins. */
static void range_drop(struct iopt_pages *pages, struct pinned_range *range)
{
	assert(!range->holders);
	pinned_remove(pages->pinned, range);
	unpin_memory(pages, range);
	range_free(pages, range);
}

/* Pins [first, last], which nothing holds yet, as a range without holders. */
static int range_add(struct iopt_pages *pages, u64 first, u64 last)
{
	struct pinned_range *range = range_new(pages);
	int rc;

	if (!range)
		return -ENOMEM;
	range->first = first;
	range->last = last;
	rc = pin_memory(pages, first, last - first + 1, &range->runs);
	if (rc)
		goto err_free;
	/* The first one needs no node. */
	if (pinned_first(pages, 0, U64_MAX) && !range_tree_reserve(&pages->pinned->ranges, 2)) {
		rc = -ENOMEM;
		goto err_unpin;
	}
	pinned_insert(pages->pinned, range);
	return 0;

err_unpin:
	unpin_memory(pages, range);
err_free:
	range_free(pages, range);
	return rc;
}

/* Copies pages [from, from + nr) of @runs to @to. */
static int runs_slice(const struct pfn_runs *runs, u64 from, u64 nr, struct pfn_runs *to)
{
	u32 i;
	int rc;

	for (i = 0; i < runs->nr && nr; i++) {
		const struct pfn_run *run = pfn_runs_get(runs, i);
		u64 take;

		if (from >= run->nr_pages) {
			from -= run->nr_pages;
			continue;
		}
		take = min(run->nr_pages - from, nr);
		rc = pfn_runs_add(&current->kernel->heap, to, run->pa + from * PAGE_SIZE, take);
		if (rc)
			return rc;
		nr -= take;
		from = 0;
	}
	assert(!nr);
	return 0;
}

/* Makes @index the first page of a range, if it lies inside one. -ENOMEM: unchanged. */
static int range_split(struct iopt_pages *pages, u64 index)
{
	struct pinned_range *left = pinned_first(pages, index, index), *right;
	struct pfn_runs left_runs = { 0 };
	int rc;

	if (!left || left->first == index)
		return 0;
	right = range_new(pages);
	if (!right)
		return -ENOMEM;
	right->first = index;
	right->last = left->last;
	right->holders = left->holders;
	right->accesses = left->accesses;
	rc = runs_slice(&left->runs, 0, index - left->first, &left_runs);
	if (!rc)
		rc = runs_slice(&left->runs, index - left->first, range_nr_pages(right),
				&right->runs);
	if (!rc && !range_tree_reserve(&pages->pinned->ranges, 2))
		rc = -ENOMEM;
	if (rc) {
		pfn_runs_deinit(&current->kernel->heap, &left_runs);
		range_free(pages, right);
		return rc;
	}
	pinned_remove(pages->pinned, left);
	left->last = index - 1;
	pinned_insert(pages->pinned, left);
	pinned_insert(pages->pinned, right);
	pfn_runs_deinit(&current->kernel->heap, &left->runs);
	left->runs = left_runs;
	return 0;
}

/* Drops every range of [first, last] that nobody holds. */
static void drop_unheld(struct iopt_pages *pages, u64 first, u64 last)
{
	struct pinned_range *range;

	for (;;) {
		u64 next;

		range = first <= last ? pinned_first(pages, first, last) : NULL;
		if (!range)
			return;
		next = range->last + 1;
		if (!range->holders)
			range_drop(pages, range);
		first = next;
	}
}

/* Who has the pages of a span: the double span of Linux, in its order of preference. */
enum span_kind { SPAN_HOLE, SPAN_ACCESS, SPAN_DOMAIN };

/* The longest span that begins at @first; its last page, at most @last. */
static enum span_kind span_at(const struct iopt_pages *pages, u64 first, u64 last, u64 *span_last)
{
	const struct pinned_range *range = pinned_first(pages, first, last);
	bool access;

	if (!range || range->first > first) {
		*span_last = range ? range->first - 1 : last;
		return SPAN_HOLE;
	}
	access = range->accesses;
	do {
		*span_last = range->last;
		range = *span_last < last ? pinned_first(pages, *span_last + 1, last) : NULL;
	} while (range && range->first == *span_last + 1 && !range->accesses == !access);
	return access ? SPAN_ACCESS : SPAN_DOMAIN;
}

static int pages_to_xarray(void)
{
	return iommufd_should_fail(FAIL_PAGES_TO_XARRAY) ? -EINVAL : 0;
}

/* Pins what of [first, last] is not yet. */
static int pin_gaps(struct iopt_pages *pages, u64 first, u64 last, enum iopt_hold by, u64 *nr_new)
{
	struct pfn_reader_user user = { 0 };
	u64 at, span_last;
	int rc = 0;

	/* An access brings the buffer: the caller's array of pages. */
	if (by == IOPT_HOLD_ACCESS && pages->type == IOPT_ADDRESS_USER)
		user.capacity = last - first + 1;
	*nr_new = 0;
	for (at = first; at <= last && !rc; at = span_last + 1) {
		enum span_kind kind = span_at(pages, at, last, &span_last);

		if (kind == SPAN_HOLE) {
			if (pages->type != IOPT_ADDRESS_DMABUF)
				rc = pfn_reader_user_pin(&user, span_last - at + 1);
			if (!rc)
				rc = range_add(pages, at, span_last);
			*nr_new += span_last - at + 1;
		}
		if (!rc && by == IOPT_HOLD_ACCESS && kind != SPAN_ACCESS)
			rc = pages_to_xarray();
	}
	return rc;
}

int iopt_pages_hold(struct iopt_pages *pages, u64 first, u64 last, enum iopt_hold by)
{
	struct pinned_range *range;
	u64 nr_new, at;
	int rc;

	lockdep_assert_held(&pages->mutex);
	rc = range_split(pages, first);
	if (!rc)
		rc = range_split(pages, last + 1);
	if (rc)
		return rc;
	rc = pin_gaps(pages, first, last, by, &nr_new);
	if (rc)
		goto err_drop;
	pages->npinned += nr_new;
	rc = pfn_reader_user_update_pinned(pages, nr_new);
	if (rc)
		goto err_unpin;
	for (at = first; at <= last; at = range->last + 1) {
		range = pinned_first(pages, at, last);
		range->holders++;
		range->accesses += by == IOPT_HOLD_ACCESS;
	}
	return 0;

err_unpin:
	pages->npinned -= nr_new;
err_drop:
	drop_unheld(pages, first, last);
	return rc;
}

void iopt_pages_unhold(struct iopt_pages *pages, u64 first, u64 last, enum iopt_hold by)
{
	u64 at, next, nr_dropped = 0;

	lockdep_assert_held(&pages->mutex);
	for (at = first; at <= last; at = next) {
		struct pinned_range *range = pinned_first(pages, at, last);

		assert(range && range->first == at && range->last <= last && range->holders);
		next = range->last + 1;
		range->accesses -= by == IOPT_HOLD_ACCESS;
		if (--range->holders)
			continue;
		nr_dropped += range_nr_pages(range);
		range_drop(pages, range);
	}
	pages->npinned -= nr_dropped;
	if (nr_dropped)
		update_unpinned(pages);
}

int iopt_pages_for_each_run(struct iopt_pages *pages, u64 first, u64 last,
			    int (*fn)(void *ctx, u64 page_index, pa_t pa, u64 nr_pages), void *ctx)
{
	u64 index = first, run_index = first, run_pages = 0;
	pa_t run_pa = 0;
	int rc;

	lockdep_assert_held(&pages->mutex);
	while (index <= last) {
		struct pinned_range *range = pinned_first(pages, index, last);
		u32 i;

		/* A hold starts where a range starts. */
		assert(range && range->first == index);
		for (i = 0; i < range->runs.nr; i++) {
			const struct pfn_run *run = pfn_runs_get(&range->runs, i);

			if (run_pages && run->pa == run_pa + run_pages * PAGE_SIZE) {
				run_pages += run->nr_pages;
				continue;
			}
			rc = run_pages ? fn(ctx, run_index, run_pa, run_pages) : 0;
			if (rc)
				return rc;
			run_index += run_pages;
			run_pa = run->pa;
			run_pages = run->nr_pages;
		}
		index = range->last + 1;
	}
	assert(run_index + run_pages == last + 1);
	return fn(ctx, run_index, run_pa, run_pages);
}

int iopt_pages_split_hold(struct iopt_pages *pages, u64 index)
{
	lockdep_assert_held(&pages->mutex);
	return range_split(pages, index);
}

static int runs_append(const struct pfn_runs *from, struct pfn_runs *to)
{
	return runs_slice(from, 0, pfn_runs_nr_pages(from), to);
}

/* Pins pages nobody holds, and adds them to both lists. */
static int gather_gap(struct iopt_pages *pages, struct pfn_reader_user *user, u64 first, u64 last,
		      struct pfn_runs *runs, struct pfn_runs *transient)
{
	struct pfn_runs got = { 0 };
	int rc = pfn_reader_user_pin(user, last - first + 1);

	if (!rc)
		rc = pin_memory(pages, first, last - first + 1, &got);
	if (rc)
		return rc;
	rc = runs_append(&got, runs);
	if (!rc) {
		u32 nr = transient->nr;
		u64 last_nr = nr ? pfn_runs_get(transient, nr - 1)->nr_pages : 0;

		rc = runs_append(&got, transient);
		if (rc)
			pfn_runs_cut(transient, nr, last_nr);
	}
	if (rc)
		frames_unpin(current->kernel, &got);
	pfn_runs_deinit(&current->kernel->heap, &got);
	return rc;
}

int iopt_pages_gather(struct iopt_pages *pages, u64 first, u64 last, struct pfn_runs *runs,
		      struct pfn_runs *transient)
{
	struct pfn_reader_user user = { 0 };
	u64 at, end;
	int rc;

	lockdep_assert_held(&pages->mutex);
	rc = batch_init();
	for (at = first; at <= last && !rc; at = end + 1) {
		struct pinned_range *range = pinned_first(pages, at, last);

		if (range && range->first <= at) {
			end = min(last, range->last);
			rc = runs_slice(&range->runs, at - range->first, end - at + 1, runs);
		} else {
			end = range ? range->first - 1 : last;
			rc = gather_gap(pages, &user, at, end, runs, transient);
		}
	}
	if (!rc)
		return 0;
	frames_unpin(current->kernel, transient);
	pfn_runs_deinit(&current->kernel->heap, transient);
	return rc;
}

u64 iopt_pages_nr_pinned(const struct iopt_pages *pages)
{
	struct pinned_range *range;
	u64 at, nr = 0;

	for (at = 0; (range = pinned_first(pages, at, U64_MAX)); at = range->last + 1)
		nr += range_nr_pages(range);
	return nr;
}

const char *iopt_pages_check(const struct iopt_pages *pages)
{
	const char *broken = range_tree_check(&pages->pinned->ranges);
	struct pinned_range *range;
	u64 at;

	for (at = 0; !broken && (range = pinned_first(pages, at, U64_MAX)); at = range->last + 1) {
		u64 nr = 0;
		u32 i;

		for (i = 0; i < range->runs.nr; i++)
			nr += pfn_runs_get(&range->runs, i)->nr_pages;
		if (nr != range_nr_pages(range))
			broken = "the frames of a pinned range do not cover it";
		else if (!range->holders || range->accesses > range->holders)
			broken = "a pinned range has no holder";
		else if (range->last >= pages->npages)
			broken = "a pinned range lies outside its pages object";
	}
	if (!broken && pages->npinned != iopt_pages_nr_pinned(pages))
		broken = "a pages object has lost count of its pinned pages";
	return broken;
}
