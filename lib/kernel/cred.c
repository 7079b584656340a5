/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The calls by which a process changes what it may do: capabilities, users, the limit on locked
 * memory (Linux: security/commoncap.c, kernel/sys.c).
 *
 * Of groups, user namespaces, securebits and the inheritable set nothing is modelled: nothing here
 * looks at them.
 */
#include "lib/kernel/syscall.h"

#include <linux/capability.h>

int ifs_capset(struct ifs_process *process, uint64_t permitted, uint64_t effective)
{
	struct cred *cred = &process->cred;
	struct task task;
	int rc = 0;

	if (!syscall_enter(&task, process, "capset"))
		return -EIO;
	if (permitted & ~cred->cap_permitted || effective & ~permitted) {
		rc = -EPERM;
	} else {
		cred->cap_permitted = permitted;
		cred->cap_effective = effective;
	}
	syscall_leave(&task, process);
	return rc;
}

void ifs_capget(const struct ifs_process *process, uint64_t *permitted, uint64_t *effective)
{
	*permitted = process->cred.cap_permitted;
	*effective = process->cred.cap_effective;
}

static bool may_become(const struct cred *cred, uid_t uid)
{
	return uid == (uid_t)-1 || uid == cred->uid || uid == cred->euid || uid == cred->suid;
}

/* Linux's cap_emulate_setxuid(). */
static void drop_root(const struct cred *old, struct cred *new)
{
	if ((!old->uid || !old->euid || !old->suid) && new->uid && new->euid && new->suid) {
		new->cap_permitted = 0;
		new->cap_effective = 0;
	}
	if (!old->euid && new->euid)
		new->cap_effective = 0;
	if (old->euid && !new->euid)
		new->cap_effective = new->cap_permitted;
}

int ifs_setresuid(struct ifs_process *process, uid_t ruid, uid_t euid, uid_t suid)
{
	const struct cred *old = &process->cred;
	struct cred new = *old;
	struct task task;
	int rc = 0;

	if (!syscall_enter(&task, process, "setresuid"))
		return -EIO;
	if (ruid != (uid_t)-1)
		new.uid = ruid;
	if (euid != (uid_t)-1)
		new.euid = euid;
	if (suid != (uid_t)-1)
		new.suid = suid;
	if (!cred_capable(old, CAP_SETUID) &&
	    (!may_become(old, ruid) || !may_become(old, euid) || !may_become(old, suid))) {
		rc = -EPERM;
	} else {
		drop_root(old, &new);
		process->cred = new;
	}
	syscall_leave(&task, process);
	return rc;
}

int ifs_setrlimit_memlock(struct ifs_process *process, uint64_t soft_bytes, uint64_t hard_bytes)
{
	struct task task;
	int rc = 0;

	if (!syscall_enter(&task, process, "setrlimit"))
		return -EIO;
	if (soft_bytes > hard_bytes) {
		rc = -EINVAL;
	} else if (hard_bytes > process->rlimit_memlock_max_bytes &&
		   !cred_capable(&process->cred, CAP_SYS_RESOURCE)) {
		rc = -EPERM;
	} else {
		process->rlimit_memlock_bytes = soft_bytes;
		process->rlimit_memlock_max_bytes = hard_bytes;
		mm_set_rlimit_memlock(process->mm, soft_bytes);
	}
	syscall_leave(&task, process);
	return rc;
}
