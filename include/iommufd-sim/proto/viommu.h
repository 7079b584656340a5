/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What iommufd and an IOMMU driver share about vIOMMUs, with Linux's names
 * (include/linux/iommufd.h; drivers/iommu/iommufd/driver.c, viommu.c).
 *
 * iommufd allocates the objects with the size the driver asks for; the driver's structure begins
 * with ours. iommufd frees them; a driver's destroy only undoes what its init did.
 *
 * The functions below are what iommufd offers to drivers (lib/iommufd/driver.c).
 */
#ifndef IOMMUFD_SIM_PROTO_VIOMMU_H
#define IOMMUFD_SIM_PROTO_VIOMMU_H

#include <iommufd-sim/proto/iommu_driver.h>
#include <iommufd-sim/proto/iommufd.h>

struct iommufd_access;
struct iommufd_viommu_ops;

struct iommufd_viommu {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iommu_device *iommu_dev;
	struct iommufd_hwpt_paging *hwpt;       /* the nesting parent */
	const struct iommufd_viommu_ops *ops;   /* set by the driver's viommu_init() */
	struct xarray vdevs;                    /* struct iommufd_vdevice by virt_id */
	struct list_head veventqs;
	struct rw_semaphore veventqs_rwsem;
	u32 type;
};

struct iommufd_vdevice {
	struct iommufd_object obj;
	struct iommufd_viommu *viommu;
	struct iommufd_device *idev;
	u64 virt_id;
	/* Set by the driver if it has something to undo. */
	void (*destroy)(struct iommufd_vdevice *vdev);
};

struct iommufd_hw_queue {
	struct iommufd_object obj;
	struct iommufd_viommu *viommu;
	struct iommufd_access *access;          /* pins the queue's memory */
	u64 base_addr;                          /* IOVA in the nesting parent */
	u64 length;
	u32 type;
	void (*destroy)(struct iommufd_hw_queue *hw_queue);
};

/* Each op may be NULL: the driver has no such thing. */
struct iommufd_viommu_ops {
	void (*destroy)(struct iommufd_viommu *viommu);
	struct iommu_domain *(*alloc_domain_nested)(struct iommufd_viommu *viommu, u32 flags,
						    const struct iommu_user_data *user_data);
	int (*cache_invalidate)(struct iommufd_viommu *viommu,
				struct iommu_user_data_array *array);
	size_t vdevice_size;            /* 0: sizeof(struct iommufd_vdevice) */
	int (*vdevice_init)(struct iommufd_vdevice *vdev);
	/* 0: no such type. */
	size_t (*get_hw_queue_size)(struct iommufd_viommu *viommu, u32 queue_type);
	int (*hw_queue_init_phys)(struct iommufd_hw_queue *hw_queue, u32 index, pa_t base_addr_pa);
};

/* One object of a vIOMMU needs another: the other cannot be destroyed until undepend. -EINVAL. */
IFS_PUBLIC int ifs__iommufd_object_depend(struct iommufd_object *dependent,
					  struct iommufd_object *depended);
IFS_PUBLIC void ifs__iommufd_object_undepend(struct iommufd_object *dependent,
					     struct iommufd_object *depended);
/* Offers memory to mmap() of the iommufd, at *offset. -ENOMEM. */
IFS_PUBLIC int ifs_iommufd_viommu_alloc_mmap(struct iommufd_viommu *viommu, pa_t mmio_addr,
					     u64 length, u64 *offset);
IFS_PUBLIC void ifs_iommufd_viommu_destroy_mmap(struct iommufd_viommu *viommu, u64 offset);
/* NULL: no vDEVICE has this virt_id. Needs the xarray's lock. */
IFS_PUBLIC struct device *ifs_iommufd_viommu_find_dev(struct iommufd_viommu *viommu, u64 vdev_id);
/* -ENOENT: @dev has no vDEVICE on this vIOMMU. */
IFS_PUBLIC int ifs_iommufd_viommu_get_vdev_id(struct iommufd_viommu *viommu, struct device *dev,
					      u64 *vdev_id);
/* -EOPNOTSUPP: no event queue of that type; -ENOMEM. An event that is lost is a success. */
IFS_PUBLIC int ifs_iommufd_viommu_report_event(struct iommufd_viommu *viommu, u32 type,
					       const void *event_data, size_t data_len);

#define _iommufd_object_depend ifs__iommufd_object_depend
#define _iommufd_object_undepend ifs__iommufd_object_undepend
#define iommufd_viommu_alloc_mmap ifs_iommufd_viommu_alloc_mmap
#define iommufd_viommu_destroy_mmap ifs_iommufd_viommu_destroy_mmap
#define iommufd_viommu_find_dev ifs_iommufd_viommu_find_dev
#define iommufd_viommu_get_vdev_id ifs_iommufd_viommu_get_vdev_id
#define iommufd_viommu_report_event ifs_iommufd_viommu_report_event

#endif
