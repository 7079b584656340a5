/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Boot: the layers from the bottom up, in the order of Linux's init calls, each with its
 * undo.
 *
 *   early            memory and KHO: what the previous kernel kept is reserved before anything
 *                    else may allocate; LUO reads its records (a fatal state ends the boot here)
 *   fs_initcall      the outgoing half of KHO
 *   iommu            live tables are adopted, each device is attached before it can be used
 *   device_initcall  iommufd and vfio, with their LUO handlers
 *   late_initcall    LUO's outgoing half and /dev/liveupdate, then the memfd handler
 *
 * A step that fails takes the ones before it down again, newest first. Damage that one device can
 * bear is no failure: the IOMMU core blocks that device and says so.
 */
#include "lib/kernel/kernel.h"


#include <iommufd-sim/proto/bug.h>

#include "lib/fs/file.h"
#include "lib/iommu/iommu_core.h"
#include "lib/iommufd/iommufd.h"
#include "lib/kernel/fault_files.h"
#include "lib/mm/page_alloc.h"
#include "lib/vfio/vfio.h"
#include "sim/iommu_hw.h"
#include "sim/machine_kernel.h"
#include "sim/phys_mem.h"
#include "sim/report.h"
#include "sim/shared_heap.h"

struct boot_step {
	const char *name;
	int (*init)(struct ifs_kernel *kernel);
	void (*undo)(struct ifs_kernel *kernel);
};

static int page_alloc_up(struct ifs_kernel *kernel)
{
	int err = page_alloc_new(&kernel->base, &kernel->base.page_alloc);

	if (err)
		return err;
	kernel->kernel_pages_at_boot = pages_count(kernel->base.page_alloc, FRAME_KERNEL);
	return 0;
}

static void page_alloc_down(struct ifs_kernel *kernel)
{
	page_alloc_free(kernel->base.page_alloc);
	kernel->base.page_alloc = NULL;
}

static int kho_up(struct ifs_kernel *kernel)
{
	int err = kho_new(&kernel->base, &kernel->kho_config, kernel->boot_reason,
			  &kernel->base.kho);

	if (err)
		return err;
	if (kernel->boot_reason[0])
		ifs_printk("KHO: disabling KHO revival: %s", kernel->boot_reason);
	else if (kho_is_incoming(kernel->base.kho))
		ifs_printk("KHO: found kexec handover data, %llu pages kept",
			   (unsigned long long)kho_nr_unclaimed_pages(kernel->base.kho));
	kernel->boot_reason[0] = '\0';
	return 0;
}

static void kho_down(struct ifs_kernel *kernel)
{
	kho_free(kernel->base.kho);
	kernel->base.kho = NULL;
}

static int luo_up(struct ifs_kernel *kernel)
{
	return luo_new(&kernel->base, &kernel->luo_config, kernel->boot_reason, &kernel->base.luo);
}

static void luo_down(struct ifs_kernel *kernel)
{
	luo_free(kernel->base.luo);
	kernel->base.luo = NULL;
}

static int fs_up(struct ifs_kernel *kernel)
{
	int err = file_system_new(&kernel->base, &kernel->base.fs);

	if (err)
		return err;
	err = dev_null_register(kernel->base.fs);
	if (err)
		goto err_free;
	err = kernel->base.iommufd_test ? fault_files_register(kernel->base.fs) : 0;
	if (err)
		goto err_unregister;
	return 0;

err_unregister:
	dev_null_unregister(kernel->base.fs);
err_free:
	file_system_free(kernel->base.fs);
	kernel->base.fs = NULL;
	return err;
}

static void fs_down(struct ifs_kernel *kernel)
{
	fault_files_unregister(kernel->base.fs);
	dev_null_unregister(kernel->base.fs);
	file_system_free(kernel->base.fs);
	kernel->base.fs = NULL;
}

static int kho_late_up(struct ifs_kernel *kernel)
{
	return kho_init(kernel->base.kho);
}

static int design_up(struct ifs_kernel *kernel)
{
	const struct ifs_design *design = kernel->base.design;

	return design->kernel_init ? design->kernel_init(&kernel->base.design_data) : 0;
}

static void design_down(struct ifs_kernel *kernel)
{
	const struct ifs_design *design = kernel->base.design;

	if (design->kernel_exit)
		design->kernel_exit(kernel->base.design_data);
	kernel->base.design_data = NULL;
}

static int iommu_up(struct ifs_kernel *kernel)
{
	return iommu_core_new(&kernel->base, &kernel->base.iommu);
}

static void iommu_down(struct ifs_kernel *kernel)
{
	iommu_core_free(kernel->base.iommu);
	kernel->base.iommu = NULL;
}

static int iommufd_up(struct ifs_kernel *kernel)
{
	int err = iommufd_init(&kernel->base);

	/* A module that refuses to load leaves a kernel without /dev/iommu, not a dead machine. */
	if (err != -EOPNOTSUPP)
		return err;
	pr_warn("iommufd: module failed to load: not supported");
	return 0;
}

static void iommufd_down(struct ifs_kernel *kernel)
{
	iommufd_exit(&kernel->base);
}

static int vfio_up(struct ifs_kernel *kernel)
{
	return vfio_init(&kernel->base);
}

static void vfio_down(struct ifs_kernel *kernel)
{
	vfio_exit(&kernel->base);
}

static int luo_late_up(struct ifs_kernel *kernel)
{
	return luo_late_init(kernel->base.luo);
}

static void luo_late_down(struct ifs_kernel *kernel)
{
	luo_late_exit(kernel->base.luo);
}

/* liveupdate=off is no reason to go without memory files. */
static int memfd_luo_up(struct ifs_kernel *kernel)
{
	int err = memfd_luo_register(&kernel->base, &kernel->memfd_config);

	return err == -EOPNOTSUPP ? 0 : err;
}

/* A step without an undo is taken down together with the one that made its object. */
static const struct boot_step boot_steps[] = {
	{ "the page allocator", page_alloc_up, page_alloc_down },
	{ "early KHO", kho_up, kho_down },
	{ "early LUO", luo_up, luo_down },
	{ "the file system", fs_up, fs_down },
	{ "KHO", kho_late_up, NULL },
	{ "the preservation design", design_up, design_down },
	{ "the IOMMU core", iommu_up, iommu_down },
	{ "iommufd", iommufd_up, iommufd_down },
	{ "vfio", vfio_up, vfio_down },
	{ "LUO", luo_late_up, luo_late_down },
	{ "the memfd handler", memfd_luo_up, NULL },
};

void kernel_unboot(struct ifs_kernel *kernel, unsigned keep)
{
	while (kernel->steps_done > keep) {
		const struct boot_step *step = &boot_steps[--kernel->steps_done];

		if (step->undo)
			step->undo(kernel);
	}
}

int kernel_boot(struct ifs_kernel *kernel, const char **failed_step)
{
	int err;

	while (kernel->steps_done < ARRAY_SIZE(boot_steps)) {
		const struct boot_step *step = &boot_steps[kernel->steps_done];

		err = step->init(kernel);
		if (err) {
			*failed_step = step->name;
			kernel_unboot(kernel, 0);
			return err;
		}
		kernel->steps_done++;
	}
	return 0;
}

/* What became of units and devices: the one thing a user must know before the first call. */
static void log_iommu_state(struct ifs_kernel *kernel)
{
	struct iommu_device *unit;
	struct device *dev;

	for (unsigned i = 0; (unit = ifs_iommu_unit_at(i)); i++) {
		if (unit->adopted)
			ifs_printk("IOMMU: unit %u: root table at 0x%llx adopted",
				   unit->unit, (unsigned long long)unit->root_pa);
	}
	for (unsigned i = 0; (dev = ifs_iommu_device_at(i)); i++) {
		struct iommu_domain *domain = dev->group ? dev->group->domain : NULL;

		if (domain && domain->restored_from)
			ifs_printk("IOMMU: %s: attached to its domain, did %u, table at 0x%llx",
				   dev->name, domain->did, (unsigned long long)domain->pt.top_pa);
	}
}

static struct ifs_kernel *kernel_alloc(struct ifs_machine *machine)
{
	struct shared_heap *memory = machine_heap(machine);
	struct ifs_kernel *kernel = shared_heap_alloc(memory, sizeof(*kernel));

	if (!kernel)
		return NULL;
	kernel->base.machine = machine;
	kernel->base.mem = machine_phys_mem(machine);
	kernel->nr_iommus = machine_nr_iommus(machine);
	kernel->next_pid = 1;
	kernel->base.console = kernel_boot_log;
	INIT_LIST_HEAD(&kernel->processes);
	fail_points_init(&kernel->base.fail);
	kheap_init(&kernel->base.heap, &kernel->base.fail, memory);
	/* Generation 0 is what a lock that was never taken carries. */
	lockdep_init(&kernel->base.lockdep, (u16)(machine_boot_count(machine) % 0xffff) + 1);
	return kernel;
}

struct ifs_kernel *ifs_kernel_boot(struct ifs_machine *machine,
				   const struct ifs_kernel_config *config, struct ifs_error *error)
{
	const char *failed_step = NULL;
	struct ifs_kernel *kernel;
	struct task task;
	int err;

	error_set(error, 0, "%s", "");
	if (sim_is_stopped(machine)) {
		error_set(error, EIO, "the machine is stopped: a checker reported something");
		return NULL;
	}
	kernel = kernel_alloc(machine);
	if (!kernel) {
		error_set(error, ENOMEM, "no host memory for a kernel");
		return NULL;
	}
	if (kernel_config_apply(kernel, config, error))
		goto free_kernel;

	kernel_task_enter(&task, kernel, "boot");
	ifs_printk("Linux version %s, %llu MiB, %s, boot %u", kernel->release,
		   (unsigned long long)phys_mem_bytes(kernel->base.mem) >> 20,
		   kernel->base.design->name, machine_boot_count(machine));
	err = kernel_boot(kernel, &failed_step);
	if (!err) {
		log_iommu_state(kernel);
		kernel->preserved_at_boot = kho_nr_preserved_pages(kernel->base.kho);
	}
	task_leave(&task);
	kernel->base.console = NULL;
	if (!err)
		return kernel;

	if (kernel->boot_reason[0])
		error_set(error, -err, "%s: %s", failed_step, kernel->boot_reason);
	else
		error_set(error, -err, "%s failed to start: %s", failed_step, strerror(-err));
	sim_log(machine, "boot failed: %s", failed_step);
free_kernel:
	kernel_drop_heap(kernel);
	shared_heap_free(machine_heap(machine), kernel);
	return NULL;
}
