/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every truncation of a handed-over arena, in pages and around page boundaries, is refused with a
 * sentence that says so. What lies behind the cut would otherwise be read as zeroes, or as SIGBUS.
 */
#include "tests/harness/lu_scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE 4096

static int handed_over_arena(struct lu_scenario *s)
{
	struct lu_config config = lu_config_small();
	unsigned boot;

	lu_scenario_init(s, &config);
	boot = lu_scenario_find(s, 0, LU_BOOT);
	assert_int_equal(lu_scenario_run(s, 0, boot), boot);
	return lu_arena_copy(s->machine);
}

static void expect_refused(int arena, off_t size)
{
	struct ifs_error error = { 0 };

	assert_int_equal(ftruncate(arena, size), 0);
	if (ifs_machine_open(arena, &error))
		fail_msg("an arena cut to %ld bytes was accepted", (long)size);
	if (!error.code || !error.text[0])
		fail_msg("cut to %ld bytes: refused without a reason", (long)size);
	if (size >= PAGE && !strstr(error.text, "truncated"))
		fail_msg("cut to %ld bytes: the reason does not name it: %s", (long)size,
			 error.text);
}

/* A half-copied arena would be taken over, and the guest's memory would be holes. */
static void test_open_truncated_arena_is_refused(void **state)
{
	struct lu_scenario s;
	int arena = handed_over_arena(&s);
	off_t whole = lseek(arena, 0, SEEK_END), stride;
	unsigned cuts = 0;

	expect_refused(arena, whole - 1);
	/* Every page of the state and of low RAM; coarser in the (sparse, identical) rest above. */
	for (off_t at = whole - PAGE; at > 0; at -= stride, cuts++) {
		expect_refused(arena, at);
		stride = at > (64 << 20) ? 64 * PAGE : PAGE;
	}
	for (off_t at = 3 * PAGE; at >= 0; at -= 61, cuts++)
		expect_refused(arena, at);
	print_message("%u truncations refused\n", cuts);
	close(arena);
	lu_scenario_deinit(&s);
}

/* Without this, a test that refuses everything would pass. */
static void test_open_whole_arena_goes_on(void **state)
{
	struct lu_scenario s;
	int arena = handed_over_arena(&s);
	unsigned boot = lu_scenario_find(&s, 0, LU_BOOT);

	assert_true(lu_scenario_reload(&s, arena));
	assert_int_equal(lu_scenario_run(&s, boot, s.nr_steps), s.nr_steps);
	assert_int_equal(s.leaks, 0);
	lu_scenario_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_whole_arena_goes_on),
		cmocka_unit_test(test_open_truncated_arena_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
