/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommufd's own structures, with Linux's names (drivers/iommu/iommufd/iommufd_private.h,
 * io_pagetable.h): what a preservation design has to look at. lib/iommufd/ works on the same ones.
 *
 * Fields that belong to a design are marked; lib/iommufd/ keeps them zero and never reads them.
 */
#ifndef IOMMUFD_SIM_PROTO_IOMMUFD_H
#define IOMMUFD_SIM_PROTO_IOMMUFD_H

#include <iommufd-sim/proto/file.h>
#include <iommufd-sim/proto/iommu.h>
#include <iommufd-sim/proto/lock.h>
#include <iommufd-sim/proto/xarray.h>

#include <linux/iommufd.h>

struct dma_buf_attachment;
struct iommufd_ctx;
struct iommufd_device;
struct iommufd_fault;
struct iommufd_viommu;
struct module;
struct iopt_area;
struct iopt_pages;
struct mm;

enum iommufd_object_type {
	IOMMUFD_OBJ_NONE,
	IOMMUFD_OBJ_ANY = IOMMUFD_OBJ_NONE,
	IOMMUFD_OBJ_DEVICE,
	IOMMUFD_OBJ_HWPT_PAGING,
	IOMMUFD_OBJ_HWPT_NESTED,
	IOMMUFD_OBJ_IOAS,
	IOMMUFD_OBJ_ACCESS,
	IOMMUFD_OBJ_FAULT,
	IOMMUFD_OBJ_VIOMMU,
	IOMMUFD_OBJ_VDEVICE,
	IOMMUFD_OBJ_VEVENTQ,
	IOMMUFD_OBJ_HW_QUEUE,
	IOMMUFD_OBJ_SELFTEST,
};

struct iommufd_object {
	u32 users;              /* the table's and every long-term user's */
	u32 wait_cnt;           /* short-term users that destroy waits for */
	u32 type;
	u32 id;
};

/* The IOVA space of an IOAS. Lock order: domains_rwsem, iova_rwsem, pages->mutex. */
struct io_pagetable {
	struct rw_semaphore domains_rwsem;
	struct xarray domains;          /* 0 .. next_domain_id - 1; 0 is storage for new areas */
	u32 next_domain_id;
	struct rw_semaphore iova_rwsem;
	struct iopt_areas *areas;       /* lib/iommufd/io_pagetable.h: disjoint, by IOVA */
	struct list_head reserved, allowed;
	struct xarray access_list;      /* struct iommufd_access, lib/iommufd/access.h */
	u8 disable_large_pages;
	bool lu_map_immutable;          /* of a design */
	u64 iova_alignment;
	u32 dma_space;                  /* the checker's name for this IOVA space */
	void *design_data;              /* of a design */
};

struct iommufd_ioas {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct io_pagetable iopt;
	struct mutex mutex;             /* hwpt_list */
	struct list_head hwpt_list;
};

struct iommufd_hw_pagetable {
	struct iommufd_object obj;
	struct iommu_domain *domain;
	struct iommufd_fault *fault;    /* takes the page faults of who is attached, NULL: nobody */
	bool pasid_compat;              /* may be attached where PASIDs are in use */
};

struct iommufd_hwpt_paging {
	struct iommufd_hw_pagetable common;
	struct iommufd_ioas *ioas;      /* NULL: restored from the previous kernel */
	bool auto_domain;
	bool enforce_cache_coherency;
	bool nest_parent;
	struct list_head hwpt_item;     /* on ioas->hwpt_list */
	/* Of a design. */
	bool lu_preserve;
	u64 lu_token;
	void *design_data;
};

/* The user's own tables, on top of a nesting parent. */
struct iommufd_hwpt_nested {
	struct iommufd_hw_pagetable common;
	struct iommufd_hwpt_paging *parent;
	struct iommufd_viommu *viommu;  /* whose reference keeps the parent; NULL: our own */
};

struct iommufd_ctx {
	struct file *file;
	struct xarray objects;
	struct xarray groups;
	u32 account_mode;
	struct rw_semaphore ioas_creation_lock;
	struct iommufd_ioas *vfio_ioas;
	spinlock_t mmap_lock;
	struct list_head mmaps;         /* lib/iommufd/mmap.c: what mmap() offers, by offset */
	struct iommufd_module *module;
	struct list_head list;          /* all contexts of the kernel */
	void *design_data;              /* of a design; see ifs_design.ctx_release */
};

/* IOPT_ADDRESS_*: where the pages come from. */
enum iopt_address_type { IOPT_ADDRESS_USER, IOPT_ADDRESS_FILE, IOPT_ADDRESS_DMABUF };

struct iopt_pages {
	u32 refs;
	u32 account_mode;
	struct mutex mutex;
	u64 npages;
	enum iopt_address_type type;
	bool writable;
	/* Pages pinned, and how many of them are charged; equal unless Linux lost count. */
	u64 npinned, last_npinned;
	struct mm *source_mm;
	u32 source_uid;
	uva_t uptr;             /* IOPT_ADDRESS_USER: page aligned */
	struct file *file;      /* IOPT_ADDRESS_FILE, _DMABUF */
	u64 start;              /* page-aligned offset in it */
	u32 seals;              /* of a design: sampled when the mapping was created */
	/* IOPT_ADDRESS_DMABUF; file is the dma-buf's */
	struct dma_buf_attachment *dmabuf_attach;
	pa_t dmabuf_pa;
	bool dmabuf_revoked;    /* maps nothing any more, for good */
	struct list_head dmabuf_tracker;        /* lib/iommufd/pages_dmabuf.c */
	struct iopt_pinned *pinned;     /* lib/iommufd/pages.c: which frames, and who holds them */
};

struct iopt_area {
	struct io_pagetable *iopt;
	struct iopt_pages *pages;       /* NULL while pending: reserved, not filled */
	iova_t first, last;
	u32 page_offset;        /* of the first byte within its page */
	u64 pages_index;        /* first page within pages */
	int iommu_prot;
	struct iommu_domain *storage_domain;    /* whose tables hold its PFNs, NULL: none */
	u32 num_accesses, num_locks;
	bool prevent_access;
};

/* References: lock_obj takes users and wait_cnt, put_object drops both. */
IFS_PUBLIC struct iommufd_ctx *ifs_iommufd_ctx_from_file(struct file *file); /* ERR_PTR(-EBADFD) */
IFS_PUBLIC void ifs_iommufd_ctx_put(struct iommufd_ctx *ictx);
IFS_PUBLIC bool ifs_iommufd_lock_obj(struct iommufd_object *obj);
IFS_PUBLIC struct iommufd_object *ifs_iommufd_get_object(struct iommufd_ctx *ictx, u32 id,
							 enum iommufd_object_type type);
IFS_PUBLIC void ifs_iommufd_put_object(struct iommufd_ctx *ictx, struct iommufd_object *obj);
/* Areas by IOVA; need iova_rwsem. */
IFS_PUBLIC struct iopt_area *ifs_iopt_area_iter_first(struct io_pagetable *iopt, iova_t first,
						      iova_t last);
IFS_PUBLIC struct iopt_area *ifs_iopt_area_iter_next(struct iopt_area *area, iova_t first,
						     iova_t last);
/*
 * Calls @fn for each run of consecutive frames an area's pages hold, in order of page index within
 * the pages object. Needs pages->mutex. The area must be filled.
 */
IFS_PUBLIC int ifs_iopt_area_for_each_run(struct iopt_area *area,
					  int (*fn)(void *ctx, u64 page_index, pa_t pa,
						    u64 nr_pages),
					  void *ctx);

/* THIS_MODULE of what is linked into iommufd: for the .owner of its handlers. */
IFS_PUBLIC extern const struct module ifs_iommufd_module_owner;

/* For a design's restore half. */
/* A new iommufd file with an empty context, as open("/dev/iommu") makes it. */
IFS_PUBLIC int ifs_iommufd_file_new(struct file **out);
/*
 * Publishes a HWPT around a domain restored from the previous kernel: ioas NULL, id allocated,
 * -ENOMEM or -EBUSY. Mapping through it is impossible; devices are attached to it already.
 */
IFS_PUBLIC int ifs_iommufd_hwpt_adopt(struct iommufd_ctx *ictx, struct iommu_domain *domain,
				      u32 *id, struct iommufd_hwpt_paging **out);
/* Is anything attached to a PASID of the device? */
IFS_PUBLIC bool ifs_iommufd_device_uses_pasids(struct iommufd_device *idev);
/* The device's current HWPT (RID attachment) or NULL. */
IFS_PUBLIC struct iommufd_hw_pagetable *ifs_iommufd_device_hwpt(struct iommufd_device *idev);
IFS_PUBLIC struct device *ifs_iommufd_device_dev(struct iommufd_device *idev);
IFS_PUBLIC struct iommufd_ctx *ifs_iommufd_device_ctx(struct iommufd_device *idev);
/* ioctl plumbing for a design's own commands, Linux's iommufd_ucmd. */
struct iommufd_ucmd {
	struct iommufd_ctx *ictx;
	uva_t ubuffer;
	u32 user_size;
	void *cmd;
	/* Published if the command succeeds, undone if it fails. */
	struct iommufd_object *new_obj;
};
IFS_PUBLIC int ifs_iommufd_ucmd_respond(struct iommufd_ucmd *ucmd, size_t cmd_len);

#define iommufd_module_owner ifs_iommufd_module_owner
#define iommufd_ctx_from_file ifs_iommufd_ctx_from_file
#define iommufd_ctx_put ifs_iommufd_ctx_put
#define iommufd_lock_obj ifs_iommufd_lock_obj
#define iommufd_get_object ifs_iommufd_get_object
#define iommufd_put_object ifs_iommufd_put_object
#define iopt_area_iter_first ifs_iopt_area_iter_first
#define iopt_area_iter_next ifs_iopt_area_iter_next
#define iopt_area_for_each_run ifs_iopt_area_for_each_run
#define iommufd_ucmd_respond ifs_iommufd_ucmd_respond
#define iopt_area_iova(area) ((area)->first)
#define iopt_area_last_iova(area) ((area)->last)

#endif
