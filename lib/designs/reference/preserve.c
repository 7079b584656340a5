/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference: preserving an iommufd (handler "ifs-iommufd-v1", old kernel's half).
 *
 *   hold     each marked HWPT is found once, under its own reference, into a list
 *   freeze   the gates of each HWPT's IOAS close under domains_rwsem and iova_rwsem for writing: a
 *            map that is filling is waited for, one that has only reserved its IOVA will be refused
 *            at its fill, and until it has noticed preserve says -EBUSY
 *   check    every frame its tables reach crosses with the session (check.c)
 *   record   owner, domains, tables, the file's record
 *
 * Each step has its undo, taken in reverse by failure and by unpreserve alike, so that one list of
 * what was done serves both. The gates of an IOAS open when the last domain of the file has been
 * undone: two HWPTs may share it.
 *
 * Lock order: session mutex, ref_ctx.lock, domains_rwsem, iova_rwsem, pages->mutex;
 * ref_outgoing.lock.
 */
#include "lib/designs/reference/reference.h"

static void set_gates(struct ref_preserved *preserved, bool closed)
{
	struct ref_preserved_hwpt *held;

	list_for_each_entry(held, &preserved->hwpts, list) {
		struct io_pagetable *iopt = &held->hwpt->ioas->iopt;

		down_write(&iopt->domains_rwsem);
		down_write(&iopt->iova_rwsem);
		iopt->lu_map_immutable = closed;
		up_write(&iopt->iova_rwsem);
		up_write(&iopt->domains_rwsem);
	}
}

/* A long-term user, as an attached device is one: nobody waits for it, DESTROY says -EBUSY. */
static void count_user(struct iommufd_ctx *ictx, struct iommufd_hwpt_paging *hwpt, int change)
{
	xa_lock(&ictx->objects);
	hwpt->common.obj.users += (u32)change;
	xa_unlock(&ictx->objects);
}

static int hold_hwpt(struct ref_preserved *preserved, struct iommufd_ctx *ictx,
		     struct iommufd_hwpt_paging *hwpt)
{
	struct ref_preserved_hwpt *held;
	int rc;

	rc = ref_check_kind(hwpt);
	if (rc)
		return rc;
	held = kzalloc(sizeof(*held), GFP_KERNEL);
	if (!held)
		return -ENOMEM;
	count_user(ictx, hwpt, 1);
	held->hwpt = hwpt;
	list_add_tail(&held->list, &preserved->hwpts);
	preserved->nr_hwpts++;
	return 0;
}

/*
 * What a walk found may be gone: only what this returns is held. Not iommufd_get_object(), whose
 * injected -ENOENT would pass for that, and a marked HWPT be left out.
 */
static struct iommufd_hwpt_paging *lookup_hwpt(struct iommufd_ctx *ictx, u64 id)
{
	struct iommufd_object *obj;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (obj && (obj->type != IOMMUFD_OBJ_HWPT_PAGING || !iommufd_lock_obj(obj)))
		obj = NULL;
	xa_unlock(&ictx->objects);
	return obj ? container_of(obj, struct iommufd_hwpt_paging, common.obj) : NULL;
}

static int hold_marked_hwpts(struct ref_preserved *preserved, struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	u64 index;
	int rc;

	xa_for_each(&ictx->objects, index, obj) {
		struct iommufd_hwpt_paging *hwpt = lookup_hwpt(ictx, index);

		if (!hwpt)
			continue;
		rc = hwpt->lu_preserve ? hold_hwpt(preserved, ictx, hwpt) : 0;
		iommufd_put_object(ictx, &hwpt->common.obj);
		if (rc)
			return rc;
	}
	return preserved->nr_hwpts ? 0 : -ENOENT;
}

static void put_hwpts(struct ref_preserved *preserved, struct iommufd_ctx *ictx)
{
	struct ref_preserved_hwpt *held, *next;

	list_for_each_entry_safe_reverse(held, next, &preserved->hwpts, list) {
		list_del(&held->list);
		count_user(ictx, held->hwpt, -1);
		kfree(held);
	}
}

static int preserve_domain(struct ref_preserved *preserved, struct ref_preserved_hwpt *held,
			   struct ref_outgoing *out)
{
	struct iommu_domain *domain = held->hwpt->common.domain;
	struct ref_domain *rec;
	u64 id;
	int rc;

	if (domain->preserved_state)
		return -EBUSY;
	rec = ref_slot_new(out, &id);
	if (IS_ERR(rec))
		return PTR_ERR(rec);
	rc = pt_preserve(&domain->pt);
	if (rc) {
		ref_slot_free(out, rec);
		return rc;
	}
	*rec = (struct ref_domain){
		.id = id,
		.owner_id = preserved->owner_id,
		.base_pa = domain->iommu->base_pa,
		.top_pa = domain->pt.top_pa,
		.nr_table_pages = domain->pt.nr_table_pages,
		.did = domain->did,
		.flags = domain->dirty_tracking ? REF_DOMAIN_DIRTY_TRACKING : 0,
		.top_level = domain->pt.top_level,
		.format = domain->pt.format,
		.max_vasz_lg2 = domain->pt.max_vasz_lg2,
		.sign_extend = domain->pt.sign_extend,
		.hwpt_token = held->hwpt->lu_token,
	};
	ref_seal(&rec->hdr, REF_MAGIC_DOMAIN, sizeof(*rec));
	domain->preserved_state = rec;
	held->rec = rec;
	return 0;
}

static void unpreserve_domain(struct ref_preserved_hwpt *held, struct ref_outgoing *out)
{
	struct iommu_domain *domain = held->hwpt->common.domain;

	if (!held->rec)
		return;
	domain->preserved_state = NULL;
	pt_unpreserve(&domain->pt);
	ref_slot_free(out, held->rec);
	held->rec = NULL;
}

static int record_owner(struct ref_preserved *preserved, struct ref_outgoing *out)
{
	struct ref_owner *owner = ref_slot_new(out, &preserved->owner_id);

	if (IS_ERR(owner))
		return PTR_ERR(owner);
	owner->id = preserved->owner_id;
	owner->iommufd_token = preserved->token;
	owner->iommufd_pa = virt_to_phys(preserved->rec);
	strncpy(owner->session, liveupdate_session_name(preserved->session),
		sizeof(owner->session) - 1);
	ref_seal(&owner->hdr, REF_MAGIC_OWNER, sizeof(*owner));
	preserved->owner = owner;
	return 0;
}

static void unrecord(struct ref_preserved *preserved, struct ref_outgoing *out)
{
	struct ref_preserved_hwpt *held;

	mutex_lock(&out->lock);
	list_for_each_entry_reverse(held, &preserved->hwpts, list)
		unpreserve_domain(held, out);
	if (preserved->owner)
		ref_slot_free(out, preserved->owner);
	preserved->owner = NULL;
	mutex_unlock(&out->lock);
	kho_unpreserve_free(preserved->rec);
	preserved->rec = NULL;
}

static int record(struct ref_preserved *preserved, struct ref_outgoing *out)
{
	const u64 size = sizeof(*preserved->rec) +
			 preserved->nr_hwpts * (u64)sizeof(struct ref_iommufd_hwpt) +
			 preserved->nr_files * 8ull;
	struct ref_iommufd *rec = kho_alloc_preserve(size);
	struct ref_preserved_hwpt *held;
	int rc;

	if (IS_ERR(rec))
		return PTR_ERR(rec);
	preserved->rec = rec;
	mutex_lock(&out->lock);
	rc = record_owner(preserved, out);
	list_for_each_entry(held, &preserved->hwpts, list) {
		if (!rc)
			rc = preserve_domain(preserved, held, out);
		if (rc)
			break;
		rec->hwpts[rec->nr_hwpts++] = (struct ref_iommufd_hwpt){
			.token = held->rec->hwpt_token,
			.domain_id = held->rec->id,
		};
	}
	mutex_unlock(&out->lock);
	if (rc) {
		unrecord(preserved, out);
		return rc;
	}
	rec->owner_id = preserved->owner_id;
	rec->nr_files = preserved->nr_files;
	if (preserved->nr_files)
		memcpy(&rec->hwpts[rec->nr_hwpts], preserved->file_tokens,
		       preserved->nr_files * 8ull);
	ref_seal(&rec->hdr, REF_MAGIC_IOMMUFD, size);
	return 0;
}

static int preserve_locked(struct ref_preserved *preserved, struct iommufd_ctx *ictx)
{
	struct ref_preserved_hwpt *held;
	struct ref_outgoing *out;
	int rc;

	rc = ref_outgoing_get(&out);
	if (rc)
		return rc;
	rc = hold_marked_hwpts(preserved, ictx);
	if (rc)
		goto put;
	set_gates(preserved, true);
	list_for_each_entry(held, &preserved->hwpts, list) {
		rc = ref_check_hwpt(preserved, held->hwpt);
		if (rc)
			goto open_gates;
	}
	rc = record(preserved, out);
	if (!rc)
		return 0;
open_gates:
	set_gates(preserved, false);
put:
	put_hwpts(preserved, ictx);
	return rc;
}

int ref_iommufd_preserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(args->file);
	struct ref_preserved *preserved;
	struct ref_ctx *rctx;
	int rc;

	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	rctx = ictx->design_data;
	preserved = kzalloc(sizeof(*preserved), GFP_KERNEL);
	if (!preserved) {
		rc = -ENOMEM;
		goto put_ctx;
	}
	preserved->session = args->session;
	INIT_LIST_HEAD(&preserved->hwpts);

	mutex_lock(&rctx->lock);
	rc = rctx->preserved || rctx->restored ? -EBUSY : preserve_locked(preserved, ictx);
	if (!rc)
		WRITE_ONCE(rctx->preserved, preserved);
	mutex_unlock(&rctx->lock);
	if (!rc) {
		args->serialized_data = virt_to_phys(preserved->rec);
		args->private_data = preserved;
		preserved = NULL;
	}
	if (preserved)
		kfree(preserved->file_tokens);
	kfree(preserved);
put_ctx:
	iommufd_ctx_put(ictx);
	return rc;
}

/*
 * Now the file is on the session's list and has a token, and nothing of the domain moves any more.
 */
int ref_iommufd_freeze(struct liveupdate_file_op_args *args)
{
	struct ref_preserved *preserved = args->private_data;
	struct ref_preserved_hwpt *held;
	int rc;

	rc = liveupdate_get_token_outgoing(args->session, args->file, &preserved->token);
	if (rc)
		return rc;
	preserved->owner->iommufd_token = preserved->token;
	ref_seal(&preserved->owner->hdr, REF_MAGIC_OWNER, sizeof(*preserved->owner));
	list_for_each_entry(held, &preserved->hwpts, list) {
		const struct iommu_domain *domain = held->hwpt->common.domain;

		held->rec->did = domain->did;
		held->rec->flags = domain->dirty_tracking ? REF_DOMAIN_DIRTY_TRACKING : 0;
		ref_seal(&held->rec->hdr, REF_MAGIC_DOMAIN, sizeof(*held->rec));
	}
	return 0;
}

/* LUO undoes files in reverse: no device of this iommufd is preserved any more. */
void ref_iommufd_unpreserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(args->file);
	struct ref_preserved *preserved = args->private_data;
	struct ref_outgoing *out;
	struct ref_ctx *rctx;

	if (WARN_ON(IS_ERR(ictx)))
		return;
	rctx = ictx->design_data;
	mutex_lock(&rctx->lock);
	if (!WARN_ON(ref_outgoing_get(&out)))
		unrecord(preserved, out);
	set_gates(preserved, false);
	WRITE_ONCE(rctx->preserved, NULL);
	put_hwpts(preserved, ictx);
	mutex_unlock(&rctx->lock);
	kfree(preserved->file_tokens);
	kfree(preserved);
	iommufd_ctx_put(ictx);
}
