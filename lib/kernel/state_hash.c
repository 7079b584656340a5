/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * One number over all state that a system call could change and a program could see: taken before
 * and after a call that failed, it proves that the call changed nothing.
 *
 * In the hash: descriptor tables and open files (name, flags, offset, references), memory files
 * (size, seals, frozen, pins), dma-bufs and who uses them, iommufd contexts
 * (state_hash_iommufd.c), sessions and their files, the number of pages marked for the next kernel,
 * DMA spaces and grants, which space each device is in, charges of processes, module references.
 *
 * Not in it, because Linux too leaves it behind when a call fails: page tables that became empty,
 * pages that filled a hole of a memory file before a pin failed, nodes of KHO's radix tree, heap
 * that caches, what the triggers of fault injection count down.
 */
#include "lib/kernel/syscall.h"

#include "lib/fs/dma_buf.h"
#include "lib/iommufd/iommufd.h"
#include "lib/kernel/kernel.h"
#include "lib/kernel/state_hash.h"
#include "sim/dma_check.h"
#include "sim/machine_kernel.h"

static void mix_text(u64 *hash, const char *text)
{
	for (; *text; text++)
		mix(hash, (u8)*text);
	mix(hash, 0x100);
}

static void mix_memfd(u64 *hash, struct memfd *memfd)
{
	mix(hash, memfd_size(memfd));
	mix(hash, (u64)memfd_seals(memfd) << 1 | memfd_frozen(memfd));
	mix(hash, memfd_nr_pinned(memfd));
}

static void mix_dma_buf(u64 *hash, const struct dma_buf *dmabuf)
{
	const struct dma_buf_attachment *attach;

	mix(hash, dmabuf->size);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		mix(hash, 1);
}

static void mix_file(u64 *hash, struct file *file)
{
	struct iommufd_ctx *ictx;

	mix_text(hash, file->name);
	mix(hash, file->f_flags);
	mix(hash, file->f_pos);
	mix(hash, file->f_count);
	if (file_is_memfd(file)) {
		mix_memfd(hash, file_memfd(file));
		return;
	}
	if (file_dma_buf(file)) {
		mix_dma_buf(hash, file_dma_buf(file));
		return;
	}
	ictx = iommufd_ctx_from_file(file);
	if (IS_ERR(ictx))
		return;
	state_hash_context(hash, ictx);
	iommufd_ctx_put(ictx);
}

static void mix_process(u64 *hash, struct ifs_process *process)
{
	mix(hash, process->pid);
	mix(hash, mm_vm_pin_pages(process->mm));
	mix(hash, mm_vm_lck_pages(process->mm));
	for (int fd = -1; (fd = files_next(process->files, fd + 1)) >= 0;) {
		struct file *file = files_get(process->files, fd);

		mix(hash, fd);
		mix(hash, files_get_flags(process->files, fd));
		mix_text(hash, file->name);
		fput(file);
	}
}

static void mix_machine(u64 *hash, struct ifs_machine *machine)
{
	struct ifs_device *device;
	u64 spaces, grants;

	dma_check_counts(machine, &spaces, &grants);
	mix(hash, spaces);
	mix(hash, grants);
	for (unsigned i = 0; (device = machine_device(machine, i)); i++)
		mix(hash, dma_check_space_of(machine, device));
}

uint64_t ifs_kernel_state_hash(struct ifs_kernel *kernel)
{
	struct ifs_process *process;
	u64 hash = 1, sessions, files;
	struct file *file = NULL;
	struct task task;

	kernel_task_enter(&task, kernel, "state_hash");
	list_for_each_entry(process, &kernel->processes, node)
		mix_process(&hash, process);
	while ((file = fs_next_file(kernel->base.fs, file)))
		mix_file(&hash, file);
	luo_counts(kernel->base.luo, &sessions, &files);
	mix(&hash, sessions);
	mix(&hash, files);
	mix(&hash, kho_nr_preserved_pages(kernel->base.kho));
	mix(&hash, kho_nr_unclaimed_pages(kernel->base.kho));
	mix(&hash, user_mem_nr_pins(&kernel->base));
	mix(&hash, ifs_module_refcount(&iommufd_module_owner));
	mix_machine(&hash, kernel->base.machine);
	task_leave(&task);
	return hash;
}
