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
 * A format with contiguous leaves (FMT_CONTIG) stores one leaf in several items; all of them must
 * be free. A format with a growing top (FMT_DYNAMIC_TOP) gets levels on top until the range fits.
 *
 * No include guard: that is the point.
 */

/* What is left to map. */
struct FMT(map_state) {
	iova_t va, last;
	pa_t oa;
	u64 attrs;
	unsigned leaf_lg2;      /* leaves of the current chunk: size, and where they are stored */
	unsigned level;
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
			if (!FMT(subtree_is_empty)(ctx, FMT(table_pa)(table[i]), level - 1))
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
		FMT(gather_subtree)(ctx, FMT(table_pa)(table[i]), level - 1);
		table[i] = 0;
	}
	iommu_pages_list_add(ctx->kernel, &ctx->gather->freelist, table_pa);
}

/* Makes room for a leaf in an occupied slot. -EADDRINUSE: there is a mapping. */
static int FMT(clear_slot)(struct pt_ctx *ctx, u64 *slot, iova_t va, unsigned level)
{
	pa_t child_pa;

	if (FMT(type)(*slot, level) != PT_ENTRY_TABLE)
		return -EADDRINUSE;
	child_pa = FMT(table_pa)(*slot);
	if (!FMT(subtree_is_empty)(ctx, child_pa, level - 1))
		return -EADDRINUSE;
	/* Unlinked before it is put on the list: the list is kept in the page. */
	*slot = 0;
	FMT(gather_subtree)(ctx, child_pa, level - 1);
	pt_gather_range(ctx->gather, va, va + (BIT_ULL(FMT_ITEM_LG2(level)) - 1));
	return 0;
}

/* The table at @level that @va goes through; what is missing on the way is made. */
static int FMT(descend_alloc)(struct pt_ctx *ctx, iova_t va, unsigned level, u64 **out)
{
	pa_t table_pa = ctx->pt->top_pa;
	unsigned at;

	for (at = ctx->pt->top_level; at > level; at--) {
		u64 *slot = pt_table(ctx, table_pa) + FMT_INDEX(va, at);
		int ret;

		switch (FMT(type)(*slot, at)) {
		case PT_ENTRY_OA:
			return -EADDRINUSE;
		case PT_ENTRY_TABLE:
			table_pa = FMT(table_pa)(*slot);
			if (WARN_ON(!pt_table(ctx, table_pa)))
				return -EADDRINUSE;
			break;
		case PT_ENTRY_EMPTY:
			ret = iommu_pages_alloc(ctx->kernel, &table_pa);
			if (ret)
				return ret;
			*slot = FMT(table_entry)(table_pa, at);
			ctx->pt->nr_table_pages++;
		}
	}
	*out = pt_table(ctx, table_pa);
	return 0;
}

/* Takes what is in the way of a leaf of several items out, item by item. */
static int FMT(clear_slots)(struct pt_ctx *ctx, u64 *slots, unsigned nr, iova_t va, unsigned level)
{
	int ret = 0;

	for (unsigned i = 0; i < nr && !ret; i++, va += BIT_ULL(FMT_ITEM_LG2(level)))
		if (FMT(type)(slots[i], level) != PT_ENTRY_EMPTY)
			ret = FMT(clear_slot)(ctx, &slots[i], va, level);
	return ret;
}

/* Stores leaves up to the end of the chunk or of the table, whichever comes first. */
static int FMT(map_in_table)(struct pt_ctx *ctx, struct FMT(map_state) *map, u64 *table)
{
	unsigned lg2 = map->leaf_lg2, level = map->level;
	u64 attrs = FMT(leaf_attrs)(map->attrs, lg2, level), leaf_bytes = BIT_ULL(lg2);
	unsigned step = FMT_CONTIG ? 1u << (lg2 - FMT_ITEM_LG2(level)) : 1;
	unsigned first = FMT_INDEX(map->va, level);
	unsigned end = min((u64)PT_ENTRIES, first + map->nr_leaves * step);
	unsigned index;
	pa_t oa = map->oa;
	int ret = 0;

	for (index = first; index < end; index += step, oa += leaf_bytes) {
		if (__builtin_expect(step > 1 ||
				     FMT(type)(table[index], level) != PT_ENTRY_EMPTY, 0)) {
			ret = FMT(clear_slots)(ctx, &table[index], step, map->va + (oa - map->oa),
					       level);
			if (ret)
				break;
		}
		for (unsigned i = 0; i < step; i++)
			table[index + i] = attrs | FMT(oa_field)(oa);
	}
	map->va += oa - map->oa;
	map->nr_leaves -= (oa - map->oa) >> lg2;
	map->oa = oa;
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
	map->leaf_lg2 = lg2;
	map->level = (lg2 - FMT_GRANULE_LG2) / PT_LEVEL_BITS;
	map->nr_leaves = pt_pgsize_count(ctx->pgsize_bitmap, map->va, map->last, map->oa, lg2);
	return true;
}

/*
 * Puts tables on top, the former top always at index 0 of the next, until the range fits and the
 * leaf's level exists. All or nothing. -ERANGE: there is no such level.
 */
static int FMT(increase_top)(struct pt_ctx *ctx, iova_t va, iova_t last, unsigned leaf_level)
{
	struct pt_iommu top = *ctx->pt;
	struct iommu_pages_list unused = { 0 };
	pa_t table_pa;
	int ret;

	while (FMT_RANGE_CHECK(&top, va, last) || leaf_level > top.top_level) {
		ret = -ERANGE;
		if (top.top_level == FMT_MAX_TOP_LEVEL ||
		    FMT_ITEM_LG2(top.top_level + 1) >= top.max_vasz_lg2)
			goto free_new;
		ret = iommu_pages_alloc(ctx->kernel, &table_pa);
		if (ret)
			goto free_new;
		top.top_level++;
		pt_table(ctx, table_pa)[0] = FMT(table_entry)(top.top_pa, top.top_level);
		top.top_pa = table_pa;
		top.nr_table_pages++;
	}
	*ctx->pt = top;
	return 0;

free_new:
	while (top.top_pa != ctx->pt->top_pa) {
		table_pa = top.top_pa;
		top.top_pa = FMT(table_pa)(pt_table(ctx, table_pa)[0]);
		iommu_pages_list_add(ctx->kernel, &unused, table_pa);
	}
	iommu_put_pages_list(ctx->kernel, &unused);
	return ret;
}

static int FMT(map)(struct pt_ctx *ctx, iova_t iova, pa_t paddr, u64 length, int prot, u64 *mapped)
{
	struct FMT(map_state) map = { .va = iova, .oa = paddr };
	int ret;

	if (WARN_ON(!(prot & (IOMMU_READ | IOMMU_WRITE))))
		return -EINVAL;
	/* Linux 7.3 checks the first byte only; later pages are cut off silently. */
	if (paddr >> FMT_MAX_OASZ_LG2 ||
	    (ctx->kernel->fix_bugs && length && (paddr + (length - 1)) >> FMT_MAX_OASZ_LG2))
		return -ERANGE;
	ret = FMT(set_prot)(prot, &map.attrs);
	if (ret)
		return ret;
	ret = pt_range_last(iova, length, &map.last);
	if (ret)
		return ret;
	/* Unlike Linux: a length that ends inside a page is undefined there, refused here. */
	if (!FMT(next_chunk)(ctx, &map) ||
	    !IS_ALIGNED(length, ctx->pgsize_bitmap & -ctx->pgsize_bitmap))
		return -ENXIO;
	if (ctx->kernel->fix_bugs && !pt_range_in_one_half(ctx->pt, iova, map.last))
		return -ERANGE;
	ret = FMT_RANGE_CHECK(ctx->pt, iova, map.last);
	if (FMT_DYNAMIC_TOP && (ret || map.level > ctx->pt->top_level))
		ret = FMT(increase_top)(ctx, iova, map.last, map.level);
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
