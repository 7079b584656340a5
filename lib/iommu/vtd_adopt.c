/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The VT-d driver across a kexec (the posted series, patches 6 and 7): the root table and the
 * context tables of one unit are preserved and adopted. Translation stays on throughout.
 *
 * What is damaged costs only what hangs on it. A root table that is not the one the hardware
 * walks, or not a page that was preserved, cannot be adopted. A root entry that is malformed, or
 * leads to a page that was not preserved, belongs to another bus as well or does not look like a
 * context table, is cleared: its bus is cut off. A context entry is compared when its device is
 * attached (adopt.c); those that no device answers for are cleared at the end of boot
 * (iommu_core.c).
 *
 * A damaged root entry may lead to a preserved page that is something else, say a guest's memory.
 * To tell, most of the entries of a context table must belong to devices that are there; and at
 * kexec a table without entries is unlinked, so that an empty one is refused as well.
 */
#include "lib/iommu/iommu_private.h"

#include <iommufd-sim/proto/bug.h>

#include "lib/kho/kho.h"
#include "sim/iommu_hw.h"
#include "sim/machine_kernel.h"
#include "sim/phys_mem.h"

#define VTD_NR_BUSES 256

struct vtd_root_entry {
	u64 lo, hi;
};

static struct vtd_root_entry *vtd_root_at(struct kernel_base *kernel, pa_t root_pa)
{
	return phys_mem_ptr(kernel->mem, root_pa, PAGE_SIZE);
}

/* Undoes the marks of the root table and of the context tables of buses below @end_bus. */
static void vtd_unpreserve_tables(struct kernel_base *kernel, const struct iommu_device *iommu,
				  unsigned end_bus)
{
	const struct vtd_root_entry *root = vtd_root_at(kernel, iommu->root_pa);

	for (unsigned bus = 0; bus < end_bus; bus++)
		if (root[bus].lo & IOMMU_ROOT_P)
			iommu_unpreserve_page(kernel, root[bus].lo & IOMMU_PTR_MASK);
	iommu_unpreserve_page(kernel, iommu->root_pa);
}

int ifs_iommu_hw_preserve(struct iommu_device *iommu)
{
	struct kernel_base *kernel = current->kernel;
	const struct vtd_root_entry *root = vtd_root_at(kernel, iommu->root_pa);
	int ret;

	mutex_lock(&iommu->lock);
	ret = iommu_preserve_page(kernel, iommu->root_pa);
	for (unsigned bus = 0; !ret && bus < VTD_NR_BUSES; bus++) {
		if (!(root[bus].lo & IOMMU_ROOT_P))
			continue;
		ret = iommu_preserve_page(kernel, root[bus].lo & IOMMU_PTR_MASK);
		if (ret)
			vtd_unpreserve_tables(kernel, iommu, bus);
	}
	mutex_unlock(&iommu->lock);
	return ret;
}

void ifs_iommu_hw_unpreserve(struct iommu_device *iommu)
{
	mutex_lock(&iommu->lock);
	vtd_unpreserve_tables(current->kernel, iommu, VTD_NR_BUSES);
	mutex_unlock(&iommu->lock);
}

static bool device_is_there(struct kernel_base *kernel, const struct iommu_device *iommu, u16 bdf)
{
	const struct ifs_device *hw;

	for (unsigned i = 0; (hw = machine_device(kernel->machine, i)); i++)
		if (device_bdf(hw) == bdf && device_iommu_unit(hw) == iommu->unit)
			return true;
	return false;
}

static bool looks_like_context_table(struct kernel_base *kernel, const struct iommu_device *iommu,
				     unsigned bus, pa_t table_pa)
{
	const struct vtd_context_entry *table = phys_mem_ptr(kernel->mem, table_pa, PAGE_SIZE);
	unsigned nr_known = 0, nr_strange = 0;

	for (unsigned devfn = 0; table && devfn < 256; devfn++) {
		if (!table[devfn].lo && !table[devfn].hi)
			continue;
		if (device_is_there(kernel, iommu, bus << 8 | devfn))
			nr_known++;
		else
			nr_strange++;
	}
	return nr_known && nr_known >= nr_strange;
}

/* Claims one bus's context table, or clears its root entry. */
static void vtd_adopt_bus(struct kernel_base *kernel, struct iommu_device *iommu, unsigned bus)
{
	struct vtd_root_entry *entry = &vtd_root_at(kernel, iommu->root_pa)[bus];
	bool well_formed = !(entry->lo & ~IOMMU_PTR_MASK & ~IOMMU_ROOT_P) && !entry->hi &&
			   entry->lo & IOMMU_ROOT_P;
	pa_t table_pa = entry->lo & IOMMU_PTR_MASK;

	if (!entry->lo && !entry->hi)
		return;
	/* A page that an earlier bus has claimed is not restorable any more. */
	if (well_formed && looks_like_context_table(kernel, iommu, bus, table_pa) &&
	    !iommu_restore_page(kernel, table_pa))
		return;
	kernel_report(kernel, IFS_RULE_STATE_REFUSED,
		   "IOMMU %u: root entry of bus %02x refused (0x%llx 0x%llx): the bus is cut off",
		   iommu->unit, bus, (unsigned long long)entry->lo, (unsigned long long)entry->hi);
	*entry = (struct vtd_root_entry){ 0 };
}

int ifs_iommu_hw_adopt(struct iommu_device *iommu, pa_t root_pa)
{
	struct kernel_base *kernel = current->kernel;
	int ret = 0;

	if (iommu->adopted)
		return iommu->root_pa == root_pa ? 0 : -EINVAL;
	if (iommu->root_pa || iommu_hw_read(iommu->hw, IOMMU_REG_RTADDR) != root_pa ||
	    !(iommu_hw_read(iommu->hw, IOMMU_REG_GSTS) & IOMMU_GSTS_TES))
		return -EINVAL;
	mutex_lock(&iommu->lock);
	if (iommu_restore_page(kernel, root_pa)) {
		ret = -EINVAL;
		goto unlock;
	}
	iommu->root_pa = root_pa;
	for (unsigned bus = 0; bus < VTD_NR_BUSES; bus++)
		vtd_adopt_bus(kernel, iommu, bus);
	/* Entries may be gone that hardware still has in its caches. */
	vtd_flush_all(iommu);
	iommu->adopted = true;
unlock:
	mutex_unlock(&iommu->lock);
	return ret;
}

void vtd_drop_empty_tables(struct kernel_base *kernel, struct iommu_device *iommu)
{
	struct vtd_root_entry *root = vtd_root_at(kernel, iommu->root_pa);

	lockdep_assert_held(&iommu->lock);
	for (unsigned bus = 0; bus < VTD_NR_BUSES; bus++) {
		pa_t table_pa = root[bus].lo & IOMMU_PTR_MASK;
		const u64 *table = phys_mem_ptr(kernel->mem, table_pa, PAGE_SIZE);
		u64 any = 0;

		if (!(root[bus].lo & IOMMU_ROOT_P) || !table)
			continue;
		for (unsigned i = 0; i < PAGE_SIZE / sizeof(u64); i++)
			any |= table[i];
		if (any)
			continue;
		root[bus] = (struct vtd_root_entry){ 0 };
		if (kho_is_preserved(kernel->kho, table_pa))
			iommu_unpreserve_page(kernel, table_pa);
	}
}
