/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What drivers are asked and given from outside: structures of a user program that iommufd hands
 * through without looking (include/linux/iommu.h), capabilities, reserved regions
 * (drivers/iommu/iommu.c).
 */
#include <iommufd-sim/proto/iommu_driver.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/base/task.h"
#include "lib/mm/user_mem.h"

static bool user_data_fits(const struct iommu_user_data *data, u32 type, size_t size,
			   size_t min_len)
{
	return data->type == type && data->len >= min_len && data->len <= size;
}

int ifs_iommu_copy_struct_from_user(void *to, const struct iommu_user_data *from, u32 type,
				    size_t size, size_t min_len)
{
	if (WARN_ON(!from) || !user_data_fits(from, type, size, min_len))
		return -EINVAL;
	return copy_struct_from_user(to, size, from->uptr, from->len);
}

int ifs_iommu_copy_struct_from_user_array(void *to, const struct iommu_user_data_array *from,
					  u32 type, u32 index, size_t size, size_t min_len)
{
	struct iommu_user_data entry = {
		.type = from->type,
		.uptr = from->uptr + from->entry_len * index,
		.len = from->entry_len,
	};

	if (WARN_ON(index >= from->entry_num))
		return -EINVAL;
	return ifs_iommu_copy_struct_from_user(to, &entry, type, size, min_len);
}

int ifs_iommu_copy_struct_from_full_user_array(void *to, size_t entry_size,
					       const struct iommu_user_data_array *from, u32 type)
{
	int ret = 0;

	if (from->type != type || !from->entry_num)
		return -EINVAL;
	if (from->entry_len == entry_size)
		return copy_from_user(to, from->uptr, entry_size * from->entry_num);
	for (u32 i = 0; i < from->entry_num && !ret; i++)
		ret = copy_struct_from_user((u8 *)to + entry_size * i, entry_size,
					    from->uptr + from->entry_len * i, from->entry_len);
	return ret;
}

int ifs_iommu_copy_struct_to_user(const struct iommu_user_data *to, const void *from, u32 type,
				  size_t size, size_t min_len)
{
	if (WARN_ON(!to) || !user_data_fits(to, type, size, min_len))
		return -EINVAL;
	return copy_to_user(to->uptr, from, to->len);
}

bool ifs_device_iommu_capable(struct device *dev, enum iommu_cap cap)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);

	return ops->capable && ops->capable(dev, cap);
}

int ifs_iommu_get_resv_regions(struct device *dev, struct list_head *list)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);

	return ops->get_resv_regions ? ops->get_resv_regions(dev, list) : 0;
}

void ifs_iommu_put_resv_regions(struct device *dev, struct list_head *list)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, list, list) {
		list_del(&region->list);
		kheap_free(&current->kernel->heap, region);
	}
}
