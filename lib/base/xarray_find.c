/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Searching an xarray by the bits its nodes carry, and checking that these bits tell the truth.
 */
#include "lib/base/xarray_node.h"

/* The eleventh level is left with 4 of 64 index bits: nothing can lie in its slots 16 to 63. */
static unsigned nr_slots(const struct xa_node *node)
{
	return node->shift == (XA_MAX_HEIGHT - 1) * XA_NODE_BITS ? 16 : XA_SLOTS;
}

/* The first index below @slot of @node, for an index that lies somewhere below @node. */
static u64 slot_start(const struct xa_node *node, u64 index, unsigned slot)
{
	u64 above = (u64)(XA_SLOTS - 1) << node->shift | (BIT_ULL(node->shift) - 1);

	return (index & ~above) | (u64)slot << node->shift;
}

bool xa_scan(const struct xarray *xa, u64 from, enum xa_bit kind, bool set, u64 *index)
{
	const struct xa_node *node = xa->head;

	if (!node || from > xa_max_index(xa->height))
		return false;
	for (;;) {
		u8 slot = xa_slot_of(node, from), hit;
		u64 bits = (set ? node->bits[kind] : ~node->bits[kind]) & (~0ull << slot);

		if (!bits) {
			/* On behind the last node that ends here. */
			while (node->parent && node->offset + 1u == nr_slots(node->parent))
				node = node->parent;
			if (!node->parent)
				return false;
			slot = node->offset + 1;
			node = node->parent;
			from = slot_start(node, from, slot);
			continue;
		}
		hit = __builtin_ctzll(bits);
		if (hit >= nr_slots(node))
			return false;
		if (hit != slot)
			from = slot_start(node, from, hit);
		if (!node->shift || !node->slots[hit]) {
			*index = from;
			return true;
		}
		node = node->slots[hit];
	}
}

void *ifs_xa_find(struct xarray *xa, u64 *index, u64 max, xa_mark_t filter)
{
	enum xa_bit kind = filter < XA_MARK_MAX ? (enum xa_bit)(XA_BIT_MARK_0 + filter) :
						   XA_BIT_PRESENT;
	u64 from = *index, at;

	while (xa_scan(xa, from, kind, true, &at) && at <= max) {
		void *entry = ifs_xa_load(xa, at);

		if (entry) {
			*index = at;
			return entry;
		}
		/* A mark on a reserved slot. */
		if (at == ~0ull)
			break;
		from = at + 1;
	}
	return NULL;
}

void *ifs_xa_find_after(struct xarray *xa, u64 *index, u64 max, xa_mark_t filter)
{
	u64 from = *index + 1;
	void *entry;

	if (!from)
		return NULL;
	entry = ifs_xa_find(xa, &from, max, filter);
	if (entry)
		*index = from;
	return entry;
}

static const char *check_leaf_slot(const struct xa_node *node, unsigned slot)
{
	const void *entry = node->slots[slot];

	if ((node->bits[XA_BIT_FULL] >> slot & 1) != !!entry)
		return "a leaf's FULL bit disagrees with its slot";
	if ((node->bits[XA_BIT_PRESENT] >> slot & 1) != (entry && entry != XA_ZERO_ENTRY))
		return "a leaf's PRESENT bit disagrees with its slot";
	for (enum xa_bit kind = XA_BIT_MARK_0; kind <= XA_BIT_MARK_2; kind++)
		if (!entry && node->bits[kind] >> slot & 1)
			return "an empty slot carries a mark";
	return NULL;
}

static const char *check_inner_slot(const struct xa_node *node, unsigned slot)
{
	const struct xa_node *child = node->slots[slot];

	if (child && (child->parent != node || child->offset != slot))
		return "a child does not point back at its slot";
	if (child && child->shift + XA_NODE_BITS != node->shift)
		return "a child is not one level down";
	for (enum xa_bit kind = 0; kind < XA_NR_BITS; kind++)
		if ((node->bits[kind] >> slot & 1) !=
		    (child && xa_bits_sum(kind, child->bits[kind])))
			return "an inner bit does not sum up its child";
	return NULL;
}

static const char *check_node(const struct xa_node *node)
{
	unsigned count = 0;

	for (unsigned slot = 0; slot < XA_SLOTS; slot++) {
		const char *wrong = node->shift ? check_inner_slot(node, slot) :
						  check_leaf_slot(node, slot);

		if (!wrong && node->shift && node->slots[slot])
			wrong = check_node(node->slots[slot]);
		if (wrong)
			return wrong;
		count += !!node->slots[slot];
	}
	if (!count)
		return "a node is empty";
	return count == node->count ? NULL : "a node's count is wrong";
}

const char *ifs_xa_check(const struct xarray *xa)
{
	if (!xa->head)
		return xa->height ? "an empty array has a height" : NULL;
	if (xa->head->parent || xa->head->shift != (xa->height - 1) * XA_NODE_BITS)
		return "the head is not at the top";
	return check_node(xa->head);
}
