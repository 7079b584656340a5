/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Adoption refuses what is damaged; each kind of damage is done to RAM in the black-out. */
#include "tests/lib/iommu/adopt_fixture.h"

/* Where damage is done. */
struct damage {
	const char *what;
	unsigned level;         /* of device 0's tables: which table on the way to 0x401000 */
	unsigned index;
	u64 set, clear;
};

/* A table the old kernel never wrote would be walked, or a stray DMA be allowed by it. */
static void test_adopt_damaged_table_blocks_only_its_device(void **state)
{
	static const struct damage damages[] = {
		{ "top: reserved bit", 3, 0, 1ull << 62, 0 },
		{ "top: page size", 3, 0, 1ull << 7, 0 },
		{ "top: read-only table", 3, 0, 0, 1ull << 1 },
		{ "top: pointer out of RAM", 3, 0, 1ull << 45, 0 },
		{ "top: pointer elsewhere", 3, 0, 1ull << 30, 0 },
		{ "middle: present without R and W", 2, 0, 0, 3 },
		{ "middle: unaligned leaf", 2, 0, 1ull << 7, 0 },
		{ "large leaf: target elsewhere", 1, 1, 1ull << 31, 0 },
		{ "large leaf: becomes a table", 1, 1, 0, 1ull << 7 },
		{ "leaf: unknown bit", 0, 1, 1ull << 4, 0 },
		{ "leaf: no permission", 0, 2, 0, 3 },
		{ "leaf: target out of RAM", 0, 3, 1ull << 40, 0 },
		{ "leaf: target in a window", 0, 3, 1ull << 46, 0 },
		{ "leaf: appears, to page 0", 0, 0, 3, 0 },
	};

	for (unsigned d = 0; d < ARRAY_SIZE(damages); d++) {
		const struct damage *damage = &damages[d];
		struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);
		u64 nr_tables, entry;
		pa_t table;

		preserve(fix);
		iommu_fixture_kernel_down(fix);
		table = carried.pt[0].top_pa;
		for (unsigned level = 3; level > damage->level; level--)
			table = table_entry(fix, table, 0x401000ull >> (12 + 9 * level) & 511) & PA;
		entry = table_entry(fix, table, damage->index);
		table_entry_set(fix, table, damage->index, (entry | damage->set) & ~damage->clear);

		assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
		if (carried.adopt_error[0] != -EINVAL)
			fail_msg("adopted: %s", damage->what);
		assert_null(carried.domain[0]);
		assert_null(fix->dev[0]->group->domain);
		assert_false(device_reads(fix, 0, 0x200000));
		assert_true(device_writes(fix, 1, 0x200000));
		/* Root, context table and device 1's four tables are claimed; nothing of this. */
		nr_tables = pages_count(fix->kernel->page_alloc, FRAME_TABLE);
		assert_int_equal(nr_tables, 6);
		assert_int_equal(count(fix, IFS_RULE_DEVICE_BLOCKED), 1);
		finish(fix, 1);
	}
}

/* Two ranges of IOVA would silently become one. */
static void test_adopt_table_linked_twice_is_refused(void **state)
{
	for (unsigned level = 1; level <= 3; level++) {
		struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);
		pa_t table;

		preserve(fix);
		iommu_fixture_kernel_down(fix);
		table = carried.pt[0].top_pa;
		for (unsigned at = 3; at > level; at--)
			table = table_entry(fix, table, 0) & PA;
		table_entry_set(fix, table, 7, table_entry(fix, table, level == 1 ? 2 : 0));
		assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
		assert_int_equal(carried.adopt_error[0], -EINVAL);
		finish(fix, 1);
	}
	/* A table that leads to itself, and one that belongs to the other domain. */
	for (unsigned which = 0; which < 2; which++) {
		struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);

		preserve(fix);
		iommu_fixture_kernel_down(fix);
		table_entry_set(fix, carried.pt[0].top_pa, 9, carried.pt[which].top_pa | 3);
		assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
		assert_int_equal(carried.adopt_error[0], -EINVAL);
		/* Device 1's own tables are as they were. */
		assert_int_equal(carried.adopt_error[1], 0);
		assert_true(device_writes(fix, 1, 0x200000));
		finish(fix, 1);
	}
}

/* A guest could rewrite its own page tables. */
static void test_adopt_leaf_that_leads_to_a_table_is_refused(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);
	pa_t table;

	preserve(fix);
	iommu_fixture_kernel_down(fix);
	table = carried.pt[0].top_pa;
	for (unsigned level = 3; level > 0; level--)
		table = table_entry(fix, table, 0x401000ull >> (12 + 9 * level) & 511) & PA;
	table_entry_set(fix, table, 0, table | 3);
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	assert_int_equal(carried.adopt_error[0], -EINVAL);
	finish(fix, 1);
}

/* A record that lies about the tables. */
static void test_adopt_wrong_geometry_is_refused(void **state)
{
	for (unsigned which = 0; which < 8; which++) {
		struct iommu_fixture *fix = live(IFS_PT_VTDSS, 1, false);
		struct pt_iommu *pt = &carried.pt[0];

		preserve(fix);
		iommu_fixture_kernel_down(fix);
		switch (which) {
		case 0: pt->format = IOMMU_PT_X86_64; break;
		case 1: pt->format = 9; break;
		case 2: pt->top_level = 2; break;
		case 3: pt->max_vasz_lg2 = 57; break;
		case 4: pt->sign_extend = 1; break;
		case 5: pt->top_pa += 0x800; break;
		case 6: carried.did[0] = 1; break;
		case 7: carried.did[0] = 1u << 20; break;
		}
		assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
		assert_int_equal(carried.adopt_error[0], -EINVAL);
		assert_int_equal(count(fix, IFS_RULE_DEVICE_BLOCKED), 1);
		finish(fix, 1);
	}
}

/* Software would believe a device in one domain while hardware walks another. */
static void test_attach_restored_other_context_entry_blocks_the_device(void **state)
{
	static const struct { u64 lo, hi; } flips[] = {
		{ 1, 0 }, { 2, 0 }, { 8, 0 }, { 0x1000, 0 }, { 0, 1 }, { 0, 64 }, { 0, 256 },
		{ 1ull << 52, 0 }, { 0, 1ull << 24 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(flips); i++) {
		struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);
		pa_t context;

		preserve(fix);
		iommu_fixture_kernel_down(fix);
		context = table_entry(fix, carried.root_pa, 2) & PA;
		table_entry_set(fix, context, 0, table_entry(fix, context, 0) ^ flips[i].lo);
		table_entry_set(fix, context, 1, table_entry(fix, context, 1) ^ flips[i].hi);
		assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
		assert_null(fix->dev[0]->group->domain);
		assert_false(device_reads(fix, 0, 0x200000));
		assert_true(device_writes(fix, 1, 0x200000));
		assert_null(iommu_core_check(fix->kernel->iommu));
		finish(fix, 1);
	}
}

/* Entries for devices that are not there would be a door that nobody watches. */
static void test_boot_clears_context_entries_of_no_device(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);
	pa_t context;

	preserve(fix);
	iommu_fixture_kernel_down(fix);
	context = table_entry(fix, carried.root_pa, 2) & PA;
	table_entry_set(fix, context, 2 * 0x55, table_entry(fix, context, 0));
	table_entry_set(fix, context, 2 * 0x55 + 1, table_entry(fix, context, 1));
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	assert_int_equal(table_entry(fix, context, 2 * 0x55), 0);
	assert_int_equal(count(fix, IFS_RULE_STATE_REFUSED), 1);
	assert_true(device_writes(fix, 0, 0x200000));
	finish(fix, 1);
}

/* A damaged root entry would cost more than its bus. */
static void test_hw_adopt_damaged_root_entry_costs_its_bus(void **state)
{
	static const u64 flips[] = { 1, 2, 1ull << 12, 1ull << 31, 1ull << 60 };

	for (unsigned i = 0; i < ARRAY_SIZE(flips); i++) {
		struct iommu_fixture *fix = live(IFS_PT_VTDSS, 3, false);

		preserve(fix);
		iommu_fixture_kernel_down(fix);
		table_entry_set(fix, carried.root_pa, 4,
				table_entry(fix, carried.root_pa, 4) ^ flips[i]);
		assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
		assert_true(fix->dev[0]->iommu->adopted);
		assert_true(device_writes(fix, 0, 0x200000));
		assert_true(device_writes(fix, 1, 0x200000));
		assert_false(device_reads(fix, 2, 0x200000));
		assert_int_equal(count(fix, IFS_RULE_DEVICE_BLOCKED), 1);
		assert_int_equal(count(fix, IFS_RULE_STATE_REFUSED), 1);
		finish(fix, 2);
	}
}

/* Another root table than the one hardware walks would be adopted. */
static void test_hw_adopt_wrong_root_blocks_the_unit(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);

	preserve(fix);
	iommu_fixture_kernel_down(fix);
	carried.root_pa = carried.pt[0].top_pa;
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	assert_false(fix->dev[0]->iommu->adopted);
	assert_false(device_reads(fix, 0, 0x200000));
	assert_false(device_reads(fix, 1, 0x200000));
	assert_int_equal(count(fix, IFS_RULE_STATE_REFUSED), 1);
	assert_int_equal(count(fix, IFS_RULE_DEVICE_BLOCKED), 2);
	finish(fix, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adopt_damaged_table_blocks_only_its_device),
		cmocka_unit_test(test_adopt_table_linked_twice_is_refused),
		cmocka_unit_test(test_adopt_leaf_that_leads_to_a_table_is_refused),
		cmocka_unit_test(test_adopt_wrong_geometry_is_refused),
		cmocka_unit_test(test_attach_restored_other_context_entry_blocks_the_device),
		cmocka_unit_test(test_boot_clears_context_entries_of_no_device),
		cmocka_unit_test(test_hw_adopt_damaged_root_entry_costs_its_bus),
		cmocka_unit_test(test_hw_adopt_wrong_root_blocks_the_unit),
	};

	return cmocka_run_group_tests_name("iommu_adopt", tests, NULL, NULL);
}
