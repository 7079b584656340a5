/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Who pays for the pins of a pages object (Linux: drivers/iommu/iommufd/pages.c, from
 * incr_user_locked_vm() to pfn_reader_user_update_pinned()).
 *
 * Pages are counted as they are pinned and unpinned, and charged or given back afterwards, by the
 * difference to what was charged last. Mode and user are decided when the memory is mapped, the
 * process by the map or by IOAS_CHANGE_PROCESS, and the limit is that of this process at the time
 * of the charge, also when another process makes the call.
 *
 * A bug of Linux 7.3, reproduced unless bugs are to be fixed: in ACCOUNT_MM mode nothing can be
 * given back to an address space that is gone. That by itself harms nobody; but the error also
 * skips the note of how much is charged. From then on the object believes to have charged pages
 * that it has unpinned, and whoever takes it over is charged for them (see change_process.c).
 *
 * Unlike Linux: a call that then needs no new page of the object (a copy of what is mapped) is a
 * warning and -EDEADLK. Linux 7.3 takes the unset pfn_reader_user.locked for a lock it holds, gives
 * that back, and waits for ever.
 */
#include "lib/iommufd/pinned.h"

bool iopt_pages_owner_is_gone(const struct iopt_pages *pages)
{
	return pages->account_mode == ACCOUNT_MM && mm_is_dead(pages->source_mm) &&
	       !current->kernel->fix_bugs;
}

int iopt_pages_update_pinned(struct iopt_pages *pages, u64 nr_pages, bool inc)
{
	struct mm *mm = pages->source_mm;
	int rc = 0;

	if (inc)
		rc = mm_account(mm, pages->source_uid, pages->account_mode, nr_pages);
	else
		mm_unaccount(mm, pages->source_uid, pages->account_mode, nr_pages);
	if (!rc)
		pages->last_npinned = pages->npinned;
	return rc;
}

int pfn_reader_user_update_pinned(struct iopt_pages *pages, u64 nr_new)
{
	u64 npinned = pages->npinned, last_npinned = pages->last_npinned;

	if (npinned == last_npinned || pages->type == IOPT_ADDRESS_DMABUF)
		return 0;
	if (WARN_ON(!nr_new))
		return -EDEADLK;
	if (npinned < last_npinned)
		return iopt_pages_update_pinned(pages, last_npinned - npinned, false);
	if (iommufd_should_fail(FAIL_PFN_READER_USER_UPDATE_PINNED))
		return -ENOMEM;
	return iopt_pages_update_pinned(pages, npinned - last_npinned, true);
}

void update_unpinned(struct iopt_pages *pages)
{
	if (pages->type == IOPT_ADDRESS_DMABUF || WARN_ON(pages->npinned > pages->last_npinned))
		return;
	if (pages->npinned != pages->last_npinned && !iopt_pages_owner_is_gone(pages))
		iopt_pages_update_pinned(pages, pages->last_npinned - pages->npinned, false);
}
