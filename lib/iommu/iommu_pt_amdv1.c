/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * AMDv1 tables: the generic algorithm compiled for one format. No unit of the machine walks them;
 * they are here because the mock driver's are a variant, and to be tested against Linux's.
 */
#define AMDV1_GRANULE_LG2 12
#define AMDV1_FORCE_COHERENCE true
#include "lib/iommu/iommu_pt_fmt_amdv1.h"

#define FMT(name) amdv1_##name
#define FMT_DIRTY_OPS true
#define FMT_CONTIG true
#define FMT_DYNAMIC_TOP true
#define FMT_GRANULE_LG2 AMDV1_GRANULE_LG2
#define FMT_MAX_OASZ_LG2 52
#define FMT_MAX_TOP_LEVEL 5
#include "lib/iommu/iommu_pt_template.h"

const struct pt_ops pt_amdv1_ops = {
	.pgsize_bitmap = GENMASK_ULL(51, 12) & ~BIT_ULL(39),
	.start_level = 2,
	.max_level = FMT_MAX_TOP_LEVEL,
	.max_vasz_lg2 = 64,
	.sign_extend = false,
	FMT_PT_OPS,
};
