/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Dirty tracking: SET_DIRTY_TRACKING and GET_DIRTY_BITMAP (Linux: hw_pagetable.c, io_pagetable.c
 * and iova_bitmap.c in drivers/iommu/iommufd/).
 *
 * Bit k of the user's bitmap stands for iova + k * page_size; bits are ORed in. Reading goes area
 * by area and ends at the first hole; from there on everything is silently left out and the call
 * succeeds, for Linux 7.3 drops the error. Where a page of the bitmap cannot be written the bits
 * are lost: the entries that begin there become clean without being reported. An entry larger than
 * the range sets its bits past the end too, as far as the pages go that Linux pins of the bitmap:
 * as many as its bytes fill, and one more if it does not begin with a page. With bugs fixed the
 * errors are told, a bitmap that is not there leaves the entries dirty, and no bit is set beyond
 * the range.
 *
 * The bitmap is user memory and may be anywhere, so one piece of it at a time is kept here.
 *
 * Unlike Linux, where there is none: a HWPT restored from the previous kernel has no areas, and its
 * tables are read from end to end, holes or not. What was written before, during and after the
 * kexec is found there once, if tracking was on; it cannot be switched any more.
 */
#include "lib/iommufd/io_pagetable.h"

#define PIECE_BYTES 512u

struct dirty_bitmap {
	iova_t iova;            /* of bit 0 */
	unsigned shift;         /* lg2 of what a bit stands for */
	uva_t data;
	u64 nr_bits;            /* that there is room for */
	u64 piece;              /* byte offset of what is in bytes[]: all of it is in one page */
	u32 piece_length;       /* 0: nothing is */
	bool failed;
	bool goes_on;           /* after a failure, as Linux does */
	iova_t first, last;     /* dirty, of one area, and not set yet; first > last: nothing is */
	u8 bytes[PIECE_BYTES];
};

static void bitmap_flush(struct dirty_bitmap *bitmap)
{
	if (bitmap->piece_length &&
	    copy_to_user(bitmap->data + bitmap->piece, bitmap->bytes, bitmap->piece_length))
		bitmap->failed = true;
	bitmap->piece_length = 0;
}

static bool bitmap_load(struct dirty_bitmap *bitmap, u64 byte)
{
	u64 back = min(byte, (bitmap->data + byte) % PIECE_BYTES);
	u64 piece = byte - back, end = DIV_ROUND_UP(bitmap->nr_bits, 8);

	if (bitmap->piece_length && bitmap->piece == piece)
		return true;
	bitmap_flush(bitmap);
	bitmap->piece = piece;
	bitmap->piece_length = min(PIECE_BYTES - (bitmap->data + piece) % PIECE_BYTES,
				   end - piece);
	if (copy_from_user(bitmap->bytes, bitmap->data + piece, bitmap->piece_length) ||
	    copy_to_user(bitmap->data + piece, bitmap->bytes, 1)) {
		bitmap->piece_length = 0;
		bitmap->failed = true;
		return false;
	}
	return bitmap->goes_on || !bitmap->failed;
}

/* Sets the bits of what was found in one stretch. */
static void bitmap_set_run(struct dirty_bitmap *bitmap)
{
	iova_t iova = bitmap->first, last = bitmap->last;
	u64 bit, last_bit;

	bitmap->first = 1;
	bitmap->last = 0;
	if (iova > last || (bitmap->failed && !bitmap->goes_on) || last < bitmap->iova)
		return;
	bit = iova > bitmap->iova ? (iova - bitmap->iova) >> bitmap->shift : 0;
	last_bit = min((last - bitmap->iova) >> bitmap->shift, bitmap->nr_bits - 1);
	while (bit <= last_bit && bitmap_load(bitmap, bit / 8)) {
		u8 *byte = &bitmap->bytes[bit / 8 - bitmap->piece];

		if (bit % 8 == 0 && last_bit - bit >= 7) {
			*byte = 0xff;
			bit += 8;
		} else {
			*byte |= 1u << bit % 8;
			bit++;
		}
	}
}

static u64 page_of_bit(const struct dirty_bitmap *bitmap, iova_t iova)
{
	return (bitmap->data + ((iova - bitmap->iova) >> bitmap->shift) / 8) / PAGE_SIZE;
}

/*
 * Entry after entry, most often each behind the one before. A stretch consists of entries that
 * begin in one page of the bitmap, and is lost if that page is.
 */
static void bitmap_set(void *ctx, iova_t iova, u64 length)
{
	struct dirty_bitmap *bitmap = ctx;

	if (bitmap->first > bitmap->last || bitmap->last + 1 != iova ||
	    page_of_bit(bitmap, bitmap->first) != page_of_bit(bitmap, iova)) {
		bitmap_set_run(bitmap);
		bitmap->first = iova;
	}
	bitmap->last = iova + length - 1;
}

static void ignore_dirty(void *ctx, iova_t iova, u64 length)
{
}

/* Is the bitmap there at all? */
static bool bitmap_probe(uva_t data)
{
	u8 byte;

	return !copy_from_user(&byte, data, 1) && !copy_to_user(data, &byte, 1);
}

static int check_dirty_range(const struct iommu_hwpt_get_dirty_bitmap *cmd, u64 alignment,
			     iova_t *last)
{
	if (check_add_overflow(cmd->iova, cmd->length - 1, last))
		return -EOVERFLOW;
	if (!IS_ALIGNED(cmd->iova, alignment) || !IS_ALIGNED(*last + 1, alignment))
		return -EINVAL;
	if (!cmd->page_size)
		return -EINVAL;
	if ((cmd->iova & (cmd->page_size - 1)) || ((*last + 1) & (cmd->page_size - 1)))
		return -EINVAL;
	return 0;
}

static struct dirty_bitmap *bitmap_new(const struct iommu_hwpt_get_dirty_bitmap *cmd, iova_t last)
{
	struct dirty_bitmap *bitmap = kzalloc(sizeof(*bitmap), GFP_KERNEL_ACCOUNT);
	u64 offset = cmd->data % PAGE_SIZE;

	if (!bitmap)
		return NULL;
	bitmap->iova = cmd->iova;
	bitmap->shift = __builtin_ctzll(cmd->page_size);
	bitmap->data = cmd->data;
	bitmap->nr_bits = ((last - cmd->iova) >> bitmap->shift) + 1;
	bitmap->first = 1;
	bitmap->goes_on = !current->kernel->fix_bugs;
	if (bitmap->goes_on) {
		u64 nr_pages = DIV_ROUND_UP(bitmap->nr_bits, 8 * PAGE_SIZE) + !!offset;

		bitmap->nr_bits = (nr_pages * PAGE_SIZE - offset) * 8;
	}
	return bitmap;
}

/* Area by area, up to the first hole or what else ends it. */
static int read_areas(struct io_pagetable *iopt, struct iommu_domain *domain,
		      const struct iommu_hwpt_get_dirty_bitmap *cmd, iova_t last,
		      struct dirty_bitmap *bitmap)
{
	bool no_clear = cmd->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
	iova_t at = cmd->iova;

	if (!cmd->length)
		return 0;
	if (!bitmap->goes_on && !bitmap_probe(cmd->data))
		return -EFAULT;
	while (bitmap->goes_on || !bitmap->failed) {
		struct iopt_area *area = iopt_area_iter_first(iopt, at, at);
		iova_t area_last;
		int rc;

		if (!area || !area->pages)
			return -EINVAL;
		area_last = min(last, area->last);
		rc = iommu_read_and_clear_dirty(domain, at, area_last - at + 1, no_clear,
						bitmap_set, bitmap);
		bitmap_set_run(bitmap);
		if (rc || area_last == last)
			return rc;
		at = area_last + 1;
	}
	return 0;
}

int iopt_read_and_clear_dirty_data(struct io_pagetable *iopt, struct iommu_domain *domain,
				   const struct iommu_hwpt_get_dirty_bitmap *cmd)
{
	struct dirty_bitmap *bitmap;
	iova_t last;
	int rc;

	rc = check_dirty_range(cmd, iopt->iova_alignment, &last);
	if (rc)
		return rc;
	down_read(&iopt->iova_rwsem);
	if (!domain->dirty_ops) {
		rc = -EOPNOTSUPP;
		goto out_unlock;
	}
	bitmap = bitmap_new(cmd, last);
	if (!bitmap) {
		rc = -ENOMEM;
		goto out_unlock;
	}
	rc = read_areas(iopt, domain, cmd, last, bitmap);
	bitmap_flush(bitmap);
	if (!rc && bitmap->failed)
		rc = -EFAULT;
	if (!current->kernel->fix_bugs)
		rc = 0;
	kfree(bitmap);
out_unlock:
	up_read(&iopt->iova_rwsem);
	return rc;
}

static int read_restored(struct iommu_domain *domain, const struct iommu_hwpt_get_dirty_bitmap *cmd)
{
	struct dirty_bitmap *bitmap;
	iova_t last;
	int rc;

	rc = check_dirty_range(cmd, PAGE_SIZE, &last);
	if (rc)
		return rc;
	if (!domain->dirty_ops)
		return -EOPNOTSUPP;
	if (!domain->dirty_tracking || !cmd->length)
		return -EINVAL;
	bitmap = bitmap_new(cmd, last);
	if (!bitmap)
		return -ENOMEM;
	rc = bitmap_probe(cmd->data) ? 0 : -EFAULT;
	if (!rc)
		rc = iommu_read_and_clear_dirty(domain, cmd->iova, cmd->length,
						cmd->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
						bitmap_set, bitmap);
	bitmap_set_run(bitmap);
	bitmap_flush(bitmap);
	if (!rc && bitmap->failed)
		rc = -EFAULT;
	kfree(bitmap);
	return rc;
}

/* From a clean slate: every area's entries lose their dirty bits first. */
static int iopt_clear_dirty_data(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	struct iopt_area *area;
	int rc;

	for (area = iopt_area_iter_first(iopt, 0, U64_MAX); area;
	     area = iopt_area_iter_next(area, 0, U64_MAX)) {
		if (!area->pages)
			continue;
		rc = iommu_read_and_clear_dirty(domain, area->first, iopt_area_length(area), false,
						ignore_dirty, NULL);
		if (rc)
			return rc;
	}
	return 0;
}

int iopt_set_dirty_tracking(struct io_pagetable *iopt, struct iommu_domain *domain, bool enable)
{
	int rc = 0;

	if (!domain->dirty_ops)
		return -EOPNOTSUPP;
	down_read(&iopt->iova_rwsem);
	if (enable)
		rc = iopt_clear_dirty_data(iopt, domain);
	if (!rc)
		rc = iommu_set_dirty_tracking(domain, enable);
	up_read(&iopt->iova_rwsem);
	return rc;
}

int iommufd_hwpt_set_dirty_tracking(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_set_dirty_tracking *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	/* The reserved field is not looked at, in Linux neither. */
	if (cmd->flags & ~(u32)IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;
	hwpt = iommufd_get_hwpt_paging(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = iommufd_gate(dirty_gate, hwpt);
	/* A restored HWPT has no areas to track. */
	if (!rc)
		rc = !hwpt->ioas ? -EINVAL :
		     iopt_set_dirty_tracking(&hwpt->ioas->iopt, hwpt->common.domain, cmd->flags);
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
	return rc;
}

int iommufd_hwpt_get_dirty_bitmap(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_get_dirty_bitmap *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	if ((cmd->flags & ~(u32)IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) || cmd->__reserved)
		return -EOPNOTSUPP;
	hwpt = iommufd_get_hwpt_paging(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = hwpt->ioas ?
	     iopt_read_and_clear_dirty_data(&hwpt->ioas->iopt, hwpt->common.domain, cmd) :
	     read_restored(hwpt->common.domain, cmd);
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
	return rc;
}
