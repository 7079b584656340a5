/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Live tables across a kexec. A design of the test's own carries over what a real one would write into
 * KHO memory; each kind of damage is done to RAM in the black-out.
 */
#include "tests/lib/iommu/iommu_fixture.h"

#include <string.h>

#include "sim/iommu_hw.h"
#include "sim/iommu_regs.h"

#define RW (IOMMU_READ | IOMMU_WRITE)
#define PA 0x000ffffffffff000ull

/* What crosses, and what the hooks saw. One test runs at a time. */
static struct {
	pa_t root_pa;
	struct pt_iommu pt[FIXTURE_DEVICES];
	u32 did[FIXTURE_DEVICES];
	unsigned nr_domains;            /* devices 0 .. nr_domains - 1 are preserved */
	bool shared;                    /* all in the first one's domain */
	int adopt_error[FIXTURE_DEVICES];
	struct iommu_domain *domain[FIXTURE_DEVICES];
	unsigned nr_released;
	struct iommu_fixture *fix;
	pa_t memory;
} carried;

static unsigned index_of(const struct device *dev)
{
	return dev->bdf == 0x0100 ? 0 : dev->bdf == 0x0108 ? 1 : 2;
}

static int design_iommu_boot(void *data, struct iommu_device *iommu, pa_t *root_pa)
{
	*root_pa = carried.root_pa;
	return carried.root_pa ? 1 : 0;
}

static int design_probe(void *data, struct device *dev, struct iommu_domain **domain)
{
	unsigned i = carried.shared ? 0 : index_of(dev);

	*domain = NULL;
	if (index_of(dev) >= carried.nr_domains)
		return 0;
	if (!carried.domain[i] && !carried.adopt_error[i]) {
		carried.adopt_error[i] = ifs_iommu_domain_adopt(dev->iommu, &carried.pt[i],
								carried.did[i], false,
								&carried.domain[i]);
		if (!carried.adopt_error[i])
			carried.domain[i]->restored_from = &carried;
	}
	*domain = carried.domain[i];
	return carried.adopt_error[i];
}

static int design_claim(void *data, struct device *dev, void *owner)
{
	return owner == &carried ? 0 : -EPERM;
}

static void design_released(void *data, struct iommu_domain *domain)
{
	carried.nr_released++;
}

static bool design_iommu_preserved(void *data, struct iommu_device *iommu)
{
	return iommu->preserved_state;
}

static bool design_device_preserved(void *data, struct device *dev)
{
	return dev->preserved_state;
}

static const struct ifs_design design = {
	.size = sizeof(design),
	.name = "test",
	.iommu_boot = design_iommu_boot,
	.probe_device = design_probe,
	.claim_owner = design_claim,
	.domain_released = design_released,
	.iommu_preserved = design_iommu_preserved,
	.device_preserved = design_device_preserved,
};

#define NR_PAGES 1024ull        /* per device: 2 MiB as one leaf and 2 MiB as small ones */

/* Each of @nr devices gets a domain with two leaf sizes; the devices' memory follows each other. */
static struct iommu_fixture *live(enum ifs_pt_format format, unsigned nr, bool shared)
{
	struct iommu_fixture *fix;

	memset(&carried, 0, sizeof(carried));
	fix = iommu_fixture_new(format);
	fix->design = fix->kernel->design = &design;
	carried.fix = fix;
	carried.nr_domains = nr;
	carried.shared = shared;
	carried.memory = iommu_fixture_memory(fix, NR_PAGES * nr, 9);
	for (unsigned i = 0; i < nr; i++) {
		pa_t memory = carried.memory + i * NR_PAGES * 0x1000;
		struct iommu_domain *domain;

		if (shared && i) {
			assert_int_equal(ifs_iommu_attach_group(carried.domain[0],
								fix->dev[i]->group), 0);
			continue;
		}
		domain = carried.domain[i] = iommu_fixture_domain(fix, i);
		iommu_fixture_map(fix, domain, 0x200000, memory, 0x200000, RW);
		iommu_fixture_map(fix, domain, 0x401000, memory + 0x200000, 0x1ff000, RW);
		assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[i]->group), 0);
	}
	return fix;
}

static void preserve(struct iommu_fixture *fix)
{
	struct iommu_device *iommu = fix->dev[0]->iommu;

	for (unsigned i = 0; i < carried.nr_domains; i++) {
		fix->dev[i]->preserved_state = &carried;
		if (!carried.domain[i])
			continue;
		assert_int_equal(ifs_pt_preserve(&carried.domain[i]->pt), 0);
		carried.pt[i] = carried.domain[i]->pt;
		carried.did[i] = carried.domain[i]->did;
		carried.domain[i] = NULL;
	}
	assert_int_equal(ifs_iommu_hw_preserve(iommu), 0);
	iommu->preserved_state = &carried;
	carried.root_pa = iommu->root_pa;
	assert_int_equal(kho_preserve_folios(fix->kernel->kho, carried.memory,
					     NR_PAGES * carried.nr_domains, 0), 0);
}

/* After the tests: memory that a real user would have restored. */
static void finish(struct iommu_fixture *fix, u64 reports)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		if (carried.domain[i])
			ifs_iommu_domain_free(carried.domain[i]);
	if (pages_owner(fix->kernel->page_alloc, carried.memory) == FRAME_MEMFD)
		iommu_fixture_memory_free(fix, carried.memory, NR_PAGES * carried.nr_domains);
	iommu_fixture_free(fix, reports);
}

static u64 count(struct iommu_fixture *fix, enum ifs_rule rule)
{
	return ifs_machine_count_reports(fix->machine, rule);
}

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
		assert_int_equal(kho_restore_folios(fix->kernel->kho, carried.memory, NR_PAGES * 2, 0,
						    FRAME_MEMFD), 0);
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

		fix->kernel->fail = (struct fail_point){ .nth = nth };
		ret = ifs_pt_preserve(pt);
		if (!fix->kernel->fail.fired) {
			assert_int_equal(ret, 0);
			break;
		}
		assert_int_equal(ret, -ENOMEM);
		assert_int_equal(kho_nr_preserved_pages(fix->kernel->kho), before);
	}
	fix->kernel->fail = (struct fail_point){ 0 };
	ifs_pt_unpreserve(pt);
	for (unsigned i = 0; i < 3; i++)
		ifs_iommu_detach_group(carried.domain[i == 1], fix->dev[i]->group);
	for (unsigned i = 0; i < 2; i++) {
		iommu_fixture_domain_free(fix, carried.domain[i]);
		carried.domain[i] = NULL;
	}
	finish(fix, 0);
}

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
		u64 unclaimed, entry;
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
		/* Nothing of it was claimed: root, context table, and device 1's four tables are. */
		unclaimed = pages_count(fix->kernel->page_alloc, FRAME_TABLE);
		assert_int_equal(unclaimed, 6);
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
		cmocka_unit_test(test_adopt_damaged_table_blocks_only_its_device),
		cmocka_unit_test(test_adopt_table_linked_twice_is_refused),
		cmocka_unit_test(test_adopt_leaf_that_leads_to_a_table_is_refused),
		cmocka_unit_test(test_adopt_wrong_geometry_is_refused),
		cmocka_unit_test(test_attach_restored_other_context_entry_blocks_the_device),
		cmocka_unit_test(test_boot_clears_context_entries_of_no_device),
		cmocka_unit_test(test_hw_adopt_damaged_root_entry_costs_its_bus),
		cmocka_unit_test(test_hw_adopt_wrong_root_blocks_the_unit),
		cmocka_unit_test(test_boot_out_of_memory_restores_or_blocks),
	};

	return cmocka_run_group_tests_name("iommu_adopt", tests, NULL, NULL);
}
