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
 * Left out: nested HWPTs and fault queues. Asking for them fails as it does with a driver that has
 * no such thing.
 */
#include "lib/iommufd/io_pagetable.h"

struct iommufd_hwpt_paging *iommufd_get_hwpt_paging(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_HWPT_PAGING);

	if (IS_ERR(obj))
		return (void *)obj;
	return container_of(obj, struct iommufd_hwpt_paging, common.obj);
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
	/* Restored and still in use by a device: the core keeps it until the device leaves. */
	if (hwpt->common.domain)
		iommu_domain_free(hwpt->common.domain);
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

/* The driver's part. No format of ours takes user data. */
static int hwpt_alloc_domain(struct iommufd_hwpt_paging *hwpt, struct device *dev, u32 flags,
			     bool user_data)
{
	struct iommu_domain *domain;

	if (user_data)
		return -EOPNOTSUPP;
	domain = iommu_domain_alloc_paging_flags(dev, flags & ~(u32)IOMMU_HWPT_FAULT_ID_VALID);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	domain->handle = hwpt;
	domain->dma_space = hwpt->ioas->iopt.dma_space;
	hwpt->common.domain = domain;
	return 0;
}

int iommufd_hwpt_paging_alloc(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas,
			      struct iommufd_device *idev, u32 flags, bool immediate_attach,
			      bool user_data, struct iommufd_hwpt_paging **out)
{
	const u32 known = IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			  IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID;
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	lockdep_assert_held(&ioas->mutex);
	if (flags & ~known)
		return -EOPNOTSUPP;
	if ((flags & IOMMU_HWPT_FAULT_ID_VALID) && (flags & IOMMU_HWPT_ALLOC_NEST_PARENT))
		return -EOPNOTSUPP;
	hwpt = hwpt_paging_new(ictx);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	ioas->obj.users++;
	hwpt->ioas = ioas;
	hwpt->nest_parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	rc = hwpt_alloc_domain(hwpt, idev->dev, flags, user_data);
	if (rc)
		goto err_abort;
	/* For drivers that complete a domain only at its first attach: before it is filled. */
	if (immediate_attach) {
		rc = iommufd_hw_pagetable_attach(&hwpt->common, idev);
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
		iommufd_hw_pagetable_detach(idev);
err_abort:
	iommufd_object_abort_and_destroy(ictx, &hwpt->common.obj);
	return rc;
}

/* On an IOAS. */
static int hwpt_alloc_on_ioas(struct iommufd_ucmd *ucmd, struct iommufd_device *idev,
			      struct iommufd_ioas *ioas)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	mutex_lock(&ioas->mutex);
	rc = iommufd_hwpt_paging_alloc(ucmd->ictx, ioas, idev, cmd->flags, false, cmd->data_len,
				       &hwpt);
	if (rc)
		goto out_unlock;
	if (cmd->flags & IOMMU_HWPT_FAULT_ID_VALID) {
		struct iommufd_object *fault = iommufd_get_object(ucmd->ictx, cmd->fault_id,
								  IOMMUFD_OBJ_FAULT);

		/* There is none: FAULT_QUEUE_ALLOC makes none. */
		assert(IS_ERR(fault));
		rc = PTR_ERR(fault);
		goto err_abort;
	}
	cmd->out_hwpt_id = hwpt->common.obj.id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_abort;
	iommufd_object_finalize(ucmd->ictx, &hwpt->common.obj);
	goto out_unlock;

err_abort:
	iommufd_object_abort_and_destroy(ucmd->ictx, &hwpt->common.obj);
out_unlock:
	mutex_unlock(&ioas->mutex);
	return rc;
}

int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
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
	if (pt->type == IOMMUFD_OBJ_IOAS)
		rc = hwpt_alloc_on_ioas(ucmd, idev, container_of(pt, struct iommufd_ioas, obj));
	else if (pt->type == IOMMUFD_OBJ_HWPT_PAGING)
		rc = -EOPNOTSUPP;       /* the driver has no nested tables */
	else
		rc = -EINVAL;
	iommufd_put_object(ucmd->ictx, pt);
out_put_idev:
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}

void iommufd_hw_pagetable_put(struct iommufd_ctx *ictx, struct iommufd_hw_pagetable *hwpt)
{
	if (to_hwpt_paging(hwpt)->auto_domain)
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

/*
 * No driver here has nested tables, so this only ever reports that it handled nothing; the answer
 * goes back on every outcome.
 */
int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_invalidate *cmd = ucmd->cmd;
	struct iommufd_object *pt;
	int rc;

	if (cmd->__reserved) {
		rc = -EOPNOTSUPP;
	} else if (cmd->entry_num && (!cmd->data_uptr || !cmd->entry_len ||
				      cmd->entry_len > PAGE_SIZE || cmd->entry_num > 1u << 19)) {
		rc = -EINVAL;
	} else {
		pt = iommufd_get_object(ucmd->ictx, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
		rc = IS_ERR(pt) ? PTR_ERR(pt) : -EINVAL;
		if (!IS_ERR(pt))
			iommufd_put_object(ucmd->ictx, pt);
	}
	cmd->entry_num = 0;
	if (iommufd_ucmd_respond(ucmd, sizeof(*cmd)))
		return -EFAULT;
	return rc;
}
