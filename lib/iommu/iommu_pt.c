/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What all page-table formats have in common: geometry, range validation, the choice of page size
 * (drivers/iommu/generic_pt/pt_iter.h, iommu_pt.h). Sizes are chosen greedily: at each step the
 * largest supported page that fits and to which both addresses are aligned.
 *
 * Left out: 3 and 5 levels of x86_64 and VT-d: their tables have 4.
 */
#include "lib/iommu/iommu_pt.h"

#include <assert.h>

#include "sim/phys_mem.h"

const struct pt_ops *pt_ops_of(const struct pt_iommu *pt)
{
	switch (pt->format) {
	case IOMMU_PT_VTDSS:
		return &pt_vtdss_ops;
	case IOMMU_PT_X86_64:
		return &pt_x86_64_ops;
	case IOMMU_PT_AMDV1:
		return &pt_amdv1_ops;
	case IOMMU_PT_AMDV1_MOCK:
		return &pt_amdv1_mock_ops;
	}
	return NULL;
}

void pt_ctx_init(struct pt_ctx *ctx, struct kernel_base *kernel, const struct pt_iommu *pt)
{
	const struct pt_ops *ops = pt_ops_of(pt);

	*ctx = (struct pt_ctx){
		.kernel = kernel,
		.pt = (struct pt_iommu *)pt,
		.pgsize_bitmap = ops ? ops->pgsize_bitmap : 0,
		.ram_bytes = phys_mem_bytes(kernel->mem),
	};
	ctx->ram = phys_mem_ptr(kernel->mem, 0, ctx->ram_bytes);
	assert(ctx->ram);
}

int pt_init(struct kernel_base *kernel, struct pt_iommu *pt, enum iommu_pt_format format)
{
	const struct pt_ops *ops = pt_ops_of(&(struct pt_iommu){ .format = format });
	pa_t top_pa;
	int ret = iommu_pages_alloc(kernel, &top_pa);

	if (ret)
		return ret;
	*pt = (struct pt_iommu){
		.top_pa = top_pa,
		.top_level = ops->start_level,
		.format = format,
		.max_vasz_lg2 = ops->max_vasz_lg2,
		.sign_extend = ops->sign_extend,
		.nr_table_pages = 1,
	};
	return 0;
}

bool pt_geometry_ok(const struct pt_iommu *pt)
{
	const struct pt_ops *ops = pt_ops_of(pt);

	return ops && pt->top_level >= ops->start_level && pt->top_level <= ops->max_level &&
	       pt->max_vasz_lg2 == ops->max_vasz_lg2 && pt->sign_extend == ops->sign_extend &&
	       IS_ALIGNED(pt->top_pa, PAGE_SIZE);
}

void pt_aperture(const struct pt_iommu *pt, struct iommu_domain_geometry *out)
{
	/* With sign extension there are two halves; only the lower one is offered. */
	unsigned lg2 = pt->max_vasz_lg2 - (pt->sign_extend ? 1 : 0);

	*out = (struct iommu_domain_geometry){
		.aperture_start = 0,
		.aperture_end = ~0ull >> (64 - lg2),
		.force_aperture = true,
	};
}

int pt_range_last(iova_t va, u64 length, iova_t *last)
{
	if (!length)
		return -EINVAL;
	if (check_add_overflow(va, length - 1, last))
		return -EOVERFLOW;
	return 0;
}

/*
 * With sign extension only the start decides which half is meant: a range that starts in the
 * lower half may run past its end (and then aliases the upper half). See pt_range_in_one_half().
 */
int pt_range_check(const struct pt_iommu *pt, iova_t va, iova_t last, unsigned limit_lg2)
{
	unsigned vasz = min(pt->max_vasz_lg2, limit_lg2);
	u64 prefix = 0;

	if (vasz == 64)
		return 0;

	if (pt->sign_extend && va >> (vasz - 1))
		prefix = ~0ull >> vasz;
	return va >> vasz == prefix && last >> vasz == prefix ? 0 : -ERANGE;
}

bool pt_range_in_one_half(const struct pt_iommu *pt, iova_t va, iova_t last)
{
	return !pt->sign_extend || !((va ^ last) >> (pt->max_vasz_lg2 - 1));
}

unsigned pt_best_pgsize_lg2(u64 pgsize_bitmap, iova_t va, iova_t last, pa_t oa)
{
	u64 length = last - va + 1;     /* 0: all of 2^64 */
	u64 fits = pgsize_bitmap;

	if (length)
		fits &= ~0ull >> __builtin_clzll(length);
	if (va | oa)
		fits &= (va | oa) ^ ((va | oa) - 1);    /* up to the lowest bit set */
	return fits ? 63 - __builtin_clzll(fits) : 0;
}

u64 pt_pgsize_count(u64 pgsize_bitmap, iova_t va, iova_t last, pa_t oa, unsigned pgsize_lg2)
{
	u64 count = (last - va + 1) >> pgsize_lg2;
	u64 larger = pgsize_bitmap & ~((2ull << pgsize_lg2) - 1);
	u64 next = larger & -larger;
	u64 until_next;

	/* A larger page can follow only where both addresses reach its alignment together. */
	if (!next || (va ^ oa) & (next - 1))
		return count;
	until_next = (next - (va & (next - 1))) >> pgsize_lg2;
	return min(count, until_next);
}
