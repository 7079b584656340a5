/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A heap in memory that survives fork() as one and the same: children see what the parent stores,
 * at the same address, so that pointers mean the same everywhere. All mutable state of a machine
 * lies here and in the arena, which is shared as well; with that, several host processes work on
 * one machine, each running its own system calls. Who does so takes turns: nothing here locks.
 *
 * The region is reserved whole when it is made, since what a process maps later its relatives do
 * not see. Blocks are powers of two, cut from the front of the region, and kept in a list for each
 * size when they are free:
 *
 *   | struct shared_heap | order | next | bytes ... | order | next | bytes ... |  never used: zero
 *
 * Left out: splitting and joining of blocks, giving memory back to the host.
 */
#include "sim/shared_heap.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGION_BYTES (16ull << 30)      /* of address space; costs what is touched */
#define MIN_ORDER 6u
#define MAX_ORDER 34u

struct shared_block {
	u64 order;                      /* 2^order bytes, this structure included */
	struct shared_block *next;      /* the next free one of its size */
};

struct shared_heap {
	u64 used;
	struct shared_block *free[MAX_ORDER + 1];
};

_Static_assert(sizeof(struct shared_block) == 16, "blocks are aligned to 16");

struct shared_heap *shared_heap_new(void)
{
	struct shared_heap *heap = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (heap == MAP_FAILED)
		return NULL;
	heap->used = ALIGN_UP(sizeof(*heap), BIT_ULL(MIN_ORDER));
	return heap;
}

void shared_heap_delete(struct shared_heap *heap)
{
	if (heap)
		munmap(heap, REGION_BYTES);
}

static unsigned order_for(size_t size)
{
	unsigned order = MIN_ORDER;

	while (order <= MAX_ORDER && BIT_ULL(order) - sizeof(struct shared_block) < size)
		order++;
	return order;
}

void *shared_heap_alloc(struct shared_heap *heap, size_t size)
{
	struct shared_block *block;
	unsigned order;

	if (!heap)
		return calloc(1, size);
	order = order_for(size);
	if (order > MAX_ORDER)
		return NULL;
	block = heap->free[order];
	if (block) {
		heap->free[order] = block->next;
		return memset(block + 1, 0, size);
	}
	if (BIT_ULL(order) > REGION_BYTES - heap->used)
		return NULL;
	block = (struct shared_block *)((u8 *)heap + heap->used);
	heap->used += BIT_ULL(order);
	block->order = order;
	return block + 1;
}

void *shared_heap_realloc(struct shared_heap *heap, void *ptr, size_t size)
{
	struct shared_block *block;
	size_t room;
	void *moved;

	if (!heap)
		return realloc(ptr, size);
	if (!ptr)
		return shared_heap_alloc(heap, size);
	block = (struct shared_block *)ptr - 1;
	room = BIT_ULL(block->order) - sizeof(*block);
	if (size <= room)
		return ptr;
	moved = shared_heap_alloc(heap, size);
	if (!moved)
		return NULL;
	memcpy(moved, ptr, room);
	shared_heap_free(heap, ptr);
	return moved;
}

void shared_heap_free(struct shared_heap *heap, void *ptr)
{
	struct shared_block *block;

	if (!heap) {
		free(ptr);
		return;
	}
	if (!ptr)
		return;
	block = (struct shared_block *)ptr - 1;
	assert(block->order >= MIN_ORDER && block->order <= MAX_ORDER);
	block->next = heap->free[block->order];
	heap->free[block->order] = block;
}
