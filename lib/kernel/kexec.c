/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The end of a kernel by kexec (kernel/kexec_core.c, kernel_kexec()) or by the plug.
 *
 * Up to luo_reboot() everything can still be refused, and then nothing has happened. After it,
 * the kernel takes the devices that nobody preserved off the bus, leaves one address for its
 * successor and is gone: its heap is dropped in one piece. No destructor runs, because a real
 * kexec runs none: a free() chain here would unmap what must stay live, and free what must stay
 * preserved.
 */
#include "lib/kernel/syscall.h"


#include "lib/iommu/iommu_core.h"
#include "lib/kernel/kernel.h"
#include "lib/mm/user_mem.h"
#include "sim/machine_kernel.h"
#include "sim/report.h"
#include "sim/shared_heap.h"

/*
 * From here on there is no kernel: only what lies in RAM, and @params to find it. Mappings that
 * processes had are host mappings, which no drop of a heap takes away.
 */
static void kernel_vanish(struct ifs_kernel *kernel, const struct machine_boot_params *params)
{
	struct ifs_machine *machine = kernel->base.machine;

	machine_set_boot_params(machine, params);
	user_mem_kexec(&kernel->base);
	kheap_drop(&kernel->base.heap);
	machine_kexec(machine);
	shared_heap_free(machine_heap(machine), kernel);
}

int ifs_kernel_kexec(struct ifs_kernel *kernel)
{
	struct machine_boot_params params = { 0 };
	struct task task;
	int err;

	if (kernel_is_dead(kernel))
		return -EIO;
	kernel_task_enter(&task, kernel, "kexec");
	err = luo_reboot(kernel->base.luo);
	if (err) {
		task_leave(&task);
		return err;
	}
	iommu_core_shutdown(kernel->base.iommu);
	if (kho_enabled(kernel->base.kho))
		kho_fill_boot_params(kernel->base.kho, &params);
	task_leave(&task);
	kernel_vanish(kernel, &params);
	return 0;
}

/* The plug: engines stop with the power, and the next boot is a cold one. */
void ifs_kernel_drop(struct ifs_kernel *kernel)
{
	struct ifs_device *device;

	if (!kernel)
		return;
	for (unsigned i = 0; (device = machine_device(kernel->base.machine, i)); i++)
		device_reset(device);
	kernel_vanish(kernel, &(struct machine_boot_params){ 0 });
}
