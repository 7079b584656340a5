/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The system calls of the run's VMM, in the order in which each phase makes them. */
#ifndef TOOLS_UPDATE_STEP_H
#define TOOLS_UPDATE_STEP_H

#include "tools/live_update.h"

struct step {
	const char *name;               /* as the report names the call it stopped at; NULL ends */
	int (*run)(struct run *run);    /* 0 or -errno */
};

extern const struct step set_up_steps[], preserve_steps[], take_over_steps[];

#endif
