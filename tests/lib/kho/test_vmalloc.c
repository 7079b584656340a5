/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Arrays of pages, listed in chunks. */
#include "tests/lib/kho/kho_fixture.h"

#include "lib/abi/kho.h"

static void runs_new(struct kho_fixture *fix, struct pfn_runs *runs, u64 nr_pages)
{
	struct kernel_base *kernel = fix->base->kernel;
	pa_t pa;

	assert_int_equal(pages_alloc(kernel->page_alloc, nr_pages, 0, FRAME_KERNEL, &pa), 0);
	assert_int_equal(pfn_runs_add(&kernel->heap, runs, pa, nr_pages), 0);
}

static void runs_free(struct kho_fixture *fix, struct pfn_runs *runs)
{
	for (u32 i = 0; i < runs->nr; i++)
		pages_free(fix->base->kernel->page_alloc, pfn_runs_get(runs, i)->pa,
			   pfn_runs_get(runs, i)->nr_pages);
	pfn_runs_deinit(&fix->base->kernel->heap, runs);
}

/* Linux could not read our array. */
static void test_preserve_one_page_golden_bytes(void **state)
{
	struct kho_fixture *fix = *state;
	struct pfn_runs runs = { 0 };
	struct kho_vmalloc desc;
	const u64 *chunk;

	runs_new(fix, &runs, 1);
	assert_int_equal(kho_preserve_vmalloc_runs(fix->kho, &runs, 1, &desc), 0);
	assert_int_equal(sizeof(desc), 16);
	assert_int_equal(desc.total_pages, 1);
	assert_int_equal(desc.flags, 1);
	assert_int_equal(desc.order, 0);
	chunk = kho_fixture_words(fix, desc.first);
	assert_int_equal(chunk[0], 0);
	assert_int_equal(chunk[1], pfn_runs_get(&runs, 0)->pa);
	assert_int_equal(chunk[2], 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2 + 2);
	kho_unpreserve_vmalloc_runs(fix->kho, &desc);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
	runs_free(fix, &runs);
}

/* A full chunk is always followed by another, even an empty one. */
static void test_preserve_511_pages_has_a_trailing_empty_chunk(void **state)
{
	struct kho_fixture *fix = *state;
	static const u64 cases[][2] = {
		{ 510, 1 }, { 511, 2 }, { 512, 2 }, { 1022, 3 }, { 1023, 3 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pfn_runs runs = { 0 };
		struct kho_vmalloc desc;
		u64 chunks = 0;

		runs_new(fix, &runs, cases[i][0]);
		assert_int_equal(kho_preserve_vmalloc_runs(fix->kho, &runs, cases[i][0], &desc), 0);
		for (pa_t pa = desc.first; pa; pa = kho_fixture_words(fix, pa)[0])
			chunks++;
		assert_int_equal(chunks, cases[i][1]);
		assert_int_equal(kho_nr_preserved_pages(fix->kho), 2 + cases[i][0] + chunks);
		kho_unpreserve_vmalloc_runs(fix->kho, &desc);
		runs_free(fix, &runs);
	}
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
}

static void test_preserve_zero_or_too_many_pages_is_einval(void **state)
{
	struct kho_fixture *fix = *state;
	struct pfn_runs runs = { 0 };
	struct kho_vmalloc desc;

	assert_int_equal(kho_preserve_vmalloc_runs(fix->kho, &runs, 0, &desc), -EINVAL);
	runs_new(fix, &runs, 3);
	assert_int_equal(kho_preserve_vmalloc_runs(fix->kho, &runs, 4, &desc), -EINVAL);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
	runs_free(fix, &runs);
}

static void test_preserve_every_allocation_may_fail(void **state)
{
	struct kho_fixture *fix = *state;
	struct pfn_runs runs = { 0 };
	struct kho_vmalloc desc;
	int err = -ENOMEM;

	runs_new(fix, &runs, 600);
	for (u64 nth = 1; err; nth++) {
		base_fixture_fail_nth(fix->base, nth, false);
		err = kho_preserve_vmalloc_runs(fix->kho, &runs, 600, &desc);
		base_fixture_fail_nth(fix->base, 0, false);
		assert_int_equal(kho_nr_preserved_pages(fix->kho), err ? 2 : 2 + 600 + 2);
	}
	kho_unpreserve_vmalloc_runs(fix->kho, &desc);
	runs_free(fix, &runs);
}

/* The next kernel would lose the list of a guest's pages. */
static void test_restore_gives_the_same_pages_and_frees_the_chunks(void **state)
{
	struct kho_fixture *fix = *state;
	struct pfn_runs runs = { 0 }, back = { 0 };
	struct kho_vmalloc desc;
	pa_t first, second;

	runs_new(fix, &runs, 700);
	kho_fixture_page(fix);
	runs_new(fix, &runs, 400);
	assert_int_equal(runs.nr, 2);
	first = pfn_runs_get(&runs, 0)->pa;
	second = pfn_runs_get(&runs, 1)->pa;
	assert_int_equal(kho_preserve_vmalloc_runs(fix->kho, &runs, 1100, &desc), 0);
	kho_fixture_kexec(fix);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2 + 1100 + 3);
	assert_int_equal(kho_restore_vmalloc_runs(fix->kho, &desc, &back), 0);
	assert_int_equal(back.nr, 2);
	assert_int_equal(pfn_runs_get(&back, 0)->pa, first);
	assert_int_equal(pfn_runs_get(&back, 0)->nr_pages, 700);
	assert_int_equal(pfn_runs_get(&back, 1)->pa, second);
	assert_int_equal(pfn_runs_get(&back, 1)->nr_pages, 400);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	assert_int_equal(pages_owner(fix->base->kernel->page_alloc, desc.first), FRAME_FREE);
	runs_free(fix, &back);
}

static void test_restore_every_allocation_may_fail_and_retry_works(void **state)
{
	struct kho_fixture *fix = *state;
	struct pfn_runs runs = { 0 }, back = { 0 };
	struct kho_vmalloc desc;
	int err = -ENOMEM;

	for (unsigned i = 0; i < 40; i++) {
		runs_new(fix, &runs, 20);
		kho_fixture_page(fix);
	}
	assert_int_equal(kho_preserve_vmalloc_runs(fix->kho, &runs, 800, &desc), 0);
	kho_fixture_kexec(fix);
	for (u64 nth = 1; err; nth++) {
		base_fixture_fail_nth(fix->base, nth, false);
		err = kho_restore_vmalloc_runs(fix->kho, &desc, &back);
		base_fixture_fail_nth(fix->base, 0, false);
		assert_int_equal(kho_nr_unclaimed_pages(fix->kho), err ? 2 + 800 + 2 : 2);
	}
	assert_int_equal(back.nr, 40);
	runs_free(fix, &back);
}

/* Damage in the list would make two owners of a page, or loop for ever. */
static void test_restore_damaged_list_is_refused_without_effect(void **state)
{
	struct kho_fixture *fix = *state;
	struct pfn_runs runs = { 0 }, back = { 0 };
	struct kho_vmalloc desc, bad;
	u64 *chunk, *second, saved;

	runs_new(fix, &runs, 600);
	assert_int_equal(kho_preserve_vmalloc_runs(fix->kho, &runs, 600, &desc), 0);
	kho_fixture_kexec(fix);
	chunk = kho_fixture_words(fix, desc.first);
	second = kho_fixture_words(fix, chunk[0]);

#define REFUSED(d) do { \
	assert_int_equal(kho_restore_vmalloc_runs(fix->kho, &(d), &back), -EINVAL); \
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2 + 600 + 2); } while (0)
	bad = desc;
	bad.total_pages = 599;
	REFUSED(bad);
	bad.total_pages = 601;
	REFUSED(bad);
	bad.total_pages = 0;
	REFUSED(bad);
	bad = desc;
	bad.order = 1;
	REFUSED(bad);
	bad.order = 0xffff;
	REFUSED(bad);
	bad = desc;
	bad.first = 0;
	REFUSED(bad);
	bad.first = 64ull << 20;
	REFUSED(bad);
	bad.first = desc.first + 8;
	REFUSED(bad);
	second[0] = desc.first;         /* a cycle */
	REFUSED(desc);
	second[0] = kho_root_fdt_pa(fix->kho);
	REFUSED(desc);
	second[0] = 0;
	saved = chunk[5];
	chunk[5] = chunk[4];            /* a page twice */
	REFUSED(desc);
	chunk[5] = desc.first;          /* the list itself */
	REFUSED(desc);
	chunk[5] = ~0xfffull;
	REFUSED(desc);
	chunk[5] = 0;
	REFUSED(desc);
	chunk[5] = saved;
	desc.flags = 0xffff;            /* unknown flags pass */
	assert_int_equal(kho_restore_vmalloc_runs(fix->kho, &desc, &back), 0);
	runs_free(fix, &back);
}

#define KHO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, kho_fixture_setup, kho_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KHO_TEST(test_preserve_one_page_golden_bytes),
		KHO_TEST(test_preserve_511_pages_has_a_trailing_empty_chunk),
		KHO_TEST(test_preserve_zero_or_too_many_pages_is_einval),
		KHO_TEST(test_preserve_every_allocation_may_fail),
		KHO_TEST(test_restore_gives_the_same_pages_and_frees_the_chunks),
		KHO_TEST(test_restore_every_allocation_may_fail_and_retry_works),
		KHO_TEST(test_restore_damaged_list_is_refused_without_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
