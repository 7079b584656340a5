/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * File handlers (kernel/liveupdate/luo_file.c: liveupdate_register_file_handler()). The order of
 * registration is the order in which they are asked whether a file is theirs.
 *
 * Handlers are constant objects, so what Linux keeps inside them is kept in a record. As the lists
 * in Linux's structure do, the record outlives the registration for as long as a file names it; a
 * handler that is registered again then gets the same record with an empty list of FLBs.
 */
#include "lib/luo/luo_internal.h"

static struct luo_handler *find_record(struct list_head *list,
				       const struct liveupdate_file_handler *fh)
{
	struct luo_handler *it;

	list_for_each_entry(it, list, list)
		if (it->fh == fh)
			return it;
	return NULL;
}

static struct luo_handler *take(struct luo *luo, struct luo_handler *handler)
{
	if (!luo_module_get(luo, handler->fh->ops->owner))
		return NULL;
	handler->nr_files++;
	return handler;
}

struct luo_handler *luo_handler_for_file(struct luo *luo, struct file *file)
{
	struct luo_handler *it, *found = NULL;

	down_read(&luo->register_rwlock);
	list_for_each_entry(it, &luo->handlers, list) {
		/* The first match decides, even if its module cannot be had (trap 20). */
		if (it->fh->ops->can_preserve(it->fh, file)) {
			found = take(luo, it);
			break;
		}
	}
	up_read(&luo->register_rwlock);
	return found;
}

struct luo_handler *luo_handler_for_compatible(struct luo *luo, const char *compatible)
{
	struct luo_handler *it, *found = NULL;

	down_read(&luo->register_rwlock);
	list_for_each_entry(it, &luo->handlers, list) {
		if (!strcmp(it->fh->compatible, compatible)) {
			found = take(luo, it);
			break;
		}
	}
	up_read(&luo->register_rwlock);
	return found;
}

static void free_if_unused(struct luo *luo, struct luo_handler *handler)
{
	if (handler->registered || handler->nr_files)
		return;
	list_del(&handler->list);
	kheap_free(&luo->kernel->heap, handler);
}

void luo_handler_put(struct luo *luo, struct luo_handler *handler)
{
	luo_module_put(luo, handler->fh->ops->owner);
	handler->nr_files--;
	free_if_unused(luo, handler);
}

static void unregister_locked(struct luo *luo, struct luo_handler *handler)
{
	luo_flb_unregister_all(luo, handler);
	luo_module_unuse(luo, handler->fh->ops->owner);
	handler->registered = false;
	list_del(&handler->list);
	list_add_tail(&handler->list, &luo->gone_handlers);
	free_if_unused(luo, handler);
}

void luo_handlers_free(struct luo *luo)
{
	struct luo_handler *it, *next;

	list_for_each_entry_safe(it, next, &luo->handlers, list)
		unregister_locked(luo, it);
}

static int register_locked(struct luo *luo, const struct liveupdate_file_handler *fh)
{
	struct luo_handler *it, *handler = find_record(&luo->gone_handlers, fh);

	list_for_each_entry(it, &luo->handlers, list) {
		if (!strcmp(it->fh->compatible, fh->compatible)) {
			pr_err("luo: compatible string '%s' is already registered", fh->compatible);
			return -EEXIST;
		}
	}
	if (luo_module_use(luo, fh->ops->owner))
		return -ENOMEM;
	if (handler) {
		list_del(&handler->list);
	} else {
		handler = kheap_new(&luo->kernel->heap, struct luo_handler);
		if (!handler) {
			luo_module_unuse(luo, fh->ops->owner);
			return -ENOMEM;
		}
		handler->fh = fh;
		INIT_LIST_HEAD(&handler->flb_links);
	}
	handler->registered = true;
	list_add_tail(&handler->list, &luo->handlers);
	return 0;
}

int ifs_liveupdate_register_file_handler(const struct liveupdate_file_handler *fh)
{
	const struct liveupdate_file_ops *ops = fh->ops;
	struct luo *luo = this_luo();
	int err;

	if (!liveupdate_enabled())
		return -EOPNOTSUPP;
	if (!ops->preserve || !ops->unpreserve || !ops->retrieve || !ops->finish ||
	    !ops->can_preserve)
		return -EINVAL;
	down_write(&luo->register_rwlock);
	err = register_locked(luo, fh);
	up_write(&luo->register_rwlock);
	return err;
}

/*
 * Nothing asks whether files still depend on the handler: their FLBs are then never finished.
 * Unlike Linux, where it returns nothing: -ENOENT if it was not registered.
 */
int ifs_liveupdate_unregister_file_handler(const struct liveupdate_file_handler *fh)
{
	struct luo *luo = this_luo();
	struct luo_handler *handler;

	if (!liveupdate_enabled())
		return 0;
	down_write(&luo->register_rwlock);
	handler = find_record(&luo->handlers, fh);
	if (handler)
		unregister_locked(luo, handler);
	up_write(&luo->register_rwlock);
	return WARN_ON(!handler) ? -ENOENT : 0;
}

static struct luo_flb_link *find_link(const struct luo_handler *handler,
				      const struct liveupdate_flb *flb)
{
	struct luo_flb_link *link;

	list_for_each_entry(link, &handler->flb_links, list)
		if (link->record->flb == flb)
			return link;
	return NULL;
}

static void unlink_flb(struct luo *luo, struct luo_flb_link *link)
{
	struct luo_flb_record *record = link->record;

	list_del(&link->list);
	kheap_free(&luo->kernel->heap, link);
	if (--record->users)
		return;
	list_del(&record->list);
	luo_module_unuse(luo, record->flb->ops->owner);
	luo->nr_flbs--;
}

void luo_flb_unregister_all(struct luo *luo, struct luo_handler *handler)
{
	struct luo_flb_link *link, *next;

	list_for_each_entry_safe(link, next, &handler->flb_links, list)
		unlink_flb(luo, link);
}

/* The first handler of an FLB puts it on the list of all: room and a unique name are needed. */
static int enlist_flb(struct luo *luo, struct luo_flb_record *record)
{
	const struct luo_flb_record *it;

	if (luo->nr_flbs == LUO_FLB_MAX)
		return -ENOSPC;
	list_for_each_entry(it, &luo->flbs, list)
		if (!strcmp(it->flb->compatible, record->flb->compatible))
			return -EEXIST;
	if (luo_module_use(luo, record->flb->ops->owner))
		return -ENOMEM;
	list_add_tail(&record->list, &luo->flbs);
	luo->nr_flbs++;
	return 0;
}

static int register_flb_locked(struct luo *luo, struct luo_handler *handler,
			       struct luo_flb_record *record, struct luo_flb_link *link)
{
	int err = 0;

	lockdep_assert_held_write(&luo->register_rwlock);
	if (find_link(handler, record->flb))
		return -EEXIST;
	if (!record->users)
		err = enlist_flb(luo, record);
	if (err)
		return err;
	record->users++;
	link->record = record;
	list_add_tail(&link->list, &handler->flb_links);
	return 0;
}

int ifs_liveupdate_register_flb(const struct liveupdate_file_handler *fh,
				const struct liveupdate_flb *flb)
{
	const struct liveupdate_flb_ops *ops = flb->ops;
	struct luo *luo = this_luo();
	struct luo_flb_record *record;
	struct luo_handler *handler;
	struct luo_flb_link *link;
	int err;

	if (!liveupdate_enabled())
		return -EOPNOTSUPP;
	if (WARN_ON(!ops->preserve || !ops->unpreserve || !ops->retrieve || !ops->finish))
		return -EINVAL;
	handler = find_record(&luo->handlers, fh);
	if (WARN_ON(!handler))
		return -EINVAL;
	record = luo_flb_record_get(luo, flb);
	link = kheap_new(&luo->kernel->heap, struct luo_flb_link);
	if (!record || !link) {
		kheap_free(&luo->kernel->heap, link);
		return -ENOMEM;
	}
	down_write(&luo->register_rwlock);
	err = register_flb_locked(luo, handler, record, link);
	up_write(&luo->register_rwlock);
	if (err)
		kheap_free(&luo->kernel->heap, link);
	return err;
}

/* Unlike Linux, where it returns nothing: -ENOENT if the two are not linked. */
int ifs_liveupdate_unregister_flb(const struct liveupdate_file_handler *fh,
				  const struct liveupdate_flb *flb)
{
	struct luo *luo = this_luo();
	struct luo_handler *handler;
	struct luo_flb_link *link;

	if (!liveupdate_enabled())
		return 0;
	down_write(&luo->register_rwlock);
	handler = find_record(&luo->handlers, fh);
	link = handler ? find_link(handler, flb) : NULL;
	if (link)
		unlink_flb(luo, link);
	up_write(&luo->register_rwlock);
	if (!link) {
		pr_warn("luo: failed to unregister FLB '%s': not linked to handler '%s'",
			flb->compatible, fh->compatible);
		return -ENOENT;
	}
	return 0;
}
