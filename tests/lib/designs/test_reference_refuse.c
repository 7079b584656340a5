/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the reference design cannot hand over: it says so, and before anything has changed. A design
 * that took a nesting parent for an ordinary HWPT would restore a guest's device on the wrong
 * tables.
 */
#include "tests/lib/designs/lab.h"

#include "tests/lib/iommufd/mock_test.h"

/* Preserves the iommufd, wants @want, and wants nothing changed. */
static void refuse(struct vmm *vmm, int want)
{
	uint64_t before = ifs_kernel_state_hash(vmm->f->kernel);

	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd, VMM_TOKEN_IOMMUFD),
			 want);
	assert_int_equal(ifs_kernel_state_hash(vmm->f->kernel), before);
	fixture_check(vmm->f);
}

/* A VMM with a session that has its memory; what is marked is all that is missing. */
static void start(struct vmm *vmm, struct fixture *f)
{
	vmm_start(vmm, f);
	vmm->session = vmm_try_create_session(vmm, "vmm");
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->memfd, VMM_TOKEN_MEMFD), 0);
}

/* Marks @hwpt, wants the iommufd refused, and preserved once @hwpt is not marked any more. */
static void refuse_marked(struct vmm *vmm, uint32_t hwpt, int want)
{
	assert_int_equal(lab_mark(vmm, hwpt, 7), 0);
	refuse(vmm, want);
	assert_int_equal(lab_unmark(vmm, hwpt), 0);
}

/* Faults would go to a queue that is gone, and their devices wait for ever. */
static void test_preserve_fault_capable_hwpt_is_refused(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = IOMMU_HWPT_FAULT_ID_VALID };
	struct vmm vmm;
	int fault_fd = -1;

	start(&vmm, f);
	cmd.dev_id = vmm.dev_id[0];
	cmd.pt_id = vmm.ioas;
	cmd.fault_id = t_fault_queue(f, vmm.iommufd, &fault_fd);
	assert_int_equal(ifs_ioctl(f->process, vmm.iommufd, IOMMU_HWPT_ALLOC, &cmd), 0);
	refuse_marked(&vmm, cmd.out_hwpt_id, -EOPNOTSUPP);
	/* One that is not marked is nobody's business. */
	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD), 0);
}

/* The guest's tables, its device names and its queues stay behind in the old kernel. */
static void test_preserve_nesting_parent_is_refused(void **state)
{
	struct fixture *f = *state;
	int64_t ioas, parent, pasids, viommu, nested;
	struct mock dev;
	struct vmm vmm;

	start(&vmm, f);
	ioas = t_ioas_alloc(f, vmm.iommufd);
	assert_int_equal(t_mock(f, vmm.iommufd, ioas, MOCK_FLAGS_DEVICE_PASID, &dev), 0);
	parent = t_hwpt_alloc(f, vmm.iommufd, IOMMU_HWPT_ALLOC_NEST_PARENT, dev.idev, ioas);
	refuse_marked(&vmm, parent, -EOPNOTSUPP);
	viommu = t_viommu(f, vmm.iommufd, dev.idev, parent, NULL);
	assert_true(viommu > 0);
	assert_true(t_vdevice(f, vmm.iommufd, viommu, dev.idev, 1) > 0);
	nested = t_nested(f, vmm.iommufd, dev.idev, viommu, 0, 0, 1);
	assert_int_equal(t_mock_replace(f, vmm.iommufd, dev.stdev, nested), nested);
	refuse_marked(&vmm, parent, -EOPNOTSUPP);
	/* There is nothing to mark about a nested one. */
	assert_int_equal(lab_mark(&vmm, nested, 7), -ENOENT);

	pasids = t_hwpt_alloc(f, vmm.iommufd, IOMMU_HWPT_ALLOC_PASID, dev.idev, ioas);
	refuse_marked(&vmm, pasids, -EOPNOTSUPP);
	/* And of a device that is no hardware nothing can be handed over at all. */
	pasids = t_hwpt_alloc(f, vmm.iommufd, 0, dev.idev, ioas);
	refuse_marked(&vmm, pasids, -EOPNOTSUPP);

	assert_int_equal(lab_mark(&vmm, vmm.hwpt, 1), 0);
	assert_int_equal(vmm_try_preserve(&vmm, vmm.session, vmm.iommufd, VMM_TOKEN_IOMMUFD), 0);
}

/* Frames of an exporter would be used for something else while the device still writes there. */
static void test_preserve_dmabuf_is_refused(void **state)
{
	struct fixture *f = *state;
	struct iommu_test_cmd get = { .op = IOMMU_TEST_OP_DMABUF_GET,
				      .dmabuf_get = { .length = 0x1000, .open_flags = O_CLOEXEC } };
	struct vmm vmm;
	int64_t other;
	int dmabuf;

	start(&vmm, f);
	dmabuf = ifs_dup(f->process, vmm.memfd);
	assert_int_equal(ifs_close(f->process, dmabuf), 0);
	assert_true(t_test(f, vmm.iommufd, &get) >= 0);
	/* At the lowest free number, whatever the call returns. */
	other = t_ioas_alloc(f, vmm.iommufd);
	assert_int_equal(t_map_file(f, vmm.iommufd, other, FIXED | RD | WR, dmabuf, 0, 0x1000,
				    0x100000), 0x100000);
	refuse_marked(&vmm, vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], other), -EOPNOTSUPP);
	assert_int_equal(ifs_close(f->process, dmabuf), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_preserve_fault_capable_hwpt_is_refused),
		T(test_preserve_nesting_parent_is_refused),
		T(test_preserve_dmabuf_is_refused),
	};

	return cmocka_run_group_tests_name("reference: refusals", tests, NULL, NULL);
}
