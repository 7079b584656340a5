/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The smallest whole live update, against the public headers and the shared library only: one page,
 * one device, one kexec. What a VMM does, line by line; read it beside docs/architecture.md.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>
#include <iommufd-sim/uapi_reference.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

enum { MEMORY = 1, IOMMUFD, DEVICE, TABLES };   /* tokens: what comes back as what */

static struct ifs_process *vmm;
static int iommufd, memory, device, session, liveupdate;

static void call(int fd, unsigned long cmd, void *arg)
{
	assert(ifs_ioctl(vmm, fd, cmd, arg) == 0);
}

/* Binds the device, maps the page at IOVA 0x100000, attaches; returns the HWPT. */
static uint32_t build(void)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };

	call(device, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	call(iommufd, IOMMU_IOAS_ALLOC, &ioas);
	struct iommu_ioas_map_file map = {
		.size = sizeof(map), .ioas_id = ioas.out_ioas_id, .fd = memory, .length = 4096,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE, .iova = 0x100000 };
	struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt), .dev_id = bind.out_devid,
					 .pt_id = ioas.out_ioas_id };

	call(iommufd, IOMMU_IOAS_MAP_FILE, &map);
	call(iommufd, IOMMU_HWPT_ALLOC, &hwpt);
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach),
							.pt_id = hwpt.out_hwpt_id };

	call(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
	return hwpt.out_hwpt_id;
}

static void preserve(int fd, uint64_t token)
{
	struct liveupdate_session_preserve_fd arg = {
		.size = sizeof(arg), .fd = fd, .token = token,
	};

	call(session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg);
}

static int retrieve(uint64_t token)
{
	struct liveupdate_session_retrieve_fd arg = { .size = sizeof(arg), .token = token };

	call(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg);
	return arg.fd;
}

static void old_kernel(struct ifs_kernel *kernel)
{
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create), .name = "vmm" };
	struct iommu_hwpt_lu_mark mark = { .size = sizeof(mark), .token = TABLES };

	vmm = ifs_process_new(kernel, NULL);
	iommufd = ifs_open(vmm, "/dev/iommu", O_RDWR);
	device = ifs_open(vmm, "/dev/vfio/devices/vfio0", O_RDWR);
	liveupdate = ifs_open(vmm, "/dev/liveupdate", O_RDWR);
	memory = ifs_memfd_create(vmm, "guest", MFD_ALLOW_SEALING);
	assert(ifs_ftruncate(vmm, memory, 4096) == 0);
	assert(ifs_fcntl(vmm, memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	mark.hwpt_id = build();
	call(iommufd, IOMMU_HWPT_LU_MARK, &mark);
	call(liveupdate, LIVEUPDATE_IOCTL_CREATE_SESSION, &create);
	session = create.fd;
	preserve(memory, MEMORY);
	preserve(iommufd, IOMMUFD);
	preserve(device, DEVICE);
}

static void new_kernel(struct ifs_kernel *kernel)
{
	struct liveupdate_ioctl_retrieve_session get = { .size = sizeof(get), .name = "vmm" };
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };

	vmm = ifs_process_new(kernel, NULL);
	liveupdate = ifs_open(vmm, "/dev/liveupdate", O_RDWR);
	call(liveupdate, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &get);
	session = get.fd;
	memory = retrieve(MEMORY);
	iommufd = retrieve(IOMMUFD);
	device = retrieve(DEVICE);
	build();                        /* the attach in here is the swap: DMA goes on */
	call(session, LIVEUPDATE_SESSION_FINISH, &finish);
}

int main(void)
{
	struct ifs_machine *machine = ifs_machine_new(NULL, NULL);
	struct ifs_device_config slot = { .size = sizeof(slot), .bus = 1 };
	struct ifs_device *nic = ifs_machine_add_device(machine, &slot, NULL);
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct ifs_kernel *kernel = ifs_kernel_boot(machine, NULL, NULL);
	char text[12] = { 0 };

	old_kernel(kernel);
	assert(ifs_kernel_kexec(kernel) == 0);
	/* The black-out: no kernel at all. */
	assert(ifs_device_dma_write(nic, 0x100000, "in the dark", 12, NULL) == IFS_DMA_OK);
	kernel = ifs_kernel_boot(machine, NULL, NULL);
	new_kernel(kernel);
	assert(ifs_device_dma_write(nic, 0x100010, "and after", 10, NULL) == IFS_DMA_OK);
	assert(ifs_pread(vmm, memory, text, 12, 0) == 12 && !strcmp(text, "in the dark"));
	assert(ifs_kernel_shutdown(kernel) == 0);
	ifs_machine_get_stats(machine, &stats);
	assert(stats.dma_lost == 0 && stats.dma_astray == 0 && stats.reports == 0);
	ifs_machine_free(machine);
	return 0;
}
