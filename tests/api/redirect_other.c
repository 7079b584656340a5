/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Another translation unit of redirect_plain.c: it must see the same simulator. */
#include <fcntl.h>

int open_iommu_elsewhere(void);

int open_iommu_elsewhere(void)
{
	return open("/dev/iommu", O_RDWR);
}
