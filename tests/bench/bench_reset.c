/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What one small test costs: a machine, a boot, a process, 32 calls, everything closed again. This
 * is the floor under every fuzzing execution and every unit test. Then what of it the calls are:
 * the same 32 by a fresh process on a kernel that stays.
 */
#include "tests/bench/bench.h"

#include <fcntl.h>

#include <linux/iommufd.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>

static char buffer[16 << 12] __attribute__((aligned(4096)));

static void calls(struct ifs_process *process)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int fd = ifs_open(process, "/dev/iommu", O_RDWR);

	ifs_ioctl(process, fd, IOMMU_IOAS_ALLOC, &alloc);
	for (int i = 0; i < 15; i++) {
		struct iommu_ioas_map map = {
			.size = sizeof(map), .ioas_id = alloc.out_ioas_id,
			.flags = IOMMU_IOAS_MAP_READABLE, .length = 4096,
			.user_va = (uintptr_t)buffer + 4096 * (uint64_t)i,
		};
		struct iommu_ioas_unmap unmap = {
			.size = sizeof(unmap), .ioas_id = alloc.out_ioas_id, .length = 4096,
		};

		ifs_ioctl(process, fd, IOMMU_IOAS_MAP, &map);
		unmap.iova = map.iova;
		ifs_ioctl(process, fd, IOMMU_IOAS_UNMAP, &unmap);
	}
	ifs_close(process, fd);
}

static double each_us(unsigned rounds, struct ifs_machine *kept, int reset)
{
	uint64_t start = bench_now_ns();

	for (unsigned i = 0; i < rounds; i++) {
		struct ifs_machine *machine = kept ? kept : ifs_machine_new(NULL, NULL);
		struct ifs_process_config config = {
			.size = sizeof(config), .trust_pointers = true,
		};
		struct ifs_kernel *kernel = ifs_kernel_boot(machine, NULL, NULL);

		calls(ifs_process_new(kernel, &config));
		ifs_kernel_shutdown(kernel);
		if (reset)
			ifs_machine_reset(machine);
		if (!kept)
			ifs_machine_free(machine);
	}
	return (double)(bench_now_ns() - start) / 1e3 / rounds;
}

/* The calls alone, and a process for them. */
static double process_us(unsigned rounds, struct ifs_kernel *kernel)
{
	struct ifs_process_config config = { .size = sizeof(config), .trust_pointers = true };
	uint64_t start = bench_now_ns();

	for (unsigned i = 0; i < rounds; i++) {
		struct ifs_process *process = ifs_process_new(kernel, &config);

		calls(process);
		ifs_exit(process);
	}
	return (double)(bench_now_ns() - start) / 1e3 / rounds;
}

/* The best of a few rounds each, in turn: other load must not decide. */
int main(void)
{
	struct ifs_machine *machine = ifs_machine_new(NULL, NULL);
	double fresh = 1e9, reused = 1e9, reset = 1e9, process = 1e9, us;
	struct ifs_kernel *kernel;

	for (int round = 0; round < 10; round++) {
		us = each_us(200, NULL, 0);
		fresh = us < fresh ? us : fresh;
		us = each_us(1000, machine, 0);
		reused = us < reused ? us : reused;
		us = each_us(1000, machine, 1);
		reset = us < reset ? us : reset;
	}
	printf("32 calls on a fresh machine: %.1f us, %.0f a second\n", fresh, 1e6 / fresh);
	printf("32 calls, fresh kernel on the same machine: %.1f us, %.0f a second\n", reused,
	       1e6 / reused);
	printf("32 calls, fresh kernel on a machine that is reset: %.1f us, %.0f a second, "
	       "%.1f times as many as on a fresh one\n", reset, 1e6 / reset, fresh / reset);
	kernel = ifs_kernel_boot(machine, NULL, NULL);
	for (int round = 0; round < 10; round++) {
		us = process_us(1000, kernel);
		process = us < process ? us : process;
	}
	ifs_kernel_shutdown(kernel);
	printf("32 calls, fresh process on the same kernel: %.1f us, %.0f a second\n", process,
	       1e6 / process);
	ifs_machine_free(machine);
	return 0;
}
