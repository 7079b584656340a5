/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Fault queues: page faults of devices behind a HWPT, answered by the program (Linux:
 * drivers/iommu/iommufd/eventq.c).
 *
 * A read delivers whole groups, as many as fit, and gives each a cookie: the lowest free number
 * from 1, free again once the group has been answered. A write is a row of answers; one to cookie 0
 * fails, but from then on cookie 0 is given out as well, if any was out then (a bug of 7.3 that
 * "exact" reproduces; xa_erase() explains it).
 *
 * What nobody answers is answered as invalid when the device leaves the HWPT or the queue is
 * destroyed: each group gets exactly one answer.
 *
 * Sizes that are no multiple of a record are -ESPIPE, as in Linux.
 */
#include "lib/iommufd/eventq.h"

#include "lib/mm/user_mem.h"

static void drop_group(struct iopf_group *group)
{
	iopf_group_response(group, IOMMU_PAGE_RESP_INVALID);
	iopf_free_group(group);
}

void iommufd_auto_response_faults(struct iommufd_hw_pagetable *hwpt,
				  struct iommufd_attach_handle *handle)
{
	struct iommufd_fault *fault = hwpt->fault;
	struct iopf_group *group, *next;
	LIST_HEAD(dropped);
	u64 cookie;

	if (!fault || !handle)
		return;
	mutex_lock(&fault->mutex);
	spin_lock(&fault->common.lock);
	list_for_each_entry_safe(group, next, &fault->common.deliver, node) {
		if (group->attach_handle != &handle->handle)
			continue;
		list_del(&group->node);
		list_add_tail(&group->node, &dropped);
	}
	spin_unlock(&fault->common.lock);
	list_for_each_entry_safe(group, next, &dropped, node) {
		list_del(&group->node);
		drop_group(group);
	}
	xa_for_each(&fault->response, cookie, group) {
		if (group->attach_handle != &handle->handle)
			continue;
		xa_erase(&fault->response, cookie);
		drop_group(group);
	}
	mutex_unlock(&fault->mutex);
}

void iommufd_fault_destroy(struct iommufd_object *obj)
{
	struct iommufd_fault *fault = container_of(obj, struct iommufd_fault, common.obj);
	struct iopf_group *group, *next;
	u64 cookie;

	/* Without a user, and without a HWPT, nothing can be added or taken. */
	list_for_each_entry_safe(group, next, &fault->common.deliver, node) {
		list_del(&group->node);
		drop_group(group);
	}
	xa_for_each(&fault->response, cookie, group) {
		xa_erase(&fault->response, cookie);
		drop_group(group);
	}
	xa_destroy(&fault->response);
	mutex_destroy(&fault->mutex);
}

int iommufd_fault_iopf_handler(struct iopf_group *group)
{
	struct iommufd_hw_pagetable *hwpt = group->attach_handle->domain->handle;
	struct iommufd_fault *fault = hwpt->fault;

	spin_lock(&fault->common.lock);
	list_add_tail(&group->node, &fault->common.deliver);
	spin_unlock(&fault->common.lock);
	return 0;
}

static struct iopf_group *deliver_fetch(struct iommufd_fault *fault)
{
	struct iopf_group *group = NULL;

	spin_lock(&fault->common.lock);
	if (!list_empty(&fault->common.deliver)) {
		group = list_first_entry(&fault->common.deliver, struct iopf_group, node);
		list_del(&group->node);
	}
	spin_unlock(&fault->common.lock);
	return group;
}

static void deliver_restore(struct iommufd_fault *fault, struct iopf_group *group)
{
	spin_lock(&fault->common.lock);
	list_add(&group->node, &fault->common.deliver);
	spin_unlock(&fault->common.lock);
}

/* All records of the group to @to. -EFAULT. */
static int copy_group(const struct iopf_group *group, uva_t to)
{
	const struct iommufd_attach_handle *handle =
		container_of(group->attach_handle, struct iommufd_attach_handle, handle);
	const struct iopf_fault *iopf;

	list_for_each_entry(iopf, &group->faults, list) {
		const struct iommu_fault_page_request *prm = &iopf->fault.prm;
		const struct iommu_hwpt_pgfault record = {
			.flags = prm->flags,
			.dev_id = handle->idev->obj.id,
			.pasid = prm->pasid,
			.grpid = prm->grpid,
			.perm = prm->perm,
			.addr = prm->addr,
			.cookie = group->cookie,
		};

		if (copy_to_user(to, &record, sizeof(record)))
			return -EFAULT;
		to += sizeof(record);
	}
	return 0;
}

/* The group gets a cookie and is copied, or goes back to the head of the queue. */
static int deliver_group(struct iommufd_fault *fault, struct iopf_group *group, uva_t to)
{
	int rc = xa_alloc(&fault->response, &group->cookie, group, xa_limit_32b, GFP_KERNEL);

	if (rc)
		goto restore;
	rc = copy_group(group, to);
	if (!rc)
		return 0;
	xa_erase(&fault->response, group->cookie);
restore:
	deliver_restore(fault, group);
	return rc;
}

static long iommufd_fault_fops_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	struct iommufd_fault *fault = container_of(file->private_data, struct iommufd_fault,
						   common);
	const u64 record = sizeof(struct iommu_hwpt_pgfault);
	struct iopf_group *group;
	u64 done = 0;
	int rc = 0;

	if (*pos || count % record)
		return -ESPIPE;
	mutex_lock(&fault->mutex);
	while (!rc && (group = deliver_fetch(fault))) {
		u64 length = group->fault_count * record;

		if (length > count - done) {
			deliver_restore(fault, group);
			if (!done)
				rc = -EINVAL;
			break;
		}
		rc = deliver_group(fault, group, to + done);
		if (!rc)
			done += length;
	}
	mutex_unlock(&fault->mutex);
	return done ? (long)done : rc;
}

static int answer(struct iommufd_fault *fault, uva_t from)
{
	struct iommu_hwpt_page_response response;
	struct iopf_group *group;

	if (copy_from_user(&response, from, sizeof(response)))
		return -EFAULT;
	if (response.code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    response.code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	if (!response.cookie && current->kernel->fix_bugs)
		return -EINVAL;
	group = xa_erase(&fault->response, response.cookie);
	if (!group)
		return -EINVAL;
	iopf_group_response(group, response.code == IOMMUFD_PAGE_RESP_SUCCESS ?
				   IOMMU_PAGE_RESP_SUCCESS : IOMMU_PAGE_RESP_INVALID);
	iopf_free_group(group);
	return 0;
}

static long iommufd_fault_fops_write(struct file *file, uva_t from, u64 count, u64 *pos)
{
	struct iommufd_fault *fault = container_of(file->private_data, struct iommufd_fault,
						   common);
	const u64 record = sizeof(struct iommu_hwpt_page_response);
	u64 done = 0;
	int rc = 0;

	if (*pos || count % record)
		return -ESPIPE;
	mutex_lock(&fault->mutex);
	while (!rc && done < count) {
		rc = answer(fault, from + done);
		if (!rc)
			done += record;
	}
	mutex_unlock(&fault->mutex);
	return done ? (long)done : rc;
}

static const struct file_operations iommufd_fault_fops = {
	.name = "[iommufd-pgfault]",
	.release = iommufd_eventq_release,
	.read = iommufd_fault_fops_read,
	.write = iommufd_fault_fops_write,
	.poll = iommufd_eventq_poll,
};

int iommufd_fault_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_fault_alloc *cmd = ucmd->cmd;
	struct iommufd_fault *fault;
	struct iommufd_object *obj;
	int fd, rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	rc = iommufd_object_alloc_ucmd(ucmd, sizeof(*fault), IOMMUFD_OBJ_FAULT, &obj);
	if (rc)
		return rc;
	fault = container_of(obj, struct iommufd_fault, common.obj);
	xa_init_flags(&fault->response, XA_FLAGS_ALLOC1);
	mutex_init(&fault->mutex);
	fd = iommufd_eventq_init(&fault->common, iommufd_fault_fops.name, ucmd->ictx,
				 &iommufd_fault_fops);
	if (fd < 0)
		return fd;
	cmd->out_fault_id = obj->id;
	cmd->out_fault_fd = (u32)fd;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		put_unused_fd(fd);
		return rc;
	}
	fd_install(fd, fault->common.filep);
	return 0;
}
