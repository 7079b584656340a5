/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Template: what the others derive from a format's constants. Included once per format, first. The
 * format's .c file defines, besides FMT(name):
 *   FMT_GRANULE_LG2        the smallest page, which is an item of level 0
 *   FMT_MAX_OASZ_LG2       output addresses beyond this many bits are refused
 *   FMT_MAX_TOP_LEVEL      the highest level there can be
 *   FMT_CONTIG             a leaf may take several items
 *   FMT_DYNAMIC_TOP        levels are put on top as mappings need them
 *   FMT_DIRTY_OPS          hardware tracks what it wrote to
 *
 * No include guard: that is the point.
 */

/* What one item of a table at @level translates. */
#define FMT_ITEM_LG2(level) (FMT_GRANULE_LG2 + PT_LEVEL_BITS * (level))
#define FMT_INDEX(va, level) ((unsigned)((va) >> FMT_ITEM_LG2(level)) & (PT_ENTRIES - 1))
/* pt_range_check() of what the tables translate now, which a growing top makes more. */
#define FMT_RANGE_CHECK(pt, va, last) \
	pt_range_check(pt, va, last, FMT_DYNAMIC_TOP && (pt)->top_level < FMT_MAX_TOP_LEVEL ? \
				     FMT_ITEM_LG2((pt)->top_level + 1u) : 64)
