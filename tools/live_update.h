/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * One run of "iommufd-sim live-update": what was asked for, where it stands, what it counted.
 *
 * With --exec, a run goes on in a fresh process image after each kexec. What it asked for and
 * what it counted travel as arguments; everything else is read again from the arena and the guest
 * file.
 */
#ifndef TOOLS_LIVE_UPDATE_H
#define TOOLS_LIVE_UPDATE_H

#include <stdio.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>

#include "tools/flatview.h"

#define RUN_MAX_DEVICES 64
#define RUN_MAX_UPDATES 1000
#define RUN_MAX_BURSTS 1000000
#define RUN_MAX_RAM_BYTES (16ull << 40)         /* of a machine, see machine.h */

struct run_options {
	char *guest_path, *arena_path, *design, *page_size, *memory;
	int devices, updates;
	gint64 dma_bursts, seed;
	gboolean exec, json, quiet;
	guint64 page_bytes, memory_bytes;       /* parsed; memory 0: as much as the guest needs */
};

/* What is told about one update: counts, and nanoseconds for display only. */
struct update_record {
	guint64 mappings, table_pages, pages_preserved;
	guint64 dma_before, dma_during, dma_after;
	guint64 blackout_ns, restore_ns;
};

struct run {
	struct run_options options;
	struct guest *guest;
	struct ifs_machine *machine;
	struct ifs_device *devices[RUN_MAX_DEVICES];
	struct ifs_kernel *kernel;
	struct ifs_process *vmm;

	int memfd, iommufd, liveupdate, session, vfio[RUN_MAX_DEVICES];
	guint32 ioas_id, hwpt_id, restored_hwpt_id, dev_id[RUN_MAX_DEVICES];

	guint update;                   /* finished ones */
	GArray *records;                /* struct update_record, one for each kexec */
	struct update_record now;       /* the one under way */
	guint64 dma_mark;               /* the machine's count at the start of this phase */
	guint64 clock_mark_ns;
	guint64 heap_at_boot, marks_at_boot;    /* what the kernel itself holds */

	guint64 leaks, heap_left, marks_left;
	guint64 resident_bytes;         /* of the host, before everything was given back */
	char *stopped_at;               /* the call that ended the run early, or NULL */
	char *failure;                  /* a boot that failed, or no memory for the machine */
};

/* tools/update_phase.c. FALSE: run->stopped_at or run->failure says why. */
gboolean run_boot(struct run *run);
gboolean run_set_up(struct run *run);
gboolean run_preserve(struct run *run);
/* The kernel is gone on success. */
gboolean run_kexec(struct run *run);
/* Twice makes one; with --exec the execve() is between the two. */
void run_half_blackout(struct run *run);
gboolean run_take_over(struct run *run);
void run_end(struct run *run);

/*
 * tools/exec.c. run_exec() replaces the process image; it comes back only if that failed, with the
 * errno. run_resume() is its other half: the arena and the counters that @state names.
 */
int run_exec(struct run *run);
gboolean run_resume(struct run *run, const char *state, char **error);

/* tools/report.c */
void run_report_text(const struct run *run, FILE *to);
void run_report_json(const struct run *run, FILE *to);
/* Everything that makes the exit status 1. */
gboolean run_has_findings(const struct run *run);

/* tools/live_update.c. Progress goes to stderr, unless --quiet. */
void run_say(const struct run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);
guint64 run_clock_ns(void);
/* Lets devices work. The clock mark moves along: times are to show what the kernel costs. */
void run_dma(struct run *run, guint64 factor);
guint64 run_dma_done(const struct run *run);
guint64 run_resident_bytes(const struct run *run);

#endif
