/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the files of lib/vfio/ share: the device and its open files. */
#ifndef LIB_VFIO_PRIVATE_H
#define LIB_VFIO_PRIVATE_H

#include <linux/vfio.h>

#include <iommufd-sim/proto/xarray.h>

#include "lib/base/task.h"
#include "lib/vfio/vfio.h"
#include "sim/machine_kernel.h"

struct vfio_device {
	struct device *dev;
	struct mutex dev_set_lock;      /* everything below */
	u32 open_count;                 /* bound files: 0 or 1 */
	struct iommufd_device *iommufd_device;  /* of the bound file */
	bool iommufd_attached;
	struct xarray pasids;           /* attached PASIDs; the value is the device */
	void *design_data;              /* of a design */
	char path[40];
};

struct vfio_device_file {
	struct vfio_device *device;
	u32 devid;                      /* object id in the iommufd */
	bool access_granted;            /* bound */
};

struct vfio_module {
	unsigned nr_devices;
	struct vfio_device devices[];
};

int vfio_fops_open(struct file *file, void *vdev);

#endif
