/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A kernel_base with no machine under it: reports are only counted. For tests of lib/base alone;
 * everything above uses tests/harness/.
 */
#ifndef TESTS_LIB_BASE_FIXTURE_MIN_H
#define TESTS_LIB_BASE_FIXTURE_MIN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/task.h"

struct fixture {
	struct kernel_base kernel;
	struct task task;
};

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	kheap_init(&f->kernel.heap, &f->kernel.fail, NULL);
	lockdep_init(&f->kernel.lockdep, 7);
	task_enter(&f->task, &f->kernel, "test");
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	task_leave(&f->task);
	assert_int_equal(f->kernel.heap.nr_blocks, 0);
	assert_int_equal(f->kernel.heap.nr_bytes, 0);
	free(f);
	return 0;
}

/* Exactly one report since the last look, of @rule. */
#define assert_report(f, rule) do { \
	assert_int_equal((f)->kernel.nr_reports, 1); \
	assert_int_equal((f)->kernel.last_rule, rule); \
	(f)->kernel.nr_reports = 0; \
} while (0)
#define assert_no_report(f) assert_int_equal((f)->kernel.nr_reports, 0)

#define with_kernel(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

#endif
