/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The IOTLB (VT-d 6.2): direct mapped, one array for all leaf sizes, tagged by domain id, page and
 * size. Where an entry lives is a function of its tag alone, so runs are reproducible.
 *
 * Nothing is dropped but by an explicit invalidation or by a later fill of the same slot. A
 * missing invalidation is therefore visible: the stale entry goes on translating. To tell, each
 * entry keeps the table entries it was made of; comparing them with memory costs a few loads
 * (accessed and dirty bits aside, which hardware sets itself).
 *
 * Invariant: iotlb_live[level] counts the valid entries of each level; lookups skip empty levels.
 */
#include "sim/iotlb.h"

#include "sim/machine_internal.h"

static inline u32 slot_of(const struct iommu_hw *hw, u32 domain_id, u64 page, u32 level)
{
	u32 mix = domain_id * 0x9e3779b1u ^ level * 0x85ebca6bu;

	return ((u32)page + (mix >> 16)) & (hw->machine->state->iotlb_entries - 1);
}

static inline bool entry_is(const struct iotlb_entry *entry, u32 domain_id, u64 page, u32 level)
{
	return entry->valid && entry->page == page && entry->domain_id == domain_id &&
	       entry->level == level;
}

static void entry_drop(struct iommu_hw *hw, struct iotlb_entry *entry)
{
	if (!entry->valid)
		return;
	entry->valid = 0;
	hw->state->iotlb_live[entry->level]--;
}

struct iotlb_entry *iotlb_lookup(struct iommu_hw *hw, u32 domain_id, iova_t iova)
{
	u32 level;

	for (level = 0; level < PT_LEVELS - 1; level++) {
		u64 page = iova >> PT_LEVEL_LG2(level);
		struct iotlb_entry *entry;

		if (!hw->state->iotlb_live[level])
			continue;
		entry = &hw->state->iotlb[slot_of(hw, domain_id, page, level)];
		if (entry_is(entry, domain_id, page, level))
			return entry;
	}
	return NULL;
}

struct iotlb_entry *iotlb_fill(struct iommu_hw *hw, u32 domain_id, iova_t iova,
			       const struct walk *walk)
{
	u64 page = iova >> PT_LEVEL_LG2(walk->level);
	struct iotlb_entry *entry;

	entry = &hw->state->iotlb[slot_of(hw, domain_id, page, walk->level)];
	entry_drop(hw, entry);
	*entry = (struct iotlb_entry){
		.page = page,
		.pa = walk->pa & ~(BIT_ULL(PT_LEVEL_LG2(walk->level)) - 1),
		.domain_id = domain_id,
		.valid = 1,
		.level = (u8)walk->level,
		.access = (u8)walk->access,
	};
	memcpy(entry->path_pa, walk->path_pa, sizeof(entry->path_pa));
	memcpy(entry->path_value, walk->path_value, sizeof(entry->path_value));
	hw->state->iotlb_live[walk->level]++;
	return entry;
}

bool iotlb_entry_is_current(const struct iommu_hw *hw, const struct iotlb_entry *entry, pa_t top,
			    enum ifs_pt_format format)
{
	const struct phys_mem *mem = &hw->machine->mem;
	u64 status = walker_status_bits(format);
	u32 i, n = PT_LEVELS - entry->level;

	if ((entry->path_pa[0] & PAGE_MASK) != top)
		return false;
	for (i = 0; i < n; i++)
		if ((*ram_entry(mem, entry->path_pa[i]) ^ entry->path_value[i]) & ~status)
			return false;
	return true;
}

static bool iotlb_is_empty(const struct iommu_hw *hw)
{
	const u32 *live = hw->state->iotlb_live;

	return !(live[0] | live[1] | live[2]);
}

void iotlb_invalidate_global(struct iommu_hw *hw)
{
	u32 i;

	hw->machine->state->counts.iotlb_invalidations++;
	for (i = 0; i < hw->machine->state->iotlb_entries && !iotlb_is_empty(hw); i++)
		entry_drop(hw, &hw->state->iotlb[i]);
}

void iotlb_invalidate_domain(struct iommu_hw *hw, u32 domain_id)
{
	u32 i;

	hw->machine->state->counts.iotlb_invalidations++;
	for (i = 0; i < hw->machine->state->iotlb_entries && !iotlb_is_empty(hw); i++)
		if (hw->state->iotlb[i].domain_id == domain_id)
			entry_drop(hw, &hw->state->iotlb[i]);
}

void iotlb_invalidate_pages(struct iommu_hw *hw, u32 domain_id, iova_t iova, u32 am_lg2)
{
	u64 offset = am_lg2 < 64 - PAGE_SHIFT ? BIT_ULL(PAGE_SHIFT + am_lg2) - 1 : ~0ull;
	iova_t start = iova & ~offset, last = start | offset;
	u32 entries = hw->machine->state->iotlb_entries, level, i;

	hw->machine->state->counts.iotlb_invalidations++;
	for (level = 0; level < PT_LEVELS - 1; level++) {
		u64 page = start >> PT_LEVEL_LG2(level), to = last >> PT_LEVEL_LG2(level);

		if (!hw->state->iotlb_live[level])
			continue;
		if (to - page < entries) {      /* each page has one slot it can be in */
			for (; page <= to; page++) {
				struct iotlb_entry *entry =
					&hw->state->iotlb[slot_of(hw, domain_id, page, level)];

				if (entry_is(entry, domain_id, page, level))
					entry_drop(hw, entry);
			}
			continue;
		}
		for (i = 0; i < entries; i++) {
			struct iotlb_entry *entry = &hw->state->iotlb[i];

			if (entry->valid && entry->level == level &&
			    entry->domain_id == domain_id && entry->page >= page &&
			    entry->page <= to)
				entry_drop(hw, entry);
		}
	}
}

const struct iotlb_entry *iotlb_find_table(const struct iommu_hw *hw, pa_t pa, pa_t last)
{
	u32 i, step;

	for (i = 0; i < hw->machine->state->iotlb_entries && !iotlb_is_empty(hw); i++) {
		const struct iotlb_entry *entry = &hw->state->iotlb[i];

		if (!entry->valid)
			continue;
		for (step = 0; step < PT_LEVELS - entry->level; step++)
			if (entry->path_pa[step] >= pa && entry->path_pa[step] <= last)
				return entry;
	}
	return NULL;
}

const char *iotlb_check_state(const struct iommu_state *state, u32 entries, u64 ram_bytes)
{
	u32 live[PT_LEVELS] = { 0 }, i, step;

	for (i = 0; i < IOTLB_MAX_ENTRIES; i++) {
		const struct iotlb_entry *entry = &state->iotlb[i];

		if (i >= entries)
			break;
		if (entry->valid > 1)
			return "an IOTLB entry's valid is neither 0 nor 1";
		if (!entry->valid)
			continue;
		if (entry->level >= PT_LEVELS - 1)
			return "an IOTLB entry's level is out of range";
		for (step = 0; step < PT_LEVELS - entry->level; step++)
			if (entry->path_pa[step] >= ram_bytes || entry->path_pa[step] % 8)
				return "an IOTLB entry's table address is out of range";
		live[entry->level]++;
	}
	if (memcmp(live, state->iotlb_live, sizeof(live)))
		return "iotlb_live does not count the valid IOTLB entries";
	return NULL;
}
