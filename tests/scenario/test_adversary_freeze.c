/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Another subsystem that refuses to freeze, or to preserve, at the last moment; and who may have
 * what the previous kernel left.
 */
#include "tests/harness/guests.h"

#include <errno.h>
#include <string.h>

#include <iommufd-sim/proto/design.h>

/* What the handler of /dev/null does in this test. */
static struct {
	int preserve, freeze;
	unsigned frozen, unfrozen;
} moody;

static bool moody_can_preserve(const struct liveupdate_file_handler *handler, struct file *file)
{
	return !ifs_vfio_device_from_file(file) && file->f_op->name &&
	       !strcmp(file->f_op->name, "/dev/null");
}

static int moody_preserve(struct liveupdate_file_op_args *args)
{
	return moody.preserve;
}

static void moody_unpreserve(struct liveupdate_file_op_args *args)
{
}

static int moody_freeze(struct liveupdate_file_op_args *args)
{
	moody.frozen++;
	return moody.freeze;
}

static void moody_unfreeze(struct liveupdate_file_op_args *args)
{
	moody.unfrozen++;
}

static int moody_retrieve(struct liveupdate_file_op_args *args)
{
	return -EOPNOTSUPP;
}

static const struct liveupdate_file_ops moody_ops = {
	.can_preserve = moody_can_preserve,
	.preserve = moody_preserve,
	.unpreserve = moody_unpreserve,
	.freeze = moody_freeze,
	.unfreeze = moody_unfreeze,
	.retrieve = moody_retrieve,
	.finish = moody_unpreserve,
};

static const struct liveupdate_file_handler moody_handler = {
	.ops = &moody_ops,
	.compatible = "moody-v1",
};

static int module_init_with_moody(void *kernel_data)
{
	int rc = ifs_design_reference()->module_init(kernel_data);

	return rc ? rc : liveupdate_register_file_handler(&moody_handler);
}

static void module_exit_with_moody(void *kernel_data)
{
	liveupdate_unregister_file_handler(&moody_handler);
	ifs_design_reference()->module_exit(kernel_data);
}

/* A guest with everything preserved but /dev/null. */
static struct guest start(struct host *host, struct ifs_design *design, int *null)
{
	struct guest guest;

	*design = *ifs_design_reference();
	design->module_init = module_init_with_moody;
	design->module_exit = module_exit_with_moody;
	memset(&moody, 0, sizeof(moody));
	host_start(host, &(struct host_config){ .nr_devices = 2 });
	ifs_kernel_shutdown(host->kernel);
	host->kernel_config.custom_design = design;
	host_boot(host);
	guest = guest_new(host, "vmm", 0, 2);
	guest_run(&guest, GUEST_OPEN, GUEST_KEEP_MEMFD);
	*null = vmm_open(&guest.vmm, "/dev/null");
	return guest;
}

static void refused_then_works(bool first_in_list, bool close_session)
{
	struct ifs_design design;
	struct host host;
	int null;
	struct guest guest = start(&host, &design, &null);
	struct vmm *vmm = &guest.vmm;

	if (first_in_list)
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, null, 9), 0);
	guest_run(&guest, GUEST_KEEP_MEMFD, GUEST_OLD_END);
	if (!first_in_list)
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, null, 9), 0);
	moody.freeze = -EAGAIN;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ifs_kernel_kexec(host.kernel), -EAGAIN);
		assert_null(ifs_kernel_check(host.kernel));
		guest_assert_alive(&guest);
	}
	assert_int_equal(moody.frozen, 3);
	assert_int_equal(moody.unfrozen, 0);
	/* Preserved still, or open again, as the VMM likes. */
	assert_int_equal(vmm_try_unmap(vmm, vmm->iommufd, vmm->ioas, 0, guest.bytes), -EBUSY);
	if (close_session) {
		assert_int_equal(ifs_close(vmm->process, vmm->session), 0);
		assert_int_equal(vmm_try_map(vmm, vmm->iommufd, vmm->ioas, vmm->memfd, 1ull << 40,
					     0x1000), 0);
		guest_run(&guest, GUEST_SESSION, GUEST_OLD_END);
	}
	moody.freeze = 0;
	host_kexec(&host);
	guest_assert_alive(&guest);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&guest);
	host_end(&host);
}

/* A kexec that is called off would leave the guest half frozen, or its records half written. */
static void test_freeze_refused_by_another_handler_undoes_all(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		refused_then_works(i & 1, i & 2);
}

/* A file that cannot be preserved would drag down those that are. */
static void test_preserve_refused_by_another_handler_changes_nothing(void **state)
{
	struct ifs_design design;
	struct host host;
	int null;
	struct guest guest = start(&host, &design, &null);
	uint64_t before;

	guest_run(&guest, GUEST_KEEP_MEMFD, GUEST_OLD_END);
	moody.preserve = -ENXIO;
	before = ifs_kernel_state_hash(host.kernel);
	assert_int_equal(vmm_try_preserve(&guest.vmm, guest.vmm.session, null, 9), -ENXIO);
	assert_true(ifs_kernel_state_hash(host.kernel) == before);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	host_end(&host);
}

/* Another VMM, with equal tokens even, would get at a guest's devices; dead or alive. */
static void test_stranger_gets_nothing_until_the_owner_is_gone(void **state)
{
	struct host host;
	struct guest a, b, stranger;

	host_start(&host, &(struct host_config){ .nr_devices = 2 });
	a = guest_new(&host, "a", 0, 1);
	b = guest_new(&host, "b", 1, 1);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	guest_run(&b, GUEST_OPEN, GUEST_OLD_END);
	host_kexec(&host);
	guest_process(&a);
	guest_process(&b);
	stranger = guest_new(&host, "c", 0, 1);
	guest_run(&stranger, GUEST_OPEN, GUEST_BIND);
	assert_int_equal(vmm_try_bind(&stranger.vmm, stranger.vfio[0], stranger.vmm.iommufd,
				      &stranger.dev_id[0]), -EPERM);
	guest_run(&b, GUEST_GET_SESSION, GUEST_REBIND);
	/* The same tokens, another owner: b's iommufd is no key to a's device. */
	guest_run(&a, GUEST_GET_SESSION, GUEST_GET_DEVICES);
	a.vfio[0] = vmm_try_retrieve(&a.vmm, a.vmm.session, VMM_TOKEN_DEVICE);
	assert_int_equal(vmm_try_bind(&b.vmm, ifs_send_fd(a.vmm.process, a.vfio[0], b.vmm.process),
				      b.vmm.iommufd, &b.dev_id[0]), -EPERM);
	guest_assert_alive(&a);
	guest_assert_alive(&b);
	/* A session is claimed once; another name is no name. */
	stranger.vmm.liveupdate = vmm_open(&stranger.vmm, "/dev/liveupdate");
	assert_int_equal(vmm_try_retrieve_session(&stranger.vmm, "a"), -EINVAL);
	assert_int_equal(vmm_try_retrieve_session(&stranger.vmm, "c"), -ENOENT);
	guest_run(&b, GUEST_REBIND, GUEST_END);
	guest_assert_alive(&a);
	guest_die(&b);
	guest_assert_alive(&a);
	guest_die(&a);
	guest_run(&stranger, GUEST_BIND, GUEST_MARK);
	guest_assert_alive(&stranger);
	host_end(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freeze_refused_by_another_handler_undoes_all),
		cmocka_unit_test(test_preserve_refused_by_another_handler_changes_nothing),
		cmocka_unit_test(test_stranger_gets_nothing_until_the_owner_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
