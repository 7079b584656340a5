/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the handler "memfd-v2" leaves in memory for the next kernel (include/linux/kho/abi/memfd.h
 * at 7.3). Numbers are in the machine's byte order.
 *
 * One preserved page begins with this; its physical address is the file's data word in LUO's
 * records:
 *
 *      0        8        16       20       24           32                  48
 *      +--------+--------+--------+--------+------------+-------------------+
 *      | u64 pos| u64 size| seals | flags  | nr_folios  | kho_vmalloc array |
 *      +--------+--------+--------+--------+------------+-------------------+
 *
 * pos is written again at freeze. flags is 0 and nobody looks at it. The array, all zero for an
 * empty file, is a vmalloc area of nr_folios records, ascending by index, one for each folio:
 *
 *      0                                        8                16
 *      +-----------------------------+----------+----------------+
 *      | bits 0..51  pfn             | 52..63   | u64 page index |
 *      |                             | flags    | in the file    |
 *      +-----------------------------+----------+----------------+
 *
 * The order of a folio is not here: KHO knows it from the key it was preserved under. A record with
 * pfn 0 is skipped.
 */
#ifndef LIB_ABI_MEMFD_H
#define LIB_ABI_MEMFD_H

#include "lib/abi/kho.h"

#define MEMFD_LUO_FH_COMPATIBLE "memfd-v2"

#define MEMFD_LUO_FOLIO_PFN_MASK GENMASK_ULL(51, 0)
#define MEMFD_LUO_FOLIO_FLAGS_SHIFT 52
#define MEMFD_LUO_FOLIO_DIRTY BIT_ULL(52)
#define MEMFD_LUO_FOLIO_UPTODATE BIT_ULL(53)

#define MEMFD_LUO_ALL_SEALS 0x3fu

struct memfd_luo_folio_ser {
	u64 pfn_flags;
	u64 index;
} __packed;

struct memfd_luo_ser {
	u64 pos;
	u64 size;
	u32 seals;
	u32 flags;
	u64 nr_folios;
	struct kho_vmalloc folios;
} __packed;

_Static_assert(sizeof(struct memfd_luo_folio_ser) == 16, "handed over");
_Static_assert(sizeof(struct memfd_luo_ser) == 48, "handed over");

#endif
