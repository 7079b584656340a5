/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Fails every fail point of a whole live update, once each, and once for ever after: allocations,
 * and what else can be made to fail (sweep_points.c goes through those of iommufd).
 *
 * Before each step the n-th point from here is made to fail, for n = 1, 2, 3, ... until the step no
 * longer meets it. A call that failed must have changed nothing (the state hash says so), must
 * leave every invariant whole, and must succeed when tried again; at the end nothing may have
 * leaked and no DMA may have been lost or gone astray. Since a failed call changes nothing, one
 * pass over the scenario meets every point.
 *
 * Booting is no call that can be tried again: each attempt runs on a copy of the machine, and what
 * is asked of it is that a kernel that could not boot, or booted with a device blocked, lets no DMA
 * stray.
 */
#include "tests/harness/lu_scenario.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sweep {
	struct lu_scenario scenario;
	bool forever;
	uint64_t injected, failed_calls, benign;
};

static void fail_step(struct sweep *sweep, unsigned index, uint64_t nth, const char *what)
{
	struct ifs_failure failure = { .size = sizeof(failure), .point = "?" };
	struct ifs_kernel *kernel = sweep->scenario.kernel;

	if (kernel)
		ifs_kernel_get_failure(kernel, &failure);
	fail_msg("step %u '%s', failure %lu (%s %s)%s: %s", index,
		 sweep->scenario.steps[index].name, (unsigned long)nth, failure.point,
		 failure.site ? failure.site : "", sweep->forever ? " and all after it" : "", what);
}

static uint64_t reports(struct lu_scenario *s, enum ifs_rule rule)
{
	return ifs_machine_count_reports(s->machine, rule);
}

static void expect_no_dma_trouble(struct sweep *sweep, unsigned index, uint64_t nth)
{
	struct lu_scenario *s = &sweep->scenario;
	struct ifs_report report;

	if (reports(s, IFS_RULE_DMA_ASTRAY) || reports(s, IFS_RULE_DMA_CORRUPT) ||
	    reports(s, IFS_RULE_STALE_IOTLB)) {
		if (ifs_machine_get_report(s->machine, 0, &report))
			print_error("%s\n", report.text);
		fail_step(sweep, index, nth, "DMA went astray");
	}
}

/* A boot on a copy of the machine, with the nth point failing. False: it no longer met one. */
static bool try_boot(struct sweep *sweep, unsigned index, uint64_t nth)
{
	struct lu_scenario *s = &sweep->scenario;
	int before = lu_arena_copy(s->machine);
	bool fired;
	int rc;

	s->boot_fail_nth = nth;
	s->boot_fail_forever = sweep->forever;
	rc = lu_scenario_step(s, index);
	s->boot_fail_nth = 0;
	fired = rc != 0;
	if (s->kernel)
		fired = ifs_kernel_fail_fired(s->kernel, NULL);
	if (rc && rc != -ENOMEM && rc != -ENOTRECOVERABLE)
		fail_step(sweep, index, nth, "boot failed with another error than -ENOMEM");
	ifs_machine_run(s->machine, 8);
	expect_no_dma_trouble(sweep, index, nth);
	ifs_kernel_drop(s->kernel);
	s->kernel = NULL;
	assert_true(lu_scenario_reload(s, before));
	return fired;
}

/* The step with its nth point failing. False: the step is done. */
static bool try_call(struct sweep *sweep, unsigned index, uint64_t nth)
{
	struct lu_scenario *s = &sweep->scenario;
	uint64_t before = ifs_kernel_state_hash(s->kernel);
	const char *broken;
	bool fired;
	int rc;

	ifs_kernel_fail_nth(s->kernel, nth, sweep->forever);
	rc = lu_scenario_step(s, index);
	if (!s->kernel)
		return false;           /* the kexec went through */
	fired = ifs_kernel_fail_fired(s->kernel, NULL);
	ifs_kernel_fail_nth(s->kernel, 0, false);
	broken = ifs_kernel_check(s->kernel);
	if (broken)
		fail_step(sweep, index, nth, broken);
	expect_no_dma_trouble(sweep, index, nth);
	if (!rc) {
		sweep->benign += fired;
		return false;
	}
	if (!fired)
		fail_step(sweep, index, nth, "failed although nothing was injected");
	sweep->failed_calls++;
	if (ifs_kernel_state_hash(s->kernel) != before)
		fail_step(sweep, index, nth, "the failed call changed state");
	return true;
}

static void sweep_step(struct sweep *sweep, unsigned index)
{
	struct lu_scenario *s = &sweep->scenario;
	enum lu_phase phase = s->steps[index].phase;
	bool boot = !strcmp(s->steps[index].name, "boot");

	if (phase == LU_BLACKOUT || phase == LU_END) {
		assert_int_equal(lu_scenario_step(s, index), 0);
		return;
	}
	for (uint64_t nth = 1;; nth++) {
		bool again = boot ? try_boot(sweep, index, nth) : try_call(sweep, index, nth);

		sweep->injected += again;
		if (!again)
			break;
		if (nth > 100000)
			fail_step(sweep, index, nth, "never gets past its fail points");
	}
	if (boot)
		assert_int_equal(lu_scenario_step(s, index), 0);
}

/*
 * Where Linux, too, warns and goes on: a retrieved file that could not be entered into the map of
 * preserved files. Prints all other reports.
 */
static uint64_t count_warnings_of_linux(struct lu_scenario *s)
{
	struct ifs_report report;
	uint64_t count = 0;

	for (unsigned i = 0; ifs_machine_get_report(s->machine, i, &report); i++) {
		if (report.rule == IFS_RULE_WARN && strstr(report.text, "preserved_files"))
			count++;
		else
			print_error("%s: %s\n", ifs_rule_name(report.rule), report.text);
	}
	return count;
}

static void run_sweep(bool forever)
{
	struct sweep sweep = { .forever = forever };
	struct lu_scenario *s = &sweep.scenario;
	struct lu_config config = lu_config_small();
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	config.not_exact = true;        /* Linux keeps the first errno of a retrieve for ever */
	lu_scenario_init(s, &config);
	for (unsigned i = 0; i < s->nr_steps; i++)
		sweep_step(&sweep, i);
	assert_int_equal(s->generation, config.updates);
	ifs_machine_get_stats(s->machine, &stats);
	assert_int_equal(s->leaks, 0);
	assert_int_equal(stats.reports, count_warnings_of_linux(s));
	assert_int_equal(stats.dma_lost, 0);
	assert_int_equal(stats.dma_astray, 0);
	print_message("%lu points failed, %lu calls refused, %lu went on without\n",
		      (unsigned long)sweep.injected, (unsigned long)sweep.failed_calls,
		      (unsigned long)sweep.benign);
	/* The sweep itself must have met something, or it proves nothing. */
	assert_true(sweep.failed_calls > 100);
	lu_scenario_deinit(s);
}

/* A VMM on a host short of memory would lose a guest, or leak it. */
static void test_live_update_each_point_fails_once_changes_nothing(void **state)
{
	run_sweep(false);
}

/* A VMM on a host out of memory for good would not even get its errors. */
static void test_live_update_all_points_fail_from_nth_changes_nothing(void **state)
{
	run_sweep(true);
}

/* Without this, a state hash that hashes nothing would let the sweep pass. */
static void test_state_hash_sees_each_step(void **state)
{
	struct lu_scenario s;
	struct lu_config config = lu_config_small();
	unsigned kexec, from, same = 0;
	uint64_t before;

	lu_scenario_init(&s, &config);
	from = lu_scenario_run(&s, 0, 2);
	kexec = lu_scenario_find(&s, 0, LU_KEXEC);
	for (unsigned i = from; i < kexec; i++) {
		before = ifs_kernel_state_hash(s.kernel);
		assert_int_equal(lu_scenario_step(&s, i), 0);
		if (before == ifs_kernel_state_hash(s.kernel) &&
		    strcmp(s.steps[i].name, "start stream")) {
			print_error("step '%s' left no trace in the state hash\n", s.steps[i].name);
			same++;
		}
	}
	assert_int_equal(same, 0);
	lu_scenario_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_hash_sees_each_step),
		cmocka_unit_test(test_live_update_each_point_fails_once_changes_nothing),
		cmocka_unit_test(test_live_update_all_points_fail_from_nth_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
