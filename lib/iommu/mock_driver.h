/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The mock IOMMU driver of the selftest interface (Linux: drivers/iommu/iommufd/selftest.c, the
 * half that is a driver). Devices are made and destroyed at run time, each in a group of its own;
 * one unit, "mock", stands behind all of them. There is no hardware: nothing walks the tables.
 */
#ifndef LIB_IOMMU_MOCK_DRIVER_H
#define LIB_IOMMU_MOCK_DRIVER_H

#include <iommufd-sim/proto/iommu_driver.h>
#include <iommufd-sim/proto/viommu.h>

#include <linux/iommufd_test.h>

struct mock_viommu;

struct mock_dev {
	struct device dev;              /* dev.name: "iommufd_mock0", ... */
	struct rw_semaphore viommu_rwsem;
	struct mock_viommu *viommu;     /* of the nested domain the RID is attached to */
	u64 vdev_id;                    /* and the device's id on it */
	u32 flags;                      /* MOCK_FLAGS_DEVICE_* */
	u32 id;
	u32 cache[MOCK_DEV_CACHE_NUM];
	bool pasid_1024_fake_error;
	u32 iopf_refcount;
};

struct mock_iommu_domain_nested {
	struct iommu_domain domain;
	struct mock_viommu *mock_viommu;        /* NULL: made directly on a parent */
	u32 iotlb[MOCK_NESTED_DOMAIN_IOTLB_NUM];
};

struct mock_hw_queue;

struct mock_viommu {
	struct iommufd_viommu core;
	struct iommu_domain *s2_parent;
	struct mock_hw_queue *hw_queue[IOMMU_TEST_HW_QUEUE_MAX];
	bool hw_queue_busy[IOMMU_TEST_HW_QUEUE_MAX];
	struct mutex queue_mutex;
	u64 mmap_offset;                /* 0: none */
	pa_t page_pa;                   /* two pages, 0: none */
};

extern const struct iommu_ops mock_ops;

/* A device in a group of its own. ERR_PTR: -EINVAL (unknown flags), -ENOMEM. */
struct mock_dev *mock_dev_create(u32 dev_flags);
/*
 * Detaches PASIDs that are left. Nobody owns its DMA, and its group is not attached; else it stays,
 * and a WARN says so.
 */
void mock_dev_destroy(struct mock_dev *mdev);
/* Marks what translates @iova as written to by a device. -ENOENT: nothing does. */
int mock_domain_set_dirty(struct iommu_domain *domain, iova_t iova);

static inline struct mock_dev *to_mock_dev(struct device *dev)
{
	return container_of(dev, struct mock_dev, dev);
}

static inline struct mock_iommu_domain_nested *to_mock_nested(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_iommu_domain_nested, domain);
}

#endif
