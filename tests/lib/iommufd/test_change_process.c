/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* IOAS_CHANGE_PROCESS: who is charged after another process took over. */
#include "tests/lib/iommufd/selftest_test.h"

static int change(struct ifs_process *process, int fd)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	return ifs_ioctl(process, fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

static void become(struct fixture *f, uint64_t limit_pages)
{
	struct ifs_process_config config = { .size = sizeof(config), .uid = 1000,
					     .drop_cap_ipc_lock = true,
					     .rlimit_memlock_bytes = limit_pages * 4096 };

	ifs_exit(f->process);
	f->process = ifs_process_new(f->kernel, &config);
	assert_non_null(f->process);
}

/* A device with a mapping of @nr_pages of a memory file, and a copy of it in a second IOAS. */
static int set_up_maps(struct fixture *f, uint64_t mode, uint64_t nr_pages)
{
	int fd = t_open(f), memfd = ifs_memfd_create(f->process, "m", 0);
	uint32_t ioas, second;

	assert_int_equal(t_option(f, fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, mode),
			 mode);
	ioas = t_ioas_alloc(f, fd);
	second = t_ioas_alloc(f, fd);
	assert_true(s_mock(f, fd, ioas, NULL, NULL) > 0);
	assert_int_equal(ifs_ftruncate(f->process, memfd, (off_t)(nr_pages * 4096)), 0);
	assert_int_equal(t_map_file(f, fd, ioas, FIXED | RD | WR, memfd, 0, nr_pages * 4096,
				    0x1000000), 0x1000000);
	assert_int_equal(t_copy(f, fd, second, ioas, FIXED | RD, nr_pages * 4096, 0x5000,
				0x1000000), 0x5000);
	return fd;
}

static void assert_locked(struct ifs_process *process, uint64_t pin, uint64_t lck)
{
	uint64_t vm_pin, vm_lck;

	ifs_process_get_locked(process, &vm_pin, &vm_lck);
	assert_int_equal(vm_pin, pin);
	assert_int_equal(vm_lck, lck);
}

/* What belongs to a process that is going away cannot be handed on. */
static void test_change_process_refuses_user_memory(void **state)
{
	struct fixture *f = *state;
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd), .__reserved = 1 };
	uint8_t *page = t_buffer(0x1000);
	int fd = t_open(f);
	uint32_t ioas;

	assert_int_equal(change(f->process, fd), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd), -95);
	ioas = t_ioas_alloc(f, fd);
	for (int i = 0; i < 100; i++)
		t_ioas_alloc(f, fd);
	assert_int_equal(change(f->process, fd), 0);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD, (uintptr_t)page, 0x1000, 0x5000), 0x5000);
	assert_int_equal(change(f->process, fd), -22);
	assert_int_equal(t_unmap(f, fd, ioas, 0x5000, 0x1000), 0x1000);
	assert_int_equal(change(f->process, fd), 0);
	munmap(page, 0x1000);
}

/* Shared pages must be charged once, and the old process must get everything back. */
static void test_change_process_moves_the_charge(void **state)
{
	for (unsigned mode = 0; mode <= 1; mode++) {
		struct fixture *f = *state;
		struct ifs_process *child;
		int fd;

		become(f, 16);
		fd = set_up_maps(f, mode, 8);
		assert_locked(f->process, 8, mode ? 8 : 0);
		assert_int_equal(change(f->process, fd), 0);
		assert_locked(f->process, 8, mode ? 8 : 0);
		child = ifs_fork(f->process);
		assert_locked(child, 0, 0);
		assert_int_equal(change(child, fd), 0);
		assert_locked(f->process, 0, 0);
		assert_locked(child, 8, mode ? 8 : 0);
		fixture_check(f);
		ifs_exit(f->process);
		f->process = child;
		assert_int_equal(t_unmap(f, fd, 2, 0, MAX64), 0x8000);
		assert_int_equal(t_unmap(f, fd, 1, 0, MAX64), 0x8000);
		assert_locked(child, 0, 0);
	}
}

/* Over the limit nothing changes hands. Both are charged for a moment: 15 pages of one user. */
static void test_change_process_over_limit_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct ifs_process *child;
	int fd;

	become(f, 15);
	fd = set_up_maps(f, 0, 8);
	child = ifs_fork(f->process);
	assert_int_equal(change(child, fd), -12);
	assert_locked(f->process, 8, 0);
	assert_locked(child, 0, 0);
	ifs_exit(child);
}

/* Linux 7.3 forgets VmPin of pages that are charged to nobody; fixed, it does not. */
static void test_change_process_unlimited_pages(void **state)
{
	for (unsigned fixed = 0; fixed <= 1; fixed++) {
		struct fixture *f = *state;
		struct ifs_process *child;
		int fd;

		f->kernel_config.exact = fixed ? IFS_OFF : IFS_ON;
		assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
		fixture_boot(f);
		fd = set_up_maps(f, 0, 8);
		child = ifs_fork(f->process);
		assert_int_equal(change(child, fd), 0);
		assert_locked(f->process, fixed ? 0 : 8, 0);
		assert_locked(child, fixed ? 8 : 0, 0);
		assert_int_equal(t_unmap(f, fd, 2, 0, MAX64), 0x8000);
		assert_int_equal(t_unmap(f, fd, 1, 0, MAX64), 0x8000);
		assert_locked(f->process, fixed ? 0 : 8, 0);
		assert_locked(child, fixed ? 0 : (uint64_t)-8, 0);
		ifs_exit(child);
	}
}

/* The owner ends before it could be given its pages back, as at every exec. */
static void hand_on_by_exit(struct fixture *f, bool fixed, struct ifs_process **child, int *fd)
{
	f->kernel_config.exact = fixed ? IFS_OFF : IFS_ON;
	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	fixture_boot(f);
	become(f, 16);
	*fd = set_up_maps(f, 1, 8);
	*child = ifs_fork(f->process);
	ifs_exit(f->process);
	f->process = *child;
}

/*
 * In MM mode Linux 7.3 does what it is asked to and fails all the same. The new owner pays until
 * it ends, and a third process pays for pages that are pinned no longer.
 */
static void test_change_process_after_exit_in_mm_mode(void **state)
{
	for (unsigned fixed = 0; fixed <= 1; fixed++) {
		struct fixture *f = *state;
		struct ifs_process *child;
		int fd;

		hand_on_by_exit(f, fixed, &child, &fd);
		fixture_expect(f, IFS_RULE_WARN, fixed ? 0 : 1);
		assert_int_equal(change(child, fd), fixed ? 0 : -22);
		assert_locked(child, 8, 8);
		/* It is the caller's now, so there is nothing to do. */
		assert_int_equal(change(child, fd), 0);
		assert_int_equal(t_unmap(f, fd, 2, 0, MAX64), 0x8000);
		assert_int_equal(t_unmap(f, fd, 1, 0, MAX64), 0x8000);
		assert_locked(child, fixed ? 0 : 8, fixed ? 0 : 8);
	}
}

/* What Linux forgot to note as given back, somebody is charged for; and as pinned, nobody. */
static void test_change_process_of_pages_whose_count_was_lost(void **state)
{
	for (unsigned fixed = 0; fixed <= 1; fixed++) {
		struct fixture *f = *state;
		struct ifs_process *child, *third;
		int fd;

		hand_on_by_exit(f, fixed, &child, &fd);
		third = ifs_fork(child);
		fixture_expect(f, IFS_RULE_WARN, fixed ? 0 : 2);
		assert_int_equal(change(child, fd), fixed ? 0 : -22);
		assert_int_equal(change(third, fd), 0);
		assert_locked(child, 0, 0);
		assert_locked(third, fixed ? 8 : 0, fixed ? 8 : 0);
		assert_int_equal(t_unmap(f, fd, 2, 0, MAX64), 0x8000);
		assert_int_equal(t_unmap(f, fd, 1, 0, MAX64), 0x8000);
		assert_locked(third, fixed ? 0 : (uint64_t)-8, fixed ? 0 : (uint64_t)-8);
		ifs_exit(third);
	}
}

/* Linux 7.3 would wait for ever where it finds that it has lost count. */
static void test_copy_after_exit_in_mm_mode(void **state)
{
	for (unsigned fixed = 0; fixed <= 1; fixed++) {
		struct fixture *f = *state;
		struct ifs_process *child;
		int fd;

		hand_on_by_exit(f, fixed, &child, &fd);
		assert_int_equal(t_copy(f, fd, 1, 1, FIXED | RD, 0x4000, 0x2000000, 0x1000000),
				 0x2000000);
		assert_int_equal(t_unmap(f, fd, 1, 0x1000000, 0x8000), 0x8000);
		fixture_expect(f, IFS_RULE_WARN, fixed ? 0 : 1);
		assert_int_equal(t_copy(f, fd, 1, 1, FIXED | RD, 0x1000, 0x3000000, 0x2000000),
				 fixed ? 0x3000000 : -35);
		/* A page that has to be pinned for it sets the count right. */
		assert_int_equal(t_copy(f, fd, 1, 2, FIXED | RD, 0x1000, 0x4000000, 0xa000),
				 0x4000000);
		assert_int_equal(t_copy(f, fd, 1, 1, FIXED | RD, 0x1000, 0x3000000 + 0x1000 * fixed,
					0x2000000), 0x3000000 + 0x1000 * fixed);
		assert_locked(child, 0, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(test_change_process_refuses_user_memory),
		S(test_change_process_moves_the_charge),
		S(test_change_process_over_limit_changes_nothing),
		S(test_change_process_unlimited_pages),
		S(test_change_process_after_exit_in_mm_mode),
		S(test_change_process_of_pages_whose_count_was_lost),
		S(test_copy_after_exit_in_mm_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
