/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * VFIO's devices: one for each PCI device the IOMMU core knows when the kernel boots, and what a
 * design may ask about them.
 */
#include "lib/vfio/vfio_private.h"

#include <fcntl.h>
#include <stdio.h>

#include <iommufd-sim/proto/slab.h>

#include "lib/fs/file.h"

static void vfio_unregister(struct kernel_base *kernel, struct vfio_module *module, unsigned nr)
{
	while (nr--)
		fs_unregister(kernel->fs, module->devices[nr].path);
}

int vfio_init(struct kernel_base *kernel)
{
	struct vfio_module *module;
	unsigned nr = 0, i;
	int rc = 0;

	while (iommu_device_at(nr))
		nr++;
	module = kzalloc(struct_size(module, devices, nr), GFP_KERNEL);
	if (!module)
		return -ENOMEM;
	module->nr_devices = nr;
	for (i = 0; i < nr; i++) {
		struct vfio_device *vdev = &module->devices[i];

		vdev->dev = iommu_device_at(i);
		vdev->dev->driver_data = vdev;
		mutex_init(&vdev->dev_set_lock);
		xa_init(&vdev->pasids);
		snprintf(vdev->path, sizeof(vdev->path), "/dev/vfio/devices/vfio%u", i);
		rc = fs_register(kernel->fs, vdev->path, vfio_fops_open, vdev);
		if (rc)
			goto err_unregister;
	}
	kernel->vfio = module;
	return 0;

err_unregister:
	vfio_unregister(kernel, module, i);
	kfree(module);
	return rc;
}

void vfio_exit(struct kernel_base *kernel)
{
	struct vfio_module *module = kernel->vfio;

	if (!module)
		return;
	vfio_unregister(kernel, module, module->nr_devices);
	for (unsigned i = 0; i < module->nr_devices; i++)
		xa_destroy(&module->devices[i].pasids);
	kernel->vfio = NULL;
	kfree(module);
}

struct device *ifs_vfio_device_dev(struct vfio_device *vdev)
{
	return vdev->dev;
}

struct iommufd_device *ifs_vfio_device_idev(struct vfio_device *vdev)
{
	return vdev->iommufd_device;
}

int ifs_vfio_device_file_new(u16 segment, u16 bdf, struct file **out)
{
	struct device *dev = iommu_find_device(segment, bdf);
	struct vfio_device *vdev = dev ? dev->driver_data : NULL;

	if (!vdev)
		return -ENODEV;
	return fs_open(current->kernel->fs, vdev->path, O_RDWR, out);
}

void ifs_vfio_device_set_design_data(struct vfio_device *vdev, void *data)
{
	vdev->design_data = data;
}

void *ifs_vfio_device_design_data(struct vfio_device *vdev)
{
	return vdev->design_data;
}
