/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Reference counts per page, kept per range of pages with the same count: what folio->_refcount is
 * in Linux, without a structure for each page. A bit beside the count marks pages whose owner is
 * gone.
 *
 * The trees live in a pool in the kernel's heap. What must not fail (dropping a reference, giving
 * up a page) allocates as Linux does with __GFP_NOFAIL: past any injected failure.
 */
#ifndef LIB_MM_RANGE_COUNT_H
#define LIB_MM_RANGE_COUNT_H

#include "lib/base/kernel_base.h"
#include "sim/range_tree.h"

/* Nodes from @kernel's heap. */
void range_pool_init_kheap(struct range_pool *pool, struct kernel_base *kernel);

/* Each page of [first, last] gains a reference. False: no memory, nothing changed. */
bool range_count_inc(struct range_tree *tree, u64 first, u64 last);
/*
 * Each loses one (nofail). @zero is called for ranges that have none left, @marked if they carried
 * the mark; they are no longer in the tree then.
 */
void range_count_dec(struct range_tree *tree, struct kernel_base *kernel, u64 first, u64 last,
		     void (*zero)(void *ctx, u64 first, u64 last, bool marked), void *ctx);
/* Marks the pages that have references, calls @zero for those that have none (nofail). */
void range_count_mark(struct range_tree *tree, struct kernel_base *kernel, u64 first, u64 last,
		      void (*zero)(void *ctx, u64 first, u64 last, bool marked), void *ctx);
/* References to pages of [first, last], summed. */
u64 range_count_sum(const struct range_tree *tree, u64 first, u64 last);

#endif
