/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The vmalloc form (kho_preserve_vmalloc(), kho_restore_vmalloc()): the pages of one virtually
 * contiguous area, listed in a chain of chunk pages (lib/abi/kho.h draws it).
 *
 * Written as Linux writes it: order 0, flags VM_ALLOC, and a new chunk as soon as one is full, even
 * if nothing follows (trap 42). Pages travel as runs, so that a large array costs its chunks only.
 *
 * Unlike Linux: the chain is checked as a whole before anything is claimed (RAM, preserved, no page
 * twice, the counts agree), so that a refused one has no effect; Linux leaks what it had restored.
 * Unknown flag bits are ignored as there (trap 43).
 */
#include "lib/kho/kho_internal.h"

#include <assert.h>

#include "lib/mm/user_mem.h"

/* Linux's get_vm_area_page_order() is at most that of a 1 GiB page. */
#define MAX_VMALLOC_ORDER 18

static struct kho_vmalloc_chunk *chunk_ptr(struct kho *kho, pa_t pa)
{
	return IS_ALIGNED(pa, PAGE_SIZE) ? phys_mem_ptr(kho->mem, pa, PAGE_SIZE) : NULL;
}

/* A zeroed, preserved chunk, hung behind @previous (0: it is the first). */
static int chunk_new(struct kho *kho, pa_t previous, pa_t *out)
{
	int err = kho_alloc_preserve_pa(kho, PAGE_SIZE, out);

	if (err)
		return -ENOMEM;
	if (previous)
		chunk_ptr(kho, previous)->next = *out;
	return 0;
}

/* Marks one run and lists its pages from slot *@used of chunk *@chunk on. */
static int preserve_run(struct kho *kho, const struct pfn_run *run, u64 nr_pages, pa_t *chunk,
			unsigned *used)
{
	for (u64 done = 0; done < nr_pages;) {
		u64 nr = min(nr_pages - done, (u64)KHO_VMALLOC_CHUNK_ENTRIES - *used);
		pa_t pa = run->pa + (done << PAGE_SHIFT);
		struct kho_vmalloc_chunk *ptr = chunk_ptr(kho, *chunk);
		int err = kho_preserve_folios(kho, pa, nr, 0);

		if (err)
			return err;
		for (u64 i = 0; i < nr; i++)
			ptr->phys[(*used)++] = pa + (i << PAGE_SHIFT);
		done += nr;
		if (*used == KHO_VMALLOC_CHUNK_ENTRIES) {
			err = chunk_new(kho, *chunk, chunk);
			if (err)
				return err;
			*used = 0;
		}
	}
	return 0;
}

int kho_preserve_vmalloc_runs(struct kho *kho, const struct pfn_runs *runs, u64 total_pages,
			      struct kho_vmalloc *out)
{
	struct kho_vmalloc desc = { .flags = KHO_VMALLOC_ALLOC };
	u64 left = total_pages;
	unsigned used = 0;
	pa_t chunk;
	int err;

	if (!total_pages || total_pages > UINT32_MAX)
		return -EINVAL;
	err = chunk_new(kho, 0, &chunk);
	if (err)
		return err;
	desc.first = chunk;
	for (u32 i = 0; i < runs->nr && left && !err; i++) {
		u64 nr = min(pfn_runs_get(runs, i)->nr_pages, left);

		err = preserve_run(kho, pfn_runs_get(runs, i), nr, &chunk, &used);
		left -= nr;
	}
	if (!err && left)
		err = -EINVAL;
	if (err) {
		kho_unpreserve_vmalloc_runs(kho, &desc);
		return err;
	}
	desc.total_pages = total_pages;
	*out = desc;
	return 0;
}

/* Unmarks what one chunk lists, run by run. */
static void unpreserve_chunk(struct kho *kho, const struct kho_vmalloc_chunk *chunk, unsigned order)
{
	u64 block = PAGE_SIZE << order;
	unsigned i = 0;

	while (i < KHO_VMALLOC_CHUNK_ENTRIES && chunk->phys[i]) {
		u64 nr = 1;

		while (i + nr < KHO_VMALLOC_CHUNK_ENTRIES &&
		       chunk->phys[i + nr] == chunk->phys[i] + nr * block)
			nr++;
		/* Linux unmarks page by page; order 0 is all that we write. */
		if (order)
			kho_unpreserve_pages_pa(kho, chunk->phys[i], nr << order);
		else
			kho_unpreserve_folios(kho, chunk->phys[i], nr, 0);
		i += nr;
	}
}

void kho_unpreserve_vmalloc_runs(struct kho *kho, const struct kho_vmalloc *desc)
{
	struct kho_vmalloc_chunk *chunk;

	for (pa_t pa = desc->first, next; pa && (chunk = chunk_ptr(kho, pa)); pa = next) {
		next = chunk->next;
		unpreserve_chunk(kho, chunk, desc->order);
		kho_unpreserve_free_pa(kho, pa);
	}
}

/* What a chain claims to hold, collected before anything is touched. */
struct vmalloc_scan {
	struct kho *kho;
	struct range_tree seen;         /* pa ranges of chunks and pages */
	struct pfn_runs pages;
	struct pfn_runs chunks;
	u64 nr_pages;
};

static int scan_add(struct vmalloc_scan *scan, struct pfn_runs *runs, pa_t pa, unsigned order)
{
	pa_t last = pa + (PAGE_SIZE << order) - 1;
	struct range_entry entry;
	unsigned saved;

	if (!kho_is_restorable(scan->kho, pa, &saved) || saved != order)
		return -EINVAL;
	if (range_tree_find_first(&scan->seen, pa, last, &entry))
		return -EINVAL;
	if (!range_tree_paint(&scan->seen, pa, last, 0, false))
		return -ENOMEM;
	return pfn_runs_add(&scan->kho->kernel->heap, runs, pa, BIT_ULL(order));
}

static int scan_chain(struct vmalloc_scan *scan, const struct kho_vmalloc *desc)
{
	for (pa_t pa = desc->first; pa;) {
		const struct kho_vmalloc_chunk *chunk = chunk_ptr(scan->kho, pa);
		int err = chunk ? scan_add(scan, &scan->chunks, pa, 0) : -EINVAL;

		for (unsigned i = 0; !err && i < KHO_VMALLOC_CHUNK_ENTRIES && chunk->phys[i]; i++) {
			scan->nr_pages += BIT_ULL(desc->order);
			if (scan->nr_pages > desc->total_pages)
				return -EINVAL;
			err = scan_add(scan, &scan->pages, chunk->phys[i], desc->order);
		}
		if (err)
			return err;
		pa = chunk->next;
	}
	return scan->nr_pages == desc->total_pages ? 0 : -EINVAL;
}

/* Claims all that was scanned. A failure (no memory) takes nothing: what was claimed goes back. */
static int scan_claim(struct vmalloc_scan *scan, unsigned order)
{
	struct kho *kho = scan->kho;
	u32 done = 0;
	int err = 0;

	/* Each claim may split one range of the incoming tree. */
	if (!range_tree_reserve(&kho->in, 2 * (scan->pages.nr + scan->chunks.nr)))
		return -ENOMEM;
	for (; done < scan->pages.nr && !err; done += !err) {
		const struct pfn_run *run = pfn_runs_get(&scan->pages, done);

		err = kho_restore_folios(kho, run->pa, run->nr_pages >> order, order, FRAME_KERNEL);
	}
	while (err && done--) {
		const struct pfn_run *run = pfn_runs_get(&scan->pages, done);

		kho_unrestore_folios(kho, run->pa, run->nr_pages >> order, order);
	}
	if (err)
		return err;
	for (u32 i = 0; i < scan->chunks.nr; i++) {
		const struct pfn_run *run = pfn_runs_get(&scan->chunks, i);

		for (u64 page = 0; page < run->nr_pages; page++)
			kho_restore_free_pa(kho, run->pa + (page << PAGE_SHIFT));
	}
	return 0;
}

int kho_restore_vmalloc_runs(struct kho *kho, const struct kho_vmalloc *desc, struct pfn_runs *out)
{
	struct kheap *heap = &kho->kernel->heap;
	struct vmalloc_scan scan = { .kho = kho };
	int err;

	if (!desc->total_pages || desc->order > MAX_VMALLOC_ORDER)
		return -EINVAL;
	range_tree_init(&scan.seen, &kho->pool);
	err = scan_chain(&scan, desc);
	range_tree_clear(&scan.seen);
	if (!err)
		err = scan_claim(&scan, desc->order);
	if (err) {
		pfn_runs_deinit(heap, &scan.pages);
	} else {
		*out = scan.pages;
	}
	pfn_runs_deinit(heap, &scan.chunks);
	return err;
}
