/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Processes: an address space, a descriptor table and credentials, under a number that is never
 * used twice. fork() shares every open description; nothing else is shared.
 *
 * A process may end before the memory it had pinned: the address space is then dead, but its
 * structure stays for as long as a pin or a charge names it (mm_put()).
 */
#include "lib/kernel/syscall.h"

#include <linux/capability.h>

#include "lib/base/kheap.h"
#include "lib/iommu/iommu_core.h"
#include "sim/iommu_hw.h"

#define RLIMIT_MEMLOCK_DEFAULT (8ull << 20)
#define RLIMIT_NOFILE_DEFAULT 1024u

void syscall_leave(struct task *task, struct ifs_process *process)
{
	struct kernel_base *kernel = &process->kernel->base;

	for (unsigned unit = 0; unit < process->kernel->nr_iommus; unit++) {
		const struct iommu_hw *hw = machine_iommu(kernel->machine, unit);

		if (__builtin_expect(iommu_hw_fault_pending(hw), 0)) {
			iommu_core_handle_faults(kernel->iommu);
			break;
		}
	}
	task_leave(task);
}

/* Everything but the descriptor table. The caller runs inside a task. */
static struct ifs_process *process_alloc(struct ifs_kernel *kernel,
					 const struct ifs_process *template)
{
	struct ifs_process *process = kheap_new(&kernel->base.heap, struct ifs_process);

	if (!process)
		return NULL;
	*process = *template;
	INIT_LIST_HEAD(&process->node);
	process->kernel = kernel;
	process->files = NULL;
	process->pid = kernel->next_pid;
	process->faults.fail_nth = 0;   /* make_it_fail is inherited */
	if (mm_new(&kernel->base, process->pid, process->rlimit_memlock_bytes, &process->mm)) {
		kheap_free(&kernel->base.heap, process);
		return NULL;
	}
	mm_set_trusting(process->mm, process->trust_pointers);
	return process;
}

static void process_free(struct ifs_process *process)
{
	mm_exit(process->mm);
	mm_put(process->mm);
	kheap_free(&process->kernel->base.heap, process);
}

static void process_publish(struct ifs_process *process)
{
	process->kernel->next_pid++;
	list_add_tail(&process->node, &process->kernel->processes);
}

static struct cred cred_from_config(const struct ifs_process_config *config)
{
	u64 caps = BIT_ULL(CAP_LAST_CAP + 1) - 1;

	caps &= ~((u64)config->drop_cap_ipc_lock << CAP_IPC_LOCK);
	caps &= ~((u64)config->drop_cap_sys_resource << CAP_SYS_RESOURCE);
	caps &= ~((u64)config->drop_cap_sys_rawio << CAP_SYS_RAWIO);
	caps &= ~((u64)config->drop_cap_sys_boot << CAP_SYS_BOOT);
	return (struct cred){ .uid = config->uid, .euid = config->uid, .suid = config->uid,
			      .cap_permitted = caps, .cap_effective = caps };
}

struct ifs_process *ifs_process_new(struct ifs_kernel *kernel,
				    const struct ifs_process_config *user_config)
{
	struct ifs_process_config config = { 0 };
	struct ifs_process template = { 0 }, *process;
	struct task task;

	if (kernel_is_dead(kernel))
		return NULL;
	if (user_config)
		memcpy(&config, user_config, min(user_config->size, sizeof(config)));
	template.cred = cred_from_config(&config);
	template.trust_pointers = config.trust_pointers;
	template.rlimit_memlock_bytes = config.rlimit_memlock_bytes ? config.rlimit_memlock_bytes
								    : RLIMIT_MEMLOCK_DEFAULT;
	template.rlimit_memlock_max_bytes = template.rlimit_memlock_bytes;
	template.rlimit_nofile = config.rlimit_nofile
		? config.rlimit_nofile : RLIMIT_NOFILE_DEFAULT;

	kernel_task_enter(&task, kernel, "process_new");
	process = process_alloc(kernel, &template);
	if (process && files_new(&kernel->base, process->rlimit_nofile, &process->files)) {
		process_free(process);
		process = NULL;
	}
	if (process)
		process_publish(process);
	task_leave(&task);
	return process;
}

struct ifs_process *ifs_fork(struct ifs_process *parent)
{
	struct ifs_process *child;
	struct task task;

	if (!syscall_enter(&task, parent, "fork"))
		return NULL;
	child = process_alloc(parent->kernel, parent);
	if (child && (mm_fork(parent->mm, child->mm) ||
		      files_fork(parent->files, &child->files))) {
		process_free(child);
		child = NULL;
	}
	if (child)
		process_publish(child);
	syscall_leave(&task, parent);
	return child;
}

void ifs_process_set_host(struct ifs_process *process, uint32_t host_pid)
{
	struct task task;

	if (!syscall_enter(&task, process, "set_host"))
		return;
	mm_set_host(process->mm, host_pid);
	syscall_leave(&task, process);
}

/* Mappings go before descriptors, as in Linux's do_exit(): exit_mm(), then exit_files(). */
void process_end(struct ifs_process *process)
{
	struct ifs_kernel *kernel = process->kernel;
	struct task task;

	kernel_task_enter(&task, kernel, "exit");
	task.pid = process->pid;
	task.mm = process->mm;
	task.files = process->files;
	task.cred = &process->cred;
	list_del(&process->node);
	mm_exit(process->mm);
	files_exit(process->files);
	task.mm = NULL;
	task.files = NULL;
	mm_put(process->mm);
	task_leave(&task);
	kheap_free(&kernel->base.heap, process);
}

/* A panicked kernel closes nothing any more: the process stays until the kernel is dropped. */
void ifs_exit(struct ifs_process *process)
{
	if (process && !kernel_is_dead(process->kernel))
		process_end(process);
}

uint32_t ifs_getpid(const struct ifs_process *process)
{
	return process->pid;
}

void ifs_process_get_locked(const struct ifs_process *process, uint64_t *vm_pin, uint64_t *vm_lck)
{
	*vm_pin = mm_vm_pin_pages(process->mm);
	*vm_lck = mm_vm_lck_pages(process->mm);
}
