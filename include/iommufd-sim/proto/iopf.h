/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * I/O page faults, with Linux's names (include/linux/iommu.h, drivers/iommu/io-pgfault.c).
 *
 * A device reports faults one by one; those of one page request group are collected until the
 * last. The group is then given to the handler of the domain that the fault belongs to:
 *   PASID P != 0   what is attached to P; if nothing is and the driver keeps the user's PASID
 *                  tables: what the RID is attached to, if that is a nested domain
 *   no PASID       what the RID is attached to
 * If there is none, or its domain has no handler, the group is answered as invalid at once.
 *
 * The handler owns the group until it answers it with iopf_group_response() and frees it with
 * iopf_free_group(). Runs in the reporter's context: there are no workers.
 */
#ifndef IOMMUFD_SIM_PROTO_IOPF_H
#define IOMMUFD_SIM_PROTO_IOPF_H

#include <iommufd-sim/proto/iommu.h>

#define IOMMU_FAULT_PERM_READ (1u << 0)
#define IOMMU_FAULT_PERM_WRITE (1u << 1)
#define IOMMU_FAULT_PERM_EXEC (1u << 2)
#define IOMMU_FAULT_PERM_PRIV (1u << 3)

#define IOMMU_FAULT_PAGE_REQ 1u         /* iommu_fault.type */

#define IOMMU_FAULT_PAGE_REQUEST_PASID_VALID (1u << 0)
#define IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE (1u << 1)
#define IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID (1u << 2)

struct iommu_fault_page_request {
	u32 flags, pasid, grpid, perm;
	u64 addr;
	u64 private_data[2];
};

struct iommu_fault {
	u32 type;
	struct iommu_fault_page_request prm;
};

enum iommu_page_response_code {
	IOMMU_PAGE_RESP_SUCCESS,
	IOMMU_PAGE_RESP_INVALID,
	IOMMU_PAGE_RESP_FAILURE,
};

struct iommu_page_response {
	u32 pasid, grpid, code;
};

struct iopf_fault {
	struct iommu_fault fault;
	struct list_head list;          /* iopf_group.faults, or partial of its device */
};

struct iopf_group {
	struct iopf_fault last_fault;
	struct list_head faults;        /* struct iopf_fault.list; the last one last */
	size_t fault_count;
	struct list_head pending_node;  /* iommu_fault_param.faults: not answered yet */
	struct iommu_attach_handle *attach_handle;
	struct iommu_fault_param *fault_param;
	/* The handler's. */
	struct list_head node;
	u32 cookie;
};

/* Of a device that can fault. Counted: faults outlive its detach. */
struct iommu_fault_param {
	struct mutex lock;
	u32 users;
	struct device *dev;
	struct list_head partial;       /* faults whose group is not complete */
	struct list_head faults;        /* groups given to a handler */
};

/*
 * A driver's: from the first attach to a domain with a handler on, till after the last. -EBUSY: it
 * is there already; -ENODEV: the driver takes no answers; -ENOMEM. Removal answers what is pending.
 */
IFS_PUBLIC int ifs_iopf_device_add(struct device *dev);
IFS_PUBLIC void ifs_iopf_device_remove(struct device *dev);
/* -EINVAL: nobody handles it. -ENOMEM: a fault that is not its group's last is dropped. */
IFS_PUBLIC int ifs_iommu_report_device_fault(struct device *dev, const struct iopf_fault *evt);
/* Answers all faults of the group; a second answer does nothing. */
IFS_PUBLIC void ifs_iopf_group_response(struct iopf_group *group,
					enum iommu_page_response_code status);
IFS_PUBLIC void ifs_iopf_free_group(struct iopf_group *group);

#ifndef IFS_PROTO_NO_IOMMU_NAMES
#define iommu_report_device_fault ifs_iommu_report_device_fault
#define iopf_group_response ifs_iopf_group_response
#define iopf_free_group ifs_iopf_free_group
#endif

#endif
