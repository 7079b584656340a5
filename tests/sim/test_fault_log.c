/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a driver would miss a blocked DMA or read a wrong reason for it. */
#include "sim/fault_log.h"

#include "tests/sim/sim_test.h"

static void test_record_layout_is_the_specifications(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0);
	assert_false(iommu_hw_fault_pending(t->hw));
	fault_log_record(t->hw, 0x0108, 0x12345678, false, 0x06);
	assert_true(iommu_hw_fault_pending(t->hw));
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x2);
	assert_int_equal(iommu_hw_read(t->hw, 0x200), 0x12345000);
	assert_int_equal(iommu_hw_read(t->hw, 0x208), 0xc000000600000108);
	fault_log_record(t->hw, 0x0108, 0x2000, true, 0x05);
	assert_int_equal(iommu_hw_read(t->hw, 0x218), 0x8000000500000108);
}

static void test_full_ring_overflows_until_cleared(void **state)
{
	struct sim_test *t = *state;
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	u32 i;

	for (i = 0; i < 8; i++)
		fault_log_record(t->hw, 0x0100, i << 12, true, 0x05);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x2);
	fault_log_record(t->hw, 0x0100, 0x9000, true, 0x05);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x3);
	assert_int_equal(iommu_hw_read(t->hw, 0x200), 0);       /* the oldest is kept */

	iommu_hw_write(t->hw, 0x208, 0x8000000000000000);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x103);    /* oldest pending: 1 */
	fault_log_record(t->hw, 0x0100, 0xa000, true, 0x05);    /* still dropped */
	assert_int_equal(iommu_hw_read(t->hw, 0x208) >> 63, 0);
	iommu_hw_write(t->hw, 0x34, 0x1);
	fault_log_record(t->hw, 0x0100, 0xb000, true, 0x05);
	assert_int_equal(iommu_hw_read(t->hw, 0x200), 0xb000);

	ifs_machine_get_stats(t->machine, &stats);
	assert_int_equal(stats.faults_recorded, 9);
	assert_int_equal(stats.faults_overflowed, 2);
}

static void test_clear_in_any_order_ends_empty(void **state)
{
	struct sim_test *t = *state;
	u32 i;

	for (i = 0; i < 3; i++)
		fault_log_record(t->hw, 0x0100, i << 12, true, 0x05);
	iommu_hw_write(t->hw, 0x218, 0x8000000000000000);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x2);
	iommu_hw_write(t->hw, 0x208, 0x8000000000000000);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x202);
	iommu_hw_write(t->hw, 0x228, 0x1);                      /* not F: nothing */
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x202);
	iommu_hw_write(t->hw, 0x228, 0x8000000000000000);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0x300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_record_layout_is_the_specifications),
		sim_unit_test(test_full_ring_overflows_until_cleared),
		sim_unit_test(test_clear_in_any_order_ends_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
