/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * If these failed, a fuzzer's execution would depend on the ones before it, and its reproducers
 * would not reproduce.
 */
#include "tests/sim/sim_test.h"

#include "sim/machine_internal.h"

#define RAM_BYTES (64ull << 20)

static void streaming_start(struct sim_test *t)
{
	struct ifs_stream_window window = { .start = 0x1000, .last = 0x1fff, .writable = true };
	struct ifs_stream_config config = { .size = sizeof(config), .windows = &window,
					    .nr_windows = 1, .burst_bytes = 256 };

	assert_true(ifs_device_stream_start(t->device, &config));
}

/* A bit of everything a machine keeps. */
static void live_a_little(struct sim_test *t)
{
	u64 word = 1, i;

	tables_write(t);
	translation_on(t);
	checker_told(t);
	streaming_start(t);
	ifs_machine_run(t->machine, 40);
	for (i = 0; i < 1100; i++)      /* more than the history of owners holds */
		dma_check_set_owner(t->machine, 0x200000 + (i << 13), 0x1000, FRAME_KERNEL);
	for (i = 0; i < 12; i++)        /* more faults than there are records */
		ifs_device_dma_write(t->device, i << 30, &word, 8, NULL);
	put64(t->machine, 0x103008, 0);
	ifs_device_dma_write(t->device, 0x1000, &word, 8, NULL);        /* a stale translation */
	for (i = 0; i < 3000; i++)      /* more text than the log holds */
		sim_log(t->machine, "line %llu of a log that is longer than its ring",
			(unsigned long long)i);
	sim_report(t->machine, IFS_RULE_WARN, "a report");
	dma_check_space_put(t->machine, dma_check_space_new(t->machine));
	machine_set_boot_params(t->machine,
				&(struct machine_boot_params){ .kho_fdt_pa = 0x1000 });
	machine_kexec(t->machine);
}

static void assert_ram_is_zero(struct ifs_machine *machine, u64 ram_bytes)
{
	static const u8 zeroes[1 << 20];
	u8 *ram = malloc(sizeof(zeroes));
	u64 pa;

	for (pa = 0; pa < ram_bytes; pa += sizeof(zeroes)) {
		assert_true(ifs_machine_read_ram(machine, pa, ram, sizeof(zeroes)));
		assert_memory_equal(ram, zeroes, sizeof(zeroes));
	}
	free(ram);
}

static void assert_is_as_new(struct sim_test *t)
{
	const struct arena_header *header = &t->machine->arena.header;
	struct sim_test fresh;

	power_on(&fresh);
	assert_memory_equal(t->machine->state, fresh.machine->state, sizeof(struct machine_state));
	assert_memory_equal(t->machine->arena.map, fresh.machine->arena.map, sizeof(*header));
	assert_memory_equal(t->machine->arena.nodes, fresh.machine->arena.nodes, 1 << 20);
	assert_ram_is_zero(t->machine, RAM_BYTES);
	ifs_machine_free(fresh.machine);
}

static void test_reset_leaves_nothing_of_the_life_before(void **state)
{
	struct sim_test *t = *state;

	live_a_little(t);
	ifs_machine_reset(t->machine);
	assert_is_as_new(t);
}

static void test_reset_of_a_new_machine_changes_nothing(void **state)
{
	struct sim_test t;

	(void)state;
	power_on(&t);
	ifs_machine_reset(t.machine);
	ifs_machine_reset(t.machine);
	assert_is_as_new(&t);
	ifs_machine_free(t.machine);
}

static void test_reset_keeps_configuration_and_devices(void **state)
{
	struct ifs_machine_config config = {
		.size = sizeof(config), .ram_bytes = 4 << 20, .nr_iommus = 2, .pt_format = 1,
		.iotlb_entries = 32, .fault_entries = 3, .on_report = IFS_REPORT_AND_STOP,
		.seed = 7,
	};
	struct ifs_device_config first = { .size = sizeof(first), .bus = 3, .iommu = 1 };
	struct ifs_device_config second = { .size = sizeof(second), .bus = 2, .slot = 4 };
	struct ifs_machine *machine = ifs_machine_new(&config, NULL);
	struct ifs_device *late = ifs_machine_add_device(machine, &first, NULL);
	struct ifs_device *early = ifs_machine_add_device(machine, &second, NULL);
	char name[16];

	(void)state;
	sim_report(machine, IFS_RULE_WARN, "a report");
	assert_true(ifs_machine_is_stopped(machine));
	ifs_machine_reset(machine);
	assert_false(ifs_machine_is_stopped(machine));
	assert_int_equal(machine_nr_iommus(machine), 2);
	assert_int_equal(machine->state->pt_format, 1);
	assert_int_equal(machine->state->iotlb_entries, 32);
	assert_int_equal(machine->state->fault_entries, 3);
	assert_int_equal(machine->state->on_report, IFS_REPORT_AND_STOP);
	assert_int_equal(machine->state->seed, 7);
	assert_ptr_equal(machine_device(machine, 0), early);
	assert_ptr_equal(machine_device(machine, 1), late);
	assert_null(machine_device(machine, 2));
	ifs_device_name(late, name);
	assert_string_equal(name, "0000:03:00.0");
	assert_int_equal(device_iommu_unit(late), 1);
	ifs_machine_free(machine);
}

/* Frames near and far, few and many: what is cleared in place, and what goes back to the host. */
static void test_reset_zeroes_all_ram(void **state)
{
	static const struct {
		u64 first, stride, nr;
	} uses[] = {
		{ 0, 0x1000, 1 }, { RAM_BYTES - 0x1000, 0x1000, 1 }, { 0, 0x1000, 63 },
		{ 0, 0x1000, 64 }, { 0, 0x1000, 65 }, { 0x3000, 0x5000, 100 },
		{ RAM_BYTES - 65 * 0x1000, 0x1000, 65 }, { 0x100000, 0x40000, 200 },
	};
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct sim_test *t = *state;
	u64 use, i;

	for (use = 0; use < sizeof(uses) / sizeof(uses[0]); use++) {
		for (i = 0; i < uses[use].nr; i++)
			put64(t->machine, uses[use].first + i * uses[use].stride + 0xff8, ~0ull);
		ifs_machine_reset(t->machine);
		ifs_machine_get_stats(t->machine, &stats);
		assert_true(stats.ram_resident_bytes <= 256 << 10);
		assert_ram_is_zero(t->machine, RAM_BYTES);
	}
}

/* The caches of runs must not answer for a life that is over. */
static void test_reset_machine_judges_dma_anew(void **state)
{
	struct sim_test *t = *state;
	u64 word = 0;

	assert_int_equal(ifs_device_dma_read(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	ifs_machine_reset(t->machine);
	tables_write(t);
	translation_on(t);
	assert_quiet(t);
	assert_int_equal(ifs_device_dma_read(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	assert_true(reports_of(t, IFS_RULE_DMA_ASTRAY) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_reset_leaves_nothing_of_the_life_before),
		cmocka_unit_test(test_reset_of_a_new_machine_changes_nothing),
		sim_unit_test(test_reset_keeps_configuration_and_devices),
		sim_unit_test(test_reset_zeroes_all_ram),
		sim_unit_test(test_reset_machine_judges_dma_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
