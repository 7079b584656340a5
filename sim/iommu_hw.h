/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The IOMMU as its driver sees it: a register file. Unit @unit of the machine, 0-based. */
#ifndef SIM_IOMMU_HW_H
#define SIM_IOMMU_HW_H

#include <iommufd-sim/proto/types.h>

struct ifs_machine;
struct iommu_hw;

unsigned machine_nr_iommus(const struct ifs_machine *machine);
struct iommu_hw *machine_iommu(struct ifs_machine *machine, unsigned unit);
/* The unit's register base address on the bus: its identity across kernels. */
pa_t iommu_hw_base_pa(const struct iommu_hw *hw);
u64 iommu_hw_read(struct iommu_hw *hw, u32 reg);
void iommu_hw_write(struct iommu_hw *hw, u32 reg, u64 value);
bool iommu_hw_fault_pending(const struct iommu_hw *hw);

#endif
