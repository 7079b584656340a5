/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * AMDv1 tables and the mock driver's variant of them. Expected values were taken from generic_pt
 * run on its own; table addresses there are consecutive, here they are read from the tables.
 */
#include "tests/lib/iommu/iommu_fixture.h"

#include "lib/iommu/iommu_pt.h"

#define RW (IOMMU_READ | IOMMU_WRITE)
#define FIELD 0x000ffffffffff000ull

struct tables {
	struct iommu_fixture *fix;
	struct pt_iommu pt;
	struct pt_ctx ctx;
	const struct pt_ops *ops;
	struct iommu_iotlb_gather gather;
};

static void tables_new(struct tables *t, struct iommu_fixture *fix, enum iommu_pt_format format)
{
	*t = (struct tables){ .fix = fix };
	assert_int_equal(pt_init(fix->kernel, &t->pt, format), 0);
	pt_ctx_init(&t->ctx, fix->kernel, &t->pt);
	t->ctx.gather = &t->gather;
	t->ops = pt_ops_of(&t->pt);
}

static void tables_sync(struct tables *t)
{
	t->pt.nr_table_pages -= iommu_put_pages_list(t->fix->kernel, &t->gather.freelist);
	t->gather.any = false;
}

static void tables_free(struct tables *t)
{
	tables_sync(t);
	t->ops->free_tables(&t->ctx);
	assert_int_equal(t->pt.nr_table_pages, 0);
}

static int map(struct tables *t, iova_t iova, pa_t pa, u64 length, int prot)
{
	u64 mapped = 0;
	int ret = t->ops->map(&t->ctx, iova, pa, length, prot, &mapped);

	tables_sync(t);
	if (ret && mapped)
		assert_int_equal(t->ops->unmap(&t->ctx, iova, mapped), mapped);
	return ret;
}

/* The item at @level for @iova, and in which table it is. */
static u64 item(struct tables *t, iova_t iova, unsigned level, unsigned granule_lg2)
{
	pa_t table = t->pt.top_pa;

	for (unsigned at = t->pt.top_level;; at--) {
		u64 entry = table_entry(t->fix, table, iova >> (granule_lg2 + 9 * at) & 511);

		if (at == level)
			return entry;
		table = (entry & FIELD) >> 12 << granule_lg2;
	}
}

/* Hardware would read other bits than generic_pt writes. */
static void test_map_amdv1_gives_the_recorded_entries(void **state)
{
	struct tables t;

	tables_new(&t, *state, IOMMU_PT_AMDV1);
	assert_int_equal(t.ops->pgsize_bitmap, 0xfff7ffffff000);
	assert_int_equal(map(&t, 0x1000, 0xabc000, 0x1000, RW), 0);
	assert_int_equal(item(&t, 0x1000, 2, 12) & ~FIELD, 0x6000000000000401);
	assert_int_equal(item(&t, 0x1000, 1, 12) & ~FIELD, 0x6000000000000201);
	assert_int_equal(item(&t, 0x1000, 0, 12), 0x7000000000abc001);
	assert_int_equal(map(&t, 0x2000, 0x2000, 0x1000, IOMMU_READ), 0);
	assert_int_equal(item(&t, 0x2000, 0, 12), 0x3000000000002001);
	assert_int_equal(map(&t, 0x3000, 0x3000, 0x1000, IOMMU_WRITE), 0);
	assert_int_equal(item(&t, 0x3000, 0, 12), 0x5000000000003001);
	assert_int_equal(map(&t, 0x10000, 0x20000, 0x10000, RW), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(item(&t, 0x10000 + i * 0x1000, 0, 12), 0x7000000000027e01);
	assert_int_equal(item(&t, 0x20000, 0, 12), 0);
	assert_int_equal(map(&t, 0x800000, 0x800000, 0x400000, RW), 0);
	assert_int_equal(item(&t, 0x800000, 1, 12), 0x70000000009ffe01);
	assert_int_equal(item(&t, 0xa00000, 1, 12), 0x70000000009ffe01);
	assert_int_equal(item(&t, 0xc00000, 1, 12), 0);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0x1a123), 0x2a123);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0xbfffff), 0xbfffff);
	tables_free(&t);
}

/* A size would be written that hardware decodes as another. */
static void test_map_amdv1_encodes_every_size(void **state)
{
	static const struct { unsigned lg2, level; u64 entry; } sizes[] = {
		{ 12, 0, 0x7000000000000001 }, { 13, 0, 0x7000000000000e01 },
		{ 14, 0, 0x7000000000001e01 }, { 16, 0, 0x7000000000007e01 },
		{ 20, 0, 0x700000000007fe01 }, { 21, 1, 0x7000000000000001 },
		{ 22, 1, 0x70000000001ffe01 }, { 29, 1, 0x700000000ffffe01 },
		{ 30, 2, 0x7000000000000001 }, { 31, 2, 0x700000003ffffe01 },
		{ 40, 3, 0x7000007ffffffe01 }, { 48, 4, 0x7000000000000001 },
	};
	struct tables t;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		tables_new(&t, *state, IOMMU_PT_AMDV1);
		assert_int_equal(map(&t, 0, 0, BIT_ULL(sizes[i].lg2), RW), 0);
		assert_int_equal(item(&t, 0, sizes[i].level, 12), sizes[i].entry);
		assert_int_equal(item(&t, BIT_ULL(sizes[i].lg2) - 1, sizes[i].level, 12),
				 sizes[i].entry);
		assert_int_equal(t.ops->iova_to_phys(&t.ctx, BIT_ULL(sizes[i].lg2) - 1),
				 BIT_ULL(sizes[i].lg2) - 1);
		/* Part of it: all goes; a start inside: nothing does. */
		if (sizes[i].lg2 > 12)
			assert_int_equal(t.ops->unmap(&t.ctx, 0x1000, 0x1000), 0);
		assert_int_equal(t.ops->unmap(&t.ctx, 0, 0x1000), BIT_ULL(sizes[i].lg2));
		assert_int_equal(t.ops->iova_to_phys(&t.ctx, BIT_ULL(sizes[i].lg2) - 1), 0);
		tables_free(&t);
	}
}

/* A mapping beyond three levels would be refused, or the ones below it lost. */
static void test_map_amdv1_grows_the_top(void **state)
{
	struct tables t;

	tables_new(&t, *state, IOMMU_PT_AMDV1);
	assert_int_equal(t.pt.top_level, 2);
	assert_int_equal(map(&t, 0x1000, 0xabc000, 0x1000, RW), 0);
	assert_int_equal(t.pt.nr_table_pages, 3);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0xfffffffffffff000), 0);
	assert_int_equal(map(&t, 0xfffffffffffff000, 0xdef000, 0x1000, RW), 0);
	assert_int_equal(t.pt.top_level, 5);
	assert_int_equal(t.pt.nr_table_pages, 3 + 3 + 5);
	for (unsigned level = 5; level >= 1; level--)
		assert_int_equal(item(&t, 0x1000, level, 12) & ~FIELD,
				 0x6000000000000001 | level << 9);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0x1234), 0xabc234);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0xfffffffffffff234), 0xdef234);
	assert_int_equal(t.ops->unmap(&t.ctx, 0xfffffffffffff000, 0x1000), 0x1000);
	tables_free(&t);
	/* One level at a time, for the leaf's sake. */
	tables_new(&t, *state, IOMMU_PT_AMDV1);
	assert_int_equal(map(&t, 0, 0, 1ull << 40, RW), 0);
	assert_int_equal(t.pt.top_level, 3);
	tables_free(&t);
}

/* A failed map would leave a half-grown top, or leak it. */
static void test_map_amdv1_out_of_memory_grows_nothing(void **state)
{
	struct iommu_fixture *fix = *state;
	struct tables t;

	tables_new(&t, fix, IOMMU_PT_AMDV1);
	assert_int_equal(map(&t, 0x1000, 0xabc000, 0x1000, RW), 0);
	for (u64 nth = 1; nth <= 3; nth++) {
		fail_points_arm(&fix->kernel->fail, nth, false);
		assert_int_equal(map(&t, 1ull << 60, 0, 0x1000, RW), -ENOMEM);
		fail_points_disarm(&fix->kernel->fail);
		assert_int_equal(t.pt.top_level, 2);
		assert_int_equal(t.pt.nr_table_pages, 3);
	}
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0x1000), 0xabc000);
	tables_free(&t);
}

/* Half of a large leaf would be stored over what is there. */
static void test_map_amdv1_over_existing_changes_nothing(void **state)
{
	struct tables t;
	u64 mapped = 0;

	tables_new(&t, *state, IOMMU_PT_AMDV1);
	assert_int_equal(map(&t, 0x1000, 0xabc000, 0x1000, RW), 0);
	assert_int_equal(t.ops->map(&t.ctx, 0, 0x10000, 0x4000, RW, &mapped), -EADDRINUSE);
	assert_int_equal(mapped, 0);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0), 0);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0x1000), 0xabc000);
	/* Where only empty tables are left, the leaf takes their place, on all its items. */
	assert_int_equal(map(&t, 0x201000, 0xabc000, 0x1000, RW), 0);
	assert_int_equal(t.pt.nr_table_pages, 4);
	assert_int_equal(t.ops->unmap(&t.ctx, 0x1000, 0x1000), 0x1000);
	assert_int_equal(t.ops->unmap(&t.ctx, 0x201000, 0x1000), 0x1000);
	assert_int_equal(map(&t, 0, 0x800000, 0x400000, RW), 0);
	assert_int_equal(t.pt.nr_table_pages, 2);
	tables_free(&t);
}

/* The selftest's tables would translate other bytes than Linux's. */
static void test_map_mock_gives_the_recorded_entries(void **state)
{
	struct tables t;

	tables_new(&t, *state, IOMMU_PT_AMDV1_MOCK);
	assert_int_equal(t.ops->pgsize_bitmap, 0x1ffffff800);
	assert_int_equal(map(&t, 0x800, 0x12800, 0x800, RW), 0);
	assert_int_equal(item(&t, 0x800, 0, 11), 0x6000000000025001);
	assert_int_equal(map(&t, 0x1000, 0x20000, 0x1000, RW), 0);
	assert_int_equal(item(&t, 0x1000, 0, 11), 0x6000000000040e01);
	assert_int_equal(item(&t, 0x1800, 0, 11), 0x6000000000040e01);
	assert_int_equal(t.ops->iova_to_phys(&t.ctx, 0x1801), 0x20801);
	assert_int_equal(t.pt.nr_table_pages, 3);
	assert_int_equal(map(&t, 0x1000000, 0x400, 0x800, RW), -ENXIO);
	assert_int_equal(map(&t, 0x1000000, 0, 0x400, RW), -ENXIO);
	assert_int_equal(map(&t, 0x1000000, 1ull << 51, 0x800, RW), -ERANGE);
	assert_int_equal(map(&t, 1ull << 38, 0, 0x800, RW), -ERANGE);
	assert_int_equal(map(&t, (1ull << 38) - 0x800, 0, 0x800, RW), 0);
	tables_free(&t);
}

struct seen {
	unsigned nr;
	iova_t iova[4];
	u64 length[4];
};

static void see(void *ctx, iova_t iova, u64 length)
{
	struct seen *seen = ctx;

	assert_true(seen->nr < 4);
	seen->iova[seen->nr] = iova;
	seen->length[seen->nr++] = length;
}

static struct seen dirty(struct tables *t, iova_t iova, u64 length, bool no_clear)
{
	struct seen seen = { 0 };

	assert_int_equal(t->ops->read_and_clear_dirty(&t->ctx, iova, length, no_clear, see, &seen),
			 0);
	return seen;
}

static void assert_seen(struct seen seen, iova_t iova, u64 length)
{
	assert_int_equal(seen.nr, 1);
	assert_int_equal(seen.iova[0], iova);
	assert_int_equal(seen.length[0], length);
}

/* The dirty bitmap would differ from Linux 7.3's, which forgets the last item of a leaf. */
static void test_dirty_contiguous_leaf_loses_its_last_item(void **state)
{
	struct tables t;

	tables_new(&t, *state, IOMMU_PT_AMDV1_MOCK);
	assert_int_equal(map(&t, 0x1000000, 0x20000, 0x800, RW), 0);
	assert_int_equal(map(&t, 0x1001000, 0x21000, 0x1000, RW), 0);
	assert_int_equal(map(&t, 0x1004000, 0x24000, 0x4000, RW), 0);
	assert_int_equal(map(&t, 0x1200000, 0x200000, 0x200000, RW), 0);
	assert_int_equal(t.ops->set_dirty(&t.ctx, 0x1000800), -ENOENT);
	assert_int_equal(t.ops->set_dirty(&t.ctx, 0x1000000), 0);
	assert_seen(dirty(&t, 0x1000000, 0x10000, true), 0x1000000, 0x800);
	assert_seen(dirty(&t, 0x1000000, 0x10000, false), 0x1000000, 0x800);
	assert_int_equal(dirty(&t, 0x1000000, 0x10000, false).nr, 0);
	/* Any of its items makes a leaf dirty. */
	assert_int_equal(t.ops->set_dirty(&t.ctx, 0x1001fff), 0);
	assert_seen(dirty(&t, 0x1000000, 0x10000, false), 0x1001000, 0x800);
	assert_int_equal(dirty(&t, 0x1000000, 0x10000, false).nr, 0);
	assert_int_equal(t.ops->set_dirty(&t.ctx, 0x1005000), 0);
	assert_seen(dirty(&t, 0x1000000, 0x10000, true), 0x1004000, 0x3800);
	/* From within; and up to a point within, which counts all of what the range touches. */
	assert_seen(dirty(&t, 0x1005000, 0x1000, true), 0x1005000, 0x1000);
	assert_seen(dirty(&t, 0x1004000, 0x800, true), 0x1004000, 0x800);
	/* From the last item on: Linux never comes back. */
	assert_int_equal(dirty(&t, 0x1007800, 0x800, false).nr, 0);
	assert_seen(dirty(&t, 0x1000000, 0x10000, false), 0x1004000, 0x3800);
	assert_int_equal(t.ops->set_dirty(&t.ctx, 0x1300000), 0);
	assert_seen(dirty(&t, 0x1200000, 0x200000, false), 0x1200000, 0x100000);
	tables_free(&t);
	tables_new(&t, *state, IOMMU_PT_AMDV1);
	assert_int_equal(map(&t, 0x10000, 0x20000, 0x10000, RW), 0);
	assert_int_equal(t.ops->set_dirty(&t.ctx, 0x10000), 0);
	assert_seen(dirty(&t, 0, 0x100000, false), 0x10000, 0xf000);
	tables_free(&t);
}

/* Who asks for a kernel without known bugs would lose dirty pages in migration. */
static void test_dirty_contiguous_leaf_is_whole_with_bugs_fixed(void **state)
{
	struct iommu_fixture *fix = *state;
	struct tables t;

	fix->kernel->fix_bugs = true;
	tables_new(&t, fix, IOMMU_PT_AMDV1_MOCK);
	assert_int_equal(map(&t, 0x1004000, 0x24000, 0x4000, RW), 0);
	assert_int_equal(t.ops->set_dirty(&t.ctx, 0x1005000), 0);
	assert_seen(dirty(&t, 0x1007800, 0x800, true), 0x1007800, 0x800);
	assert_seen(dirty(&t, 0x1000000, 0x10000, false), 0x1004000, 0x4000);
	assert_int_equal(dirty(&t, 0x1000000, 0x10000, false).nr, 0);
	tables_free(&t);
}

#define SLOTS 2048
#define SLOT 0x800ull

static void random_check(struct tables *t, const pa_t *model)
{
	for (unsigned i = 0; i < SLOTS; i++)
		assert_int_equal(t->ops->iova_to_phys(&t->ctx, i * SLOT), model[i]);
}

/* How much of [slot, slot + nr) goes: leaves are found again by asking for one slot each. */
static void random_unmap(struct tables *t, pa_t *model, unsigned slot, unsigned nr)
{
	u64 unmapped = t->ops->unmap(&t->ctx, slot * SLOT, nr * SLOT);
	u64 done = 0;

	tables_sync(t);
	for (unsigned i = slot; i < SLOTS && done < unmapped; i++, done += SLOT) {
		assert_true(model[i]);
		model[i] = 0;
	}
	assert_int_equal(done, unmapped);
}

/* Leaves of many sizes would run into each other. */
static void test_random_map_unmap_mock_matches_a_table_of_slots(void **state)
{
	static pa_t model[SLOTS];
	u64 seed = 1;
	struct tables t;

	memset(model, 0, sizeof(model));
	tables_new(&t, *state, IOMMU_PT_AMDV1_MOCK);
	for (unsigned round = 0; round < 4000; round++) {
		unsigned slot, nr, shift;
		bool used = false;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		slot = seed >> 33 & (SLOTS - 1);
		nr = 1 + (seed >> 50 & 63);
		shift = seed >> 60;
		if (slot + nr > SLOTS)
			continue;
		if (seed >> 59 & 1) {
			random_unmap(&t, model, slot, nr);
		} else {
			/* Often aligned alike, often not. */
			pa_t pa = 0x40000000 + (slot + (shift < 4 ? shift : 0)) * SLOT;
			int ret = map(&t, slot * SLOT, pa, nr * SLOT, RW);

			for (unsigned i = 0; i < nr; i++)
				used |= model[slot + i] != 0;
			assert_int_equal(ret, used ? -EADDRINUSE : 0);
			for (unsigned i = 0; !ret && i < nr; i++)
				model[slot + i] = pa + i * SLOT;
		}
		if (round % 64 == 0)
			random_check(&t, model);
	}
	random_check(&t, model);
	tables_free(&t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_vtdss, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_map_amdv1_gives_the_recorded_entries),
		T(test_map_amdv1_encodes_every_size),
		T(test_map_amdv1_grows_the_top),
		T(test_map_amdv1_out_of_memory_grows_nothing),
		T(test_map_amdv1_over_existing_changes_nothing),
		T(test_map_mock_gives_the_recorded_entries),
		T(test_dirty_contiguous_leaf_loses_its_last_item),
		T(test_dirty_contiguous_leaf_is_whole_with_bugs_fixed),
		T(test_random_map_unmap_mock_matches_a_table_of_slots),
	};

	return cmocka_run_group_tests_name("iommu_pt_amdv1", tests, NULL, NULL);
}
