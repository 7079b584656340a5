/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Experiments that tell designs apart, each run on both: what the posted series does, and what the
 * reference does instead. D-numbers are those of the list the designs are measured by. Where an
 * experiment needs two threads, only what one thread can bring about is looked at here.
 */
#include "tests/lib/designs/lab.h"

static uint64_t astray(struct fixture *f)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_get_stats(f->machine, &stats);
	return stats.dma_astray;
}

static void kexec_only(struct fixture *f)
{
	assert_int_equal(ifs_kernel_kexec(f->kernel), 0);
	f->kernel = NULL;
	f->process = NULL;
	ifs_machine_run(f->machine, 16);
}

/* What a broken hand-over may say in the next kernel; the counts are not the point. */
static void accept_wreckage(struct fixture *f)
{
	for (unsigned rule = 0; rule < IFS_NR_RULES; rule++)
		lab_accept(f, rule);
	lab_drop(f);
}

/* D5: a HWPT is destroyed while it is preserved. v1 frees tables it has promised (C16). */
static void test_d5_destroy_posted_v1_frees_preserved_tables(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		ifs_device_stream_stop(f->devices[i]);
		assert_int_equal(lab_detach(&vmm, vmm.vfio[i]), 0);
	}
	assert_int_equal(vmm_try_destroy(&vmm, vmm.iommufd, vmm.hwpt), 0);
	accept_wreckage(f);
}

static void test_d5_destroy_reference_is_busy(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(lab_detach(&vmm, vmm.vfio[i]), -EBUSY);
	assert_int_equal(vmm_try_destroy(&vmm, vmm.iommufd, vmm.hwpt), -EBUSY);
	fixture_assert_dma_fine(f, 4);
}

/*
 * D6, D16: a device moves to another HWPT after it was preserved. v1 hands over what is no longer
 * true.
 */
static void test_d6_replace_posted_v1_next_kernel_finds_another_domain(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint32_t other;

	vmm_start(&vmm, f);
	other = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
	lab_preserve_all(&vmm, "vmm", 7);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], other), 0);
	lab_accept_posted_v1_locking(f);
	kexec_only(f);
	/*
	 * The live entry leads to tables that were not preserved; said at the latest when compared.
	 */
	fixture_boot(f);
	assert_true(lab_reports(f, IFS_RULE_UNPRESERVED_TARGET) > 0 ||
		    lab_reports(f, IFS_RULE_DEVICE_BLOCKED) > 0);
	accept_wreckage(f);
}

static void test_d6_replace_reference_is_busy(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint32_t other;

	vmm_start(&vmm, f);
	other = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
	lab_preserve_all(&vmm, "vmm", 7);
	assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[0], other), -EBUSY);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	lab_retrieve_all(&vmm);
	assert_int_equal(lab_reports(f, IFS_RULE_DEVICE_BLOCKED), 0);
}

/* D6: detach after preserve. v1's undo finds no attachment and leaves its record behind (C60). */
static void test_d6_detach_posted_v1_undo_loses_the_record(void **state)
{
	struct fixture *f = *state;
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };
	struct vmm vmm;

	vmm_start(&vmm, f);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	ifs_kernel_get_stats(f->kernel, &stats);
	uint64_t before = stats.pages_preserved;

	lab_preserve_all(&vmm, "vmm", 7);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(lab_detach(&vmm, vmm.vfio[i]), 0);
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	ifs_kernel_get_stats(f->kernel, &stats);
	/* Root and context tables stay marked: nobody undid the device. */
	assert_true(stats.pages_preserved > before);
	accept_wreckage(f);
}

/* D9, C26: a hole punched after the map and refilled. v1 hands over frames that are nobody's. */
static void test_d9_hole_posted_v1_lets_it_through(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	lab_swap_frame(&vmm, vmm.memfd, 0x3000);
	lab_preserve_all(&vmm, "vmm", 7);
	lab_accept_posted_v1_locking(f);
	kexec_only(f);
	/* The frame the IOMMU still has was never preserved: at kexec, or by a device, it shows. */
	assert_true(lab_reports(f, IFS_RULE_UNPRESERVED_TARGET) > 0 || astray(f) > 0);
	lab_accept(f, IFS_RULE_UNPRESERVED_TARGET);
	accept_wreckage(f);
}

static void test_d9_hole_reference_is_stale_and_remap_helps(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	lab_swap_frame(&vmm, vmm.memfd, 0x3000);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 7), 0);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD),
			 -ESTALE);
	assert_int_equal(vmm_try_unmap(&vmm, vmm.iommufd, vmm.ioas, 0, VMM_GUEST_BYTES), 0);
	assert_int_equal(vmm_try_map(&vmm, vmm.iommufd, vmm.ioas, vmm.memfd, 0, VMM_GUEST_BYTES),
			 0);
	vmm_stream(&vmm);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD), 0);
}

/* D10: the retrieved memory is punched while devices still run on the restored domain. */
static void test_d10_hole_after_retrieve_posted_v1_goes_astray(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	fixture_kexec(f);
	lab_accept_posted_v1_locking(f);
	vmm_reopen(&vmm);
	vmm.memfd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_MEMFD);
	assert_int_equal(lab_punch(&vmm, vmm.memfd, 0, VMM_GUEST_BYTES / 2), 0);
	ifs_machine_run(f->machine, 32);
	assert_true(astray(f) > 0);
	accept_wreckage(f);
}

/* D11: two VMMs, two sessions, one IOMMU; one session is closed. The other's marks must stay. */
static void two_sessions(struct fixture *f)
{
	struct vmm vmm, second;
	int session2;

	vmm_start(&vmm, f);
	second = vmm;
	/* The second VMM takes over device 1 with an iommufd and a guest of its own. */
	ifs_device_stream_stop(f->devices[1]);
	assert_int_equal(ifs_close(vmm.process, vmm.vfio[1]), 0);
	second.iommufd = vmm_open(&vmm, "/dev/iommu");
	second.vfio[1] = vmm_open(&vmm, "/dev/vfio/devices/vfio1");
	second.memfd = vmm_memfd(&vmm, VMM_GUEST_BYTES);
	assert_int_equal(vmm_try_bind(&second, second.vfio[1], second.iommufd, &second.dev_id[1]),
			 0);
	second.ioas = vmm_ioas(&second, second.iommufd);
	assert_int_equal(vmm_try_map(&second, second.iommufd, second.ioas, second.memfd, 0,
				     VMM_GUEST_BYTES), 0);
	second.hwpt = vmm_hwpt(&second, second.iommufd, second.dev_id[1], second.ioas);
	assert_int_equal(vmm_try_attach(&second, second.vfio[1], second.hwpt), 0);
	vmm_stream(&vmm);

	vmm.session = vmm_try_create_session(&vmm, "vmm");
	session2 = vmm_try_create_session(&vmm, "second");
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 7), 0);
	assert_int_equal(lab_mark(&second, second.hwpt, 7), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, 2), 0);
	assert_int_equal(vmm_try_preserve(&vmm, session2, second.memfd, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, session2, second.iommufd, 2), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], 3), 0);
	assert_int_equal(vmm_try_preserve(&vmm, session2, second.vfio[1], 3), 0);
	assert_int_equal(ifs_close(vmm.process, session2), 0);
	ifs_device_stream_stop(f->devices[1]);
	lab_accept_posted_v1_locking(f);
	fixture_kexec(f);
	fixture_assert_dma_fine(f, 16);
	assert_int_equal(lab_reports(f, IFS_RULE_DEVICE_BLOCKED), 0);
}

static void test_d11_two_sessions_posted_v1_one_closed(void **state)
{
	two_sessions(*state);
	lab_drop(*state);
}

static void test_d11_two_sessions_reference_one_closed(void **state)
{
	two_sessions(*state);
}

/* D12: the token changes after preserve. v1 takes it and hands over the old one (C19). */
static void test_d12_remark_posted_v1_is_taken(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 8), 0);
	accept_wreckage(f);
}

/* D12: the same file in two sessions. */
static void test_d12_two_sessions_same_iommufd_is_busy(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int other;

	vmm_start(&vmm, f);
	lab_preserve_all(&vmm, "vmm", 7);
	other = vmm_try_create_session(&vmm, "other");
	assert_int_equal(vmm_try_preserve(&vmm, other, vmm.iommufd, 2), -EBUSY);
	fixture_assert_dma_fine(f, 4);
}

static uint64_t module_refs(struct fixture *f)
{
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };

	ifs_kernel_get_stats(f->kernel, &stats);
	return stats.module_refs;
}

/*
 * D13: who pins the module. v1's handler has no owner (C40); the reference's has, while preserved.
 */
static uint64_t refs_taken_by_preserve(struct fixture *f)
{
	struct vmm vmm;
	uint64_t before;

	vmm_start(&vmm, f);
	before = module_refs(f);
	lab_preserve_all(&vmm, "vmm", 7);
	before = module_refs(f) - before;
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	return before;
}

static void test_d13_module_posted_v1_is_not_pinned(void **state)
{
	assert_int_equal(refs_taken_by_preserve(*state), 0);
	accept_wreckage(*state);
}

static void test_d13_module_reference_is_pinned_while_preserved(void **state)
{
	assert_int_equal(refs_taken_by_preserve(*state), 1);
}

/* D13, C45: a kernel without live update. v1's module fails to load, the reference's does not. */
static void test_d13_liveupdate_off_posted_v1_has_no_dev_iommu(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	f->kernel_config.liveupdate = IFS_OFF;
	fixture_boot(f);
	assert_int_equal(ifs_open(f->process, "/dev/iommu", O_RDWR), -ENOENT);
}

static void test_d13_liveupdate_off_reference_keeps_dev_iommu(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	f->kernel_config.liveupdate = IFS_OFF;
	fixture_boot(f);
	assert_true(ifs_open(f->process, "/dev/iommu", O_RDWR) >= 0);
}

/* D14: a device is attached, on a bus that had none, after the IOMMU was preserved. */
static void test_d14_device_attached_after_preserve_reference_loses_nobody(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm, second;

	vmm_start(&vmm, f);
	second = vmm;
	ifs_device_stream_stop(f->devices[1]);
	assert_int_equal(ifs_close(vmm.process, vmm.vfio[1]), 0);
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 7), 0);
	vmm.session = vmm_try_create_session(&vmm, "vmm");
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.memfd, VMM_TOKEN_MEMFD), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.vfio[0], VMM_TOKEN_DEVICE), 0);
	second.iommufd = vmm_open(&vmm, "/dev/iommu");
	second.vfio[1] = vmm_open(&vmm, "/dev/vfio/devices/vfio1");
	assert_int_equal(vmm_try_bind(&second, second.vfio[1], second.iommufd, &second.dev_id[1]),
			 0);
	second.ioas = vmm_ioas(&second, second.iommufd);
	assert_int_equal(vmm_try_attach(&second, second.vfio[1], second.ioas), 0);
	fixture_kexec(f);
	fixture_assert_dma_fine(f, 16);
	assert_int_equal(lab_reports(f, IFS_RULE_STATE_REFUSED), 0);
}

#define REF(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
#define V1(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_posted_v1, fixture_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		V1(test_d5_destroy_posted_v1_frees_preserved_tables),
		REF(test_d5_destroy_reference_is_busy),
		V1(test_d6_replace_posted_v1_next_kernel_finds_another_domain),
		REF(test_d6_replace_reference_is_busy),
		V1(test_d6_detach_posted_v1_undo_loses_the_record),
		V1(test_d9_hole_posted_v1_lets_it_through),
		REF(test_d9_hole_reference_is_stale_and_remap_helps),
		V1(test_d10_hole_after_retrieve_posted_v1_goes_astray),
		V1(test_d11_two_sessions_posted_v1_one_closed),
		REF(test_d11_two_sessions_reference_one_closed),
		V1(test_d12_remark_posted_v1_is_taken),
		REF(test_d12_two_sessions_same_iommufd_is_busy),
		V1(test_d13_module_posted_v1_is_not_pinned),
		REF(test_d13_module_reference_is_pinned_while_preserved),
		V1(test_d13_liveupdate_off_posted_v1_has_no_dev_iommu),
		REF(test_d13_liveupdate_off_reference_keeps_dev_iommu),
		REF(test_d14_device_attached_after_preserve_reference_loses_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
