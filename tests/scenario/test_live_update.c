/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The whole journey through the system calls, and the ways to leave it early. */
#include "tests/harness/vmm.h"

#include <errno.h>
#include <string.h>

static void retrieve_all(struct vmm *vmm)
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

static uint64_t marks(struct fixture *f)
{
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };

	ifs_kernel_get_stats(f->kernel, &stats);
	return stats.pages_preserved;
}

/* A host could not update its kernel three times in a row without losing a guest's DMA. */
static void test_live_update_three_in_a_row_loses_no_dma(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	for (int i = 0; i < 3; i++) {
		vmm_preserve_all(&vmm);
		fixture_kexec(f);
		vmm_reopen(&vmm);
		retrieve_all(&vmm);
		vmm_rebuild(&vmm);
		fixture_check(f);
	}
}

/* What the guest had written would be gone after the update. */
static void test_live_update_memory_keeps_content(void **state)
{
	struct fixture *f = *state;
	char text[32] = { 0 };
	struct vmm vmm;

	vmm_start(&vmm, f);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	assert_int_equal(ifs_pwrite(vmm.process, vmm.memfd, "before the kexec", 17, 0x3ff8), 17);
	vmm_preserve_all(&vmm);
	assert_int_equal(ifs_device_dma_write(f->devices[0], 0x5000, "by DMA", 7, NULL),
			 IFS_DMA_OK);
	fixture_kexec(f);
	assert_int_equal(ifs_device_dma_write(f->devices[0], 0x6000, "in the dark", 12, NULL),
			 IFS_DMA_OK);
	vmm_reopen(&vmm);
	retrieve_all(&vmm);
	assert_int_equal(ifs_pread(vmm.process, vmm.memfd, text, 17, 0x3ff8), 17);
	assert_string_equal(text, "before the kexec");
	assert_int_equal(ifs_pread(vmm.process, vmm.memfd, text, 12, 0x6000), 12);
	assert_string_equal(text, "in the dark");
	vmm_rebuild(&vmm);
	assert_int_equal(ifs_device_dma_read(f->devices[1], 0x5000, text, 7, NULL), IFS_DMA_OK);
	assert_string_equal(text, "by DMA");
}

/* An update that is called off would leave marks behind, or the guest frozen. */
static void test_live_update_session_closed_undoes_everything(void **state)
{
	struct fixture *f = *state;
	uint64_t before;
	struct vmm vmm;

	vmm_start(&vmm, f);
	before = marks(f);
	for (int i = 0; i < 2; i++) {
		vmm_preserve_all(&vmm);
		assert_true(marks(f) > before + (VMM_GUEST_BYTES >> 12));
		assert_int_equal(vmm_try_unmap(&vmm, vmm.iommufd, vmm.ioas, 0, VMM_GUEST_BYTES),
				 -EBUSY);
		assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
		assert_int_equal(marks(f), before);
		fixture_check(f);
	}
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	assert_int_equal(vmm_try_unmap(&vmm, vmm.iommufd, vmm.ioas, 0, VMM_GUEST_BYTES), 0);
}

/* A kexec after a called-off update would hand over half of something. */
static void test_live_update_session_closed_then_kexec_hands_over_nothing(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	assert_int_equal(ifs_close(vmm.process, vmm.session), 0);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	fixture_kexec(f);
	vmm.process = f->process;
	vmm.liveupdate = vmm_open(&vmm, "/dev/liveupdate");
	assert_int_equal(vmm_try_retrieve_session(&vmm, "vmm"), -ENOENT);
	/* The devices were cut off: nothing grants them anything. */
	assert_int_equal(ifs_device_dma_write(f->devices[0], 0x1000, "x", 1, NULL), IFS_DMA_FAULT);
}

/*
 * A kexec without any session would not work, or an ordinary kernel would lose its descriptors'
 * rules.
 */
static void test_kexec_without_session_next_kernel_starts_afresh(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	vmm_start(&vmm, f);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
	fixture_kexec(f);
	vmm_start(&vmm, f);
}

/* Another program could take the guest's device between the kexec and its VMM's return. */
static void test_live_update_stranger_cannot_bind_preserved_device(void **state)
{
	struct fixture *f = *state;
	uint32_t dev_id = 0;
	struct vmm vmm, stranger = { 0 };

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	stranger.f = f;
	stranger.process = ifs_process_new(f->kernel, NULL);
	stranger.iommufd = vmm_open(&stranger, "/dev/iommu");
	stranger.vfio[0] = vmm_open(&stranger, "/dev/vfio/devices/vfio0");
	assert_int_equal(vmm_try_bind(&stranger, stranger.vfio[0], stranger.iommufd, &dev_id),
			 -EPERM);
	fixture_assert_dma_fine(f, 4);
	ifs_exit(stranger.process);

	vmm_reopen(&vmm);
	retrieve_all(&vmm);
	vmm_rebuild(&vmm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
		T(test_live_update_three_in_a_row_loses_no_dma),
		T(test_live_update_memory_keeps_content),
		T(test_live_update_session_closed_undoes_everything),
		T(test_live_update_session_closed_then_kexec_hands_over_nothing),
		T(test_kexec_without_session_next_kernel_starts_afresh),
		T(test_live_update_stranger_cannot_bind_preserved_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
