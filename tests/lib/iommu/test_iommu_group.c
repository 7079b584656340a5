/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Attachment, ownership, faults: what a device reaches, seen from the device. */
#include "tests/lib/iommu/iommu_fixture.h"

#include <string.h>

#include "sim/iommu_hw.h"
#include "sim/iommu_regs.h"

#define RW (IOMMU_READ | IOMMU_WRITE)

static u64 reports(struct iommu_fixture *fix)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_get_stats(fix->machine, &stats);
	return stats.reports;
}

/* A device nobody attached could reach memory. */
static void test_boot_blocks_every_device(void **state)
{
	struct iommu_fixture *fix = *state;

	assert_true(iommu_hw_read(fix->dev[0]->iommu->hw, IOMMU_REG_GSTS) & 1ull << 31);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		assert_null(fix->dev[i]->group->domain);
		assert_false(device_reads(fix, i, 0x1000));
	}
	assert_ptr_equal(ifs_iommu_find_device(0, 0x0108), fix->dev[1]);
	assert_null(ifs_iommu_find_device(1, 0x0108));
	assert_null(ifs_iommu_device_at(FIXTURE_DEVICES));
}

/* DMA would not follow the attachment, or reach memory after the detach. */
static void test_attach_detach_opens_and_closes_the_way(void **state)
{
	struct iommu_fixture *fix = *state;
	pa_t memory = iommu_fixture_memory(fix, 2, 0);
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	iommu_fixture_map(fix, domain, 0x1000, memory, 0x1000, RW);
	iommu_fixture_map(fix, domain, 0x2000, memory + 0x1000, 0x1000, IOMMU_READ);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), 0);
	assert_int_equal(domain->did, 2);
	assert_int_equal(domain->nr_attached, 1);
	assert_true(device_writes(fix, 0, 0x1000));
	assert_true(device_reads(fix, 0, 0x2000));
	assert_false(device_writes(fix, 0, 0x2000));
	assert_false(device_reads(fix, 0, 0x3000));
	assert_false(device_reads(fix, 1, 0x1000));
	/* An attached group is not attached again, not even to the same domain. */
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), -EBUSY);
	assert_null(iommu_core_check(fix->kernel->iommu));
	ifs_iommu_detach_group(domain, fix->dev[0]->group);
	assert_int_equal(domain->did, 0);
	assert_false(device_reads(fix, 0, 0x1000));
	iommu_fixture_domain_free(fix, domain);
	iommu_fixture_memory_free(fix, memory, 2);
}

/* A cached translation would outlive its mapping: the use after free of a page by DMA. */
static void test_unmap_flushes_what_was_cached(void **state)
{
	struct iommu_fixture *fix = *state;
	pa_t memory = iommu_fixture_memory(fix, 512, 9);
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	iommu_fixture_map(fix, domain, 0x200000, memory, 0x200000, RW);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), 0);
	assert_true(device_reads(fix, 0, 0x2ff000));
	dma_check_revoke(fix->machine, domain->dma_space, 0x200000, 0x200000);
	assert_int_equal(ifs_iommu_unmap(domain, 0x200000, 0x200000), 0x200000);
	assert_false(device_reads(fix, 0, 0x2ff000));
	/* Small pages, and the table goes with them. */
	for (u64 i = 0; i < 512; i++)
		iommu_fixture_map(fix, domain, 0x200000 + i * 0x1000, memory + (511 - i) * 0x1000,
				  0x1000, RW);
	assert_true(device_reads(fix, 0, 0x200000));
	assert_true(device_reads(fix, 0, 0x3ff000));
	dma_check_revoke(fix->machine, domain->dma_space, 0x200000, 0x200000);
	assert_int_equal(ifs_iommu_unmap(domain, 0x200000, 0x200000), 0x200000);
	assert_false(device_reads(fix, 0, 0x200000));
	assert_false(device_reads(fix, 0, 0x3ff000));
	ifs_iommu_detach_group(domain, fix->dev[0]->group);
	iommu_fixture_domain_free(fix, domain);
	iommu_fixture_memory_free(fix, memory, 512);
}

/* A device would fault, or keep its old translations, while it moves to rebuilt tables. */
static void test_replace_moves_a_device_without_a_gap(void **state)
{
	struct iommu_fixture *fix = *state;
	pa_t memory = iommu_fixture_memory(fix, 2, 0);
	struct iommu_domain *a = iommu_fixture_domain(fix, 0), *b = iommu_fixture_domain(fix, 0);
	struct ifs_machine_stats before = { .size = sizeof(before) }, after = before;

	iommu_fixture_map(fix, a, 0x1000, memory, 0x1000, RW);
	iommu_fixture_map(fix, b, 0x1000, memory + 0x1000, 0x1000, RW);
	assert_int_equal(ifs_iommu_attach_group(a, fix->dev[0]->group), 0);
	assert_int_equal(ifs_iommu_attach_group(a, fix->dev[2]->group), 0);
	assert_int_equal(a->nr_attached, 2);
	assert_true(device_writes(fix, 0, 0x1000));
	ifs_machine_get_stats(fix->machine, &before);
	assert_int_equal(ifs_iommu_replace_group(b, fix->dev[0]->group), 0);
	assert_true(device_writes(fix, 0, 0x1000));
	assert_true(device_writes(fix, 2, 0x1000));
	ifs_machine_get_stats(fix->machine, &after);
	assert_int_equal(after.faults_recorded, before.faults_recorded);
	assert_int_equal(a->nr_attached, 1);
	assert_int_equal(b->did, 3);
	assert_int_equal(ifs_iommu_replace_group(b, fix->dev[0]->group), 0);
	assert_int_equal(b->nr_attached, 1);
	assert_null(iommu_core_check(fix->kernel->iommu));
	ifs_iommu_detach_group(b, fix->dev[0]->group);
	ifs_iommu_detach_group(a, fix->dev[2]->group);
	iommu_fixture_domain_free(fix, a);
	iommu_fixture_domain_free(fix, b);
	iommu_fixture_memory_free(fix, memory, 2);
}

/* An attach that fails for want of memory would leave a domain id or a device half attached. */
static void test_attach_out_of_memory_changes_nothing(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	fail_points_arm(&fix->kernel->fail, 1, false);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), -ENOMEM);
	assert_true(fix->kernel->fail.fired);
	assert_int_equal(domain->did, 0);
	assert_null(fix->dev[0]->group->domain);
	fail_points_arm(&fix->kernel->fail, 0, false);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), 0);
	assert_int_equal(domain->did, 2);
	ifs_iommu_detach_group(domain, fix->dev[0]->group);
	iommu_fixture_domain_free(fix, domain);
}

/* Two domains would share a tag in the IOTLB. */
static void test_attach_without_domain_ids_left_gives_enospc(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_device *iommu = fix->dev[0]->iommu;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_int_equal(ifs_iommu_did_reserve(iommu, 0), -EBUSY);
	assert_int_equal(ifs_iommu_did_reserve(iommu, 1), -EBUSY);
	for (u32 did = 2; did < iommu->nr_dids; did++)
		assert_int_equal(ifs_iommu_did_reserve(iommu, did), 0);
	assert_int_equal(ifs_iommu_did_reserve(iommu, 2), -EBUSY);
	assert_int_equal(ifs_iommu_did_reserve(iommu, iommu->nr_dids), -EBUSY);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), -ENOSPC);
	assert_null(fix->dev[0]->group->domain);
	iommu_fixture_domain_free(fix, domain);
}

/* Two users would own one device. */
static void test_claim_owner_follows_linux(void **state)
{
	struct iommu_fixture *fix = *state;
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);
	int me, other;

	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &me), 0);
	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &me), 0);
	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &other), -EPERM);
	ifs_iommu_device_release_dma_owner(fix->dev[0]);
	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &other), -EPERM);
	ifs_iommu_device_release_dma_owner(fix->dev[0]);
	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &other), 0);
	ifs_iommu_device_release_dma_owner(fix->dev[0]);
	/* Attached by somebody who claimed nothing. */
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), 0);
	assert_int_equal(ifs_iommu_device_claim_dma_owner(fix->dev[0], &me), -EBUSY);
	ifs_iommu_detach_group(domain, fix->dev[0]->group);
	iommu_fixture_domain_free(fix, domain);
}

/* One bad device would go on doing DMA, or nobody would hear of it. */
static void test_block_device_cuts_off_one_device_and_says_so(void **state)
{
	struct iommu_fixture *fix = *state;
	pa_t memory = iommu_fixture_memory(fix, 1, 0);
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	iommu_fixture_map(fix, domain, 0x1000, memory, 0x1000, RW);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), 0);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[1]->group), 0);
	ifs_iommu_block_device(fix->dev[0], "test");
	assert_int_equal(reports(fix), 1);
	assert_int_equal(ifs_machine_count_reports(fix->machine, IFS_RULE_DEVICE_BLOCKED), 1);
	assert_false(device_reads(fix, 0, 0x1000));
	assert_true(device_reads(fix, 1, 0x1000));
	ifs_iommu_detach_group(domain, fix->dev[1]->group);
	iommu_fixture_domain_free(fix, domain);
	iommu_fixture_memory_free(fix, memory, 1);
	iommu_fixture_free(fix, 1);
	*state = NULL;
}

static int teardown_if_any(void **state)
{
	return *state ? teardown(state) : 0;
}

/* Faults would pile up unseen, or block the ring for ever after an overflow. */
static void test_handle_faults_prints_and_clears_them(void **state)
{
	struct iommu_fixture *fix = *state;
	char *log;

	for (unsigned i = 0; i < 9; i++)
		assert_false(device_writes(fix, 1, 0x5000 + i * 0x1000));
	iommu_core_handle_faults(fix->kernel->iommu);
	assert_false(iommu_hw_fault_pending(fix->dev[0]->iommu->hw));
	log = ifs_machine_event_log(fix->machine);
	assert_non_null(log);
	assert_non_null(strstr(log, "[DMA Write] device 01:01.0 fault addr 0x5000 reason 0x01"));
	assert_non_null(strstr(log, "fault addr 0xc000"));
	assert_null(strstr(log, "fault addr 0xd000"));
	assert_non_null(strstr(log, "fault overflow"));
	free(log);
	assert_false(device_reads(fix, 1, 0xe000));
	assert_true(iommu_hw_fault_pending(fix->dev[0]->iommu->hw));
	iommu_core_handle_faults(fix->kernel->iommu);
	assert_false(iommu_hw_fault_pending(fix->dev[0]->iommu->hw));
}

#define T(name, format) cmocka_unit_test_setup_teardown(name, setup_##format, teardown_if_any)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_boot_blocks_every_device, vtdss),
		T(test_attach_detach_opens_and_closes_the_way, vtdss),
		T(test_attach_detach_opens_and_closes_the_way, x86_64),
		T(test_unmap_flushes_what_was_cached, vtdss),
		T(test_unmap_flushes_what_was_cached, x86_64),
		T(test_replace_moves_a_device_without_a_gap, vtdss),
		T(test_replace_moves_a_device_without_a_gap, x86_64),
		T(test_attach_out_of_memory_changes_nothing, vtdss),
		T(test_attach_without_domain_ids_left_gives_enospc, vtdss),
		T(test_claim_owner_follows_linux, vtdss),
		T(test_block_device_cuts_off_one_device_and_says_so, vtdss),
		T(test_handle_faults_prints_and_clears_them, vtdss),
	};

	return cmocka_run_group_tests_name("iommu_group", tests, NULL, NULL);
}
