/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>

int main(void)
{
	struct ifs_machine *machine = ifs_machine_new(NULL, NULL);
	struct ifs_device_config slot = { .size = sizeof(slot), .bus = 1 };
	struct ifs_device *nic = ifs_machine_add_device(machine, &slot, NULL);
	struct ifs_kernel *kernel = ifs_kernel_boot(machine, NULL, NULL);
	struct ifs_process *vmm = ifs_process_new(kernel, NULL);
	static char guest[8192] __attribute__((aligned(4096)));

	/* What the VMM under test would do: open, bind, attach, map. */
	int iommufd = ifs_open(vmm, "/dev/iommu", O_RDWR);
	int vfio = ifs_open(vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	struct iommu_ioas_alloc as = { .size = sizeof(as) };
	assert(ifs_ioctl(vmm, iommufd, IOMMU_IOAS_ALLOC, &as) == 0);
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	assert(ifs_ioctl(vmm, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind) == 0);
	struct vfio_device_attach_iommufd_pt pt = { .argsz = sizeof(pt), .pt_id = as.out_ioas_id };
	assert(ifs_ioctl(vmm, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt) == 0);
	struct iommu_ioas_map map = { .size = sizeof(map), .ioas_id = as.out_ioas_id,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.user_va = (uintptr_t)guest, .length = sizeof(guest), .iova = 0x100000 };
	assert(ifs_ioctl(vmm, iommufd, IOMMU_IOAS_MAP, &map) == 0);

	/* The device does DMA: through its IOMMU, or not at all. */
	assert(ifs_device_dma_write(nic, 0x100ff8, "hello, guest", 13, NULL) == IFS_DMA_OK);
	assert(strcmp(guest + 0xff8, "hello, guest") == 0);
	assert(ifs_device_dma_write(nic, 0x102000, "beyond", 7, NULL) == IFS_DMA_FAULT);
	assert(ifs_kernel_shutdown(kernel) == 0);       /* nothing leaked, and the VMM was closed */
	ifs_machine_free(machine);
}
