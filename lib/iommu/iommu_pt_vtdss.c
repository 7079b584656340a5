/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* VT-d second-stage tables: the generic algorithm compiled for one format. */
#include "lib/iommu/iommu_pt_fmt_vtdss.h"

#include <iommufd-sim/proto/bug.h>

#include "sim/phys_mem.h"

#define FMT(name) vtdss_##name
#define FMT_DIRTY_OPS true
#define FMT_CONTIG false
#define FMT_DYNAMIC_TOP false
#define FMT_GRANULE_LG2 PAGE_SHIFT
#define FMT_MAX_OASZ_LG2 52
#define FMT_MAX_TOP_LEVEL 3
#include "lib/iommu/iommu_pt_fmt.h"
#include "lib/iommu/iommu_pt_map.h"
#include "lib/iommu/iommu_pt_unmap.h"
#include "lib/iommu/iommu_pt_read.h"

const struct pt_ops pt_vtdss_ops = {
	.pgsize_bitmap = VTDSS_PGSIZES,
	.start_level = 3,
	.max_level = FMT_MAX_TOP_LEVEL,
	.max_vasz_lg2 = 48,
	.dirty_ops = FMT_DIRTY_OPS,
	.sign_extend = false,
	.map = FMT(map),
	.unmap = FMT(unmap),
	.iova_to_phys = FMT(iova_to_phys),
	.read_and_clear_dirty = FMT(read_and_clear_dirty),
	.set_dirty = FMT(set_dirty),
	.for_each_table = FMT(for_each_table),
	.for_each_leaf = FMT(for_each_leaf),
	.free_tables = FMT(free_tables),
};
