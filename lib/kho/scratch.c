/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Scratch: memory in which no kernel keeps anything that must stay, so that the next one can start
 * in it (kho_reserve_scratch(), kho_scratch_overlap()). It is chosen once, on the first boot, and
 * handed from kernel to kernel.
 *
 * Unlike Linux: one area instead of one for low memory, one global and one per node; the page
 * allocator never gives scratch to anybody (Linux lends it out as movable memory).
 */
#include "lib/kho/kho_internal.h"

#include <iommufd-sim/proto/bug.h>

int kho_scratch_new(struct kho *kho, u64 bytes)
{
	u64 align = PAGE_SIZE << MAX_PAGE_ORDER;
	u64 size = ALIGN_UP(bytes, align);
	pa_t pa;
	int err;

	if (!bytes || size < bytes)
		return -EINVAL;
	kho->scratch = kheap_alloc(&kho->kernel->heap, sizeof(*kho->scratch), "kho_scratch");
	if (!kho->scratch)
		return -ENOMEM;
	err = pages_alloc(kho->pages, size >> PAGE_SHIFT, MAX_PAGE_ORDER, FRAME_SCRATCH, &pa);
	if (err) {
		kheap_free(&kho->kernel->heap, kho->scratch);
		kho->scratch = NULL;
		return err;
	}
	kho->scratch[0] = (struct kho_scratch){ .addr = pa, .size = size };
	kho->nr_scratch = 1;
	return 0;
}

void kho_scratch_free(struct kho *kho)
{
	for (u32 i = 0; i < kho->nr_scratch; i++)
		pages_free(kho->pages, kho->scratch[i].addr, kho->scratch[i].size >> PAGE_SHIFT);
	kheap_free(&kho->kernel->heap, kho->scratch);
	kho->scratch = NULL;
	kho->nr_scratch = 0;
}

bool kho_scratch_overlap(const struct kho *kho, pa_t pa, u64 length)
{
	for (u32 i = 0; i < kho->nr_scratch; i++) {
		const struct kho_scratch *area = &kho->scratch[i];

		if (pa < area->addr + area->size && pa + length > area->addr)
			return true;
	}
	return false;
}

/*
 * kho_fill_kimage(): the array goes to the top of the first scratch area it fits in, 64 KiB
 * aligned, as any segment of the new kernel would.
 */
void kho_fill_boot_params(struct kho *kho, struct machine_boot_params *out)
{
	u64 bytes = kho->nr_scratch * sizeof(*kho->scratch);

	memset(out, 0, sizeof(*out));
	if (!kho->enabled || !kho->fdt_pa)
		return;
	for (u32 i = 0; i < kho->nr_scratch; i++) {
		const struct kho_scratch *area = &kho->scratch[i];
		pa_t pa = ALIGN_DOWN(area->addr + area->size - bytes, 64 * 1024ull);

		if (area->size < bytes || pa < area->addr)
			continue;
		memcpy(phys_mem_ptr(kho->mem, pa, bytes), kho->scratch, bytes);
		*out = (struct machine_boot_params){
			.kho_fdt_pa = kho->fdt_pa,
			.kho_fdt_bytes = PAGE_SIZE,
			.kho_scratch_pa = pa,
			.kho_scratch_bytes = bytes,
		};
		return;
	}
	pr_warn("KHO: no scratch area has room for %llu bytes, nothing is handed over",
		(unsigned long long)bytes);
}
