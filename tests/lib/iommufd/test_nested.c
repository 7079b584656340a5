/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Nested HWPTs and what is invalidated in them. */
#include "tests/lib/iommufd/mock_test.h"

#include <stdlib.h>

struct setup {
	int fd;
	uint32_t ioas, parent;
	struct mock dev;
};

static void set_up(struct fixture *f, struct setup *s)
{
	s->fd = t_open(f);
	s->ioas = t_ioas_alloc(f, s->fd);
	assert_int_equal(t_mock(f, s->fd, s->ioas, 0, &s->dev), 0);
	s->parent = t_hwpt_alloc(f, s->fd, IOMMU_HWPT_ALLOC_NEST_PARENT, s->dev.idev, s->ioas);
}

static int alloc(struct fixture *f, const struct setup *s, struct iommu_hwpt_alloc cmd)
{
	cmd.size = sizeof(cmd);
	cmd.dev_id = cmd.dev_id ? cmd.dev_id : s->dev.idev;
	return ifs_ioctl(f->process, s->fd, IOMMU_HWPT_ALLOC, &cmd);
}

/* A VMM that probes what it may ask for would draw the wrong conclusion. */
static void test_nested_alloc_each_mistake_has_its_errno(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_selftest data = { .iotlb = 1 };
	const uint64_t uptr = (uintptr_t)&data;
	const uint32_t type = IOMMU_HWPT_DATA_SELFTEST;
	struct setup s;

	set_up(f, &s);
#define ALLOC(...) alloc(f, &s, (struct iommu_hwpt_alloc){ __VA_ARGS__ })
	assert_int_equal(ALLOC(.pt_id = s.parent, .__reserved = 1), -EOPNOTSUPP);
	assert_int_equal(ALLOC(.pt_id = s.parent, .data_type = type), -EINVAL);
	assert_int_equal(ALLOC(.pt_id = s.parent, .data_len = 8), -EINVAL);
	assert_int_equal(ALLOC(.dev_id = s.ioas, .pt_id = s.parent), -ENOENT);
	assert_int_equal(ALLOC(.pt_id = 99), -EINVAL);
	assert_int_equal(ALLOC(.pt_id = s.dev.idev), -EINVAL);
	/* No data: nothing describes the tables. */
	assert_int_equal(ALLOC(.pt_id = s.parent), -EOPNOTSUPP);
	assert_int_equal(ALLOC(.pt_id = s.parent, .flags = 1, .data_type = type, .data_len = 8,
			       .data_uptr = uptr), -EOPNOTSUPP);
	assert_int_equal(ALLOC(.pt_id = s.parent, .flags = 2, .data_type = type, .data_len = 8,
			       .data_uptr = uptr), -EOPNOTSUPP);
	/* On what is no nesting parent: an auto HWPT. */
	assert_int_equal(ALLOC(.pt_id = s.dev.hwpt, .data_type = type, .data_len = 8,
			       .data_uptr = uptr), -EINVAL);
	assert_int_equal(ALLOC(.pt_id = s.parent, .data_type = 1, .data_len = 8,
			       .data_uptr = uptr), -EOPNOTSUPP);
	assert_int_equal(ALLOC(.pt_id = s.parent, .data_type = type, .data_len = 3,
			       .data_uptr = uptr), -EINVAL);
	assert_int_equal(ALLOC(.pt_id = s.parent, .data_type = type, .data_len = 8), -EFAULT);
	assert_int_equal(ALLOC(.pt_id = s.parent, .flags = IOMMU_HWPT_FAULT_ID_VALID,
			       .fault_id = 99, .data_type = type, .data_len = 8,
			       .data_uptr = uptr), -ENOENT);
	/* None of them has taken an id. */
	assert_int_equal(t_nested(f, s.fd, s.dev.idev, s.parent, 0, 0, 1), s.parent + 1);
	/* A nested HWPT is nothing to nest on. */
	assert_int_equal(ALLOC(.pt_id = s.parent + 1, .data_type = type, .data_len = 8,
			       .data_uptr = uptr), -EINVAL);
#undef ALLOC
}

/* A parent would go away under the guest's tables. */
static void test_destroy_parent_with_nested_child_is_busy(void **state)
{
	struct fixture *f = *state;
	struct setup s;
	int64_t nested;

	set_up(f, &s);
	nested = t_nested(f, s.fd, s.dev.idev, s.parent, 0, 0, 1);
	assert_int_equal(t_destroy(f, s.fd, s.parent), -EBUSY);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, nested), nested);
	/* Its auto HWPT went with the last device. */
	assert_int_equal(t_destroy(f, s.fd, s.dev.hwpt), -ENOENT);
	assert_int_equal(t_destroy(f, s.fd, nested), -EBUSY);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.parent), s.parent);
	assert_int_equal(t_destroy(f, s.fd, nested), 0);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.ioas), s.dev.hwpt);
	assert_int_equal(t_destroy(f, s.fd, s.parent), 0);
}

/* Dirty tracking would be switched on where there is nothing that tracks. */
static void test_dirty_tracking_of_nested_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_set_dirty_tracking cmd = { .size = sizeof(cmd), .flags = 1 };
	struct setup s;

	set_up(f, &s);
	cmd.hwpt_id = t_nested(f, s.fd, s.dev.idev, s.parent, 0, 0, 1);
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd),
			 -ENOENT);
}

/* A VMM would replay the wrong part of the guest's queue. */
static void test_invalidate_failed_call_says_how_far_it_came(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_invalidate_selftest e[3] = { { 0, 0 }, { 0, 4 }, { 0, 1 } };
	const uint32_t type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST;
	struct iommu_hwpt_invalidate cmd = { .size = sizeof(cmd), .entry_num = 7, .__reserved = 1 };
	uint32_t nr = 3;
	int64_t nested;
	struct setup s;

	set_up(f, &s);
	nested = t_nested(f, s.fd, s.dev.idev, s.parent, 0, 0, 0x1234);
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HWPT_INVALIDATE, &cmd), -EOPNOTSUPP);
	assert_int_equal(cmd.entry_num, 0);
	assert_int_equal(t_invalidate(f, s.fd, nested, type, NULL, 8, &nr), -EINVAL);
	assert_int_equal(nr, 0);
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 0, &nr), -EINVAL);
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 4097, &nr), -EINVAL);
	nr = (1u << 19) + 1;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 8, &nr), -EINVAL);
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, 99, type, e, 8, &nr), -ENOENT);
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, s.parent, type, e, 8, &nr), -EINVAL);
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, nested, 1, e, 8, &nr), -EINVAL);
	assert_int_equal(nr, 0);
	nr = 0;
	assert_int_equal(t_invalidate(f, s.fd, nested, 1, NULL, 0, &nr), -EINVAL);
	nr = 0;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, NULL, 0, &nr), 0);
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 9, &nr), -EINVAL);
	nr = 3;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 8, &nr), -EINVAL);
	assert_int_equal(nr, 1);
	assert_int_equal(t_check_iotlb(f, s.fd, nested, 0, 0), 0);
	assert_int_equal(t_check_iotlb(f, s.fd, nested, 1, 0x1234), 0);
	e[1].flags = 2;
	nr = 2;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 8, &nr), -EOPNOTSUPP);
	assert_int_equal(nr, 1);
	/* All of them; the id is checked all the same. */
	e[0] = (struct iommu_hwpt_invalidate_selftest){ .flags = 1, .iotlb_id = 4 };
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 8, &nr), -EINVAL);
	e[0].iotlb_id = 0;
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, nested, type, e, 8, &nr), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(t_check_iotlb(f, s.fd, nested, 3, 0), 0);
}

/* Linux 7.3 cannot have the memory for so many, and says that it has handled them all. */
static void test_invalidate_viommu_too_many_at_once(void **state)
{
	struct fixture *f = *state;
	const uint32_t type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, max = 349525;
	struct iommu_viommu_invalidate_selftest *e = calloc(max, sizeof(*e));
	uint32_t nr = max + 1;
	int64_t viommu;
	struct setup s;

	set_up(f, &s);
	viommu = t_viommu(f, s.fd, s.dev.idev, s.parent, NULL);
	assert_true(t_vdevice(f, s.fd, viommu, s.dev.idev, 0) > 0);
	assert_int_equal(t_invalidate(f, s.fd, viommu, type, e, sizeof(*e), &nr), -ENOMEM);
	assert_int_equal(nr, max + 1);
	nr = max;
	assert_int_equal(t_invalidate(f, s.fd, viommu, type, e, sizeof(*e), &nr), 0);
	assert_int_equal(nr, max);
	free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nested_alloc_each_mistake_has_its_errno),
		T(test_destroy_parent_with_nested_child_is_busy),
		T(test_dirty_tracking_of_nested_is_not_found),
		T(test_invalidate_failed_call_says_how_far_it_came),
		T(test_invalidate_viommu_too_many_at_once),
	};

	return cmocka_run_group_tests_name("iommufd: nested HWPTs", tests, NULL, NULL);
}
