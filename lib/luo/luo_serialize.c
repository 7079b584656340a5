/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Sessions to and from blocks of struct luo_session_ser (kernel/liveupdate/luo_session.c:
 * luo_session_serialize(), luo_session_deserialize()).
 *
 * Writing happens inside reboot(2), after the last system call that could change anything. A failed
 * freeze undoes what was done, sessions backwards, files within a session forwards, and the system
 * goes on. Reading happens once, at the first open of the device; its result is kept for the boot.
 *
 * Unlike Linux: a name that is empty or not terminated is refused (-EINVAL); Linux would cut it.
 * And want of memory is not remembered: that open fails with -EIO too, but the next one tries
 * again.
 */
#include "lib/luo/luo_internal.h"

static struct luo_ser *outgoing_ser(struct luo *luo)
{
	return phys_mem_ptr(luo->kernel->mem, luo->ser_pa, sizeof(struct luo_ser));
}

int luo_session_setup_incoming(struct luo *luo, pa_t sessions_pa)
{
	int err;

	if (!sessions_pa)
		return 0;
	err = kho_block_set_restore(&luo->incoming.block_set, sessions_pa);
	if (err)
		return err;
	luo->incoming.active = true;
	return 0;
}

static int deserialize_one(struct luo *luo, const struct luo_session_ser *ser)
{
	struct liveupdate_session *session;
	size_t length = strnlen(ser->name, sizeof(ser->name));
	int err;

	if (!length || length == sizeof(ser->name)) {
		pr_warn("luo: a session's name is empty or not terminated");
		return -EINVAL;
	}
	session = luo_session_alloc(luo, ser->name);
	if (!session) {
		pr_warn("luo: no memory for session [%s]", ser->name);
		return -ENOMEM;
	}
	err = luo_session_insert(&luo->incoming, session);
	if (err) {
		pr_warn("luo: failed to insert session [%s]: %d", session->name, err);
		luo_session_free(session);
		return err;
	}
	mutex_lock(&session->mutex);
	err = luo_file_deserialize(session, &ser->file_set_ser);
	mutex_unlock(&session->mutex);
	if (err)
		pr_warn("luo: failed to deserialize files of session [%s]: %d", session->name, err);
	return err;
}

/* Everything taken over so far goes back, but for the chain of sessions itself. */
static void undo_deserialize(struct luo *luo)
{
	struct liveupdate_session *session, *next;

	list_for_each_entry_safe(session, next, &luo->incoming.list, list) {
		luo_file_set_undo(session);
		list_del(&session->list);
		luo->incoming.count--;
		luo_session_free(session);
	}
	luo->deserialized = false;
}

int luo_session_deserialize(struct luo *luo)
{
	struct luo_session_ser *ser;
	struct kho_block_set_it it;
	int err = 0;

	if (luo->deserialized)
		return luo->deserialize_err;
	luo->deserialized = true;
	if (!luo->incoming.active)
		return 0;
	/* Sessions before the one that failed stay, out of reach, as in Linux. */
	kho_block_set_it_init(&it, &luo->incoming.block_set);
	while (!err && (ser = kho_block_set_it_read_entry(&it)))
		err = deserialize_one(luo, ser);
	if (err == -ENOMEM) {
		undo_deserialize(luo);
		return err;
	}
	kho_block_set_destroy(&luo->incoming.block_set);
	luo->deserialize_err = err;
	return err;
}

static int freeze_session(struct liveupdate_session *session, struct luo_session_ser *ser)
{
	int err;

	mutex_lock(&session->mutex);
	err = luo_file_freeze(session, &ser->file_set_ser);
	mutex_unlock(&session->mutex);
	if (!err)
		luo_strscpy(ser->name, session->name, sizeof(ser->name));
	return err;
}

static void unfreeze_session(struct liveupdate_session *session, struct luo_session_ser *ser)
{
	mutex_lock(&session->mutex);
	luo_file_unfreeze(session, &ser->file_set_ser);
	mutex_unlock(&session->mutex);
	memset(ser->name, 0, sizeof(ser->name));
}

/* On failure @session names the one that failed and @it stands behind the last that did not. */
static int freeze_all(struct luo *luo, struct kho_block_set_it *it,
		      struct liveupdate_session **failed)
{
	struct liveupdate_session *session;
	int err;

	list_for_each_entry(session, &luo->outgoing.list, list) {
		struct luo_session_ser *ser = kho_block_set_it_reserve_entry(it);

		*failed = session;
		if (WARN_ON_ONCE(!ser))
			return -ENOSPC;
		err = freeze_session(session, ser);
		if (err) {
			kho_block_set_it_prev(it);
			return err;
		}
	}
	return 0;
}

int luo_session_serialize(struct luo *luo)
{
	struct luo_session_header *sh = &luo->outgoing;
	struct liveupdate_session *session = NULL;
	struct kho_block_set_it it;
	int err;

	down_write(&luo->serialize_rwsem);
	down_write(&sh->rwsem);
	outgoing_ser(luo)->sessions_pa = 0;
	kho_block_set_it_init(&it, &sh->block_set);
	err = freeze_all(luo, &it, &session);
	if (err) {
		for (session = list_prev_entry(session, list); &session->list != &sh->list;
		     session = list_prev_entry(session, list))
			unfreeze_session(session, kho_block_set_it_prev(&it));
	} else {
		if (sh->count)
			outgoing_ser(luo)->sessions_pa = sh->block_set.head_pa;
		luo->committed = true;
	}
	up_write(&sh->rwsem);
	up_write(&luo->serialize_rwsem);
	return err;
}
