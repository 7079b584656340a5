/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The state of the machine as it lies in the arena file, between the header and RAM.
 *
 *   0            one page: struct arena_header (arena.h)
 *   4 KiB        struct machine_state
 *   node area    range-tree nodes of the DMA checker (owners and grants)
 *   ram_offset   RAM
 *
 * Plain data only: no host pointer, no bool, no enum, nothing that depends on where the file is
 * mapped. Whatever must survive kexec and execve lives here and nowhere else, so that opening the
 * file needs no load step and ending a process needs no save step. On open all of it is input:
 * each module has a <module>_check_state() that names the first field out of range.
 *
 * Arrays have their largest size; the file is sparse and untouched pages cost nothing.
 */
#ifndef SIM_MACHINE_STATE_H
#define SIM_MACHINE_STATE_H

#include <iommufd-sim/machine.h>
#include <iommufd-sim/proto/types.h>

#include "sim/machine_kernel.h"

#define MACHINE_MAX_IOMMUS 8
#define MACHINE_MAX_DEVICES 64
#define IOTLB_MAX_ENTRIES 4096
#define FAULT_MAX_ENTRIES 256
#define REPORTS_KEPT 64
#define EVENT_LOG_BYTES (128u * 1024)
#define STREAM_MAX_WINDOWS 64
#define CHECK_MAX_SPACES 65536
#define OWNER_HISTORY 1024
#define PT_LEVELS 4

/* One cached translation, and the entries it was made of, top first, to notice staleness. */
struct iotlb_entry {
	u64 page;               /* iova >> PT_LEVEL_LG2(level) */
	pa_t pa;                /* of the first byte of the leaf */
	u32 domain_id;
	u8 valid;
	u8 level;               /* 0: 4 KiB, 1: 2 MiB, 2: 1 GiB */
	u8 access;              /* IOTLB_* */
	u8 reported;            /* as stale; once per fill */
	pa_t path_pa[PT_LEVELS];
	u64 path_value[PT_LEVELS];
};
#define IOTLB_READ 1u
#define IOTLB_WRITE 2u
#define IOTLB_DIRTY 4u          /* the leaf's dirty bit was set when this was cached */

/* A fault recording register as software reads it. */
struct fault_record {
	u64 lo, hi;
};

struct iommu_state {
	u32 gsts;
	u32 fault_overflow;
	u64 rtaddr;             /* as last written */
	u64 root;               /* as latched by SRTP */
	u64 iva;
	u64 ccmd, iotlb_cmd;    /* as software reads them back */
	u32 fault_next;         /* where the next fault goes */
	u32 fault_first;        /* FSTS.FRI: the oldest pending one */
	u32 iotlb_live[PT_LEVELS];      /* valid entries per level */
	struct fault_record faults[FAULT_MAX_ENTRIES];
	struct iotlb_entry iotlb[IOTLB_MAX_ENTRIES];
};

struct stream_window {
	iova_t start, last;
	u64 writable;
};

struct stream_state {
	u32 running;
	u32 nr_windows;
	u32 burst_bytes;
	u32 reserved;
	u64 random;             /* state of the generator */
	u64 burst;              /* number of the next burst */
	struct stream_window windows[STREAM_MAX_WINDOWS];
};

struct device_counts {
	u64 bursts, dma_done, dma_bytes, dma_blocked, dma_lost, dma_astray, dma_corrupt;
};

struct device_state {
	u16 segment;
	u16 bdf;
	u32 iommu;
	u32 space;              /* what the checker says it is in */
	/* Context cache: the last context entry the IOMMU used for this device. */
	u32 context_valid;
	u32 context_reported;
	u32 reserved;
	u64 context_lo, context_hi;
	struct device_counts counts;
	struct stream_state stream;
};

struct tree_state {
	u32 root, height;
	u64 count;
};

struct check_space {
	struct tree_state grants;
	u32 alive;
	u32 creator_gone;
	u32 nr_bound;
	u32 next_free;          /* index of the next free slot, 0 ends the list */
};

struct owner_change {
	u64 step;
	pa_t pa, last;
	u32 owner;
	u32 boot;
};

struct check_state {
	u32 pool_used, pool_free_head, pool_nr_free;
	u32 spaces_used;        /* slots ever used; slot 0 never is */
	u32 spaces_free_head;
	u32 reserved;
	u64 nr_spaces, nr_grants;
	struct tree_state owners;
	u64 history_next;       /* changes ever recorded */
	struct owner_change history[OWNER_HISTORY];
	struct check_space spaces[CHECK_MAX_SPACES];
};

struct machine_counts {
	u64 dma_done, dma_bytes, dma_blocked, dma_lost, dma_astray, dma_corrupt;
	u64 iotlb_hits, iotlb_misses, iotlb_invalidations;
	u64 faults_recorded, faults_overflowed;
};

struct machine_state {
	u64 steps;
	u64 seed;
	u32 nr_iommus;
	u32 pt_format;
	u32 iotlb_entries;
	u32 fault_entries;
	u32 on_report;
	u32 stopped;
	u32 boots;
	u32 nr_devices;
	struct machine_boot_params boot_params;
	struct machine_counts counts;
	u32 device_order[MACHINE_MAX_DEVICES];  /* by segment and bdf */
	struct device_state devices[MACHINE_MAX_DEVICES];

	u64 rule_counts[IFS_NR_RULES];
	u32 nr_reports;
	u32 reserved;
	struct ifs_report reports[REPORTS_KEPT];
	u64 log_bytes;          /* ever written; the ring holds the last EVENT_LOG_BYTES of them */
	char log[EVENT_LOG_BYTES];

	struct check_state check;
	struct iommu_state iommus[MACHINE_MAX_IOMMUS];
};

#endif
