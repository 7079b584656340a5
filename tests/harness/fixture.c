/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See fixture.h. */
#include "tests/harness/fixture.h"

#include <stdlib.h>

static void set_up_machine(struct fixture *f)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 256ull << 20 };

	f->machine = ifs_machine_new(&config, &f->error);
	if (!f->machine)
		fail_msg("no machine: %s", f->error.text);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		struct ifs_device_config device = { .size = sizeof(device),
			.bus = (uint8_t)(1 + i) };

		f->devices[i] = ifs_machine_add_device(f->machine, &device, &f->error);
		assert_non_null(f->devices[i]);
	}
}

static int set_up(void **state, const char *design)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->kernel_config = (struct ifs_kernel_config){ .size = sizeof(f->kernel_config),
						       .design = design };
	set_up_machine(f);
	fixture_boot(f);
	*state = f;
	return 0;
}

int fixture_set_up(void **state)
{
	return set_up(state, "reference");
}

int fixture_set_up_posted_v1(void **state)
{
	return set_up(state, "posted-v1");
}

void fixture_boot(struct fixture *f)
{
	f->kernel = ifs_kernel_boot(f->machine, &f->kernel_config, &f->error);
	if (!f->kernel)
		fail_msg("no boot: %s", f->error.text);
	f->process = ifs_process_new(f->kernel, NULL);
	assert_non_null(f->process);
}

void fixture_kexec(struct fixture *f)
{
	fixture_check(f);
	assert_int_equal(ifs_kernel_kexec(f->kernel), 0);
	f->kernel = NULL;
	f->process = NULL;
	ifs_machine_run(f->machine, 16);
	fixture_boot(f);
}

void fixture_check(struct fixture *f)
{
	const char *broken = ifs_kernel_check(f->kernel);

	if (broken)
		fail_msg("invariant broken: %s", broken);
}

void fixture_expect(struct fixture *f, enum ifs_rule rule, uint64_t count)
{
	f->expected[rule] = count == FIXTURE_ANY ? FIXTURE_ANY : f->expected[rule] + count;
}

void fixture_assert_dma_fine(struct fixture *f, uint64_t bursts)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_run(f->machine, bursts);
	ifs_machine_get_stats(f->machine, &stats);
	assert_int_equal(stats.dma_lost, 0);
	assert_int_equal(stats.dma_astray, 0);
	assert_int_equal(stats.dma_corrupt, 0);
}

static void check_reports(struct fixture *f)
{
	struct ifs_report report;
	bool wrong = false;

	for (unsigned rule = 0; rule < IFS_NR_RULES; rule++) {
		uint64_t count = ifs_machine_count_reports(f->machine, rule);

		if (count == f->expected[rule] || (count && f->expected[rule] == FIXTURE_ANY))
			continue;
		wrong = true;
		print_error("%llu reports of rule %s, the test expects %llu\n",
			    (unsigned long long)count, ifs_rule_name(rule),
			    (unsigned long long)f->expected[rule]);
	}
	if (!wrong)
		return;
	for (unsigned i = 0; ifs_machine_get_report(f->machine, i, &report); i++)
		print_error("  step %llu, %s: %s\n", (unsigned long long)report.step,
			    ifs_rule_name(report.rule), report.text);
	fail();
}

int fixture_tear_down(void **state)
{
	struct fixture *f = *state;
	uint64_t leaks = 0;

	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	if (f->kernel) {
		fixture_check(f);
		leaks = ifs_kernel_shutdown(f->kernel);
	}
	check_reports(f);
	assert_int_equal(leaks, f->expected_leaks);
	ifs_machine_free(f->machine);
	free(f);
	return 0;
}
