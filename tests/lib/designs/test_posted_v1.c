/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The posted series: its own selftest (patch 14) in two runs around a kexec, then its flaws one by
 * one. A flaw that stops showing is a model that has become better than the code it models.
 */
#include "tests/lib/designs/lab.h"

/*
 * Patch 14, first run: a wrong order would be accepted, or a closed session would leave something.
 */
static void test_selftest_first_run_order_is_enforced(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm.session = vmm_try_create_session(&vmm, "iommufd-test");
	/* Nothing marked: a device cannot go. */
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 3), -EINVAL);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 7), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), -ENOENT);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 3), -ENOENT);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 3), 0);
	assert_int_equal(lab_map_page(&vmm, 0x40000000), -EBUSY);
	assert_int_equal(vmm_try_unmap(&vmm, vmm.iommufd, vmm.ioas, 0, VMM_GUEST_BYTES), -EBUSY);

	/* Closed: as if nothing had been; and all of it again. */
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	assert_int_equal(lab_map_page(&vmm, 0x40000000), 0);
	assert_int_equal(vmm_try_unmap(&vmm, vmm.iommufd, vmm.ioas, 0x40000000, 0x1000), 0);
	lab_preserve_all(&vmm, "iommufd-test", 7);
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	fixture_assert_dma_fine(f, 8);
	lab_accept_posted_v1_locking(f);
}

/* Patch 14, second run: the next kernel would give away a device that still runs, or finish. */
static void test_selftest_second_run_device_is_blocked_from_others(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint64_t before;
	int iommufd;

	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	fixture_kexec(f);
	before = lab_dma(f, 0);
	fixture_assert_dma_fine(f, 16);
	assert_true(lab_dma(f, 0) > before);
	vmm_reopen(&vmm);
	vmm.vfio[0] = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_DEVICE);
	assert_true(vmm.vfio[0] >= 0);
	assert_int_equal(vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_IOMMUFD), -EOPNOTSUPP);
	iommufd = vmm_open(&vmm, "/dev/iommu");
	assert_int_equal(vmm_try_bind(&vmm, vmm.vfio[0], iommufd, &vmm.dev_id[0]), -EPERM);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), -EBUSY);
	fixture_assert_dma_fine(f, 16);
	lab_accept_posted_v1_locking(f);
	lab_drop(f);
}

/* The ioctl would not be the posted one. */
static void test_set_preserve_errors_are_the_posted_ones(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_lu_set_preserve arg = { .size = 8, .hwpt_id = 1 };
	struct vmm vmm;
	uint32_t other;

	vmm_start(&vmm, f);
	assert_int_equal(IOMMU_HWPT_LU_SET_PRESERVE, 0x3b95);
	assert_int_equal(sizeof(arg), 12);
	assert_int_equal(ifs_ioctl(vmm.process, vmm.iommufd, IOMMU_HWPT_LU_SET_PRESERVE, &arg),
			 -EINVAL);
	assert_int_equal(lab_mark(&vmm, 999, 1), -ENOENT);
	assert_int_equal(lab_mark(&vmm, vmm.ioas, 1), -ENOENT);
	other = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	assert_int_equal(lab_mark(&vmm, other, 1), -EADDRINUSE);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 2), 0);
	assert_int_equal(lab_mark(&vmm, other, 1), 0);
}

/*
 * C1, C2, C3, C79: nobody would see that preserve sleeps under a spinlock and walks without its
 * lock.
 */
static void test_preserve_locking_is_reported(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	lab_expect_some(f, IFS_RULE_ATOMIC_SLEEP);
	/* HWPT_ALLOC takes them the other way round: C1's lockup. */
	lab_expect_some(f, IFS_RULE_LOCK_ORDER);
	lab_expect_some(f, IFS_RULE_LOCK_NOT_HELD);
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	lab_expect_some(f, IFS_RULE_ATOMIC_SLEEP);
	lab_accept_posted_v1_locking(f);
}

/* C14: that ERR_PTR is taken for memory would stay hidden. */
static void test_preserve_out_of_memory_is_a_bug(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	bool seen = false;

	vmm_start(&vmm, f);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 7), 0);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, 1), 0);
	for (uint64_t nth = 1; nth < 64 && !seen; nth++) {
		ifs_kernel_fail_nth(f->kernel, nth, false);
		assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), -ENOMEM);
		seen = lab_reports(f, IFS_RULE_BUG) > 0;
	}
	assert_true(seen);
	/* The machine is down. */
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), -EIO);
	lab_accept(f, IFS_RULE_BUG);
	lab_accept(f, IFS_RULE_PANIC);
	lab_accept_posted_v1_locking(f);
	lab_drop(f);
}

/* C39 to C41: which registration leaves what in the next kernel. */
static void test_register_at_open_loses_sessions_when_liveupdate_is_opened_first(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	f->kernel_config.register_at_open = IFS_ON;
	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	fixture_kexec(f);
	lab_accept_posted_v1_locking(f);
	/* Nobody has /dev/iommu open: no handler, and the error lasts for the whole boot. */
	assert_int_equal(ifs_open(f->process, "/dev/liveupdate", O_RDWR), -EIO);
	assert_true(ifs_open(f->process, "/dev/iommu", O_RDWR) >= 0);
	assert_int_equal(ifs_open(f->process, "/dev/liveupdate", O_RDWR), -EIO);
	lab_drop(f);
}

/* C23: a session that protects nothing would be refused, which v1 does not. */
static void test_preserve_without_mark_succeeds(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), 0);
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	lab_accept_posted_v1_locking(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_posted_v1, fixture_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_selftest_first_run_order_is_enforced),
		T(test_selftest_second_run_device_is_blocked_from_others),
		T(test_set_preserve_errors_are_the_posted_ones),
		T(test_preserve_locking_is_reported),
		T(test_preserve_out_of_memory_is_a_bug),
		T(test_register_at_open_loses_sessions_when_liveupdate_is_opened_first),
		T(test_preserve_without_mark_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
