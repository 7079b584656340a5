/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The IOVA space of an IOAS: areas, what is reserved and allowed, the domains that are filled from
 * it, and the pages objects areas point into. Linux: drivers/iommu/iommufd/io_pagetable.h.
 *
 * A byte i of an area is byte (i - first) + page_offset + pages_index * PAGE_SIZE of its pages
 * object.
 */
#ifndef LIB_IOMMUFD_IO_PAGETABLE_H
#define LIB_IOMMUFD_IO_PAGETABLE_H

#include <iommufd-sim/proto/iommufd.h>

#include "lib/iommufd/iommufd_private.h"
#include "lib/mm/user_mem.h"

struct dma_buf;

#define HPAGE_SIZE (2ull << 20)
#define U64_MAX (~0ull)

/* Flags of a map. */
#define IOPT_ALLOC_IOVA 1u      /* choose the IOVA */

/* Disjoint areas by IOVA: the value in the tree is the address of the struct iopt_area. */
struct iopt_areas {
	struct range_tree tree;
	/*
	 * No byte of [PAGE_SIZE, full_below) is free: where automatic placement may begin to look
	 * without missing anything. Falls back when an area or a reservation goes.
	 */
	iova_t full_below;
};

/* IOVA that cannot be used. Entries may repeat and overlap; the union counts. */
struct iopt_reserved {
	struct list_head item;
	iova_t first, last;
	const void *owner;
};

/* IOVA that cannot become reserved, and to which automatic placement keeps. Sorted, disjoint. */
struct iopt_allowed {
	struct list_head item;
	iova_t first, last;
};

/* Part of a pages object about to become an area. */
struct iopt_pages_list {
	struct iopt_pages *pages;       /* a reference, until the area takes it */
	struct iopt_area *area;
	struct list_head next;
	u64 start_byte, length;
};

static inline u64 iopt_area_length(const struct iopt_area *area)
{
	return area->last - area->first + 1;
}

/* The pages object's byte behind @iova. */
static inline u64 iopt_area_start_byte(const struct iopt_area *area, iova_t iova)
{
	return iova - area->first + area->page_offset + area->pages_index * PAGE_SIZE;
}

/* The last page index the area covers. */
static inline u64 iopt_area_last_index(const struct iopt_area *area)
{
	return iopt_area_start_byte(area, area->last) / PAGE_SIZE;
}

/* io_pagetable.c */
int iopt_init_table(struct io_pagetable *iopt);
void iopt_destroy_table(struct io_pagetable *iopt);
int iopt_map_user_pages(struct iommufd_ctx *ictx, struct io_pagetable *iopt, iova_t *iova,
			uva_t uptr, u64 length, int iommu_prot, unsigned flags);
int iopt_map_file_pages(struct iommufd_ctx *ictx, struct io_pagetable *iopt, iova_t *iova, int fd,
			u64 start, u64 length, int iommu_prot, unsigned flags);
/* Turns the list into adjacent areas at *@dst_iova. On failure the list still owns everything. */
int iopt_map_pages(struct io_pagetable *iopt, struct list_head *pages_list, u64 length,
		   iova_t *dst_iova, int iommu_prot, unsigned flags);
void iopt_free_pages_list(struct list_head *pages_list);

/* unmap.c */
int iopt_unmap_iova(struct io_pagetable *iopt, iova_t iova, u64 length, u64 *unmapped);
int iopt_unmap_all(struct io_pagetable *iopt, u64 *unmapped);
/* Takes a pending area out of the tree again and frees it. */
void iopt_abort_area(struct iopt_area *area);

/*
 * cut.c: makes each of @iovas the last byte of its area, if it lies within one. What was cut before
 * one that fails stays cut.
 */
int iopt_cut_iova(struct io_pagetable *iopt, const iova_t *iovas, unsigned nr);

/* iova_alloc.c: both need iova_rwsem. */
int iopt_alloc_iova(struct io_pagetable *iopt, iova_t *iova, u64 addr, u64 length);
int iopt_check_iova(struct io_pagetable *iopt, iova_t iova, u64 length);

/* reserved.c: all need iova_rwsem for writing unless noted. */
int iopt_reserve_iova(struct io_pagetable *iopt, iova_t first, iova_t last, const void *owner);
void iopt_remove_reserved_iova_locked(struct io_pagetable *iopt, const void *owner);
void iopt_remove_reserved_iova(struct io_pagetable *iopt, const void *owner);   /* takes it */
int iopt_enforce_dev_resv_regions(struct io_pagetable *iopt, struct device *dev); /* takes it */
/* The lowest reserved range, by first byte, that intersects [first, last] (for reading). */
const struct iopt_reserved *iopt_reserved_first(const struct io_pagetable *iopt, iova_t first,
						iova_t last);
bool iopt_allowed_intersects(const struct io_pagetable *iopt, iova_t first, iova_t last);
/* Swaps in the new list, or -EADDRINUSE and the old one stays (takes it). */
int iopt_set_allow_iova(struct io_pagetable *iopt, struct list_head *allowed);
void iopt_free_allowed(struct list_head *allowed);
/* Calls @fn for each maximal range that is not reserved; a nonzero result stops (for reading). */
int iopt_for_each_usable(const struct io_pagetable *iopt, int (*fn)(void *, iova_t, iova_t),
			 void *ctx);

/* iopt_domains.c */
int iopt_table_add_domain(struct io_pagetable *iopt, struct iommu_domain *domain);
void iopt_table_remove_domain(struct io_pagetable *iopt, struct iommu_domain *domain);
int iopt_disable_large_pages(struct io_pagetable *iopt);
void iopt_enable_large_pages(struct io_pagetable *iopt);

/* pages.c */
int iopt_alloc_user_pages(uva_t uptr, u64 length, bool writable, struct iopt_pages **out);
int iopt_alloc_file_pages(struct file *file, u64 start, u64 length, bool writable,
			  struct iopt_pages **out);
/* Linux's checks of the range, then of the exporter. */
int iopt_alloc_dmabuf_pages(struct dma_buf *dmabuf, u64 start, u64 length, bool writable,
			    struct iopt_pages **out);
void iopt_get_pages(struct iopt_pages *pages);
void iopt_put_pages(struct iopt_pages *pages);

/* pages_dmabuf.c */
/* -EOPNOTSUPP: not an exporter we know; -ENODEV: revoked. */
int iopt_dmabuf_attach(struct iopt_pages *pages, struct dma_buf *dmabuf);
void iopt_dmabuf_detach(struct iopt_pages *pages);
/* Both need pages->mutex. */
int iopt_dmabuf_track_domain(struct iopt_area *area, struct iopt_pages *pages,
			     struct iommu_domain *domain);
void iopt_dmabuf_untrack_domain(struct iopt_area *area, struct iopt_pages *pages,
				struct iommu_domain *domain);

/* pinned.c */
/* For whom: an access's pages have a place of their own in Linux, which can fail. */
enum iopt_hold { IOPT_HOLD_DOMAIN, IOPT_HOLD_ACCESS };
/*
 * Makes every page of [first, last] pinned and holds it once more. Needs pages->mutex. On failure
 * nothing has changed. What was pinned by this call alone is charged.
 */
int iopt_pages_hold(struct iopt_pages *pages, u64 first, u64 last, enum iopt_hold by);
/* Undoes one hold of exactly these bounds. Never fails. */
void iopt_pages_unhold(struct iopt_pages *pages, u64 first, u64 last, enum iopt_hold by);
/* A hold of pages on both sides of @index becomes two. -ENOMEM: unchanged. */
int iopt_pages_split_hold(struct iopt_pages *pages, u64 index);
/*
 * Appends the frames of [first, last] to @runs: those that are held, and what a pin finds for the
 * others, which is also appended to @transient and must be given back with frames_unpin().
 * Charges nothing. On failure nothing is pinned.
 */
int iopt_pages_gather(struct iopt_pages *pages, u64 first, u64 last, struct pfn_runs *runs,
		      struct pfn_runs *transient);
/* Maximal runs of consecutive frames of held pages; a nonzero result of @fn stops. */
int iopt_pages_for_each_run(struct iopt_pages *pages, u64 first, u64 last,
			    int (*fn)(void *ctx, u64 page_index, pa_t pa, u64 nr_pages), void *ctx);
/* What ->npinned counts. */
u64 iopt_pages_nr_pinned(const struct iopt_pages *pages);
const char *iopt_pages_check(const struct iopt_pages *pages);

/* pages_account.c: all need pages->mutex, or all of the context's areas to themselves */
/* Linux 7.3 gives nothing back to it: -EINVAL. */
bool iopt_pages_owner_is_gone(const struct iopt_pages *pages);
/* Charges or gives back @nr_pages, and takes ->npinned for charged. */
int iopt_pages_update_pinned(struct iopt_pages *pages, u64 nr_pages, bool inc);
/* After ->npinned grew by @nr_new pages of memory, which may be none. */
int pfn_reader_user_update_pinned(struct iopt_pages *pages, u64 nr_new);
/* After ->npinned shrank. */
void update_unpinned(struct iopt_pages *pages);

/* pages_fill.c */
/* All domains of the iopt from a pending area: pins if there is any. Needs domains_rwsem. */
int iopt_area_fill_domains(struct iopt_area *area, struct iopt_pages *pages);
void iopt_area_unfill_domains(struct iopt_area *area, struct iopt_pages *pages);
/* One domain, of a completed area. Both need pages->mutex. */
int iopt_area_fill_domain(struct iopt_area *area, struct iommu_domain *domain);
void iopt_area_unmap_domain(struct iopt_area *area, struct iopt_pages *pages,
			    struct iommu_domain *domain);
/* Its table entries alone. */
void iopt_area_clear_tables(struct iopt_area *area, struct iommu_domain *domain);
/* No device is meant to reach its pages any more. */
void iopt_area_revoke_grants(struct iopt_area *area);
/* The area left its last domain: pages are given back. */
void iopt_area_unstore(struct iopt_area *area, struct iopt_pages *pages);

/* dirty.c */
int iopt_set_dirty_tracking(struct io_pagetable *iopt, struct iommu_domain *domain, bool enable);
int iopt_read_and_clear_dirty_data(struct io_pagetable *iopt, struct iommu_domain *domain,
				   const struct iommu_hwpt_get_dirty_bitmap *cmd);

/* check.c */
const char *iopt_check(struct io_pagetable *iopt);

#endif
