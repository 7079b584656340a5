/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * mmap() of an iommufd: memory that a driver offers for one of its objects, at an offset that the
 * program was told (Linux: drivers/iommu/iommufd/driver.c, main.c).
 *
 *   offset  0       0x1000           0x3000          0x5000
 *           |-------|-----region-----|-----region----|--- free
 *           never given out
 *
 * A region is mapped whole or not at all, shared, and not executable. Each mapping holds the object
 * that owns the region: it can be destroyed once the last piece has been unmapped. The file is held
 * by the mapping itself, and with it the context.
 *
 * Unlike Linux: mappings are cached as any memory is, and mprotect() works at once.
 */
#include "lib/iommufd/mmap.h"

#include <sys/mman.h>

#include <iommufd-sim/proto/viommu.h>

#include "lib/mm/user_mem.h"

struct iommufd_mmap {
	struct list_head list;          /* iommufd_ctx.mmaps, by offset */
	struct iommufd_object *owner;
	u64 offset, length;
	pa_t mmio_addr;
};

/* Needs mmap_lock. */
static struct iommufd_mmap *find_mmap(struct iommufd_ctx *ictx, u64 offset)
{
	struct iommufd_mmap *immap;

	list_for_each_entry(immap, &ictx->mmaps, list)
		if (offset >= immap->offset && offset - immap->offset < immap->length)
			return immap;
	return NULL;
}

int ifs_iommufd_viommu_alloc_mmap(struct iommufd_viommu *viommu, pa_t mmio_addr, u64 length,
				  u64 *offset)
{
	struct iommufd_ctx *ictx = viommu->ictx;
	struct iommufd_mmap *immap, *after;
	u64 at = PAGE_SIZE;

	if (!IS_ALIGNED(mmio_addr, PAGE_SIZE) || !length || !IS_ALIGNED(length, PAGE_SIZE))
		return -EINVAL;
	immap = kzalloc(sizeof(*immap), GFP_KERNEL);
	if (!immap)
		return -ENOMEM;
	spin_lock(&ictx->mmap_lock);
	list_for_each_entry(after, &ictx->mmaps, list) {
		if (after->offset - at >= length)
			break;
		at = after->offset + after->length;
	}
	immap->owner = &viommu->obj;
	immap->offset = at;
	immap->length = length;
	immap->mmio_addr = mmio_addr;
	list_add_tail(&immap->list, &after->list);
	spin_unlock(&ictx->mmap_lock);
	*offset = at;
	return 0;
}

void ifs_iommufd_viommu_destroy_mmap(struct iommufd_viommu *viommu, u64 offset)
{
	struct iommufd_ctx *ictx = viommu->ictx;
	struct iommufd_mmap *immap;

	spin_lock(&ictx->mmap_lock);
	immap = find_mmap(ictx, offset);
	if (immap)
		list_del(&immap->list);
	spin_unlock(&ictx->mmap_lock);
	WARN_ON(!immap || immap->owner != &viommu->obj);
	kfree(immap);
}

int iommufd_fops_mmap_check(struct file *file, u64 offset, u64 length, int prot, int flags,
			    bool *may_write)
{
	struct iommufd_ctx *ictx = file->private_data;
	struct iommufd_mmap *immap;
	int rc = 0;

	/* To Linux, what may never be written is not shared. */
	if ((flags & MAP_TYPE) == MAP_PRIVATE || !(file->f_mode & FMODE_WRITE))
		return -EINVAL;
	if (prot & PROT_EXEC)
		return -EPERM;
	spin_lock(&ictx->mmap_lock);
	immap = find_mmap(ictx, offset);
	if (!immap || !immap->owner->users || offset != immap->offset || length != immap->length)
		rc = -ENXIO;
	spin_unlock(&ictx->mmap_lock);
	return rc;
}

int iommufd_fops_mmap_frames(struct file *file, u64 offset, u64 length, void *runs)
{
	struct iommufd_ctx *ictx = file->private_data;
	struct iommufd_mmap *immap;
	pa_t pa;

	spin_lock(&ictx->mmap_lock);
	immap = find_mmap(ictx, offset);
	assert(immap && length <= immap->length - (offset - immap->offset));
	pa = immap->mmio_addr + (offset - immap->offset);
	spin_unlock(&ictx->mmap_lock);
	return pfn_runs_add(&current->kernel->heap, runs, pa, length / PAGE_SIZE);
}

void iommufd_fops_mmap_change(struct file *file, u64 offset, int delta, bool may_write)
{
	struct iommufd_ctx *ictx = file->private_data;
	struct iommufd_mmap *immap;

	spin_lock(&ictx->mmap_lock);
	immap = find_mmap(ictx, offset);
	/* It cannot be gone: the mapping holds its owner. */
	assert(immap);
	immap->owner->users += (u32)delta;
	spin_unlock(&ictx->mmap_lock);
}
