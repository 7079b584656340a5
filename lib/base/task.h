/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Tasks: who runs in the kernel. Every system call is run as one, and so are boot and kexec. A task
 * knows its kernel, its process's memory and credentials, and the locks it holds.
 *
 * By default a task runs to completion. An explorer can install sched_ops: point() is then called
 * at every lock operation and marked place, wait() when a lock is held by another task.
 */
#ifndef LIB_BASE_TASK_H
#define LIB_BASE_TASK_H

#include <iommufd-sim/proto/lock.h>

#include "lib/base/kernel_base.h"

struct mm;                      /* lib/mm/user_mem.h */
struct files;                   /* lib/fs/file.h */

#define TASK_MAX_LOCKS 48

/* HELD_NESTED: @nr rwsems of one class, for writing, under a lock that makes their order moot. */
enum held_mode { HELD_MUTEX, HELD_READ, HELD_WRITE, HELD_SPIN, HELD_NESTED };

struct held_lock {
	void *lock;             /* NULL: HELD_NESTED */
	u32 nr;                 /* HELD_NESTED */
	u16 class_id;
	u8 mode;
};

/* What permission checks look at. Capabilities: bit CAP_* of linux/capability.h. */
struct cred {
	u32 uid, euid, suid;            /* charges go to the real one, @uid */
	u64 cap_permitted, cap_effective;
};

struct task {
	struct kernel_base *kernel;
	const char *name;       /* the system call, or "boot", "kexec" */
	u32 pid;
	struct mm *mm;          /* NULL for kernel tasks */
	struct files *files;    /* NULL for kernel tasks */
	const struct cred *cred;
	struct task_faults *faults;     /* of the process; NULL for kernel tasks */
	u32 atomic_depth;       /* spinlocks held */
	u32 nr_held;
	struct held_lock held[TASK_MAX_LOCKS];
	struct task *outer;     /* what current was before (a call made by a kernel task) */
};

struct sched_ops {
	void (*point)(struct task *task, const char *what, const void *object);
	void (*wait)(struct task *task, const char *what, const void *lock);
};

struct task *ifs_current(void);
#define current ifs_current()

/* Linux's capable(), in the one user namespace there is. */
static inline bool cred_capable(const struct cred *cred, unsigned cap)
{
	return cred->cap_effective >> cap & 1;
}

/* Makes @task current; task_leave() checks that it holds no lock and restores the former one. */
void task_enter(struct task *task, struct kernel_base *kernel, const char *name);
void task_leave(struct task *task);
/* A place where another task, or DMA, may run. */
void sched_point(const char *what, const void *object);

#endif
