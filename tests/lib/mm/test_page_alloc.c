/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The page allocator on a machine of 64 MiB (16384 frames), without any layer above it. */
#include "lib/mm/page_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/task.h"
#include "sim/phys_mem.h"

#define RAM_PAGES 16384

struct fixture {
	struct ifs_machine *machine;
	struct kernel_base kernel;
	struct task task;
	struct page_alloc *pages;
};

static int setup(void **state)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 64ull << 20 };
	struct fixture *f = calloc(1, sizeof(*f));

	f->machine = ifs_machine_new(&config, NULL);
	assert_non_null(f->machine);
	kheap_init(&f->kernel.heap, &f->kernel.fail, NULL);
	lockdep_init(&f->kernel.lockdep, 1);
	f->kernel.machine = f->machine;
	f->kernel.mem = machine_phys_mem(f->machine);
	task_enter(&f->task, &f->kernel, "test");
	assert_int_equal(page_alloc_new(&f->kernel, &f->pages), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_null(page_alloc_check(f->pages));
	page_alloc_free(f->pages);
	assert_int_equal(f->kernel.heap.nr_blocks, 0);
	task_leave(&f->task);
	ifs_machine_free(f->machine);
	free(f);
	return 0;
}

static pa_t alloc(struct fixture *f, u64 nr, unsigned order, enum frame_owner owner)
{
	const char *wrong;
	pa_t pa = 1;

	assert_int_equal(pages_alloc(f->pages, nr, order, owner, &pa), 0);
	wrong = page_alloc_check(f->pages);
	if (wrong)
		fail_msg("%s", wrong);
	return pa;
}

static u8 first_byte(struct fixture *f, pa_t pa)
{
	return *(u8 *)phys_mem_ptr(f->kernel.mem, pa, 1);
}

static void test_alloc_first_fit_from_below(void **state)
{
	/* The same calls would give other frames on the next run, and no run could be replayed. */
	struct fixture *f = *state;

	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), 0x1000);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), 0x2000);
	assert_int_equal(alloc(f, 4, 2, FRAME_TABLE), 0x4000);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), 0x3000);
	assert_int_equal(alloc(f, 512, 9, FRAME_MEMFD), 0x200000);
	assert_int_equal(alloc(f, 3, 0, FRAME_KERNEL), 0x8000);
	assert_int_equal(alloc(f, 5, 1, FRAME_KERNEL), 0xc000);
	pages_free(f->pages, 0x2000, 1);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), 0x2000);
	assert_int_equal(pages_count(f->pages, FRAME_TABLE), 4);
	assert_int_equal(pages_count(f->pages, FRAME_MEMFD), 512);
	assert_int_equal(pages_count(f->pages, FRAME_KERNEL), 12);
}

static void test_alloc_unusual_sizes_fit_everywhere(void **state)
{
	/* A hole that is just large enough would be overlooked: memory "runs out" half empty. */
	struct fixture *f = *state;
	pa_t pa;

	assert_int_equal(alloc(f, RAM_PAGES - 1, 0, FRAME_KERNEL), 0x1000);
	assert_int_equal(pages_alloc(f->pages, 1, 0, FRAME_KERNEL, &pa), -ENOMEM);
	pages_free(f->pages, 0x3000, 7);                        /* pfns 3 to 9 */
	assert_int_equal(pages_alloc(f->pages, 8, 0, FRAME_KERNEL, &pa), -ENOMEM);
	assert_int_equal(pages_alloc(f->pages, 7, 1, FRAME_KERNEL, &pa), -ENOMEM);
	assert_int_equal(alloc(f, 7, 0, FRAME_KERNEL), 0x3000);
	pages_free(f->pages, 0x3000, 7);
	assert_int_equal(alloc(f, 6, 1, FRAME_KERNEL), 0x4000);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), 0x3000);
}

static void test_alloc_pfn_0_never(void **state)
{
	/* Physical address 0 means "none" in handed-over records. */
	struct fixture *f = *state;
	pa_t pa;

	assert_int_equal(pages_owner(f->pages, 0), FRAME_KERNEL);
	assert_int_equal(pages_alloc(f->pages, RAM_PAGES, 0, FRAME_KERNEL, &pa), -ENOMEM);
	assert_int_equal(pages_alloc(f->pages, 1, 14, FRAME_KERNEL, &pa), -ENOMEM);
	assert_int_equal(pages_alloc(f->pages, ~0ull, 0, FRAME_KERNEL, &pa), -ENOMEM);
	assert_int_equal(pages_alloc(f->pages, 1, 63, FRAME_KERNEL, &pa), -ENOMEM);
}

static void test_alloc_extent_takes_what_is_there(void **state)
{
	struct fixture *f = *state;
	pa_t pa;
	u64 nr;

	alloc(f, 1, 0, FRAME_KERNEL);
	assert_int_equal(pages_alloc_extent(f->pages, 100, 0, FRAME_MEMFD, &pa, &nr), 0);
	assert_int_equal(pa, 0x2000);
	assert_int_equal(nr, 100);
	alloc(f, 1, 0, FRAME_KERNEL);
	pages_free(f->pages, 0x2000, 100);
	/* The hole of 100 comes first. */
	assert_int_equal(pages_alloc_extent(f->pages, 1000, 0, FRAME_MEMFD, &pa, &nr), 0);
	assert_int_equal(pa, 0x2000);
	assert_int_equal(nr, 100);
	assert_int_equal(pages_alloc_extent(f->pages, 1 << 20, 9, FRAME_MEMFD, &pa, &nr), 0);
	assert_int_equal(pa, 0x200000);
	assert_int_equal(nr, RAM_PAGES - 512);
	assert_int_equal(pages_alloc_extent(f->pages, 512, 9, FRAME_MEMFD, &pa, &nr), -ENOMEM);
}

static void test_alloc_reused_frames_zeroed(void **state)
{
	/* A new process would read an old kernel's secrets, a new table would have entries. */
	struct fixture *f = *state;
	pa_t pa = alloc(f, 2, 0, FRAME_KERNEL);

	memset(phys_mem_ptr(f->kernel.mem, pa, 8192), 0xaa, 8192);
	pages_free(f->pages, pa, 2);
	assert_int_equal(first_byte(f, pa), 0x6b);
	assert_int_equal(alloc(f, 1, 0, FRAME_MEMFD), pa);
	assert_int_equal(first_byte(f, pa), 0);
	assert_int_equal(first_byte(f, pa + 4096), 0x6b);
	assert_int_equal(alloc(f, 1, 0, FRAME_TABLE), pa + 4096);
	assert_int_equal(first_byte(f, pa + 4096), 0);
}

static void test_free_memfd_frames_read_zero(void **state)
{
	/* Frames of a deleted file must not keep host memory. */
	struct fixture *f = *state;
	pa_t pa = alloc(f, 1, 0, FRAME_MEMFD);

	memset(phys_mem_ptr(f->kernel.mem, pa, 4096), 0xaa, 4096);
	pages_free(f->pages, pa, 1);
	assert_int_equal(first_byte(f, pa), 0);
}

static void test_alloc_untouched_memory_not_touched(void **state)
{
	/* A machine of 1 TiB would cost 1 TiB of the host's. */
	struct fixture *f = *state;
	u64 before = phys_mem_resident_bytes(f->kernel.mem);

	pages_free(f->pages, alloc(f, 8192, 0, FRAME_MEMFD), 8192);
	pages_free(f->pages, alloc(f, 8192, 0, FRAME_KERNEL), 8192);
	alloc(f, 8192, 0, FRAME_KERNEL);
	assert_int_equal(phys_mem_resident_bytes(f->kernel.mem), before);
}

static void test_new_on_used_ram_zeroes_what_it_hands_out(void **state)
{
	/* After a kexec the old kernel's bytes are everywhere. */
	struct fixture *f = *state;
	pa_t pa = alloc(f, 4, 0, FRAME_KERNEL);

	memset(phys_mem_ptr(f->kernel.mem, pa, 16384), 0xaa, 16384);
	page_alloc_free(f->pages);
	assert_int_equal(page_alloc_new(&f->kernel, &f->pages), 0);
	assert_int_equal(pages_reserve(f->pages, pa + 4096, 1, FRAME_RESERVED), 0);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), pa);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), pa + 8192);
	assert_int_equal(first_byte(f, pa), 0);
	assert_int_equal(first_byte(f, pa + 4096), 0xaa);
	assert_int_equal(first_byte(f, pa + 8192), 0);
}

static void test_reserve_claim_keep_contents(void **state)
{
	/* A guest's memory would be lost in the handover. */
	struct fixture *f = *state;
	pa_t pa = 0x100000;

	memset(phys_mem_ptr(f->kernel.mem, pa, 8192), 0xcc, 8192);
	assert_int_equal(pages_claim(f->pages, pa, 1, FRAME_MEMFD), -ENOENT);
	assert_int_equal(pages_reserve(f->pages, pa, 2, FRAME_RESERVED), 0);
	assert_int_equal(pages_reserve(f->pages, pa + 4096, 2, FRAME_RESERVED), -EINVAL);
	assert_int_equal(pages_reserve(f->pages, 64ull << 20, 1, FRAME_SCRATCH), -EINVAL);
	assert_int_equal(pages_reserve(f->pages, 0, 1, FRAME_SCRATCH), -EINVAL);
	assert_int_equal(pages_claim(f->pages, pa, 3, FRAME_MEMFD), -ENOENT);
	assert_int_equal(pages_claim(f->pages, pa + 4096, 1, FRAME_MEMFD), 0);
	assert_int_equal(pages_claim(f->pages, pa + 4096, 1, FRAME_MEMFD), -ENOENT);
	assert_true(pages_all_owned(f->pages, pa, 1, FRAME_RESERVED));
	assert_false(pages_all_owned(f->pages, pa, 2, FRAME_RESERVED));
	assert_int_equal(pages_owner(f->pages, pa + 4096), FRAME_MEMFD);
	assert_int_equal(first_byte(f, pa), 0xcc);
	assert_int_equal(first_byte(f, pa + 4096), 0xcc);
	assert_int_equal(pages_claim(f->pages, 1ull << 60, 1, FRAME_MEMFD), -ENOENT);
	assert_int_equal(pages_claim(f->pages, pa, ~0ull, FRAME_MEMFD), -ENOENT);
	pages_set_owner(f->pages, pa, 2, FRAME_KERNEL);
	assert_int_equal(pages_count(f->pages, FRAME_KERNEL), 3);
}

static void test_owner_changes_reach_the_checker(void **state)
{
	/* The DMA checker would judge by yesterday's owner. */
	struct fixture *f = *state;
	pa_t pa = alloc(f, 2, 0, FRAME_TABLE);

	assert_int_equal(dma_check_owner(f->machine, pa), FRAME_TABLE);
	pages_set_owner(f->pages, pa, 1, FRAME_MEMFD);
	assert_int_equal(dma_check_owner(f->machine, pa), FRAME_MEMFD);
	assert_int_equal(dma_check_owner(f->machine, pa + 4096), FRAME_TABLE);
	pages_free(f->pages, pa, 2);
	assert_int_equal(dma_check_owner(f->machine, pa), FRAME_FREE);
	assert_int_equal(dma_check_owner(f->machine, pa + 4096), FRAME_FREE);
	assert_int_equal(dma_check_owner(f->machine, 0), FRAME_KERNEL);
}

static void test_alloc_injected_failure_changes_nothing(void **state)
{
	struct fixture *f = *state;
	pa_t pa = 7;
	u64 nr = 7;

	fail_points_arm(&f->kernel.fail, 1, true);
	assert_int_equal(pages_alloc(f->pages, 1, 0, FRAME_KERNEL, &pa), -ENOMEM);
	assert_int_equal(pages_alloc_extent(f->pages, 1, 0, FRAME_KERNEL, &pa, &nr), -ENOMEM);
	assert_int_equal(pa, 7);
	assert_int_equal(nr, 7);
	assert_int_equal(pages_count(f->pages, FRAME_FREE), RAM_PAGES - 1);
	fail_points_disarm(&f->kernel.fail);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), 0x1000);
}

static void test_free_holes_while_memory_fails(void **state)
{
	/* Freeing every other page splits thousands of ranges; it may not need to be allowed to. */
	struct fixture *f = *state;
	pa_t pa = alloc(f, 16000, 0, FRAME_MEMFD);

	fail_points_arm(&f->kernel.fail, 1, true);
	for (u64 i = 0; i < 16000; i += 2)
		pages_free(f->pages, pa + i * 4096, 1);
	assert_int_equal(f->kernel.fail.fired, false);
	fail_points_disarm(&f->kernel.fail);
	assert_int_equal(pages_count(f->pages, FRAME_MEMFD), 8000);
	assert_null(page_alloc_check(f->pages));
	assert_int_equal(alloc(f, 2, 0, FRAME_KERNEL), pa + 16000 * 4096ull);
	assert_int_equal(alloc(f, 1, 0, FRAME_KERNEL), pa);
}

static void test_free_twice_reported(void **state)
{
	struct fixture *f = *state;
	pa_t pa = alloc(f, 2, 0, FRAME_KERNEL);

	pages_free(f->pages, pa, 1);
	pages_free(f->pages, pa, 2);
	assert_int_equal(f->kernel.nr_reports, 1);
	assert_int_equal(f->kernel.last_rule, IFS_RULE_USE_AFTER_FREE);
	assert_int_equal(pages_count(f->pages, FRAME_FREE), RAM_PAGES - 1);
}

static u64 random_next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* The lowest place in a flat array where the request fits; 0 if none. */
static u64 naive_find(const u8 *owner, u64 nr, unsigned order)
{
	/* First fit goes by the start of the free range, then by the place in it. */
	for (u64 first = 1, last; first < RAM_PAGES; first = last + 1) {
		u64 at;

		last = first;
		if (owner[first] != FRAME_FREE)
			continue;
		while (last + 1 < RAM_PAGES && owner[last + 1] == FRAME_FREE)
			last++;
		at = (first + (1ull << order) - 1) >> order << order;
		if (at + nr - 1 <= last)
			return at;
	}
	return 0;
}

static void test_random_calls_equal_flat_array(void **state)
{
	struct fixture *f = *state;
	u8 *owner = calloc(RAM_PAGES, 1);
	u64 seed = 4;

	owner[0] = FRAME_KERNEL;
	for (int i = 0; i < 20000; i++) {
		u64 at = random_next(&seed) % (RAM_PAGES - 1) + 1, nr = 0, want;
		enum frame_owner who = FRAME_KERNEL + random_next(&seed) % 3;
		unsigned order = random_next(&seed) % 12;
		pa_t pa = 0;
		int err;

		if (random_next(&seed) % 2) {
			nr = random_next(&seed) % 3 ? 1ull << order : random_next(&seed) % 300 + 1;
			want = naive_find(owner, nr, order);
			err = pages_alloc(f->pages, nr, order, who, &pa);
			assert_int_equal(err, want ? 0 : -ENOMEM);
			if (err)
				continue;
			assert_int_equal(pa, want * 4096);
			memset(owner + want, who, nr);
		} else {
			while (at + nr < RAM_PAGES && owner[at + nr] != FRAME_FREE && nr < 900)
				nr++;
			if (!nr)
				continue;
			pages_free(f->pages, at * 4096, nr);
			memset(owner + at, FRAME_FREE, nr);
		}
		assert_int_equal(pages_owner(f->pages, at * 4096), owner[at]);
		if (i % 100 == 0) {
			assert_null(page_alloc_check(f->pages));
			for (u64 pfn = 0; pfn < RAM_PAGES; pfn++)
				assert_int_equal(pages_owner(f->pages, pfn * 4096), owner[pfn]);
		}
	}
	free(owner);
}

#define with_pages(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pages(test_alloc_first_fit_from_below),
		with_pages(test_alloc_unusual_sizes_fit_everywhere),
		with_pages(test_alloc_pfn_0_never),
		with_pages(test_alloc_extent_takes_what_is_there),
		with_pages(test_alloc_reused_frames_zeroed),
		with_pages(test_free_memfd_frames_read_zero),
		with_pages(test_alloc_untouched_memory_not_touched),
		with_pages(test_new_on_used_ram_zeroes_what_it_hands_out),
		with_pages(test_reserve_claim_keep_contents),
		with_pages(test_owner_changes_reach_the_checker),
		with_pages(test_alloc_injected_failure_changes_nothing),
		with_pages(test_free_holes_while_memory_fails),
		with_pages(test_free_twice_reported),
		with_pages(test_random_calls_equal_flat_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
