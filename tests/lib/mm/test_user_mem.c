/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* User addresses: copying, pinning memory of the program's own, accounting. */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "sim/dma_check.h"
#include "tests/harness/base_fixture.h"

#define WINDOW_PA 0x400000000000ull

static u8 *own_memory(size_t pages, int prot)
{
	void *at = mmap(NULL, pages * 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static uva_t uva(const void *at)
{
	return (uintptr_t)at;
}

static void unpin(struct base_fixture *fix, struct pfn_runs *runs)
{
	mm_unpin(fix->mm, 0, 0, runs);
	pfn_runs_deinit(&fix->kernel->heap, runs);
}

static void test_copy_from_user_bad_pointers_are_efault(void **state)
{
	/* A fuzzer's bad pointer would crash the program instead of failing the call. */
	u8 *memory = own_memory(3, PROT_READ | PROT_WRITE), buf[64] = { 0 };

	memory[4096] = 0x5a;
	assert_int_equal(munmap(memory + 2 * 4096, 4096), 0);
	assert_int_equal(copy_from_user(buf, uva(memory + 4096), 64), 0);
	assert_int_equal(buf[0], 0x5a);
	assert_int_equal(copy_from_user(buf, uva(memory + 2 * 4096 - 64), 64), 0);
	assert_int_equal(copy_from_user(buf, uva(memory + 2 * 4096 - 63), 64), -EFAULT);
	assert_int_equal(copy_from_user(buf, 0, 1), -EFAULT);
	assert_int_equal(copy_from_user(buf, 0, 0), 0);
	assert_int_equal(copy_from_user(buf, 0xffff800000000000ull, 8), -EFAULT);
	assert_int_equal(copy_from_user(buf, ~0ull, 8), -EFAULT);
	assert_int_equal(mprotect(memory, 4096, PROT_READ), 0);
	assert_int_equal(copy_to_user(uva(memory), buf, 1), -EFAULT);
	assert_int_equal(copy_to_user(uva(memory + 4096), "x", 1), 0);
	assert_int_equal(memory[4096], 'x');
	munmap(memory, 2 * 4096);
}

static void test_copy_from_user_trusting_still_refuses_null(void **state)
{
	/* Benches trust their pointers, but a null pointer must not kill them. */
	struct base_fixture *fix = *state;
	u32 value = 7, got = 0;

	mm_set_trusting(fix->mm, true);
	assert_int_equal(copy_from_user(&got, uva(&value), 4), 0);
	assert_int_equal(got, 7);
	assert_int_equal(copy_from_user(&got, 0, 4), -EFAULT);
	assert_int_equal(copy_from_user(&got, 0xfff, 4), -EFAULT);
	assert_int_equal(copy_from_user(&got, 0x8000000000000000ull, 4), -EFAULT);
}

static void test_copy_from_user_ahead_takes_what_is_there(void **state)
{
	/* A command at the end of mapped memory would fail for bytes it does not have. */
	struct base_fixture *fix = *state;
	u8 *memory = own_memory(2, PROT_READ | PROT_WRITE), buf[64] = { 0 };

	assert_int_equal(munmap(memory + 4096, 4096), 0);
	memory[4096 - 8] = 0x5a;
	assert_int_equal(copy_from_user_ahead(buf, uva(memory), 4, 64), 64);
	assert_int_equal(copy_from_user_ahead(buf, uva(memory + 4096 - 8), 4, 64), 8);
	assert_int_equal(buf[0], 0x5a);
	assert_int_equal(copy_from_user_ahead(buf, uva(memory + 4096 - 4), 4, 64), 4);
	assert_int_equal(copy_from_user_ahead(buf, uva(memory + 4096 - 3), 4, 64), 0);
	assert_int_equal(copy_from_user_ahead(buf, uva(memory + 4096), 4, 64), 0);
	assert_int_equal(copy_from_user_ahead(buf, 0, 4, 64), 0);
	assert_int_equal(copy_from_user_ahead(buf, 0x7fffffffeffdull, 4, 64), 0);
	mm_set_trusting(fix->mm, true);
	assert_int_equal(copy_from_user_ahead(buf, uva(memory + 4096 - 8), 4, 64), 4);
	assert_int_equal(copy_from_user_ahead(buf, 0, 4, 64), 0);
	munmap(memory, 4096);
}

static void test_copy_struct_from_user_sizes(void **state)
{
	/*
	 * Old programs with short structures and new ones with long ones could not be told apart.
	 */
	u64 user[40] = { 1, 2, 3 }, kernel[2] = { 9, 9 };

	assert_int_equal(copy_struct_from_user(kernel, 16, uva(user), 8), 0);
	assert_int_equal(kernel[0], 1);
	assert_int_equal(kernel[1], 0);
	assert_int_equal(copy_struct_from_user(kernel, 16, uva(user), 16), 0);
	assert_int_equal(kernel[1], 2);
	assert_int_equal(copy_struct_from_user(kernel, 16, uva(user), 24), -E2BIG);
	user[2] = 0;
	assert_int_equal(copy_struct_from_user(kernel, 16, uva(user), 320), 0);
	user[39] = 1ull << 63;
	assert_int_equal(copy_struct_from_user(kernel, 16, uva(user), 320), -E2BIG);
	assert_int_equal(copy_struct_from_user(kernel, 16, 8, 24), -EFAULT);
}

static void test_pin_own_memory_frame_numbers_depend_on_calls_only(void **state)
{
	/* Where the host puts memory would leak into page tables and traces. */
	struct base_fixture *fix = *state;
	u8 *memory = own_memory(16, PROT_READ | PROT_WRITE);
	struct pfn_runs a = { 0 }, b = { 0 }, c = { 0 };

	assert_int_equal(mm_pin(fix->mm, uva(memory), 1, true, &a), 0);
	assert_int_equal(a.nr, 1);
	assert_int_equal(pfn_runs_get(&a, 0)->pa, WINDOW_PA);
	/* Four more pages: the first is known, three new ones are aligned to four. */
	assert_int_equal(mm_pin(fix->mm, uva(memory), 4, true, &b), 0);
	assert_int_equal(b.nr, 2);
	assert_int_equal(pfn_runs_get(&b, 0)->pa, WINDOW_PA);
	assert_int_equal(pfn_runs_get(&b, 0)->nr_pages, 1);
	assert_int_equal(pfn_runs_get(&b, 1)->pa, WINDOW_PA + 4 * 4096);
	assert_int_equal(pfn_runs_get(&b, 1)->nr_pages, 3);
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA), FRAME_WINDOW);
	unpin(fix, &a);
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA), FRAME_WINDOW);
	unpin(fix, &b);
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA), FRAME_FREE);
	/* Never pinned any more, so it is another frame now. */
	assert_int_equal(mm_pin(fix->mm, uva(memory), 1, true, &c), 0);
	assert_int_equal(pfn_runs_get(&c, 0)->pa, WINDOW_PA + 7 * 4096);
	unpin(fix, &c);
	assert_int_equal(user_mem_nr_pins(fix->kernel), 0);
	assert_null(user_mem_check(fix->kernel));
	munmap(memory, 16 * 4096);
}

static void test_pin_own_memory_device_sees_bytes(void **state)
{
	/* DMA into malloc'ed memory would go nowhere. */
	struct base_fixture *fix = *state;
	u8 *memory = own_memory(2, PROT_READ | PROT_WRITE), byte = 0;
	struct pfn_runs runs = { 0 };

	memory[4096 + 5] = 0x77;
	assert_int_equal(mm_pin(fix->mm, uva(memory), 2, true, &runs), 0);
	assert_true(phys_mem_read(fix->kernel->mem, WINDOW_PA + 4096 + 5, &byte, 1));
	assert_int_equal(byte, 0x77);
	byte = 0x11;
	assert_true(phys_mem_write(fix->kernel->mem, WINDOW_PA + 6, &byte, 1));
	assert_int_equal(memory[6], 0x11);
	unpin(fix, &runs);
	assert_false(phys_mem_read(fix->kernel->mem, WINDOW_PA, &byte, 1));
	munmap(memory, 2 * 4096);
}

static void test_pin_partly_unpinned_window_keeps_rest(void **state)
{
	/* Unmapping half of an area would take the other half's memory from the device. */
	struct base_fixture *fix = *state;
	u8 *memory = own_memory(4, PROT_READ | PROT_WRITE), byte;
	struct pfn_runs runs = { 0 };
	struct pfn_runs middle = { .one = { .pa = WINDOW_PA + 4096, .nr_pages = 2 }, .nr = 1 };

	assert_int_equal(mm_pin(fix->mm, uva(memory), 4, true, &runs), 0);
	mm_unpin(fix->mm, uva(memory) + 4096, 2, &middle);
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA), FRAME_WINDOW);
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA + 4096), FRAME_FREE);
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA + 3 * 4096), FRAME_WINDOW);
	assert_true(phys_mem_read(fix->kernel->mem, WINDOW_PA + 3 * 4096, &byte, 1));
	assert_null(user_mem_check(fix->kernel));
	middle.one = (struct pfn_run){ .pa = WINDOW_PA, .nr_pages = 1 };
	mm_unpin(fix->mm, uva(memory), 1, &middle);
	middle.one.pa = WINDOW_PA + 3 * 4096;
	mm_unpin(fix->mm, uva(memory) + 3 * 4096, 1, &middle);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
	assert_int_equal(user_mem_nr_pins(fix->kernel), 0);
	munmap(memory, 4 * 4096);
}

static void test_pin_bad_memory_is_efault_and_pins_nothing(void **state)
{
	/* IOAS_MAP would accept addresses that GUP refuses, or leave pins after refusing. */
	struct base_fixture *fix = *state;
	u8 *memory = own_memory(4, PROT_READ | PROT_WRITE);
	struct pfn_runs runs = { 0 };

	assert_int_equal(mprotect(memory + 4096, 4096, PROT_READ), 0);
	assert_int_equal(mprotect(memory + 2 * 4096, 4096, PROT_NONE), 0);
	assert_int_equal(munmap(memory + 3 * 4096, 4096), 0);
	assert_int_equal(mm_pin(fix->mm, uva(memory), 2, true, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, uva(memory), 3, false, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, uva(memory + 3 * 4096), 1, false, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, 0, 1, false, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, 0x7ffffffff000ull, 1, false, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, 0xffff888000000000ull, 1, false, &runs), -EFAULT);
	assert_int_equal(mm_pin(fix->mm, 4096, ~0ull >> 12, false, &runs), -EFAULT);
	assert_int_equal(runs.nr, 0);
	assert_int_equal(user_mem_nr_pins(fix->kernel), 0);
	assert_int_equal(mm_pin(fix->mm, uva(memory), 2, false, &runs), 0);
	unpin(fix, &runs);
	munmap(memory, 3 * 4096);
}

static void test_pin_survives_unmap_and_exit(void **state)
{
	/* A device would lose memory that its process merely unmapped. */
	struct base_fixture *fix = *state;
	u8 *memory = own_memory(1, PROT_READ | PROT_WRITE);
	struct pfn_runs runs = { 0 };
	struct mm *mm;

	assert_int_equal(mm_new(fix->kernel, 2, 1 << 20, &mm), 0);
	assert_int_equal(mm_pin(mm, uva(memory), 1, true, &runs), 0);
	mm_get(mm);
	mm_exit(mm);
	mm_put(mm);
	assert_true(mm_is_dead(mm));
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA), FRAME_WINDOW);
	assert_int_equal(mm_pin(mm, uva(memory), 1, true, &runs), -EFAULT);
	mm_unpin(mm, uva(memory), 1, &runs);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
	mm_put(mm);
	munmap(memory, 4096);
}

static void test_pin_allocation_failures_change_nothing(void **state)
{
	/* Half a pin after -ENOMEM would keep frames for ever. */
	struct base_fixture *fix = *state;
	u8 *memory = own_memory(3, PROT_READ | PROT_WRITE);
	struct pfn_runs runs = { 0 }, first = { 0 };
	u64 nth, pins;
	int err;

	/* The very first pin, which needs memory for the trees. */
	base_fixture_fail_nth(fix, 1, false);
	assert_int_equal(mm_pin(fix->mm, uva(memory) + 4096, 1, true, &first), -ENOMEM);
	assert_null(user_mem_check(fix->kernel));
	assert_int_equal(dma_check_owner(fix->machine, WINDOW_PA), FRAME_FREE);
	base_fixture_fail_nth(fix, 0, false);
	assert_int_equal(mm_pin(fix->mm, uva(memory) + 4096, 1, true, &first), 0);
	for (nth = 1;; nth++) {
		pins = user_mem_nr_pins(fix->kernel);
		base_fixture_fail_nth(fix, nth, false);
		err = mm_pin(fix->mm, uva(memory), 3, true, &runs);
		if (!fix->kernel->fail.fired)
			break;
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(runs.nr, 0);
			assert_int_equal(user_mem_nr_pins(fix->kernel), pins);
		} else {
			unpin(fix, &runs);
		}
		assert_null(user_mem_check(fix->kernel));
	}
	base_fixture_fail_nth(fix, 0, false);
	assert_true(nth > 1);
	assert_int_equal(err, 0);
	unpin(fix, &runs);
	unpin(fix, &first);
	munmap(memory, 3 * 4096);
}

static void test_account_modes_against_limits(void **state)
{
	/* RLIMIT_MEMLOCK would not hold, or hold where CAP_IPC_LOCK lifts it. */
	struct base_fixture *fix = *state;
	struct mm *a, *b;

	assert_int_equal(mm_new(fix->kernel, 2, 16 * 4096 + 4095, &a), 0);
	assert_int_equal(mm_new(fix->kernel, 3, 16 * 4096, &b), 0);
	assert_int_equal(mm_account(a, 1000, ACCOUNT_NONE, 100), 0);
	assert_int_equal(mm_account(a, 1000, ACCOUNT_USER, 17), -ENOMEM);
	assert_int_equal(mm_account(a, 1000, ACCOUNT_USER, 10), 0);
	/* The user is charged, whichever process it is. */
	assert_int_equal(mm_account(b, 1000, ACCOUNT_USER, 7), -ENOMEM);
	assert_int_equal(mm_account(b, 1000, ACCOUNT_USER, 6), 0);
	/* Another user starts at nothing, in the same process. */
	assert_int_equal(mm_account(b, 1001, ACCOUNT_USER, 17), -ENOMEM);
	assert_int_equal(mm_account(b, 1001, ACCOUNT_USER, 16), 0);
	mm_unaccount(b, 1001, ACCOUNT_USER, 16);
	assert_int_equal(mm_account(b, 1000, ACCOUNT_MM, 16), 0);
	assert_int_equal(mm_account(b, 1000, ACCOUNT_MM, 1), -ENOMEM);
	/* The limit is that of the moment. */
	mm_set_rlimit_memlock(b, 17 * 4096);
	assert_int_equal(mm_account(b, 1000, ACCOUNT_MM, 1), 0);
	mm_unaccount(b, 1000, ACCOUNT_MM, 1);
	mm_set_rlimit_memlock(b, 16 * 4096);
	assert_int_equal(mm_vm_pin_pages(a), 110);
	assert_int_equal(mm_vm_lck_pages(a), 0);
	assert_int_equal(mm_vm_pin_pages(b), 22);
	assert_int_equal(mm_vm_lck_pages(b), 16);
	mm_exit(b);
	/* The last limit of a process stays when it is gone. */
	assert_int_equal(mm_account(b, 1000, ACCOUNT_MM, 1), -ENOMEM);
	mm_unaccount(b, 1000, ACCOUNT_MM, 16);
	mm_unaccount(b, 1000, ACCOUNT_USER, 6);
	mm_unaccount(a, 1000, ACCOUNT_USER, 10);
	mm_unaccount(a, 1000, ACCOUNT_NONE, 100);
	assert_int_equal(mm_vm_pin_pages(a), 0);
	mm_put(a);
	mm_put(b);
}

static void test_pfn_runs_merge_and_index(void **state)
{
	/* A contiguous gigabyte would be a quarter of a million entries. */
	struct base_fixture *fix = *state;
	struct pfn_runs runs = { 0 };
	u64 contiguous;

	assert_int_equal(pfn_runs_add(&fix->kernel->heap, &runs, 0x1000, 2), 0);
	assert_int_equal(pfn_runs_add(&fix->kernel->heap, &runs, 0x3000, 1), 0);
	assert_int_equal(pfn_runs_add(&fix->kernel->heap, &runs, 0x8000, 4), 0);
	assert_int_equal(runs.nr, 2);
	assert_int_equal(pfn_runs_nr_pages(&runs), 7);
	assert_int_equal(pfn_runs_at(&runs, 2, &contiguous), 0x3000);
	assert_int_equal(contiguous, 1);
	assert_int_equal(pfn_runs_at(&runs, 3, &contiguous), 0x8000);
	assert_int_equal(contiguous, 4);
	pfn_runs_deinit(&fix->kernel->heap, &runs);
}

#define FIX_TEST(t) cmocka_unit_test_setup_teardown(t, base_fixture_setup, base_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIX_TEST(test_copy_from_user_bad_pointers_are_efault),
		FIX_TEST(test_copy_from_user_trusting_still_refuses_null),
		FIX_TEST(test_copy_from_user_ahead_takes_what_is_there),
		FIX_TEST(test_copy_struct_from_user_sizes),
		FIX_TEST(test_pin_own_memory_frame_numbers_depend_on_calls_only),
		FIX_TEST(test_pin_own_memory_device_sees_bytes),
		FIX_TEST(test_pin_partly_unpinned_window_keeps_rest),
		FIX_TEST(test_pin_bad_memory_is_efault_and_pins_nothing),
		FIX_TEST(test_pin_survives_unmap_and_exit),
		FIX_TEST(test_pin_allocation_failures_change_nothing),
		FIX_TEST(test_account_modes_against_limits),
		FIX_TEST(test_pfn_runs_merge_and_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
