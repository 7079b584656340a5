/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* PCI devices: a requester id behind an IOMMU, and a DMA engine. They survive kexec. */
#ifndef IOMMUFD_SIM_DEVICE_H
#define IOMMUFD_SIM_DEVICE_H

#include <iommufd-sim/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ifs_device;

struct ifs_device_config {
	size_t size;
	uint16_t segment;
	uint8_t bus, slot, function;    /* slot 0 to 31, function 0 to 7 */
	uint32_t iommu;                 /* the IOMMU unit it sits behind, default 0 */
};

/*
 * Plugs in a device. NULL with @error: address taken (also one of another segment behind the same
 * unit), out of range, or 64 devices already there.
 */
IFS_PUBLIC struct ifs_device *ifs_machine_add_device(struct ifs_machine *machine,
						     const struct ifs_device_config *config,
						     struct ifs_error *error);
/* The @index-th device by segment and address; NULL past the end. */
IFS_PUBLIC struct ifs_device *ifs_machine_get_device(struct ifs_machine *machine, unsigned index);
/* "0000:01:00.0". */
IFS_PUBLIC void ifs_device_name(const struct ifs_device *device, char name[16]);

/* One DMA request of any length; it is split at page boundaries and stops at the first fault. */
enum ifs_dma_status {
	IFS_DMA_OK = 0,
	IFS_DMA_FAULT,          /* @fault says why */
	IFS_DMA_STOPPED,        /* the machine is stopped */
};
struct ifs_dma_fault {
	ifs_iova_t iova;        /* the first byte that could not be reached */
	uint8_t reason;         /* VT-d fault reason, e.g. 0x06: no read permission */
	bool write;
	uint64_t bytes_done;
};
IFS_PUBLIC enum ifs_dma_status ifs_device_dma_read(struct ifs_device *device, ifs_iova_t iova,
						   void *to, uint64_t length,
						   struct ifs_dma_fault *fault);
IFS_PUBLIC enum ifs_dma_status ifs_device_dma_write(struct ifs_device *device, ifs_iova_t iova,
						    const void *from, uint64_t length,
						    struct ifs_dma_fault *fault);

/*
 * Streaming: on each burst the engine picks a place in one of its windows by its own random
 * sequence, writes a pattern that names device and burst (if the window is writable), reads it
 * back and compares; from a read-only window it only reads.
 */
struct ifs_stream_window {
	ifs_iova_t start, last;
	bool writable;
};
struct ifs_stream_config {
	size_t size;
	const struct ifs_stream_window *windows;        /* 1 to 64 of them, copied */
	uint32_t nr_windows;
	uint32_t burst_bytes;           /* 64 to 65536, default 4096 */
	uint64_t seed;                  /* default: derived from the machine's and the address */
};
/* False: a field out of range. Replaces an earlier stream. */
IFS_PUBLIC bool ifs_device_stream_start(struct ifs_device *device,
					const struct ifs_stream_config *config);
IFS_PUBLIC void ifs_device_stream_stop(struct ifs_device *device);

struct ifs_device_stats {
	size_t size;
	uint64_t bursts, dma_done, dma_bytes, dma_blocked, dma_lost, dma_astray, dma_corrupt;
	bool streaming;
};
IFS_PUBLIC void ifs_device_get_stats(const struct ifs_device *device, struct ifs_device_stats *out);

#ifdef __cplusplus
}
#endif
#endif
