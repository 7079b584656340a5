/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The VT-d driver as the IOMMU core sees it: capabilities, domains, attaching
 * (drivers/iommu/intel/iommu.c). Legacy mode: neither nesting, nor PASIDs, nor page requests.
 *
 * Entering a domain needs a domain id, which it gets with its first device and gives back with its
 * last, and a context table for the device's bus. Both are made beforehand, so that the change
 * itself is one write that cannot fail.
 */
#include "lib/iommu/iommu_private.h"

#include "lib/mm/user_mem.h"
#include "sim/dma_check.h"
#include "sim/iommu_hw.h"
#include "sim/machine_kernel.h"

/* Interrupts go around translation here: DMA cannot be mapped there. */
#define MSI_WINDOW_FIRST 0xfee00000ull
#define MSI_WINDOW_BYTES 0x100000ull

static const struct pt_ops *vtd_pt_ops(enum iommu_pt_format *format)
{
	*format = machine_pt_format(current->kernel->machine) == IFS_PT_X86_64 ?
		  IOMMU_PT_X86_64 : IOMMU_PT_VTDSS;
	return pt_ops_of(&(struct pt_iommu){ .format = *format });
}

static bool vtd_capable(struct device *dev, enum iommu_cap cap)
{
	enum iommu_pt_format format;

	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		return true;
	case IOMMU_CAP_DIRTY_TRACKING:
		return vtd_pt_ops(&format)->dirty_ops;
	default:
		return false;
	}
}

static int vtd_hw_info(struct device *dev, void *data, u32 *length, u32 *type)
{
	struct iommu_hw_info_vtd info;

	if (*type != IOMMU_HW_INFO_TYPE_DEFAULT && *type != IOMMU_HW_INFO_TYPE_INTEL_VTD)
		return -EOPNOTSUPP;
	info = (struct iommu_hw_info_vtd){
		.cap_reg = iommu_hw_read(dev->iommu->hw, IOMMU_REG_CAP),
		.ecap_reg = iommu_hw_read(dev->iommu->hw, IOMMU_REG_ECAP),
	};
	memcpy(data, &info, sizeof(info));
	*length = sizeof(info);
	*type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	return 0;
}

static struct iommu_domain *vtd_domain_alloc_paging_flags(struct device *dev, u32 flags,
							  const struct iommu_user_data *user_data)
{
	struct kernel_base *kernel = current->kernel;
	enum iommu_pt_format format;
	const struct pt_ops *ops = vtd_pt_ops(&format);
	struct iommu_domain *domain;
	int ret;

	/* Nesting needs scalable mode. */
	if (flags & ~(u32)IOMMU_HWPT_ALLOC_DIRTY_TRACKING || user_data)
		return ERR_PTR(-EOPNOTSUPP);
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING && !ops->dirty_ops)
		return ERR_PTR(-EOPNOTSUPP);
	domain = iommu_domain_new(dev->iommu, &vtd_domain_ops, sizeof(*domain));
	if (!domain)
		return ERR_PTR(-ENOMEM);
	ret = pt_init(kernel, &domain->pt, format);
	if (ret) {
		iommu_domain_destroy(kernel->iommu, domain);
		return ERR_PTR(ret);
	}
	domain->pgsize_bitmap = ops->pgsize_bitmap;
	domain->dirty_ops = flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	pt_aperture(&domain->pt, &domain->geometry);
	return domain;
}

static int vtd_prepare(struct iommu_domain *domain, struct device *dev)
{
	struct iommu_device *iommu = domain->iommu;
	bool new_did = !domain->did;
	int ret = 0;

	if (dev->iommu != iommu)
		return -EINVAL;
	/* Page requests are not modelled. */
	if (domain->iopf_handler)
		return -ENODEV;
	mutex_lock(&iommu->lock);
	if (new_did)
		ret = vtd_did_alloc(iommu, &domain->did);
	if (ret)
		goto unlock;
	ret = vtd_context_prepare(current->kernel, iommu, dev->bdf);
	if (ret && new_did) {
		vtd_did_free(iommu, domain->did);
		domain->did = 0;
	}
unlock:
	mutex_unlock(&iommu->lock);
	return ret;
}

static int vtd_attach_dev(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	mutex_lock(&domain->iommu->lock);
	vtd_context_set(current->kernel, dev, domain);
	mutex_unlock(&domain->iommu->lock);
	return 0;
}

static void vtd_block_dev(struct device *dev, struct iommu_domain *old)
{
	struct kernel_base *kernel = current->kernel;

	mutex_lock(&dev->iommu->lock);
	vtd_context_clear(kernel, dev->iommu, dev->bdf);
	mutex_unlock(&dev->iommu->lock);
	dma_check_bind(kernel->machine, dev->hw, 0);
}

static void vtd_last_detached(struct iommu_domain *domain)
{
	mutex_lock(&domain->iommu->lock);
	if (domain->did)
		vtd_did_free(domain->iommu, domain->did);
	domain->did = 0;
	mutex_unlock(&domain->iommu->lock);
}

static void vtd_flush_range(struct iommu_domain *domain, iova_t start, iova_t last)
{
	/* Without a domain id no device was ever attached, and nothing is cached. */
	if (domain->did)
		vtd_flush_iotlb_range(domain->iommu, domain->did, start, last);
}

static int vtd_get_resv_regions(struct device *dev, struct list_head *list)
{
	struct iommu_resv_region *region = kheap_new(&current->kernel->heap,
						     struct iommu_resv_region);

	if (!region)
		return -ENOMEM;
	region->start = MSI_WINDOW_FIRST;
	region->length = MSI_WINDOW_BYTES;
	region->type = IOMMU_RESV_MSI;
	list_add_tail(&region->list, list);
	return 0;
}

const struct iommu_domain_ops vtd_domain_ops = {
	.prepare = vtd_prepare,
	.attach_dev = vtd_attach_dev,
	.last_detached = vtd_last_detached,
	.flush_iotlb_range = vtd_flush_range,
};

const struct iommu_ops vtd_ops = {
	.capable = vtd_capable,
	.hw_info = vtd_hw_info,
	.domain_alloc_paging_flags = vtd_domain_alloc_paging_flags,
	.block_dev = vtd_block_dev,
	.get_resv_regions = vtd_get_resv_regions,
};
