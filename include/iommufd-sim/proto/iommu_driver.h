/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What an IOMMU driver implements, with Linux's names (include/linux/iommu.h): struct iommu_ops per
 * unit, struct iommu_domain_ops per domain; and how it reads what a user program passes through
 * iommufd to it.
 *
 * Differences from Linux's shape: page tables are not an op of the domain (iommu_map() and friends
 * find the algorithm by domain->pt.format); hw_info fills a buffer of the caller's.
 */
#ifndef IOMMUFD_SIM_PROTO_IOMMU_DRIVER_H
#define IOMMUFD_SIM_PROTO_IOMMU_DRIVER_H

#include <iommufd-sim/proto/iommu.h>

struct iommufd_viommu;
struct iopf_fault;
struct iommu_page_response;

enum iommu_cap {
	IOMMU_CAP_CACHE_COHERENCY,
	IOMMU_CAP_NOEXEC,
	IOMMU_CAP_PRE_BOOT_PROTECTION,
	IOMMU_CAP_ENFORCE_CACHE_COHERENCY,
	IOMMU_CAP_DEFERRED_FLUSH,
	IOMMU_CAP_DIRTY_TRACKING,
	IOMMU_CAP_PCI_ATS_SUPPORTED,
};

/* A structure of the driver's in the program's memory: type, address, length. */
struct iommu_user_data {
	u32 type;
	uva_t uptr;
	size_t len;
};

/* @entry_num is in/out: a driver sets it to how many entries it handled. */
struct iommu_user_data_array {
	u32 type;
	uva_t uptr;
	size_t entry_len;
	u32 entry_num;
};

#define IOMMU_HW_INFO_MAX 64    /* bytes that the largest hw_info needs */

struct iommu_ops {
	bool (*capable)(struct device *dev, enum iommu_cap cap);
	/*
	 * Writes at most IOMMU_HW_INFO_MAX bytes to @data. *type: in, what is asked for (0: the
	 * driver's own); out, what it is. -EOPNOTSUPP: no such type. NULL op: type 0, no bytes.
	 */
	int (*hw_info)(struct device *dev, void *data, u32 *length, u32 *type);
	/* ERR_PTR. @user_data may be NULL. */
	struct iommu_domain *(*domain_alloc_paging_flags)(struct device *dev, u32 flags,
							  const struct iommu_user_data *user_data);
	/* NULL: no nesting. @user_data is not NULL. */
	struct iommu_domain *(*domain_alloc_nested)(struct device *dev,
						    struct iommu_domain *parent, u32 flags,
						    const struct iommu_user_data *user_data);
	/* The device is cut off: from @old (NULL: nothing was attached) to blocked. Never fails. */
	void (*block_dev)(struct device *dev, struct iommu_domain *old);
	/* The same for one PASID. NULL: the driver has no PASIDs. */
	void (*block_dev_pasid)(struct device *dev, ioasid_t pasid, struct iommu_domain *old);
	/* iommu_get_resv_regions(). NULL: none. */
	int (*get_resv_regions)(struct device *dev, struct list_head *list);
	/* Every fault of @dev gets exactly one answer. NULL: no page faults. */
	void (*page_response)(struct device *dev, const struct iopf_fault *fault,
			      const struct iommu_page_response *msg);
	/* Size of the driver's structure around struct iommufd_viommu, which is its first member.
	 * 0: no such type. NULL op: no vIOMMUs. */
	size_t (*get_viommu_size)(struct device *dev, u32 viommu_type);
	/* Sets viommu->ops. @user_data may be NULL. */
	int (*viommu_init)(struct iommufd_viommu *viommu, struct iommu_domain *parent_domain,
			   const struct iommu_user_data *user_data);
	/* Faults of PASIDs that nobody attached belong to a nested RID domain. */
	bool user_pasid_table;
};

struct iommu_domain_ops {
	/*
	 * May fail, and then changes nothing: whatever entering @domain needs, for each device of
	 * the group. Needs the group's mutex. NULL: nothing.
	 */
	int (*prepare)(struct iommu_domain *domain, struct device *dev);
	/*
	 * Moves @dev from @old (NULL: blocked) to @domain, in one step. -EINVAL: incompatible.
	 * Needs the group's mutex.
	 */
	int (*attach_dev)(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old);
	/* The same for one PASID. NULL: the driver has no PASIDs. */
	int (*set_dev_pasid)(struct iommu_domain *domain, struct device *dev, ioasid_t pasid,
			     struct iommu_domain *old);
	/* No device is attached any more. NULL: nothing to do. */
	void (*last_detached)(struct iommu_domain *domain);
	/* NULL: nothing caches. Both bounds inclusive. */
	void (*flush_iotlb_range)(struct iommu_domain *domain, iova_t start, iova_t last);
	/* HWPT_INVALIDATE of a nested domain; array->entry_num becomes the number handled. */
	int (*cache_invalidate_user)(struct iommu_domain *domain,
				     struct iommu_user_data_array *array);
};

static inline const struct iommu_ops *dev_iommu_ops(const struct device *dev)
{
	return dev->iommu->ops;
}

IFS_PUBLIC bool ifs_device_iommu_capable(struct device *dev, enum iommu_cap cap);

/*
 * Copying. The rules are Linux's: the type must be the one asked for, the length at least @min_len
 * (the first version of the structure) and at most the structure's, else -EINVAL; then
 * copy_struct_from_user(): what is missing reads as zero. -EFAULT.
 */
IFS_PUBLIC int ifs_iommu_copy_struct_from_user(void *to, const struct iommu_user_data *from,
					       u32 type, size_t size, size_t min_len);
/* Entry @index of @from. */
IFS_PUBLIC int ifs_iommu_copy_struct_from_user_array(void *to,
						     const struct iommu_user_data_array *from,
						     u32 type, u32 index, size_t size,
						     size_t min_len);
/*
 * All entries; @to has room for entry_num of @entry_size. -EINVAL for the wrong type or no entries;
 * entries of another length are copied one by one: -E2BIG for a tail that is not zero.
 */
IFS_PUBLIC int
ifs_iommu_copy_struct_from_full_user_array(void *to, size_t entry_size,
					   const struct iommu_user_data_array *from, u32 type);
/* Truncated to the user's length; what the user has more is zeroed. */
IFS_PUBLIC int ifs_iommu_copy_struct_to_user(const struct iommu_user_data *to, const void *from,
					     u32 type, size_t size, size_t min_len);

#define ifs_offsetofend(type, member) \
	(offsetof(type, member) + sizeof(((type *)NULL)->member))

#ifndef IFS_PROTO_NO_IOMMU_NAMES
#define device_iommu_capable ifs_device_iommu_capable
#define iommu_copy_struct_from_user(kdst, user_data, type, min_last) \
	ifs_iommu_copy_struct_from_user(kdst, user_data, type, sizeof(*(kdst)), \
					ifs_offsetofend(__typeof__(*(kdst)), min_last))
#define iommu_copy_struct_from_user_array(kdst, array, type, index, min_last) \
	ifs_iommu_copy_struct_from_user_array(kdst, array, type, index, sizeof(*(kdst)), \
					      ifs_offsetofend(__typeof__(*(kdst)), min_last))
#define iommu_copy_struct_from_full_user_array ifs_iommu_copy_struct_from_full_user_array
#define iommu_copy_struct_to_user(user_data, ksrc, type, min_last) \
	ifs_iommu_copy_struct_to_user(user_data, ksrc, type, sizeof(*(ksrc)), \
				      ifs_offsetofend(__typeof__(*(ksrc)), min_last))
#endif

#endif
