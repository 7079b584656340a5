/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The mock driver: devices, domains and what it says to a user program's data; PASIDs and page
 * faults, which only it has. Values are the reference's.
 */
#include "tests/lib/iommu/iommu_fixture.h"

#include <iommufd-sim/proto/iopf.h>

#include "lib/iommu/mock_driver.h"
#include "lib/mm/user_mem.h"

static struct mm *mm_of(struct iommu_fixture *fix)
{
	if (!fix->task.mm)
		assert_int_equal(mm_new(fix->kernel, 1, 8ull << 20, &fix->task.mm), 0);
	return fix->task.mm;
}

static int setup(void **state)
{
	int ret = setup_vtdss(state);

	mm_of(*state);
	return ret;
}

static int finish(void **state)
{
	struct iommu_fixture *fix = *state;

	mm_exit(fix->task.mm);
	mm_put(fix->task.mm);
	fix->task.mm = NULL;
	return teardown(state);
}

static struct mock_dev *mock_new(u32 flags)
{
	struct mock_dev *mdev = mock_dev_create(flags);

	assert_false(IS_ERR(mdev));
	return mdev;
}

static struct iommu_user_data data_of(u32 type, const void *at, size_t length)
{
	return (struct iommu_user_data){ .type = type, .uptr = (uintptr_t)at, .len = length };
}

static struct iommu_domain *alloc(struct mock_dev *mdev, u32 flags)
{
	struct iommu_domain *domain = ifs_iommu_domain_alloc_paging_flags(&mdev->dev, flags);

	assert_false(IS_ERR(domain));
	return domain;
}

static long alloc_error(struct mock_dev *mdev, u32 flags, u32 type, const void *at, size_t length)
{
	struct iommu_user_data data = data_of(type, at, length);

	return PTR_ERR(mock_ops.domain_alloc_paging_flags(&mdev->dev, flags,
							  type || at ? &data : NULL));
}

/* A test that reads names, caches or PASID widths would see other devices than Linux's. */
static void test_mock_dev_create_gives_what_linux_gives(void **state)
{
	struct mock_dev *a = mock_new(0), *b = mock_new(MOCK_FLAGS_DEVICE_PASID);
	struct iommu_test_hw_info info;
	u32 length, type = 0;

	assert_int_equal(PTR_ERR(mock_dev_create(2)), -EINVAL);
	assert_int_equal(PTR_ERR(mock_dev_create(8)), -EINVAL);
	assert_string_equal(a->dev.name, "iommufd_mock0");
	assert_string_equal(b->dev.name, "iommufd_mock1");
	assert_ptr_not_equal(a->dev.group, b->dev.group);
	assert_int_equal(a->dev.max_pasids, 1);
	assert_int_equal(b->dev.max_pasids, 1 << 20);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(a->cache[i], 0xbaddad);
	assert_int_equal(mock_ops.hw_info(&a->dev, &info, &length, &type), 0);
	assert_int_equal(type, 0xfeedbeef);
	assert_int_equal(length, 8);
	assert_int_equal(info.flags, 0);
	assert_int_equal(info.test_reg, 0xdeadbeef);
	type = 1;
	assert_int_equal(mock_ops.hw_info(&a->dev, &info, &length, &type), -EOPNOTSUPP);
	/* The lowest free name. */
	mock_dev_destroy(a);
	a = mock_new(MOCK_FLAGS_DEVICE_NO_DIRTY);
	assert_string_equal(a->dev.name, "iommufd_mock0");
	assert_true(device_iommu_capable(&a->dev, IOMMU_CAP_CACHE_COHERENCY));
	assert_false(device_iommu_capable(&a->dev, IOMMU_CAP_DIRTY_TRACKING));
	assert_true(device_iommu_capable(&b->dev, IOMMU_CAP_DIRTY_TRACKING));
	mock_dev_destroy(a);
	mock_dev_destroy(b);
}

/* HWPT_ALLOC would fail with another errno, or succeed. */
static void test_mock_domain_alloc_checks_in_order(void **state)
{
	struct mock_dev *mdev = mock_new(0), *no_dirty = mock_new(MOCK_FLAGS_DEVICE_NO_DIRTY);
	struct iommu_hwpt_selftest huge = { .pagetable_type = MOCK_IOMMUPT_HUGE };
	struct iommu_hwpt_selftest strange = { .pagetable_type = 2 };
	struct iommu_user_data data = data_of(IOMMU_HWPT_DATA_SELFTEST, &huge, sizeof(huge));
	struct iommu_domain *domain;

	assert_int_equal(alloc_error(mdev, IOMMU_HWPT_FAULT_ID_VALID, 0, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(alloc_error(no_dirty, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0, NULL, 0),
			 -EOPNOTSUPP);
	assert_int_equal(alloc_error(mdev, 0, 1, &huge, 8), -EOPNOTSUPP);
	assert_int_equal(alloc_error(mdev, 0, 0xdead, &huge, 3), -EINVAL);
	assert_int_equal(alloc_error(mdev, 0, 0xdead, &huge, 9), -EINVAL);
	assert_int_equal(alloc_error(mdev, 0, 0xdead, NULL, 8), -EFAULT);
	assert_int_equal(alloc_error(mdev, 0, 0xdead, &strange, 8), -EOPNOTSUPP);
	domain = mock_ops.domain_alloc_paging_flags(&mdev->dev, 0, &data);
	assert_int_equal(domain->pgsize_bitmap, 0x101000);
	assert_int_equal(domain->geometry.aperture_start, 0);
	assert_int_equal(domain->geometry.aperture_end, 0x3fffffffff);
	ifs_iommu_domain_free(domain);
	data.len = 4;
	domain = mock_ops.domain_alloc_paging_flags(&mdev->dev, IOMMU_HWPT_ALLOC_PASID, &data);
	assert_int_equal(domain->pgsize_bitmap, 0x1ffffff800);
	assert_int_equal(domain->geometry.aperture_start, 0x1000000);
	assert_int_equal(domain->geometry.aperture_end, 0x7fffffff);
	assert_false(domain->dirty_ops);
	ifs_iommu_domain_free(domain);
	mock_dev_destroy(mdev);
	mock_dev_destroy(no_dirty);
}

/* A group of one driver would run on tables of another. */
static void test_attach_group_other_driver_is_einval(void **state)
{
	struct iommu_fixture *fix = *state;
	struct mock_dev *mdev = mock_new(0), *no_dirty = mock_new(MOCK_FLAGS_DEVICE_NO_DIRTY);
	struct iommu_domain *mock = alloc(mdev, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	struct iommu_domain *vtd = iommu_fixture_domain(fix, 0);

	assert_int_equal(ifs_iommu_attach_group(mock, fix->dev[0]->group), -EINVAL);
	assert_int_equal(ifs_iommu_attach_group(vtd, mdev->dev.group), -EINVAL);
	assert_int_equal(ifs_iommu_attach_group(mock, no_dirty->dev.group), -EINVAL);
	assert_int_equal(ifs_iommu_attach_group(mock, mdev->dev.group), 0);
	assert_int_equal(ifs_iommu_attach_group(mock, mdev->dev.group), -EBUSY);
	assert_int_equal(mock->nr_attached, 1);
	assert_null(iommu_core_check(fix->kernel->iommu));
	/* The calls of proto/ enumerate what is on the bus. */
	assert_null(ifs_iommu_device_at(FIXTURE_DEVICES));
	ifs_iommu_detach_group(mock, mdev->dev.group);
	ifs_iommu_domain_free(mock);
	iommu_fixture_domain_free(fix, vtd);
	mock_dev_destroy(mdev);
	mock_dev_destroy(no_dirty);
}

static int invalidate(struct iommu_domain *nested, u32 type, const void *at, size_t entry_len,
		      u32 *entry_num)
{
	struct iommu_user_data_array array = {
		.type = type, .uptr = (uintptr_t)at, .entry_len = entry_len,
		.entry_num = *entry_num,
	};
	int ret = nested->ops->cache_invalidate_user(nested, &array);

	*entry_num = array.entry_num;
	return ret;
}

/* A VMM's invalidation would be done in part and reported otherwise. */
static void test_nested_invalidate_stops_at_the_first_error(void **state)
{
	struct mock_dev *mdev = mock_new(0);
	struct iommu_domain *parent = alloc(mdev, IOMMU_HWPT_ALLOC_NEST_PARENT), *domain;
	struct iommu_hwpt_selftest config = { .iotlb = 0xbadbeef };
	struct iommu_user_data data = data_of(IOMMU_HWPT_DATA_SELFTEST, &config, 4);
	struct iommu_hwpt_invalidate_selftest cmds[3] = {
		{ .iotlb_id = 1 }, { .flags = 1, .iotlb_id = 4 }, { .flags = 2 },
	};
	struct mock_iommu_domain_nested *nested;
	u32 nr;

	data.type = 1;
	assert_int_equal(PTR_ERR(mock_ops.domain_alloc_nested(&mdev->dev, parent, 1, &data)),
			 -EOPNOTSUPP);
	assert_int_equal(PTR_ERR(mock_ops.domain_alloc_nested(&mdev->dev, parent, 0, &data)),
			 -EOPNOTSUPP);
	data.type = IOMMU_HWPT_DATA_SELFTEST;
	domain = mock_ops.domain_alloc_nested(&mdev->dev, parent, IOMMU_HWPT_ALLOC_PASID, &data);
	assert_int_equal(domain->type, IOMMU_DOMAIN_NESTED);
	nested = to_mock_nested(domain);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(nested->iotlb[i], 0xbadbeef);
	nr = 0;
	assert_int_equal(invalidate(domain, 0xdadbeef, cmds, 8, &nr), -EINVAL);
	nr = 3;
	assert_int_equal(invalidate(domain, 0xdeadbeef, cmds, 4, &nr), -EINVAL);
	assert_int_equal(nr, 0);
	nr = 3;
	assert_int_equal(invalidate(domain, 0xdeadbeef, cmds, 8, &nr), -EINVAL);
	assert_int_equal(nr, 1);
	assert_int_equal(nested->iotlb[0], 0xbadbeef);
	assert_int_equal(nested->iotlb[1], 0);
	cmds[1].iotlb_id = 3;
	nr = 3;
	assert_int_equal(invalidate(domain, 0xdeadbeef, cmds, 8, &nr), -EOPNOTSUPP);
	assert_int_equal(nr, 2);
	assert_int_equal(nested->iotlb[0], 0);
	ifs_iommu_domain_free(domain);
	ifs_iommu_domain_free(parent);
	mock_dev_destroy(mdev);
}

/* Entries of another length are copied by Linux's extensible-structure rule. */
static void test_copy_full_user_array_takes_other_lengths(void **state)
{
	struct { u32 value[4]; } in[2] = { { { 1, 2, 3, 0 } }, { { 4, 5, 6, 0 } } };
	struct iommu_viommu_invalidate_selftest out[2];
	struct iommu_user_data_array array = {
		.type = 7, .uptr = (uintptr_t)in, .entry_len = 16, .entry_num = 2,
	};

	assert_int_equal(iommu_copy_struct_from_full_user_array(out, 12, &array, 8), -EINVAL);
	assert_int_equal(iommu_copy_struct_from_full_user_array(out, 12, &array, 7), 0);
	assert_int_equal(out[1].flags, 4);
	assert_int_equal(out[1].cache_id, 6);
	in[1].value[3] = 1;
	assert_int_equal(iommu_copy_struct_from_full_user_array(out, 12, &array, 7), -E2BIG);
	array.entry_len = 8;
	assert_int_equal(iommu_copy_struct_from_full_user_array(out, 12, &array, 7), 0);
	assert_int_equal(out[1].vdev_id, 0);
	assert_int_equal(out[1].cache_id, 0);
	assert_int_equal(out[1].flags, 3);
}

/* A PASID would be attached twice, or lose its domain in a failed replace. */
static void test_pasid_attach_replace_detach_errors(void **state)
{
	struct iommu_fixture *fix = *state;
	struct mock_dev *mdev = mock_new(MOCK_FLAGS_DEVICE_PASID), *plain = mock_new(0);
	struct iommu_domain *a = alloc(mdev, 0), *b = alloc(mdev, 0);
	struct iommu_domain *vtd = iommu_fixture_domain(fix, 0);
	struct iommu_attach_handle handle[3];

	assert_int_equal(ifs_iommu_attach_device_pasid(a, &plain->dev, 1, &handle[0]), -EINVAL);
	assert_int_equal(ifs_iommu_attach_device_pasid(a, &mdev->dev, 0, &handle[0]), -EINVAL);
	assert_int_equal(ifs_iommu_attach_device_pasid(a, &mdev->dev, 1 << 20, &handle[0]),
			 -EINVAL);
	assert_int_equal(ifs_iommu_attach_device_pasid(vtd, &mdev->dev, 1, &handle[0]),
			 -EOPNOTSUPP);
	assert_int_equal(ifs_iommu_attach_device_pasid(a, fix->dev[0], 1, &handle[0]),
			 -EOPNOTSUPP);
	assert_int_equal(ifs_iommu_replace_device_pasid(a, &mdev->dev, 1024, &handle[0]), -EINVAL);
	assert_int_equal(ifs_iommu_attach_device_pasid(a, &mdev->dev, 1024, &handle[0]), 0);
	assert_int_equal(ifs_iommu_attach_device_pasid(b, &mdev->dev, 1024, &handle[1]), -EBUSY);
	/* Every second time the driver has no memory. */
	assert_int_equal(ifs_iommu_replace_device_pasid(b, &mdev->dev, 1024, &handle[1]),
			 -ENOMEM);
	assert_ptr_equal(ifs_iommu_attach_handle_get(mdev->dev.group, 1024, 0), &handle[0]);
	assert_ptr_equal(handle[0].domain, a);
	assert_int_equal(a->nr_attached, 1);
	assert_int_equal(ifs_iommu_replace_device_pasid(b, &mdev->dev, 1024, &handle[1]), 0);
	assert_ptr_equal(ifs_iommu_attach_handle_get(mdev->dev.group, 1024, 0), &handle[1]);
	assert_int_equal(PTR_ERR(ifs_iommu_attach_handle_get(mdev->dev.group, 1024,
							     IOMMU_DOMAIN_NESTED)), -EBUSY);
	assert_int_equal(PTR_ERR(ifs_iommu_attach_handle_get(mdev->dev.group, 0, 0)), -ENOENT);
	assert_int_equal(a->nr_attached, 0);
	assert_int_equal(b->nr_attached, 1);
	assert_null(iommu_core_check(fix->kernel->iommu));
	ifs_iommu_detach_device_pasid(b, &mdev->dev, 1024);
	/* Detaching disarms the quirk: this is a first time again. */
	assert_int_equal(ifs_iommu_attach_device_pasid(a, &mdev->dev, 1024, &handle[2]), 0);
	ifs_iommu_detach_device_pasid(a, &mdev->dev, 1024);
	assert_int_equal(PTR_ERR(ifs_iommu_attach_handle_get(mdev->dev.group, 1024, 0)), -ENOENT);
	ifs_iommu_domain_free(a);
	ifs_iommu_domain_free(b);
	iommu_fixture_domain_free(fix, vtd);
	mock_dev_destroy(mdev);
	mock_dev_destroy(plain);
}

/* A domain would stay attached to a device that is gone. */
static void test_mock_dev_destroy_detaches_pasids(void **state)
{
	struct iommu_fixture *fix = *state;
	struct mock_dev *mdev = mock_new(MOCK_FLAGS_DEVICE_PASID);
	struct iommu_domain *domain = alloc(mdev, 0);
	struct iommu_attach_handle handle[2];

	assert_int_equal(ifs_iommu_attach_device_pasid(domain, &mdev->dev, 1, &handle[0]), 0);
	assert_int_equal(ifs_iommu_attach_device_pasid(domain, &mdev->dev, 1024, &handle[1]), 0);
	assert_int_equal(domain->nr_attached, 2);
	mock_dev_destroy(mdev);
	assert_int_equal(domain->nr_attached, 0);
	assert_null(iommu_core_check(fix->kernel->iommu));
	ifs_iommu_domain_free(domain);
}

/* The group's own attachment, as iommufd makes it. */
static void test_group_handle_follows_the_domain(void **state)
{
	struct mock_dev *mdev = mock_new(0), *no_dirty = mock_new(MOCK_FLAGS_DEVICE_NO_DIRTY);
	struct iommu_domain *a = alloc(mdev, 0);
	struct iommu_domain *dirty = alloc(mdev, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	struct iommu_attach_handle handle[2];
	struct iommu_group *group = no_dirty->dev.group;

	assert_int_equal(ifs_iommu_attach_group_handle(a, group, NULL), -EINVAL);
	assert_int_equal(ifs_iommu_attach_group_handle(dirty, group, &handle[0]), -EINVAL);
	assert_int_equal(PTR_ERR(ifs_iommu_attach_handle_get(group, 0, 0)), -ENOENT);
	assert_int_equal(ifs_iommu_replace_group_handle(group, dirty, &handle[0]), -EINVAL);
	assert_null(group->domain);
	assert_int_equal(ifs_iommu_attach_group_handle(a, group, &handle[0]), 0);
	assert_ptr_equal(ifs_iommu_attach_handle_get(group, 0, 0), &handle[0]);
	assert_int_equal(ifs_iommu_attach_group_handle(a, group, &handle[1]), -EBUSY);
	/* A replace that fails leaves the old one. */
	assert_int_equal(ifs_iommu_replace_group_handle(group, dirty, &handle[1]), -EINVAL);
	assert_ptr_equal(ifs_iommu_attach_handle_get(group, 0, 0), &handle[0]);
	assert_ptr_equal(group->domain, a);
	assert_int_equal(ifs_iommu_replace_group_handle(group, a, &handle[1]), 0);
	assert_ptr_equal(ifs_iommu_attach_handle_get(group, 0, 0), &handle[1]);
	ifs_iommu_detach_group_handle(a, group);
	assert_int_equal(PTR_ERR(ifs_iommu_attach_handle_get(group, 0, 0)), -ENOENT);
	ifs_iommu_domain_free(a);
	ifs_iommu_domain_free(dirty);
	mock_dev_destroy(mdev);
	mock_dev_destroy(no_dirty);
}

/* The last group that the handler below was given. */
static __thread struct iopf_group *caught;

static int catch_fault(struct iopf_group *group)
{
	assert_null(caught);
	caught = group;
	return 0;
}

static int refuse_fault(struct iopf_group *group)
{
	return -ENOMEM;
}

static int report(struct mock_dev *mdev, u32 pasid, u32 grpid, bool last)
{
	struct iopf_fault evt = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.pasid = pasid, .grpid = grpid, .addr = 0x1000,
				.flags = (pasid ? IOMMU_FAULT_PAGE_REQUEST_PASID_VALID : 0) |
					 (last ? IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE : 0),
			},
		},
	};

	return iommu_report_device_fault(&mdev->dev, &evt);
}

static void answer_caught(struct iommu_attach_handle *handle, size_t count)
{
	assert_non_null(caught);
	assert_ptr_equal(caught->attach_handle, handle);
	assert_int_equal(caught->fault_count, count);
	iopf_group_response(caught, IOMMU_PAGE_RESP_SUCCESS);
	iopf_group_response(caught, IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(caught);
	caught = NULL;
}

/* A guest's page fault would reach the wrong queue, or none. */
static void test_fault_goes_to_the_domain_of_its_pasid(void **state)
{
	struct mock_dev *mdev = mock_new(MOCK_FLAGS_DEVICE_PASID);
	struct iommu_domain *paging = alloc(mdev, 0), *quiet = alloc(mdev, 0), *nested;
	struct iommu_hwpt_selftest config = { 0 };
	struct iommu_user_data data = data_of(IOMMU_HWPT_DATA_SELFTEST, &config, 4);
	struct iommu_attach_handle rid, rid_nested, pasid, pasid_quiet;
	struct iommu_group *group = mdev->dev.group;

	paging->iopf_handler = catch_fault;
	nested = mock_ops.domain_alloc_nested(&mdev->dev, paging, 0, &data);
	nested->iopf_handler = catch_fault;
	/* Nothing attached. */
	assert_int_equal(report(mdev, 0, 1, true), -EINVAL);
	assert_int_equal(ifs_iommu_attach_group_handle(paging, group, &rid), 0);
	assert_non_null(mdev->dev.fault_param);
	assert_int_equal(report(mdev, 0, 1, true), 0);
	answer_caught(&rid, 1);
	/* A PASID that nobody attached, and the RID's domain is not nested. */
	assert_int_equal(report(mdev, 5, 1, true), -EINVAL);
	assert_int_equal(ifs_iommu_replace_group_handle(group, nested, &rid_nested), 0);
	assert_int_equal(report(mdev, 5, 1, true), 0);
	answer_caught(&rid_nested, 1);
	assert_int_equal(ifs_iommu_attach_device_pasid(paging, &mdev->dev, 5, &pasid), 0);
	assert_int_equal(mdev->iopf_refcount, 2);
	/* Two faults of group 3; one of group 4 stays aside. */
	assert_int_equal(report(mdev, 5, 3, false), 0);
	assert_int_equal(report(mdev, 5, 4, false), 0);
	assert_int_equal(report(mdev, 5, 3, true), 0);
	answer_caught(&pasid, 2);
	/* A PASID whose domain takes no faults is not the RID's. */
	assert_int_equal(ifs_iommu_attach_device_pasid(quiet, &mdev->dev, 6, &pasid_quiet), 0);
	assert_int_equal(report(mdev, 6, 1, true), -EINVAL);
	assert_null(caught);
	ifs_iommu_detach_device_pasid(quiet, &mdev->dev, 6);
	ifs_iommu_detach_device_pasid(paging, &mdev->dev, 5);
	/* Answered with the device's last attachment; the handler still has to free it. */
	assert_int_equal(report(mdev, 0, 9, true), 0);
	ifs_iommu_detach_group_handle(nested, group);
	assert_null(mdev->dev.fault_param);
	answer_caught(&rid_nested, 1);
	ifs_iommu_domain_free(nested);
	ifs_iommu_domain_free(paging);
	ifs_iommu_domain_free(quiet);
	mock_dev_destroy(mdev);
}

/* A fault would stay without an answer for ever. */
static void test_fault_nobody_keeps_is_answered(void **state)
{
	struct iommu_fixture *fix = *state;
	struct mock_dev *mdev = mock_new(0);
	struct iommu_domain *domain = alloc(mdev, 0);
	struct iommu_attach_handle handle;

	domain->iopf_handler = refuse_fault;
	assert_int_equal(ifs_iommu_attach_group_handle(domain, mdev->dev.group, &handle), 0);
	assert_int_equal(report(mdev, 0, 1, true), 0);
	assert_true(list_empty(&mdev->dev.fault_param->faults));
	fail_points_arm(&fix->kernel->fail, 1, false);
	assert_int_equal(report(mdev, 0, 1, true), 0);
	fail_points_arm(&fix->kernel->fail, 1, false);
	assert_int_equal(report(mdev, 0, 1, false), -ENOMEM);
	fail_points_disarm(&fix->kernel->fail);
	assert_true(list_empty(&mdev->dev.fault_param->faults));
	assert_int_equal(mdev->dev.fault_param->users, 1);
	ifs_iommu_detach_group_handle(domain, mdev->dev.group);
	ifs_iommu_domain_free(domain);
	mock_dev_destroy(mdev);
}

/* A domain that wants page faults cannot get them from a unit without page requests. */
static void test_attach_fault_domain_vtd_is_enodev(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);
	struct iommu_attach_handle handle;

	domain->iopf_handler = catch_fault;
	assert_int_equal(ifs_iommu_attach_group_handle(domain, fix->dev[0]->group, &handle),
			 -ENODEV);
	domain->iopf_handler = NULL;
	assert_int_equal(ifs_iommu_attach_group_handle(domain, fix->dev[0]->group, &handle), 0);
	ifs_iommu_detach_group_handle(domain, fix->dev[0]->group);
	iommu_fixture_domain_free(fix, domain);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_mock_dev_create_gives_what_linux_gives),
		T(test_mock_domain_alloc_checks_in_order),
		T(test_attach_group_other_driver_is_einval),
		T(test_nested_invalidate_stops_at_the_first_error),
		T(test_copy_full_user_array_takes_other_lengths),
		T(test_pasid_attach_replace_detach_errors),
		T(test_mock_dev_destroy_detaches_pasids),
		T(test_group_handle_follows_the_domain),
		T(test_fault_goes_to_the_domain_of_its_pasid),
		T(test_fault_nobody_keeps_is_answered),
		T(test_attach_fault_domain_vtd_is_enodev),
	};

	return cmocka_run_group_tests_name("mock_driver", tests, NULL, NULL);
}
