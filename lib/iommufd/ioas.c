/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The ioctls on an IOAS: what the user gave is checked here, in Linux's order, before anything
 * changes (Linux: drivers/iommu/iommufd/ioas.c). COPY has a file of its own.
 *
 * MAP, MAP_FILE and UNMAP whose answer cannot be written back fail with -EFAULT and stay done.
 */
#include "lib/iommufd/io_pagetable.h"

struct iommufd_ioas *iommufd_get_ioas(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_IOAS);

	if (IS_ERR(obj))
		return (void *)obj;
	return container_of(obj, struct iommufd_ioas, obj);
}

void iommufd_ioas_destroy(struct iommufd_object *obj)
{
	struct iommufd_ioas *ioas = container_of(obj, struct iommufd_ioas, obj);
	u64 unmapped;
	int rc;

	/* An IOAS that failed to come into being has no table. */
	if (!ioas->iopt.areas)
		return;
	rc = iopt_unmap_all(&ioas->iopt, &unmapped);
	WARN_ON(rc && rc != -ENOENT);
	iopt_destroy_table(&ioas->iopt);
}

int iommufd_ioas_alloc_ioctl(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_alloc *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = iommufd_object_alloc(ucmd->ictx, sizeof(*ioas), IOMMUFD_OBJ_IOAS, &obj);
	if (rc)
		return rc;
	ioas = container_of(obj, struct iommufd_ioas, obj);
	ioas->ictx = ucmd->ictx;
	mutex_init(&ioas->mutex);
	INIT_LIST_HEAD(&ioas->hwpt_list);
	rc = iopt_init_table(&ioas->iopt);
	if (rc)
		goto err_abort;
	cmd->out_ioas_id = obj->id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_abort;
	down_read(&ucmd->ictx->ioas_creation_lock);
	iommufd_object_finalize(ucmd->ictx, obj);
	up_read(&ucmd->ictx->ioas_creation_lock);
	return 0;

err_abort:
	iommufd_object_abort_and_destroy(ucmd->ictx, obj);
	return rc;
}

struct ranges_out {
	uva_t to;
	u32 room, nr;
};

static int ranges_add(void *ctx, iova_t first, iova_t last)
{
	struct ranges_out *out = ctx;
	struct iommu_iova_range range = { .start = first, .last = last };

	if (out->nr < out->room &&
	    copy_to_user(out->to + out->nr * sizeof(range), &range, sizeof(range)))
		return -EFAULT;
	out->nr++;
	return 0;
}

int iommufd_ioas_iova_ranges(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_iova_ranges *cmd = ucmd->cmd;
	struct ranges_out out = { .to = cmd->allowed_iovas, .room = cmd->num_iovas };
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	down_read(&ioas->iopt.iova_rwsem);
	cmd->out_iova_alignment = ioas->iopt.iova_alignment;
	rc = iopt_for_each_usable(&ioas->iopt, ranges_add, &out);
	if (rc)
		goto out_put;
	cmd->num_iovas = out.nr;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc && out.nr > out.room)
		rc = -EMSGSIZE;
out_put:
	up_read(&ioas->iopt.iova_rwsem);
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc;
}

/* Reads the list in the order the user gave, and keeps it sorted. */
static int load_allowed(uva_t from, u32 nr, struct list_head *allowed)
{
	struct iommu_iova_range range;
	struct iopt_allowed *new, *a;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (copy_from_user(&range, from + (u64)i * sizeof(range), sizeof(range)))
			return -EFAULT;
		if (range.start >= range.last)
			return -EINVAL;
		/* From the end: lists usually come sorted. */
		list_for_each_entry_reverse(a, allowed, item)
			if (a->first <= range.last)
				break;
		if (&a->item != allowed && a->last >= range.start)
			return -EINVAL;
		new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
		if (!new)
			return -ENOMEM;
		new->first = range.start;
		new->last = range.last;
		list_add(&new->item, &a->item);
	}
	return 0;
}

int iommufd_ioas_allow_iovas(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_allow_iovas *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	LIST_HEAD(allowed);
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = load_allowed(cmd->allowed_iovas, cmd->num_iovas, &allowed);
	if (!rc)
		rc = iopt_set_allow_iova(&ioas->iopt, &allowed);
	iopt_free_allowed(&allowed);
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc;
}

static int conv_iommu_prot(u32 map_flags)
{
	int prot = IOMMU_CACHE;

	if (map_flags & IOMMU_IOAS_MAP_WRITEABLE)
		prot |= IOMMU_WRITE;
	if (map_flags & IOMMU_IOAS_MAP_READABLE)
		prot |= IOMMU_READ;
	return prot;
}

/* What MAP and MAP_FILE check first. */
static int check_map_flags(u32 flags, u32 reserved, iova_t iova, u64 length)
{
	const u32 known = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			  IOMMU_IOAS_MAP_READABLE;

	if ((flags & ~known) || reserved)
		return -EOPNOTSUPP;
	if (iova >= U64_MAX || length >= U64_MAX)
		return -EOVERFLOW;
	if (!(flags & (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)))
		return -EINVAL;
	return 0;
}

int iommufd_ioas_map(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map *cmd = ucmd->cmd;
	iova_t iova = cmd->iova;
	struct iommufd_ioas *ioas;
	int rc;

	rc = check_map_flags(cmd->flags, cmd->__reserved, cmd->iova, cmd->length);
	if (rc)
		return rc;
	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iopt_map_user_pages(ucmd->ictx, &ioas->iopt, &iova, cmd->user_va, cmd->length,
				 conv_iommu_prot(cmd->flags),
				 cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA ? 0 : IOPT_ALLOC_IOVA);
	if (!rc) {
		cmd->iova = iova;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc;
}

int iommufd_ioas_map_file(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map_file *cmd = ucmd->cmd;
	iova_t iova = cmd->iova;
	struct iommufd_ioas *ioas;
	int rc;

	rc = check_map_flags(cmd->flags, 0, cmd->iova, cmd->length);
	if (rc)
		return rc;
	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iopt_map_file_pages(ucmd->ictx, &ioas->iopt, &iova, cmd->fd, cmd->start, cmd->length,
				 conv_iommu_prot(cmd->flags),
				 cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA ? 0 : IOPT_ALLOC_IOVA);
	if (!rc) {
		cmd->iova = iova;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc;
}

/* Everything only by the literal pair (0, U64_MAX), which also succeeds on an empty IOAS. */
static int unmap_what(struct io_pagetable *iopt, iova_t iova, u64 length, u64 *unmapped)
{
	int rc;

	if (iova == 0 && length == U64_MAX)
		return iopt_unmap_all(iopt, unmapped);
	if (iova >= U64_MAX || length >= U64_MAX)
		return -EOVERFLOW;
	rc = iopt_unmap_iova(iopt, iova, length, unmapped);
	if (!rc && !*unmapped)
		rc = -ENOENT;
	return rc;
}

int iommufd_ioas_unmap(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_unmap *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	u64 unmapped = 0;
	int rc;

	ioas = iommufd_get_ioas(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = unmap_what(&ioas->iopt, cmd->iova, cmd->length, &unmapped);
	if (!rc) {
		cmd->length = unmapped;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc;
}
