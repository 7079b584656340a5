/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The tracker of preserved memory as this kernel writes it (kernel/liveupdate/kexec_handover.c,
 * kho_radix_*). Six levels of pages in RAM: five of tables, one of bitmaps.
 *
 * Invariants: the root exists from init to destroy; a node is never freed before the tree is,
 * except when the change that made it fails. Nodes belong to the kernel and are not preserved.
 *
 * The tree lies in RAM, where a stray DMA can reach it: a slot that leads out of RAM counts as
 * absent, it is never followed.
 */
#include "lib/kho/radix_tree.h"

#include <assert.h>

#include <iommufd-sim/proto/bug.h>

#define TOP_LEVEL (KHO_TREE_MAX_DEPTH - 1)
#define LEAF_KEYS (1ull << KHO_BITMAP_SIZE_LOG2)

u64 kho_encode_radix_key(pa_t pa, unsigned order)
{
	assert(order <= KHO_ORDER_0_LOG2);
	return BIT_ULL(KHO_ORDER_0_LOG2 - order) | (pa >> PAGE_SHIFT) >> order;
}

pa_t kho_decode_radix_key(u64 key, unsigned *order)
{
	unsigned bit = 63 - (unsigned)__builtin_clzll(key);

	*order = KHO_ORDER_0_LOG2 - bit;
	return (key & ~BIT_ULL(bit)) << *order << PAGE_SHIFT;
}

static u64 *radix_node(struct kho_radix_tree *tree, pa_t pa)
{
	return phys_mem_ptr(tree->kernel->mem, pa, PAGE_SIZE);
}

static unsigned radix_index(u64 key, unsigned level)
{
	unsigned shift = (level - 1) * KHO_TABLE_SIZE_LOG2 + KHO_BITMAP_SIZE_LOG2;

	return key >> shift & ((1u << KHO_TABLE_SIZE_LOG2) - 1);
}

int kho_radix_init_tree(struct kho_radix_tree *tree, struct kernel_base *kernel)
{
	tree->kernel = kernel;
	tree->pages = kernel->page_alloc;
	tree->root = 0;
	mutex_init(&tree->lock);
	return pages_alloc(tree->pages, 1, 0, FRAME_KERNEL, &tree->root);
}

static void radix_free_node(struct kho_radix_tree *tree, pa_t pa, unsigned level)
{
	u64 *table = radix_node(tree, pa);

	if (WARN_ON(!table || pages_owner(tree->pages, pa) != FRAME_KERNEL))
		return;
	for (unsigned i = 0; level && i < BIT_ULL(KHO_TABLE_SIZE_LOG2); i++)
		if (table[i])
			radix_free_node(tree, table[i], level - 1);
	pages_free(tree->pages, pa, 1);
}

void kho_radix_destroy_tree(struct kho_radix_tree *tree)
{
	if (!tree->root)
		return;
	radix_free_node(tree, tree->root, TOP_LEVEL);
	tree->root = 0;
}

void kho_radix_txn_init(struct kho_radix_txn *txn)
{
	txn->slots = txn->inline_slots;
	txn->capacity = KHO_RADIX_TXN_INLINE;
	txn->nr = 0;
}

static int txn_grow(struct kho_radix_tree *tree, struct kho_radix_txn *txn)
{
	struct kheap *heap = &tree->kernel->heap;
	bool was_inline = txn->slots == txn->inline_slots;
	pa_t *slots = kheap_realloc(heap, was_inline ? NULL : txn->slots,
				    2 * txn->capacity * sizeof(*slots), "kho_radix_txn");

	if (!slots)
		return -ENOMEM;
	if (was_inline)
		memcpy(slots, txn->inline_slots, sizeof(txn->inline_slots));
	txn->slots = slots;
	txn->capacity *= 2;
	return 0;
}

static void txn_deinit(struct kho_radix_tree *tree, struct kho_radix_txn *txn)
{
	if (txn->slots != txn->inline_slots)
		kheap_free(&tree->kernel->heap, txn->slots);
	kho_radix_txn_init(txn);
}

void kho_radix_txn_commit(struct kho_radix_tree *tree, struct kho_radix_txn *txn)
{
	txn_deinit(tree, txn);
}

void kho_radix_txn_abort(struct kho_radix_tree *tree, struct kho_radix_txn *txn)
{
	while (txn->nr) {
		pa_t slot_pa = txn->slots[--txn->nr];
		u64 *slot = phys_mem_ptr(tree->kernel->mem, slot_pa, sizeof(*slot));

		pages_free(tree->pages, *slot, 1);
		*slot = 0;
	}
	txn_deinit(tree, txn);
}

/* The bitmap that holds @key; with @txn it is made if absent. 0: absent, or no memory. */
static pa_t radix_leaf(struct kho_radix_tree *tree, u64 key, struct kho_radix_txn *txn)
{
	pa_t node = tree->root;

	for (unsigned level = TOP_LEVEL; level; level--) {
		u64 *table = radix_node(tree, node);
		unsigned i = radix_index(key, level);
		pa_t child;

		if (!table)
			return 0;
		if (!table[i]) {
			if (!txn || (txn->nr == txn->capacity && txn_grow(tree, txn)) ||
			    pages_alloc(tree->pages, 1, 0, FRAME_KERNEL, &child))
				return 0;
			txn->slots[txn->nr++] = node + i * sizeof(*table);
			table[i] = child;
		}
		node = table[i];
	}
	return radix_node(tree, node) ? node : 0;
}

int kho_radix_reserve(struct kho_radix_tree *tree, u64 first, u64 last, struct kho_radix_txn *txn)
{
	lockdep_assert_held(&tree->lock);
	assert(first <= last);
	if (WARN_ON_ONCE(!tree->root))
		return -EINVAL;
	if (last >> KHO_KEY_WIDTH)
		return -ERANGE;
	for (u64 leaf = ALIGN_DOWN(first, LEAF_KEYS); leaf <= last; leaf += LEAF_KEYS)
		if (!radix_leaf(tree, leaf, txn))
			return -ENOMEM;
	return 0;
}

/* The bits of word @w that belong to [lo, hi] of a bitmap. */
static u64 word_mask(unsigned w, unsigned lo, unsigned hi)
{
	unsigned from = w == lo / 64 ? lo % 64 : 0;
	unsigned to = w == hi / 64 ? hi % 64 : 63;

	return GENMASK_ULL(to, from);
}

/* Sets or clears [first, last] where there are bitmaps; counts the bits that changed. */
static u64 radix_change(struct kho_radix_tree *tree, u64 first, u64 last, bool set, bool *missing)
{
	u64 changed = 0;

	for (u64 base = ALIGN_DOWN(first, LEAF_KEYS); base <= last; base += LEAF_KEYS) {
		unsigned lo = base < first ? first - base : 0;
		unsigned hi = min(last - base, LEAF_KEYS - 1);
		pa_t leaf = radix_leaf(tree, base, NULL);
		u64 *words = leaf ? radix_node(tree, leaf) : NULL;

		if (!words) {
			*missing = true;
			continue;
		}
		for (unsigned w = lo / 64; w <= hi / 64; w++) {
			u64 mask = word_mask(w, lo, hi) & (set ? ~words[w] : words[w]);

			changed += __builtin_popcountll(mask);
			words[w] ^= mask;
		}
	}
	return changed;
}

u64 kho_radix_set(struct kho_radix_tree *tree, u64 first, u64 last)
{
	bool missing = false;
	u64 changed;

	lockdep_assert_held(&tree->lock);
	changed = radix_change(tree, first, last, true, &missing);
	WARN_ON(missing);
	return changed;
}

int kho_radix_add_key(struct kho_radix_tree *tree, u64 key)
{
	struct kho_radix_txn txn;
	int err;

	kho_radix_txn_init(&txn);
	mutex_lock(&tree->lock);
	err = kho_radix_reserve(tree, key, key, &txn);
	if (err) {
		kho_radix_txn_abort(tree, &txn);
	} else {
		kho_radix_set(tree, key, key);
		kho_radix_txn_commit(tree, &txn);
	}
	mutex_unlock(&tree->lock);
	return err;
}

u64 kho_radix_del_keys(struct kho_radix_tree *tree, u64 first, u64 last)
{
	bool missing = false;
	u64 changed;

	if (WARN_ON_ONCE(!tree->root) || last >> KHO_KEY_WIDTH)
		return 0;
	mutex_lock(&tree->lock);
	changed = radix_change(tree, first, last, false, &missing);
	mutex_unlock(&tree->lock);
	/* Linux warns about an absent table, never about a clear bit. */
	WARN_ON(missing);
	return changed;
}

bool kho_radix_has_key(struct kho_radix_tree *tree, u64 key)
{
	u64 bit = key & (LEAF_KEYS - 1);
	u64 *words = NULL;
	bool set;
	pa_t leaf;

	if (!tree->root || key >> KHO_KEY_WIDTH)
		return false;
	mutex_lock(&tree->lock);
	leaf = radix_leaf(tree, key, NULL);
	if (leaf)
		words = radix_node(tree, leaf);
	set = words && words[bit / 64] >> bit % 64 & 1;
	mutex_unlock(&tree->lock);
	return set;
}

u64 kho_radix_nr_set_from(struct kho_radix_tree *tree, u64 first, u64 last)
{
	u64 nr = 0;

	if (!tree->root || last >> KHO_KEY_WIDTH)
		return 0;
	mutex_lock(&tree->lock);
	for (u64 key = first; key <= last;) {
		pa_t leaf = radix_leaf(tree, key, NULL);
		const u64 *words = leaf ? radix_node(tree, leaf) : NULL;
		u64 bit = key & (LEAF_KEYS - 1);
		u64 clear, run;

		if (!words)
			break;
		clear = ~words[bit / 64] >> bit % 64;
		run = min(clear ? (u64)__builtin_ctzll(clear) : 64 - bit % 64, last - key + 1);
		nr += run;
		key += run;
		if (clear && run < 64 - bit % 64)
			break;
	}
	mutex_unlock(&tree->lock);
	return nr;
}
