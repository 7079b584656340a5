/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The orderly end of a kernel, and the count of what should have gone with it and did not.
 *
 * All processes exit, then the layers go down in the reverse order of boot. Each thing is counted
 * at the moment after which nobody can account for it any more: open files once no process is
 * left, KHO marks against what the kernel itself had marked when it came up, frames once only
 * their allocator is left, heap blocks last. Each finding is a report of its own that names the
 * thing.
 *
 * What the previous kernel preserved and nobody claimed is no leak: it is counted by
 * ifs_kernel_get_stats() and stays reserved in Linux too.
 */
#include "lib/kernel/syscall.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/iommufd/iommufd.h"
#include "lib/kernel/kernel.h"
#include "lib/mm/page_alloc.h"
#include "sim/dma_check.h"
#include "sim/machine_kernel.h"
#include "sim/shared_heap.h"

struct leaks {
	struct ifs_machine *machine;
	u64 count;
};

static void leak(struct leaks *leaks, u64 count, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void leak(struct leaks *leaks, u64 count, const char *format, ...)
{
	char text[200];
	va_list args;

	if (!count)
		return;
	leaks->count += count;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sim_report(leaks->machine, IFS_RULE_LEAK, "left at shutdown: %s", text);
}

static void count_after_processes(struct ifs_kernel *kernel, struct leaks *leaks)
{
	u64 marks = kho_nr_preserved_pages(kernel->base.kho);
	const struct file *file = NULL;

	while ((file = fs_next_file(kernel->base.fs, file)))
		leak(leaks, 1, "open file %s, %u reference(s)", file->name, file->f_count);
	leak(leaks, iommufd_nr_objects(&kernel->base), "%llu iommufd object(s)",
	     (unsigned long long)iommufd_nr_objects(&kernel->base));
	if (marks > kernel->preserved_at_boot)
		leak(leaks, marks - kernel->preserved_at_boot,
		     "%llu page(s) marked for the next kernel",
		     (unsigned long long)(marks - kernel->preserved_at_boot));
}

static void count_module_refs(struct leaks *leaks)
{
	u32 refs = ifs_module_refcount(&iommufd_module_owner);

	leak(leaks, refs, "%u reference(s) to the iommufd module", refs);
}

static void count_pins(struct ifs_kernel *kernel, struct leaks *leaks)
{
	u64 pins = user_mem_nr_pins(&kernel->base);

	leak(leaks, pins, "%llu page pin(s)", (unsigned long long)pins);
}

static void count_pages(struct ifs_kernel *kernel, struct leaks *leaks)
{
	static const struct {
		enum frame_owner owner;
		const char *name;
	} owners[] = {
		{ FRAME_KERNEL, "kernel" },
		{ FRAME_TABLE, "page-table" },
		{ FRAME_MEMFD, "memory-file" },
		{ FRAME_DMABUF, "dma-buf" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		u64 count = pages_count(kernel->base.page_alloc, owners[i].owner);

		if (owners[i].owner == FRAME_KERNEL)
			count -= kernel->kernel_pages_at_boot;
		leak(leaks, count, "%llu %s page(s)", (unsigned long long)count, owners[i].name);
	}
}

static void count_grants(struct leaks *leaks)
{
	u64 spaces, grants;

	dma_check_counts(leaks->machine, &spaces, &grants);
	leak(leaks, spaces, "%llu DMA space(s)", (unsigned long long)spaces);
	leak(leaks, grants, "%llu DMA grant(s)", (unsigned long long)grants);
}

static void leak_block(void *ctx, const char *site, size_t size)
{
	leak(ctx, 1, "%zu bytes of heap from %s", size, site);
}

u64 kernel_drop_heap(struct ifs_kernel *kernel)
{
	struct leaks leaks = { .machine = kernel->base.machine };

	kheap_for_each(&kernel->base.heap, leak_block, &leaks);
	kheap_drop(&kernel->base.heap);
	return leaks.count;
}

uint64_t ifs_kernel_shutdown(struct ifs_kernel *kernel)
{
	struct ifs_process *process, *next;
	struct leaks leaks = { 0 };
	struct task task;

	if (!kernel)
		return 0;
	/* What a panicked kernel holds, under which locks, nobody can tell. It was reported. */
	if (kernel->base.panicked) {
		ifs_kernel_drop(kernel);
		return 0;
	}
	leaks.machine = kernel->base.machine;
	fail_points_pause(&kernel->base.fail);
	list_for_each_entry_safe(process, next, &kernel->processes, node)
		process_end(process);

	kernel_task_enter(&task, kernel, "shutdown");
	count_after_processes(kernel, &leaks);
	/* The files of a session that nobody claimed hold their handlers' modules, and may. */
	kernel_unboot(kernel, BOOT_KEEP_VFIO);
	count_module_refs(&leaks);
	/* Domains of sessions that nobody claimed hold their pins until the IOMMU core ends. */
	kernel_unboot(kernel, BOOT_KEEP_PAGES);
	count_pins(kernel, &leaks);
	count_pages(kernel, &leaks);
	kernel_unboot(kernel, 0);
	task_leave(&task);

	count_grants(&leaks);
	leaks.count += kernel_drop_heap(kernel);
	machine_set_boot_params(kernel->base.machine, &(struct machine_boot_params){ 0 });
	shared_heap_free(machine_heap(kernel->base.machine), kernel);
	return leaks.count;
}
