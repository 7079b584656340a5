/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a translation and a checked DMA cost: the walker hot and cold, one small DMA through the
 * IOTLB, and streaming through the whole path (context, IOTLB or walk, checker, memory) against
 * memcpy() of the same bytes at the same places in the same minute: one burst behind the other, as
 * devices mostly do, and at random, where each burst in a page of 4 KiB also waits for its leaf.
 */
#include <stdlib.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/machine.h>

#include "sim/dma_check.h"
#include "sim/iommu_hw.h"
#include "sim/phys_mem.h"
#include "sim/walker.h"
#include "tests/bench/bench.h"

#define ROOT_PA 0x10000
#define CONTEXT_PA 0x11000
#define TOP_PA 0x100000
#define WINDOW_PA 0x40000000ull
#define WINDOW_BYTES 0x20000000ull

static struct ifs_machine *machine;
static struct ifs_device *device;

static void put64(u64 pa, u64 value)
{
	ifs_machine_write_ram(machine, pa, &value, 8);
}

/* iova [0, 512 MiB) -> 1 GiB.., in leaves of 4 KiB or 2 MiB. */
static void tables_write(bool large)
{
	u64 i, l0 = TOP_PA + 0x10000;

	put64(ROOT_PA + 16, CONTEXT_PA | 1);
	put64(CONTEXT_PA, TOP_PA | 1);
	put64(CONTEXT_PA + 8, 5 << 8 | 2);
	put64(TOP_PA, (TOP_PA + 0x1000) | 3);
	put64(TOP_PA + 0x1000, (TOP_PA + 0x2000) | 3);
	for (i = 0; i < WINDOW_BYTES >> 21; i++)
		put64(TOP_PA + 0x2000 + i * 8,
		      large ? (WINDOW_PA + (i << 21)) | 0x83 : (l0 + (i << 12)) | 3);
	for (i = 0; !large && i < WINDOW_BYTES >> 12; i++)
		put64(l0 + i * 8, (WINDOW_PA + (i << 12)) | 3);
}

static void machine_start(void)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 2ull << 30 };
	struct ifs_device_config dev = { .size = sizeof(dev), .bus = 1 };
	struct iommu_hw *hw;
	u32 space;

	machine = ifs_machine_new(&config, NULL);
	device = machine ? ifs_machine_add_device(machine, &dev, NULL) : NULL;
	if (!device)
		exit(1);
	hw = machine_iommu(machine, 0);
	iommu_hw_write(hw, 0x20, ROOT_PA);
	iommu_hw_write(hw, 0x18, 0x40000000);
	iommu_hw_write(hw, 0x18, 0x80000000);
	dma_check_set_owner(machine, 0, WINDOW_PA, FRAME_TABLE);
	dma_check_set_owner(machine, WINDOW_PA, WINDOW_BYTES, FRAME_MEMFD);
	space = dma_check_space_new(machine);
	dma_check_grant(machine, space, 0, WINDOW_PA, WINDOW_BYTES, true, true);
	dma_check_bind(machine, device, space);
	memset(phys_mem_ptr(machine_phys_mem(machine), WINDOW_PA, WINDOW_BYTES), 1, WINDOW_BYTES);
}

/* A place in a span of @bytes (a power of two), @align apart. */
static u64 place(u64 *random, u64 bytes, u64 align)
{
	*random = *random * 6364136223846793005ull + 1442695040888963407ull;
	return *random >> 24 & (bytes - 1) & ~(align - 1);
}

static void bench_walk(const char *name, u64 span)
{
	struct phys_mem *mem = machine_phys_mem(machine);
	u64 random = 1, sum = 0, start, ns, i, n = 4000000;
	struct walk walk;

	start = bench_now_ns();
	for (i = 0; i < n; i++) {
		if (walker_walk(mem, IFS_PT_VTDSS, TOP_PA, place(&random, span, 8), true, true,
				&walk))
			exit(1);
		sum += walk.pa;
	}
	ns = bench_now_ns() - start;
	printf("%-44s %8.1f ns\n", name, (double)ns / (double)n + (sum ? 0.0 : 1.0));
}

static void bench_small_dma(void)
{
	u64 word, start, ns, i, n = 4000000;

	start = bench_now_ns();
	for (i = 0; i < n; i++)
		if (ifs_device_dma_read(device, (i & 63) * 8, &word, 8, NULL) != IFS_DMA_OK)
			exit(1);
	ns = bench_now_ns() - start;
	printf("%-44s %8.1f ns\n", "DMA of 8 bytes, IOTLB hit, checked", (double)ns / (double)n);
}

/* Where burst @i goes. */
static u64 burst_at(u64 *random, u64 i, u64 span, u64 burst, bool in_order)
{
	return in_order ? i * burst & (span - 1) : place(random, span, burst);
}

static u64 run_memcpy(u8 *ram, u8 *buf, u64 span, u64 burst, u64 n, bool in_order)
{
	u64 random = 1, start = bench_now_ns(), i;

	for (i = 0; i < n; i++)
		memcpy(ram + burst_at(&random, i, span, burst, in_order), buf, burst);
	return bench_now_ns() - start;
}

static u64 run_dma(u8 *buf, u64 span, u64 burst, u64 n, bool in_order)
{
	u64 random = 1, start = bench_now_ns(), i;

	for (i = 0; i < n; i++)
		if (ifs_device_dma_write(device, burst_at(&random, i, span, burst, in_order), buf,
					 burst, NULL))
			exit(1);
	return bench_now_ns() - start;
}

static void bench_stream(const char *name, u64 span, u64 burst, bool in_order)
{
	u8 *ram = phys_mem_ptr(machine_phys_mem(machine), WINDOW_PA, WINDOW_BYTES);
	u64 n = (1ull << 30) / burst, copy = ~0ull, dma = ~0ull, ns;
	u8 *buf = calloc(1, burst);
	u32 round;

	for (round = 0; round < 3; round++) {   /* the best of three of each, in turn */
		ns = run_memcpy(ram, buf, span, burst, n, in_order);
		copy = ns < copy ? ns : copy;
		ns = run_dma(buf, span, burst, n, in_order);
		dma = ns < dma ? ns : dma;
	}
	printf("%-44s %8.2f GB/s, memcpy %6.2f GB/s: %3.0f %%\n", name,
	       (double)(n * burst) / (double)dma, (double)(n * burst) / (double)copy,
	       100.0 * (double)copy / (double)dma);
	free(buf);
}

static void bench_engine(void)
{
	struct ifs_stream_window window = { .last = WINDOW_BYTES - 1, .writable = true };
	struct ifs_stream_config config = { .size = sizeof(config), .windows = &window,
					    .nr_windows = 1 };
	u64 start, ns, n = 100000;

	ifs_device_stream_start(device, &config);
	start = bench_now_ns();
	ifs_machine_run(machine, n);
	ns = bench_now_ns() - start;
	ifs_device_stream_stop(device);
	printf("%-44s %8.2f GB/s\n", "engine: pattern, write, read back, 4 KiB",
	       (double)n * 8192 / (double)ns);
}

int main(void)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	machine_start();
	tables_write(false);
	bench_walk("walk, 4 levels, hot (16 pages)", 64 << 10);
	bench_walk("walk, 4 levels, 512 MiB at random", WINDOW_BYTES);
	bench_small_dma();
	bench_stream("4 KiB in order, 4 KiB leaves, 512 MiB", WINDOW_BYTES, 4096, true);
	bench_stream("4 KiB at random, 4 KiB leaves, 1 MiB", 1 << 20, 4096, false);
	bench_stream("4 KiB at random, 4 KiB leaves, 512 MiB", WINDOW_BYTES, 4096, false);
	bench_stream("64 KiB at random, 4 KiB leaves, 512 MiB", WINDOW_BYTES, 65536, false);
	iommu_hw_write(machine_iommu(machine, 0), 0x108, 0x9000000000000000);
	tables_write(true);
	bench_walk("walk, 3 levels, 2 MiB leaves at random", WINDOW_BYTES);
	bench_stream("4 KiB in order, 2 MiB leaves, 512 MiB", WINDOW_BYTES, 4096, true);
	bench_stream("4 KiB at random, 2 MiB leaves, 512 MiB", WINDOW_BYTES, 4096, false);
	bench_stream("64 KiB at random, 2 MiB leaves, 512 MiB", WINDOW_BYTES, 65536, false);
	bench_engine();
	ifs_machine_get_stats(machine, &stats);
	ifs_machine_free(machine);
	return stats.reports || stats.dma_blocked ? 1 : 0;
}
