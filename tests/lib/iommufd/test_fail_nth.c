/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every fail point of every call fails once: the call says so, nothing has changed, and the same
 * call then works.
 */
#include "tests/lib/iommufd/iommufd_test.h"

struct scene {
	struct fixture *f;
	int fd, vfio, memfd;
	uint32_t ioas, other, dev;
	uint8_t *buffer;
};

static int64_t call_ioas_alloc(struct scene *s)
{
	return t_ioas_alloc(s->f, s->fd);
}

static int64_t call_allow(struct scene *s)
{
	static const struct iommu_iova_range ranges[] = {
		{ 0x10000000, 0x1fffffff }, { 0, 0xfffffff },
	};

	return t_allow(s->f, s->fd, s->ioas, ranges, 2);
}

static int64_t call_map(struct scene *s)
{
	return t_map(s->f, s->fd, s->ioas, RD | WR | FIXED, (uintptr_t)s->buffer, 0x8000, 0x100000);
}

static int64_t call_hwpt_alloc(struct scene *s)
{
	return t_hwpt_alloc(s->f, s->fd, 0, s->dev, s->ioas);
}

/* Splits the pages that are pinned already, three times. */
static int64_t call_copy(struct scene *s)
{
	return t_copy(s->f, s->fd, s->ioas, s->ioas, RD | FIXED, 0x2000, 0x200000, 0x103000);
}

static int64_t call_map_file(struct scene *s)
{
	return t_map_file(s->f, s->fd, s->ioas, RD | WR | FIXED, s->memfd, 0x1000, 0x400000,
			  0x80000000);
}

static int64_t call_attach_auto(struct scene *s)
{
	return t_attach(s->f, s->vfio, s->ioas);
}

static int64_t call_replace_auto(struct scene *s)
{
	return t_attach(s->f, s->vfio, s->other);
}

static int64_t call_copy_other(struct scene *s)
{
	return t_copy(s->f, s->fd, s->other, s->ioas, RD | FIXED, 0x1000, 0x300000, 0x101000);
}

static int64_t call_unmap(struct scene *s)
{
	return t_unmap(s->f, s->fd, s->ioas, 0x100000, 0x8000);
}

static int64_t call_open(struct scene *s)
{
	return ifs_open(s->f->process, "/dev/iommu", O_RDWR);
}

static int64_t call_open_vfio(struct scene *s)
{
	return ifs_open(s->f->process, "/dev/vfio/devices/vfio1", O_RDWR);
}

/* HWPT_ALLOC has -EINVAL for a pt_id that is not there. */
static bool is_unknown_pt(const char *call, const char *point, int64_t rc)
{
	return rc == -22 && !strncmp(call, "HWPT_ALLOC", 10) &&
	       !strcmp(point, "iommufd_get_object");
}

/* Fails each point that @call reaches, one by one. Returns what it returned when none failed. */
static int64_t sweep(struct scene *s, const char *name, int64_t (*call)(struct scene *))
{
	for (uint64_t nth = 1; nth < 1000; nth++) {
		struct ifs_failure failure = { .size = sizeof(failure) };
		uint64_t hash = ifs_kernel_state_hash(s->f->kernel);
		int64_t rc;

		ifs_kernel_fail_nth(s->f->kernel, nth, false);
		rc = call(s);
		if (!ifs_kernel_fail_fired(s->f->kernel, NULL)) {
			ifs_kernel_fail_nth(s->f->kernel, 0, false);
			if (rc < 0)
				fail_msg("%s fails with %lld without a reason", name,
					 (long long)rc);
			fixture_check(s->f);
			return rc;
		}
		ifs_kernel_fail_nth(s->f->kernel, 0, false);
		fixture_check(s->f);
		assert_true(ifs_kernel_get_failure(s->f->kernel, &failure));
		if (rc != failure.error && !is_unknown_pt(name, failure.point, rc))
			fail_msg("%s, %s fails: %lld", name, failure.point, (long long)rc);
		if (ifs_kernel_state_hash(s->f->kernel) != hash)
			fail_msg("%s, %s fails: state changed", name, failure.point);
	}
	fail_msg("%s never succeeds", name);
	return 0;
}

static void test_every_point_failing_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct scene s = { .f = f, .buffer = t_buffer(0x8000) };

	s.fd = (int)sweep(&s, "open", call_open);
	s.vfio = (int)sweep(&s, "open vfio", call_open_vfio);
	s.memfd = ifs_memfd_create(f->process, "m", 0);
	assert_int_equal(ifs_ftruncate(f->process, s.memfd, 0x800000), 0);
	s.ioas = (uint32_t)sweep(&s, "IOAS_ALLOC", call_ioas_alloc);
	s.other = (uint32_t)sweep(&s, "IOAS_ALLOC", call_ioas_alloc);
	sweep(&s, "ALLOW_IOVAS", call_allow);
	assert_int_equal(t_allow(f, s.fd, s.ioas, NULL, 0), 0);
	s.dev = (uint32_t)t_bind(f, s.vfio, s.fd);
	sweep(&s, "MAP without a domain", call_map);
	sweep(&s, "HWPT_ALLOC", call_hwpt_alloc);
	assert_int_equal(t_unmap(f, s.fd, s.ioas, 0, MAX64), 0x8000);
	sweep(&s, "MAP with a domain", call_map);
	sweep(&s, "COPY of a part", call_copy);
	sweep(&s, "MAP_FILE", call_map_file);
	sweep(&s, "COPY to another space", call_copy_other);
	sweep(&s, "attach to an IOAS", call_attach_auto);
	sweep(&s, "replace by an IOAS", call_replace_auto);
	sweep(&s, "UNMAP", call_unmap);
	assert_int_equal(t_vm_pin(f), 1027);
	munmap(s.buffer, 0x8000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_every_point_failing_changes_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
