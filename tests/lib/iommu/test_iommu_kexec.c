/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Live tables across a kexec: nothing is lost, nothing is left open, nothing is left behind. */
#include "tests/lib/iommu/adopt_fixture.h"

/* The point of it all: no DMA is lost before, in or after the black-out. */
static void check_uninterrupted(enum ifs_pt_format format, bool shared)
{
	struct iommu_fixture *fix = live(format, 2, shared);
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	assert_true(device_writes(fix, 0, 0x200000));
	preserve(fix);
	iommu_fixture_kernel_down(fix);
	assert_true(device_writes(fix, 0, 0x201000));
	assert_true(device_writes(fix, 1, 0x401000));
	assert_false(device_reads(fix, 2, 0x200000));
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	assert_true(device_writes(fix, 0, 0x5ff000));
	assert_true(device_writes(fix, 1, 0x3ff000));
	assert_false(device_reads(fix, 2, 0x200000));
	assert_true(fix->dev[0]->iommu->adopted);
	assert_ptr_equal(fix->dev[0]->group->domain, carried.domain[0]);
	assert_int_equal(carried.domain[0]->pt.nr_table_pages, 4);
	assert_int_equal(carried.domain[0]->nr_attached, shared ? 2 : 1);
	assert_int_equal(ifs_iommu_iova_to_phys(carried.domain[0], 0x401234),
			 carried.memory + 0x200234);
	assert_null(iommu_core_check(fix->kernel->iommu));
	ifs_machine_get_stats(fix->machine, &stats);
	assert_int_equal(stats.dma_lost + stats.dma_astray, 0);
	finish(fix, 0);
	assert_int_equal(carried.nr_released, shared ? 1 : 2);
}

static void test_kexec_vtdss_dma_goes_on(void **state)
{
	check_uninterrupted(IFS_PT_VTDSS, false);
	check_uninterrupted(IFS_PT_VTDSS, true);
}

static void test_kexec_x86_64_dma_goes_on(void **state)
{
	check_uninterrupted(IFS_PT_X86_64, false);
	check_uninterrupted(IFS_PT_X86_64, true);
}

/* The rebuilt domain would not take over, or the restored one would never go. */
static void test_replace_restored_domain_releases_it_when_both_let_go(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 1, false);
	struct iommu_domain *rebuilt;
	int other;

	preserve(fix);
	iommu_fixture_kexec(fix);
	assert_int_equal(kho_restore_folios(fix->kernel->kho, carried.memory, NR_PAGES, 0,
					    FRAME_MEMFD), 0);
	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &other), -EPERM);
	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &carried), 0);
	rebuilt = iommu_fixture_domain(fix, 0);
	iommu_fixture_map(fix, rebuilt, 0x200000, carried.memory, 0x200000, RW);
	/* The holder first: the device still needs it. */
	ifs_iommu_domain_free(carried.domain[0]);
	carried.domain[0] = NULL;
	assert_int_equal(carried.nr_released, 0);
	assert_true(device_writes(fix, 0, 0x401000));
	assert_int_equal(ifs_iommu_attach_group(rebuilt, fix->dev[0]->group), 0);
	assert_int_equal(carried.nr_released, 1);
	assert_int_equal(pages_count(fix->kernel->page_alloc, FRAME_TABLE), 5);
	assert_int_equal(rebuilt->did, 3);
	assert_true(device_writes(fix, 0, 0x200000));
	ifs_iommu_detach_group(rebuilt, fix->dev[0]->group);
	ifs_iommu_device_release_dma_owner(fix->dev[0]);
	iommu_fixture_domain_free(fix, rebuilt);
	finish(fix, 0);
}

/* A second live update right after the first would lose what the first restored. */
static void test_kexec_twice_dma_goes_on(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);

	for (unsigned round = 0; round < 3; round++) {
		preserve(fix);
		iommu_fixture_kernel_down(fix);
		assert_true(device_writes(fix, 1, 0x200000 + round * 0x1000));
		assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
		assert_true(device_writes(fix, 1, 0x401000));
		assert_int_equal(kho_restore_folios(fix->kernel->kho, carried.memory,
						    NR_PAGES * 2, 0, FRAME_MEMFD), 0);
	}
	finish(fix, 0);
}

/* A device that is not preserved would go on doing DMA into the next kernel's memory. */
static void test_kexec_unpreserved_device_is_cut_off_silently(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);

	preserve(fix);
	fix->dev[1]->preserved_state = NULL;
	carried.nr_domains = 1;
	iommu_fixture_kernel_down(fix);
	assert_true(device_writes(fix, 0, 0x200000));
	assert_false(device_writes(fix, 1, 0x200000));
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	assert_true(device_writes(fix, 0, 0x200000));
	assert_false(device_writes(fix, 1, 0x200000));
	finish(fix, 0);
}

/* Nothing preserved at all: the black-out must not be a free-for-all. */
static void test_kexec_unpreserved_unit_blocks_every_device(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 1, false);

	iommu_fixture_kernel_down(fix);
	carried.nr_domains = 0;
	carried.domain[0] = NULL;
	assert_false(device_writes(fix, 0, 0x200000));
	assert_false(device_writes(fix, 0, 0x0));
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	assert_false(fix->dev[0]->iommu->adopted);
	assert_false(device_writes(fix, 0, 0x200000));
	finish(fix, 0);
}

/* The old kernel would hand over tables that lead to memory which the next one reuses. */
static void test_shutdown_reports_targets_nobody_preserved(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 1, false);

	preserve(fix);
	kho_unpreserve_folios(fix->kernel->kho, carried.memory + 0x5000, 1, 0);
	iommu_fixture_kernel_down(fix);
	assert_int_equal(count(fix, IFS_RULE_UNPRESERVED_TARGET), 1);
	/* And the next kernel does not take it. */
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	assert_int_equal(carried.adopt_error[0], -EINVAL);
	assert_int_equal(count(fix, IFS_RULE_DEVICE_BLOCKED), 1);
	assert_false(device_writes(fix, 0, 0x200000));
	finish(fix, 2);
}

/* Unpreserve would leave marks: pages kept for ever by the next kernel. */
static void test_unpreserve_returns_every_mark(void **state)
{
	struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);
	u64 before = kho_nr_preserved_pages(fix->kernel->kho);
	struct pt_iommu *pt = &carried.domain[0]->pt;

	assert_int_equal(ifs_pt_preserve(pt), 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kernel->kho), before + 4);
	ifs_pt_unpreserve(pt);
	assert_int_equal(ifs_iommu_hw_preserve(fix->dev[0]->iommu), 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kernel->kho), before + 2);
	/* A bus that comes later: its context table is preserved with the root. */
	assert_int_equal(ifs_iommu_attach_group(carried.domain[0], fix->dev[2]->group), 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kernel->kho), before + 3);
	ifs_iommu_hw_unpreserve(fix->dev[0]->iommu);
	assert_int_equal(kho_nr_preserved_pages(fix->kernel->kho), before);
	/* Out of memory in the middle: nothing stays marked. */
	for (u64 nth = 1;; nth++) {
		int ret;

		fail_points_arm(&fix->kernel->fail, nth, false);
		ret = ifs_pt_preserve(pt);
		if (!fix->kernel->fail.fired) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(kho_nr_preserved_pages(fix->kernel->kho), before);
	}
	fail_points_arm(&fix->kernel->fail, 0, false);
	ifs_pt_unpreserve(pt);
	for (unsigned i = 0; i < 3; i++)
		ifs_iommu_detach_group(carried.domain[i == 1], fix->dev[i]->group);
	for (unsigned i = 0; i < 2; i++) {
		iommu_fixture_domain_free(fix, carried.domain[i]);
		carried.domain[i] = NULL;
	}
	finish(fix, 0);
}

/*
 * A boot short of memory would crash, or let a device do DMA that nobody watches. Each device ends
 * attached, or blocked and reported; where the boot fails, the black-out goes on.
 */
static void test_boot_out_of_memory_restores_or_blocks(void **state)
{
	unsigned nr_failed = 0, nr_blocked = 0;

	for (u64 nth = 1;; nth++) {
		struct iommu_fixture *fix = live(IFS_PT_VTDSS, 2, false);
		u64 blocked, refused;
		bool fired;

		preserve(fix);
		iommu_fixture_kernel_down(fix);
		if (iommu_fixture_kernel_up(fix, nth)) {
			nr_failed++;
			ifs_machine_free(fix->machine);
			free(fix);
			continue;
		}
		fired = fix->kernel->fail.fired;
		blocked = count(fix, IFS_RULE_DEVICE_BLOCKED);
		refused = count(fix, IFS_RULE_STATE_REFUSED);
		nr_blocked += blocked;
		assert_int_equal(device_writes(fix, 0, 0x401000) + device_writes(fix, 1, 0x401000),
				 2 - blocked);
		assert_null(iommu_core_check(fix->kernel->iommu));
		finish(fix, blocked + refused);
		if (!fired)
			break;
	}
	assert_true(nr_failed >= 5);
	assert_true(nr_blocked >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kexec_vtdss_dma_goes_on),
		cmocka_unit_test(test_kexec_x86_64_dma_goes_on),
		cmocka_unit_test(test_replace_restored_domain_releases_it_when_both_let_go),
		cmocka_unit_test(test_kexec_twice_dma_goes_on),
		cmocka_unit_test(test_kexec_unpreserved_device_is_cut_off_silently),
		cmocka_unit_test(test_kexec_unpreserved_unit_blocks_every_device),
		cmocka_unit_test(test_shutdown_reports_targets_nobody_preserved),
		cmocka_unit_test(test_unpreserve_returns_every_mark),
		cmocka_unit_test(test_boot_out_of_memory_restores_or_blocks),
	};

	return cmocka_run_group_tests_name("iommu_kexec", tests, NULL, NULL);
}
