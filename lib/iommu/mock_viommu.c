/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The mock driver's vIOMMUs and hardware queues (Linux: drivers/iommu/iommufd/selftest.c).
 *
 * With data, a vIOMMU has two pages that mmap() of the iommufd shows; the first word says what the
 * program passed. Invalidation goes by virtual device id to the "cache" of the device.
 *
 * A vIOMMU has two queues; the second needs the first, for as long as it lives. The driver of 7.3
 * forgets which of them a queue was: the end of either gives back the place of the first only, and
 * who had a second one never gets another ("exact" reproduces that).
 */
#include "lib/iommu/mock_private.h"

#include <assert.h>

#include "lib/iommu/iommu_private.h"
#include "lib/mm/page_alloc.h"
#include "sim/phys_mem.h"

#define MOCK_VIOMMU_PAGES 2
/* The most that kmalloc() has on x86. */
#define KMALLOC_MAX_SIZE (4u << 20)

struct mock_hw_queue {
	struct iommufd_hw_queue core;
	struct mock_hw_queue *prev;     /* the one it depends on */
	u32 index;
};

static struct mock_viommu *to_mock_viommu(struct iommufd_viommu *viommu)
{
	return container_of(viommu, struct mock_viommu, core);
}

static void mock_viommu_destroy(struct iommufd_viommu *viommu)
{
	struct mock_viommu *mock = to_mock_viommu(viommu);

	if (!mock->page_pa)
		return;
	iommufd_viommu_destroy_mmap(viommu, mock->mmap_offset);
	pages_free(current->kernel->page_alloc, mock->page_pa, MOCK_VIOMMU_PAGES);
}

static struct iommu_domain *mock_viommu_alloc_nested(struct iommufd_viommu *viommu, u32 flags,
						     const struct iommu_user_data *user_data)
{
	struct mock_viommu *mock = to_mock_viommu(viommu);

	return mock_nested_new(viommu->iommu_dev, mock->s2_parent, mock, flags, user_data);
}

static int mock_viommu_invalidate_one(struct iommufd_viommu *viommu,
				      const struct iommu_viommu_invalidate_selftest *cmd)
{
	struct device *dev;
	int ret = -EINVAL;

	if (cmd->flags & ~(u32)IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (cmd->cache_id > MOCK_DEV_CACHE_ID_MAX)
		return -EINVAL;
	xa_lock(&viommu->vdevs);
	dev = iommufd_viommu_find_dev(viommu, cmd->vdev_id);
	if (!dev)
		goto unlock;
	if (cmd->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(to_mock_dev(dev)->cache, 0, sizeof(to_mock_dev(dev)->cache));
	else
		to_mock_dev(dev)->cache[cmd->cache_id] = 0;
	ret = 0;
unlock:
	xa_unlock(&viommu->vdevs);
	return ret;
}

static int mock_viommu_cache_invalidate(struct iommufd_viommu *viommu,
					struct iommu_user_data_array *array)
{
	struct iommu_viommu_invalidate_selftest *cmds;
	struct kheap *heap = &current->kernel->heap;
	u32 nr_done = 0;
	int ret;

	/* No entries: asks whether the type is known. */
	if (!array->entry_num)
		return array->type == IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST ? 0 : -EINVAL;
	cmds = array->entry_num > KMALLOC_MAX_SIZE / sizeof(*cmds) ? NULL :
	       kheap_alloc(heap, (size_t)array->entry_num * sizeof(*cmds), "mock invalidate");
	if (!cmds) {
		/* Else the caller is told that all were handled: a slip of 7.3. */
		if (current->kernel->fix_bugs)
			array->entry_num = 0;
		return -ENOMEM;
	}
	ret = iommu_copy_struct_from_full_user_array(cmds, sizeof(*cmds), array,
						     IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST);
	while (!ret && nr_done < array->entry_num) {
		ret = mock_viommu_invalidate_one(viommu, &cmds[nr_done]);
		nr_done += !ret;
	}
	array->entry_num = nr_done;
	kheap_free(heap, cmds);
	return ret;
}

static size_t mock_get_hw_queue_size(struct iommufd_viommu *viommu, u32 queue_type)
{
	return queue_type == IOMMU_HW_QUEUE_TYPE_SELFTEST ? sizeof(struct mock_hw_queue) : 0;
}

static void mock_hw_queue_destroy(struct iommufd_hw_queue *hw_queue)
{
	struct mock_hw_queue *queue = container_of(hw_queue, struct mock_hw_queue, core);
	struct mock_viommu *mock = to_mock_viommu(hw_queue->viommu);

	mutex_lock(&mock->queue_mutex);
	mock->hw_queue_busy[current->kernel->fix_bugs ? queue->index : 0] = false;
	if (mock->hw_queue[queue->index] == queue)
		mock->hw_queue[queue->index] = NULL;
	if (queue->prev)
		_iommufd_object_undepend(&queue->core.obj, &queue->prev->core.obj);
	mutex_unlock(&mock->queue_mutex);
}

/* Needs queue_mutex. */
static int mock_hw_queue_init(struct mock_viommu *mock, struct mock_hw_queue *queue,
			      pa_t base_addr_pa)
{
	struct mock_hw_queue *prev = NULL;
	int ret = 0;

	if (mock->hw_queue_busy[queue->index])
		return -EEXIST;
	if (queue->index) {
		if (!mock->hw_queue_busy[queue->index - 1])
			return -EIO;
		prev = mock->hw_queue[queue->index - 1];
		assert(prev);
	}
	if (iommu_iova_to_phys(mock->s2_parent, queue->core.base_addr) != base_addr_pa)
		return -EFAULT;
	if (prev)
		ret = _iommufd_object_depend(&queue->core.obj, &prev->core.obj);
	if (ret)
		return ret;
	queue->prev = prev;
	mock->hw_queue[queue->index] = queue;
	mock->hw_queue_busy[queue->index] = true;
	queue->core.destroy = mock_hw_queue_destroy;
	return 0;
}

static int mock_hw_queue_init_phys(struct iommufd_hw_queue *hw_queue, u32 index,
				   pa_t base_addr_pa)
{
	struct mock_hw_queue *queue = container_of(hw_queue, struct mock_hw_queue, core);
	struct mock_viommu *mock = to_mock_viommu(hw_queue->viommu);
	int ret;

	if (index >= IOMMU_TEST_HW_QUEUE_MAX)
		return -EINVAL;
	queue->index = index;
	mutex_lock(&mock->queue_mutex);
	ret = mock_hw_queue_init(mock, queue, base_addr_pa);
	mutex_unlock(&mock->queue_mutex);
	return ret;
}

static const struct iommufd_viommu_ops mock_viommu_ops = {
	.destroy = mock_viommu_destroy,
	.alloc_domain_nested = mock_viommu_alloc_nested,
	.cache_invalidate = mock_viommu_cache_invalidate,
	.get_hw_queue_size = mock_get_hw_queue_size,
	.hw_queue_init_phys = mock_hw_queue_init_phys,
};

size_t mock_get_viommu_size(struct device *dev, u32 viommu_type)
{
	return viommu_type == IOMMU_VIOMMU_TYPE_SELFTEST ? sizeof(struct mock_viommu) : 0;
}

/* The two pages, and what the program learns of them. */
static int mock_viommu_init_page(struct mock_viommu *mock, struct iommu_viommu_selftest *data,
				 const struct iommu_user_data *user_data)
{
	struct kernel_base *kernel = current->kernel;
	pa_t page_pa;
	u32 *page;
	int ret;

	ret = pages_alloc(kernel->page_alloc, MOCK_VIOMMU_PAGES, 1, FRAME_KERNEL, &page_pa);
	if (ret)
		return ret;
	ret = iommufd_viommu_alloc_mmap(&mock->core, page_pa, MOCK_VIOMMU_PAGES * PAGE_SIZE,
					&mock->mmap_offset);
	if (ret)
		goto free_page;
	page = phys_mem_ptr(kernel->mem, page_pa, PAGE_SIZE);
	assert(page);
	*page = data->in_data;
	data->out_data = data->in_data;
	data->out_mmap_length = MOCK_VIOMMU_PAGES * PAGE_SIZE;
	data->out_mmap_offset = mock->mmap_offset;
	ret = iommu_copy_struct_to_user(user_data, data, IOMMU_VIOMMU_TYPE_SELFTEST, out_data);
	if (ret)
		goto destroy_mmap;
	mock->page_pa = page_pa;
	return 0;

destroy_mmap:
	iommufd_viommu_destroy_mmap(&mock->core, mock->mmap_offset);
free_page:
	pages_free(kernel->page_alloc, page_pa, MOCK_VIOMMU_PAGES);
	return ret;
}

int mock_viommu_init(struct iommufd_viommu *viommu, struct iommu_domain *parent_domain,
		     const struct iommu_user_data *user_data)
{
	struct mock_viommu *mock = to_mock_viommu(viommu);
	struct iommu_viommu_selftest data;
	int ret;

	if (user_data) {
		ret = iommu_copy_struct_from_user(&data, user_data, IOMMU_VIOMMU_TYPE_SELFTEST,
						  out_data);
		if (ret)
			return ret;
		ret = mock_viommu_init_page(mock, &data, user_data);
		if (ret)
			return ret;
	}
	mutex_init(&mock->queue_mutex);
	mock->s2_parent = parent_domain;
	viommu->ops = &mock_viommu_ops;
	return 0;
}
