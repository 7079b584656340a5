/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Attaching by PASID: which HWPTs go together, and what each call answers. */
#include "tests/lib/iommufd/mock_test.h"

struct setup {
	int fd;
	uint32_t ioas, plain, rid, other;
	struct mock dev;
};

/* The device starts on its auto HWPT; rid and other are HWPTs for PASIDs, plain is none. */
static void set_up(struct fixture *f, struct setup *s)
{
	s->fd = t_open(f);
	s->ioas = t_ioas_alloc(f, s->fd);
	assert_int_equal(t_mock(f, s->fd, s->ioas, MOCK_FLAGS_DEVICE_PASID, &s->dev), 0);
	s->plain = t_hwpt_alloc(f, s->fd, 0, s->dev.idev, s->ioas);
	s->rid = t_hwpt_alloc(f, s->fd, IOMMU_HWPT_ALLOC_PASID, s->dev.idev, s->ioas);
	s->other = t_hwpt_alloc(f, s->fd, IOMMU_HWPT_ALLOC_PASID, s->dev.idev, s->ioas);
}

/* A PASID would run on tables that the hardware does not walk for PASIDs. */
static void test_pasid_attach_wants_hwpts_made_for_pasids(void **state)
{
	struct fixture *f = *state;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.idev, 10, s.rid), -ENOENT);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, 99), -ENOENT);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.plain), -EINVAL);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.ioas), -EINVAL);
	/* The requester id is on a HWPT that is not. */
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.rid), -EINVAL);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 0, s.rid), -EBUSY);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 1u << 20, s.rid), -EINVAL);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, (1u << 20) - 1, s.rid), s.rid);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, (1u << 20) - 1), 0);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.rid), s.rid);
	/* And cannot leave as long as a PASID is attached. */
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.plain), -EINVAL);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.ioas), -EINVAL);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.other), s.other);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, 10), 0);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.plain), s.plain);
}

/* Attach, replace and detach would disagree about what is there. */
static void test_pasid_attach_replace_detach_follow_the_state(void **state)
{
	struct fixture *f = *state;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.rid), s.rid);
	assert_int_equal(t_pasid_check(f, s.fd, s.dev.stdev, 10, 0), 0);
	assert_int_equal(t_pasid_replace(f, s.fd, s.dev.stdev, 10, s.rid), -EINVAL);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, 10), 0);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.rid), -EBUSY);
	assert_int_equal(t_pasid_check(f, s.fd, s.dev.stdev, 10, s.rid), 0);
	assert_int_equal(t_pasid_check(f, s.fd, s.dev.stdev, 10, 0), -EINVAL);
	assert_int_equal(t_pasid_check(f, s.fd, s.dev.stdev, 10, s.other), -EINVAL);
	assert_int_equal(t_pasid_replace(f, s.fd, s.dev.stdev, 10, s.rid), s.rid);
	assert_int_equal(t_pasid_replace(f, s.fd, s.dev.stdev, 10, s.plain), -EINVAL);
	assert_int_equal(t_pasid_check(f, s.fd, s.dev.stdev, 10, s.rid), 0);
	assert_int_equal(t_pasid_replace(f, s.fd, s.dev.stdev, 10, s.other), s.other);
	assert_int_equal(t_pasid_check(f, s.fd, s.dev.stdev, 10, s.other), 0);
	assert_int_equal(t_destroy(f, s.fd, s.other), -EBUSY);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, 10), 0);
	assert_int_equal(t_destroy(f, s.fd, s.other), 0);
}

/* A failed replace would leave the PASID on the new HWPT, or on none. */
static void test_pasid_replace_refused_by_driver_keeps_the_old(void **state)
{
	struct fixture *f = *state;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 1024, s.rid), s.rid);
	assert_int_equal(t_pasid_replace(f, s.fd, s.dev.stdev, 1024, s.other), -ENOMEM);
	assert_int_equal(t_pasid_check(f, s.fd, s.dev.stdev, 1024, s.rid), 0);
	assert_int_equal(t_destroy(f, s.fd, s.other), 0);
	s.other = t_hwpt_alloc(f, s.fd, IOMMU_HWPT_ALLOC_PASID, s.dev.idev, s.ioas);
	assert_int_equal(t_pasid_replace(f, s.fd, s.dev.stdev, 1024, s.other), s.other);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, 1024), 0);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 1024, s.rid), s.rid);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, 1024), 0);
}

/* A device without PASIDs would be given one. */
static void test_pasid_attach_device_without_pasids_is_refused(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	struct mock dev;
	int64_t ioas, hwpt;

	ioas = t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, ioas, 0, &dev), 0);
	hwpt = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_PASID, dev.idev, ioas);
	assert_int_equal(t_mock_replace(f, fd, dev.stdev, hwpt), hwpt);
	assert_int_equal(t_pasid_attach(f, fd, dev.stdev, 10, hwpt), -EINVAL);
}

/* A fault of a PASID would be delivered to whoever has the device. */
static void test_pasid_fault_goes_to_the_pasids_queue(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd),
					.flags = IOMMU_HWPT_ALLOC_PASID |
						 IOMMU_HWPT_FAULT_ID_VALID };
	struct iommu_hwpt_pgfault got;
	int fault_fd = -1;
	struct setup s;

	set_up(f, &s);
	cmd.dev_id = s.dev.idev;
	cmd.pt_id = s.ioas;
	cmd.fault_id = t_fault_queue(f, s.fd, &fault_fd);
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HWPT_ALLOC, &cmd), 0);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, cmd.out_hwpt_id),
			 cmd.out_hwpt_id);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 1), 0);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 11, 2), 0);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 10, 3), 0);
	assert_int_equal(ifs_read(f->process, fault_fd, &got, 40), 40);
	assert_int_equal(got.grpid, 3);
	assert_int_equal(got.pasid, 10);
	assert_int_equal(got.flags, 3);
	assert_int_equal(ifs_read(f->process, fault_fd, &got, 40), 0);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, 10), 0);
}

/* The device, its HWPTs and all their memory would be lost with the object that stands for it. */
static void test_destroy_mock_device_fixed_detaches_its_pasids(void **state)
{
	struct fixture *f = *state;
	struct setup s;

	f->kernel_config.exact = IFS_OFF;
	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	fixture_boot(f);
	set_up(f, &s);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 1000, s.other), s.other);
	assert_int_equal(t_destroy(f, s.fd, s.dev.stdev), 0);
	assert_int_equal(t_destroy(f, s.fd, s.dev.idev), -ENOENT);
	assert_int_equal(t_destroy(f, s.fd, s.rid), 0);
	assert_int_equal(t_destroy(f, s.fd, s.other), 0);
}

/* Linux 7.3 does lose them, and says so: twice with WARN. Who compares must see the same. */
static void test_destroy_mock_device_exact_loses_its_pasids(void **state)
{
	struct fixture *f = *state;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.other), s.other);
	fixture_expect(f, IFS_RULE_WARN, 2);
	assert_int_equal(t_destroy(f, s.fd, s.dev.stdev), 0);
	assert_int_equal(t_destroy(f, s.fd, s.dev.idev), -EBUSY);
	assert_int_equal(t_destroy(f, s.fd, s.rid), 0);
	assert_int_equal(t_destroy(f, s.fd, s.other), -EBUSY);
	/* The device that nobody can reach any more is still looked at. */
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 10, 1), 0);
	ifs_kernel_drop(f->kernel);
	f->kernel = NULL;
}

/* A test that forgot a PASID would be aborted instead of told what it lost. */
static void test_shutdown_with_a_lost_mock_device_names_leaks(void **state)
{
	struct fixture *f = *state;
	struct setup s;
	int memfd;

	set_up(f, &s);
	memfd = ifs_memfd_create(f->process, "held", 0);
	assert_int_equal(ifs_ftruncate(f->process, memfd, 0x4000), 0);
	assert_int_equal(t_map_file(f, s.fd, s.ioas, 7, memfd, 0, 0x4000, 0x1000000), 0x1000000);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.rid), s.rid);
	assert_int_equal(t_pasid_attach(f, s.fd, s.dev.stdev, 10, s.other), s.other);
	fixture_expect(f, IFS_RULE_WARN, FIXTURE_ANY);
	fixture_expect(f, IFS_RULE_LEAK, FIXTURE_ANY);
	assert_true(ifs_kernel_shutdown(f->kernel) > 0);
	f->kernel = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_pasid_attach_wants_hwpts_made_for_pasids),
		T(test_pasid_attach_replace_detach_follow_the_state),
		T(test_pasid_replace_refused_by_driver_keeps_the_old),
		T(test_pasid_attach_device_without_pasids_is_refused),
		T(test_pasid_fault_goes_to_the_pasids_queue),
		T(test_destroy_mock_device_fixed_detaches_its_pasids),
		T(test_destroy_mock_device_exact_loses_its_pasids),
		T(test_shutdown_with_a_lost_mock_device_names_leaks),
	};

	return cmocka_run_group_tests_name("iommufd: PASIDs", tests, NULL, NULL);
}
