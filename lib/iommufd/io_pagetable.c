/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Mapping: from a pages object to areas in the IOVA space (drivers/iommu/iommufd/io_pagetable.c).
 *
 * A map has three phases, and locks are dropped between them:
 *   reserve   iova_rwsem W: place, check, insert areas that are pending (pages NULL). They hold the
 *             IOVA; nobody else sees them but as a conflict.
 *   fill      domains_rwsem R: pin, and write every domain's tables.
 *   complete  still domains_rwsem R, iova_rwsem W: areas get their pages and become visible.
 * A domain that comes or goes takes domains_rwsem W and so never meets a half-filled area.
 *
 * Unlike Linux: inserting an area needs memory for the tree. It is taken before anything is placed,
 * where Linux allocates the areas themselves.
 */
#include "lib/iommufd/io_pagetable.h"

#include "lib/fs/dma_buf.h"
#include "sim/dma_check.h"

int iopt_init_table(struct io_pagetable *iopt)
{
	struct iopt_areas *areas = kzalloc(sizeof(*areas), GFP_KERNEL_ACCOUNT);

	if (!areas)
		return -ENOMEM;
	range_tree_init(&areas->tree, &iommufd_module()->pool);
	areas->full_below = PAGE_SIZE;
	init_rwsem(&iopt->domains_rwsem);
	init_rwsem(&iopt->iova_rwsem);
	xa_init(&iopt->domains);
	xa_init_flags(&iopt->access_list, XA_FLAGS_ALLOC);
	INIT_LIST_HEAD(&iopt->reserved);
	INIT_LIST_HEAD(&iopt->allowed);
	iopt->areas = areas;
	iopt->iova_alignment = 1;
	iopt->dma_space = dma_check_space_new(current->kernel->machine);
	return 0;
}

void iopt_destroy_table(struct io_pagetable *iopt)
{
	if (!iopt->areas)
		return;
	iopt_free_allowed(&iopt->allowed);
	/* The selftest's, which nobody else takes back. */
	if (current->kernel->iommufd_test)
		iopt_remove_reserved_iova(iopt, NULL);
	WARN_ON(!list_empty(&iopt->reserved));
	WARN_ON(!xa_empty(&iopt->domains));
	WARN_ON(!xa_empty(&iopt->access_list));
	WARN_ON(iopt->areas->tree.count != 0);
	range_tree_clear(&iopt->areas->tree);
	xa_destroy(&iopt->domains);
	xa_destroy(&iopt->access_list);
	dma_check_space_put(current->kernel->machine, iopt->dma_space);
	kfree(iopt->areas);
	iopt->areas = NULL;
}

struct iopt_area *ifs_iopt_area_iter_first(struct io_pagetable *iopt, iova_t first, iova_t last)
{
	struct range_entry entry;

	/* In either mode. The rwsem itself is asked: it knows when many of its class are held. */
	if (!ifs_rwsem_is_held(&iopt->iova_rwsem, false) &&
	    !ifs_rwsem_is_held(&iopt->iova_rwsem, true))
		ifs_lock_not_held("&iopt->iova_rwsem", IFS_FILE, __LINE__);
	if (!range_tree_find_first(&iopt->areas->tree, first, last, &entry))
		return NULL;
	return (struct iopt_area *)(uintptr_t)entry.value;
}

struct iopt_area *ifs_iopt_area_iter_next(struct iopt_area *area, iova_t first, iova_t last)
{
	iova_t from = max(first, area->last + 1);

	if (area->last >= last)
		return NULL;
	return ifs_iopt_area_iter_first(area->iopt, from, last);
}

static int iopt_insert_area(struct io_pagetable *iopt, const struct iopt_pages_list *elm,
			    iova_t iova, int iommu_prot)
{
	struct iopt_area *area = elm->area;
	bool inserted;
	u64 last_byte;

	if ((iommu_prot & IOMMU_WRITE) && !elm->pages->writable)
		return -EPERM;
	area->iommu_prot = iommu_prot;
	area->page_offset = elm->start_byte % PAGE_SIZE;
	if (!IS_ALIGNED(area->page_offset, iopt->iova_alignment))
		return -EINVAL;
	area->first = iova;
	if (check_add_overflow(iova, elm->length - 1, &area->last))
		return -EOVERFLOW;
	area->pages_index = elm->start_byte / PAGE_SIZE;
	if (check_add_overflow(elm->start_byte, elm->length - 1, &last_byte) ||
	    WARN_ON(last_byte / PAGE_SIZE >= elm->pages->npages))
		return -EOVERFLOW;
	inserted = range_tree_insert(&iopt->areas->tree, area->first, area->last, (uintptr_t)area);
	/* Placed, so free; and the nodes were reserved. */
	assert(inserted);
	area->iopt = iopt;
	return 0;
}

/* What automatic placement takes its alignment from. */
static u64 iopt_pages_address(const struct iopt_pages_list *elm)
{
	if (elm->pages->type == IOPT_ADDRESS_USER)
		return elm->start_byte + elm->pages->uptr;
	return elm->start_byte + elm->pages->start;
}

/* The reserve phase, under iova_rwsem. */
static int iopt_reserve_areas(struct io_pagetable *iopt, struct list_head *pages_list, u32 nr,
			      u64 length, iova_t *dst_iova, int iommu_prot, unsigned flags)
{
	struct iopt_pages_list *elm;
	iova_t iova;
	int rc;

	rc = iommufd_gate(map_gate, iopt);
	if (rc)
		return rc;
	if (!IS_ALIGNED(length, iopt->iova_alignment) || !length)
		return -EINVAL;
	if (flags & IOPT_ALLOC_IOVA) {
		elm = list_first_entry(pages_list, struct iopt_pages_list, next);
		rc = iopt_alloc_iova(iopt, dst_iova, iopt_pages_address(elm), length);
	} else {
		rc = iopt_check_iova(iopt, *dst_iova, length);
	}
	if (rc)
		return rc;
	if (!range_tree_reserve(&iopt->areas->tree, nr))
		return -ENOMEM;
	iova = *dst_iova;
	list_for_each_entry(elm, pages_list, next) {
		rc = iopt_insert_area(iopt, elm, iova, iommu_prot);
		if (rc)
			return rc;
		iova += elm->length;
	}
	return 0;
}

static int iopt_alloc_area_pages(struct io_pagetable *iopt, struct list_head *pages_list,
				 u64 length, iova_t *dst_iova, int iommu_prot, unsigned flags)
{
	struct iopt_pages_list *elm;
	u32 nr = 0;
	int rc;

	list_for_each_entry(elm, pages_list, next) {
		elm->area = kzalloc(sizeof(*elm->area), GFP_KERNEL_ACCOUNT);
		if (!elm->area)
			return -ENOMEM;
		nr++;
	}
	down_write(&iopt->iova_rwsem);
	rc = iopt_reserve_areas(iopt, pages_list, nr, length, dst_iova, iommu_prot, flags);
	up_write(&iopt->iova_rwsem);
	return rc;
}

static int iopt_fill_domains_pages(struct list_head *pages_list)
{
	struct iopt_pages_list *elm, *undo;
	int rc;

	list_for_each_entry(elm, pages_list, next) {
		rc = iopt_area_fill_domains(elm->area, elm->pages);
		if (rc)
			goto err_unfill;
	}
	return 0;

err_unfill:
	list_for_each_entry(undo, pages_list, next) {
		if (undo == elm)
			break;
		iopt_area_unfill_domains(undo->area, undo->pages);
	}
	return rc;
}

int iopt_map_pages(struct io_pagetable *iopt, struct list_head *pages_list, u64 length,
		   iova_t *dst_iova, int iommu_prot, unsigned flags)
{
	struct iopt_pages_list *elm;
	int rc;

	rc = iopt_alloc_area_pages(iopt, pages_list, length, dst_iova, iommu_prot, flags);
	if (rc)
		return rc;

	down_read(&iopt->domains_rwsem);
	rc = iommufd_gate(fill_gate, iopt);
	if (!rc)
		rc = iopt_fill_domains_pages(pages_list);
	if (rc)
		goto out_unlock;
	down_write(&iopt->iova_rwsem);
	list_for_each_entry(elm, pages_list, next) {
		elm->area->pages = elm->pages;
		elm->pages = NULL;
		elm->area = NULL;
	}
	up_write(&iopt->iova_rwsem);
out_unlock:
	up_read(&iopt->domains_rwsem);
	return rc;
}

void iopt_free_pages_list(struct list_head *pages_list)
{
	struct iopt_pages_list *elm, *next;

	list_for_each_entry_safe(elm, next, pages_list, next) {
		if (elm->area)
			iopt_abort_area(elm->area);
		if (elm->pages)
			iopt_put_pages(elm->pages);
		list_del(&elm->next);
		kfree(elm);
	}
}

/* Maps one whole pages object and takes over its reference, also on failure. */
static int iopt_map_common(struct iommufd_ctx *ictx, struct io_pagetable *iopt,
			   struct iopt_pages *pages, iova_t *iova, u64 length, u64 start_byte,
			   int iommu_prot, unsigned flags)
{
	struct iopt_pages_list elm = { .pages = pages, .start_byte = start_byte, .length = length };
	LIST_HEAD(pages_list);
	int rc;

	if (ictx->account_mode == ACCOUNT_MM && pages->account_mode == ACCOUNT_USER)
		pages->account_mode = ACCOUNT_MM;
	list_add(&elm.next, &pages_list);
	rc = iopt_map_pages(iopt, &pages_list, length, iova, iommu_prot, flags);
	if (!rc)
		return 0;
	if (elm.area)
		iopt_abort_area(elm.area);
	if (elm.pages)
		iopt_put_pages(elm.pages);
	return rc;
}

int iopt_map_user_pages(struct iommufd_ctx *ictx, struct io_pagetable *iopt, iova_t *iova,
			uva_t uptr, u64 length, int iommu_prot, unsigned flags)
{
	struct iopt_pages *pages;
	int rc;

	rc = iopt_alloc_user_pages(uptr, length, iommu_prot & IOMMU_WRITE, &pages);
	if (rc)
		return rc;
	return iopt_map_common(ictx, iopt, pages, iova, length, uptr % PAGE_SIZE, iommu_prot,
			       flags);
}

int iopt_map_file_pages(struct iommufd_ctx *ictx, struct io_pagetable *iopt, iova_t *iova, int fd,
			u64 start, u64 length, int iommu_prot, unsigned flags)
{
	struct iopt_pages *pages;
	struct dma_buf *dmabuf;
	struct file *file;
	u64 last;
	int rc;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(start, length - 1, &last))
		return -EOVERFLOW;
	file = fget(fd);
	if (!file)
		return -EBADF;
	dmabuf = file_dma_buf(file);
	if (dmabuf)
		rc = iopt_alloc_dmabuf_pages(dmabuf, start, length, iommu_prot & IOMMU_WRITE,
					     &pages);
	else
		rc = iopt_alloc_file_pages(file, start, length, iommu_prot & IOMMU_WRITE, &pages);
	fput(file);
	if (rc)
		return rc;
	return iopt_map_common(ictx, iopt, pages, iova, length, start % PAGE_SIZE, iommu_prot,
			       flags);
}
