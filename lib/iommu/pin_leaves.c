/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Pins of every frame that a set of tables leads to. Linux has nothing like it yet: the tables that
 * a kernel takes over from its predecessor hold no reference on the memory behind them. A design
 * that wants one (folio_get() for each leaf of a restored domain) finds it here.
 *
 * Pins are kept as runs, so that the cost grows with runs of leaves and not with memory.
 */
#include "lib/iommu/iommu_private.h"

#include "lib/mm/user_mem.h"

struct pt_pins {
	struct pfn_runs runs;
};

static int add_leaves(void *ctx, iova_t iova, pa_t pa, u64 length, int prot)
{
	struct pt_pins *pins = ctx;

	return pfn_runs_add(&current->kernel->heap, &pins->runs, pa, length >> PAGE_SHIFT);
}

int ifs_pt_pin_leaves(const struct pt_iommu *pt, struct pt_pins **out)
{
	struct kernel_base *kernel = current->kernel;
	struct pt_pins *pins = kheap_new(&kernel->heap, struct pt_pins);
	int ret;

	if (!pins)
		return -ENOMEM;
	/* At boot there is no process yet that would hold it. */
	ret = user_mem_get(kernel);
	if (ret)
		goto free_pins;
	ret = ifs_pt_for_each_leaf(pt, add_leaves, pins);
	if (!ret)
		ret = frames_pin(kernel, &pins->runs);
	if (ret)
		goto put_user_mem;
	*out = pins;
	return 0;

put_user_mem:
	pfn_runs_deinit(&kernel->heap, &pins->runs);
	user_mem_put(kernel);
free_pins:
	kheap_free(&kernel->heap, pins);
	return ret;
}

void ifs_pt_unpin_leaves(struct pt_pins *pins)
{
	struct kernel_base *kernel = current->kernel;

	if (!pins)
		return;
	frames_unpin(kernel, &pins->runs);
	pfn_runs_deinit(&kernel->heap, &pins->runs);
	user_mem_put(kernel);
	kheap_free(&kernel->heap, pins);
}
