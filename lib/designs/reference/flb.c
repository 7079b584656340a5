/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference: the file-lifecycle-bound object "ifs-iommu-v1", the page chain of lib/abi/reference.h.
 * It exists while at least one iommufd is preserved, and in the next kernel until the last one is
 * finished.
 *
 * Retrieve checks page by page and claims only what it has checked. A page that does not check ends
 * the chain there: what hangs behind it is lost, and each device that may have been in it is
 * blocked, not the machine stopped. The records themselves are read once at boot (incoming.c) and
 * never again.
 */
#include "lib/designs/reference/reference.h"

static int flb_preserve(struct liveupdate_flb_op_args *args)
{
	struct ref_outgoing *out = kzalloc(sizeof(*out), GFP_KERNEL);
	struct ref_page *page;

	if (!out)
		return -ENOMEM;
	page = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(page)) {
		kfree(out);
		return PTR_ERR(page);
	}
	page->nr_slots = REF_SLOTS_PER_PAGE;
	ref_seal(&page->hdr, REF_MAGIC_PAGE, sizeof(*page));
	mutex_init(&out->lock);
	out->first = page;
	args->obj = out;
	args->data = virt_to_phys(page);
	return 0;
}

/* Every record was given back by who had taken it; only the first page is left. */
static void flb_unpreserve(struct liveupdate_flb_op_args *args)
{
	struct ref_outgoing *out = args->obj;

	WARN_ON(out->first->next_pa);
	kho_unpreserve_free(out->first);
	kfree(out);
}

static struct ref_page *check_page(phys_addr_t pa, u32 index)
{
	struct ref_page *page = ref_record_at(pa, REF_MAGIC_PAGE, sizeof(*page), "a record page");

	if (!page)
		return NULL;
	if (page->index != index || page->nr_slots != REF_SLOTS_PER_PAGE ||
	    page->hdr.size != sizeof(*page)) {
		pr_err("reference: record page %u at 0x%llx is out of place", index,
		       (unsigned long long)pa);
		return NULL;
	}
	return page;
}

static int flb_retrieve(struct liveupdate_flb_op_args *args)
{
	struct ref_incoming_chain *chain;
	struct ref_page *page;
	phys_addr_t pa = args->data;

	if (!check_page(pa, 0))
		return -EINVAL;
	chain = kzalloc(sizeof(*chain), GFP_KERNEL);
	if (!chain)
		return -ENOMEM;
	chain->first_pa = pa;
	/* A cycle cannot pass: a claimed page is no longer restorable. */
	while (pa) {
		page = check_page(pa, chain->nr_pages);
		if (!page || !kho_restore_folio(pa)) {
			chain->truncated = true;
			break;
		}
		chain->nr_pages++;
		pa = page->next_pa;
	}
	args->obj = chain;
	return 0;
}

void ref_chain_free(struct ref_incoming_chain *chain)
{
	phys_addr_t pa;

	if (!chain)
		return;
	pa = chain->first_pa;

	for (u32 i = 0; i < chain->nr_pages; i++) {
		struct ref_page *page = phys_to_virt(pa);

		pa = page->next_pa;
		folio_put((struct folio *)page);
	}
	kfree(chain);
}

static void flb_finish(struct liveupdate_flb_op_args *args)
{
	struct ref_state *state = ifs_design_data();

	state->chain = NULL;
	ref_chain_free(args->obj);
}

static const struct liveupdate_flb_ops ref_flb_ops = {
	.preserve = flb_preserve,
	.unpreserve = flb_unpreserve,
	.retrieve = flb_retrieve,
	.finish = flb_finish,
};

const struct liveupdate_flb ref_flb = {
	.compatible = REF_FLB_COMPATIBLE,
	.ops = &ref_flb_ops,
};

int ref_outgoing_get(struct ref_outgoing **out)
{
	int rc = liveupdate_flb_get_outgoing(&ref_flb, (void **)out);

	/* The preserved iommufd keeps it alive; a reference of ours would be counted as a file. */
	if (!rc)
		liveupdate_flb_put_outgoing(&ref_flb);
	return rc;
}
