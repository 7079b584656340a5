/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * posted-v1, patches 2 and 5 to 8: what preserving a domain, an attached device and the IOMMU in
 * front of it does in the IOMMU core and the VT-d driver, and how the next kernel takes it over at
 * boot.
 *
 * Kept as posted (numbers are those of section C of the facts about the series): no "already
 * preserved" check (C58); an IOMMU whose preservation failed counts as preserved for the next
 * device (C56); KHO called under iommu->lock, a spinlock (C79); DIDs of all devices reserved in
 * every IOMMU and failures ignored (C83); the table format is not recorded, the new kernel assumes
 * its own default (C69); a table page that is gone is a BUG that takes the host down (C72).
 *
 * Not modelled: PASID tables (patch 9), since hardware here has legacy mode only.
 */
#include "lib/designs/posted_v1/posted_v1.h"

/*
 * The outgoing FLB object. Unlike Linux 7.3: v1 was written before these references were counted
 * and never puts them; with a count that would keep the FLB for ever, which says nothing about v1.
 */
static int flb_outgoing(struct iommu_lu_flb_obj **obj)
{
	int rc = liveupdate_flb_get_outgoing(&iommu_flb, (void **)obj);

	if (!rc)
		liveupdate_flb_put_outgoing(&iommu_flb);
	return rc;
}

int iommu_domain_preserve(struct iommu_domain *domain, struct iommu_domain_ser **out)
{
	struct iommu_lu_flb_obj *flb;
	struct iommu_domain_ser *ser;
	int rc;

	rc = flb_outgoing(&flb);
	if (rc)
		return rc;
	mutex_lock(&flb->lock);
	ser = iommu_flb_reserve_obj(&flb->iommu_domains, &flb->ser->nr_domains, sizeof(*ser));
	if (IS_ERR(ser)) {
		rc = PTR_ERR(ser);
		goto out_unlock;
	}
	rc = pt_preserve(&domain->pt);
	if (rc) {
		ser->obj.deleted = 1;
		goto out_unlock;
	}
	ser->top_table = domain->pt.top_pa;
	ser->top_level = domain->pt.top_level;
	domain->preserved_state = ser;
	*out = ser;

out_unlock:
	mutex_unlock(&flb->lock);
	return rc;
}

void iommu_domain_unpreserve(struct iommu_domain *domain)
{
	struct iommu_domain_ser *ser = domain->preserved_state;
	struct iommu_lu_flb_obj *flb;

	if (flb_outgoing(&flb))
		return;
	mutex_lock(&flb->lock);
	/* Unlike Linux: the posted code dereferences the NULL. */
	if (!BUG_ON(!ser)) {
		pt_unpreserve(&domain->pt);
		ser->obj.deleted = 1;
		domain->preserved_state = NULL;
	}
	mutex_unlock(&flb->lock);
}

/*
 * One reference per device, the only counted object of the design. The VT-d driver does this under
 * iommu->lock. Unlike Linux: that lock is a mutex in the simulator (iommu_hw_preserve() takes it),
 * so the posted spinlock is a lock of its own here; it is still a spinlock around calls that sleep.
 */
static int preserve_iommu_locked(struct iommu_lu_flb_obj *flb, struct iommu_device *iommu)
{
	struct iommu_ser *ser = iommu->preserved_state;
	int rc;

	if (ser) {
		ser->obj.ref_count++;
		return 0;
	}
	ser = iommu_flb_reserve_obj(&flb->iommus, &flb->ser->nr_iommus, sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);
	ser->token = iommu->base_pa;
	ser->type = IOMMU_SER_TYPE_INTEL;
	ser->phys_addr = iommu->base_pa;
	ser->root_table = iommu->root_pa;

	spin_lock(&flb->iommu_lock);
	rc = iommu_hw_preserve(iommu);
	spin_unlock(&flb->iommu_lock);
	if (rc)
		ser->obj.deleted = 1;
	iommu->preserved_state = ser;   /* failed or not */
	return rc;
}

static void unpreserve_iommu_locked(struct iommu_lu_flb_obj *flb, struct iommu_device *iommu)
{
	struct iommu_ser *ser = iommu->preserved_state;

	if (--ser->obj.ref_count)
		return;
	spin_lock(&flb->iommu_lock);
	iommu_hw_unpreserve(iommu);
	spin_unlock(&flb->iommu_lock);
	ser->obj.deleted = 1;
	iommu->preserved_state = NULL;
}

int iommu_preserve_device(struct iommu_domain *domain, struct device *dev, u64 token)
{
	struct iommu_domain_ser *domain_ser = domain->preserved_state;
	struct iommu_lu_flb_obj *flb;
	struct iommu_ser *iommu_ser;
	struct device_ser *ser;
	int rc;

	if (!domain_ser)
		return -EINVAL;
	rc = flb_outgoing(&flb);
	if (rc)
		return rc;
	mutex_lock(&flb->lock);
	ser = iommu_flb_reserve_obj(&flb->devices, &flb->ser->nr_devices, sizeof(*ser));
	if (IS_ERR(ser)) {
		rc = PTR_ERR(ser);
		goto out_unlock;
	}
	rc = preserve_iommu_locked(flb, dev->iommu);
	if (rc) {
		ser->obj.deleted = 1;
		goto out_unlock;
	}
	iommu_ser = dev->iommu->preserved_state;
	ser->token = token;
	ser->devid = dev->bdf;
	ser->pci_domain = dev->segment;
	ser->type = IOMMU_SER_TYPE_INTEL;
	ser->domain_iommu_ser.domain_phys = virt_to_phys(domain_ser);
	ser->domain_iommu_ser.iommu_phys = virt_to_phys(iommu_ser);
	ser->domain_iommu_ser.did = domain->did;
	dev->preserved_state = ser;

out_unlock:
	mutex_unlock(&flb->lock);
	return rc;
}

void iommu_unpreserve_device(struct device *dev)
{
	struct device_ser *ser = dev->preserved_state;
	struct iommu_lu_flb_obj *flb;

	if (flb_outgoing(&flb))
		return;
	mutex_lock(&flb->lock);
	/* Unlike Linux: the posted code dereferences the NULL. */
	if (!BUG_ON(!ser)) {
		unpreserve_iommu_locked(flb, dev->iommu);
		ser->obj.deleted = 1;
		dev->preserved_state = NULL;
	}
	mutex_unlock(&flb->lock);
}

/* ---- the next kernel ---- */

static bool match_iommu(void *obj, const void *key)
{
	return ((struct iommu_ser *)obj)->token == ((const struct iommu_device *)key)->base_pa;
}

static bool match_device(void *obj, const void *key)
{
	const struct device *dev = key;
	struct device_ser *ser = obj;

	if (ser->pci_domain != dev->segment || ser->devid != dev->bdf)
		return false;
	ser->obj.incoming = 1;
	return true;
}

/* For each device of whatever IOMMU: its DID is taken, or not, nobody looks. */
static bool reserve_did(void *obj, const void *key)
{
	struct iommu_device *iommu = (struct iommu_device *)(uintptr_t)key;
	struct device_ser *ser = obj;

	(void)iommu_did_reserve(iommu, ser->domain_iommu_ser.did);
	return false;
}

int posted_v1_iommu_boot(void *kernel_data, struct iommu_device *iommu, pa_t *root_pa)
{
	struct posted_v1 *posted = kernel_data;
	struct iommu_ser *ser;
	int rc;

	if (!posted->incoming)
		return 0;
	ser = iommu_flb_find(posted->incoming->ser->iommus_phys, sizeof(*ser), match_iommu, iommu);
	if (!ser)
		return 0;
	rc = iommu_hw_adopt(iommu, ser->root_table);
	if (BUG_ON(rc == -EINVAL) || rc)
		return rc;
	iommu_flb_find(posted->incoming->ser->devices_phys, sizeof(struct device_ser), reserve_did,
		       iommu);
	*root_pa = ser->root_table;
	return 1;
}

/* The format is the new kernel's default: a fresh domain has it, and only the top changes hands. */
static int restore_domain(struct posted_v1 *posted, struct device *dev, u32 did, u64 domain_phys,
			  struct iommu_domain **out)
{
	struct iommu_domain_ser *ser = phys_to_virt(domain_phys);
	struct posted_v1_restored *restored;
	struct iommu_domain *fresh;
	struct pt_iommu pt;
	int rc;

	/* Unlike Linux: a bad address is noticed here, not by the machine. */
	if (BUG_ON(!ser))
		return -EFAULT;
	list_for_each_entry(restored, &posted->restored, list) {
		if (restored->domain_phys == domain_phys) {
			*out = restored->domain;
			return 0;
		}
	}
	restored = kzalloc(sizeof(*restored), GFP_KERNEL);
	if (!restored)
		return -ENOMEM;
	fresh = iommu_domain_alloc_paging_flags(dev, 0);
	if (IS_ERR(fresh)) {
		rc = PTR_ERR(fresh);
		goto err_free;
	}
	pt = fresh->pt;
	iommu_domain_free(fresh);
	pt.top_pa = ser->top_table;
	pt.top_level = (u8)ser->top_level;
	pt.nr_table_pages = 0;
	rc = iommu_domain_adopt(dev->iommu, &pt, did, false, &restored->domain);
	if (BUG_ON(rc == -EINVAL) || rc)
		goto err_free;
	restored->domain->restored_from = restored;
	restored->domain_phys = domain_phys;
	list_add_tail(&restored->list, &posted->restored);
	*out = restored->domain;
	return 0;

err_free:
	kfree(restored);
	return rc;
}

int posted_v1_probe_device(void *kernel_data, struct device *dev, struct iommu_domain **domain)
{
	struct posted_v1 *posted = kernel_data;
	struct device_ser *ser;
	int rc;

	*domain = NULL;
	if (!posted->incoming)
		return 0;
	ser = iommu_flb_find(posted->incoming->ser->devices_phys, sizeof(*ser), match_device, dev);
	if (!ser)
		return 0;
	rc = restore_domain(posted, dev, ser->domain_iommu_ser.did,
			    ser->domain_iommu_ser.domain_phys, domain);
	if (WARN_ON(rc))
		return rc;
	dev->restored_state = ser;
	return 0;
}

/* group->owner is the token, as a pointer nobody else has: nobody can claim the device any more. */
int posted_v1_claim_owner(void *kernel_data, struct device *dev, void *owner)
{
	return dev->restored_state ? -EPERM : 0;
}

void posted_v1_domain_released(void *kernel_data, struct iommu_domain *domain)
{
	struct posted_v1_restored *restored = domain->restored_from;

	if (!restored)
		return;
	domain->restored_from = NULL;
	list_del(&restored->list);
	kfree(restored);
}

bool posted_v1_iommu_preserved(void *kernel_data, struct iommu_device *iommu)
{
	return iommu->preserved_state;
}

bool posted_v1_device_preserved(void *kernel_data, struct device *dev)
{
	return dev->preserved_state;
}
