/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Early boot (kho_populate(), kho_memory_init_early(), kho_memory_init()): is there something from
 * a previous kernel, can it be believed, and if so, keep everybody's hands off it.
 *
 * Two steps: everything is read and checked first, then reserved. Reserving can only fail for want
 * of our own memory. Refused input leaves the memory untouched and unreserved: the boot goes on as
 * a cold one, with a sentence that says why.
 *
 * Unlike Linux, which checks the FDT's header, its compatible string and the memory map property
 * only: scratch areas and every node and key of the memory map are checked too. Linux also turns
 * every free 1 GiB block into scratch here; our page allocator needs no such help.
 */
#include "lib/kho/kho_internal.h"

#include <stdio.h>

#include "lib/kho/handover_fdt.h"

/* N_MEMORY nodes + 2 areas; x86 has at most 1024 nodes. */
#define MAX_SCRATCH 1026

static int refuse(char *reason, const char *what, u64 a, u64 b)
{
	snprintf(reason, KHO_REASON_BYTES, "%s (0x%llx, 0x%llx)", what, (unsigned long long)a,
		 (unsigned long long)b);
	return -EINVAL;
}

/* A checked copy of the FDT, so that later changes of the page cannot matter. */
static int populate_fdt(struct kho *kho, const struct machine_boot_params *params, pa_t *radix_root,
			char *reason)
{
	u64 bytes = params->kho_fdt_bytes;
	const void *fdt = phys_mem_ptr(kho->mem, params->kho_fdt_pa, bytes);
	int err;

	if (!fdt || !bytes || bytes > PAGE_SIZE)
		return refuse(reason, "handover FDT is not one page of RAM", params->kho_fdt_pa,
			      bytes);
	/* The room behind a short FDT stays zero: libfdt may look at a whole header. */
	kho->in_fdt = kheap_alloc(&kho->kernel->heap, PAGE_SIZE, "kho incoming FDT");
	if (!kho->in_fdt)
		return -ENOMEM;
	memcpy(kho->in_fdt, fdt, bytes);
	kho->in_fdt_bytes = bytes;
	err = handover_fdt_check(kho->in_fdt, bytes, params->kho_fdt_pa, radix_root, reason);
	return err;
}

static int check_scratch_area(const struct kho *kho, u32 index, char *reason)
{
	const struct kho_scratch *area = &kho->scratch[index];

	if (!area->size || !IS_ALIGNED(area->addr | area->size, PAGE_SIZE) ||
	    !phys_mem_ptr(kho->mem, area->addr, area->size))
		return refuse(reason, "scratch area is not whole pages of RAM", area->addr,
			      area->size);
	if (!pages_all_owned(kho->pages, area->addr, area->size >> PAGE_SHIFT, FRAME_FREE))
		return refuse(reason, "scratch area is not free", area->addr, area->size);
	for (u32 i = 0; i < index; i++)
		if (area->addr < kho->scratch[i].addr + kho->scratch[i].size &&
		    kho->scratch[i].addr < area->addr + area->size)
			return refuse(reason, "scratch areas overlap", kho->scratch[i].addr,
				      area->addr);
	return 0;
}

static int populate_scratch(struct kho *kho, const struct machine_boot_params *params, char *reason)
{
	u64 nr = params->kho_scratch_bytes / sizeof(struct kho_scratch);
	u64 bytes = nr * sizeof(struct kho_scratch);
	const void *array;
	int err;

	if (!nr || nr > MAX_SCRATCH)
		return refuse(reason, "scratch array has a bad length", params->kho_scratch_pa,
			      params->kho_scratch_bytes);
	array = phys_mem_ptr(kho->mem, params->kho_scratch_pa, bytes);
	if (!array)
		return refuse(reason, "scratch array is outside RAM", params->kho_scratch_pa,
			      bytes);
	kho->scratch = kheap_alloc(&kho->kernel->heap, bytes, "kho_scratch");
	if (!kho->scratch)
		return -ENOMEM;
	memcpy(kho->scratch, array, bytes);
	for (u32 i = 0; i < nr; i++) {
		err = check_scratch_area(kho, i, reason);
		if (err)
			return err;
	}
	kho->nr_scratch = nr;
	return 0;
}

struct populate {
	struct kho *kho;
	char *reason;
};

/* A run of blocks of one order: notes it, if it can be true. */
static int populate_run(void *ctx, u64 first, u64 nr)
{
	struct populate *populate = ctx;
	struct kho *kho = populate->kho;
	u64 ram = phys_mem_bytes(kho->mem);
	struct range_entry entry;
	unsigned order;
	pa_t pa = kho_decode_radix_key(first, &order);
	u64 block, bytes;

	if (order >= 64 - PAGE_SHIFT || nr > ram >> PAGE_SHIFT >> order)
		return refuse(populate->reason, "preserved memory is larger than RAM (key, count)",
			      first, nr);
	block = PAGE_SIZE << order;
	bytes = nr * block;
	if (pa > ram - bytes)
		return refuse(populate->reason, "preserved memory lies outside RAM", pa, bytes);
	if (kho_scratch_overlap(kho, pa, bytes))
		return refuse(populate->reason, "preserved memory lies in scratch", pa, bytes);
	if (!pages_all_owned(kho->pages, pa, bytes >> PAGE_SHIFT, FRAME_FREE))
		return refuse(populate->reason, "preserved memory is not free", pa, bytes);
	if (range_tree_find_first(&kho->in, pa, pa + bytes - 1, &entry))
		return refuse(populate->reason, "preserved blocks overlap", entry.start, pa);
	if (!range_tree_paint(&kho->in, pa, pa + bytes - 1, order, false))
		return -ENOMEM;
	kho->nr_unclaimed += bytes >> PAGE_SHIFT;
	return 0;
}

/* Cannot fail for anything but memory: all of it has been found free, in RAM and disjoint. */
static int populate_reserve(struct kho *kho)
{
	struct range_entry entry;
	u64 from = 0;
	int err = 0;

	for (u32 i = 0; i < kho->nr_scratch && !err; i++)
		err = pages_reserve(kho->pages, kho->scratch[i].addr,
				    kho->scratch[i].size >> PAGE_SHIFT, FRAME_SCRATCH);
	while (!err && range_tree_find_first(&kho->in, from, ~0ull, &entry)) {
		err = pages_reserve(kho->pages, entry.start,
				    (entry.last - entry.start + 1) >> PAGE_SHIFT, FRAME_RESERVED);
		from = entry.last + 1;
	}
	return err;
}

static void populate_undo(struct kho *kho)
{
	struct kheap *heap = &kho->kernel->heap;

	kheap_free(heap, kho->in_fdt);
	kho->in_fdt = NULL;
	kheap_free(heap, kho->scratch);
	kho->scratch = NULL;
	kho->nr_scratch = 0;
	range_tree_clear(&kho->in);
	kho->nr_unclaimed = 0;
}

int kho_populate(struct kho *kho, const struct machine_boot_params *params, char *reason)
{
	struct populate populate = { .kho = kho, .reason = reason };
	struct kho_radix_walk_cb cb = { .run = populate_run, .ctx = &populate };
	pa_t radix_root;
	int err;

	err = populate_fdt(kho, params, &radix_root, reason);
	if (!err)
		err = populate_scratch(kho, params, reason);
	if (!err)
		err = kho_radix_walk(kho->mem, radix_root, &kho->pool, &cb, reason);
	if (err) {
		populate_undo(kho);
		return err == -ENOMEM ? err : 0;
	}
	return populate_reserve(kho);
}
