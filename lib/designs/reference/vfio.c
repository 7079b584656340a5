/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference: a VFIO character device in a session (handler "ifs-vfio-v1").
 *
 * A device is preserved in the domain it is attached to, which must be one of the preserved HWPTs
 * of its iommufd, preserved before it in the same session. From then on attach, detach, replace and
 * reset say
 * -EBUSY. Freeze compares once more what was written with what is: should the hardware have been
 * moved by a way nobody gated, the kexec is refused rather than the wrong domain handed over. It
 * also marks context tables that came into being since, for devices that were attached after this
 * one.
 *
 * Errno values: -ENODEV (this file is not bound to an iommufd, or the device not attached), -ENOENT
 * (its iommufd is not preserved), -EXDEV (preserved in another session), -EINVAL (attached to a
 * HWPT that is not preserved), -EOPNOTSUPP (it shares its group, uses PASIDs, or is attached to a
 * nested HWPT), -EBUSY (preserved already).
 */
#include "lib/designs/reference/reference.h"

struct ref_vfio_state {
	struct ref_device *rec;
	struct ref_vfio *file_rec;
	struct iommu_domain *domain;
};

/* One reference on the IOMMU per preserved device, kept in its record. Needs @out->lock. */
static int get_unit(struct ref_outgoing *out, struct iommu_device *iommu)
{
	struct ref_hw *rec = iommu->preserved_state;
	u64 id;
	int rc;

	if (rec) {
		rec->nr_devices++;
		ref_seal(&rec->hdr, REF_MAGIC_HW, sizeof(*rec));
		return 0;
	}
	rec = ref_slot_new(out, &id);
	if (IS_ERR(rec))
		return PTR_ERR(rec);
	rc = iommu_hw_preserve(iommu);
	if (rc) {
		ref_slot_free(out, rec);
		return rc;
	}
	rec->id = id;
	rec->base_pa = iommu->base_pa;
	rec->root_pa = iommu->root_pa;
	rec->nr_devices = 1;
	ref_seal(&rec->hdr, REF_MAGIC_HW, sizeof(*rec));
	iommu->preserved_state = rec;
	return 0;
}

static void put_unit(struct ref_outgoing *out, struct iommu_device *iommu)
{
	struct ref_hw *rec = iommu->preserved_state;

	rec->nr_devices--;
	ref_seal(&rec->hdr, REF_MAGIC_HW, sizeof(*rec));
	if (rec->nr_devices)
		return;
	iommu->preserved_state = NULL;
	iommu_hw_unpreserve(iommu);
	ref_slot_free(out, rec);
}

static int record_device(struct ref_outgoing *out, struct device *dev,
			 const struct ref_domain *domain, struct ref_vfio_state *vs)
{
	struct ref_device *rec;
	u64 id;
	int rc;

	mutex_lock(&out->lock);
	rc = get_unit(out, dev->iommu);
	if (rc)
		goto unlock;
	rec = ref_slot_new(out, &id);
	if (IS_ERR(rec)) {
		rc = PTR_ERR(rec);
		put_unit(out, dev->iommu);
		goto unlock;
	}
	*rec = (struct ref_device){
		.id = id,
		.owner_id = domain->owner_id,
		.domain_id = domain->id,
		.base_pa = dev->iommu->base_pa,
		.segment = dev->segment,
		.bdf = dev->bdf,
		.did = domain->did,
	};
	ref_seal(&rec->hdr, REF_MAGIC_DEVICE, sizeof(*rec));
	vs->rec = rec;
unlock:
	mutex_unlock(&out->lock);
	return rc;
}

static void unrecord_device(struct ref_outgoing *out, struct device *dev, struct ref_vfio_state *vs)
{
	mutex_lock(&out->lock);
	ref_slot_free(out, vs->rec);
	put_unit(out, dev->iommu);
	mutex_unlock(&out->lock);
}

static int write_file_record(struct liveupdate_file_op_args *args, struct device *dev,
			     const struct ref_preserved *preserved, struct ref_vfio_state *vs,
			     struct file *iommufd_file)
{
	struct ref_vfio *rec = kho_alloc_preserve(sizeof(*rec));

	if (IS_ERR(rec))
		return PTR_ERR(rec);
	rec->owner_id = preserved->owner_id;
	(void)liveupdate_get_token_outgoing(args->session, iommufd_file, &rec->iommufd_token);
	rec->segment = dev->segment;
	rec->bdf = dev->bdf;
	ref_seal(&rec->hdr, REF_MAGIC_VFIO, sizeof(*rec));
	vs->file_rec = rec;
	return 0;
}

/* May @idev be preserved in @preserved, and with which domain? Needs ref_ctx.lock. */
static int find_domain(struct liveupdate_session *session, const struct ref_preserved *preserved,
		       struct iommufd_device *idev, struct ref_preserved_hwpt **out)
{
	struct iommufd_hw_pagetable *hwpt = ifs_iommufd_device_hwpt(idev);
	struct ref_preserved_hwpt *held;

	if (!hwpt)
		return -ENODEV;
	if (hwpt->obj.type != IOMMUFD_OBJ_HWPT_PAGING || ifs_iommufd_device_uses_pasids(idev))
		return -EOPNOTSUPP;
	if (!preserved)
		return -ENOENT;
	if (preserved->session != session)
		return -EXDEV;
	list_for_each_entry(held, &preserved->hwpts, list) {
		if (&held->hwpt->common == hwpt) {
			*out = held;
			return 0;
		}
	}
	return -EINVAL;
}

/*
 * Under the group's lock nobody can move the device. The domain id is recorded here: the domain may
 * have had none when its tables were preserved.
 */
static int preserve_in_group(struct liveupdate_file_op_args *args, struct device *dev,
			     const struct ref_preserved *preserved, struct ref_preserved_hwpt *held,
			     struct ref_vfio_state *vs)
{
	struct iommu_domain *domain = held->hwpt->common.domain;
	struct iommufd_ctx *ictx = held->hwpt->ioas->ictx;
	struct ref_outgoing *out;
	int rc;

	if (dev->preserved_state || dev->group->domain != domain)
		return -EBUSY;
	if (dev->group_node.next->next != &dev->group_node)
		return -EOPNOTSUPP;
	rc = ref_outgoing_get(&out);
	if (rc)
		return rc;
	rc = write_file_record(args, dev, preserved, vs, ictx->file);
	if (rc)
		return rc;
	held->rec->did = domain->did;
	ref_seal(&held->rec->hdr, REF_MAGIC_DOMAIN, sizeof(*held->rec));
	rc = record_device(out, dev, held->rec, vs);
	if (rc) {
		kho_unpreserve_free(vs->file_rec);
		return rc;
	}
	vs->domain = domain;
	WRITE_ONCE(dev->preserved_state, vs);
	return 0;
}

static int ref_vfio_preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device *vdev = ifs_vfio_device_from_file(args->file);
	struct device *dev = ifs_vfio_device_dev(vdev);
	struct iommufd_device *idev = ifs_vfio_device_idev(vdev);
	struct ref_preserved_hwpt *held;
	struct ref_vfio_state *vs;
	struct ref_ctx *rctx;
	int rc;

	/* The device lives as long as the bound file: it is that one which must be held. */
	if (!idev || !ifs_vfio_file_is_bound(args->file))
		return -ENODEV;
	vs = kzalloc(sizeof(*vs), GFP_KERNEL);
	if (!vs)
		return -ENOMEM;
	rctx = ifs_iommufd_device_ctx(idev)->design_data;
	mutex_lock(&rctx->lock);
	rc = find_domain(args->session, rctx->preserved, idev, &held);
	if (!rc) {
		mutex_lock(&dev->group->mutex);
		rc = preserve_in_group(args, dev, rctx->preserved, held, vs);
		mutex_unlock(&dev->group->mutex);
	}
	mutex_unlock(&rctx->lock);
	if (rc) {
		kfree(vs);
		return rc;
	}
	args->serialized_data = virt_to_phys(vs->file_rec);
	args->private_data = vs;
	return 0;
}

static void ref_vfio_unpreserve(struct liveupdate_file_op_args *args)
{
	struct device *dev = ifs_vfio_device_dev(ifs_vfio_device_from_file(args->file));
	struct ref_vfio_state *vs = args->private_data;
	struct ref_outgoing *out;

	mutex_lock(&dev->group->mutex);
	WRITE_ONCE(dev->preserved_state, NULL);
	if (!WARN_ON(ref_outgoing_get(&out)))
		unrecord_device(out, dev, vs);
	mutex_unlock(&dev->group->mutex);
	kho_unpreserve_free(vs->file_rec);
	kfree(vs);
}

static int ref_vfio_freeze(struct liveupdate_file_op_args *args)
{
	struct device *dev = ifs_vfio_device_dev(ifs_vfio_device_from_file(args->file));
	const struct ref_vfio_state *vs = args->private_data;
	int rc;

	mutex_lock(&dev->group->mutex);
	rc = dev->group->domain == vs->domain && vs->domain->did == vs->rec->did ? 0 : -ESTALE;
	if (!rc)
		rc = iommu_hw_preserve(dev->iommu);
	mutex_unlock(&dev->group->mutex);
	return rc;
}

static const struct ref_vfio *vfio_record(const struct liveupdate_file_op_args *args)
{
	return ref_record_at(args->serialized_data, REF_MAGIC_VFIO, sizeof(struct ref_vfio),
			     "a device");
}

static int ref_vfio_retrieve(struct liveupdate_file_op_args *args)
{
	const struct ref_vfio *rec = vfio_record(args);

	if (!rec)
		return -EINVAL;
	return ifs_vfio_device_file_new(rec->segment, rec->bdf, &args->file);
}

/*
 * The device itself is its iommufd's to finish: only that knows whether its domain is still in use.
 */
static void ref_vfio_finish(struct liveupdate_file_op_args *args)
{
	if (vfio_record(args))
		kho_restore_free(phys_to_virt(args->serialized_data));
}

static bool ref_vfio_can_preserve(const struct liveupdate_file_handler *handler, struct file *file)
{
	return ifs_vfio_device_from_file(file);
}

const struct liveupdate_file_ops ref_vfio_ops = {
	.can_preserve = ref_vfio_can_preserve,
	.preserve = ref_vfio_preserve,
	.unpreserve = ref_vfio_unpreserve,
	.freeze = ref_vfio_freeze,
	.retrieve = ref_vfio_retrieve,
	.finish = ref_vfio_finish,
};
