/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Page tables as the IOMMU core sees them: one set of operations per format, each compiled from the
 * same algorithm (iommu_pt_map.h, iommu_pt_read.h) and a format header (iommu_pt_fmt_*.h). Linux
 * does the same in drivers/iommu/generic_pt/.
 *
 * A format header defines, each static and prefixed with the format's name:
 *   type(entry, level)             what an entry is
 *   set_prot(prot, &attrs)         permissions -> bits of a leaf; -EINVAL
 *   leaf_attrs(attrs, lg2, level)  all bits of a leaf of 2^lg2 bytes but the address
 *   oa_field(oa)                   those of the address
 *   oa(entry)                      where a leaf leads to, its first byte
 *   contig_lg2(entry, level)       lg2 of how many items a leaf takes, all alike
 *   table_entry(pa, level)         an entry of a table at that level, pointing to a lower one
 *   table_pa(entry)                that table
 *   prot(entry)                    IOMMU_READ and IOMMU_WRITE of a leaf
 *   is_dirty(), make_dirty(), make_clean() of an item; constant false if there is no tracking
 *   entry_ok(entry, level)         only bits that this writer or the hardware sets, address aligned
 */
#ifndef LIB_IOMMU_IOMMU_PT_H
#define LIB_IOMMU_IOMMU_PT_H

#include <iommufd-sim/proto/iommu.h>

#include "lib/iommu/iommu_pages.h"
#include "sim/pt_formats.h"

#define PT_ENTRIES 512

enum pt_entry_type { PT_ENTRY_EMPTY, PT_ENTRY_TABLE, PT_ENTRY_OA };

/* What one operation made stale: one range, and tables to free once it was flushed. */
struct iommu_iotlb_gather {
	bool any;
	iova_t start, last;
	struct iommu_pages_list freelist;
};

/* One operation on one set of tables. @ram is a host pointer and dies with the operation. */
struct pt_ctx {
	struct kernel_base *kernel;
	struct pt_iommu *pt;
	u64 pgsize_bitmap;
	u8 *ram;
	u64 ram_bytes;
	struct iommu_iotlb_gather *gather;
};

typedef int (*pt_table_fn)(void *arg, pa_t table_pa);
typedef int (*pt_leaf_fn)(void *arg, iova_t iova, pa_t pa, u64 length, int prot);
typedef void (*pt_dirty_fn)(void *arg, iova_t iova, u64 length);

struct pt_ops {
	u64 pgsize_bitmap;
	u8 start_level, max_level;      /* of the top; it grows between them */
	u8 max_vasz_lg2;
	bool dirty_ops;
	bool sign_extend;
	/* *mapped says how far it came, also on error: the caller undoes. */
	int (*map)(struct pt_ctx *ctx, iova_t iova, pa_t paddr, u64 length, int prot, u64 *mapped);
	u64 (*unmap)(struct pt_ctx *ctx, iova_t iova, u64 length);
	pa_t (*iova_to_phys)(struct pt_ctx *ctx, iova_t iova);
	int (*read_and_clear_dirty)(struct pt_ctx *ctx, iova_t iova, u64 length, bool no_clear,
				    pt_dirty_fn fn, void *arg);
	/* For tests: as if a device had written there. -ENOENT: not mapped. */
	int (*set_dirty)(struct pt_ctx *ctx, iova_t iova);
	/* Tables as input: nothing in them is trusted. */
	int (*for_each_table)(struct pt_ctx *ctx, pt_table_fn fn, void *arg);
	int (*for_each_leaf)(struct pt_ctx *ctx, pt_leaf_fn fn, void *arg);
	/* Frees every table; leaves are ignored. Hardware must not be walking any more. */
	void (*free_tables)(struct pt_ctx *ctx);
};

extern const struct pt_ops pt_vtdss_ops, pt_x86_64_ops, pt_amdv1_ops, pt_amdv1_mock_ops;
/* NULL: no such format. */
const struct pt_ops *pt_ops_of(const struct pt_iommu *pt);
void pt_ctx_init(struct pt_ctx *ctx, struct kernel_base *kernel, const struct pt_iommu *pt);
/* A new top table. -ENOMEM. */
int pt_init(struct kernel_base *kernel, struct pt_iommu *pt, enum iommu_pt_format format);
/* As input: a format, level and width this kernel knows. */
bool pt_geometry_ok(const struct pt_iommu *pt);
void pt_aperture(const struct pt_iommu *pt, struct iommu_domain_geometry *out);

/* The last byte of (va, length): -EINVAL for 0 bytes, -EOVERFLOW past 2^64. */
int pt_range_last(iova_t va, u64 length, iova_t *last);
/* -ERANGE: outside what the tables can translate, or beyond @limit_lg2 bits. */
int pt_range_check(const struct pt_iommu *pt, iova_t va, iova_t last, unsigned limit_lg2);
/* Linux 7.3 does not ask this. */
bool pt_range_in_one_half(const struct pt_iommu *pt, iova_t va, iova_t last);
/* The largest page of @pgsize_bitmap for the head of (va, last) -> oa, as its lg2; 0: none fits. */
unsigned pt_best_pgsize_lg2(u64 pgsize_bitmap, iova_t va, iova_t last, pa_t oa);
/* How many pages of that size to map before a larger one may fit. */
u64 pt_pgsize_count(u64 pgsize_bitmap, iova_t va, iova_t last, pa_t oa, unsigned pgsize_lg2);

/* NULL if it is no table in RAM. */
static inline u64 *pt_table(const struct pt_ctx *ctx, pa_t pa)
{
	if (__builtin_expect(pa >= ctx->ram_bytes || ctx->ram_bytes - pa < PAGE_SIZE, 0))
		return NULL;
	return (u64 *)(ctx->ram + (pa & PT_ADDRESS_MASK));
}

static inline void pt_gather_range(struct iommu_iotlb_gather *gather, iova_t start, iova_t last)
{
	gather->start = gather->any ? min(gather->start, start) : start;
	gather->last = gather->any ? max(gather->last, last) : last;
	gather->any = true;
}

#endif
