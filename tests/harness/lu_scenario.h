/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A whole live update as a list of single calls, so that a test can stop before any of them, make
 * it fail, damage what is handed over, or time it.
 *
 * A run: boot, one sealed memfd mapped into an IOAS, devices bound, attached and streaming,
 * everything preserved, kexec, black-out, boot, everything retrieved, rebuilt, swapped, finished;
 * as many times as asked; shutdown. Each step is one system call (or boot, kexec, black-out).
 */
#ifndef TESTS_HARNESS_LU_SCENARIO_H
#define TESTS_HARNESS_LU_SCENARIO_H

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>

#define LU_MAX_DEVICES 4
#define LU_MAX_REGIONS 8
#define LU_MAX_STEPS 256

struct lu_region {
	uint64_t iova, offset, length;
	bool writable;
};

struct lu_config {
	uint64_t ram_bytes;             /* of the machine */
	uint64_t memfd_bytes;
	struct lu_region regions[LU_MAX_REGIONS];
	unsigned nr_regions;
	unsigned devices, updates;
	unsigned bursts;                /* DMA bursts per device after every step */
	unsigned blackout_bursts;       /* DMA bursts in each black-out; 0: 16 */
	uint32_t folio_order;
	const char *design;
	bool not_exact;                 /* known bugs of 7.3 (errors that stick, ...) are mended */
	bool iommufd_test;              /* the kernels have the selftest interface */
	/*
	 * One that an earlier scenario of that ram_bytes and those devices left: it is reset and
	 * used, and is still the caller's in the end. NULL: a new one.
	 */
	struct ifs_machine *machine;
};

enum lu_phase { LU_SETUP, LU_PRESERVE, LU_KEXEC, LU_BLACKOUT, LU_BOOT, LU_RESTORE, LU_END };

struct lu_scenario;
struct lu_step {
	const char *name;
	enum lu_phase phase;
	int (*run)(struct lu_scenario *s, unsigned arg);
	unsigned arg;
};

struct lu_scenario {
	struct lu_config config;
	struct ifs_machine *machine;
	struct ifs_device *devices[LU_MAX_DEVICES];
	struct ifs_kernel *kernel;
	struct ifs_process *process;
	struct ifs_error error;
	uint64_t boot_fail_nth;         /* injected into the next boot */
	bool boot_fail_forever;
	int iommufd, memfd, luo, session, vfio[LU_MAX_DEVICES];
	uint32_t ioas, hwpt, restored, devid[LU_MAX_DEVICES];
	unsigned generation;            /* kexecs so far */
	uint64_t leaks;
	struct lu_step steps[LU_MAX_STEPS];
	unsigned nr_steps;
};

/* A small guest: 4 MiB in three regions (one read-only), two devices, two updates. */
struct lu_config lu_config_small(void);
void lu_scenario_init(struct lu_scenario *s, const struct lu_config *config);
/* 0 or the call's -errno; a boot that fails gives -error.code. Then lets DMA run. */
int lu_scenario_step(struct lu_scenario *s, unsigned index);
/* Runs steps [from, to); returns the index of the first that failed, or @to. */
unsigned lu_scenario_run(struct lu_scenario *s, unsigned from, unsigned to);
/* The index of the first step at or after @from in @phase; nr_steps if there is none. */
unsigned lu_scenario_find(const struct lu_scenario *s, unsigned from, enum lu_phase phase);
void lu_scenario_deinit(struct lu_scenario *s);

/*
 * The arena as it is now, in a file of its own; and a machine from such a copy in place of
 * s->machine.
 */
int lu_arena_copy(struct ifs_machine *machine);
bool lu_scenario_reload(struct lu_scenario *s, int arena_fd);

#endif
