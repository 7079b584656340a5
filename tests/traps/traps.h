/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Programs of plain system calls, with the answer of Linux 7.3 written beside each. The simulator
 * runs them through iommufd-sim/redirect.h; a real kernel with CONFIG_IOMMUFD_TEST runs the same
 * source, as root, which is how the answers were come by:
 *
 *	cc -static -Iinclude/uapi -Iinclude/uapi/linux tests/traps/traps_map.c
 *
 * IS(want, call): what the call answers, -errno if it fails. The wrappers below answer what the
 * call is about (an id, an address, a count), or -errno.
 */
#ifndef TESTS_TRAPS_H
#define TESTS_TRAPS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "iommufd_test.h"

#define FIXED IOMMU_IOAS_MAP_FIXED_IOVA
#define RD IOMMU_IOAS_MAP_READABLE
#define WR IOMMU_IOAS_MAP_WRITEABLE
#define FRW (FIXED | RD | WR)
#define MAX64 0xffffffffffffffffull
#define BASE 0x1000000ull               /* where a mock domain's aperture begins */
#define NOWHERE ((void *)8)
#define PG 0x1000ull

#define UNUSED __attribute__((unused))

/* How many answers were others. */
struct traps {
	int wrong;
};

static inline void traps_is(struct traps *t, int64_t want, int64_t got, const char *call,
			    const char *file, int line)
{
	if (want == got)
		return;
	t->wrong++;
	printf("%s:%d: %s = %lld (0x%llx), not %lld (0x%llx)\n", file, line, call, (long long)got,
	       (unsigned long long)got, (long long)want, (unsigned long long)want);
}

#define IS(want, call) \
	traps_is(t, (int64_t)(want), (int64_t)(call), #call, strrchr("/" __FILE__, '/') + 1, \
		 __LINE__)

/* A system call's answer, -errno for -1. */
static inline int64_t sys(int64_t ret)
{
	return ret == -1 ? -errno : ret;
}

static inline int64_t io(int fd, unsigned cmd, void *arg)
{
	return sys(ioctl(fd, cmd, arg));
}

static inline int t_open(void)
{
	return open("/dev/iommu", O_RDWR);
}

/* Page aligned, readable and writable, full of @fill. */
static inline uint8_t *t_buffer(uint64_t length, int fill)
{
	uint8_t *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);

	return at == MAP_FAILED ? NULL : memset(at, fill, length);
}

static inline int t_memfd(uint64_t bytes)
{
	int fd = memfd_create("traps", 0);

	return ftruncate(fd, (off_t)bytes) ? -1 : fd;
}

static inline int64_t t_ioas(int fd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int64_t rc = io(fd, IOMMU_IOAS_ALLOC, &cmd);

	return rc ? rc : cmd.out_ioas_id;
}

static inline int64_t t_destroy(int fd, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return io(fd, IOMMU_DESTROY, &cmd);
}

static inline int64_t t_map(int fd, uint32_t ioas, uint32_t flags, const void *va, uint64_t length,
			    uint64_t iova)
{
	struct iommu_ioas_map cmd = { .size = sizeof(cmd), .flags = flags, .ioas_id = ioas,
				      .user_va = (uintptr_t)va, .length = length, .iova = iova };
	int64_t rc = io(fd, IOMMU_IOAS_MAP, &cmd);

	return rc ? rc : (int64_t)cmd.iova;
}

/* Where the kernel puts it. */
static inline int64_t t_map_auto(int fd, uint32_t ioas, uint64_t va, uint64_t length)
{
	return t_map(fd, ioas, RD, (void *)(uintptr_t)va, length, 0);
}

static inline int64_t t_map_file(int fd, uint32_t ioas, uint32_t flags, int file, uint64_t start,
				 uint64_t length, uint64_t iova)
{
	struct iommu_ioas_map_file cmd = { .size = sizeof(cmd), .flags = flags, .ioas_id = ioas,
					   .fd = file, .start = start, .length = length,
					   .iova = iova };
	int64_t rc = io(fd, IOMMU_IOAS_MAP_FILE, &cmd);

	return rc ? rc : (int64_t)cmd.iova;
}

static inline int64_t t_copy(int fd, uint32_t dst, uint32_t src, uint32_t flags, uint64_t length,
			     uint64_t dst_iova, uint64_t src_iova)
{
	struct iommu_ioas_copy cmd = { .size = sizeof(cmd), .flags = flags, .dst_ioas_id = dst,
				       .src_ioas_id = src, .length = length, .dst_iova = dst_iova,
				       .src_iova = src_iova };
	int64_t rc = io(fd, IOMMU_IOAS_COPY, &cmd);

	return rc ? rc : (int64_t)cmd.dst_iova;
}

static inline int64_t t_unmap(int fd, uint32_t ioas, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_unmap cmd = { .size = sizeof(cmd), .ioas_id = ioas, .iova = iova,
					.length = length };
	int64_t rc = io(fd, IOMMU_IOAS_UNMAP, &cmd);

	return rc ? rc : (int64_t)cmd.length;
}

/* How many, also if there is no room for them. */
static inline int64_t t_ranges(int fd, uint32_t ioas, struct iommu_iova_range *out, uint32_t room,
			       uint64_t *alignment)
{
	struct iommu_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = ioas,
					      .num_iovas = room, .allowed_iovas = (uintptr_t)out };
	int64_t rc = io(fd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	if (alignment)
		*alignment = cmd.out_iova_alignment;
	return rc && rc != -EMSGSIZE ? rc : cmd.num_iovas;
}

static inline int64_t t_alignment(int fd, uint32_t ioas)
{
	uint64_t alignment = 0;

	t_ranges(fd, ioas, NULL, 0, &alignment);
	return (int64_t)alignment;
}

static inline int64_t t_allow(int fd, uint32_t ioas, const struct iommu_iova_range *ranges,
			      uint32_t nr)
{
	struct iommu_ioas_allow_iovas cmd = { .size = sizeof(cmd), .ioas_id = ioas, .num_iovas = nr,
					      .allowed_iovas = (uintptr_t)ranges };

	return io(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

static inline int64_t t_allow_one(int fd, uint32_t ioas, uint64_t start, uint64_t last)
{
	struct iommu_iova_range range = { start, last };

	return t_allow(fd, ioas, &range, 1);
}

static inline int64_t t_option(int fd, uint32_t option, uint16_t op, uint32_t object, uint64_t val)
{
	struct iommu_option cmd = { .size = sizeof(cmd), .option_id = option, .op = op,
				    .object_id = object, .val64 = val };
	int64_t rc = io(fd, IOMMU_OPTION, &cmd);

	return rc ? rc : (int64_t)cmd.val64;
}

static inline int64_t t_vfio_ioas(int fd, uint16_t op, uint32_t ioas)
{
	struct iommu_vfio_ioas cmd = { .size = sizeof(cmd), .ioas_id = ioas, .op = op };
	int64_t rc = io(fd, IOMMU_VFIO_IOAS, &cmd);

	return rc ? rc : cmd.ioas_id;
}

static inline int64_t t_hwpt(int fd, uint32_t flags, uint32_t dev, uint32_t pt)
{
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = flags, .dev_id = dev,
					.pt_id = pt };
	int64_t rc = io(fd, IOMMU_HWPT_ALLOC, &cmd);

	return rc ? rc : cmd.out_hwpt_id;
}

/* An operation of the selftest interface. */
static inline int64_t t_test(int fd, uint32_t op, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->op = op;
	return io(fd, IOMMU_TEST_CMD, cmd);
}

static inline int64_t t_reserve(int fd, uint32_t ioas, uint64_t start, uint64_t length)
{
	struct iommu_test_cmd cmd = { .id = ioas, .add_reserved = { start, length } };

	return t_test(fd, IOMMU_TEST_OP_ADD_RESERVED, &cmd);
}

struct mock {
	uint32_t stdev, hwpt, idev;
};

/* A mock device attached to @pt: its SELFTEST id. */
static inline int64_t t_mock(int fd, uint32_t pt, uint32_t dev_flags, struct mock *out)
{
	struct iommu_test_cmd cmd = { .id = pt, .mock_domain_flags.dev_flags = dev_flags };
	int64_t rc = t_test(fd, IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, &cmd);

	if (out)
		*out = (struct mock){ cmd.mock_domain_flags.out_stdev_id,
				      cmd.mock_domain_flags.out_hwpt_id,
				      cmd.mock_domain_flags.out_idev_id };
	return rc ? rc : cmd.mock_domain_flags.out_stdev_id;
}

static inline int64_t t_mock_replace(int fd, uint32_t stdev, uint32_t pt)
{
	struct iommu_test_cmd cmd = { .id = stdev, .mock_domain_replace.pt_id = pt };
	int64_t rc = t_test(fd, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, &cmd);

	return rc ? rc : cmd.mock_domain_replace.pt_id;
}

static inline int64_t t_check_map(int fd, uint32_t hwpt, uint64_t iova, uint64_t length,
				  const void *va)
{
	struct iommu_test_cmd cmd = { .id = hwpt,
				      .check_map = { iova, length, (uintptr_t)va } };

	return t_test(fd, IOMMU_TEST_OP_MD_CHECK_MAP, &cmd);
}

static inline int64_t t_check_refs(int fd, const void *va, uint64_t length, uint32_t refs)
{
	struct iommu_test_cmd cmd = { .check_refs = { length, (uintptr_t)va, refs } };

	return t_test(fd, IOMMU_TEST_OP_MD_CHECK_REFS, &cmd);
}

/* The access's descriptor. */
static inline int64_t t_access(int fd, uint32_t ioas, uint32_t flags)
{
	struct iommu_test_cmd cmd = { .id = ioas, .create_access.flags = flags };
	int64_t rc = t_test(fd, IOMMU_TEST_OP_CREATE_ACCESS, &cmd);

	return rc ? rc : cmd.create_access.out_access_fd;
}

/* The item's number. */
static inline int64_t t_pin(int fd, int access, uint64_t iova, uint64_t length, uint32_t flags,
			    const void *va)
{
	struct iommu_test_cmd cmd = { .id = (uint32_t)access,
				      .access_pages = { .flags = flags, .iova = iova,
							.length = length,
							.uptr = (uintptr_t)va } };
	int64_t rc = t_test(fd, IOMMU_TEST_OP_ACCESS_PAGES, &cmd);

	return rc ? rc : cmd.access_pages.out_access_pages_id;
}

static inline int64_t t_unpin(int fd, int access, uint32_t item)
{
	struct iommu_test_cmd cmd = { .id = (uint32_t)access,
				      .destroy_access_pages.access_pages_id = item };

	return t_test(fd, IOMMU_TEST_OP_DESTROY_ACCESS_PAGES, &cmd);
}

static inline int64_t t_rw(int fd, int access, uint64_t iova, uint64_t length, uint32_t flags,
			   void *data)
{
	struct iommu_test_cmd cmd = { .id = (uint32_t)access,
				      .access_rw = { iova, length, (uintptr_t)data, flags } };

	return t_test(fd, IOMMU_TEST_OP_ACCESS_RW, &cmd);
}

static inline int64_t t_access_move(int fd, int access, uint32_t ioas)
{
	struct iommu_test_cmd cmd = { .id = (uint32_t)access, .access_replace_ioas.ioas_id = ioas };

	return t_test(fd, IOMMU_TEST_OP_ACCESS_REPLACE_IOAS, &cmd);
}

/* Ends a program: its exit status. */
static inline int traps_end(const struct traps *t, const char *name)
{
	printf("%s: %d answers differ from Linux 7.3\n", name, t->wrong);
	return t->wrong != 0;
}

#endif
