/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Block sets: room, order, chains from the previous kernel. */
#include "tests/lib/kho/kho_fixture.h"

#include "lib/kho/block.h"

static u64 marks(struct kho_fixture *fix)
{
	return kho_nr_preserved_pages(fix->kho) - 2;
}

static void fill(struct kho_block_set *bs, u64 nr)
{
	struct kho_block_set_it it;

	assert_int_equal(kho_block_set_grow(bs, nr), 0);
	kho_block_set_it_init(&it, bs);
	for (u64 i = 0; i < nr; i++) {
		u64 *entry = kho_block_set_it_reserve_entry(&it);

		assert_non_null(entry);
		*entry = i;
	}
}

static void test_init_entries_per_block(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;

	kho_block_set_init(&bs, fix->kho, 80);
	assert_int_equal(bs.count_per_block, 51);
	kho_block_set_init(&bs, fix->kho, 64);
	assert_int_equal(bs.count_per_block, 63);
	assert_true(kho_block_set_is_empty(&bs));
}

static void test_grow_and_shrink_at_block_boundaries(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;

	kho_block_set_init(&bs, fix->kho, 64);
	assert_int_equal(kho_block_set_grow(&bs, 0), 0);
	assert_int_equal(bs.nblocks, 0);
	assert_int_equal(kho_block_set_grow(&bs, 63), 0);
	assert_int_equal(bs.nblocks, 1);
	assert_int_equal(kho_block_set_grow(&bs, 64), 0);
	assert_int_equal(bs.nblocks, 2);
	assert_int_equal(marks(fix), 2);
	assert_int_not_equal(kho_fixture_words(fix, bs.head_pa)[0], 0);
	kho_block_set_shrink(&bs, 64);
	assert_int_equal(bs.nblocks, 2);
	kho_block_set_shrink(&bs, 63);
	assert_int_equal(bs.nblocks, 1);
	assert_int_equal(kho_fixture_words(fix, bs.head_pa)[0], 0);
	kho_block_set_shrink(&bs, 1);
	assert_int_equal(bs.nblocks, 1);
	kho_block_set_shrink(&bs, 0);
	assert_int_equal(bs.nblocks, 0);
	assert_int_equal(bs.head_pa, 0);
	assert_int_equal(marks(fix), 0);
}

static void test_grow_out_of_memory_keeps_the_old_size(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;
	int err = -ENOMEM;

	kho_block_set_init(&bs, fix->kho, 64);
	assert_int_equal(kho_block_set_grow(&bs, 63), 0);
	for (u64 nth = 1; err; nth++) {
		base_fixture_fail_nth(fix->base, nth, false);
		err = kho_block_set_grow(&bs, 63 * 4);
		base_fixture_fail_nth(fix->base, 0, false);
		assert_int_equal(bs.nblocks, err ? 1 : 4);
		assert_int_equal(marks(fix), err ? 1 : 4);
	}
	kho_block_set_destroy(&bs);
}

static void test_grow_beyond_10000_blocks_is_enospc(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;

	kho_block_set_init(&bs, fix->kho, 4080);
	assert_int_equal(kho_block_set_grow(&bs, 10000), 0);
	assert_int_equal(kho_block_set_grow(&bs, 10001), -ENOSPC);
	assert_int_equal(bs.nblocks, 10000);
	kho_block_set_destroy(&bs);
	assert_int_equal(kho_block_set_grow(&bs, 10001), -ENOSPC);
	assert_int_equal(bs.nblocks, 0);
	assert_int_equal(marks(fix), 0);
}

static void test_iterator_reserve_read_prev(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set_it it;
	struct kho_block_set bs;

	kho_block_set_init(&bs, fix->kho, 64);
	kho_block_set_it_init(&it, &bs);
	assert_null(kho_block_set_it_reserve_entry(&it));
	assert_null(kho_block_set_it_read_entry(&it));
	assert_null(kho_block_set_it_prev(&it));
	fill(&bs, 70);
	assert_int_equal(kho_fixture_words(fix, bs.head_pa)[1], 63);
	assert_int_equal(kho_fixture_words(fix, kho_fixture_words(fix, bs.head_pa)[0])[1], 7);
	kho_block_set_it_init(&it, &bs);
	for (u64 i = 0; i < 70; i++)
		assert_int_equal(*(u64 *)kho_block_set_it_read_entry(&it), i);
	assert_null(kho_block_set_it_read_entry(&it));
	for (u64 i = 70; i--;)
		assert_int_equal(*(u64 *)kho_block_set_it_prev(&it), i);
	assert_null(kho_block_set_it_prev(&it));
	kho_block_set_it_init(&it, &bs);
	for (unsigned i = 0; i < 126; i++)
		assert_non_null(kho_block_set_it_reserve_entry(&it));
	assert_null(kho_block_set_it_reserve_entry(&it));
	kho_block_set_clear(&bs);
	assert_int_not_equal(kho_fixture_words(fix, bs.head_pa)[0], 0);
	for (unsigned i = 1; i < 512; i++)
		assert_int_equal(kho_fixture_words(fix, bs.head_pa)[i], 0);
	kho_block_set_destroy(&bs);
}

static void test_restore_reads_what_was_written(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set_it it;
	struct kho_block_set bs;
	pa_t head;

	kho_block_set_init(&bs, fix->kho, 64);
	fill(&bs, 64);
	head = bs.head_pa;
	kho_fixture_kexec(fix);
	kho_block_set_init(&bs, fix->kho, 64);
	assert_int_equal(kho_block_set_restore(&bs, head), 0);
	assert_int_equal(bs.nblocks, 2);
	kho_block_set_it_init(&it, &bs);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(*(u64 *)kho_block_set_it_read_entry(&it), i);
	assert_null(kho_block_set_it_read_entry(&it));
	assert_int_equal(kho_block_set_grow(&bs, 1000), -EINVAL);
	kho_block_set_shrink(&bs, 1);
	assert_int_equal(bs.nblocks, 1);
	kho_block_set_destroy(&bs);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	assert_int_equal(pages_owner(fix->base->kernel->page_alloc, head), FRAME_FREE);
	fix->base->expected_reports = 1;        /* growing an incoming set warns */
}

static void test_restore_nothing_is_an_empty_set(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;

	kho_block_set_init(&bs, fix->kho, 64);
	assert_int_equal(kho_block_set_restore(&bs, 0), 0);
	assert_true(kho_block_set_is_empty(&bs));
}

/* A set of @nr blocks, handed over. */
static pa_t chain(struct kho_fixture *fix, u64 nr)
{
	struct kho_block_set bs;

	kho_block_set_init(&bs, fix->kho, 4080);
	fill(&bs, nr);
	kho_fixture_kexec(fix);
	return bs.head_pa;
}

/* The next kernel would read for ever. */
static void test_restore_cycle_is_refused_and_nothing_freed(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;

	for (unsigned length = 1; length <= 5; length++) {
		pa_t head = chain(fix, 5), last = head;

		while (kho_fixture_words(fix, last)[0])
			last = kho_fixture_words(fix, last)[0];
		for (unsigned i = length; i < 5; i++)
			head = kho_fixture_words(fix, head)[0];
		kho_fixture_words(fix, last)[0] = head;
		kho_block_set_init(&bs, fix->kho, 4080);
		assert_int_equal(kho_block_set_restore(&bs, head), -EINVAL);
		assert_int_equal(bs.head_pa, 0);
		assert_true(kho_block_set_is_empty(&bs));
		assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2 + 5);
	}
}

static void test_restore_bad_count_frees_the_whole_chain(void **state)
{
	static const u64 counts[] = { 0, 2, ~0ull };
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		pa_t head = chain(fix, 4), second = kho_fixture_words(fix, head)[0];

		kho_fixture_words(fix, second)[1] = counts[i];
		kho_block_set_init(&bs, fix->kho, 4080);
		assert_int_equal(kho_block_set_restore(&bs, head), -EINVAL);
		assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	}
}

static void test_restore_bad_address_is_refused_and_nothing_freed(void **state)
{
	static const u64 bad[] = { 64ull << 20, ~0ull, 8, 0x3000000 };
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		pa_t head = chain(fix, 3);

		kho_block_set_init(&bs, fix->kho, 4080);
		assert_int_equal(kho_block_set_restore(&bs, bad[i]), -EINVAL);
		kho_fixture_words(fix, kho_fixture_words(fix, head)[0])[0] = bad[i];
		assert_int_equal(kho_block_set_restore(&bs, head), -EINVAL);
		assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2 + 3);
	}
}

/* Two sessions would free each other's records. */
static void test_restore_shared_page_belongs_to_the_first(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set a, b;
	pa_t head = chain(fix, 2);

	kho_block_set_init(&a, fix->kho, 4080);
	kho_block_set_init(&b, fix->kho, 4080);
	assert_int_equal(kho_block_set_restore(&a, head), 0);
	assert_int_equal(kho_block_set_restore(&b, head), -EINVAL);
	kho_block_set_destroy(&a);
}

static void test_restore_10001_blocks_is_enospc(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;
	pa_t head, extra, last;

	kho_block_set_init(&bs, fix->kho, 4080);
	fill(&bs, 10000);
	head = bs.head_pa;
	for (last = head; kho_fixture_words(fix, last)[0]; last = kho_fixture_words(fix, last)[0])
		;
	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 4096, &extra), 0);
	kho_fixture_words(fix, extra)[1] = 1;
	kho_fixture_words(fix, last)[0] = extra;
	kho_fixture_kexec(fix);
	kho_block_set_init(&bs, fix->kho, 4080);
	assert_int_equal(kho_block_set_restore(&bs, head), -ENOSPC);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
}

static void test_restore_every_allocation_may_fail(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_block_set bs;
	int err = -ENOMEM;

	for (u64 nth = 1; err; nth++) {
		pa_t head = chain(fix, 3);

		kho_block_set_init(&bs, fix->kho, 4080);
		base_fixture_fail_nth(fix->base, nth, false);
		err = kho_block_set_restore(&bs, head);
		base_fixture_fail_nth(fix->base, 0, false);
		assert_int_equal(bs.nblocks, err ? 0 : 3);
	}
	kho_block_set_destroy(&bs);
}

#define KHO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, kho_fixture_setup, kho_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KHO_TEST(test_init_entries_per_block),
		KHO_TEST(test_grow_and_shrink_at_block_boundaries),
		KHO_TEST(test_grow_out_of_memory_keeps_the_old_size),
		KHO_TEST(test_grow_beyond_10000_blocks_is_enospc),
		KHO_TEST(test_iterator_reserve_read_prev),
		KHO_TEST(test_restore_reads_what_was_written),
		KHO_TEST(test_restore_nothing_is_an_empty_set),
		KHO_TEST(test_restore_cycle_is_refused_and_nothing_freed),
		KHO_TEST(test_restore_bad_count_frees_the_whole_chain),
		KHO_TEST(test_restore_bad_address_is_refused_and_nothing_freed),
		KHO_TEST(test_restore_shared_page_belongs_to_the_first),
		KHO_TEST(test_restore_10001_blocks_is_enospc),
		KHO_TEST(test_restore_every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
