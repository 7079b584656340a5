/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * posted-v1 as a plug-in: the gates of patch 11, the sampling of seals, and when the handlers are
 * registered.
 *
 * Gates: lu_map_immutable is looked at when an IOVA range is about to be reserved, at the start of
 * each unmap round and in cut; iopt_abort_area() warns. Nothing else is gated: not the fill of an
 * area that was reserved before (C5), not domains coming and going, destroy (C16), attach, detach
 * (C60), dirty tracking, reset.
 *
 * Registration: in module init as posted, where a kernel with live update switched off gets no
 * /dev/iommu at all (C45); or, boot option register_at_open, at the first open and the last release
 * as the follow-up proposes, where a kernel that opens /dev/liveupdate before /dev/iommu finds no
 * handler (C41).
 */
#include "lib/designs/posted_v1/posted_v1.h"

#include <iommufd-sim/uapi_posted_v1.h>

static int posted_v1_kernel_init(void **kernel_data)
{
	struct posted_v1 *posted = kzalloc(sizeof(*posted), GFP_KERNEL);
	void *obj;

	if (!posted)
		return -ENOMEM;
	INIT_LIST_HEAD(&posted->restored);
	/* v1 gets and never puts; see flb_outgoing(). */
	if (!liveupdate_flb_get_incoming(&iommu_flb, &obj)) {
		posted->incoming = obj;
		liveupdate_flb_put_incoming(&iommu_flb);
	}
	*kernel_data = posted;
	return 0;
}

static void posted_v1_kernel_exit(void *kernel_data)
{
	struct posted_v1 *posted = kernel_data;
	struct posted_v1_restored *restored, *next;

	list_for_each_entry_safe(restored, next, &posted->restored, list)
		kfree(restored);
	/* The FLB of sessions that were never finished (can_finish is false: all of them). */
	posted_v1_incoming_free(posted->incoming);
	kfree(posted);
}

static int register_lufs(struct posted_v1 *posted)
{
	int rc = iommufd_liveupdate_register_lufs();

	if (!rc)
		posted->lufs_registered = true;
	return rc;
}

static void unregister_lufs(struct posted_v1 *posted)
{
	if (!posted->lufs_registered)
		return;
	WARN_ON(iommufd_liveupdate_unregister_lufs());
	posted->lufs_registered = false;
}

static int posted_v1_module_init(void *kernel_data)
{
	struct posted_v1 *posted = kernel_data;
	int rc;

	if (!ifs_design_get_options()->register_at_open) {
		rc = register_lufs(posted);
		if (rc)
			return rc;
	}
	/* vfio's own module, loaded after iommufd's. */
	rc = vfio_pci_liveupdate_init();
	if (rc) {
		unregister_lufs(posted);
		return rc;
	}
	posted->vfio_registered = liveupdate_enabled();
	return 0;
}

static void posted_v1_module_exit(void *kernel_data)
{
	struct posted_v1 *posted = kernel_data;

	if (posted->vfio_registered)
		vfio_pci_liveupdate_cleanup();
	posted->vfio_registered = false;
	unregister_lufs(posted);
}

/* A failure is ignored, or a kernel without live update would have no usable /dev/iommu. */
static int posted_v1_first_open(void *kernel_data)
{
	struct posted_v1 *posted = kernel_data;

	if (ifs_design_get_options()->register_at_open && !posted->lufs_registered)
		(void)register_lufs(posted);
	return 0;
}

static void posted_v1_last_release(void *kernel_data)
{
	if (ifs_design_get_options()->register_at_open)
		unregister_lufs(kernel_data);
}

static void posted_v1_file_pages_created(struct iopt_pages *pages)
{
	int seals = memfd_get_seals(pages->file);

	pages->seals = seals > 0 ? (u32)seals : 0;
}

static int immutable_gate(struct io_pagetable *iopt)
{
	return iopt->lu_map_immutable ? -EBUSY : 0;
}

static void posted_v1_area_aborted(struct io_pagetable *iopt)
{
	WARN_ON(iopt->lu_map_immutable);
}

static const struct ifs_design_ioctl posted_v1_ioctls[] = {
	{
		.nr = IOMMU_HWPT_LU_SET_PRESERVE & 0xff,
		.size = sizeof(struct iommu_hwpt_lu_set_preserve),
		.min_size = sizeof(struct iommu_hwpt_lu_set_preserve),
		.execute = iommufd_hwpt_lu_set_preserve,
	},
};

static const struct ifs_design posted_v1 = {
	.size = sizeof(struct ifs_design),
	.name = "posted-v1",
	.ioctls = posted_v1_ioctls,
	.nr_ioctls = ARRAY_SIZE(posted_v1_ioctls),
	.kernel_init = posted_v1_kernel_init,
	.kernel_exit = posted_v1_kernel_exit,
	.module_init = posted_v1_module_init,
	.module_exit = posted_v1_module_exit,
	.first_open = posted_v1_first_open,
	.last_release = posted_v1_last_release,
	.iommu_boot = posted_v1_iommu_boot,
	.probe_device = posted_v1_probe_device,
	.claim_owner = posted_v1_claim_owner,
	.domain_released = posted_v1_domain_released,
	.iommu_preserved = posted_v1_iommu_preserved,
	.device_preserved = posted_v1_device_preserved,
	.file_pages_created = posted_v1_file_pages_created,
	.map_gate = immutable_gate,
	.unmap_gate = immutable_gate,
	.cut_gate = immutable_gate,
	.area_aborted = posted_v1_area_aborted,
};

const struct ifs_design *ifs_design_posted_v1(void)
{
	return &posted_v1;
}
