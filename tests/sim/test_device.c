/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, /dev/vfio/devices/vfioN would name another device after a reboot. */
#include <iommufd-sim/device.h>

#include <errno.h>

#include "tests/sim/sim_test.h"

static struct ifs_device *add(struct sim_test *t, u16 segment, u8 bus, u8 slot, u8 function,
			      struct ifs_error *error)
{
	struct ifs_device_config config = { .size = sizeof(config), .segment = segment, .bus = bus,
					    .slot = slot, .function = function };

	return ifs_machine_add_device(t->machine, &config, error);
}

static void test_devices_are_enumerated_by_address(void **state)
{
	struct sim_test *t = *state;
	static const char *const names[] = { "0000:00:1f.7", "0000:01:00.0", "0000:ff:00.1",
					     "0001:00:00.0" };
	struct ifs_device *handle, *first;
	char name[16];
	unsigned i;

	first = add(t, 1, 0, 0, 0, NULL);
	handle = add(t, 0, 0xff, 0, 1, NULL);
	add(t, 0, 0, 31, 7, NULL);
	for (i = 0; i < 4; i++) {
		ifs_device_name(ifs_machine_get_device(t->machine, i), name);
		assert_string_equal(name, names[i]);
	}
	assert_null(ifs_machine_get_device(t->machine, 4));
	assert_ptr_equal(ifs_machine_get_device(t->machine, 2), handle);
	assert_ptr_equal(machine_device(t->machine, 3), first);
	assert_int_equal(device_bdf(handle), 0xff01);
	assert_int_equal(device_segment(first), 1);
	assert_int_equal(device_iommu_unit(first), 0);
}

static void test_add_out_of_range_or_taken_is_refused(void **state)
{
	struct sim_test *t = *state;
	struct ifs_device_config config = { .size = sizeof(config), .bus = 9, .iommu = 1 };
	struct ifs_error error = { 0 };

	assert_null(add(t, 0, 1, 0, 0, &error));
	assert_int_equal(error.code, EEXIST);
	assert_string_equal(error.text, "device 0000:01:00.0 is there already");
	assert_null(add(t, 0, 2, 32, 0, &error));
	assert_int_equal(error.code, EINVAL);
	assert_null(add(t, 0, 2, 0, 8, &error));
	assert_string_equal(error.text, "device 0000:02:00.8: address out of range");
	assert_null(ifs_machine_add_device(t->machine, &config, &error));
	assert_string_equal(error.text, "device 0000:09:00.0: IOMMU unit 1 of 1");
	assert_null(add(t, 7, 1, 0, 0, &error));
	assert_string_equal(error.text, "device 0007:01:00.0: IOMMU unit 0 has one of that address "
					"in another segment");
	config.size = 0;
	assert_null(ifs_machine_add_device(t->machine, &config, &error));
}

static void test_add_65th_device_is_refused(void **state)
{
	struct sim_test *t = *state;
	struct ifs_error error = { 0 };
	u32 i;

	for (i = 1; i < 64; i++)
		assert_non_null(add(t, 0, (u8)(1 + i), 0, 0, &error));
	assert_null(add(t, 0, 200, 0, 0, &error));
	assert_int_equal(error.code, ENOSPC);
}

static void test_reset_forgets_the_stream_and_keeps_the_counts(void **state)
{
	struct sim_test *t = *state;
	struct ifs_stream_window window = { .start = 0x1000, .last = 0x1fff, .writable = true };
	struct ifs_stream_config config = { .size = sizeof(config), .windows = &window,
					    .nr_windows = 1, .burst_bytes = 64 };
	struct ifs_device_stats stats = { .size = sizeof(stats) };

	assert_true(ifs_device_stream_start(t->device, &config));
	ifs_machine_run(t->machine, 3);
	device_reset(t->device);
	ifs_machine_run(t->machine, 3);
	ifs_device_get_stats(t->device, &stats);
	assert_int_equal(stats.bursts, 3);
	assert_int_equal(stats.dma_done, 6);
	assert_false(stats.streaming);
	assert_int_equal(dma_check_space_of(t->machine, t->device), t->space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_devices_are_enumerated_by_address),
		sim_unit_test(test_add_out_of_range_or_taken_is_refused),
		sim_unit_test(test_add_65th_device_is_refused),
		sim_unit_test(test_reset_forgets_the_stream_and_keeps_the_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
