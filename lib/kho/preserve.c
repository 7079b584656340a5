/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Marking memory as preserved (kernel/liveupdate/kexec_handover.c: kho_preserve_folio(),
 * kho_preserve_pages(), kho_alloc_preserve() and their reverses).
 *
 * KHO owns nothing and counts nothing: preserving twice sets the same bit, one unpreserve clears
 * it. Keys of different orders are not compared with each other.
 *
 * Unlike Linux: a failed call leaves no new node in the tree, and a range that is not aligned RAM
 * is refused (-EINVAL, WARN) instead of being recorded. There is one NUMA node, so the greedy split
 * of pages never has to stop at a node's boundary.
 */
#include "lib/kho/kho_internal.h"

#include <iommufd-sim/proto/bug.h>

/* The block sizes of kho_preserve_pages(): as large as alignment and the rest allow. */
static unsigned pages_order(u64 pfn, u64 nr_pages)
{
	unsigned fits = 63 - (unsigned)__builtin_clzll(nr_pages);

	/* pfn 0 is aligned to everything. */
	return pfn ? min((unsigned)__builtin_ctzll(pfn), fits) : fits;
}

static int preserve_check(struct kho *kho, pa_t pa, u64 nr_pages, unsigned align_order)
{
	u64 ram = phys_mem_bytes(kho->mem);
	u64 length = nr_pages << PAGE_SHIFT;

	if (WARN_ON_ONCE(!kho->radix.root))
		return -EINVAL;
	if (WARN_ON(nr_pages > ram >> PAGE_SHIFT || pa > ram - length ||
		    align_order > KHO_ORDER_0_LOG2 || !IS_ALIGNED(pa, PAGE_SIZE << align_order)))
		return -EINVAL;
	if (kho->debug && WARN_ON(nr_pages && kho_scratch_overlap(kho, pa, length)))
		return -EINVAL;
	return 0;
}

int kho_preserve_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order)
{
	struct kho_radix_txn txn;
	u64 first;
	int err;

	if (order > KHO_ORDER_0_LOG2 || nr > (~0ull >> PAGE_SHIFT) >> order)
		return -EINVAL;
	err = preserve_check(kho, pa, nr << order, order);
	if (err || !nr)
		return err;
	first = kho_encode_radix_key(pa, order);
	kho_radix_txn_init(&txn);
	mutex_lock(&kho->radix.lock);
	err = kho_radix_reserve(&kho->radix, first, first + nr - 1, &txn);
	if (err) {
		kho_radix_txn_abort(&kho->radix, &txn);
	} else {
		kho->nr_preserved += kho_radix_set(&kho->radix, first, first + nr - 1) << order;
		kho_radix_txn_commit(&kho->radix, &txn);
	}
	mutex_unlock(&kho->radix.lock);
	return err;
}

void kho_unpreserve_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order)
{
	u64 first;

	if (!nr || WARN_ON(order > KHO_ORDER_0_LOG2))
		return;
	first = kho_encode_radix_key(pa, order);
	kho->nr_preserved -= kho_radix_del_keys(&kho->radix, first, first + nr - 1) << order;
}

int kho_preserve_folio_pa(struct kho *kho, pa_t pa, unsigned order)
{
	return kho_preserve_folios(kho, pa, 1, order);
}

void kho_unpreserve_folio_pa(struct kho *kho, pa_t pa, unsigned order)
{
	kho_unpreserve_folios(kho, pa, 1, order);
}

int kho_preserve_pages_pa(struct kho *kho, pa_t pa, u64 nr_pages)
{
	u64 pfn = pa >> PAGE_SHIFT, end = pfn + nr_pages;
	struct kho_radix_txn txn;
	unsigned order;
	int err = preserve_check(kho, pa, nr_pages, 0);

	if (err)
		return err;
	kho_radix_txn_init(&txn);
	mutex_lock(&kho->radix.lock);
	for (u64 at = pfn; at < end && !err; at += BIT_ULL(order)) {
		u64 key;

		order = pages_order(at, end - at);
		key = kho_encode_radix_key(at << PAGE_SHIFT, order);
		err = kho_radix_reserve(&kho->radix, key, key, &txn);
	}
	if (err) {
		kho_radix_txn_abort(&kho->radix, &txn);
		goto unlock;
	}
	for (u64 at = pfn; at < end; at += BIT_ULL(order)) {
		u64 key;

		order = pages_order(at, end - at);
		key = kho_encode_radix_key(at << PAGE_SHIFT, order);
		kho->nr_preserved += kho_radix_set(&kho->radix, key, key) << order;
	}
	kho_radix_txn_commit(&kho->radix, &txn);
unlock:
	mutex_unlock(&kho->radix.lock);
	return err;
}

void kho_unpreserve_pages_pa(struct kho *kho, pa_t pa, u64 nr_pages)
{
	u64 pfn = pa >> PAGE_SHIFT, end = pfn + nr_pages;
	unsigned order;

	for (; pfn < end; pfn += BIT_ULL(order)) {
		order = pages_order(pfn, end - pfn);
		kho_unpreserve_folio_pa(kho, pfn << PAGE_SHIFT, order);
	}
}

unsigned kho_get_order(u64 size)
{
	u64 pages = DIV_ROUND_UP(size, PAGE_SIZE);

	return pages > 1 ? 64 - (unsigned)__builtin_clzll(pages - 1) : 0;
}

int kho_alloc_preserve_pa(struct kho *kho, u64 size, pa_t *pa)
{
	unsigned order;
	pa_t page;
	int err;

	if (!size)
		return -EINVAL;
	if (size > PAGE_SIZE << MAX_PAGE_ORDER)
		return -E2BIG;
	order = kho_get_order(size);
	err = pages_alloc(kho->pages, BIT_ULL(order), order, FRAME_KERNEL, &page);
	if (err)
		return err;
	err = kho_preserve_folio_pa(kho, page, order);
	if (err) {
		pages_free(kho->pages, page, BIT_ULL(order));
		return err;
	}
	*pa = page;
	return 0;
}

/* Finds the key that covers @pa; there are no page structs to ask. */
static bool preserved_order(struct kho *kho, pa_t pa, unsigned max_order, unsigned *order)
{
	for (unsigned o = 0; o <= max_order; o++) {
		if (kho_radix_has_key(&kho->radix, kho_encode_radix_key(pa, o))) {
			*order = o;
			return true;
		}
	}
	return false;
}

void kho_unpreserve_free_pa(struct kho *kho, pa_t pa)
{
	unsigned order;

	if (WARN_ON(!preserved_order(kho, pa, MAX_PAGE_ORDER, &order)))
		return;
	pa = ALIGN_DOWN(pa, PAGE_SIZE << order);
	kho_unpreserve_folio_pa(kho, pa, order);
	pages_free(kho->pages, pa, BIT_ULL(order));
}

bool kho_is_preserved(struct kho *kho, pa_t pa)
{
	u64 pfns = phys_mem_bytes(kho->mem) >> PAGE_SHIFT;
	unsigned order;

	return preserved_order(kho, pa, 63 - (unsigned)__builtin_clzll(pfns), &order);
}

u64 kho_nr_preserved_from(struct kho *kho, pa_t pa, u64 nr_pages)
{
	unsigned max_order = 63 - (unsigned)__builtin_clzll(phys_mem_bytes(kho->mem) >> PAGE_SHIFT);
	pa_t end = pa + (nr_pages << PAGE_SHIFT), at = pa;
	unsigned order;

	/* Folios of one order follow each other: one lookup, then whole words of keys. */
	while (at < end && preserved_order(kho, at, max_order, &order)) {
		u64 first = kho_encode_radix_key(at, order);
		u64 last = kho_encode_radix_key(end - 1, order);

		at = ALIGN_DOWN(at, PAGE_SIZE << order) +
		     (kho_radix_nr_set_from(&kho->radix, first, last) << order << PAGE_SHIFT);
	}
	return (min(at, end) - pa) >> PAGE_SHIFT;
}

u64 kho_nr_preserved_pages(const struct kho *kho)
{
	return kho->nr_preserved;
}

int kho_folio_remember(struct kho *kho, pa_t pa, unsigned order)
{
	if (!order)
		return 0;
	if (!range_tree_insert(&kho->folios, pa, pa + (PAGE_SIZE << order) - 1, order))
		return -ENOMEM;
	return 0;
}

unsigned kho_folio_order(const struct kho *kho, pa_t pa)
{
	struct range_entry entry;

	return range_tree_lookup(&kho->folios, pa, &entry) ? entry.value : 0;
}

void kho_folio_forget(struct kho *kho, pa_t pa)
{
	range_tree_remove(&kho->folios, pa);
}
