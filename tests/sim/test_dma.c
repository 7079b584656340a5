/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a DMA would move other bytes, or not say where it stopped. */
#include "sim/iotlb.h"

#include "sim/machine_internal.h"
#include "tests/sim/sim_test.h"

static void test_read_and_write_reach_the_frame(void **state)
{
	struct sim_test *t = *state;
	u64 word = 0x0123456789abcdef;
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	assert_int_equal(ifs_device_dma_write(t->device, 0x1008, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(get64(t->machine, 0xabc008), 0x0123456789abcdef);
	put64(t->machine, 0xabcff8, 42);
	assert_int_equal(ifs_device_dma_read(t->device, 0x1ff8, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(word, 42);
	ifs_machine_get_stats(t->machine, &stats);
	assert_int_equal(stats.dma_done, 2);
	assert_int_equal(stats.dma_bytes, 16);
	assert_quiet(t);
}

static void test_request_is_split_at_pages(void **state)
{
	struct sim_test *t = *state;
	u8 out[0x1800], in[0x1800];

	put64(t->machine, 0x103010, 0x700003);  /* iova 0x2000 -> 0x700000 */
	dma_check_set_owner(t->machine, 0x700000, 0x1000, FRAME_MEMFD);
	dma_check_grant(t->machine, t->space, 0x2000, 0x700000, 0x1000, true, true);
	memset(out, 0x5a, sizeof(out));
	assert_int_equal(ifs_device_dma_write(t->device, 0x1400, out, 0x1800, NULL), IFS_DMA_OK);
	assert_int_equal(get64(t->machine, 0xabc3f8), 0);
	assert_int_equal(get64(t->machine, 0xabc400), 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(get64(t->machine, 0x700bf8), 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(get64(t->machine, 0x700c00), 0);
	assert_int_equal(ifs_device_dma_read(t->device, 0x1400, in, 0x1800, NULL), IFS_DMA_OK);
	assert_memory_equal(in, out, sizeof(in));
	assert_quiet(t);
}

static void test_fault_stops_at_its_page_and_is_recorded(void **state)
{
	struct sim_test *t = *state;
	struct ifs_dma_fault fault;
	u8 buf[0x2000] = { 1 };

	assert_int_equal(ifs_device_dma_write(t->device, 0x1800, buf, 0x1000, &fault),
			 IFS_DMA_FAULT);
	assert_int_equal(fault.iova, 0x2000);
	assert_int_equal(fault.reason, 0x05);
	assert_true(fault.write);
	assert_int_equal(fault.bytes_done, 0x800);
	assert_int_equal(get64(t->machine, 0xabc800), 1);       /* stays moved */
	assert_int_equal(iommu_hw_read(t->hw, 0x200), 0x2000);
	assert_int_equal(iommu_hw_read(t->hw, 0x208), 0x8000000500000100);
	assert_quiet(t);                                        /* blocked, as it should be */
}

static void test_fault_under_fpd_is_not_recorded(void **state)
{
	struct sim_test *t = *state;
	u64 word;

	put64(t->machine, 0x11000, 0x100003);
	assert_int_equal(ifs_device_dma_read(t->device, 0x5000, &word, 8, NULL), IFS_DMA_FAULT);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0);
}

static void test_passthrough_is_identity_to_48_bits(void **state)
{
	struct sim_test *t = *state;
	struct ifs_dma_fault fault;
	u64 word = 0;

	put64(t->machine, 0x11000, 0x9);
	put64(t->machine, 0x5000, 77);
	assert_int_equal(ifs_device_dma_read(t->device, 0x5000, &word, 8, &fault), IFS_DMA_OK);
	assert_int_equal(word, 77);
	assert_int_equal(ifs_device_dma_read(t->device, 1ull << 48, &word, 8, &fault),
			 IFS_DMA_FAULT);
	assert_int_equal(fault.reason, 0x04);
}

static void test_address_without_memory_is_a_fault_nobody_records(void **state)
{
	struct sim_test *t = *state;
	struct ifs_dma_fault fault;
	u64 word;

	put64(t->machine, 0x103008, 0x4000003);         /* just beyond RAM */
	assert_int_equal(ifs_device_dma_read(t->device, 0x1000, &word, 8, &fault), IFS_DMA_FAULT);
	assert_int_equal(fault.reason, 0xff);
	assert_int_equal(iommu_hw_read(t->hw, 0x34), 0);
	assert_int_equal(reports_of(t, IFS_RULE_DMA_ASTRAY), 1);
}

static void test_wrapping_request_is_refused(void **state)
{
	struct sim_test *t = *state;
	struct ifs_dma_fault fault;
	u8 buf[16];

	assert_int_equal(ifs_device_dma_read(t->device, ~0ull - 7, buf, 16, &fault), IFS_DMA_FAULT);
	assert_int_equal(fault.reason, 0x04);
	assert_int_equal(ifs_device_dma_read(t->device, ~0ull - 7, buf, 0, &fault), IFS_DMA_OK);
}

static void test_stopped_machine_refuses(void **state)
{
	struct sim_test *t = *state;
	u64 word = 9;

	put64(t->machine, 0x103008, 0xabd003);          /* another frame than was granted */
	ifs_machine_set_on_report(t->machine, IFS_REPORT_AND_STOP);
	assert_int_equal(ifs_device_dma_write(t->device, 0x1000, &word, 8, NULL), IFS_DMA_STOPPED);
	assert_int_equal(get64(t->machine, 0xabd000), 0);       /* stopped before the access */
	assert_true(ifs_machine_is_stopped(t->machine));
	assert_int_equal(ifs_device_dma_read(t->device, 0x1000, &word, 8, NULL), IFS_DMA_STOPPED);
}

static void test_iotlb_serves_second_access_and_rewalks_for_more(void **state)
{
	struct sim_test *t = *state;
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	u64 word = 1;

	put64(t->machine, 0x103008, 0xabc001);                  /* read only */
	assert_int_equal(ifs_device_dma_read(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(ifs_device_dma_read(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	ifs_machine_get_stats(t->machine, &stats);
	assert_int_equal(stats.iotlb_hits, 1);
	assert_int_equal(stats.iotlb_misses, 1);
	put64(t->machine, 0x103008, 0xabc003);                  /* more: needs no invalidation */
	assert_int_equal(ifs_device_dma_write(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	assert_quiet(t);
}

static void test_cached_dirty_hides_a_cleared_dirty_bit(void **state)
{
	struct sim_test *t = *state;
	u64 word = 1;

	assert_int_equal(ifs_device_dma_write(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc303);
	put64(t->machine, 0x103008, 0xabc103);          /* read-and-clear without a flush */
	assert_int_equal(ifs_device_dma_write(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc103);
	iotlb_flush(t);
	assert_int_equal(ifs_device_dma_write(t->device, 0x1000, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc303);
	assert_quiet(t);
}

static void test_window_memory_is_reached_and_may_be_gone(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	char *host = aligned_alloc(4096, 4096);
	struct ifs_dma_fault fault;
	u64 word = 0x77;

	memset(host, 0, 4096);
	assert_true(phys_mem_window_add(mem, 1ull << 46, 4096, host, 0));
	put64(t->machine, 0x103010, 1ull << 46 | 3);
	dma_check_grant(t->machine, t->space, 0x2000, 1ull << 46, 0x1000, true, true);
	assert_int_equal(ifs_device_dma_write(t->device, 0x2010, &word, 8, NULL), IFS_DMA_OK);
	assert_int_equal(host[0x10], 0x77);
	assert_quiet(t);
	assert_int_equal(phys_mem_window_remove(mem, 1ull << 46, 4096, NULL), 4096);
	assert_int_equal(ifs_device_dma_read(t->device, 0x2010, &word, 8, &fault), IFS_DMA_FAULT);
	assert_int_equal(fault.reason, 0xff);
	free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_read_and_write_reach_the_frame),
		sim_unit_test(test_request_is_split_at_pages),
		sim_unit_test(test_fault_stops_at_its_page_and_is_recorded),
		sim_unit_test(test_fault_under_fpd_is_not_recorded),
		sim_unit_test(test_passthrough_is_identity_to_48_bits),
		sim_unit_test(test_address_without_memory_is_a_fault_nobody_records),
		sim_unit_test(test_wrapping_request_is_refused),
		sim_unit_test(test_stopped_machine_refuses),
		sim_unit_test(test_iotlb_serves_second_access_and_rewalks_for_more),
		sim_unit_test(test_cached_dirty_hides_a_cleared_dirty_bit),
		sim_unit_test(test_window_memory_is_reached_and_may_be_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
