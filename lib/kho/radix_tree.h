/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A set of 53-bit keys in pages of RAM, readable by the next kernel (lib/abi/kho.h draws it).
 * Ranges of keys are added, deleted and delivered by whole words; the bytes are those of one key at
 * a time.
 */
#ifndef LIB_KHO_RADIX_TREE_H
#define LIB_KHO_RADIX_TREE_H

#include <iommufd-sim/proto/lock.h>

#include "lib/abi/kho.h"
#include "lib/mm/page_alloc.h"
#include "sim/phys_mem.h"
#include "sim/range_tree.h"

struct kho_radix_tree {
	struct kernel_base *kernel;
	struct page_alloc *pages;
	pa_t root;              /* 0: no tree */
	struct mutex lock;
};

/* The nodes a change has added so far, so that a failed change can take them out again. */
#define KHO_RADIX_TXN_INLINE 16
struct kho_radix_txn {
	pa_t inline_slots[KHO_RADIX_TXN_INLINE];
	pa_t *slots;            /* pa of the table slot that names the new node */
	u32 nr, capacity;
};

u64 kho_encode_radix_key(pa_t pa, unsigned order);
pa_t kho_decode_radix_key(u64 key, unsigned *order);

/* A tree of one empty node. -ENOMEM. */
int kho_radix_init_tree(struct kho_radix_tree *tree, struct kernel_base *kernel);
void kho_radix_destroy_tree(struct kho_radix_tree *tree);

/*
 * Adding in two steps, lock held: reserve makes the nodes (-EINVAL no tree, -ERANGE key too wide,
 * -ENOMEM) for any number of ranges, then either set, which cannot fail, or abort.
 */
void kho_radix_txn_init(struct kho_radix_txn *txn);
int kho_radix_reserve(struct kho_radix_tree *tree, u64 first, u64 last, struct kho_radix_txn *txn);
void kho_radix_txn_commit(struct kho_radix_tree *tree, struct kho_radix_txn *txn);
void kho_radix_txn_abort(struct kho_radix_tree *tree, struct kho_radix_txn *txn);
u64 kho_radix_set(struct kho_radix_tree *tree, u64 first, u64 last);   /* how many were clear */

/* Linux's calls, which take the lock. Adding is idempotent; deleting never frees a node. */
int kho_radix_add_key(struct kho_radix_tree *tree, u64 key);
/* How many were set. */
u64 kho_radix_del_keys(struct kho_radix_tree *tree, u64 first, u64 last);
bool kho_radix_has_key(struct kho_radix_tree *tree, u64 key);
/* How many keys from @first on are set without a gap, up to @last. */
u64 kho_radix_nr_set_from(struct kho_radix_tree *tree, u64 first, u64 last);

struct kho_radix_walk_cb {
	int (*node)(void *ctx, pa_t pa);                /* may be NULL; before its content */
	/* Consecutive keys of one order, ascending. */
	int (*run)(void *ctx, u64 first, u64 nr);
	void *ctx;
};

/*
 * Walks a tree that is input: -EINVAL with @reason (256 bytes) if a node lies outside RAM, is not
 * page aligned or appears twice, or a key is out of range. -ENOMEM. The first nonzero result of a
 * callback ends the walk and is returned. Nodes for the bookkeeping come from @pool.
 */
int kho_radix_walk(struct phys_mem *mem, pa_t root, struct range_pool *pool,
		   const struct kho_radix_walk_cb *cb, char *reason);

#endif
