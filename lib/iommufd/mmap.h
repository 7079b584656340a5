/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The iommufd's file operations for mmap(); see struct file_operations. */
#ifndef LIB_IOMMUFD_MMAP_H
#define LIB_IOMMUFD_MMAP_H

#include "lib/iommufd/iommufd_private.h"

int iommufd_fops_mmap_check(struct file *file, u64 offset, u64 length, int prot, int flags,
			    bool *may_write);
int iommufd_fops_mmap_frames(struct file *file, u64 offset, u64 length, void *runs);
void iommufd_fops_mmap_change(struct file *file, u64 offset, int delta, bool may_write);

#endif
