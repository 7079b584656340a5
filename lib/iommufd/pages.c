/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Pages objects: memory that areas point into. One is made by each MAP, shared by COPY, and goes
 * with its last area (Linux: drivers/iommu/iommufd/pages.c). Which of its pages are pinned is in
 * pinned.c.
 */
#include "lib/iommufd/pinned.h"

#include <linux/capability.h>

#include "lib/fs/dma_buf.h"

/* One allocation for all that a map of one page needs. */
struct iopt_pages_alloc {
	struct iopt_pages pages;
	struct iopt_pinned pinned;
	struct list_head dead;          /* on iommufd_module.dead_pages */
};

static struct iopt_pages_alloc *to_alloc(struct iopt_pages *pages)
{
	return container_of(pages, struct iopt_pages_alloc, pages);
}

static int iopt_alloc_pages(u64 start_byte, u64 length, bool writable, struct iopt_pages **out)
{
	struct iopt_pages_alloc *alloc;
	struct iopt_pages *pages;

	if (length > U64_MAX - PAGE_SIZE || !length)
		return -EINVAL;
	alloc = kzalloc(sizeof(*alloc), GFP_KERNEL_ACCOUNT);
	if (!alloc)
		return -ENOMEM;
	pages = &alloc->pages;
	pages->pinned = &alloc->pinned;
	range_tree_init(&alloc->pinned.ranges, &iommufd_module()->pool);
	pages->refs = 1;
	mutex_init(&pages->mutex);
	pages->npages = DIV_ROUND_UP(length + start_byte, PAGE_SIZE);
	pages->writable = writable;
	pages->account_mode = cred_capable(current->cred, CAP_IPC_LOCK) ? ACCOUNT_NONE
									 : ACCOUNT_USER;
	pages->source_uid = current->cred->uid;
	pages->source_mm = current->mm;
	mm_get(pages->source_mm);
	*out = pages;
	return 0;
}

int iopt_alloc_user_pages(uva_t uptr, u64 length, bool writable, struct iopt_pages **out)
{
	uva_t end;
	int rc;

	if (check_add_overflow(uptr, length, &end))
		return -EOVERFLOW;
	rc = iopt_alloc_pages(uptr % PAGE_SIZE, length, writable, out);
	if (rc)
		return rc;
	(*out)->type = IOPT_ADDRESS_USER;
	(*out)->uptr = ALIGN_DOWN(uptr, PAGE_SIZE);
	return 0;
}

int iopt_alloc_file_pages(struct file *file, u64 start, u64 length, bool writable,
			  struct iopt_pages **out)
{
	int rc = iopt_alloc_pages(start % PAGE_SIZE, length, writable, out);

	if (rc)
		return rc;
	(*out)->type = IOPT_ADDRESS_FILE;
	(*out)->file = get_file(file);
	(*out)->start = ALIGN_DOWN(start, PAGE_SIZE);
	iommufd_hook(file_pages_created, *out);
	return 0;
}

int iopt_alloc_dmabuf_pages(struct dma_buf *dmabuf, u64 start, u64 length, bool writable,
			    struct iopt_pages **out)
{
	struct iopt_pages *pages;
	int rc;

	if (dmabuf->size <= start + length - 1 || length / PAGE_SIZE >= 0xffffffff)
		return -EINVAL;
	rc = iopt_alloc_pages(start % PAGE_SIZE, length, writable, &pages);
	if (rc)
		return rc;
	/* Another class: an exporter's lock comes before it, and that comes before mmap_lock. */
	ifs_mutex_init(&pages->mutex, "lib/iommufd/pages.c:&pages->mutex (dma-buf)");
	pages->account_mode = ACCOUNT_NONE;
	pages->type = IOPT_ADDRESS_DMABUF;
	pages->start = ALIGN_DOWN(start, PAGE_SIZE);
	INIT_LIST_HEAD(&pages->dmabuf_tracker);
	pages->file = get_file(dmabuf->file);
	rc = iopt_dmabuf_attach(pages, dmabuf);
	if (rc) {
		iopt_put_pages(pages);
		return rc;
	}
	*out = pages;
	return 0;
}

void iopt_get_pages(struct iopt_pages *pages)
{
	assert(pages->refs);
	pages->refs++;
}

static void iopt_free_pages(struct iopt_pages *pages)
{
	if (pages->type == IOPT_ADDRESS_DMABUF)
		iopt_dmabuf_detach(pages);
	if (pages->file)
		fput(pages->file);
	mm_put(pages->source_mm);
	kfree(to_alloc(pages));
}

/*
 * Any file can be mapped, an iommufd too, and callers hold locks of an IOVA space. Linux's fput()
 * runs release() only when the task returns to userspace; so here a file waits for
 * iommufd_free_dead_pages().
 */
void iopt_put_pages(struct iopt_pages *pages)
{
	assert(pages->refs);
	if (--pages->refs)
		return;
	WARN_ON(iopt_pages_nr_pinned(pages) != 0);
	if (!pages->file)
		iopt_free_pages(pages);
	else
		list_add_tail(&to_alloc(pages)->dead, &iommufd_module()->dead_pages);
}

void iommufd_free_dead_pages(struct iommufd_module *module)
{
	struct iopt_pages_alloc *alloc;

	while (!list_empty(&module->dead_pages)) {
		alloc = list_first_entry(&module->dead_pages, struct iopt_pages_alloc, dead);
		list_del(&alloc->dead);
		iopt_free_pages(&alloc->pages);
	}
}

