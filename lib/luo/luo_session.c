/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Sessions (kernel/liveupdate/luo_session.c): named sets of files. Outgoing ones are made by this
 * kernel's processes, incoming ones came from the previous kernel; the two lists know nothing of
 * each other, so a name may be in both.
 *
 *     outgoing: CREATE -> open -> last close: everything unpreserved, gone
 *     incoming: first open of the device -> RETRIEVE (once) -> FINISH -> last close: gone
 *               last close without FINISH finishes; if a file refuses, the session stays for ever
 *
 * Unlike Linux, where after a committed kexec every caller hangs on the rwsem that is never
 * released: a task may not end with a lock held here, so a flag stands for it and callers get -EIO.
 */
#include <fcntl.h>
#include <stdio.h>

#include "lib/luo/luo_internal.h"

void luo_session_header_init(struct luo *luo, struct luo_session_header *sh, const char *name)
{
	INIT_LIST_HEAD(&sh->list);
	ifs_rwsem_init(&sh->rwsem, name);
	kho_block_set_init(&sh->block_set, luo->kho, sizeof(struct luo_session_ser));
}

int luo_serialize_enter(struct luo *luo)
{
	if (luo->committed)
		return -EIO;
	down_read(&luo->serialize_rwsem);
	if (!luo->committed)
		return 0;
	up_read(&luo->serialize_rwsem);
	return -EIO;
}

void luo_serialize_leave(struct luo *luo)
{
	up_read(&luo->serialize_rwsem);
}

struct liveupdate_session *luo_session_alloc(struct luo *luo, const char *name)
{
	struct liveupdate_session *session =
		kheap_new(&luo->kernel->heap, struct liveupdate_session);

	if (!session)
		return NULL;
	session->luo = luo;
	luo_strscpy(session->name, name, sizeof(session->name));
	luo_file_set_init(luo, &session->file_set);
	INIT_LIST_HEAD(&session->list);
	mutex_init(&session->mutex);
	return session;
}

void luo_session_free(struct liveupdate_session *session)
{
	WARN_ON(session->file_set.count);
	WARN_ON(!list_empty(&session->file_set.files));
	WARN_ON(!kho_block_set_is_empty(&session->file_set.block_set));
	kheap_free(&session->luo->kernel->heap, session);
}

static bool name_is_taken(const struct luo_session_header *sh, const char *name)
{
	const struct liveupdate_session *it;

	list_for_each_entry(it, &sh->list, list)
		if (!strncmp(it->name, name, sizeof(it->name)))
			return true;
	return false;
}

int luo_session_insert(struct luo_session_header *sh, struct liveupdate_session *session)
{
	struct luo *luo = session->luo;
	int err = 0;

	down_write(&sh->rwsem);
	/* Trap 1: Linux looks at the names only after it has grown the set, and leaves it grown. */
	if (!luo->exact && name_is_taken(sh, session->name))
		err = -EEXIST;
	if (!err && sh == &luo->outgoing)
		err = kho_block_set_grow(&sh->block_set, sh->count + 1);
	if (!err && name_is_taken(sh, session->name))
		err = -EEXIST;
	if (!err) {
		list_add_tail(&session->list, &sh->list);
		sh->count++;
	}
	up_write(&sh->rwsem);
	return err;
}

static void luo_session_remove(struct luo_session_header *sh, struct liveupdate_session *session)
{
	down_write(&sh->rwsem);
	list_del(&session->list);
	sh->count--;
	if (sh == &session->luo->outgoing)
		kho_block_set_shrink(&sh->block_set, sh->count);
	up_write(&sh->rwsem);
}

int luo_session_finish_one(struct liveupdate_session *session)
{
	int err;

	mutex_lock(&session->mutex);
	err = luo_file_finish(session);
	mutex_unlock(&session->mutex);
	return err;
}

void luo_session_release(struct file *file)
{
	struct liveupdate_session *session = file->private_data;
	struct luo *luo = session->luo;
	struct luo_session_header *sh;
	int err;

	if (luo->exiting || luo_serialize_enter(luo))
		return;
	if (session->retrieved) {
		session->closing = true;
		err = luo_session_finish_one(session);
		session->closing = false;
		if (err) {
			pr_warn("luo: unable to finish session [%s] on release", session->name);
			goto leave;
		}
		sh = &luo->incoming;
	} else {
		mutex_lock(&session->mutex);
		luo_file_unpreserve_files(session);
		mutex_unlock(&session->mutex);
		sh = &luo->outgoing;
	}
	luo_session_remove(sh, session);
	luo_session_free(session);
leave:
	luo_serialize_leave(luo);
}

static int luo_session_getfile(struct liveupdate_session *session, struct file **out)
{
	char name[96];

	lockdep_assert_held(&session->mutex);
	snprintf(name, sizeof(name), "[luo_session] %s", session->name);
	return ifs_anon_inode_getfile(name, &luo_session_fops, session, O_RDWR, out);
}

int luo_session_create(struct luo *luo, const char *name, struct file **out)
{
	size_t length = strnlen(name, LIVEUPDATE_SESSION_NAME_LENGTH);
	struct liveupdate_session *session;
	int err;

	if (!length || length > LIVEUPDATE_SESSION_NAME_LENGTH - 1)
		return -EINVAL;
	session = luo_session_alloc(luo, name);
	if (!session)
		return -ENOMEM;
	err = luo_serialize_enter(luo);
	if (err)
		goto free;
	err = luo_session_insert(&luo->outgoing, session);
	if (err)
		goto leave;
	mutex_lock(&session->mutex);
	err = luo_session_getfile(session, out);
	mutex_unlock(&session->mutex);
	if (err)
		goto remove;
	luo_serialize_leave(luo);
	return 0;

remove:
	luo_session_remove(&luo->outgoing, session);
leave:
	luo_serialize_leave(luo);
free:
	luo_session_free(session);
	return err;
}

static int luo_session_retrieve_locked(struct luo *luo, const char *name, struct file **out)
{
	struct liveupdate_session *it, *session = NULL;
	int err;

	list_for_each_entry(it, &luo->incoming.list, list) {
		if (!strncmp(it->name, name, sizeof(it->name))) {
			session = it;
			break;
		}
	}
	if (!session)
		return -ENOENT;
	mutex_lock(&session->mutex);
	err = session->retrieved ? -EINVAL : luo_session_getfile(session, out);
	if (!err)
		session->retrieved = true;
	mutex_unlock(&session->mutex);
	return err;
}

int luo_session_retrieve(struct luo *luo, const char *name, struct file **out)
{
	int err = luo_serialize_enter(luo);

	if (err)
		return err;
	down_read(&luo->incoming.rwsem);
	err = luo_session_retrieve_locked(luo, name, out);
	up_read(&luo->incoming.rwsem);
	luo_serialize_leave(luo);
	return err;
}

/*
 * The kernel ends: sessions nobody claimed, or that could not be finished, go without a word. A
 * file in one may hold the last reference to the session itself.
 */
void luo_sessions_drop(struct luo_session_header *sh)
{
	struct liveupdate_session *session, *next;

	list_for_each_entry_safe(session, next, &sh->list, list) {
		mutex_lock(&session->mutex);
		luo_file_set_drop(session);
		mutex_unlock(&session->mutex);
		list_del(&session->list);
		sh->count--;
		luo_session_free(session);
	}
	kho_block_set_destroy(&sh->block_set);
}

const char *ifs_liveupdate_session_name(const struct liveupdate_session *s)
{
	return s->name;
}

bool ifs_liveupdate_session_is_closing(const struct liveupdate_session *s)
{
	return s->closing;
}
