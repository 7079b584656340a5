/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What must be true of preserved tables at the instant of kexec; each breach is reported. */
#ifndef LIB_IOMMU_IOMMU_KEXEC_CHECK_H
#define LIB_IOMMU_IOMMU_KEXEC_CHECK_H

#include <iommufd-sim/proto/iommu.h>

struct iommu_core;

/* Every table of the domain @dev is in, and every frame its leaves lead to, is preserved. */
void iommu_kexec_check_device(struct iommu_core *core, struct device *dev);
/* Its root table and context tables are. */
void iommu_kexec_check_unit(struct iommu_core *core, struct iommu_device *iommu);

#endif
