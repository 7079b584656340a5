/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* struct kernel: the subsystems, embedded in boot order, and the processes that run on it. */
#ifndef LIB_KERNEL_KERNEL_H
#define LIB_KERNEL_KERNEL_H

#include <iommufd-sim/kernel.h>

#include "lib/base/kernel_base.h"
#include "lib/base/task.h"
#include "lib/memfd/memfd.h"

struct ifs_kernel {
	struct kernel_base base;        /* first */
	struct memfd_config memfd_config;
	struct list_head processes;
	u32 next_pid;
};

#endif
