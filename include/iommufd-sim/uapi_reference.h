/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The two ioctls that the design "reference" adds to /dev/iommu.
 *
 * Old kernel: mark HWPTs; preserve the memory files, then the iommufd, then the devices, all in one
 * session.
 * New kernel: retrieve the files in any order; bind the devices to the retrieved iommufd; restore
 * the HWPTs by token (optional); map the memory into a new IOAS; attach (= swap) each device to a
 * HWPT of it; finish the session; destroy the restored HWPTs.
 */
#ifndef IOMMUFD_SIM_UAPI_REFERENCE_H
#define IOMMUFD_SIM_UAPI_REFERENCE_H

#include <stdint.h>

/*
 * Marks a paging HWPT for preservation, or takes the mark away.
 *
 * In order: -EINVAL (size), -EOPNOTSUPP (unknown flag or __reserved not zero), -ENOENT (no paging
 * HWPT of that id), -EOPNOTSUPP (made by attaching to an IOAS, or restored from the previous
 * kernel), -EBUSY (the iommufd is preserved: marks are fixed), -EADDRINUSE (another HWPT of this
 * iommufd is marked with that token). Marking again replaces the token. Unmarking what is not
 * marked is fine.
 */
struct iommu_hwpt_lu_mark {
	uint32_t size;          /* 24 */
	uint32_t flags;         /* IOMMU_HWPT_LU_MARK_* */
	uint32_t hwpt_id;
	uint32_t __reserved;
	uint64_t token;         /* any value; ignored with UNMARK */
};
#define IOMMU_HWPT_LU_MARK_UNMARK (1u << 0)
#define IOMMU_HWPT_LU_MARK 0x3b96

/*
 * In an iommufd retrieved from a session: makes the preserved domain with this token a HWPT. It has
 * no IOAS: nothing can be mapped through it and no device can be attached to it; devices that came
 * with it leave it by attaching elsewhere. DESTROY frees its tables once the last one left.
 *
 * GET_DIRTY_BITMAP reads what was written through it, in the previous kernel, in the black-out and
 * since, if dirty tracking was on when it was preserved (else -EINVAL; a bitmap that cannot be
 * written: -EFAULT). To lose nothing: track the new HWPT, attach the devices to it, then read this
 * one for the last time. SET_DIRTY_TRACKING: -EINVAL.
 *
 * In order: -EINVAL (size), -EOPNOTSUPP (flags or __reserved not zero), -ENOTTY (not a retrieved
 * iommufd), -ENOENT (no such token), -EBUSY (restored already), -EFAULT (the answer cannot be
 * written), -EINVAL or -ENOMEM (the tables could not be adopted).
 */
struct iommu_hwpt_lu_restore {
	uint32_t size;          /* 24 */
	uint32_t flags;         /* 0 */
	uint64_t token;
	uint32_t out_hwpt_id;
	uint32_t __reserved;
};
#define IOMMU_HWPT_LU_RESTORE 0x3b97

#endif
