/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Pages objects: memory that areas point into, and which of it is pinned (Linux:
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
 * bounds of every hold are bounds of ranges. So taking a hold may have to split a range and can fail;
 * giving it back splits nothing and cannot.
 *
 * Frames come from GUP on the mapping process (USER) or from the memory file (FILE). A page that is
 * held already is not looked up again: that is why new domains still see the original frames after the
 * process unmapped the memory or died.
 *
 * Left out: in-kernel accesses as a second kind of holder, dma-bufs.
 */
#include "lib/iommufd/io_pagetable.h"

#include "lib/memfd/memfd.h"

struct pinned_range {
	u64 first, last;        /* page indexes */
	u32 holders;
	struct pfn_runs runs;
};

struct iopt_pinned {
	struct range_tree ranges;       /* by page index: the struct pinned_range */
};

/* One allocation for both: a map of one page should cost little. */
struct iopt_pages_alloc {
	struct iopt_pages pages;
	struct iopt_pinned pinned;
	struct list_head dead;          /* on iommufd_module.dead_pages */
};

static struct pinned_range *range_of(const struct range_entry *entry)
{
	return (struct pinned_range *)(uintptr_t)entry->value;
}

static u64 range_nr_pages(const struct pinned_range *range)
{
	return range->last - range->first + 1;
}

/* The lowest pinned range that intersects [first, last]. */
static struct pinned_range *pinned_first(const struct iopt_pages *pages, u64 first, u64 last)
{
	struct range_entry entry;

	if (!range_tree_find_first(&pages->pinned->ranges, first, last, &entry))
		return NULL;
	return range_of(&entry);
}

static int iopt_alloc_pages(u64 start_byte, u64 length, bool writable, struct iopt_pages **out)
{
	struct iopt_pages_alloc *alloc;
	struct iopt_pages *pages;

	if (length > U64_MAX - PAGE_SIZE || !length)
		return -EINVAL;
	alloc = kzalloc(sizeof(*alloc), GFP_KERNEL_ACCOUNT);
	if (!alloc)
		return -ENOMEM;
	pages = &alloc->pages;
	pages->pinned = &alloc->pinned;
	range_tree_init(&pages->pinned->ranges, &iommufd_module()->pool);
	pages->refs = 1;
	mutex_init(&pages->mutex);
	pages->npages = DIV_ROUND_UP(length + start_byte, PAGE_SIZE);
	pages->writable = writable;
	pages->account_mode = current->cred->cap_ipc_lock ? ACCOUNT_NONE : ACCOUNT_USER;
	pages->source_uid = current->cred->uid;
	pages->source_mm = current->mm;
	mm_get(pages->source_mm);
	*out = pages;
	return 0;
}

int iopt_alloc_user_pages(uva_t uptr, u64 length, bool writable, struct iopt_pages **out)
{
	uva_t end;
	int rc;

	if (check_add_overflow(uptr, length, &end))
		return -EOVERFLOW;
	rc = iopt_alloc_pages(uptr % PAGE_SIZE, length, writable, out);
	if (rc)
		return rc;
	(*out)->type = IOPT_ADDRESS_USER;
	(*out)->uptr = ALIGN_DOWN(uptr, PAGE_SIZE);
	return 0;
}

int iopt_alloc_file_pages(struct file *file, u64 start, u64 length, bool writable,
			  struct iopt_pages **out)
{
	int rc = iopt_alloc_pages(start % PAGE_SIZE, length, writable, out);

	if (rc)
		return rc;
	(*out)->type = IOPT_ADDRESS_FILE;
	(*out)->file = get_file(file);
	(*out)->start = ALIGN_DOWN(start, PAGE_SIZE);
	iommufd_hook(file_pages_created, *out);
	return 0;
}

void iopt_get_pages(struct iopt_pages *pages)
{
	assert(pages->refs);
	pages->refs++;
}

static void iopt_free_pages(struct iopt_pages *pages)
{
	if (pages->file)
		fput(pages->file);
	mm_put(pages->source_mm);
	kfree(container_of(pages, struct iopt_pages_alloc, pages));
}

/*
 * Any file can be mapped, an iommufd too, and callers hold locks of an IOVA space. Linux's fput() runs
 * release() only when the task returns to userspace; so here a file waits for iommufd_free_dead_pages().
 */
void iopt_put_pages(struct iopt_pages *pages)
{
	assert(pages->refs);
	if (--pages->refs)
		return;
	WARN_ON(pages->pinned->ranges.count != 0);
	if (!pages->file)
		iopt_free_pages(pages);
	else
		list_add_tail(&container_of(pages, struct iopt_pages_alloc, pages)->dead,
			      &iommufd_module()->dead_pages);
}

void iommufd_free_dead_pages(struct iommufd_module *module)
{
	struct iopt_pages_alloc *alloc;

	while (!list_empty(&module->dead_pages)) {
		alloc = list_first_entry(&module->dead_pages, struct iopt_pages_alloc, dead);
		list_del(&alloc->dead);
		iopt_free_pages(&alloc->pages);
	}
}

static int pin_memory(struct iopt_pages *pages, struct pinned_range *range)
{
	if (pages->type == IOPT_ADDRESS_FILE) {
		if (!file_is_memfd(pages->file))
			return -EINVAL;
		return memfd_pin(file_memfd(pages->file), pages->start / PAGE_SIZE + range->first,
				 range_nr_pages(range), &range->runs);
	}
	if (mm_is_dead(pages->source_mm))
		return -EFAULT;
	return mm_pin(pages->source_mm, pages->uptr + range->first * PAGE_SIZE,
		      range_nr_pages(range), pages->writable, &range->runs);
}

static void unpin_memory(struct iopt_pages *pages, const struct pinned_range *range)
{
	if (pages->type == IOPT_ADDRESS_FILE)
		memfd_unpin(file_memfd(pages->file), &range->runs);
	else
		mm_unpin(pages->source_mm, pages->uptr + range->first * PAGE_SIZE,
			 range_nr_pages(range), &range->runs);
}

static void range_free(struct pinned_range *range)
{
	pfn_runs_deinit(&current->kernel->heap, &range->runs);
	kfree(range);
}

/* Removes a range that nobody holds, and its pins. */
static void range_drop(struct iopt_pages *pages, struct pinned_range *range)
{
	bool removed = range_tree_remove(&pages->pinned->ranges, range->first);

	assert(removed && !range->holders);
	unpin_memory(pages, range);
	range_free(range);
}

/* Pins [first, last], which nothing holds yet, as a range without holders. */
static int range_add(struct iopt_pages *pages, u64 first, u64 last)
{
	struct pinned_range *range = kzalloc(sizeof(*range), GFP_KERNEL_ACCOUNT);
	int rc;

	if (!range)
		return -ENOMEM;
	range->first = first;
	range->last = last;
	rc = pin_memory(pages, range);
	if (rc)
		goto err_free;
	if (!range_tree_insert(&pages->pinned->ranges, first, last, (uintptr_t)range)) {
		rc = -ENOMEM;
		goto err_unpin;
	}
	return 0;

err_unpin:
	unpin_memory(pages, range);
err_free:
	range_free(range);
	return rc;
}

/* Copies pages [from, from + nr) of @runs to @to. */
static int runs_slice(const struct pfn_runs *runs, u64 from, u64 nr, struct pfn_runs *to)
{
	u32 i;
	int rc;

	for (i = 0; i < runs->nr && nr; i++) {
		const struct pfn_run *run = &runs->runs[i];
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
	bool done;
	int rc;

	if (!left || left->first == index)
		return 0;
	right = kzalloc(sizeof(*right), GFP_KERNEL_ACCOUNT);
	if (!right)
		return -ENOMEM;
	right->first = index;
	right->last = left->last;
	right->holders = left->holders;
	rc = runs_slice(&left->runs, 0, index - left->first, &left_runs);
	if (!rc)
		rc = runs_slice(&left->runs, index - left->first, range_nr_pages(right), &right->runs);
	if (!rc && !range_tree_reserve(&pages->pinned->ranges, 2))
		rc = -ENOMEM;
	if (rc) {
		pfn_runs_deinit(&current->kernel->heap, &left_runs);
		range_free(right);
		return rc;
	}
	done = range_tree_remove(&pages->pinned->ranges, left->first);
	left->last = index - 1;
	done = done && range_tree_insert(&pages->pinned->ranges, left->first, left->last,
					 (uintptr_t)left);
	done = done && range_tree_insert(&pages->pinned->ranges, right->first, right->last,
					 (uintptr_t)right);
	assert(done);
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

/* Pins what of [first, last] is not yet. */
static int pin_gaps(struct iopt_pages *pages, u64 first, u64 last, u64 *nr_new)
{
	u64 from = first;

	*nr_new = 0;
	while (from <= last) {
		struct pinned_range *range = pinned_first(pages, from, last);
		u64 gap_last = range ? range->first - 1 : last;
		int rc;

		if (range && range->first == from) {
			from = range->last + 1;
			continue;
		}
		rc = range_add(pages, from, gap_last);
		if (rc)
			return rc;
		*nr_new += gap_last - from + 1;
		from = gap_last + 1;
	}
	return 0;
}

int iopt_pages_hold(struct iopt_pages *pages, u64 first, u64 last)
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
	rc = pin_gaps(pages, first, last, &nr_new);
	if (rc)
		goto err_drop;
	if (nr_new) {
		rc = mm_account(pages->source_mm, pages->account_mode, nr_new);
		if (rc)
			goto err_drop;
	}
	for (at = first; at <= last; at = range->last + 1) {
		range = pinned_first(pages, at, last);
		range->holders++;
	}
	return 0;

err_drop:
	drop_unheld(pages, first, last);
	return rc;
}

void iopt_pages_unhold(struct iopt_pages *pages, u64 first, u64 last)
{
	u64 at, next, nr_dropped = 0;

	lockdep_assert_held(&pages->mutex);
	for (at = first; at <= last; at = next) {
		struct pinned_range *range = pinned_first(pages, at, last);

		assert(range && range->first == at && range->last <= last && range->holders);
		next = range->last + 1;
		if (--range->holders)
			continue;
		nr_dropped += range_nr_pages(range);
		range_drop(pages, range);
	}
	if (nr_dropped)
		mm_unaccount(pages->source_mm, pages->account_mode, nr_dropped);
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
			const struct pfn_run *run = &range->runs.runs[i];

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
			nr += range->runs.runs[i].nr_pages;
		if (nr != range_nr_pages(range))
			broken = "the frames of a pinned range do not cover it";
		else if (!range->holders)
			broken = "a pinned range has no holder";
		else if (range->last >= pages->npages)
			broken = "a pinned range lies outside its pages object";
	}
	return broken;
}
