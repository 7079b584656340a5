/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Event queues of a virtual IOMMU: what happened to it, read by the program (Linux:
 * drivers/iommu/iommufd/eventq.c, driver.c).
 *
 * Each event has the next sequence number, lost ones too. Once the queue is full, one header
 * without data stands at its tail for all that is lost; it moves to the newest number with every
 * further loss, and disappears as soon as an event follows: the gap in the numbers tells then.
 */
#include "lib/iommufd/eventq.h"

#include "lib/mm/user_mem.h"

#define VEVENTQ_MAX_DEPTH (1u << 19)

static bool is_lost_events(const struct iommufd_vevent *vevent)
{
	return vevent->header.flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
}

static struct iommufd_veventq *find_veventq(struct iommufd_viommu *viommu, u32 type)
{
	struct iommufd_veventq *veventq;

	lockdep_assert_held(&viommu->veventqs_rwsem);
	list_for_each_entry(veventq, &viommu->veventqs, node)
		if (veventq->type == type)
			return veventq;
	return NULL;
}

void iommufd_veventq_abort(struct iommufd_object *obj)
{
	struct iommufd_veventq *veventq = container_of(obj, struct iommufd_veventq, common.obj);
	struct iommufd_vevent *cur, *next;

	lockdep_assert_held_write(&veventq->viommu->veventqs_rwsem);
	list_for_each_entry_safe(cur, next, &veventq->common.deliver, node) {
		list_del(&cur->node);
		if (cur != &veventq->lost_events)
			kfree(cur);
	}
	veventq->viommu->obj.users--;
	list_del(&veventq->node);
}

void iommufd_veventq_destroy(struct iommufd_object *obj)
{
	struct iommufd_veventq *veventq = container_of(obj, struct iommufd_veventq, common.obj);
	struct iommufd_viommu *viommu = veventq->viommu;

	down_write(&viommu->veventqs_rwsem);
	iommufd_veventq_abort(obj);
	up_write(&viommu->veventqs_rwsem);
}

/* Needs the queue's lock. */
static void append(struct iommufd_veventq *veventq, struct iommufd_vevent *vevent)
{
	struct list_head *deliver = &veventq->common.deliver;

	/* It can only be the last one; @vevent may be the very same, with a newer number. */
	if (veventq->lost_events.node.next == deliver)
		list_del(&veventq->lost_events.node);
	list_add_tail(&vevent->node, deliver);
	vevent->header.sequence = veventq->sequence;
	veventq->sequence = (veventq->sequence + 1) & 0x7fffffff;
}

int ifs_iommufd_viommu_report_event(struct iommufd_viommu *viommu, u32 type,
				    const void *event_data, size_t data_len)
{
	struct iommufd_veventq *veventq;
	struct iommufd_vevent *vevent;
	int rc = 0;

	if (WARN_ON(!data_len || !event_data))
		return -EINVAL;
	down_read(&viommu->veventqs_rwsem);
	veventq = find_veventq(viommu, type);
	if (!veventq) {
		up_read(&viommu->veventqs_rwsem);
		return -EOPNOTSUPP;
	}
	vevent = kzalloc(sizeof(*vevent) + data_len, GFP_ATOMIC);
	spin_lock(&veventq->common.lock);
	if (!vevent) {
		vevent = &veventq->lost_events;
		rc = -ENOMEM;
	} else if (veventq->num_events == veventq->depth) {
		kfree(vevent);
		vevent = &veventq->lost_events;
	} else {
		INIT_LIST_HEAD(&vevent->node);
		vevent->data_len = data_len;
		memcpy(vevent->event_data, event_data, data_len);
		veventq->num_events++;
	}
	append(veventq, vevent);
	spin_unlock(&veventq->common.lock);
	up_read(&viommu->veventqs_rwsem);
	return rc;
}

/* The oldest element, off the queue; of the lost header a copy. NULL: empty. ERR_PTR(-ENOMEM). */
static struct iommufd_vevent *deliver_fetch(struct iommufd_veventq *veventq)
{
	struct iommufd_eventq *eventq = &veventq->common;
	struct iommufd_vevent *vevent = NULL, *copy;

	spin_lock(&eventq->lock);
	if (list_empty(&eventq->deliver))
		goto unlock;
	vevent = list_first_entry(&eventq->deliver, struct iommufd_vevent, node);
	if (vevent == &veventq->lost_events) {
		copy = kzalloc(sizeof(*copy), GFP_ATOMIC);
		if (!copy) {
			vevent = ERR_PTR(-ENOMEM);
			goto unlock;
		}
		copy->header = vevent->header;
		list_del(&vevent->node);
		vevent = copy;
	} else {
		list_del(&vevent->node);
	}
unlock:
	spin_unlock(&eventq->lock);
	return vevent;
}

static void deliver_restore(struct iommufd_veventq *veventq, struct iommufd_vevent *vevent)
{
	struct iommufd_eventq *eventq = &veventq->common;

	spin_lock(&eventq->lock);
	if (!is_lost_events(vevent)) {
		list_add(&vevent->node, &eventq->deliver);
	} else {
		kfree(vevent);
		/* Events that followed meanwhile have made it superfluous. */
		if (list_empty(&eventq->deliver))
			list_add(&veventq->lost_events.node, &eventq->deliver);
	}
	spin_unlock(&eventq->lock);
}

static int copy_vevent(const struct iommufd_vevent *vevent, uva_t to)
{
	if (copy_to_user(to, &vevent->header, sizeof(vevent->header)))
		return -EFAULT;
	if (vevent->data_len &&
	    copy_to_user(to + sizeof(vevent->header), vevent->event_data, vevent->data_len))
		return -EFAULT;
	return 0;
}

static long iommufd_veventq_fops_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	struct iommufd_veventq *veventq = container_of(file->private_data, struct iommufd_veventq,
						       common);
	const u64 header = sizeof(struct iommufd_vevent_header);
	struct iommufd_vevent *cur;
	u64 done = 0;
	int rc = 0;

	if (*pos)
		return -ESPIPE;
	if (count < header)
		return -EINVAL;
	while ((cur = deliver_fetch(veventq))) {
		if (IS_ERR(cur)) {
			rc = PTR_ERR(cur);
			break;
		}
		if (header + cur->data_len > count - done) {
			deliver_restore(veventq, cur);
			if (!done)
				rc = -EINVAL;
			break;
		}
		rc = copy_vevent(cur, to + done);
		if (rc) {
			deliver_restore(veventq, cur);
			break;
		}
		spin_lock(&veventq->common.lock);
		if (!is_lost_events(cur))
			veventq->num_events--;
		spin_unlock(&veventq->common.lock);
		done += header + cur->data_len;
		kfree(cur);
	}
	return done ? (long)done : rc;
}

static const struct file_operations iommufd_veventq_fops = {
	.name = "[iommufd-viommu-event]",
	.release = iommufd_eventq_release,
	.read = iommufd_veventq_fops_read,
	.poll = iommufd_eventq_poll,
};

/* Needs veventqs_rwsem for writing. */
static int veventq_alloc_locked(struct iommufd_ucmd *ucmd, struct iommufd_viommu *viommu)
{
	struct iommu_veventq_alloc *cmd = ucmd->cmd;
	struct iommufd_veventq *veventq;
	struct iommufd_object *obj;
	int fd, rc;

	if (find_veventq(viommu, cmd->type))
		return -EEXIST;
	rc = iommufd_object_alloc(ucmd->ictx, sizeof(*veventq), IOMMUFD_OBJ_VEVENTQ, &obj);
	if (rc)
		return rc;
	veventq = container_of(obj, struct iommufd_veventq, common.obj);
	veventq->type = cmd->type;
	veventq->viommu = viommu;
	viommu->obj.users++;
	veventq->depth = cmd->veventq_depth;
	list_add_tail(&veventq->node, &viommu->veventqs);
	INIT_LIST_HEAD(&veventq->lost_events.node);
	veventq->lost_events.header.flags = IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
	fd = iommufd_eventq_init(&veventq->common, iommufd_veventq_fops.name, ucmd->ictx,
				 &iommufd_veventq_fops);
	if (fd < 0) {
		rc = fd;
		goto err_abort;
	}
	cmd->out_veventq_id = obj->id;
	cmd->out_veventq_fd = (u32)fd;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_put_fd;
	iommufd_object_finalize(ucmd->ictx, obj);
	fd_install(fd, veventq->common.filep);
	return 0;

err_put_fd:
	put_unused_fd(fd);
err_abort:
	iommufd_object_abort_and_destroy(ucmd->ictx, obj);
	return rc;
}

int iommufd_veventq_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_veventq_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	int rc;

	if (cmd->flags || cmd->__reserved || cmd->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->veventq_depth || cmd->veventq_depth > VEVENTQ_MAX_DEPTH)
		return -EINVAL;
	viommu = iommufd_get_viommu(ucmd->ictx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	down_write(&viommu->veventqs_rwsem);
	rc = veventq_alloc_locked(ucmd, viommu);
	up_write(&viommu->veventqs_rwsem);
	iommufd_put_object(ucmd->ictx, &viommu->obj);
	return rc;
}
