/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every fail point of the calls around nesting, faults, vIOMMUs and PASIDs fails once: the call
 * says so, nothing has changed, and the same call then works.
 */
#include "tests/lib/iommufd/mock_test.h"

struct scene {
	struct fixture *f;
	int fd, memfd, fault_fd, veventq_fd;
	uint32_t ioas, parent, fault, viommu, nested, rid, other;
	struct mock dev;
	struct iommu_viommu_selftest data;
	void *at;
};

static int64_t call_parent(struct scene *s)
{
	return t_hwpt_alloc(s->f, s->fd, IOMMU_HWPT_ALLOC_NEST_PARENT, s->dev.idev, s->ioas);
}

static int64_t call_fault_queue(struct scene *s)
{
	return t_fault_queue(s->f, s->fd, &s->fault_fd);
}

static int64_t call_nested(struct scene *s)
{
	return t_nested(s->f, s->fd, s->dev.idev, s->parent, IOMMU_HWPT_FAULT_ID_VALID, s->fault,
			1);
}

static int64_t call_replace_nested(struct scene *s)
{
	return t_mock_replace(s->f, s->fd, s->dev.stdev, s->nested);
}

static int64_t call_viommu(struct scene *s)
{
	return t_viommu(s->f, s->fd, s->dev.idev, s->parent, &s->data);
}

static int64_t call_mmap(struct scene *s)
{
	return ifs_mmap(s->f->process, 0x2000, PROT_READ, MAP_SHARED, s->fd,
			(off_t)s->data.out_mmap_offset, &s->at);
}

static int64_t call_vdevice(struct scene *s)
{
	return t_vdevice(s->f, s->fd, s->viommu, s->dev.idev, 0x123456789abcull);
}

static int64_t call_nested_on_viommu(struct scene *s)
{
	return t_nested(s->f, s->fd, s->dev.idev, s->viommu, 0, 0, 1);
}

static int64_t call_veventq(struct scene *s)
{
	return t_veventq(s->f, s->fd, s->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 4, &s->veventq_fd);
}

static int64_t call_hw_queue(struct scene *s)
{
	return t_hw_queue(s->f, s->fd, s->viommu, 0, 0x1000000, 0x3000);
}

static int64_t call_replace_rid(struct scene *s)
{
	return t_mock_replace(s->f, s->fd, s->dev.stdev, s->rid);
}

static int64_t call_pasid_attach(struct scene *s)
{
	return t_pasid_attach(s->f, s->fd, s->dev.stdev, 77, s->rid);
}

static int64_t call_pasid_replace(struct scene *s)
{
	return t_pasid_replace(s->f, s->fd, s->dev.stdev, 77, s->other);
}

/* HWPT_ALLOC has -EINVAL for a pt_id that is not there. */
static bool is_unknown_pt(const char *call, const char *point, int64_t rc)
{
	return rc == -22 && !strncmp(call, "HWPT_ALLOC", 10) &&
	       !strcmp(point, "iommufd_get_object");
}

static int64_t sweep(struct scene *s, const char *name, int64_t (*call)(struct scene *))
{
	for (uint64_t nth = 1; nth < 1000; nth++) {
		struct ifs_failure failure = { .size = sizeof(failure) };
		uint64_t hash = ifs_kernel_state_hash(s->f->kernel);
		bool fired;
		int64_t rc;

		ifs_kernel_fail_nth(s->f->kernel, nth, false);
		rc = call(s);
		fired = ifs_kernel_fail_fired(s->f->kernel, NULL);
		ifs_kernel_fail_nth(s->f->kernel, 0, false);
		fixture_check(s->f);
		if (!fired) {
			if (rc < 0)
				fail_msg("%s fails with %lld without a reason", name,
					 (long long)rc);
			return rc;
		}
		assert_true(ifs_kernel_get_failure(s->f->kernel, &failure));
		if (rc != failure.error && !is_unknown_pt(name, failure.point, rc))
			fail_msg("%s, %s fails: %lld", name, failure.point, (long long)rc);
		if (ifs_kernel_state_hash(s->f->kernel) != hash)
			fail_msg("%s, %s fails: state changed", name, failure.point);
	}
	fail_msg("%s never succeeds", name);
	return 0;
}

/* Under memory pressure a guest would keep half a vIOMMU, or lose the device's tables. */
static void test_every_point_failing_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct scene s = { .f = f };

	s.fd = t_open(f);
	s.memfd = ifs_memfd_create(f->process, "m", 0);
	assert_int_equal(ifs_ftruncate(f->process, s.memfd, 0x8000), 0);
	s.ioas = t_ioas_alloc(f, s.fd);
	assert_int_equal(t_mock(f, s.fd, s.ioas, MOCK_FLAGS_DEVICE_PASID, &s.dev), 0);
	assert_int_equal(t_map_file(f, s.fd, s.ioas, FIXED | RD | WR, s.memfd, 0, 0x8000,
				    0x1000000), 0x1000000);
	s.parent = sweep(&s, "HWPT_ALLOC of a parent", call_parent);
	s.fault = sweep(&s, "FAULT_QUEUE_ALLOC", call_fault_queue);
	s.nested = sweep(&s, "HWPT_ALLOC on a parent", call_nested);
	sweep(&s, "replace by a nested HWPT", call_replace_nested);
	s.viommu = sweep(&s, "VIOMMU_ALLOC", call_viommu);
	sweep(&s, "mmap", call_mmap);
	sweep(&s, "VDEVICE_ALLOC", call_vdevice);
	s.nested = sweep(&s, "HWPT_ALLOC on a vIOMMU", call_nested_on_viommu);
	sweep(&s, "replace by a vIOMMU's HWPT", call_replace_nested);
	sweep(&s, "VEVENTQ_ALLOC", call_veventq);
	sweep(&s, "HW_QUEUE_ALLOC", call_hw_queue);
	s.rid = t_hwpt_alloc(f, s.fd, IOMMU_HWPT_ALLOC_PASID, s.dev.idev, s.ioas);
	s.other = t_hwpt_alloc(f, s.fd, IOMMU_HWPT_ALLOC_PASID, s.dev.idev, s.ioas);
	sweep(&s, "replace by a HWPT for PASIDs", call_replace_rid);
	sweep(&s, "attach of a PASID", call_pasid_attach);
	sweep(&s, "replace of a PASID", call_pasid_replace);
	assert_int_equal(t_pasid_detach(f, s.fd, s.dev.stdev, 77), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_every_point_failing_changes_nothing) };

	return cmocka_run_group_tests_name("iommufd: no memory for vIOMMUs", tests, NULL, NULL);
}
