/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Checks of the IOMMU core: its invariants at any time, and what must hold of preserved tables at
 * the instant of kexec (rule UNPRESERVED_TARGET). Nothing here changes anything.
 *
 * Invariants:
 *   - a device has a context entry exactly if its group has a domain, and it is that domain's
 *   - a domain's nr_attached is the number of those devices, and of PASIDs; on a VT-d unit, with
 *     any it has an id, its alone
 *   - every page of its tables is owned as FRAME_TABLE, and there are nr_table_pages of them
 */
#include "lib/iommu/iommu_private.h"

#include "lib/iommu/iommu_kexec_check.h"
#include "lib/kho/kho.h"
#include "lib/mm/page_alloc.h"
#include "sim/phys_mem.h"

static int count_table(void *ctx, pa_t table_pa)
{
	u64 *nr_tables = ctx;

	(*nr_tables)++;
	return pages_owner(current->kernel->page_alloc, table_pa) == FRAME_TABLE ? 0 : -EFAULT;
}

/* The attachments of one device's group to @domain. */
static u32 count_attached(const struct device *dev, const struct iommu_domain *domain)
{
	struct iommu_attach_handle *handle;
	u32 nr = dev->group->domain == domain;
	u64 pasid;

	xa_for_each(&dev->group->pasid_array, pasid, handle)
		nr += pasid != IOMMU_NO_PASID && handle->domain == domain;
	return nr;
}

static const char *check_did(struct iommu_core *core, const struct iommu_domain *domain)
{
	const struct iommu_domain *other;

	if (domain->nr_attached && !domain->did)
		return "iommu: a domain has devices but no domain id";
	if (domain->did && !vtd_did_is_taken(domain->iommu, domain->did))
		return "iommu: a domain's id is marked free";
	list_for_each_entry(other, &core->domains, list)
		if (other != domain && domain->did && other->iommu == domain->iommu &&
		    other->did == domain->did)
			return "iommu: two domains have one domain id";
	return NULL;
}

static const char *check_domain(struct iommu_core *core, const struct iommu_domain *domain)
{
	const char *broken = NULL;
	const struct device *dev;
	u64 nr_tables = 0;
	u32 nr_attached = 0;
	int ret;

	list_for_each_entry(dev, &core->devices, list)
		nr_attached += count_attached(dev, domain);
	list_for_each_entry(dev, &core->mock_devices, list)
		nr_attached += count_attached(dev, domain);
	if (nr_attached != domain->nr_attached)
		return "iommu: a domain's count of attached devices is wrong";
	if (domain->iommu->hw)
		broken = check_did(core, domain);
	if (broken || domain->type == IOMMU_DOMAIN_NESTED)
		return broken;
	ret = ifs_pt_for_each_table(&domain->pt, count_table, &nr_tables);
	if (ret == -EFAULT)
		return "iommu: a page table page is not owned as one";
	if (ret)
		return "iommu: a page table has an entry nobody writes";
	if (nr_tables != domain->pt.nr_table_pages)
		return "iommu: a domain's count of table pages is wrong";
	return NULL;
}

static const char *check_device(struct iommu_core *core, const struct device *dev)
{
	const struct vtd_context_entry *entry =
		vtd_context_find(core->kernel, dev->iommu, dev->bdf);
	bool present = entry && entry->lo & IOMMU_CTX_P;
	struct vtd_context_entry expected;

	if (present != !!dev->group->domain)
		return present ? "iommu: a blocked device has a context entry" :
				 "iommu: an attached device has no context entry";
	if (!present)
		return NULL;
	expected = vtd_context_of(dev->group->domain);
	if (entry->lo != expected.lo || entry->hi != expected.hi)
		return "iommu: a context entry is not the one of its device's domain";
	return NULL;
}

const char *iommu_core_check(struct iommu_core *core)
{
	const struct iommu_domain *domain;
	const struct device *dev;
	const char *broken = NULL;

	list_for_each_entry(dev, &core->devices, list) {
		broken = check_device(core, dev);
		if (broken)
			return broken;
	}
	list_for_each_entry(domain, &core->domains, list) {
		broken = check_domain(core, domain);
		if (broken)
			return broken;
	}
	return NULL;
}

struct kexec_walk {
	struct kho *kho;
	u64 nr_bad;
	iova_t iova;            /* of the first bad leaf */
	pa_t pa;
};

static int check_table_preserved(void *ctx, pa_t table_pa)
{
	struct kexec_walk *walk = ctx;

	if (!kho_is_preserved(walk->kho, table_pa) && !walk->nr_bad++)
		walk->pa = table_pa;
	return 0;
}

static int check_run_preserved(void *ctx, iova_t iova, pa_t pa, u64 length, int prot)
{
	struct kexec_walk *walk = ctx;
	u64 nr_pages = length >> PAGE_SHIFT, good = 0;

	if (pa < PHYS_WINDOW_BASE)
		good = kho_nr_preserved_from(walk->kho, pa, nr_pages);
	if (good < nr_pages && !walk->nr_bad++) {
		walk->iova = iova + (good << PAGE_SHIFT);
		walk->pa = pa + (good << PAGE_SHIFT);
	}
	return 0;
}

void iommu_kexec_check_device(struct iommu_core *core, struct device *dev)
{
	struct kexec_walk tables = { .kho = core->kernel->kho }, leaves = tables;
	struct iommu_domain *domain = dev->group->domain;
	int ret;

	if (!domain || !tables.kho)
		return;
	ret = ifs_pt_for_each_table(&domain->pt, check_table_preserved, &tables);
	if (tables.nr_bad)
		kernel_report(core->kernel, IFS_RULE_UNPRESERVED_TARGET,
			   "%s: %llu table page(s) not preserved, first at 0x%llx", dev->name,
			   (unsigned long long)tables.nr_bad, (unsigned long long)tables.pa);
	if (!ret)
		ret = ifs_pt_for_each_leaf(&domain->pt, check_run_preserved, &leaves);
	if (ret)
		kernel_report(core->kernel, IFS_RULE_UNPRESERVED_TARGET,
			      "%s: its tables cannot be walked (%d)", dev->name, ret);
	if (leaves.nr_bad)
		kernel_report(core->kernel, IFS_RULE_UNPRESERVED_TARGET,
			   "%s: %llu run(s) of leaves lead to memory nobody preserved, first iova "
			   "0x%llx to 0x%llx", dev->name, (unsigned long long)leaves.nr_bad,
			   (unsigned long long)leaves.iova, (unsigned long long)leaves.pa);
}

void iommu_kexec_check_unit(struct iommu_core *core, struct iommu_device *iommu)
{
	struct kexec_walk walk = { .kho = core->kernel->kho };
	const u64 *root = phys_mem_ptr(core->kernel->mem, iommu->root_pa, PAGE_SIZE);

	if (!walk.kho)
		return;
	check_table_preserved(&walk, iommu->root_pa);
	for (unsigned bus = 0; bus < 256; bus++)
		if (root[2 * bus] & IOMMU_ROOT_P)
			check_table_preserved(&walk, root[2 * bus] & IOMMU_PTR_MASK);
	if (walk.nr_bad)
		kernel_report(core->kernel, IFS_RULE_UNPRESERVED_TARGET,
			   "IOMMU %u: %llu root or context table(s) not preserved, first at 0x%llx",
			   iommu->unit, (unsigned long long)walk.nr_bad,
			   (unsigned long long)walk.pa);
}
