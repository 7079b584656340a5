/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * IOAS_COPY: new areas on the pages objects of old ones. The source may be any range that complete
 * areas cover without a gap; each piece becomes an area of its own, and they lie side by side. What
 * is pinned already is neither pinned nor charged again.
 *
 * Whether the copy may be writable is up to the pages object, that is, to the MAP that made it; the
 * permissions of the source area do not matter.
 */
#include "lib/iommufd/selftest.h"

/* One element of the list for each piece of [iova, last]. */
static int collect_pieces(struct io_pagetable *iopt, iova_t iova, iova_t last,
			  struct list_head *list)
{
	iova_t at = iova;

	for (;;) {
		struct iopt_area *area = iopt_area_iter_first(iopt, at, at);
		struct iopt_pages_list *elm;
		iova_t piece_last;

		if (!area || !area->pages)
			return -ENOENT;
		elm = kzalloc(sizeof(*elm), GFP_KERNEL_ACCOUNT);
		if (!elm)
			return -ENOMEM;
		piece_last = min(last, area->last);
		elm->start_byte = iopt_area_start_byte(area, at);
		elm->length = piece_last - at + 1;
		elm->pages = area->pages;
		iopt_get_pages(elm->pages);
		list_add_tail(&elm->next, list);
		if (piece_last == last)
			return 0;
		at = piece_last + 1;
	}
}

/* On failure the list may hold some pieces. */
static int get_pieces(struct io_pagetable *iopt, iova_t iova, u64 length, struct list_head *list)
{
	iova_t last;
	int rc;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;
	down_read(&iopt->iova_rwsem);
	rc = collect_pieces(iopt, iova, last, list);
	up_read(&iopt->iova_rwsem);
	return rc;
}

static int check_copy(const struct iommu_ioas_copy *cmd)
{
	const u32 known = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			  IOMMU_IOAS_MAP_READABLE;

	if (cmd->flags & ~known)
		return -EOPNOTSUPP;
	if (cmd->length >= U64_MAX || cmd->src_iova >= U64_MAX || cmd->dst_iova >= U64_MAX)
		return -EOVERFLOW;
	if (!(cmd->flags & (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)))
		return -EINVAL;
	return 0;
}

static int map_pieces(struct iommufd_ucmd *ucmd, struct list_head *list)
{
	struct iommu_ioas_copy *cmd = ucmd->cmd;
	iova_t iova = cmd->dst_iova;
	struct iommufd_ioas *ioas;
	int prot = IOMMU_CACHE;
	int rc;

	if (cmd->flags & IOMMU_IOAS_MAP_WRITEABLE)
		prot |= IOMMU_WRITE;
	if (cmd->flags & IOMMU_IOAS_MAP_READABLE)
		prot |= IOMMU_READ;
	ioas = iommufd_get_ioas(ucmd->ictx, cmd->dst_ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iopt_map_pages(&ioas->iopt, list, cmd->length, &iova, prot,
			    cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA ? 0 : IOPT_ALLOC_IOVA);
	if (!rc) {
		cmd->dst_iova = iova;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc;
}

int iommufd_ioas_copy(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_copy *cmd = ucmd->cmd;
	u64 src_iova = cmd->src_iova;
	struct iommufd_ioas *ioas;
	u32 flags = cmd->flags;
	LIST_HEAD(list);
	int rc;

	iommufd_test_syz_conv_iova_id(ucmd, cmd->src_ioas_id, &src_iova, &flags);
	cmd->flags = flags;
	cmd->src_iova = src_iova;
	rc = check_copy(cmd);
	if (rc)
		return rc;
	ioas = iommufd_get_ioas(ucmd->ictx, cmd->src_ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = get_pieces(&ioas->iopt, cmd->src_iova, cmd->length, &list);
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	if (!rc)
		rc = map_pieces(ucmd, &list);
	iopt_free_pages_list(&list);
	return rc;
}
