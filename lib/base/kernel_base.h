/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What every layer of one kernel stands on, and the registry through which code written in Linux's
 * style (no context argument: kzalloc(), kho_alloc_preserve(), liveupdate_register_*()) finds its
 * kernel. struct kernel (lib/kernel/) starts with this structure; lower layers know only this much.
 *
 * current is the one piece of per-thread state in the project. On hardware it is a CPU register;
 * here it is a thread-local pointer, set when a system call enters a kernel and restored when it
 * leaves.
 */
#ifndef LIB_BASE_KERNEL_BASE_H
#define LIB_BASE_KERNEL_BASE_H

#include "lib/base/fail_point.h"
#include "lib/base/kheap.h"
#include "lib/base/lockdep.h"
#include "sim/report.h"

struct ifs_machine;
struct phys_mem;
struct page_alloc;
struct user_mem;
struct memfd_config;
struct kho;
struct luo;
struct file_system;
struct iommu_core;
struct iommufd_module;
struct vfio_module;
struct ifs_design;
struct sched_ops;

struct kernel_base {
	struct kheap heap;
	struct lockdep lockdep;
	struct ifs_machine *machine;
	struct phys_mem *mem;
	u64 nr_reports;         /* raised by this kernel, whether or not a machine keeps them */
	u32 last_rule;
	bool iommufd_test;      /* CONFIG_IOMMUFD_TEST */
	u32 vfio_dma_entry_limit;       /* mappings of a VFIO container; 0: any number */
	u64 free_huge_pages;    /* of 2 MiB, not reserved by anybody */
	bool fix_bugs;          /* known bugs of Linux 7.3 are not reproduced (config.exact off) */
	bool panicked;          /* every later system call fails with -EIO */
	const struct sched_ops *sched;  /* the explorer, or NULL: run to completion */
	/* Sees each line of the kernel log as it is printed: boot keeps its own. May be NULL. */
	void (*console)(struct kernel_base *kernel, const char *line);

	/* Set by each layer's init, in boot order; NULL before. For the proto/ calls only. */
	struct page_alloc *page_alloc;
	struct user_mem *user_mem;      /* lib/mm: pins, windows, VMAs of files */
	const struct memfd_config *memfd_config;
	struct kho *kho;
	struct luo *luo;
	struct file_system *fs;
	struct iommu_core *iommu;
	struct iommufd_module *iommufd;
	struct vfio_module *vfio;
	const struct ifs_design *design;
	void *design_data;      /* of the design's own, kernel-wide */

	struct fail_points fail;        /* last: it is large, and most of it rarely looked at */
};

/* Raises a report of this kernel's. Without a machine (unit tests) it is only counted. */
void kernel_report(struct kernel_base *kernel, enum ifs_rule rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* __GFP_NOFAIL: between the two nothing fails by injection, or counts. They nest. */
static inline void nofail_begin(struct kernel_base *kernel)
{
	fail_points_pause(&kernel->fail);
}

static inline void nofail_end(struct kernel_base *kernel)
{
	fail_points_resume(&kernel->fail);
}

#endif
