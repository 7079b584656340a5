/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Marking memory, and taking it over in the next kernel. */
#include "tests/lib/kho/kho_fixture.h"

#include "lib/abi/kho.h"
#include "lib/kho/radix_tree.h"

static bool marked(struct kho_fixture *fix, u64 key)
{
	pa_t node = kho_radix_root_pa(fix->kho);

	for (unsigned level = 5; level; level--) {
		node = kho_fixture_words(fix, node)[key >> ((level - 1) * 9 + 15) & 511];
		if (!node)
			return false;
	}
	return kho_fixture_words(fix, node)[(key & 0x7fff) / 64] >> key % 64 & 1;
}

/* A kernel that has preserved nothing would hand over something, or forget its own state. */
static void test_init_preserves_the_fdt_and_the_metadata(void **state)
{
	struct kho_fixture *fix = *state;
	const u8 *fdt = (const u8 *)kho_fixture_words(fix, kho_root_fdt_pa(fix->kho));

	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
	assert_true(kho_is_preserved(fix->kho, kho_root_fdt_pa(fix->kho)));
	assert_false(kho_is_preserved(fix->kho, kho_radix_root_pa(fix->kho)));
	assert_false(kho_is_incoming(fix->kho));
	assert_int_equal(fdt[6] << 8 | fdt[7], 233);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 0);
}

/* The next kernel could not tell which release was here before. */
static void test_metadata_golden_bytes_and_count(void **state)
{
	struct kho_fixture *fix = *state;
	u64 size;
	pa_t pa;

	for (u8 count = 1; count <= 3; count++) {
		const u8 *blob;

		kho_fixture_kexec(fix);
		assert_int_equal(kho_retrieve_subtree(fix->kho, "kexec-metadata", &pa, &size), 0);
		assert_int_equal(size, 73);
		blob = (const u8 *)kho_fixture_words(fix, pa);
		assert_memory_equal(blob, "\1\0\0\0" "7.3.0-rc7\0", 14);
		for (unsigned i = 14; i < 69; i++)
			assert_int_equal(blob[i], 0);
		assert_int_equal(blob[69], count);
		assert_int_equal(blob[70] | blob[71] | blob[72], 0);
	}
}

/* Restore would look for other blocks than those that were marked. */
static void test_preserve_pages_splits_greedily(void **state)
{
	struct kho_fixture *fix = *state;

	/* pfns 0x1001 to 0x100d: 1, 2, 4, 4 + ... as alignment and the rest allow. */
	assert_int_equal(kho_preserve_pages_pa(fix->kho, 0x1001000, 13), 0);
	assert_true(marked(fix, (1ull << 52) | 0x1001));
	assert_true(marked(fix, (1ull << 51) | 0x1002 >> 1));
	assert_true(marked(fix, (1ull << 50) | 0x1004 >> 2));
	assert_true(marked(fix, (1ull << 50) | 0x1008 >> 2));
	assert_true(marked(fix, (1ull << 51) | 0x100c >> 1));
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2 + 13);
	assert_true(kho_is_preserved(fix->kho, 0x100b000));
	assert_false(kho_is_preserved(fix->kho, 0x100e000));
	kho_unpreserve_pages_pa(fix->kho, 0x1001000, 13);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
	/* pfn 0 is aligned to everything. */
	assert_int_equal(kho_preserve_pages_pa(fix->kho, 0, 512), 0);
	assert_true(marked(fix, 1ull << 43));
	kho_unpreserve_pages_pa(fix->kho, 0, 512);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
	assert_int_equal(kho_preserve_pages_pa(fix->kho, 0x1000, 0), 0);
}

static void test_alloc_preserve_sizes(void **state)
{
	struct kho_fixture *fix = *state;
	pa_t pa;

	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 0, &pa), -EINVAL);
	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 0x400001, &pa), -E2BIG);
	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 0x400000, &pa), 0);
	assert_int_equal(pa & 0x3fffff, 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2 + 1024);
	kho_unpreserve_free_pa(fix->kho, pa + 0x5123);  /* any address inside */
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 4097, &pa), 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2 + 2);
	kho_unpreserve_free_pa(fix->kho, pa);
}

/* A failed call would leave marks, nodes or pages behind. */
static void test_preserve_out_of_memory_changes_nothing(void **state)
{
	struct kho_fixture *fix = *state;
	struct page_alloc *pages = fix->base->kernel->page_alloc;
	u64 free_pages = pages_count(pages, FRAME_FREE);
	int err = -ENOMEM;
	pa_t pa;

	for (u64 nth = 1; err; nth++) {
		base_fixture_fail_nth(fix->base, nth, false);
		err = kho_preserve_pages_pa(fix->kho, 0x1001000, 0x1fff);
		base_fixture_fail_nth(fix->base, 0, false);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(kho_nr_preserved_pages(fix->kho), 2);
		assert_int_equal(pages_count(pages, FRAME_FREE), free_pages);
	}
	kho_unpreserve_pages_pa(fix->kho, 0x1001000, 0x1fff);
	free_pages = pages_count(pages, FRAME_FREE);
	base_fixture_fail_nth(fix->base, 1, false);
	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 4096, &pa), -ENOMEM);
	base_fixture_fail_nth(fix->base, 0, false);
	assert_int_equal(pages_count(pages, FRAME_FREE), free_pages);
}

static void test_preserve_outside_ram_is_refused(void **state)
{
	struct kho_fixture *fix = *state;

	assert_int_equal(kho_preserve_folio_pa(fix->kho, 0x4000000, 0), -EINVAL);
	assert_int_equal(kho_preserve_folio_pa(fix->kho, 0x3fff000, 0), 0);
	assert_int_equal(kho_preserve_folio_pa(fix->kho, 0x3fff000, 1), -EINVAL);
	assert_int_equal(kho_preserve_folios(fix->kho, 0x1000, ~0ull, 0), -EINVAL);
	assert_int_equal(kho_preserve_pages_pa(fix->kho, 0x1234, 1), -EINVAL);
	fix->base->expected_reports = 3;        /* one WARN each; the count is refused before */
}

static void test_preserve_scratch_with_debug_is_einval(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params params;

	/* The only area is the first 4 MiB aligned place: [0x400000, 0x800000). */
	assert_int_equal(kho_preserve_folio_pa(fix->kho, 0x400000, 0), 0);
	kho_unpreserve_folio_pa(fix->kho, 0x400000, 0);
	fix->config.debug = true;
	kho_fixture_end(fix, &params);
	kho_fixture_begin(fix, &params);
	assert_int_equal(kho_preserve_folio_pa(fix->kho, 0x400000, 0), -EINVAL);
	assert_int_equal(kho_preserve_pages_pa(fix->kho, 0x3ff000, 2), -EINVAL);
	assert_int_equal(kho_preserve_pages_pa(fix->kho, 0x3ff000, 1), 0);
	assert_int_equal(kho_preserve_folio_pa(fix->kho, 0x800000, 0), 0);
	fix->base->expected_reports = 2;
}

/* Memory would come back under another order, twice, or not at all. */
static void test_restore_folio_once_with_its_order(void **state)
{
	struct kho_fixture *fix = *state;
	unsigned order = 99;
	pa_t a, b;

	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 0x8000, &a), 0);
	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 0x1000, &b), 0);
	kho_fixture_words(fix, a)[512 * 7] = 0x1234;
	kho_fixture_kexec(fix);
	/* FDT, metadata, 8 pages, 1 page. */
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 11);
	assert_int_equal(pages_owner(fix->base->kernel->page_alloc, a), FRAME_RESERVED);
	assert_true(kho_is_restorable(fix->kho, a, &order));
	assert_int_equal(order, 3);
	assert_false(kho_is_restorable(fix->kho, a + 0x1000, &order));
	assert_int_equal(kho_restore_folio_pa(fix->kho, a, FRAME_MEMFD, &order), 0);
	assert_int_equal(order, 3);
	assert_int_equal(pages_owner(fix->base->kernel->page_alloc, a + 0x7000), FRAME_MEMFD);
	assert_int_equal(kho_fixture_words(fix, a)[512 * 7], 0x1234);
	assert_int_equal(kho_restore_folio_pa(fix->kho, a, FRAME_MEMFD, &order), -ENOENT);
	assert_int_equal(kho_restore_folio_pa(fix->kho, 0x3000000, FRAME_KERNEL, NULL), -ENOENT);
	kho_restore_free_pa(fix->kho, b);
	assert_int_equal(pages_owner(fix->base->kernel->page_alloc, b), FRAME_FREE);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	pages_free(fix->base->kernel->page_alloc, a, 8);
	fix->base->expected_reports = 2;
}

/* What nobody restores must stay away from everybody, and not cross twice. */
static void test_unclaimed_memory_is_dropped_at_the_next_kexec(void **state)
{
	struct kho_fixture *fix = *state;
	pa_t pa;

	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 0x1000, &pa), 0);
	kho_fixture_kexec(fix);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 3);
	kho_fixture_kexec(fix);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	assert_false(kho_is_restorable(fix->kho, pa, NULL));
}

static void test_restore_pages_follows_the_split(void **state)
{
	struct kho_fixture *fix = *state;
	struct page_alloc *pages = fix->base->kernel->page_alloc;
	unsigned order;
	pa_t pa;

	assert_int_equal(pages_alloc(pages, 32, 5, FRAME_KERNEL, &pa), 0);
	assert_int_equal(kho_preserve_pages_pa(fix->kho, pa + 0x3000, 7), 0);   /* 1, 4, 2 */
	kho_fixture_kexec(fix);
	pages = fix->base->kernel->page_alloc;
	assert_true(kho_is_restorable(fix->kho, pa + 0x4000, &order));
	assert_int_equal(order, 2);
	/* A range that cuts a block is refused, and nothing of it is taken. */
	assert_int_equal(kho_restore_pages_pa(fix->kho, pa + 0x3000, 8, FRAME_KERNEL), -ENOENT);
	assert_int_equal(kho_restore_pages_pa(fix->kho, pa + 0x3000, 4, FRAME_KERNEL), -ENOENT);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 9);
	assert_int_equal(kho_restore_pages_pa(fix->kho, pa + 0x3000, 7, FRAME_KERNEL), 0);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	pages_free(pages, pa + 0x3000, 7);
	fix->base->expected_reports = 2;
}

/* A terabyte guest would cost a callback for each of its pages. */
static void test_folios_in_bulk_across_kexec(void **state)
{
	struct kho_fixture *fix = kho_fixture_new(4ull << 40);
	struct page_alloc *pages = fix->base->kernel->page_alloc;
	u64 nr = (1ull << 40) >> 12;
	pa_t small, large;

	assert_int_equal(pages_alloc(pages, nr, 0, FRAME_MEMFD, &small), 0);
	assert_int_equal(pages_alloc(pages, nr, 9, FRAME_MEMFD, &large), 0);
	assert_int_equal(kho_preserve_folios(fix->kho, small, nr, 0), 0);
	assert_int_equal(kho_preserve_folios(fix->kho, large, nr >> 9, 9), 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kho), 2 + 2 * nr);
	kho_fixture_kexec(fix);
	pages = fix->base->kernel->page_alloc;
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2 + 2 * nr);
	assert_int_equal(kho_restore_folios(fix->kho, small, nr, 0, FRAME_MEMFD), 0);
	/* In the middle, then before and behind. */
	assert_int_equal(kho_restore_folios(fix->kho, large + (5ull << 21), 7, 9, FRAME_MEMFD), 0);
	assert_int_equal(kho_restore_folios(fix->kho, large, 5, 9, FRAME_MEMFD), 0);
	assert_int_equal(kho_restore_folios(fix->kho, large, 5, 9, FRAME_MEMFD), -ENOENT);
	assert_int_equal(kho_restore_folios(fix->kho, large + (12ull << 21), (nr >> 9) - 11, 9,
					    FRAME_MEMFD), -ENOENT);
	assert_int_equal(kho_restore_folios(fix->kho, large + (12ull << 21), (nr >> 9) - 12, 9,
					    FRAME_MEMFD), 0);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 2);
	pages_free(pages, small, nr);
	pages_free(pages, large, nr);
	fix->base->expected_reports = 2;
	kho_fixture_free(fix);
	*state = NULL;
}

static void test_subtrees_cross_and_go(void **state)
{
	struct kho_fixture *fix = *state;
	u64 size = 0;
	pa_t pa;

	assert_int_equal(kho_retrieve_subtree(fix->kho, "one", &pa, &size), -ENOENT);
	assert_int_equal(kho_add_subtree(fix->kho, "one", 0x1000, 11), 0);
	assert_int_equal(kho_add_subtree(fix->kho, "one", 0x2000, 11), -EEXIST);
	assert_int_equal(kho_add_subtree(fix->kho, "two", 0x2000, 22), 0);
	kho_remove_subtree(fix->kho, 0x1000);
	kho_remove_subtree(fix->kho, 0x5000);   /* nothing there */
	kho_fixture_kexec(fix);
	assert_true(kho_is_incoming(fix->kho));
	assert_int_equal(kho_retrieve_subtree(fix->kho, "one", &pa, &size), -ENOENT);
	assert_int_equal(kho_retrieve_subtree(fix->kho, "two", NULL, &size), -EINVAL);
	assert_int_equal(kho_retrieve_subtree(fix->kho, "two", &pa, NULL), 0);
	assert_int_equal(kho_retrieve_subtree(fix->kho, "two", &pa, &size), 0);
	assert_int_equal(pa, 0x2000);
	assert_int_equal(size, 22);
}

#define KHO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, kho_fixture_setup, kho_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KHO_TEST(test_init_preserves_the_fdt_and_the_metadata),
		KHO_TEST(test_metadata_golden_bytes_and_count),
		KHO_TEST(test_preserve_pages_splits_greedily),
		KHO_TEST(test_alloc_preserve_sizes),
		KHO_TEST(test_preserve_out_of_memory_changes_nothing),
		KHO_TEST(test_preserve_outside_ram_is_refused),
		KHO_TEST(test_preserve_scratch_with_debug_is_einval),
		KHO_TEST(test_restore_folio_once_with_its_order),
		KHO_TEST(test_unclaimed_memory_is_dropped_at_the_next_kexec),
		KHO_TEST(test_restore_pages_follows_the_split),
		KHO_TEST(test_subtrees_cross_and_go),
		cmocka_unit_test(test_folios_in_bulk_across_kexec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
