/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a user of an IOAS inside the kernel pays (iommufd_access_rw() and its pins): reading by IOVA
 * next to a memcpy() of the same bytes at the same places in the same minute.
 *
 *   fast        own memory of a process whose pointers are trusted: one lookup and a memcpy()
 *   checked     the same, pointers not trusted: the host is asked
 *   slow        through the frames, as for another process's memory
 *   file        through the frames of a memory file, which lie in RAM
 *
 * Then pins: one page at a time and many at once, per page.
 */
#include <sys/mman.h>

#include "lib/iommufd/access.h"
#include "lib/kernel/syscall.h"
#include "tests/bench/bench_vmm.h"

#define ROUNDS 7
#define SPAN (4u << 20)         /* of memory each way goes over */
#define IOVA 0x10000000ull
#define FILE_IOVA 0x20000000ull

struct way {
	const char *name;
	struct bench_vmm vmm;
	struct iommufd_access *access;
	iova_t iova;
	unsigned flags;
};

static u8 *buffer, *out;

static void unmapped(void *data, iova_t iova, u64 length)
{
}

static const struct iommufd_access_ops ops = { .unmap = unmapped };
static const struct iommufd_access_ops pin_ops = { .needs_pin_pages = true, .unmap = unmapped };

/* Enters the kernel for as long as the access lives: calls are those of the process itself. */
static struct iommufd_access *access_open(struct bench_vmm *v, struct task *task,
					  const struct iommufd_access_ops *with)
{
	struct iommufd_access *access;
	struct file *file;
	u32 id;

	bench_must(syscall_enter(task, v->process, "bench"), "syscall_enter");
	file = fget(v->fd);
	bench_must(!iommufd_access_create(file->private_data, with, NULL, &id, &access), "access");
	fput(file);
	bench_must(!iommufd_access_attach(access, v->ioas), "attach");
	return access;
}

static void access_close(struct bench_vmm *v, struct task *task, struct iommufd_access *access)
{
	iommufd_access_destroy(access);
	syscall_leave(task, v->process);
}

static double rw_ns(struct way *way, u64 length, u64 n)
{
	u64 start = bench_now_ns(), offset = 0, i;

	for (i = 0; i < n; i++) {
		bench_must(!iommufd_access_rw(way->access, way->iova + offset, out, length,
					      way->flags), "rw");
		offset = (offset + length) & (SPAN - 1);
	}
	return (double)(bench_now_ns() - start) / (double)n;
}

static double memcpy_ns(u64 length, u64 n)
{
	u64 start = bench_now_ns(), offset = 0, i;

	for (i = 0; i < n; i++) {
		memcpy(out, buffer + offset, length);
		__asm__ volatile("" : : "r"(out) : "memory");
		offset = (offset + length) & (SPAN - 1);
	}
	return (double)(bench_now_ns() - start) / (double)n;
}

static void bench_rw(struct way *way)
{
	static const u64 lengths[] = { 1, 64, 4096, 65536, 1 << 20 };
	struct task task;

	way->access = access_open(&way->vmm, &task, &ops);
	for (unsigned l = 0; l < ARRAY_SIZE(lengths); l++) {
		u64 length = lengths[l], n = max(64ull, min(20000ull, (64ull << 20) / length));
		double rw = 1e12, copy = 1e12;

		for (int round = 0; round < ROUNDS; round++) {
			rw = bench_best(rw, rw_ns(way, length, n));
			copy = bench_best(copy, memcpy_ns(length, n));
		}
		printf("%-10s %8llu %10.1f %10.1f %8.1f\n", way->name, (unsigned long long)length,
		       rw, copy, rw / copy);
	}
	access_close(&way->vmm, &task, way->access);
}

static void bench_pin_row(struct way *way, u64 nr_pages)
{
	u64 length = nr_pages * PAGE_SIZE, n = max(16ull, 16384 / nr_pages), start, i;
	pa_t *pages = calloc(nr_pages, sizeof(*pages));
	double pin = 1e12, unpin = 1e12;

	for (int round = 0; round < ROUNDS; round++) {
		u64 pin_ns = 0, unpin_ns = 0;

		for (i = 0; i < n; i++) {
			iova_t iova = way->iova + ((i * length) & (SPAN - 1));

			start = bench_now_ns();
			bench_must(!iommufd_access_pin_pages(way->access, iova, length, pages, 1),
				   "pin");
			pin_ns += bench_now_ns() - start;
			start = bench_now_ns();
			iommufd_access_unpin_pages(way->access, iova, length);
			unpin_ns += bench_now_ns() - start;
		}
		pin = bench_best(pin, (double)pin_ns / (double)(n * nr_pages));
		unpin = bench_best(unpin, (double)unpin_ns / (double)(n * nr_pages));
	}
	printf("%-10s %8llu %10.2f %10.2f\n", way->name, (unsigned long long)nr_pages, pin, unpin);
	free(pages);
}

static void bench_pin(struct way *way)
{
	struct task task;

	way->access = access_open(&way->vmm, &task, &pin_ops);
	bench_pin_row(way, 1);
	bench_pin_row(way, 16);
	bench_pin_row(way, 1024);
	access_close(&way->vmm, &task, way->access);
}

int main(void)
{
	struct way fast = { .name = "fast", .iova = IOVA }, checked = { .name = "checked" };
	struct way slow, file;

	buffer = mmap(NULL, SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	out = mmap(NULL, SPAN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bench_must(buffer != MAP_FAILED && out != MAP_FAILED, "mmap");
	memset(buffer, 1, SPAN);
	memset(out, 1, SPAN);
	bench_vmm_start(&fast.vmm, 1, 0, 0);
	bench_vmm_map(&fast.vmm, IOVA, buffer, SPAN);
	bench_vmm_map_file(&fast.vmm, FILE_IOVA, SPAN, 1);
	bench_vmm_start(&checked.vmm, 0, 0, 0);
	bench_vmm_map(&checked.vmm, IOVA, buffer, SPAN);
	checked.iova = IOVA;
	slow = fast;
	slow.name = "slow";
	slow.flags = IOMMUFD_ACCESS_RW_SLOW_PATH;
	file = fast;
	file.name = "file";
	file.iova = FILE_IOVA;

	printf("access rw:    bytes      ns/call  memcpy ns    ratio\n");
	bench_rw(&fast);
	bench_rw(&checked);
	bench_rw(&slow);
	bench_rw(&file);
	printf("access pin:   pages  pin ns/page  unpin ns/page\n");
	bench_pin(&fast);
	bench_pin(&file);
	bench_vmm_stop(&fast.vmm);
	bench_vmm_stop(&checked.vmm);
	return 0;
}
