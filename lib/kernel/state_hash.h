/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the halves of the state hash share. */
#ifndef LIB_KERNEL_STATE_HASH_H
#define LIB_KERNEL_STATE_HASH_H

#include <iommufd-sim/proto/iommufd.h>

/* Multiply and fold: order matters, which is the point, and nothing host-specific goes in. */
static inline void mix(u64 *hash, u64 value)
{
	__uint128_t product = (__uint128_t)(*hash ^ value) * 0x9e3779b97f4a7c15ull;

	*hash = (u64)product ^ (u64)(product >> 64) ^ 0x5bd1e995u;
}

/* state_hash_iommufd.c: one context, all of its objects. */
void state_hash_context(u64 *hash, struct iommufd_ctx *ictx);

#endif
