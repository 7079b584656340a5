/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * "reference" as a plug-in: our own design for handing HWPTs, devices and IOMMUs to the next
 * kernel.
 *
 * What is closed while an iommufd is preserved, all with -EBUSY:
 *   map, copy      before an IOVA is reserved and again before the area is filled, then under
 *                  domains_rwsem: the flag cannot change between the second look and the fill
 *   unmap, cut     before each round
 *   DESTROY        of a preserved HWPT: it is held; of its IOAS: the HWPT holds that
 *   attach, detach, replace   of every device of the context
 *   dirty tracking of a preserved HWPT, reset of a preserved device, marks
 * Not closed: allocating or destroying other HWPTs on the same IOAS. That fills or empties their
 * own tables and touches none that is preserved.
 *
 * In the next kernel: a restored device can be bound only to the iommufd its own became, and
 * attached to any HWPT but a restored one. A restored HWPT can be left, never entered: whoever left
 * it may lose the memory behind it.
 *
 * A device that shares its group is not supported, nor are nesting, vIOMMUs, PASIDs, fault queues
 * and dma-bufs (all -EOPNOTSUPP), nor is anonymous memory (-EINVAL); an HWPT made by attaching to
 * an IOAS cannot be marked.
 */
#include "lib/designs/reference/reference.h"

#include <iommufd-sim/uapi_reference.h>

static const struct liveupdate_file_handler ref_iommufd_handler = {
	.compatible = REF_IOMMUFD_COMPATIBLE,
	.ops = &ref_iommufd_ops,
};

static const struct liveupdate_file_handler ref_vfio_handler = {
	.compatible = REF_VFIO_COMPATIBLE,
	.ops = &ref_vfio_ops,
};

static bool ref_iommufd_can_preserve(const struct liveupdate_file_handler *handler,
				     struct file *file)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(file);

	if (IS_ERR(ictx))
		return false;
	iommufd_ctx_put(ictx);
	return true;
}

const struct liveupdate_file_ops ref_iommufd_ops = {
	.can_preserve = ref_iommufd_can_preserve,
	.preserve = ref_iommufd_preserve,
	.unpreserve = ref_iommufd_unpreserve,
	.freeze = ref_iommufd_freeze,
	.retrieve = ref_iommufd_retrieve,
	.can_finish = ref_iommufd_can_finish,
	.finish = ref_iommufd_finish,
	.owner = &iommufd_module_owner,
};

/* Whatever the previous kernel left is read here, before the IOMMU core asks for it. */
static int ref_kernel_init(void **kernel_data)
{
	struct ref_state *state = kzalloc(sizeof(*state), GFP_KERNEL);
	struct ref_incoming_chain *chain;
	int rc;

	if (!state)
		return -ENOMEM;
	mutex_init(&state->lock);
	INIT_LIST_HEAD(&state->owners);
	INIT_LIST_HEAD(&state->domains);
	INIT_LIST_HEAD(&state->devices);
	INIT_LIST_HEAD(&state->units);
	*kernel_data = state;

	rc = liveupdate_flb_get_incoming(&ref_flb, (void **)&chain);
	/*
	 * A cold boot, a boot without live update, or a predecessor that had no iommufd to
	 * preserve.
	 */
	if (rc == -ENOENT || rc == -ENODATA || rc == -EOPNOTSUPP)
		return 0;
	if (!rc) {
		state->chain = chain;
		ref_incoming_read(state, chain);
		liveupdate_flb_put_incoming(&ref_flb);
	}
	if (rc) {
		pr_err("reference: what the previous kernel left cannot be used (%d)", rc);
		state->incoming_error = rc;
	}
	return 0;
}

static void ref_kernel_exit(void *kernel_data)
{
	struct ref_state *state = kernel_data;

	ref_incoming_drop(state);
	/* Sessions that nobody finished keep theirs. */
	ref_chain_free(state->chain);
	kfree(state);
}

/* A kernel without live update keeps /dev/iommu. */
static int ref_module_init(void *kernel_data)
{
	struct ref_state *state = kernel_data;
	int rc;

	if (!liveupdate_enabled())
		return 0;
	rc = liveupdate_register_file_handler(&ref_iommufd_handler);
	if (rc)
		return rc;
	rc = liveupdate_register_flb(&ref_iommufd_handler, &ref_flb);
	if (rc)
		goto err_iommufd;
	rc = liveupdate_register_file_handler(&ref_vfio_handler);
	if (rc)
		goto err_flb;
	state->registered = true;
	return 0;

err_flb:
	liveupdate_unregister_flb(&ref_iommufd_handler, &ref_flb);
err_iommufd:
	liveupdate_unregister_file_handler(&ref_iommufd_handler);
	return rc;
}

static void ref_module_exit(void *kernel_data)
{
	struct ref_state *state = kernel_data;

	if (!state->registered)
		return;
	state->registered = false;
	liveupdate_unregister_file_handler(&ref_vfio_handler);
	liveupdate_unregister_flb(&ref_iommufd_handler, &ref_flb);
	liveupdate_unregister_file_handler(&ref_iommufd_handler);
}

static int ref_ctx_init(void *kernel_data, struct iommufd_ctx *ictx)
{
	struct ref_ctx *rctx = kzalloc(sizeof(*rctx), GFP_KERNEL);

	if (!rctx)
		return -ENOMEM;
	mutex_init(&rctx->lock);
	ictx->design_data = rctx;
	return 0;
}

/*
 * LUO holds the file while it is preserved or not finished; only a retrieve that failed comes here.
 */
static void ref_ctx_release(void *kernel_data, struct iommufd_ctx *ictx)
{
	struct ref_state *state = kernel_data;
	struct ref_ctx *rctx = ictx->design_data;

	if (rctx->restored) {
		mutex_lock(&state->lock);
		rctx->restored->ictx = NULL;
		mutex_unlock(&state->lock);
	}
	ictx->design_data = NULL;
	kfree(rctx);
}

static int immutable_gate(struct io_pagetable *iopt)
{
	return iopt->lu_map_immutable ? -EBUSY : 0;
}

static bool ctx_is_preserved(const struct iommufd_ctx *ictx)
{
	const struct ref_ctx *rctx = ictx->design_data;

	return rctx && READ_ONCE(rctx->preserved);
}

static int ref_attach_gate(struct iommufd_device *idev)
{
	return ctx_is_preserved(ifs_iommufd_device_ctx(idev)) ? -EBUSY : 0;
}

static int ref_attach_to_gate(struct iommufd_device *idev, struct iommufd_hw_pagetable *hwpt)
{
	const struct iommufd_hwpt_paging *paging = ref_hwpt_paging(hwpt);

	if (READ_ONCE(ifs_iommufd_device_dev(idev)->preserved_state))
		return -EBUSY;
	return paging && !paging->ioas ? -EBUSY : 0;
}

static int ref_dirty_gate(struct iommufd_hwpt_paging *hwpt)
{
	return READ_ONCE(hwpt->common.domain->preserved_state) ? -EBUSY : 0;
}

static int ref_reset_gate(struct vfio_device *vdev)
{
	return READ_ONCE(ifs_vfio_device_dev(vdev)->preserved_state) ? -EBUSY : 0;
}

static int ref_bind_gate(struct vfio_device *vdev, struct iommufd_ctx *ictx)
{
	return ref_may_claim(ifs_design_data(), ifs_vfio_device_dev(vdev), ictx);
}

static const struct ifs_design_ioctl ref_ioctls[] = {
	{
		.nr = IOMMU_HWPT_LU_MARK & 0xff,
		.size = sizeof(struct iommu_hwpt_lu_mark),
		.min_size = sizeof(struct iommu_hwpt_lu_mark),
		.execute = ref_ioctl_mark,
	},
	{
		.nr = IOMMU_HWPT_LU_RESTORE & 0xff,
		.size = sizeof(struct iommu_hwpt_lu_restore),
		.min_size = sizeof(struct iommu_hwpt_lu_restore),
		.execute = ref_ioctl_restore,
	},
};

static const struct ifs_design reference = {
	.size = sizeof(struct ifs_design),
	.name = "reference",
	.ioctls = ref_ioctls,
	.nr_ioctls = ARRAY_SIZE(ref_ioctls),
	.kernel_init = ref_kernel_init,
	.kernel_exit = ref_kernel_exit,
	.module_init = ref_module_init,
	.module_exit = ref_module_exit,
	.iommu_boot = ref_iommu_boot,
	.probe_device = ref_probe_device,
	.claim_owner = ref_claim_owner,
	.domain_released = ref_domain_released,
	.iommu_preserved = ref_iommu_preserved,
	.device_preserved = ref_device_preserved,
	.ctx_init = ref_ctx_init,
	.ctx_release = ref_ctx_release,
	.map_gate = immutable_gate,
	.fill_gate = immutable_gate,
	.unmap_gate = immutable_gate,
	.cut_gate = immutable_gate,
	.attach_gate = ref_attach_gate,
	.attach_to_gate = ref_attach_to_gate,
	.dirty_gate = ref_dirty_gate,
	.reset_gate = ref_reset_gate,
	.bind_gate = ref_bind_gate,
	.file_retrieved = ref_file_retrieved,
};

const struct ifs_design *ifs_design_reference(void)
{
	return &reference;
}
