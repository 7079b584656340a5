/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A process, and the door through which its system calls enter the kernel: each runs as a task of
 * its own, with the process's memory, descriptor table and credentials.
 *
 * A call into a kernel that panicked, or on a machine that a checker stopped, is refused with -EIO.
 * The door is on the path of every ioctl, so it does nothing that a call does not need.
 */
#ifndef LIB_KERNEL_SYSCALL_H
#define LIB_KERNEL_SYSCALL_H

#include <iommufd-sim/process.h>

#include "lib/fs/file.h"
#include "lib/kernel/kernel.h"
#include "lib/mm/user_mem.h"
#include "sim/report.h"

struct ifs_process {
	struct list_head node;          /* on ifs_kernel.processes */
	struct ifs_kernel *kernel;
	struct mm *mm;
	struct files *files;
	struct cred cred;
	struct task_faults faults;
	u32 pid;
	u32 rlimit_nofile;
	u64 rlimit_memlock_bytes, rlimit_memlock_max_bytes;
	bool trust_pointers;
};

static inline bool kernel_is_dead(const struct ifs_kernel *kernel)
{
	return __builtin_expect(kernel->base.panicked || sim_is_stopped(kernel->base.machine), 0);
}

/* False: the kernel takes no calls any more; the caller returns -EIO. */
static inline bool syscall_enter(struct task *task, struct ifs_process *process, const char *name)
{
	if (kernel_is_dead(process->kernel))
		return false;
	task_enter(task, &process->kernel->base, name);
	task->pid = process->pid;
	task->mm = process->mm;
	task->files = process->files;
	task->cred = &process->cred;
	task->faults = &process->faults;
	return true;
}

/* A file that has no name anywhere. */
static inline bool is_anon_inode(const struct file *file)
{
	return !strncmp(file->name, "anon_inode:", 11);
}

/* Drains the fault rings if hardware left anything there, as the interrupt would have done. */
void syscall_leave(struct task *task, struct ifs_process *process);

/* lib/kernel/process.c: closes what the process holds and takes it off the list; needs no task. */
void process_end(struct ifs_process *process);

#endif
