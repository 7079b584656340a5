/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Bits of the two page-table formats: masks only. The writer (lib/iommu/iommu_pt*) and the walker
 * (sim/walker.c) share this file and nothing else, so that each checks the other.
 *
 *  x86_64 first stage (Intel SDM vol. 3, 4.5)      VT-d second stage (VT-d spec, 9.8)
 *   63  XD                                          63    software
 *   62:52 software                                  62:52 software (61 ignored by hardware)
 *   51:12 address                                   51:12 address
 *   7   PS (levels 1, 2)                            11    SNP
 *   6   D   5 A                                     9     D    8 A
 *   2   U   1 RW   0 P                              7     PS (levels 1, 2)   1 W   0 R
 *
 * Levels count from 0 (4 KiB leaves) to 3 (the top of a 4-level table): a level covers 9 bits.
 */
#ifndef SIM_PT_FORMATS_H
#define SIM_PT_FORMATS_H

#include <iommufd-sim/proto/types.h>

#define PT_ADDRESS_MASK GENMASK_ULL(51, 12)
#define PT_LEVEL_BITS 9
#define PT_LEVEL_LG2(level) (PAGE_SHIFT + PT_LEVEL_BITS * (level))

#define X86_64_P BIT_ULL(0)
#define X86_64_RW BIT_ULL(1)
#define X86_64_U BIT_ULL(2)
#define X86_64_A BIT_ULL(5)
#define X86_64_D BIT_ULL(6)
#define X86_64_PS BIT_ULL(7)
#define X86_64_XD BIT_ULL(63)

#define VTDSS_R BIT_ULL(0)
#define VTDSS_W BIT_ULL(1)
#define VTDSS_PS BIT_ULL(7)
#define VTDSS_A BIT_ULL(8)
#define VTDSS_D BIT_ULL(9)
#define VTDSS_SNP BIT_ULL(11)

#endif
