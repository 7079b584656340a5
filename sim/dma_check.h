/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The DMA checker: what software granted, compared with what devices reached.
 *
 * It is told three things, none of them read from page tables:
 *   owner   who a frame belongs to (free, kernel, table, memfd, window, ...)
 *   grant   in DMA space S the user gave iova range -> frames, readable and/or writable
 *   bind    the space a device is in (0 = none: every access must fault)
 * A DMA that reaches a frame is ASTRAY if its device's space does not grant exactly that frame at
 * that iova with that permission, or if the frame's owner is not one that gives memory to
 * devices. A DMA that faults is LOST if the device's space grants it. The first of each is
 * reported with the step and the recent history of the frame; all are counted.
 *
 * Spaces and grants live in the machine and survive kexec. A space dies when its creator
 * destroyed it and no device is bound to it; at kexec every space counts as destroyed by its
 * creator.
 */
#ifndef SIM_DMA_CHECK_H
#define SIM_DMA_CHECK_H

#include <iommufd-sim/proto/types.h>

struct ifs_machine;
struct ifs_device;

enum frame_owner {
	FRAME_FREE,
	FRAME_RESERVED,         /* preserved by the previous kernel, not yet claimed */
	FRAME_KERNEL,
	FRAME_TABLE,            /* reachable by the IOMMU's walker */
	FRAME_MEMFD,            /* gives memory to devices */
	FRAME_WINDOW,           /* gives memory to devices */
	FRAME_SCRATCH,
	FRAME_DMABUF,           /* gives memory to devices */
	NR_FRAME_OWNERS,
};

void dma_check_set_owner(struct ifs_machine *machine, pa_t pa, u64 length, enum frame_owner owner);
enum frame_owner dma_check_owner(struct ifs_machine *machine, pa_t pa);

u32 dma_check_space_new(struct ifs_machine *machine);
void dma_check_space_put(struct ifs_machine *machine, u32 space);
void dma_check_grant(struct ifs_machine *machine, u32 space, iova_t iova, pa_t pa, u64 length,
		     bool readable, bool writable);
void dma_check_revoke(struct ifs_machine *machine, u32 space, iova_t iova, u64 length);
/* Space 0 unbinds. */
void dma_check_bind(struct ifs_machine *machine, struct ifs_device *device, u32 space);
u32 dma_check_space_of(struct ifs_machine *machine, struct ifs_device *device);
/* At kexec: creators are gone. */
void dma_check_kexec(struct ifs_machine *machine);
/* Number of spaces and grants alive, for leak checks. */
void dma_check_counts(struct ifs_machine *machine, u64 *spaces, u64 *grants);

#endif
