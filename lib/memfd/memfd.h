/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Memory files (mm/shmem.c, mm/memfd.c): pages by index, kept as extents of consecutive frames,
 * seals, and what preservation adds: a frozen flag, pins, frames restored from the previous kernel.
 *
 * set_frozen() counts: who has frozen a file thaws it once.
 *
 * An extent has a folio order: extents of order n consist of naturally aligned folios of 2^n pages.
 */
#ifndef LIB_MEMFD_MEMFD_H
#define LIB_MEMFD_MEMFD_H

#include "lib/fs/file.h"
#include "lib/mm/user_mem.h"

struct memfd;

struct memfd_extent {
	u64 index;              /* first page of the file */
	u64 nr_pages;
	pa_t pa;
	u32 order;
};

struct memfd_config {
	u32 folio_order;        /* of new pages where they fit: 0 (default), 9, 18 */
	u32 sysctl_noexec;      /* vm.memfd_noexec 0, 1, 2 */
};

/* memfd_create(2): flags and name checked in Linux's order; @name is a user address. */
int memfd_create_file(struct kernel_base *kernel, const struct memfd_config *config, uva_t name,
		      unsigned flags, struct file **out);
/*
 * A file for restored content: O_RDWR, empty name, mode 0777, so that F_SEAL_EXEC brings other
 * seals with it (trap 51; not if bugs are to be fixed).
 */
int memfd_new_sealed(struct kernel_base *kernel, const struct memfd_config *config, unsigned seals,
		     struct file **out);
/*
 * The file behind anonymous shared memory, @length bytes long; @huge: of 2 MiB pages, of which
 * @length is a multiple. -ENOMEM: the pool has too few of them.
 */
int memfd_new_anon(struct kernel_base *kernel, const struct memfd_config *config, u64 length,
		   bool huge, struct file **out);
bool file_is_memfd(const struct file *file);
struct memfd *file_memfd(struct file *file);           /* the inode */

u64 memfd_size(const struct memfd *memfd);
void memfd_set_size(struct memfd *memfd, u64 size);    /* no checks, no pages: for restore */
unsigned memfd_seals(const struct memfd *memfd);
int memfd_add_seals(struct memfd *memfd, unsigned seals);
void memfd_set_frozen(struct memfd *memfd, bool frozen);
bool memfd_frozen(const struct memfd *memfd);

/* The extent that covers page @index, clipped to start there. False: a hole. */
bool memfd_extent_at(struct memfd *memfd, u64 index, struct memfd_extent *out);
/*
 * Allocates what is missing in [index, index + nr). Unlike Linux: -ENOMEM adds nothing.
 */
int memfd_populate(struct memfd *memfd, u64 index, u64 nr_pages);
/* Inserts frames that already exist (restore). -EEXIST, -ENOMEM. */
int memfd_insert(struct memfd *memfd, const struct memfd_extent *extent);

/*
 * Pins for DMA (memfd_pin_folios()): the range must lie within whole pages of i_size (-EINVAL),
 * holes are filled. A pinned frame stays alive although its page may leave the file (hole punch,
 * truncate).
 */
int memfd_pin(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *runs);
void memfd_unpin(struct memfd *memfd, const struct pfn_runs *runs);
u64 memfd_nr_pinned(const struct memfd *memfd);        /* page pins, counting repeats */

/* lib/memfd/memfd_luo.c: the LUO handler "memfd-v2". */
int memfd_luo_register(struct kernel_base *kernel, const struct memfd_config *config);

#endif
