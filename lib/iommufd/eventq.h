/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Event queues: objects that a program reads through a descriptor of its own. Two kinds: page
 * faults of HWPTs (fault.c) and events of virtual IOMMUs (veventq.c).
 *
 * The open file holds the object and the context, so that neither goes before it is closed; closing
 * it does not destroy the object.
 */
#ifndef LIB_IOMMUFD_EVENTQ_H
#define LIB_IOMMUFD_EVENTQ_H

#include <iommufd-sim/proto/iopf.h>

#include "lib/iommufd/iommufd_private.h"

struct iommufd_eventq {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct file *filep;             /* for a creation that fails; not a reference */
	spinlock_t lock;                /* deliver */
	struct list_head deliver;       /* oldest first */
};

struct iommufd_fault {
	struct iommufd_eventq common;   /* deliver: struct iopf_group.node */
	struct mutex mutex;             /* reading and answering */
	struct xarray response;         /* read, not answered: struct iopf_group by cookie */
};

struct iommufd_vevent {
	struct iommufd_vevent_header header;
	struct list_head node;
	u64 data_len;
	u8 event_data[];
};

struct iommufd_veventq {
	struct iommufd_eventq common;   /* deliver: struct iommufd_vevent.node */
	struct iommufd_viommu *viommu;  /* a reference */
	struct list_head node;          /* on viommu->veventqs */
	u32 type, depth;
	u32 num_events;                 /* in deliver, without lost_events */
	u32 sequence;                   /* of the next event, lost ones included */
	struct iommufd_vevent lost_events;      /* at the tail of deliver, or nowhere */
};

/* eventq.c */
/* Makes the file, and reserves a descriptor that is returned; -errno. */
int iommufd_eventq_init(struct iommufd_eventq *eventq, const char *name, struct iommufd_ctx *ictx,
			const struct file_operations *fops);
unsigned iommufd_eventq_poll(struct file *file);
void iommufd_eventq_release(struct file *file);

/* fault.c */
void iommufd_fault_destroy(struct iommufd_object *obj);
/* A domain's iopf_handler: queues the group on its HWPT's fault queue. */
int iommufd_fault_iopf_handler(struct iopf_group *group);
/* Answers as invalid what came through @handle and was not answered. Both may be NULL. */
void iommufd_auto_response_faults(struct iommufd_hw_pagetable *hwpt,
				  struct iommufd_attach_handle *handle);

/* veventq.c */
void iommufd_veventq_destroy(struct iommufd_object *obj);
void iommufd_veventq_abort(struct iommufd_object *obj);

#endif
