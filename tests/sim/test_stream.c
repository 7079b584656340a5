/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, DMA through a live update would prove nothing. */
#include <iommufd-sim/device.h>

#include "tests/sim/sim_test.h"

static bool start(struct sim_test *t, const struct ifs_stream_window *windows, u32 n, u32 burst)
{
	struct ifs_stream_config config = { .size = sizeof(config), .windows = windows,
					    .nr_windows = n, .burst_bytes = burst };

	return ifs_device_stream_start(t->device, &config);
}

static struct ifs_device_stats stats_of(struct sim_test *t)
{
	struct ifs_device_stats stats = { .size = sizeof(stats) };

	ifs_device_get_stats(t->device, &stats);
	return stats;
}

static void test_start_with_fields_out_of_range_is_refused(void **state)
{
	struct sim_test *t = *state;
	struct ifs_stream_window windows[65] = { { .start = 0x1000, .last = 0x1fff } };
	struct ifs_stream_window backwards = { .start = 0x2000, .last = 0x1fff };
	struct ifs_stream_config no_size = { .windows = windows, .nr_windows = 1 };

	assert_false(start(t, windows, 0, 64));
	assert_false(start(t, windows, 65, 64));
	assert_false(start(t, NULL, 1, 64));
	assert_false(start(t, windows, 1, 63));
	assert_false(start(t, windows, 1, 65537));
	assert_false(start(t, &backwards, 1, 64));
	assert_false(ifs_device_stream_start(t->device, &no_size));
	assert_false(stats_of(t).streaming);
	assert_true(start(t, windows, 64, 65536));
	assert_true(start(t, windows, 1, 0));
	assert_true(stats_of(t).streaming);
	ifs_device_stream_stop(t->device);
	assert_false(stats_of(t).streaming);
}

static void test_bursts_stay_in_their_window(void **state)
{
	struct sim_test *t = *state;
	struct ifs_stream_window windows[] = {
		{ .start = 0x1040, .last = 0x1fbf, .writable = true },
		{ .start = 0x1fff, .last = 0x1fff },            /* one byte, read only */
	};

	assert_true(start(t, windows, 2, 128));
	ifs_machine_run(t->machine, 500);
	assert_int_equal(stats_of(t).bursts, 500);
	assert_int_equal(get64(t->machine, 0xabc038), 0);
	assert_int_equal(get64(t->machine, 0xabcfc0), 0);
	assert_int_not_equal(get64(t->machine, 0xabc040), 0);
	assert_int_not_equal(get64(t->machine, 0xabcfb8), 0);
	assert_quiet(t);
}

static void test_read_only_window_is_only_read(void **state)
{
	struct sim_test *t = *state;
	struct ifs_stream_window window = { .start = 0x1000, .last = 0x1fff };

	dma_check_grant(t->machine, t->space, 0x1000, 0xabc000, 0x1000, true, false);
	put64(t->machine, 0x103008, 0xabc001);
	assert_true(start(t, &window, 1, 4096));
	ifs_machine_run(t->machine, 10);
	assert_int_equal(stats_of(t).dma_done, 10);
	assert_int_equal(get64(t->machine, 0xabc000), 0);
	assert_quiet(t);
}

static void test_two_iovas_with_one_frame_are_corrupt(void **state)
{
	struct sim_test *t = *state;
	struct ifs_stream_window window = { .start = 0x1000, .last = 0x2fff, .writable = true };
	struct ifs_report report;

	put64(t->machine, 0x103010, 0xabc003);          /* iova 0x2000: the same frame again */
	dma_check_grant(t->machine, t->space, 0x2000, 0xabc000, 0x1000, true, true);
	assert_true(start(t, &window, 1, 8192));
	ifs_machine_run(t->machine, 1);
	assert_int_equal(stats_of(t).dma_corrupt, 1);
	assert_int_equal(reports_of(t, IFS_RULE_DMA_CORRUPT), 1);
	assert_true(ifs_machine_get_report(t->machine, 0, &report));
	assert_string_equal(report.text, "device 0000:01:00.0: burst 0 reads back at iova 0x1001 "
			    "other data than it wrote");
}

static void test_lost_bursts_are_counted_and_the_stream_goes_on(void **state)
{
	struct sim_test *t = *state;
	struct ifs_stream_window window = { .start = 0x1000, .last = 0x1fff, .writable = true };

	assert_true(start(t, &window, 1, 4096));
	ifs_machine_run(t->machine, 1);
	put64(t->machine, 0x103008, 0);
	iotlb_flush(t);
	ifs_machine_run(t->machine, 5);
	assert_int_equal(stats_of(t).dma_lost, 5);
	put64(t->machine, 0x103008, 0xabc003);
	ifs_machine_run(t->machine, 1);
	assert_int_equal(stats_of(t).dma_lost, 5);
	assert_int_equal(stats_of(t).dma_done, 4);
}

static void test_same_seed_same_bytes(void **state)
{
	struct sim_test *t = *state;
	struct ifs_stream_window window = { .start = 0x1000, .last = 0x1fff, .writable = true };
	u8 first[4096], second[4096];

	assert_true(start(t, &window, 1, 64));
	ifs_machine_run(t->machine, 7);
	assert_true(ifs_machine_read_ram(t->machine, 0xabc000, first, 4096));
	memset(second, 0, 4096);
	assert_true(ifs_machine_write_ram(t->machine, 0xabc000, second, 4096));
	assert_true(start(t, &window, 1, 64));
	ifs_machine_run(t->machine, 7);
	assert_true(ifs_machine_read_ram(t->machine, 0xabc000, second, 4096));
	assert_memory_equal(first, second, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_start_with_fields_out_of_range_is_refused),
		sim_unit_test(test_bursts_stay_in_their_window),
		sim_unit_test(test_read_only_window_is_only_read),
		sim_unit_test(test_two_iovas_with_one_frame_are_corrupt),
		sim_unit_test(test_lost_bursts_are_counted_and_the_stream_goes_on),
		sim_unit_test(test_same_seed_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
