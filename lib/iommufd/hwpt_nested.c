/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Nested HWPTs: the user's own tables, whose addresses are translated once more by a nesting parent
 * (Linux: drivers/iommu/iommufd/hw_pagetable.c). They are made on the parent, or on a virtual IOMMU
 * that has one; the driver reads what the user says about them. There is nothing to map in them;
 * what hardware may have cached of them the user invalidates.
 */
#include "lib/iommufd/iommufd_private.h"

#include <iommufd-sim/proto/viommu.h>

#define NESTED_FLAGS ((u32)(IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID))
/* Far beyond any sensible number: bounds what one call may cost. */
#define INVALIDATE_MAX_ENTRIES (1u << 19)

void iommufd_hwpt_nested_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt_nested *hwpt = container_of(obj, struct iommufd_hwpt_nested,
							common.obj);

	iommufd_hwpt_common_destroy(&hwpt->common);
	if (hwpt->viommu)
		hwpt->viommu->obj.users--;
	else
		hwpt->parent->common.obj.users--;
}

static int nested_new(struct iommufd_ctx *ictx, u32 flags, struct iommufd_hwpt_nested **out)
{
	struct iommufd_object *obj;
	int rc = iommufd_object_alloc(ictx, sizeof(**out), IOMMUFD_OBJ_HWPT_NESTED, &obj);

	if (rc)
		return rc;
	*out = container_of(obj, struct iommufd_hwpt_nested, common.obj);
	(*out)->common.pasid_compat = flags & IOMMU_HWPT_ALLOC_PASID;
	return 0;
}

/* Takes what the driver answered. An error undoes the whole HWPT. */
static int nested_set_domain(struct iommufd_ctx *ictx, struct iommufd_hwpt_nested *hwpt,
			     struct iommu_domain *domain, const struct iommu_ops *owner,
			     struct iommufd_hw_pagetable **out)
{
	if (IS_ERR(domain)) {
		iommufd_object_abort_and_destroy(ictx, &hwpt->common.obj);
		return PTR_ERR(domain);
	}
	assert(domain->type == IOMMU_DOMAIN_NESTED);
	domain->owner = owner;
	domain->handle = &hwpt->common;
	/* A device on it reaches, at most, what the parent maps. */
	domain->dma_space = hwpt->parent->common.domain->dma_space;
	hwpt->common.domain = domain;
	*out = &hwpt->common;
	return 0;
}

int iommufd_hwpt_nested_alloc(struct iommufd_ctx *ictx, struct iommufd_hwpt_paging *parent,
			      struct iommufd_device *idev, u32 flags,
			      const struct iommu_user_data *user_data,
			      struct iommufd_hw_pagetable **out)
{
	const struct iommu_ops *ops = dev_iommu_ops(idev->dev);
	struct iommufd_hwpt_nested *hwpt;
	struct iommu_domain *domain;
	int rc;

	if ((flags & ~NESTED_FLAGS) || !user_data->len || !ops->domain_alloc_nested)
		return -EOPNOTSUPP;
	if (parent->auto_domain || !parent->nest_parent || parent->common.domain->owner != ops)
		return -EINVAL;
	rc = nested_new(ictx, flags, &hwpt);
	if (rc)
		return rc;
	parent->common.obj.users++;
	hwpt->parent = parent;
	domain = ops->domain_alloc_nested(idev->dev, parent->common.domain,
					  flags & ~(u32)IOMMU_HWPT_FAULT_ID_VALID, user_data);
	return nested_set_domain(ictx, hwpt, domain, ops, out);
}

int iommufd_viommu_alloc_hwpt_nested(struct iommufd_viommu *viommu, u32 flags,
				     const struct iommu_user_data *user_data,
				     struct iommufd_hw_pagetable **out)
{
	struct iommufd_hwpt_nested *hwpt;
	struct iommu_domain *domain;
	int rc;

	if ((flags & ~NESTED_FLAGS) || !user_data->len || !viommu->ops->alloc_domain_nested)
		return -EOPNOTSUPP;
	rc = nested_new(viommu->ictx, flags, &hwpt);
	if (rc)
		return rc;
	viommu->obj.users++;
	hwpt->viommu = viommu;
	hwpt->parent = viommu->hwpt;
	domain = viommu->ops->alloc_domain_nested(viommu, flags & ~(u32)IOMMU_HWPT_FAULT_ID_VALID,
						  user_data);
	return nested_set_domain(viommu->ictx, hwpt, domain, viommu->iommu_dev->ops, out);
}

/* array->entry_num becomes how many were handled, also if it fails. */
static int invalidate(struct iommufd_object *pt, struct iommu_user_data_array *array)
{
	struct iommu_domain *domain;
	struct iommufd_viommu *viommu;
	u32 entry_num = array->entry_num;
	int rc;

	array->entry_num = 0;
	switch (pt->type) {
	case IOMMUFD_OBJ_HWPT_NESTED:
		domain = container_of(pt, struct iommufd_hw_pagetable, obj)->domain;
		if (!domain->ops || !domain->ops->cache_invalidate_user)
			return -EOPNOTSUPP;
		array->entry_num = entry_num;
		rc = domain->ops->cache_invalidate_user(domain, array);
		break;
	case IOMMUFD_OBJ_VIOMMU:
		viommu = container_of(pt, struct iommufd_viommu, obj);
		if (!viommu->ops->cache_invalidate)
			return -EOPNOTSUPP;
		array->entry_num = entry_num;
		rc = viommu->ops->cache_invalidate(viommu, array);
		break;
	default:
		return -EINVAL;
	}
	return rc;
}

/* Whatever happens, the user learns how many entries were handled. */
int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_invalidate *cmd = ucmd->cmd;
	struct iommu_user_data_array array = {
		.type = cmd->data_type,
		.uptr = cmd->data_uptr,
		.entry_len = cmd->entry_len,
		.entry_num = cmd->entry_num,
	};
	struct iommufd_object *pt;
	u32 done = 0;
	int rc;

	if (cmd->__reserved) {
		rc = -EOPNOTSUPP;
	} else if (cmd->entry_num && (!cmd->data_uptr || !cmd->entry_len ||
				      cmd->entry_len > PAGE_SIZE ||
				      cmd->entry_num > INVALIDATE_MAX_ENTRIES)) {
		rc = -EINVAL;
	} else {
		pt = iommufd_get_object(ucmd->ictx, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
		rc = IS_ERR(pt) ? PTR_ERR(pt) : invalidate(pt, &array);
		if (!IS_ERR(pt)) {
			done = array.entry_num;
			iommufd_put_object(ucmd->ictx, pt);
		}
	}
	cmd->entry_num = done;
	if (iommufd_ucmd_respond(ucmd, sizeof(*cmd)))
		return -EFAULT;
	return rc;
}
