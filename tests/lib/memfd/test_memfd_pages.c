/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Frames behind memory files: folios, pins, mappings. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <iommufd-sim/proto/memfd.h>

#include "lib/memfd/memfd.h"
#include "tests/harness/base_fixture.h"

#define MIB (1ull << 20)

static struct file *create(struct base_fixture *fix, u32 folio_order, u64 size)
{
	struct memfd_config config = { .folio_order = folio_order };
	struct file *file;

	assert_int_equal(memfd_create_file(fix->kernel, &config, (uintptr_t)"guest", 2, &file), 0);
	assert_int_equal(file->f_op->truncate(file, size), 0);
	return file;
}

static int punch(struct file *file, u64 offset, u64 length)
{
	return file->f_op->fallocate(file, 3, offset, length);
}

static u8 *map(struct base_fixture *fix, struct file *file, u64 length, int prot)
{
	uva_t at = 0;

	assert_int_equal(mm_mmap_file(fix->mm, file, 0, length, prot, MAP_SHARED, &at), 0);
	return (u8 *)(uintptr_t)at;
}

static u64 pages_memfd(struct base_fixture *fix)
{
	return pages_count(fix->kernel->page_alloc, FRAME_MEMFD);
}

static void test_populate_order_9_makes_aligned_folios_and_small_tail(void **state)
{
	/* Large pages would not reach the IOMMU, or be misaligned there. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 9, 4 * MIB + 12288);
	struct memfd *memfd = file_memfd(file);
	struct memfd_extent extent;

	/* One byte brings the whole 2 MiB page. */
	assert_int_equal(memfd_populate(memfd, 600, 1), 0);
	assert_false(memfd_extent_at(memfd, 511, &extent));
	assert_true(memfd_extent_at(memfd, 600, &extent));
	assert_int_equal(extent.index, 600);
	assert_int_equal(extent.nr_pages, 424);
	assert_int_equal(extent.order, 9);
	assert_int_equal((extent.pa - 88 * 4096) % (2 * MIB), 0);
	assert_int_equal(memfd_populate(memfd, 0, 1027), 0);
	assert_true(memfd_extent_at(memfd, 0, &extent));
	assert_int_equal(extent.order, 9);
	assert_true(memfd_extent_at(memfd, 1024, &extent));
	assert_int_equal(extent.order, 0);
	assert_int_equal(extent.nr_pages, 3);
	assert_int_equal(pages_memfd(fix), 1027);
	fput(file);
	assert_int_equal(pages_memfd(fix), 0);
}

static void test_populate_terabyte_file_in_few_extents(void **state)
{
	/* A terabyte guest would take minutes and gigabytes to set up. */
	struct base_fixture *fix = base_fixture_new(1100ull << 30);
	struct file *file = create(fix, 9, 1ull << 40);
	struct memfd *memfd = file_memfd(file);
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct pfn_runs runs = { 0 };

	(void)state;
	assert_int_equal(memfd_pin(memfd, 0, 1ull << 28, &runs), 0);
	assert_true(runs.nr <= 4);
	assert_int_equal(memfd_nr_pinned(memfd), 1ull << 28);
	ifs_machine_get_stats(fix->machine, &stats);
	assert_true(stats.ram_resident_bytes < MIB);
	memfd_unpin(memfd, &runs);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
	fput(file);
	base_fixture_free(fix);
}

static void test_punch_in_large_folio_splits_unless_pinned(void **state)
{
	/* A hole could take a page out of the middle of what a device was given whole. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 9, 4 * MIB);
	struct memfd *memfd = file_memfd(file);
	struct memfd_extent extent;
	struct pfn_runs runs = { 0 };
	u64 at = 2 * MIB + 4096;
	u8 byte = 1;

	assert_int_equal(memfd_populate(memfd, 0, 1024), 0);
	assert_int_equal(memfd_pin(memfd, 700, 1, &runs), 0);
	assert_int_equal(file->f_op->write(file, (uintptr_t)&byte, 1, &at), 1);
	assert_int_equal(punch(file, 4096, 4096), 0);
	assert_int_equal(punch(file, 2 * MIB + 4096, 4096), 0);
	assert_false(memfd_extent_at(memfd, 1, &extent));
	assert_true(memfd_extent_at(memfd, 2, &extent));
	assert_int_equal(extent.order, 0);
	assert_int_equal(extent.nr_pages, 510);
	/* Pinned: still one folio, but zero. */
	assert_true(memfd_extent_at(memfd, 513, &extent));
	assert_int_equal(extent.order, 9);
	at = 2 * MIB + 4096;
	assert_int_equal(file->f_op->read(file, (uintptr_t)&byte, 1, &at), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(pages_memfd(fix), 1023);
	memfd_unpin(memfd, &runs);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
	fput(file);
}

static void test_pin_bounds_are_whole_pages_of_the_file(void **state)
{
	/* IOAS_MAP_FILE would reach past the end of a file. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 2 * 4096 + 100);
	struct memfd *memfd = file_memfd(file);
	struct pfn_runs runs = { 0 };

	assert_int_equal(memfd_pin(memfd, 0, 3, &runs), -EINVAL);
	assert_int_equal(memfd_pin(memfd, 2, 1, &runs), -EINVAL);
	assert_int_equal(memfd_pin(memfd, 0, 0, &runs), -EINVAL);
	assert_int_equal(memfd_pin(memfd, 1, ~0ull, &runs), -EINVAL);
	assert_int_equal(pages_memfd(fix), 0);
	assert_int_equal(memfd_pin(memfd, 1, 1, &runs), 0);
	assert_int_equal(pages_memfd(fix), 1);
	memfd_unpin(memfd, &runs);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
	fput(file);
}

static void test_punch_and_close_leave_pinned_frames_alive(void **state)
{
	/* A device would write into memory that somebody else was given meanwhile. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 4 * 4096);
	struct memfd *memfd = file_memfd(file);
	struct pfn_runs runs = { 0 };
	pa_t pa;

	assert_int_equal(memfd_pin(memfd, 0, 2, &runs), 0);
	pa = pfn_runs_get(&runs, 0)->pa;
	assert_true(ifs_memfd_frames_are(file, 0, 2, pa));
	assert_int_equal(punch(file, 0, 2 * 4096), 0);
	assert_false(ifs_memfd_frames_are(file, 0, 1, pa));
	assert_int_equal(pages_memfd(fix), 2);
	/* Touched again, the file has new frames and the pin the old ones. */
	assert_int_equal(memfd_populate(memfd, 0, 1), 0);
	assert_false(ifs_memfd_frames_are(file, 0, 1, pa));
	assert_int_equal(memfd_nr_pinned(memfd), 0);
	assert_int_equal(user_mem_nr_pins(fix->kernel), 2);
	fput(file);
	assert_int_equal(pages_memfd(fix), 2);
	frames_unpin(fix->kernel, &runs);
	assert_int_equal(pages_memfd(fix), 0);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
}

static void test_seal_write_is_busy_while_pinned_or_mapped(void **state)
{
	/* A seal that promises no more writes would be given while a device writes. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 4096);
	struct memfd *memfd = file_memfd(file);
	struct pfn_runs runs = { 0 };
	u8 *at;

	assert_int_equal(memfd_pin(memfd, 0, 1, &runs), 0);
	assert_int_equal(memfd_add_seals(memfd, F_SEAL_WRITE), -EBUSY);
	assert_int_equal(memfd_add_seals(memfd, F_SEAL_EXEC), -EBUSY);
	memfd_unpin(memfd, &runs);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
	at = map(fix, file, 4096, PROT_READ);   /* may become writable */
	assert_int_equal(memfd_add_seals(memfd, F_SEAL_WRITE), -EBUSY);
	assert_int_equal(memfd_add_seals(memfd, F_SEAL_FUTURE_WRITE), 0);
	assert_int_equal(mm_mprotect(fix->mm, (uintptr_t)at, 4096, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mm_munmap(fix->mm, (uintptr_t)at, 4096), 0);
	assert_int_equal(memfd_add_seals(memfd, F_SEAL_WRITE), 0);
	assert_int_equal(memfd_seals(memfd), 0x18);
	fput(file);
}

static void test_mmap_of_sealed_file_stays_read_only(void **state)
{
	/* mprotect() would undo a seal. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 4096);
	uva_t at;
	u8 *ro;

	assert_int_equal(memfd_add_seals(file_memfd(file), F_SEAL_FUTURE_WRITE), 0);
	assert_int_equal(mm_mmap_file(fix->mm, file, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
				      &at), -EPERM);
	ro = map(fix, file, 4096, PROT_READ);
	assert_int_equal(mm_mprotect(fix->mm, (uintptr_t)ro, 4096, PROT_WRITE), -EACCES);
	assert_int_equal(mm_mprotect(fix->mm, (uintptr_t)ro, 8192, PROT_READ), -ENOMEM);
	assert_int_equal(memfd_add_seals(file_memfd(file), F_SEAL_WRITE), 0);
	assert_int_equal(ro[4095], 0);
	assert_int_equal(mm_munmap(fix->mm, (uintptr_t)ro, 4096), 0);
	fput(file);
}

static void test_mmap_shows_file_and_follows_changes(void **state)
{
	/* A VMM's view of guest memory would differ from what devices see. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 2 * 4096);
	u8 *at = map(fix, file, 4 * 4096, PROT_READ | PROT_WRITE), byte = 0x42;
	u64 pos = 4096;

	assert_int_equal(file->f_op->write(file, (uintptr_t)&byte, 1, &pos), 1);
	assert_int_equal(at[4096], 0x42);
	at[1] = 0x24;
	pos = 1;
	assert_int_equal(file->f_op->read(file, (uintptr_t)&byte, 1, &pos), 1);
	assert_int_equal(byte, 0x24);
	assert_int_equal(punch(file, 0, 4096), 0);
	assert_int_equal(at[1], 0);
	/* Beyond the end there is nothing, until the file grows. */
	assert_int_equal(copy_to_user((uintptr_t)at + 2 * 4096, &byte, 1), -EFAULT);
	assert_int_equal(file->f_op->truncate(file, 3 * 4096), 0);
	at[2 * 4096] = 7;
	assert_int_equal(file->f_op->truncate(file, 4096), 0);
	assert_int_equal(copy_to_user((uintptr_t)at + 4096, &byte, 1), -EFAULT);
	assert_int_equal(pages_memfd(fix), 1);
	assert_null(user_mem_check(fix->kernel));
	fput(file);                     /* the mapping keeps it */
	at[5] = 1;
	assert_int_equal(mm_munmap(fix->mm, (uintptr_t)at, 4 * 4096), 0);
	assert_int_equal(pages_memfd(fix), 0);
}

static void test_munmap_middle_splits_mapping(void **state)
{
	/* The rest of a mapping would vanish with a part of it. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 4 * 4096);
	u8 *at = map(fix, file, 4 * 4096, PROT_READ | PROT_WRITE), byte = 1;
	struct pfn_runs runs = { 0 };

	assert_int_equal(mm_munmap(fix->mm, (uintptr_t)at + 4096, 4096), 0);
	at[0] = 1;
	at[2 * 4096] = 3;
	assert_int_equal(copy_to_user((uintptr_t)at + 4096, &byte, 1), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, (uintptr_t)at, 4, true, &runs), -EFAULT);
	assert_int_equal(memfd_add_seals(file_memfd(file), F_SEAL_WRITE), -EBUSY);
	assert_null(user_mem_check(fix->kernel));
	assert_int_equal(mm_munmap(fix->mm, (uintptr_t)at, 4 * 4096), 0);
	assert_int_equal(memfd_add_seals(file_memfd(file), F_SEAL_WRITE), 0);
	fput(file);
}

static void test_mm_pin_of_mapping_pins_the_files_frames(void **state)
{
	/* Guest memory mapped by address could not be recognised as the memfd's at preserve. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 4 * 4096);
	u8 *at = map(fix, file, 5 * 4096, PROT_READ);
	struct pfn_runs runs = { 0 };

	assert_int_equal(mm_pin(fix->mm, (uintptr_t)at, 4, true, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, (uintptr_t)at, 5, false, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, (uintptr_t)at + 4096, 2, false, &runs), 0);
	assert_int_equal(runs.nr, 1);
	assert_true(ifs_memfd_frames_are(file, 1, 2, pfn_runs_get(&runs, 0)->pa));
	assert_int_equal(memfd_nr_pinned(file_memfd(file)), 2);
	assert_int_equal(mm_munmap(fix->mm, (uintptr_t)at, 5 * 4096), 0);
	fput(file);
	assert_int_equal(pages_memfd(fix), 2);
	mm_unpin(fix->mm, (uintptr_t)at + 4096, 2, &runs);
	assert_int_equal(pages_memfd(fix), 0);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
}

static void test_fork_child_sees_and_pins_the_same_frames(void **state)
{
	/* A child's device would get memory of its own instead of the shared guest. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 4096);
	u8 *at = map(fix, file, 4096, PROT_READ | PROT_WRITE);
	struct pfn_runs runs = { 0 };
	struct mm *child;

	assert_int_equal(mm_new(fix->kernel, 2, 1 << 20, &child), 0);
	assert_int_equal(mm_fork(fix->mm, child), 0);
	assert_int_equal(mm_munmap(fix->mm, (uintptr_t)at, 4096), 0);
	at[0] = 1;
	assert_int_equal(mm_pin(child, (uintptr_t)at, 1, true, &runs), 0);
	assert_true(ifs_memfd_frames_are(file, 0, 1, pfn_runs_get(&runs, 0)->pa));
	mm_unpin(child, (uintptr_t)at, 1, &runs);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
	mm_put(child);
	assert_int_equal(memfd_add_seals(file_memfd(file), F_SEAL_WRITE), 0);
	fput(file);
}

static void test_mmap_and_pin_allocation_failures_change_nothing(void **state)
{
	/* A failed mmap() or map ioctl would leave mappings, pages or pins. */
	struct base_fixture *fix = *state;
	struct file *file = create(fix, 0, 8 * 4096);

	for (u64 nth = 1;; nth++) {
		struct pfn_runs runs = { 0 };
		bool fired;
		uva_t at;
		int err;

		base_fixture_fail_nth(fix, nth, false);
		err = mm_mmap_file(fix->mm, file, 0, 8 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
				   &at);
		if (!err) {
			err = mm_pin(fix->mm, at, 8, true, &runs);
			assert_int_equal(err ? 0 : 8, user_mem_nr_pins(fix->kernel));
			if (!err)
				mm_unpin(fix->mm, at, 8, &runs);
			pfn_runs_deinit(&fix->kernel->heap, &runs);
			fired = fix->kernel->fail.fired;
			base_fixture_fail_nth(fix, 0, false);
			assert_int_equal(mm_munmap(fix->mm, at, 8 * 4096), 0);
		} else {
			fired = fix->kernel->fail.fired;
			base_fixture_fail_nth(fix, 0, false);
			assert_int_equal(pages_memfd(fix), 0);
		}
		assert_null(user_mem_check(fix->kernel));
		assert_int_equal(punch(file, 0, 8 * 4096), 0);
		if (!fired) {
			assert_int_equal(err, 0);
			assert_true(nth > 3);
			break;
		}
		assert_true(!err || err == -ENOMEM);
	}
	assert_int_equal(memfd_add_seals(file_memfd(file), F_SEAL_WRITE), 0);
	fput(file);
}

#define FIX_TEST(t) cmocka_unit_test_setup_teardown(t, base_fixture_setup, base_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIX_TEST(test_populate_order_9_makes_aligned_folios_and_small_tail),
		cmocka_unit_test(test_populate_terabyte_file_in_few_extents),
		FIX_TEST(test_punch_in_large_folio_splits_unless_pinned),
		FIX_TEST(test_pin_bounds_are_whole_pages_of_the_file),
		FIX_TEST(test_punch_and_close_leave_pinned_frames_alive),
		FIX_TEST(test_seal_write_is_busy_while_pinned_or_mapped),
		FIX_TEST(test_mmap_of_sealed_file_stays_read_only),
		FIX_TEST(test_mmap_shows_file_and_follows_changes),
		FIX_TEST(test_munmap_middle_splits_mapping),
		FIX_TEST(test_mm_pin_of_mapping_pins_the_files_frames),
		FIX_TEST(test_fork_child_sees_and_pins_the_same_frames),
		FIX_TEST(test_mmap_and_pin_allocation_failures_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
