/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The one ioctl the posted series (v1, patch 10) adds to /dev/iommu, for programs that rehearse it
 * (design "posted-v1").
 */
#ifndef IOMMUFD_SIM_UAPI_POSTED_V1_H
#define IOMMUFD_SIM_UAPI_POSTED_V1_H

#include <stdint.h>

/*
 * Marks a HWPT for preservation under @hwpt_token, which the next kernel will know it by. There is
 * no unmark; marking again replaces the token.
 *
 * -ENOENT: no paging HWPT of that id; -EADDRINUSE: another marked HWPT has the token; -EINVAL:
 * size.
 *
 * The number is the posted one, _IO(';', 0x95), although 7.3 meanwhile uses it for
 * IOMMU_IOAS_NOIOMMU_GET_PA: a kernel booted with this design has this command there instead.
 */
struct iommu_hwpt_lu_set_preserve {
	uint32_t size;          /* 12 */
	uint32_t hwpt_id;
	uint32_t hwpt_token;
};
#define IOMMU_HWPT_LU_SET_PRESERVE 0x3b95

#endif
