/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the checkers found, and what happened in order: both live in the machine and so survive
 * kexec and exec. A report names the step, the rule and the state it contradicts.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <iommufd-sim/machine.h>
#include <iommufd-sim/proto/types.h>

struct ifs_machine;

/* Counts one event of the machine and returns its number. Time in this world is this counter. */
u64 sim_step(struct ifs_machine *machine);

/* Adds a report; with on_report == STOP also marks the machine stopped. */
void sim_report(struct ifs_machine *machine, enum ifs_rule rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool sim_is_stopped(const struct ifs_machine *machine);

/* One line for the event log (kept in a ring: the oldest go first). */
void sim_log(struct ifs_machine *machine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
