/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* A VFIO PCI device file, as a preservation design sees it. */
#ifndef IOMMUFD_SIM_PROTO_VFIO_H
#define IOMMUFD_SIM_PROTO_VFIO_H

#include <iommufd-sim/proto/iommufd.h>

struct vfio_device;

/* NULL: not a VFIO device file. */
IFS_PUBLIC struct vfio_device *ifs_vfio_device_from_file(struct file *file);
/*
 * Is it this open file of the device that is bound? Others may be open; they hold nothing.
 * Needs a VFIO device file.
 */
IFS_PUBLIC bool ifs_vfio_file_is_bound(const struct file *file);
IFS_PUBLIC struct device *ifs_vfio_device_dev(struct vfio_device *vdev);
/* Bound to an iommufd: its device object there, else NULL. */
IFS_PUBLIC struct iommufd_device *ifs_vfio_device_idev(struct vfio_device *vdev);
/* Opens the device at segment/bdf as its character device would. -ENODEV, -ENOMEM. */
IFS_PUBLIC int ifs_vfio_device_file_new(u16 segment, u16 bdf, struct file **out);
/* Of a design: per-device state of the preserving side. */
IFS_PUBLIC void ifs_vfio_device_set_design_data(struct vfio_device *vdev, void *data);
IFS_PUBLIC void *ifs_vfio_device_design_data(struct vfio_device *vdev);

#endif
