/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Objects: one id space per context, lowest free id from 1. An id is taken when creation begins and
 * is visible once creation succeeded; until then every lookup says -ENOENT.
 *
 * Two counts. users: the table's own, and one for everything that needs the object to stay; an
 * object goes only when the table's is the last. wait_cnt: those who are inside a call right now;
 * removal waits for them.
 *
 * Linux: the object part of drivers/iommu/iommufd/main.c. Left out: tombstones, which only a
 * vDEVICE leaves behind.
 *
 * Unlike Linux: a removal never has to wait. A task that runs to completion holds no reference when
 * another one starts, and with an explorer a transient user makes the removal fail with -EBUSY just
 * as it does there; a short-term user seen after that is a bug of ours.
 */
#include "lib/iommufd/iommufd_private.h"

#include "lib/iommufd/io_pagetable.h"

struct iommufd_object_ops {
	void (*destroy)(struct iommufd_object *obj);
	void (*abort)(struct iommufd_object *obj);      /* NULL: destroy */
};

static const struct iommufd_object_ops iommufd_object_ops[] = {
	[IOMMUFD_OBJ_DEVICE] = { .destroy = iommufd_device_destroy },
	[IOMMUFD_OBJ_HWPT_PAGING] = {
		.destroy = iommufd_hwpt_paging_destroy,
		.abort = iommufd_hwpt_paging_abort,
	},
	[IOMMUFD_OBJ_IOAS] = { .destroy = iommufd_ioas_destroy },
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

void iommufd_object_finalize(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	void *old = xa_store(&ictx->objects, obj->id, obj, GFP_KERNEL);

	/* The slot was reserved: storing needs no memory. */
	assert(!old);
}

void iommufd_object_abort_and_destroy(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	const struct iommufd_object_ops *ops = &iommufd_object_ops[obj->type];

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

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (!obj || (type != IOMMUFD_OBJ_ANY && obj->type != type) || !iommufd_lock_obj(obj))
		obj = ERR_PTR(-ENOENT);
	xa_unlock(&ictx->objects);
	return obj;
}

void ifs_iommufd_put_object(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	assert(obj->users > 1 && obj->wait_cnt > 1);
	obj->users--;
	obj->wait_cnt--;
}

/* The object left the table and nobody uses it: its type's destroy, and its memory. */
static void iommufd_object_reap(struct iommufd_object *obj)
{
	obj->wait_cnt--;
	WARN_ON(obj->wait_cnt);
	iommufd_object_ops[obj->type].destroy(obj);
	kfree(obj);
}

/*
 * Takes the object out of the table if the table's is its last reference (-EBUSY). Needs the
 * table's lock.
 */
static int iommufd_object_unlink(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	if (obj->users != 1)
		return -EBUSY;
	obj->users = 0;
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
		rc = iommufd_object_unlink(ictx, obj);
	xa_unlock(&ictx->objects);
	if (rc)
		return rc;
	iommufd_object_reap(obj);
	return 0;
}

void iommufd_object_destroy_user(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	int rc;

	xa_lock(&ictx->objects);
	obj->users--;
	rc = iommufd_object_unlink(ictx, obj);
	xa_unlock(&ictx->objects);
	if (!WARN_ON(rc))
		iommufd_object_reap(obj);
}

void iommufd_object_put_and_try_destroy(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	int rc;

	xa_lock(&ictx->objects);
	obj->users--;
	rc = iommufd_object_unlink(ictx, obj);
	xa_unlock(&ictx->objects);
	if (!rc)
		iommufd_object_reap(obj);
}

void iommufd_objects_destroy_all(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	u64 index;

	while (!xa_empty(&ictx->objects)) {
		bool destroyed = false;

		xa_for_each(&ictx->objects, index, obj) {
			if (obj->users != 1)
				continue;
			obj->users = 0;
			destroyed = true;
			xa_erase(&ictx->objects, index);
			iommufd_object_reap(obj);
		}
		if (WARN_ON(!destroyed))
			return;
	}
}

int iommufd_destroy(struct iommufd_ucmd *ucmd)
{
	struct iommu_destroy *cmd = ucmd->cmd;

	return iommufd_object_remove(ucmd->ictx, cmd->id);
}
