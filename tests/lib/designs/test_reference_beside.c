/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the reference design cannot hand over, beside what it can, in one iommufd: a guest with all
 * of it is taken over all the same, and whatever is added late is refused before anything changed.
 */
#include "tests/lib/designs/lab.h"

#include "tests/lib/iommufd/mock_test.h"

#define ACCESS_PINS MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES

/* One of each kind that stays behind, none of them marked. */
struct zoo {
	int64_t ioas, parent, pasids, viommu, vdev, nested, fault, veventq, queue;
	struct mock dev;
	int fault_fd, veventq_fd, dmabuf, access;
	uint8_t *buffer;
};

static int new_dmabuf(struct vmm *vmm)
{
	struct iommu_test_cmd get = { .op = IOMMU_TEST_OP_DMABUF_GET,
				      .dmabuf_get = { .length = 0x1000, .open_flags = O_CLOEXEC } };
	int fd = ifs_dup(vmm->process, vmm->memfd);

	/* At the lowest free number, whatever the call returns. */
	assert_int_equal(ifs_close(vmm->process, fd), 0);
	assert_true(t_test(vmm->f, vmm->iommufd, &get) >= 0);
	return fd;
}

static void zoo_start(struct vmm *vmm, struct zoo *zoo)
{
	struct fixture *f = vmm->f;
	int fd = vmm->iommufd;

	zoo->buffer = t_buffer(0x4000);
	zoo->dmabuf = new_dmabuf(vmm);
	zoo->ioas = t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, zoo->ioas, MOCK_FLAGS_DEVICE_PASID, &zoo->dev), 0);
	zoo->parent = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_PASID,
				   zoo->dev.idev, zoo->ioas);
	zoo->pasids = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_PASID, zoo->dev.idev, zoo->ioas);
	zoo->viommu = t_viommu(f, fd, zoo->dev.idev, zoo->parent, NULL);
	zoo->vdev = t_vdevice(f, fd, zoo->viommu, zoo->dev.idev, 0x33);
	zoo->fault = t_fault_queue(f, fd, &zoo->fault_fd);
	zoo->nested = t_nested(f, fd, zoo->dev.idev, zoo->viommu,
			       IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID, zoo->fault, 1);
	zoo->veventq = t_veventq(f, fd, zoo->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 2,
				 &zoo->veventq_fd);
	assert_true(zoo->veventq > 0);
	assert_int_equal(t_mock_replace(f, fd, zoo->dev.stdev, zoo->nested), zoo->nested);
	assert_int_equal(t_pasid_attach(f, fd, zoo->dev.stdev, 5, zoo->pasids), zoo->pasids);
	assert_int_equal(t_iopf(f, fd, zoo->dev.idev, 0, 1), 0);
	assert_int_equal(t_vevent(f, fd, zoo->dev.idev), 0);
	/* Memory of the process, and an exporter's. */
	assert_int_equal(t_map(f, fd, zoo->ioas, FIXED | RD | WR, (uintptr_t)zoo->buffer, 0x4000,
			       0x1000000), 0x1000000);
	assert_int_equal(t_map_file(f, fd, zoo->ioas, FIXED | RD | WR, zoo->dmabuf, 0, 0x1000,
				    0x2000000), 0x2000000);
	zoo->queue = t_hw_queue(f, fd, zoo->viommu, 0, 0x1000000, 0x1000);
	assert_true(zoo->queue > 0);
	/* And a driver of this kernel that pins some of the guest's memory. */
	zoo->access = (int)s_access(f, fd, vmm->ioas, ACCESS_PINS);
	assert_true(s_pin(f, fd, zoo->access, 0x3000, 0x2000, NULL, 1) >= 0);
	fixture_check(f);
}

/* A host with one guest in a nested setup could not update the others in its VMM. */
static void test_kexec_with_all_kinds_beside_loses_no_dma(void **state)
{
	struct fixture *f = *state;
	struct zoo zoo;
	struct vmm vmm;

	vmm_start(&vmm, f);
	zoo_start(&vmm, &zoo);
	vmm_preserve_all(&vmm);
	/* They go on working until the end. */
	assert_int_equal(t_iopf(f, vmm.iommufd, zoo.dev.idev, 0, 2), 0);
	assert_int_equal(t_destroy(f, vmm.iommufd, zoo.queue), 0);
	assert_int_equal(t_unmap(f, vmm.iommufd, zoo.ioas, 0x2000000, 0x1000), 0x1000);
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	assert_int_equal(lab_unmark(&vmm, vmm.hwpt), 0);
	vmm_preserve_all(&vmm);
	munmap(zoo.buffer, 0x4000);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	lab_retrieve_all(&vmm);
	vmm_rebuild(&vmm);
	fixture_check(f);
}

static uint64_t hash(struct vmm *vmm)
{
	return ifs_kernel_state_hash(vmm->f->kernel);
}

/* Asks for the iommufd to be preserved: refused as @want, with nothing changed. */
static void refuse(struct vmm *vmm, int want)
{
	uint64_t before = hash(vmm);

	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd, VMM_TOKEN_IOMMUFD),
			 want);
	assert_int_equal(hash(vmm), before);
	fixture_check(vmm->f);
}

/* What was marked in good faith has become something else: the guest would lose what was added. */
static void test_added_after_the_mark_is_refused_at_preserve(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x1000);
	int dmabuf, open_memfd;
	struct vmm vmm;
	const uint64_t at = 1ull << 40;

	vmm_start(&vmm, f);
	assert_int_equal(vmm_try_mark(&vmm, vmm.hwpt, VMM_TOKEN_HWPT), 0);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);

	dmabuf = new_dmabuf(&vmm);
	assert_int_equal(t_map_file(f, vmm.iommufd, vmm.ioas, FIXED | RD, dmabuf, 0, 0x1000, at),
			 at);
	refuse(&vmm, -EOPNOTSUPP);
	/* Revoked, it maps nothing any more, and is there all the same. */
	struct iommu_test_cmd revoke = { .op = IOMMU_TEST_OP_DMABUF_REVOKE,
					 .dmabuf_revoke = { .dmabuf_fd = dmabuf, .revoked = 1 } };
	assert_int_equal(t_test(f, vmm.iommufd, &revoke), 0);
	refuse(&vmm, -EOPNOTSUPP);
	assert_int_equal(t_unmap(f, vmm.iommufd, vmm.ioas, at, 0x1000), 0x1000);

	assert_int_equal(t_map(f, vmm.iommufd, vmm.ioas, FIXED | RD, (uintptr_t)buffer, 0x1000,
			       at), at);
	refuse(&vmm, -EINVAL);
	assert_int_equal(t_unmap(f, vmm.iommufd, vmm.ioas, at, 0x1000), 0x1000);

	open_memfd = ifs_memfd_create(f->process, "open", 0);
	assert_int_equal(ifs_ftruncate(f->process, open_memfd, 0x1000), 0);
	assert_int_equal(t_map_file(f, vmm.iommufd, vmm.ioas, FIXED | RD, open_memfd, 0, 0x1000,
				    at), at);
	refuse(&vmm, -EPERM);
	assert_int_equal(t_unmap(f, vmm.iommufd, vmm.ioas, at, 0x1000), 0x1000);

	/* Sealed, but nobody has preserved it. */
	open_memfd = vmm_memfd(&vmm, 0x1000);
	assert_int_equal(t_map_file(f, vmm.iommufd, vmm.ioas, FIXED | RD, open_memfd, 0, 0x1000,
				    at), at);
	refuse(&vmm, -EXDEV);
	assert_int_equal(t_unmap(f, vmm.iommufd, vmm.ioas, at, 0x1000), 0x1000);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD), 0);
	munmap(buffer, 0x1000);
}

/* Tries to add one thing to a preserved iommufd. */
struct late {
	const char *what;
	int64_t (*call)(struct vmm *vmm, struct zoo *zoo);
	int64_t want;           /* 0: any success */
};

static int64_t late_dmabuf(struct vmm *vmm, struct zoo *zoo)
{
	return t_map_file(vmm->f, vmm->iommufd, vmm->ioas, FIXED | RD, zoo->dmabuf, 0, 0x1000,
			  1ull << 40);
}

static int64_t late_user_memory(struct vmm *vmm, struct zoo *zoo)
{
	return t_map(vmm->f, vmm->iommufd, vmm->ioas, RD, (uintptr_t)zoo->buffer, 0x1000, 0);
}

static int64_t late_copy(struct vmm *vmm, struct zoo *zoo)
{
	return t_copy(vmm->f, vmm->iommufd, vmm->ioas, zoo->ioas, FIXED | RD, 0x1000, 1ull << 40,
		      0x2000000);
}

static int64_t late_mark(struct vmm *vmm, struct zoo *zoo)
{
	return vmm_try_mark(vmm, zoo->pasids, 9);
}

static int64_t late_nested(struct vmm *vmm, struct zoo *zoo)
{
	return t_nested(vmm->f, vmm->iommufd, vmm->dev_id[0], vmm->hwpt, 0, 0, 1);
}

static int64_t late_viommu(struct vmm *vmm, struct zoo *zoo)
{
	return t_viommu(vmm->f, vmm->iommufd, vmm->dev_id[0], vmm->hwpt, NULL);
}

static int64_t late_mock_device(struct vmm *vmm, struct zoo *zoo)
{
	struct mock dev;

	return t_mock(vmm->f, vmm->iommufd, vmm->hwpt, 0, &dev);
}

static int64_t late_mock_to_nested(struct vmm *vmm, struct zoo *zoo)
{
	return t_mock_replace(vmm->f, vmm->iommufd, zoo->dev.stdev, zoo->parent);
}

static int64_t late_pasid(struct vmm *vmm, struct zoo *zoo)
{
	return t_pasid_attach(vmm->f, vmm->iommufd, zoo->dev.stdev, 6, zoo->pasids);
}

static int64_t late_pasid_of_preserved(struct vmm *vmm, struct zoo *zoo)
{
	struct vfio_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd), .pt_id = zoo->pasids,
						     .flags = VFIO_DEVICE_ATTACH_PASID,
						     .pasid = 3 };

	return ifs_ioctl(vmm->process, vmm->vfio[0], VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
}

static int64_t late_fault_hwpt(struct vmm *vmm, struct zoo *zoo)
{
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = IOMMU_HWPT_FAULT_ID_VALID,
					.dev_id = vmm->dev_id[0], .pt_id = vmm->ioas,
					.fault_id = (uint32_t)zoo->fault };
	int rc = ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_ALLOC, &cmd);

	/* It may be there; nobody can be moved to it. */
	return rc ? rc : vmm_try_attach(vmm, vmm->vfio[0], cmd.out_hwpt_id);
}

static int64_t late_tracking(struct vmm *vmm, struct zoo *zoo)
{
	return lab_dirty_tracking(vmm, vmm->hwpt, true);
}

static int64_t late_pin(struct vmm *vmm, struct zoo *zoo)
{
	return s_pin(vmm->f, vmm->iommufd, zoo->access, 0x10000, 0x1000, NULL, 1);
}

static int64_t late_access(struct vmm *vmm, struct zoo *zoo)
{
	return s_access(vmm->f, vmm->iommufd, vmm->ioas, ACCESS_PINS);
}

static int64_t late_change_process(struct vmm *vmm, struct zoo *zoo)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	/* Refused, but for a reason that has nothing to do with it: memory of a process. */
	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

static const struct late lates[] = {
	{ "a dma-buf", late_dmabuf, -EBUSY },
	{ "memory of the process", late_user_memory, -EBUSY },
	{ "a copy of a dma-buf", late_copy, -EBUSY },
	{ "a mark", late_mark, -EBUSY },
	{ "a nested HWPT on the preserved one", late_nested, -EOPNOTSUPP },
	{ "a vIOMMU on the preserved one", late_viommu, -EOPNOTSUPP },
	{ "a mock device on the preserved HWPT", late_mock_device, -EBUSY },
	{ "another HWPT for the mock device", late_mock_to_nested, -EBUSY },
	{ "a PASID of the mock device", late_pasid, -EBUSY },
	{ "a PASID of a preserved device", late_pasid_of_preserved, -EBUSY },
	{ "a fault queue of a preserved device", late_fault_hwpt, -EBUSY },
	{ "dirty tracking", late_tracking, -EBUSY },
	{ "another process", late_change_process, -EINVAL },
	{ "a pin of the guest's memory", late_pin, 0 },
	{ "another driver", late_access, 0 },
};

/* The record says one thing, the hardware would be left with another. */
static void test_added_after_preserve_is_refused_or_harmless(void **state)
{
	struct fixture *f = *state;
	struct zoo zoo;
	struct vmm vmm;

	vmm_start(&vmm, f);
	zoo_start(&vmm, &zoo);
	vmm_preserve_all(&vmm);
	for (unsigned i = 0; i < sizeof(lates) / sizeof(lates[0]); i++) {
		uint64_t before = hash(&vmm);
		int64_t rc = lates[i].call(&vmm, &zoo);

		if (lates[i].want ? rc != lates[i].want : rc < 0)
			fail_msg("%s: %lld", lates[i].what, (long long)rc);
		if (rc < 0 && lates[i].call != late_fault_hwpt && hash(&vmm) != before)
			fail_msg("%s: refused, and something changed", lates[i].what);
		fixture_assert_dma_fine(f, 2);
	}
	fixture_kexec(f);
	munmap(zoo.buffer, 0x4000);
	vmm_reopen(&vmm);
	lab_retrieve_all(&vmm);
	vmm_rebuild(&vmm);
}

/* The areas of a guest would be left in pieces, for an unmap that is refused anyway. */
static void test_cut_of_preserved_memory_is_refused_before_it_is_made(void **state)
{
	struct fixture *f = *state;
	struct iommu_vfio_ioas set = { .size = sizeof(set), .op = IOMMU_VFIO_IOAS_SET };
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = 0x4000,
						    .size = 0x1000 };
	uint64_t before;
	struct vmm vmm;

	vmm_start(&vmm, f);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		ifs_device_stream_stop(f->devices[i]);
		assert_int_equal(lab_detach(&vmm, vmm.vfio[i]), 0);
	}
	assert_int_equal(t_destroy(f, vmm.iommufd, vmm.hwpt), 0);
	set.ioas_id = vmm.ioas;
	assert_int_equal(ifs_ioctl(f->process, vmm.iommufd, IOMMU_VFIO_IOAS, &set), 0);
	assert_int_equal(ifs_ioctl(f->process, vmm.iommufd, VFIO_SET_IOMMU, (void *)1), 0);
	vmm.hwpt = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[i], vmm.hwpt), 0);
	vmm_stream(&vmm);
	vmm_preserve_all(&vmm);
	before = hash(&vmm);
	assert_int_equal(ifs_ioctl(f->process, vmm.iommufd, VFIO_IOMMU_UNMAP_DMA, &unmap), -EBUSY);
	assert_int_equal(unmap.size, 0x1000);
	assert_int_equal(hash(&vmm), before);
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	assert_int_equal(ifs_ioctl(f->process, vmm.iommufd, VFIO_IOMMU_UNMAP_DMA, &unmap), 0);
	assert_int_equal(unmap.size, 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_kexec_with_all_kinds_beside_loses_no_dma),
		T(test_added_after_the_mark_is_refused_at_preserve),
		T(test_added_after_preserve_is_refused_or_harmless),
		T(test_cut_of_preserved_memory_is_refused_before_it_is_made),
	};

	return cmocka_run_group_tests_name("reference: beside", tests, NULL, NULL);
}
