/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The xarray (lib/xarray.c): a radix tree of 64-slot nodes, grown from the top as indexes need it.
 *
 * Every node carries one bit per slot and kind: the three marks of the caller's, PRESENT (something
 * a reader can see lies below) and FULL (no index below is free). A bit of an inner slot sums up
 * the node below it, so that searching for a mark, for the next entry or for the lowest free index
 * descends once instead of scanning (xarray_find.c).
 *
 *     height 2      [ slot 0 | slot 1 | ... | slot 63 ]      shift 6: covers indexes 0 to 4095
 *                       |
 *     height 1      [ 0 | 1 | ... | 63 ]                     shift 0: entries
 *
 * Invariants: no node is empty; the head's range covers every entry; each bit agrees with what it
 * sums up. Storing allocates all nodes it needs before it changes anything, erasing never fails.
 *
 * Unlike Linux: an entry at index 0 alone needs a node too, entries are never multi-index, and
 * values (xa_mk_value()) are left out.
 */
#include <iommufd-sim/proto/xarray.h>

#include <assert.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/base/task.h"
#include "lib/base/xarray_node.h"

static struct xa_node *leaf_of(const struct xarray *xa, u64 index)
{
	struct xa_node *node = xa->head;

	if (!node || index > xa_max_index(xa->height))
		return NULL;
	while (node && node->shift)
		node = node->slots[xa_slot_of(node, index)];
	return node;
}

static void *raw_load(const struct xarray *xa, u64 index)
{
	const struct xa_node *leaf = leaf_of(xa, index);

	return leaf ? leaf->slots[xa_slot_of(leaf, index)] : NULL;
}

static void *visible(void *entry)
{
	return entry == XA_ZERO_ENTRY ? NULL : entry;
}

static struct xa_node *node_new(struct kheap *heap, u8 shift)
{
	struct xa_node *node = kheap_alloc_at(heap, FAIL_XAS_ALLOC, sizeof(*node),
					      "struct xa_node");

	if (node)
		node->shift = shift;
	return node;
}

/*
 * Sets or clears one bit of a leaf slot and what sums it up, upwards as far as something changes.
 */
static void bit_set(struct xa_node *node, u8 slot, enum xa_bit kind, bool on)
{
	for (;;) {
		u64 was = node->bits[kind];
		u64 now = on ? was | BIT_ULL(slot) : was & ~BIT_ULL(slot);

		node->bits[kind] = now;
		if (!node->parent)
			return;
		on = xa_bits_sum(kind, now);
		if (on == xa_bits_sum(kind, was))
			return;
		slot = node->offset;
		node = node->parent;
	}
}

static void link_child(struct xa_node *parent, u8 slot, struct xa_node *child)
{
	child->parent = parent;
	child->offset = slot;
	parent->slots[slot] = child;
	parent->count++;
	for (enum xa_bit kind = 0; kind < XA_NR_BITS; kind++)
		if (xa_bits_sum(kind, child->bits[kind]))
			parent->bits[kind] |= BIT_ULL(slot);
}

/*
 * The leaf for @index, with the nodes that were missing. They are allocated first, as a chain
 * linked through parent, and consumed in the order top growth, then path down.
 */
static struct xa_node *leaf_make(struct xarray *xa, u64 index)
{
	struct kheap *heap = &current->kernel->heap;
	struct xa_node *chain = NULL, *node;
	u32 height = max(xa->height, 1u), need, shift;

	while (index > xa_max_index(height))
		height++;
	need = height - xa->height;             /* growth at the top; all of it if empty */
	if (need && xa->head)
		need += height - 1;             /* @index lies outside what there was */
	else if (!need)
		for (need = xa->height - 1, node = xa->head; node->shift; need--) {
			struct xa_node *child = node->slots[xa_slot_of(node, index)];

			if (!child)
				break;
			node = child;
		}
	for (u32 i = 0; i < need; i++) {
		node = node_new(heap, 0);
		if (!node)
			goto free_chain;
		node->parent = chain;
		chain = node;
	}
	while (xa->height < height) {
		node = chain;
		chain = chain->parent;
		node->parent = NULL;
		if (!xa->head) {
			xa->height = height;
			node->shift = (height - 1) * XA_NODE_BITS;
		} else {
			node->shift = xa->height * XA_NODE_BITS;
			xa->height++;
			link_child(node, 0, xa->head);
		}
		xa->head = node;
	}
	for (node = xa->head; node->shift;) {
		u8 slot = xa_slot_of(node, index);
		struct xa_node *child = node->slots[slot];

		shift = node->shift - XA_NODE_BITS;
		if (!child) {
			child = chain;
			chain = chain->parent;
			child->shift = shift;
			link_child(node, slot, child);
		}
		node = child;
	}
	assert(!chain);
	return node;

free_chain:
	while (chain) {
		node = chain->parent;
		kheap_free(heap, chain);
		chain = node;
	}
	return NULL;
}

/* Frees empty nodes from @node upwards, then levels at the top that only lead to slot 0. */
static void shrink(struct xarray *xa, struct xa_node *node)
{
	struct kheap *heap = &current->kernel->heap;

	while (node && !node->count) {
		struct xa_node *parent = node->parent;

		if (parent) {
			parent->slots[node->offset] = NULL;
			parent->count--;
		} else {
			xa->head = NULL;
			xa->height = 0;
		}
		kheap_free(heap, node);
		node = parent;
	}
	while (xa->head && xa->head->shift && xa->head->count == 1 && xa->head->slots[0]) {
		node = xa->head;
		xa->head = node->slots[0];
		xa->head->parent = NULL;
		xa->height--;
		kheap_free(heap, node);
	}
}

/* Puts @entry into an existing leaf. NULL empties the slot; the caller shrinks then. */
static void leaf_set(struct xa_node *leaf, u8 slot, void *entry)
{
	leaf->count += !!entry - !!leaf->slots[slot];
	leaf->slots[slot] = entry;
	bit_set(leaf, slot, XA_BIT_FULL, entry);
	bit_set(leaf, slot, XA_BIT_PRESENT, visible(entry));
	if (!entry)
		for (enum xa_bit kind = XA_BIT_MARK_0; kind <= XA_BIT_MARK_2; kind++)
			bit_set(leaf, slot, kind, false);
}

/* 0 or -ENOMEM. @entry is what the slot will really hold. */
static int raw_store(struct xarray *xa, u64 index, void *entry)
{
	struct xa_node *leaf;

	if (!entry) {
		leaf = leaf_of(xa, index);
		if (!leaf || !leaf->slots[xa_slot_of(leaf, index)])
			return 0;
		leaf_set(leaf, xa_slot_of(leaf, index), NULL);
		shrink(xa, leaf);
		return 0;
	}
	leaf = leaf_of(xa, index);
	if (!leaf)
		leaf = leaf_make(xa, index);
	if (!leaf)
		return -ENOMEM;
	leaf_set(leaf, xa_slot_of(leaf, index), entry);
	return 0;
}

/*
 * What Linux's might_alloc() asks. The array's own lock does not count: a store that must wait for
 * memory drops it.
 */
static void might_alloc(struct xarray *xa, gfp_t gfp, const char *what)
{
	struct task *task = current;

	assert(task);
	if (gfp & GFP_ATOMIC)
		return;
	if (__builtin_expect(task->atomic_depth > ifs_lock_is_held(&xa->xa_lock), 0))
		ifs_might_sleep(what);
}

static void assert_locked(struct xarray *xa, const char *what)
{
	if (__builtin_expect(!ifs_lock_is_held(&xa->xa_lock), 0))
		ifs_lock_not_held("xa_lock", what, 0);
}

void ifs_xa_init(struct xarray *xa, u32 flags, const char *name)
{
	*xa = (struct xarray){ .flags = flags };
	ifs_spin_lock_init(&xa->xa_lock, name);
}

static void node_free_all(struct kheap *heap, struct xa_node *node)
{
	for (unsigned i = 0; node->shift && i < XA_SLOTS; i++)
		if (node->slots[i])
			node_free_all(heap, node->slots[i]);
	kheap_free(heap, node);
}

void ifs_xa_destroy(struct xarray *xa)
{
	xa_lock(xa);
	if (xa->head)
		node_free_all(&current->kernel->heap, xa->head);
	xa->head = NULL;
	xa->height = 0;
	xa_unlock(xa);
}

void *ifs_xa_load(struct xarray *xa, u64 index)
{
	return visible(raw_load(xa, index));
}

void *ifs___xa_store(struct xarray *xa, u64 index, void *entry, gfp_t gfp)
{
	void *old = raw_load(xa, index);
	int err;

	assert_locked(xa, __func__);
	might_alloc(xa, gfp, "xa_store");
	assert(!IS_ERR(entry));
	if (!entry && xa->flags & XA_FLAGS_TRACK_FREE)
		entry = XA_ZERO_ENTRY;
	err = raw_store(xa, index, entry);
	return err ? ERR_PTR(err) : visible(old);
}

void *ifs_xa_store(struct xarray *xa, u64 index, void *entry, gfp_t gfp)
{
	void *old;

	xa_lock(xa);
	old = ifs___xa_store(xa, index, entry, gfp);
	xa_unlock(xa);
	return old;
}

void *ifs___xa_erase(struct xarray *xa, u64 index)
{
	void *old = raw_load(xa, index);

	assert_locked(xa, __func__);
	/* As in Linux: what keeps index 0 busy there is an entry of the tree, and can be erased. */
	if (!index && xa->head)
		xa->flags &= ~XA_FLAGS_ZERO_BUSY;
	raw_store(xa, index, NULL);
	return visible(old);
}

void *ifs_xa_erase(struct xarray *xa, u64 index)
{
	void *old;

	xa_lock(xa);
	old = ifs___xa_erase(xa, index);
	xa_unlock(xa);
	return old;
}

/* What the slot held, unmasked. */
static void *raw_cmpxchg(struct xarray *xa, u64 index, void *old, void *entry, gfp_t gfp)
{
	void *was = raw_load(xa, index);
	int err;

	assert_locked(xa, __func__);
	might_alloc(xa, gfp, "xa_cmpxchg");
	if (was != old)
		return was;
	err = raw_store(xa, index, entry);
	return err ? ERR_PTR(err) : was;
}

void *ifs_xa_cmpxchg(struct xarray *xa, u64 index, void *old, void *entry, gfp_t gfp)
{
	void *was;

	xa_lock(xa);
	was = raw_cmpxchg(xa, index, old, entry, gfp);
	xa_unlock(xa);
	return visible(was);
}

int ifs___xa_insert(struct xarray *xa, u64 index, void *entry, gfp_t gfp)
{
	void *was = raw_cmpxchg(xa, index, NULL, entry ? entry : XA_ZERO_ENTRY, gfp);

	if (IS_ERR(was))
		return PTR_ERR(was);
	return was ? -EBUSY : 0;
}

int ifs_xa_insert(struct xarray *xa, u64 index, void *entry, gfp_t gfp)
{
	int err;

	xa_lock(xa);
	err = ifs___xa_insert(xa, index, entry, gfp);
	xa_unlock(xa);
	return err;
}

int ifs_xa_reserve(struct xarray *xa, u64 index, gfp_t gfp)
{
	int err = ifs_xa_insert(xa, index, NULL, gfp);

	return err == -EBUSY ? 0 : err;
}

void ifs_xa_release(struct xarray *xa, u64 index)
{
	xa_lock(xa);
	raw_cmpxchg(xa, index, XA_ZERO_ENTRY, NULL, GFP_ATOMIC);
	xa_unlock(xa);
}

/* The lowest index >= @from that no entry holds. False: every one up to ~0 is taken. */
static bool find_free(const struct xarray *xa, u64 from, u64 *index)
{
	if (xa->head && from <= xa_max_index(xa->height)) {
		if (xa_scan(xa, from, XA_BIT_FULL, false, index))
			return true;
		if (xa->height == XA_MAX_HEIGHT)
			return false;
		from = xa_max_index(xa->height) + 1;
	}
	*index = from;
	return true;
}

int ifs_xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit, gfp_t gfp)
{
	u64 from = limit.min, index;
	int err = -EBUSY;

	if (WARN_ON(!(xa->flags & XA_FLAGS_TRACK_FREE)))
		return -EINVAL;
	assert(!IS_ERR(entry));
	might_alloc(xa, gfp, "xa_alloc");
	if (xa->flags & XA_FLAGS_ZERO_BUSY && from == 0)
		from = 1;
	xa_lock(xa);
	if (find_free(xa, from, &index) && index <= limit.max) {
		err = raw_store(xa, index, entry ? entry : XA_ZERO_ENTRY);
		if (!err)
			*id = index;
	}
	xa_unlock(xa);
	return err;
}

bool ifs_xa_empty(const struct xarray *xa)
{
	return !xa->head;
}

static enum xa_bit mark_bit(xa_mark_t mark)
{
	assert(mark < XA_MARK_MAX);
	return XA_BIT_MARK_0 + mark;
}

static void mark_change(struct xarray *xa, u64 index, xa_mark_t mark, bool on)
{
	struct xa_node *leaf;

	xa_lock(xa);
	leaf = leaf_of(xa, index);
	if (leaf && leaf->slots[xa_slot_of(leaf, index)])
		bit_set(leaf, xa_slot_of(leaf, index), mark_bit(mark), on);
	xa_unlock(xa);
}

void ifs_xa_set_mark(struct xarray *xa, u64 index, xa_mark_t mark)
{
	mark_change(xa, index, mark, true);
}

void ifs_xa_clear_mark(struct xarray *xa, u64 index, xa_mark_t mark)
{
	mark_change(xa, index, mark, false);
}

bool ifs_xa_get_mark(struct xarray *xa, u64 index, xa_mark_t mark)
{
	const struct xa_node *leaf = leaf_of(xa, index);

	return leaf && leaf->bits[mark_bit(mark)] >> xa_slot_of(leaf, index) & 1;
}
