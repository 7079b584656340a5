/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The files of one session to and from blocks of struct luo_file_ser (kernel/liveupdate/luo_file.c:
 * luo_file_freeze(), luo_file_unfreeze(), luo_file_deserialize()).
 *
 * Freezing runs first to last, and so does unfreezing; the file whose freeze failed gets no
 * unfreeze.
 */
#include "lib/luo/luo_internal.h"

static int freeze_one(struct liveupdate_session *session, struct luo_file *luo_file)
{
	const struct liveupdate_file_ops *ops = luo_file->handler->fh->ops;
	struct liveupdate_file_op_args args;
	int err = 0;

	mutex_lock(&luo_file->mutex);
	if (ops->freeze) {
		luo_file_args(session, luo_file, &args);
		err = ops->freeze(&args);
		/* A positive result passes, but its data is not taken (trap 12). */
		if (!err)
			luo_file->serialized_data = args.serialized_data;
	}
	mutex_unlock(&luo_file->mutex);
	return err;
}

static void unfreeze_one(struct liveupdate_session *session, struct luo_file *luo_file)
{
	const struct liveupdate_file_ops *ops = luo_file->handler->fh->ops;
	struct liveupdate_file_op_args args;

	mutex_lock(&luo_file->mutex);
	if (ops->unfreeze) {
		luo_file_args(session, luo_file, &args);
		ops->unfreeze(&args);
	}
	mutex_unlock(&luo_file->mutex);
}

/* All before @failed (NULL: all). */
static void unfreeze_files(struct liveupdate_session *session, const struct luo_file *failed)
{
	struct luo_file *luo_file;

	list_for_each_entry(luo_file, &session->file_set.files, list) {
		if (luo_file == failed)
			break;
		unfreeze_one(session, luo_file);
	}
	kho_block_set_clear(&session->file_set.block_set);
}

int luo_file_freeze(struct liveupdate_session *session, struct luo_file_set_ser *ser)
{
	struct luo_file_set *set = &session->file_set;
	struct luo_file *luo_file;
	struct kho_block_set_it it;

	if (!set->count)
		return 0;
	kho_block_set_it_init(&it, &set->block_set);
	list_for_each_entry(luo_file, &set->files, list) {
		struct luo_file_ser *file_ser = kho_block_set_it_reserve_entry(&it);
		int err = WARN_ON_ONCE(!file_ser) ? -ENOSPC : freeze_one(session, luo_file);

		if (err < 0) {
			pr_warn("luo: freeze failed for token 0x%llx handler %s: %d",
				(unsigned long long)luo_file->token,
				luo_file->handler->fh->compatible, err);
			unfreeze_files(session, luo_file);
			return err;
		}
		luo_strscpy(file_ser->compatible, luo_file->handler->fh->compatible,
			    sizeof(file_ser->compatible));
		file_ser->data = luo_file->serialized_data;
		file_ser->token = luo_file->token;
	}
	ser->count = set->count;
	ser->files = set->block_set.head_pa;
	return 0;
}

void luo_file_unfreeze(struct liveupdate_session *session, struct luo_file_set_ser *ser)
{
	if (!session->file_set.count)
		return;
	unfreeze_files(session, NULL);
	memset(ser, 0, sizeof(*ser));
}

static int deserialize_one(struct liveupdate_session *session, const struct luo_file_ser *ser)
{
	struct luo *luo = session->luo;
	struct luo_handler *handler = NULL;
	struct luo_file *luo_file;

	/* Unlike Linux: a string without an end has no handler; it is not read beyond its field. */
	if (strnlen(ser->compatible, sizeof(ser->compatible)) < sizeof(ser->compatible))
		handler = luo_handler_for_compatible(luo, ser->compatible);
	if (!handler) {
		pr_warn("luo: no registered handler for compatible '%.*s'",
			(int)sizeof(ser->compatible), ser->compatible);
		return -ENOENT;
	}
	luo_file = luo_file_alloc(luo, handler, ser->token);
	if (!luo_file) {
		luo_handler_put(luo, handler);
		return -ENOMEM;
	}
	luo_file->serialized_data = ser->data;
	list_add_tail(&luo_file->list, &session->file_set.files);
	session->file_set.count++;
	return 0;
}

int luo_file_deserialize(struct liveupdate_session *session, const struct luo_file_set_ser *ser)
{
	struct luo_file_set *set = &session->file_set;
	const struct luo_file_ser *file_ser;
	struct kho_block_set_it it;
	int err;

	if (!ser->files) {
		WARN_ON(ser->count);
		return 0;
	}
	err = kho_block_set_restore(&set->block_set, ser->files);
	if (err)
		return err;
	kho_block_set_it_init(&it, &set->block_set);
	while (!err && (file_ser = kho_block_set_it_read_entry(&it)))
		err = deserialize_one(session, file_ser);
	if (!err && set->count != ser->count) {
		pr_warn("luo: file count mismatch: expected %llu, found %llu",
			(unsigned long long)ser->count, (unsigned long long)set->count);
		err = -EINVAL;
	}
	if (err == -ENOMEM)
		luo_file_set_undo(session);
	else if (err)
		luo_file_set_drop(session);
	return err;
}
