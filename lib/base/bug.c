/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * WARN, BUG, the kernel log, and the one door through which a kernel reports to its machine.
 *
 * Unlike Linux: BUG() returns. The kernel is marked as panicked and the system call layer refuses
 * all later calls; unwinding to that layer is the caller's ordinary error path.
 */
#include <iommufd-sim/proto/bug.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/task.h"
#include "sim/report.h"

#define LINE_BYTES 256

void kernel_report(struct kernel_base *kernel, enum ifs_rule rule, const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;

	kernel->nr_reports++;
	kernel->last_rule = rule;
	if (!kernel->machine)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sim_report(kernel->machine, rule, "%s", text);
}

void ifs_warn(const char *file, int line, const char *what)
{
	struct task *task = current;

	assert(task);
	kernel_report(task->kernel, IFS_RULE_WARN, "%s:%d: %s, in %s pid %u", file, line, what,
		      task->name, task->pid);
}

void ifs_bug(const char *file, int line, const char *what)
{
	struct task *task = current;

	assert(task);
	kernel_report(task->kernel, IFS_RULE_BUG, "%s:%d: %s, in %s pid %u", file, line, what,
		      task->name, task->pid);
	task->kernel->panicked = true;
}

void ifs_printk(const char *format, ...)
{
	struct task *task = current;
	char text[LINE_BYTES];
	size_t length;
	va_list args;

	if (!task || !task->kernel->machine)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Kernel code ends its lines itself; the event log keeps whole lines. */
	length = strlen(text);
	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
	sim_log(task->kernel->machine, "%s", text);
	if (task->kernel->console)
		task->kernel->console(task->kernel, text);
}
