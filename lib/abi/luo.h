/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What LUO leaves in memory for the next kernel (include/linux/kho/abi/luo.h at 7.3).
 *
 *     KHO sub-tree "LUO"
 *       |
 *       v
 *     luo_ser ---- sessions_pa --> block --> block ...    luo_session_ser, 51 a block
 *       |                            |
 *       |                            +-- files --> block --> block ...   luo_file_ser, 63 a block
 *       +--------- flbs_pa ------> one page: luo_flb_header_ser, luo_flb_ser[63]
 *
 * Every block is a preserved page that starts with a struct kho_block_header_ser. Strings are
 * NUL-terminated within their field. Byte order is the machine's.
 */
#ifndef LIB_ABI_LUO_H
#define LIB_ABI_LUO_H

#include "lib/abi/kho.h"

#define LUO_KHO_ENTRY_NAME "LUO"
#define LUO_ABI_COMPATIBLE "luo-v5"
#define LUO_ABI_COMPAT_LEN 8

/*
 *      0               8                 16              24         32
 *      +---------------+-----------------+---------------+-----------+
 *      | "luo-v5"      | u64 update nr   | u64 sessions  | u64 flbs  |
 *      +---------------+-----------------+---------------+-----------+
 * liveupdate_num: 1 in the first kernel, one more in each next. sessions_pa is 0 until the reboot.
 */
struct luo_ser {
	char compatible[LUO_ABI_COMPAT_LEN];
	u64 liveupdate_num;
	u64 sessions_pa;
	u64 flbs_pa;
} __packed;

/*
 *      0                     48         56         64
 *      +---------------------+----------+----------+
 *      | compatible[48]      | u64 data | u64 token|
 *      +---------------------+----------+----------+
 */
#define LIVEUPDATE_HNDL_COMPAT_LENGTH 48
struct luo_file_ser {
	char compatible[LIVEUPDATE_HNDL_COMPAT_LENGTH];
	u64 data;
	u64 token;
} __packed;

/*      0 u64 pa of the first block of files, 0 = none | 8 u64 count        16 bytes */
struct luo_file_set_ser {
	u64 files;
	u64 count;
} __packed;

/*
 *      0                     64          72         80
 *      +---------------------+-----------+----------+
 *      | name[64]            | u64 files | u64 count|
 *      +---------------------+-----------+----------+
 */
#define LUO_SESSION_NAME_LENGTH 64
struct luo_session_ser {
	char name[LUO_SESSION_NAME_LENGTH];
	struct luo_file_set_ser file_set_ser;
} __packed;

#define LIVEUPDATE_FLB_COMPAT_LENGTH 48
#define LUO_FLB_PGCNT 1ull
#define LUO_FLB_MAX 63

/*      0 u64 pages of this table, always 1 | 8 u64 entries        16 bytes */
struct luo_flb_header_ser {
	u64 pgcnt;
	u64 count;
} __packed;

/*
 *      0                     48         56         64
 *      +---------------------+----------+----------+
 *      | name[48]            | u64 data | u64 refs |
 *      +---------------------+----------+----------+
 * refs: preserved files that depend on it, plus references of the old kernel that were still out.
 */
struct luo_flb_ser {
	char name[LIVEUPDATE_FLB_COMPAT_LENGTH];
	u64 data;
	u64 count;
} __packed;

#endif
