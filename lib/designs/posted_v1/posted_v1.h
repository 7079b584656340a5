/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The posted series "iommu: Add live update state preservation", v1, seen from inside. Function
 * names are the series' own; the defines give them a prefix, so that they meet nothing else in one
 * program.
 */
#ifndef LIB_DESIGNS_POSTED_V1_POSTED_V1_H
#define LIB_DESIGNS_POSTED_V1_POSTED_V1_H

#include <iommufd-sim/proto/bug.h>
#include <iommufd-sim/proto/design.h>
#include <iommufd-sim/proto/kho.h>
#include <iommufd-sim/proto/memfd.h>
#include <iommufd-sim/proto/slab.h>

#include "lib/abi/posted_v1_iommu.h"
#include "lib/abi/posted_v1_iommufd.h"

#define iommu_flb posted_v1_iommu_flb
#define iommu_liveupdate_register_flb posted_v1_iommu_liveupdate_register_flb
#define iommu_liveupdate_unregister_flb posted_v1_iommu_liveupdate_unregister_flb
#define iommu_flb_reserve_obj posted_v1_iommu_flb_reserve_obj
#define iommu_flb_find posted_v1_iommu_flb_find
#define iommu_domain_preserve posted_v1_iommu_domain_preserve
#define iommu_domain_unpreserve posted_v1_iommu_domain_unpreserve
#define iommu_preserve_device posted_v1_iommu_preserve_device
#define iommu_unpreserve_device posted_v1_iommu_unpreserve_device
#define iommufd_hwpt_lu_set_preserve posted_v1_iommufd_hwpt_lu_set_preserve
#define iommufd_liveupdate_register_lufs posted_v1_iommufd_liveupdate_register_lufs
#define iommufd_liveupdate_unregister_lufs posted_v1_iommufd_liveupdate_unregister_lufs
#define vfio_pci_liveupdate_init posted_v1_vfio_pci_liveupdate_init
#define vfio_pci_liveupdate_cleanup posted_v1_vfio_pci_liveupdate_cleanup

/*
 * Runtime side of the FLB. In the posted patches it stands in the ABI header, packed, with its
 * mutex at an odd address; here it is what it is meant to be.
 */
struct iommu_lu_flb_obj {
	struct mutex lock;
	spinlock_t iommu_lock;  /* intel_iommu's iommu->lock; see preserve_iommu_locked() */
	struct iommu_lu_flb_ser *ser;
	/* The pages that new objects go to. */
	struct iommu_objs_ser *iommu_domains, *iommus, *devices;
};

/*
 * A domain rebuilt in the new kernel: what domain_ser.restored_domain points to in the posted code.
 */
struct posted_v1_restored {
	struct list_head list;
	phys_addr_t domain_phys;
	struct iommu_domain *domain;
};

struct posted_v1 {
	struct iommu_lu_flb_obj *incoming;      /* NULL: a cold boot */
	struct list_head restored;
	bool lufs_registered, vfio_registered;
};

extern const struct liveupdate_flb iommu_flb;
/* What retrieve claimed. NULL is fine. */
void posted_v1_incoming_free(struct iommu_lu_flb_obj *obj);
int iommu_liveupdate_register_flb(const struct liveupdate_file_handler *handler);
int iommu_liveupdate_unregister_flb(const struct liveupdate_file_handler *handler);

/*
 * A zeroed slot of @size bytes at the end of the chain whose last page is *@page; ERR_PTR(-ENOMEM).
 */
void *iommu_flb_reserve_obj(struct iommu_objs_ser **page, u64 *nr_objs, size_t size);
/* The first object for which @match says so, or NULL. Deleted ones are skipped. */
void *iommu_flb_find(u64 first_phys, size_t size, bool (*match)(void *obj, const void *key),
		     const void *key);

int iommu_domain_preserve(struct iommu_domain *domain, struct iommu_domain_ser **ser);
void iommu_domain_unpreserve(struct iommu_domain *domain);
int iommu_preserve_device(struct iommu_domain *domain, struct device *dev, u64 token);
void iommu_unpreserve_device(struct device *dev);

/* The hooks of the IOMMU core. */
int posted_v1_iommu_boot(void *kernel_data, struct iommu_device *iommu, pa_t *root_pa);
int posted_v1_probe_device(void *kernel_data, struct device *dev, struct iommu_domain **domain);
int posted_v1_claim_owner(void *kernel_data, struct device *dev, void *owner);
void posted_v1_domain_released(void *kernel_data, struct iommu_domain *domain);
bool posted_v1_iommu_preserved(void *kernel_data, struct iommu_device *iommu);
bool posted_v1_device_preserved(void *kernel_data, struct device *dev);

int iommufd_hwpt_lu_set_preserve(struct iommufd_ucmd *ucmd);
int iommufd_liveupdate_register_lufs(void);
int iommufd_liveupdate_unregister_lufs(void);

int vfio_pci_liveupdate_init(void);
int vfio_pci_liveupdate_cleanup(void);

#endif
