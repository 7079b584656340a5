/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What a kernel may ask of the machine it runs on, beyond memory, IOMMU and checker. */
#ifndef SIM_MACHINE_KERNEL_H
#define SIM_MACHINE_KERNEL_H

#include <iommufd-sim/machine.h>
#include <iommufd-sim/device.h>
#include <iommufd-sim/proto/types.h>

struct shared_heap;

/*
 * What the boot loader passes to the next kernel (x86: setup_data type 10): the physical address of
 * the KHO FDT and of the scratch array. All zero after power-on.
 */
struct machine_boot_params {
	pa_t kho_fdt_pa;
	u64 kho_fdt_bytes;
	pa_t kho_scratch_pa;
	u64 kho_scratch_bytes;
};

/* Where kernels get their memory: NULL, the C library's heap, or one that children share. */
struct shared_heap *machine_heap(const struct ifs_machine *machine);

void machine_get_boot_params(const struct ifs_machine *machine, struct machine_boot_params *out);
void machine_set_boot_params(struct ifs_machine *machine, const struct machine_boot_params *params);

/*
 * The instant of kexec: bumps the boot count and maps RAM elsewhere in the address space, so that
 * every host pointer the old kernel kept traps. Process windows are dropped.
 */
void machine_kexec(struct ifs_machine *machine);
u32 machine_boot_count(const struct ifs_machine *machine);
/* The format of the page tables that its IOMMUs walk. */
enum ifs_pt_format machine_pt_format(const struct ifs_machine *machine);

/* PCI enumeration: the devices in order of segment and BDF. NULL past the end. */
struct ifs_device *machine_device(struct ifs_machine *machine, unsigned index);
unsigned device_iommu_unit(const struct ifs_device *device);
u16 device_segment(const struct ifs_device *device);
u16 device_bdf(const struct ifs_device *device);       /* bus << 8 | devfn */
/* Function-level reset: stops the engine, forgets its state. */
void device_reset(struct ifs_device *device);

#endif
