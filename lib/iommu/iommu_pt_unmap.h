/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Template: unmapping and teardown (generic_pt/iommu_pt.h, unmap_range). Rules:
 *   - the walk goes upwards and stops at the first hole, also one made of empty tables
 *   - at the base of a larger leaf the whole leaf goes, and more than asked is returned; a start
 *     inside a larger leaf removes nothing
 *   - a table goes exactly if the request covers all of its span and everything in it was removed;
 *     others stay behind empty
 * Removed tables are freed only after the flush: until then they are on the gather's list.
 *
 * No include guard: that is the point.
 */

/* Clears leaves in a table that has only leaves. True: came to the end of the range. */
static bool FMT(unmap_leaves)(u64 *table, unsigned index, unsigned last_index, u64 *unmapped)
{
	unsigned first = index;

	while (index <= last_index && FMT(type)(table[index], 0) != PT_ENTRY_EMPTY)
		table[index++] = 0;
	*unmapped += (u64)(index - first) << FMT_GRANULE_LG2;
	return index > last_index;
}

/* (va, last) lies within the span of the table. True: came to the end of the range. */
static bool FMT(unmap_level)(struct pt_ctx *ctx, pa_t table_pa, unsigned level, iova_t va,
			     iova_t last, u64 *unmapped)
{
	u64 span = BIT_ULL(FMT_ITEM_LG2(level));
	unsigned index = FMT_INDEX(va, level), last_index = FMT_INDEX(last, level);
	u64 *table = pt_table(ctx, table_pa);
	unsigned nr_items;

	if (WARN_ON(!table))
		return false;
	if (!level && !FMT_CONTIG)
		return FMT(unmap_leaves)(table, index, last_index, unmapped);

	for (; index <= last_index; index += nr_items) {
		iova_t item_last = va | (span - 1);
		bool covered = IS_ALIGNED(va, span) && item_last <= last;
		pa_t child_pa = FMT(table_pa)(table[index]);

		nr_items = 1;
		switch (FMT(type)(table[index], level)) {
		case PT_ENTRY_EMPTY:
			return false;
		case PT_ENTRY_OA:
			nr_items = 1u << FMT(contig_lg2)(table[index], level);
			if (!IS_ALIGNED(va, nr_items * span))
				return false;
			memset(&table[index], 0, nr_items * sizeof(table[0]));
			*unmapped += nr_items * span;
			item_last = va + (nr_items * span - 1);
			break;
		case PT_ENTRY_TABLE:
			if (!FMT(unmap_level)(ctx, child_pa, level - 1, va, min(item_last, last),
					      unmapped))
				return false;
			if (covered) {
				table[index] = 0;
				iommu_pages_list_add(ctx->kernel, &ctx->gather->freelist,
						     child_pa);
			}
		}
		va = item_last + 1;
	}
	return true;
}

static u64 FMT(unmap)(struct pt_ctx *ctx, iova_t iova, u64 length)
{
	iova_t last;
	u64 unmapped = 0;

	if (pt_range_last(iova, length, &last) || FMT_RANGE_CHECK(ctx->pt, iova, last))
		return 0;
	FMT(unmap_level)(ctx, ctx->pt->top_pa, ctx->pt->top_level, iova, last, &unmapped);
	if (unmapped)
		pt_gather_range(ctx->gather, iova, iova + (unmapped - 1));
	return unmapped;
}

static void FMT(free_subtree)(struct pt_ctx *ctx, pa_t table_pa, unsigned level)
{
	const u64 *table = pt_table(ctx, table_pa);

	if (WARN_ON(!table))
		return;
	for (unsigned i = 0; level && i < PT_ENTRIES; i++)
		if (FMT(type)(table[i], level) == PT_ENTRY_TABLE)
			FMT(free_subtree)(ctx, FMT(table_pa)(table[i]), level - 1);
	iommu_pages_free(ctx->kernel, table_pa);
	ctx->pt->nr_table_pages--;
}

static void FMT(free_tables)(struct pt_ctx *ctx)
{
	FMT(free_subtree)(ctx, ctx->pt->top_pa, ctx->pt->top_level);
	ctx->pt->top_pa = 0;
}
