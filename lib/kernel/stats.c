/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What a test asks of a kernel between two system calls: counters and invariants. */
#include "lib/kernel/kernel.h"

#include "lib/fs/file.h"
#include "lib/iommu/iommu_core.h"
#include "lib/iommufd/iommufd.h"
#include "lib/mm/page_alloc.h"
#include "lib/mm/user_mem.h"

void ifs_kernel_get_stats(struct ifs_kernel *kernel, struct ifs_kernel_stats *out)
{
	struct kernel_base *base = &kernel->base;
	struct ifs_kernel_stats stats = { .size = min(out->size, sizeof(stats)) };
	struct task task;

	kernel_task_enter(&task, kernel, "stats");
	stats.heap_blocks = base->heap.nr_blocks;
	stats.heap_bytes = base->heap.nr_bytes;
	stats.pages_kernel = pages_count(base->page_alloc, FRAME_KERNEL);
	stats.pages_table = pages_count(base->page_alloc, FRAME_TABLE);
	stats.pages_memfd = pages_count(base->page_alloc, FRAME_MEMFD);
	stats.pages_preserved = kho_nr_preserved_pages(base->kho);
	stats.pages_unclaimed = kho_nr_unclaimed_pages(base->kho);
	stats.pages_pinned = user_mem_nr_pins(base);
	stats.files = fs_nr_files(base->fs);
	luo_counts(base->luo, &stats.sessions, &stats.session_files);
	stats.iommufd_objects = iommufd_nr_objects(base);
	stats.module_refs = ifs_module_refcount(&iommufd_module_owner);
	stats.lock_classes = base->lockdep.nr_classes;
	task_leave(&task);
	memcpy(out, &stats, stats.size);
}

const char *ifs_kernel_check(struct ifs_kernel *kernel)
{
	const char *broken;
	struct task task;

	kernel_task_enter(&task, kernel, "check");
	broken = page_alloc_check(kernel->base.page_alloc);
	if (!broken)
		broken = user_mem_check(&kernel->base);
	if (!broken)
		broken = iommu_core_check(kernel->base.iommu);
	if (!broken)
		broken = iommufd_check(&kernel->base);
	task_leave(&task);
	return broken;
}
