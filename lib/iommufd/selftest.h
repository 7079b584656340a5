/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The kernel's selftest interface, IOMMU_TEST_CMD (Linux: drivers/iommu/iommufd/selftest.c, the
 * half that is not the mock driver; that one is lib/iommu/mock_driver.h). Always there, and served
 * only by kernels booted with iommufd_test.
 */
#ifndef LIB_IOMMUFD_SELFTEST_H
#define LIB_IOMMUFD_SELFTEST_H

#include "lib/iommufd/access.h"

#include <linux/iommufd_test.h>

/* One operation; what it answers is written back by itself. */
typedef int (*selftest_op)(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);

int iommufd_test(struct iommufd_ucmd *ucmd);
/* MOCK_FLAGS_ACCESS_SYZ in IOAS_COPY: @iova names an area by its number. */
void iommufd_test_syz_conv_iova_id(struct iommufd_ucmd *ucmd, u32 ioas_id, u64 *iova, u32 *flags);
/* The same for an access's IOAS; 0 if it has none. */
iova_t iommufd_test_syz_conv_iova(struct iommufd_access *access, u64 iova);
/* The frame the caller has at @uptr now, made present if need be. -EFAULT. */
int selftest_user_frame(uva_t uptr, pa_t *pa);

/* selftest_dev.c: IOMMUFD_OBJ_SELFTEST. */
void iommufd_selftest_destroy(struct iommufd_object *obj);
void iommufd_selftest_abort(struct iommufd_object *obj);
int selftest_mock_domain(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_mock_domain_replace(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_pasid_attach(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_pasid_replace(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_pasid_detach(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_pasid_check_hwpt(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_dev_check_cache(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_trigger_iopf(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_trigger_vevent(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);

/* selftest_access.c */
int selftest_create_access(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_access_replace_ioas(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_access_pages(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_access_item_destroy(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_access_rw(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);

/* selftest_dmabuf.c */
int selftest_dmabuf_get(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);
int selftest_dmabuf_revoke(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd);

#endif
