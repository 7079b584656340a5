/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the posted series (v1, patches 1 and 9) leaves for the next kernel about domains, devices
 * and IOMMUs: FLB "iommu-v1". Three chains of pages, linked by physical address, each page a header
 * and as many packed objects as fit. All of it is little endian only because the machine is.
 *
 *   luo_flb_ser.data -> struct iommu_lu_flb_ser
 *                         | iommu_domains_phys -> [ header | domain_ser x 123 ] -> next_objs -> ...
 *                         | devices_phys       -> [ header | device_ser x 62  ] -> ...
 *                         | iommus_phys        -> [ header | iommu_ser x 110  ] -> ...
 *
 * The two bit fields at the end of struct iommu_obj_ser make it 9 bytes, and packing puts
 * everything behind it on odd addresses: part of what is wrong with this format, and kept.
 *
 *  iommu_obj_ser (9)        0 idx:u32 | 4 ref_count:u32 | 8 deleted:1 incoming:1
 *  iommu_domain_ser (33)    0 obj | 9 top_table:u64 | 17 top_level:u64 | 25 restored_domain:u64
 *  device_domain_iommu_ser  0 did:u32 | 4 domain_phys:u64 | 12 iommu_phys:u64          (20)
 *  device_ser (65)          0 obj | 9 token:u64 | 17 devid:u32 | 21 pci_domain:u32
 *                           25 domain_iommu_ser | 45 type:u32 | 49 pasid_table:u64
 *                           57 max_pasid:u64
 *  iommu_ser (37)           0 obj | 9 token:u64 | 17 type:u32 | 21 phys_addr:u64
 *                           29 root_table:u64
 *  iommu_objs_ser (16)      0 next_objs:u64 | 8 nr_objs:u64
 *  iommu_lu_flb_ser (48)    0 iommus_phys | 8 nr_iommus | 16 iommu_domains_phys | 24 nr_domains
 *                           32 devices_phys | 40 nr_devices                            (u64 each)
 */
#ifndef LIB_ABI_POSTED_V1_IOMMU_H
#define LIB_ABI_POSTED_V1_IOMMU_H

#include <iommufd-sim/proto/types.h>

#define IOMMU_LUO_FLB_COMPATIBLE "iommu-v1"

#define IOMMU_SER_TYPE_INTEL 0u

struct iommu_obj_ser {
	u32 idx;
	u32 ref_count;
	u32 deleted : 1;
	u32 incoming : 1;
} __packed;

struct iommu_domain_ser {
	struct iommu_obj_ser obj;
	u64 top_table;
	u64 top_level;
	u64 restored_domain;    /* a kernel pointer in the posted code; never written here */
} __packed;

struct device_domain_iommu_ser {
	u32 did;
	u64 domain_phys;
	u64 iommu_phys;
} __packed;

struct device_ser {
	struct iommu_obj_ser obj;
	u64 token;
	u32 devid;              /* bus, device, function */
	u32 pci_domain;         /* segment */
	struct device_domain_iommu_ser domain_iommu_ser;
	u32 type;
	u64 pasid_table;        /* zero: scalable mode is not modelled */
	u64 max_pasid;
} __packed;

struct iommu_ser {
	struct iommu_obj_ser obj;
	u64 token;              /* the register base address */
	u32 type;
	u64 phys_addr;
	u64 root_table;
} __packed;

struct iommu_objs_ser {
	u64 next_objs;
	u64 nr_objs;
} __packed;

struct iommu_lu_flb_ser {
	u64 iommus_phys;
	u64 nr_iommus;
	u64 iommu_domains_phys;
	u64 nr_domains;
	u64 devices_phys;
	u64 nr_devices;
} __packed;

#define IOMMU_OBJS_PER_PAGE(type) ((PAGE_SIZE - sizeof(struct iommu_objs_ser)) / sizeof(type))

_Static_assert(sizeof(struct iommu_obj_ser) == 9, "iommu_obj_ser");
_Static_assert(sizeof(struct iommu_domain_ser) == 33, "iommu_domain_ser");
_Static_assert(sizeof(struct device_domain_iommu_ser) == 20, "device_domain_iommu_ser");
_Static_assert(sizeof(struct device_ser) == 65, "device_ser");
_Static_assert(sizeof(struct iommu_ser) == 37, "iommu_ser");
_Static_assert(sizeof(struct iommu_lu_flb_ser) == 48, "iommu_lu_flb_ser");
_Static_assert(offsetof(struct iommu_domain_ser, top_table) == 9, "domain_ser.top_table");
_Static_assert(offsetof(struct device_ser, type) == 45, "device_ser.type");
_Static_assert(offsetof(struct iommu_ser, phys_addr) == 21, "iommu_ser.phys_addr");

#endif
