/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * WARN and BUG as the kernel has them: they report and, unlike the kernel's BUG, always return.
 * A report carries the condition, file and line, and goes to the machine's report log (rule WARN or
 * BUG). BUG_ON additionally marks the kernel as panicked: every later system call fails with -EIO.
 */
#ifndef IOMMUFD_SIM_PROTO_BUG_H
#define IOMMUFD_SIM_PROTO_BUG_H

#include <iommufd-sim/proto/types.h>

IFS_PUBLIC void ifs_warn(const char *file, int line, const char *what);
IFS_PUBLIC void ifs_bug(const char *file, int line, const char *what);

#define IFS_REPORT_IF(cond, fn, text) ({                            \
	bool ifs_cond = !!(cond);                                   \
	if (__builtin_expect(ifs_cond, 0)) {                        \
		fn(IFS_FILE, __LINE__, text);                       \
	}                                                           \
	ifs_cond; })
#define WARN_ON(cond) IFS_REPORT_IF(cond, ifs_warn, #cond)
#define WARN_ON_ONCE(cond) IFS_REPORT_IF(cond, ifs_warn, #cond)
#define WARN(cond, text) IFS_REPORT_IF(cond, ifs_warn, text)
#define BUG_ON(cond) IFS_REPORT_IF(cond, ifs_bug, #cond)

/* The kernel log: one line, kept in the machine's event log. */
IFS_PUBLIC void ifs_printk(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define pr_warn(...) ifs_printk(__VA_ARGS__)
#define pr_info(...) ifs_printk(__VA_ARGS__)
#define pr_err(...) ifs_printk(__VA_ARGS__)

#endif
