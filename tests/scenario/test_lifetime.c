/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Who keeps what alive: dup, fork, descriptors sent to another process, death at a bad moment. */
#include "tests/harness/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

static void stop_streams(struct fixture *f)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		ifs_device_stream_stop(f->devices[i]);
}

/* A VMM that passes its iommufd on and closes its own copy would lose its mappings. */
static void test_dup_close_one_context_stays(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int copy;

	vmm_start(&vmm, f);
	copy = ifs_dup(vmm.process, vmm.iommufd);
	assert_true(copy >= 0);
	assert_int_equal(ifs_close(vmm.process, vmm.iommufd), 0);
	fixture_assert_dma_fine(f, 4);
	assert_int_equal(vmm_try_map(&vmm, copy, vmm.ioas, vmm.memfd, 1ull << 32, 0x1000), 0);
	vmm.iommufd = copy;
}

/* A forked helper would lose the guest when its parent dies, although it holds every descriptor. */
static void test_fork_parent_dies_child_goes_on(void **state)
{
	struct fixture *f = *state;
	struct ifs_process *child;
	struct vmm vmm;

	vmm_start(&vmm, f);
	child = ifs_fork(f->process);
	assert_non_null(child);
	assert_true(ifs_getpid(child) != ifs_getpid(f->process));
	ifs_exit(f->process);
	f->process = child;
	vmm.process = child;
	fixture_assert_dma_fine(f, 8);
	vmm_preserve_all(&vmm);
	assert_int_equal(ifs_close(child, vmm.session), 0);
}

/* A child would map other memory than the file its parent had mapped before the fork. */
static void test_fork_child_maps_the_same_file(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm = { .f = f, .process = f->process };
	struct ifs_process *child;
	char text[4] = { 0 };
	char *at = NULL;
	int fd = vmm_memfd(&vmm, 0x2000);

	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0,
				  (void **)&at), 0);
	child = ifs_fork(f->process);
	assert_non_null(child);
	ifs_exit(f->process);
	f->process = child;
	memcpy(at + 0x1000, "abc", 3);
	assert_int_equal(ifs_pread(child, fd, text, 3, 0x1000), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(ifs_munmap(child, at, 0x2000), 0);
}

/* Ids would differ between two processes that share one open description. */
static void test_send_fd_shares_object_ids(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm, other;
	uint32_t ioas;
	int copy;

	vmm_start(&vmm, f);
	other = vmm;
	other.process = ifs_process_new(f->kernel, NULL);
	assert_non_null(other.process);
	copy = ifs_send_fd(vmm.process, vmm.iommufd, other.process);
	assert_int_equal(copy, 0);
	ioas = vmm_ioas(&other, copy);
	assert_int_equal(vmm_ioas(&vmm, vmm.iommufd), ioas + 1);
	assert_int_equal(ifs_send_fd(vmm.process, 999, other.process), -EBADF);
	ifs_exit(other.process);
}

/*
 * A VMM that dies would leave its guest's frames pinned, or its devices doing DMA into freed
 * memory.
 */
static void test_exit_with_everything_open_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };
	struct vmm vmm;

	vmm_start(&vmm, f);
	ifs_exit(f->process);
	ifs_kernel_get_stats(f->kernel, &stats);
	assert_int_equal(stats.pages_pinned, 0);
	assert_int_equal(stats.pages_memfd, 0);
	assert_int_equal(stats.files, 0);
	assert_int_equal(stats.iommufd_objects, 0);
	assert_int_equal(ifs_device_dma_write(f->devices[0], 0x1000, "x", 1, NULL), IFS_DMA_FAULT);
	stop_streams(f);
}

/* A session passed to an agent would be undone when the VMM that filled it dies. */
static void test_session_held_by_agent_survives_vmm(void **state)
{
	struct fixture *f = *state;
	struct ifs_process *agent;
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	agent = ifs_process_new(f->kernel, NULL);
	assert_non_null(agent);
	assert_true(ifs_send_fd(vmm.process, vmm.session, agent) >= 0);
	ifs_exit(f->process);
	f->process = agent;
	fixture_assert_dma_fine(f, 8);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	vmm.memfd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_MEMFD);
	vmm.iommufd = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_IOMMUFD);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		vmm.vfio[i] = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_DEVICE + i);
	vmm_rebuild(&vmm);
}

/*
 * A VMM that dies after it has retrieved some of its files would leave a device writing into memory
 * that was given to somebody else.
 */
static void vmm_dies_after(struct fixture *f, int retrieved)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct vmm vmm;
	int fd;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	const uint64_t tokens[] = { VMM_TOKEN_MEMFD, VMM_TOKEN_IOMMUFD, VMM_TOKEN_DEVICE,
				    VMM_TOKEN_DEVICE + 1 };

	for (int i = 0; i < retrieved; i++)
		assert_true(vmm_try_retrieve(&vmm, vmm.session, tokens[i]) >= 0);
	ifs_exit(f->process);
	fixture_check(f);
	/* The memory is taken again at once; what devices still reach must not be it. */
	f->process = vmm.process = ifs_process_new(f->kernel, NULL);
	fd = vmm_memfd(&vmm, 64ull << 20);
	assert_int_equal(ifs_fallocate(f->process, fd, 0, 0, 64ll << 20), 0);
	ifs_machine_run(f->machine, 64);
	ifs_machine_get_stats(f->machine, &stats);
	assert_int_equal(stats.dma_astray, 0);
	assert_int_equal(stats.dma_corrupt, 0);
	stop_streams(f);
}

static void test_vmm_dies_after_session_no_dma_astray(void **state)
{
	vmm_dies_after(*state, 0);
}

static void test_vmm_dies_after_memfd_no_dma_astray(void **state)
{
	vmm_dies_after(*state, 1);
}

static void test_vmm_dies_after_iommufd_no_dma_astray(void **state)
{
	vmm_dies_after(*state, 2);
}

static void test_vmm_dies_after_all_no_dma_astray(void **state)
{
	vmm_dies_after(*state, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
		T(test_dup_close_one_context_stays),
		T(test_fork_parent_dies_child_goes_on),
		T(test_fork_child_maps_the_same_file),
		T(test_send_fd_shares_object_ids),
		T(test_exit_with_everything_open_leaves_nothing),
		T(test_session_held_by_agent_survives_vmm),
		T(test_vmm_dies_after_session_no_dma_astray),
		T(test_vmm_dies_after_memfd_no_dma_astray),
		T(test_vmm_dies_after_iommufd_no_dma_astray),
		T(test_vmm_dies_after_all_no_dma_astray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
