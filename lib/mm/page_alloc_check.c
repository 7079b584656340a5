/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The page allocator's checker: do its three maps and its counts tell one story? */
#include "lib/mm/page_alloc_internal.h"

static const char *check_dirty(const struct page_alloc *pages)
{
	struct range_entry entry, owner;

	for (bool more = range_tree_find_first(&pages->dirty, 0, ~0ull, &entry); more;
	     more = range_tree_next(&pages->dirty, entry.start, &entry)) {
		if (!range_tree_lookup(&pages->owners, entry.start, &owner) ||
		    owner.value != FRAME_FREE || owner.last < entry.last)
			return "a frame in use is listed as to be zeroed";
	}
	return range_tree_check(&pages->dirty);
}

const char *page_alloc_check(const struct page_alloc *pages)
{
	const char *wrong = range_tree_check(&pages->owners);
	u64 next = 0, nr_free = 0, count[NR_FRAME_OWNERS] = { 0 }, owner = NR_FRAME_OWNERS;
	struct range_entry entry;

	if (!wrong)
		wrong = free_index_check(&pages->free);
	if (!wrong)
		wrong = check_dirty(pages);
	if (wrong)
		return wrong;
	for (bool more = range_tree_find_first(&pages->owners, 0, ~0ull, &entry); more;
	     more = range_tree_next(&pages->owners, entry.start, &entry)) {
		if (entry.start != next)
			return "the map of owners has a gap";
		if (entry.value >= NR_FRAME_OWNERS || entry.value == owner)
			return "an owner is unknown, or two of its ranges touch";
		owner = entry.value;
		next = entry.last + 1;
		count[owner] += entry.last - entry.start + 1;
		if (owner != FRAME_FREE)
			continue;
		nr_free++;
		if (!free_index_has(&pages->free, entry.start, entry.last))
			return "a free range is not in the index";
	}
	if (next != pages->nr_pages)
		return "the map of owners does not end with RAM";
	if (nr_free != pages->free.tree.count)
		return "the index of free ranges has another number of them";
	if (memcmp(count, pages->count, sizeof(count)))
		return "the number of frames of an owner is wrong";
	return NULL;
}
