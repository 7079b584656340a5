/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Several guests on one host: two iommufds, two sessions, one IOMMU; and what nobody comes back
 * for.
 */
#include "tests/harness/vmm.h"

#include <errno.h>

/* One guest: its own iommufd, memory, device and session. */
struct one {
	struct vmm vmm;
	unsigned device;
	const char *name;
};

static void one_build(struct one *one)
{
	struct vmm *vmm = &one->vmm;

	assert_int_equal(vmm_try_bind(vmm, vmm->vfio[0], vmm->iommufd, &vmm->dev_id[0]), 0);
	vmm->ioas = vmm_ioas(vmm, vmm->iommufd);
	assert_int_equal(vmm_try_map(vmm, vmm->iommufd, vmm->ioas, vmm->memfd, 0, VMM_GUEST_BYTES),
			 0);
	vmm->hwpt = vmm_hwpt(vmm, vmm->iommufd, vmm->dev_id[0], vmm->ioas);
	assert_int_equal(vmm_try_attach(vmm, vmm->vfio[0], vmm->hwpt), 0);
}

static void one_start(struct one *one, struct fixture *f, unsigned device, const char *name,
		      int liveupdate)
{
	char path[] = "/dev/vfio/devices/vfio0";

	*one = (struct one){ .vmm = { .f = f, .process = f->process, .liveupdate = liveupdate },
			     .device = device, .name = name };
	path[sizeof(path) - 2] += (char)device;
	one->vmm.iommufd = vmm_open(&one->vmm, "/dev/iommu");
	one->vmm.memfd = vmm_memfd(&one->vmm, VMM_GUEST_BYTES);
	one->vmm.vfio[0] = vmm_open(&one->vmm, path);
	one_build(one);
}

static void one_preserve(struct one *one)
{
	struct vmm *vmm = &one->vmm;

	assert_int_equal(vmm_try_mark(vmm, vmm->hwpt, VMM_TOKEN_HWPT), 0);
	vmm->session = vmm_try_create_session(vmm, one->name);
	assert_true(vmm->session >= 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->memfd, VMM_TOKEN_MEMFD), 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd, VMM_TOKEN_IOMMUFD), 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->vfio[0], VMM_TOKEN_DEVICE), 0);
}

static void one_take_over(struct one *one, int liveupdate)
{
	struct vmm *vmm = &one->vmm;

	vmm->process = vmm->f->process;
	vmm->liveupdate = liveupdate;
	vmm->session = vmm_try_retrieve_session(vmm, one->name);
	assert_true(vmm->session >= 0);
	vmm->memfd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_MEMFD);
	vmm->iommufd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_IOMMUFD);
	vmm->vfio[0] = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_DEVICE);
	assert_true(vmm->memfd >= 0 && vmm->iommufd >= 0 && vmm->vfio[0] >= 0);
	one_build(one);
	assert_int_equal(vmm_try_finish(vmm, vmm->session), 0);
	assert_int_equal(ifs_close(vmm->process, vmm->session), 0);
	fixture_assert_dma_fine(vmm->f, 8);
}

static void stream(struct fixture *f)
{
	struct vmm vmm = { .f = f };

	vmm_stream(&vmm);
}

/* Two guests on one IOMMU could not be updated together. */
static void test_two_sessions_both_taken_over(void **state)
{
	struct fixture *f = *state;
	struct vmm agent = { .f = f, .process = f->process };
	struct one a, b;

	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	one_start(&a, f, 0, "a", agent.liveupdate);
	one_start(&b, f, 1, "b", agent.liveupdate);
	stream(f);
	one_preserve(&a);
	one_preserve(&b);
	fixture_kexec(f);
	agent.process = f->process;
	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	one_take_over(&b, agent.liveupdate);
	one_take_over(&a, agent.liveupdate);
}

/* Calling off one guest's update would take the IOMMU's tables away from the other. */
static void test_two_sessions_one_closed_other_survives(void **state)
{
	struct fixture *f = *state;
	struct vmm agent = { .f = f, .process = f->process };
	struct one a, b;

	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	one_start(&a, f, 0, "a", agent.liveupdate);
	one_start(&b, f, 1, "b", agent.liveupdate);
	stream(f);
	one_preserve(&a);
	one_preserve(&b);
	assert_int_equal(ifs_close(f->process, a.vmm.session), 0);
	ifs_device_stream_stop(f->devices[0]);
	fixture_kexec(f);
	fixture_assert_dma_fine(f, 8);
	agent.process = f->process;
	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	one_take_over(&b, agent.liveupdate);
	assert_int_equal(vmm_try_retrieve_session(&agent, "a"), -ENOENT);
	assert_int_equal(ifs_device_dma_write(f->devices[0], 0x1000, "x", 1, NULL), IFS_DMA_FAULT);
}

/* A guest nobody came back for would lose its DMA, or its memory would be given away under it. */
static void test_session_unclaimed_dma_goes_on(void **state)
{
	struct fixture *f = *state;
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };
	struct vmm agent = { .f = f, .process = f->process };
	struct one a;

	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	one_start(&a, f, 0, "a", agent.liveupdate);
	one_start(&(struct one){ 0 }, f, 1, "b", agent.liveupdate);
	stream(f);
	ifs_device_stream_stop(f->devices[1]);
	one_preserve(&a);
	fixture_kexec(f);
	fixture_assert_dma_fine(f, 32);
	ifs_kernel_get_stats(f->kernel, &stats);
	assert_true(stats.pages_unclaimed >= VMM_GUEST_BYTES >> 12);
	ifs_device_stream_stop(f->devices[0]);
}

/* The modules that a session holds until it is claimed would pass for leaked ones. */
static void test_session_listed_and_unclaimed_is_no_leak(void **state)
{
	struct fixture *f = *state;
	struct vmm agent = { .f = f, .process = f->process };
	struct one a;

	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	one_start(&a, f, 0, "a", agent.liveupdate);
	one_preserve(&a);
	fixture_kexec(f);
	agent.process = f->process;
	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	assert_int_equal(vmm_try_retrieve_session(&agent, "b"), -ENOENT);
}

/* A session that one of its own files holds would be finished while it is being dropped. */
static void test_session_held_by_its_own_iommufd_is_dropped_once(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm = { .f = f, .process = f->process };
	struct one a;

	vmm.liveupdate = vmm_open(&vmm, "/dev/liveupdate");
	one_start(&a, f, 0, "a", vmm.liveupdate);
	one_preserve(&a);
	fixture_kexec(f);
	vmm.process = f->process;
	vmm.liveupdate = vmm_open(&vmm, "/dev/liveupdate");
	vmm.session = vmm_try_retrieve_session(&vmm, "a");
	vmm.iommufd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_IOMMUFD);
	assert_true(vmm.iommufd >= 0);
	/* Without a domain nobody looks whether the file can be mapped at all; nor does Linux. */
	assert_int_equal(vmm_try_map(&vmm, vmm.iommufd, vmm_ioas(&vmm, vmm.iommufd), vmm.session,
				     0, 4096), 0);
	/* Linux keeps both files and the IOAS for ever. */
	f->expected_leaks = 3;
	fixture_expect(f, IFS_RULE_LEAK, FIXTURE_ANY);
}

/* A name used for a session of this kernel would clash with one that came from the last. */
static void test_session_same_name_old_and_new(void **state)
{
	struct fixture *f = *state;
	struct vmm agent = { .f = f, .process = f->process };
	struct one a;

	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	one_start(&a, f, 0, "a", agent.liveupdate);
	one_preserve(&a);
	fixture_kexec(f);
	agent.process = f->process;
	agent.liveupdate = vmm_open(&agent, "/dev/liveupdate");
	assert_true(vmm_try_create_session(&agent, "a") >= 0);
	assert_int_equal(vmm_try_create_session(&agent, "a"), -EEXIST);
	one_take_over(&a, agent.liveupdate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
		T(test_two_sessions_both_taken_over),
		T(test_two_sessions_one_closed_other_survives),
		T(test_session_unclaimed_dma_goes_on),
		T(test_session_listed_and_unclaimed_is_no_leak),
		T(test_session_held_by_its_own_iommufd_is_dropped_once),
		T(test_session_same_name_old_and_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
