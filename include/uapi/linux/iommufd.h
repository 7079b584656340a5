/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
#ifndef IFS_UAPI_LINUX_IOMMUFD_H
#define IFS_UAPI_LINUX_IOMMUFD_H
#include <stdint.h>
#endif
