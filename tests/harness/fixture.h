/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A machine, a kernel and a process for one test, and at its end the questions every test must
 * answer: do all invariants hold, was anything reported that the test had not announced, is
 * anything left?
 *
 *   cmocka_unit_test_setup_teardown(test_x, fixture_set_up, fixture_tear_down)
 *
 * A test that provokes reports says so with fixture_expect(); one that pulls the plug sets
 * f->kernel to NULL itself.
 */
#ifndef TESTS_HARNESS_FIXTURE_H
#define TESTS_HARNESS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>

#define FIXTURE_DEVICES 2

struct fixture {
	struct ifs_machine *machine;
	struct ifs_device *devices[FIXTURE_DEVICES];
	struct ifs_kernel *kernel;
	struct ifs_kernel_config kernel_config; /* of this boot and the next ones */
	struct ifs_process *process;
	uint64_t expected[IFS_NR_RULES];        /* reports announced, by rule */
	uint64_t expected_leaks;
	struct ifs_error error;
};

int fixture_set_up(void **state);
/* The same with the design "posted-v1". */
int fixture_set_up_posted_v1(void **state);
int fixture_tear_down(void **state);

/* Exactly @count more reports of @rule are fine; FIXTURE_ANY: at least one, any number. */
#define FIXTURE_ANY UINT64_MAX
void fixture_expect(struct fixture *f, enum ifs_rule rule, uint64_t count);
/* Boots and starts a process; fails the test if either does not work. */
void fixture_boot(struct fixture *f);
/* Kexec, some DMA in the black-out, boot, a new process. */
void fixture_kexec(struct fixture *f);
/* Asserts that every invariant holds now. */
void fixture_check(struct fixture *f);
/* Runs DMA and asserts that none was lost, astray or corrupt since power-on. */
void fixture_assert_dma_fine(struct fixture *f, uint64_t bursts);

#endif
