/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The old kernel's half of the reference design: marks, what preserve refuses, what stays closed.
 */
#include "tests/lib/designs/lab.h"

#include <string.h>

static int mark_raw(struct vmm *vmm, struct iommu_hwpt_lu_mark *arg)
{
	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_LU_MARK, arg);
}

/* A VMM could not tell its own mistake from the kernel's. */
static void test_mark_errors_are_documented_ones(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_lu_mark arg = { .size = 16, .hwpt_id = 1 };
	struct vmm vmm;
	uint32_t other;

	vmm_start(&vmm, f);
	assert_int_equal(IOMMU_HWPT_LU_MARK, 0x3b96);
	assert_int_equal(sizeof(arg), 24);
	assert_int_equal(mark_raw(&vmm, &arg), -EINVAL);
	arg = (struct iommu_hwpt_lu_mark){ .size = 24, .hwpt_id = vmm.hwpt, .flags = 2 };
	assert_int_equal(mark_raw(&vmm, &arg), -EOPNOTSUPP);
	arg = (struct iommu_hwpt_lu_mark){ .size = 24, .hwpt_id = vmm.hwpt, .__reserved = 1 };
	assert_int_equal(mark_raw(&vmm, &arg), -EOPNOTSUPP);
	assert_int_equal(lab_mark(&vmm, vmm.ioas, 1), -ENOENT);
	assert_int_equal(lab_mark(&vmm, 999, 1), -ENOENT);
	other = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 0x100000001ull), 0);
	assert_int_equal(lab_mark(&vmm, other, 0x100000001ull), -EADDRINUSE);
	/* All 64 bits count; 0 is a token like any other; marking again moves the token. */
	assert_int_equal(lab_mark(&vmm, other, 1), 0);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 0), 0);
	assert_int_equal(lab_mark(&vmm, other, 0x100000001ull), 0);
	assert_int_equal(lab_unmark(&vmm, other), 0);
	assert_int_equal(lab_unmark(&vmm, other), 0);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 0x100000001ull), 0);
}

/* Preserves the iommufd, wants @want, and wants nothing changed. */
static void refuse(struct vmm *vmm, int want)
{
	uint64_t before = ifs_kernel_state_hash(vmm->f->kernel);

	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd, VMM_TOKEN_IOMMUFD),
			 want);
	assert_int_equal(ifs_kernel_state_hash(vmm->f->kernel), before);
	fixture_check(vmm->f);
}

/* What does not cross would be preserved, or nobody would learn why not. */
static void test_preserve_refusals_each_name_their_cause(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int other_session;

	vmm_start(&vmm, f);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	other_session = vmm_try_create_session(&vmm, "other");
	refuse(&vmm, -ENOENT);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	refuse(&vmm, -EXDEV);
	assert_int_equal(vmm_try_preserve(&vmm, other_session, vmm.memfd, 1), 0);
	refuse(&vmm, -EXDEV);
	assert_int_equal(ifs_close(vmm.process, other_session), 0);
	lab_swap_frame(&vmm, vmm.memfd, 0x3000);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);
	refuse(&vmm, -ESTALE);
}

/* A file that can still shrink would be taken for one that cannot. */
static void test_preserve_unsealed_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int memfd;

	vmm_start(&vmm, f);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	memfd = ifs_memfd_create(vmm.process, "loose", 2);
	assert_int_equal(ifs_ftruncate(vmm.process, memfd, 0x1000), 0);
	assert_int_equal(vmm_try_map(&vmm, vmm.iommufd, vmm.ioas, memfd, 0x40000000, 0x1000), 0);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, memfd, 5), 0);
	refuse(&vmm, -EPERM);
	/* Sealed after the map is as good: what counts are the frames. */
	assert_int_equal(ifs_fcntl(vmm.process, memfd, 1033, 0x6), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD), 0);
}

/* Memory of a process would be handed over although the process ends. */
static void test_preserve_anonymous_memory_is_refused(void **state)
{
	struct fixture *f = *state;
	static char page[0x2000] __attribute__((aligned(0x1000)));
	struct iommu_ioas_map map = {
		.size = sizeof(map), .flags = 7, .user_va = (uintptr_t)page, .length = 0x1000,
		.iova = 0x40000000,
	};
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	map.ioas_id = vmm.ioas;
	assert_int_equal(ifs_ioctl(vmm.process, vmm.iommufd, IOMMU_IOAS_MAP, &map), 0);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);
	refuse(&vmm, -EINVAL);
}

/* The order of files, or a device elsewhere, would not be noticed until the next kernel. */
static void test_preserve_device_needs_its_iommufd_and_hwpt(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint32_t other;
	int session2;

	vmm_start(&vmm, f);
	other = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[1], vmm.ioas);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[1], other), 0);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	session2 = vmm_try_create_session(&vmm, "other");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 3), -ENOENT);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), 0);
	assert_int_equal(vmm_try_preserve(&vmm, session2, vmm.vfio[0], 3), -EXDEV);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[1], 4), -EINVAL);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 3), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 4), -EBUSY);
}

/* An unbound or unattached device would be handed over with nothing behind it. */
static void test_preserve_device_unattached_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	ifs_device_stream_stop(f->devices[1]);
	assert_int_equal(lab_detach(&vmm, vmm.vfio[1]), 0);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[1], 3), -ENODEV);
	assert_int_equal(ifs_close(vmm.process, vmm.vfio[1]), 0);
	vmm.vfio[1] = vmm_open(&vmm, "/dev/vfio/devices/vfio1");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[1], 3), -ENODEV);
}

/* What was handed over would no longer be what is. */
static void test_preserved_everything_is_closed_and_reopens(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint32_t other;
	uint64_t before;

	vmm_start(&vmm, f);
	other = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
	before = ifs_kernel_state_hash(f->kernel);
	for (unsigned round = 0; round < 2; round++) {
		vmm_preserve_all(&vmm);
		assert_int_equal(lab_map_page(&vmm, 0x40000000), -EBUSY);
		assert_int_equal(vmm_try_unmap(&vmm, vmm.iommufd, vmm.ioas, 0, VMM_GUEST_BYTES),
				 -EBUSY);
		assert_int_equal(vmm_try_destroy(&vmm, vmm.iommufd, vmm.hwpt), -EBUSY);
		assert_int_equal(vmm_try_destroy(&vmm, vmm.iommufd, vmm.ioas), -EBUSY);
		assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], other), -EBUSY);
		assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], vmm.ioas), -EBUSY);
		assert_int_equal(lab_detach(&vmm, vmm.vfio[1]), -EBUSY);
		assert_int_equal(ifs_ioctl(vmm.process, vmm.vfio[0], VFIO_DEVICE_RESET, NULL),
				 -EBUSY);
		assert_int_equal(lab_mark(&vmm, vmm.hwpt, 99), -EBUSY);
		assert_int_equal(lab_unmark(&vmm, vmm.hwpt), -EBUSY);
		assert_int_equal(lab_mark(&vmm, other, 98), -EBUSY);
		assert_int_equal(lab_punch(&vmm, vmm.memfd, 0, 0x1000), -EPERM);
		fixture_assert_dma_fine(f, 4);
		fixture_check(f);
		assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
		assert_int_equal(lab_unmark(&vmm, vmm.hwpt), 0);
		assert_int_equal(ifs_kernel_state_hash(f->kernel), before);
	}
	assert_int_equal(lab_map_page(&vmm, 0x40000000), 0);
	assert_int_equal(vmm_try_unmap(&vmm, vmm.iommufd, vmm.ioas, 0x40000000, 0x1000), 0);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], other), 0);
	fixture_assert_dma_fine(f, 4);
}

/* D4: a preserve that fails anywhere would leave marks, references or closed gates behind. */
static void test_preserve_fails_at_each_allocation_and_undoes_all(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint64_t before, nth;
	int rc = -ENOMEM;

	vmm_start(&vmm, f);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, 1), 0);
	for (unsigned file = 0; file < 2; file++) {
		int fd = file ? vmm.vfio[0] : vmm.iommufd;

		before = ifs_kernel_state_hash(f->kernel);
		for (nth = 1;; nth++) {
			ifs_kernel_fail_nth(f->kernel, nth, false);
			rc = vmm_try_preserve(&vmm, vmm.session, fd, 2 + file);
			if (!ifs_kernel_fail_fired(f->kernel, NULL))
				break;
			assert_int_equal(rc, -ENOMEM);
			assert_int_equal(ifs_kernel_state_hash(f->kernel), before);
			fixture_check(f);
		}
		ifs_kernel_fail_nth(f->kernel, 0, false);
		assert_int_equal(rc, 0);
		assert_true(nth > 4);
	}
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[1], 4), 0);
	fixture_assert_dma_fine(f, 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_mark_errors_are_documented_ones),
		T(test_preserve_refusals_each_name_their_cause),
		T(test_preserve_unsealed_file_is_refused),
		T(test_preserve_anonymous_memory_is_refused),
		T(test_preserve_device_needs_its_iommufd_and_hwpt),
		T(test_preserve_device_unattached_is_refused),
		T(test_preserved_everything_is_closed_and_reopens),
		T(test_preserve_fails_at_each_allocation_and_undoes_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
