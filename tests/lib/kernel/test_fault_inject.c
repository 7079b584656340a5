/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What a test asks of fault injection: points by name, and which one failed in which call. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <linux/iommufd.h>

#include "tests/harness/fixture.h"

static int arm(struct fixture *f, const char *point, const char *site, uint64_t nth)
{
	struct ifs_fail_config config = { .size = sizeof(config), .point = point, .site = site,
					  .nth = nth };

	return ifs_kernel_fail(f->kernel, &config);
}

/* -EMSGSIZE: it works, and there is more than none. */
static int ask_ranges(struct fixture *f, int fd, uint32_t ioas)
{
	struct iommu_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = ioas };

	return ifs_ioctl(f->process, fd, IOMMU_IOAS_IOVA_RANGES, &cmd);
}

static void test_fail_point_by_name_fails_that_one_and_says_so(void **state)
{
	/* A failing test could not say at which point the call failed. */
	struct fixture *f = *state;
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	struct ifs_failure failure = { .size = sizeof(failure) };
	int fd = ifs_open(f->process, "/dev/iommu", O_RDWR);
	uint64_t count;

	assert_false(ifs_kernel_get_failure(f->kernel, &failure));
	assert_int_equal(arm(f, "iommufd_get_object", NULL, 2), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOC, &alloc), 0);
	assert_int_equal(ask_ranges(f, fd, alloc.out_ioas_id), -EMSGSIZE);
	assert_false(ifs_kernel_fail_fired(f->kernel, &count));
	assert_int_equal(count, 1);
	assert_int_equal(ask_ranges(f, fd, alloc.out_ioas_id), -ENOENT);
	assert_true(ifs_kernel_fail_fired(f->kernel, &count));
	assert_int_equal(count, 2);
	assert_true(ifs_kernel_get_failure(f->kernel, &failure));
	assert_string_equal(failure.point, "iommufd_get_object");
	assert_string_equal(failure.call, "ioctl");
	assert_int_equal(failure.error, -ENOENT);
	assert_null(failure.site);
	assert_int_equal(ask_ranges(f, fd, alloc.out_ioas_id), -EMSGSIZE);
}

static void test_fail_site_fails_whoever_allocates_there(void **state)
{
	/* The file of an event queue could not be told from any other memory. */
	struct fixture *f = *state;
	struct ifs_failure failure = { .size = sizeof(failure) };
	struct iommu_fault_alloc queue = { .size = sizeof(queue) };
	int fd = ifs_open(f->process, "/dev/iommu", O_RDWR);

	assert_int_equal(arm(f, "failslab", "struct file", 1), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_FAULT_QUEUE_ALLOC, &queue), -ENOMEM);
	assert_true(ifs_kernel_get_failure(f->kernel, &failure));
	assert_string_equal(failure.point, "kmalloc");
	assert_string_equal(failure.site, "struct file");
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_FAULT_QUEUE_ALLOC, &queue), 0);
}

static void test_fail_unknown_point_is_refused_and_arms_nothing(void **state)
{
	/* A misspelt point would make a test pass without testing anything. */
	struct fixture *f = *state;
	char site[65];

	memset(site, 'x', 64);
	site[64] = '\0';
	assert_int_equal(arm(f, "kmalloc", NULL, 1), 0);
	assert_int_equal(arm(f, "kmallok", NULL, 1), -ENOENT);
	assert_int_equal(arm(f, "kmalloc", site, 1), -EINVAL);
	assert_int_equal(ifs_open(f->process, "/dev/iommu", O_RDWR), -ENOMEM);
	assert_int_equal(arm(f, "kmalloc", site + 1, 1), 0);
	assert_int_equal(ifs_kernel_fail(f->kernel, NULL), 0);
	assert_true(ifs_open(f->process, "/dev/iommu", O_RDWR) >= 0);
}

static void test_get_fail_point_lists_each_once(void **state)
{
	/* A sweep over all points would leave some out. */
	struct fixture *f = *state;
	struct ifs_fail_point point = { .size = sizeof(point) };
	uint64_t reached;
	unsigned nr = 0;

	while (ifs_kernel_get_fail_point(f->kernel, nr, &point)) {
		assert_int_equal(arm(f, point.name, NULL, 0), 0);
		assert_int_equal(arm(f, point.attribute, NULL, 0), 0);
		assert_true(point.error < 0);
		assert_int_equal(point.failed, 0);
		nr++;
	}
	assert_int_equal(nr, 11);
	assert_true(ifs_kernel_get_fail_point(f->kernel, 0, &point));
	assert_string_equal(point.name, "kmalloc");
	assert_string_equal(point.attribute, "failslab");
	reached = point.reached;
	assert_true(reached > 0);
	assert_int_equal(arm(f, "kmalloc", NULL, 1), 0);
	assert_int_equal(ifs_open(f->process, "/dev/iommu", O_RDWR), -ENOMEM);
	assert_true(ifs_kernel_get_fail_point(f->kernel, 0, &point));
	assert_int_equal(point.failed, 1);
	assert_true(point.reached > reached);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_fail_point_by_name_fails_that_one_and_says_so),
		T(test_fail_site_fails_whoever_allocates_there),
		T(test_fail_unknown_point_is_refused_and_arms_nothing),
		T(test_get_fail_point_lists_each_once),
	};

	return cmocka_run_group_tests_name("fault injection", tests, NULL, NULL);
}
