/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The IOMMU core for prototypes, with Linux's names (include/linux/iommu.h, drivers/iommu/iommu.c,
 * generic_pt): devices, groups, domains, PASIDs, mapping, DMA ownership, table pages.
 *
 * Beside it: iommu_driver.h, what a driver implements (struct iommu_ops); iopf.h, page faults;
 * viommu.h, what iommufd and a driver share about vIOMMUs.
 */
#ifndef IOMMUFD_SIM_PROTO_IOMMU_H
#define IOMMUFD_SIM_PROTO_IOMMU_H

#include <iommufd-sim/proto/list.h>
#include <iommufd-sim/proto/lock.h>
#include <iommufd-sim/proto/xarray.h>

#include <linux/iommufd.h>

struct device;
struct iommu_device;
struct iommu_domain;
struct iommu_domain_ops;
struct iommu_fault_param;
struct iommu_group;
struct iommu_ops;
struct iommufd_hw_pagetable;
struct iopf_group;
struct ifs_device;

typedef u32 ioasid_t;
#define IOMMU_NO_PASID 0u       /* the device's DMA without a PASID: its requester id */

#define IOMMU_READ (1 << 0)
#define IOMMU_WRITE (1 << 1)
#define IOMMU_CACHE (1 << 2)
#define IOMMU_NOEXEC (1 << 3)
#define IOMMU_MMIO (1 << 4)

/* iommu_domain_alloc_paging_flags() takes HWPT_ALLOC's flags, enum iommufd_hwpt_alloc_flags. */

#define IOMMU_DOMAIN_BLOCKED 0u
#define IOMMU_DOMAIN_IDENTITY 1u
#define IOMMU_DOMAIN_UNMANAGED 2u
#define IOMMU_DOMAIN_NESTED 4u          /* user's tables on top of a parent; nothing to map */

struct iommu_domain_geometry {
	iova_t aperture_start, aperture_end;    /* end is inclusive, as in Linux */
	bool force_aperture;
};

/* Which page-table format a domain's tables have (sim/pt_formats.h). */
enum iommu_pt_format { IOMMU_PT_VTDSS, IOMMU_PT_X86_64, IOMMU_PT_AMDV1, IOMMU_PT_AMDV1_MOCK };

/*
 * One set of tables. Everything a restore needs to read them again: PT_ADDRESS of the top table,
 * its level, format, width, features.
 */
struct pt_iommu {
	pa_t top_pa;
	u8 top_level;           /* 3: a 4-level table */
	u8 format;              /* enum iommu_pt_format */
	u8 max_vasz_lg2;        /* 48 */
	u8 sign_extend;
	u64 nr_table_pages;     /* adopt: 0 = the record does not say */
};

struct iommu_domain {
	u32 type;
	u32 dma_space;          /* the checker's space that devices attached here are bound to */
	const struct iommu_ops *owner;  /* the driver; devices of others are incompatible */
	const struct iommu_domain_ops *ops;
	struct iommu_device *iommu;     /* the unit it was allocated for; others are incompatible */
	struct iommu_domain *parent;    /* IOMMU_DOMAIN_NESTED: on top of it; not a reference */
	/* Takes page faults of attached devices; NULL: they are answered as invalid. */
	int (*iopf_handler)(struct iopf_group *group);
	u64 pgsize_bitmap;
	struct iommu_domain_geometry geometry;
	bool dirty_ops;         /* can track dirty */
	bool dirty_tracking;    /* does */
	struct pt_iommu pt;
	u32 did;                /* domain id in context entries and the IOTLB, 0 = none yet */
	u32 nr_attached;        /* devices, and PASIDs of devices */
	bool holder_gone;       /* iommu_domain_free() was called; goes with the last device */
	struct list_head list;  /* all domains of the core */
	/* Of a design: what preserving this domain left behind, NULL if it is not preserved. */
	void *preserved_state;
	void *restored_from;    /* adopted from the previous kernel: the design's record */
	void *handle;           /* the holder's: iommufd's hwpt */
};

/*
 * One attachment of a group or of a PASID. Whoever attaches may embed it in something of its own,
 * and finds it again from a page fault. Lives until the detach.
 */
struct iommu_attach_handle {
	struct iommu_domain *domain;
};

struct iommu_group {
	u32 id;
	struct mutex mutex;
	struct list_head devices;       /* struct device.group_node */
	struct iommu_domain *domain;    /* what its devices are attached to */
	struct xarray pasid_array;      /* struct iommu_attach_handle by PASID; 0 is the group's */
	void *owner;            /* who claimed DMA, NULL: the default domain's users */
	u32 owner_cnt;
};

struct device {
	char name[16];          /* "0000:01:00.0" */
	u16 segment, bdf;
	struct ifs_device *hw;          /* NULL: a device without hardware (the mock driver's) */
	struct iommu_device *iommu;
	struct iommu_group *group;
	u32 max_pasids;                 /* 0 or 1: none */
	struct iommu_fault_param *fault_param;  /* NULL: reports no page faults */
	struct list_head group_node, list;
	/*
	 * Of a design: preserved by it (old kernel) / adopted from the previous one (new kernel).
	 */
	void *preserved_state;
	void *restored_state;
	void *driver_data;      /* vfio's */
};

/* One IOMMU unit. What follows @list is of the VT-d driver's. */
struct iommu_device {
	const struct iommu_ops *ops;
	u32 max_pasids;
	u32 unit;
	pa_t base_pa;           /* of its registers: the identity that crosses kexec */
	struct iommu_hw *hw;    /* NULL: a unit without hardware (the mock driver's) */
	struct mutex lock;      /* root and context tables */
	pa_t root_pa;
	u64 *did_bitmap;
	u32 did_end;            /* all ids from here on are free */
	u32 nr_dids;
	struct list_head list;
	void *preserved_state;  /* of a design */
	bool adopted;           /* root table taken over from the previous kernel */
};

/*
 * Paging domain for the unit @dev sits behind, without user data: what the driver's
 * domain_alloc_paging_flags() does for @flags. ERR_PTR.
 */
IFS_PUBLIC struct iommu_domain *ifs_iommu_domain_alloc_paging_flags(struct device *dev, u32 flags);
IFS_PUBLIC void ifs_iommu_domain_free(struct iommu_domain *domain);
/*
 * Errors as generic_pt gives them: -EINVAL (no permission), -ERANGE, -ENXIO (alignment),
 * -EOVERFLOW, -EADDRINUSE, -ENOMEM. On error everything mapped by this call is unmapped again.
 */
IFS_PUBLIC int ifs_iommu_map(struct iommu_domain *domain, iova_t iova, pa_t paddr, u64 size,
			     int prot,
			     gfp_t gfp);
/* Returns bytes unmapped; includes the IOTLB flush. Stops at the first hole. */
IFS_PUBLIC u64 ifs_iommu_unmap(struct iommu_domain *domain, iova_t iova, u64 size);
IFS_PUBLIC pa_t ifs_iommu_iova_to_phys(struct iommu_domain *domain, iova_t iova);
/* Calls @fn for each dirty leaf in the range; cleans (and flushes) unless @no_clear. */
IFS_PUBLIC int ifs_iommu_read_and_clear_dirty(struct iommu_domain *domain, iova_t iova, u64 size,
					      bool no_clear,
					      void (*fn)(void *ctx, iova_t iova, u64 length),
					      void *ctx);
IFS_PUBLIC int ifs_iommu_set_dirty_tracking(struct iommu_domain *domain, bool enable);

/*
 * All devices of the group. -EINVAL: incompatible domain; -EBUSY: group has a domain already;
 * -ENOSPC: no domain id left; -ENOMEM. Unlike Linux: a domain restored from the previous kernel is
 * no obstacle, the group moves from it in one step.
 */
IFS_PUBLIC int ifs_iommu_attach_group(struct iommu_domain *domain, struct iommu_group *group);
/* Hitless: every device moves from its domain to @domain in one step (a single entry write). */
IFS_PUBLIC int ifs_iommu_replace_group(struct iommu_domain *domain, struct iommu_group *group);
/* Back to blocking while owned. Never fails. */
IFS_PUBLIC void ifs_iommu_detach_group(struct iommu_domain *domain, struct iommu_group *group);
/*
 * The same with a handle, which is then found by iommu_attach_handle_get(); a group attached
 * without one reports no page faults. -EINVAL: no handle.
 */
IFS_PUBLIC int ifs_iommu_attach_group_handle(struct iommu_domain *domain,
					     struct iommu_group *group,
					     struct iommu_attach_handle *handle);
/* A group that is not attached is attached by this. The old handle stays on failure. */
IFS_PUBLIC int ifs_iommu_replace_group_handle(struct iommu_group *group,
					      struct iommu_domain *domain,
					      struct iommu_attach_handle *handle);
IFS_PUBLIC void ifs_iommu_detach_group_handle(struct iommu_domain *domain,
					      struct iommu_group *group);
/*
 * One PASID of @dev, @handle not NULL. -EOPNOTSUPP: the driver has no PASIDs; -EINVAL: another
 * driver's domain, IOMMU_NO_PASID, or beyond max_pasids of a device; -EBUSY: the PASID is attached;
 * what the driver says. On failure nothing has changed.
 */
IFS_PUBLIC int ifs_iommu_attach_device_pasid(struct iommu_domain *domain, struct device *dev,
					     ioasid_t pasid, struct iommu_attach_handle *handle);
/* -EINVAL: the PASID is not attached. */
IFS_PUBLIC int ifs_iommu_replace_device_pasid(struct iommu_domain *domain, struct device *dev,
					      ioasid_t pasid, struct iommu_attach_handle *handle);
IFS_PUBLIC void ifs_iommu_detach_device_pasid(struct iommu_domain *domain, struct device *dev,
					      ioasid_t pasid);
/*
 * What is attached. ERR_PTR: -ENOENT, nothing (or without a handle); -EBUSY, a domain of another
 * type than @type. IOMMU_DOMAIN_BLOCKED (0): any type.
 */
IFS_PUBLIC struct iommu_attach_handle *
ifs_iommu_attach_handle_get(struct iommu_group *group, ioasid_t pasid, u32 type);

/* -EPERM: another owner; -EBUSY: in use by the DMA API. */
IFS_PUBLIC int ifs_iommu_device_claim_dma_owner(struct device *dev, void *owner);
IFS_PUBLIC void ifs_iommu_device_release_dma_owner(struct device *dev);
/* Reported, context entry cleared: a device that cannot be restored costs only itself. */
IFS_PUBLIC void ifs_iommu_block_device(struct device *dev, const char *why);

/* IOVA that a device must not use for mappings, and why. */
enum iommu_resv_type {
	IOMMU_RESV_DIRECT,
	IOMMU_RESV_DIRECT_RELAXABLE,
	IOMMU_RESV_RESERVED,
	IOMMU_RESV_MSI,
	IOMMU_RESV_SW_MSI,
};

struct iommu_resv_region {
	struct list_head list;
	iova_t start;
	u64 length;
	int prot;
	enum iommu_resv_type type;
};

/*
 * Appends the regions of @dev, allocated, to @list. Unlike Linux, where an allocation that fails
 * only makes the list shorter: -ENOMEM, nothing appended. Give them back with put.
 */
IFS_PUBLIC int ifs_iommu_get_resv_regions(struct device *dev, struct list_head *list);
IFS_PUBLIC void ifs_iommu_put_resv_regions(struct device *dev, struct list_head *list);

/*
 * The live update side of tables: collect, preserve, adopt. All per table page, none per mapping.
 */
/* Calls @fn for the top table and every lower one; first nonzero return stops and is returned. */
IFS_PUBLIC int ifs_pt_for_each_table(const struct pt_iommu *pt, int (*fn)(void *ctx, pa_t table_pa),
				     void *ctx);
/*
 * Calls @fn for each maximal run of leaves that is contiguous in iova and pa and equal in
 * permissions. Reads tables as input: -EINVAL for reserved bits, addresses outside RAM (unless a
 * process window), loops.
 */
IFS_PUBLIC int ifs_pt_for_each_leaf(const struct pt_iommu *pt,
				    int (*fn)(void *ctx, iova_t iova, pa_t pa, u64 length,
					      int prot),
				    void *ctx);
/* KHO-preserves every table page; undoes its own part on failure. -ENOMEM. */
IFS_PUBLIC int ifs_pt_preserve(struct pt_iommu *pt);
IFS_PUBLIC void ifs_pt_unpreserve(struct pt_iommu *pt);
/*
 * Unlike Linux: takes a reference on every frame the leaves lead to, so that none is used for
 * anything else before ifs_pt_unpin_leaves(). -ENOMEM, or what the walk says; nothing is pinned
 * then.
 */
struct pt_pins;
IFS_PUBLIC int ifs_pt_pin_leaves(const struct pt_iommu *pt, struct pt_pins **out);
IFS_PUBLIC void ifs_pt_unpin_leaves(struct pt_pins *pins);
/*
 * A domain around live tables of the previous kernel. Checks first and claims after: every table
 * page must be preserved and unclaimed, every entry well formed. -EINVAL with nothing claimed else.
 * The domain has @did, no hardware is touched.
 */
IFS_PUBLIC int ifs_iommu_domain_adopt(struct iommu_device *iommu, const struct pt_iommu *pt,
				      u32 did,
				      bool dirty_tracking, struct iommu_domain **out);
/* Attaches what is already live: compares the context entry with @domain and fails with -EINVAL on
 * any difference instead of trusting it; writes the same bytes again (hitless). */
IFS_PUBLIC int ifs_iommu_attach_restored(struct iommu_domain *domain, struct device *dev);

/*
 * Root and context tables of a unit: preserve, and adopt in the next kernel (design's boot hook).
 */
IFS_PUBLIC int ifs_iommu_hw_preserve(struct iommu_device *iommu);
IFS_PUBLIC void ifs_iommu_hw_unpreserve(struct iommu_device *iommu);
/* Checks that root and context pages are preserved and well formed. -EINVAL: nothing adopted. */
IFS_PUBLIC int ifs_iommu_hw_adopt(struct iommu_device *iommu, pa_t root_pa);
/* -EBUSY if it is taken. */
IFS_PUBLIC int ifs_iommu_did_reserve(struct iommu_device *iommu, u32 did);

/* NULL past the end. By segment and BDF. */
IFS_PUBLIC struct device *ifs_iommu_find_device(u16 segment, u16 bdf);
IFS_PUBLIC struct device *ifs_iommu_device_at(unsigned index);
IFS_PUBLIC struct iommu_device *ifs_iommu_unit_at(unsigned index);

#ifndef IFS_PROTO_NO_IOMMU_NAMES
#define iommu_domain_alloc_paging_flags ifs_iommu_domain_alloc_paging_flags
#define iommu_domain_free ifs_iommu_domain_free
#define iommu_map ifs_iommu_map
#define iommu_unmap ifs_iommu_unmap
#define iommu_iova_to_phys ifs_iommu_iova_to_phys
#define iommu_read_and_clear_dirty ifs_iommu_read_and_clear_dirty
#define iommu_set_dirty_tracking ifs_iommu_set_dirty_tracking
#define iommu_attach_group ifs_iommu_attach_group
#define iommu_replace_group ifs_iommu_replace_group
#define iommu_detach_group ifs_iommu_detach_group
#define iommu_attach_group_handle ifs_iommu_attach_group_handle
#define iommu_replace_group_handle ifs_iommu_replace_group_handle
#define iommu_detach_group_handle ifs_iommu_detach_group_handle
#define iommu_attach_device_pasid ifs_iommu_attach_device_pasid
#define iommu_replace_device_pasid ifs_iommu_replace_device_pasid
#define iommu_detach_device_pasid ifs_iommu_detach_device_pasid
#define iommu_attach_handle_get ifs_iommu_attach_handle_get
#define iommu_get_resv_regions ifs_iommu_get_resv_regions
#define iommu_put_resv_regions ifs_iommu_put_resv_regions
#define iommu_device_claim_dma_owner ifs_iommu_device_claim_dma_owner
#define iommu_device_release_dma_owner ifs_iommu_device_release_dma_owner
#define iommu_block_device ifs_iommu_block_device
#define pt_for_each_table ifs_pt_for_each_table
#define pt_for_each_leaf ifs_pt_for_each_leaf
#define pt_preserve ifs_pt_preserve
#define pt_unpreserve ifs_pt_unpreserve
#define pt_pin_leaves ifs_pt_pin_leaves
#define pt_unpin_leaves ifs_pt_unpin_leaves
#define iommu_domain_adopt ifs_iommu_domain_adopt
#define iommu_attach_restored ifs_iommu_attach_restored
#define iommu_hw_preserve ifs_iommu_hw_preserve
#define iommu_hw_unpreserve ifs_iommu_hw_unpreserve
#define iommu_hw_adopt ifs_iommu_hw_adopt
#define iommu_did_reserve ifs_iommu_did_reserve
#define iommu_find_device ifs_iommu_find_device
#define iommu_device_at ifs_iommu_device_at
#define iommu_unit_at ifs_iommu_unit_at
#endif

#endif
