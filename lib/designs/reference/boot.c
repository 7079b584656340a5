/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference, next kernel: what the IOMMU core asks while it boots, and who may claim a device
 * after.
 *
 * A restored device is attached to its restored domain before anything can touch it. Its domain is
 * adopted once, by the first device that needs it, or by the restore ioctl if none does. What
 * cannot be restored costs the devices that need it, and only those: an error here makes the core
 * block the device and report it.
 *
 * A domain is freed by its HWPT once it has one, else when its iommufd is finished.
 */
#include "lib/designs/reference/reference.h"

struct iommu_device *ref_find_unit(u64 base_pa)
{
	struct iommu_device *iommu;

	for (unsigned i = 0; (iommu = ifs_iommu_unit_at(i)); i++)
		if (iommu->base_pa == base_pa)
			return iommu;
	return NULL;
}

int ref_iommu_boot(void *kernel_data, struct iommu_device *iommu, pa_t *root_pa)
{
	struct ref_state *state = kernel_data;
	struct ref_in_unit *unit;

	if (state->incoming_error)
		return state->incoming_error;
	list_for_each_entry(unit, &state->units, list) {
		if (unit->rec.base_pa != iommu->base_pa)
			continue;
		*root_pa = unit->rec.root_pa;
		return 1;
	}
	return state->damaged ? -EINVAL : 0;
}

int ref_domain_adopt(struct ref_in_domain *in, struct iommu_device *iommu)
{
	const struct ref_domain *rec = &in->rec;
	const struct pt_iommu pt = {
		.top_pa = rec->top_pa,
		.top_level = rec->top_level,
		.format = rec->format,
		.max_vasz_lg2 = rec->max_vasz_lg2,
		.sign_extend = rec->sign_extend,
		.nr_table_pages = rec->nr_table_pages,
	};

	if (in->domain || in->error)
		return in->error;
	in->error = iommu_domain_adopt(iommu, &pt, rec->did,
				       rec->flags & REF_DOMAIN_DIRTY_TRACKING, &in->domain);
	if (in->error)
		goto no_domain;
	/* Before any of it can be claimed and given up: a memory file may come back damaged. */
	in->error = pt_pin_leaves(&in->domain->pt, &in->pins);
	if (in->error)
		goto free_domain;
	in->domain->restored_from = in;
	return 0;

free_domain:
	iommu_domain_free(in->domain);
	in->gone = true;
no_domain:
	in->domain = NULL;
	return in->error;
}

static struct ref_in_device *find_device(struct ref_state *state, const struct device *dev)
{
	struct ref_in_device *in;

	list_for_each_entry(in, &state->devices, list)
		if (in->rec.segment == dev->segment && in->rec.bdf == dev->bdf)
			return in;
	return NULL;
}

static bool device_is_sound(const struct ref_in_device *in, const struct iommu_device *iommu)
{
	const struct ref_in_domain *domain = in->domain;

	if (!in->owner || in->owner->bad || !domain || domain->owner != in->owner)
		return false;
	/* Moved to another slot between the kernels, or a record that lies. */
	return in->rec.base_pa == iommu->base_pa && domain->rec.base_pa == iommu->base_pa &&
	       in->rec.did == domain->rec.did;
}

int ref_probe_device(void *kernel_data, struct device *dev, struct iommu_domain **domain)
{
	struct ref_state *state = kernel_data;
	struct ref_in_device *in;
	int rc;

	*domain = NULL;
	if (state->incoming_error)
		return state->incoming_error;
	mutex_lock(&state->lock);
	in = find_device(state, dev);
	rc = state->damaged ? -EINVAL : 0;
	if (in) {
		rc = -EINVAL;
		if (device_is_sound(in, dev->iommu))
			rc = ref_domain_adopt(in->domain, dev->iommu);
	}
	if (in && !rc) {
		*domain = in->domain->domain;
		dev->restored_state = in;
	}
	mutex_unlock(&state->lock);
	return rc;
}

int ref_may_claim(struct ref_state *state, struct device *dev, const struct iommufd_ctx *ictx)
{
	struct ref_in_device *in;
	int rc = 0;

	mutex_lock(&state->lock);
	in = dev->restored_state;
	if (in && in->owner && in->owner->ictx != ictx)
		rc = -EPERM;
	mutex_unlock(&state->lock);
	return rc;
}

/* The owner of DMA behind VFIO is the iommufd context. */
int ref_claim_owner(void *kernel_data, struct device *dev, void *owner)
{
	return ref_may_claim(kernel_data, dev, owner);
}

/* The core is done with a restored domain: a HWPT freed it, or the core itself at shutdown. */
void ref_domain_released(void *kernel_data, struct iommu_domain *domain)
{
	struct ref_state *state = kernel_data;
	struct ref_in_domain *in = domain->restored_from;

	if (!in)
		return;
	mutex_lock(&state->lock);
	domain->restored_from = NULL;
	pt_unpin_leaves(in->pins);
	in->pins = NULL;
	in->domain = NULL;
	in->is_hwpt = false;
	in->error = -ENOENT;
	in->gone = true;
	if (!in->owner) {
		list_del(&in->list);
		kfree(in);
	}
	mutex_unlock(&state->lock);
}

bool ref_iommu_preserved(void *kernel_data, struct iommu_device *iommu)
{
	return iommu->preserved_state;
}

bool ref_device_preserved(void *kernel_data, struct device *dev)
{
	return dev->preserved_state;
}
