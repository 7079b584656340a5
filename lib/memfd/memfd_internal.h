/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* struct memfd, shared by the files of lib/memfd only. */
#ifndef LIB_MEMFD_MEMFD_INTERNAL_H
#define LIB_MEMFD_MEMFD_INTERNAL_H

#include <iommufd-sim/proto/lock.h>

#include "lib/memfd/memfd.h"
#include "sim/range_tree.h"

#define MAX_LFS_FILESIZE ((u64)INT64_MAX)

/* The inode. One open description has it (dup and fork share that). */
struct memfd {
	struct kernel_base *kernel;
	struct memfd_config config;
	struct rw_semaphore i_rwsem;    /* size, seals, frozen */
	u64 size;
	unsigned seals;
	u32 mode;                       /* permission bits */
	u32 frozen;                     /* how many have frozen it */
	u32 nr_mappings;                /* i_mmap */
	u32 nr_writable_mappings;       /* i_mmap_writable: shared, and writable or may become so */
	u64 nr_pages;
	u64 nr_huge_pages;              /* reserved of the pool: memory of MAP_HUGETLB */
	struct range_pool pool;
	struct range_tree extents;      /* byte range -> pa | folio order */
};

extern const struct file_operations memfd_fops;

/* memfd.c */
int memfd_new(struct kernel_base *kernel, const struct memfd_config *config, const char *name,
	      unsigned seals, u32 mode, struct file **out);

/* memfd_anon.c */
void memfd_put_huge_pages(struct memfd *memfd);
u64 memfd_mmap_page_size(struct file *file);
unsigned memfd_mmap_folio_order(struct file *file, u64 offset);

/* memfd_pages.c */
void memfd_pages_init(struct memfd *memfd);
void memfd_pages_deinit(struct memfd *memfd);
/*
 * Fills holes of [index, index + nr_pages). What was added is appended to @added as byte ranges, to
 * be taken back by memfd_unfill(). On failure nothing is added and @added, which must have been
 * empty, holds no memory.
 */
int memfd_fill(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *added);
void memfd_unfill(struct memfd *memfd, struct pfn_runs *added);
/* The same for the pages from @index on, but no part of a folio. */
void memfd_unfill_from(struct memfd *memfd, const struct pfn_runs *added, u64 index);
/* Removes the bytes [start, end): whole pages go, edges and what cannot be split are zeroed. */
void memfd_remove(struct memfd *memfd, u64 start, u64 end);
/* The frames of [index, index + nr_pages), all present. */
int memfd_frames(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *runs);
/* As memfd_pin(), without its check against the size. */
int memfd_pin_range(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *runs);

#endif
