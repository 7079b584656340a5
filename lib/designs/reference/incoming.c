/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference, next kernel: reads the records once, at boot, into lists of its own. From then on the
 * handed-over pages are not looked at again, so nothing that happens to them later matters.
 *
 * A record that does not check, or finds no memory, is left out with a line in the log, and so is
 * one that refers to a record that is not there: a device without a sound owner, domain and unit is
 * not restored, and the others are.
 * `damaged` remembers that something was left out, so that a device nobody mentions is blocked
 * instead of taken for one that was never preserved.
 */
#include "lib/designs/reference/reference.h"

static struct ref_in_owner *find_owner(struct ref_state *state, u64 id)
{
	struct ref_in_owner *owner;

	list_for_each_entry(owner, &state->owners, list)
		if (owner->id == id)
			return owner;
	return NULL;
}

static struct ref_in_domain *find_domain(struct ref_state *state, u64 id)
{
	struct ref_in_domain *domain;

	list_for_each_entry(domain, &state->domains, list)
		if (domain->rec.id == id)
			return domain;
	return NULL;
}

void ref_owner_thaw(struct ref_in_owner *owner)
{
	while (owner->nr_frozen) {
		struct file *file = owner->frozen[--owner->nr_frozen];

		ifs_memfd_set_frozen(file, false);
		fput(file);
	}
}

void ref_owner_free(struct ref_in_owner *owner)
{
	list_del(&owner->list);
	kfree(owner->hwpts);
	kfree(owner->frozen);
	kfree(owner);
}

/* The iommufd's own record: copied, and left unclaimed until its file is finished. */
static int read_iommufd_record(struct ref_in_owner *owner)
{
	struct ref_iommufd *rec = ref_record_at(owner->iommufd_pa, REF_MAGIC_IOMMUFD, sizeof(*rec),
						"an iommufd");
	u64 want;

	owner->bad = true;
	if (!rec)
		return 0;
	want = sizeof(*rec) + rec->nr_hwpts * (u64)sizeof(rec->hwpts[0]) + rec->nr_files * 8ull;
	if (want != rec->hdr.size || rec->owner_id != owner->id || !rec->nr_hwpts)
		return 0;
	owner->hwpts = kcalloc(rec->nr_hwpts, sizeof(*owner->hwpts), GFP_KERNEL);
	if (!owner->hwpts)
		return -ENOMEM;
	if (rec->nr_files) {
		owner->frozen = kcalloc(rec->nr_files, sizeof(*owner->frozen), GFP_KERNEL);
		if (!owner->frozen)
			return -ENOMEM;
		owner->max_frozen = rec->nr_files;
	}
	memcpy(owner->hwpts, rec->hwpts, rec->nr_hwpts * sizeof(*owner->hwpts));
	owner->nr_hwpts = rec->nr_hwpts;
	owner->bad = false;
	return 0;
}

static int read_owner(struct ref_state *state, const struct ref_owner *rec)
{
	struct ref_in_owner *owner = kzalloc(sizeof(*owner), GFP_KERNEL);
	int rc;

	if (!owner)
		return -ENOMEM;
	owner->id = rec->id;
	owner->token = rec->iommufd_token;
	owner->iommufd_pa = rec->iommufd_pa;
	memcpy(owner->session, rec->session, sizeof(owner->session));
	owner->session[sizeof(owner->session) - 1] = 0;
	list_add_tail(&owner->list, &state->owners);
	rc = read_iommufd_record(owner);
	if (!rc && owner->bad)
		state->damaged = true;
	return rc;
}

static int read_domain(struct ref_state *state, const struct ref_domain *rec)
{
	struct ref_in_domain *domain = kzalloc(sizeof(*domain), GFP_KERNEL);

	if (!domain)
		return -ENOMEM;
	domain->rec = *rec;
	list_add_tail(&domain->list, &state->domains);
	return 0;
}

static int read_device(struct ref_state *state, const struct ref_device *rec)
{
	struct ref_in_device *device = kzalloc(sizeof(*device), GFP_KERNEL);

	if (!device)
		return -ENOMEM;
	device->rec = *rec;
	list_add_tail(&device->list, &state->devices);
	return 0;
}

static int read_unit(struct ref_state *state, const struct ref_hw *rec)
{
	struct ref_in_unit *unit = kzalloc(sizeof(*unit), GFP_KERNEL);

	if (!unit)
		return -ENOMEM;
	unit->rec = *rec;
	list_add_tail(&unit->list, &state->units);
	return 0;
}

/* -ENOMEM. */
static int read_record(struct ref_state *state, const struct ref_hdr *hdr)
{
	switch (hdr->magic) {
	case REF_MAGIC_OWNER:
		return read_owner(state, (const struct ref_owner *)hdr);
	case REF_MAGIC_DOMAIN:
		return read_domain(state, (const struct ref_domain *)hdr);
	case REF_MAGIC_DEVICE:
		return read_device(state, (const struct ref_device *)hdr);
	default:
		return read_unit(state, (const struct ref_hw *)hdr);
	}
}

/* A record that cannot be used, or not be kept for want of memory, is as one that is not there. */
static void read_slot(struct ref_state *state, const struct ref_hdr *hdr, u64 id)
{
	static const struct {
		u32 magic;
		u32 size;
	} kinds[] = {
		{ REF_MAGIC_OWNER, sizeof(struct ref_owner) },
		{ REF_MAGIC_DOMAIN, sizeof(struct ref_domain) },
		{ REF_MAGIC_DEVICE, sizeof(struct ref_device) },
		{ REF_MAGIC_HW, sizeof(struct ref_hw) },
	};
	const char *why = "is of no known kind";

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (hdr->magic == kinds[i].magic)
			why = ref_refuse(hdr, hdr->magic, kinds[i].size, kinds[i].size);
	/* The id stands behind the header in all four. */
	if (!why && *(const u64 *)(hdr + 1) != id)
		why = "is in another one's place";
	if (!why && read_record(state, hdr))
		why = "finds no memory";
	if (why) {
		pr_err("reference: record %llu %s", (unsigned long long)id, why);
		state->damaged = true;
	}
}

/* Ids become pointers; what points nowhere stays without and is refused when it is needed. */
static void connect_records(struct ref_state *state)
{
	struct ref_in_domain *domain;
	struct ref_in_device *device;

	list_for_each_entry(domain, &state->domains, list)
		domain->owner = find_owner(state, domain->rec.owner_id);
	list_for_each_entry(device, &state->devices, list) {
		device->owner = find_owner(state, device->rec.owner_id);
		device->domain = find_domain(state, device->rec.domain_id);
	}
}

void ref_incoming_read(struct ref_state *state, const struct ref_incoming_chain *chain)
{
	phys_addr_t pa = chain->first_pa;

	state->damaged = chain->truncated;
	for (u32 i = 0; i < chain->nr_pages; i++) {
		struct ref_page *page = phys_to_virt(pa);

		for (u32 slot = 1; slot < REF_SLOTS_PER_PAGE; slot++) {
			struct ref_hdr *hdr = (void *)((u8 *)page + slot * REF_SLOT_BYTES);

			if (hdr->magic)
				read_slot(state, hdr, (u64)i * REF_SLOTS_PER_PAGE + slot);
		}
		pa = page->next_pa;
	}
	connect_records(state);
}

void ref_incoming_drop(struct ref_state *state)
{
	struct ref_in_owner *owner, *next_owner;
	struct ref_in_domain *domain, *next_domain;
	struct ref_in_device *device, *next_device;
	struct ref_in_unit *unit, *next_unit;

	list_for_each_entry_safe(device, next_device, &state->devices, list) {
		list_del(&device->list);
		kfree(device);
	}
	list_for_each_entry_safe(domain, next_domain, &state->domains, list) {
		list_del(&domain->list);
		kfree(domain);
	}
	list_for_each_entry_safe(unit, next_unit, &state->units, list) {
		list_del(&unit->list);
		kfree(unit);
	}
	list_for_each_entry_safe(owner, next_owner, &state->owners, list) {
		ref_owner_thaw(owner);
		ref_owner_free(owner);
	}
}
