/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The IOMMU core as boot and kexec see it. */
#ifndef LIB_IOMMU_IOMMU_CORE_H
#define LIB_IOMMU_IOMMU_CORE_H

#include <iommufd-sim/proto/design.h>
#include <iommufd-sim/proto/iommu.h>

#include "lib/base/kernel_base.h"

struct iommu_core;

/*
 * Boot: for each unit, ask the design whether the previous kernel left a root table to adopt
 * (ifs_design.iommu_boot), else make a new one; then probe each PCI device: a group of its own, and
 * either the design's restored domain or the blocking domain (no DMA API users are modelled).
 * Translation is enabled throughout; it is never switched off where tables were adopted.
 */
int iommu_core_new(struct kernel_base *kernel, struct iommu_core **out);
/* Orderly shutdown: everything freed. Each unit goes on translating, with an empty root table. */
void iommu_core_free(struct iommu_core *core);
/*
 * A boot that failed: only the heap is given back. Hardware and tables stay as they are, and
 * devices go on as in the black-out.
 */
void iommu_core_abandon(struct iommu_core *core);
/* Just before kexec: context entries of devices that are not preserved are cleared and flushed. */
void iommu_core_shutdown(struct iommu_core *core);
/* Drains the fault rings into the event log. */
void iommu_core_handle_faults(struct iommu_core *core);
/* Walks all domains and context entries; NULL or a sentence about the first inconsistency. */
const char *iommu_core_check(struct iommu_core *core);

#endif
