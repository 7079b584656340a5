/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Where a mapping goes: the test of an IOVA the caller chose, and Linux's automatic placement, byte
 * for byte (drivers/iommu/iommufd/io_pagetable.c, iopt_alloc_iova()).
 *
 * Automatic placement is first fit from below within each allowed span, and never in the first or
 * the last page even if they are allowed. A candidate is aligned to the alignment that address and
 * length share, at most 2 MiB, and then takes over the offset of the address within its page, by an
 * OR that does not align again. Two oddities are kept because programs can see them: the span's
 * start moves up to its first candidate before holes are looked at, and a candidate in the last
 * byte of its interval never fits.
 *
 * Unlike Linux: the search skips the part of the IOVA space that is known to be full, which changes
 * how long it takes and nothing else.
 */
#include "lib/iommufd/io_pagetable.h"

struct placement {
	u64 length, alignment, page_offset;
};

/* The candidate of the closed interval [first, last], or false: it does not fit. */
static bool placement_fits(const struct placement *want, iova_t first, iova_t last,
			   iova_t *candidate)
{
	iova_t at;

	if (check_add_overflow(first, want->alignment - 1, &at))
		return false;
	at &= ~(want->alignment - 1);
	at |= want->page_offset;
	if (at >= last || last - at < want->length - 1)
		return false;
	*candidate = at;
	return true;
}

/* The lowest range of [from, last] that an area or a reservation takes. */
static bool next_used(const struct io_pagetable *iopt, iova_t from, iova_t last, iova_t *used_first,
		      iova_t *used_last)
{
	const struct iopt_reserved *r = iopt_reserved_first(iopt, from, last);
	struct range_entry area;

	if (range_tree_find_first(&iopt->areas->tree, from, last, &area) &&
	    (!r || area.start < r->first)) {
		*used_first = area.start;
		*used_last = area.last;
		return true;
	}
	if (!r)
		return false;
	*used_first = r->first;
	*used_last = r->last;
	return true;
}

/* Moves the mark below which nothing is free as far up as it goes. */
static void advance_full_below(struct io_pagetable *iopt)
{
	iova_t *at = &iopt->areas->full_below, first, last;

	*at = max(*at, (iova_t)PAGE_SIZE);
	while (*at != U64_MAX && next_used(iopt, *at, *at, &first, &last))
		*at = last == U64_MAX ? last : last + 1;
}

static bool place_in_span(const struct io_pagetable *iopt, const struct placement *want,
			  iova_t first, iova_t last, iova_t *iova)
{
	iova_t from, used_first, used_last;

	if (!placement_fits(want, first, last, &from))
		return false;
	from = max(from, iopt->areas->full_below);
	while (from <= last) {
		if (!next_used(iopt, from, last, &used_first, &used_last))
			return placement_fits(want, from, last, iova);
		if (used_first > from && placement_fits(want, from, used_first - 1, iova))
			return true;
		if (used_last >= last)
			return false;
		from = used_last + 1;
	}
	return false;
}

/* The smallest power of two that is at least @n, for 0 < @n < 2^63. */
static u64 roundup_pow_of_two(u64 n)
{
	return n == 1 ? 1 : 1ull << (64 - __builtin_clzll(n - 1));
}

int iopt_alloc_iova(struct io_pagetable *iopt, iova_t *iova, u64 addr, u64 length)
{
	const iova_t lowest = PAGE_SIZE, highest = U64_MAX - PAGE_SIZE;
	struct placement want = { .length = length, .page_offset = addr % PAGE_SIZE };
	const struct iopt_allowed *a, *next;

	if (!length || length >= U64_MAX / 2)
		return -EOVERFLOW;
	want.alignment = roundup_pow_of_two(length);
	if (addr)
		want.alignment = min(want.alignment, 1ull << __builtin_ctzll(addr));
	want.alignment = min(want.alignment, HPAGE_SIZE);
	if (want.alignment < iopt->iova_alignment)
		return -EINVAL;

	advance_full_below(iopt);
	if (list_empty(&iopt->allowed))
		return place_in_span(iopt, &want, lowest, highest, iova) ? 0 : -ENOSPC;
	for (a = list_first_entry(&iopt->allowed, struct iopt_allowed, item);
	     &a->item != &iopt->allowed; a = next) {
		iova_t first = a->first, last = a->last;

		/* Allowed ranges that touch are one span. */
		next = list_next_entry(a, item);
		while (&next->item != &iopt->allowed && next->first == last + 1) {
			last = next->last;
			next = list_next_entry(next, item);
		}
		first = max(first, lowest);
		last = min(last, highest);
		if (first <= last && place_in_span(iopt, &want, first, last, iova))
			return 0;
	}
	return -ENOSPC;
}

int iopt_check_iova(struct io_pagetable *iopt, iova_t iova, u64 length)
{
	iova_t last;

	if (!IS_ALIGNED(iova, iopt->iova_alignment))
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	if (iopt_reserved_first(iopt, iova, last))
		return -EINVAL;
	if (iopt_area_iter_first(iopt, iova, last))
		return -EEXIST;
	return 0;
}
