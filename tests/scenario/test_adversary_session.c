/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The edges of a session: what else is in it, who holds what, in which order it all goes away. */
#include "tests/harness/guests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <iommufd-sim/proto/design.h>
#include <iommufd-sim/proto/luo.h>

#define TOKEN_EXTRA 0x99ull
#define PUNCH_HOLE 3            /* FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE */

static struct guest start(struct host *host, unsigned devices)
{
	struct guest guest;

	host_start(host, &(struct host_config){ .nr_devices = devices });
	guest = guest_new(host, "vmm", 0, devices);
	guest_run(&guest, GUEST_OPEN, GUEST_MARK);
	return guest;
}

static void finish_update(struct guest *guest)
{
	guest_run(guest, GUEST_REBIND, GUEST_END);
	guest_assert_alive(guest);
}

/*
 * A VMM that keeps its own state in a further memory file would find its guest's memory frozen for
 * ever, or the kernel would touch a file that is gone.
 */
static void extra_memfd(bool before_iommufd, bool retrieve_first, bool close_early)
{
	struct host host;
	struct guest guest = start(&host, 1);
	struct vmm *vmm = &guest.vmm;
	int extra = vmm_memfd(vmm, 0x4000);

	guest_run(&guest, GUEST_MARK, GUEST_KEEP_IOMMUFD);
	if (before_iommufd)
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, extra, TOKEN_EXTRA), 0);
	guest_run(&guest, GUEST_KEEP_IOMMUFD, GUEST_OLD_END);
	if (!before_iommufd)
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, extra, TOKEN_EXTRA), 0);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_GET_MEMFD);
	if (retrieve_first)
		extra = vmm_try_retrieve(vmm, vmm->session, TOKEN_EXTRA);
	guest_run(&guest, GUEST_GET_MEMFD, GUEST_REBIND);
	if (!retrieve_first)
		extra = vmm_try_retrieve(vmm, vmm->session, TOKEN_EXTRA);
	assert_true(extra >= 0);
	if (close_early) {
		assert_int_equal(ifs_close(vmm->process, extra), 0);
		assert_int_equal(ifs_close(vmm->process, vmm->memfd), 0);
		vmm->memfd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_MEMFD);
	}
	assert_int_equal(ifs_fallocate(vmm->process, vmm->memfd, PUNCH_HOLE, 0, 0x1000), -EPERM);
	finish_update(&guest);
	/* Thawed: only the mapping holds pages now, as in any kernel. */
	assert_int_equal(ifs_fallocate(vmm->process, vmm->memfd, PUNCH_HOLE,
				       (off_t)guest.bytes - 0x1000, 0x1000), 0);
	if (!close_early)
		assert_int_equal(ifs_fallocate(vmm->process, extra, PUNCH_HOLE, 0, 0x1000), 0);
	guest_die(&guest);
	host_end(&host);
}

static void test_memfd_beyond_the_mapped_ones_is_no_trouble(void **state)
{
	for (unsigned i = 0; i < 8; i++)
		extra_memfd(i & 1, i & 2, i & 4);
}

/*
 * Another open file of the device would be preserved in place of the bound one: whoever closes that
 * takes the device away, and the kexec with it.
 */
static void test_preserve_unbound_file_of_bound_device_is_refused(void **state)
{
	struct host host;
	struct guest guest = start(&host, 1);
	struct vmm *vmm = &guest.vmm;
	int second = vmm_open(vmm, "/dev/vfio/devices/vfio0");

	guest_run(&guest, GUEST_MARK, GUEST_KEEP_DEVICES);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, second, 7), -ENODEV);
	guest_run(&guest, GUEST_KEEP_DEVICES, GUEST_OLD_END);
	assert_int_equal(ifs_close(vmm->process, second), 0);
	assert_int_equal(ifs_close(vmm->process, guest.vfio[0]), 0);
	guest_assert_alive(&guest);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_REBIND);
	finish_update(&guest);
	host_end(&host);
}

/* Who closes what first would decide whether the guest lives. */
static void close_in_order(unsigned permutation, bool before_kexec)
{
	struct host host;
	struct guest guest = start(&host, 1);
	struct vmm *vmm = &guest.vmm;
	int fds[4];

	guest_run(&guest, GUEST_MARK, GUEST_OLD_END);
	if (!before_kexec) {
		host_kexec(&host);
		guest_process(&guest);
		guest_run(&guest, GUEST_GET_SESSION, GUEST_SWAP);
	}
	fds[0] = vmm->memfd;
	fds[1] = vmm->iommufd;
	fds[2] = guest.vfio[0];
	fds[3] = vmm->session;
	for (unsigned left = 4; left; left--) {
		unsigned pick = permutation % left;

		permutation /= left;
		assert_int_equal(ifs_close(vmm->process, fds[pick]), 0);
		fds[pick] = fds[left - 1];
		assert_null(ifs_kernel_check(host.kernel));
		ifs_machine_run(host.machine, 4);
	}
	guest_assert_cut_off(&guest);
	guest_die(&guest);
	guest = guest_new(&host, "vmm", 0, 1);
	guest_run(&guest, GUEST_OPEN, GUEST_OLD_END);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&guest);
	host_end(&host);
}

static void test_close_all_orders_before_kexec_leave_nothing(void **state)
{
	for (unsigned i = 0; i < 24; i++)
		close_in_order(i, true);
}

static void test_close_all_orders_after_kexec_leave_nothing(void **state)
{
	for (unsigned i = 0; i < 24; i++)
		close_in_order(i, false);
}

/* A session only, all other descriptors closed, would not be enough to carry a guest. */
static void test_only_the_session_is_open_at_kexec_works(void **state)
{
	struct host host;
	struct guest guest = start(&host, 2);

	guest_run(&guest, GUEST_MARK, GUEST_OLD_END);
	assert_int_equal(ifs_close(guest.vmm.process, guest.vmm.memfd), 0);
	assert_int_equal(ifs_close(guest.vmm.process, guest.vmm.iommufd), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ifs_close(guest.vmm.process, guest.vfio[i]), 0);
	guest_assert_alive(&guest);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&guest);
	host_end(&host);
}

/*
 * Context tables that appear after a unit was preserved would be unmarked without ever having been
 * marked, or stay marked for ever.
 */
static void test_bus_added_after_preserve_then_session_closed(void **state)
{
	struct ifs_kernel_stats before = { .size = sizeof(before) }, after = before;
	struct host host;
	struct guest a, b;

	host_start(&host, &(struct host_config){ .nr_devices = 9 });
	ifs_kernel_get_stats(host.kernel, &before);
	a = guest_new(&host, "a", 0, 1);
	b = guest_new(&host, "b", 8, 1);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	guest_run(&b, GUEST_OPEN, GUEST_MARK);
	assert_int_equal(ifs_close(a.vmm.process, a.vmm.session), 0);
	guest_assert_alive(&a);
	guest_assert_alive(&b);
	ifs_kernel_get_stats(host.kernel, &after);
	assert_int_equal(after.pages_preserved, before.pages_preserved);
	host_end(&host);
}

/* A session without files, or no session at all, would stop the kexec or the guest after it. */
static void test_empty_session_crosses_and_finishes(void **state)
{
	struct host host;
	struct guest guest;

	host_start(&host, &(struct host_config){ .nr_devices = 1 });
	guest = guest_new(&host, "empty", 0, 1);
	guest_run(&guest, GUEST_SESSION, GUEST_KEEP_MEMFD);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_GET_MEMFD);
	assert_int_equal(vmm_try_retrieve(&guest.vmm, guest.vmm.session, VMM_TOKEN_MEMFD), -ENOENT);
	guest_run(&guest, GUEST_FINISH, GUEST_DESTROY);
	guest_run(&guest, GUEST_CLOSE, GUEST_END);
	guest_run(&guest, GUEST_OPEN, GUEST_OLD_END);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&guest);
	host_end(&host);
}

/*
 * A marked HWPT that no device runs on, or one whose device stays behind, would keep its tables for
 * ever when nobody restores it.
 */
static void unattached_hwpt(bool attach, bool restore)
{
	struct host host;
	struct guest guest = start(&host, 2);
	struct vmm *vmm = &guest.vmm;
	uint32_t idle = vmm_hwpt(vmm, vmm->iommufd, guest.dev_id[0], vmm->ioas);

	assert_int_equal(vmm_try_mark(vmm, idle, 0), 0);
	if (attach)
		assert_int_equal(vmm_try_attach(vmm, guest.vfio[1], idle), 0);
	guest_run(&guest, GUEST_MARK, GUEST_KEEP_DEVICES);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, guest.vfio[0], VMM_TOKEN_DEVICE), 0);
	if (!attach)
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, guest.vfio[1],
						  VMM_TOKEN_DEVICE + 1), 0);
	else
		guest.count = 1;
	ifs_device_stream_stop(host.devices[1]);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_RESTORE);
	if (restore)
		assert_int_equal(vmm_try_restore(vmm, 0, &idle), 0);
	if (attach)
		assert_int_equal(ifs_device_dma_write(host.devices[1], 0, "x", 1, NULL),
				 IFS_DMA_FAULT);
	guest_run(&guest, GUEST_RESTORE, GUEST_END);
	if (restore)
		assert_int_equal(vmm_try_destroy(vmm, vmm->iommufd, idle), 0);
	ifs_machine_run(host.machine, 8);
	host_end(&host);
}

static void test_unattached_hwpt_is_given_back(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		unattached_hwpt(i & 1, i & 2);
}

/* A name as long as it may be would be cut on one side, and its owner not be found. */
static void test_longest_session_name_comes_back(void **state)
{
	char name[64], twin[64];
	struct host host;
	struct guest a, b;

	memset(name, 'n', 63);
	name[63] = 0;
	memcpy(twin, name, 64);
	twin[62] = 'm';
	host_start(&host, &(struct host_config){ .nr_devices = 2 });
	a = guest_new(&host, name, 0, 1);
	b = guest_new(&host, twin, 1, 1);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	guest_run(&b, GUEST_OPEN, GUEST_OLD_END);
	host_kexec(&host);
	guest_process(&b);
	guest_run(&b, GUEST_GET_SESSION, GUEST_END);
	guest_die(&b);
	guest_assert_alive(&a);
	guest_process(&a);
	guest_run(&a, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&a);
	host_end(&host);
}

/* A kexec that comes while a session is half taken over would lose the guest for good. */
static void test_kexec_in_the_midst_of_a_restore(void **state)
{
	for (enum guest_step step = GUEST_GET_MEMFD; step < GUEST_CLOSE; step++) {
		struct host host;
		struct guest guest = start(&host, 1);
		int rc;

		guest_run(&guest, GUEST_MARK, GUEST_OLD_END);
		host_kexec(&host);
		guest_process(&guest);
		guest_run(&guest, GUEST_GET_SESSION, step);
		rc = ifs_kernel_kexec(host.kernel);
		if (rc) {
			/* Refused: nothing has happened, and what was begun can be ended. */
			guest_assert_alive(&guest);
			guest_run(&guest, step, GUEST_END);
			guest_assert_alive(&guest);
		} else {
			ifs_machine_run(host.machine, 16);
			host_boot(&host);
			guest_assert_cut_off(&guest);
			ifs_device_stream_stop(host.devices[0]);
			guest = guest_new(&host, "vmm", 0, 1);
			guest_run(&guest, GUEST_OPEN, GUEST_MARK);
			guest_assert_alive(&guest);
		}
		host_end(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memfd_beyond_the_mapped_ones_is_no_trouble),
		cmocka_unit_test(test_preserve_unbound_file_of_bound_device_is_refused),
		cmocka_unit_test(test_close_all_orders_before_kexec_leave_nothing),
		cmocka_unit_test(test_close_all_orders_after_kexec_leave_nothing),
		cmocka_unit_test(test_only_the_session_is_open_at_kexec_works),
		cmocka_unit_test(test_bus_added_after_preserve_then_session_closed),
		cmocka_unit_test(test_empty_session_crosses_and_finishes),
		cmocka_unit_test(test_unattached_hwpt_is_given_back),
		cmocka_unit_test(test_longest_session_name_comes_back),
		cmocka_unit_test(test_kexec_in_the_midst_of_a_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
