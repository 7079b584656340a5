/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Which frames of RAM are free, and who owns the others. Kept per range, never per page: a 1 TiB
 * machine costs a few entries. First fit from below, so that the same calls give the same frames.
 *
 * After a KHO boot, what the previous kernel preserved is RESERVED until a restore call claims it.
 * Scratch areas are never handed out: the next kernel must find them free.
 * Every change of owner is told to the machine's DMA checker.
 */
#ifndef LIB_MM_PAGE_ALLOC_H
#define LIB_MM_PAGE_ALLOC_H

#include "lib/base/kernel_base.h"
#include "sim/dma_check.h"

/*
 * Page structs do not exist; orders of preserved folios travel in KHO's keys and in memfd extents.
 */
struct page_alloc;

/*
 * All of RAM free except pfn 0 (physical address 0 never names a page: Linux keeps it reserved
 * too).
 */
int page_alloc_new(struct kernel_base *kernel, struct page_alloc **out);
void page_alloc_free(struct page_alloc *pages);

/*
 * @nr_pages contiguous frames, aligned to 2^@align_order pages, zeroed. -ENOMEM: none, or injected.
 */
int pages_alloc(struct page_alloc *pages, u64 nr_pages, unsigned align_order,
		enum frame_owner owner, pa_t *pa);
/*
 * As many contiguous frames as there are in one piece, at least 2^@align_order, at most @max_pages
 * (a multiple of 2^@align_order): how a file gets its extents.
 */
int pages_alloc_extent(struct page_alloc *pages, u64 max_pages, unsigned align_order,
		       enum frame_owner owner, pa_t *pa, u64 *nr_pages);
/* Any part of what was allocated. Contents are poisoned, except memfd's, which are dropped. */
void pages_free(struct page_alloc *pages, pa_t pa, u64 nr_pages);
/* At boot: FREE -> @owner (RESERVED, SCRATCH). -EINVAL outside RAM or not free. */
int pages_reserve(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner);
/* RESERVED -> @owner, contents untouched. -ENOENT if any page of it is not RESERVED. */
int pages_claim(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner);
void pages_set_owner(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner);
enum frame_owner pages_owner(struct page_alloc *pages, pa_t pa);
/* True if every page of the range has that owner. */
bool pages_all_owned(struct page_alloc *pages, pa_t pa, u64 nr_pages, enum frame_owner owner);
u64 pages_count(const struct page_alloc *pages, enum frame_owner owner);
const char *page_alloc_check(const struct page_alloc *pages);

#endif
