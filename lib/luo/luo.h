/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The Live Update Orchestrator as the kernel's boot and reboot see it. */
#ifndef LIB_LUO_LUO_H
#define LIB_LUO_LUO_H

#include <iommufd-sim/proto/luo.h>

#include "lib/fs/file.h"
#include "lib/kho/kho.h"

struct luo;

struct luo_config {
	bool enabled;           /* liveupdate=on */
	/* Known bugs of 7.3 (traps 1, 16, 28): true reproduces them, false does what was meant. */
	bool exact;
};

/*
 * early_initcall: reads what the previous kernel left, even with liveupdate=off. Damage that Linux
 * panics on ("The incoming tree failed to initialize properly") returns -ENOTRECOVERABLE with
 * @reason (256 bytes): the boot fails with a distinct fatal status.
 */
int luo_new(struct kernel_base *kernel, const struct luo_config *config, char *reason,
	    struct luo **out);
/* late_initcall: outgoing state, /dev/liveupdate. */
int luo_late_init(struct luo *luo);
/*
 * Its reverse, while the file system is still there: the device goes, and so do sessions that
 * nobody claimed or that could not be finished, with the files they hold. luo_free() calls it if
 * needed.
 */
void luo_late_exit(struct luo *luo);
void luo_free(struct luo *luo);
/* liveupdate_reboot(): serialize all outgoing sessions. -errno: nothing changed, all goes on. */
int luo_reboot(struct luo *luo);
/* For leak checks: sessions alive, files preserved or retrieved and not finished. */
void luo_counts(const struct luo *luo, u64 *sessions, u64 *files);

#endif
