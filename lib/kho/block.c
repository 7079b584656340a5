/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Block sets (kernel/liveupdate/kho_block.c).
 *
 * Invariants: nblocks is the length of the list; head_pa is the first block's address or 0; each
 * block's next is the following block's address or 0. The list, not the chain in RAM, is what we
 * walk once a set is made or taken over.
 *
 * Unlike Linux: blocks are named by physical address; a set that is taken over claims its pages at
 * once, so that no page can be part of two chains; and an address that is no preserved page is
 * refused (Linux would follow it), leaving the chain as it is.
 */
#include "lib/kho/block.h"

#include <iommufd-sim/proto/bug.h>

#include "lib/kho/kho_internal.h"

struct kho_block {
	struct list_head list;
	pa_t pa;
};

static struct kho_block_header_ser *block_ser(const struct kho_block_set *bs, pa_t pa)
{
	return phys_mem_ptr(bs->kho->mem, pa, KHO_BLOCK_SIZE);
}

static struct kho_block *last_block(struct kho_block_set *bs)
{
	return list_empty(&bs->blocks) ? NULL :
	       list_last_entry(&bs->blocks, struct kho_block, list);
}

void kho_block_set_init(struct kho_block_set *bs, struct kho *kho, u64 entry_size)
{
	*bs = (struct kho_block_set){
		.kho = kho,
		.entry_size = entry_size,
		.count_per_block =
			(KHO_BLOCK_SIZE - sizeof(struct kho_block_header_ser)) / entry_size,
	};
	INIT_LIST_HEAD(&bs->blocks);
	WARN_ON_ONCE(!bs->count_per_block);
}

bool kho_block_set_is_empty(const struct kho_block_set *bs)
{
	return list_empty(&bs->blocks);
}

static int kho_block_add(struct kho_block_set *bs, pa_t pa)
{
	struct kho_block *block, *last = last_block(bs);

	if (bs->nblocks >= KHO_MAX_BLOCKS)
		return -ENOSPC;
	block = kheap_new(&bs->kho->kernel->heap, struct kho_block);
	if (!block)
		return -ENOMEM;
	block->pa = pa;
	list_add_tail(&block->list, &bs->blocks);
	bs->nblocks++;
	if (last)
		block_ser(bs, last->pa)->next = pa;
	else
		bs->head_pa = pa;
	return 0;
}

static void free_page_of(struct kho_block_set *bs, pa_t pa)
{
	if (bs->incoming)
		pages_free(bs->kho->pages, pa, 1);
	else
		kho_unpreserve_free_pa(bs->kho, pa);
}

static int grow_one(struct kho_block_set *bs)
{
	pa_t pa;
	int err = kho_alloc_preserve_pa(bs->kho, KHO_BLOCK_SIZE, &pa);

	if (err)
		return err;
	err = kho_block_add(bs, pa);
	if (err)
		kho_unpreserve_free_pa(bs->kho, pa);
	return err;
}

static void shrink_one(struct kho_block_set *bs)
{
	struct kho_block *last = last_block(bs);

	list_del(&last->list);
	bs->nblocks--;
	free_page_of(bs, last->pa);
	kheap_free(&bs->kho->kernel->heap, last);
	last = last_block(bs);
	if (last)
		block_ser(bs, last->pa)->next = 0;
	else
		bs->head_pa = 0;
}

int kho_block_set_grow(struct kho_block_set *bs, u64 count)
{
	u64 before = bs->nblocks;
	int err;

	if (WARN_ON_ONCE(bs->incoming))
		return -EINVAL;
	while (count > bs->nblocks * bs->count_per_block) {
		err = grow_one(bs);
		if (err)
			goto shrink;
	}
	return 0;

shrink:
	while (bs->nblocks > before)
		shrink_one(bs);
	return err;
}

void kho_block_set_shrink(struct kho_block_set *bs, u64 count)
{
	while (bs->nblocks && count <= (bs->nblocks - 1) * bs->count_per_block)
		shrink_one(bs);
}

/* The next block of a chain that is input. False: there is no preserved page of that address. */
static bool chain_next(const struct kho_block_set *bs, pa_t *pa)
{
	unsigned order;

	*pa = block_ser(bs, *pa)->next;
	return !*pa || (kho_is_restorable(bs->kho, *pa, &order) && !order);
}

/* Floyd, with Linux's bound of two steps for each of 10000 rounds. */
static int check_chain(const struct kho_block_set *bs, pa_t head_pa)
{
	pa_t fast = head_pa, slow = head_pa;
	unsigned order;

	if (!kho_is_restorable(bs->kho, head_pa, &order) || order)
		return -EINVAL;
	for (unsigned round = 0; ; round++) {
		if (round >= KHO_MAX_BLOCKS)
			return -EINVAL;
		for (unsigned step = 0; step < 2; step++) {
			if (!chain_next(bs, &fast))
				return -EINVAL;
			if (!fast)
				return 0;
		}
		chain_next(bs, &slow);
		if (slow == fast)
			return -EINVAL;
	}
}

int kho_block_set_restore(struct kho_block_set *bs, pa_t head_pa)
{
	pa_t pa = head_pa;
	int err;

	bs->incoming = true;
	if (!head_pa)
		return 0;
	if (check_chain(bs, head_pa)) {
		pr_err("KHO: block set at 0x%llx is corrupted", (unsigned long long)head_pa);
		return -EINVAL;
	}
	while (pa) {
		const struct kho_block_header_ser *ser = block_ser(bs, pa);

		if (!ser->count || ser->count > bs->count_per_block) {
			pr_warn("KHO: block contains invalid entry count: %llu",
				(unsigned long long)ser->count);
			err = -EINVAL;
			goto destroy;
		}
		err = kho_restore_folio_pa(bs->kho, pa, FRAME_KERNEL, NULL);
		if (err)
			goto destroy;
		err = kho_block_add(bs, pa);
		if (err) {
			kho_unrestore_folios(bs->kho, pa, 1, 0);
			goto destroy;
		}
		pa = ser->next;
	}
	return 0;

destroy:
	/* Unlike Linux: want of memory is no fault of the chain, it can be tried again. */
	if (err == -ENOMEM) {
		kho_block_set_unrestore(bs);
		return err;
	}
	kho_block_set_destroy(bs);
	/* The rest of the chain goes too. */
	while (pa) {
		pa_t next = block_ser(bs, pa)->next;

		kho_restore_free_pa(bs->kho, pa);
		pa = next;
	}
	return err;
}

void kho_block_set_unrestore(struct kho_block_set *bs)
{
	struct kho_block *block, *next;

	list_for_each_entry_safe(block, next, &bs->blocks, list) {
		list_del(&block->list);
		kho_unrestore_folios(bs->kho, block->pa, 1, 0);
		kheap_free(&bs->kho->kernel->heap, block);
	}
	bs->nblocks = 0;
	bs->head_pa = 0;
}

void kho_block_set_destroy(struct kho_block_set *bs)
{
	struct kho_block *block, *next;

	list_for_each_entry_safe(block, next, &bs->blocks, list) {
		list_del(&block->list);
		free_page_of(bs, block->pa);
		kheap_free(&bs->kho->kernel->heap, block);
	}
	bs->nblocks = 0;
	bs->head_pa = 0;
}

void kho_block_set_clear(struct kho_block_set *bs)
{
	struct kho_block *block;

	list_for_each_entry(block, &bs->blocks, list) {
		struct kho_block_header_ser *ser = block_ser(bs, block->pa);

		ser->count = 0;
		memset(ser + 1, 0, KHO_BLOCK_SIZE - sizeof(*ser));
	}
}

static void *entry_of(struct kho_block_set_it *it, u64 index)
{
	return (char *)(block_ser(it->bs, it->block->pa) + 1) + index * it->bs->entry_size;
}

void kho_block_set_it_init(struct kho_block_set_it *it, struct kho_block_set *bs)
{
	it->bs = bs;
	it->block = list_empty(&bs->blocks) ? NULL :
		    list_first_entry(&bs->blocks, struct kho_block, list);
	it->i = 0;
}

/* Steps to the first slot of the next block, if @it stands behind slot @limit of its own. */
static bool step_block(struct kho_block_set_it *it, u64 limit)
{
	if (!it->block)
		return false;
	if (it->i < limit)
		return true;
	if (it->block->list.next == &it->bs->blocks)
		return false;
	it->block = list_next_entry(it->block, list);
	it->i = 0;
	return true;
}

void *kho_block_set_it_reserve_entry(struct kho_block_set_it *it)
{
	void *entry;

	if (!step_block(it, it->bs->count_per_block))
		return NULL;
	entry = entry_of(it, it->i++);
	block_ser(it->bs, it->block->pa)->count = it->i;
	return entry;
}

void *kho_block_set_it_read_entry(struct kho_block_set_it *it)
{
	u64 count = it->block ? block_ser(it->bs, it->block->pa)->count : 0;

	if (!step_block(it, min(count, it->bs->count_per_block)))
		return NULL;
	return entry_of(it, it->i++);
}

void *kho_block_set_it_prev(struct kho_block_set_it *it)
{
	if (!it->block)
		return NULL;
	if (!it->i) {
		if (it->block->list.prev == &it->bs->blocks)
			return NULL;
		it->block = list_prev_entry(it->block, list);
		it->i = it->bs->count_per_block;
	}
	return entry_of(it, --it->i);
}
