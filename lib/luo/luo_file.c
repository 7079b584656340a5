/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The files of one session while a kernel runs (kernel/liveupdate/luo_file.c): preserve and
 * unpreserve before the kexec, retrieve and finish after it. Orders that callers can observe are
 * Linux's: unpreserve and finish run last to first, can_finish first to last.
 *
 * A file is in the map of preserved files, by its handler's id, from preserve to unpreserve and
 * from retrieve to finish: that is what keeps it from being preserved twice, in whatever session.
 *
 * args->session is set for every callback (patch 3 of the preservation series).
 *
 * Unlike Linux: the class of a luo_file's mutex is its handler, so that one file may be retrieved
 * from within another's retrieve; and a file that asks for itself there gets -EDEADLK instead of
 * hanging.
 */
#include <iommufd-sim/proto/design.h>

#include "lib/luo/luo_internal.h"

void luo_file_set_init(struct luo *luo, struct luo_file_set *set)
{
	INIT_LIST_HEAD(&set->files);
	set->count = 0;
	kho_block_set_init(&set->block_set, luo->kho, sizeof(struct luo_file_ser));
}

/* Takes over the caller's reference to @handler. */
struct luo_file *luo_file_alloc(struct luo *luo, struct luo_handler *handler, u64 token)
{
	struct luo_file *file = kheap_new(&luo->kernel->heap, struct luo_file);

	if (!file)
		return NULL;
	file->handler = handler;
	file->token = token;
	ifs_mutex_init(&file->mutex, handler->fh->compatible);
	luo->nr_files++;
	return file;
}

void luo_file_free(struct luo *luo, struct luo_file *file)
{
	luo->nr_files--;
	kheap_free(&luo->kernel->heap, file);
}

static u64 luo_get_id(const struct luo_handler *handler, struct file *file)
{
	const struct liveupdate_file_ops *ops = handler->fh->ops;

	return ops->get_id ? ops->get_id(file) : (unsigned long)file;
}

static bool token_is_used(const struct luo_file_set *set, u64 token)
{
	const struct luo_file *it;

	list_for_each_entry(it, &set->files, list)
		if (it->token == token)
			return true;
	return false;
}

void luo_file_args(struct liveupdate_session *session, const struct luo_file *file,
		   struct liveupdate_file_op_args *args)
{
	*args = (struct liveupdate_file_op_args){
		.handler = file->handler->fh,
		.session = session,
		.file = file->file,
		.serialized_data = file->serialized_data,
		.private_data = file->private_data,
	};
}

/* From the handler on: @file is ours, its handler is held. */
static int preserve_with(struct liveupdate_session *session, struct luo_handler *handler,
			 struct file *file, u64 token)
{
	struct liveupdate_file_op_args args = {
		.handler = handler->fh, .session = session, .file = file,
	};
	struct luo *luo = session->luo;
	u64 id = luo_get_id(handler, file);
	struct luo_file *luo_file;
	int err;

	err = xa_insert(&luo->preserved_files, id, file, GFP_KERNEL);
	if (err)
		return err;
	err = luo_flb_file_preserve(luo, handler);
	if (err)
		goto erase;
	luo_file = luo_file_alloc(luo, handler, token);
	if (!luo_file) {
		err = -ENOMEM;
		goto unpreserve_flbs;
	}
	luo_file->file = file;
	err = handler->fh->ops->preserve(&args);
	if (err)
		goto free;
	luo_file->serialized_data = args.serialized_data;
	luo_file->private_data = args.private_data;
	list_add_tail(&luo_file->list, &session->file_set.files);
	session->file_set.count++;
	return 0;

free:
	luo_file_free(luo, luo_file);
unpreserve_flbs:
	luo_flb_file_unpreserve(luo, handler);
erase:
	xa_erase(&luo->preserved_files, id);
	return err;
}

int luo_preserve_file(struct liveupdate_session *session, u64 token, int fd)
{
	struct luo_file_set *set = &session->file_set;
	struct luo *luo = session->luo;
	struct luo_handler *handler;
	struct file *file;
	int err;

	lockdep_assert_held(&session->mutex);
	if (token_is_used(set, token))
		return -EEXIST;
	err = kho_block_set_grow(&set->block_set, set->count + 1);
	if (err)
		return err;
	file = fget(fd);
	if (!file) {
		err = -EBADF;
		goto shrink;
	}
	handler = luo_handler_for_file(luo, file);
	if (!handler) {
		err = -ENOENT;
		goto put_file;
	}
	err = preserve_with(session, handler, file, token);
	if (err)
		goto put_handler;
	return 0;

put_handler:
	luo_handler_put(luo, handler);
put_file:
	fput(file);
shrink:
	kho_block_set_shrink(&set->block_set, set->count);
	return err;
}

void luo_file_unpreserve_files(struct liveupdate_session *session)
{
	struct luo_file_set *set = &session->file_set;
	struct luo *luo = session->luo;

	while (!list_empty(&set->files)) {
		struct luo_file *luo_file = list_last_entry(&set->files, struct luo_file, list);
		struct luo_handler *handler = luo_file->handler;
		struct liveupdate_file_op_args args;

		luo_file_args(session, luo_file, &args);
		handler->fh->ops->unpreserve(&args);
		luo_flb_file_unpreserve(luo, handler);
		xa_erase(&luo->preserved_files, luo_get_id(handler, luo_file->file));
		luo_handler_put(luo, handler);
		list_del(&luo_file->list);
		set->count--;
		kho_block_set_shrink(&set->block_set, set->count);
		fput(luo_file->file);
		luo_file_free(luo, luo_file);
	}
	kho_block_set_destroy(&set->block_set);
}

/* Tells the design, before anybody else can see the file. */
static void tell_design(struct liveupdate_session *session, const struct luo_file *luo_file)
{
	const struct ifs_design *design = session->luo->kernel->design;

	if (design && design->file_retrieved)
		design->file_retrieved(session->luo->kernel->design_data, session, luo_file->token,
				       luo_file->file);
}

static int retrieve_locked(struct liveupdate_session *session, struct luo_file *luo_file)
{
	const struct luo_handler *handler = luo_file->handler;
	struct luo *luo = session->luo;
	struct liveupdate_file_op_args args = {
		.handler = handler->fh,
		.session = session,
		.serialized_data = luo_file->serialized_data,
	};
	int err;

	if (luo_file->retrieve_status)
		return min(luo_file->retrieve_status, 0);
	err = handler->fh->ops->retrieve(&args);
	if (err) {
		/* Trap 16: Linux keeps any errno. What was meant: memory may be there next time. */
		if (luo->exact || err != -ENOMEM)
			luo_file->retrieve_status = err;
		return err;
	}
	luo_file->file = args.file;
	WARN_ON(xa_insert(&luo->preserved_files, luo_get_id(handler, args.file), args.file,
			  GFP_KERNEL));
	luo_file->retrieve_status = 1;
	tell_design(session, luo_file);
	return 0;
}

int luo_retrieve_file(struct liveupdate_session *session, u64 token, struct file **out)
{
	struct luo_file *it, *luo_file = NULL;
	int err;

	list_for_each_entry(it, &session->file_set.files, list) {
		if (it->token == token) {
			luo_file = it;
			break;
		}
	}
	if (!luo_file)
		return -ENOENT;
	if (ifs_mutex_is_held(&luo_file->mutex)) {
		pr_err("luo: token 0x%llx is needed to retrieve itself", (unsigned long long)token);
		return -EDEADLK;
	}
	mutex_lock(&luo_file->mutex);
	err = retrieve_locked(session, luo_file);
	/* LUO keeps the first reference until finish. */
	if (!err)
		*out = get_file(luo_file->file);
	mutex_unlock(&luo_file->mutex);
	return err;
}

static bool can_finish(struct liveupdate_session *session, struct luo_file *luo_file)
{
	const struct liveupdate_file_ops *ops = luo_file->handler->fh->ops;
	struct liveupdate_file_op_args args;
	bool yes = true;

	mutex_lock(&luo_file->mutex);
	if (ops->can_finish) {
		luo_file_args(session, luo_file, &args);
		args.retrieve_status = luo_file->retrieve_status;
		yes = ops->can_finish(&args);
	}
	mutex_unlock(&luo_file->mutex);
	return yes;
}

static void finish_one(struct liveupdate_session *session, struct luo_file *luo_file)
{
	struct liveupdate_file_op_args args;

	mutex_lock(&luo_file->mutex);
	luo_file_args(session, luo_file, &args);
	args.retrieve_status = luo_file->retrieve_status;
	luo_file->handler->fh->ops->finish(&args);
	luo_flb_file_finish(session->luo, luo_file->handler);
	mutex_unlock(&luo_file->mutex);
}

/* Off the list, out of the map, freed. */
static void remove_incoming(struct liveupdate_session *session, struct luo_file *luo_file)
{
	struct luo_file_set *set = &session->file_set;
	struct luo *luo = session->luo;

	if (luo_file->file) {
		xa_erase(&luo->preserved_files, luo_get_id(luo_file->handler, luo_file->file));
		fput(luo_file->file);
	}
	luo_handler_put(luo, luo_file->handler);
	list_del(&luo_file->list);
	set->count--;
	kho_block_set_shrink(&set->block_set, set->count);
	luo_file_free(luo, luo_file);
}

int luo_file_finish(struct liveupdate_session *session)
{
	struct luo_file_set *set = &session->file_set;
	struct luo_file *luo_file;

	lockdep_assert_held(&session->mutex);
	if (!set->count)
		return 0;
	list_for_each_entry(luo_file, &set->files, list)
		if (!can_finish(session, luo_file))
			return -EBUSY;
	while (!list_empty(&set->files)) {
		luo_file = list_last_entry(&set->files, struct luo_file, list);
		finish_one(session, luo_file);
		remove_incoming(session, luo_file);
	}
	kho_block_set_destroy(&set->block_set);
	return 0;
}

void luo_file_set_drop(struct liveupdate_session *session)
{
	struct luo_file_set *set = &session->file_set;

	while (!list_empty(&set->files))
		remove_incoming(session, list_last_entry(&set->files, struct luo_file, list));
	kho_block_set_destroy(&set->block_set);
}

void luo_file_set_undo(struct liveupdate_session *session)
{
	struct luo_file_set *set = &session->file_set;
	struct luo_file *luo_file, *next;

	list_for_each_entry_safe(luo_file, next, &set->files, list) {
		luo_handler_put(session->luo, luo_file->handler);
		list_del(&luo_file->list);
		luo_file_free(session->luo, luo_file);
	}
	set->count = 0;
	kho_block_set_unrestore(&set->block_set);
}

int ifs_liveupdate_get_token_outgoing(struct liveupdate_session *s, struct file *file, u64 *token)
{
	const struct luo_file *it;

	if (!liveupdate_enabled())
		return -EOPNOTSUPP;
	list_for_each_entry(it, &s->file_set.files, list) {
		if (it->file == file) {
			if (token)
				*token = it->token;
			return 0;
		}
	}
	return -ENOENT;
}

int ifs_liveupdate_get_file_incoming(struct liveupdate_session *s, u64 token, struct file **file)
{
	if (!liveupdate_enabled())
		return -EOPNOTSUPP;
	return luo_retrieve_file(s, token, file);
}
