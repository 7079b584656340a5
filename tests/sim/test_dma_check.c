/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a stray or lost DMA would go unnoticed, or a correct one be accused. */
#include "tests/sim/sim_test.h"

static enum ifs_dma_status dma_read(struct sim_test *t, iova_t iova)
{
	u64 word;

	return ifs_device_dma_read(t->device, iova, &word, 8, NULL);
}

static enum ifs_dma_status dma_write(struct sim_test *t, iova_t iova)
{
	u64 word = 0;

	return ifs_device_dma_write(t->device, iova, &word, 8, NULL);
}

static struct ifs_machine_stats stats_of(struct sim_test *t)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_get_stats(t->machine, &stats);
	return stats;
}

static void assert_first_report(struct sim_test *t, enum ifs_rule rule, const char *text)
{
	struct ifs_report report;

	assert_true(ifs_machine_get_report(t->machine, 0, &report));
	assert_int_equal(report.rule, rule);
	assert_string_equal(report.text, text);
}

static void test_granted_access_is_quiet(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(dma_write(t, 0x1ff8), IFS_DMA_OK);
	assert_quiet(t);
}

static void test_fault_of_granted_iova_is_lost(void **state)
{
	struct sim_test *t = *state;

	put64(t->machine, 0x103008, 0);
	assert_int_equal(dma_read(t, 0x1010), IFS_DMA_FAULT);
	assert_int_equal(stats_of(t).dma_lost, 1);
	assert_int_equal(stats_of(t).dma_blocked, 0);
	assert_first_report(t, IFS_RULE_DMA_LOST,
			    "device 0000:01:00.0: read of iova 0x1010 faulted (reason 0x06), but "
			    "space 1 grants it pa 0xabc010; frame: step 0 memfd");
}

static void test_fault_of_other_iova_is_blocked(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x2000), IFS_DMA_FAULT);
	assert_int_equal(stats_of(t).dma_blocked, 1);
	assert_int_equal(stats_of(t).dma_lost, 0);
	assert_quiet(t);
}

static void test_fault_against_permission_is_blocked(void **state)
{
	struct sim_test *t = *state;

	dma_check_grant(t->machine, t->space, 0x1000, 0xabc000, 0x1000, true, false);
	put64(t->machine, 0x103008, 0xabc001);
	assert_int_equal(dma_write(t, 0x1000), IFS_DMA_FAULT);
	assert_int_equal(stats_of(t).dma_blocked, 1);
	assert_quiet(t);
}

static void test_access_to_granted_dma_buf_is_quiet(void **state)
{
	struct sim_test *t = *state;

	dma_check_set_owner(t->machine, 0xabc000, 0x1000, FRAME_DMABUF);
	assert_int_equal(dma_write(t, 0x1000), IFS_DMA_OK);
	assert_quiet(t);
	dma_check_set_owner(t->machine, 0xabc000, 0x1000, FRAME_KERNEL);
	assert_int_equal(dma_write(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
	assert_first_report(t, IFS_RULE_DMA_ASTRAY,
			    "device 0000:01:00.0: write of iova 0x1000 reached pa 0xabc000, but it "
			    "is no device's: owner kernel; frame: step 0 memfd, step 0 dma-buf, "
			    "step 1 kernel");
}

static void test_access_to_other_frame_is_astray(void **state)
{
	struct sim_test *t = *state;

	dma_check_set_owner(t->machine, 0xabd000, 0x1000, FRAME_MEMFD);
	sim_step(t->machine);
	dma_check_set_owner(t->machine, 0xabd000, 0x1000, FRAME_FREE);
	put64(t->machine, 0x103008, 0xabd003);
	assert_int_equal(dma_write(t, 0x1020), IFS_DMA_OK);     /* hardware does not mind */
	assert_int_equal(stats_of(t).dma_astray, 1);
	assert_first_report(t, IFS_RULE_DMA_ASTRAY,
			    "device 0000:01:00.0: write of iova 0x1020 reached pa 0xabd020, but it "
			    "has a grant of another frame there; frame: step 0 memfd, step 1 free");
}

static void test_access_beyond_grant_is_astray(void **state)
{
	struct sim_test *t = *state;

	put64(t->machine, 0x103010, 0xabd003);
	assert_int_equal(dma_read(t, 0x2000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
}

static void test_write_to_read_only_grant_is_astray(void **state)
{
	struct sim_test *t = *state;

	dma_check_grant(t->machine, t->space, 0x1000, 0xabc000, 0x1000, true, false);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_quiet(t);
	assert_int_equal(dma_write(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
}

static void test_access_to_freed_frame_is_astray(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);      /* the verdict is remembered */
	dma_check_set_owner(t->machine, 0xabc000, 0x1000, FRAME_FREE);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
	dma_check_set_owner(t->machine, 0xabc000, 0x1000, FRAME_KERNEL);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 2);
}

static void test_access_after_revoke_is_astray(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	dma_check_revoke(t->machine, t->space, 0x1000, 0x1000);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
}

static void test_access_of_unbound_device_is_astray(void **state)
{
	struct sim_test *t = *state;

	dma_check_bind(t->machine, t->device, 0);
	assert_int_equal(dma_check_space_of(t->machine, t->device), 0);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
}

static void test_stale_translation_is_reported_once_per_fill(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	put64(t->machine, 0x103008, 0);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(reports_of(t, IFS_RULE_STALE_IOTLB), 1);
	assert_first_report(t, IFS_RULE_STALE_IOTLB,
			    "device 0000:01:00.0: read of iova 0x1000 uses a cached translation of "
			    "domain id 5 to pa 0xabc000; in memory it is gone (no IOTLB "
			    "invalidation)");
	iotlb_flush(t);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_FAULT);
}

static void test_stale_translation_above_the_leaf_is_reported(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	put64(t->machine, 0x101000, 0);                 /* a table cut off, its leaf intact */
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(reports_of(t, IFS_RULE_STALE_IOTLB), 1);
}

static void test_changed_tables_with_same_translation_are_quiet(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	dma_check_set_owner(t->machine, 0x105000, 0x1000, FRAME_TABLE);
	put64(t->machine, 0x105008, 0xabc003);          /* a copy of the last table */
	put64(t->machine, 0x102000, 0x105003);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_quiet(t);
}

static void test_table_freed_under_cached_entries_is_reported(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	dma_check_set_owner(t->machine, 0x103000, 0x1000, FRAME_FREE);
	assert_int_equal(reports_of(t, IFS_RULE_TABLE_FREED), 1);
	assert_first_report(t, IFS_RULE_TABLE_FREED,
			    "table pages 0x103000 to 0x103fff become free while unit 0 can reach "
			    "them through cached entries (no IOTLB invalidation)");
}

static void test_table_freed_after_flush_is_quiet(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	put64(t->machine, 0x102000, 0);
	iotlb_flush(t);
	dma_check_set_owner(t->machine, 0x103000, 0x1000, FRAME_FREE);
	assert_quiet(t);
}

static void test_context_and_top_table_freed_while_in_use_are_reported(void **state)
{
	struct sim_test *t = *state;

	dma_check_set_owner(t->machine, 0x100000, 0x1000, FRAME_KERNEL);
	dma_check_set_owner(t->machine, 0x11000, 0x1000, FRAME_FREE);
	dma_check_set_owner(t->machine, 0x10000, 0x1000, FRAME_FREE);
	assert_int_equal(reports_of(t, IFS_RULE_TABLE_FREED), 3);
}

static void test_walk_through_freed_table_is_reported(void **state)
{
	struct sim_test *t = *state;

	dma_check_set_owner(t->machine, 0x103000, 0x1000, FRAME_FREE);  /* nothing cached yet */
	assert_quiet(t);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(reports_of(t, IFS_RULE_TABLE_FREED), 1);
}

static void test_space_lives_until_put_and_unbound(void **state)
{
	struct sim_test *t = *state;
	u64 spaces, grants;

	dma_check_space_put(t->machine, t->space);
	dma_check_counts(t->machine, &spaces, &grants);
	assert_int_equal(spaces, 1);
	assert_int_equal(grants, 1);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_quiet(t);
	dma_check_bind(t->machine, t->device, 0);
	dma_check_counts(t->machine, &spaces, &grants);
	assert_int_equal(spaces, 0);
	assert_int_equal(grants, 0);
	assert_int_equal(dma_check_space_new(t->machine), 1);   /* the slot is used again */
}

static void test_kexec_keeps_bound_spaces_only(void **state)
{
	struct sim_test *t = *state;
	u64 spaces, grants;
	u32 unbound = dma_check_space_new(t->machine);

	dma_check_grant(t->machine, unbound, 0x10000, 0x200000, 0x5000, true, true);
	machine_kexec(t->machine);
	dma_check_counts(t->machine, &spaces, &grants);
	assert_int_equal(spaces, 1);
	assert_int_equal(grants, 1);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);      /* the black-out */
	assert_quiet(t);
}

static void test_reserved_frame_serves_an_inherited_space_only(void **state)
{
	struct sim_test *t = *state;

	machine_kexec(t->machine);
	dma_check_set_owner(t->machine, 0, 64 << 20, FRAME_FREE);       /* the next kernel boots */
	assert_quiet(t);                                /* its predecessor's tables are not its */
	dma_check_set_owner(t->machine, 0x10000, 0x2000, FRAME_RESERVED);
	dma_check_set_owner(t->machine, 0x100000, 0x4000, FRAME_RESERVED);
	dma_check_set_owner(t->machine, 0xabc000, 0x1000, FRAME_RESERVED);
	iotlb_flush(t);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_quiet(t);
	t->space = dma_check_space_new(t->machine);
	dma_check_grant(t->machine, t->space, 0x1000, 0xabc000, 0x1000, true, true);
	dma_check_bind(t->machine, t->device, t->space);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
	dma_check_set_owner(t->machine, 0xabc000, 0x1000, FRAME_MEMFD);
	assert_int_equal(dma_read(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
}

static void test_owner_defaults_and_windows(void **state)
{
	struct sim_test *t = *state;
	char byte;

	assert_int_equal(dma_check_owner(t->machine, 0x200000), FRAME_FREE);
	assert_int_equal(dma_check_owner(t->machine, 0x10fff), FRAME_TABLE);
	assert_int_equal(dma_check_owner(t->machine, 0x12000), FRAME_FREE);
	assert_int_equal(dma_check_owner(t->machine, 1ull << 46), FRAME_FREE);
	phys_mem_window_add(machine_phys_mem(t->machine), 1ull << 46, 0x1000, &byte, 0);
	assert_int_equal(dma_check_owner(t->machine, 1ull << 46), FRAME_WINDOW);
}

static void test_grant_split_by_revoke_keeps_both_sides(void **state)
{
	struct sim_test *t = *state;
	u64 spaces, grants, i;

	for (i = 0; i < 512; i++)
		put64(t->machine, 0x103000 + i * 8, (0x800000 + i * 0x1000) | 3);
	dma_check_set_owner(t->machine, 0x800000, 0x200000, FRAME_MEMFD);
	dma_check_grant(t->machine, t->space, 0, 0x800000, 0x200000, true, true);
	dma_check_revoke(t->machine, t->space, 0x80000, 0x1000);
	dma_check_counts(t->machine, &spaces, &grants);
	assert_int_equal(grants, 2);
	assert_int_equal(dma_write(t, 0x7fff8), IFS_DMA_OK);
	assert_int_equal(dma_write(t, 0x81000), IFS_DMA_OK);
	assert_int_equal(dma_write(t, 0x1ffff8), IFS_DMA_OK);
	assert_quiet(t);
	assert_int_equal(dma_write(t, 0x80ff8), IFS_DMA_OK);
	assert_int_equal(stats_of(t).dma_astray, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_granted_access_is_quiet),
		sim_unit_test(test_fault_of_granted_iova_is_lost),
		sim_unit_test(test_fault_of_other_iova_is_blocked),
		sim_unit_test(test_fault_against_permission_is_blocked),
		sim_unit_test(test_access_to_granted_dma_buf_is_quiet),
		sim_unit_test(test_access_to_other_frame_is_astray),
		sim_unit_test(test_access_beyond_grant_is_astray),
		sim_unit_test(test_write_to_read_only_grant_is_astray),
		sim_unit_test(test_access_to_freed_frame_is_astray),
		sim_unit_test(test_access_after_revoke_is_astray),
		sim_unit_test(test_access_of_unbound_device_is_astray),
		sim_unit_test(test_stale_translation_is_reported_once_per_fill),
		sim_unit_test(test_stale_translation_above_the_leaf_is_reported),
		sim_unit_test(test_changed_tables_with_same_translation_are_quiet),
		sim_unit_test(test_table_freed_under_cached_entries_is_reported),
		sim_unit_test(test_table_freed_after_flush_is_quiet),
		sim_unit_test(test_context_and_top_table_freed_while_in_use_are_reported),
		sim_unit_test(test_walk_through_freed_table_is_reported),
		sim_unit_test(test_space_lives_until_put_and_unbound),
		sim_unit_test(test_kexec_keeps_bound_spaces_only),
		sim_unit_test(test_reserved_frame_serves_an_inherited_space_only),
		sim_unit_test(test_owner_defaults_and_windows),
		sim_unit_test(test_grant_split_by_revoke_keeps_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
