/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See lab.h. */
#include "tests/lib/designs/lab.h"

#include <string.h>

static bool is_posted(const struct vmm *vmm)
{
	return !strcmp(vmm->f->kernel_config.design, "posted-v1");
}

int lab_mark(struct vmm *vmm, uint32_t hwpt, uint64_t token)
{
	struct iommu_hwpt_lu_set_preserve arg = {
		.size = sizeof(arg), .hwpt_id = hwpt, .hwpt_token = (uint32_t)token,
	};

	if (!is_posted(vmm))
		return vmm_try_mark(vmm, hwpt, token);
	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_LU_SET_PRESERVE, &arg);
}

int lab_unmark(struct vmm *vmm, uint32_t hwpt)
{
	struct iommu_hwpt_lu_mark arg = {
		.size = sizeof(arg), .flags = IOMMU_HWPT_LU_MARK_UNMARK, .hwpt_id = hwpt,
	};

	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_LU_MARK, &arg);
}

int lab_map_page(struct vmm *vmm, uint64_t iova)
{
	return vmm_try_map(vmm, vmm->iommufd, vmm->ioas, vmm->memfd, iova, 0x1000);
}

int lab_detach(struct vmm *vmm, int vfio)
{
	struct vfio_device_detach_iommufd_pt arg = { .argsz = sizeof(arg) };

	return ifs_ioctl(vmm->process, vfio, VFIO_DEVICE_DETACH_IOMMUFD_PT, &arg);
}

int lab_punch(struct vmm *vmm, int fd, uint64_t offset, uint64_t length)
{
	return ifs_fallocate(vmm->process, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (off_t)offset, (off_t)length);
}

void lab_swap_frame(struct vmm *vmm, int fd, uint64_t offset)
{
	assert_int_equal(lab_punch(vmm, fd, offset, 0x1000), 0);
	assert_int_equal(ifs_pwrite(vmm->process, fd, "new", 3, (off_t)offset), 3);
}

int lab_dirty_tracking(struct vmm *vmm, uint32_t hwpt, bool enable)
{
	struct iommu_hwpt_set_dirty_tracking arg = {
		.size = sizeof(arg), .flags = enable ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = hwpt,
	};

	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &arg);
}

void lab_preserve_all(struct vmm *vmm, const char *name, uint64_t token)
{
	assert_int_equal(lab_mark(vmm, vmm->hwpt, token), 0);
	vmm->session = vmm_try_create_session(vmm, name);
	assert_true(vmm->session >= 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->memfd, VMM_TOKEN_MEMFD), 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd, VMM_TOKEN_IOMMUFD), 0);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->vfio[i],
						  VMM_TOKEN_DEVICE + i), 0);
}

void lab_retrieve_all(struct vmm *vmm)
{
	vmm->memfd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_MEMFD);
	assert_true(vmm->memfd >= 0);
	vmm->iommufd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_IOMMUFD);
	assert_true(vmm->iommufd >= 0);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		vmm->vfio[i] = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_DEVICE + i);
		assert_true(vmm->vfio[i] >= 0);
	}
}

uint64_t lab_reports(struct fixture *f, enum ifs_rule rule)
{
	return ifs_machine_count_reports(f->machine, rule) - f->expected[rule];
}

void lab_accept(struct fixture *f, enum ifs_rule rule)
{
	f->expected[rule] = ifs_machine_count_reports(f->machine, rule);
}

void lab_expect_some(struct fixture *f, enum ifs_rule rule)
{
	assert_true(lab_reports(f, rule) > 0);
	lab_accept(f, rule);
}

uint64_t lab_dma(struct fixture *f, unsigned device)
{
	struct ifs_device_stats stats = { .size = sizeof(stats) };

	ifs_device_get_stats(f->devices[device], &stats);
	return stats.dma_done;
}

void lab_drop(struct fixture *f)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	ifs_kernel_drop(f->kernel);
	f->kernel = NULL;
	f->process = NULL;
}

void lab_accept_posted_v1_locking(struct fixture *f)
{
	lab_accept(f, IFS_RULE_ATOMIC_SLEEP);
	lab_accept(f, IFS_RULE_LOCK_ORDER);
	lab_accept(f, IFS_RULE_LOCK_NOT_HELD);
}
