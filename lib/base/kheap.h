/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * All host memory of one kernel. May return NULL (always handled), counts, names what leaked, and
 * is dropped whole at kexec: every block is poisoned and given back without any destructor running.
 */
#ifndef LIB_BASE_KHEAP_H
#define LIB_BASE_KHEAP_H

#include <iommufd-sim/proto/list.h>

#include "lib/base/fail_point.h"

#define KHEAP_POISON 0x6b

struct shared_heap;             /* sim/shared_heap.h */

struct kheap {
	struct list_head blocks;
	struct shared_heap *memory;     /* of the machine; NULL: the C library's heap */
	u64 nr_blocks, nr_bytes;
	struct fail_points *fail;       /* may be NULL */
};

void kheap_init(struct kheap *heap, struct fail_points *fail, struct shared_heap *memory);
/* Zeroed. @site is a string that lives for ever: who allocates. */
void *kheap_alloc(struct kheap *heap, size_t size, const char *site);
/* The same, for an allocation that has a fail point of its own. */
void *kheap_alloc_at(struct kheap *heap, enum fail_point point, size_t size, const char *site);
/* Contents move; NULL leaves @ptr alone. @ptr NULL allocates. The new part is zeroed. */
void *kheap_realloc(struct kheap *heap, void *ptr, size_t size, const char *site);
void kheap_free(struct kheap *heap, const void *ptr);  /* NULL is fine; poisons */
/* The kexec: everything goes. */
void kheap_drop(struct kheap *heap);
/* Calls @fn for each live block, oldest first. */
void kheap_for_each(const struct kheap *heap,
		    void (*fn)(void *ctx, const char *site, size_t size), void *ctx);

#define kheap_new(heap, type) ((type *)kheap_alloc(heap, sizeof(type), #type))

#endif
