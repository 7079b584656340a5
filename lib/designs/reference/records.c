/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference: writing and checking what crosses (lib/abi/reference.h).
 *
 * Invariant: between two calls every record in the chain is sealed, so that a kexec at any moment
 * hands over what is true. The chain has no empty page at its end but the first, so that a slot
 * taken and given back leaves nothing behind.
 */
#include "lib/designs/reference/reference.h"

static u32 crc32_update(u32 crc, const void *data, size_t size)
{
	/* Polynomial 0xedb88320, four bits at a time. */
	static const u32 table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
		0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
		0xa00ae278, 0xbdbdf21c,
	};
	const u8 *bytes = data;

	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

u32 ref_record_crc32(const struct ref_hdr *hdr, size_t size)
{
	const struct ref_hdr head = {
		.magic = hdr->magic, .version = hdr->version, .size = hdr->size,
	};
	u32 crc = crc32_update(~0u, &head, sizeof(head));

	return ~crc32_update(crc, hdr + 1, size - sizeof(*hdr));
}

void ref_seal(struct ref_hdr *hdr, u32 magic, size_t size)
{
	hdr->magic = magic;
	hdr->version = REF_VERSION;
	hdr->size = (u32)size;
	hdr->crc32 = ref_record_crc32(hdr, size);
}

const char *ref_refuse(const struct ref_hdr *hdr, u32 magic, size_t min_size, size_t max_size)
{
	if (hdr->magic != magic)
		return "is something else";
	if (hdr->version != REF_VERSION)
		return "has another version";
	if (hdr->size < min_size || hdr->size > max_size)
		return "has an impossible size";
	if (hdr->crc32 != ref_record_crc32(hdr, hdr->size))
		return "is damaged";
	return NULL;
}

void *ref_record_at(phys_addr_t pa, u32 magic, size_t min_size, const char *what)
{
	const size_t max_size = PAGE_SIZE << MAX_PAGE_ORDER;
	struct ref_hdr *hdr = NULL;
	const char *why = "lies where nothing was preserved";

	if (ifs_kho_is_restorable(pa))
		hdr = ifs_phys_to_virt_sized(pa, PAGE_SIZE);
	if (hdr && hdr->size > PAGE_SIZE && !ifs_phys_to_virt_sized(pa, min(hdr->size, max_size)))
		hdr = NULL;
	if (hdr)
		why = ref_refuse(hdr, magic, min_size, max_size);
	if (!why)
		return hdr;
	pr_err("reference: the record of %s at 0x%llx %s", what, (unsigned long long)pa, why);
	return NULL;
}

static struct ref_page *next_page(const struct ref_page *page)
{
	return page->next_pa ? phys_to_virt(page->next_pa) : NULL;
}

static void *slot_of(struct ref_page *page, u32 slot)
{
	return (u8 *)page + slot * REF_SLOT_BYTES;
}

static bool slot_is_free(struct ref_page *page, u32 slot)
{
	return !((struct ref_hdr *)slot_of(page, slot))->magic;
}

static bool page_is_empty(struct ref_page *page)
{
	for (u32 slot = 1; slot < REF_SLOTS_PER_PAGE; slot++)
		if (!slot_is_free(page, slot))
			return false;
	return true;
}

static struct ref_page *append_page(struct ref_page *last)
{
	struct ref_page *page = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(page))
		return page;
	page->index = last->index + 1;
	page->nr_slots = REF_SLOTS_PER_PAGE;
	ref_seal(&page->hdr, REF_MAGIC_PAGE, sizeof(*page));
	last->next_pa = virt_to_phys(page);
	ref_seal(&last->hdr, REF_MAGIC_PAGE, sizeof(*last));
	return page;
}

void *ref_slot_new(struct ref_outgoing *out, u64 *id)
{
	struct ref_page *page = out->first, *last = NULL;

	lockdep_assert_held(&out->lock);
	for (;;) {
		if (!page) {
			page = append_page(last);
			if (IS_ERR(page))
				return page;
		}
		for (u32 slot = 1; slot < REF_SLOTS_PER_PAGE; slot++) {
			if (!slot_is_free(page, slot))
				continue;
			*id = (u64)page->index * REF_SLOTS_PER_PAGE + slot;
			return slot_of(page, slot);
		}
		last = page;
		page = next_page(page);
	}
}

/* Gives back empty pages at the end, never the first. */
static void trim_pages(struct ref_outgoing *out)
{
	struct ref_page *keep = out->first, *page;

	for (page = out->first; page; page = next_page(page))
		if (!page_is_empty(page))
			keep = page;
	page = next_page(keep);
	if (!page)
		return;
	keep->next_pa = 0;
	ref_seal(&keep->hdr, REF_MAGIC_PAGE, sizeof(*keep));
	while (page) {
		struct ref_page *next = next_page(page);

		kho_unpreserve_free(page);
		page = next;
	}
}

void ref_slot_free(struct ref_outgoing *out, void *slot)
{
	lockdep_assert_held(&out->lock);
	memset(slot, 0, REF_SLOT_BYTES);
	trim_pages(out);
}
