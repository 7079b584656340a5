/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * I/O page faults: which domain a fault belongs to, groups of faults, answers
 * (drivers/iommu/io-pgfault.c).
 *
 * Every group is answered once: by its handler, or here when nobody takes it, or when its device
 * stops reporting faults. pending_node says that the answer is still due. The fault parameter of a
 * device is counted: groups that a handler still has keep it.
 *
 * Left out: a work queue per driver. The handler runs in the context of the report.
 */
#include <iommufd-sim/proto/iopf.h>

#include <iommufd-sim/proto/bug.h>
#include <iommufd-sim/proto/iommu_driver.h>

#include "lib/base/task.h"

static void fault_param_put(struct iommu_fault_param *param)
{
	if (--param->users)
		return;
	kheap_free(&current->kernel->heap, param);
}

static void answer(struct device *dev, const struct iopf_fault *fault,
		   enum iommu_page_response_code code)
{
	struct iommu_page_response msg = {
		.pasid = fault->fault.prm.pasid,
		.grpid = fault->fault.prm.grpid,
		.code = code,
	};

	if (dev_iommu_ops(dev)->page_response)
		dev_iommu_ops(dev)->page_response(dev, fault, &msg);
}

int ifs_iopf_device_add(struct device *dev)
{
	struct iommu_fault_param *param;

	if (!dev_iommu_ops(dev)->page_response)
		return -ENODEV;
	if (dev->fault_param)
		return -EBUSY;
	param = kheap_new(&current->kernel->heap, struct iommu_fault_param);
	if (!param)
		return -ENOMEM;
	mutex_init(&param->lock);
	INIT_LIST_HEAD(&param->partial);
	INIT_LIST_HEAD(&param->faults);
	param->users = 1;
	param->dev = dev;
	dev->fault_param = param;
	return 0;
}

void ifs_iopf_device_remove(struct device *dev)
{
	struct iommu_fault_param *param = dev->fault_param;
	struct iopf_fault *fault, *next_fault;
	struct iopf_group *group, *next_group;

	if (WARN_ON(!param))
		return;
	mutex_lock(&param->lock);
	list_for_each_entry_safe(fault, next_fault, &param->partial, list) {
		list_del(&fault->list);
		kheap_free(&current->kernel->heap, fault);
	}
	list_for_each_entry_safe(group, next_group, &param->faults, pending_node) {
		list_del_init(&group->pending_node);
		answer(dev, &group->last_fault, IOMMU_PAGE_RESP_INVALID);
	}
	mutex_unlock(&param->lock);
	dev->fault_param = NULL;
	fault_param_put(param);
}

/* What the fault belongs to; NULL: to nothing that takes faults. */
static struct iommu_attach_handle *find_handler(struct device *dev,
						const struct iommu_fault_page_request *prm)
{
	ioasid_t pasid = prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID ? prm->pasid :
			 IOMMU_NO_PASID;
	bool has_pasid = prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	struct iommu_attach_handle *handle = iommu_attach_handle_get(dev->group, pasid, 0);

	if (IS_ERR(handle) && has_pasid && dev_iommu_ops(dev)->user_pasid_table)
		handle = iommu_attach_handle_get(dev->group, IOMMU_NO_PASID, IOMMU_DOMAIN_NESTED);
	if (IS_ERR(handle) || !handle->domain->iopf_handler)
		return NULL;
	return handle;
}

static int report_partial(struct iommu_fault_param *param, const struct iopf_fault *evt)
{
	struct iopf_fault *fault = kheap_new(&current->kernel->heap, struct iopf_fault);

	if (!fault)
		return -ENOMEM;
	fault->fault = evt->fault;
	mutex_lock(&param->lock);
	list_add(&fault->list, &param->partial);
	mutex_unlock(&param->lock);
	return 0;
}

/* Makes a group of @evt, its last fault, and of those that came before. */
static void group_init(struct iopf_group *group, struct iommu_fault_param *param,
		       const struct iopf_fault *evt)
{
	struct iopf_fault *fault, *next;

	group->fault_param = param;
	param->users++;
	group->last_fault.fault = evt->fault;
	group->fault_count = 1;
	INIT_LIST_HEAD(&group->faults);
	list_add(&group->last_fault.list, &group->faults);
	mutex_lock(&param->lock);
	list_for_each_entry_safe(fault, next, &param->partial, list) {
		if (fault->fault.prm.grpid != evt->fault.prm.grpid)
			continue;
		list_del(&fault->list);
		list_add(&fault->list, &group->faults);
		group->fault_count++;
	}
	list_add(&group->pending_node, &param->faults);
	mutex_unlock(&param->lock);
}

static void group_deinit(struct iopf_group *group)
{
	struct iopf_fault *fault, *next;

	list_for_each_entry_safe(fault, next, &group->faults, list)
		if (fault != &group->last_fault)
			kheap_free(&current->kernel->heap, fault);
	fault_param_put(group->fault_param);
}

int ifs_iommu_report_device_fault(struct device *dev, const struct iopf_fault *evt)
{
	struct iommu_attach_handle *handle = find_handler(dev, &evt->fault.prm);
	struct iommu_fault_param *param = dev->fault_param;
	struct iopf_group *group, abort_group = { 0 };

	if (!handle || WARN_ON(!param)) {
		answer(dev, evt, IOMMU_PAGE_RESP_INVALID);
		return -EINVAL;
	}
	if (!(evt->fault.prm.flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE))
		return report_partial(param, evt);
	group = kheap_new(&current->kernel->heap, struct iopf_group);
	if (group) {
		group_init(group, param, evt);
		group->attach_handle = handle;
		if (!handle->domain->iopf_handler(group))
			return 0;
	} else {
		/* Even without memory the device gets its answer. */
		group_init(&abort_group, param, evt);
	}
	iopf_group_response(group ? group : &abort_group, IOMMU_PAGE_RESP_FAILURE);
	if (group)
		iopf_free_group(group);
	else
		group_deinit(&abort_group);
	return 0;
}

void ifs_iopf_group_response(struct iopf_group *group, enum iommu_page_response_code status)
{
	struct iommu_fault_param *param = group->fault_param;

	mutex_lock(&param->lock);
	if (!list_empty(&group->pending_node)) {
		answer(param->dev, &group->last_fault, status);
		list_del_init(&group->pending_node);
	}
	mutex_unlock(&param->lock);
}

void ifs_iopf_free_group(struct iopf_group *group)
{
	group_deinit(group);
	kheap_free(&current->kernel->heap, group);
}
