/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * In-kernel users of an IOAS: they read and write its memory by IOVA, or pin it (Linux:
 * include/linux/iommufd.h, the access part of drivers/iommu/iommufd/device.c).
 *
 * Locks: access->ioas_lock, then those of the IOVA space. An unmap callback runs with none of them
 * held.
 */
#ifndef LIB_IOMMUFD_ACCESS_H
#define LIB_IOMMUFD_ACCESS_H

#include "lib/iommufd/io_pagetable.h"

#define IOMMUFD_ACCESS_RW_READ 0u
#define IOMMUFD_ACCESS_RW_WRITE (1u << 0)
#define IOMMUFD_ACCESS_RW_KTHREAD (1u << 1)     /* the caller has no memory of its own */
#define IOMMUFD_ACCESS_RW_SLOW_PATH (1u << 2)   /* as if another process's memory were meant */

struct iommufd_access_ops {
	bool needs_pin_pages;
	/* Whatever of [iova, iova + length) is pinned must be unpinned before it returns. */
	void (*unmap)(void *data, iova_t iova, u64 length);
};

struct iommufd_access {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;       /* NULL: iommufd's own; locks areas, no callback */
	struct iommufd_ioas *ioas;      /* NULL: detached, or about to move */
	struct iommufd_ioas *ioas_unpin;        /* where what is pinned is unpinned */
	struct mutex ioas_lock;
	const struct iommufd_access_ops *ops;
	void *data;
	u64 iova_alignment;
	u32 iopt_access_list_id;
};

static inline bool iommufd_access_is_internal(const struct iommufd_access *access)
{
	return !access->ictx;
}

/* -ENOMEM, -EBUSY (no id left). Holds the context until iommufd_access_destroy(). */
int iommufd_access_create(struct iommufd_ctx *ictx, const struct iommufd_access_ops *ops,
			  void *data, u32 *id, struct iommufd_access **out);
void iommufd_access_destroy(struct iommufd_access *access);
/* iommufd's own: pins, and an unmap of what it pinned is -EBUSY. Does not hold the context. */
int iommufd_access_create_internal(struct iommufd_ctx *ictx, struct iommufd_access **out);
void iommufd_access_destroy_internal(struct iommufd_ctx *ictx, struct iommufd_access *access);

/* -EINVAL: attached; -ENOENT: no such IOAS; -EADDRINUSE: it cannot be aligned as needed. */
int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id);
int iommufd_access_attach_internal(struct iommufd_access *access, struct iommufd_ioas *ioas);
/* -ENOENT: not attached, or no such IOAS. On failure it stays where it is. */
int iommufd_access_replace(struct iommufd_access *access, u32 ioas_id);
void iommufd_access_detach(struct iommufd_access *access);
void iommufd_access_detach_internal(struct iommufd_access *access);

/*
 * The frames behind [iova, iova + length), one for each page, in @out (may be NULL). The backing
 * must be page aligned wherever areas meet; the last page may be used in part. On failure nothing
 * is pinned.
 */
int iommufd_access_pin_pages(struct iommufd_access *access, iova_t iova, u64 length, pa_t *out,
			     unsigned flags);
/* The same range as it was pinned. */
void iommufd_access_unpin_pages(struct iommufd_access *access, iova_t iova, u64 length);
/* Not atomic: what lies before the byte that fails has been copied. */
int iommufd_access_rw(struct iommufd_access *access, iova_t iova, void *data, u64 length,
		      unsigned flags);
/* Asks everybody to let go of the range. Needs no lock, and must have none. */
void iommufd_access_notify_unmap(struct io_pagetable *iopt, iova_t iova, u64 length);
void iommufd_access_destroy_object(struct iommufd_object *obj);

/* iopt_domains.c: the list of an IOVA space. -EBUSY: full; -EADDRINUSE. */
int iopt_add_access(struct io_pagetable *iopt, struct iommufd_access *access, u32 *list_id);
void iopt_remove_access(struct io_pagetable *iopt, struct iommufd_access *access, u32 list_id);

/* change_process.c, vfio_compat.c */
int iommufd_ioas_change_process(struct iommufd_ucmd *ucmd);
/* For commands outside iommufd's table. */
long iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned cmd, uva_t arg);

/* pages_access.c */
/* Pins pages [first, last] of a complete area for an access. Needs iova_rwsem. */
int iopt_area_add_access(struct iopt_area *area, u64 first, u64 last, pa_t *out, unsigned flags,
			 bool lock_area);
void iopt_area_remove_access(struct iopt_area *area, u64 first, u64 last, bool unlock_area);
/* Copies @length bytes at @start_byte of the pages object. */
int iopt_pages_rw_access(struct iopt_pages *pages, u64 start_byte, void *data, u64 length,
			 unsigned flags);

#endif
