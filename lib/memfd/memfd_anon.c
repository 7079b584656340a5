/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Files without a name or descriptor, behind anonymous memory: what MAP_SHARED | MAP_ANONYMOUS maps
 * (mm/shmem.c, shmem_zero_setup()), and MAP_HUGETLB (fs/hugetlbfs/, hugetlb_file_setup()). They go
 * with their last mapping.
 *
 * Huge pages come from a pool of 2 MiB pages, whose size is chosen at boot; a mapping reserves all
 * it may need.
 *
 * Unlike Linux: the pool is a number. The pages themselves are taken from free memory when they
 * are mapped, and count as free again when the file goes, pinned or not.
 */
#include "lib/memfd/memfd_internal.h"

#define HUGE_PAGE_ORDER 9u
#define HUGE_PAGE_SIZE (PAGE_SIZE << HUGE_PAGE_ORDER)

int memfd_new_anon(struct kernel_base *kernel, const struct memfd_config *config, u64 length,
		   bool huge, struct file **out)
{
	struct memfd_config own = *config;
	u64 nr_huge_pages = huge ? length / HUGE_PAGE_SIZE : 0;
	int err;

	if (nr_huge_pages > kernel->free_huge_pages)
		return -ENOMEM;
	if (huge)
		own.folio_order = HUGE_PAGE_ORDER;
	err = memfd_new(kernel, &own, huge ? "anon_hugepage" : "dev/zero", F_SEAL_SEAL, 0777, out);
	if (err)
		return err;
	memfd_set_size(file_memfd(*out), length);
	file_memfd(*out)->nr_huge_pages = nr_huge_pages;
	kernel->free_huge_pages -= nr_huge_pages;
	return 0;
}

void memfd_put_huge_pages(struct memfd *memfd)
{
	memfd->kernel->free_huge_pages += memfd->nr_huge_pages;
}

u64 memfd_mmap_page_size(struct file *file)
{
	return file_memfd(file)->nr_huge_pages ? HUGE_PAGE_SIZE : PAGE_SIZE;
}

unsigned memfd_mmap_folio_order(struct file *file, u64 offset)
{
	struct memfd_extent extent;

	return memfd_extent_at(file_memfd(file), offset >> PAGE_SHIFT, &extent) ? extent.order : 0;
}
