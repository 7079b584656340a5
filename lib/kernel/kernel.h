/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * struct ifs_kernel: what the layers below know of it (kernel_base), the options it was booted
 * with, and the processes that run on it.
 *
 * The structure itself is the one piece of host memory of a kernel that does not lie in its heap,
 * because the heap lies in it. Everything it points to does: processes too, so that a kexec, which
 * drops the heap whole, ends them without running a line of their code.
 */
#ifndef LIB_KERNEL_KERNEL_H
#define LIB_KERNEL_KERNEL_H

#include <iommufd-sim/kernel.h>
#include <iommufd-sim/proto/design.h>

#include "lib/base/kernel_base.h"
#include "lib/base/task.h"
#include "lib/kho/kho.h"
#include "lib/luo/luo.h"
#include "lib/memfd/memfd.h"

#define BOOT_LOG_BYTES 8192

struct ifs_kernel {
	struct kernel_base base;        /* first: current->kernel is cast back to this structure */
	struct memfd_config memfd_config;
	struct kho_config kho_config;
	struct luo_config luo_config;
	struct ifs_design_options design_options;
	char release[65];               /* uname -r */

	struct list_head processes;     /* struct ifs_process.node, oldest first */
	u32 next_pid;
	unsigned nr_iommus;

	u64 kernel_pages_at_boot;       /* that the page allocator itself keeps: page 0 */
	u64 preserved_at_boot;          /* pages the kernel itself had marked when it was up */
	unsigned steps_done;            /* of boot_steps[] */
	char boot_reason[256];          /* why the last step refused what it found */
	u32 boot_log_used;
	char boot_log[BOOT_LOG_BYTES];  /* lines, each with its newline; always terminated */
};

/* lib/kernel/boot_config.c: fills in defaults; -EINVAL with @error for what cannot be. */
int kernel_config_apply(struct ifs_kernel *kernel, const struct ifs_kernel_config *config,
			struct ifs_error *error);

/* lib/kernel/boot.c */
int kernel_boot(struct ifs_kernel *kernel, const char **failed_step);
/* Undoes the boot steps that were done, newest first, all but the first @keep of them. */
#define BOOT_KEEP_PAGES 1u      /* the page allocator */
#define BOOT_KEEP_VFIO 9u       /* all up to vfio: not LUO's device and its sessions */
void kernel_unboot(struct ifs_kernel *kernel, unsigned keep);

/* lib/kernel/shutdown.c: reports each block as a leak, drops them, returns how many there were. */
u64 kernel_drop_heap(struct ifs_kernel *kernel);

/* lib/kernel/boot_log.c: keeps what is printed while the kernel boots. */
void kernel_boot_log(struct kernel_base *base, const char *line);
void error_set(struct ifs_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A task that is not a process's: boot, kexec, shutdown, the questions of a test. */
static inline void kernel_task_enter(struct task *task, struct ifs_kernel *kernel, const char *name)
{
	task->pid = 0;
	task->mm = NULL;
	task->files = NULL;
	task->cred = NULL;
	task_enter(task, &kernel->base, name);
}

#endif
