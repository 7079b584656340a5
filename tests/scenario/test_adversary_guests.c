/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * One guest dies at every step there is, in the old kernel and in the new one, with its engines
 * running, while another guest on the same machine goes through its live update: that one must not
 * notice, and the memory and the devices of the dead one must be usable by the next guest, whose
 * own live update must work.
 */
#include "tests/harness/guests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A guest that comes later takes the dead one's devices, and lives. */
static void successor_lives(struct host *host, unsigned first, unsigned count)
{
	struct guest next = guest_new(host, "successor", first, count);

	guest_run(&next, GUEST_OPEN, GUEST_MARK);
	guest_assert_alive(&next);
	guest_die(&next);
}

static void one_dies(const struct host_config *config, enum guest_step step)
{
	const unsigned half = config->nr_devices / 2;
	struct host host;
	struct guest a, b;

	host_start(&host, config);
	a = guest_new(&host, "a", 0, half);
	b = guest_new(&host, "b", half, half);
	guest_run(&b, GUEST_OPEN, GUEST_OLD_END);
	guest_run(&a, GUEST_OPEN, step < GUEST_OLD_END ? step : GUEST_OLD_END);
	if (step < GUEST_OLD_END) {
		guest_die(&a);
		guest_assert_cut_off(&a);
		guest_assert_alive(&b);
		successor_lives(&host, 0, half);
	}
	guest_assert_alive(&b);
	host_kexec(&host);
	if (step >= GUEST_OLD_END) {
		guest_assert_alive(&a);
		guest_process(&a);
		guest_run(&a, GUEST_GET_SESSION, step);
		if (step == GUEST_GET_SESSION)  /* nobody asked for its session yet */
			guest_run(&a, GUEST_GET_SESSION, GUEST_GET_MEMFD);
		guest_die(&a);
	}
	guest_assert_cut_off(&a);
	guest_assert_alive(&b);
	successor_lives(&host, 0, half);
	guest_process(&b);
	guest_run(&b, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&b);
	/* And once more, with a new guest in the dead one's place. */
	a = guest_new(&host, "a", 0, half);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	guest_run(&b, GUEST_MARK, GUEST_OLD_END);
	host_kexec(&host);
	guest_process(&a);
	guest_process(&b);
	guest_run(&a, GUEST_GET_SESSION, GUEST_END);
	guest_run(&b, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&a);
	guest_assert_alive(&b);
	host_end(&host);
}

/* A guest that dies at a bad moment would take another one's DMA with it, or leave its own. */
static void test_guest_dies_at_each_step_on_one_unit(void **state)
{
	for (enum guest_step step = GUEST_BIND; step < GUEST_END; step++)
		one_dies(&(struct host_config){ .nr_devices = 4 }, step);
}

static void test_guest_dies_at_each_step_on_two_units(void **state)
{
	for (enum guest_step step = GUEST_BIND; step < GUEST_END; step++)
		one_dies(&(struct host_config){ .nr_devices = 4, .nr_units = 2,
						.pt_format = IFS_PT_X86_64 }, step);
}

static void whole_update(const struct host_config *config)
{
	struct host host;
	struct guest guest;

	host_start(&host, config);
	guest = guest_new(&host, "all", 0, config->nr_devices);
	guest_run(&guest, GUEST_OPEN, GUEST_OLD_END);
	for (unsigned i = 0; i < 2; i++) {
		guest_assert_alive(&guest);
		host_kexec(&host);
		guest_assert_alive(&guest);
		guest_process(&guest);
		guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
		guest_assert_alive(&guest);
		guest_run(&guest, GUEST_MARK, GUEST_OLD_END);
	}
	host_end(&host);
}

/* Devices of the same bus address in different PCI segments would be taken for each other. */
static void test_segments_same_address_each_comes_back(void **state)
{
	whole_update(&(struct host_config){ .nr_devices = 12, .nr_units = 4, .segments = true });
}

/* More records than a page holds, or more devices than somebody counted on, would be lost. */
static void test_sixty_four_devices_all_come_back(void **state)
{
	whole_update(&(struct host_config){ .nr_devices = 64 });
	whole_update(&(struct host_config){ .nr_devices = 64, .nr_units = 8 });
}

static void test_x86_64_tables_come_back(void **state)
{
	whole_update(&(struct host_config){ .nr_devices = 2, .pt_format = IFS_PT_X86_64 });
}

/* A guest nobody comes back for would reach memory of kernels two generations later. */
static void test_unclaimed_three_kernels_in_a_row_cut_off(void **state)
{
	struct host host;
	struct guest a, b;

	host_start(&host, &(struct host_config){ .nr_devices = 2 });
	a = guest_new(&host, "a", 0, 1);
	b = guest_new(&host, "b", 1, 1);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	guest_run(&b, GUEST_OPEN, GUEST_OLD_END);
	host_kexec(&host);
	guest_assert_alive(&a);
	guest_assert_alive(&b);
	/* Nobody comes: whatever the kernel says, what follows must be safe. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ifs_kernel_kexec(host.kernel), 0);
		ifs_machine_run(host.machine, 16);
		host_boot(&host);
		ifs_machine_run(host.machine, 16);
		successor_lives(&host, 0, 0);
	}
	guest_assert_cut_off(&a);
	guest_assert_cut_off(&b);
	ifs_device_stream_stop(host.devices[0]);
	ifs_device_stream_stop(host.devices[1]);
	successor_lives(&host, 0, 2);
	host_end(&host);
}

static void next_kernel_is(const struct ifs_kernel_config *next, int session)
{
	struct host host;
	struct guest a;

	host_start(&host, &(struct host_config){ .nr_devices = 2 });
	a = guest_new(&host, "a", 0, 2);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	host.kernel_config = *next;
	host_kexec(&host);
	/* All memory is taken at once: what engines still reach must not be it. */
	guest_process(&a);
	a.vmm.memfd = vmm_memfd(&a.vmm, 160ull << 20);
	assert_int_equal(ifs_fallocate(a.vmm.process, a.vmm.memfd, 0, 0, 160ll << 20), 0);
	ifs_machine_run(host.machine, 64);
	guest_assert_cut_off(&a);
	a.vmm.liveupdate = ifs_open(a.vmm.process, "/dev/liveupdate", 2);
	if (session != -ENODEV) {
		if (a.vmm.liveupdate >= 0)
			assert_int_equal(vmm_try_retrieve_session(&a.vmm, "a"), session);
		else
			assert_int_equal(a.vmm.liveupdate, session);
	} else {
		assert_true(a.vmm.liveupdate < 0);
	}
	guest_die(&a);
	/* Back to the first kind of kernel: its update works as if nothing had been. */
	host.kernel_config = (struct ifs_kernel_config){ .size = sizeof(host.kernel_config) };
	host_kexec(&host);
	a = guest_new(&host, "a", 0, 2);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	host_kexec(&host);
	guest_process(&a);
	guest_run(&a, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&a);
	host_end(&host);
}

/* A next kernel that cannot read what it was left would let devices write into its own memory. */
static void test_next_kernel_without_kho_cuts_off(void **state)
{
	next_kernel_is(&(struct ifs_kernel_config){ .size = sizeof(struct ifs_kernel_config),
						    .kho = IFS_OFF }, -ENODEV);
}

static void test_next_kernel_without_liveupdate_cuts_off(void **state)
{
	next_kernel_is(&(struct ifs_kernel_config){ .size = sizeof(struct ifs_kernel_config),
						    .liveupdate = IFS_OFF }, -ENODEV);
}

static void test_next_kernel_of_other_design_cuts_off(void **state)
{
	next_kernel_is(&(struct ifs_kernel_config){ .size = sizeof(struct ifs_kernel_config),
						    .design = "posted-v1" }, -EIO);
}

/* A device plugged in around the kexec would take another one's number, and with it its guest. */
static void test_hotplug_around_kexec_disturbs_nobody(void **state)
{
	struct ifs_device_config early = { .size = sizeof(early), .bus = 0, .slot = 3 };
	struct ifs_device_config same_bus = { .size = sizeof(same_bus), .bus = 1, .slot = 9 };
	struct ifs_device *plugged[2];
	struct host host;
	struct guest guest;

	host_start(&host, &(struct host_config){ .nr_devices = 2 });
	guest = guest_new(&host, "vmm", 0, 2);
	guest_run(&guest, GUEST_OPEN, GUEST_OLD_END);
	plugged[0] = ifs_machine_add_device(host.machine, &early, NULL);
	assert_non_null(plugged[0]);
	assert_int_equal(ifs_kernel_kexec(host.kernel), 0);
	plugged[1] = ifs_machine_add_device(host.machine, &same_bus, NULL);
	assert_non_null(plugged[1]);
	ifs_machine_run(host.machine, 16);
	host_boot(&host);
	guest_assert_alive(&guest);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ifs_device_dma_write(plugged[i], 0, "x", 1, NULL), IFS_DMA_FAULT);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&guest);
	host_end(&host);
}

/* One allocation that fails at boot would let a device loose, or leave something behind. */
static void test_boot_short_of_memory_is_safe_on_two_units(void **state)
{
	for (uint64_t nth = 1, fired = 1; fired; nth++) {
		struct ifs_machine_stats stats = { .size = sizeof(stats) };
		struct host host;
		struct guest a, b;

		host_start(&host, &(struct host_config){ .nr_devices = 4, .nr_units = 2 });
		a = guest_new(&host, "a", 0, 2);
		b = guest_new(&host, "b", 2, 2);
		guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
		guest_run(&b, GUEST_OPEN, GUEST_OLD_END);
		assert_int_equal(ifs_kernel_kexec(host.kernel), 0);
		host.kernel_config.fail_nth = nth;
		host.kernel = ifs_kernel_boot(host.machine, &host.kernel_config, &host.error);
		fired = !host.kernel || ifs_kernel_fail_fired(host.kernel, NULL);
		ifs_machine_run(host.machine, 16);
		if (host.kernel) {
			ifs_kernel_fail_nth(host.kernel, 0, false);
			ifs_machine_get_stats(host.machine, &stats);
			assert_int_equal(stats.dma_lost, 0);
			assert_null(ifs_kernel_check(host.kernel));
			guest_process(&a);
			a.vmm.memfd = vmm_memfd(&a.vmm, 96ull << 20);
			assert_int_equal(ifs_fallocate(a.vmm.process, a.vmm.memfd, 0, 0,
						       96ll << 20), 0);
			ifs_machine_run(host.machine, 16);
			for (unsigned i = 0; i < 4; i++)
				ifs_device_stream_stop(host.devices[i]);
			assert_int_equal(ifs_kernel_shutdown(host.kernel), 0);
		}
		ifs_machine_get_stats(host.machine, &stats);
		assert_int_equal(stats.dma_astray + stats.dma_corrupt, 0);
		ifs_machine_free(host.machine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_dies_at_each_step_on_one_unit),
		cmocka_unit_test(test_guest_dies_at_each_step_on_two_units),
		cmocka_unit_test(test_segments_same_address_each_comes_back),
		cmocka_unit_test(test_sixty_four_devices_all_come_back),
		cmocka_unit_test(test_x86_64_tables_come_back),
		cmocka_unit_test(test_unclaimed_three_kernels_in_a_row_cut_off),
		cmocka_unit_test(test_next_kernel_without_kho_cuts_off),
		cmocka_unit_test(test_next_kernel_without_liveupdate_cuts_off),
		cmocka_unit_test(test_next_kernel_of_other_design_cuts_off),
		cmocka_unit_test(test_hotplug_around_kexec_disturbs_nobody),
		cmocka_unit_test(test_boot_short_of_memory_is_safe_on_two_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
