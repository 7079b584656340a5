/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The mock driver's tables: the generic algorithm compiled for AMDv1 with 2 KiB pages, three levels
 * and a fixed top (generic_pt/fmt/iommu_mock.c).
 */
#define AMDV1_GRANULE_LG2 11
#define AMDV1_FORCE_COHERENCE false
#include "lib/iommu/iommu_pt_fmt_amdv1.h"

#define FMT(name) amdv1_##name
#define FMT_DIRTY_OPS true
#define FMT_CONTIG true
#define FMT_DYNAMIC_TOP false
#define FMT_GRANULE_LG2 AMDV1_GRANULE_LG2
#define FMT_MAX_OASZ_LG2 51
#define FMT_MAX_TOP_LEVEL 4
#include "lib/iommu/iommu_pt_template.h"

const struct pt_ops pt_amdv1_mock_ops = {
	.pgsize_bitmap = GENMASK_ULL(36, 11),
	.start_level = 2,
	.max_level = 2,
	.max_vasz_lg2 = 38,
	.sign_extend = false,
	FMT_PT_OPS,
};
