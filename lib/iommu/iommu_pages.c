/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Table pages (drivers/iommu/iommu-pages.c). The frames are owned as FRAME_TABLE, so that the
 * machine's checker knows that hardware may read them and that no device may write them.
 *
 * Invariants: a page on a list is all zero but for its first slot, which names the next page.
 * A page is not freed while it is marked for the next kernel: that would hand over whatever comes
 * to live there next. It is our bug, or a design's, and said so.
 *
 * Left out: orders above 0 (no format here has larger tables), NUMA, cache-incoherent walkers.
 */
#include "lib/iommu/iommu_pages.h"

#include <assert.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/kho/kho.h"
#include "lib/mm/page_alloc.h"
#include "sim/phys_mem.h"

int iommu_pages_alloc(struct kernel_base *kernel, pa_t *pa)
{
	return pages_alloc(kernel->page_alloc, 1, 0, FRAME_TABLE, pa);
}

void iommu_pages_free(struct kernel_base *kernel, pa_t pa)
{
	if (kernel->kho)
		WARN(kho_is_preserved(kernel->kho, pa),
		     "freed an IOMMU table page that is still preserved");
	pages_free(kernel->page_alloc, pa, 1);
}

void iommu_pages_list_add(struct kernel_base *kernel, struct iommu_pages_list *list, pa_t pa)
{
	u64 *table = phys_mem_ptr(kernel->mem, pa, PAGE_SIZE);

	assert(table && IS_ALIGNED(pa, PAGE_SIZE));
	table[0] = list->head;
	list->head = pa;
	list->nr_pages++;
}

u64 iommu_put_pages_list(struct kernel_base *kernel, struct iommu_pages_list *list)
{
	u64 nr_pages = list->nr_pages;

	while (list->head) {
		pa_t pa = list->head;
		const u64 *table = phys_mem_ptr(kernel->mem, pa, PAGE_SIZE);

		list->head = table[0];
		iommu_pages_free(kernel, pa);
	}
	list->nr_pages = 0;
	return nr_pages;
}

int iommu_preserve_page(struct kernel_base *kernel, pa_t pa)
{
	if (!kernel->kho)
		return -EOPNOTSUPP;
	return kho_preserve_folio_pa(kernel->kho, pa, 0);
}

void iommu_unpreserve_page(struct kernel_base *kernel, pa_t pa)
{
	if (kernel->kho)
		kho_unpreserve_folio_pa(kernel->kho, pa, 0);
}

bool iommu_page_is_restorable(struct kernel_base *kernel, pa_t pa)
{
	unsigned order;

	return kernel->kho && pa && IS_ALIGNED(pa, PAGE_SIZE) &&
	       phys_mem_ptr(kernel->mem, pa, PAGE_SIZE) &&
	       kho_is_restorable(kernel->kho, pa, &order) && order == 0;
}

int iommu_restore_page(struct kernel_base *kernel, pa_t pa)
{
	unsigned order;

	if (!iommu_page_is_restorable(kernel, pa))
		return -ENOENT;
	return kho_restore_folio_pa(kernel->kho, pa, FRAME_TABLE, &order);
}
