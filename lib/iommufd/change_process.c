/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * IOAS_CHANGE_PROCESS: the caller takes over all mappings of a context, after an exec or from its
 * parent (Linux: drivers/iommu/iommufd/ioas.c).
 *
 * Nothing is pinned again. What is pinned is charged to the caller first, so that a limit changes
 * nothing; then it is given back to whoever had it. That only works for files, which are there
 * whoever asks.
 *
 * All IOVA spaces of the context are locked together, in the order of their ids: a pages object may
 * be shared by several, and every one of them reads whose it is.
 *
 * Two bugs of Linux 7.3, reproduced unless bugs are to be fixed:
 *  - Pages that are accounted to nobody (CAP_IPC_LOCK) do change hands, but not their part of
 *    VmPin. It stays with the old process; the new one's goes below zero when they are unpinned.
 *  - In ACCOUNT_MM mode, when the old process is gone (after an exec always), the call fails with
 *    -EINVAL, having done all it was asked to. The caller stays charged until it exits: the object
 *    takes its pages for not charged, so that a further pin charges them again.
 */
#include "lib/iommufd/access.h"

#define NR_ACCOUNT_MODES (ACCOUNT_MM + 1u)

static void release_all_iova_rwsem(struct iommufd_ctx *ictx, struct xarray *ioas_list)
{
	struct iommufd_ioas *ioas;
	u64 index;

	xa_for_each(ioas_list, index, ioas) {
		up_write(&ioas->iopt.iova_rwsem);
		ioas->obj.users--;
	}
	up_write(&ictx->ioas_creation_lock);
	xa_destroy(ioas_list);
}

static int take_all_iova_rwsem(struct iommufd_ctx *ictx, struct xarray *ioas_list)
{
	struct iommufd_object *obj;
	u64 index;
	int rc;

	/* No new IOAS appears meanwhile, and nobody else takes several of these locks. */
	down_write(&ictx->ioas_creation_lock);
	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		struct iommufd_ioas *ioas;

		if (obj->type != IOMMUFD_OBJ_IOAS || !obj->users)
			continue;
		obj->users++;
		xa_unlock(&ictx->objects);
		ioas = container_of(obj, struct iommufd_ioas, obj);
		down_write_nest_lock(&ioas->iopt.iova_rwsem, &ictx->ioas_creation_lock);
		rc = xa_err(xa_store(ioas_list, index, ioas, GFP_KERNEL));
		if (rc) {
			up_write(&ioas->iopt.iova_rwsem);
			obj->users--;
			release_all_iova_rwsem(ictx, ioas_list);
			return rc;
		}
		xa_lock(&ictx->objects);
	}
	xa_unlock(&ictx->objects);
	return 0;
}

/* Calls @fn with every area; a nonzero result stops. */
static int for_each_area(struct xarray *ioas_list, int (*fn)(struct iopt_area *area, void *ctx),
			 void *ctx)
{
	struct iommufd_ioas *ioas;
	struct iopt_area *area;
	u64 index;
	int rc;

	xa_for_each(ioas_list, index, ioas) {
		for (area = iopt_area_iter_first(&ioas->iopt, 0, U64_MAX); area;
		     area = iopt_area_iter_next(area, 0, U64_MAX)) {
			rc = fn(area, ctx);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int check_area(struct iopt_area *area, void *ctx)
{
	if (!area->pages)
		return -EBUSY;
	return area->pages->type == IOPT_ADDRESS_FILE ? 0 : -EINVAL;
}

/* Is anything to be charged? Not if it is the caller's already. */
static bool need_charge_update(const struct iopt_pages *pages)
{
	switch (pages->account_mode) {
	case ACCOUNT_NONE:
		return current->kernel->fix_bugs && pages->source_mm != current->mm;
	case ACCOUNT_USER:
		return pages->source_uid != current->cred->uid || pages->source_mm != current->mm;
	default:
		return pages->source_mm != current->mm;
	}
}

/* Each pages object once, however many areas it has: what is counted is taken for not charged. */
static int count_area(struct iopt_area *area, void *ctx)
{
	u64 *nr_pages = ctx;
	struct iopt_pages *pages = area->pages;

	if (!need_charge_update(pages))
		return 0;
	nr_pages[pages->account_mode] += pages->last_npinned;
	pages->last_npinned = 0;
	return 0;
}

static int uncount_area(struct iopt_area *area, void *ctx)
{
	area->pages->last_npinned = area->pages->npinned;
	return 0;
}

static int charge_current(const u64 *nr_pages)
{
	unsigned mode;
	int rc;

	for (mode = 0; mode < NR_ACCOUNT_MODES; mode++) {
		if (!nr_pages[mode])
			continue;
		rc = mm_account(current->mm, current->cred->uid, mode, nr_pages[mode]);
		if (rc)
			goto err_uncharge;
	}
	return 0;

err_uncharge:
	while (mode--)
		if (nr_pages[mode])
			mm_unaccount(current->mm, current->cred->uid, mode, nr_pages[mode]);
	return rc;
}

/* Gives back to the old owner what the new one is charged for, and ends the counting. */
static int uncharge_owner(struct iopt_pages *pages)
{
	if (iopt_pages_owner_is_gone(pages))
		return -EINVAL;
	return iopt_pages_update_pinned(pages, pages->npinned, false);
}

static int change_area(struct iopt_area *area, void *ctx)
{
	struct iopt_pages *pages = area->pages;
	struct mm *old_mm = pages->source_mm;
	int *rc = ctx, err;

	if (need_charge_update(pages)) {
		err = uncharge_owner(pages);
		if (WARN_ON(err))
			*rc = err;
	}
	pages->source_mm = current->mm;
	pages->source_uid = current->cred->uid;
	mm_get(current->mm);
	mm_put(old_mm);
	return 0;
}

int iommufd_ioas_change_process(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_change_process *cmd = ucmd->cmd;
	u64 nr_pages[NR_ACCOUNT_MODES] = { 0 };
	struct xarray ioas_list;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	xa_init(&ioas_list);
	rc = take_all_iova_rwsem(ucmd->ictx, &ioas_list);
	if (rc)
		return rc;
	rc = for_each_area(&ioas_list, check_area, NULL);
	if (rc)
		goto out_release;
	for_each_area(&ioas_list, count_area, nr_pages);
	rc = charge_current(nr_pages);
	if (rc)
		for_each_area(&ioas_list, uncount_area, NULL);
	else
		for_each_area(&ioas_list, change_area, &rc);
out_release:
	release_all_iova_rwsem(ucmd->ictx, &ioas_list);
	return rc;
}
