/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The machine's host side: handles and caches that are rebuilt from the arena on open. Nothing here
 * may decide a result. Only files in sim/ include this.
 */
#ifndef SIM_MACHINE_INTERNAL_H
#define SIM_MACHINE_INTERNAL_H

#include <iommufd-sim/device.h>
#include <iommufd-sim/machine.h>
#include <iommufd-sim/proto/types.h>

#include "sim/arena.h"
#include "sim/dma_check.h"
#include "sim/host_mem.h"
#include "sim/iommu_hw.h"
#include "sim/machine_kernel.h"
#include "sim/machine_state.h"
#include "sim/phys_mem.h"
#include "sim/range_tree.h"
#include "sim/report.h"
#include "sim/shared_heap.h"

#define PHYS_MEM_MAX_HOSTS 256u

/* A host process that has windows. */
struct window_host {
	u32 pid;
	u64 bytes;                      /* of its windows; 0: the slot is free */
};

struct phys_mem {
	struct arena *arena;
	u64 ram_bytes;
	bool untouched;         /* nobody got a pointer into RAM since it was all zero */
	struct shared_heap *heap;       /* the machine's */
	struct range_pool window_pool;
	struct range_tree windows;      /* pa range to slot << 48 | host address */
	/* Whose memory it is, by slot; slot 0 is the process that runs this. */
	struct window_host hosts[PHYS_MEM_MAX_HOSTS];
	struct host_mem host;
};

/* A run of frames with one owner, or of iovas with one grant, as last looked up. */
struct run_cache {
	u64 generation;         /* of the checker when it was filled */
	u64 start, last, value;
};

struct ifs_device {
	struct ifs_machine *machine;
	struct device_state *state;
	struct run_cache grant, owner;
	u8 *pattern;            /* a burst's worth, while streaming */
};

struct iommu_hw {
	struct ifs_machine *machine;
	struct iommu_state *state;
	u32 unit;
	struct run_cache table_owner;
};

struct checker {
	struct range_pool pool;
	struct range_tree owners;
	u64 generation;         /* changes with every grant, revoke, owner and bind; from 1 */
};

struct ifs_machine {
	struct shared_heap *heap;       /* this structure lies in it, too; NULL: the C library's */
	struct arena arena;
	struct machine_state *state;
	struct phys_mem mem;
	struct checker checker;
	struct iommu_hw iommus[MACHINE_MAX_IOMMUS];
	struct ifs_device devices[MACHINE_MAX_DEVICES];         /* in plug-in order */
};

/* RAM only. */
static inline void *ram_ptr(struct phys_mem *mem, pa_t pa, u64 length)
{
	if (pa > mem->ram_bytes || length > mem->ram_bytes - pa)
		return NULL;
	mem->untouched = false;
	return mem->arena->ram + pa;
}

/*
 * A table entry; NULL if outside RAM. @pa is a multiple of 8. Writing to one does not make
 * untouched RAM touched: hardware sets bits in entries that are present, and of those there are
 * none then.
 */
static inline u64 *ram_entry(const struct phys_mem *mem, pa_t pa)
{
	return pa < mem->ram_bytes ? (u64 *)(mem->arena->ram + pa) : NULL;
}

/* phys_mem.c */
void phys_mem_init(struct phys_mem *mem, struct arena *arena, struct shared_heap *heap);
void phys_mem_deinit(struct phys_mem *mem);
/* All of RAM reads as zero again. */
void phys_mem_reset(struct phys_mem *mem);
bool phys_mem_has_window(const struct phys_mem *mem, pa_t pa);

/* report.c */
const char *report_check_state(const struct machine_state *state);

/* device.c */
void device_init(struct ifs_device *device, struct ifs_machine *machine, u32 index);
const char *device_check_state(const struct machine_state *state);

/* dma_check.c */
void dma_check_init(struct ifs_machine *machine);
void dma_check_reset(struct ifs_machine *machine);      /* nothing declared, granted or bound */
const char *dma_check_check_state(struct ifs_machine *machine);

#endif
