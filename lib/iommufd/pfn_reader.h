/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The fail points that Linux's struct pfn_reader passes (drivers/iommu/iommufd/pages.c).
 *
 * Linux reads the frames of a range in chunks: into a batch, from a buffer that one pin fills. How
 * large the two are depends on IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT, and each allocation and each
 * pin asks iommufd_should_fail(). Here a range is pinned at once; what is left of the chunks are
 * these questions, as many and in the same order.
 *
 * Unlike Linux: the questions of a range come before its pin. So where a chunk but the first cannot
 * really be pinned, the later ones have been asked about, too; and an access that is refused in the
 * middle has copied nothing yet, where Linux may have copied the batches before.
 */
#ifndef LIB_IOMMUFD_PFN_READER_H
#define LIB_IOMMUFD_PFN_READER_H

#include "lib/iommufd/iommufd_private.h"

/* Of Linux's TEMP_MEMORY_LIMIT, unless a selftest sets another. */
#define TEMP_MEMORY_LIMIT_BYTES 65536u

/* At first all zero. */
struct pfn_reader_user {
	u64 capacity;           /* pages that one pin can fetch; 0: no buffer yet */
};

/* -ENOMEM. */
static inline int batch_init(void)
{
	return iommufd_should_fail(FAIL_TEMP_KMALLOC) ? -ENOMEM : 0;
}

/* The pins of @nr_pages that nobody holds. -ENOMEM: the buffer; -EFAULT: a pin. */
static inline int pfn_reader_user_pin(struct pfn_reader_user *user, u64 nr_pages)
{
	u64 limit_bytes = iommufd_module()->temp_memory_limit_bytes, done;

	if (!user->capacity) {
		if (iommufd_should_fail(FAIL_TEMP_KMALLOC))
			return -ENOMEM;
		user->capacity = min(nr_pages, limit_bytes / sizeof(u64));
	}
	for (done = 0; done < nr_pages; done += user->capacity)
		if (iommufd_should_fail(FAIL_PFN_READER_USER_PIN))
			return -EFAULT;
	return 0;
}

#endif
