/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Invalidation and faults: HWPT_INVALIDATE per entry, of a nested HWPT and of a vIOMMU; a page
 * fault's way to user space and back; and what an unmap pays for the translations that a device has
 * cached. Each as a multiple of the cheapest call the library has, in the same minute.
 */
#include <poll.h>
#include <sys/mman.h>

#include <iommufd-sim/proto/types.h>

#include <linux/iommufd_test.h>

#include "tests/bench/bench_vmm.h"

#define ROUNDS 7
#define ENTRIES 4096u
#define RANGES 256u
#define IOVA 0x40000000ull

static struct bench_vmm vmm;
static double noop_ns;

static void call(unsigned long cmd, void *arg, const char *what)
{
	bench_must(!ifs_ioctl(vmm.process, vmm.fd, cmd, arg), what);
}

static void test_call(struct iommu_test_cmd *cmd, const char *what)
{
	cmd->size = sizeof(*cmd);
	call(IOMMU_TEST_CMD, cmd, what);
}

static void row(const char *what, double ns)
{
	printf("%-52s %9.1f ns %8.1f\n", what, ns, ns / noop_ns);
}

static u32 nested_new(u32 idev, u32 parent, u32 fault)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd), .flags = fault ? IOMMU_HWPT_FAULT_ID_VALID : 0,
		.dev_id = idev, .pt_id = parent, .data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data), .data_uptr = (uintptr_t)&data, .fault_id = fault,
	};

	call(IOMMU_HWPT_ALLOC, &cmd, "nested HWPT_ALLOC");
	return cmd.out_hwpt_id;
}

static double invalidate_ns(u32 id, u32 type, const void *entries, u32 entry_len, u32 nr)
{
	u64 n = max(8u, 16384 / nr), start;
	double best = 1e12;

	for (int round = 0; round < ROUNDS; round++) {
		start = bench_now_ns();
		for (u64 i = 0; i < n; i++) {
			struct iommu_hwpt_invalidate cmd = {
				.size = sizeof(cmd), .hwpt_id = id,
				.data_uptr = (uintptr_t)entries, .data_type = type,
				.entry_len = entry_len, .entry_num = nr,
			};

			call(IOMMU_HWPT_INVALIDATE, &cmd, "HWPT_INVALIDATE");
		}
		best = bench_best(best, (double)(bench_now_ns() - start) / (double)(n * nr));
	}
	return best;
}

static void bench_invalidate(u32 nested, u32 viommu, u32 vdev)
{
	static const u32 counts[] = { 1, 64, ENTRIES };
	static struct iommu_hwpt_invalidate_selftest of_hwpt[ENTRIES];
	static struct iommu_viommu_invalidate_selftest of_viommu[ENTRIES];
	char what[64];
	u32 i;

	for (i = 0; i < ENTRIES; i++) {
		of_hwpt[i].iotlb_id = i % MOCK_NESTED_DOMAIN_IOTLB_NUM;
		of_viommu[i].vdev_id = vdev;
		of_viommu[i].cache_id = i % MOCK_DEV_CACHE_NUM;
	}
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		snprintf(what, sizeof(what), "HWPT_INVALIDATE, nested, %u at once, per entry",
			 counts[i]);
		row(what, invalidate_ns(nested, IOMMU_HWPT_INVALIDATE_DATA_SELFTEST, of_hwpt,
					sizeof(of_hwpt[0]), counts[i]));
	}
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		snprintf(what, sizeof(what), "HWPT_INVALIDATE, vIOMMU, %u at once, per entry",
			 counts[i]);
		row(what, invalidate_ns(viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, of_viommu,
					sizeof(of_viommu[0]), counts[i]));
	}
}

/* @nr faults wait at a time. */
static double fault_ns(int fault_fd, u32 idev, u32 nr)
{
	struct iommu_hwpt_pgfault faults[64];
	struct iommu_hwpt_page_response answers[64];
	double best = 1e12;
	u64 n = 4096 / nr;

	for (int round = 0; round < ROUNDS; round++) {
		u64 start = bench_now_ns();

		for (u64 i = 0; i < n; i++) {
			for (u32 g = 0; g < nr; g++) {
				struct iommu_test_cmd cmd = {
					.op = IOMMU_TEST_OP_TRIGGER_IOPF,
					.trigger_iopf = { .dev_id = idev, .grpid = g, .perm = 3 },
				};

				test_call(&cmd, "TRIGGER_IOPF");
			}
			bench_must(ifs_poll(vmm.process, fault_fd, POLLIN) == POLLIN, "poll");
			bench_must(ifs_read(vmm.process, fault_fd, faults,
					    nr * sizeof(faults[0])) ==
				   (ssize_t)(nr * sizeof(faults[0])), "read");
			for (u32 g = 0; g < nr; g++)
				answers[g] = (struct iommu_hwpt_page_response){
					.cookie = faults[g].cookie,
				};
			bench_must(ifs_write(vmm.process, fault_fd, answers,
					     nr * sizeof(answers[0])) ==
				   (ssize_t)(nr * sizeof(answers[0])), "write");
		}
		best = bench_best(best, (double)(bench_now_ns() - start) / (double)(n * nr));
	}
	return best;
}

static void bench_mock(void)
{
	struct iommu_test_cmd mock = { .op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS };
	struct iommu_hwpt_alloc parent = { .size = sizeof(parent),
					   .flags = IOMMU_HWPT_ALLOC_NEST_PARENT };
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu),
					     .type = IOMMU_VIOMMU_TYPE_SELFTEST };
	struct iommu_vdevice_alloc vdev = { .size = sizeof(vdev), .virt_id = 7 };
	struct iommu_fault_alloc fault = { .size = sizeof(fault) };
	struct iommu_test_cmd replace = { .op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE };
	u32 idev, nested;

	bench_vmm_start(&vmm, 1, 1, 0);
	noop_ns = bench_noop_ns(&vmm);
	row("fcntl(F_GETFD)", noop_ns);
	mock.id = vmm.ioas;
	test_call(&mock, "MOCK_DOMAIN");
	idev = mock.mock_domain_flags.out_idev_id;
	parent.dev_id = viommu.dev_id = vdev.dev_id = idev;
	parent.pt_id = vmm.ioas;
	call(IOMMU_HWPT_ALLOC, &parent, "HWPT_ALLOC");
	viommu.hwpt_id = parent.out_hwpt_id;
	call(IOMMU_VIOMMU_ALLOC, &viommu, "VIOMMU_ALLOC");
	vdev.viommu_id = viommu.out_viommu_id;
	call(IOMMU_VDEVICE_ALLOC, &vdev, "VDEVICE_ALLOC");
	call(IOMMU_FAULT_QUEUE_ALLOC, &fault, "FAULT_QUEUE_ALLOC");
	nested = nested_new(idev, parent.out_hwpt_id, fault.out_fault_id);
	replace.id = mock.mock_domain_flags.out_stdev_id;
	replace.mock_domain_replace.pt_id = nested;
	test_call(&replace, "MOCK_DOMAIN_REPLACE");
	bench_invalidate(nested, viommu.out_viommu_id, 7);
	row("page fault: raise, poll, read, answer", fault_ns((int)fault.out_fault_fd, idev, 1));
	row("page fault, 64 in one read, each", fault_ns((int)fault.out_fault_fd, idev, 64));
	bench_vmm_stop(&vmm);
}

/* One unmap of @length bytes; with @touch the device has used every page of it before. */
static double unmap_ns(u8 *buffer, u64 length, int touch)
{
	double best = 1e12;
	u64 i, at, start;

	for (int round = 0; round < ROUNDS; round++) {
		u64 ns = 0;

		for (i = 0; i < RANGES; i++) {
			bench_vmm_map(&vmm, IOVA + i * 2 * length, buffer, length);
			for (at = 0; touch && at < length; at += PAGE_SIZE)
				bench_must(!ifs_device_dma_read(vmm.device,
								IOVA + i * 2 * length + at, &start,
								8, NULL), "dma");
			start = bench_now_ns();
			bench_vmm_unmap(&vmm, IOVA + i * 2 * length, length);
			ns += bench_now_ns() - start;
		}
		best = bench_best(best, (double)ns / RANGES);
	}
	return best;
}

static void bench_unmap(void)
{
	static const u64 pages[] = { 1, 64, 1024 };
	char what[64];
	u8 *buffer;

	buffer = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bench_must(buffer != MAP_FAILED, "mmap");
	memset(buffer, 1, 4 << 20);
	bench_vmm_start(&vmm, 1, 0, 0);
	bench_vmm_bind(&vmm);
	bench_vmm_attach(&vmm, vmm.ioas);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		for (int touch = 0; touch < 2; touch++) {
			snprintf(what, sizeof(what), "IOAS_UNMAP of %llu pages, %s",
				 (unsigned long long)pages[i],
				 touch ? "each cached in the IOTLB" : "none cached");
			row(what, unmap_ns(buffer, pages[i] * PAGE_SIZE, touch));
		}
	}
	bench_vmm_stop(&vmm);
	munmap(buffer, 4 << 20);
}

int main(void)
{
	printf("%-52s %12s %8s\n", "", "", "x fcntl");
	bench_mock();
	bench_unmap();
	return 0;
}
