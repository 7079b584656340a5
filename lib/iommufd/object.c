/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Objects: one id space per context, lowest free id from 1. An id is taken when creation begins and
 * is visible once creation succeeded; until then every lookup says -ENOENT.
 *
 * Two counts. users: the table's own, and one for everything that needs the object to stay; an
 * object goes only when the table's is the last. wait_cnt: those who are inside a call right now;
 * removal waits for them.
 *
 * A tombstone is an id that stays reserved until the context goes: never found, never used again. A
 * vDEVICE leaves one behind when its device is unbound first, because the user still has the id.
 *
 * An object with a file (fault and event queues) is held by it: while the file is open nobody can
 * destroy the object, and a creation that fails closes the file before the object goes.
 *
 * Linux: the object part of drivers/iommu/iommufd/main.c.
 *
 * Unlike Linux: a removal never has to wait. A task that runs to completion holds no reference when
 * another one starts, and with an explorer a transient user makes the removal fail with -EBUSY just
 * as it does there; a short-term user seen after that is a bug of ours.
 */
#include "lib/iommufd/iommufd_private.h"

#include "lib/iommufd/access.h"
#include "lib/iommufd/eventq.h"
#include "lib/iommufd/selftest.h"

struct iommufd_object_ops {
	size_t file_offset;             /* of a struct file *; 0: none */
	/* Makes those who hold wait_cnt for long let go. NULL: there are none. */
	void (*pre_destroy)(struct iommufd_object *obj);
	void (*destroy)(struct iommufd_object *obj);
	void (*abort)(struct iommufd_object *obj);      /* NULL: destroy */
};

static const struct iommufd_object_ops iommufd_object_ops[] = {
	[IOMMUFD_OBJ_ACCESS] = { .destroy = iommufd_access_destroy_object },
	[IOMMUFD_OBJ_DEVICE] = {
		.pre_destroy = iommufd_device_pre_destroy,
		.destroy = iommufd_device_destroy,
	},
	[IOMMUFD_OBJ_FAULT] = {
		.file_offset = offsetof(struct iommufd_fault, common.filep),
		.destroy = iommufd_fault_destroy,
	},
	[IOMMUFD_OBJ_HW_QUEUE] = { .destroy = iommufd_hw_queue_destroy },
	[IOMMUFD_OBJ_HWPT_NESTED] = { .destroy = iommufd_hwpt_nested_destroy },
	[IOMMUFD_OBJ_HWPT_PAGING] = {
		.destroy = iommufd_hwpt_paging_destroy,
		.abort = iommufd_hwpt_paging_abort,
	},
	[IOMMUFD_OBJ_IOAS] = { .destroy = iommufd_ioas_destroy },
	[IOMMUFD_OBJ_SELFTEST] = {
		.destroy = iommufd_selftest_destroy,
		.abort = iommufd_selftest_abort,
	},
	[IOMMUFD_OBJ_VDEVICE] = {
		.destroy = iommufd_vdevice_destroy,
		.abort = iommufd_vdevice_abort,
	},
	[IOMMUFD_OBJ_VEVENTQ] = {
		.file_offset = offsetof(struct iommufd_veventq, common.filep),
		.destroy = iommufd_veventq_destroy,
		.abort = iommufd_veventq_abort,
	},
	[IOMMUFD_OBJ_VIOMMU] = { .destroy = iommufd_viommu_destroy },
};

int iommufd_object_alloc(struct iommufd_ctx *ictx, size_t size, enum iommufd_object_type type,
			 struct iommufd_object **out)
{
	struct iommufd_object *obj = kzalloc(size, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!obj)
		return -ENOMEM;
	obj->type = type;
	obj->users = 1;
	obj->wait_cnt = 1;
	rc = xa_alloc(&ictx->objects, &obj->id, NULL, XA_LIMIT(1, 0x7fffffff), GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(obj);
		return rc;
	}
	*out = obj;
	return 0;
}

int iommufd_object_alloc_ucmd(struct iommufd_ucmd *ucmd, size_t size, enum iommufd_object_type type,
			      struct iommufd_object **out)
{
	int rc;

	assert(!ucmd->new_obj && !iommufd_object_ops[type].abort);
	rc = iommufd_object_alloc(ucmd->ictx, size, type, out);
	if (!rc)
		ucmd->new_obj = *out;
	return rc;
}

void iommufd_object_finalize(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	void *old = xa_store(&ictx->objects, obj->id, obj, GFP_KERNEL);

	/* The slot was reserved: storing needs no memory. */
	assert(!old);
}

void iommufd_object_abort_and_destroy(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	const struct iommufd_object_ops *ops = &iommufd_object_ops[obj->type];
	struct file *file = NULL;

	if (ops->file_offset)
		file = *(struct file **)((u8 *)obj + ops->file_offset);
	/* Nobody else has seen it: its release runs here and gives up the file's reference. */
	if (file)
		fput(file);
	if (ops->abort)
		ops->abort(obj);
	else
		ops->destroy(obj);
	xa_release(&ictx->objects, obj->id);
	assert(obj->users == 1);
	kfree(obj);
}

bool ifs_iommufd_lock_obj(struct iommufd_object *obj)
{
	if (!obj->users)
		return false;
	obj->users++;
	obj->wait_cnt++;
	return true;
}

struct iommufd_object *ifs_iommufd_get_object(struct iommufd_ctx *ictx, u32 id,
					      enum iommufd_object_type type)
{
	struct iommufd_object *obj;

	if (iommufd_should_fail(FAIL_IOMMUFD_GET_OBJECT))
		return ERR_PTR(-ENOENT);
	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (!obj || (type != IOMMUFD_OBJ_ANY && obj->type != type) || !iommufd_lock_obj(obj))
		obj = ERR_PTR(-ENOENT);
	xa_unlock(&ictx->objects);
	return obj;
}

void ifs_iommufd_put_object(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	/* wait_cnt: removal may have taken the table's part already. */
	assert(obj->users > 1 && obj->wait_cnt);
	obj->users--;
	obj->wait_cnt--;
}

int iommufd_try_inc_users(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	bool there;

	xa_lock(&ictx->objects);
	there = xa_load(&ictx->objects, obj->id) == obj;
	if (there)
		obj->users++;
	xa_unlock(&ictx->objects);
	return there ? 0 : -EBUSY;
}

/* Takes the table's part of wait_cnt; whoever else holds one must give it up now. */
static void iommufd_object_dec_wait(struct iommufd_object *obj)
{
	const struct iommufd_object_ops *ops = &iommufd_object_ops[obj->type];

	obj->wait_cnt--;
	if (obj->wait_cnt && ops->pre_destroy)
		ops->pre_destroy(obj);
	WARN_ON(obj->wait_cnt);
}

/* The object left the table and nobody uses it: its type's destroy, and its memory. */
static void iommufd_object_reap(struct iommufd_object *obj)
{
	iommufd_object_ops[obj->type].destroy(obj);
	kfree(obj);
}

/*
 * Takes the object out of the table if the table's is its last reference (-EBUSY). Needs the
 * table's lock.
 */
static int iommufd_object_unlink(struct iommufd_ctx *ictx, struct iommufd_object *obj,
				 bool tombstone)
{
	if (obj->users != 1)
		return -EBUSY;
	obj->users = 0;
	/* Storing NULL keeps the id reserved, and needs no memory. */
	if (tombstone)
		__xa_store(&ictx->objects, obj->id, NULL, GFP_KERNEL);
	else
		__xa_erase(&ictx->objects, obj->id);
	if (ictx->vfio_ioas == container_of(obj, struct iommufd_ioas, obj))
		ictx->vfio_ioas = NULL;
	return 0;
}

/*
 * A restored HWPT that devices still run on, attached since the previous kernel: it stays, or they
 * would lose their tables.
 */
static bool iommufd_object_is_live(const struct iommufd_object *obj)
{
	const struct iommufd_hwpt_paging *hwpt;

	if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
		return false;
	hwpt = container_of(obj, const struct iommufd_hwpt_paging, common.obj);
	return !hwpt->ioas && hwpt->common.domain && hwpt->common.domain->nr_attached;
}

int iommufd_object_remove(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;
	int rc = -ENOENT;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (obj)
		rc = iommufd_gate(destroy_gate, ictx, obj);
	if (!rc && iommufd_object_is_live(obj))
		rc = -EBUSY;
	if (!rc)
		rc = iommufd_object_unlink(ictx, obj, false);
	xa_unlock(&ictx->objects);
	if (rc)
		return rc;
	iommufd_object_dec_wait(obj);
	iommufd_object_reap(obj);
	return 0;
}

/* First whoever holds wait_cnt lets go, then the object must be the owner's alone. */
static void object_destroy_owned(struct iommufd_ctx *ictx, struct iommufd_object *obj,
				 bool tombstone)
{
	int rc;

	iommufd_object_dec_wait(obj);
	xa_lock(&ictx->objects);
	obj->users--;
	rc = iommufd_object_unlink(ictx, obj, tombstone);
	if (rc)
		obj->wait_cnt = 1;
	xa_unlock(&ictx->objects);
	if (!WARN_ON(rc))
		iommufd_object_reap(obj);
}

void iommufd_object_destroy_user(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	object_destroy_owned(ictx, obj, false);
}

void iommufd_object_tombstone_user(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	object_destroy_owned(ictx, obj, true);
}

void iommufd_object_put_and_try_destroy(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	int rc;

	xa_lock(&ictx->objects);
	obj->users--;
	rc = iommufd_object_unlink(ictx, obj, false);
	xa_unlock(&ictx->objects);
	if (rc)
		return;
	iommufd_object_dec_wait(obj);
	iommufd_object_reap(obj);
}

void iommufd_objects_destroy_all(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	u64 index;

	/* Not until xa_empty(): tombstones stay in the table, and a walk does not show them. */
	for (;;) {
		bool destroyed = false, empty = true;

		xa_for_each(&ictx->objects, index, obj) {
			empty = false;
			if (obj->users != 1)
				continue;
			obj->users = 0;
			destroyed = true;
			xa_erase(&ictx->objects, index);
			iommufd_object_dec_wait(obj);
			iommufd_object_reap(obj);
		}
		if (empty || WARN_ON(!destroyed))
			return;
	}
}

int iommufd_destroy(struct iommufd_ucmd *ucmd)
{
	struct iommu_destroy *cmd = ucmd->cmd;

	return iommufd_object_remove(ucmd->ictx, cmd->id);
}
