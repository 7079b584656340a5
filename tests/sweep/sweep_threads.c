/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Same calls, same seed, same bytes: the whole arena (hardware, checkers, RAM) is equal after each
 * run of the same live update, whoever runs beside it. This holds within a process, where heap
 * addresses differ from run to run, and for machines on several threads at once.
 */
#include "tests/harness/lu_scenario.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4

struct outcome {
	unsigned steps_done, nr_steps;
	uint64_t leaks, arena_hash;
	struct ifs_machine_stats stats;
	uint32_t bursts;
};

/* FNV-1a over what the file holds; holes read as nothing. */
static uint64_t hash_arena(struct ifs_machine *machine)
{
	int fd = lu_arena_copy(machine);
	uint64_t hash = 0xcbf29ce484222325ull;
	unsigned char page[4096];
	off_t size = lseek(fd, 0, SEEK_END), at = 0;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && at < size) {
		off_t end = lseek(fd, at, SEEK_HOLE);

		for (; at < end; at += (off_t)sizeof(page)) {
			if (pread(fd, page, sizeof(page), at) != (ssize_t)sizeof(page))
				continue;
			for (unsigned i = 0; i < sizeof(page); i++)
				hash = (hash ^ page[i] ^ (uint64_t)at) * 0x100000001b3ull;
		}
	}
	close(fd);
	return hash;
}

static void *run(void *arg)
{
	struct outcome *outcome = arg;
	struct lu_config config = lu_config_small();
	struct lu_scenario s;

	config.bursts = outcome->bursts;
	lu_scenario_init(&s, &config);
	outcome->nr_steps = s.nr_steps;
	outcome->steps_done = lu_scenario_run(&s, 0, s.nr_steps);
	outcome->leaks = s.leaks;
	outcome->stats.size = sizeof(outcome->stats);
	ifs_machine_get_stats(s.machine, &outcome->stats);
	outcome->arena_hash = hash_arena(s.machine);
	lu_scenario_deinit(&s);
	return NULL;
}

static void expect_clean(const struct outcome *outcome)
{
	assert_int_equal(outcome->steps_done, outcome->nr_steps);
	assert_int_equal(outcome->leaks, 0);
	assert_int_equal(outcome->stats.reports, 0);
}

/* A failure found on one machine could not be replayed on the next. */
static void test_same_run_twice_leaves_the_same_bytes(void **state)
{
	struct outcome first = { .bursts = 3 }, second = { .bursts = 3 }, other = { .bursts = 4 };

	run(&first);
	run(&second);
	run(&other);
	expect_clean(&first);
	expect_clean(&second);
	assert_int_equal(first.arena_hash, second.arena_hash);
	assert_int_equal(first.stats.steps, second.stats.steps);
	/* A hash that never differs would prove nothing. */
	assert_int_not_equal(first.arena_hash, other.arena_hash);
}

/* State outside of machines would let parallel tests disturb each other. */
static void test_machines_on_threads_do_not_meet(void **state)
{
	struct outcome outcomes[THREADS];
	pthread_t threads[THREADS];

	memset(outcomes, 0, sizeof(outcomes));
	for (unsigned i = 0; i < THREADS; i++) {
		outcomes[i].bursts = 3;
		assert_int_equal(pthread_create(&threads[i], NULL, run, &outcomes[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		expect_clean(&outcomes[i]);
		assert_int_equal(outcomes[i].arena_hash, outcomes[0].arena_hash);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_run_twice_leaves_the_same_bytes),
		cmocka_unit_test(test_machines_on_threads_do_not_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
