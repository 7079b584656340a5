/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What one ioctl costs that maps or unmaps one page, in an IOAS with a thousand and with a hundred
 * thousand areas in it already: without a domain (bookkeeping alone), with one (the page is pinned,
 * granted and written into the tables), and with one from a process whose pointers are checked
 * first. Next to it, in the same minute: the cheapest call the library has, a call into the host's
 * kernel, and a mutex. The best of a few rounds each; what counts are the ratios.
 */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>
#include <iommufd-sim/proto/lock.h>

#include "lib/kernel/kernel.h"

#define ROUNDS 9
#define BATCH 512u
#define BUFFER_PAGES (16u << 10)

struct bench {
	struct ifs_machine *machine;
	struct ifs_kernel *kernel;
	struct ifs_process *process;
	int fd;
	uint32_t ioas;
	uint8_t *buffer;
};

static double noop_ns, host_ns;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench_ioctl: %s failed\n", what);
	exit(1);
}

/* Area @slot is one page; between two slots there is room for none. */
static void map(struct bench *b, uint64_t slot)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map), .ioas_id = b->ioas, .length = 4096, .iova = slot << 13,
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_FIXED_IOVA,
		.user_va = (uintptr_t)b->buffer + (slot % BUFFER_PAGES << 12),
	};

	must(!ifs_ioctl(b->process, b->fd, IOMMU_IOAS_MAP, &map), "IOAS_MAP");
}

static void unmap(struct bench *b, uint64_t slot)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = b->ioas, .length = 4096, .iova = slot << 13,
	};

	must(!ifs_ioctl(b->process, b->fd, IOMMU_IOAS_UNMAP, &unmap), "IOAS_UNMAP");
}

/* The i-th of @n slots in an order without order; every other slot is one of these. */
static uint64_t scattered(uint64_t i, uint64_t n)
{
	return i * 0x9e3779b1u % n;
}

static void attach(struct bench *b)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = b->fd };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	int dev = ifs_open(b->process, "/dev/vfio/devices/vfio0", O_RDWR);

	must(!ifs_ioctl(b->process, dev, VFIO_DEVICE_BIND_IOMMUFD, &bind), "BIND_IOMMUFD");
	attach.pt_id = b->ioas;
	must(!ifs_ioctl(b->process, dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach), "ATTACH");
}

static void start(struct bench *b, int domain, int trust)
{
	struct ifs_machine_config machine = { .size = sizeof(machine), .ram_bytes = 4ull << 30 };
	struct ifs_device_config device = { .size = sizeof(device), .bus = 1 };
	struct ifs_process_config process = {
		.size = sizeof(process), .trust_pointers = trust,
		.rlimit_memlock_bytes = 64ull << 30,
	};
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	b->machine = ifs_machine_new(&machine, NULL);
	must(b->machine && ifs_machine_add_device(b->machine, &device, NULL), "machine");
	b->kernel = ifs_kernel_boot(b->machine, NULL, NULL);
	must(b->kernel != NULL, "boot");
	b->process = ifs_process_new(b->kernel, &process);
	b->fd = ifs_open(b->process, "/dev/iommu", O_RDWR);
	must(!ifs_ioctl(b->process, b->fd, IOMMU_IOAS_ALLOC, &alloc), "IOAS_ALLOC");
	b->ioas = alloc.out_ioas_id;
	if (domain)
		attach(b);
}

static void bench_calls(struct bench *b)
{
	uint64_t n = 1 << 16, start;
	double ns;

	noop_ns = host_ns = 1e9;
	for (int round = 0; round < ROUNDS; round++) {
		start = bench_now_ns();
		for (uint64_t i = 0; i < n; i++)
			must(ifs_fcntl(b->process, b->fd, F_GETFD, 0) >= 0, "F_GETFD");
		ns = (double)(bench_now_ns() - start) / (double)n;
		noop_ns = ns < noop_ns ? ns : noop_ns;
		start = bench_now_ns();
		for (uint64_t i = 0; i < n; i++)
			syscall(SYS_getppid);
		ns = (double)(bench_now_ns() - start) / (double)n;
		host_ns = ns < host_ns ? ns : host_ns;
	}
	printf("fcntl(F_GETFD) of the library %6.1f ns, getppid() of the host %6.1f ns\n",
	       noop_ns, host_ns);
}

static void bench_lock(struct bench *b)
{
	uint64_t n = 1 << 18, start;
	struct mutex outer, inner;
	double one = 1e9, nested = 1e9, ns;
	struct task task;

	mutex_init(&outer);
	mutex_init(&inner);
	kernel_task_enter(&task, b->kernel, "bench");
	for (int round = 0; round < ROUNDS; round++) {
		start = bench_now_ns();
		for (uint64_t i = 0; i < n; i++) {
			mutex_lock(&outer);
			mutex_unlock(&outer);
		}
		ns = (double)(bench_now_ns() - start) / (double)n;
		one = ns < one ? ns : one;
		mutex_lock(&outer);
		start = bench_now_ns();
		for (uint64_t i = 0; i < n; i++) {
			mutex_lock(&inner);
			mutex_unlock(&inner);
		}
		ns = (double)(bench_now_ns() - start) / (double)n;
		mutex_unlock(&outer);
		nested = ns < nested ? ns : nested;
	}
	task_leave(&task);
	printf("mutex lock and unlock %6.1f ns, under another mutex %6.1f ns: "
	       "%.2f of a host call\n", one, nested, one / host_ns);
}

static void bench_maps(const char *name, uint64_t areas, int domain, int trust)
{
	double map_ns = 1e9, unmap_ns = 1e9, ns;
	struct bench b = { 0 };
	uint64_t start_ns;

	b.buffer = mmap(NULL, (size_t)BUFFER_PAGES << 12, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(b.buffer != MAP_FAILED, "mmap");
	/* Or the first pin of a page would pay for the host's page fault. */
	memset(b.buffer, 1, (size_t)BUFFER_PAGES << 12);
	start(&b, domain, trust);
	for (uint64_t i = 0; i < areas; i++)
		map(&b, 2 * scattered(i, areas));
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t first = (uint64_t)round * BATCH;

		start_ns = bench_now_ns();
		for (uint64_t i = first; i < first + BATCH; i++)
			map(&b, 2 * scattered(i % areas, areas) + 1);
		ns = (double)(bench_now_ns() - start_ns) / BATCH;
		map_ns = ns < map_ns ? ns : map_ns;
		start_ns = bench_now_ns();
		for (uint64_t i = first; i < first + BATCH; i++)
			unmap(&b, 2 * scattered(i % areas, areas) + 1);
		ns = (double)(bench_now_ns() - start_ns) / BATCH;
		unmap_ns = ns < unmap_ns ? ns : unmap_ns;
	}
	printf("%7llu  %-24s %8.0f %6.1f %6.2f   %8.0f %6.1f %6.2f\n", (unsigned long long)areas,
	       name, map_ns, map_ns / noop_ns, map_ns / host_ns, unmap_ns, unmap_ns / noop_ns,
	       unmap_ns / host_ns);
	must(!ifs_kernel_shutdown(b.kernel), "shutdown");
	ifs_machine_free(b.machine);
	munmap(b.buffer, (size_t)BUFFER_PAGES << 12);
}

int main(void)
{
	static const uint64_t areas[] = { 1000, 100000 };
	struct bench b = { 0 };

	start(&b, 0, 1);
	bench_calls(&b);
	bench_lock(&b);
	ifs_kernel_shutdown(b.kernel);
	ifs_machine_free(b.machine);
	printf("one page per ioctl, ns, as a multiple of the library's call, of the host's:\n");
	printf("  areas  %-24s %-22s   %-22s\n", "", "map", "unmap");
	for (int i = 0; i < 2; i++) {
		bench_maps("no domain", areas[i], 0, 1);
		bench_maps("domain", areas[i], 1, 1);
		bench_maps("domain, pointers checked", areas[i], 1, 0);
	}
	return 0;
}
