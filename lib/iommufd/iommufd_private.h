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
};

static inline struct iommufd_module *iommufd_module(void)
{
	return current->kernel->iommufd;
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

/*
 * A mirror of one IOMMU group within one context. Its devices share one hardware page table: the
 * first attach programs it, the others must name the same.
 */
struct iommufd_group {
	u32 refs;
	struct mutex lock;
	struct iommufd_ctx *ictx;
	struct iommu_group *group;
	struct iommufd_hw_pagetable *hwpt;      /* NULL: not attached */
	struct xarray device_array;     /* attached devices, by object id */
};

struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iommufd_group *igroup;   /* NULL while binding */
	struct device *dev;
};

/* main.c */
#define IOMMUFD_PATH "/dev/iommu"
int iommufd_fops_open(struct file *file, void *module);

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
/* For kernel-internal owners that hold one users reference, which is dropped. */
void iommufd_object_destroy_user(struct iommufd_ctx *ictx, struct iommufd_object *obj);
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

/* hw_pagetable.c, dirty.c */
int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_set_dirty_tracking(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_get_dirty_bitmap(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd);
void iommufd_hwpt_paging_destroy(struct iommufd_object *obj);
void iommufd_hwpt_paging_abort(struct iommufd_object *obj);
/* Needs ioas->mutex until the HWPT is finalized or aborted. */
int iommufd_hwpt_paging_alloc(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas,
			      struct iommufd_device *idev, u32 flags, bool immediate_attach,
			      bool user_data, struct iommufd_hwpt_paging **out);
struct iommufd_hwpt_paging *iommufd_get_hwpt_paging(struct iommufd_ctx *ictx, u32 id);
/* Drops a users reference; an auto HWPT goes with its last one. */
void iommufd_hw_pagetable_put(struct iommufd_ctx *ictx, struct iommufd_hw_pagetable *hwpt);

/* device.c, attach.c, hw_info.c */
void iommufd_device_destroy(struct iommufd_object *obj);
struct iommufd_device *iommufd_get_device(struct iommufd_ctx *ictx, u32 id);
int iommufd_hw_pagetable_attach(struct iommufd_hw_pagetable *hwpt, struct iommufd_device *idev);
struct iommufd_hw_pagetable *iommufd_hw_pagetable_detach(struct iommufd_device *idev);
int iommufd_get_hw_info(struct iommufd_ucmd *ucmd);

/* viommu.c */
int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd);
int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd);
int iommufd_veventq_alloc(struct iommufd_ucmd *ucmd);
int iommufd_hw_queue_alloc(struct iommufd_ucmd *ucmd);
int iommufd_unsupported(struct iommufd_ucmd *ucmd);

static inline struct iommufd_hwpt_paging *to_hwpt_paging(struct iommufd_hw_pagetable *hwpt)
{
	return container_of(hwpt, struct iommufd_hwpt_paging, common);
}

#endif
