/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * FLBs, file-lifecycle-bound objects (kernel/liveupdate/luo_flb.c): state that many preserved files
 * share, such as an IOMMU. It is preserved with the first file that depends on it and unpreserved
 * with the last; in the next kernel it is retrieved when first asked for and finished with the last
 * file.
 *
 *     outgoing: count = files + get_outgoing() references; handed over as it is
 *     incoming: count starts as what was handed over, but only when somebody retrieves (trap 28: if
 *               nobody does before the last file is finished, the count underflows and the object
 *               is never finished). exact = false retrieves in time.
 *
 * Unlike Linux: counts that cannot be true (0, or above INT_MAX) are refused with -EINVAL.
 */
#include <limits.h>

#include "lib/luo/luo_internal.h"

/* refcount_t: saturates instead of wrapping, and warns. */
#define REFCOUNT_SATURATED (INT_MIN / 2)

static void refcount_inc(int *count)
{
	if (WARN(*count <= 0, "refcount_t: addition on 0 or saturated; use-after-free"))
		*count = REFCOUNT_SATURATED;
	else
		(*count)++;
}

static bool refcount_dec_and_test(int *count)
{
	if (WARN(*count <= 0, "refcount_t: underflow; use-after-free")) {
		*count = REFCOUNT_SATURATED;
		return false;
	}
	return !--*count;
}

struct luo_flb_record *luo_flb_find(struct luo *luo, const struct liveupdate_flb *flb)
{
	struct luo_flb_record *it;

	list_for_each_entry(it, &luo->flb_records, all)
		if (it->flb == flb)
			return it;
	return NULL;
}

/* luo_flb_get_private(): made on first use. NULL: no memory. */
struct luo_flb_record *luo_flb_record_get(struct luo *luo, const struct liveupdate_flb *flb)
{
	struct luo_flb_record *record = luo_flb_find(luo, flb);

	if (record)
		return record;
	record = kheap_new(&luo->kernel->heap, struct luo_flb_record);
	if (!record)
		return NULL;
	record->flb = flb;
	mutex_init(&record->incoming.lock);
	mutex_init(&record->outgoing.lock);
	INIT_LIST_HEAD(&record->list);
	list_add_tail(&record->all, &luo->flb_records);
	return record;
}

void luo_flb_records_free(struct luo *luo)
{
	struct luo_flb_record *it, *next;

	list_for_each_entry_safe(it, next, &luo->flb_records, all) {
		list_del(&it->all);
		kheap_free(&luo->kernel->heap, it);
	}
}

/* Outgoing */

static int preserve_one(struct luo *luo, struct luo_flb_record *record)
{
	struct liveupdate_flb_op_args args = { .flb = record->flb };
	struct luo_flb_state *out = &record->outgoing;
	int err = 0;

	mutex_lock(&out->lock);
	if (out->count) {
		refcount_inc(&out->count);
		goto unlock;
	}
	if (!luo_module_get(luo, record->flb->ops->owner)) {
		err = -ENODEV;
		goto unlock;
	}
	err = record->flb->ops->preserve(&args);
	if (err) {
		luo_module_put(luo, record->flb->ops->owner);
		goto unlock;
	}
	out->data = args.data;
	out->obj = args.obj;
	out->count = 1;
unlock:
	mutex_unlock(&out->lock);
	return err;
}

static void put_outgoing(struct luo *luo, struct luo_flb_record *record)
{
	struct luo_flb_state *out = &record->outgoing;
	struct liveupdate_flb_op_args args;

	mutex_lock(&out->lock);
	if (refcount_dec_and_test(&out->count)) {
		args = (struct liveupdate_flb_op_args){
			.flb = record->flb, .data = out->data, .obj = out->obj,
		};
		record->flb->ops->unpreserve(&args);
		out->data = 0;
		out->obj = NULL;
		luo_module_put(luo, record->flb->ops->owner);
	}
	mutex_unlock(&out->lock);
}

int luo_flb_file_preserve(struct luo *luo, struct luo_handler *handler)
{
	struct luo_flb_link *link;
	int err = 0;

	down_read(&luo->register_rwlock);
	list_for_each_entry(link, &handler->flb_links, list) {
		err = preserve_one(luo, link->record);
		if (err)
			break;
	}
	if (err)
		for (link = list_prev_entry(link, list); &link->list != &handler->flb_links;
		     link = list_prev_entry(link, list))
			put_outgoing(luo, link->record);
	up_read(&luo->register_rwlock);
	return err;
}

void luo_flb_file_unpreserve(struct luo *luo, struct luo_handler *handler)
{
	struct luo_flb_link *link;

	down_read(&luo->register_rwlock);
	list_for_each_entry_reverse(link, &handler->flb_links, list)
		put_outgoing(luo, link->record);
	up_read(&luo->register_rwlock);
}

int ifs_liveupdate_flb_get_outgoing(const struct liveupdate_flb *flb, void **obj)
{
	struct luo_flb_record *record;
	int err = -ENOENT;

	if (!liveupdate_enabled())
		return -EOPNOTSUPP;
	record = luo_flb_find(this_luo(), flb);
	if (!record)
		return -ENOENT;
	mutex_lock(&record->outgoing.lock);
	if (record->outgoing.obj) {
		refcount_inc(&record->outgoing.count);
		*obj = record->outgoing.obj;
		err = 0;
	}
	mutex_unlock(&record->outgoing.lock);
	return err;
}

void ifs_liveupdate_flb_put_outgoing(const struct liveupdate_flb *flb)
{
	struct luo_flb_record *record = this_luo() ? luo_flb_find(this_luo(), flb) : NULL;

	if (!WARN_ON(!record))
		put_outgoing(this_luo(), record);
}

/* Incoming */

/* What was handed over under this name. -ENODATA: no page, -ENOENT: not in it, -EINVAL: untrue. */
static int find_incoming(struct luo *luo, const struct liveupdate_flb *flb, u64 *data, int *count)
{
	const struct luo_flb_header_ser *header;
	const struct luo_flb_ser *ser;

	if (!luo->flbs_in_pa)
		return -ENODATA;
	header = phys_mem_ptr(luo->kernel->mem, luo->flbs_in_pa, PAGE_SIZE);
	ser = (const struct luo_flb_ser *)(header + 1);
	for (u64 i = 0; i < min(header->count, (u64)LUO_FLB_MAX); i++) {
		if (strncmp(ser[i].name, flb->compatible, sizeof(ser[i].name)))
			continue;
		if (!ser[i].count || ser[i].count > INT_MAX)
			return -EINVAL;
		*data = ser[i].data;
		*count = ser[i].count;
		return 0;
	}
	return -ENOENT;
}

static int retrieve_one(struct luo *luo, struct luo_flb_record *record)
{
	struct liveupdate_flb_op_args args = { .flb = record->flb };
	struct luo_flb_state *in = &record->incoming;
	int err;

	lockdep_assert_held(&in->lock);
	if (in->finished)
		return -ENODATA;
	if (in->retrieve_status)
		return min(in->retrieve_status, 0);
	err = find_incoming(luo, record->flb, &in->data, &in->count);
	if (err)
		return err;
	/* Without a module the count stays set and another try is possible (trap 30). */
	if (!luo_module_get(luo, record->flb->ops->owner))
		return -ENODEV;
	args.data = in->data;
	err = record->flb->ops->retrieve(&args);
	if (err) {
		in->retrieve_status = err;
		luo_module_put(luo, record->flb->ops->owner);
		return err;
	}
	in->obj = args.obj;
	in->retrieve_status = 1;
	return 0;
}

static void put_incoming(struct luo *luo, struct luo_flb_record *record)
{
	struct liveupdate_flb_op_args args = { .flb = record->flb };
	struct luo_flb_state *in = &record->incoming;

	mutex_lock(&in->lock);
	/* What was meant: the count is there before it is counted down. */
	if (!luo->exact && !in->retrieve_status && retrieve_one(luo, record))
		goto unlock;
	if (!luo->exact && in->retrieve_status < 0)
		goto unlock;
	if (!refcount_dec_and_test(&in->count))
		goto unlock;
	if (in->retrieve_status <= 0 && WARN_ON(retrieve_one(luo, record)))
		goto unlock;
	args.obj = in->obj;
	record->flb->ops->finish(&args);
	in->data = 0;
	in->obj = NULL;
	in->finished = true;
	luo_module_put(luo, record->flb->ops->owner);
unlock:
	mutex_unlock(&in->lock);
}

void luo_flb_file_finish(struct luo *luo, struct luo_handler *handler)
{
	struct luo_flb_link *link;

	down_read(&luo->register_rwlock);
	list_for_each_entry_reverse(link, &handler->flb_links, list)
		put_incoming(luo, link->record);
	up_read(&luo->register_rwlock);
}

int ifs_liveupdate_flb_get_incoming(const struct liveupdate_flb *flb, void **obj)
{
	struct luo *luo = this_luo();
	struct luo_flb_record *record;
	int err = 0;

	if (!liveupdate_enabled())
		return -EOPNOTSUPP;
	record = luo_flb_record_get(luo, flb);
	if (!record)
		return -ENOMEM;
	mutex_lock(&record->incoming.lock);
	if (!record->incoming.obj)
		err = retrieve_one(luo, record);
	if (!err) {
		refcount_inc(&record->incoming.count);
		*obj = record->incoming.obj;
	}
	mutex_unlock(&record->incoming.lock);
	return err;
}

void ifs_liveupdate_flb_put_incoming(const struct liveupdate_flb *flb)
{
	struct luo_flb_record *record = this_luo() ? luo_flb_find(this_luo(), flb) : NULL;

	if (!WARN_ON(!record))
		put_incoming(this_luo(), record);
}
