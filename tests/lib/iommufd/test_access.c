/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* In-kernel users of an IOAS, as the selftest interface shows them. */
#include "tests/lib/iommufd/selftest_test.h"

#define PIN MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES
#define SLOW MOCK_ACCESS_RW_SLOW_PATH
#define RW_WRITE MOCK_ACCESS_RW_WRITE

/* A kernel without the interface must not know its number. */
static void test_test_cmd_without_option_is_unknown(void **state)
{
	struct fixture *f = *state;
	struct iommu_test_cmd cmd = { .size = sizeof(cmd), .op = 1 };
	int fd = t_open(f);

	assert_int_equal(ifs_ioctl(f->process, fd, 0x3ba0, &cmd), -25);
	/* The pointer is not touched: the number is beyond the table. */
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3ba0, (void *)8), -25);
}

/* Programs find out by errno what a kernel lacks: the table now has holes, and an end. */
static void test_test_cmd_sizes_and_operations(void **state)
{
	struct fixture *f = *state;
	struct iommu_test_cmd cmd = { .size = 67 };
	int fd = t_open(f);

	assert_int_equal(ifs_ioctl(f->process, fd, 0x3b96, (void *)8), -14);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3b9f, &cmd), -25);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3ba1, (void *)8), -25);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3ba0, &cmd), -22);
	cmd.size = 68;
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3ba0, &cmd), -95);
	cmd.op = 24;
	assert_int_equal(s_cmd(f, fd, &cmd), -95);
	cmd.op = IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT;
	cmd.memory_limit.limit = 11;
	assert_int_equal(s_cmd(f, fd, &cmd), -22);
	cmd.memory_limit.limit = 12;
	assert_int_equal(s_cmd(f, fd, &cmd), 0);
}

/* A program would retry what can never work, or give up on what could. */
static void test_access_errors_in_linux_order(void **state)
{
	struct fixture *f = *state;
	uint8_t *page = t_buffer(0x1000), byte = 0;
	int fd = t_open(f), access, plain;
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(s_access(f, fd, 9, 2), -95);
	assert_int_equal(s_access(f, fd, 9, PIN), -2);
	access = s_access(f, fd, ioas, PIN);
	assert_int_equal(access, fd + 1);
	plain = s_access(f, fd, ioas, 0);
	/* The length before the flags, those before the file. */
	assert_int_equal(s_pin(f, fd, 99, 0, 0x1000001, NULL, 2), -12);
	assert_int_equal(s_pin(f, fd, 99, 0, 0x1000000, NULL, 2), -95);
	assert_int_equal(s_pin(f, fd, 99, 0, 1, NULL, 0), -77);
	assert_int_equal(s_pin(f, fd, fd, 0, 1, NULL, 0), -77);
	assert_int_equal(s_pin(f, fd, plain, 0, 0, NULL, 0), -95);
	assert_int_equal(s_pin(f, fd, access, 0, 0, NULL, 0), -22);
	assert_int_equal(s_pin(f, fd, access, MAX64, 2, NULL, 0), -75);
	assert_int_equal(s_pin(f, fd, access, 0x1000, 1, NULL, 0), -2);
	assert_int_equal(s_rw(f, fd, 99, 0, 0x1000001, NULL, 2), -12);
	assert_int_equal(s_rw(f, fd, 99, 0, 1, NULL, 2), -95);
	assert_int_equal(s_rw(f, fd, 99, 0, 1, NULL, 0), -77);
	assert_int_equal(s_rw(f, fd, access, 0, 1, (void *)8, RW_WRITE), -14);
	assert_int_equal(s_rw(f, fd, access, 0, 0, &byte, 0), -22);
	assert_int_equal(s_rw(f, fd, access, MAX64, 2, page, 0), -75);
	assert_int_equal(s_rw(f, fd, access, 0x1000, 1, page, 0), -2);
	assert_int_equal(s_unpin(f, fd, 99, 0), -77);
	assert_int_equal(s_unpin(f, fd, access, 0), -2);
	assert_int_equal(s_replace_ioas(f, fd, 99, ioas), -77);
	assert_int_equal(s_replace_ioas(f, fd, access, 9), -2);
	assert_int_equal(s_replace_ioas(f, fd, access, ioas), 0);
	munmap(page, 0x1000);
}

/* A driver would see other memory than the user gave, or less protection than was asked for. */
static void test_pin_permissions_and_alignment(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x4000);
	uintptr_t va = (uintptr_t)buffer;
	int fd = t_open(f), access;
	uint32_t ioas = t_ioas_alloc(f, fd);
	uint64_t alignment;

	/* While it is attached everything is page aligned. */
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD, va + 0x800, 0x800, 0x9800), 0x9800);
	assert_int_equal(s_access(f, fd, ioas, PIN), -98);
	assert_int_equal(t_unmap(f, fd, ioas, 0x9800, 0x800), 0x800);
	access = s_access(f, fd, ioas, PIN);
	t_ranges(f, fd, ioas, NULL, 0, &alignment);
	assert_int_equal(alignment, 0x1000);

	assert_int_equal(t_map(f, fd, ioas, FIXED | RD, va, 0x2000, 0x10000), 0x10000);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD | WR, va + 0x2000, 0x2000, 0x12000),
			 0x12000);
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x1000, NULL, 1), -1);
	assert_int_equal(s_pin(f, fd, access, 0x10001, 0x1000, NULL, 0), -22);
	assert_int_equal(s_pin(f, fd, access, 0x13000, 0x1001, NULL, 0), -2);
	assert_int_equal(s_pin(f, fd, access, 0x12000, 0x1000, NULL, 1), 0);
	/* Across areas; the number that failed pins is not spent. */
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x3801, buffer, 0), 1);
	assert_int_equal(s_check_refs(f, fd, buffer, 0x2000, 1), 0);
	assert_int_equal(s_check_refs(f, fd, buffer + 0x2000, 0x2000, 1), 0);
	assert_int_equal(t_vm_pin(f), 4);
	/* The frames are compared with those at the address. */
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x1000, buffer + 0x1000, 0), -52);
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x1000, (void *)8, 0), -14);
	assert_int_equal(s_unpin(f, fd, access, 1), 0);
	assert_int_equal(s_unpin(f, fd, access, 1), -2);
	assert_int_equal(s_check_refs(f, fd, buffer, 0x2000, 0), 0);
	assert_int_equal(s_check_refs(f, fd, buffer + 0x2000, 0x1000, 1), 0);
	assert_int_equal(s_check_refs(f, fd, buffer + 0x3000, 0x1000, 0), 0);
	assert_int_equal(ifs_close(f->process, access), 0);
	assert_int_equal(t_vm_pin(f), 0);
	t_ranges(f, fd, ioas, NULL, 0, &alignment);
	assert_int_equal(alignment, 1);
	munmap(buffer, 0x4000);
}

/* Memory would go back to the user while a driver still writes to it. */
static void test_unmap_asks_accesses_to_let_go(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x3000);
	int fd = t_open(f), access, other;
	uint32_t ioas = t_ioas_alloc(f, fd), second = t_ioas_alloc(f, fd);

	access = s_access(f, fd, ioas, PIN);
	other = s_access(f, fd, ioas, PIN);
	/* Each took an id: the next is 5. */
	assert_int_equal(t_ioas_alloc(f, fd), 5);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD | WR, (uintptr_t)buffer, 0x3000, 0x10000),
			 0x10000);
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x1000, buffer, 1), 0);
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x3000, buffer, 0), 1);
	assert_int_equal(s_pin(f, fd, other, 0x11000, 0x1000, NULL, 0), 0);
	assert_int_equal(s_check_refs(f, fd, buffer, 0x3000, 1), 0);
	assert_int_equal(t_destroy(f, fd, ioas), -16);
	assert_int_equal(t_destroy(f, fd, 3), -16);
	/* Too small a range asks nobody. */
	assert_int_equal(t_unmap(f, fd, ioas, 0x10000, 0x1000), -2);
	assert_int_equal(s_unpin(f, fd, access, 0), 0);
	assert_int_equal(t_unmap(f, fd, ioas, 0, MAX64), 0x3000);
	assert_int_equal(s_unpin(f, fd, access, 1), -2);
	assert_int_equal(s_unpin(f, fd, other, 0), -2);
	assert_int_equal(s_check_refs(f, fd, buffer, 0x3000, 0), 0);

	/* Moving to another IOAS drops what was pinned in the old one. */
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD, (uintptr_t)buffer, 0x1000, 0x10000),
			 0x10000);
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x1000, buffer, 0), 2);
	assert_int_equal(s_replace_ioas(f, fd, access, second), 0);
	assert_int_equal(s_unpin(f, fd, access, 2), -2);
	assert_int_equal(s_pin(f, fd, access, 0x10000, 0x1000, NULL, 0), -2);
	assert_int_equal(ifs_close(f->process, other), 0);
	assert_int_equal(t_destroy(f, fd, ioas), 0);
	assert_int_equal(t_destroy(f, fd, second), -16);
	/* The access keeps the context after its last descriptor. */
	assert_int_equal(ifs_close(f->process, fd), 0);
	fixture_check(f);
	munmap(buffer, 0x3000);
}

/* What a driver reads must be what the process wrote, whichever way it goes. */
static void test_rw_reaches_memory_by_every_path(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x4000), out[64];
	int fd = t_open(f), access, memfd;
	uint32_t ioas = t_ioas_alloc(f, fd);
	void *shown;

	access = s_access(f, fd, ioas, 0);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD, (uintptr_t)buffer, 0x1ff0, 0x10000),
			 0x10000);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD | WR, (uintptr_t)buffer + 0x1ff0, 0x2010,
			       0x11ff0), 0x11ff0);
	memset(buffer + 0x1fe0, 0x5a, 64);
	assert_int_equal(s_rw(f, fd, access, 0x11fe0, 64, out, 0), 0);
	assert_memory_equal(out, buffer + 0x1fe0, 64);
	/* Slow: within a page, and across two. */
	memset(out, 0, 64);
	assert_int_equal(s_rw(f, fd, access, 0x11fe0, 16, out, SLOW), 0);
	assert_memory_equal(out, buffer + 0x1fe0, 16);
	memset(out, 0x77, 64);
	assert_int_equal(s_rw(f, fd, access, 0x11ff8, 64, out, SLOW | RW_WRITE), 0);
	assert_memory_equal(buffer + 0x1ff8, out, 64);
	assert_int_equal(t_vm_pin(f), 0);
	assert_int_equal(s_rw(f, fd, access, 0x11fe0, 64, out, RW_WRITE), -1);
	/* Nothing is taken back: bytes before a hole are written. */
	memset(out, 0x11, 64);
	assert_int_equal(s_rw(f, fd, access, 0x13ff0, 64, out, RW_WRITE), -2);
	assert_int_equal(buffer[0x3ff0], 0x11);
	assert_int_equal(buffer[0x3fff], 0x11);

	memfd = ifs_memfd_create(f->process, "m", 0);
	assert_int_equal(ifs_ftruncate(f->process, memfd, 0x2000), 0);
	assert_int_equal(t_map_file(f, fd, ioas, FIXED | RD | WR, memfd, 0, 0x2000, 0x20000),
			 0x20000);
	memset(out, 0x33, 64);
	assert_int_equal(s_rw(f, fd, access, 0x20fe0, 64, out, RW_WRITE), 0);
	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_READ, MAP_SHARED, memfd, 0, &shown), 0);
	assert_memory_equal((uint8_t *)shown + 0xfe0, out, 64);
	munmap(buffer, 0x4000);
	/* Now the address shows nothing. */
	assert_int_equal(s_rw(f, fd, access, 0x12000, 64, out, 0), -14);
	assert_int_equal(s_rw(f, fd, access, 0x12000, 64, out, SLOW), -14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_test_cmd_without_option_is_unknown),
		S(test_test_cmd_sizes_and_operations),
		S(test_access_errors_in_linux_order),
		S(test_pin_permissions_and_alignment),
		S(test_unmap_asks_accesses_to_let_go),
		S(test_rw_reaches_memory_by_every_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
