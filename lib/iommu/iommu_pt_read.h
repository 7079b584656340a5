/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Template: everything that only looks at tables, and the dirty bits (generic_pt/iommu_pt.h).
 *
 * The two walks over all of a set of tables take them as input: an entry that neither this writer
 * nor the hardware makes, or that points out of RAM, ends the walk with -EINVAL. A walk never
 * visits more tables than RAM has pages, so tables that point to each other end it too; whoever
 * needs each table to be seen once (adopt.c) checks that itself.
 *
 * No include guard: that is the point.
 */

static pa_t FMT(iova_to_phys)(struct pt_ctx *ctx, iova_t iova)
{
	pa_t table_pa = ctx->pt->top_pa;

	if (FMT_RANGE_CHECK(ctx->pt, iova, iova))
		return 0;
	for (unsigned level = ctx->pt->top_level;; level--) {
		const u64 *table = pt_table(ctx, table_pa);
		u64 entry, offset_mask;

		if (!table)
			return 0;
		entry = table[FMT_INDEX(iova, level)];
		switch (FMT(type)(entry, level)) {
		case PT_ENTRY_EMPTY:
			return 0;
		case PT_ENTRY_OA:
			offset_mask = BIT_ULL(FMT_ITEM_LG2(level) +
					      FMT(contig_lg2)(entry, level)) - 1;
			return (FMT(oa)(entry) & ~offset_mask) | (iova & offset_mask);
		case PT_ENTRY_TABLE:
			table_pa = FMT(table_pa)(entry);
		}
	}
}

struct FMT(dirty_walk) {
	bool no_clear, exact;
	pt_dirty_fn fn;
	void *arg;
};

static bool FMT(any_dirty)(const u64 *items, unsigned nr_items)
{
	bool dirty = false;

	for (unsigned i = 0; i < nr_items; i++)
		dirty |= FMT(is_dirty)(items[i]);
	return dirty;
}

/*
 * One entry at @index of a table that the range leaves before @end_index. What is reported begins
 * where the walk is, even inside a leaf of one item, and has that item's whole length. Of an entry
 * of several items Linux forgets the last one, and never comes back if that leaves nothing: then
 * nothing is reported and nothing cleaned here.
 */
static void FMT(dirty_entry)(struct pt_ctx *ctx, const struct FMT(dirty_walk) *walk, u64 *table,
			     unsigned index, unsigned end_index, unsigned level, iova_t va)
{
	unsigned nr_items = 1u << FMT(contig_lg2)(table[index], level);
	unsigned first = index & ~(nr_items - 1);
	u64 length = BIT_ULL(FMT_ITEM_LG2(level));

	if (!FMT(any_dirty)(&table[first], nr_items))
		return;
	if (nr_items > 1)
		length *= min(first + nr_items - walk->exact, end_index) - index;
	if (!length)
		return;
	walk->fn(walk->arg, va, length);
	if (walk->no_clear)
		return;
	for (unsigned i = 0; i < nr_items; i++)
		table[first + i] = FMT(make_clean)(table[first + i]);
	pt_gather_range(ctx->gather, va, va + (length - 1));
}

static void FMT(dirty_level)(struct pt_ctx *ctx, const struct FMT(dirty_walk) *walk, pa_t table_pa,
			     unsigned level, iova_t va, iova_t last)
{
	unsigned last_index = FMT_INDEX(last, level);
	u64 *table = pt_table(ctx, table_pa);

	if (WARN_ON(!table))
		return;
	for (unsigned index = FMT_INDEX(va, level); index <= last_index;) {
		iova_t item_last = va | (BIT_ULL(FMT_ITEM_LG2(level)) - 1);
		unsigned nr_items = 1;

		switch (FMT(type)(table[index], level)) {
		case PT_ENTRY_EMPTY:
			break;
		case PT_ENTRY_TABLE:
			FMT(dirty_level)(ctx, walk, FMT(table_pa)(table[index]), level - 1, va,
					 min(item_last, last));
			break;
		case PT_ENTRY_OA:
			nr_items = 1u << FMT(contig_lg2)(table[index], level);
			item_last = va | (nr_items * BIT_ULL(FMT_ITEM_LG2(level)) - 1);
			FMT(dirty_entry)(ctx, walk, table, index, last_index + 1, level, va);
		}
		va = item_last + 1;
		index = (index + nr_items) & ~(nr_items - 1);
	}
}

static int FMT(read_and_clear_dirty)(struct pt_ctx *ctx, iova_t iova, u64 length, bool no_clear,
				     pt_dirty_fn fn, void *arg)
{
	struct FMT(dirty_walk) walk = {
		.no_clear = no_clear, .exact = !ctx->kernel->fix_bugs, .fn = fn, .arg = arg,
	};
	iova_t last;
	int ret;

	if (!FMT_DIRTY_OPS)
		return -EOPNOTSUPP;
	ret = pt_range_last(iova, length, &last);
	if (ret)
		return ret;
	ret = FMT_RANGE_CHECK(ctx->pt, iova, last);
	if (ret)
		return ret;
	FMT(dirty_level)(ctx, &walk, ctx->pt->top_pa, ctx->pt->top_level, iova, last);
	return 0;
}

/* What hardware does when a device writes: the one item that translates @iova. */
static int FMT(set_dirty)(struct pt_ctx *ctx, iova_t iova)
{
	pa_t table_pa = ctx->pt->top_pa;

	if (!FMT_DIRTY_OPS)
		return -EOPNOTSUPP;
	if (FMT_RANGE_CHECK(ctx->pt, iova, iova))
		return -ERANGE;
	for (unsigned level = ctx->pt->top_level;; level--) {
		u64 *table = pt_table(ctx, table_pa), *entry;

		if (WARN_ON(!table))
			return -ENOENT;
		entry = &table[FMT_INDEX(iova, level)];
		switch (FMT(type)(*entry, level)) {
		case PT_ENTRY_EMPTY:
			return -ENOENT;
		case PT_ENTRY_OA:
			*entry = FMT(make_dirty)(*entry);
			return 0;
		case PT_ENTRY_TABLE:
			table_pa = FMT(table_pa)(*entry);
		}
	}
}

struct FMT(table_walk) {
	pt_table_fn fn;
	void *arg;
	u64 budget;             /* tables that may still be visited */
};

static int FMT(each_table)(struct pt_ctx *ctx, struct FMT(table_walk) *walk, pa_t table_pa,
			   unsigned level)
{
	const u64 *table = pt_table(ctx, table_pa);
	int ret;

	if (!table || !walk->budget--)
		return -EINVAL;
	ret = walk->fn(walk->arg, table_pa);
	/* Pages of leaves are not even looked at. */
	if (ret || !level)
		return ret;
	for (unsigned i = 0; i < PT_ENTRIES; i++) {
		if (!table[i])
			continue;
		if (!FMT(entry_ok)(table[i], level))
			return -EINVAL;
		if (FMT(type)(table[i], level) != PT_ENTRY_TABLE)
			continue;
		ret = FMT(each_table)(ctx, walk, FMT(table_pa)(table[i]), level - 1);
		if (ret)
			return ret;
	}
	return 0;
}

static int FMT(for_each_table)(struct pt_ctx *ctx, pt_table_fn fn, void *arg)
{
	struct FMT(table_walk) walk = {
		.fn = fn, .arg = arg, .budget = ctx->ram_bytes / PAGE_SIZE,
	};

	return FMT(each_table)(ctx, &walk, ctx->pt->top_pa, ctx->pt->top_level);
}

struct FMT(leaf_walk) {
	pt_leaf_fn fn;
	void *arg;
	u64 budget;
	/* The run so far. */
	iova_t iova;
	pa_t pa;
	u64 length;             /* 0: none */
	int prot;
};

static int FMT(end_run)(struct FMT(leaf_walk) *walk)
{
	u64 length = walk->length;

	walk->length = 0;
	return length ? walk->fn(walk->arg, walk->iova, walk->pa, length, walk->prot) : 0;
}

static int FMT(add_leaf)(struct FMT(leaf_walk) *walk, iova_t iova, u64 entry, pa_t pa, u64 span)
{
	int prot = FMT(prot)(entry), ret;

	if (walk->length && walk->iova + walk->length == iova &&
	    walk->pa + walk->length == pa && walk->prot == prot) {
		walk->length += span;
		return 0;
	}
	ret = FMT(end_run)(walk);
	walk->iova = iova;
	walk->pa = pa;
	walk->length = span;
	walk->prot = prot;
	return ret;
}

/* Of one item: in a contiguous leaf, each has a part. */
static pa_t FMT(item_oa)(u64 entry, unsigned level, iova_t va)
{
	u64 entry_mask = BIT_ULL(FMT_ITEM_LG2(level) + FMT(contig_lg2)(entry, level)) - 1;

	return FMT(oa)(entry) + (va & entry_mask);
}

static bool FMT(target_ok)(const struct pt_ctx *ctx, pa_t pa, u64 span)
{
	return pa >= PHYS_WINDOW_BASE || (pa < ctx->ram_bytes && ctx->ram_bytes - pa >= span);
}

/* With sign extension the upper half of the tables is the upper half of the 64-bit space. */
static iova_t FMT(canonical)(const struct pt_iommu *pt, iova_t va)
{
	if (pt->sign_extend && va >> (pt->max_vasz_lg2 - 1))
		va |= ~0ull << pt->max_vasz_lg2;
	return va;
}

static int FMT(each_leaf)(struct pt_ctx *ctx, struct FMT(leaf_walk) *walk, pa_t table_pa,
			  unsigned level, iova_t va)
{
	u64 span = BIT_ULL(FMT_ITEM_LG2(level));
	const u64 *table = pt_table(ctx, table_pa);
	int ret = 0;

	if (!table || !walk->budget--)
		return -EINVAL;
	for (unsigned i = 0; i < PT_ENTRIES && !ret; i++, va += span) {
		if (!table[i])
			continue;
		if (!FMT(entry_ok)(table[i], level))
			return -EINVAL;
		if (FMT(type)(table[i], level) == PT_ENTRY_TABLE)
			ret = FMT(each_leaf)(ctx, walk, FMT(table_pa)(table[i]), level - 1, va);
		else if (FMT(target_ok)(ctx, FMT(item_oa)(table[i], level, va), span))
			ret = FMT(add_leaf)(walk, FMT(canonical)(ctx->pt, va), table[i],
					    FMT(item_oa)(table[i], level, va), span);
		else
			ret = -EINVAL;
	}
	return ret;
}

static int FMT(for_each_leaf)(struct pt_ctx *ctx, pt_leaf_fn fn, void *arg)
{
	struct FMT(leaf_walk) walk = {
		.fn = fn, .arg = arg, .budget = ctx->ram_bytes / PAGE_SIZE,
	};
	int ret = FMT(each_leaf)(ctx, &walk, ctx->pt->top_pa, ctx->pt->top_level, 0);

	return ret ? ret : FMT(end_run)(&walk);
}
