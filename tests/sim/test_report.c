/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, what a checker found would be lost, or lost at kexec. */
#include "sim/report.h"

#include <stdio.h>

#include "tests/sim/sim_test.h"

static void test_every_rule_has_a_name(void **state)
{
	int rule;

	(void)state;
	for (rule = 0; rule < IFS_NR_RULES; rule++)
		assert_non_null(ifs_rule_name(rule));
	assert_string_equal(ifs_rule_name(IFS_RULE_DMA_LOST), "dma-lost");
	assert_string_equal(ifs_rule_name(IFS_RULE_STATE_REFUSED), "state-refused");
	assert_string_equal(ifs_rule_name(IFS_NR_RULES), "unknown");
	assert_string_equal(ifs_rule_name((enum ifs_rule)-1), "unknown");
}

static void test_report_keeps_step_rule_and_text(void **state)
{
	struct sim_test *t = *state;
	struct ifs_report report;

	assert_int_equal(sim_step(t->machine), 1);
	assert_int_equal(sim_step(t->machine), 2);
	sim_report(t->machine, IFS_RULE_LEAK, "%d blocks left", 3);
	machine_kexec(t->machine);
	assert_true(ifs_machine_get_report(t->machine, 0, &report));
	assert_int_equal(report.step, 2);
	assert_int_equal(report.rule, IFS_RULE_LEAK);
	assert_string_equal(report.text, "3 blocks left");
	assert_false(ifs_machine_get_report(t->machine, 1, &report));
	assert_false(ifs_machine_is_stopped(t->machine));
}

static void test_flood_is_counted_and_leaves_room(void **state)
{
	struct sim_test *t = *state;
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct ifs_report report;
	int i;

	for (i = 0; i < 1000; i++)
		sim_report(t->machine, IFS_RULE_WARN, "again %d", i);
	sim_report(t->machine, IFS_RULE_BUG, "the one that matters");
	assert_int_equal(reports_of(t, IFS_RULE_WARN), 1000);
	assert_true(ifs_machine_get_report(t->machine, 16, &report));
	assert_string_equal(report.text, "the one that matters");
	for (i = 0; i < 1000; i++)
		sim_report(t->machine, (enum ifs_rule)(i % IFS_NR_RULES), "%d", i);
	assert_true(ifs_machine_get_report(t->machine, 63, &report));
	assert_false(ifs_machine_get_report(t->machine, 64, &report));
	ifs_machine_get_stats(t->machine, &stats);
	assert_int_equal(stats.reports, 2001);
}

static void test_long_text_is_cut(void **state)
{
	struct sim_test *t = *state;
	struct ifs_report report;
	char text[600];

	memset(text, 'x', sizeof(text));
	text[599] = 0;
	sim_report(t->machine, IFS_RULE_WARN, "%s", text);
	assert_true(ifs_machine_get_report(t->machine, 0, &report));
	assert_int_equal(strlen(report.text), 243);
}

static void test_stop_on_report(void **state)
{
	struct sim_test *t = *state;

	sim_report(t->machine, IFS_RULE_WARN, "goes on");
	assert_false(sim_is_stopped(t->machine));
	ifs_machine_set_on_report(t->machine, IFS_REPORT_AND_STOP);
	assert_false(sim_is_stopped(t->machine));
	sim_report(t->machine, IFS_RULE_WARN, "stops");
	assert_true(sim_is_stopped(t->machine));
}

static void test_event_log_is_lines_in_order(void **state)
{
	struct sim_test *t = *state;
	char *text;

	sim_log(t->machine, "boot");
	sim_step(t->machine);
	sim_log(t->machine, "map %x", 0x1000);
	text = ifs_machine_event_log(t->machine);
	assert_string_equal(text, "0: boot\n1: map 1000\n");
	free(text);
}

static void test_event_log_drops_whole_old_lines(void **state)
{
	struct sim_test *t = *state;
	char *text, *line;
	int i, expected = -1, n;

	for (i = 0; i < 20000; i++)
		sim_log(t->machine, "event %d", i);
	text = ifs_machine_event_log(t->machine);
	assert_true(strlen(text) <= 128 * 1024);
	assert_true(strlen(text) > 127 * 1024);
	for (line = text; *line; line = strchr(line, '\n') + 1) {
		assert_int_equal(sscanf(line, "0: event %d\n", &n), 1);
		if (expected >= 0)
			assert_int_equal(n, expected);
		expected = n + 1;
	}
	assert_int_equal(expected, 20000);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_rule_has_a_name),
		sim_unit_test(test_report_keeps_step_rule_and_text),
		sim_unit_test(test_flood_is_counted_and_leaves_room),
		sim_unit_test(test_long_text_is_cut),
		sim_unit_test(test_stop_on_report),
		sim_unit_test(test_event_log_is_lines_in_order),
		sim_unit_test(test_event_log_drops_whole_old_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
