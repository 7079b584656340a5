/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What a design may ask about memory files. */
#ifndef IOMMUFD_SIM_PROTO_MEMFD_H
#define IOMMUFD_SIM_PROTO_MEMFD_H

#include <iommufd-sim/proto/file.h>

/*
 * Unlike Linux: nothing there compares a pinned frame with the file's present one. True if pages
 * [index, index + nr) of the memory file are at this moment exactly the consecutive frames from
 * @pa.
 */
IFS_PUBLIC bool ifs_memfd_frames_are(struct file *file, u64 index, u64 nr_pages, pa_t pa);
IFS_PUBLIC bool ifs_file_is_memfd(const struct file *file);
/* Frozen: no truncate, fallocate or hole punch (mm/shmem.c, MAPPING_FROZEN). */
IFS_PUBLIC void ifs_memfd_set_frozen(struct file *file, bool frozen);
IFS_PUBLIC bool ifs_memfd_is_frozen(const struct file *file);

#endif
