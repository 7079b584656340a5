/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Mock devices as userspace has them: a SELFTEST object for each, bound and attached from the
 * moment it exists (Linux: drivers/iommu/iommufd/selftest.c). Destroying it detaches, unbinds and
 * removes the device.
 *
 * Ids are taken in a fixed order, which programs see: the SELFTEST object, the device, then the
 * HWPT if one has to be made.
 */
#include "lib/iommufd/selftest.h"

#include <iommufd-sim/proto/iopf.h>

#include "lib/iommu/mock_driver.h"

struct selftest_obj {
	struct iommufd_object obj;
	struct mock_dev *mock_dev;
	struct iommufd_device *idev;
};

static struct selftest_obj *get_selftest_obj(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_SELFTEST);

	if (IS_ERR(obj))
		return (void *)obj;
	return container_of(obj, struct selftest_obj, obj);
}

/* Linux forgets them: the device then cannot go, says so (WARN), and keeps what they use. */
static void detach_pasids(struct iommufd_device *idev)
{
	struct iommufd_attach *attach;
	u64 pasid;

	xa_for_each(&idev->igroup->pasid_attach, pasid, attach)
		if (pasid != IOMMU_NO_PASID)
			iommufd_device_detach(idev, (ioasid_t)pasid);
}

void iommufd_selftest_destroy(struct iommufd_object *obj)
{
	struct selftest_obj *sobj = container_of(obj, struct selftest_obj, obj);

	if (current->kernel->fix_bugs)
		detach_pasids(sobj->idev);
	iommufd_device_detach(sobj->idev, IOMMU_NO_PASID);
	iommufd_device_unbind(sobj->idev);
	mock_dev_destroy(sobj->mock_dev);
}

/* Whoever made it undoes the rest. */
void iommufd_selftest_abort(struct iommufd_object *obj)
{
}

static int bind_and_attach(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd,
			   struct selftest_obj *sobj)
{
	u32 pt_id = cmd->id, idev_id;
	int rc;

	rc = iommufd_device_bind(ucmd->ictx, &sobj->mock_dev->dev, &idev_id, &sobj->idev);
	if (rc)
		return rc;
	rc = iommufd_device_attach(sobj->idev, IOMMU_NO_PASID, &pt_id);
	if (rc)
		goto err_unbind;
	cmd->mock_domain.out_hwpt_id = pt_id;
	cmd->mock_domain.out_stdev_id = sobj->obj.id;
	cmd->mock_domain.out_idev_id = idev_id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_detach;
	return 0;

err_detach:
	iommufd_device_detach(sobj->idev, IOMMU_NO_PASID);
err_unbind:
	iommufd_device_unbind(sobj->idev);
	return rc;
}

int selftest_mock_domain(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct iommufd_object *obj;
	struct selftest_obj *sobj;
	u32 dev_flags = 0;
	int rc;

	rc = iommufd_object_alloc(ucmd->ictx, sizeof(*sobj), IOMMUFD_OBJ_SELFTEST, &obj);
	if (rc)
		return rc;
	sobj = container_of(obj, struct selftest_obj, obj);
	if (cmd->op == IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS)
		dev_flags = cmd->mock_domain_flags.dev_flags;
	sobj->mock_dev = mock_dev_create(dev_flags);
	if (IS_ERR(sobj->mock_dev)) {
		rc = PTR_ERR(sobj->mock_dev);
		goto err_abort;
	}
	rc = bind_and_attach(ucmd, cmd, sobj);
	if (rc)
		goto err_destroy_dev;
	iommufd_object_finalize(ucmd->ictx, obj);
	return 0;

err_destroy_dev:
	mock_dev_destroy(sobj->mock_dev);
err_abort:
	iommufd_object_abort_and_destroy(ucmd->ictx, obj);
	return rc;
}

int selftest_mock_domain_replace(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct selftest_obj *sobj = get_selftest_obj(ucmd->ictx, cmd->id);
	u32 pt_id = cmd->mock_domain_replace.pt_id;
	int rc;

	if (IS_ERR(sobj))
		return PTR_ERR(sobj);
	rc = iommufd_device_replace(sobj->idev, IOMMU_NO_PASID, &pt_id);
	if (!rc) {
		cmd->mock_domain_replace.pt_id = pt_id;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	iommufd_put_object(ucmd->ictx, &sobj->obj);
	return rc;
}

int selftest_pasid_attach(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct selftest_obj *sobj = get_selftest_obj(ucmd->ictx, cmd->id);
	int rc;

	if (IS_ERR(sobj))
		return PTR_ERR(sobj);
	rc = iommufd_device_attach(sobj->idev, cmd->pasid_attach.pasid, &cmd->pasid_attach.pt_id);
	if (!rc) {
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
		if (rc)
			iommufd_device_detach(sobj->idev, cmd->pasid_attach.pasid);
	}
	iommufd_put_object(ucmd->ictx, &sobj->obj);
	return rc;
}

int selftest_pasid_replace(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct selftest_obj *sobj = get_selftest_obj(ucmd->ictx, cmd->id);
	int rc;

	if (IS_ERR(sobj))
		return PTR_ERR(sobj);
	rc = iommufd_device_replace(sobj->idev, cmd->pasid_replace.pasid,
				    &cmd->pasid_replace.pt_id);
	if (!rc)
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	iommufd_put_object(ucmd->ictx, &sobj->obj);
	return rc;
}

int selftest_pasid_detach(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct selftest_obj *sobj = get_selftest_obj(ucmd->ictx, cmd->id);

	if (IS_ERR(sobj))
		return PTR_ERR(sobj);
	iommufd_device_detach(sobj->idev, cmd->pasid_detach.pasid);
	iommufd_put_object(ucmd->ictx, &sobj->obj);
	return 0;
}

/* Is the HWPT's domain @attached? */
static int check_hwpt(struct iommufd_ctx *ictx, u32 id, const struct iommu_domain *attached)
{
	struct iommufd_object *pt = iommufd_get_object(ictx, id, IOMMUFD_OBJ_ANY);
	int rc = -EINVAL;

	if (IS_ERR(pt))
		return PTR_ERR(pt);
	if ((pt->type == IOMMUFD_OBJ_HWPT_PAGING || pt->type == IOMMUFD_OBJ_HWPT_NESTED) &&
	    container_of(pt, struct iommufd_hw_pagetable, obj)->domain == attached)
		rc = 0;
	iommufd_put_object(ictx, pt);
	return rc;
}

int selftest_pasid_check_hwpt(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct selftest_obj *sobj = get_selftest_obj(ucmd->ictx, cmd->id);
	struct iommu_domain *attached = NULL;
	struct iommu_attach_handle *handle;
	int rc;

	if (IS_ERR(sobj))
		return PTR_ERR(sobj);
	handle = iommu_attach_handle_get(sobj->mock_dev->dev.group, cmd->pasid_check.pasid, 0);
	if (!IS_ERR(handle))
		attached = handle->domain;
	/* Id 0 asks whether nothing is. */
	if (!cmd->pasid_check.hwpt_id)
		rc = attached ? -EINVAL : 0;
	else
		rc = check_hwpt(ucmd->ictx, cmd->pasid_check.hwpt_id, attached);
	iommufd_put_object(ucmd->ictx, &sobj->obj);
	return rc;
}

/* ERR_PTR: -ENOENT; -EINVAL: not a mock device. */
static struct iommufd_device *get_mock_idev(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_device *idev = iommufd_get_device(ictx, id);

	if (IS_ERR(idev) || iommufd_selftest_is_mock_dev(idev->dev))
		return idev;
	iommufd_put_object(ictx, &idev->obj);
	return ERR_PTR(-EINVAL);
}

int selftest_dev_check_cache(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct iommufd_device *idev = get_mock_idev(ucmd->ictx, cmd->id);
	u32 id = cmd->check_dev_cache.id;
	int rc = 0;

	if (IS_ERR(idev))
		return PTR_ERR(idev);
	if (id > MOCK_DEV_CACHE_ID_MAX ||
	    to_mock_dev(idev->dev)->cache[id] != cmd->check_dev_cache.cache)
		rc = -EINVAL;
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}

int selftest_trigger_iopf(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct iommufd_device *idev = get_mock_idev(ucmd->ictx, cmd->trigger_iopf.dev_id);
	struct iopf_fault event = {
		.fault.type = IOMMU_FAULT_PAGE_REQ,
		.fault.prm = {
			.flags = IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE,
			.addr = cmd->trigger_iopf.addr,
			.pasid = cmd->trigger_iopf.pasid,
			.grpid = cmd->trigger_iopf.grpid,
			.perm = cmd->trigger_iopf.perm,
		},
	};

	if (IS_ERR(idev))
		return PTR_ERR(idev);
	if (event.fault.prm.pasid != IOMMU_NO_PASID)
		event.fault.prm.flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	/* That nobody took it is not the caller's business. */
	iommu_report_device_fault(idev->dev, &event);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return 0;
}

int selftest_trigger_vevent(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct iommufd_device *idev = get_mock_idev(ucmd->ictx, cmd->trigger_vevent.dev_id);
	struct iommu_viommu_event_selftest event;
	struct mock_dev *mdev;
	int rc = -ENOENT;

	if (IS_ERR(idev))
		return PTR_ERR(idev);
	mdev = to_mock_dev(idev->dev);
	down_read(&mdev->viommu_rwsem);
	if (mdev->viommu && mdev->vdev_id) {
		event.virt_id = (u32)mdev->vdev_id;
		rc = iommufd_viommu_report_event(&mdev->viommu->core, IOMMU_VEVENTQ_TYPE_SELFTEST,
						 &event, sizeof(event));
	}
	up_read(&mdev->viommu_rwsem);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}
