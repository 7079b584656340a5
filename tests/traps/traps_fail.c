/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Each question iommufd_should_fail() of a call answered once with yes: FAILS(errors, call) has the
 * errors that the call gives for the first, the second and so on, until it asks no more and works.
 * The attribute fail_iommufd of debugfs makes it so: with "space" n, n - 1 questions pass.
 */
#include "traps.h"

#include <stdlib.h>

/* iommufd_test.h does not say. */
#define LIMIT_DEFAULT 65536

static int attr_open(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/fail_iommufd/%s", name);
	fd = open(path, O_RDWR);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void attr_set(const char *name, unsigned value)
{
	int fd = attr_open(name), length;
	char text[16];

	length = snprintf(text, sizeof(text), "%u\n", value);
	if (write(fd, text, (size_t)length) != length)
		exit(1);
	close(fd);
}

static int attr_get(const char *name)
{
	char text[16] = "";
	int fd = attr_open(name);

	if (read(fd, text, sizeof(text) - 1) < 2)
		exit(1);
	close(fd);
	return atoi(text);
}

/* Did the question come that "times" was set to 1 for? */
static int attr_fired(void)
{
	int left = attr_get("times");

	attr_set("times", 0);
	return !left;
}

static const char *name_of(int64_t rc)
{
	switch (rc) {
	case -ENOENT:
		return "ENOENT";
	case -ENOMEM:
		return "ENOMEM";
	case -EFAULT:
		return "EFAULT";
	case -EINVAL:
		return "EINVAL";
	default:
		return rc < 0 ? "?" : "fine";
	}
}

#define FAILS(errors, call) do { \
	char __got[512] = ""; \
	int64_t __rc; \
	for (unsigned __n = 1; __n < 64; __n++) { \
		attr_set("space", __n); \
		attr_set("times", 1); \
		__rc = (int64_t)(call); \
		if (!attr_fired()) \
			break; \
		strcat(strcat(__got, *__got ? " " : ""), name_of(__rc)); \
		if (__rc >= 0) \
			break; \
	} \
	traps_fails(t, errors, __got, __rc, #call, __LINE__); \
} while (0)

static void traps_fails(struct traps *t, const char *want, const char *got, int64_t rc,
			const char *call, int line)
{
	if (rc >= 0 && !strcmp(want, got))
		return;
	t->wrong++;
	printf("traps_fail.c:%d: %s: \"%s\", then %lld, not \"%s\"\n", line, call, got,
	       (long long)rc, want);
}

static int64_t t_limit(int fd, uint32_t limit)
{
	struct iommu_test_cmd cmd = { .memory_limit.limit = limit };

	return t_test(fd, IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT, &cmd);
}

/* Calls that look up objects, and pin nothing. */
static void lookups(struct traps *t)
{
	int fd = t_open();

	FAILS("", t_ioas(fd));
	FAILS("", t_ioas(fd));
	FAILS("ENOENT", t_ranges(fd, 1, NULL, 0, NULL));
	FAILS("ENOENT", t_allow_one(fd, 1, 0x1000, 0xffffff));
	FAILS("ENOENT", t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 1));
	FAILS("", t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0, 0));
	FAILS("ENOENT", t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, 1));
	FAILS("", t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, 0));
	FAILS("ENOENT", t_map(fd, 1, FRW, (void *)0x10000, 4 * PG, 0x1000));
	FAILS("ENOENT ENOENT", t_copy(fd, 2, 1, FRW, PG, 0x1000, 0x2000));
	FAILS("ENOENT", t_reserve(fd, 2, 0x100000, 0x1000));
	FAILS("ENOENT", t_unmap(fd, 1, 0x1000, 4 * PG));
	FAILS("", t_destroy(fd, 2));
	close(fd);
}

/* What a map costs while there is a domain, in chunks as large as the buffers are. */
static void maps(struct traps *t)
{
	uint8_t *b = t_buffer(40 * PG, 0x11);
	int fd = t_open(), file = t_memfd(16 * PG);
	struct mock mock;

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	FAILS("ENOENT EINVAL", t_mock(fd, 1, 0, &mock));
	FAILS("ENOENT ENOMEM ENOMEM EFAULT ENOMEM", t_map(fd, 1, FRW, b, 4 * PG, BASE));
	FAILS("ENOENT ENOMEM ENOMEM EFAULT ENOMEM",
	      t_map_file(fd, 1, FRW, file, 0, 4 * PG, BASE + 0x20000));
	IS(0, t_limit(fd, 12));
	FAILS("ENOENT ENOMEM ENOMEM EFAULT EFAULT EFAULT ENOMEM",
	      t_map(fd, 1, FRW, b + 4 * PG, 3 * PG, BASE + 0x30000));
	IS(0, t_limit(fd, 32));
	FAILS("ENOENT ENOMEM ENOMEM EFAULT ENOMEM",
	      t_map(fd, 1, FRW, b + 8 * PG, 4 * PG, BASE + 0x40000));
	FAILS("ENOENT ENOMEM ENOMEM EFAULT EFAULT ENOMEM",
	      t_map(fd, 1, FRW, b + 8 * PG, 5 * PG, BASE + 0x50000));
	FAILS("ENOENT ENOMEM ENOMEM EFAULT EFAULT EFAULT ENOMEM",
	      t_map_file(fd, 1, FRW, file, 4 * PG, 9 * PG, BASE + 0x60000));
	/* Those pages are pinned already: the frames come from the domain. */
	FAILS("ENOENT ENOENT ENOMEM", t_copy(fd, 1, 1, FRW, 4 * PG, BASE + 0x80000, BASE));
	/* Into a space without a domain. */
	FAILS("ENOENT ENOENT", t_copy(fd, 2, 1, FRW, 4 * PG, 0x1000, BASE));
	FAILS("ENOENT", t_unmap(fd, 1, BASE + 0x80000, 4 * PG));
	FAILS("ENOENT", t_unmap(fd, 1, BASE, 4 * PG));
	IS(0, t_limit(fd, LIMIT_DEFAULT));
	close(fd);
	close(file);
	munmap(b, 40 * PG);
}

/* A second domain, filled from areas that are there. */
static void attaches(struct traps *t)
{
	uint8_t *b = t_buffer(16 * PG, 0x11);
	int fd = t_open();
	struct mock mock, second;

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(BASE, t_map(fd, 1, FRW, b, 4 * PG, BASE));
	IS(BASE + 0x10000, t_map(fd, 1, FRW, b, 9 * PG, BASE + 0x10000));
	IS(0, t_limit(fd, 32));
	FAILS("ENOENT EINVAL ENOMEM ENOMEM EFAULT ENOMEM ENOMEM ENOMEM EFAULT EFAULT EFAULT ENOMEM",
	      t_mock(fd, 1, 0, &mock));
	FAILS("ENOENT fine", t_mock(fd, 1, 0, &second));
	FAILS("ENOENT EINVAL ENOMEM ENOMEM", t_hwpt(fd, 0, mock.idev, 1));
	FAILS("ENOENT EINVAL ENOMEM ENOMEM",
	      t_hwpt(fd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, mock.idev, 1));
	FAILS("ENOENT ENOENT", t_mock_replace(fd, mock.stdev, 9));
	FAILS("ENOENT ENOENT EINVAL", t_mock_replace(fd, mock.stdev, 2));
	FAILS("ENOENT ENOENT fine", t_mock_replace(fd, mock.stdev, 1));
	FAILS("", t_destroy(fd, mock.stdev));
	IS(0, t_limit(fd, LIMIT_DEFAULT));
	close(fd);
	munmap(b, 16 * PG);
}

/* Pages in the hands of the CPU: where they come from decides what is asked. */
static void access_pins(struct traps *t)
{
	uint8_t *b = t_buffer(64 * PG, 0x11);
	int fd = t_open(), file = t_memfd(16 * PG);
	uint32_t write = MOCK_FLAGS_ACCESS_WRITE;
	struct mock mock;
	int access;

	IS(1, t_ioas(fd));
	IS(0, t_limit(fd, 32));
	IS(BASE, t_map(fd, 1, FRW, b, 32 * PG, BASE));
	IS(BASE + 0x40000, t_map_file(fd, 1, FRW, file, 0, 16 * PG, BASE + 0x40000));
	FAILS("ENOENT", access = t_access(fd, 1, MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES));
	FAILS("EFAULT EINVAL ENOMEM", t_pin(fd, access, BASE, PG, write, b));
	FAILS("EFAULT EINVAL ENOMEM", t_pin(fd, access, BASE + 2 * PG, 6 * PG, write, b + 2 * PG));
	/* The same again, and one around it. */
	FAILS("", t_pin(fd, access, BASE + 2 * PG, 6 * PG, write, b + 2 * PG));
	FAILS("EFAULT EINVAL EFAULT EINVAL ENOMEM", t_pin(fd, access, BASE, 10 * PG, write, b));
	FAILS("ENOMEM EFAULT EFAULT EFAULT EINVAL ENOMEM",
	      t_pin(fd, access, BASE + 0x40000, 9 * PG, write, NULL));
	FAILS("", t_unpin(fd, access, 0));
	/* With a domain: it reads them from there. */
	FAILS("ENOENT EINVAL ENOMEM ENOMEM EFAULT EFAULT EFAULT EFAULT "
	      "EFAULT EFAULT ENOMEM ENOMEM ENOMEM EFAULT EFAULT ENOMEM",
	      t_mock(fd, 1, 0, &mock));
	FAILS("EINVAL", t_pin(fd, access, BASE + 20 * PG, 3 * PG, write, b + 20 * PG));
	FAILS("EINVAL EINVAL", t_pin(fd, access, BASE + 8 * PG, 16 * PG, write, b + 8 * PG));
	/* Half a map that pins, half one that is pinned by an access only. */
	FAILS("", t_destroy(fd, mock.stdev));
	FAILS("EFAULT EINVAL ENOMEM",
	      t_pin(fd, access, BASE + 22 * PG, 4 * PG, write, b + 22 * PG));
	FAILS("ENOENT EINVAL ENOMEM ENOMEM EFAULT EFAULT ENOMEM ENOMEM ENOMEM EFAULT EFAULT ENOMEM",
	      t_mock(fd, 1, 0, &mock));
	close(access);
	IS(0, t_limit(fd, LIMIT_DEFAULT));
	close(fd);
	close(file);
	munmap(b, 64 * PG);
}

/* Copies: as the program itself, within one page, through the frames. */
static void access_copies(struct traps *t)
{
	uint32_t slow = MOCK_ACCESS_RW_SLOW_PATH, write = MOCK_ACCESS_RW_WRITE;
	uint8_t *b = t_buffer(16 * PG, 0x11), data[0x6000] = { 0 };
	int fd = t_open(), file = t_memfd(16 * PG), access;
	struct mock mock;

	IS(1, t_ioas(fd));
	IS(0, t_limit(fd, 32));
	IS(BASE, t_map(fd, 1, FRW, b, 16 * PG, BASE));
	IS(BASE + 0x20000, t_map_file(fd, 1, FRW, file, 0, 16 * PG, BASE + 0x20000));
	FAILS("ENOENT", access = t_access(fd, 1, 0));
	FAILS("", t_rw(fd, access, BASE, 0x3000, 0, data));
	FAILS("", t_rw(fd, access, BASE, 0x3000, write, data));
	FAILS("EINVAL", t_rw(fd, access, BASE + 8, 0x100, slow, data));
	FAILS("EINVAL", t_rw(fd, access, BASE + 8, 0x100, slow | write, data));
	FAILS("ENOMEM ENOMEM EFAULT", t_rw(fd, access, BASE + 0xff0, 0x20, slow, data));
	FAILS("ENOMEM ENOMEM EFAULT EFAULT", t_rw(fd, access, BASE + 8, 0x5000, slow, data));
	FAILS("ENOMEM ENOMEM EFAULT", t_rw(fd, access, BASE + 0x20000, 8, 0, data));
	FAILS("ENOMEM ENOMEM EFAULT EFAULT", t_rw(fd, access, BASE + 0x20000, 0x5000, 0, data));
	/* Pinned by a domain: nothing but the batch. */
	FAILS("ENOENT EINVAL ENOMEM ENOMEM EFAULT EFAULT EFAULT EFAULT "
	      "ENOMEM ENOMEM ENOMEM EFAULT EFAULT EFAULT EFAULT ENOMEM",
	      t_mock(fd, 1, 0, &mock));
	FAILS("ENOMEM", t_rw(fd, access, BASE + 8, 0x5000, slow, data));
	FAILS("ENOMEM", t_rw(fd, access, BASE + 0x20000, 0x5000, 0, data));
	close(access);
	IS(0, t_limit(fd, LIMIT_DEFAULT));
	close(fd);
	close(file);
	munmap(b, 16 * PG);
}

static int64_t t_nested(int fd, uint32_t dev, uint32_t parent, uint32_t flags, uint32_t fault)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = flags, .dev_id = dev,
					.pt_id = parent, .fault_id = fault,
					.data_type = IOMMU_HWPT_DATA_SELFTEST,
					.data_len = sizeof(data), .data_uptr = (uintptr_t)&data };
	int64_t rc = io(fd, IOMMU_HWPT_ALLOC, &cmd);

	return rc ? rc : cmd.out_hwpt_id;
}

static int64_t t_fault_queue(int fd, int *out_fd)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int64_t rc = io(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	*out_fd = (int)cmd.out_fault_fd;
	return rc ? rc : cmd.out_fault_id;
}

static int64_t t_viommu(int fd, uint32_t dev, uint32_t hwpt)
{
	struct iommu_viommu_alloc cmd = { .size = sizeof(cmd), .dev_id = dev, .hwpt_id = hwpt,
					  .type = IOMMU_VIOMMU_TYPE_SELFTEST };
	int64_t rc = io(fd, IOMMU_VIOMMU_ALLOC, &cmd);

	return rc ? rc : cmd.out_viommu_id;
}

static int64_t t_vdevice(int fd, uint32_t viommu, uint32_t dev)
{
	struct iommu_vdevice_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu,
					   .dev_id = dev, .virt_id = 0x99 };
	int64_t rc = io(fd, IOMMU_VDEVICE_ALLOC, &cmd);

	return rc ? rc : cmd.out_vdevice_id;
}

static int64_t t_veventq(int fd, uint32_t viommu, int *out_fd)
{
	struct iommu_veventq_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu,
					   .type = IOMMU_VEVENTQ_TYPE_SELFTEST,
					   .veventq_depth = 2 };
	int64_t rc = io(fd, IOMMU_VEVENTQ_ALLOC, &cmd);

	*out_fd = (int)cmd.out_veventq_fd;
	return rc ? rc : cmd.out_veventq_id;
}

static int64_t t_hw_queue(int fd, uint32_t viommu)
{
	struct iommu_hw_queue_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu,
					    .type = IOMMU_HW_QUEUE_TYPE_SELFTEST,
					    .nesting_parent_iova = BASE, .length = PG };
	int64_t rc = io(fd, IOMMU_HW_QUEUE_ALLOC, &cmd);

	return rc ? rc : cmd.out_hw_queue_id;
}

static int64_t t_hw_info(int fd, uint32_t dev)
{
	struct iommu_hw_info cmd = { .size = sizeof(cmd), .dev_id = dev };

	return io(fd, IOMMU_GET_HW_INFO, &cmd);
}

static int64_t t_invalidate(int fd, uint32_t hwpt, uint32_t type)
{
	struct iommu_hwpt_invalidate cmd = { .size = sizeof(cmd), .hwpt_id = hwpt,
					     .data_type = type, .entry_len = 8 };

	return io(fd, IOMMU_HWPT_INVALIDATE, &cmd);
}

static int64_t t_dirty(int fd, uint32_t hwpt, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = { .size = sizeof(cmd), .hwpt_id = hwpt,
						     .flags = flags };

	return io(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static int64_t t_get_dirty(int fd, uint32_t hwpt)
{
	uint64_t bits[8] = { 0 };
	struct iommu_hwpt_get_dirty_bitmap cmd = { .size = sizeof(cmd), .hwpt_id = hwpt,
						   .iova = BASE, .length = 4 * PG,
						   .page_size = PG, .data = (uintptr_t)bits };

	return io(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

/* @op: attach or replace, which take the same. */
static int64_t t_pasid(int fd, uint32_t op, uint32_t stdev, uint32_t pt)
{
	struct iommu_test_cmd cmd = { .id = stdev, .pasid_attach = { 200, pt } };

	return t_test(fd, op, &cmd);
}

/* Hardware: lookups of devices and tables, reserved regions at each attach that brings an IOAS. */
static void devices(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0x11);
	int fd = t_open(), fault_fd, veventq_fd;
	int parent, nested, fault, viommu, other, tracked;
	struct mock mock;

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(BASE, t_map(fd, 1, FRW, b, 4 * PG, BASE));
	IS(3, t_mock(fd, 1, MOCK_FLAGS_DEVICE_PASID, &mock));
	FAILS("ENOENT", t_hw_info(fd, mock.idev));
	FAILS("ENOENT EINVAL ENOMEM",
	      parent = t_hwpt(fd, IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID,
			      mock.idev, 1));
	FAILS("ENOENT EINVAL ENOMEM",
	      tracked = t_hwpt(fd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, mock.idev, 1));
	FAILS("ENOENT", t_dirty(fd, tracked, IOMMU_HWPT_DIRTY_TRACKING_ENABLE));
	FAILS("ENOENT", t_get_dirty(fd, tracked));
	FAILS("", fault = t_fault_queue(fd, &fault_fd));
	FAILS("ENOENT EINVAL ENOENT",
	      nested = t_nested(fd, mock.idev, parent, IOMMU_HWPT_FAULT_ID_VALID, fault));
	FAILS("ENOENT ENOENT", t_mock_replace(fd, mock.stdev, nested));
	FAILS("ENOENT", t_invalidate(fd, nested, IOMMU_HWPT_INVALIDATE_DATA_SELFTEST));
	FAILS("ENOENT ENOENT", viommu = t_viommu(fd, mock.idev, parent));
	FAILS("ENOENT ENOENT", t_vdevice(fd, viommu, mock.idev));
	FAILS("ENOENT EINVAL", nested = t_nested(fd, mock.idev, viommu, 0, 0));
	FAILS("ENOENT ENOENT", t_mock_replace(fd, mock.stdev, nested));
	FAILS("ENOENT", t_invalidate(fd, viommu, IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST));
	FAILS("ENOENT", t_veventq(fd, viommu, &veventq_fd));
	FAILS("ENOENT EINVAL", t_hw_queue(fd, viommu));
	FAILS("ENOENT EINVAL ENOMEM", other = t_hwpt(fd, IOMMU_HWPT_ALLOC_PASID, mock.idev, 1));
	FAILS("ENOENT ENOENT", t_mock_replace(fd, mock.stdev, other));
	FAILS("ENOENT ENOENT", t_pasid(fd, IOMMU_TEST_OP_PASID_ATTACH, mock.stdev, parent));
	FAILS("ENOENT ENOENT", t_pasid(fd, IOMMU_TEST_OP_PASID_REPLACE, mock.stdev, other));
	FAILS("ENOENT", t_pasid(fd, IOMMU_TEST_OP_PASID_DETACH, mock.stdev, 0));
	FAILS("", t_check_refs(fd, b, PG, 1));
	close(veventq_fd);
	close(fault_fd);
	close(fd);
	munmap(b, 4 * PG);
}

int main(void)
{
	struct traps t = { 0 };

	attr_set("verbose", 0);
	attr_set("times", 0);
	attr_set("probability", 100);
	lookups(&t);
	maps(&t);
	attaches(&t);
	access_pins(&t);
	access_copies(&t);
	devices(&t);
	return traps_end(&t, "traps_fail");
}
