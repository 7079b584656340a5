/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* How far the series as posted comes: everything is handed over, nothing can be taken back. */
#include "tests/harness/vmm.h"

#include <errno.h>

#include <iommufd-sim/uapi_posted_v1.h>

static void mark(struct vmm *vmm)
{
	struct iommu_hwpt_lu_set_preserve arg = { .size = sizeof(arg), .hwpt_id = vmm->hwpt,
						  .hwpt_token = 7 };

	assert_int_equal(ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_LU_SET_PRESERVE, &arg),
			 0);
}

/*
 * The lab would flatter a design: as posted, retrieve of the iommufd is -EOPNOTSUPP and finish
 * -EBUSY.
 */
static void test_posted_v1_stops_at_retrieve_of_iommufd(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	/*
	 * Known flaws: it sleeps under xa_lock and the FLB's spinlock, and walks areas without
	 * their lock.
	 */
	fixture_expect(f, IFS_RULE_LOCK_NOT_HELD, FIXTURE_ANY);
	fixture_expect(f, IFS_RULE_ATOMIC_SLEEP, FIXTURE_ANY);
	fixture_expect(f, IFS_RULE_LOCK_ORDER, FIXTURE_ANY);
	vmm_start(&vmm, f);
	mark(&vmm);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_true(vmm.session >= 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 0x33), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[1], 0x34), 0);
	assert_int_equal(ifs_kernel_kexec(f->kernel), 0);
	f->kernel = NULL;
	fixture_assert_dma_fine(f, 16);
	fixture_boot(f);
	vmm_reopen(&vmm);
	assert_true(vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_MEMFD) >= 0);
	assert_int_equal(vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_IOMMUFD), -EOPNOTSUPP);
	/* LUO remembers the failure. */
	assert_int_equal(vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_IOMMUFD), -EOPNOTSUPP);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), -EBUSY);
	ifs_kernel_drop(f->kernel);
	f->kernel = NULL;
}

/* A run that should end at the first wrong step would go on, and the cause would drown. */
static void test_posted_v1_stop_on_report_ends_the_run(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	fixture_expect(f, IFS_RULE_ATOMIC_SLEEP, FIXTURE_ANY);
	fixture_expect(f, IFS_RULE_LOCK_ORDER, FIXTURE_ANY);
	fixture_expect(f, IFS_RULE_LOCK_NOT_HELD, FIXTURE_ANY);
	vmm_start(&vmm, f);
	mark(&vmm);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);
	ifs_machine_set_on_report(f->machine, IFS_REPORT_AND_STOP);
	vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD);
	assert_true(ifs_machine_is_stopped(f->machine));
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), -EIO);
	assert_int_equal(ifs_close(f->process, vmm.session), -EIO);
	assert_null(ifs_process_new(f->kernel, NULL));
	assert_int_equal(ifs_kernel_kexec(f->kernel), -EIO);
	assert_int_equal(ifs_device_dma_write(f->devices[0], 0x1000, "x", 1, NULL),
			 IFS_DMA_STOPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_posted_v1_stops_at_retrieve_of_iommufd,
						fixture_set_up_posted_v1, fixture_tear_down),
		cmocka_unit_test_setup_teardown(test_posted_v1_stop_on_report_ends_the_run,
						fixture_set_up_posted_v1, fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
