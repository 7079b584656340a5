/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Charging pinned pages (drivers/iommu/iommufd/pages.c: update_unpinned() and around).
 *
 *   ACCOUNT_NONE  no limit
 *   ACCOUNT_USER  all address spaces of a user together against the limit of this one
 *   ACCOUNT_MM    this address space alone, and VmLck shows it
 *
 * VmPin grows in all three.
 */
#include <assert.h>

#include "lib/mm/user_mem_internal.h"

static u64 user_locked(const struct user_mem *um, u32 uid)
{
	struct range_entry user;

	return range_tree_lookup(&um->users, uid, &user) ? user.value : 0;
}

static int user_charge(struct mm *mm, u64 nr_pages)
{
	struct user_mem *um = mm->um;
	u64 locked = user_locked(um, mm->uid), total;

	if (check_add_overflow(locked, nr_pages, &total) || total > mm->rlimit_memlock_pages)
		return -ENOMEM;
	if (!nr_pages)
		return 0;
	if (locked)
		range_tree_set_value(&um->users, mm->uid, total);
	else if (!range_tree_insert(&um->users, mm->uid, mm->uid, total))
		return -ENOMEM;
	return 0;
}

static void user_uncharge(struct mm *mm, u64 nr_pages)
{
	u64 locked = user_locked(mm->um, mm->uid);

	assert(locked >= nr_pages);
	if (locked > nr_pages)
		range_tree_set_value(&mm->um->users, mm->uid, locked - nr_pages);
	else if (locked)
		range_tree_remove(&mm->um->users, mm->uid);
}

int mm_account(struct mm *mm, enum account_mode mode, u64 nr_pages)
{
	u64 total;
	int err;

	switch (mode) {
	case ACCOUNT_NONE:
		break;
	case ACCOUNT_USER:
		err = user_charge(mm, nr_pages);
		if (err)
			return err;
		break;
	case ACCOUNT_MM:
		if (mm->dead)
			return -EINVAL;
		if (check_add_overflow(mm->locked_vm, nr_pages, &total) ||
		    total > mm->rlimit_memlock_pages)
			return -ENOMEM;
		mm->locked_vm = total;
		break;
	}
	mm->pinned_vm += nr_pages;
	return 0;
}

void mm_unaccount(struct mm *mm, enum account_mode mode, u64 nr_pages)
{
	if (mode == ACCOUNT_USER)
		user_uncharge(mm, nr_pages);
	if (mode == ACCOUNT_MM && !mm->dead) {
		assert(mm->locked_vm >= nr_pages);
		mm->locked_vm -= nr_pages;
	}
	/* May wrap, as in Linux: see iommufd_ioas_change_process(). */
	mm->pinned_vm -= nr_pages;
}
