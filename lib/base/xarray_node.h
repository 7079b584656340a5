/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The node of an xarray and the search over its bits. For xarray.c and xarray_find.c only. */
#ifndef LIB_BASE_XARRAY_NODE_H
#define LIB_BASE_XARRAY_NODE_H

#include <iommufd-sim/proto/xarray.h>

#define XA_NODE_BITS 6
#define XA_SLOTS 64
#define XA_MAX_HEIGHT 11        /* 11 * 6 >= 64 */

enum xa_bit {
	XA_BIT_MARK_0,
	XA_BIT_MARK_1,
	XA_BIT_MARK_2,
	XA_BIT_PRESENT,         /* something a reader can see */
	XA_BIT_FULL,            /* no free index */
	XA_NR_BITS
};

struct xa_node {
	struct xa_node *parent;
	u8 shift;               /* index bits below this node's own six */
	u8 offset;              /* its slot in the parent */
	u8 count;               /* slots in use */
	u64 bits[XA_NR_BITS];
	void *slots[XA_SLOTS];
};

/* What the bits of a node say to its parent: any is set, or (FULL) all are. */
static inline bool xa_bits_sum(enum xa_bit kind, u64 bits)
{
	return kind == XA_BIT_FULL ? bits == ~0ull : bits != 0;
}

static inline u64 xa_max_index(u32 height)
{
	return height >= XA_MAX_HEIGHT ? ~0ull : BIT_ULL(height * XA_NODE_BITS) - 1;
}

static inline u8 xa_slot_of(const struct xa_node *node, u64 index)
{
	return index >> node->shift & (XA_SLOTS - 1);
}

/*
 * The lowest index >= @from, below the head, whose @kind bit is @set. A slot without a node counts
 * as clear throughout.
 */
bool xa_scan(const struct xarray *xa, u64 from, enum xa_bit kind, bool set, u64 *index);

#endif
