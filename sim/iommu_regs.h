/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * VT-d register offsets and fields, as the specification (Intel VT-d, chapter 11) gives them,
 * legacy mode only. Shared by the hardware (sim/iommu_hw.c) and its driver (lib/iommu/): masks,
 * no code.
 *
 *  CAP   bits 2:0 ND (number of domain ids = 2^(4 + 2*ND)), 12:8 SAGAW, 21:16 MGAW-1, 33:24 FRO,
 *        37:34 SLLPS (bit 0: 2 MiB, bit 1: 1 GiB), 47:40 NFR-1
 *  ECAP  17:8 IRO
 */
#ifndef SIM_IOMMU_REGS_H
#define SIM_IOMMU_REGS_H

#include <iommufd-sim/proto/types.h>

#define IOMMU_REG_VER 0x00
#define IOMMU_REG_CAP 0x08
#define IOMMU_REG_ECAP 0x10
#define IOMMU_REG_GCMD 0x18
#define IOMMU_REG_GSTS 0x1c
#define IOMMU_REG_RTADDR 0x20
#define IOMMU_REG_CCMD 0x28
#define IOMMU_REG_FSTS 0x34
#define IOMMU_REG_FRCD 0x200    /* CAP.FRO * 16: fault recording registers, 16 bytes each */
#define IOMMU_REG_IVA 0x100     /* ECAP.IRO * 16 */
#define IOMMU_REG_IOTLB 0x108

#define IOMMU_GCMD_TE BIT_ULL(31)       /* translation enable */
#define IOMMU_GCMD_SRTP BIT_ULL(30)     /* latch RTADDR */
#define IOMMU_GSTS_TES BIT_ULL(31)
#define IOMMU_GSTS_RTPS BIT_ULL(30)

#define IOMMU_CCMD_ICC BIT_ULL(63)      /* write 1 to invalidate; reads 0 when done */
#define IOMMU_CCMD_CIRG_SHIFT 61        /* 1 global, 2 domain, 3 device */
#define IOMMU_CCMD_SID_SHIFT 16
#define IOMMU_CCMD_DID_SHIFT 0

#define IOMMU_IOTLB_IVT BIT_ULL(63)
#define IOMMU_IOTLB_IIRG_SHIFT 60       /* 1 global, 2 domain, 3 page range within a domain */
#define IOMMU_IOTLB_DID_SHIFT 32
#define IOMMU_IVA_AM_MASK 0x3full       /* page range: 2^AM pages, naturally aligned at IVA */

#define IOMMU_FSTS_PFO BIT_ULL(0)       /* fault overflow, write 1 to clear */
#define IOMMU_FSTS_PPF BIT_ULL(1)       /* a fault is pending (read only) */
#define IOMMU_FRCD_F BIT_ULL(63)        /* in the high quadword, write 1 to clear */

/* Root entry: bit 0 present, 63:12 context table. Context entry: see context_table.h. */
#define IOMMU_ROOT_P BIT_ULL(0)
#define IOMMU_CTX_P BIT_ULL(0)
#define IOMMU_CTX_FPD BIT_ULL(1)
#define IOMMU_CTX_TT_SHIFT 2
#define IOMMU_CTX_TT_MASK (3ull << 2)
#define IOMMU_CTX_TT_TRANSLATE 0ull
#define IOMMU_CTX_TT_PASSTHROUGH 2ull
#define IOMMU_CTX_AW_MASK 7ull          /* high quadword: levels = AW + 2 */
#define IOMMU_CTX_DID_SHIFT 8
#define IOMMU_CTX_DID_MASK (0xffffull << 8)
#define IOMMU_PTR_MASK GENMASK_ULL(51, 12)
/*
 * Unlike VT-d: bit 6 of the high quadword (an "available" bit there) says that the table behind a
 * legacy context entry has the x86_64 first-stage format. Hardware selects that only in scalable
 * mode, whose PASID tables are not modelled; the walker for both formats is.
 */
#define IOMMU_CTX_FIRST_STAGE BIT_ULL(6)

#endif
