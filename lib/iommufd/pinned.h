/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The pinned part of a pages object. For pages.c, which allocates it, and pinned.c. */
#ifndef LIB_IOMMUFD_PINNED_H
#define LIB_IOMMUFD_PINNED_H

#include "lib/iommufd/io_pagetable.h"

struct pinned_range {
	u64 first, last;        /* page indexes */
	u32 holders;
	u32 accesses;           /* of the holders */
	struct pfn_runs runs;
};

/* A single range needs no tree, and most objects never have a second one. */
struct iopt_pinned {
	struct pinned_range *only;      /* then the tree is empty */
	struct range_tree ranges;       /* by page index: the struct pinned_range */
	struct pinned_range first_range;        /* memory for one */
	bool first_range_used;
};

#endif
