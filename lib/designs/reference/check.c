/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * reference: is everything a HWPT's tables reach memory that crosses the kexec with the session?
 *
 * The question is answered for frames, not for files. A seal says that a file's size has not
 * changed since the mapping was made; it does not forbid to punch a hole and touch the page again,
 * which gives the file another frame while the IOMMU keeps the pinned one. So the frames that are
 * pinned are compared with the frames the file has now; and "now" lasts, because a file that is
 * preserved is frozen.
 *
 * Seals are looked at as they are, not as they were at map time: once the frames have been
 * compared, the past does not matter. SHRINK and GROW are required all the same, since they travel
 * with the file and keep its size in the next kernel, where it comes back unfrozen.
 *
 * Before that: is the HWPT something the record can describe? It knows plain second-stage tables of
 * an IOMMU unit, and a device that runs on one of them with its requester id. What a guest's own
 * tables, PASIDs or page faults would need (queues with answers outstanding, a program that answers
 * them during the black-out) does not cross, so such a HWPT is refused, and not handed over bare.
 *
 * Errno values, each for one cause (docs/abi.md has the table):
 *   -EOPNOTSUPP  a nesting parent (nested HWPTs, vIOMMUs), a HWPT for PASIDs or with a fault queue,
 *                one of a unit without hardware, one that came from the previous kernel; a dma-buf
 *   -EBUSY   an area is reserved and not filled yet: a map is on its way
 *   -EINVAL  memory of a process, or of a file that is no memory file
 *   -EPERM   the file may still change its size
 *   -EXDEV   the file is not preserved in this session
 *   -ESTALE  the pinned frames are no longer the file's
 */
#include "lib/designs/reference/reference.h"

static int remember_file(struct ref_preserved *preserved, u64 token)
{
	u64 *tokens;

	for (u32 i = 0; i < preserved->nr_files; i++)
		if (preserved->file_tokens[i] == token)
			return 0;
	if (preserved->nr_files == preserved->max_files) {
		u32 max_files = preserved->max_files ? 2 * preserved->max_files : 8;

		tokens = kcalloc(max_files, sizeof(*tokens), GFP_KERNEL);
		if (!tokens)
			return -ENOMEM;
		if (preserved->nr_files)
			memcpy(tokens, preserved->file_tokens,
			       preserved->nr_files * sizeof(*tokens));
		kfree(preserved->file_tokens);
		preserved->file_tokens = tokens;
		preserved->max_files = max_files;
	}
	preserved->file_tokens[preserved->nr_files++] = token;
	return 0;
}

static int check_file(struct ref_preserved *preserved, struct file *file)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW;
	u64 token;
	int seals;

	if (!ifs_file_is_memfd(file))
		return -EINVAL;
	seals = memfd_get_seals(file);
	if (seals < 0 || (seals & want) != want)
		return -EPERM;
	if (liveupdate_get_token_outgoing(preserved->session, file, &token))
		return -EXDEV;
	/* Preserved, and not frozen: the next line of reasoning would not hold. */
	if (WARN_ON(!ifs_memfd_is_frozen(file)))
		return -EXDEV;
	return remember_file(preserved, token);
}

struct run_check {
	const struct iopt_pages *pages;
};

static int check_run(void *ctx, u64 page_index, pa_t pa, u64 nr_pages)
{
	const struct run_check *check = ctx;
	u64 file_index = (check->pages->start >> PAGE_SHIFT) + page_index;

	return ifs_memfd_frames_are(check->pages->file, file_index, nr_pages, pa) ? 0 : -ESTALE;
}

static int check_area(struct ref_preserved *preserved, struct iopt_area *area)
{
	struct run_check check = { .pages = area->pages };
	int rc;

	if (!area->pages)
		return -EBUSY;
	if (area->pages->type == IOPT_ADDRESS_DMABUF)
		return -EOPNOTSUPP;
	if (area->pages->type != IOPT_ADDRESS_FILE)
		return -EINVAL;
	rc = check_file(preserved, area->pages->file);
	if (rc)
		return rc;
	mutex_lock(&area->pages->mutex);
	rc = iopt_area_for_each_run(area, check_run, &check);
	mutex_unlock(&area->pages->mutex);
	return rc;
}

int ref_check_kind(const struct iommufd_hwpt_paging *hwpt)
{
	const struct iommu_domain *domain = hwpt->common.domain;

	if (!hwpt->ioas || hwpt->nest_parent || hwpt->common.fault || hwpt->common.pasid_compat)
		return -EOPNOTSUPP;
	if (!domain)
		return -ENODEV;
	return domain->iommu->hw ? 0 : -EOPNOTSUPP;
}

int ref_check_hwpt(struct ref_preserved *preserved, struct iommufd_hwpt_paging *hwpt)
{
	struct io_pagetable *iopt = &hwpt->ioas->iopt;
	struct iopt_area *area;
	int rc = 0;

	down_read(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area && !rc;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX))
		rc = check_area(preserved, area);
	up_read(&iopt->iova_rwsem);
	return rc;
}
