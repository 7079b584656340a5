/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Where the host side of a machine and of its kernels lives: in the C library's heap, or in a
 * region that all forked children of a host process share with it at the same address.
 */
#ifndef SIM_SHARED_HEAP_H
#define SIM_SHARED_HEAP_H

#include <iommufd-sim/proto/types.h>

struct shared_heap;

/* NULL: the host has no address space left. */
struct shared_heap *shared_heap_new(void);
/* All that was allocated goes with it. NULL is fine. */
void shared_heap_delete(struct shared_heap *heap);

/* As calloc(1, size), realloc() and free(), which they are with @heap NULL. Aligned to 16. */
void *shared_heap_alloc(struct shared_heap *heap, size_t size);
void *shared_heap_realloc(struct shared_heap *heap, void *ptr, size_t size);
void shared_heap_free(struct shared_heap *heap, void *ptr);

#endif
