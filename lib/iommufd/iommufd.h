/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* iommufd as boot sees it: the /dev/iommu node and its module. */
#ifndef LIB_IOMMUFD_IOMMUFD_H
#define LIB_IOMMUFD_IOMMUFD_H

#include <iommufd-sim/proto/design.h>

#include "lib/base/kernel_base.h"

/* Registers /dev/iommu, then the design's module_init. */
int iommufd_init(struct kernel_base *kernel);
void iommufd_exit(struct kernel_base *kernel);
u64 iommufd_nr_objects(struct kernel_base *kernel);
const char *iommufd_check(struct kernel_base *kernel);

/* For lib/vfio/: Linux's in-kernel device API (drivers/iommu/iommufd/device.c). */
int iommufd_device_bind(struct iommufd_ctx *ictx, struct device *dev, u32 *id,
			struct iommufd_device **out);
void iommufd_device_unbind(struct iommufd_device *idev);
/* @pasid IOMMU_NO_PASID: the device's requester id. *@pt_id: a HWPT or an IOAS; out: the HWPT. */
int iommufd_device_attach(struct iommufd_device *idev, ioasid_t pasid, u32 *pt_id);
int iommufd_device_replace(struct iommufd_device *idev, ioasid_t pasid, u32 *pt_id);
/* May userspace detach it now? The errno of the design's gate. */
int iommufd_device_check_detach(struct iommufd_device *idev);
/* Nothing happens if nothing is attached there. */
void iommufd_device_detach(struct iommufd_device *idev, ioasid_t pasid);
/* The last user of a device that still runs on its restored domain is gone: its DMA ends. */
void iommufd_device_block_restored(struct iommufd_device *idev);
/* The restored domain @dev still runs on, NULL if it has none (any more). */
struct iommu_domain *iommufd_device_restored_domain(struct device *dev);

#endif
