/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If this failed, a kernel could tell a machine that was reset from a new one. */
#include "tests/harness/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/iommufd.h>

static char buffer[8 << 12] __attribute__((aligned(4096)));

struct life {
	uint64_t hash_at_boot, hash_at_end, leaks;
	uint64_t steps, boots, iotlb_invalidations;
	char *boot_log, *event_log;
};

static void boot_and_map(struct ifs_machine *machine, struct life *life, bool kexec)
{
	struct ifs_process_config config = { .size = sizeof(config) };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_ioas_map map = {
		.size = sizeof(map), .length = sizeof(buffer), .user_va = (uintptr_t)buffer,
		.flags = IOMMU_IOAS_MAP_READABLE,
	};
	struct ifs_kernel *kernel = ifs_kernel_boot(machine, NULL, NULL);
	struct ifs_process *process;
	int fd, memfd;

	assert_non_null(kernel);
	life->boot_log = strdup(ifs_kernel_boot_log(kernel));
	life->hash_at_boot = ifs_kernel_state_hash(kernel);
	process = ifs_process_new(kernel, &config);
	fd = ifs_open(process, "/dev/iommu", O_RDWR);
	assert_int_equal(ifs_ioctl(process, fd, IOMMU_IOAS_ALLOC, &ioas), 0);
	map.ioas_id = ioas.out_ioas_id;
	assert_int_equal(ifs_ioctl(process, fd, IOMMU_IOAS_MAP, &map), 0);
	memfd = ifs_memfd_create(process, "m", 0);
	assert_int_equal(ifs_ftruncate(process, memfd, 1 << 20), 0);
	assert_int_equal(ifs_pwrite(process, memfd, "abc", 3, 70000), 3);
	life->hash_at_end = ifs_kernel_state_hash(kernel);
	if (kexec) {
		assert_int_equal(ifs_kernel_kexec(kernel), 0);
		kernel = ifs_kernel_boot(machine, NULL, NULL);
		assert_non_null(kernel);
	}
	life->leaks = ifs_kernel_shutdown(kernel);
}

static void life_live(struct ifs_machine *machine, struct life *life, bool kexec)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	boot_and_map(machine, life, kexec);
	ifs_machine_get_stats(machine, &stats);
	life->steps = stats.steps;
	life->boots = stats.boots;
	life->iotlb_invalidations = stats.iotlb_invalidations;
	life->event_log = ifs_machine_event_log(machine);
}

static void assert_same_and_free(struct life *a, struct life *b)
{
	assert_int_equal(a->hash_at_boot, b->hash_at_boot);
	assert_int_equal(a->hash_at_end, b->hash_at_end);
	assert_int_equal(a->leaks, b->leaks);
	assert_int_equal(a->steps, b->steps);
	assert_int_equal(a->boots, b->boots);
	assert_int_equal(a->iotlb_invalidations, b->iotlb_invalidations);
	assert_string_equal(a->boot_log, b->boot_log);
	assert_string_equal(a->event_log, b->event_log);
	free(b->boot_log);
	free(b->event_log);
}

static struct ifs_machine *machine_new(void)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 64 << 20 };
	struct ifs_device_config device = { .size = sizeof(device), .bus = 1 };
	struct ifs_machine *machine = ifs_machine_new(&config, NULL);

	assert_non_null(machine);
	assert_non_null(ifs_machine_add_device(machine, &device, NULL));
	return machine;
}

static void test_life_on_a_reset_machine_is_the_one_on_a_new_machine(void **state)
{
	struct ifs_machine *machine = machine_new(), *fresh;
	struct life first = { 0 }, again = { 0 };

	life_live(machine, &first, false);
	for (int i = 0; i < 3; i++) {
		ifs_machine_reset(machine);
		life_live(machine, &again, false);
		assert_same_and_free(&first, &again);
	}
	fresh = machine_new();
	life_live(fresh, &again, false);
	assert_same_and_free(&first, &again);
	free(first.boot_log);
	free(first.event_log);
	ifs_machine_free(machine);
	ifs_machine_free(fresh);
}

/* A dropped kernel leaves everything behind, a kexec a handover: neither must be found again. */
static void test_reset_after_kexec_and_drop_is_a_cold_start(void **state)
{
	struct ifs_machine *machine = machine_new();
	struct life first = { 0 }, again = { 0 };

	life_live(machine, &first, true);
	ifs_kernel_drop(ifs_kernel_boot(machine, NULL, NULL));
	ifs_kernel_kexec(ifs_kernel_boot(machine, NULL, NULL));
	ifs_machine_reset(machine);
	life_live(machine, &again, true);
	assert_same_and_free(&first, &again);
	free(first.boot_log);
	free(first.event_log);
	ifs_machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_on_a_reset_machine_is_the_one_on_a_new_machine),
		cmocka_unit_test(test_reset_after_kexec_and_drop_is_a_cold_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
