/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Hardware page tables: a domain of the IOMMU core as an object (Linux:
 * drivers/iommu/iommufd/hw_pagetable.c).
 *
 * A paging HWPT is filled from its IOAS from the moment it exists; attaching devices comes later,
 * except for an auto HWPT, which is made by an attach. A HWPT restored from the previous kernel has
 * no IOAS: nothing can be mapped through it, and the design that restored it decides who may enter
 * it.
 *
 * Nested HWPTs are in hwpt_nested.c. Any HWPT but a nesting parent can have a fault queue: then
 * page faults of who is attached go there.
 *
 * Unlike Linux: enforcing cache coherency is a fact about the device, drivers have no call for it.
 */
#include "lib/iommufd/eventq.h"
#include "lib/iommufd/io_pagetable.h"

struct iommufd_hwpt_paging *iommufd_get_hwpt_paging(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_HWPT_PAGING);

	if (IS_ERR(obj))
		return (void *)obj;
	return container_of(obj, struct iommufd_hwpt_paging, common.obj);
}

void iommufd_hwpt_common_destroy(struct iommufd_hw_pagetable *hwpt)
{
	/* Restored and still in use by a device: the core keeps it until the device leaves. */
	if (hwpt->domain)
		iommu_domain_free(hwpt->domain);
	if (hwpt->fault)
		hwpt->fault->common.obj.users--;
}

void iommufd_hwpt_paging_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt_paging *hwpt = container_of(obj, struct iommufd_hwpt_paging,
							common.obj);
	struct iommufd_ioas *ioas = hwpt->ioas;

	if (!list_empty(&hwpt->hwpt_item)) {
		mutex_lock(&ioas->mutex);
		list_del(&hwpt->hwpt_item);
		mutex_unlock(&ioas->mutex);
		iopt_table_remove_domain(&ioas->iopt, hwpt->common.domain);
	}
	iommufd_hwpt_common_destroy(&hwpt->common);
	if (ioas)
		ioas->obj.users--;
}

void iommufd_hwpt_paging_abort(struct iommufd_object *obj)
{
	struct iommufd_hwpt_paging *hwpt = container_of(obj, struct iommufd_hwpt_paging,
							common.obj);

	if (hwpt->ioas)
		lockdep_assert_held(&hwpt->ioas->mutex);
	if (!list_empty(&hwpt->hwpt_item)) {
		list_del(&hwpt->hwpt_item);
		iopt_table_remove_domain(&hwpt->ioas->iopt, hwpt->common.domain);
	}
	iommufd_hwpt_paging_destroy(obj);
}

static struct iommufd_hwpt_paging *hwpt_paging_new(struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_object *obj;
	int rc = iommufd_object_alloc(ictx, sizeof(*hwpt), IOMMUFD_OBJ_HWPT_PAGING, &obj);

	if (rc)
		return ERR_PTR(rc);
	hwpt = container_of(obj, struct iommufd_hwpt_paging, common.obj);
	INIT_LIST_HEAD(&hwpt->hwpt_item);
	return hwpt;
}

static int hwpt_alloc_domain(struct iommufd_hwpt_paging *hwpt, struct device *dev, u32 flags,
			     const struct iommu_user_data *user_data)
{
	struct iommu_domain *domain;

	domain = dev_iommu_ops(dev)->domain_alloc_paging_flags(
		dev, flags & ~(u32)IOMMU_HWPT_FAULT_ID_VALID, user_data);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	domain->owner = dev_iommu_ops(dev);
	domain->handle = hwpt;
	domain->dma_space = hwpt->ioas->iopt.dma_space;
	hwpt->common.domain = domain;
	return 0;
}

static int check_paging_flags(struct iommufd_device *idev, u32 flags)
{
	const u32 known = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			  IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;
	const u32 excluded = IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_NEST_PARENT;

	if (flags & ~known)
		return -EOPNOTSUPP;
	if ((flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) &&
	    !device_iommu_capable(idev->dev, IOMMU_CAP_DIRTY_TRACKING))
		return -EOPNOTSUPP;
	return (flags & excluded) == excluded ? -EOPNOTSUPP : 0;
}

int iommufd_hwpt_paging_alloc(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas,
			      struct iommufd_device *idev, ioasid_t pasid, u32 flags,
			      bool immediate_attach, const struct iommu_user_data *user_data,
			      struct iommufd_hwpt_paging **out)
{
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	lockdep_assert_held(&ioas->mutex);
	rc = check_paging_flags(idev, flags);
	if (rc)
		return rc;
	hwpt = hwpt_paging_new(ictx);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->common.pasid_compat = flags & IOMMU_HWPT_ALLOC_PASID;
	ioas->obj.users++;
	hwpt->ioas = ioas;
	hwpt->nest_parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	rc = hwpt_alloc_domain(hwpt, idev->dev, flags, user_data);
	if (rc)
		goto err_abort;
	hwpt->enforce_cache_coherency = idev->enforce_cache_coherency;
	/* For drivers that complete a domain only at its first attach: before it is filled. */
	if (immediate_attach) {
		rc = iommufd_hw_pagetable_attach(&hwpt->common, idev, pasid);
		if (rc)
			goto err_abort;
	}
	rc = iopt_table_add_domain(&ioas->iopt, hwpt->common.domain);
	if (rc)
		goto err_detach;
	list_add_tail(&hwpt->hwpt_item, &ioas->hwpt_list);
	*out = hwpt;
	return 0;

err_detach:
	if (immediate_attach)
		iommufd_hw_pagetable_detach(idev, pasid);
err_abort:
	iommufd_object_abort_and_destroy(ictx, &hwpt->common.obj);
	return rc;
}

/* From here on a page fault of who is attached has somewhere to go. */
static int hwpt_set_fault(struct iommufd_ctx *ictx, struct iommufd_hw_pagetable *hwpt, u32 fault_id)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, fault_id, IOMMUFD_OBJ_FAULT);

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	hwpt->fault = container_of(obj, struct iommufd_fault, common.obj);
	hwpt->domain->iopf_handler = iommufd_fault_iopf_handler;
	obj->users++;
	iommufd_put_object(ictx, obj);
	return 0;
}

/* What all kinds have in common once there is a domain. */
static int hwpt_alloc_finish(struct iommufd_ucmd *ucmd, struct iommufd_hw_pagetable *hwpt)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	int rc = 0;

	if (cmd->flags & IOMMU_HWPT_FAULT_ID_VALID)
		rc = hwpt_set_fault(ucmd->ictx, hwpt, cmd->fault_id);
	if (!rc) {
		cmd->out_hwpt_id = hwpt->obj.id;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	if (rc)
		iommufd_object_abort_and_destroy(ucmd->ictx, &hwpt->obj);
	else
		iommufd_object_finalize(ucmd->ictx, &hwpt->obj);
	return rc;
}

static int hwpt_alloc_on_ioas(struct iommufd_ucmd *ucmd, struct iommufd_device *idev,
			      struct iommufd_ioas *ioas, const struct iommu_user_data *user_data)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	mutex_lock(&ioas->mutex);
	rc = iommufd_hwpt_paging_alloc(ucmd->ictx, ioas, idev, IOMMU_NO_PASID, cmd->flags, false,
				       user_data->len ? user_data : NULL, &hwpt);
	if (!rc)
		rc = hwpt_alloc_finish(ucmd, &hwpt->common);
	mutex_unlock(&ioas->mutex);
	return rc;
}

static int hwpt_alloc_on_hwpt(struct iommufd_ucmd *ucmd, struct iommufd_device *idev,
			      struct iommufd_hwpt_paging *parent,
			      const struct iommu_user_data *user_data)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_hw_pagetable *hwpt;
	int rc;

	rc = iommufd_hwpt_nested_alloc(ucmd->ictx, parent, idev, cmd->flags, user_data, &hwpt);
	return rc ? rc : hwpt_alloc_finish(ucmd, hwpt);
}

static int hwpt_alloc_on_viommu(struct iommufd_ucmd *ucmd, struct iommufd_device *idev,
				struct iommufd_viommu *viommu,
				const struct iommu_user_data *user_data)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_hw_pagetable *hwpt;
	int rc;

	if (viommu->iommu_dev != idev->dev->iommu)
		return -EINVAL;
	rc = iommufd_viommu_alloc_hwpt_nested(viommu, cmd->flags, user_data, &hwpt);
	return rc ? rc : hwpt_alloc_finish(ucmd, hwpt);
}

int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	const struct iommu_user_data user_data = {
		.type = cmd->data_type,
		.uptr = cmd->data_uptr,
		.len = cmd->data_len,
	};
	struct iommufd_device *idev;
	struct iommufd_object *pt;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if ((cmd->data_type == IOMMU_HWPT_DATA_NONE) != !cmd->data_len)
		return -EINVAL;
	idev = iommufd_get_device(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	pt = iommufd_get_object(ucmd->ictx, cmd->pt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(pt)) {
		rc = -EINVAL;
		goto out_put_idev;
	}
	switch (pt->type) {
	case IOMMUFD_OBJ_IOAS:
		rc = hwpt_alloc_on_ioas(ucmd, idev, container_of(pt, struct iommufd_ioas, obj),
					&user_data);
		break;
	case IOMMUFD_OBJ_HWPT_PAGING:
		rc = hwpt_alloc_on_hwpt(ucmd, idev,
					container_of(pt, struct iommufd_hwpt_paging, common.obj),
					&user_data);
		break;
	case IOMMUFD_OBJ_VIOMMU:
		rc = hwpt_alloc_on_viommu(ucmd, idev, container_of(pt, struct iommufd_viommu, obj),
					  &user_data);
		break;
	default:
		rc = -EINVAL;
		break;
	}
	iommufd_put_object(ucmd->ictx, pt);
out_put_idev:
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}

void iommufd_hw_pagetable_put(struct iommufd_ctx *ictx, struct iommufd_hw_pagetable *hwpt)
{
	if (hwpt->obj.type == IOMMUFD_OBJ_HWPT_PAGING && to_hwpt_paging(hwpt)->auto_domain)
		iommufd_object_put_and_try_destroy(ictx, &hwpt->obj);
	else
		hwpt->obj.users--;
}

int ifs_iommufd_hwpt_adopt(struct iommufd_ctx *ictx, struct iommu_domain *domain, u32 *id,
			   struct iommufd_hwpt_paging **out)
{
	struct iommufd_hwpt_paging *hwpt = hwpt_paging_new(ictx);

	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->common.domain = domain;
	domain->handle = hwpt;
	*id = hwpt->common.obj.id;
	*out = hwpt;
	iommufd_object_finalize(ictx, &hwpt->common.obj);
	return 0;
}
