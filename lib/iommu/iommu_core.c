/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The IOMMU core's life: boot, kexec, shutdown (drivers/iommu/iommu.c, bus probe; intel/iommu.c,
 * init_dmars() and intel_iommu_shutdown()).
 *
 * Boot. Each unit gets the root table that its design says the previous kernel left, or a new and
 * empty one: then all its devices are blocked until somebody attaches them. Each device is in a
 * group of its own and is attached to its restored domain before anything else can know it. What
 * cannot be restored costs its device. At the end, entries that no attached device answers for
 * are cleared, and domain ids that no domain answers for are free again.
 *
 * End. Translation stays on, because a unit without it lets every DMA through. At kexec the
 * entries of devices that are not preserved are cleared; a unit that is not preserved, or that is
 * shut down, is pointed at page 0, which no kernel hands out and which is zero: an empty root
 * table.
 */
#include "lib/iommu/iommu_private.h"

#include <assert.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/iommu/iommu_kexec_check.h"
#include "sim/dma_check.h"
#include "sim/iommu_hw.h"
#include "sim/machine_kernel.h"

static int unit_boot_root(struct iommu_core *core, struct iommu_device *iommu)
{
	const struct ifs_design *design = core->kernel->design;
	pa_t root_pa = 0;
	int ret = 0;

	if (design && design->iommu_boot)
		ret = design->iommu_boot(core->kernel->design_data, iommu, &root_pa);
	if (ret > 0)
		ret = ifs_iommu_hw_adopt(iommu, root_pa);
	if (iommu->adopted)
		return 0;
	if (ret < 0)
		kernel_report(core->kernel, IFS_RULE_STATE_REFUSED,
			   "IOMMU %u: root table at 0x%llx refused (%d): its devices are blocked",
			   iommu->unit, (unsigned long long)root_pa, ret);
	return vtd_root_new(core, iommu);
}

static int unit_boot(struct iommu_core *core, unsigned index)
{
	struct iommu_device *iommu;
	int ret = vtd_unit_new(core, index, &iommu);

	if (ret)
		return ret;
	list_add_tail(&iommu->list, &core->units);
	ret = unit_boot_root(core, iommu);
	if (ret)
		return ret;
	vtd_enable_translation(iommu);
	return 0;
}

static struct iommu_device *unit_find(struct iommu_core *core, unsigned unit)
{
	struct iommu_device *iommu;

	list_for_each_entry(iommu, &core->units, list)
		if (iommu->unit == unit)
			return iommu;
	return NULL;
}

static int device_new(struct iommu_core *core, struct ifs_device *hw, struct device **out)
{
	struct device *dev = kheap_new(&core->kernel->heap, struct device);

	if (!dev)
		return -ENOMEM;
	ifs_device_name(hw, dev->name);
	dev->segment = device_segment(hw);
	dev->bdf = device_bdf(hw);
	dev->hw = hw;
	dev->iommu = unit_find(core, device_iommu_unit(hw));
	assert(dev->iommu);
	dev->group = iommu_group_new(core);
	if (!dev->group) {
		kheap_free(&core->kernel->heap, dev);
		return -ENOMEM;
	}
	list_add_tail(&dev->group_node, &dev->group->devices);
	list_add_tail(&dev->list, &core->devices);
	*out = dev;
	return 0;
}

/*
 * Attaches a device to what it was attached to before the kexec, or blocks it. Want of memory is no
 * better reason than damage: KHO's records are consumed by now, a second boot would find none.
 */
static void device_restore(struct iommu_core *core, struct device *dev)
{
	const struct ifs_design *design = core->kernel->design;
	struct iommu_domain *domain = NULL;

	if (!design || !design->probe_device)
		return;
	if (design->probe_device(core->kernel->design_data, dev, &domain)) {
		ifs_iommu_block_device(dev, "its state could not be restored");
		return;
	}
	/* The hook may have attached it already. */
	if (domain && dev->group->domain != domain && ifs_iommu_attach_restored(domain, dev))
		ifs_iommu_block_device(dev, "its context entry is not the one of its domain");
}

/* What the previous kernel granted a device that nobody restored is over. */
static void device_cut_off(struct iommu_core *core, struct device *dev)
{
	const struct vtd_context_entry *entry =
		vtd_context_find(core->kernel, dev->iommu, dev->bdf);

	if (entry && entry->lo & IOMMU_CTX_P)
		ifs_iommu_block_device(dev, "it was live, but nothing about it was handed over");
	dma_check_bind(core->kernel->machine, dev->hw, 0);
}

static int probe_devices(struct iommu_core *core)
{
	struct ifs_device *hw;
	struct device *dev;
	int ret;

	for (unsigned i = 0; (hw = machine_device(core->kernel->machine, i)); i++) {
		ret = device_new(core, hw, &dev);
		if (ret)
			return ret;
		device_restore(core, dev);
	}
	list_for_each_entry(dev, &core->devices, list)
		if (!dev->group->domain)
			device_cut_off(core, dev);
	return 0;
}

struct sweep {
	struct iommu_core *core;
	struct iommu_device *iommu;
};

static void sweep_entry(void *ctx, u16 bdf, const struct vtd_context_entry *entry)
{
	const struct sweep *sweep = ctx;
	const struct device *dev;

	list_for_each_entry(dev, &sweep->core->devices, list)
		if (dev->iommu == sweep->iommu && dev->bdf == bdf && dev->group->domain)
			return;
	kernel_report(sweep->core->kernel, IFS_RULE_STATE_REFUSED,
		   "IOMMU %u: context entry %02x:%02x.%x belongs to no device: cleared",
		   sweep->iommu->unit, bdf >> 8, bdf >> 3 & 0x1f, bdf & 7);
	vtd_context_clear(sweep->core->kernel, sweep->iommu, bdf);
}

/* Domain ids that a design reserved for domains which then could not be adopted. */
static void sweep_dids(struct iommu_core *core, struct iommu_device *iommu)
{
	u32 did = 1;

	while ((did = vtd_did_next(iommu, did + 1))) {
		const struct iommu_domain *domain;
		bool used = false;

		list_for_each_entry(domain, &core->domains, list)
			used |= domain->iommu == iommu && domain->did == did;
		if (!used) {
			vtd_flush_iotlb_domain(iommu, did);
			vtd_did_free(iommu, did);
		}
	}
}

static void sweep_unit(struct iommu_core *core, struct iommu_device *iommu)
{
	struct sweep sweep = { .core = core, .iommu = iommu };

	mutex_lock(&iommu->lock);
	vtd_context_for_each(core->kernel, iommu, sweep_entry, &sweep);
	sweep_dids(core, iommu);
	mutex_unlock(&iommu->lock);
}

int iommu_core_new(struct kernel_base *kernel, struct iommu_core **out)
{
	struct iommu_core *core = kheap_new(&kernel->heap, struct iommu_core);
	struct iommu_device *iommu;
	int ret = 0;

	if (!core)
		return -ENOMEM;
	core->kernel = kernel;
	mutex_init(&core->lock);
	INIT_LIST_HEAD(&core->units);
	INIT_LIST_HEAD(&core->devices);
	INIT_LIST_HEAD(&core->domains);
	INIT_LIST_HEAD(&core->mock_devices);
	mock_unit_init(&core->mock_unit);
	/* The design's hooks call back into the core. */
	kernel->iommu = core;
	for (unsigned i = 0; !ret && i < machine_nr_iommus(kernel->machine); i++)
		ret = unit_boot(core, i);
	if (!ret)
		ret = probe_devices(core);
	if (ret) {
		iommu_core_abandon(core);
		kernel->iommu = NULL;
		return ret;
	}
	list_for_each_entry(iommu, &core->units, list)
		sweep_unit(core, iommu);
	*out = core;
	return 0;
}

/* The unit translates with an empty root table from now on. */
static void unit_block_all(struct iommu_device *iommu)
{
	pa_t root_pa = iommu->root_pa;

	iommu->root_pa = 0;
	vtd_enable_translation(iommu);
	iommu->root_pa = root_pa;
}

static void unit_retire(struct iommu_core *core, struct iommu_device *iommu)
{
	unit_block_all(iommu);
	vtd_root_free(core, iommu);
}

static void devices_free(struct iommu_core *core)
{
	struct kheap *heap = &core->kernel->heap;
	struct device *dev, *next;

	list_for_each_entry_safe(dev, next, &core->devices, list) {
		iommu_group_free(core, dev->group);
		kheap_free(heap, dev);
	}
}

void iommu_core_abandon(struct iommu_core *core)
{
	struct iommu_device *iommu, *next_iommu;
	struct iommu_domain *domain, *next_domain;

	if (!core)
		return;
	devices_free(core);
	list_for_each_entry_safe(domain, next_domain, &core->domains, list) {
		const struct ifs_design *design = core->kernel->design;

		if (domain->restored_from && design && design->domain_released)
			design->domain_released(core->kernel->design_data, domain);
		kheap_free(&core->kernel->heap, domain);
	}
	list_for_each_entry_safe(iommu, next_iommu, &core->units, list) {
		/* A root table of this kernel's own goes with it. */
		if (!iommu->adopted && iommu->root_pa)
			unit_retire(core, iommu);
		vtd_unit_free(core, iommu);
	}
	kheap_free(&core->kernel->heap, core);
}

void iommu_core_free(struct iommu_core *core)
{
	struct iommu_device *iommu, *next_iommu;
	struct iommu_domain *domain, *next_domain;
	struct device *dev;

	if (!core)
		return;
	list_for_each_entry(dev, &core->devices, list) {
		mutex_lock(&dev->group->mutex);
		iommu_group_block(core, dev->group);
		mutex_unlock(&dev->group->mutex);
	}
	devices_free(core);
	/* A mock device that is left could not be released: it is found as a leak of heap. */
	/* Restored domains may have no holder; any other that is left is somebody's leak. */
	list_for_each_entry_safe(domain, next_domain, &core->domains, list)
		if (domain->restored_from)
			ifs_iommu_domain_free(domain);
	list_for_each_entry_safe(iommu, next_iommu, &core->units, list) {
		unit_retire(core, iommu);
		vtd_unit_free(core, iommu);
	}
	kheap_free(&core->kernel->heap, core);
}

/* At kexec. True: the unit stays as it is for the next kernel. */
static bool unit_is_preserved(struct iommu_core *core, struct iommu_device *iommu)
{
	const struct ifs_design *design = core->kernel->design;

	return design && design->iommu_preserved &&
	       design->iommu_preserved(core->kernel->design_data, iommu);
}

static bool device_is_preserved(struct iommu_core *core, struct device *dev)
{
	const struct ifs_design *design = core->kernel->design;

	return design && design->device_preserved && unit_is_preserved(core, dev->iommu) &&
	       design->device_preserved(core->kernel->design_data, dev);
}

/* Another device of the same domain comes first: the domain's tables need one look. */
static bool domain_is_checked(struct iommu_core *core, const struct device *dev)
{
	struct device *other;

	list_for_each_entry(other, &core->devices, list) {
		if (other == dev)
			return false;
		if (other->group->domain == dev->group->domain && device_is_preserved(core, other))
			return true;
	}
	return false;
}

void iommu_core_shutdown(struct iommu_core *core)
{
	struct iommu_device *iommu;
	struct device *dev;

	list_for_each_entry(dev, &core->devices, list) {
		if (device_is_preserved(core, dev)) {
			if (!domain_is_checked(core, dev))
				iommu_kexec_check_device(core, dev);
			continue;
		}
		mutex_lock(&dev->iommu->lock);
		vtd_context_clear(core->kernel, dev->iommu, dev->bdf);
		mutex_unlock(&dev->iommu->lock);
		dma_check_bind(core->kernel->machine, dev->hw, 0);
	}
	list_for_each_entry(iommu, &core->units, list) {
		if (!unit_is_preserved(core, iommu)) {
			unit_block_all(iommu);
			continue;
		}
		mutex_lock(&iommu->lock);
		vtd_drop_empty_tables(core->kernel, iommu);
		mutex_unlock(&iommu->lock);
		iommu_kexec_check_unit(core, iommu);
	}
}

void iommu_core_handle_faults(struct iommu_core *core)
{
	struct iommu_device *iommu;

	list_for_each_entry(iommu, &core->units, list)
		if (iommu_hw_fault_pending(iommu->hw))
			vtd_handle_faults(iommu);
}

struct device *ifs_iommu_find_device(u16 segment, u16 bdf)
{
	struct device *dev;

	list_for_each_entry(dev, &iommu_core_current()->devices, list)
		if (dev->segment == segment && dev->bdf == bdf)
			return dev;
	return NULL;
}

struct device *ifs_iommu_device_at(unsigned index)
{
	struct device *dev;

	list_for_each_entry(dev, &iommu_core_current()->devices, list)
		if (!index--)
			return dev;
	return NULL;
}

struct iommu_device *ifs_iommu_unit_at(unsigned index)
{
	struct iommu_device *iommu;

	list_for_each_entry(iommu, &iommu_core_current()->units, list)
		if (!index--)
			return iommu;
	return NULL;
}
