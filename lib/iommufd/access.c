/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Access objects: users of an IOAS inside the kernel (Linux: the access part of
 * drivers/iommu/iommufd/device.c). Userspace never sees them, but each takes an id.
 *
 * An access that pins asks for page alignment, which raises that of the whole IOVA space for as
 * long as it is attached. What it pinned keeps areas from going: an unmap first forbids new pins
 * (prevent_access), then asks through the callback, then looks again. iommufd's own accesses are
 * not asked; they lock their areas.
 *
 * While an access moves to another IOAS, ioas is NULL, so that nothing is pinned any more;
 * ioas_unpin still names the old one, because the callback unpins.
 */
#include "lib/iommufd/access.h"

/* NULL @new_ioas: detach. Needs ioas_lock, and drops it around the callback. */
static int access_change_ioas(struct iommufd_access *access, struct iommufd_ioas *new_ioas)
{
	u32 old_list_id = access->iopt_access_list_id;
	struct iommufd_ioas *cur_ioas = access->ioas;
	int rc;

	lockdep_assert_held(&access->ioas_lock);
	if (cur_ioas != access->ioas_unpin)
		return -EBUSY;          /* somebody else is moving it */
	if (cur_ioas == new_ioas)
		return 0;
	access->ioas = NULL;
	if (new_ioas) {
		rc = iopt_add_access(&new_ioas->iopt, access, &access->iopt_access_list_id);
		if (rc) {
			access->ioas = cur_ioas;
			return rc;
		}
		new_ioas->obj.users++;
	}
	if (cur_ioas) {
		if (!iommufd_access_is_internal(access) && access->ops->unmap) {
			mutex_unlock(&access->ioas_lock);
			access->ops->unmap(access->data, 0, U64_MAX);
			mutex_lock(&access->ioas_lock);
		}
		iopt_remove_access(&cur_ioas->iopt, access, old_list_id);
		cur_ioas->obj.users--;
	}
	access->ioas = new_ioas;
	access->ioas_unpin = new_ioas;
	return 0;
}

static int access_change_ioas_id(struct iommufd_access *access, u32 id)
{
	struct iommufd_ioas *ioas = iommufd_get_ioas(access->ictx, id);
	int rc;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = access_change_ioas(access, ioas);
	iommufd_put_object(access->ictx, &ioas->obj);
	return rc;
}

void iommufd_access_destroy_object(struct iommufd_object *obj)
{
	struct iommufd_access *access = container_of(obj, struct iommufd_access, obj);

	mutex_lock(&access->ioas_lock);
	if (access->ioas)
		WARN_ON(access_change_ioas(access, NULL));
	mutex_unlock(&access->ioas_lock);
	mutex_destroy(&access->ioas_lock);
	if (!iommufd_access_is_internal(access))
		iommufd_ctx_put(access->ictx);
}

static int access_new(struct iommufd_ctx *ictx, struct iommufd_access **out)
{
	struct iommufd_object *obj;
	int rc = iommufd_object_alloc(ictx, sizeof(**out), IOMMUFD_OBJ_ACCESS, &obj);

	if (rc)
		return rc;
	*out = container_of(obj, struct iommufd_access, obj);
	/* The caller's, until iommufd_access_destroy(). */
	obj->users++;
	mutex_init(&(*out)->ioas_lock);
	return 0;
}

int iommufd_access_create_internal(struct iommufd_ctx *ictx, struct iommufd_access **out)
{
	int rc = access_new(ictx, out);

	if (rc)
		return rc;
	(*out)->iova_alignment = PAGE_SIZE;
	iommufd_object_finalize(ictx, &(*out)->obj);
	return 0;
}

void iommufd_access_destroy_internal(struct iommufd_ctx *ictx, struct iommufd_access *access)
{
	iommufd_object_destroy_user(ictx, &access->obj);
}

int iommufd_access_create(struct iommufd_ctx *ictx, const struct iommufd_access_ops *ops,
			  void *data, u32 *id, struct iommufd_access **out)
{
	struct iommufd_access *access;
	int rc = access_new(ictx, &access);

	if (rc)
		return rc;
	access->data = data;
	access->ops = ops;
	access->iova_alignment = ops->needs_pin_pages ? PAGE_SIZE : 1;
	access->ictx = ictx;
	get_file(ictx->file);
	iommufd_object_finalize(ictx, &access->obj);
	*id = access->obj.id;
	*out = access;
	return 0;
}

void iommufd_access_destroy(struct iommufd_access *access)
{
	iommufd_object_destroy_user(access->ictx, &access->obj);
}

int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id)
{
	int rc = -EINVAL;

	mutex_lock(&access->ioas_lock);
	if (!WARN_ON(access->ioas))
		rc = access_change_ioas_id(access, ioas_id);
	mutex_unlock(&access->ioas_lock);
	return rc;
}

int iommufd_access_attach_internal(struct iommufd_access *access, struct iommufd_ioas *ioas)
{
	int rc = -EINVAL;

	mutex_lock(&access->ioas_lock);
	if (!WARN_ON(access->ioas))
		rc = access_change_ioas(access, ioas);
	mutex_unlock(&access->ioas_lock);
	return rc;
}

int iommufd_access_replace(struct iommufd_access *access, u32 ioas_id)
{
	int rc = -ENOENT;

	mutex_lock(&access->ioas_lock);
	if (access->ioas)
		rc = access_change_ioas_id(access, ioas_id);
	mutex_unlock(&access->ioas_lock);
	return rc;
}

void iommufd_access_detach(struct iommufd_access *access)
{
	mutex_lock(&access->ioas_lock);
	if (!WARN_ON(!access->ioas))
		WARN_ON(access_change_ioas(access, NULL));
	mutex_unlock(&access->ioas_lock);
}

void iommufd_access_detach_internal(struct iommufd_access *access)
{
	iommufd_access_detach(access);
}

void iommufd_access_notify_unmap(struct io_pagetable *iopt, iova_t iova, u64 length)
{
	struct iommufd_access *access;
	u64 index;

	xa_lock(&iopt->access_list);
	xa_for_each(&iopt->access_list, index, access) {
		if (iommufd_access_is_internal(access) || !iommufd_lock_obj(&access->obj))
			continue;
		xa_unlock(&iopt->access_list);
		access->ops->unmap(access->data, iova, length);
		iommufd_put_object(access->ictx, &access->obj);
		xa_lock(&iopt->access_list);
	}
	xa_unlock(&iopt->access_list);
}

/* Unpins [iova, last], which lies in complete areas without a gap. Needs iova_rwsem. */
static void unpin_range(struct io_pagetable *iopt, iova_t iova, iova_t last, bool internal)
{
	for (;;) {
		struct iopt_area *area = iopt_area_iter_first(iopt, iova, iova);
		iova_t piece_last;

		if (WARN_ON(!area || !area->pages))
			return;
		piece_last = min(last, area->last);
		iopt_area_remove_access(area, iopt_area_start_byte(area, iova) / PAGE_SIZE,
					iopt_area_start_byte(area, piece_last) / PAGE_SIZE,
					internal);
		if (piece_last == last)
			return;
		iova = piece_last + 1;
	}
}

void iommufd_access_unpin_pages(struct iommufd_access *access, iova_t iova, u64 length)
{
	struct io_pagetable *iopt;
	iova_t last;

	if (WARN_ON(!length) || WARN_ON(check_add_overflow(iova, length - 1, &last)))
		return;
	mutex_lock(&access->ioas_lock);
	if (!WARN_ON(!access->ioas_unpin)) {
		iopt = &access->ioas_unpin->iopt;
		down_read(&iopt->iova_rwsem);
		unpin_range(iopt, iova, last, iommufd_access_is_internal(access));
		up_read(&iopt->iova_rwsem);
	}
	mutex_unlock(&access->ioas_lock);
}

static bool area_allows(const struct iopt_area *area, unsigned flags)
{
	return area->iommu_prot & (flags & IOMMUFD_ACCESS_RW_WRITE ? IOMMU_WRITE : IOMMU_READ);
}

/* Pages are handed out whole, so pieces must meet at page boundaries of the backing. */
static bool piece_is_aligned(const struct iopt_area *area, iova_t iova, iova_t last)
{
	if (iopt_area_start_byte(area, iova) % PAGE_SIZE)
		return false;
	return last <= area->last ||
	       iopt_area_start_byte(area, area->last) % PAGE_SIZE == PAGE_SIZE - 1;
}

/* The pieces of [iova, last] one after the other. *@done: what is pinned lies before it. */
static int pin_range(struct io_pagetable *iopt, iova_t iova, iova_t last, pa_t *out, unsigned flags,
		     bool internal, iova_t *done)
{
	for (*done = iova;;) {
		struct iopt_area *area = iopt_area_iter_first(iopt, *done, *done);
		u64 first_index, last_index;
		iova_t piece_last;
		int rc;

		if (!area || !area->pages)
			return -ENOENT;
		if (area->prevent_access || !piece_is_aligned(area, *done, last))
			return -EINVAL;
		if (!area_allows(area, flags))
			return -EPERM;
		piece_last = min(last, area->last);
		first_index = iopt_area_start_byte(area, *done) / PAGE_SIZE;
		last_index = iopt_area_start_byte(area, piece_last) / PAGE_SIZE;
		rc = iopt_area_add_access(area, first_index, last_index, out, flags, internal);
		if (rc)
			return rc;
		if (out)
			out += last_index - first_index + 1;
		if (piece_last == last)
			return 0;
		*done = piece_last + 1;
	}
}

int iommufd_access_pin_pages(struct iommufd_access *access, iova_t iova, u64 length, pa_t *out,
			     unsigned flags)
{
	bool internal = iommufd_access_is_internal(access);
	struct io_pagetable *iopt;
	iova_t last, done;
	int rc = -ENOENT;

	if (WARN_ON(access->iova_alignment != PAGE_SIZE || (!internal && !access->ops->unmap)))
		return -EINVAL;
	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	mutex_lock(&access->ioas_lock);
	if (!access->ioas)
		goto out_unlock;
	iopt = &access->ioas->iopt;
	down_read(&iopt->iova_rwsem);
	rc = pin_range(iopt, iova, last, out, flags, internal, &done);
	if (rc && done > iova)
		unpin_range(iopt, iova, done - 1, internal);
	up_read(&iopt->iova_rwsem);
out_unlock:
	mutex_unlock(&access->ioas_lock);
	return rc;
}

static int rw_range(struct io_pagetable *iopt, iova_t iova, iova_t last, u8 *data, unsigned flags)
{
	for (;;) {
		struct iopt_area *area = iopt_area_iter_first(iopt, iova, iova);
		iova_t piece_last;
		u64 bytes;
		int rc;

		if (!area || !area->pages)
			return -ENOENT;
		if (area->prevent_access)
			return -EINVAL;
		if (!area_allows(area, flags))
			return -EPERM;
		piece_last = min(last, area->last);
		bytes = piece_last - iova + 1;
		rc = iopt_pages_rw_access(area->pages, iopt_area_start_byte(area, iova), data,
					  bytes, flags);
		if (rc || piece_last == last)
			return rc;
		data += bytes;
		iova = piece_last + 1;
	}
}

int iommufd_access_rw(struct iommufd_access *access, iova_t iova, void *data, u64 length,
		      unsigned flags)
{
	struct io_pagetable *iopt;
	int rc = -ENOENT;
	iova_t last;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	mutex_lock(&access->ioas_lock);
	if (access->ioas) {
		iopt = &access->ioas->iopt;
		down_read(&iopt->iova_rwsem);
		rc = rw_range(iopt, iova, last, data, flags);
		up_read(&iopt->iova_rwsem);
	}
	mutex_unlock(&access->ioas_lock);
	return rc;
}
