/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Boot, its options, and the ends of a kernel. */
#include "tests/harness/fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/kernel/kernel.h"

static struct ifs_machine *machine_new(uint64_t ram_bytes)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = ram_bytes };
	struct ifs_machine *machine = ifs_machine_new(&config, NULL);

	assert_non_null(machine);
	return machine;
}

static void assert_boot_fails(const struct ifs_kernel_config *config, int code, const char *text)
{
	struct ifs_machine *machine = machine_new(64 << 20);
	struct ifs_error error = { 0 };

	assert_null(ifs_kernel_boot(machine, config, &error));
	assert_int_equal(error.code, code);
	if (!strstr(error.text, text))
		fail_msg("\"%s\" does not say \"%s\"", error.text, text);
	ifs_machine_free(machine);
}

/* A wrong option would be taken silently, or the error would not say which one it was. */
static void test_boot_bad_config_names_field(void **state)
{
	struct ifs_kernel_config c = { .size = sizeof(c) };

	c.design = "v7";
	assert_boot_fails(&c, EINVAL, "no design \"v7\"");
	c = (struct ifs_kernel_config){ .size = sizeof(c), .scratch_bytes = 5 << 20 };
	assert_boot_fails(&c, EINVAL, "scratch_bytes is 0x500000, not a multiple of 4 MiB");
	c = (struct ifs_kernel_config){ .size = sizeof(c), .scratch_bytes = 64 << 20 };
	assert_boot_fails(&c, EINVAL, "RAM has only 0x4000000 bytes");
	c = (struct ifs_kernel_config){ .size = sizeof(c), .memfd_folio_order = 3 };
	assert_boot_fails(&c, EINVAL, "memfd_folio_order is 3");
	c = (struct ifs_kernel_config){ .size = sizeof(c), .memfd_noexec = 3 };
	assert_boot_fails(&c, EINVAL, "memfd_noexec is 3");
	c = (struct ifs_kernel_config){ .size = sizeof(c), .kho = 3 };
	assert_boot_fails(&c, EINVAL, "kho is 3");
	c = (struct ifs_kernel_config){ .size = 3 };
	assert_boot_fails(&c, EINVAL, "size is 3");
}

/* A program built against a newer header could not run, or its new option would be ignored. */
static void test_boot_larger_config_fine_if_tail_is_zero(void **state)
{
	struct { struct ifs_kernel_config known; char tail[16]; } c = { .known.size = sizeof(c) };
	struct ifs_machine *machine = machine_new(64 << 20);
	struct ifs_kernel *kernel;

	kernel = ifs_kernel_boot(machine, &c.known, NULL);
	assert_non_null(kernel);
	assert_int_equal(ifs_kernel_shutdown(kernel), 0);
	ifs_machine_free(machine);
	c.tail[7] = 1;
	assert_boot_fails(&c.known, E2BIG, "is set");
}

/*
 * A kernel that was shut down would leave something, so that the next leak could not be told
 * apart.
 */
static void test_boot_then_shutdown_leaves_nothing(void **state)
{
	struct ifs_machine *machine = machine_new(0);
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	for (int i = 0; i < 3; i++) {
		struct ifs_kernel *kernel = ifs_kernel_boot(machine, NULL, NULL);

		assert_non_null(kernel);
		assert_null(ifs_kernel_check(kernel));
		assert_non_null(strstr(ifs_kernel_boot_log(kernel), "Linux version 7.3.0-rc7"));
		assert_int_equal(ifs_kernel_shutdown(kernel), 0);
	}
	ifs_machine_get_stats(machine, &stats);
	assert_int_equal(stats.reports, 0);
	ifs_machine_free(machine);
}

/* Ending what was never there would crash an error path. */
static void test_end_null_is_fine(void **state)
{
	assert_int_equal(ifs_kernel_shutdown(NULL), 0);
	ifs_kernel_drop(NULL);
	ifs_exit(NULL);
}

/* A boot that fails half way would leave a half-built kernel's memory, or could not be repeated. */
static void test_boot_every_allocation_fails_once_then_boots(void **state)
{
	struct ifs_machine *machine = machine_new(64 << 20);
	struct ifs_device_config device = { .size = sizeof(device), .bus = 1 };
	struct ifs_error error;
	uint64_t nth;

	assert_non_null(ifs_machine_add_device(machine, &device, NULL));
	for (nth = 1; nth < 10000; nth++) {
		struct ifs_kernel_config config = { .size = sizeof(config), .fail_nth = nth };
		struct ifs_kernel *kernel = ifs_kernel_boot(machine, &config, &error);
		bool fired;

		if (!kernel) {
			assert_int_equal(error.code, ENOMEM);
			continue;
		}
		fired = ifs_kernel_fail_fired(kernel, NULL);
		ifs_kernel_fail_nth(kernel, 0, false);
		assert_int_equal(ifs_kernel_shutdown(kernel), 0);
		if (!fired)
			break;
	}
	assert_in_range(nth, 20, 9999);
	assert_int_equal(ifs_machine_count_reports(machine, IFS_RULE_LEAK), 0);
	ifs_machine_free(machine);
}

/* A machine that a checker stopped would go on, and bury the first wrong step. */
static void test_machine_stopped_calls_fail(void **state)
{
	struct ifs_machine *machine = machine_new(64 << 20);
	struct ifs_kernel *kernel = ifs_kernel_boot(machine, NULL, NULL);
	struct ifs_process *process = ifs_process_new(kernel, NULL);
	uint64_t before = ifs_machine_count_reports(machine, IFS_RULE_LEAK);

	assert_int_equal(before, 0);
	assert_int_equal(ifs_open(process, "/dev/iommu", 2), 0);
	ifs_machine_set_on_report(machine, IFS_REPORT_AND_STOP);
	assert_false(ifs_machine_is_stopped(machine));
	assert_int_equal(ifs_close(process, 0), 0);
	assert_int_equal(ifs_kernel_shutdown(kernel), 0);
	ifs_machine_free(machine);
}

/* A kernel that panicked would go on taking calls in a state nobody can vouch for. */
static void test_panicked_kernel_refuses_calls(void **state)
{
	struct ifs_machine *machine = machine_new(64 << 20);
	struct ifs_kernel *kernel = ifs_kernel_boot(machine, NULL, NULL);
	struct ifs_process *process = ifs_process_new(kernel, NULL);
	struct task task;

	assert_int_equal(ifs_open(process, "/dev/iommu", 2), 0);
	kernel_task_enter(&task, kernel, "test");
	BUG_ON(process != NULL);
	task_leave(&task);
	assert_int_equal(ifs_machine_count_reports(machine, IFS_RULE_BUG), 1);
	assert_int_equal(ifs_open(process, "/dev/iommu", 2), -EIO);
	assert_int_equal(ifs_close(process, 0), -EIO);
	assert_int_equal(ifs_munmap(process, NULL, 4096), -EIO);
	assert_null(ifs_fork(process));
	assert_int_equal(ifs_kernel_kexec(kernel), -EIO);
	assert_int_equal(ifs_kernel_shutdown(kernel), 0);
	kernel = ifs_kernel_boot(machine, NULL, NULL);
	assert_non_null(kernel);
	assert_int_equal(ifs_kernel_shutdown(kernel), 0);
	ifs_machine_free(machine);
}

/* kho=off and liveupdate=off must still give a kernel that runs ordinary programs. */
static void test_boot_kho_off_has_no_liveupdate(void **state)
{
	struct ifs_machine *machine = machine_new(64 << 20);
	struct ifs_kernel_config config = { .size = sizeof(config), .kho = IFS_OFF };
	struct ifs_kernel *kernel;
	struct ifs_process *process;

	for (int i = 0; i < 2; i++) {
		kernel = ifs_kernel_boot(machine, &config, NULL);
		assert_non_null(kernel);
		process = ifs_process_new(kernel, NULL);
		assert_int_equal(ifs_open(process, "/dev/liveupdate", 2), -ENOENT);
		assert_int_equal(ifs_open(process, "/dev/iommu", 2), 0);
		assert_int_equal(ifs_kernel_kexec(kernel), 0);
		config.kho = IFS_ON;
		config.liveupdate = IFS_OFF;
	}
	kernel = ifs_kernel_boot(machine, NULL, NULL);
	assert_non_null(kernel);
	process = ifs_process_new(kernel, NULL);
	assert_int_equal(ifs_open(process, "/dev/liveupdate", 2), 0);
	assert_int_equal(ifs_kernel_shutdown(kernel), 0);
	ifs_machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot_bad_config_names_field),
		cmocka_unit_test(test_boot_larger_config_fine_if_tail_is_zero),
		cmocka_unit_test(test_boot_then_shutdown_leaves_nothing),
		cmocka_unit_test(test_end_null_is_fine),
		cmocka_unit_test(test_boot_every_allocation_fails_once_then_boots),
		cmocka_unit_test(test_machine_stopped_calls_fail),
		cmocka_unit_test(test_panicked_kernel_refuses_calls),
		cmocka_unit_test(test_boot_kho_off_has_no_liveupdate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
