/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Random maps and unmaps against a model: one array element per page, no tables. The device is the
 * second opinion: what it reads must be what the model says, through the IOTLB and the walker,
 * which share nothing with the writer; and the machine's checker sees every translation that
 * outlived its entry.
 */
#include "tests/lib/iommu/iommu_fixture.h"

#include <string.h>

#define BASE 0x3fc00000ull      /* 4 MiB below 1 GiB: chunks cross a 1 GiB boundary */
#define NR_PAGES 2048u
#define NR_FRAMES 4096u
#define NR_OPERATIONS 3000u

struct model_page {
	pa_t pa;                /* 0: not mapped */
	bool writable;
	u32 leaf_first;         /* first page of the leaf it belongs to */
	u32 leaf_pages;
};

struct model {
	u64 random;
	pa_t memory;
	struct model_page pages[NR_PAGES];
};

static u64 next_random(struct model *model)
{
	model->random ^= model->random << 13;
	model->random ^= model->random >> 7;
	model->random ^= model->random << 17;
	return model->random;
}

static u32 below(struct model *model, u32 limit)
{
	return next_random(model) % limit;
}

static int model_map(struct model *model, u32 first, u32 nr, pa_t pa, bool writable)
{
	for (u32 i = first; i < first + nr; i++)
		if (model->pages[i].pa)
			return -EADDRINUSE;
	for (u32 i = first; i < first + nr;) {
		u64 iova = BASE + i * 0x1000ull;
		pa_t at = pa + (i - first) * 0x1000ull;
		u32 leaf = 1;

		if (iova % 0x200000 == 0 && at % 0x200000 == 0 && first + nr - i >= 512)
			leaf = 512;
		for (u32 j = 0; j < leaf; j++)
			model->pages[i + j] = (struct model_page){
				.pa = at + j * 0x1000ull, .writable = writable,
				.leaf_first = i, .leaf_pages = leaf,
			};
		i += leaf;
	}
	return 0;
}

/* Returns the number of pages removed, always from @first on. */
static u32 model_unmap(struct model *model, u32 first, u32 nr)
{
	u32 at = first;

	while (at < first + nr && at < NR_PAGES && model->pages[at].pa &&
	       model->pages[at].leaf_first == at) {
		u32 leaf = model->pages[at].leaf_pages;

		memset(&model->pages[at], 0, leaf * sizeof(model->pages[0]));
		at += leaf;
	}
	return at - first;
}

static void check_page(struct iommu_fixture *fix, struct model *model, struct iommu_domain *domain,
		       u32 i)
{
	const struct model_page *page = &model->pages[i];
	iova_t iova = BASE + i * 0x1000ull;
	struct ifs_dma_fault fault;
	u64 tag = 0;
	bool reached;

	assert_int_equal(ifs_iommu_iova_to_phys(domain, iova + 0x123),
			 page->pa ? page->pa + 0x123 : 0);
	reached = ifs_device_dma_read(fix->hw[0], iova, &tag, 8, &fault) == IFS_DMA_OK;
	assert_int_equal(reached, page->pa != 0);
	assert_int_equal(tag, page->pa);
	reached = ifs_device_dma_write(fix->hw[0], iova + 8, &tag, 8, &fault) == IFS_DMA_OK;
	assert_int_equal(reached, page->pa && page->writable);
}

static void operate(struct iommu_fixture *fix, struct model *model, struct iommu_domain *domain)
{
	bool aligned = next_random(model) & 1;
	u32 first = below(model, NR_PAGES), frame = below(model, NR_FRAMES), nr;
	iova_t iova;
	u64 length;

	if (aligned) {
		first &= ~511u;
		frame &= ~511u;
	} else if (next_random(model) & 1) {
		/* So that large pages fit in the middle of ragged ends. */
		frame = (frame & ~511u) | (first & 511);
	}
	nr = 1 + below(model, next_random(model) & 3 ? 1200 : 3);
	nr = min(nr, min(NR_PAGES - first, NR_FRAMES - frame));
	iova = BASE + first * 0x1000ull;
	length = nr * 0x1000ull;
	if (next_random(model) & 1) {
		bool writable = next_random(model) & 1;
		pa_t pa = model->memory + frame * 0x1000ull;
		int expected = model_map(model, first, nr, pa, writable);

		int prot = IOMMU_READ | (writable ? IOMMU_WRITE : 0);

		assert_int_equal(ifs_iommu_map(domain, iova, pa, length, prot, GFP_KERNEL),
				 expected);
		if (!expected)
			dma_check_grant(fix->machine, domain->dma_space, iova, pa, length, true,
					writable);
	} else {
		u32 removed = model_unmap(model, first, nr);

		if (removed)
			dma_check_revoke(fix->machine, domain->dma_space, iova,
					 removed * 0x1000ull);
		assert_int_equal(ifs_iommu_unmap(domain, iova, length), removed * 0x1000ull);
	}
}

struct leaf_count {
	struct model *model;
	u64 nr_pages;
};

static int count_leaf(void *ctx, iova_t iova, pa_t pa, u64 length, int prot)
{
	struct leaf_count *count = ctx;
	u32 first = (iova - BASE) / 0x1000;

	for (u32 i = 0; i < length / 0x1000; i++) {
		assert_int_equal(count->model->pages[first + i].pa, pa + i * 0x1000ull);
		assert_int_equal(!!(prot & IOMMU_WRITE), count->model->pages[first + i].writable);
	}
	count->nr_pages += length / 0x1000;
	return 0;
}

static void check_all(struct model *model, struct iommu_domain *domain)
{
	struct leaf_count count = { .model = model };
	u64 expected = 0;

	for (u32 i = 0; i < NR_PAGES; i++)
		expected += model->pages[i].pa != 0;
	assert_int_equal(ifs_pt_for_each_leaf(&domain->pt, count_leaf, &count), 0);
	assert_int_equal(count.nr_pages, expected);
}

static void run(struct iommu_fixture *fix, u64 seed)
{
	struct model *model = calloc(1, sizeof(*model));
	struct iommu_domain *domain = iommu_fixture_domain(fix, 0);

	assert_non_null(model);
	model->random = seed * 0x9e3779b97f4a7c15ull;
	model->memory = iommu_fixture_memory(fix, NR_FRAMES, 9);
	for (pa_t pa = model->memory; pa < model->memory + NR_FRAMES * 0x1000ull; pa += 0x1000)
		table_entry_set(fix, pa, 0, pa);
	assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[0]->group), 0);
	for (u32 i = 0; i < NR_OPERATIONS; i++) {
		operate(fix, model, domain);
		for (u32 j = 0; j < 4; j++)
			check_page(fix, model, domain, below(model, NR_PAGES));
		if (i % 64 == 0) {
			check_all(model, domain);
			assert_null(iommu_core_check(fix->kernel->iommu));
		}
	}
	for (u32 i = 0; i < NR_PAGES; i++)
		check_page(fix, model, domain, i);
	ifs_iommu_detach_group(domain, fix->dev[0]->group);
	iommu_fixture_domain_free(fix, domain);
	iommu_fixture_memory_free(fix, model->memory, NR_FRAMES);
	free(model);
}

/* Some sequence of maps and unmaps would leave the tables, or the IOTLB, wrong. */
static void test_random_operations_match_the_model(void **state)
{
	for (u64 seed = 1; seed <= 4; seed++)
		run(*state, seed);
}

#define T(name, format) cmocka_unit_test_setup_teardown(name, setup_##format, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_random_operations_match_the_model, vtdss),
		T(test_random_operations_match_the_model, x86_64),
	};

	return cmocka_run_group_tests_name("iommu_random", tests, NULL, NULL);
}
