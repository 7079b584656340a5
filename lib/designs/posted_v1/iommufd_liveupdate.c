/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * posted-v1, patches 10 and 11: the mark ioctl and the LUO handler "iommufd-v1"
 * (drivers/iommu/iommufd/liveupdate.c there). The gates that lu_map_immutable closes are in
 * design.c.
 *
 * Kept as posted (numbers of the list of defects): sleeping locks inside xa_lock, in both passes
 * and in unpreserve (C1, C2); the area tree walked without iova_rwsem (C3); pending areas not
 * expected (C4); two passes under separate sections of xa_lock (C7, C9) and HWPT pointers kept
 * without a reference between them (C8); the flag cleared for every IOAS (C11);
 * kho_alloc_preserve() tested against NULL (C14); domains left preserved when a later one fails
 * (C15); nothing holds a preserved HWPT (C16); no mark at all is a success (C23); one -EINVAL for
 * everything (C24).
 *
 * Unlike Linux: where the posted code would write past the end of an array or follow a pointer that
 * is none, the crash is reported as a BUG and the call fails, so that the program that tests it
 * lives on.
 */
#include "lib/designs/posted_v1/posted_v1.h"

#include <iommufd-sim/uapi_posted_v1.h>

static struct iommufd_hwpt_paging *to_hwpt_paging(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_hwpt_paging, common.obj);
}

int iommufd_hwpt_lu_set_preserve(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_set_preserve *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt_target, *hwpt;
	struct iommufd_ctx *ictx = ucmd->ictx;
	struct iommufd_object *obj;
	u64 index;
	int rc = 0;

	obj = iommufd_get_object(ictx, cmd->hwpt_id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	hwpt_target = to_hwpt_paging(obj);

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
			continue;
		hwpt = to_hwpt_paging(obj);
		if (hwpt == hwpt_target || !hwpt->lu_preserve)
			continue;
		if (hwpt->lu_token == cmd->hwpt_token) {
			rc = -EADDRINUSE;
			goto out_unlock;
		}
	}
	hwpt_target->lu_preserve = true;
	hwpt_target->lu_token = cmd->hwpt_token;

out_unlock:
	xa_unlock(&ictx->objects);
	iommufd_put_object(ictx, &hwpt_target->common.obj);
	return rc;
}

static void iommufd_set_ioas_mutable(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	struct iommufd_ioas *ioas;
	u64 index;

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		if (obj->type != IOMMUFD_OBJ_IOAS)
			continue;
		ioas = container_of(obj, struct iommufd_ioas, obj);
		WRITE_ONCE(ioas->iopt.lu_map_immutable, false);
	}
	xa_unlock(&ictx->objects);
}

static int check_iopt_pages_preserved(struct liveupdate_session *s,
				      struct iommufd_hwpt_paging *hwpt)
{
	const u32 req_seals = F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK;
	struct iopt_area *area;
	int ret;

	if (BUG_ON(!hwpt->ioas))
		return -EFAULT;
	for (area = iopt_area_iter_first(&hwpt->ioas->iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		struct iopt_pages *pages = area->pages;

		if (BUG_ON(!pages))
			return -EFAULT;
		if (pages->type != IOPT_ADDRESS_FILE)
			return -EINVAL;
		/* Sealed when it was mapped, so what was pinned then is what the file has now. */
		if ((pages->seals & req_seals) != req_seals)
			return -EINVAL;
		ret = liveupdate_get_token_outgoing(s, pages->file, NULL);
		if (ret)
			return ret;
	}
	return 0;
}

/* One pass under xa_lock: without @iommufd_lu freeze, check and count; with it freeze and fill. */
static int iommufd_save_hwpts_locked(struct iommufd_ctx *ictx, struct iommufd_lu *iommufd_lu,
				     struct iommufd_hwpt_paging **hwpts,
				     struct liveupdate_session *session)
{
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_object *obj;
	unsigned int nr_hwpts = 0;
	u64 index;
	int rc;

	xa_for_each(&ictx->objects, index, obj) {
		if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
			continue;
		hwpt = to_hwpt_paging(obj);
		if (!hwpt->lu_preserve)
			continue;

		if (hwpt->ioas) {
			mutex_lock(&hwpt->ioas->mutex);
			down_write(&hwpt->ioas->iopt.domains_rwsem);
			down_write(&hwpt->ioas->iopt.iova_rwsem);

			hwpt->ioas->iopt.lu_map_immutable = true;

			up_write(&hwpt->ioas->iopt.iova_rwsem);
			up_write(&hwpt->ioas->iopt.domains_rwsem);
			mutex_unlock(&hwpt->ioas->mutex);
		}
		if (!hwpt->common.domain)
			return -EINVAL;

		if (!iommufd_lu) {
			rc = check_iopt_pages_preserved(session, hwpt);
			if (rc)
				return rc;
		} else {
			/* The posted code writes past both arrays here. */
			if (BUG_ON(nr_hwpts >= iommufd_lu->nr_hwpts))
				return -EFAULT;
			hwpts[nr_hwpts] = hwpt;
			iommufd_lu->hwpts[nr_hwpts].token = (u32)hwpt->lu_token;
			iommufd_lu->hwpts[nr_hwpts].reclaimed = false;
		}
		nr_hwpts++;
	}
	return (int)nr_hwpts;
}

static int iommufd_save_hwpts(struct iommufd_ctx *ictx, struct iommufd_lu *iommufd_lu,
			      struct liveupdate_session *session)
{
	struct iommufd_hwpt_paging **hwpts = NULL;
	struct iommu_domain_ser *domain_ser;
	int rc, nr;

	if (iommufd_lu) {
		/* kcalloc(0) is no failure in Linux. */
		hwpts = kcalloc(max(iommufd_lu->nr_hwpts, 1u), sizeof(*hwpts), GFP_KERNEL);
		if (!hwpts)
			return -ENOMEM;
	}

	xa_lock(&ictx->objects);
	nr = rc = iommufd_save_hwpts_locked(ictx, iommufd_lu, hwpts, session);
	xa_unlock(&ictx->objects);
	if (rc < 0 || !iommufd_lu)
		goto out;
	if (WARN_ON(iommufd_lu->nr_hwpts != (unsigned int)nr)) {
		rc = -EFAULT;
		goto out;
	}

	/* Outside of xa_lock, for it may sleep; the HWPTs are not held. */
	for (int i = 0; i < nr; i++) {
		rc = iommu_domain_preserve(hwpts[i]->common.domain, &domain_ser);
		if (rc < 0)
			goto out;
		iommufd_lu->hwpts[i].domain_data = __pa(domain_ser);
	}
	rc = nr;

out:
	kfree(hwpts);
	return rc;
}

static int iommufd_liveupdate_preserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(args->file);
	struct iommufd_lu *iommufd_lu;
	void *mem;
	int rc;

	if (IS_ERR(ictx))
		return PTR_ERR(ictx);

	rc = iommufd_save_hwpts(ictx, NULL, args->session);
	if (rc < 0)
		goto err_ioas_mutable;

	mem = kho_alloc_preserve(struct_size(iommufd_lu, hwpts, rc));
	if (!mem) {
		rc = -ENOMEM;
		goto err_ioas_mutable;
	}
	/* It is an ERR_PTR that comes back, never NULL, and the posted code stores through it. */
	if (IS_ERR(mem)) {
		BUG_ON("ERR_PTR of kho_alloc_preserve() dereferenced");
		rc = PTR_ERR(mem);
		goto err_ioas_mutable;
	}

	iommufd_lu = mem;
	iommufd_lu->nr_hwpts = (unsigned int)rc;
	rc = iommufd_save_hwpts(ictx, iommufd_lu, args->session);
	if (rc < 0)
		goto err_free;

	args->serialized_data = virt_to_phys(iommufd_lu);
	iommufd_ctx_put(ictx);
	return 0;

err_free:
	kho_unpreserve_free(mem);
err_ioas_mutable:
	iommufd_set_ioas_mutable(ictx);
	iommufd_ctx_put(ictx);
	return rc;
}

static int iommufd_liveupdate_freeze(struct liveupdate_file_op_args *args)
{
	return 0;
}

static void iommufd_liveupdate_unpreserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(args->file);
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_object *obj;
	u64 index;

	if (WARN_ON(IS_ERR(ictx)))
		return;

	/* What is marked now, which need not be what was preserved. */
	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
			continue;
		hwpt = to_hwpt_paging(obj);
		if (!hwpt->lu_preserve || !hwpt->common.domain)
			continue;
		iommu_domain_unpreserve(hwpt->common.domain);
	}
	xa_unlock(&ictx->objects);

	kho_unpreserve_free(phys_to_virt(args->serialized_data));
	iommufd_set_ioas_mutable(ictx);
	iommufd_ctx_put(ictx);
}

static int iommufd_liveupdate_retrieve(struct liveupdate_file_op_args *args)
{
	return -EOPNOTSUPP;
}

static bool iommufd_liveupdate_can_finish(struct liveupdate_file_op_args *args)
{
	return false;
}

static void iommufd_liveupdate_finish(struct liveupdate_file_op_args *args)
{
}

static bool iommufd_liveupdate_can_preserve(const struct liveupdate_file_handler *handler,
					    struct file *file)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(file);

	if (IS_ERR(ictx))
		return false;
	iommufd_ctx_put(ictx);
	return true;
}

/* No .owner, as posted: a preserved file pins no module. */
static const struct liveupdate_file_ops iommufd_lu_file_ops = {
	.can_preserve = iommufd_liveupdate_can_preserve,
	.preserve = iommufd_liveupdate_preserve,
	.unpreserve = iommufd_liveupdate_unpreserve,
	.freeze = iommufd_liveupdate_freeze,
	.retrieve = iommufd_liveupdate_retrieve,
	.can_finish = iommufd_liveupdate_can_finish,
	.finish = iommufd_liveupdate_finish,
};

static const struct liveupdate_file_handler iommufd_lu_handler = {
	.compatible = IOMMUFD_LUO_COMPATIBLE,
	.ops = &iommufd_lu_file_ops,
};

int iommufd_liveupdate_register_lufs(void)
{
	int ret = liveupdate_register_file_handler(&iommufd_lu_handler);

	if (ret)
		return ret;
	ret = iommu_liveupdate_register_flb(&iommufd_lu_handler);
	if (ret)
		liveupdate_unregister_file_handler(&iommufd_lu_handler);
	return ret;
}

int iommufd_liveupdate_unregister_lufs(void)
{
	WARN_ON(iommu_liveupdate_unregister_flb(&iommufd_lu_handler));
	return liveupdate_unregister_file_handler(&iommufd_lu_handler);
}
