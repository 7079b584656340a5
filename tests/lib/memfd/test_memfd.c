/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Memory files: creation, reading and writing, size, holes, seals. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/memfd/memfd.h"
#include "tests/harness/base_fixture.h"

static struct file *create(struct base_fixture *fix, unsigned flags, u32 folio_order)
{
	struct memfd_config config = { .folio_order = folio_order };
	struct file *file;

	assert_int_equal(memfd_create_file(fix->kernel, &config, (uintptr_t)"guest", flags, &file),
			 0);
	return file;
}

static long pwrite_str(struct file *file, const char *text, u64 at)
{
	return file->f_op->write(file, (uintptr_t)text, strlen(text), &at);
}

static long pwrite_bytes(struct file *file, const void *from, u64 length, u64 at)
{
	return file->f_op->write(file, (uintptr_t)from, length, &at);
}

static int truncate_to(struct file *file, u64 size)
{
	return file->f_op->truncate(file, size);
}

static int fallocate_at(struct file *file, int mode, u64 offset, u64 length)
{
	return file->f_op->fallocate(file, mode, offset, length);
}

static u8 byte_at(struct file *file, u64 at)
{
	u8 byte = 0xee;

	assert_int_equal(file->f_op->read(file, (uintptr_t)&byte, 1, &at), 1);
	return byte;
}

static void get_stat(struct file *file, u64 *size, u32 *mode, u64 *blocks)
{
	file->f_op->stat(file, size, mode, blocks);
}

static u64 blocks_of(struct file *file)
{
	u64 size, blocks;
	u32 mode;

	get_stat(file, &size, &mode, &blocks);
	return blocks;
}

static void test_memfd_create_flags_give_seals_and_mode(void **state)
{
	/* A VMM could seal a file that may not be sealed, or not seal one that may. */
	static const struct { unsigned flags; int seals; u32 mode; } cases[] = {
		{ 0x0, 0x01, 0100777 }, { 0x1, 0x01, 0100777 }, { 0x10, 0x01, 0100777 },
		{ 0x2, 0x00, 0100777 }, { 0x12, 0x00, 0100777 },
		{ 0x8, 0x20, 0100666 }, { 0xa, 0x20, 0100666 },
	};
	struct base_fixture *fix = *state;

	for (unsigned i = 0; i < 7; i++) {
		struct file *file = create(fix, cases[i].flags, 0);
		u64 size, blocks;
		u32 mode;

		get_stat(file, &size, &mode, &blocks);
		assert_int_equal(memfd_get_seals(file), cases[i].seals);
		assert_int_equal(mode, cases[i].mode);
		assert_int_equal(size, 0);
		assert_int_equal(blocks, 0);
		assert_string_equal(file->name, "/memfd:guest (deleted)");
		fput(file);
	}
}

static void test_memfd_create_bad_arguments_in_order(void **state)
{
	/* Programs probe for flags by errno: the wrong one hides a feature. */
	struct memfd_config config = { 0 }, strict = { .sysctl_noexec = 2 };
	struct memfd_config scoped = { .sysctl_noexec = 1 };
	struct base_fixture *fix = *state;
	struct file *file = NULL;
	char name[251];
	uva_t uva = (uintptr_t)name;

	memset(name, 'x', 250);
	name[250] = 0;
	assert_int_equal(memfd_create_file(fix->kernel, &config, 0, 0x20, &file), -EINVAL);
	assert_int_equal(memfd_create_file(fix->kernel, &config, 0, 0x18, &file), -EINVAL);
	assert_int_equal(memfd_create_file(fix->kernel, &config, 0, 1u << 26, &file), -EINVAL);
	assert_int_equal(memfd_create_file(fix->kernel, &config, 0, 0, &file), -EFAULT);
	assert_int_equal(memfd_create_file(fix->kernel, &config, uva, 0, &file), -EINVAL);
	assert_int_equal(memfd_create_file(fix->kernel, &strict, uva, 0, &file), -EINVAL);
	assert_int_equal(memfd_create_file(fix->kernel, &strict, uva, 0x10, &file), -EACCES);
	assert_null(file);
	name[249] = 0;
	assert_int_equal(memfd_create_file(fix->kernel, &config, uva, 0, &file), 0);
	fput(file);
	assert_int_equal(memfd_create_file(fix->kernel, &scoped, uva, 0, &file), 0);
	assert_int_equal(memfd_get_seals(file), 0x20);
	fput(file);
	assert_int_equal(memfd_create_file(fix->kernel, &config, uva, 0x4 | 21u << 26, &file),
			 -ENOSYS);
}

static void test_read_write_holes_and_end(void **state)
{
	/* A guest's memory would not hold what was written to it. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 0);
	u8 buf[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
	u64 at = 5;

	assert_int_equal(file->f_op->read(file, (uintptr_t)buf, 8, &at), 0);
	assert_int_equal(pwrite_str(file, "hello", 8190), 5);
	assert_int_equal(memfd_size(file_memfd(file)), 8195);
	assert_int_equal(blocks_of(file), 16);
	at = 8188;
	assert_int_equal(file->f_op->read(file, (uintptr_t)buf, 8, &at), 7);
	assert_memory_equal(buf, "\0\0hello\x09", 8);
	assert_int_equal(at, 8195);
	assert_int_equal(byte_at(file, 0), 0);
	assert_int_equal(blocks_of(file), 16);
	assert_int_equal(pwrite_bytes(file, NULL, 4, 0), -EFAULT);
	assert_int_equal(blocks_of(file), 24);
	assert_int_equal(pwrite_bytes(file, NULL, 0, 0), 0);
	assert_int_equal(pwrite_str(file, "x", 0x7fffffffffffffffull), -EFBIG);
	fput(file);
}

static void test_write_from_missing_memory_extends(void **state)
{
	/* A program that checks the size after -EFAULT would see another file than on Linux. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 0);
	u8 *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(munmap(page + 4096, 4096), 0);
	assert_int_equal(pwrite_bytes(file, page + 4096, 0x3000, 0x5010), -EFAULT);
	assert_int_equal(memfd_size(file_memfd(file)), 0x5010);
	assert_int_equal(blocks_of(file), 8);
	/* The second page would have got the next byte. */
	assert_int_equal(pwrite_bytes(file, page, 0x3000, 0x8000), 0x1000);
	assert_int_equal(memfd_size(file_memfd(file)), 0x9000);
	assert_int_equal(blocks_of(file), 24);
	assert_int_equal(munmap(page, 4096), 0);
	fput(file);
}

static void test_truncate_to_same_size_frees_beyond(void **state)
{
	/* Memory that was allocated beyond the end would be charged although Linux freed it. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 0);

	assert_int_equal(fallocate_at(file, 1, 0, 0x4000), 0);
	assert_int_equal(blocks_of(file), 32);
	assert_int_equal(truncate_to(file, 0), 0);
	assert_int_equal(blocks_of(file), 0);
	assert_int_equal(fallocate_at(file, 1, 0x7fffffffffffd000, 0x2000), 0);
	assert_int_equal(blocks_of(file), 16);
	assert_int_equal(fallocate_at(file, 1, 0x7fffffffffffd000, 0x2001), -EFBIG);
	assert_int_equal(truncate_to(file, 0), 0);
	fput(file);
}

static void test_lseek_data_and_holes(void **state)
{
	/* cp --sparse and QEMU's migration would copy or skip the wrong pages. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 0);
	long (*seek)(struct file *, s64, int) = file->f_op->llseek;

	assert_int_equal(pwrite_str(file, "a", 4096), 1);
	assert_int_equal(truncate_to(file, 5 * 4096), 0);
	assert_int_equal(seek(file, 100, SEEK_SET), 100);
	assert_int_equal(seek(file, 5, SEEK_CUR), 105);
	assert_int_equal(seek(file, -1, SEEK_END), 20479);
	assert_int_equal(seek(file, -1, SEEK_SET), -EINVAL);
	assert_int_equal(file->f_pos, 20479);
	assert_int_equal(seek(file, 0, SEEK_DATA), 4096);
	assert_int_equal(seek(file, 4097, SEEK_DATA), 4097);
	assert_int_equal(seek(file, 8192, SEEK_DATA), -ENXIO);
	assert_int_equal(seek(file, 0, SEEK_HOLE), 0);
	assert_int_equal(seek(file, 4096, SEEK_HOLE), 8192);
	assert_int_equal(seek(file, 20480, SEEK_HOLE), -ENXIO);
	assert_int_equal(seek(file, 0, 9), -EINVAL);
	fput(file);
}

static void test_truncate_zeroes_tail_and_frees_pages(void **state)
{
	/* Bytes cut off would come back when the file grows again. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 0);
	u64 free_before = pages_count(fix->kernel->page_alloc, FRAME_MEMFD);

	assert_int_equal(fallocate_at(file, 0, 0, 3 * 4096), 0);
	assert_int_equal(memfd_size(file_memfd(file)), 12288);
	assert_int_equal(pages_count(fix->kernel->page_alloc, FRAME_MEMFD), free_before + 3);
	assert_int_equal(pwrite_str(file, "abcdef", 4096), 6);
	assert_int_equal(truncate_to(file, 4096 + 3), 0);
	assert_int_equal(blocks_of(file), 16);
	assert_int_equal(truncate_to(file, 12288), 0);
	assert_int_equal(byte_at(file, 4098), 'c');
	assert_int_equal(byte_at(file, 4099), 0);
	assert_int_equal(truncate_to(file, 0), 0);
	assert_int_equal(blocks_of(file), 0);
	assert_int_equal(pages_count(fix->kernel->page_alloc, FRAME_MEMFD), free_before);
	assert_int_equal(truncate_to(file, 1ull << 63), -EINVAL);
	fput(file);
}

static void test_fallocate_modes(void **state)
{
	/* fallocate() would change the size, or keep it, against its flags. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 0);

	assert_int_equal(fallocate_at(file, 1, 4096, 4096), 0);
	assert_int_equal(memfd_size(file_memfd(file)), 0);
	assert_int_equal(blocks_of(file), 8);
	assert_int_equal(fallocate_at(file, 0, 0, 100), 0);
	assert_int_equal(memfd_size(file_memfd(file)), 100);
	assert_int_equal(fallocate_at(file, 2, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(fallocate_at(file, 0x10, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(fallocate_at(file, 0, 0, 0), -EINVAL);
	assert_int_equal(fallocate_at(file, 0, 0x7ffffffffffff000ull, 4096), -EFBIG);
	assert_int_equal(truncate_to(file, 8192), 0);
	assert_int_equal(pwrite_str(file, "0123456789", 4092), 10);
	assert_int_equal(fallocate_at(file, 3, 10, 4085), 0);
	assert_int_equal(byte_at(file, 4094), 0);
	assert_int_equal(byte_at(file, 4095), '3');
	assert_int_equal(blocks_of(file), 16);
	assert_int_equal(fallocate_at(file, 3, 0, 4096), 0);
	assert_int_equal(blocks_of(file), 8);
	assert_int_equal(byte_at(file, 4095), 0);
	assert_int_equal(byte_at(file, 4096), '4');
	fput(file);
}

static void test_seals_refuse_what_they_name(void **state)
{
	/* A sealed guest could be changed by whoever holds a descriptor. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 2, 0);
	int (*seal)(struct file *, unsigned) = file->f_op->add_seals;

	assert_int_equal(truncate_to(file, 8192), 0);
	assert_int_equal(seal(file, 0x40), -EINVAL);
	assert_int_equal(seal(file, 0x2), 0);           /* SHRINK */
	assert_int_equal(truncate_to(file, 4096), -EPERM);
	assert_int_equal(truncate_to(file, 12288), 0);
	assert_int_equal(seal(file, 0x4), 0);           /* GROW */
	assert_int_equal(truncate_to(file, 12289), -EPERM);
	assert_int_equal(truncate_to(file, 12288), 0);
	assert_int_equal(pwrite_str(file, "ab", 12287), -EPERM);
	assert_int_equal(pwrite_str(file, "a", 12287), 1);
	assert_int_equal(fallocate_at(file, 1, 12288, 1), -EPERM);
	assert_int_equal(fallocate_at(file, 3, 0, 4096), 0);
	assert_int_equal(seal(file, 0x10), 0);          /* FUTURE_WRITE */
	assert_int_equal(fallocate_at(file, 3, 0, 4096), -EPERM);
	assert_int_equal(pwrite_str(file, "a", 0), -EPERM);
	assert_int_equal(pwrite_bytes(file, "a", 0, 0), 0);
	assert_int_equal(seal(file, 0x9), 0);           /* WRITE, SEAL */
	assert_int_equal(memfd_get_seals(file), 0x1f);
	assert_int_equal(seal(file, 0), -EPERM);
	assert_int_equal(seal(file, 0x80), -EINVAL);
	file->f_mode = FMODE_READ;
	assert_int_equal(seal(file, 0x80), -EPERM);
	fput(file);
}

static void test_seal_exec_on_executable_implies_others(void **state)
{
	/* After a live update a file sealed 0x20 would come back without 0x3e, as Linux has it. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 2, 0);

	assert_int_equal(file->f_op->add_seals(file, 0x20), 0);
	assert_int_equal(memfd_get_seals(file), 0x3e);
	fput(file);
}

static void test_write_across_size_may_stop_at_2m_boundary_only(void **state)
{
	/* A write to a file that may not grow would be cut elsewhere than Linux cuts it. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 2, 0);
	u8 *buf = calloc(1, 8192);

	assert_int_equal(truncate_to(file, (2ull << 20) + 4096), 0);
	assert_int_equal(file->f_op->add_seals(file, 4), 0);
	/* The chunk below 2 MiB fits, the one above does not. */
	assert_int_equal(pwrite_bytes(file, buf, 8192, (2ull << 20) - 4095), 4095);
	assert_int_equal(pwrite_bytes(file, buf, 8192, 2ull << 20), -EPERM);
	free(buf);
	fput(file);
}

static void test_frozen_keeps_size_and_pages(void **state)
{
	/* A file in the middle of a live update could lose pages that are already recorded. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 2, 0);
	struct memfd *memfd = file_memfd(file);

	assert_int_equal(truncate_to(file, 8192), 0);
	memfd_set_frozen(memfd, true);
	assert_int_equal(truncate_to(file, 8192), 0);
	assert_int_equal(truncate_to(file, 4096), -EPERM);
	assert_int_equal(truncate_to(file, 12288), -EPERM);
	assert_int_equal(fallocate_at(file, 1, 0, 4096), -EPERM);
	assert_int_equal(fallocate_at(file, 3, 0, 4096), -EPERM);
	assert_int_equal(fallocate_at(file, 2, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(pwrite_str(file, "ab", 8191), -EPERM);
	assert_int_equal(pwrite_str(file, "ab", 8190), 2);
	memfd_set_frozen(memfd, false);
	assert_int_equal(truncate_to(file, 4096), 0);
	fput(file);
}

static void test_allocation_failures_change_nothing(void **state)
{
	/* A write that ran out of memory would leave a file half grown, or leak pages. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 0);

	for (u64 nth = 1;; nth++) {
		long n;

		base_fixture_fail_nth(fix, nth, false);
		n = fallocate_at(file, 0, 0, 64 << 12);
		if (!fix->kernel->fail.fired) {
			base_fixture_fail_nth(fix, 0, false);
			assert_int_equal(n, 0);
			break;
		}
		base_fixture_fail_nth(fix, 0, false);
		assert_int_equal(n, -ENOMEM);
		assert_int_equal(blocks_of(file), 0);
		assert_int_equal(memfd_size(file_memfd(file)), 0);
		assert_int_equal(pages_count(fix->kernel->page_alloc, FRAME_MEMFD), 0);
	}
	/* Holes and the end of a file always succeed. */
	base_fixture_fail_nth(fix, 1, true);
	assert_int_equal(fallocate_at(file, 3, 8 << 12, 8 << 12), 0);
	assert_int_equal(truncate_to(file, 4 << 12), 0);
	base_fixture_fail_nth(fix, 0, false);
	assert_int_equal(blocks_of(file), 32);
	fput(file);
}

static void test_write_allocation_failures_leave_no_block(void **state)
{
	/* Each write that ran out of memory would cost the kernel heap for ever. */
	struct base_fixture *fix = *state;
	u64 before = fix->kernel->heap.nr_blocks;
	struct file *file = create(fix, 0, 0);
	bool fired = true;
	long n = 0;

	for (u64 nth = 1; fired; nth++) {
		base_fixture_fail_nth(fix, nth, false);
		n = pwrite_str(file, "abcd", 4094);
		fired = fix->kernel->fail.fired;
		base_fixture_fail_nth(fix, 0, false);
		assert_int_equal(n, fired ? -ENOMEM : 4);
	}
	fput(file);
	assert_int_equal(fix->kernel->heap.nr_blocks, before);
}

static void test_fallocate_beyond_memory_is_enomem_and_gives_all_back(void **state)
{
	/* A guest larger than the machine would take all memory with it. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 9);

	assert_int_equal(fallocate_at(file, 0, 0, 1ull << 40), -ENOMEM);
	assert_int_equal(blocks_of(file), 0);
	assert_int_equal(pages_count(fix->kernel->page_alloc, FRAME_MEMFD), 0);
	fput(file);
}

#define FIX_TEST(t) cmocka_unit_test_setup_teardown(t, base_fixture_setup, base_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIX_TEST(test_memfd_create_flags_give_seals_and_mode),
		FIX_TEST(test_memfd_create_bad_arguments_in_order),
		FIX_TEST(test_read_write_holes_and_end),
		FIX_TEST(test_write_from_missing_memory_extends),
		FIX_TEST(test_truncate_to_same_size_frees_beyond),
		FIX_TEST(test_lseek_data_and_holes),
		FIX_TEST(test_truncate_zeroes_tail_and_frees_pages),
		FIX_TEST(test_fallocate_modes),
		FIX_TEST(test_seals_refuse_what_they_name),
		FIX_TEST(test_seal_exec_on_executable_implies_others),
		FIX_TEST(test_write_across_size_may_stop_at_2m_boundary_only),
		FIX_TEST(test_frozen_keeps_size_and_pages),
		FIX_TEST(test_allocation_failures_change_nothing),
		FIX_TEST(test_write_allocation_failures_leave_no_block),
		FIX_TEST(test_fallocate_beyond_memory_is_enomem_and_gives_all_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
