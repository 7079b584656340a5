/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Template: the whole algorithm for one format, from the constants that iommu_pt_fmt.h names.
 * FMT_PT_OPS is what of its struct pt_ops follows from them.
 */
#include <iommufd-sim/proto/bug.h>

#include "sim/phys_mem.h"

#include "lib/iommu/iommu_pt_fmt.h"
#include "lib/iommu/iommu_pt_map.h"
#include "lib/iommu/iommu_pt_unmap.h"
#include "lib/iommu/iommu_pt_read.h"

#define FMT_PT_OPS \
	.dirty_ops = FMT_DIRTY_OPS, \
	.map = FMT(map), \
	.unmap = FMT(unmap), \
	.iova_to_phys = FMT(iova_to_phys), \
	.read_and_clear_dirty = FMT(read_and_clear_dirty), \
	.set_dirty = FMT(set_dirty), \
	.for_each_table = FMT(for_each_table), \
	.for_each_leaf = FMT(for_each_leaf), \
	.free_tables = FMT(free_tables)
