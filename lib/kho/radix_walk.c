/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Reading the tree that the previous kernel left (kho_radix_walk_tree() at boot). It is input: five
 * levels at most, every node within RAM and met once only, no key wider than 53 bits.
 *
 * Unlike Linux: keys come in runs, so that a guest of 2^28 order-0 pages costs 2^22 words and one
 * callback, and the tree is checked. Linux follows whatever the tables name.
 */
#include "lib/kho/radix_tree.h"

#include <stdio.h>

#define REASON_BYTES 256

struct radix_walk {
	struct phys_mem *mem;
	const struct kho_radix_walk_cb *cb;
	struct range_tree seen;         /* node pages met so far */
	char *reason;
	u64 run_first, run_nr;          /* not delivered yet */
};

static int walk_flush(struct radix_walk *walk)
{
	u64 nr = walk->run_nr;

	walk->run_nr = 0;
	return nr ? walk->cb->run(walk->cb->ctx, walk->run_first, nr) : 0;
}

/* @nr keys from @key are set. A power of two starts the keys of the next smaller order. */
static int walk_keys(struct radix_walk *walk, u64 key, u64 nr)
{
	int err = 0;

	if (walk->run_nr && key == walk->run_first + walk->run_nr && (key & (key - 1))) {
		walk->run_nr += nr;
		return 0;
	}
	err = walk_flush(walk);
	walk->run_first = key;
	walk->run_nr = nr;
	return err;
}

/* The set bits of one word whose bit 0 is @key, run by run. */
static int walk_word(struct radix_walk *walk, u64 key, u64 word)
{
	int err = 0;

	while (word && !err) {
		unsigned lo = __builtin_ctzll(word);
		u64 ones = ~(word >> lo);
		unsigned nr = ones ? (unsigned)__builtin_ctzll(ones) : 64;

		/* Below 64 every bit of a word may be of another order: single keys there. */
		if (key < 64)
			nr = 1;
		err = walk_keys(walk, key + lo, nr);
		word &= lo + nr < 64 ? ~0ull << (lo + nr) : 0;
	}
	return err;
}

static int walk_leaf(struct radix_walk *walk, const u64 *words, u64 key)
{
	int err = 0;

	if (!key && words[0] & 1) {
		snprintf(walk->reason, REASON_BYTES, "the preserved memory map holds key 0");
		return -EINVAL;
	}
	for (unsigned w = 0; w < PAGE_SIZE / 8 && !err; w++)
		if (words[w])
			err = walk_word(walk, key + w * 64, words[w]);
	return err;
}

/* Is @pa fit to be a node, and is this the first time we meet it? */
static int walk_check_node(struct radix_walk *walk, pa_t pa, unsigned level)
{
	struct range_entry entry;

	if (!IS_ALIGNED(pa, PAGE_SIZE) || !phys_mem_ptr(walk->mem, pa, PAGE_SIZE)) {
		snprintf(walk->reason, REASON_BYTES,
			 "preserved memory map: level %u node 0x%llx is not a page of RAM", level,
			 (unsigned long long)pa);
		return -EINVAL;
	}
	if (range_tree_lookup(&walk->seen, pa, &entry)) {
		snprintf(walk->reason, REASON_BYTES,
			 "preserved memory map: level %u node 0x%llx appears twice", level,
			 (unsigned long long)pa);
		return -EINVAL;
	}
	if (!range_tree_paint(&walk->seen, pa, pa + PAGE_SIZE - 1, 0, false))
		return -ENOMEM;
	return walk->cb->node ? walk->cb->node(walk->cb->ctx, pa) : 0;
}

static int walk_node(struct radix_walk *walk, pa_t pa, unsigned level, u64 key)
{
	int err = walk_check_node(walk, pa, level);
	const u64 *table;
	unsigned shift;

	if (err)
		return err;
	table = phys_mem_ptr(walk->mem, pa, PAGE_SIZE);
	if (!level)
		return walk_leaf(walk, table, key);
	shift = (level - 1) * KHO_TABLE_SIZE_LOG2 + KHO_BITMAP_SIZE_LOG2;
	for (u64 i = 0; i < BIT_ULL(KHO_TABLE_SIZE_LOG2); i++) {
		if (!table[i])
			continue;
		if ((key | i << shift) >> KHO_KEY_WIDTH) {
			snprintf(walk->reason, REASON_BYTES,
				 "preserved memory map: slot %llu of root 0x%llx is beyond 53 bits",
				 (unsigned long long)i, (unsigned long long)pa);
			return -EINVAL;
		}
		err = walk_node(walk, table[i], level - 1, key | i << shift);
		if (err)
			return err;
	}
	return 0;
}

int kho_radix_walk(struct phys_mem *mem, pa_t root, struct range_pool *pool,
		   const struct kho_radix_walk_cb *cb, char *reason)
{
	struct radix_walk walk = { .mem = mem, .cb = cb, .reason = reason };
	int err;

	range_tree_init(&walk.seen, pool);
	err = walk_node(&walk, root, KHO_TREE_MAX_DEPTH - 1, 0);
	if (!err)
		err = walk_flush(&walk);
	range_tree_clear(&walk.seen);
	return err;
}
