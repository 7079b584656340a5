/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the posted series (v1, patches 11 and 13) hands over per file: handler "iommufd-v1" and
 * handler "vfio-pci-v1".
 *
 *  iommufd_lu          0 nr_hwpts:u32 | 4 hwpts[nr_hwpts]                  (4 + 13 n bytes)
 *  iommufd_hwpt_lu     0 token:u32 | 4 domain_data:u64 (pa of a domain_ser) | 12 reclaimed:u8
 *  vfio_pci_core_device_ser (9)
 *                      0 bdf:u16 | 2 domain:u16 | 4 reset_works:u8 | 5 iommufd token:u32
 */
#ifndef LIB_ABI_POSTED_V1_IOMMUFD_H
#define LIB_ABI_POSTED_V1_IOMMUFD_H

#include <iommufd-sim/proto/types.h>

#define IOMMUFD_LUO_COMPATIBLE "iommufd-v1"
#define VFIO_PCI_LUO_COMPATIBLE "vfio-pci-v1"

struct iommufd_hwpt_lu {
	u32 token;
	u64 domain_data;
	bool reclaimed;
} __packed;

struct iommufd_lu {
	unsigned int nr_hwpts;
	struct iommufd_hwpt_lu hwpts[];
};

struct vfio_iommufd_ser {
	u32 token;              /* LUO's tokens have 64 bits: the upper half is lost */
} __packed;

struct vfio_pci_core_device_ser {
	u16 bdf;
	u16 domain;
	u8 reset_works;
	struct vfio_iommufd_ser iommufd_ser;
} __packed;

_Static_assert(sizeof(struct iommufd_hwpt_lu) == 13, "iommufd_hwpt_lu");
_Static_assert(offsetof(struct iommufd_hwpt_lu, domain_data) == 4, "iommufd_hwpt_lu.domain_data");
_Static_assert(offsetof(struct iommufd_hwpt_lu, reclaimed) == 12, "iommufd_hwpt_lu.reclaimed");
_Static_assert(sizeof(struct iommufd_lu) == 4, "iommufd_lu");
_Static_assert(offsetof(struct iommufd_lu, hwpts) == 4, "iommufd_lu.hwpts");
_Static_assert(sizeof(struct vfio_pci_core_device_ser) == 9, "vfio_pci_core_device_ser");

#endif
