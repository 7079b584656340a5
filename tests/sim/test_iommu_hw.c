/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, the driver in lib/iommu would see a unit that VT-d does not describe. */
#include "tests/sim/sim_test.h"

static enum ifs_dma_status touch(struct sim_test *t, iova_t iova)
{
	u64 word;

	return ifs_device_dma_read(t->device, iova, &word, 8, NULL);
}

static void test_capabilities_are_those_of_a_48_bit_legacy_unit(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(iommu_hw_read(t->hw, 0x00), 0x10);
	/* MAMV 36, NFR-1 7, PSI, SLLPS 3, FRO 0x20, MGAW-1 47, SAGAW 4, ND 6 */
	assert_int_equal(iommu_hw_read(t->hw, 0x08), 0x0024078c202f0406);
	/* SLTS, IRO 0x10, PT, C */
	assert_int_equal(iommu_hw_read(t->hw, 0x10), 0x0000400000001041);
	assert_int_equal(iommu_hw_base_pa(t->hw), 0xfed90000);
}

static void test_first_stage_machine_says_so(void **state)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 2 << 20,
					     .pt_format = IFS_PT_X86_64, .nr_iommus = 8,
					     .fault_entries = 256 };
	struct ifs_machine *machine = ifs_machine_new(&config, NULL);

	assert_int_equal(iommu_hw_read(machine_iommu(machine, 7), 0x10), 0x0000800000001041);
	assert_int_equal(iommu_hw_read(machine_iommu(machine, 7), 0x08) >> 40 & 0xff, 255);
	assert_int_equal(iommu_hw_base_pa(machine_iommu(machine, 7)), 0xfed97000);
	assert_null(machine_iommu(machine, 8));
	assert_int_equal(machine_nr_iommus(machine), 8);
	ifs_machine_free(machine);
}

static void test_status_follows_commands(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(iommu_hw_read(t->hw, 0x1c), 0xc0000000);
	iommu_hw_write(t->hw, 0x18, 0);
	assert_int_equal(iommu_hw_read(t->hw, 0x1c), 0x40000000);
}

static void test_root_address_waits_for_srtp(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	iommu_hw_write(t->hw, 0x20, 0x20000);           /* an empty root table */
	context_flush(t);
	iotlb_flush(t);
	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	iommu_hw_write(t->hw, 0x18, 0xc0000000);
	context_flush(t);
	assert_int_equal(touch(t, 0x1000), IFS_DMA_FAULT);
	assert_int_equal(iommu_hw_read(t->hw, 0x208) >> 32 & 0xff, 0x01);
}

static void test_context_cache_needs_invalidation(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	put64(t->machine, 0x11000, 0);
	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(reports_of(t, IFS_RULE_STALE_IOTLB), 1);
	iommu_hw_write(t->hw, 0x28, 0xc000000000000006);        /* domain 6: not ours */
	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	iommu_hw_write(t->hw, 0x28, 0xe000000001010005);        /* device 01:00.1: not ours */
	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	iommu_hw_write(t->hw, 0x28, 0xe000000001000005);        /* device, domain 5 */
	assert_int_equal(iommu_hw_read(t->hw, 0x28) >> 63, 0);
	assert_int_equal(touch(t, 0x1000), IFS_DMA_FAULT);
	assert_int_equal(reports_of(t, IFS_RULE_DMA_LOST), 1);
}

static void test_context_invalidation_by_domain(void **state)
{
	struct sim_test *t = *state;

	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	put64(t->machine, 0x11000, 0);
	iommu_hw_write(t->hw, 0x28, 0xc000000000000005);
	assert_int_equal(touch(t, 0x1000), IFS_DMA_FAULT);
	assert_int_equal(reports_of(t, IFS_RULE_STALE_IOTLB), 0);
}

static void test_translation_off_is_identity(void **state)
{
	struct sim_test *t = *state;
	u64 word = 0;

	put64(t->machine, 0x5000, 0x1122334455667788);
	iommu_hw_write(t->hw, 0x18, 0);
	assert_int_equal(ifs_device_dma_read(t->device, 0x5000, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(word, 0x1122334455667788);
	assert_int_equal(reports_of(t, IFS_RULE_DMA_ASTRAY), 1);
}

static void test_first_stage_entry_uses_x86_tables(void **state)
{
	struct sim_test *t = *state;

	put64(t->machine, 0x11008, 0x542);
	put64(t->machine, 0x100000, 0x101027);
	put64(t->machine, 0x101000, 0x102027);
	put64(t->machine, 0x102000, 0x103027);
	put64(t->machine, 0x103008, 0xabc067);
	assert_int_equal(touch(t, 0x1000), IFS_DMA_OK);
	assert_int_equal(touch(t, 0x3000), IFS_DMA_FAULT);
	assert_int_equal(iommu_hw_read(t->hw, 0x208) >> 32 & 0xff, 0x71);
	assert_quiet(t);
}

static void test_unknown_registers_read_zero(void **state)
{
	struct sim_test *t = *state;

	iommu_hw_write(t->hw, 0xff8, ~0ull);
	iommu_hw_write(t->hw, 0x1ffffff8, ~0ull);
	assert_int_equal(iommu_hw_read(t->hw, 0xff8), 0);
	assert_int_equal(iommu_hw_read(t->hw, 0x18), 0);        /* GCMD is write-only */
	assert_int_equal(iommu_hw_read(t->hw, 0x280), 0);       /* beyond the 8 records */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_capabilities_are_those_of_a_48_bit_legacy_unit),
		cmocka_unit_test(test_first_stage_machine_says_so),
		sim_unit_test(test_status_follows_commands),
		sim_unit_test(test_root_address_waits_for_srtp),
		sim_unit_test(test_context_cache_needs_invalidation),
		sim_unit_test(test_context_invalidation_by_domain),
		sim_unit_test(test_translation_off_is_identity),
		sim_unit_test(test_first_stage_entry_uses_x86_tables),
		sim_unit_test(test_unknown_registers_read_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
