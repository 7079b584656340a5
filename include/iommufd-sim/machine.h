/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The machine: memory, IOMMUs and devices. It survives kexec; kernels come and go on it.
 *
 * All of its state lives in one file, the arena: a header, the state of the hardware and the
 * checkers, and RAM, sparse. A machine can therefore be carried over a real execve() by inheriting
 * nothing but that file's descriptor (ifs_machine_arena_fd(), ifs_machine_open()).
 *
 * A machine is used by one thread at a time. Any number of machines live in one process.
 */
#ifndef IOMMUFD_SIM_MACHINE_H
#define IOMMUFD_SIM_MACHINE_H

#include <iommufd-sim/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ifs_machine;

enum ifs_on_report {
	IFS_REPORT_AND_GO_ON = 0,
	IFS_REPORT_AND_STOP,    /* the machine stops: DMA is refused, system calls fail with -EIO */
};

/* Format of the tables behind context entries. */
enum ifs_pt_format {
	IFS_PT_VTDSS = 0,       /* VT-d second stage, 4 levels */
	IFS_PT_X86_64,          /* x86_64 first stage, 4 levels */
};

/*
 * Set @size to sizeof(struct ifs_machine_config) and leave what you do not care about zero: zero
 * means the default named here.
 */
struct ifs_machine_config {
	size_t size;
	uint64_t ram_bytes;             /* multiple of 2 MiB, to 16 TiB; default 1 GiB. Sparse. */
	const char *ram_path;           /* arena file to create, not there yet; default: a memfd */
	uint32_t nr_iommus;             /* 1 to 8; default 1 */
	uint32_t pt_format;             /* enum ifs_pt_format */
	uint32_t iotlb_entries;         /* power of two, 16 to 4096; default 256 */
	uint32_t fault_entries;         /* 1 to 256; default 8 */
	uint32_t on_report;             /* enum ifs_on_report */
	uint64_t seed;                  /* of everything random in devices; default 1 */
	/*
	 * Forked children of this host process share the machine, its kernels and their processes
	 * with it: what one does, all see. They take turns by a lock of their own (pthread_mutex_t
	 * in shared memory), and each says which process it is with ifs_process_set_host().
	 */
	bool shared;
};

/*
 * A new machine, just powered on, or NULL with @error (may be NULL) filled. @config NULL means all
 * defaults.
 */
IFS_PUBLIC struct ifs_machine *ifs_machine_new(const struct ifs_machine_config *config,
					       struct ifs_error *error);
/*
 * Takes over the arena file @fd (kept open by the machine, closed by ifs_machine_free(); left to
 * the caller if it is refused). The file is input: magic, version, sizes and every index in it
 * are checked; NULL with @error names what is wrong (not an arena, another version, truncated,
 * which field is out of range).
 */
IFS_PUBLIC struct ifs_machine *ifs_machine_open(int fd, struct ifs_error *error);
IFS_PUBLIC void ifs_machine_free(struct ifs_machine *machine);
/*
 * Power off and on: the machine is again what ifs_machine_new() gave and its devices were plugged
 * into, with RAM that reads as zero, nothing counted, reported or logged, and translation off. The
 * configuration stays, and so do all handles. No kernel may be left on the machine: shut it down
 * or drop it first. Made for tests and fuzzers that start afresh many thousand times a second:
 * memory that was in use lately stays resident and is cleared in place.
 */
IFS_PUBLIC void ifs_machine_reset(struct ifs_machine *machine);
/*
 * The arena's descriptor, for inheritance over execve() (clear its close-on-exec flag first). Still
 * owned by the machine.
 */
IFS_PUBLIC int ifs_machine_arena_fd(const struct ifs_machine *machine);

/* Changes what happens on a report. */
IFS_PUBLIC void ifs_machine_set_on_report(struct ifs_machine *machine, enum ifs_on_report what);
IFS_PUBLIC bool ifs_machine_is_stopped(const struct ifs_machine *machine);

/* Lets every streaming device do @bursts DMA bursts, in turn. With or without a kernel. */
IFS_PUBLIC void ifs_machine_run(struct ifs_machine *machine, uint64_t bursts);

/* What has been counted since power-on. */
struct ifs_machine_stats {
	size_t size;
	uint64_t steps;                 /* events so far: the machine's only clock */
	uint64_t boots;                 /* kexecs so far */
	uint64_t dma_done;              /* DMA requests that reached memory */
	uint64_t dma_bytes;
	uint64_t dma_blocked;           /* faulted, and nothing had granted them */
	uint64_t dma_lost;              /* faulted although granted */
	uint64_t dma_astray;            /* reached a frame nobody granted */
	uint64_t dma_corrupt;           /* a device read back other data than it had written */
	uint64_t iotlb_hits, iotlb_misses, iotlb_invalidations;
	uint64_t faults_recorded, faults_overflowed;
	uint64_t ram_resident_bytes;    /* host memory in use for RAM */
	uint64_t reports;               /* of all rules, also those no longer kept */
};
IFS_PUBLIC void ifs_machine_get_stats(struct ifs_machine *machine, struct ifs_machine_stats *out);

/* The rules the checkers watch. */
enum ifs_rule {
	IFS_RULE_NONE = 0,
	IFS_RULE_DMA_LOST,
	IFS_RULE_DMA_ASTRAY,
	IFS_RULE_DMA_CORRUPT,
	IFS_RULE_STALE_IOTLB,           /* a cached translation outlived its entry */
	IFS_RULE_TABLE_FREED,           /* a table page was freed while hardware could walk it */
	IFS_RULE_UNPRESERVED_TARGET,    /* at kexec a live entry led to a frame nobody preserved */
	IFS_RULE_LEAK,                  /* heap, pins, marks, files left after a close */
	IFS_RULE_ATOMIC_SLEEP,
	IFS_RULE_LOCK_ORDER,
	IFS_RULE_LOCK_RECURSION,
	IFS_RULE_LOCK_STRANGER,
	IFS_RULE_LOCK_NOT_HELD,
	IFS_RULE_USE_AFTER_FREE,
	IFS_RULE_WARN,
	IFS_RULE_BUG,
	IFS_RULE_PANIC,
	IFS_RULE_DEVICE_BLOCKED,        /* a device could not be restored and was cut off */
	IFS_RULE_STATE_REFUSED,         /* the new kernel refused what the old one had accepted */
	IFS_NR_RULES
};
IFS_PUBLIC const char *ifs_rule_name(enum ifs_rule rule);
/* Reports of @rule so far, kept or not. */
IFS_PUBLIC uint64_t ifs_machine_count_reports(const struct ifs_machine *machine,
					      enum ifs_rule rule);

struct ifs_report {
	uint64_t step;
	uint32_t rule;
	char text[244];
};
/* The @index-th report kept: the first 64, at most 16 of a rule. False past the end. */
IFS_PUBLIC bool ifs_machine_get_report(const struct ifs_machine *machine, unsigned index,
				       struct ifs_report *out);
/* The event log as text, oldest first, one event a line. Free with free(). NULL: no memory. */
IFS_PUBLIC char *ifs_machine_event_log(const struct ifs_machine *machine);

/* Raw access to physical memory, for tests. False if not all of it is RAM. */
IFS_PUBLIC bool ifs_machine_read_ram(struct ifs_machine *machine, ifs_pa_t pa, void *to,
				     uint64_t length);
IFS_PUBLIC bool ifs_machine_write_ram(struct ifs_machine *machine, ifs_pa_t pa, const void *from,
				      uint64_t length);

#ifdef __cplusplus
}
#endif
#endif
