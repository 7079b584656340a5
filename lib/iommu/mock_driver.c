/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The mock driver: devices, domains, attaching (Linux: drivers/iommu/iommufd/selftest.c). Its
 * vIOMMUs: mock_viommu.c.
 *
 * A device does no DMA: what can be seen of it is which domain it is attached to, the four words of
 * its "cache", and page faults that tests make up. The tables of its domains are real ones, in the
 * format AMDv1 with 2 KiB pages, and are read back through iommu_iova_to_phys().
 *
 * The quirk of PASID 1024: of two successful attaches in a row the second fails with -ENOMEM, so
 * that a test can see an attachment survive a failed replace.
 */
#include "lib/iommu/mock_driver.h"

#include <stdio.h>

#include <iommufd-sim/proto/bug.h>
#include <iommufd-sim/proto/iopf.h>

#include "lib/iommu/iommu_private.h"
#include "lib/iommu/mock_private.h"

#define MOCK_PASID_BITS 20

static const struct iommu_domain_ops mock_domain_ops;
static const struct iommu_domain_ops mock_nested_ops;

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		return true;
	case IOMMU_CAP_DIRTY_TRACKING:
		return !(to_mock_dev(dev)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY);
	default:
		return false;
	}
}

static int mock_hw_info(struct device *dev, void *data, u32 *length, u32 *type)
{
	const struct iommu_test_hw_info info = { .test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL };

	if (*type != IOMMU_HW_INFO_TYPE_DEFAULT && *type != IOMMU_HW_INFO_TYPE_SELFTEST)
		return -EOPNOTSUPP;
	memcpy(data, &info, sizeof(info));
	*length = sizeof(info);
	*type = IOMMU_HW_INFO_TYPE_SELFTEST;
	return 0;
}

/* Tables and what they offer, for one of the two kinds. */
static int mock_domain_init(struct iommu_domain *domain, u32 pagetable_type)
{
	int ret = pt_init(current->kernel, &domain->pt, IOMMU_PT_AMDV1_MOCK);

	if (ret)
		return ret;
	pt_aperture(&domain->pt, &domain->geometry);
	if (pagetable_type == MOCK_IOMMUPT_HUGE) {
		domain->pgsize_bitmap = MOCK_HUGE_PAGE_SIZE | PAGE_SIZE;
		return 0;
	}
	domain->pgsize_bitmap = pt_ops_of(&domain->pt)->pgsize_bitmap;
	domain->geometry.aperture_start = MOCK_APERTURE_START;
	domain->geometry.aperture_end = MOCK_APERTURE_LAST;
	return 0;
}

static struct iommu_domain *mock_domain_alloc_paging_flags(struct device *dev, u32 flags,
							   const struct iommu_user_data *user_data)
{
	const u32 known = IOMMU_HWPT_ALLOC_DIRTY_TRACKING | IOMMU_HWPT_ALLOC_NEST_PARENT |
			  IOMMU_HWPT_ALLOC_PASID;
	bool dirty = flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	struct iommu_hwpt_selftest config = { 0 };
	struct iommu_domain *domain;
	int ret;

	if (flags & ~known || (dirty && !mock_capable(dev, IOMMU_CAP_DIRTY_TRACKING)))
		return ERR_PTR(-EOPNOTSUPP);
	if (user_data && user_data->type != IOMMU_HWPT_DATA_SELFTEST &&
	    user_data->type != IOMMU_HWPT_DATA_NONE)
		return ERR_PTR(-EOPNOTSUPP);
	if (user_data) {
		ret = iommu_copy_struct_from_user(&config, user_data, IOMMU_HWPT_DATA_SELFTEST,
						  iotlb);
		if (ret)
			return ERR_PTR(ret);
	}
	domain = iommu_domain_new(dev->iommu, &mock_domain_ops, sizeof(*domain));
	if (!domain)
		return ERR_PTR(-ENOMEM);
	ret = config.pagetable_type > MOCK_IOMMUPT_HUGE ? -EOPNOTSUPP :
	      mock_domain_init(domain, config.pagetable_type);
	if (ret) {
		iommu_domain_destroy(iommu_core_current(), domain);
		return ERR_PTR(ret);
	}
	domain->dirty_ops = dirty;
	return domain;
}

struct iommu_domain *mock_nested_new(struct iommu_device *iommu, struct iommu_domain *parent,
				     struct mock_viommu *mock_viommu, u32 flags,
				     const struct iommu_user_data *user_data)
{
	struct mock_iommu_domain_nested *nested;
	struct iommu_hwpt_selftest config;
	struct iommu_domain *domain;
	int ret;

	if (flags & ~(u32)IOMMU_HWPT_ALLOC_PASID)
		return ERR_PTR(-EOPNOTSUPP);
	if (!parent || parent->type != IOMMU_DOMAIN_UNMANAGED)
		return ERR_PTR(-EINVAL);
	if (user_data->type != IOMMU_HWPT_DATA_SELFTEST)
		return ERR_PTR(-EOPNOTSUPP);
	ret = iommu_copy_struct_from_user(&config, user_data, IOMMU_HWPT_DATA_SELFTEST, iotlb);
	if (ret)
		return ERR_PTR(ret);
	domain = iommu_domain_new(iommu, &mock_nested_ops, sizeof(*nested));
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->type = IOMMU_DOMAIN_NESTED;
	domain->parent = parent;
	nested = to_mock_nested(domain);
	nested->mock_viommu = mock_viommu;
	for (unsigned i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++)
		nested->iotlb[i] = config.iotlb;
	return domain;
}

static struct iommu_domain *mock_domain_alloc_nested(struct device *dev,
						     struct iommu_domain *parent, u32 flags,
						     const struct iommu_user_data *user_data)
{
	return mock_nested_new(dev->iommu, parent, NULL, flags, user_data);
}

/* Page faults are reported while any attachment of the device wants them. */
static int mock_enable_iopf(struct mock_dev *mdev, const struct iommu_domain *domain)
{
	int ret;

	if (!domain->iopf_handler)
		return 0;
	if (!mdev->iopf_refcount) {
		ret = ifs_iopf_device_add(&mdev->dev);
		if (ret)
			return ret;
	}
	mdev->iopf_refcount++;
	return 0;
}

static void mock_disable_iopf(struct mock_dev *mdev, const struct iommu_domain *domain)
{
	if (domain && domain->iopf_handler && !--mdev->iopf_refcount)
		ifs_iopf_device_remove(&mdev->dev);
}

static void mock_set_viommu(struct mock_dev *mdev, struct mock_viommu *mock_viommu, u64 vdev_id)
{
	if (mock_viommu == mdev->viommu)
		return;
	down_write(&mdev->viommu_rwsem);
	mdev->viommu = mock_viommu;
	mdev->vdev_id = vdev_id;
	up_write(&mdev->viommu_rwsem);
}

static int mock_attach_dev(struct iommu_domain *domain, struct device *dev,
			   struct iommu_domain *old)
{
	struct mock_dev *mdev = to_mock_dev(dev);
	struct mock_viommu *mock_viommu = NULL;
	u64 vdev_id = 0;
	int ret;

	if (domain->dirty_ops && mdev->flags & MOCK_FLAGS_DEVICE_NO_DIRTY)
		return -EINVAL;
	if (domain->type == IOMMU_DOMAIN_NESTED)
		mock_viommu = to_mock_nested(domain)->mock_viommu;
	if (mock_viommu) {
		ret = iommufd_viommu_get_vdev_id(&mock_viommu->core, dev, &vdev_id);
		if (ret)
			return ret;
	}
	/* As in Linux it stays changed if the next step fails. */
	mock_set_viommu(mdev, mock_viommu, vdev_id);
	ret = mock_enable_iopf(mdev, domain);
	if (ret)
		return ret;
	mock_disable_iopf(mdev, old);
	return 0;
}

static void mock_block_dev(struct device *dev, struct iommu_domain *old)
{
	mock_set_viommu(to_mock_dev(dev), NULL, 0);
	mock_disable_iopf(to_mock_dev(dev), old);
}

static int mock_set_dev_pasid(struct iommu_domain *domain, struct device *dev, ioasid_t pasid,
			      struct iommu_domain *old)
{
	struct mock_dev *mdev = to_mock_dev(dev);
	int ret;

	if (pasid == IOMMU_TEST_PASID_RESERVED) {
		mdev->pasid_1024_fake_error = !mdev->pasid_1024_fake_error;
		if (!mdev->pasid_1024_fake_error)
			return -ENOMEM;
	}
	ret = mock_enable_iopf(mdev, domain);
	if (ret)
		return ret;
	mock_disable_iopf(mdev, old);
	return 0;
}

static void mock_block_dev_pasid(struct device *dev, ioasid_t pasid, struct iommu_domain *old)
{
	if (pasid == IOMMU_TEST_PASID_RESERVED)
		to_mock_dev(dev)->pasid_1024_fake_error = false;
	mock_disable_iopf(to_mock_dev(dev), old);
}

static void mock_page_response(struct device *dev, const struct iopf_fault *fault,
			       const struct iommu_page_response *msg)
{
}

static int mock_invalidate_entry(struct mock_iommu_domain_nested *nested,
				 const struct iommu_hwpt_invalidate_selftest *inv)
{
	if (inv->flags & ~(u32)IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (inv->iotlb_id > MOCK_NESTED_DOMAIN_IOTLB_ID_MAX)
		return -EINVAL;
	if (inv->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL)
		memset(nested->iotlb, 0, sizeof(nested->iotlb));
	else
		nested->iotlb[inv->iotlb_id] = 0;
	return 0;
}

static int mock_cache_invalidate_user(struct iommu_domain *domain,
				      struct iommu_user_data_array *array)
{
	struct iommu_hwpt_invalidate_selftest inv;
	u32 nr_done = 0;
	int ret = 0;

	if (array->type != IOMMU_HWPT_INVALIDATE_DATA_SELFTEST)
		ret = -EINVAL;
	while (!ret && nr_done < array->entry_num) {
		ret = iommu_copy_struct_from_user_array(&inv, array,
							IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
							nr_done, iotlb_id);
		if (!ret)
			ret = mock_invalidate_entry(to_mock_nested(domain), &inv);
		nr_done += !ret;
	}
	array->entry_num = nr_done;
	return ret;
}

static const struct iommu_domain_ops mock_domain_ops = {
	.attach_dev = mock_attach_dev,
	.set_dev_pasid = mock_set_dev_pasid,
};

static const struct iommu_domain_ops mock_nested_ops = {
	.attach_dev = mock_attach_dev,
	.set_dev_pasid = mock_set_dev_pasid,
	.cache_invalidate_user = mock_cache_invalidate_user,
};

const struct iommu_ops mock_ops = {
	.capable = mock_capable,
	.hw_info = mock_hw_info,
	.domain_alloc_paging_flags = mock_domain_alloc_paging_flags,
	.domain_alloc_nested = mock_domain_alloc_nested,
	.block_dev = mock_block_dev,
	.block_dev_pasid = mock_block_dev_pasid,
	.page_response = mock_page_response,
	.get_viommu_size = mock_get_viommu_size,
	.viommu_init = mock_viommu_init,
	.user_pasid_table = true,
};

void mock_unit_init(struct iommu_device *unit)
{
	unit->ops = &mock_ops;
	unit->max_pasids = 1u << MOCK_PASID_BITS;
	mutex_init(&unit->lock);
	INIT_LIST_HEAD(&unit->list);
}

/* Onto the list, sorted by id, with the lowest one that is free. */
static void mock_dev_list_add(struct iommu_core *core, struct mock_dev *mdev)
{
	struct device *other;

	list_for_each_entry(other, &core->mock_devices, list) {
		if (to_mock_dev(other)->id != mdev->id)
			break;
		mdev->id++;
	}
	list_add_tail(&mdev->dev.list, &other->list);
}

struct mock_dev *mock_dev_create(u32 dev_flags)
{
	struct iommu_core *core = iommu_core_current();
	struct mock_dev *mdev;

	if (dev_flags & ~(u32)(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID))
		return ERR_PTR(-EINVAL);
	mdev = kheap_new(&core->kernel->heap, struct mock_dev);
	if (!mdev)
		return ERR_PTR(-ENOMEM);
	mdev->dev.group = iommu_group_new(core);
	if (!mdev->dev.group) {
		kheap_free(&core->kernel->heap, mdev);
		return ERR_PTR(-ENOMEM);
	}
	init_rwsem(&mdev->viommu_rwsem);
	mdev->flags = dev_flags;
	for (unsigned i = 0; i < MOCK_DEV_CACHE_NUM; i++)
		mdev->cache[i] = IOMMU_TEST_DEV_CACHE_DEFAULT;
	mdev->dev.iommu = &core->mock_unit;
	mdev->dev.max_pasids = dev_flags & MOCK_FLAGS_DEVICE_PASID ? 1u << MOCK_PASID_BITS : 1;
	mutex_lock(&core->lock);
	mock_dev_list_add(core, mdev);
	mutex_unlock(&core->lock);
	snprintf(mdev->dev.name, sizeof(mdev->dev.name), "iommufd_mock%u", mdev->id);
	list_add_tail(&mdev->dev.group_node, &mdev->dev.group->devices);
	return mdev;
}

void mock_dev_destroy(struct mock_dev *mdev)
{
	struct iommu_core *core = iommu_core_current();
	bool in_use = mdev->dev.group->domain || mdev->dev.group->owner_cnt;
	struct iommu_attach_handle *handle;
	u64 pasid;

	/* Whoever could not release it still looks at it, so it stays for good. */
	if (WARN_ON(in_use))
		return;
	xa_for_each(&mdev->dev.group->pasid_array, pasid, handle)
		ifs_iommu_detach_device_pasid(handle->domain, &mdev->dev, (ioasid_t)pasid);
	mutex_lock(&core->lock);
	list_del(&mdev->dev.list);
	mutex_unlock(&core->lock);
	iommu_group_free(core, mdev->dev.group);
	kheap_free(&core->kernel->heap, mdev);
}

int mock_domain_set_dirty(struct iommu_domain *domain, iova_t iova)
{
	struct pt_ctx ctx;

	pt_ctx_init(&ctx, current->kernel, &domain->pt);
	return pt_ops_of(&domain->pt)->set_dirty(&ctx, iova);
}
