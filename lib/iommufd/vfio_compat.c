/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The ioctls of a VFIO container, for programs from before iommufd (Linux:
 * drivers/iommu/iommufd/vfio_compat.c). They work on the context's compat IOAS, which VFIO_IOAS
 * sets; without one they are -ENODEV.
 *
 * Type 1 differs from type 1 version 2 in that a mapping may be unmapped in part: its large pages
 * are disabled, and an unmap first cuts areas at both its ends.
 *
 * GET_INFO answers a chain of capabilities behind the structure. Each is written if it fits, and
 * the link to it as soon as there is room up to where it begins, even if it then does not fit.
 *
 * The driver that a container had before, vfio_iommu_type1, counts its mappings: the 65,536th is
 * -ENOSPC, and GET_INFO tells how many are left. iommufd counts none and tells 2^32 - 1. A kernel
 * can be booted to count (vfio_dma_entry_limit); what an unmap cuts in pieces then counts for each.
 *
 * Left out: the no-IOMMU mode, which only a VFIO group can enter.
 */
#include "lib/iommufd/access.h"
#include "lib/iommufd/io_pagetable.h"

#include <linux/vfio.h>

static struct iommufd_ioas *get_compat_ioas(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas;

	xa_lock(&ictx->objects);
	ioas = ictx->vfio_ioas;
	if (!ioas || !iommufd_lock_obj(&ioas->obj))
		ioas = ERR_PTR(-ENODEV);
	xa_unlock(&ictx->objects);
	return ioas;
}

/* Needs iova_rwsem. */
static u32 dma_avail(const struct io_pagetable *iopt)
{
	u32 limit = current->kernel->vfio_dma_entry_limit;
	u64 used = iopt->areas->tree.count;

	if (!limit)
		return 0xffffffff;
	return used < limit ? limit - (u32)used : 0;
}

/* Whoever maps over something is told of that first. */
static bool is_out_of_entries(struct io_pagetable *iopt, iova_t iova, u64 size)
{
	iova_t last;
	bool out;

	if (!size || check_add_overflow(iova, size - 1, &last))
		return false;
	down_read(&iopt->iova_rwsem);
	out = !dma_avail(iopt) && !iopt_area_iter_first(iopt, iova, last);
	up_read(&iopt->iova_rwsem);
	return out;
}

static int map_dma(struct iommufd_ctx *ictx, uva_t arg)
{
	struct vfio_iommu_type1_dma_map map;
	int prot = IOMMU_CACHE, rc;
	struct iommufd_ioas *ioas;
	iova_t iova;

	if (copy_from_user(&map, arg, sizeof(map)))
		return -EFAULT;
	if (map.argsz < sizeof(map) ||
	    (map.flags & ~(u32)(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)))
		return -EINVAL;
	/* Neither of them is fine until a page table has to be written. */
	if (map.flags & VFIO_DMA_MAP_FLAG_READ)
		prot |= IOMMU_READ;
	if (map.flags & VFIO_DMA_MAP_FLAG_WRITE)
		prot |= IOMMU_WRITE;
	ioas = get_compat_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	iova = map.iova;
	if (is_out_of_entries(&ioas->iopt, iova, map.size))
		rc = -ENOSPC;
	else
		rc = iopt_map_user_pages(ictx, &ioas->iopt, &iova, map.vaddr, map.size, prot, 0);
	iommufd_put_object(ictx, &ioas->obj);
	return rc;
}

/* *@unmapped is only good if true comes back in *@answer. */
static int unmap_range(struct io_pagetable *iopt, const struct vfio_iommu_type1_dma_unmap *unmap,
		       u64 *unmapped, bool *answer)
{
	const iova_t cuts[] = { unmap->iova + unmap->size - 1, unmap->iova - 1 };
	int rc;

	*answer = false;
	if (unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		if (unmap->iova || unmap->size)
			return -EINVAL;
		*answer = true;
		return iopt_unmap_all(iopt, unmapped);
	}
	if (iopt->disable_large_pages) {
		rc = iopt_cut_iova(iopt, cuts, unmap->iova ? 2 : 1);
		if (rc)
			return rc;
	}
	*answer = true;
	return iopt_unmap_iova(iopt, unmap->iova, unmap->size, unmapped);
}

static int unmap_dma(struct iommufd_ctx *ictx, uva_t arg)
{
	struct vfio_iommu_type1_dma_unmap unmap;
	struct iommufd_ioas *ioas;
	u64 unmapped = 0;
	bool answer;
	int rc;

	if (copy_from_user(&unmap, arg, sizeof(unmap)))
		return -EFAULT;
	if (unmap.argsz < sizeof(unmap) || (unmap.flags & ~(u32)VFIO_DMA_UNMAP_FLAG_ALL))
		return -EINVAL;
	ioas = get_compat_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = unmap_range(&ioas->iopt, &unmap, &unmapped, &answer);
	/* What was unmapped is told even if something failed after that. */
	unmap.size = unmapped;
	if (answer && copy_to_user(arg, &unmap, sizeof(unmap)))
		rc = -EFAULT;
	iommufd_put_object(ictx, &ioas->obj);
	return rc;
}

static int dma_is_cache_coherent(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas = get_compat_ioas(ictx);
	struct iommufd_hwpt_paging *hwpt;
	int coherent = 1;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	mutex_lock(&ioas->mutex);
	list_for_each_entry(hwpt, &ioas->hwpt_list, hwpt_item)
		if (!hwpt->enforce_cache_coherency)
			coherent = 0;
	mutex_unlock(&ioas->mutex);
	iommufd_put_object(ictx, &ioas->obj);
	return coherent;
}

static int check_extension(struct iommufd_ctx *ictx, u64 type)
{
	switch (type) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		return dma_is_cache_coherent(ictx);
	default:
		return 0;
	}
}

static int set_iommu(struct iommufd_ctx *ictx, u64 type)
{
	struct iommufd_ioas *ioas;
	int rc = 0;

	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return -EINVAL;
	ioas = get_compat_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (type == VFIO_TYPE1_IOMMU)
		rc = iopt_disable_large_pages(&ioas->iopt);
	iommufd_put_object(ictx, &ioas->obj);
	return rc;
}

/* The larger number of two, not the union: that is how Linux does it. */
static u64 iova_pgsizes(struct io_pagetable *iopt)
{
	struct iommu_domain *domain;
	u64 pgsizes = U64_MAX, index;

	down_read(&iopt->domains_rwsem);
	xa_for_each(&iopt->domains, index, domain)
		pgsizes &= domain->pgsize_bitmap;
	if (pgsizes & ~PAGE_MASK)
		pgsizes = (pgsizes & PAGE_MASK) | PAGE_SIZE;
	pgsizes = max(pgsizes, iopt->iova_alignment);
	up_read(&iopt->domains_rwsem);
	return pgsizes;
}

/* A capability writer: answers its size, or -EFAULT. @room 0: only the size is wanted. */
typedef s64 (*fill_cap_fn)(struct io_pagetable *iopt, uva_t at, u64 room);

static s64 fill_dma_avail(struct io_pagetable *iopt, uva_t at, u64 room)
{
	const struct vfio_iommu_type1_info_dma_avail cap = {
		.header = { .id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, .version = 1 },
		.avail = dma_avail(iopt),
	};

	if (room >= sizeof(cap) && copy_to_user(at, &cap, sizeof(cap)))
		return -EFAULT;
	return sizeof(cap);
}

struct cap_ranges {
	uva_t at;
	u64 room;
	u32 nr;
};

static u64 cap_ranges_bytes(u32 nr)
{
	return sizeof(struct vfio_iommu_type1_info_cap_iova_range) +
	       nr * sizeof(struct vfio_iova_range);
}

static int cap_ranges_add(void *ctx, iova_t first, iova_t last)
{
	const struct vfio_iova_range range = { .start = first, .end = last };
	struct cap_ranges *ranges = ctx;

	if (ranges->room >= cap_ranges_bytes(ranges->nr + 1) &&
	    copy_to_user(ranges->at + cap_ranges_bytes(ranges->nr), &range, sizeof(range)))
		return -EFAULT;
	ranges->nr++;
	return 0;
}

static s64 fill_iova_ranges(struct io_pagetable *iopt, uva_t at, u64 room)
{
	struct vfio_iommu_type1_info_cap_iova_range cap = {
		.header = { .id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, .version = 1 },
	};
	struct cap_ranges ranges = { .at = at, .room = room };
	int rc = iopt_for_each_usable(iopt, cap_ranges_add, &ranges);

	if (rc)
		return rc;
	cap.nr_iovas = ranges.nr;
	if (room >= cap_ranges_bytes(ranges.nr) && copy_to_user(at, &cap, sizeof(cap)))
		return -EFAULT;
	return (s64)cap_ranges_bytes(ranges.nr);
}

/* Writes the chain behind the structure at @arg; *@total: all that it would take. */
static int fill_caps(struct io_pagetable *iopt, uva_t arg, u32 argsz, u32 *total)
{
	static const fill_cap_fn fns[] = { fill_dma_avail, fill_iova_ranges };
	uva_t last_cap = 0;
	unsigned i;

	*total = sizeof(struct vfio_iommu_type1_info);
	for (i = 0; i < ARRAY_SIZE(fns); i++) {
		uva_t link = last_cap + offsetof(struct vfio_info_cap_header, next);
		s64 size = fns[i](iopt, arg + *total, argsz > *total ? argsz - *total : 0);

		if (size < 0)
			return (int)size;
		if (last_cap && argsz >= *total && copy_to_user(link, total, sizeof(*total)))
			return -EFAULT;
		last_cap = arg + *total;
		*total += ALIGN_UP((u64)size, sizeof(u64));
	}
	return 0;
}

static int get_info(struct iommufd_ctx *ictx, uva_t arg)
{
	const size_t min_size = offsetof(struct vfio_iommu_type1_info, cap_offset);
	struct vfio_iommu_type1_info info = { 0 };
	struct iommufd_ioas *ioas;
	u32 argsz, total;
	int rc;

	if (copy_from_user(&info, arg, min_size))
		return -EFAULT;
	argsz = info.argsz;
	if (argsz < min_size)
		return -EINVAL;
	ioas = get_compat_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = iova_pgsizes(&ioas->iopt);
	down_read(&ioas->iopt.iova_rwsem);
	rc = fill_caps(&ioas->iopt, arg, argsz, &total);
	if (!rc) {
		if (argsz >= total)
			info.cap_offset = sizeof(info);
		info.argsz = total;
		if (copy_to_user(arg, &info, min((size_t)argsz, sizeof(info))))
			rc = -EFAULT;
	}
	up_read(&ioas->iopt.iova_rwsem);
	iommufd_put_object(ictx, &ioas->obj);
	return rc;
}

long iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned cmd, uva_t arg)
{
	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(ictx, arg);
	case VFIO_SET_IOMMU:
		return set_iommu(ictx, arg);
	case VFIO_IOMMU_GET_INFO:
		return get_info(ictx, arg);
	case VFIO_IOMMU_MAP_DMA:
		return map_dma(ictx, arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(ictx, arg);
	default:
		return -ENOTTY;
	}
}
