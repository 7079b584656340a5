/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A machine with one device, a kernel, a process and an IOAS, for benches that start from a VMM's
 * calls. What cannot fail ends the program with a name if it does.
 */
#ifndef TESTS_BENCH_BENCH_VMM_H
#define TESTS_BENCH_BENCH_VMM_H

#include <fcntl.h>
#include <stdlib.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>

#include "tests/bench/bench.h"

#define BENCH_RW_FIXED (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE | \
			IOMMU_IOAS_MAP_FIXED_IOVA)

struct bench_vmm {
	struct ifs_machine *machine;
	struct ifs_device *device;
	struct ifs_kernel *kernel;
	struct ifs_process *process;
	int fd, vfio;
	uint32_t ioas, dev;
};

static inline void bench_must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: %s failed\n", what);
	exit(1);
}

/* @trust: pointers are used as they are; @test: with the selftest interface; @order: of folios. */
static inline void bench_vmm_start(struct bench_vmm *v, int trust, int test, uint32_t order)
{
	struct ifs_machine_config machine = { .size = sizeof(machine), .ram_bytes = 2ull << 30 };
	struct ifs_device_config device = { .size = sizeof(device), .bus = 1 };
	struct ifs_kernel_config kernel = { .size = sizeof(kernel), .memfd_folio_order = order,
					    .iommufd_test = test ? IFS_ON : IFS_OFF };
	struct ifs_process_config process = { .size = sizeof(process), .trust_pointers = trust,
					      .rlimit_memlock_bytes = 64ull << 30 };
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	v->machine = ifs_machine_new(&machine, NULL);
	v->device = v->machine ? ifs_machine_add_device(v->machine, &device, NULL) : NULL;
	bench_must(v->device != NULL, "machine");
	v->kernel = ifs_kernel_boot(v->machine, &kernel, NULL);
	bench_must(v->kernel != NULL, "boot");
	v->process = ifs_process_new(v->kernel, &process);
	v->fd = ifs_open(v->process, "/dev/iommu", O_RDWR);
	bench_must(!ifs_ioctl(v->process, v->fd, IOMMU_IOAS_ALLOC, &alloc), "IOAS_ALLOC");
	v->ioas = alloc.out_ioas_id;
	v->vfio = -1;
}

/* The device of the machine, bound; attached it is by the next one. */
static inline void bench_vmm_bind(struct bench_vmm *v)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = v->fd };

	v->vfio = ifs_open(v->process, "/dev/vfio/devices/vfio0", O_RDWR);
	bench_must(!ifs_ioctl(v->process, v->vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), "BIND");
	v->dev = bind.out_devid;
}

static inline void bench_vmm_attach(struct bench_vmm *v, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach), .pt_id = pt };

	bench_must(!ifs_ioctl(v->process, v->vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach),
		   "ATTACH");
}

static inline void bench_vmm_map(struct bench_vmm *v, uint64_t iova, void *at, uint64_t length)
{
	struct iommu_ioas_map map = { .size = sizeof(map), .ioas_id = v->ioas, .iova = iova,
				      .flags = BENCH_RW_FIXED, .user_va = (uintptr_t)at,
				      .length = length };

	bench_must(!ifs_ioctl(v->process, v->fd, IOMMU_IOAS_MAP, &map), "IOAS_MAP");
}

static inline void bench_vmm_unmap(struct bench_vmm *v, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_unmap unmap = { .size = sizeof(unmap), .ioas_id = v->ioas, .iova = iova,
					  .length = length };

	bench_must(!ifs_ioctl(v->process, v->fd, IOMMU_IOAS_UNMAP, &unmap), "IOAS_UNMAP");
}

/* A memory file of @length bytes, mapped at @iova in @nr pieces. */
static inline void bench_vmm_map_file(struct bench_vmm *v, uint64_t iova, uint64_t length,
				      uint64_t nr)
{
	int file = ifs_memfd_create(v->process, "guest", 0);

	bench_must(!ifs_ftruncate(v->process, file, (off_t)length), "ftruncate");
	for (uint64_t i = 0; i < nr; i++) {
		struct iommu_ioas_map_file map = {
			.size = sizeof(map), .ioas_id = v->ioas, .flags = BENCH_RW_FIXED,
			.fd = file, .start = i * (length / nr), .iova = iova + i * (length / nr),
			.length = length / nr,
		};

		bench_must(!ifs_ioctl(v->process, v->fd, IOMMU_IOAS_MAP_FILE, &map), "MAP_FILE");
	}
}

static inline void bench_vmm_stop(struct bench_vmm *v)
{
	bench_must(!ifs_kernel_shutdown(v->kernel), "shutdown");
	ifs_machine_free(v->machine);
}

/* The cheapest call the library has, in ns: the best of a few rounds. */
static inline double bench_noop_ns(struct bench_vmm *v)
{
	double best = 1e9, ns;

	for (int round = 0; round < 9; round++) {
		uint64_t start = bench_now_ns(), n = 1 << 16;

		for (uint64_t i = 0; i < n; i++)
			bench_must(ifs_fcntl(v->process, v->fd, F_GETFD, 0) >= 0, "F_GETFD");
		ns = (double)(bench_now_ns() - start) / (double)n;
		best = ns < best ? ns : best;
	}
	return best;
}

#endif
