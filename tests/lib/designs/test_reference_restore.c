/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The new kernel's half of the reference design: who may have what, and how it ends. */
#include "tests/lib/designs/lab.h"

static void to_next_kernel(struct vmm *vmm, struct fixture *f)
{
	vmm_start(vmm, f);
	vmm_preserve_all(vmm);
	fixture_kexec(f);
	vmm_reopen(vmm);
	lab_retrieve_all(vmm);
}

/* Binds, maps everything anew and makes the HWPT to swap to. */
static void rebuild_tables(struct vmm *vmm)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_bind(vmm, vmm->vfio[i], vmm->iommufd, &vmm->dev_id[i]), 0);
	vmm->ioas = vmm_ioas(vmm, vmm->iommufd);
	assert_int_equal(vmm_try_map(vmm, vmm->iommufd, vmm->ioas, vmm->memfd, 0,
				     VMM_GUEST_BYTES), 0);
	vmm->hwpt = vmm_hwpt(vmm, vmm->iommufd, vmm->dev_id[0], vmm->ioas);
}

static void swap(struct vmm *vmm)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_attach(vmm, vmm->vfio[i], vmm->hwpt), 0);
	fixture_assert_dma_fine(vmm->f, 4);
}

/* D18: another VMM would get a device that writes into this one's guest. */
static void test_bind_by_foreign_iommufd_is_refused(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int foreign;

	to_next_kernel(&vmm, f);
	foreign = vmm_open(&vmm, "/dev/iommu");
	assert_int_equal(vmm_try_bind(&vmm, vmm.vfio[0], foreign, &vmm.dev_id[0]), -EPERM);
	assert_int_equal(vmm_try_bind(&vmm, vmm.vfio[0], vmm.iommufd, &vmm.dev_id[0]), 0);
	fixture_assert_dma_fine(f, 4);
}

/* A second path into the device would be open: its node under /dev, past the session. */
static void test_bind_through_device_node_is_refused_to_foreigners(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int foreign, vfio;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	vmm.process = f->process;
	foreign = vmm_open(&vmm, "/dev/iommu");
	vfio = vmm_open(&vmm, "/dev/vfio/devices/vfio0");
	assert_int_equal(vmm_try_bind(&vmm, vfio, foreign, &vmm.dev_id[0]), -EPERM);
	assert_int_equal(ifs_close(vmm.process, vfio), 0);
	vmm_reopen(&vmm);
	lab_retrieve_all(&vmm);
	vmm_rebuild(&vmm);
}

/* The ioctl would hand out what is not there, or twice what is. */
static void test_restore_errors_are_documented_ones(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_lu_restore arg = { .size = 16, .token = VMM_TOKEN_HWPT };
	struct vmm vmm;
	int plain;

	to_next_kernel(&vmm, f);
	plain = vmm_open(&vmm, "/dev/iommu");
	assert_int_equal(IOMMU_HWPT_LU_RESTORE, 0x3b97);
	assert_int_equal(ifs_ioctl(vmm.process, vmm.iommufd, IOMMU_HWPT_LU_RESTORE, &arg), -EINVAL);
	arg = (struct iommu_hwpt_lu_restore){ .size = 24, .flags = 1, .token = VMM_TOKEN_HWPT };
	assert_int_equal(ifs_ioctl(vmm.process, vmm.iommufd, IOMMU_HWPT_LU_RESTORE, &arg),
			 -EOPNOTSUPP);
	arg.flags = 0;
	assert_int_equal(ifs_ioctl(vmm.process, plain, IOMMU_HWPT_LU_RESTORE, &arg), -ENOTTY);
	assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT + 1, &vmm.restored), -ENOENT);
	assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT, &vmm.restored), 0);
	assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT, &vmm.restored), -EBUSY);
	/* Live: it can be neither marked nor destroyed nor entered. */
	assert_int_equal(lab_mark(&vmm, vmm.restored, 5), -EOPNOTSUPP);
	assert_int_equal(vmm_try_destroy(&vmm, vmm.iommufd, vmm.restored), -EBUSY);
	rebuild_tables(&vmm);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], vmm.restored), -EBUSY);
	swap(&vmm);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], vmm.restored), -EBUSY);
	assert_int_equal(vmm_try_destroy(&vmm, vmm.iommufd, vmm.restored), 0);
	assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT, &vmm.restored), -ENOENT);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), 0);
	assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT, &vmm.restored), -ENOTTY);
}

/* The tables of the old kernel would stay for good: nobody knows the id to destroy. */
static void test_restore_that_cannot_answer_changes_nothing(void **state)
{
	/* Constant, so in memory that the kernel can read and not write. */
	static const struct iommu_hwpt_lu_restore arg = { .size = 24, .token = VMM_TOKEN_HWPT };
	struct fixture *f = *state;
	struct vmm vmm;
	uint64_t before;

	to_next_kernel(&vmm, f);
	before = ifs_kernel_state_hash(f->kernel);
	assert_int_equal(ifs_ioctl(vmm.process, vmm.iommufd, IOMMU_HWPT_LU_RESTORE, (void *)&arg),
			 -EFAULT);
	assert_true(ifs_kernel_state_hash(f->kernel) == before);
	assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT, &vmm.restored), 0);
	rebuild_tables(&vmm);
	swap(&vmm);
	assert_int_equal(vmm_try_destroy(&vmm, vmm.iommufd, vmm.restored), 0);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), 0);
}

/*
 * D10, C27: the guest's memory would be taken away under a device that still runs on the old
 * tables.
 */
static void test_memfd_under_live_domain_is_frozen_until_finish(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	/* Before anybody has seen the iommufd. */
	vmm.memfd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_MEMFD);
	assert_int_equal(lab_punch(&vmm, vmm.memfd, 0x1000, 0x1000), -EPERM);
	fixture_assert_dma_fine(f, 8);
	vmm.iommufd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_IOMMUFD);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		vmm.vfio[i] = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_DEVICE + i);
	rebuild_tables(&vmm);
	swap(&vmm);
	assert_int_equal(lab_punch(&vmm, vmm.memfd, 0x1000, 0x1000), -EPERM);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), 0);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	assert_int_equal(lab_punch(&vmm, vmm.memfd, 0x1000, 0x1000), 0);
}

/* FINISH would cut off a guest that has not been moved yet. */
static void test_finish_before_swap_is_refused_and_can_be_repeated(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	to_next_kernel(&vmm, f);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), -EBUSY);
	rebuild_tables(&vmm);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], vmm.hwpt), 0);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), -EBUSY);
	fixture_assert_dma_fine(f, 8);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[1], vmm.hwpt), 0);
	/* Nobody restored the HWPT: finish drops it. */
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), 0);
	fixture_assert_dma_fine(f, 8);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, 9), -EINVAL);
}

/*
 * D20: a VMM that dies after this many steps would leave DMA astray, or things nobody can use
 * again.
 */
static void die_after(struct fixture *f, unsigned steps)
{
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	if (steps > 0)
		vmm.memfd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_MEMFD);
	if (steps > 1)
		vmm.iommufd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_IOMMUFD);
	for (unsigned i = 0; i < FIXTURE_DEVICES && steps > 2; i++)
		vmm.vfio[i] = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_DEVICE + i);
	if (steps > 3)
		assert_int_equal(vmm_try_bind(&vmm, vmm.vfio[0], vmm.iommufd, &vmm.dev_id[0]), 0);
	if (steps > 4)
		assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT, &vmm.restored), 0);
	if (steps > 5) {
		assert_int_equal(vmm_try_bind(&vmm, vmm.vfio[1], vmm.iommufd, &vmm.dev_id[1]), 0);
		vmm.ioas = vmm_ioas(&vmm, vmm.iommufd);
		assert_int_equal(vmm_try_map(&vmm, vmm.iommufd, vmm.ioas, vmm.memfd, 0,
					     VMM_GUEST_BYTES), 0);
		vmm.hwpt = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
		assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], vmm.hwpt), 0);
	}
	fixture_assert_dma_fine(f, 8);
	fixture_check(f);
	ifs_exit(f->process);
	fixture_assert_dma_fine(f, 16);
	fixture_check(f);
	/* A new VMM has both devices. */
	f->process = ifs_process_new(f->kernel, NULL);
	assert_non_null(f->process);
	vmm_start(&vmm, f);
	fixture_assert_dma_fine(f, 8);
}

static void test_vmm_dies_with_session_only_devices_are_reusable(void **state)
{
	die_after(*state, 0);
}

static void test_vmm_dies_with_memfd_devices_are_reusable(void **state)
{
	die_after(*state, 1);
}

static void test_vmm_dies_with_iommufd_devices_are_reusable(void **state)
{
	die_after(*state, 2);
}

static void test_vmm_dies_with_devices_devices_are_reusable(void **state)
{
	die_after(*state, 3);
}

static void test_vmm_dies_bound_devices_are_reusable(void **state)
{
	die_after(*state, 4);
}

static void test_vmm_dies_restored_devices_are_reusable(void **state)
{
	die_after(*state, 5);
}

static void test_vmm_dies_half_swapped_devices_are_reusable(void **state)
{
	die_after(*state, 6);
}

/*
 * D22: the update after the update would find leftovers, or hand over tables that are not its own.
 */
static void test_second_update_before_finish_is_refused_then_works(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int session;

	to_next_kernel(&vmm, f);
	session = vmm_try_create_session(&vmm, "next");
	/* Still the previous session's. */
	assert_int_equal(vmm_try_preserve(&vmm, session, vmm.memfd, 1), -EBUSY);
	assert_int_equal(vmm_try_preserve(&vmm, session, vmm.iommufd, 2), -EBUSY);
	assert_int_equal(vmm_try_preserve(&vmm, session, vmm.vfio[0], 3), -EBUSY);
	fixture_assert_dma_fine(f, 4);
	assert_int_equal(ifs_close(vmm.process, session), 0);
	vmm_rebuild(&vmm);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	lab_retrieve_all(&vmm);
	vmm_rebuild(&vmm);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_bind_by_foreign_iommufd_is_refused),
		T(test_bind_through_device_node_is_refused_to_foreigners),
		T(test_restore_errors_are_documented_ones),
		T(test_restore_that_cannot_answer_changes_nothing),
		T(test_memfd_under_live_domain_is_frozen_until_finish),
		T(test_finish_before_swap_is_refused_and_can_be_repeated),
		T(test_vmm_dies_with_session_only_devices_are_reusable),
		T(test_vmm_dies_with_memfd_devices_are_reusable),
		T(test_vmm_dies_with_iommufd_devices_are_reusable),
		T(test_vmm_dies_with_devices_devices_are_reusable),
		T(test_vmm_dies_bound_devices_are_reusable),
		T(test_vmm_dies_restored_devices_are_reusable),
		T(test_vmm_dies_half_swapped_devices_are_reusable),
		T(test_second_update_before_finish_is_refused_then_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
