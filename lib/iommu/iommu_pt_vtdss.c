/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* VT-d second-stage tables: the generic algorithm compiled for one format. */
#include "lib/iommu/iommu_pt_fmt_vtdss.h"

#define FMT(name) vtdss_##name
#define FMT_DIRTY_OPS true
#define FMT_CONTIG false
#define FMT_DYNAMIC_TOP false
#define FMT_GRANULE_LG2 PAGE_SHIFT
#define FMT_MAX_OASZ_LG2 52
#define FMT_MAX_TOP_LEVEL 3
#include "lib/iommu/iommu_pt_template.h"

const struct pt_ops pt_vtdss_ops = {
	.pgsize_bitmap = VTDSS_PGSIZES,
	.start_level = 3,
	.max_level = FMT_MAX_TOP_LEVEL,
	.max_vasz_lg2 = 48,
	.sign_extend = false,
	FMT_PT_OPS,
};
