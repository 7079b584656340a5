/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the design "reference" leaves for the next kernel. Naturally aligned, no kernel pointers,
 * every record with its own header: what it is, which version, how long, and a CRC-32 (IEEE 802.3)
 * of all of it with the field itself zero. A record that does not check is refused alone; records
 * name each other by id, and only tables, the root table and the iommufd's file record by physical
 * address.
 *
 * FLB "ifs-iommu-v1": a chain of pages, each 16 slots of 256 bytes. Slot 0 is the page's header,
 * slots 1 to 15 hold one record each or are zero (free; slots are used again). id = 16 * page index
 * + slot.
 *
 *   luo_flb_ser.data -> [ ref_page | owner | domain | hw | device | 0 | ... ] -> next_pa -> ...
 *
 *   owner   one preserved iommufd: in which session, under which token, where its file record lies
 *   domain  one set of tables: where, in which format, with which domain id, behind which IOMMU
 *   device  one requester that must come back in that domain
 *   hw      one IOMMU: its register base (who it is), its root table
 *
 * File records: "ifs-iommufd-v1" (ref_iommufd: the HWPTs by token, the memory files they need) and
 * "ifs-vfio-v1" (ref_vfio: which device).
 *
 *  ref_hdr (16)      0 magic:u32 | 4 version:u32 | 8 size:u32 | 12 crc32:u32
 *  ref_page (64)     0 hdr | 16 next_pa:u64 | 24 index:u32 | 28 nr_slots:u32 | 32 zero[32]
 *  ref_owner (112)   0 hdr | 16 id:u64 | 24 iommufd_token:u64 | 32 iommufd_pa:u64 | 40 zero:u64
 *                    48 session[64]
 *  ref_domain (80)   0 hdr | 16 id:u64 | 24 owner_id:u64 | 32 base_pa:u64 | 40 top_pa:u64
 *                    48 nr_table_pages:u64 | 56 did:u32 | 60 flags:u32 | 64 top_level:u8
 *                    65 format:u8 | 66 max_vasz_lg2:u8 | 67 sign_extend:u8 | 68 zero:u32
 *                    72 hwpt_token:u64
 *  ref_device (56)   0 hdr | 16 id:u64 | 24 owner_id:u64 | 32 domain_id:u64 | 40 base_pa:u64
 *                    48 segment:u16 | 50 bdf:u16 | 52 did:u32
 *  ref_hw (48)       0 hdr | 16 id:u64 | 24 base_pa:u64 | 32 root_pa:u64 | 40 nr_devices:u32
 *                    44 zero:u32
 *  ref_iommufd       0 hdr | 16 owner_id:u64 | 24 nr_hwpts:u32 | 28 nr_files:u32
 *   (32 + 16 h + 8 f)  32 hwpts[h] { 0 token:u64 | 8 domain_id:u64 } | then file tokens[f]:u64
 *  ref_vfio (40)     0 hdr | 16 owner_id:u64 | 24 iommufd_token:u64 | 32 segment:u16 | 34 bdf:u16
 *                    36 zero:u32
 */
#ifndef LIB_ABI_REFERENCE_H
#define LIB_ABI_REFERENCE_H

#include <iommufd-sim/proto/types.h>

#define REF_FLB_COMPATIBLE "ifs-iommu-v1"
#define REF_IOMMUFD_COMPATIBLE "ifs-iommufd-v1"
#define REF_VFIO_COMPATIBLE "ifs-vfio-v1"

#define REF_VERSION 1u

/* Four letters, first one lowest. */
#define REF_MAGIC_PAGE 0x47505352u      /* "RSPG" */
#define REF_MAGIC_OWNER 0x574f5352u     /* "RSOW" */
#define REF_MAGIC_DOMAIN 0x4d445352u    /* "RSDM" */
#define REF_MAGIC_DEVICE 0x56445352u    /* "RSDV" */
#define REF_MAGIC_HW 0x57485352u        /* "RSHW" */
#define REF_MAGIC_IOMMUFD 0x46495352u   /* "RSIF" */
#define REF_MAGIC_VFIO 0x46565352u      /* "RSVF" */

#define REF_SLOT_BYTES 256u
#define REF_SLOTS_PER_PAGE 16u

struct ref_hdr {
	u32 magic;
	u32 version;
	u32 size;               /* of the whole record, this header included */
	u32 crc32;
};

struct ref_page {
	struct ref_hdr hdr;
	u64 next_pa;            /* 0: the last */
	u32 index;              /* 0, 1, 2, ... along the chain */
	u32 nr_slots;           /* 16 */
	u64 zero[4];
};

struct ref_owner {
	struct ref_hdr hdr;
	u64 id;
	u64 iommufd_token;
	u64 iommufd_pa;         /* of the struct ref_iommufd */
	u64 zero;
	char session[64];       /* NUL-terminated */
};

#define REF_DOMAIN_DIRTY_TRACKING 1u    /* flags: dirty bits are being collected */

struct ref_domain {
	struct ref_hdr hdr;
	u64 id;
	u64 owner_id;
	u64 base_pa;            /* of the registers of the IOMMU it was made for */
	u64 top_pa;
	u64 nr_table_pages;
	u32 did;                /* domain id in context entries; 0: never attached */
	u32 flags;
	u8 top_level;
	u8 format;              /* enum iommu_pt_format: 0 VT-d second stage, 1 x86_64 */
	u8 max_vasz_lg2;
	u8 sign_extend;
	u32 zero;
	u64 hwpt_token;
};

struct ref_device {
	struct ref_hdr hdr;
	u64 id;
	u64 owner_id;
	u64 domain_id;
	u64 base_pa;            /* of the IOMMU it sits behind */
	u16 segment;
	u16 bdf;
	u32 did;
};

struct ref_hw {
	struct ref_hdr hdr;
	u64 id;
	u64 base_pa;
	u64 root_pa;
	u32 nr_devices;         /* preserved devices behind it */
	u32 zero;
};

struct ref_iommufd_hwpt {
	u64 token;
	u64 domain_id;
};

struct ref_iommufd {
	struct ref_hdr hdr;
	u64 owner_id;
	u32 nr_hwpts;
	u32 nr_files;
	struct ref_iommufd_hwpt hwpts[];
	/* u64 file_tokens[nr_files]; behind the last HWPT */
};

struct ref_vfio {
	struct ref_hdr hdr;
	u64 owner_id;
	u64 iommufd_token;
	u16 segment;
	u16 bdf;
	u32 zero;
};

_Static_assert(sizeof(struct ref_hdr) == 16, "ref_hdr");
_Static_assert(sizeof(struct ref_page) == 64, "ref_page");
_Static_assert(sizeof(struct ref_owner) == 112, "ref_owner");
_Static_assert(sizeof(struct ref_domain) == 80, "ref_domain");
_Static_assert(sizeof(struct ref_device) == 56, "ref_device");
_Static_assert(sizeof(struct ref_hw) == 48, "ref_hw");
_Static_assert(sizeof(struct ref_iommufd) == 32, "ref_iommufd");
_Static_assert(sizeof(struct ref_vfio) == 40, "ref_vfio");
_Static_assert(REF_SLOT_BYTES * REF_SLOTS_PER_PAGE == PAGE_SIZE, "slots");

#endif
