/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference: the mark ioctl (uapi_reference.h). A mark is a wish: it holds nothing, and goes with
 * its HWPT. All marks of a context are read and written under ref_ctx.lock, and so is preserve as a
 * whole: nothing can be marked between counting and writing, and no token changes once it has been
 * written.
 */
#include "lib/designs/reference/reference.h"

#include <iommufd-sim/uapi_reference.h>

struct iommufd_hwpt_paging *ref_hwpt_paging(struct iommufd_hw_pagetable *hwpt)
{
	if (!hwpt || hwpt->obj.type != IOMMUFD_OBJ_HWPT_PAGING)
		return NULL;
	return container_of(hwpt, struct iommufd_hwpt_paging, common);
}

static bool token_is_taken(struct iommufd_ctx *ictx, const struct iommufd_hwpt_paging *but,
			   u64 token)
{
	struct iommufd_object *obj;
	bool taken = false;
	u64 index;

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		const struct iommufd_hwpt_paging *hwpt;

		if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
			continue;
		hwpt = container_of(obj, struct iommufd_hwpt_paging, common.obj);
		taken |= hwpt != but && hwpt->lu_preserve && hwpt->lu_token == token;
	}
	xa_unlock(&ictx->objects);
	return taken;
}

int ref_ioctl_mark(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_mark *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ictx;
	struct ref_ctx *rctx = ictx->design_data;
	bool unmark = cmd->flags & IOMMU_HWPT_LU_MARK_UNMARK;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_object *obj;
	int rc = 0;

	if (cmd->flags & ~IOMMU_HWPT_LU_MARK_UNMARK || cmd->__reserved)
		return -EOPNOTSUPP;
	obj = iommufd_get_object(ictx, cmd->hwpt_id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	hwpt = container_of(obj, struct iommufd_hwpt_paging, common.obj);

	mutex_lock(&rctx->lock);
	if (hwpt->auto_domain || !hwpt->ioas)
		rc = -EOPNOTSUPP;
	else if (rctx->preserved)
		rc = -EBUSY;
	else if (!unmark && token_is_taken(ictx, hwpt, cmd->token))
		rc = -EADDRINUSE;
	if (!rc) {
		hwpt->lu_preserve = !unmark;
		hwpt->lu_token = unmark ? 0 : cmd->token;
	}
	mutex_unlock(&rctx->lock);
	iommufd_put_object(ictx, obj);
	return rc;
}
