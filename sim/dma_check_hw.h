/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The DMA checker as the hardware sees it: called per run, before memory is touched. */
#ifndef SIM_DMA_CHECK_HW_H
#define SIM_DMA_CHECK_HW_H

#include <iommufd-sim/device.h>
#include <iommufd-sim/proto/types.h>

struct iommu_hw;
struct walk;

/* The device reached [pa, pa + length) at @iova. False: astray, and reported. */
bool dma_check_reached(struct ifs_device *device, iova_t iova, pa_t pa, u64 length, bool write);
/* The device faulted at @iova. True: that was granted, so the access is lost, and reported. */
bool dma_check_faulted(struct ifs_device *device, iova_t iova, bool write, u8 reason);
/* A walk used these table pages: reports the first that is none (free, or a device's memory). */
void dma_check_walked(struct iommu_hw *hw, const struct walk *walk);
/* "step 12: memfd, step 34: free": the last changes of owner of the frame at @pa. */
void dma_check_history(const struct ifs_machine *machine, pa_t pa, char *text, size_t bytes);

#endif
