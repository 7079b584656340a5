/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The heap of one kernel. Each block carries a header that links it into the heap's list, oldest
 * first, so that what was never freed can be named and so that a kexec can drop everything at once.
 *
 *   +------+------+------+-------+-------------------+
 *   | next | prev | size | site  | the caller's bytes|     malloc() alignment (16) is kept
 *   +------+------+------+-------+-------------------+
 *
 * Freed and dropped bytes are overwritten with KHEAP_POISON before the host gets them back: a stale
 * pointer into a dead kernel reads 0x6b6b..., never yesterday's plausible value. ASan, where it is
 * on, sees each block as an allocation of its own.
 *
 * Left out: size classes. Where the memory comes from has them.
 */
#include "lib/base/kheap.h"

#include <assert.h>

#include "sim/shared_heap.h"

struct kheap_block {
	struct list_head list;
	size_t size;
	const char *site;
};

_Static_assert(sizeof(struct kheap_block) % 16 == 0, "blocks keep malloc's alignment");

static struct kheap_block *block_of(const void *ptr)
{
	struct kheap_block *block = (struct kheap_block *)ptr - 1;

	assert(block->list.next->prev == &block->list);         /* freed twice, or not ours */
	return block;
}

void kheap_init(struct kheap *heap, struct fail_points *fail, struct shared_heap *memory)
{
	INIT_LIST_HEAD(&heap->blocks);
	heap->nr_blocks = 0;
	heap->nr_bytes = 0;
	heap->fail = fail;
	heap->memory = memory;
}

void *kheap_alloc_at(struct kheap *heap, enum fail_point point, size_t size, const char *site)
{
	struct kheap_block *block;
	size_t bytes;

	if (heap->fail && fail_alloc_hit(heap->fail, point, site, size))
		return NULL;
	if (check_add_overflow(size, sizeof(*block), &bytes))
		return NULL;
	block = shared_heap_alloc(heap->memory, bytes);
	if (!block)
		return NULL;
	block->size = size;
	block->site = site;
	list_add_tail(&block->list, &heap->blocks);
	heap->nr_blocks++;
	heap->nr_bytes += size;
	return block + 1;
}

void *kheap_alloc(struct kheap *heap, size_t size, const char *site)
{
	return kheap_alloc_at(heap, FAIL_KMALLOC, size, site);
}

void *kheap_realloc(struct kheap *heap, void *ptr, size_t size, const char *site)
{
	struct kheap_block *block, *moved;
	size_t old_size, bytes;

	if (!ptr)
		return kheap_alloc(heap, size, site);
	if (heap->fail && fail_alloc_hit(heap->fail, FAIL_KMALLOC, site, size))
		return NULL;
	if (check_add_overflow(size, sizeof(*block), &bytes))
		return NULL;
	block = block_of(ptr);
	old_size = block->size;
	moved = shared_heap_realloc(heap->memory, block, bytes);
	if (!moved)
		return NULL;
	/* The neighbours still point at where the block was. */
	moved->list.prev->next = &moved->list;
	moved->list.next->prev = &moved->list;
	if (size > old_size)
		memset((u8 *)(moved + 1) + old_size, 0, size - old_size);
	moved->size = size;
	moved->site = site;
	heap->nr_bytes += size - old_size;
	return moved + 1;
}

static void block_drop(struct kheap *heap, struct kheap_block *block)
{
	list_del(&block->list);
	heap->nr_blocks--;
	heap->nr_bytes -= block->size;
	memset(block, KHEAP_POISON, sizeof(*block) + block->size);
	/* Keeps the compiler from dropping the poison as a store nobody reads. */
	__asm__ volatile("" : : "r"(block) : "memory");
	shared_heap_free(heap->memory, block);
}

void kheap_free(struct kheap *heap, const void *ptr)
{
	if (ptr)
		block_drop(heap, block_of(ptr));
}

void kheap_drop(struct kheap *heap)
{
	struct kheap_block *block, *next;

	list_for_each_entry_safe(block, next, &heap->blocks, list)
		block_drop(heap, block);
	assert(heap->nr_blocks == 0 && heap->nr_bytes == 0);
}

void kheap_for_each(const struct kheap *heap,
		    void (*fn)(void *ctx, const char *site, size_t size), void *ctx)
{
	const struct kheap_block *block;

	list_for_each_entry(block, &heap->blocks, list)
		fn(ctx, block->site, block->size);
}
