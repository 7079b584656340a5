/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the files of lib/iommu/ share: the core's lists, and what boot and kexec ask of the VT-d
 * driver (vtd_*.c) beyond struct iommu_ops. Lock order: group->mutex, iommu->lock, core->lock.
 */
#ifndef LIB_IOMMU_IOMMU_PRIVATE_H
#define LIB_IOMMU_IOMMU_PRIVATE_H

#include <iommufd-sim/proto/iommu_driver.h>

#include "lib/base/task.h"
#include "lib/iommu/iommu_core.h"
#include "lib/iommu/iommu_pt.h"
#include "sim/iommu_regs.h"

struct iommu_core {
	struct kernel_base *kernel;
	struct mutex lock;              /* the lists */
	struct list_head units;         /* iommu_device.list of VT-d units, by unit */
	struct list_head devices;       /* device.list, by segment and BDF */
	struct list_head domains;       /* iommu_domain.list, of all drivers */
	struct iommu_device mock_unit;
	struct list_head mock_devices;  /* device.list, by id: not found by the calls of proto/ */
	u32 next_group_id;
};

/* A context entry: 16 bytes, which hardware reads at once. */
struct vtd_context_entry {
	u64 lo, hi;
};

static inline struct iommu_core *iommu_core_current(void)
{
	return current->kernel->iommu;
}

/* iommu_domain.c */
/* Everything of @gather is flushed from the IOTLB, then its tables are freed. */
void iommu_iotlb_sync(struct iommu_domain *domain, struct iommu_iotlb_gather *gather);
/* A domain on the list, first in @size bytes, with no tables yet. NULL: no memory. */
struct iommu_domain *iommu_domain_new(struct iommu_device *iommu,
				      const struct iommu_domain_ops *ops, size_t size);
/* Off the list and freed, with its tables. Nothing is attached. */
void iommu_domain_destroy(struct iommu_core *core, struct iommu_domain *domain);
/* The last device left: the did goes, and the domain with it if its holder has let go. */
void iommu_domain_detached(struct iommu_core *core, struct iommu_domain *domain);

/* iommu_group.c */
struct iommu_group *iommu_group_new(struct iommu_core *core);
void iommu_group_free(struct iommu_core *core, struct iommu_group *group);
/* -EBUSY if there is a domain already, but for a restored one. Needs group->mutex. */
int iommu_group_attach(struct iommu_group *group, struct iommu_domain *domain);
/* Needs group->mutex. */
int iommu_group_set_domain(struct iommu_group *group, struct iommu_domain *domain);
/* Cuts off a device without a report. Needs group->mutex. */
void iommu_group_block(struct iommu_core *core, struct iommu_group *group);

/* vtd_ops.c */
extern const struct iommu_ops vtd_ops;
extern const struct iommu_domain_ops vtd_domain_ops;

/* mock_driver.c */
void mock_unit_init(struct iommu_device *unit);

/* vtd_driver.c: registers. */
int vtd_unit_new(struct iommu_core *core, unsigned index, struct iommu_device **out);
void vtd_unit_free(struct iommu_core *core, struct iommu_device *iommu);
/* Latches the root table and sees to it that translation is on. */
void vtd_enable_translation(struct iommu_device *iommu);
/* Drops every cached context entry and translation. */
void vtd_flush_all(struct iommu_device *iommu);
/* Of one device, whose entry carried @did. */
void vtd_flush_context(struct iommu_device *iommu, u16 bdf, u32 did);
void vtd_flush_iotlb_domain(struct iommu_device *iommu, u32 did);
void vtd_flush_iotlb_range(struct iommu_device *iommu, u32 did, iova_t start, iova_t last);
void vtd_handle_faults(struct iommu_device *iommu);
/* -ENOSPC */
int vtd_did_alloc(struct iommu_device *iommu, u32 *did);
void vtd_did_free(struct iommu_device *iommu, u32 did);
bool vtd_did_is_taken(const struct iommu_device *iommu, u32 did);
void vtd_did_take(struct iommu_device *iommu, u32 did);
/* The first id from @did on that is taken; 0: none. */
u32 vtd_did_next(const struct iommu_device *iommu, u32 did);

/* vtd_context.c: root and context tables in RAM. These need iommu->lock. */
/* A new, empty root table. -ENOMEM. */
int vtd_root_new(struct iommu_core *core, struct iommu_device *iommu);
void vtd_root_free(struct iommu_core *core, struct iommu_device *iommu);
/* The entry of (bus << 8 | devfn), NULL if its table is missing. */
struct vtd_context_entry *vtd_context_find(struct kernel_base *kernel,
					   const struct iommu_device *iommu, u16 bdf);
/* Makes the context table. -ENOMEM. */
int vtd_context_prepare(struct kernel_base *kernel, struct iommu_device *iommu, u16 bdf);
/* Points a device at @domain in one write, and flushes what was there. Prepared before. */
void vtd_context_set(struct kernel_base *kernel, struct device *dev,
		     const struct iommu_domain *domain);
/* What vtd_context_set() writes. */
struct vtd_context_entry vtd_context_of(const struct iommu_domain *domain);
void vtd_context_clear(struct kernel_base *kernel, struct iommu_device *iommu, u16 bdf);
/* Calls @fn with each present context entry. */
void vtd_context_for_each(struct kernel_base *kernel, const struct iommu_device *iommu,
			  void (*fn)(void *ctx, u16 bdf, const struct vtd_context_entry *entry),
			  void *ctx);

/* vtd_adopt.c */
/* At kexec, needs iommu->lock: context tables without entries are unlinked and not handed over. */
void vtd_drop_empty_tables(struct kernel_base *kernel, struct iommu_device *iommu);

#endif
