/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What KHO leaves in memory for the next kernel (include/linux/kho/abi/ at 7.3). Numbers are in the
 * machine's byte order. Addresses are physical; 0 means "none".
 *
 * The root FDT, one preserved page:
 *
 *     / {
 *         compatible = "kho-v4";
 *         preserved-memory-map = <u64 pa of the radix root, machine byte order>;
 *         NAME { blob-size = <u64>; preserved-data = <u64 pa>; };     newest first
 *     };
 *
 * Preserved memory is a set of 53-bit keys in a radix tree of pages:
 *
 *     key   52                                                    0
 *           +-------------------+-+--------------------------------+
 *           | 0 ... 0           |1| pfn >> order                   |
 *           +-------------------+-+--------------------------------+
 *                                 bit 52 - order
 *
 *     level 5  bits 51..52  table of 512 u64, the pa of the child, 0 = absent
 *     level 4  bits 42..50  table
 *     level 3  bits 33..41  table
 *     level 2  bits 24..32  table
 *     level 1  bits 15..23  table
 *     level 0  bits  0..14  bitmap of 32768 bits: bit i is bit i % 64 of word i / 64
 *
 * The order bit makes keys of larger orders smaller, so a walk meets the largest blocks first.
 * The nodes themselves are not preserved: the tree must be read before anything is allocated.
 */
#ifndef LIB_ABI_KHO_H
#define LIB_ABI_KHO_H

#include <iommufd-sim/proto/types.h>

#define KHO_FDT_COMPATIBLE "kho-v4"
#define KHO_FDT_MEMORY_MAP_PROP_NAME "preserved-memory-map"
#define KHO_SUB_TREE_PROP_NAME "preserved-data"
#define KHO_SUB_TREE_SIZE_PROP_NAME "blob-size"

#define KHO_ORDER_0_LOG2 52             /* the order bit of an order-0 key */
#define KHO_KEY_WIDTH 53
#define KHO_TABLE_SIZE_LOG2 9
#define KHO_BITMAP_SIZE_LOG2 15
#define KHO_TREE_MAX_DEPTH 6            /* levels, the bitmap included */

/* The array the boot loader passes on: one entry for each area that no kernel keeps anything in. */
struct kho_scratch {
	u64 addr;
	u64 size;
} __packed;

/*
 * Sub-tree "kexec-metadata":
 *      0          4                                69            73
 *      +----------+--------------------------------+-------------+
 *      | u32 ver  | char previous_release[65]      | u32 count   |   (count is unaligned)
 *      +----------+--------------------------------+-------------+
 */
#define KHO_METADATA_NODE_NAME "kexec-metadata"
#define KHO_KEXEC_METADATA_VERSION 1
struct kho_kexec_metadata {
	u32 version;
	char previous_release[65];
	u32 kexec_count;
} __packed;

/*
 * The pages of one virtually contiguous area:
 *      0                8            12       14       16
 *      +----------------+------------+--------+--------+
 *      | u64 first      | u32 pages  | flags  | order  |
 *      +----------------+------------+--------+--------+
 * first: pa of a chain of pages, each holding the next page's pa and up to 511 addresses of blocks
 * of 2^order pages, ended by 0. A chunk that is full is always followed by another, possibly empty.
 */
#define KHO_VMALLOC_ALLOC 0x0001
#define KHO_VMALLOC_HUGE_VMAP 0x0002
#define KHO_VMALLOC_CHUNK_ENTRIES 511
struct kho_vmalloc {
	u64 first;
	u32 total_pages;
	u16 flags;
	u16 order;
} __packed;

struct kho_vmalloc_chunk {
	u64 next;
	u64 phys[KHO_VMALLOC_CHUNK_ENTRIES];
} __packed;

/*
 * A block of a block set, one preserved page: this header, then entries of a fixed size.
 *      0          8          16
 *      +----------+----------+---------+---------+--
 *      | u64 next | u64 count| entry 0 | entry 1 | ...
 *      +----------+----------+---------+---------+--
 */
#define KHO_BLOCK_SIZE PAGE_SIZE
struct kho_block_header_ser {
	u64 next;
	u64 count;
} __packed;

#endif
