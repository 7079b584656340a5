/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The register file of an IOMMU unit (VT-d chapter 11), legacy mode.
 *
 * What the unit says of itself: 65536 domain ids (ND 6), 4-level second-stage tables (SAGAW bit
 * 2), 48 bits (MGAW), 2 MiB and 1 GiB pages (SLLPS), page-selective invalidation of up to 2^36
 * pages (PSI, MAMV), fault records at 0x200; coherent walks, pass-through, IOTLB registers at
 * 0x100. ECAP bit 46 or 47 (second-/first-stage translation) tells which table format this
 * machine was built with; the unit itself walks whichever a context entry asks for.
 *
 * Commands complete before the write returns: the bits that software polls read 0 at once. The
 * root address takes effect when SRTP latches it, and, as without ESRTPS, cached context entries
 * and translations stay until they are invalidated.
 *
 * Left out: queued invalidation, interrupts and interrupt remapping, protected memory regions.
 */
#include "sim/iommu_hw.h"

#include "sim/context_table.h"
#include "sim/dma_check_internal.h"
#include "sim/fault_log.h"
#include "sim/iotlb.h"

#define UNIT_BASE 0xfed90000ull
#define UNIT_STRIDE 0x1000ull

#define VERSION 0x10ull
#define CAP_ND 6ull
#define CAP_SAGAW_4_LEVELS (4ull << 8)
#define CAP_MGAW (47ull << 16)
#define CAP_FRO ((u64)(IOMMU_REG_FRCD / 16) << 24)
#define CAP_SLLPS (3ull << 34)
#define CAP_PSI BIT_ULL(39)
#define CAP_NFR_SHIFT 40
#define CAP_MAMV (36ull << 48)
#define ECAP_C BIT_ULL(0)
#define ECAP_PT BIT_ULL(6)
#define ECAP_IRO ((u64)(IOMMU_REG_IVA / 16) << 8)
#define ECAP_SLTS BIT_ULL(46)
#define ECAP_FLTS BIT_ULL(47)

#define GRANULARITY_GLOBAL 1u
#define GRANULARITY_DOMAIN 2u
#define GRANULARITY_SPECIFIC 3u /* device for contexts, page range for translations */
#define CCMD_CAIG_SHIFT 59      /* what was done, as in the request */
#define IOTLB_IAIG_SHIFT 57

unsigned machine_nr_iommus(const struct ifs_machine *machine)
{
	return machine->state->nr_iommus;
}

struct iommu_hw *machine_iommu(struct ifs_machine *machine, unsigned unit)
{
	return unit < machine->state->nr_iommus ? &machine->iommus[unit] : NULL;
}

pa_t iommu_hw_base_pa(const struct iommu_hw *hw)
{
	return UNIT_BASE + hw->unit * UNIT_STRIDE;
}

bool iommu_hw_fault_pending(const struct iommu_hw *hw)
{
	return fault_log_status(hw) & (IOMMU_FSTS_PPF | IOMMU_FSTS_PFO);
}

static u64 cap_read(const struct iommu_hw *hw)
{
	return CAP_ND | CAP_SAGAW_4_LEVELS | CAP_MGAW | CAP_FRO | CAP_SLLPS | CAP_PSI | CAP_MAMV |
	       (u64)(hw->machine->state->fault_entries - 1) << CAP_NFR_SHIFT;
}

static u64 ecap_read(const struct iommu_hw *hw)
{
	return ECAP_C | ECAP_PT | ECAP_IRO |
	       (hw->machine->state->pt_format == IFS_PT_X86_64 ? ECAP_FLTS : ECAP_SLTS);
}

static bool is_fault_register(u32 reg)
{
	return reg >= IOMMU_REG_FRCD && reg < IOMMU_REG_FRCD + FAULT_MAX_ENTRIES * 16 && !(reg % 8);
}

u64 iommu_hw_read(struct iommu_hw *hw, u32 reg)
{
	if (is_fault_register(reg))
		return fault_log_read(hw, (reg - IOMMU_REG_FRCD) / 16, reg & 8);
	switch (reg) {
	case IOMMU_REG_VER:
		return VERSION;
	case IOMMU_REG_CAP:
		return cap_read(hw);
	case IOMMU_REG_ECAP:
		return ecap_read(hw);
	case IOMMU_REG_GSTS:
		return hw->state->gsts;
	case IOMMU_REG_RTADDR:
		return hw->state->rtaddr;
	case IOMMU_REG_FSTS:
		return fault_log_status(hw);
	case IOMMU_REG_CCMD:
		return hw->state->ccmd;
	case IOMMU_REG_IOTLB:
		return hw->state->iotlb_cmd;
	default:        /* write-only (GCMD, IVA) or not there */
		return 0;
	}
}

static void command_write(struct iommu_hw *hw, u64 value)
{
	struct iommu_state *state = hw->state;

	if (value & IOMMU_GCMD_SRTP) {
		state->root = state->rtaddr;
		state->gsts |= (u32)IOMMU_GSTS_RTPS;
	}
	if (value & IOMMU_GCMD_TE)
		state->gsts |= (u32)IOMMU_GSTS_TES;
	else
		state->gsts &= ~(u32)IOMMU_GSTS_TES;
}

static bool context_matches(const struct device_state *device, u32 granularity, u64 value)
{
	struct context_entry cached = { device->context_lo, device->context_hi };

	switch (granularity) {
	case GRANULARITY_GLOBAL:
		return true;
	case GRANULARITY_DOMAIN:
		return context_domain_id(&cached) == (u16)(value >> IOMMU_CCMD_DID_SHIFT);
	case GRANULARITY_SPECIFIC:
		return context_domain_id(&cached) == (u16)(value >> IOMMU_CCMD_DID_SHIFT) &&
		       device->bdf == (u16)(value >> IOMMU_CCMD_SID_SHIFT);
	default:
		return false;
	}
}

static void context_cache_invalidate(struct iommu_hw *hw, u64 value)
{
	struct machine_state *state = hw->machine->state;
	u32 granularity = value >> IOMMU_CCMD_CIRG_SHIFT & 3, i;

	hw->state->ccmd = (value & ~(IOMMU_CCMD_ICC | 3ull << CCMD_CAIG_SHIFT)) |
			  (u64)granularity << CCMD_CAIG_SHIFT;
	if (!(value & IOMMU_CCMD_ICC))
		return;
	for (i = 0; i < state->nr_devices; i++)
		if (state->devices[i].iommu == hw->unit &&
		    context_matches(&state->devices[i], granularity, value))
			state->devices[i].context_valid = 0;
}

static void iotlb_command(struct iommu_hw *hw, u64 value)
{
	u32 granularity = value >> IOMMU_IOTLB_IIRG_SHIFT & 3;
	u32 domain_id = (u16)(value >> IOMMU_IOTLB_DID_SHIFT);

	hw->state->iotlb_cmd = (value & ~(IOMMU_IOTLB_IVT | 3ull << IOTLB_IAIG_SHIFT)) |
			       (u64)granularity << IOTLB_IAIG_SHIFT;
	if (!(value & IOMMU_IOTLB_IVT))
		return;
	if (granularity == GRANULARITY_GLOBAL)
		iotlb_invalidate_global(hw);
	else if (granularity == GRANULARITY_DOMAIN)
		iotlb_invalidate_domain(hw, domain_id);
	else if (granularity == GRANULARITY_SPECIFIC)
		iotlb_invalidate_pages(hw, domain_id, hw->state->iva & PAGE_MASK,
				       (u32)(hw->state->iva & IOMMU_IVA_AM_MASK));
}

void iommu_hw_write(struct iommu_hw *hw, u32 reg, u64 value)
{
	if (is_fault_register(reg)) {
		if (reg & 8 && value & IOMMU_FRCD_F)
			fault_log_clear(hw, (reg - IOMMU_REG_FRCD) / 16);
		return;
	}
	switch (reg) {
	case IOMMU_REG_GCMD:
		command_write(hw, value);
		break;
	case IOMMU_REG_RTADDR:
		hw->state->rtaddr = value;
		break;
	case IOMMU_REG_CCMD:
		context_cache_invalidate(hw, value);
		break;
	case IOMMU_REG_FSTS:
		if (value & IOMMU_FSTS_PFO)
			fault_log_clear_overflow(hw);
		break;
	case IOMMU_REG_IVA:
		hw->state->iva = value;
		break;
	case IOMMU_REG_IOTLB:
		iotlb_command(hw, value);
		break;
	default:        /* read-only or not there */
		break;
	}
}

static bool touches(pa_t page, pa_t pa, pa_t last)
{
	return page <= last && page + PAGE_SIZE - 1 >= pa;
}

/* By which way the unit can still get to a table in [@pa, @last]; NULL if by none it remembers. */
static const char *way_to_table(const struct iommu_hw *hw, pa_t pa, pa_t last)
{
	const struct machine_state *state = hw->machine->state;
	const struct phys_mem *mem = &hw->machine->mem;
	struct context_entry context;
	u32 i;
	bool fpd;

	if (!(hw->state->gsts & IOMMU_GSTS_TES))
		return NULL;
	if (touches(hw->state->root & PAGE_MASK, pa, last))
		return "its root address";
	for (i = 0; i < state->nr_devices; i++) {
		const struct device_state *device = &state->devices[i];
		const u64 *root = ram_entry(mem, (hw->state->root & PAGE_MASK) +
						 (pa_t)(device->bdf >> 8) * 16);

		if (device->iommu != hw->unit)
			continue;
		if (root && *root & IOMMU_ROOT_P && touches(*root & IOMMU_PTR_MASK, pa, last))
			return "a root entry";
		if (device->context_valid && !(device->context_lo & IOMMU_CTX_TT_MASK) &&
		    touches(device->context_lo & IOMMU_PTR_MASK, pa, last))
			return "a cached context entry";
		if (!context_table_lookup(mem, hw->state->root, device->bdf, &context, &fpd) &&
		    !context_is_passthrough(&context) &&
		    touches(context.lo & IOMMU_PTR_MASK, pa, last))
			return "a context entry";
	}
	return iotlb_find_table(hw, pa, last) ? "cached entries (no IOTLB invalidation)" : NULL;
}

void iommu_hw_tables_freed(struct ifs_machine *machine, pa_t pa, pa_t last, const char *new_owner)
{
	u32 unit;

	for (unit = 0; unit < machine->state->nr_iommus; unit++) {
		const char *way = way_to_table(&machine->iommus[unit], pa, last);

		if (way)
			sim_report(machine, IFS_RULE_TABLE_FREED, "table pages 0x%llx to 0x%llx "
				   "become %s while unit %u can reach them through %s",
				   (unsigned long long)pa, (unsigned long long)last, new_owner,
				   unit, way);
	}
}

enum ifs_pt_format machine_pt_format(const struct ifs_machine *machine)
{
	return machine->state->pt_format;
}
