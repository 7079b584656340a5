/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every fail point of a list of calls fails once: mock devices, accesses, memory files, nesting,
 * vIOMMUs, PASIDs. A call that is refused must have changed nothing (the state hash), must leave
 * every invariant whole, and must go through when it is tried again; the fixture sees to it that
 * nothing leaks. In the end each point that there is must have failed somewhere.
 *
 * Buffers are as small as the selftest interface allows, so that calls work in several chunks.
 *
 * A call may also find another way: an attach that cannot have the HWPT of its first choice makes
 * one of its own. Then it goes through, and its further points are left out.
 */
#include "tests/lib/iommufd/mock_test.h"

#include <stdio.h>

#define PAGES_IOVA 0x1000000ull
#define FILE_IOVA 0x2000000ull
#define SLOW MOCK_ACCESS_RW_SLOW_PATH

struct scene {
	struct fixture *f;
	int fd, memfd, fault_fd, veventq_fd;
	int64_t ioas, other, access, parent, fault, nested, viommu, rid, rid2;
	struct mock first, second;
	struct iommu_viommu_selftest data;
	uint8_t *buffer;
	uint64_t injected, failed[64];
	char text[256];                 /* what is wrong */
};

struct step {
	const char *name;
	int64_t (*call)(struct scene *s);
};

static const struct iommu_iova_range allowed = { PAGES_IOVA, 0x3ffffff };

#define CALL(name, expression) \
	static int64_t name(struct scene *s) \
	{ \
		return expression; \
	}

CALL(open_iommu, s->fd = ifs_open(s->f->process, "/dev/iommu", O_RDWR));
CALL(make_memfd, s->memfd = ifs_memfd_create(s->f->process, "m", 0));
CALL(ioas_alloc, s->ioas = t_ioas_alloc(s->f, s->fd));
CALL(ioas_alloc_other, s->other = t_ioas_alloc(s->f, s->fd));
CALL(allow, t_allow(s->f, s->fd, s->ioas, &allowed, 1));
CALL(map, t_map(s->f, s->fd, s->ioas, FIXED | RD | WR, (uintptr_t)s->buffer, 0x10000, PAGES_IOVA));
CALL(map_file, t_map_file(s->f, s->fd, s->ioas, FIXED | RD | WR, s->memfd, 0, 0x9000, FILE_IOVA));
CALL(access_create, s->access = s_access(s->f, s->fd, s->ioas,
					 MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES));
CALL(access_pin, s_pin(s->f, s->fd, s->access, PAGES_IOVA + 0x2000, 0x3000, s->buffer + 0x2000,
		       MOCK_FLAGS_ACCESS_WRITE));
CALL(access_pin_around, s_pin(s->f, s->fd, s->access, PAGES_IOVA, 0x10000, s->buffer,
			      MOCK_FLAGS_ACCESS_WRITE));
CALL(access_pin_file, s_pin(s->f, s->fd, s->access, FILE_IOVA, 0x6000, NULL,
			    MOCK_FLAGS_ACCESS_WRITE));
CALL(rw_page, s_rw(s->f, s->fd, s->access, PAGES_IOVA + 8, 64, s->buffer + 0x8000, SLOW));
CALL(rw_pages, s_rw(s->f, s->fd, s->access, PAGES_IOVA + 8, 0x7000, s->buffer + 0x8000, SLOW));
CALL(rw_file, s_rw(s->f, s->fd, s->access, FILE_IOVA + 8, 0x5000, s->buffer, 0));
CALL(mock_first, t_mock(s->f, s->fd, s->ioas, MOCK_FLAGS_DEVICE_PASID, &s->first));
CALL(mock_again, t_mock(s->f, s->fd, s->ioas, 0, &s->second));
CALL(replace_other, t_mock_replace(s->f, s->fd, s->second.stdev, s->other));
CALL(copy, t_copy(s->f, s->fd, s->ioas, s->ioas, RD | FIXED, 0x2000, 0x3000000,
		  PAGES_IOVA + 0x3000));
CALL(copy_other, t_copy(s->f, s->fd, s->other, s->ioas, RD | FIXED, 0x9000, PAGES_IOVA, FILE_IOVA));
CALL(parent, s->parent = t_hwpt_alloc(s->f, s->fd, IOMMU_HWPT_ALLOC_NEST_PARENT, s->first.idev,
				      s->ioas));
CALL(fault_queue, s->fault = t_fault_queue(s->f, s->fd, &s->fault_fd));
CALL(nested, s->nested = t_nested(s->f, s->fd, s->first.idev, s->parent,
				  IOMMU_HWPT_FAULT_ID_VALID, s->fault, 1));
CALL(replace_nested, t_mock_replace(s->f, s->fd, s->first.stdev, s->nested));
CALL(viommu, s->viommu = t_viommu(s->f, s->fd, s->first.idev, s->parent, &s->data));
CALL(vdevice, t_vdevice(s->f, s->fd, s->viommu, s->first.idev, 0x99));
CALL(nested_on_viommu, s->nested = t_nested(s->f, s->fd, s->first.idev, s->viommu, 0, 0, 1));
CALL(veventq, t_veventq(s->f, s->fd, s->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 4, &s->veventq_fd));
CALL(hw_queue, t_hw_queue(s->f, s->fd, s->viommu, 0, PAGES_IOVA, 0x1000));
CALL(pasid_hwpt, s->rid = t_hwpt_alloc(s->f, s->fd, IOMMU_HWPT_ALLOC_PASID, s->first.idev,
				       s->ioas));
CALL(pasid_hwpt2, s->rid2 = t_hwpt_alloc(s->f, s->fd, IOMMU_HWPT_ALLOC_PASID, s->first.idev,
					 s->ioas));
CALL(replace_rid, t_mock_replace(s->f, s->fd, s->first.stdev, s->rid));
CALL(pasid_attach, t_pasid_attach(s->f, s->fd, s->first.stdev, 77, s->rid));
CALL(pasid_replace, t_pasid_replace(s->f, s->fd, s->first.stdev, 77, s->rid2));
CALL(pasid_detach, t_pasid_detach(s->f, s->fd, s->first.stdev, 77));
CALL(unmap, t_unmap(s->f, s->fd, s->ioas, 0x3000000, 0x2000));

static const struct step steps[] = {
	{ "open", open_iommu },
	{ "memfd_create", make_memfd },
	{ "IOAS_ALLOC", ioas_alloc },
	{ "IOAS_ALLOC again", ioas_alloc_other },
	{ "ALLOW_IOVAS", allow },
	{ "MAP without a domain", map },
	{ "MAP_FILE without a domain", map_file },
	{ "CREATE_ACCESS", access_create },
	{ "copy within a page", rw_page },
	{ "copy of unpinned pages", rw_pages },
	{ "copy of a file's pages", rw_file },
	{ "ACCESS_PAGES", access_pin },
	{ "ACCESS_PAGES of a file", access_pin_file },
	{ "attach of a first domain", mock_first },
	{ "ACCESS_PAGES over a domain", access_pin_around },
	{ "COPY", copy },
	{ "COPY to another IOAS", copy_other },
	{ "attach of a second device", mock_again },
	{ "replace by another IOAS", replace_other },
	{ "HWPT_ALLOC of a parent", parent },
	{ "FAULT_QUEUE_ALLOC", fault_queue },
	{ "HWPT_ALLOC on a parent", nested },
	{ "replace by a nested HWPT", replace_nested },
	{ "VIOMMU_ALLOC", viommu },
	{ "VDEVICE_ALLOC", vdevice },
	{ "HWPT_ALLOC on a vIOMMU", nested_on_viommu },
	{ "replace by a vIOMMU's HWPT", replace_nested },
	{ "VEVENTQ_ALLOC", veventq },
	{ "HW_QUEUE_ALLOC", hw_queue },
	{ "HWPT_ALLOC for PASIDs", pasid_hwpt },
	{ "HWPT_ALLOC for PASIDs again", pasid_hwpt2 },
	{ "replace by a HWPT for PASIDs", replace_rid },
	{ "attach of a PASID", pasid_attach },
	{ "replace of a PASID", pasid_replace },
	{ "detach of a PASID", pasid_detach },
	{ "UNMAP", unmap },
};

static void note_failure(struct scene *s, const char *name)
{
	struct ifs_fail_point point = { .size = sizeof(point) };

	for (unsigned i = 0; ifs_kernel_get_fail_point(s->f->kernel, i, &point); i++)
		s->failed[i] += !strcmp(point.name, name);
	s->injected++;
}

/* The call with the nth point it reaches failing. 1: it went through; 0: refused; -1: wrong. */
static int try_step(struct scene *s, const struct step *step, uint64_t nth)
{
	uint64_t before = ifs_kernel_state_hash(s->f->kernel);
	struct ifs_failure failure = { .size = sizeof(failure) };
	const char *wrong;
	int64_t rc;
	bool fired;

	ifs_kernel_fail_nth(s->f->kernel, nth, false);
	rc = step->call(s);
	fired = ifs_kernel_fail_fired(s->f->kernel, NULL);
	ifs_kernel_fail_nth(s->f->kernel, 0, false);
	wrong = ifs_kernel_check(s->f->kernel);
	if (!wrong && !fired && rc < 0)
		wrong = "fails without a reason";
	if (fired && ifs_kernel_get_failure(s->f->kernel, &failure))
		note_failure(s, failure.point);
	if (!wrong && rc < 0 && ifs_kernel_state_hash(s->f->kernel) != before)
		wrong = "was refused and changed something";
	if (!wrong)
		return rc >= 0;
	snprintf(s->text, sizeof(s->text), "%s, point %s (%s): %s", step->name,
		 failure.point ? failure.point : "none", failure.site ? failure.site : "-", wrong);
	return -1;
}

/* NULL, or a sentence about what was wrong. */
static const char *sweep_step(struct scene *s, const struct step *step)
{
	for (uint64_t nth = 1; nth < 10000; nth++) {
		int done = try_step(s, step, nth);

		if (done)
			return done > 0 ? NULL : s->text;
	}
	return "never goes through";
}

/* A point that no step made fail, or NULL. */
static const char *never_failed(const struct scene *s)
{
	struct ifs_fail_point point = { .size = sizeof(point) };

	for (unsigned i = 0; ifs_kernel_get_fail_point(s->f->kernel, i, &point); i++)
		if (!s->failed[i])
			return point.name;
	return NULL;
}

static void scene_begin(struct scene *s, struct fixture *f)
{
	struct iommu_test_cmd limit = { .op = IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT,
					.memory_limit.limit = 32 };
	int fd;

	*s = (struct scene){ .f = f, .buffer = t_buffer(0x10000) };
	memset(s->buffer, 0x5a, 0x10000);
	fd = t_open(f);
	assert_int_equal(t_test(f, fd, &limit), 0);
	assert_int_equal(ifs_close(f->process, fd), 0);
	/* Its first descriptor has yet to find room. */
	ifs_exit(f->process);
	f->process = ifs_process_new(f->kernel, NULL);
}

static void sweep(struct fixture *f)
{
	struct scene s;

	scene_begin(&s, f);
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const char *wrong = sweep_step(&s, &steps[i]);

		if (wrong)
			fail_msg("%s", wrong);
		if (steps[i].call == make_memfd)
			assert_int_equal(ifs_ftruncate(f->process, s.memfd, 0x10000), 0);
	}
	if (never_failed(&s))
		fail_msg("no call made the point %s fail", never_failed(&s));
	print_message("%llu points failed in %zu calls\n", (unsigned long long)s.injected,
		      sizeof(steps) / sizeof(steps[0]));
	munmap(s.buffer, 0x10000);
}

/* An error path of iommufd that no test takes would leak, or break what is there. */
static void test_each_point_fails_once_and_changes_nothing(void **state)
{
	sweep(*state);
}

/* The same with the known bugs of 7.3 mended, whose code is other code. */
static void test_each_point_fails_once_and_changes_nothing_when_fixed(void **state)
{
	struct fixture *f = *state;

	f->kernel_config.exact = IFS_OFF;
	fixture_kexec(f);
	sweep(f);
}

/* A call that leaves something behind when it fails. */
static int64_t careless(struct scene *s)
{
	int64_t rc = t_ioas_alloc(s->f, s->fd);

	return rc < 0 ? rc : t_map(s->f, s->fd, s->ioas, FIXED | RD, (uintptr_t)s->buffer, 0x1000,
				   PAGES_IOVA);
}

/* Without this, a sweep that looks at nothing would pass. */
static void test_sweep_sees_a_call_that_changes_something(void **state)
{
	static const struct step step = { "a careless call", careless };
	struct scene s;
	const char *wrong;

	scene_begin(&s, *state);
	assert_null(sweep_step(&s, &steps[0]));
	assert_null(sweep_step(&s, &steps[2]));
	wrong = sweep_step(&s, &step);
	assert_non_null(wrong);
	assert_non_null(strstr(wrong, "a careless call, point "));
	assert_non_null(strstr(wrong, "was refused and changed something"));
	munmap(s.buffer, 0x10000);
}

/* Without this, points that nothing reaches would go unnoticed. */
static void test_sweep_names_a_point_that_never_failed(void **state)
{
	struct scene s;

	scene_begin(&s, *state);
	assert_string_equal(never_failed(&s), "kmalloc");
	assert_null(sweep_step(&s, &steps[0]));
	assert_null(sweep_step(&s, &steps[2]));
	/* Nothing but memory was asked for so far. */
	assert_string_equal(never_failed(&s), "alloc_pages");
	munmap(s.buffer, 0x10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_each_point_fails_once_and_changes_nothing),
		T(test_each_point_fails_once_and_changes_nothing_when_fixed),
		T(test_sweep_sees_a_call_that_changes_something),
		T(test_sweep_names_a_point_that_never_failed),
	};

	return cmocka_run_group_tests_name("sweep: fail points", tests, NULL, NULL);
}
