/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A preservation design: how HWPTs, devices and IOMMUs are handed over to the next kernel. It is
 * chosen when a kernel boots and plugs into the rest at the points below. Every hook may be NULL.
 * All state lives in the kernel's heap (kernel_data, design_data fields) or in KHO memory, never in
 * the design.
 *
 * Gates return 0 to let a call pass or the errno it fails with; the locks held are noted.
 */
#ifndef IOMMUFD_SIM_PROTO_DESIGN_H
#define IOMMUFD_SIM_PROTO_DESIGN_H

#include <iommufd-sim/proto/iommufd.h>
#include <iommufd-sim/proto/luo.h>
#include <iommufd-sim/proto/vfio.h>

/* One ioctl of /dev/iommu that the design adds or (0x95) takes over. */
struct ifs_design_ioctl {
	u32 nr;                 /* low byte of the command */
	u32 size, min_size;
	int (*execute)(struct iommufd_ucmd *ucmd);
};

struct ifs_design {
	size_t size;            /* sizeof(struct ifs_design) */
	const char *name;
	const struct ifs_design_ioctl *ioctls;
	unsigned nr_ioctls;

	/*
	 * Kernel-wide, in boot order: before the IOMMU core; then iommufd's module init and exit.
	 */
	int (*kernel_init)(void **kernel_data);
	void (*kernel_exit)(void *kernel_data);
	int (*module_init)(void *kernel_data);
	void (*module_exit)(void *kernel_data);
	/* First open and last release of any iommufd, for designs that register there. */
	int (*first_open)(void *kernel_data);
	void (*last_release)(void *kernel_data);

	/*
	 * IOMMU core, boot: 1 and *root_pa = adopt that table; 0 = nothing there; < 0 = unusable.
	 */
	int (*iommu_boot)(void *kernel_data, struct iommu_device *iommu, pa_t *root_pa);
	/*
	 * IOMMU core, probe: the domain this device must be attached to, live since the previous
	 * kernel. 0 with *domain NULL: nothing was preserved. < 0: it cannot be restored: the
	 * device is blocked. Called once per device; several devices may share a restored domain.
	 */
	int (*probe_device)(void *kernel_data, struct device *dev, struct iommu_domain **domain);
	/*
	 * claim_dma_owner() of a device with restored state: 0 if @owner may have it, else -EPERM.
	 */
	int (*claim_owner)(void *kernel_data, struct device *dev, void *owner);
	/*
	 * The last device left a restored domain and nothing holds it: its record can be dropped.
	 */
	void (*domain_released)(void *kernel_data, struct iommu_domain *domain);
	/* At shutdown for kexec: must this unit's translation / this device's entry stay? */
	bool (*iommu_preserved)(void *kernel_data, struct iommu_device *iommu);
	bool (*device_preserved)(void *kernel_data, struct device *dev);

	/* iommufd contexts. */
	int (*ctx_init)(void *kernel_data, struct iommufd_ctx *ictx);
	void (*ctx_release)(void *kernel_data, struct iommufd_ctx *ictx);
	/* A file mapping was created (iopt_alloc_file_pages), before any lock. */
	void (*file_pages_created)(struct iopt_pages *pages);

	/* Gates. */
	int (*map_gate)(struct io_pagetable *iopt);     /* iova_rwsem W: before reserving IOVA */
	int (*fill_gate)(struct io_pagetable *iopt);    /* domains_rwsem R, held across the fill */
	int (*unmap_gate)(struct io_pagetable *iopt);   /* both; start of each round */
	int (*cut_gate)(struct io_pagetable *iopt);     /* iova_rwsem W */
	void (*area_aborted)(struct io_pagetable *iopt);        /* iova_rwsem W */
	int (*domain_gate)(struct io_pagetable *iopt);  /* domains_rwsem W: add or remove one */
	/* IOMMU_DESTROY: the table's xa_lock, so it may not sleep. */
	int (*destroy_gate)(struct iommufd_ctx *ictx, struct iommufd_object *obj);
	/* Attach, detach, replace: the group's lock. */
	int (*attach_gate)(struct iommufd_device *idev);
	int (*dirty_gate)(struct iommufd_hwpt_paging *hwpt);    /* SET_DIRTY_TRACKING */
	int (*reset_gate)(struct vfio_device *vdev);            /* VFIO_DEVICE_RESET */
	/* vfio bind: 0, or the errno. Called before DMA ownership is claimed. */
	int (*bind_gate)(struct vfio_device *vdev, struct iommufd_ctx *ictx);
	/* A bind of a restored device succeeded. -errno undoes the bind. */
	int (*bound)(struct vfio_device *vdev, struct iommufd_device *idev);
	/*
	 * The HWPT an attach or replace is about to enter (after attach_gate, under the group's
	 * lock).
	 */
	int (*attach_to_gate)(struct iommufd_device *idev, struct iommufd_hw_pagetable *hwpt);
	/*
	 * LUO, under the session's mutex: a file of an incoming session has just been retrieved,
	 * nobody has seen it yet and LUO holds a reference until the session is finished. Cannot
	 * fail.
	 */
	void (*file_retrieved)(void *kernel_data, struct liveupdate_session *session, u64 token,
			       struct file *file);
};

/* The two that come with the library. */
IFS_PUBLIC const struct ifs_design *ifs_design_posted_v1(void);
IFS_PUBLIC const struct ifs_design *ifs_design_reference(void);
/* Kernel-wide data of the current kernel's design. */
IFS_PUBLIC void *ifs_design_data(void);

/* Boot options a design may look at. */
struct ifs_design_options {
	bool register_at_open;  /* LUO handlers at first open / last release, not in module init */
};
IFS_PUBLIC const struct ifs_design_options *ifs_design_get_options(void);

#endif
