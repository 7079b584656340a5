/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The least a kernel layer needs below it: a machine, a kernel_base with heap, page allocator and
 * file system, and one process's task that is current while a test runs. Layers above are not
 * there: a test of theirs boots a whole kernel instead.
 *
 *     static int setup(void **state) { return base_fixture_setup(state); }
 *     cmocka_unit_test_setup_teardown(test_x, base_fixture_setup, base_fixture_teardown)
 */
#ifndef TESTS_HARNESS_BASE_FIXTURE_H
#define TESTS_HARNESS_BASE_FIXTURE_H

#include "lib/base/task.h"
#include "lib/fs/file.h"
#include "lib/mm/page_alloc.h"
#include "lib/mm/user_mem.h"
#include "sim/machine_kernel.h"
#include "sim/phys_mem.h"

struct base_fixture {
	struct ifs_machine *machine;
	struct kernel_base *kernel;
	struct cred cred;
	struct mm *mm;
	struct files *files;
	struct task task;
	u64 expected_reports;           /* by the end of the test; normally none */
};

#define BASE_FIXTURE_RAM_BYTES (64ull << 20)

struct base_fixture *base_fixture_new(u64 ram_bytes);
/* Closes everything and checks that no heap block, page, file or report is left. */
void base_fixture_free(struct base_fixture *fix);
/*
 * Ends the kernel as a kexec does (no destructor runs) and starts an empty one on the same machine,
 * with a new process. @params may be NULL.
 */
void base_fixture_kexec(struct base_fixture *fix, const struct machine_boot_params *params);

/* cmocka setup and teardown around the two, with BASE_FIXTURE_RAM_BYTES. */
int base_fixture_setup(void **state);
int base_fixture_teardown(void **state);

/* Fails the @nth allocation from now on (1 = the next); 0 disarms. */
void base_fixture_fail_nth(struct base_fixture *fix, u64 nth, bool forever);

#endif
