/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, an invalidation would drop too much unseen, or leave a dead translation. */
#include "sim/iotlb.h"

#include "sim/machine_internal.h"
#include "tests/sim/sim_test.h"

static void fill(struct sim_test *t, u32 domain_id, iova_t iova, u32 level, pa_t pa)
{
	struct walk walk = { .pa = pa, .level = level, .access = 3,
			     .path_pa = { 0x100000, 0x101000, 0x102000, 0x103000 } };

	iotlb_fill(t->hw, domain_id, iova, &walk);
}

static bool has(struct sim_test *t, u32 domain_id, iova_t iova)
{
	return iotlb_lookup(t->hw, domain_id, iova);
}

static void test_lookup_is_tagged_by_domain_and_size(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x1234, 0, 0xabc234);
	fill(t, 5, 0x40000000, 2, 0x80000000);
	assert_int_equal(iotlb_lookup(t->hw, 5, 0x1fff)->pa, 0xabc000);
	assert_int_equal(iotlb_lookup(t->hw, 5, 0x7fffffff)->pa, 0x80000000);
	assert_false(has(t, 6, 0x1fff));
	assert_false(has(t, 5, 0x2000));
	assert_false(has(t, 5, 0x80000000));
}

static void test_invalidate_page_takes_that_page_only(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x1000, 0, 0xa000);
	fill(t, 5, 0x2000, 0, 0xb000);
	fill(t, 6, 0x1000, 0, 0xc000);
	iommu_hw_write(t->hw, 0x100, 0x1000);
	iommu_hw_write(t->hw, 0x108, 0xb000000500000000);
	assert_false(has(t, 5, 0x1000));
	assert_true(has(t, 5, 0x2000));
	assert_true(has(t, 6, 0x1000));
}

static void test_invalidate_page_takes_larger_leaf_around_it(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x200000, 1, 0x600000);
	fill(t, 5, 0x40000000, 2, 0x80000000);
	iotlb_invalidate_pages(t->hw, 5, 0x3ff000, 0);
	assert_false(has(t, 5, 0x200000));
	assert_true(has(t, 5, 0x40000000));
	iotlb_invalidate_pages(t->hw, 5, 0x7ffff000, 0);
	assert_false(has(t, 5, 0x40000000));
}

static void test_invalidate_range_is_naturally_aligned(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x3000, 0, 0xa000);
	fill(t, 5, 0x4000, 0, 0xb000);
	fill(t, 5, 0x7000, 0, 0xc000);
	fill(t, 5, 0x8000, 0, 0xd000);
	iotlb_invalidate_pages(t->hw, 5, 0x6000, 2);    /* 0x4000 .. 0x7fff */
	assert_true(has(t, 5, 0x3000));
	assert_false(has(t, 5, 0x4000));
	assert_false(has(t, 5, 0x7000));
	assert_true(has(t, 5, 0x8000));
}

static void test_invalidate_huge_range_takes_all_of_the_domain(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x3000, 0, 0xa000);
	fill(t, 5, 0x7fffffffe000, 0, 0xb000);
	fill(t, 6, 0x3000, 0, 0xc000);
	iotlb_invalidate_pages(t->hw, 5, 0, 36);
	assert_false(has(t, 5, 0x3000));
	assert_false(has(t, 5, 0x7fffffffe000));
	assert_true(has(t, 6, 0x3000));
	iotlb_invalidate_pages(t->hw, 6, ~0ull, 63);
	assert_false(has(t, 6, 0x3000));
}

static void test_invalidate_domain_and_global(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x3000, 0, 0xa000);
	fill(t, 6, 0x203000, 1, 0x200000);
	fill(t, 7, 0x5000, 0, 0xb000);
	iommu_hw_write(t->hw, 0x108, 0xa000000500000000);
	assert_false(has(t, 5, 0x3000));
	assert_true(has(t, 6, 0x203000));
	iommu_hw_write(t->hw, 0x108, 0x9000000000000000);
	assert_false(has(t, 6, 0x203000));
	assert_false(has(t, 7, 0x5000));
	assert_int_equal(iommu_hw_read(t->hw, 0x108) >> 63, 0);
}

static void test_invalidate_without_ivt_does_nothing(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x3000, 0, 0xa000);
	iommu_hw_write(t->hw, 0x108, 0x1000000000000000);
	assert_true(has(t, 5, 0x3000));
}

static void test_fill_replaces_same_slot(void **state)
{
	struct sim_test *t = *state;

	fill(t, 5, 0x1000, 0, 0xa000);
	fill(t, 5, 0x1000 + 256 * 0x1000, 0, 0xb000);   /* 256 entries, direct mapped */
	assert_false(has(t, 5, 0x1000));
	assert_true(has(t, 5, 0x101000));
	assert_int_equal(t->machine->state->iommus[0].iotlb_live[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_lookup_is_tagged_by_domain_and_size),
		sim_unit_test(test_invalidate_page_takes_that_page_only),
		sim_unit_test(test_invalidate_page_takes_larger_leaf_around_it),
		sim_unit_test(test_invalidate_range_is_naturally_aligned),
		sim_unit_test(test_invalidate_huge_range_takes_all_of_the_domain),
		sim_unit_test(test_invalidate_domain_and_global),
		sim_unit_test(test_invalidate_without_ivt_does_nothing),
		sim_unit_test(test_fill_replaces_same_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
