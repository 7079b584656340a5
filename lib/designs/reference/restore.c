/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference: an iommufd in the next kernel. Retrieve makes a fresh context that owns what the
 * previous one left; memory files, iommufd and devices may be retrieved in any order, because each
 * finds what it needs in the records read at boot.
 *
 * Memory under a live restored domain is kept twice. The frames its leaves lead to are pinned from
 * the moment it is adopted: whatever becomes of the memory file (hole, truncation, a retrieve that
 * fails and drops everything), a frame a device can reach is not used for anything else. And the
 * file is frozen and held from its retrieve until the iommufd is finished, so that what the device
 * writes to stays what the file shows. Any memory file of the session is frozen, also one the
 * records do not mention: they may be damaged.
 *
 * Finish. FINISH is refused (-EBUSY) while a device is still attached to a restored domain: swap it
 * to a rebuilt HWPT, or detach it. When the last descriptor of the session is closed instead, the
 * VMM is gone and nobody can try again: then those devices are blocked, before the memory under
 * them is given up, and everything can be used again. A restored HWPT that outlives its session
 * reaches nothing: it can only be destroyed.
 */
#include "lib/designs/reference/reference.h"

#include <iommufd-sim/uapi_reference.h>

static struct ref_in_owner *owner_of_record(struct ref_state *state, phys_addr_t pa)
{
	struct ref_in_owner *owner;

	list_for_each_entry(owner, &state->owners, list)
		if (owner->iommufd_pa == pa)
			return owner;
	return NULL;
}

int ref_iommufd_retrieve(struct liveupdate_file_op_args *args)
{
	struct ref_state *state = ifs_design_data();
	struct ref_in_owner *owner;
	struct iommufd_ctx *ictx;
	struct ref_ctx *rctx;
	struct file *file;
	int rc;

	rc = ifs_iommufd_file_new(&file);
	if (rc)
		return rc;
	ictx = iommufd_ctx_from_file(file);
	rctx = ictx->design_data;
	mutex_lock(&rctx->lock);
	mutex_lock(&state->lock);
	owner = owner_of_record(state, args->serialized_data);
	if (!owner || owner->bad || owner->ictx ||
	    strcmp(owner->session, liveupdate_session_name(args->session))) {
		rc = -EINVAL;
	} else {
		owner->ictx = ictx;
		rctx->restored = owner;
	}
	mutex_unlock(&state->lock);
	mutex_unlock(&rctx->lock);
	iommufd_ctx_put(ictx);
	if (rc)
		fput(file);
	else
		args->file = file;
	return rc;
}

static struct ref_in_domain *domain_of_token(struct ref_state *state, struct ref_in_owner *owner,
					     u64 token)
{
	struct ref_in_domain *domain;

	for (u32 i = 0; i < owner->nr_hwpts; i++) {
		if (owner->hwpts[i].token != token)
			continue;
		list_for_each_entry(domain, &state->domains, list)
			if (domain->rec.id == owner->hwpts[i].domain_id && domain->owner == owner)
				return domain;
	}
	return NULL;
}

/* Tables that no device needed are adopted now; their domain id may have been given away since. */
static int adopt_unattached(struct ref_in_domain *in)
{
	struct iommu_device *iommu = ref_find_unit(in->rec.base_pa);

	if (!in->domain && !in->error)
		in->rec.did = 0;
	return iommu ? ref_domain_adopt(in, iommu) : -ENODEV;
}

static int restore_hwpt(struct iommufd_ucmd *ucmd, struct ref_state *state,
			struct ref_in_owner *owner)
{
	struct iommu_hwpt_lu_restore *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	struct ref_in_domain *in;
	int rc;

	in = domain_of_token(state, owner, cmd->token);
	if (!in)
		return -ENOENT;
	if (in->is_hwpt)
		return -EBUSY;
	/* There is no way back later: a HWPT whose id nobody was told would stay for good. */
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		return rc;
	rc = adopt_unattached(in);
	if (rc)
		return rc;
	rc = ifs_iommufd_hwpt_adopt(ucmd->ictx, in->domain, &cmd->out_hwpt_id, &hwpt);
	if (!rc)
		in->is_hwpt = true;
	return rc;
}

int ref_ioctl_restore(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_restore *cmd = ucmd->cmd;
	struct ref_state *state = ifs_design_data();
	struct ref_ctx *rctx = ucmd->ictx->design_data;
	int rc = -ENOTTY;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	mutex_lock(&rctx->lock);
	if (rctx->restored) {
		mutex_lock(&state->lock);
		rc = restore_hwpt(ucmd, state, rctx->restored);
		mutex_unlock(&state->lock);
	}
	mutex_unlock(&rctx->lock);
	if (rc)
		return rc;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

static bool frozen_has_room(struct ref_in_owner *owner)
{
	u32 max = owner->max_frozen ? 2 * owner->max_frozen : 4;
	struct file **larger;

	if (owner->nr_frozen < owner->max_frozen)
		return true;
	larger = krealloc(owner->frozen, max * sizeof(*larger), GFP_KERNEL);
	if (!larger)
		return false;
	owner->frozen = larger;
	owner->max_frozen = max;
	return true;
}

/*
 * There is room from the start for as many files as the tables lead to; without memory for a
 * further one, it may change: the frames under a device are pinned all the same.
 */
static void freeze_for(struct ref_in_owner *owner, struct file *file)
{
	if (!frozen_has_room(owner)) {
		pr_warn("reference: no memory to freeze a memory file");
		return;
	}
	ifs_memfd_set_frozen(file, true);
	owner->frozen[owner->nr_frozen++] = get_file(file);
}

void ref_file_retrieved(void *kernel_data, struct liveupdate_session *session, u64 token,
			struct file *file)
{
	struct ref_state *state = kernel_data;
	const char *name = liveupdate_session_name(session);
	struct ref_in_owner *owner;

	if (!ifs_file_is_memfd(file))
		return;
	mutex_lock(&state->lock);
	list_for_each_entry(owner, &state->owners, list)
		if (!strcmp(owner->session, name))
			freeze_for(owner, file);
	mutex_unlock(&state->lock);
}

/* Of the session: the one whose record @pa is, or all if none is (LUO's data may be damaged). */
static bool owner_is_meant(struct ref_state *state, const struct ref_in_owner *owner,
			   const struct liveupdate_file_op_args *args)
{
	const struct ref_in_owner *exact = owner_of_record(state, args->serialized_data);

	if (strcmp(owner->session, liveupdate_session_name(args->session)))
		return false;
	return !exact || exact == owner;
}

bool ref_iommufd_can_finish(struct liveupdate_file_op_args *args)
{
	struct ref_state *state = ifs_design_data();
	struct ref_in_domain *in;
	bool can = true;

	if (liveupdate_session_is_closing(args->session))
		return true;
	mutex_lock(&state->lock);
	list_for_each_entry(in, &state->domains, list)
		if (in->owner && owner_is_meant(state, in->owner, args) && in->domain &&
		    in->domain->nr_attached)
			can = false;
	mutex_unlock(&state->lock);
	return can;
}

/*
 * Takes the owner's devices off the list; those still in a restored domain are cut off. That is how
 * a dead VMM's device ends and nothing that went wrong: no report.
 */
static void finish_devices(struct ref_state *state, struct ref_in_owner *owner)
{
	struct ref_in_device *in, *next;

	list_for_each_entry_safe(in, next, &state->devices, list) {
		struct device *dev;

		if (in->owner != owner)
			continue;
		dev = ifs_iommu_find_device(in->rec.segment, in->rec.bdf);
		if (dev && dev->restored_state == in) {
			if (in->domain && in->domain->domain &&
			    dev->group->domain == in->domain->domain) {
				iommu_detach_group(in->domain->domain, dev->group);
				pr_info("reference: %s blocked, its session ended", dev->name);
			}
			mutex_lock(&state->lock);
			dev->restored_state = NULL;
			mutex_unlock(&state->lock);
		}
		mutex_lock(&state->lock);
		list_del(&in->list);
		mutex_unlock(&state->lock);
		kfree(in);
	}
}

/*
 * Domains nobody made a HWPT of go; one that was never adopted is adopted for that, to free its
 * tables.
 */
static void finish_domains(struct ref_state *state, struct ref_in_owner *owner)
{
	struct ref_in_domain *in, *next;

	list_for_each_entry_safe(in, next, &state->domains, list) {
		struct iommu_domain *domain = NULL;

		if (in->owner != owner)
			continue;
		mutex_lock(&state->lock);
		in->owner = NULL;
		if (!in->domain && !in->gone) {
			in->error = 0;
			if (adopt_unattached(in))
				pr_err("reference: the tables at 0x%llx cannot be freed",
				       (unsigned long long)in->rec.top_pa);
		}
		if (!in->is_hwpt)
			domain = in->domain;
		if (!in->domain) {
			list_del(&in->list);
			kfree(in);
		}
		mutex_unlock(&state->lock);
		/* Comes back through ref_domain_released(), which frees @in. */
		if (domain)
			iommu_domain_free(domain);
	}
}

static void finish_owner(struct ref_state *state, struct ref_in_owner *owner)
{
	struct ref_ctx *rctx;

	finish_devices(state, owner);
	finish_domains(state, owner);
	ref_owner_thaw(owner);
	if (owner->ictx) {
		rctx = owner->ictx->design_data;
		mutex_lock(&rctx->lock);
		rctx->restored = NULL;
		mutex_unlock(&rctx->lock);
	}
	if (ifs_kho_is_restorable(owner->iommufd_pa))
		kho_restore_free(phys_to_virt(owner->iommufd_pa));
	mutex_lock(&state->lock);
	ref_owner_free(owner);
	mutex_unlock(&state->lock);
}

void ref_iommufd_finish(struct liveupdate_file_op_args *args)
{
	struct ref_state *state = ifs_design_data();
	struct ref_in_owner *owner, *next;
	struct ref_in_owner *exact = owner_of_record(state, args->serialized_data);

	if (exact && !strcmp(exact->session, liveupdate_session_name(args->session))) {
		finish_owner(state, exact);
		return;
	}
	list_for_each_entry_safe(owner, next, &state->owners, list)
		if (!strcmp(owner->session, liveupdate_session_name(args->session)))
			finish_owner(state, owner);
}
