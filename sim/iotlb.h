/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The IOTLB: translations cached by domain id, until software says otherwise. */
#ifndef SIM_IOTLB_H
#define SIM_IOTLB_H

#include <iommufd-sim/proto/types.h>

#include "sim/machine_state.h"
#include "sim/walker.h"

struct iommu_hw;

/* The entry that translates @iova in @domain_id, of whatever leaf size, or NULL. */
struct iotlb_entry *iotlb_lookup(struct iommu_hw *hw, u32 domain_id, iova_t iova);
struct iotlb_entry *iotlb_fill(struct iommu_hw *hw, u32 domain_id, iova_t iova,
			       const struct walk *walk);
/* True while the entries in memory that this translation came from are what they were. */
bool iotlb_entry_is_current(const struct iommu_hw *hw, const struct iotlb_entry *entry, pa_t top,
			    enum ifs_pt_format format);

void iotlb_invalidate_global(struct iommu_hw *hw);
void iotlb_invalidate_domain(struct iommu_hw *hw, u32 domain_id);
/* Everything that touches the 2^@am_lg2 naturally aligned pages at @iova. */
void iotlb_invalidate_pages(struct iommu_hw *hw, u32 domain_id, iova_t iova, u32 am_lg2);

/* A valid entry whose walk went through a table in [@pa, @last], or NULL. */
const struct iotlb_entry *iotlb_find_table(const struct iommu_hw *hw, pa_t pa, pa_t last);
const char *iotlb_check_state(const struct iommu_state *state, u32 entries, u64 ram_bytes);

#endif
