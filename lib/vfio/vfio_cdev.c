/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * One character device per PCI device, /dev/vfio/devices/vfioN, N in the order of segment and
 * address (Linux: drivers/vfio/device_cdev.c, iommufd.c, pci/vfio_pci_core.c).
 *
 * A device file does nothing until it is bound to an iommufd; then the device belongs to that
 * context until the file's last reference goes. Any number of files may be open, one may be bound.
 * Binding resets the function and so does the end, as Linux enables and disables it: a device never
 * starts a user's life with another user's DMA.
 *
 * A device restored from the previous kernel is the exception: its DMA goes on while it is bound,
 * and RESET is refused as long as it runs on its restored domain. Once that is swapped for a HWPT
 * it is a device like any other. If its file is closed before, it is blocked.
 *
 * Left out: regions, interrupts, features, hot reset.
 */
#include "lib/vfio/vfio_private.h"

#include <iommufd-sim/proto/slab.h>

#include "lib/iommufd/iommufd.h"
#include "lib/mm/user_mem.h"

static const struct ifs_design *vfio_design(void)
{
	return current->kernel->design;
}

/* The context of an open iommufd, with a reference on its file; or ERR_PTR. */
static struct iommufd_ctx *ctx_from_fd(int fd)
{
	struct file *file = fget(fd);
	struct iommufd_ctx *ictx;

	if (!file)
		return ERR_PTR(-EBADF);
	ictx = iommufd_ctx_from_file(file);
	fput(file);
	return ictx;
}

/* Linux's vfio_df_open(): bind, then enable the function. */
static int vfio_df_open(struct vfio_device_file *df, struct iommufd_ctx *ictx)
{
	struct vfio_device *vdev = df->device;
	const struct ifs_design *design = vfio_design();
	bool on_restored;
	int rc;

	lockdep_assert_held(&vdev->dev_set_lock);
	if (vdev->open_count)
		return -EINVAL;
	rc = design && design->bind_gate ? design->bind_gate(vdev, ictx) : 0;
	if (rc)
		return rc;
	rc = iommufd_device_bind(ictx, vdev->dev, &df->devid, &vdev->iommufd_device);
	if (rc)
		return rc;
	on_restored = iommufd_device_restored_domain(vdev->dev);
	if ((on_restored || vdev->dev->restored_state) && design && design->bound)
		rc = design->bound(vdev, vdev->iommufd_device);
	if (!rc && !on_restored)
		device_reset(vdev->dev->hw);
	if (rc) {
		iommufd_device_unbind(vdev->iommufd_device);
		vdev->iommufd_device = NULL;
		return rc;
	}
	vdev->open_count = 1;
	return 0;
}

/* A bind whose answer the user could not be given: as if it had not been asked for. */
static void vfio_df_undo_open(struct vfio_device_file *df)
{
	struct vfio_device *vdev = df->device;

	iommufd_device_unbind(vdev->iommufd_device);
	vdev->iommufd_device = NULL;
	vdev->open_count = 0;
}

static void vfio_detach_ioas(struct vfio_device *vdev)
{
	if (vdev->iommufd_attached)
		iommufd_device_detach(vdev->iommufd_device, IOMMU_NO_PASID);
	vdev->iommufd_attached = false;
}

/* Detaching what is not attached is no error. */
static void vfio_pasid_detach_ioas(struct vfio_device *vdev, u32 pasid)
{
	if (xa_erase(&vdev->pasids, pasid))
		iommufd_device_detach(vdev->iommufd_device, pasid);
}

static void vfio_df_close(struct vfio_device_file *df)
{
	struct vfio_device *vdev = df->device;
	void *attached;
	u64 pasid;

	lockdep_assert_held(&vdev->dev_set_lock);
	xa_for_each(&vdev->pasids, pasid, attached)
		vfio_pasid_detach_ioas(vdev, (u32)pasid);
	vfio_detach_ioas(vdev);
	iommufd_device_block_restored(vdev->iommufd_device);
	device_reset(vdev->dev->hw);
	vfio_df_undo_open(df);
}

static long vfio_ioctl_bind(struct vfio_device_file *df, uva_t arg)
{
	const u32 minsz = offsetof(struct vfio_device_bind_iommufd, out_devid) + sizeof(u32);
	struct vfio_device *vdev = df->device;
	struct vfio_device_bind_iommufd bind;
	struct iommufd_ctx *ictx;
	u32 user_size;
	int rc;

	if (copy_from_user(&user_size, arg, sizeof(user_size)))
		return -EFAULT;
	if (user_size < minsz)
		return -EINVAL;
	rc = copy_struct_from_user(&bind, sizeof(bind), arg, user_size);
	if (rc)
		return rc;
	if (bind.iommufd < 0 || bind.flags & ~VFIO_DEVICE_BIND_FLAG_TOKEN)
		return -EINVAL;
	mutex_lock(&vdev->dev_set_lock);
	/* A token is for virtual functions; a device without one takes none. */
	if (df->access_granted || bind.flags & VFIO_DEVICE_BIND_FLAG_TOKEN) {
		rc = -EINVAL;
		goto out_unlock;
	}
	ictx = ctx_from_fd(bind.iommufd);
	if (IS_ERR(ictx)) {
		rc = PTR_ERR(ictx);
		goto out_unlock;
	}
	rc = vfio_df_open(df, ictx);
	iommufd_ctx_put(ictx);
	if (rc)
		goto out_unlock;
	if (copy_to_user(arg + offsetof(struct vfio_device_bind_iommufd, out_devid), &df->devid,
			 sizeof(df->devid))) {
		vfio_df_undo_open(df);
		rc = -EFAULT;
		goto out_unlock;
	}
	df->access_granted = true;
out_unlock:
	mutex_unlock(&vdev->dev_set_lock);
	return rc;
}

static int vfio_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	int rc;

	if (vdev->iommufd_attached)
		rc = iommufd_device_replace(vdev->iommufd_device, IOMMU_NO_PASID, pt_id);
	else
		rc = iommufd_device_attach(vdev->iommufd_device, IOMMU_NO_PASID, pt_id);
	if (!rc)
		vdev->iommufd_attached = true;
	return rc;
}

static int vfio_pasid_attach_ioas(struct vfio_device *vdev, u32 pasid, u32 *pt_id)
{
	int rc;

	if (xa_load(&vdev->pasids, pasid))
		return iommufd_device_replace(vdev->iommufd_device, pasid, pt_id);
	/* What the id allocator says there, which takes an int. */
	if (pasid > INT_MAX)
		return -ENOSPC;
	rc = xa_insert(&vdev->pasids, pasid, vdev, GFP_KERNEL);
	if (rc)
		return rc;
	rc = iommufd_device_attach(vdev->iommufd_device, pasid, pt_id);
	if (rc)
		xa_erase(&vdev->pasids, pasid);
	return rc;
}

static long vfio_ioctl_attach(struct vfio_device_file *df, uva_t arg)
{
	const u32 minsz = offsetof(struct vfio_device_attach_iommufd_pt, pt_id) + sizeof(u32);
	struct vfio_device_attach_iommufd_pt attach = { 0 };
	struct vfio_device *vdev = df->device;
	bool pasid;
	int rc;

	if (copy_from_user(&attach, arg, minsz))
		return -EFAULT;
	if (attach.argsz < minsz || attach.flags & ~VFIO_DEVICE_ATTACH_PASID)
		return -EINVAL;
	pasid = attach.flags & VFIO_DEVICE_ATTACH_PASID;
	if (pasid && attach.argsz < sizeof(attach))
		return -EINVAL;
	if (pasid && copy_from_user(&attach.pasid, arg + minsz, sizeof(attach.pasid)))
		return -EFAULT;
	mutex_lock(&vdev->dev_set_lock);
	rc = pasid ? vfio_pasid_attach_ioas(vdev, attach.pasid, &attach.pt_id) :
		     vfio_attach_ioas(vdev, &attach.pt_id);
	if (!rc && copy_to_user(arg + offsetof(struct vfio_device_attach_iommufd_pt, pt_id),
				&attach.pt_id, sizeof(attach.pt_id))) {
		/* 7.3 detaches the requester id, even if it was a PASID that was attached. */
		if (pasid && current->kernel->fix_bugs)
			vfio_pasid_detach_ioas(vdev, attach.pasid);
		else
			vfio_detach_ioas(vdev);
		rc = -EFAULT;
	}
	mutex_unlock(&vdev->dev_set_lock);
	return rc;
}

static long vfio_ioctl_detach(struct vfio_device_file *df, uva_t arg)
{
	const u32 minsz = offsetof(struct vfio_device_detach_iommufd_pt, flags) + sizeof(u32);
	struct vfio_device_detach_iommufd_pt detach = { 0 };
	struct vfio_device *vdev = df->device;
	bool pasid;
	int rc = 0;

	if (copy_from_user(&detach, arg, minsz))
		return -EFAULT;
	if (detach.argsz < minsz || detach.flags & ~VFIO_DEVICE_DETACH_PASID)
		return -EINVAL;
	pasid = detach.flags & VFIO_DEVICE_DETACH_PASID;
	if (pasid && detach.argsz < sizeof(detach))
		return -EINVAL;
	if (pasid && copy_from_user(&detach.pasid, arg + minsz, sizeof(detach.pasid)))
		return -EFAULT;
	mutex_lock(&vdev->dev_set_lock);
	/* Unlike Linux, where it cannot fail: a design may hold the device. */
	if (pasid ? xa_load(&vdev->pasids, detach.pasid) != NULL : vdev->iommufd_attached)
		rc = iommufd_device_check_detach(vdev->iommufd_device);
	if (!rc && pasid)
		vfio_pasid_detach_ioas(vdev, detach.pasid);
	else if (!rc)
		vfio_detach_ioas(vdev);
	mutex_unlock(&vdev->dev_set_lock);
	return rc;
}

static long vfio_ioctl_get_info(uva_t arg)
{
	const u32 minsz = offsetof(struct vfio_device_info, num_irqs) + sizeof(u32);
	struct vfio_device_info info = { 0 };

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	if (copy_to_user(arg, &info, min((size_t)info.argsz, sizeof(info))))
		return -EFAULT;
	return 0;
}

static long vfio_ioctl_reset(struct vfio_device *vdev)
{
	const struct ifs_design *design = vfio_design();
	int rc;

	mutex_lock(&vdev->dev_set_lock);
	rc = design && design->reset_gate ? design->reset_gate(vdev) : 0;
	/* Unlike Linux: the user of the previous kernel still needs this DMA. */
	if (!rc && iommufd_device_restored_domain(vdev->dev))
		rc = -EBUSY;
	if (!rc)
		device_reset(vdev->dev->hw);
	mutex_unlock(&vdev->dev_set_lock);
	return rc;
}

static long vfio_fops_ioctl(struct file *file, unsigned cmd, uva_t arg)
{
	struct vfio_device_file *df = file->private_data;

	if (cmd == VFIO_DEVICE_BIND_IOMMUFD)
		return vfio_ioctl_bind(df, arg);
	if (!df->access_granted)
		return -EINVAL;
	switch (cmd) {
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		return vfio_ioctl_attach(df, arg);
	case VFIO_DEVICE_DETACH_IOMMUFD_PT:
		return vfio_ioctl_detach(df, arg);
	case VFIO_DEVICE_GET_INFO:
		return vfio_ioctl_get_info(arg);
	case VFIO_DEVICE_RESET:
		return vfio_ioctl_reset(df->device);
	default:
		return -ENOTTY;
	}
}

static void vfio_fops_release(struct file *file)
{
	struct vfio_device_file *df = file->private_data;
	struct vfio_device *vdev = df->device;
	struct file *iommufd = NULL;

	mutex_lock(&vdev->dev_set_lock);
	if (df->access_granted) {
		/* The context may go with the device: then without a lock, as in Linux. */
		iommufd = get_file(ifs_iommufd_device_ctx(vdev->iommufd_device)->file);
		vfio_df_close(df);
	}
	mutex_unlock(&vdev->dev_set_lock);
	if (iommufd)
		fput(iommufd);
	kfree(df);
}

static const struct file_operations vfio_device_fops = {
	.name = "/dev/vfio/devices",
	.release = vfio_fops_release,
	.ioctl = vfio_fops_ioctl,
};

int vfio_fops_open(struct file *file, void *ctx)
{
	struct vfio_device_file *df = kzalloc(sizeof(*df), GFP_KERNEL_ACCOUNT);

	if (!df)
		return -ENOMEM;
	df->device = ctx;
	file->private_data = df;
	file->f_op = &vfio_device_fops;
	return 0;
}

struct vfio_device *ifs_vfio_device_from_file(struct file *file)
{
	if (file->f_op != &vfio_device_fops)
		return NULL;
	return ((struct vfio_device_file *)file->private_data)->device;
}

bool ifs_vfio_file_is_bound(const struct file *file)
{
	return ((const struct vfio_device_file *)file->private_data)->access_granted;
}
