/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Userspace may retrieve the memory, the iommufd and the devices in any order it likes. */
#include "tests/harness/vmm.h"

#include <errno.h>

enum what { MEMFD, IOMMUFD, DEVICES };

static void retrieve_one(struct vmm *vmm, enum what what)
{
	switch (what) {
	case MEMFD:
		vmm->memfd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_MEMFD);
		assert_true(vmm->memfd >= 0);
		break;
	case IOMMUFD:
		vmm->iommufd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_IOMMUFD);
		assert_true(vmm->iommufd >= 0);
		break;
	case DEVICES:
		for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
			vmm->vfio[i] = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_DEVICE + i);
			assert_true(vmm->vfio[i] >= 0);
		}
		break;
	}
	fixture_assert_dma_fine(vmm->f, 4);
	fixture_check(vmm->f);
}

static void update_in_order(struct fixture *f, enum what a, enum what b, enum what c)
{
	struct vmm vmm;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	retrieve_one(&vmm, a);
	retrieve_one(&vmm, b);
	retrieve_one(&vmm, c);
	vmm_rebuild(&vmm);
}

/* For each: a VMM that retrieves in this order would hang, be refused, or lose DMA. */
static void test_retrieve_memfd_iommufd_devices_works(void **state)
{
	update_in_order(*state, MEMFD, IOMMUFD, DEVICES);
}

static void test_retrieve_memfd_devices_iommufd_works(void **state)
{
	update_in_order(*state, MEMFD, DEVICES, IOMMUFD);
}

static void test_retrieve_iommufd_memfd_devices_works(void **state)
{
	update_in_order(*state, IOMMUFD, MEMFD, DEVICES);
}

static void test_retrieve_iommufd_devices_memfd_works(void **state)
{
	update_in_order(*state, IOMMUFD, DEVICES, MEMFD);
}

static void test_retrieve_devices_memfd_iommufd_works(void **state)
{
	update_in_order(*state, DEVICES, MEMFD, IOMMUFD);
}

static void test_retrieve_devices_iommufd_memfd_works(void **state)
{
	update_in_order(*state, DEVICES, IOMMUFD, MEMFD);
}

/* A token asked for twice would give two files, or fail the VMM that lost a descriptor. */
static void test_retrieve_twice_gives_same_file(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	int again;

	vmm_start(&vmm, f);
	vmm_preserve_all(&vmm);
	fixture_kexec(f);
	vmm_reopen(&vmm);
	retrieve_one(&vmm, MEMFD);
	again = vmm_try_retrieve(&vmm, vmm.session, VMM_TOKEN_MEMFD);
	assert_true(again >= 0 && again != vmm.memfd);
	assert_int_equal(ifs_lseek(vmm.process, again, 77, 0), 77);
	assert_int_equal(ifs_lseek(vmm.process, vmm.memfd, 0, 1), 77);
	assert_int_equal(vmm_try_retrieve(&vmm, vmm.session, 0xdead), -ENOENT);
	retrieve_one(&vmm, IOMMUFD);
	retrieve_one(&vmm, DEVICES);
	vmm_rebuild(&vmm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
		T(test_retrieve_memfd_iommufd_devices_works),
		T(test_retrieve_memfd_devices_iommufd_works),
		T(test_retrieve_iommufd_memfd_devices_works),
		T(test_retrieve_iommufd_devices_memfd_works),
		T(test_retrieve_devices_memfd_iommufd_works),
		T(test_retrieve_devices_iommufd_memfd_works),
		T(test_retrieve_twice_gives_same_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
