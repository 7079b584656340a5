/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Capabilities, users and the limit on locked memory, as a process changes its own. */
#include "tests/harness/fixture.h"

#include <errno.h>

#define ALL 0x1ffffffffffull
#define SETUID (1ull << 7)
#define SYS_RESOURCE (1ull << 24)
#define SAME ((uid_t)-1)

/* A program could regain what it had given up for good. */
static void test_capset_only_takes_away(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ifs_capset(f->process, ALL, ALL & ~SETUID), 0);
	assert_int_equal(ifs_capset(f->process, ALL, ALL), 0);
	assert_int_equal(ifs_capset(f->process, ALL & ~SETUID, ALL), -EPERM);
	assert_int_equal(ifs_capset(f->process, ALL & ~SETUID, ALL & ~SETUID), 0);
	assert_int_equal(ifs_capset(f->process, ALL, ALL & ~SETUID), -EPERM);
	assert_int_equal(ifs_capset(f->process, ALL & ~SETUID, SETUID), -EPERM);
	assert_int_equal(ifs_capset(f->process, 0, 0), 0);
	assert_int_equal(ifs_capset(f->process, 1, 0), -EPERM);
}

/* A program that gives up one capability, and keeps the rest, would give up more, or nothing. */
static void test_capget_after_capset_as_set(void **state)
{
	struct fixture *f = *state;
	uint64_t permitted, effective;

	ifs_capget(f->process, &permitted, &effective);
	assert_int_equal(permitted, ALL);
	assert_int_equal(effective, ALL);
	assert_int_equal(ifs_capset(f->process, ALL & ~SETUID, SYS_RESOURCE), 0);
	ifs_capget(f->process, &permitted, &effective);
	assert_int_equal(permitted, ALL & ~SETUID);
	assert_int_equal(effective, SYS_RESOURCE);
}

/* A process would be charged as a user that it cannot be. */
static void test_setresuid_without_cap_only_among_own(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ifs_setresuid(f->process, 1000, SAME, SAME), 0);
	assert_int_equal(ifs_capset(f->process, ALL, ALL & ~SETUID), 0);
	assert_int_equal(ifs_setresuid(f->process, 1001, SAME, SAME), -EPERM);
	assert_int_equal(ifs_setresuid(f->process, SAME, 1001, SAME), -EPERM);
	assert_int_equal(ifs_setresuid(f->process, SAME, SAME, 1001), -EPERM);
	assert_int_equal(ifs_setresuid(f->process, 0, SAME, 1000), 0);
	assert_int_equal(ifs_setresuid(f->process, SAME, SAME, SAME), 0);
	assert_int_equal(ifs_setresuid(f->process, 1000, SAME, SAME), 0);
}

/* Who stops being root would keep its powers, or not get them back. */
static void test_setresuid_root_and_capabilities(void **state)
{
	struct fixture *f = *state;

	/* The effective user alone: nothing is permitted for good, but nothing is in force. */
	assert_int_equal(ifs_setresuid(f->process, SAME, 1000, SAME), 0);
	assert_int_equal(ifs_setresuid(f->process, 1001, SAME, SAME), -EPERM);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0, 0x1000), 0);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0, 0x1001), -EPERM);
	assert_int_equal(ifs_capset(f->process, ALL, SYS_RESOURCE), 0);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0, 0x1001), 0);
	assert_int_equal(ifs_setresuid(f->process, SAME, 0, SAME), 0);
	assert_int_equal(ifs_setresuid(f->process, 1001, SAME, SAME), 0);
	/* None of the three is root: for good. */
	assert_int_equal(ifs_setresuid(f->process, 1001, 1001, 1001), 0);
	assert_int_equal(ifs_capset(f->process, SETUID, 0), -EPERM);
	assert_int_equal(ifs_setresuid(f->process, SAME, 0, SAME), -EPERM);
}

/* The limit that pins are measured against could be raised by anybody, or by nobody. */
static void test_setrlimit_memlock_hard_limit(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ifs_setrlimit_memlock(f->process, 0x2000, 0x1fff), -EINVAL);
	assert_int_equal(ifs_setrlimit_memlock(f->process, ~0ull, ~0ull), 0);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0x1000, 0x2000), 0);
	assert_int_equal(ifs_capset(f->process, ALL, ALL & ~SYS_RESOURCE), 0);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0x2000, 0x2000), 0);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0x2000, 0x2001), -EPERM);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0, 0), 0);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0, 1), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
		T(test_capset_only_takes_away),
		T(test_capget_after_capset_as_set),
		T(test_setresuid_without_cap_only_among_own),
		T(test_setresuid_root_and_capabilities),
		T(test_setrlimit_memlock_hard_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
