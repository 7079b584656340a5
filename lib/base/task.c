/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Who runs. current is what a CPU register is on hardware: the one piece of per-thread state here.
 * Tasks nest (a system call that makes a kernel task run on its behalf) and leave in reverse order.
 */
#include "lib/base/task.h"

#include <assert.h>

static _Thread_local struct task *this_task __attribute__((tls_model("initial-exec")));

struct task *ifs_current(void)
{
	return this_task;
}

void task_enter(struct task *task, struct kernel_base *kernel, const char *name)
{
	assert(kernel);
	assert(task != this_task);
	task->kernel = kernel;
	task->name = name;
	task->outer = this_task;
	task->faults = NULL;
	task->nr_held = 0;
	task->atomic_depth = 0;
	this_task = task;
}

void task_leave(struct task *task)
{
	struct kernel_base *kernel = task->kernel;

	assert(task == this_task);
	for (u32 i = 0; i < task->nr_held; i++)
		kernel_report(kernel, IFS_RULE_LEAK, "%s pid %u returns with %s held", task->name,
			      task->pid, kernel->lockdep.names[task->held[i].class_id]);
	task->nr_held = 0;
	task->atomic_depth = 0;
	this_task = task->outer;
	task->outer = NULL;
}

void sched_point(const char *what, const void *object)
{
	struct task *task = this_task;

	if (__builtin_expect(task && task->kernel->sched, 0))
		task->kernel->sched->point(task, what, object);
}
