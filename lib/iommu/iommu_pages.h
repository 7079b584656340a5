/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Memory for tables that hardware walks (drivers/iommu/iommu-pages.c): page tables, root and
 * context tables. Always one zeroed 4 KiB frame, named by its physical address.
 */
#ifndef LIB_IOMMU_IOMMU_PAGES_H
#define LIB_IOMMU_IOMMU_PAGES_H

#include "lib/base/kernel_base.h"

/*
 * Tables that software has unlinked but hardware may still be walking, until the IOTLB is flushed.
 * Linux chains them through struct page; there is none here, so the chain runs through the first
 * slot of the pages themselves. A page-aligned address has neither R, W nor P set: to a walker
 * the chain is a table without entries.
 */
struct iommu_pages_list {
	pa_t head;              /* 0: empty */
	u64 nr_pages;
};

/* -ENOMEM */
int iommu_pages_alloc(struct kernel_base *kernel, pa_t *pa);
void iommu_pages_free(struct kernel_base *kernel, pa_t pa);
void iommu_pages_list_add(struct kernel_base *kernel, struct iommu_pages_list *list, pa_t pa);
/* Frees all of @list; returns how many. The flush must have been done. */
u64 iommu_put_pages_list(struct kernel_base *kernel, struct iommu_pages_list *list);

/* KHO marks. -EOPNOTSUPP: no KHO; -ENOMEM. */
int iommu_preserve_page(struct kernel_base *kernel, pa_t pa);
void iommu_unpreserve_page(struct kernel_base *kernel, pa_t pa);
/* Is it a page that the previous kernel preserved as one 4 KiB folio, and nobody claimed yet? */
bool iommu_page_is_restorable(struct kernel_base *kernel, pa_t pa);
/* Claims it. -ENOENT if it is not restorable; nothing changed then. */
int iommu_restore_page(struct kernel_base *kernel, pa_t pa);

#endif
