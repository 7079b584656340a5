/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Fault injection: one counter per kernel that every fallible allocation passes (kheap, page
 * allocator, descriptor tables). "Fail the n-th" makes a sweep over a scenario possible.
 */
#ifndef LIB_BASE_FAIL_POINT_H
#define LIB_BASE_FAIL_POINT_H

#include <iommufd-sim/proto/types.h>

struct fail_point {
	u64 count;              /* allocations since the counter was armed */
	u64 nth;                /* fail this one (1-based), 0 = never */
	bool forever;           /* and all after it */
	bool fired;
};

/* True if this allocation must fail. */
static inline bool fail_point_hit(struct fail_point *fail)
{
	u64 n = ++fail->count;

	if (__builtin_expect(!fail->nth || n < fail->nth, 1))
		return false;
	if (n > fail->nth && !fail->forever)
		return false;
	fail->fired = true;
	return true;
}

#endif
