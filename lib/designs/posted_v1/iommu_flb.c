/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * posted-v1, patch 1: the file-lifecycle-bound object "iommu-v1" (drivers/iommu/liveupdate.c
 * there). One per kernel, alive while any iommufd is preserved; holds the chains of domains,
 * devices and IOMMUs.
 *
 * Kept as posted: slots only grow and are never reused; everything an earlier kernel left is
 * trusted, and a missing page is a BUG. `Unlike Linux:` BUG_ON() returns here, so each is followed
 * by the return that keeps the simulator alive; the kernel counts as panicked from then on.
 */
#include "lib/designs/posted_v1/posted_v1.h"

static struct iommu_objs_ser *next_page(struct iommu_objs_ser *page)
{
	return page->next_objs ? phys_to_virt(page->next_objs) : NULL;
}

static void free_chain(u64 phys)
{
	struct iommu_objs_ser *page = phys ? phys_to_virt(phys) : NULL;

	while (page) {
		struct iommu_objs_ser *next = next_page(page);

		kho_unpreserve_free(page);
		page = next;
	}
}

/* What preserve's error path and unpreserve share. */
static void iommu_liveupdate_free_objs(struct iommu_lu_flb_obj *obj)
{
	if (obj->ser) {
		free_chain(obj->ser->iommu_domains_phys);
		free_chain(obj->ser->devices_phys);
		free_chain(obj->ser->iommus_phys);
		kho_unpreserve_free(obj->ser);
	}
	kfree(obj);
}

static int alloc_first_page(struct iommu_objs_ser **page, u64 *phys)
{
	void *mem = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(mem))
		return PTR_ERR(mem);
	*page = mem;
	*phys = virt_to_phys(mem);
	return 0;
}

static int iommu_liveupdate_flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct iommu_lu_flb_obj *obj = kzalloc(sizeof(*obj), GFP_KERNEL);
	void *mem;
	int rc;

	if (!obj)
		return -ENOMEM;
	mutex_init(&obj->lock);
	spin_lock_init(&obj->iommu_lock);

	mem = kho_alloc_preserve(sizeof(*obj->ser));
	if (IS_ERR(mem)) {
		rc = PTR_ERR(mem);
		goto err_free;
	}
	obj->ser = mem;
	rc = alloc_first_page(&obj->iommu_domains, &obj->ser->iommu_domains_phys);
	if (rc)
		goto err_free;
	rc = alloc_first_page(&obj->devices, &obj->ser->devices_phys);
	if (rc)
		goto err_free;
	rc = alloc_first_page(&obj->iommus, &obj->ser->iommus_phys);
	if (rc)
		goto err_free;

	args->obj = obj;
	args->data = virt_to_phys(obj->ser);
	return 0;

err_free:
	iommu_liveupdate_free_objs(obj);
	return rc;
}

static void iommu_liveupdate_flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	iommu_liveupdate_free_objs(args->obj);
}

/* Claims each page of a chain; returns the last through @page. */
static int restore_chain(u64 phys, struct iommu_objs_ser **page)
{
	while (phys) {
		/* Out of RAM is no page either; the posted code would fault on it. */
		if (BUG_ON(!kho_restore_folio(phys)))
			return -EFAULT;
		*page = phys_to_virt(phys);
		phys = (*page)->next_objs;
	}
	return 0;
}

static int iommu_liveupdate_flb_retrieve(struct liveupdate_flb_op_args *args)
{
	struct iommu_lu_flb_obj *obj;
	int rc;

	obj = kzalloc(sizeof(*obj), GFP_ATOMIC);
	if (!obj)
		return -ENOMEM;
	mutex_init(&obj->lock);
	spin_lock_init(&obj->iommu_lock);

	rc = -EFAULT;
	if (BUG_ON(!kho_restore_folio(args->data)))
		goto err_free;
	obj->ser = phys_to_virt(args->data);
	rc = restore_chain(obj->ser->iommu_domains_phys, &obj->iommu_domains);
	if (!rc)
		rc = restore_chain(obj->ser->devices_phys, &obj->devices);
	if (!rc)
		rc = restore_chain(obj->ser->iommus_phys, &obj->iommus);
	if (rc)
		goto err_free;
	args->obj = obj;
	return 0;

err_free:
	kfree(obj);
	return rc;
}

static void put_chain(u64 phys)
{
	while (phys) {
		struct iommu_objs_ser *page = phys_to_virt(phys);

		phys = page->next_objs;
		folio_put((struct folio *)page);
	}
}

void posted_v1_incoming_free(struct iommu_lu_flb_obj *obj)
{
	if (!obj)
		return;
	put_chain(obj->ser->iommu_domains_phys);
	put_chain(obj->ser->devices_phys);
	put_chain(obj->ser->iommus_phys);
	folio_put((struct folio *)obj->ser);
	kfree(obj);
}

static void iommu_liveupdate_flb_finish(struct liveupdate_flb_op_args *args)
{
	struct posted_v1 *posted = ifs_design_data();

	posted->incoming = NULL;
	posted_v1_incoming_free(args->obj);
}

static const struct liveupdate_flb_ops iommu_flb_ops = {
	.preserve = iommu_liveupdate_flb_preserve,
	.unpreserve = iommu_liveupdate_flb_unpreserve,
	.retrieve = iommu_liveupdate_flb_retrieve,
	.finish = iommu_liveupdate_flb_finish,
};

const struct liveupdate_flb iommu_flb = {
	.compatible = IOMMU_LUO_FLB_COMPATIBLE,
	.ops = &iommu_flb_ops,
};

int iommu_liveupdate_register_flb(const struct liveupdate_file_handler *handler)
{
	return liveupdate_register_flb(handler, &iommu_flb);
}

int iommu_liveupdate_unregister_flb(const struct liveupdate_file_handler *handler)
{
	return liveupdate_unregister_flb(handler, &iommu_flb);
}

void *iommu_flb_reserve_obj(struct iommu_objs_ser **page, u64 *nr_objs, size_t size)
{
	struct iommu_objs_ser *last = *page;
	struct iommu_obj_ser *obj;

	if (last->nr_objs == (PAGE_SIZE - sizeof(*last)) / size) {
		void *mem = kho_alloc_preserve(PAGE_SIZE);

		if (IS_ERR(mem))
			return mem;
		last->next_objs = virt_to_phys(mem);
		*page = last = mem;
	}
	obj = (void *)((char *)(last + 1) + last->nr_objs * size);
	obj->idx = (u32)last->nr_objs++;
	obj->ref_count = 1;
	(*nr_objs)++;
	return obj;
}

void *iommu_flb_find(u64 first_phys, size_t size, bool (*match)(void *obj, const void *key),
		     const void *key)
{
	struct iommu_objs_ser *page = first_phys ? phys_to_virt(first_phys) : NULL;

	for (; page; page = next_page(page)) {
		/*
		 * Unlike Linux: a count beyond the page is cut; the posted code reads on past its
		 * end.
		 */
		u64 nr = min(page->nr_objs, (PAGE_SIZE - sizeof(*page)) / size);

		for (u64 i = 0; i < nr; i++) {
			struct iommu_obj_ser *obj = (void *)((char *)(page + 1) + i * size);

			if (!obj->deleted && match(obj, key))
				return obj;
		}
	}
	return NULL;
}
