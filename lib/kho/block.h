/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Block sets: fixed-size records in a chain of preserved pages (lib/abi/kho.h draws a block). LUO
 * keeps sessions and files in them.
 *
 * A pointer to an entry is a host pointer into RAM: it lives within one function.
 */
#ifndef LIB_KHO_BLOCK_H
#define LIB_KHO_BLOCK_H

#include <iommufd-sim/proto/list.h>

#include "lib/kho/kho.h"

#define KHO_MAX_BLOCKS 10000

struct kho_block;

struct kho_block_set {
	struct kho *kho;
	struct list_head blocks;
	u64 nblocks;
	pa_t head_pa;           /* 0: empty */
	u64 entry_size;
	u64 count_per_block;
	bool incoming;          /* from the previous kernel: may not grow */
};

struct kho_block_set_it {
	struct kho_block_set *bs;
	struct kho_block *block;
	u64 i;
};

void kho_block_set_init(struct kho_block_set *bs, struct kho *kho, u64 entry_size);
/* Room for @count entries in all. -EINVAL (incoming), -ENOSPC, -ENOMEM; nothing changed then. */
int kho_block_set_grow(struct kho_block_set *bs, u64 count);
void kho_block_set_shrink(struct kho_block_set *bs, u64 count);
/*
 * Takes over a chain. -EINVAL: cycle, bad count or address; -ENOSPC: too long; -ENOMEM: all is as
 * before.
 */
int kho_block_set_restore(struct kho_block_set *bs, pa_t head_pa);
/* Gives a set that was taken over back, so that it can be restored again. Cannot fail. */
void kho_block_set_unrestore(struct kho_block_set *bs);
void kho_block_set_destroy(struct kho_block_set *bs);
void kho_block_set_clear(struct kho_block_set *bs);
bool kho_block_set_is_empty(const struct kho_block_set *bs);

void kho_block_set_it_init(struct kho_block_set_it *it, struct kho_block_set *bs);
void *kho_block_set_it_reserve_entry(struct kho_block_set_it *it);
void *kho_block_set_it_read_entry(struct kho_block_set_it *it);
void *kho_block_set_it_prev(struct kho_block_set_it *it);

#endif
