/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the files of the mock driver share. */
#ifndef LIB_IOMMU_MOCK_PRIVATE_H
#define LIB_IOMMU_MOCK_PRIVATE_H

#include "lib/iommu/mock_driver.h"

/* mock_driver.c: a nested domain; @mock_viommu NULL: made directly on @parent. ERR_PTR. */
struct iommu_domain *mock_nested_new(struct iommu_device *iommu, struct iommu_domain *parent,
				     struct mock_viommu *mock_viommu, u32 flags,
				     const struct iommu_user_data *user_data);

/* mock_viommu.c */
size_t mock_get_viommu_size(struct device *dev, u32 viommu_type);
int mock_viommu_init(struct iommufd_viommu *viommu, struct iommu_domain *parent_domain,
		     const struct iommu_user_data *user_data);

#endif
