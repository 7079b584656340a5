/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Charging pinned pages (drivers/iommu/iommufd/pages.c: iopt_pages_update_pinned() and around).
 *
 *   ACCOUNT_NONE  no limit
 *   ACCOUNT_USER  all that is charged to a user, by whatever process, against the limit of this one
 *   ACCOUNT_MM    this address space alone, and VmLck shows it
 *
 * VmPin grows in all three. The limit is the process's own at the time of the charge, and the last
 * one it had once it is gone. VmPin and VmLck may wrap below zero where Linux's do: see
 * lib/iommufd/pages_account.c.
 */
#include <assert.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/mm/user_mem_internal.h"

static u64 user_locked(const struct user_mem *um, u32 uid)
{
	struct range_entry user;

	return range_tree_lookup(&um->users, uid, &user) ? user.value : 0;
}

static int user_charge(struct mm *mm, u32 uid, u64 nr_pages)
{
	struct user_mem *um = mm->um;
	u64 locked = user_locked(um, uid), total;

	if (check_add_overflow(locked, nr_pages, &total) || total > mm->rlimit_memlock_pages)
		return -ENOMEM;
	if (!nr_pages)
		return 0;
	if (locked)
		range_tree_set_value(&um->users, uid, total);
	else if (!range_tree_insert(&um->users, uid, uid, total))
		return -ENOMEM;
	return 0;
}

static void user_uncharge(struct user_mem *um, u32 uid, u64 nr_pages)
{
	u64 locked = user_locked(um, uid);

	assert(locked >= nr_pages);
	if (locked > nr_pages)
		range_tree_set_value(&um->users, uid, locked - nr_pages);
	else if (locked)
		range_tree_remove(&um->users, uid);
}

int mm_account(struct mm *mm, u32 uid, enum account_mode mode, u64 nr_pages)
{
	u64 total;
	int err;

	switch (mode) {
	case ACCOUNT_NONE:
		break;
	case ACCOUNT_USER:
		err = user_charge(mm, uid, nr_pages);
		if (err)
			return err;
		break;
	case ACCOUNT_MM:
		total = mm->locked_vm + nr_pages;
		if (total > mm->rlimit_memlock_pages)
			return -ENOMEM;
		mm->locked_vm = total;
		break;
	}
	mm->pinned_vm += nr_pages;
	return 0;
}

void mm_unaccount(struct mm *mm, u32 uid, enum account_mode mode, u64 nr_pages)
{
	if (mode == ACCOUNT_USER)
		user_uncharge(mm->um, uid, nr_pages);
	if (mode == ACCOUNT_MM) {
		WARN_ON(nr_pages > mm->locked_vm);
		mm->locked_vm -= nr_pages;
	}
	mm->pinned_vm -= nr_pages;
}

void mm_set_rlimit_memlock(struct mm *mm, u64 bytes)
{
	mm->rlimit_memlock_pages = bytes >> PAGE_SHIFT;
}
