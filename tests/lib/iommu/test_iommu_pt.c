/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The bytes of page tables and the rules of map and unmap. Expected values were taken from
 * generic_pt run on its own; table addresses there are consecutive, here they are read from the
 * tables.
 */
#include "tests/lib/iommu/iommu_fixture.h"

#define RW (IOMMU_READ | IOMMU_WRITE)
#define PA 0x000ffffffffff000ull

struct path {
	pa_t table[4];          /* by level */
	u64 entry[4];
};

static void walk_path(struct iommu_fixture *fix, const struct iommu_domain *domain, iova_t iova,
		      unsigned to_level, struct path *path)
{
	pa_t table = domain->pt.top_pa;

	memset(path, 0, sizeof(*path));
	for (int level = 3; level >= (int)to_level; level--) {
		path->table[level] = table;
		path->entry[level] = table_entry(fix, table, iova >> (12 + 9 * level) & 511);
		table = path->entry[level] & PA;
	}
}

static int map(struct iommu_domain *domain, iova_t iova, pa_t pa, u64 length, int prot)
{
	return ifs_iommu_map(domain, iova, pa, length, prot, GFP_KERNEL);
}

/* Hardware would read other bits than generic_pt writes. */
static void test_map_4k_vtdss_gives_the_recorded_entries(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);
	struct path path;

	assert_int_equal(map(domain, 0x1000, 0xabc000, 0x1000, RW), 0);
	walk_path(fix, domain, 0x1000, 0, &path);
	assert_int_equal(path.entry[3] & ~PA, 0x3);
	assert_int_equal(path.entry[2] & ~PA, 0x3);
	assert_int_equal(path.entry[1] & ~PA, 0x3);
	assert_int_equal(path.entry[0], 0xabc003);
	assert_int_equal(domain->pt.nr_table_pages, 4);
	assert_int_equal(map(domain, 0x2000, 0x2000, 0x1000, IOMMU_READ), 0);
	assert_int_equal(map(domain, 0x3000, 0x2000, 0x1000, IOMMU_WRITE), 0);
	assert_int_equal(table_entry(fix, path.table[0], 2), 0x2001);
	assert_int_equal(table_entry(fix, path.table[0], 3), 0x2002);
	assert_int_equal(map(domain, 0x40000000, 0x80000000, 0x40000000, RW), 0);
	assert_int_equal(table_entry(fix, path.table[2], 1), 0x80000083);
	iommu_fixture_domain_free(fix, domain);
}

/* Same, for the first-stage format. */
static void test_map_4k_x86_64_gives_the_recorded_entries(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);
	struct path path;

	assert_int_equal(map(domain, 0x1000, 0xabc000, 0x1000, RW), 0);
	walk_path(fix, domain, 0x1000, 0, &path);
	assert_int_equal(path.entry[3] & ~PA, 0x27);
	assert_int_equal(path.entry[2] & ~PA, 0x27);
	assert_int_equal(path.entry[1] & ~PA, 0x27);
	assert_int_equal(path.entry[0], 0xabc067);
	assert_int_equal(map(domain, 0x2000, 0x2000, 0x1000, IOMMU_READ), 0);
	assert_int_equal(table_entry(fix, path.table[0], 2), 0x2025);
	assert_int_equal(map(domain, 0x3000, 0x3000, 0x1000, IOMMU_WRITE), 0);
	assert_int_equal(table_entry(fix, path.table[0], 3), 0x3067);
	assert_int_equal(map(domain, 0x200000, 0x200000, 0x200000, RW), 0);
	assert_int_equal(table_entry(fix, path.table[1], 1), 0x2000e7);
	assert_int_equal(map(domain, 0x40000000, 0x80000000, 0x40000000, RW), 0);
	assert_int_equal(table_entry(fix, path.table[2], 1), 0x800000e7);
	iommu_fixture_domain_free(fix, domain);
}

/* A large page could never replace small ones that were unmapped one by one. */
static void test_map_2m_over_empty_table_frees_it(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);
	struct path path;

	assert_int_equal(map(domain, 0x1000, 0xabc000, 0x1000, RW), 0);
	assert_int_equal(ifs_iommu_unmap(domain, 0x1000, 0x1000), 0x1000);
	assert_int_equal(domain->pt.nr_table_pages, 4);
	assert_int_equal(map(domain, 0, 0x40000000, 0x200000, RW), 0);
	assert_int_equal(domain->pt.nr_table_pages, 3);
	walk_path(fix, domain, 0, 1, &path);
	assert_int_equal(path.entry[1], 0x40000083);
	assert_null(iommu_core_check(fix->kernel->iommu));
	iommu_fixture_domain_free(fix, domain);
}

/* A guest's ragged RAM would be mapped in small pages only, or with pages that overlap. */
static void test_map_ragged_range_uses_largest_pages(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);
	struct path path;

	assert_int_equal(map(domain, 0x1ff000, 0x1ff000, 0x402000, RW), 0);
	walk_path(fix, domain, 0x1ff000, 0, &path);
	assert_int_equal(path.entry[0], 0x1ff003);
	assert_int_equal(table_entry(fix, path.table[1], 1), 0x200083);
	assert_int_equal(table_entry(fix, path.table[1], 2), 0x400083);
	walk_path(fix, domain, 0x600000, 0, &path);
	assert_int_equal(path.entry[0], 0x600003);
	/* The kernel's own boundary case: no large page fits. */
	assert_int_equal(map(domain, 0xfef80000, 0x208b95d000, 0x20000, RW), 0);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0xfef9ffff), 0x208b97cfff);
	iommu_fixture_domain_free(fix, domain);
}

/* Callers tell bad arguments apart by errno, in Linux's order. */
static void test_map_bad_arguments_give_generic_pt_errors(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(map(domain, 0x800, 0x1000, 0x1000, RW), -ENXIO);
	assert_int_equal(map(domain, 0x1000, 0x800, 0x1000, RW), -ENXIO);
	assert_int_equal(map(domain, 0x1000, 0x1000, 0x800, RW), -ENXIO);
	assert_int_equal(map(domain, 0x1000, 0x1000, 0x1800, RW), -ENXIO);
	assert_int_equal(map(domain, 0x1000, 0x1000, 0, RW), -EINVAL);
	assert_int_equal(map(domain, 0xfffffffffffff000, 0x1000, 0x2000, RW), -EOVERFLOW);
	assert_int_equal(map(domain, 0x1000, 1ull << 52, 0x1000, RW), -ERANGE);
	assert_int_equal(map(domain, 0x1000, 1ull << 52, 0, RW), -ERANGE);
	fix->kernel->fix_bugs = true;
	assert_int_equal(map(domain, 0x1000, (1ull << 52) - 4096, 0x2000, RW), -ERANGE);
	fix->kernel->fix_bugs = false;
	/* Linux 7.3 checks the first byte of the physical range only. */
	assert_int_equal(map(domain, 0x1000, (1ull << 52) - 4096, 0x2000, RW), 0);
	assert_int_equal(domain->pt.nr_table_pages, 4);
	iommu_fixture_domain_free(fix, domain);
}

/* The last page could not be mapped, or one beyond could. */
static void test_map_end_of_aperture_vtdss(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(domain->geometry.aperture_end, 0xffffffffffff);
	assert_int_equal(domain->pgsize_bitmap, 0x40201000);
	assert_int_equal(map(domain, 0xfffffffff000, 0x1000, 0x1000, RW), 0);
	assert_int_equal(map(domain, 0x1000000000000, 0x1000, 0x1000, RW), -ERANGE);
	assert_int_equal(map(domain, 0xfffffffff000, 0x1000, 0x2000, RW), -ERANGE);
	iommu_fixture_domain_free(fix, domain);
}

/* Sign extension: the upper half is mappable, the hole is not, and a range may spill into it. */
static void test_map_canonical_halves_x86_64(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(domain->geometry.aperture_end, 0x7fffffffffff);
	assert_int_equal(map(domain, 0xffffffffffffe000, 0x1000, 0x1000, RW), 0);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0xffffffffffffe123), 0x1123);
	assert_int_equal(map(domain, 0x800000000000, 0x1000, 0x1000, RW), -ERANGE);
	fix->kernel->fix_bugs = true;
	assert_int_equal(map(domain, 0x7ffffffff000, 0x10000, 0x2000, RW), -ERANGE);
	fix->kernel->fix_bugs = false;
	/* Linux 7.3 does not see that this leaves the lower half. */
	assert_int_equal(map(domain, 0x7ffffffff000, 0x10000, 0x2000, RW), 0);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0xffff800000000000), 0x11000);
	iommu_fixture_domain_free(fix, domain);
}

/* A failed map would leave half of itself mapped, or take down what was there. */
static void test_map_over_existing_changes_no_leaf(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(map(domain, 0x1000, 0x7000, 0x1000, RW), 0);
	assert_int_equal(map(domain, 0, 0x10000, 0x4000, RW), -EADDRINUSE);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x0), 0);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x1000), 0x7000);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x2000), 0);
	/* A large page over a table with a leaf, a small one under a large one. */
	assert_int_equal(map(domain, 0, 0x200000, 0x200000, RW), -EADDRINUSE);
	assert_int_equal(map(domain, 0x200000, 0x200000, 0x200000, RW), 0);
	assert_int_equal(map(domain, 0x201000, 0x1000, 0x1000, RW), -EADDRINUSE);
	iommu_fixture_domain_free(fix, domain);
}

/* Trap 65: unmap would skip holes and remove what its caller believes is there. */
static void test_unmap_stops_at_first_hole(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(map(domain, 0x1000, 0x7000, 0x3000, RW), 0);
	assert_int_equal(ifs_iommu_unmap(domain, 0, 0x4000), 0);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x1000), 0x7000);
	assert_int_equal(map(domain, 0x5000, 0x20000, 0x1000, RW), 0);
	assert_int_equal(ifs_iommu_unmap(domain, 0x1000, 0x5000), 0x3000);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x5000), 0x20000);
	iommu_fixture_domain_free(fix, domain);
}

/* Trap 66: a caller that asks for part of a large page must learn that all of it went. */
static void test_unmap_part_of_large_leaf_removes_all_or_nothing(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(map(domain, 0x200000, 0x200000, 0x400000, RW), 0);
	assert_int_equal(ifs_iommu_unmap(domain, 0x201000, 0x1000), 0);
	assert_int_equal(ifs_iommu_unmap(domain, 0x200000, 0x1000), 0x200000);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x200000), 0);
	assert_int_equal(map(domain, 0x200000, 0x200000, 0x200000, RW), 0);
	assert_int_equal(ifs_iommu_unmap(domain, 0x200000, 0x201000), 0x400000);
	iommu_fixture_domain_free(fix, domain);
}

/* Trap 67: tables would pile up, or vanish under a mapping made later. */
static void test_unmap_frees_a_table_only_if_its_span_is_covered(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(map(domain, 0, 0x101000, 0x200000, RW), 0);
	assert_int_equal(domain->pt.nr_table_pages, 4);
	for (u64 iova = 0; iova < 0x200000; iova += 0x1000)
		assert_int_equal(ifs_iommu_unmap(domain, iova, 0x1000), 0x1000);
	assert_int_equal(domain->pt.nr_table_pages, 4);
	/* Already empty: a hole, and it stays. */
	assert_int_equal(ifs_iommu_unmap(domain, 0, 0x200000), 0);
	assert_int_equal(domain->pt.nr_table_pages, 4);
	assert_int_equal(map(domain, 0, 0x101000, 0x200000, RW), 0);
	assert_int_equal(ifs_iommu_unmap(domain, 0, 0x200000), 0x200000);
	assert_int_equal(domain->pt.nr_table_pages, 3);
	iommu_fixture_domain_free(fix, domain);
}

/* A failed allocation in the middle would leave leaves behind; empty tables may stay. */
static void test_map_out_of_memory_leaves_no_leaf(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(map(domain, 0, 0x1000, 0x1000, RW), 0);
	/* Three new leaf tables are needed; the third cannot be had. */
	fail_points_arm(&fix->kernel->fail, 3, false);
	assert_int_equal(map(domain, 0x200000, 0x401000, 0x600000, RW), -ENOMEM);
	assert_true(fix->kernel->fail.fired);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x200000), 0);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0x400000), 0);
	assert_int_equal(ifs_iommu_iova_to_phys(domain, 0), 0x1000);
	fail_points_arm(&fix->kernel->fail, 0, false);
	assert_int_equal(map(domain, 0x200000, 0x401000, 0x600000, RW), 0);
	assert_null(iommu_core_check(fix->kernel->iommu));
	iommu_fixture_domain_free(fix, domain);
}

struct seen {
	unsigned nr;
	iova_t iova[8];
	pa_t pa[8];
	u64 length[8];
	int prot[8];
};

static int see_leaf(void *ctx, iova_t iova, pa_t pa, u64 length, int prot)
{
	struct seen *seen = ctx;

	assert_true(seen->nr < 8);
	seen->iova[seen->nr] = iova;
	seen->pa[seen->nr] = pa;
	seen->length[seen->nr] = length;
	seen->prot[seen->nr++] = prot;
	return 0;
}

/* What is checked would be counted per page, or be at another address than devices use. */
static void test_for_each_leaf_gives_maximal_runs_x86_64(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);
	struct seen seen = { 0 };

	/* Three page sizes, one run; then other permissions; then a gap; then the upper half. */
	assert_int_equal(map(domain, 0x3fdff000, 0x3fdff000, 0x40202000, RW), 0);
	assert_int_equal(map(domain, 0x80001000, 0x80001000, 0x1000, IOMMU_READ), 0);
	assert_int_equal(map(domain, 0x80003000, 0x80003000, 0x1000, IOMMU_READ), 0);
	assert_int_equal(map(domain, 0xffff800000000000, 0x1000, 0x1000, RW), 0);
	assert_int_equal(ifs_pt_for_each_leaf(&domain->pt, see_leaf, &seen), 0);
	assert_int_equal(seen.nr, 4);
	assert_int_equal(seen.iova[0], 0x3fdff000);
	assert_int_equal(seen.length[0], 0x40202000);
	assert_int_equal(seen.pa[0], 0x3fdff000);
	assert_int_equal(seen.prot[0], RW);
	assert_int_equal(seen.iova[1], 0x80001000);
	assert_int_equal(seen.prot[1], IOMMU_READ);
	assert_int_equal(seen.iova[2], 0x80003000);
	assert_int_equal(seen.iova[3], 0xffff800000000000);
	assert_int_equal(seen.length[3], 0x1000);
	iommu_fixture_domain_free(fix, domain);
}

static void see_dirty(void *ctx, iova_t iova, u64 length)
{
	struct seen *seen = ctx;

	assert_true(seen->nr < 8);
	seen->iova[seen->nr] = iova;
	seen->length[seen->nr++] = length;
}

/* Migration would miss pages that a device wrote, or send all of them again for ever. */
static void test_read_and_clear_dirty_finds_what_a_device_wrote(void **state)
{
	struct iommu_fixture *fix = *state;
	pa_t small = iommu_fixture_memory(fix, 4, 0), large = iommu_fixture_memory(fix, 512, 9);
	struct iommu_domain *domain =
		ifs_iommu_domain_alloc_paging_flags(fix->dev[0], IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	struct seen seen = { 0 };

	assert_false(IS_ERR(domain));
	domain->dma_space = dma_check_space_new(fix->machine);
	iommu_fixture_map(fix, domain, 0x1000, small, 0x4000, RW);
	iommu_fixture_map(fix, domain, 0x200000, large, 0x200000, RW);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), 0);
	assert_int_equal(ifs_iommu_set_dirty_tracking(domain, true), 0);
	assert_true(device_writes(fix, 0, 0x2345));
	assert_true(device_reads(fix, 0, 0x3000));
	assert_true(device_writes(fix, 0, 0x3fffff));
	for (unsigned round = 0; round < 2; round++) {
		seen.nr = 0;
		assert_int_equal(ifs_iommu_read_and_clear_dirty(domain, 0, 0x400000, round == 0,
								see_dirty, &seen), 0);
		assert_int_equal(seen.nr, 2);
		assert_int_equal(seen.iova[0], 0x2000);
		assert_int_equal(seen.length[0], 0x1000);
		assert_int_equal(seen.iova[1], 0x200000);
		assert_int_equal(seen.length[1], 0x200000);
	}
	seen.nr = 0;
	assert_int_equal(ifs_iommu_read_and_clear_dirty(domain, 0, 0x400000, false, see_dirty,
							&seen), 0);
	assert_int_equal(seen.nr, 0);
	/* Through a translation that is in the IOTLB. */
	assert_true(device_writes(fix, 0, 0x2345));
	assert_int_equal(ifs_iommu_read_and_clear_dirty(domain, 0, 0x400000, false, see_dirty,
							&seen), 0);
	assert_int_equal(seen.nr, 1);
	ifs_iommu_detach_group(domain, fix->dev[0]->group);
	iommu_fixture_domain_free(fix, domain);
	iommu_fixture_memory_free(fix, small, 4);
	iommu_fixture_memory_free(fix, large, 512);
}

/* User space would be promised dirty tracking that the format cannot do. */
static void test_dirty_tracking_x86_64_is_not_supported(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(PTR_ERR(ifs_iommu_domain_alloc_paging_flags(
				 fix->dev[0], IOMMU_HWPT_ALLOC_DIRTY_TRACKING)), -EOPNOTSUPP);
	assert_int_equal(ifs_iommu_set_dirty_tracking(domain, true), -EOPNOTSUPP);
	assert_int_equal(ifs_iommu_read_and_clear_dirty(domain, 0, 0x1000, false, NULL, NULL),
			 -EOPNOTSUPP);
	iommu_fixture_domain_free(fix, domain);
}

#define T(name, format) cmocka_unit_test_setup_teardown(name, setup_##format, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_map_4k_vtdss_gives_the_recorded_entries, vtdss),
		T(test_map_4k_x86_64_gives_the_recorded_entries, x86_64),
		T(test_map_2m_over_empty_table_frees_it, vtdss),
		T(test_map_ragged_range_uses_largest_pages, vtdss),
		T(test_map_bad_arguments_give_generic_pt_errors, vtdss),
		T(test_map_bad_arguments_give_generic_pt_errors, x86_64),
		T(test_map_end_of_aperture_vtdss, vtdss),
		T(test_map_canonical_halves_x86_64, x86_64),
		T(test_map_over_existing_changes_no_leaf, vtdss),
		T(test_map_over_existing_changes_no_leaf, x86_64),
		T(test_unmap_stops_at_first_hole, vtdss),
		T(test_unmap_stops_at_first_hole, x86_64),
		T(test_unmap_part_of_large_leaf_removes_all_or_nothing, vtdss),
		T(test_unmap_part_of_large_leaf_removes_all_or_nothing, x86_64),
		T(test_unmap_frees_a_table_only_if_its_span_is_covered, vtdss),
		T(test_unmap_frees_a_table_only_if_its_span_is_covered, x86_64),
		T(test_map_out_of_memory_leaves_no_leaf, vtdss),
		T(test_map_out_of_memory_leaves_no_leaf, x86_64),
		T(test_read_and_clear_dirty_finds_what_a_device_wrote, vtdss),
		T(test_for_each_leaf_gives_maximal_runs_x86_64, x86_64),
		T(test_dirty_tracking_x86_64_is_not_supported, x86_64),
	};

	return cmocka_run_group_tests_name("iommu_pt", tests, NULL, NULL);
}
