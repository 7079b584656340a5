/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The path of one DMA request, for the device's engine. */
#ifndef SIM_DMA_H
#define SIM_DMA_H

#include <iommufd-sim/device.h>
#include <iommufd-sim/proto/types.h>

enum dma_kind {
	DMA_READ,               /* memory to @buf */
	DMA_WRITE,              /* @buf to memory */
	DMA_COMPARE,            /* reads, and compares with @buf */
};

struct dma_result {
	enum ifs_dma_status status;
	struct ifs_dma_fault fault;
	bool differs;           /* DMA_COMPARE only */
	iova_t differs_at;
	u64 done;               /* bytes moved */
};

void dma_request(struct ifs_device *device, enum dma_kind kind, iova_t iova, void *buf, u64 length,
		 struct dma_result *out);

#endif
