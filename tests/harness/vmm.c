/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See vmm.h. */
#include "tests/harness/vmm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include <iommufd-sim/uapi_reference.h>

static int call(struct vmm *vmm, int fd, unsigned long cmd, void *arg)
{
	return ifs_ioctl(vmm->process, fd, cmd, arg);
}

int vmm_open(struct vmm *vmm, const char *path)
{
	int fd = ifs_open(vmm->process, path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail_msg("open %s: %s", path, strerror(-fd));
	return fd;
}

int vmm_memfd(struct vmm *vmm, uint64_t bytes)
{
	int fd = ifs_memfd_create(vmm->process, "guest", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ifs_ftruncate(vmm->process, fd, (off_t)bytes), 0);
	assert_int_equal(ifs_fcntl(vmm->process, fd, F_ADD_SEALS,
				   F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return fd;
}

uint32_t vmm_ioas(struct vmm *vmm, int iommufd)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	assert_int_equal(call(vmm, iommufd, IOMMU_IOAS_ALLOC, &alloc), 0);
	return alloc.out_ioas_id;
}

uint32_t vmm_hwpt(struct vmm *vmm, int iommufd, uint32_t dev_id, uint32_t ioas)
{
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc), .dev_id = dev_id, .pt_id = ioas };

	assert_int_equal(call(vmm, iommufd, IOMMU_HWPT_ALLOC, &alloc), 0);
	return alloc.out_hwpt_id;
}

int vmm_try_map(struct vmm *vmm, int iommufd, uint32_t ioas, int memfd, uint64_t iova,
		uint64_t length)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas, .fd = memfd, .start = 0, .length = length, .iova = iova,
	};

	return call(vmm, iommufd, IOMMU_IOAS_MAP_FILE, &map);
}

int vmm_try_unmap(struct vmm *vmm, int iommufd, uint32_t ioas, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_unmap unmap = { .size = sizeof(unmap), .ioas_id = ioas, .iova = iova,
					  .length = length };

	return call(vmm, iommufd, IOMMU_IOAS_UNMAP, &unmap);
}

int vmm_try_bind(struct vmm *vmm, int vfio, int iommufd, uint32_t *dev_id)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	int rc = call(vmm, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (!rc)
		*dev_id = bind.out_devid;
	return rc;
}

int vmm_try_attach(struct vmm *vmm, int vfio, uint32_t pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach), .pt_id = pt_id };

	return call(vmm, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

int vmm_try_destroy(struct vmm *vmm, int iommufd, uint32_t id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	return call(vmm, iommufd, IOMMU_DESTROY, &destroy);
}

void vmm_stream(struct vmm *vmm)
{
	struct ifs_stream_window window = { .start = 0, .last = VMM_GUEST_BYTES - 1,
					    .writable = true };
	struct ifs_stream_config stream = { .size = sizeof(stream), .windows = &window,
					    .nr_windows = 1 };

	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_true(ifs_device_stream_start(vmm->f->devices[i], &stream));
	fixture_assert_dma_fine(vmm->f, 4);
}

static void build(struct vmm *vmm)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_bind(vmm, vmm->vfio[i], vmm->iommufd, &vmm->dev_id[i]), 0);
	vmm->ioas = vmm_ioas(vmm, vmm->iommufd);
	assert_int_equal(vmm_try_map(vmm, vmm->iommufd, vmm->ioas, vmm->memfd, 0, VMM_GUEST_BYTES),
			 0);
	vmm->hwpt = vmm_hwpt(vmm, vmm->iommufd, vmm->dev_id[0], vmm->ioas);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		assert_int_equal(vmm_try_attach(vmm, vmm->vfio[i], vmm->hwpt), 0);
		fixture_assert_dma_fine(vmm->f, 4);
	}
}

void vmm_start(struct vmm *vmm, struct fixture *f)
{
	*vmm = (struct vmm){ .f = f, .process = f->process };
	vmm->iommufd = vmm_open(vmm, "/dev/iommu");
	vmm->liveupdate = vmm_open(vmm, "/dev/liveupdate");
	vmm->memfd = vmm_memfd(vmm, VMM_GUEST_BYTES);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		char path[] = "/dev/vfio/devices/vfio0";

		path[sizeof(path) - 2] += (char)i;
		vmm->vfio[i] = vmm_open(vmm, path);
	}
	build(vmm);
	vmm_stream(vmm);
}

int vmm_try_mark(struct vmm *vmm, uint32_t hwpt, uint64_t token)
{
	struct iommu_hwpt_lu_mark mark = { .size = sizeof(mark), .hwpt_id = hwpt, .token = token };

	return call(vmm, vmm->iommufd, IOMMU_HWPT_LU_MARK, &mark);
}

int vmm_try_create_session(struct vmm *vmm, const char *name)
{
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create) };
	int rc;

	snprintf((char *)create.name, sizeof(create.name), "%s", name);
	rc = call(vmm, vmm->liveupdate, LIVEUPDATE_IOCTL_CREATE_SESSION, &create);
	return rc ? rc : create.fd;
}

int vmm_try_retrieve_session(struct vmm *vmm, const char *name)
{
	struct liveupdate_ioctl_retrieve_session get = { .size = sizeof(get) };
	int rc;

	snprintf((char *)get.name, sizeof(get.name), "%s", name);
	rc = call(vmm, vmm->liveupdate, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &get);
	return rc ? rc : get.fd;
}

int vmm_try_preserve(struct vmm *vmm, int session, int fd, uint64_t token)
{
	struct liveupdate_session_preserve_fd arg = { .size = sizeof(arg), .fd = fd,
		.token = token };

	return call(vmm, session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg);
}

int vmm_try_retrieve(struct vmm *vmm, int session, uint64_t token)
{
	struct liveupdate_session_retrieve_fd arg = { .size = sizeof(arg), .token = token };
	int rc = call(vmm, session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg);

	return rc ? rc : arg.fd;
}

int vmm_try_finish(struct vmm *vmm, int session)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };

	return call(vmm, session, LIVEUPDATE_SESSION_FINISH, &finish);
}

int vmm_try_restore(struct vmm *vmm, uint64_t token, uint32_t *hwpt)
{
	struct iommu_hwpt_lu_restore restore = { .size = sizeof(restore), .token = token };
	int rc = call(vmm, vmm->iommufd, IOMMU_HWPT_LU_RESTORE, &restore);

	if (!rc)
		*hwpt = restore.out_hwpt_id;
	return rc;
}

void vmm_preserve_all(struct vmm *vmm)
{
	assert_int_equal(vmm_try_mark(vmm, vmm->hwpt, VMM_TOKEN_HWPT), 0);
	vmm->session = vmm_try_create_session(vmm, "vmm");
	assert_true(vmm->session >= 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->memfd, VMM_TOKEN_MEMFD), 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd, VMM_TOKEN_IOMMUFD), 0);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->vfio[i],
						  VMM_TOKEN_DEVICE + i), 0);
	fixture_assert_dma_fine(vmm->f, 4);
}

void vmm_reopen(struct vmm *vmm)
{
	vmm->process = vmm->f->process;
	vmm->liveupdate = vmm_open(vmm, "/dev/liveupdate");
	vmm->session = vmm_try_retrieve_session(vmm, "vmm");
	assert_true(vmm->session >= 0);
	fixture_assert_dma_fine(vmm->f, 4);
}

void vmm_rebuild(struct vmm *vmm)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_bind(vmm, vmm->vfio[i], vmm->iommufd, &vmm->dev_id[i]), 0);
	assert_int_equal(vmm_try_restore(vmm, VMM_TOKEN_HWPT, &vmm->restored), 0);
	vmm->ioas = vmm_ioas(vmm, vmm->iommufd);
	assert_int_equal(vmm_try_map(vmm, vmm->iommufd, vmm->ioas, vmm->memfd, 0, VMM_GUEST_BYTES),
			 0);
	vmm->hwpt = vmm_hwpt(vmm, vmm->iommufd, vmm->dev_id[0], vmm->ioas);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		assert_int_equal(vmm_try_attach(vmm, vmm->vfio[i], vmm->hwpt), 0);
		fixture_assert_dma_fine(vmm->f, 4);
	}
	assert_int_equal(vmm_try_finish(vmm, vmm->session), 0);
	assert_int_equal(vmm_try_destroy(vmm, vmm->iommufd, vmm->restored), 0);
	assert_int_equal(ifs_close(vmm->process, vmm->session), 0);
	fixture_assert_dma_fine(vmm->f, 8);
}
