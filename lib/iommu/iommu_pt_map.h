/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Template: mapping. Included once per format, with FMT(name) naming the format's functions
 * (generic_pt/iommu_pt.h, map_range).
 *
 * A request is cut into chunks of equal pages, a chunk into what lies in one table, and that is
 * stored in one loop. What a chunk meets:
 *   empty          the leaf is stored
 *   a leaf         -EADDRINUSE
 *   a table        if there is no leaf anywhere below it is taken out and freed after a flush;
 *                  else -EADDRINUSE
 * On the way down missing tables are made, and stay even if the call fails later: so does Linux.
 *
 * No include guard: that is the point.
 */

/* What is left to map. */
struct FMT(map_state) {
	iova_t va, last;
	pa_t oa;
	u64 attrs;
	unsigned level;         /* leaves of the current chunk */
	u64 nr_leaves;          /* left of it */
};

/* True if there is no leaf below. A pointer out of RAM counts as one: it is not ours to drop. */
static bool FMT(subtree_is_empty)(const struct pt_ctx *ctx, pa_t table_pa, unsigned level)
{
	const u64 *table = pt_table(ctx, table_pa);

	if (!table)
		return false;
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		switch (FMT(type)(table[i], level)) {
		case PT_ENTRY_EMPTY:
			continue;
		case PT_ENTRY_OA:
			return false;
		case PT_ENTRY_TABLE:
			if (!FMT(subtree_is_empty)(ctx, table[i] & PT_ADDRESS_MASK, level - 1))
				return false;
		}
	}
	return true;
}

/* Puts a table without leaves, and all below it, on the list of what to free after the flush. */
static void FMT(gather_subtree)(struct pt_ctx *ctx, pa_t table_pa, unsigned level)
{
	u64 *table = pt_table(ctx, table_pa);

	for (unsigned i = 0; level && i < PT_ENTRIES; i++) {
		if (FMT(type)(table[i], level) != PT_ENTRY_TABLE)
			continue;
		FMT(gather_subtree)(ctx, table[i] & PT_ADDRESS_MASK, level - 1);
		table[i] = 0;
	}
	iommu_pages_list_add(ctx->kernel, &ctx->gather->freelist, table_pa);
}

/* Makes room for a leaf in an occupied slot. -EADDRINUSE: there is a mapping. */
static int FMT(clear_slot)(struct pt_ctx *ctx, u64 *slot, iova_t va, unsigned level)
{
	pa_t child_pa = *slot & PT_ADDRESS_MASK;

	if (FMT(type)(*slot, level) != PT_ENTRY_TABLE ||
	    !FMT(subtree_is_empty)(ctx, child_pa, level - 1))
		return -EADDRINUSE;
	/* Unlinked before it is put on the list: the list is kept in the page. */
	*slot = 0;
	FMT(gather_subtree)(ctx, child_pa, level - 1);
	pt_gather_range(ctx->gather, va, va + (BIT_ULL(PT_LEVEL_LG2(level)) - 1));
	return 0;
}

/* The table at @level that @va goes through; what is missing on the way is made. */
static int FMT(descend_alloc)(struct pt_ctx *ctx, iova_t va, unsigned level, u64 **out)
{
	pa_t table_pa = ctx->pt->top_pa;
	unsigned at;

	for (at = ctx->pt->top_level; at > level; at--) {
		u64 *slot = pt_table(ctx, table_pa) + pt_index(va, at);
		int ret;

		switch (FMT(type)(*slot, at)) {
		case PT_ENTRY_OA:
			return -EADDRINUSE;
		case PT_ENTRY_TABLE:
			table_pa = *slot & PT_ADDRESS_MASK;
			if (WARN_ON(!pt_table(ctx, table_pa)))
				return -EADDRINUSE;
			break;
		case PT_ENTRY_EMPTY:
			ret = iommu_pages_alloc(ctx->kernel, &table_pa);
			if (ret)
				return ret;
			*slot = FMT(table_entry)(table_pa);
			ctx->pt->nr_table_pages++;
		}
	}
	*out = pt_table(ctx, table_pa);
	return 0;
}

/* Stores leaves up to the end of the chunk or of the table, whichever comes first. */
static int FMT(map_in_table)(struct pt_ctx *ctx, struct FMT(map_state) *map, u64 *table)
{
	u64 attrs = FMT(leaf_attrs)(map->attrs, map->level);
	u64 leaf_bytes = BIT_ULL(PT_LEVEL_LG2(map->level));
	unsigned first = pt_index(map->va, map->level);
	unsigned end = min((u64)PT_ENTRIES, first + map->nr_leaves);
	unsigned index;
	pa_t oa = map->oa;
	int ret = 0;

	for (index = first; index < end; index++, oa += leaf_bytes) {
		if (__builtin_expect(FMT(type)(table[index], map->level) != PT_ENTRY_EMPTY, 0)) {
			iova_t va = map->va + (index - first) * leaf_bytes;

			ret = FMT(clear_slot)(ctx, &table[index], va, map->level);
			if (ret)
				break;
		}
		table[index] = (oa & PT_ADDRESS_MASK) | attrs;
	}
	map->oa = oa;
	map->va += (index - first) * leaf_bytes;
	map->nr_leaves -= index - first;
	return ret;
}

static int FMT(map_chunk)(struct pt_ctx *ctx, struct FMT(map_state) *map)
{
	while (map->nr_leaves) {
		u64 *table;
		int ret = FMT(descend_alloc)(ctx, map->va, map->level, &table);

		if (!ret)
			ret = FMT(map_in_table)(ctx, map, table);
		if (ret)
			return ret;
	}
	return 0;
}

/* The page size of the next chunk and how long it is. False: no page fits. */
static bool FMT(next_chunk)(const struct pt_ctx *ctx, struct FMT(map_state) *map)
{
	unsigned lg2 = pt_best_pgsize_lg2(ctx->pgsize_bitmap, map->va, map->last, map->oa);

	if (!lg2)
		return false;
	map->level = (lg2 - PAGE_SHIFT) / PT_LEVEL_BITS;
	map->nr_leaves = pt_pgsize_count(ctx->pgsize_bitmap, map->va, map->last, map->oa, lg2);
	return true;
}

static int FMT(map)(struct pt_ctx *ctx, iova_t iova, pa_t paddr, u64 length, int prot, u64 *mapped)
{
	struct FMT(map_state) map = { .va = iova, .oa = paddr };
	int ret;

	if (WARN_ON(!(prot & (IOMMU_READ | IOMMU_WRITE))))
		return -EINVAL;
	/* Only the first byte is checked; later pages are truncated silently. So does Linux. */
	if (paddr & ~(PT_ADDRESS_MASK | (PAGE_SIZE - 1)))
		return -ERANGE;
	ret = FMT(set_prot)(prot, &map.attrs);
	if (ret)
		return ret;
	ret = pt_range_last(iova, length, &map.last);
	if (ret)
		return ret;
	/* Unlike Linux: a length that ends inside a page is undefined there, refused here. */
	if (!FMT(next_chunk)(ctx, &map) || !IS_ALIGNED(length, PT_SMALLEST_PAGE))
		return -ENXIO;
	ret = pt_range_check(ctx->pt, iova, map.last);
	if (ret)
		return ret;

	for (;;) {
		ret = FMT(map_chunk)(ctx, &map);
		if (ret || map.va - 1 == map.last)
			break;
		if (WARN_ON(!FMT(next_chunk)(ctx, &map)))
			return -ENXIO;
	}
	*mapped += map.oa - paddr;
	return ret;
}
