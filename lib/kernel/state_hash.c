/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * One number over all state that a system call could change and a program could see: taken before
 * and after a call that failed, it proves that the call changed nothing.
 *
 * In the hash: descriptor tables and open files (name, flags, offset, references), memory files
 * (size, seals, frozen, pins), iommufd contexts (ids, types, reference counts, areas, what the
 * ends of each area translate to in each domain), sessions and their files, the number of pages
 * marked for the next kernel, DMA spaces and grants, which space each device is in, charges of
 * processes, module references.
 *
 * Not in it, because Linux too leaves it behind when a call fails: page tables that became empty,
 * pages that filled a hole of a memory file before a pin failed, nodes of KHO's radix tree, heap
 * that caches.
 */
#include "lib/kernel/syscall.h"

#include "lib/iommufd/iommufd.h"
#include "lib/kernel/kernel.h"
#include "sim/dma_check.h"
#include "sim/machine_kernel.h"

/* Multiply and fold: order matters, which is the point, and nothing host-specific goes in. */
static void mix(u64 *hash, u64 value)
{
	__uint128_t product = (__uint128_t)(*hash ^ value) * 0x9e3779b97f4a7c15ull;

	*hash = (u64)product ^ (u64)(product >> 64) ^ 0x5bd1e995u;
}

static void mix_text(u64 *hash, const char *text)
{
	for (; *text; text++)
		mix(hash, (u8)*text);
	mix(hash, 0x100);
}

static void mix_domain_ends(u64 *hash, struct io_pagetable *iopt, const struct iopt_area *area)
{
	struct iommu_domain *domain;
	u64 index;

	xa_for_each(&iopt->domains, index, domain) {
		mix(hash, index);
		mix(hash, ifs_iommu_iova_to_phys(domain, area->first));
		mix(hash, ifs_iommu_iova_to_phys(domain, area->last));
	}
}

static void mix_ioas(u64 *hash, struct iommufd_ioas *ioas)
{
	struct io_pagetable *iopt = &ioas->iopt;
	struct iopt_area *area;

	down_read(&iopt->domains_rwsem);
	down_read(&iopt->iova_rwsem);
	mix(hash, iopt->next_domain_id);
	mix(hash, iopt->iova_alignment);
	mix(hash, iopt->disable_large_pages);
	mix(hash, iopt->lu_map_immutable);
	for (area = iopt_area_iter_first(iopt, 0, ~0ull); area;
	     area = iopt_area_iter_next(area, 0, ~0ull)) {
		mix(hash, area->first);
		mix(hash, area->last);
		mix(hash, (u64)area->iommu_prot << 32 | area->page_offset);
		mix(hash, area->pages_index);
		mix(hash, (u64)area->num_accesses << 32 | area->num_locks);
		mix(hash, area->pages ? area->pages->npages : ~0ull);
		mix(hash, area->pages ? area->pages->refs : ~0ull);
		mix_domain_ends(hash, iopt, area);
	}
	up_read(&iopt->iova_rwsem);
	up_read(&iopt->domains_rwsem);
}

static void mix_object(u64 *hash, struct iommufd_object *obj)
{
	struct iommufd_hwpt_paging *hwpt;

	mix(hash, obj->id);
	mix(hash, obj->type);
	mix(hash, (u64)obj->users << 32 | obj->wait_cnt);
	switch (obj->type) {
	case IOMMUFD_OBJ_IOAS:
		mix_ioas(hash, container_of(obj, struct iommufd_ioas, obj));
		break;
	case IOMMUFD_OBJ_HWPT_PAGING:
		hwpt = container_of(obj, struct iommufd_hwpt_paging, common.obj);
		mix(hash, hwpt->lu_preserve);
		mix(hash, hwpt->lu_token);
		mix(hash, hwpt->common.domain->nr_attached);
		mix(hash, hwpt->common.domain->dirty_tracking);
		mix(hash, hwpt->common.domain->preserved_state != NULL);
		break;
	default:
		break;
	}
}

static void mix_context(u64 *hash, struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	u64 id;

	mix(hash, ictx->account_mode);
	mix(hash, ictx->vfio_ioas ? ictx->vfio_ioas->obj.id : 0);
	xa_for_each(&ictx->objects, id, obj)
		mix_object(hash, obj);
}

static void mix_file(u64 *hash, struct file *file)
{
	struct iommufd_ctx *ictx;

	mix_text(hash, file->name);
	mix(hash, file->f_flags);
	mix(hash, file->f_pos);
	mix(hash, file->f_count);
	if (file_is_memfd(file)) {
		struct memfd *memfd = file_memfd(file);

		mix(hash, memfd_size(memfd));
		mix(hash, (u64)memfd_seals(memfd) << 1 | memfd_frozen(memfd));
		mix(hash, memfd_nr_pinned(memfd));
		return;
	}
	ictx = iommufd_ctx_from_file(file);
	if (IS_ERR(ictx))
		return;
	mix_context(hash, ictx);
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
