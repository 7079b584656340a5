/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See base_fixture.h. Boots by hand, in the order of lib/kernel/boot.c. */
#include "tests/harness/base_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void kernel_up(struct base_fixture *fix)
{
	struct kernel_base *kernel = calloc(1, sizeof(*kernel));

	assert_non_null(kernel);
	fix->kernel = kernel;
	kheap_init(&kernel->heap, &kernel->fail, NULL);
	lockdep_init(&kernel->lockdep, (u16)(machine_boot_count(fix->machine) + 1));
	kernel->machine = fix->machine;
	kernel->mem = machine_phys_mem(fix->machine);

	memset(&fix->task, 0, sizeof(fix->task));
	task_enter(&fix->task, kernel, "test");
	assert_int_equal(page_alloc_new(kernel, &kernel->page_alloc), 0);
	assert_int_equal(file_system_new(kernel, &kernel->fs), 0);
	assert_int_equal(mm_new(kernel, 1, 8ull << 20, &fix->mm), 0);
	assert_int_equal(files_new(kernel, 1024, &fix->files), 0);
	fix->cred = (struct cred){ .cap_permitted = ~0ull, .cap_effective = ~0ull };
	fix->task.pid = 1;
	fix->task.mm = fix->mm;
	fix->task.files = fix->files;
	fix->task.cred = &fix->cred;
}

struct base_fixture *base_fixture_new(u64 ram_bytes)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = ram_bytes };
	struct base_fixture *fix = calloc(1, sizeof(*fix));
	struct ifs_error error = { 0 };

	assert_non_null(fix);
	fix->machine = ifs_machine_new(&config, &error);
	if (!fix->machine)
		fail_msg("machine: %s", error.text);
	kernel_up(fix);
	return fix;
}

static void print_leak(void *ctx, const char *site, size_t size)
{
	print_error("leaked %zu bytes: %s\n", size, site);
}

static void print_reports(struct base_fixture *fix)
{
	struct ifs_report report;

	for (unsigned i = 0; ifs_machine_get_report(fix->machine, i, &report); i++)
		print_error("report: %s\n", report.text);
}

void base_fixture_free(struct base_fixture *fix)
{
	struct kernel_base *kernel = fix->kernel;
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	fail_points_disarm(&kernel->fail);
	mm_exit(fix->mm);
	files_exit(fix->files);
	/* Not an assert: a test that failed half-way should be heard first. */
	assert_int_equal(user_mem_nr_pins(kernel), 0);
	fix->task.mm = NULL;
	fix->task.files = NULL;
	mm_put(fix->mm);
	assert_int_equal(fs_nr_files(kernel->fs), 0);
	file_system_free(kernel->fs);
	assert_int_equal(pages_count(kernel->page_alloc, FRAME_MEMFD), 0);
	page_alloc_free(kernel->page_alloc);
	task_leave(&fix->task);
	kheap_for_each(&kernel->heap, print_leak, NULL);
	assert_int_equal(kernel->heap.nr_blocks, 0);
	ifs_machine_get_stats(fix->machine, &stats);
	if (stats.reports != fix->expected_reports)
		print_reports(fix);
	assert_int_equal(stats.reports, fix->expected_reports);
	free(kernel);
	ifs_machine_free(fix->machine);
	free(fix);
}

void base_fixture_kexec(struct base_fixture *fix, const struct machine_boot_params *params)
{
	static const struct machine_boot_params none;

	user_mem_kexec(fix->kernel);
	task_leave(&fix->task);
	kheap_drop(&fix->kernel->heap);
	free(fix->kernel);
	machine_set_boot_params(fix->machine, params ? params : &none);
	machine_kexec(fix->machine);
	kernel_up(fix);
}

int base_fixture_setup(void **state)
{
	*state = base_fixture_new(BASE_FIXTURE_RAM_BYTES);
	return 0;
}

int base_fixture_teardown(void **state)
{
	base_fixture_free(*state);
	return 0;
}

void base_fixture_fail_nth(struct base_fixture *fix, u64 nth, bool forever)
{
	fail_points_arm(&fix->kernel->fail, nth, forever);
}
