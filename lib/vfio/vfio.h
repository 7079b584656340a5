/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* VFIO as boot sees it: one character device per PCI device, /dev/vfio/devices/vfioN. */
#ifndef LIB_VFIO_VFIO_H
#define LIB_VFIO_VFIO_H

#include <iommufd-sim/proto/vfio.h>

#include "lib/base/kernel_base.h"

int vfio_init(struct kernel_base *kernel);
void vfio_exit(struct kernel_base *kernel);

#endif
