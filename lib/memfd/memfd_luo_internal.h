/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The two halves of the handler "memfd-v2". */
#ifndef LIB_MEMFD_MEMFD_LUO_INTERNAL_H
#define LIB_MEMFD_MEMFD_LUO_INTERNAL_H

#include <iommufd-sim/proto/luo.h>

#include "lib/abi/memfd.h"
#include "lib/memfd/memfd_internal.h"

#define MEMFD_LUO_RECORDS_PER_PAGE (PAGE_SIZE / sizeof(struct memfd_luo_folio_ser))

extern const struct liveupdate_file_ops memfd_luo_file_ops;

/* memfd_luo_restore.c */
int memfd_luo_retrieve(struct liveupdate_file_op_args *args);
void memfd_luo_finish(struct liveupdate_file_op_args *args);

#endif
