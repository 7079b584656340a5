/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Fault reasons (VT-d 7.1, legacy and first stage) and the ring of fault recording registers. */
#ifndef SIM_FAULT_LOG_H
#define SIM_FAULT_LOG_H

#include <iommufd-sim/proto/types.h>

struct iommu_hw;
struct iommu_state;

enum fault_reason {
	FAULT_NONE = 0,
	FAULT_ROOT_NOT_PRESENT = 0x01,
	FAULT_CONTEXT_NOT_PRESENT = 0x02,
	FAULT_CONTEXT_INVALID = 0x03,
	FAULT_BEYOND_WIDTH = 0x04,
	FAULT_NO_WRITE = 0x05,
	FAULT_NO_READ = 0x06,
	FAULT_BAD_NEXT_POINTER = 0x07,
	FAULT_BAD_ROOT_ADDRESS = 0x08,
	FAULT_BAD_CONTEXT_POINTER = 0x09,
	FAULT_ROOT_RESERVED = 0x0a,
	FAULT_CONTEXT_RESERVED = 0x0b,
	FAULT_PTE_RESERVED = 0x0c,
	FAULT_FS_ACCESS = 0x70,
	FAULT_FS_NOT_PRESENT = 0x71,
	FAULT_FS_RESERVED = 0x72,
	FAULT_FS_TOP_ACCESS = 0x73,
	FAULT_FS_NON_CANONICAL = 0x80,
	FAULT_FS_PRIVILEGE = 0x81,
	FAULT_FS_NO_WRITE = 0x85,
	/* Not the IOMMU's: the translated address has no memory behind it. Never recorded. */
	FAULT_NO_MEMORY = 0xff,
};

void fault_log_record(struct iommu_hw *hw, u16 bdf, iova_t iova, bool write, u8 reason);
u32 fault_log_status(const struct iommu_hw *hw);                /* FSTS */
void fault_log_clear_overflow(struct iommu_hw *hw);
u64 fault_log_read(const struct iommu_hw *hw, u32 index, bool high);
void fault_log_clear(struct iommu_hw *hw, u32 index);           /* F of one record */
/* What is wrong with a ring that comes from a file; NULL: nothing. */
const char *fault_log_check_state(const struct iommu_state *state, u32 entries);

#endif
