/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Which point fails when: a test's trigger, and Linux's. */
#include "lib/base/fail_point.h"

#include "tests/lib/base/base_fixture_min.h"

/* How many of @tries fail. */
static unsigned failures(struct fixture *f, enum fail_point point, u64 size, unsigned tries)
{
	unsigned failed = 0;

	while (tries--)
		failed += fail_alloc_hit(&f->kernel.fail, point, "somebody", size);
	return failed;
}

static struct fail_points *linux_triggers(struct fixture *f)
{
	struct fail_points *fail = &f->kernel.fail;

	fail_points_init(fail);
	fail->attention |= FAIL_LINUX;
	return fail;
}

static void test_points_have_the_names_and_errors_of_linux(void **state)
{
	/* A program that arms a point by name would arm another one, or none. */
	static const struct fail_point_info all[] = {
		{ "kmalloc", FAULT_FAILSLAB, -12 },
		{ "xas_alloc", FAULT_FAILSLAB, -12 },
		{ "alloc_fdtable", FAULT_FAILSLAB, -12 },
		{ "alloc_pages", FAULT_FAIL_PAGE_ALLOC, -12 },
		{ "iommufd_get_object", FAULT_FAIL_IOMMUFD, -2 },
		{ "temp_kmalloc", FAULT_FAIL_IOMMUFD, -12 },
		{ "pfn_reader_user_pin", FAULT_FAIL_IOMMUFD, -14 },
		{ "pfn_reader_user_update_pinned", FAULT_FAIL_IOMMUFD, -12 },
		{ "pages_to_xarray", FAULT_FAIL_IOMMUFD, -22 },
		{ "iopt_pages_rw_page", FAULT_FAIL_IOMMUFD, -22 },
		{ "iopt_table_enforce_dev_resv_regions", FAULT_FAIL_IOMMUFD, -22 },
	};

	assert_int_equal(NR_FAIL_POINTS, 11);
	for (unsigned i = 0; i < 11; i++) {
		const struct fail_point_info *info = fail_point_info((enum fail_point)i);

		assert_string_equal(info->name, all[i].name);
		assert_int_equal(info->attr, all[i].attr);
		assert_int_equal(info->error, all[i].error);
		assert_int_equal(fail_points_named(all[i].name), 1u << i);
	}
	assert_int_equal(fail_points_named(NULL), 0x7ff);
	assert_int_equal(fail_points_named("failslab"), 0x007);
	assert_int_equal(fail_points_named("fail_page_alloc"), 0x008);
	assert_int_equal(fail_points_named("fail_iommufd"), 0x7f0);
	assert_int_equal(fail_points_named(""), 0);
	assert_int_equal(fail_points_named("iommufd"), 0);
}

static void test_arm_one_point_counts_no_other(void **state)
{
	/* A test that wants the third pin to fail would fail something else. */
	struct fixture *f = *state;
	struct fail_points *fail = &f->kernel.fail;

	fail_points_arm_at(fail, fail_points_named("pfn_reader_user_pin"), NULL, 3, false);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 5), 0);
	assert_false(fail_point_hit(fail, FAIL_PFN_READER_USER_PIN));
	assert_false(fail_point_hit(fail, FAIL_PFN_READER_USER_PIN));
	assert_false(fail->fired);
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 5), 0);
	assert_true(fail_point_hit(fail, FAIL_PFN_READER_USER_PIN));
	assert_true(fail->fired);
	assert_false(fail_point_hit(fail, FAIL_PFN_READER_USER_PIN));
	assert_int_equal(fail_points_reached(fail), 4);
	assert_int_equal(fail->last_point, FAIL_PFN_READER_USER_PIN);
	assert_null(fail->last_site);
	assert_int_equal(fail->reached[FAIL_KMALLOC], 5);
	assert_int_equal(fail->failed[FAIL_PFN_READER_USER_PIN], 1);
}

static void test_arm_forever_fails_from_nth_until_disarmed(void **state)
{
	/* A host out of memory for good would recover by itself. */
	struct fixture *f = *state;

	fail_points_arm(&f->kernel.fail, 2, true);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 1), 0);
	assert_int_equal(failures(f, FAIL_ALLOC_PAGES, 1, 3), 3);
	fail_points_disarm(&f->kernel.fail);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 3), 0);
	assert_true(f->kernel.fail.fired);
	fail_points_arm(&f->kernel.fail, 0, true);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 3), 0);
	assert_false(f->kernel.fail.fired);
	assert_int_equal(fail_points_reached(&f->kernel.fail), 3);
}

static void test_arm_site_counts_that_site_only(void **state)
{
	/* "The second struct file" would be the second of anything. */
	struct fixture *f = *state;
	struct fail_points *fail = &f->kernel.fail;

	fail_points_arm_at(fail, FAIL_ALL_POINTS, "struct file", 2, false);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 3), 0);
	assert_false(fail_point_hit(fail, FAIL_IOMMUFD_GET_OBJECT));
	assert_false(fail_alloc_hit(fail, FAIL_KMALLOC, "struct file", 1));
	assert_true(fail_alloc_hit(fail, FAIL_KMALLOC, "struct file", 1));
	assert_string_equal(fail->last_site, "struct file");
}

static void test_pause_nothing_fails_or_counts(void **state)
{
	/* What cannot fail would fail: a page could not be given back. */
	struct fixture *f = *state;
	struct fail_points *fail = &f->kernel.fail;

	fail_points_arm(fail, 1, true);
	fail_points_pause(fail);
	fail_points_pause(fail);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 2), 0);
	fail_points_resume(fail);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 2), 0);
	assert_int_equal(fail_points_reached(fail), 0);
	fail_points_resume(fail);
	assert_int_equal(failures(f, FAIL_KMALLOC, 1, 2), 2);
}

static void test_task_nth_counts_every_attribute_down(void **state)
{
	/* The kernel's own selftest would skip failures, or never end. */
	struct fixture *f = *state;
	struct task_faults faults = { .fail_nth = 3 };
	struct fail_points *fail = linux_triggers(f);

	current->faults = &faults;
	/* The two allocating attributes spare what may sleep, and pages one by one. */
	assert_int_equal(failures(f, FAIL_KMALLOC, 8, 3), 0);
	assert_int_equal(faults.fail_nth, 3);
	fail->attrs[FAULT_FAILSLAB].ignore_gfp_wait = false;
	fail->attrs[FAULT_FAIL_PAGE_ALLOC].ignore_gfp_wait = false;
	assert_int_equal(failures(f, FAIL_ALLOC_PAGES, 1, 3), 0);
	assert_int_equal(failures(f, FAIL_ALLOC_PAGES, 2, 1), 0);
	assert_int_equal(faults.fail_nth, 2);
	assert_int_equal(failures(f, FAIL_KMALLOC, 8, 1), 0);
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 2), 1);
	assert_int_equal(faults.fail_nth, 0);
	/* A failure is counted off "times" whoever asked for it. */
	assert_int_equal(fail->attrs[FAULT_FAIL_IOMMUFD].times, 0);
	assert_int_equal(fail->attrs[FAULT_FAILSLAB].times, 1);
}

static void test_attribute_space_lets_pass_before_the_first_failure(void **state)
{
	/* "Fail the third question" could not be asked of a real kernel. */
	struct fixture *f = *state;
	struct fault_attr *attr = &linux_triggers(f)->attrs[FAULT_FAIL_IOMMUFD];

	attr->probability = 100;
	attr->space = 3;
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 2), 0);
	assert_int_equal(attr->space, 1);
	assert_int_equal(failures(f, FAIL_IOPT_PAGES_RW_PAGE, 1, 1), 1);
	assert_int_equal(attr->times, 0);
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 9), 0);
}

static void test_attribute_interval_and_times_limit_failures(void **state)
{
	/* Every second pin would be every pin, or they would go on failing. */
	struct fixture *f = *state;
	struct fault_attr *attr = &linux_triggers(f)->attrs[FAULT_FAIL_IOMMUFD];

	attr->probability = 100;
	attr->interval = 3;
	attr->times = 2;
	assert_int_equal(failures(f, FAIL_PFN_READER_USER_PIN, 1, 2), 0);
	assert_int_equal(failures(f, FAIL_PFN_READER_USER_PIN, 1, 1), 1);
	assert_int_equal(failures(f, FAIL_PFN_READER_USER_PIN, 1, 30), 1);
	attr->times = -1;
	assert_int_equal(failures(f, FAIL_PFN_READER_USER_PIN, 1, 30), 10);
	attr->interval = 0;
	assert_int_equal(failures(f, FAIL_PFN_READER_USER_PIN, 1, 4), 4);
}

static void test_attribute_probability_is_percent(void **state)
{
	/* 0 would fail, or 100 not always. */
	struct fixture *f = *state;
	struct fault_attr *attr = &linux_triggers(f)->attrs[FAULT_FAIL_IOMMUFD];
	unsigned half;

	attr->times = -1;
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 1000), 0);
	attr->probability = 100;
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 1000), 1000);
	attr->probability = 50;
	half = failures(f, FAIL_TEMP_KMALLOC, 1, 1000);
	assert_in_range(half, 400, 600);
}

static void test_attribute_task_filter_fails_marked_tasks_only(void **state)
{
	/* The test's own helper process would fail, too. */
	struct fixture *f = *state;
	struct fault_attr *attr = &linux_triggers(f)->attrs[FAULT_FAIL_IOMMUFD];
	struct task_faults faults = { 0 };

	attr->probability = 100;
	attr->times = -1;
	attr->task_filter = true;
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 1), 0);
	current->faults = &faults;
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 1), 0);
	faults.make_it_fail = true;
	assert_int_equal(failures(f, FAIL_TEMP_KMALLOC, 1, 1), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_kernel(test_points_have_the_names_and_errors_of_linux),
		with_kernel(test_arm_one_point_counts_no_other),
		with_kernel(test_arm_forever_fails_from_nth_until_disarmed),
		with_kernel(test_arm_site_counts_that_site_only),
		with_kernel(test_pause_nothing_fails_or_counts),
		with_kernel(test_task_nth_counts_every_attribute_down),
		with_kernel(test_attribute_space_lets_pass_before_the_first_failure),
		with_kernel(test_attribute_interval_and_times_limit_failures),
		with_kernel(test_attribute_probability_is_percent),
		with_kernel(test_attribute_task_filter_fails_marked_tasks_only),
	};

	return cmocka_run_group_tests_name("fail points", tests, NULL, NULL);
}
