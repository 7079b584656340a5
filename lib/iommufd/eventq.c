/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What both kinds of event queue share: the file around them (Linux:
 * drivers/iommu/iommufd/eventq.c).
 *
 * Left out: waiting. A read never blocks in Linux either; who wants to wait polls.
 */
#include "lib/iommufd/eventq.h"

#include "lib/fs/file.h"

int iommufd_eventq_init(struct iommufd_eventq *eventq, const char *name, struct iommufd_ctx *ictx,
			const struct file_operations *fops)
{
	struct file *file;
	int rc;

	spin_lock_init(&eventq->lock);
	INIT_LIST_HEAD(&eventq->deliver);
	rc = ifs_anon_inode_getfile(name, fops, eventq, O_RDWR, &file);
	if (rc)
		return rc;
	eventq->ictx = ictx;
	get_file(ictx->file);
	eventq->filep = file;
	eventq->obj.users++;
	return get_unused_fd_flags(O_CLOEXEC);
}

unsigned iommufd_eventq_poll(struct file *file)
{
	struct iommufd_eventq *eventq = file->private_data;
	unsigned ready = eventq->obj.type == IOMMUFD_OBJ_FAULT ? POLLOUT : 0;

	spin_lock(&eventq->lock);
	if (!list_empty(&eventq->deliver))
		ready |= POLLIN | POLLRDNORM;
	spin_unlock(&eventq->lock);
	return ready;
}

void iommufd_eventq_release(struct file *file)
{
	struct iommufd_eventq *eventq = file->private_data;
	struct iommufd_ctx *ictx = eventq->ictx;

	eventq->obj.users--;
	/* Perhaps the context's last reference: the object goes with it. */
	iommufd_ctx_put(ictx);
}
