/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Taking over what the previous kernel preserved (kho_restore_folio(), kho_restore_pages(),
 * kho_restore_free()).
 *
 * Linux tags the first page structure of every preserved block with its order and clears the tag
 * when the block is restored. Here a tree of ranges holds the same: adjacent blocks of one order
 * are one range, and only the first page of a block is a valid name for it.
 *
 * Unlike Linux: restoring pages whose blocks were saved with another split is refused as a whole;
 * Linux takes what it finds block by block and leaves the rest behind (trap 40).
 */
#include "lib/kho/kho_internal.h"

#include <iommufd-sim/proto/bug.h>

/* Is [pa, pa + nr blocks of @order) preserved in exactly such blocks? */
static bool blocks_restorable(const struct kho *kho, pa_t pa, u64 nr, unsigned order)
{
	u64 block = PAGE_SIZE << order;
	struct range_entry entry;

	if (!range_tree_lookup(&kho->in, pa, &entry) || entry.value != order)
		return false;
	return IS_ALIGNED(pa, block) && nr && nr - 1 <= (entry.last - pa) / block;
}

/* [pa, +nr_pages) has been checked: moves it from the incoming tree to @owner. */
static int claim(struct kho *kho, pa_t pa, u64 nr_pages, enum frame_owner owner)
{
	int err;

	if (!range_tree_reserve(&kho->in, 2))
		return -ENOMEM;
	err = pages_claim(kho->pages, pa, nr_pages, owner);
	if (err)
		return err;
	if (!range_tree_erase(&kho->in, pa, pa + (nr_pages << PAGE_SHIFT) - 1, false)) {
		pages_set_owner(kho->pages, pa, nr_pages, FRAME_RESERVED);
		return -ENOMEM;
	}
	kho->nr_unclaimed -= nr_pages;
	return 0;
}

bool kho_is_restorable(struct kho *kho, pa_t pa, unsigned *order)
{
	struct range_entry entry;

	if (!range_tree_lookup(&kho->in, pa, &entry) || !IS_ALIGNED(pa, PAGE_SIZE << entry.value))
		return false;
	if (order)
		*order = entry.value;
	return true;
}

u64 kho_nr_restorable(struct kho *kho, pa_t pa, unsigned *order)
{
	struct range_entry entry;

	if (!range_tree_lookup(&kho->in, pa, &entry) || !IS_ALIGNED(pa, PAGE_SIZE << entry.value))
		return 0;
	*order = entry.value;
	return (entry.last - pa + 1) >> (PAGE_SHIFT + entry.value);
}

int kho_restore_reserve(struct kho *kho, u64 nr)
{
	/* A claim splits one range at most; two entries are what it asks for itself. */
	return nr < UINT32_MAX / 4 && range_tree_reserve(&kho->in, 2 * nr + 2) ? 0 : -ENOMEM;
}

int kho_restore_folio_pa(struct kho *kho, pa_t pa, enum frame_owner owner, unsigned *order)
{
	unsigned saved;
	int err;

	if (WARN_ON_ONCE(!kho_is_restorable(kho, pa, &saved)))
		return -ENOENT;
	err = claim(kho, pa, BIT_ULL(saved), owner);
	if (!err && order)
		*order = saved;
	return err;
}

int kho_restore_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order, enum frame_owner owner)
{
	if (!nr)
		return 0;
	if (order > KHO_ORDER_0_LOG2 || WARN_ON_ONCE(!blocks_restorable(kho, pa, nr, order)))
		return -ENOENT;
	return claim(kho, pa, nr << order, owner);
}

int kho_restore_pages_pa(struct kho *kho, pa_t pa, u64 nr_pages, enum frame_owner owner)
{
	u64 pfn = pa >> PAGE_SHIFT, end = pfn + nr_pages;
	unsigned order;

	if (!IS_ALIGNED(pa, PAGE_SIZE) || end < pfn || end > phys_mem_bytes(kho->mem) >> PAGE_SHIFT)
		return -ENOENT;
	for (; pfn < end; pfn += BIT_ULL(order)) {
		order = 63 - (unsigned)__builtin_clzll(end - pfn);
		if (pfn)
			order = min(order, (unsigned)__builtin_ctzll(pfn));
		if (WARN_ON_ONCE(!blocks_restorable(kho, pfn << PAGE_SHIFT, 1, order)))
			return -ENOENT;
	}
	return nr_pages ? claim(kho, pa, nr_pages, owner) : 0;
}

void kho_unrestore_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order)
{
	struct kheap *heap = &kho->kernel->heap;
	struct fail_points *fail = heap->fail;
	u64 nr_pages = nr << order;
	bool done;

	heap->fail = NULL;
	done = range_tree_paint(&kho->in, pa, pa + (nr_pages << PAGE_SHIFT) - 1, order, false);
	heap->fail = fail;
	if (WARN_ON(!done))
		return;
	pages_set_owner(kho->pages, pa, nr_pages, FRAME_RESERVED);
	kho->nr_unclaimed += nr_pages;
}

void kho_restore_free_pa(struct kho *kho, pa_t pa)
{
	unsigned order;

	if (WARN_ON(kho_restore_folio_pa(kho, pa, FRAME_KERNEL, &order)))
		return;
	pages_free(kho->pages, pa, BIT_ULL(order));
}

u64 kho_nr_unclaimed_pages(const struct kho *kho)
{
	return kho->nr_unclaimed;
}
