/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The page-table writer: map and unmap of one range in leaves of 4 KiB, 2 MiB and 1 GiB, per PTE,
 * as a ratio to a loop that stores as many 8-byte words into memory that is as cold (the tables'
 * own pages). The yardstick of the design: a PTE costs about what its store costs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <iommufd-sim/proto/iommu.h>

#include "lib/base/task.h"
#include "lib/iommu/iommu_core.h"
#include "lib/mm/page_alloc.h"
#include "sim/machine_kernel.h"
#include "sim/phys_mem.h"

#define ROUNDS 7
#define RAM_BYTES (4ull << 30)

struct bench {
	struct ifs_machine *machine;
	struct kernel_base *kernel;
	struct iommu_domain *domain;
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_map: %s failed\n", what);
	exit(1);
}

/* Stores @nr words, and @nr zeros over them, into fresh RAM: best of a few rounds. */
static double store_loop_ns(struct bench *bench, u64 nr)
{
	u64 *words = phys_mem_ptr(bench->kernel->mem, RAM_BYTES / 2, nr * 8);
	double best = 1e18;

	for (unsigned round = 0; round < ROUNDS; round++) {
		double start = now_ns(), took;

		for (u64 i = 0; i < nr; i++)
			WRITE_ONCE(words[i], i << 12 | 3);
		took = (now_ns() - start) / nr;
		best = min(best, took);
	}
	return best;
}

static void bench_size(struct bench *bench, const char *name, u64 leaf_bytes, u64 nr)
{
	double map = 1e18, unmap = 1e18, store = store_loop_ns(bench, nr);
	u64 length = nr * leaf_bytes;
	/* Leaves of exactly that size: the next larger one does not fit for want of alignment. */
	pa_t pa = leaf_bytes == 0x40000000 ? 0 : leaf_bytes;

	for (unsigned round = 0; round < ROUNDS; round++) {
		double start = now_ns(), middle, end;

		must(!ifs_iommu_map(bench->domain, 1ull << 40, pa, length,
				    IOMMU_READ | IOMMU_WRITE, GFP_KERNEL), "map");
		middle = now_ns();
		must(ifs_iommu_unmap(bench->domain, 1ull << 40, length) == length, "unmap");
		end = now_ns();
		map = min(map, (middle - start) / nr);
		unmap = min(unmap, (end - middle) / nr);
	}
	printf("%-6s %8llu PTEs   map %6.2f ns (%4.1f stores)   unmap %6.2f ns (%4.1f stores)   "
	       "store %5.2f ns\n", name, (unsigned long long)nr, map, map / store, unmap,
	       unmap / store, store);
}

/* One page per call: what an IOAS_MAP of one page pays here. */
static void bench_single(struct bench *bench)
{
	const u64 nr = 1 << 18;
	double start = now_ns(), middle, end;

	for (u64 i = 0; i < nr; i++)
		must(!ifs_iommu_map(bench->domain, i << 12, (i ^ 1) << 12, 0x1000,
				    IOMMU_READ | IOMMU_WRITE, GFP_KERNEL), "map");
	middle = now_ns();
	for (u64 i = 0; i < nr; i++)
		must(ifs_iommu_unmap(bench->domain, i << 12, 0x1000) == 0x1000, "unmap");
	end = now_ns();
	printf("one page per call: map %.1f ns, unmap %.1f ns\n", (middle - start) / nr,
	       (end - middle) / nr);
}

int main(void)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = RAM_BYTES };
	struct ifs_device_config device = { .size = sizeof(device), .bus = 1 };
	struct bench bench = { .machine = ifs_machine_new(&config, NULL) };
	struct task task = { 0 };

	must(bench.machine && ifs_machine_add_device(bench.machine, &device, NULL), "machine");
	bench.kernel = calloc(1, sizeof(*bench.kernel));
	must(bench.kernel, "calloc");
	kheap_init(&bench.kernel->heap, &bench.kernel->fail, NULL);
	lockdep_init(&bench.kernel->lockdep, 1);
	bench.kernel->machine = bench.machine;
	bench.kernel->mem = machine_phys_mem(bench.machine);
	task_enter(&task, bench.kernel, "bench");
	must(!page_alloc_new(bench.kernel, &bench.kernel->page_alloc), "page_alloc_new");
	must(!iommu_core_new(bench.kernel, &bench.kernel->iommu), "iommu_core_new");
	bench.domain = ifs_iommu_domain_alloc_paging_flags(ifs_iommu_device_at(0), 0);
	must(!IS_ERR(bench.domain), "domain");

	bench_size(&bench, "4 KiB", 0x1000, 1ull << 20);
	bench_size(&bench, "2 MiB", 0x200000, 1ull << 19);
	bench_size(&bench, "1 GiB", 0x40000000, 1ull << 16);
	bench_single(&bench);

	ifs_iommu_domain_free(bench.domain);
	iommu_core_free(bench.kernel->iommu);
	page_alloc_free(bench.kernel->page_alloc);
	task_leave(&task);
	kheap_drop(&bench.kernel->heap);
	free(bench.kernel);
	ifs_machine_free(bench.machine);
	return 0;
}
