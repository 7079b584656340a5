/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The handler "memfd-v2": what crosses, byte for byte, and what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/memfd/memfd_luo_internal.h"
#include "tests/lib/kho/kho_fixture.h"

static const struct memfd_config small = { 0 }, large = { .folio_order = 9 };

static struct kernel_base *kernel_of(struct kho_fixture *fix)
{
	return fix->base->kernel;
}

static struct file *create(struct kho_fixture *fix, const struct memfd_config *config, u64 size)
{
	struct file *file;

	kernel_of(fix)->memfd_config = config;
	assert_int_equal(memfd_create_file(kernel_of(fix), config, (uintptr_t)"guest", 2, &file),
			 0);
	assert_int_equal(file->f_op->truncate(file, size), 0);
	return file;
}

static void write_at(struct file *file, u64 at, const char *text)
{
	assert_int_equal(file->f_op->write(file, (uintptr_t)text, strlen(text), &at),
			 strlen(text));
}

static u8 byte_at(struct file *file, u64 at)
{
	u8 byte = 0xee;

	assert_int_equal(file->f_op->read(file, (uintptr_t)&byte, 1, &at), 1);
	return byte;
}

static u64 word(struct kho_fixture *fix, pa_t pa, u64 offset)
{
	u64 value = 0;

	assert_true(phys_mem_read(kernel_of(fix)->mem, pa + offset, &value, 8));
	return value;
}

static void set_word(struct kho_fixture *fix, pa_t pa, u64 offset, u64 value)
{
	assert_true(phys_mem_write(kernel_of(fix)->mem, pa + offset, &value, 8));
}

/* The array page of a file with one: vmalloc descriptor, first chunk, first entry. */
static pa_t array_pa(struct kho_fixture *fix, pa_t ser)
{
	return word(fix, word(fix, ser, 32), 8);
}

static void next_kernel(struct kho_fixture *fix, const struct memfd_config *config)
{
	kho_fixture_kexec(fix);
	kernel_of(fix)->memfd_config = config;
}

static void assert_nothing_left(struct kho_fixture *fix)
{
	/* The old FDT and metadata pages, which nobody claims in Linux either. */
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	assert_int_equal(pages_count(kernel_of(fix)->page_alloc, FRAME_MEMFD), 0);
}

static void test_preserve_writes_the_published_bytes(void **state)
{
	/* Another kernel could not read what this one leaves. */
	struct kho_fixture *fix = *state;
	struct file *file = create(fix, &small, 8192);
	struct liveupdate_file_op_args args = { .file = file };
	u64 marks = kho_nr_preserved_pages(fix->kho);
	struct memfd_extent page;
	pa_t ser, array;

	write_at(file, 4096, "x");
	file->f_pos = 1;
	assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
	assert_true(memfd_frozen(file_memfd(file)));
	ser = args.serialized_data;
	array = array_pa(fix, ser);
	assert_int_equal(word(fix, ser, 0), 1);
	assert_int_equal(word(fix, ser, 8), 8192);
	assert_int_equal(word(fix, ser, 16), 0);
	assert_int_equal(word(fix, ser, 24), 2);
	assert_int_equal(word(fix, ser, 40), 0x0000000100000001ull);
	assert_true(memfd_extent_at(file_memfd(file), 0, &page));
	assert_int_equal(word(fix, array, 0), page.pa >> 12 | 3ull << 52);
	assert_int_equal(word(fix, array, 8), 0);
	assert_true(memfd_extent_at(file_memfd(file), 1, &page));
	assert_int_equal(word(fix, array, 16), page.pa >> 12 | 3ull << 52);
	assert_int_equal(word(fix, array, 24), 1);
	assert_int_equal(word(fix, array, 32), 0);
	/* header + 2 folios + array + chunk */
	assert_int_equal(kho_nr_preserved_pages(fix->kho), marks + 5);
	assert_int_equal(memfd_nr_pinned(file_memfd(file)), 2);
	file->f_pos = 77;
	assert_int_equal(memfd_luo_file_ops.freeze(&args), 0);
	assert_int_equal(word(fix, ser, 0), 77);
	memfd_luo_file_ops.unpreserve(&args);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), marks);
	assert_int_equal(memfd_nr_pinned(file_memfd(file)), 0);
	assert_false(memfd_frozen(file_memfd(file)));
	fput(file);
}

static void test_retrieve_gives_content_size_position_and_seals(void **state)
{
	/* A guest would wake up in other memory than it slept in. */
	struct kho_fixture *fix = *state;
	struct file *file = create(fix, &large, (6ull << 20) + 12345);
	struct liveupdate_file_op_args args = { .file = file };

	assert_int_equal(memfd_add_seals(file_memfd(file), 0x6), 0);
	assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
	write_at(file, 100, "first");
	write_at(file, (6ull << 20) + 12340, "last!");
	file->f_pos = 4242;
	assert_int_equal(memfd_luo_file_ops.freeze(&args), 0);
	next_kernel(fix, &large);
	args.file = NULL;
	assert_int_equal(memfd_luo_file_ops.retrieve(&args), 0);
	assert_non_null(args.file);
	assert_int_equal(memfd_size(file_memfd(args.file)), (6ull << 20) + 12345);
	assert_int_equal(args.file->f_pos, 4242);
	assert_int_equal(args.file->f_flags, 0x8002);
	assert_string_equal(args.file->name, "/ (deleted)");
	assert_int_equal(memfd_seals(file_memfd(args.file)), 0x6);
	assert_int_equal(byte_at(args.file, 100), 'f');
	assert_int_equal(byte_at(args.file, 99), 0);
	assert_int_equal(byte_at(args.file, (6ull << 20) + 12344), '!');
	args.retrieve_status = 1;
	memfd_luo_file_ops.finish(&args);
	fput(args.file);
	assert_nothing_left(fix);
}

static void test_retrieve_noexec_seal_comes_back_0x3e(void **state)
{
	/* A known oddity of 7.3 that programs meet: the file returns write-sealed. */
	struct kho_fixture *fix = *state;

	for (int fixed = 0; fixed <= 1; fixed++) {
		struct liveupdate_file_op_args args = { 0 };
		u64 size, blocks;
		u32 mode;

		kernel_of(fix)->memfd_config = &small;
		assert_int_equal(memfd_create_file(kernel_of(fix), &small, (uintptr_t)"", 8,
						   &args.file), 0);
		assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
		assert_int_equal(word(fix, args.serialized_data, 16), 0x20);
		assert_int_equal(word(fix, args.serialized_data, 32), 0);
		next_kernel(fix, &small);
		kernel_of(fix)->fix_bugs = fixed;
		assert_int_equal(memfd_luo_file_ops.retrieve(&args), 0);
		assert_int_equal(memfd_seals(file_memfd(args.file)), fixed ? 0x20 : 0x3e);
		args.file->f_op->stat(args.file, &size, &mode, &blocks);
		assert_int_equal(mode & 0777, fixed ? 0666 : 0777);
		fput(args.file);
		assert_nothing_left(fix);
	}
}

static void test_freeze_takes_the_seals_added_since_if_bugs_are_fixed(void **state)
{
	/* A file that the guest's owner has sealed would come back open. */
	struct kho_fixture *fix = *state;

	for (int fixed = 0; fixed <= 1; fixed++) {
		struct liveupdate_file_op_args args = { .file = create(fix, &small, 4096) };

		kernel_of(fix)->fix_bugs = fixed;
		assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
		assert_int_equal(memfd_add_seals(file_memfd(args.file), 6), 0);
		args.file->f_pos = 7;
		assert_int_equal(memfd_luo_file_ops.freeze(&args), 0);
		next_kernel(fix, &small);
		assert_int_equal(memfd_luo_file_ops.retrieve(&args), 0);
		assert_int_equal(memfd_seals(file_memfd(args.file)), fixed ? 6 : 0);
		assert_int_equal(args.file->f_pos, 7);
		fput(args.file);
		assert_nothing_left(fix);
	}
}

static void test_retrieve_failing_early_leaks_unless_bugs_are_fixed(void **state)
{
	/* The memory of one guest is lost until the next reboot for want of a few bytes. */
	struct kho_fixture *fix = *state;

	for (int fixed = 0; fixed <= 1; fixed++) {
		struct liveupdate_file_op_args args = { .file = create(fix, &small, 8 * 4096) };

		assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
		next_kernel(fix, &small);
		args.file = NULL;
		kernel_of(fix)->fix_bugs = fixed;
		base_fixture_fail_nth(fix->base, 1, false);
		args.retrieve_status = memfd_luo_file_ops.retrieve(&args);
		base_fixture_fail_nth(fix->base, 0, false);
		assert_int_equal(args.retrieve_status, -ENOMEM);
		memfd_luo_file_ops.finish(&args);
		/* Eight pages, the array, its chunk. */
		assert_int_equal(kho_nr_unclaimed_pages(fix->kho), fixed ? 2 : 2 + 10);
	}
}

static void test_finish_without_retrieve_discards_all(void **state)
{
	/* The memory of a guest nobody asked for would be lost until the next reboot. */
	struct kho_fixture *fix = *state;
	struct liveupdate_file_op_args args = { .file = create(fix, &small, 300 * 4096) };

	assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
	next_kernel(fix, &small);
	assert_true(kho_nr_unclaimed_pages(fix->kho) > 300);
	memfd_luo_file_ops.finish(&args);
	assert_nothing_left(fix);
}

/* Preserves 4 pages, changes one word of the array or header, and retrieves. */
static void retrieve_damaged(struct kho_fixture *fix, bool header, u64 offset, u64 value,
			     int expect)
{
	struct liveupdate_file_op_args args = { .file = create(fix, &small, 4 * 4096) };
	struct machine_boot_params params;
	pa_t pa;

	assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
	pa = header ? args.serialized_data : array_pa(fix, args.serialized_data);
	set_word(fix, pa, offset, value);
	kho_fixture_end(fix, &params);
	kho_fixture_begin(fix, &params);
	kernel_of(fix)->memfd_config = &small;
	args.file = NULL;
	assert_int_equal(memfd_luo_file_ops.retrieve(&args), expect);
	assert_null(args.file);
	args.retrieve_status = expect;
	memfd_luo_file_ops.finish(&args);
	assert_int_equal(pages_count(kernel_of(fix)->page_alloc, FRAME_MEMFD), 0);
}

static void test_retrieve_damaged_records_are_refused(void **state)
{
	/* One flipped bit would put a stranger's page into a guest, or crash the new kernel. */
	struct kho_fixture *fix = *state;

	retrieve_damaged(fix, false, 16, 1ull << 51 | 3ull << 52, -EIO);       /* pfn beyond RAM */
	retrieve_damaged(fix, false, 16, 1 | 3ull << 52, -EIO);                /* not preserved */
	retrieve_damaged(fix, false, 24, 0, -EIO);                     /* index twice */
	retrieve_damaged(fix, false, 56, 4, -EIO);                     /* beyond the size */
	retrieve_damaged(fix, false, 56, ~0ull, -EIO);
	retrieve_damaged(fix, true, 16, 0x40, -EOPNOTSUPP);            /* unknown seal */
	retrieve_damaged(fix, true, 24, 257, -EINVAL);                 /* more than there is */
	retrieve_damaged(fix, true, 24, ~0ull, -EINVAL);
	retrieve_damaged(fix, true, 32, 0x1234, -EINVAL);              /* no chunk */
	retrieve_damaged(fix, true, 8, ~0ull, -EINVAL);                /* negative size */
}

static void test_retrieve_record_with_pfn_0_is_a_hole(void **state)
{
	/* The format allows empty records; a reader that stumbles over them is not the format's. */
	struct kho_fixture *fix = *state;
	struct liveupdate_file_op_args args = { .file = create(fix, &small, 2 * 4096) };
	struct memfd_extent extent;

	assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
	set_word(fix, array_pa(fix, args.serialized_data), 0, 3ull << 52);
	next_kernel(fix, &small);
	assert_int_equal(memfd_luo_file_ops.retrieve(&args), 0);
	assert_false(memfd_extent_at(file_memfd(args.file), 0, &extent));
	assert_true(memfd_extent_at(file_memfd(args.file), 1, &extent));
	fput(args.file);
}

static void test_preserve_allocation_failures_change_nothing(void **state)
{
	/* A live update refused for want of memory would leave the guest frozen or pinned. */
	struct kho_fixture *fix = *state;
	struct file *file = create(fix, &small, 600 * 4096);
	struct memfd *memfd = file_memfd(file);
	struct liveupdate_file_op_args args = { .file = file };
	u64 marks = kho_nr_preserved_pages(fix->kho);

	for (u64 nth = 1;; nth++) {
		int err;

		base_fixture_fail_nth(fix->base, nth, false);
		err = memfd_luo_file_ops.preserve(&args);
		if (!kernel_of(fix)->fail.fired) {
			assert_int_equal(err, 0);
			break;
		}
		base_fixture_fail_nth(fix->base, 0, false);
		if (!err) {
			memfd_luo_file_ops.unpreserve(&args);
		} else {
			assert_int_equal(err, -ENOMEM);
			assert_false(memfd_frozen(memfd));
		}
		assert_int_equal(memfd_nr_pinned(memfd), 0);
		assert_int_equal(kho_nr_preserved_pages(fix->kho), marks);
	}
	base_fixture_fail_nth(fix->base, 0, false);
	memfd_luo_file_ops.unpreserve(&args);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), marks);
	fput(file);
}

static void test_terabyte_in_2m_pages_crosses(void **state)
{
	/* The black-out of a large guest would grow with its memory. */
	struct kho_fixture *fix = kho_fixture_new(1100ull << 30);
	struct liveupdate_file_op_args args = { .file = create(fix, &large, 1ull << 40) };
	struct memfd_extent extent;

	(void)state;
	assert_int_equal(memfd_luo_file_ops.preserve(&args), 0);
	assert_int_equal(word(fix, args.serialized_data, 24), 524288);
	next_kernel(fix, &large);
	assert_int_equal(memfd_luo_file_ops.retrieve(&args), 0);
	assert_true(memfd_extent_at(file_memfd(args.file), 0, &extent));
	assert_int_equal(extent.order, 9);
	assert_true(memfd_extent_at(file_memfd(args.file), (1ull << 28) - 1, &extent));
	fput(args.file);
	assert_nothing_left(fix);
	kho_fixture_free(fix);
}

#define FIX_TEST(t) cmocka_unit_test_setup_teardown(t, kho_fixture_setup, kho_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIX_TEST(test_preserve_writes_the_published_bytes),
		FIX_TEST(test_retrieve_gives_content_size_position_and_seals),
		FIX_TEST(test_retrieve_noexec_seal_comes_back_0x3e),
		FIX_TEST(test_freeze_takes_the_seals_added_since_if_bugs_are_fixed),
		FIX_TEST(test_retrieve_failing_early_leaks_unless_bugs_are_fixed),
		FIX_TEST(test_finish_without_retrieve_discards_all),
		FIX_TEST(test_retrieve_damaged_records_are_refused),
		FIX_TEST(test_retrieve_record_with_pfn_0_is_a_hole),
		FIX_TEST(test_preserve_allocation_failures_change_nothing),
		cmocka_unit_test(test_terabyte_in_2m_pages_crosses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
