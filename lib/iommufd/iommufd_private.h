/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the files of lib/iommufd/ share: the module, objects and their references, devices and
 * groups, the commands. Linux: drivers/iommu/iommufd/iommufd_private.h.
 */
#ifndef LIB_IOMMUFD_PRIVATE_H
#define LIB_IOMMUFD_PRIVATE_H

#include <assert.h>
#include <fcntl.h>

#include <iommufd-sim/proto/bug.h>
#include <iommufd-sim/proto/design.h>
#include <iommufd-sim/proto/slab.h>
#include <iommufd-sim/proto/viommu.h>

#include "lib/base/task.h"
#include "lib/iommufd/iommufd.h"
#include "sim/range_tree.h"

/* One per kernel. */
struct iommufd_module {
	struct kernel_base *kernel;
	struct mutex lock;              /* contexts: the design's first open and last release */
	struct list_head contexts;      /* struct iommufd_ctx.list */
	struct range_pool pool;         /* nodes of all area and pin trees */
	struct list_head dead_pages;    /* pages objects whose file is yet to be put */
	u64 temp_memory_limit_bytes;    /* see pfn_reader.h */
};

static inline struct iommufd_module *iommufd_module(void)
{
	return current->kernel->iommufd;
}

static inline bool iommufd_should_fail(enum fail_point point)
{
	return fail_point_hit(&current->kernel->fail, point);
}

/*
 * Asks the kernel's design. A gate that is absent lets everything pass; a hook that is absent does
 * nothing.
 */
#define iommufd_gate(gate, ...) ({ \
	const struct ifs_design *__d = current->kernel->design; \
	__d && __d->gate ? __d->gate(__VA_ARGS__) : 0; })
#define iommufd_hook(hook, ...) do { \
	const struct ifs_design *__d = current->kernel->design; \
	if (__d && __d->hook) \
		__d->hook(__VA_ARGS__); \
} while (0)

/* What the devices of a group are attached to at one PASID. */
struct iommufd_attach {
	struct iommufd_hw_pagetable *hwpt;
	struct xarray device_array;     /* the attached devices, by object id */
};

/* Lives as long as the attachment: through it a page fault finds the device. */
struct iommufd_attach_handle {
	struct iommu_attach_handle handle;
	struct iommufd_device *idev;
};

/*
 * A mirror of one IOMMU group within one context. Its devices share one hardware page table per
 * PASID: the first attach programs it, the others must name the same.
 */
struct iommufd_group {
	u32 refs;
	struct mutex lock;
	struct iommufd_ctx *ictx;
	struct iommu_group *group;
	struct xarray pasid_attach;     /* struct iommufd_attach by PASID; 0 is the requester id */
};

struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iommufd_group *igroup;   /* NULL while binding */
	struct device *dev;
	bool enforce_cache_coherency;
	/* Both: the group's lock. */
	struct iommufd_vdevice *vdev;
	bool destroying;                /* no new vDEVICE any more */
};

/* main.c */
#define IOMMUFD_PATH "/dev/iommu"
#define IOMMUFD_VFIO_PATH "/dev/vfio/vfio"
int iommufd_fops_open(struct file *file, void *module);
int iommufd_vfio_fops_open(struct file *file, void *module);

/* pages.c: at the end of a call, with no lock held. */
void iommufd_free_dead_pages(struct iommufd_module *module);

/* object.c */
/* A zeroed object with a reserved id: invisible until finalized. -ENOMEM, -EBUSY (no id left). */
int iommufd_object_alloc(struct iommufd_ctx *ictx, size_t size, enum iommufd_object_type type,
			 struct iommufd_object **out);
void iommufd_object_finalize(struct iommufd_ctx *ictx, struct iommufd_object *obj);
/* Gives up an object that was never finalized, running its abort or destroy. */
void iommufd_object_abort_and_destroy(struct iommufd_ctx *ictx, struct iommufd_object *obj);
/* -ENOENT, -EBUSY (in use), or what the design's gate says. */
int iommufd_object_remove(struct iommufd_ctx *ictx, u32 id);
/*
 * The same, published or undone by the dispatcher once the command is done. Not for types that
 * abort under a lock of the caller's.
 */
int iommufd_object_alloc_ucmd(struct iommufd_ucmd *ucmd, size_t size, enum iommufd_object_type type,
			      struct iommufd_object **out);
/* A long-term user from outside a command. -EBUSY: the object is no longer in the table. */
int iommufd_try_inc_users(struct iommufd_ctx *ictx, struct iommufd_object *obj);
/* For kernel-internal owners that hold one users reference, which is dropped. */
void iommufd_object_destroy_user(struct iommufd_ctx *ictx, struct iommufd_object *obj);
/* As destroy_user, but the id is never used again in this context. */
void iommufd_object_tombstone_user(struct iommufd_ctx *ictx, struct iommufd_object *obj);
/* As destroy_user, but says nothing if somebody else still uses the object. */
void iommufd_object_put_and_try_destroy(struct iommufd_ctx *ictx, struct iommufd_object *obj);
/* Release of the context: leaves first, until nothing is left. */
void iommufd_objects_destroy_all(struct iommufd_ctx *ictx);
int iommufd_destroy(struct iommufd_ucmd *ucmd);

/* ioas.c, copy.c, option.c */
int iommufd_ioas_alloc_ioctl(struct iommufd_ucmd *ucmd);
int iommufd_ioas_iova_ranges(struct iommufd_ucmd *ucmd);
int iommufd_ioas_allow_iovas(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map_file(struct iommufd_ucmd *ucmd);
int iommufd_ioas_copy(struct iommufd_ucmd *ucmd);
int iommufd_ioas_unmap(struct iommufd_ucmd *ucmd);
int iommufd_option(struct iommufd_ucmd *ucmd);
int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd);
void iommufd_ioas_destroy(struct iommufd_object *obj);
/* ERR_PTR(-ENOENT): no such IOAS. */
struct iommufd_ioas *iommufd_get_ioas(struct iommufd_ctx *ictx, u32 id);

/* hw_pagetable.c, hwpt_nested.c, dirty.c */
int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_set_dirty_tracking(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_get_dirty_bitmap(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd);
void iommufd_hwpt_paging_destroy(struct iommufd_object *obj);
void iommufd_hwpt_paging_abort(struct iommufd_object *obj);
void iommufd_hwpt_nested_destroy(struct iommufd_object *obj);
/* The domain, and the reference on the fault queue. */
void iommufd_hwpt_common_destroy(struct iommufd_hw_pagetable *hwpt);
/*
 * Needs ioas->mutex until the HWPT is finalized or aborted. @immediate_attach: attaches @idev at
 * @pasid before the domain is filled. @user_data may be NULL.
 */
int iommufd_hwpt_paging_alloc(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas,
			      struct iommufd_device *idev, ioasid_t pasid, u32 flags,
			      bool immediate_attach, const struct iommu_user_data *user_data,
			      struct iommufd_hwpt_paging **out);
int iommufd_hwpt_nested_alloc(struct iommufd_ctx *ictx, struct iommufd_hwpt_paging *parent,
			      struct iommufd_device *idev, u32 flags,
			      const struct iommu_user_data *user_data,
			      struct iommufd_hw_pagetable **out);
int iommufd_viommu_alloc_hwpt_nested(struct iommufd_viommu *viommu, u32 flags,
				     const struct iommu_user_data *user_data,
				     struct iommufd_hw_pagetable **out);
struct iommufd_hwpt_paging *iommufd_get_hwpt_paging(struct iommufd_ctx *ictx, u32 id);
/* Drops a users reference; an auto HWPT goes with its last one. */
void iommufd_hw_pagetable_put(struct iommufd_ctx *ictx, struct iommufd_hw_pagetable *hwpt);

/* device.c, attach.c, attach_auto.c, hw_info.c */
void iommufd_device_pre_destroy(struct iommufd_object *obj);
void iommufd_device_destroy(struct iommufd_object *obj);
struct iommufd_device *iommufd_get_device(struct iommufd_ctx *ictx, u32 id);
/* A device of the selftest interface, which does not keep its context alive. */
bool iommufd_selftest_is_mock_dev(const struct device *dev);
int iommufd_hw_pagetable_attach(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
				ioasid_t pasid);
/* *@old: a HWPT whose reference the caller puts with no lock held; NULL: none. */
int iommufd_hw_pagetable_replace(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev,
				 ioasid_t pasid, struct iommufd_hw_pagetable **old);
/* The HWPT it was attached to, whose reference is gone: only good for a comparison with NULL. */
struct iommufd_hw_pagetable *iommufd_hw_pagetable_detach(struct iommufd_device *idev,
							 ioasid_t pasid);
int iommufd_get_hw_info(struct iommufd_ucmd *ucmd);

/* fault.c, veventq.c, viommu.c, vdevice.c, hw_queue.c */
int iommufd_fault_alloc(struct iommufd_ucmd *ucmd);
int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd);
int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd);
int iommufd_veventq_alloc(struct iommufd_ucmd *ucmd);
int iommufd_hw_queue_alloc(struct iommufd_ucmd *ucmd);
void iommufd_viommu_destroy(struct iommufd_object *obj);
void iommufd_vdevice_destroy(struct iommufd_object *obj);
void iommufd_vdevice_abort(struct iommufd_object *obj);
void iommufd_hw_queue_destroy(struct iommufd_object *obj);
struct iommufd_viommu *iommufd_get_viommu(struct iommufd_ctx *ictx, u32 id);
int iommufd_unsupported(struct iommufd_ucmd *ucmd);

static inline struct iommufd_hwpt_paging *to_hwpt_paging(struct iommufd_hw_pagetable *hwpt)
{
	assert(hwpt->obj.type == IOMMUFD_OBJ_HWPT_PAGING);
	return container_of(hwpt, struct iommufd_hwpt_paging, common);
}

/* The HWPT whose IOAS @hwpt's DMA ends in: itself, or the nesting parent. */
static inline struct iommufd_hwpt_paging *find_hwpt_paging(struct iommufd_hw_pagetable *hwpt)
{
	if (hwpt->obj.type == IOMMUFD_OBJ_HWPT_NESTED)
		return container_of(hwpt, struct iommufd_hwpt_nested, common)->parent;
	return to_hwpt_paging(hwpt);
}

#endif
