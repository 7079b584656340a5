/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See iommu_fixture.h. */
#include "tests/lib/iommu/iommu_fixture.h"

static const struct kho_config kho_config = {
	.enabled = true, .scratch_bytes = 4ull << 20, .release = "test",
};

int iommu_fixture_kernel_up(struct iommu_fixture *fix, u64 fail_nth)
{
	struct kernel_base *kernel = calloc(1, sizeof(*kernel));
	char reason[256] = "";
	int ret;

	assert_non_null(kernel);
	fix->kernel = kernel;
	kheap_init(&kernel->heap, &kernel->fail, NULL);
	lockdep_init(&kernel->lockdep, (u16)(machine_boot_count(fix->machine) + 1));
	kernel->machine = fix->machine;
	kernel->mem = machine_phys_mem(fix->machine);
	kernel->design = fix->design;
	memset(&fix->task, 0, sizeof(fix->task));
	task_enter(&fix->task, kernel, "test");
	assert_int_equal(page_alloc_new(kernel, &kernel->page_alloc), 0);
	assert_int_equal(kho_new(kernel, &kho_config, reason, &kernel->kho), 0);
	assert_string_equal(reason, "");
	assert_int_equal(kho_init(kernel->kho), 0);
	fail_points_arm(&kernel->fail, fail_nth, false);
	ret = iommu_core_new(kernel, &kernel->iommu);
	fail_points_disarm(&kernel->fail);
	if (ret) {
		task_leave(&fix->task);
		kheap_drop(&kernel->heap);
		free(kernel);
		fix->kernel = NULL;
		return ret;
	}
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		fix->dev[i] = ifs_iommu_device_at(i);
	return 0;
}

struct iommu_fixture *iommu_fixture_new(enum ifs_pt_format format)
{
	static const struct { u8 bus, slot; } places[] = { { 1, 0 }, { 1, 1 }, { 2, 0 } };
	struct ifs_machine_config config = {
		.size = sizeof(config), .ram_bytes = 4ull << 30, .pt_format = format,
	};
	struct iommu_fixture *fix = calloc(1, sizeof(*fix));
	struct ifs_error error = { 0 };

	assert_non_null(fix);
	fix->machine = ifs_machine_new(&config, &error);
	if (!fix->machine)
		fail_msg("machine: %s", error.text);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		struct ifs_device_config device = {
			.size = sizeof(device), .bus = places[i].bus, .slot = places[i].slot,
		};

		fix->hw[i] = ifs_machine_add_device(fix->machine, &device, &error);
		assert_non_null(fix->hw[i]);
	}
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
	return fix;
}

static void print_leak(void *ctx, const char *site, size_t size)
{
	print_error("leaked %zu bytes: %s\n", size, site);
}

static void check_reports(struct iommu_fixture *fix, u64 expected)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct ifs_report report;

	ifs_machine_get_stats(fix->machine, &stats);
	if (stats.reports != expected)
		for (unsigned i = 0; ifs_machine_get_report(fix->machine, i, &report); i++)
			print_error("report: %s: %s\n", ifs_rule_name(report.rule), report.text);
	assert_int_equal(stats.reports, expected);
}

void iommu_fixture_free(struct iommu_fixture *fix, u64 reports)
{
	struct kernel_base *kernel = fix->kernel;
	u64 spaces, grants;

	assert_null(iommu_core_check(kernel->iommu));
	iommu_core_free(kernel->iommu);
	kernel->iommu = NULL;
	assert_int_equal(pages_count(kernel->page_alloc, FRAME_TABLE), 0);
	assert_int_equal(pages_count(kernel->page_alloc, FRAME_MEMFD), 0);
	kho_free(kernel->kho);
	page_alloc_free(kernel->page_alloc);
	kheap_for_each(&kernel->heap, print_leak, NULL);
	assert_int_equal(kernel->heap.nr_blocks, 0);
	task_leave(&fix->task);
	dma_check_counts(fix->machine, &spaces, &grants);
	assert_int_equal(spaces, 0);
	check_reports(fix, reports);
	free(kernel);
	ifs_machine_free(fix->machine);
	free(fix);
}

void iommu_fixture_kernel_down(struct iommu_fixture *fix)
{
	struct machine_boot_params params = { 0 };

	assert_null(iommu_core_check(fix->kernel->iommu));
	iommu_core_shutdown(fix->kernel->iommu);
	kho_fill_boot_params(fix->kernel->kho, &params);
	task_leave(&fix->task);
	machine_set_boot_params(fix->machine, &params);
	kheap_drop(&fix->kernel->heap);
	free(fix->kernel);
	fix->kernel = NULL;
	dma_check_kexec(fix->machine);
	machine_kexec(fix->machine);
}

void iommu_fixture_kexec(struct iommu_fixture *fix)
{
	iommu_fixture_kernel_down(fix);
	assert_int_equal(iommu_fixture_kernel_up(fix, 0), 0);
}

struct iommu_domain *iommu_fixture_domain(struct iommu_fixture *fix, unsigned dev)
{
	struct iommu_domain *domain = ifs_iommu_domain_alloc_paging_flags(fix->dev[dev], 0);

	assert_false(IS_ERR(domain));
	domain->dma_space = dma_check_space_new(fix->machine);
	return domain;
}

void iommu_fixture_domain_free(struct iommu_fixture *fix, struct iommu_domain *domain)
{
	dma_check_space_put(fix->machine, domain->dma_space);
	ifs_iommu_domain_free(domain);
}

void iommu_fixture_map(struct iommu_fixture *fix, struct iommu_domain *domain, iova_t iova, pa_t pa,
		       u64 length, int prot)
{
	assert_int_equal(ifs_iommu_map(domain, iova, pa, length, prot, GFP_KERNEL), 0);
	dma_check_grant(fix->machine, domain->dma_space, iova, pa, length, prot & IOMMU_READ,
			prot & IOMMU_WRITE);
}

pa_t iommu_fixture_memory(struct iommu_fixture *fix, u64 nr_pages, unsigned align_order)
{
	pa_t pa;

	assert_int_equal(pages_alloc(fix->kernel->page_alloc, nr_pages, align_order, FRAME_MEMFD,
				     &pa), 0);
	return pa;
}

void iommu_fixture_memory_free(struct iommu_fixture *fix, pa_t pa, u64 nr_pages)
{
	pages_free(fix->kernel->page_alloc, pa, nr_pages);
}

u64 table_entry(struct iommu_fixture *fix, pa_t table_pa, unsigned index)
{
	u64 entry;

	assert_true(ifs_machine_read_ram(fix->machine, table_pa + index * 8ull, &entry, 8));
	return entry;
}

void table_entry_set(struct iommu_fixture *fix, pa_t table_pa, unsigned index, u64 value)
{
	assert_true(ifs_machine_write_ram(fix->machine, table_pa + index * 8ull, &value, 8));
}

bool device_reads(struct iommu_fixture *fix, unsigned dev, iova_t iova)
{
	struct ifs_dma_fault fault;
	u8 byte;

	return ifs_device_dma_read(fix->hw[dev], iova, &byte, 1, &fault) == IFS_DMA_OK;
}

bool device_writes(struct iommu_fixture *fix, unsigned dev, iova_t iova)
{
	struct ifs_dma_fault fault;
	u8 byte = 0x5a;

	return ifs_device_dma_write(fix->hw[dev], iova, &byte, 1, &fault) == IFS_DMA_OK;
}

int setup_vtdss(void **state)
{
	*state = iommu_fixture_new(IFS_PT_VTDSS);
	return 0;
}

int setup_x86_64(void **state)
{
	*state = iommu_fixture_new(IFS_PT_X86_64);
	return 0;
}

int teardown(void **state)
{
	iommu_fixture_free(*state, 0);
	return 0;
}
