/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The table walker: 4 levels, leaves of 4 KiB, 2 MiB and 1 GiB, in two formats.
 *
 * VT-d second stage (VT-d 3.7, 9.8): an entry with neither R nor W is not present; permissions
 * are ANDed over all levels. Faults: 0x04 beyond 48 bits, 0x05/0x06 no write/read permission
 * (also: not present), 0x07 table outside RAM, 0x0c reserved bits.
 *
 * x86_64 first stage (SDM vol. 3, 4.5; VT-d 3.6): P, then U, then RW, ANDed likewise. Faults:
 * 0x80 not canonical, 0x71 not present, 0x81 supervisor page, 0x85 no write permission, 0x70/0x73
 * table outside RAM, 0x72 reserved bits.
 *
 * Accessed bits are set in every entry used, dirty in the leaf of a write. Unlike VT-d,
 * second-stage accessed and dirty bits need no enabling: the bit for that is in the PASID entry,
 * which legacy mode does not have.
 *
 * This file shares bit masks with the writer in lib/iommu and nothing else. Left out: 5 levels,
 * nested translation, execute permission, memory types (their bits are ignored).
 */
#include "sim/walker.h"

#include "sim/fault_log.h"
#include "sim/machine_internal.h"

#define VA_BITS 48
#define INDEX_MASK 511u
#define TOP_LEVEL (PT_LEVELS - 1)

/* Reserved in an entry that points to a table (7:3 also forbid a page-size bit at the top). */
#define VTDSS_TABLE_RESERVED (GENMASK_ULL(7, 3) | VTDSS_SNP | BIT_ULL(62))
#define VTDSS_LEAF_RESERVED BIT_ULL(62)

static inline u64 *entry_at(const struct phys_mem *mem, pa_t table, iova_t iova, u32 level,
			    struct walk *out)
{
	pa_t pa = table + (iova >> PT_LEVEL_LG2(level) & INDEX_MASK) * 8;
	u64 *entry = ram_entry(mem, pa);

	if (entry) {
		out->path_pa[TOP_LEVEL - level] = pa;
		out->path_value[TOP_LEVEL - level] = *entry;
	}
	return entry;
}

/* Address bits that must be zero in a leaf of @level because it is larger than a page. */
static inline u64 leaf_low_bits(u32 level, u32 first)
{
	return level ? GENMASK_ULL(PT_LEVEL_LG2(level) - 1, first) : 0;
}

static inline void leaf_found(iova_t iova, u32 level, u64 entry, u32 access, struct walk *out)
{
	u64 offset = BIT_ULL(PT_LEVEL_LG2(level)) - 1;

	out->level = level;
	out->access = access;
	out->pa = (entry & PT_ADDRESS_MASK & ~offset) | (iova & offset);
}

/* Sets @accessed in each entry of the path and @dirty in the leaf, where they are missing. */
static void path_update(const struct phys_mem *mem, u64 accessed, u64 dirty, struct walk *out)
{
	u32 i, leaf = TOP_LEVEL - out->level;

	for (i = 0; i <= leaf; i++) {
		u64 want = out->path_value[i] | accessed | (i == leaf ? dirty : 0);

		if (want != out->path_value[i]) {
			*ram_entry(mem, out->path_pa[i]) = want;
			out->path_value[i] = want;
		}
	}
}

static u8 walk_vtdss(const struct phys_mem *mem, pa_t table, iova_t iova, bool write, bool update,
		     struct walk *out)
{
	u64 all = VTDSS_R | VTDSS_W, entry;
	u32 level = TOP_LEVEL, access;

	if (iova >> VA_BITS)
		return FAULT_BEYOND_WIDTH;
	for (;; level--) {
		const u64 *at = entry_at(mem, table, iova, level, out);

		if (!at)
			return FAULT_BAD_NEXT_POINTER;
		entry = *at;
		if (!(entry & (VTDSS_R | VTDSS_W)))
			return write ? FAULT_NO_WRITE : FAULT_NO_READ;
		all &= entry;
		if (!level || (entry & VTDSS_PS && level < TOP_LEVEL))
			break;
		if (entry & VTDSS_TABLE_RESERVED)
			return FAULT_PTE_RESERVED;
		table = entry & PT_ADDRESS_MASK;
	}
	if (entry & (VTDSS_LEAF_RESERVED | leaf_low_bits(level, PAGE_SHIFT)))
		return FAULT_PTE_RESERVED;
	if (!(all & (write ? VTDSS_W : VTDSS_R)))
		return write ? FAULT_NO_WRITE : FAULT_NO_READ;
	access = (all & VTDSS_R ? IOTLB_READ : 0) | (all & VTDSS_W ? IOTLB_WRITE : 0);
	if (write || entry & VTDSS_D)
		access |= IOTLB_DIRTY;
	leaf_found(iova, level, entry, access, out);
	if (update)
		path_update(mem, VTDSS_A, write ? VTDSS_D : 0, out);
	return FAULT_NONE;
}

static u8 walk_x86_64(const struct phys_mem *mem, pa_t table, iova_t iova, bool write, bool update,
		      struct walk *out)
{
	u64 all = X86_64_U | X86_64_RW, entry;
	u32 level = TOP_LEVEL, access = IOTLB_READ;
	u64 high = iova >> (VA_BITS - 1);

	if (high && high != GENMASK_ULL(63 - (VA_BITS - 1), 0))
		return FAULT_FS_NON_CANONICAL;
	for (;; level--) {
		const u64 *at = entry_at(mem, table, iova, level, out);

		if (!at)
			return level == TOP_LEVEL ? FAULT_FS_TOP_ACCESS : FAULT_FS_ACCESS;
		entry = *at;
		if (!(entry & X86_64_P))
			return FAULT_FS_NOT_PRESENT;
		all &= entry;
		if (!level || (entry & X86_64_PS && level < TOP_LEVEL))
			break;
		if (entry & X86_64_PS)
			return FAULT_FS_RESERVED;
		table = entry & PT_ADDRESS_MASK;
	}
	if (entry & leaf_low_bits(level, PAGE_SHIFT + 1))       /* bit 12 of a large leaf is PAT */
		return FAULT_FS_RESERVED;
	if (!(all & X86_64_U))
		return FAULT_FS_PRIVILEGE;
	if (write && !(all & X86_64_RW))
		return FAULT_FS_NO_WRITE;
	if (all & X86_64_RW)
		access |= IOTLB_WRITE;
	if (write || entry & X86_64_D)
		access |= IOTLB_DIRTY;
	leaf_found(iova, level, entry, access, out);
	if (update)
		path_update(mem, X86_64_A, write ? X86_64_D : 0, out);
	return FAULT_NONE;
}

u8 walker_walk(const struct phys_mem *mem, enum ifs_pt_format format, pa_t top, iova_t iova,
	       bool write, bool update, struct walk *out)
{
	if (format == IFS_PT_X86_64)
		return walk_x86_64(mem, top, iova, write, update, out);
	return walk_vtdss(mem, top, iova, write, update, out);
}
