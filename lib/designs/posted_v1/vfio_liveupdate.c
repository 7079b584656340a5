/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * posted-v1, patches 12 and 13: a VFIO character device in a session (handler "vfio-pci-v1"), and
 * what it asks iommufd to do for the device behind it.
 *
 * Kept as posted: nothing stops the device from being detached or moved after it was preserved, and
 * then the undo finds nothing to undo (C60); the token of the iommufd is cut to 32 bits (C52); a
 * device that is not attached is preserved without a word. The next kernel gets the character
 * device back (patch 14's check), but nobody may bind it.
 */
#include "lib/designs/posted_v1/posted_v1.h"

static struct iommufd_hwpt_paging *find_hwpt_paging(struct iommufd_hw_pagetable *hwpt)
{
	if (!hwpt || hwpt->obj.type != IOMMUFD_OBJ_HWPT_PAGING)
		return NULL;
	return container_of(hwpt, struct iommufd_hwpt_paging, common);
}

static int iommufd_device_preserve(struct liveupdate_session *s, struct iommufd_device *idev,
				   u64 *token)
{
	struct iommufd_hw_pagetable *attached = ifs_iommufd_device_hwpt(idev);
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	if (!attached)
		return -ENOENT;
	hwpt = find_hwpt_paging(attached);
	if (!hwpt || !hwpt->lu_preserve)
		return -EINVAL;
	rc = liveupdate_get_token_outgoing(s, ifs_iommufd_device_ctx(idev)->file, token);
	if (rc)
		return rc;
	return iommu_preserve_device(attached->domain, ifs_iommufd_device_dev(idev), *token);
}

static void iommufd_device_unpreserve(struct iommufd_device *idev)
{
	struct iommufd_hwpt_paging *hwpt = find_hwpt_paging(ifs_iommufd_device_hwpt(idev));

	if (WARN_ON(!hwpt || !hwpt->lu_preserve))
		return;
	iommu_unpreserve_device(ifs_iommufd_device_dev(idev));
}

/* vfio's iommufd_attached: what it is at the moment. */
static struct iommufd_device *attached_idev(struct vfio_device *vdev)
{
	struct iommufd_device *idev = ifs_vfio_device_idev(vdev);

	return idev && ifs_iommufd_device_hwpt(idev) ? idev : NULL;
}

static int vfio_pci_liveupdate_preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device *vdev = ifs_vfio_device_from_file(args->file);
	struct device *dev = ifs_vfio_device_dev(vdev);
	struct iommufd_device *idev = attached_idev(vdev);
	struct vfio_pci_core_device_ser *ser;
	u64 token = 0;
	int rc;

	if (idev) {
		rc = iommufd_device_preserve(args->session, idev, &token);
		if (rc)
			return rc;
	}
	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser)) {
		rc = PTR_ERR(ser);
		goto unpreserve_device;
	}
	ser->bdf = dev->bdf;
	ser->domain = dev->segment;
	ser->reset_works = 1;
	ser->iommufd_ser.token = (u32)token;
	args->serialized_data = virt_to_phys(ser);
	return 0;

unpreserve_device:
	if (idev)
		iommufd_device_unpreserve(idev);
	return rc;
}

static void vfio_pci_liveupdate_unpreserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_device *idev = attached_idev(ifs_vfio_device_from_file(args->file));

	if (idev)
		iommufd_device_unpreserve(idev);
	kho_unpreserve_free(phys_to_virt(args->serialized_data));
}

static int vfio_pci_liveupdate_freeze(struct liveupdate_file_op_args *args)
{
	return 0;
}

static int vfio_pci_liveupdate_retrieve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device_ser *ser = phys_to_virt(args->serialized_data);

	if (!ser || !ifs_kho_is_restorable(args->serialized_data))
		return -EINVAL;
	return ifs_vfio_device_file_new(ser->domain, ser->bdf, &args->file);
}

static bool vfio_pci_liveupdate_can_finish(struct liveupdate_file_op_args *args)
{
	return true;
}

static void vfio_pci_liveupdate_finish(struct liveupdate_file_op_args *args)
{
	kho_restore_free(phys_to_virt(args->serialized_data));
}

static bool vfio_pci_liveupdate_can_preserve(const struct liveupdate_file_handler *handler,
					     struct file *file)
{
	return ifs_vfio_device_from_file(file);
}

static const struct liveupdate_file_ops vfio_pci_luo_fops = {
	.can_preserve = vfio_pci_liveupdate_can_preserve,
	.preserve = vfio_pci_liveupdate_preserve,
	.unpreserve = vfio_pci_liveupdate_unpreserve,
	.freeze = vfio_pci_liveupdate_freeze,
	.retrieve = vfio_pci_liveupdate_retrieve,
	.can_finish = vfio_pci_liveupdate_can_finish,
	.finish = vfio_pci_liveupdate_finish,
};

static const struct liveupdate_file_handler vfio_pci_luo_handler = {
	.compatible = VFIO_PCI_LUO_COMPATIBLE,
	.ops = &vfio_pci_luo_fops,
};

int vfio_pci_liveupdate_init(void)
{
	if (!liveupdate_enabled())
		return 0;
	return liveupdate_register_file_handler(&vfio_pci_luo_handler);
}

int vfio_pci_liveupdate_cleanup(void)
{
	return liveupdate_unregister_file_handler(&vfio_pci_luo_handler);
}
