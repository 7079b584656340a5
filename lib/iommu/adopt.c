/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Tables across a kexec (the posted series, patches 4 and 5): preserving the pages of live
 * tables, and making a domain around what the previous kernel left. The cost grows with table
 * pages and with runs of leaves, not with memory.
 *
 * Adoption reads its input in two passes and claims in a third, so that a refusal has changed
 * nothing:
 *   1. each table page lies in RAM, was preserved as one 4 KiB folio, is unclaimed, and is found
 *      once: two entries that lead to one table would make two IOVA ranges one without anyone
 *      knowing. If the record says how many there are, there are that many: a guest's own page of
 *      zeros would pass for a table without entries
 *   2. each leaf leads to memory that the previous kernel preserved as well, and not to one of the
 *      tables: memory that this kernel owns must not be reachable for a device at any moment
 *   3. the pages are claimed: RESERVED becomes TABLE
 *
 * Unlike Linux: the posted series does 3 only, with BUG_ON for a page that cannot be restored.
 */
#include "lib/iommu/iommu_private.h"

#include <assert.h>
#include <stdlib.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/kho/kho.h"
#include "lib/mm/page_alloc.h"
#include "sim/dma_check.h"
#include "sim/phys_mem.h"

int ifs_pt_for_each_table(const struct pt_iommu *pt, int (*fn)(void *ctx, pa_t table_pa), void *ctx)
{
	struct pt_ctx walk;

	if (!pt_geometry_ok(pt))
		return -EINVAL;
	pt_ctx_init(&walk, current->kernel, pt);
	return pt_ops_of(pt)->for_each_table(&walk, fn, ctx);
}

int ifs_pt_for_each_leaf(const struct pt_iommu *pt,
			 int (*fn)(void *ctx, iova_t iova, pa_t pa, u64 length, int prot),
			 void *ctx)
{
	struct pt_ctx walk;

	if (!pt_geometry_ok(pt))
		return -EINVAL;
	pt_ctx_init(&walk, current->kernel, pt);
	return pt_ops_of(pt)->for_each_leaf(&walk, fn, ctx);
}

struct preserve_walk {
	struct kernel_base *kernel;
	u64 nr_done;            /* preserve: so far; unpreserve: still to undo */
};

static int preserve_table(void *ctx, pa_t table_pa)
{
	struct preserve_walk *walk = ctx;
	int ret = iommu_preserve_page(walk->kernel, table_pa);

	if (!ret)
		walk->nr_done++;
	return ret;
}

static int unpreserve_table(void *ctx, pa_t table_pa)
{
	struct preserve_walk *walk = ctx;

	if (!walk->nr_done)
		return 1;
	walk->nr_done--;
	iommu_unpreserve_page(walk->kernel, table_pa);
	return 0;
}

int ifs_pt_preserve(struct pt_iommu *pt)
{
	struct preserve_walk walk = { .kernel = current->kernel };
	int ret = ifs_pt_for_each_table(pt, preserve_table, &walk);

	/* The walk visits tables in the same order again: the first ones are those marked. */
	if (ret)
		ifs_pt_for_each_table(pt, unpreserve_table, &walk);
	return ret;
}

void ifs_pt_unpreserve(struct pt_iommu *pt)
{
	struct preserve_walk walk = { .kernel = current->kernel, .nr_done = ~0ull };

	WARN_ON(ifs_pt_for_each_table(pt, unpreserve_table, &walk));
}

/*
 * The table pages seen so far: an open-addressing hash set, so that a page seen twice is noticed
 * at once and a set of tables that leads back into itself does not cost more than its size.
 */
struct table_set {
	struct kernel_base *kernel;
	pa_t *slots;            /* 0: empty */
	u64 nr_slots, nr_tables;
	u64 max_tables;
};

#define TABLE_SET_FIRST 1024

static pa_t *table_set_slot(const struct table_set *set, pa_t pa)
{
	u64 i = (pa >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> 20;

	for (;; i++) {
		pa_t *slot = &set->slots[i & (set->nr_slots - 1)];

		if (!*slot || *slot == pa)
			return slot;
	}
}

static int table_set_grow(struct table_set *set)
{
	struct table_set larger = *set;

	larger.nr_slots = set->nr_slots ? 2 * set->nr_slots : TABLE_SET_FIRST;
	larger.slots = kheap_alloc(&set->kernel->heap, larger.nr_slots * sizeof(pa_t),
				   "iommu table_set");
	if (!larger.slots)
		return -ENOMEM;
	for (u64 i = 0; i < set->nr_slots; i++)
		if (set->slots[i])
			*table_set_slot(&larger, set->slots[i]) = set->slots[i];
	kheap_free(&set->kernel->heap, set->slots);
	*set = larger;
	return 0;
}

/* Pass 1, for each table. */
static int table_set_add(void *ctx, pa_t table_pa)
{
	struct table_set *set = ctx;
	pa_t *slot;
	int ret;

	if (set->nr_tables == set->max_tables || !iommu_page_is_restorable(set->kernel, table_pa))
		return -EINVAL;
	if (2 * set->nr_tables >= set->nr_slots) {
		ret = table_set_grow(set);
		if (ret)
			return ret;
	}
	slot = table_set_slot(set, table_pa);
	if (*slot)
		return -EINVAL;
	*slot = table_pa;
	set->nr_tables++;
	return 0;
}

static int compare_pa(const void *a, const void *b)
{
	pa_t x = *(const pa_t *)a, y = *(const pa_t *)b;

	return x < y ? -1 : x > y;
}

/* Packs the set into a sorted array: slots[0 .. nr_tables). */
static void table_set_sort(struct table_set *set)
{
	u64 nr = 0;

	for (u64 i = 0; i < set->nr_slots; i++)
		if (set->slots[i])
			set->slots[nr++] = set->slots[i];
	assert(nr == set->nr_tables);
	qsort(set->slots, nr, sizeof(pa_t), compare_pa);
}

/* Does (pa, length) contain a table? Sorted. */
static bool table_set_hits(const struct table_set *set, pa_t pa, u64 length)
{
	u64 low = 0, high = set->nr_tables;

	while (low < high) {
		u64 middle = low + (high - low) / 2;

		if (set->slots[middle] < pa)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->nr_tables && set->slots[low] - pa < length;
}

/* Memory whose user has been restored already is MEMFD, the rest RESERVED; a run may mix them. */
static bool run_is_preserved(struct page_alloc *pages, pa_t pa, u64 nr_pages)
{
	if (pages_all_owned(pages, pa, nr_pages, FRAME_RESERVED) ||
	    pages_all_owned(pages, pa, nr_pages, FRAME_MEMFD))
		return true;
	for (u64 i = 0; i < nr_pages; i++) {
		enum frame_owner owner = pages_owner(pages, pa + (i << PAGE_SHIFT));

		if (owner != FRAME_RESERVED && owner != FRAME_MEMFD)
			return false;
	}
	return true;
}

/* Pass 2, for each run of leaves. */
static int check_target(void *ctx, iova_t iova, pa_t pa, u64 length, int prot)
{
	const struct table_set *set = ctx;

	/* A process's memory does not survive. */
	if (pa >= PHYS_WINDOW_BASE || table_set_hits(set, pa, length))
		return -EINVAL;
	return run_is_preserved(set->kernel->page_alloc, pa, length >> PAGE_SHIFT) ? 0 : -EINVAL;
}

/* How many tables from @first on follow each other in memory. Sorted. */
static u64 table_set_run(const struct table_set *set, u64 first)
{
	u64 nr = 1;

	while (first + nr < set->nr_tables &&
	       set->slots[first + nr] == set->slots[first] + (nr << PAGE_SHIFT))
		nr++;
	return nr;
}

static int reserve_claims(const struct table_set *set)
{
	u64 nr_runs = 0;

	for (u64 i = 0; i < set->nr_tables; i += table_set_run(set, i))
		nr_runs++;
	return kho_restore_reserve(set->kernel->kho, nr_runs);
}

/* Pass 3. Checked and reserved, so that a failure is our bug. */
static void claim_tables(const struct table_set *set)
{
	for (u64 i = 0, nr; i < set->nr_tables; i += nr) {
		nr = table_set_run(set, i);
		WARN_ON(kho_restore_folios(set->kernel->kho, set->slots[i], nr, 0, FRAME_TABLE));
	}
}

static bool did_is_in_use(struct iommu_core *core, const struct iommu_device *iommu, u32 did)
{
	const struct iommu_domain *domain;

	list_for_each_entry(domain, &core->domains, list)
		if (domain->iommu == iommu && domain->did == did)
			return true;
	return false;
}

int ifs_iommu_domain_adopt(struct iommu_device *iommu, const struct pt_iommu *pt, u32 did,
			   bool dirty_tracking, struct iommu_domain **out)
{
	struct iommu_core *core = iommu_core_current();
	struct table_set set = {
		.kernel = core->kernel,
		.max_tables = pt->nr_table_pages ? pt->nr_table_pages : ~0ull,
	};
	const struct pt_ops *ops = pt_ops_of(pt);
	struct iommu_domain *domain;
	int ret;

	/* A did of 0: nothing was attached. The bitmap may have it: the design reserves early. */
	if (!pt_geometry_ok(pt) || pt->format > IOMMU_PT_X86_64)
		return -EINVAL;
	if (did == 1 || did >= iommu->nr_dids ||
	    (did && did_is_in_use(core, iommu, did)) || (dirty_tracking && !ops->dirty_ops))
		return -EINVAL;
	ret = ifs_pt_for_each_table(pt, table_set_add, &set);
	if (ret)
		goto free_set;
	ret = -EINVAL;
	if (pt->nr_table_pages && set.nr_tables != pt->nr_table_pages)
		goto free_set;
	table_set_sort(&set);
	ret = ifs_pt_for_each_leaf(pt, check_target, &set);
	if (ret)
		goto free_set;
	ret = reserve_claims(&set);
	if (ret)
		goto free_set;
	domain = iommu_domain_new(iommu, &vtd_domain_ops, sizeof(*domain));
	if (!domain) {
		ret = -ENOMEM;
		goto free_set;
	}
	claim_tables(&set);
	domain->pt = *pt;
	domain->pt.nr_table_pages = set.nr_tables;
	domain->pgsize_bitmap = ops->pgsize_bitmap;
	domain->dirty_ops = ops->dirty_ops;
	domain->dirty_tracking = dirty_tracking;
	pt_aperture(&domain->pt, &domain->geometry);
	mutex_lock(&iommu->lock);
	if (did)
		vtd_did_take(iommu, did);
	domain->did = did;
	mutex_unlock(&iommu->lock);
	*out = domain;
free_set:
	kheap_free(&core->kernel->heap, set.slots);
	return ret;
}

int ifs_iommu_attach_restored(struct iommu_domain *domain, struct device *dev)
{
	struct iommu_core *core = iommu_core_current();
	struct iommu_group *group = dev->group;
	struct vtd_context_entry expected = vtd_context_of(domain), *live;
	int ret = -EINVAL;

	mutex_lock(&group->mutex);
	if (group->domain || domain->iommu != dev->iommu || !domain->did)
		goto unlock_group;
	mutex_lock(&dev->iommu->lock);
	live = vtd_context_find(core->kernel, dev->iommu, dev->bdf);
	if (!live || live->lo != expected.lo || live->hi != expected.hi)
		goto unlock_iommu;
	*live = expected;
	if (!domain->dma_space)
		domain->dma_space = dma_check_space_of(core->kernel->machine, dev->hw);
	domain->nr_attached++;
	group->domain = domain;
	ret = 0;
unlock_iommu:
	mutex_unlock(&dev->iommu->lock);
unlock_group:
	mutex_unlock(&group->mutex);
	return ret;
}
