/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Numbers of descriptors and the lifetime of what is open behind them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/harness/base_fixture.h"

static void count_release(struct file *file)
{
	++*(int *)file->private_data;
}

static const struct file_operations counting_fops = { .name = "test", .release = count_release };

static struct file *open_counting(struct base_fixture *fix, int *released)
{
	struct file *file;

	assert_int_equal(anon_file_new(fix->kernel->fs, "[test]", &counting_fops, released, O_RDWR,
				       &file), 0);
	return file;
}

static int install(struct base_fixture *fix, struct file *file)
{
	int fd = files_get_unused_fd(fix->files, 0);

	assert_true(fd >= 0);
	files_install(fix->files, fd, file);
	return fd;
}

static void test_get_unused_fd_after_close_reuses_lowest(void **state)
{
	/* A program that closes 1 and opens anew would not get its descriptor where POSIX says. */
	struct base_fixture *fix = *state;
	static int released;

	assert_int_equal(install(fix, open_counting(fix, &released)), 0);
	assert_int_equal(install(fix, open_counting(fix, &released)), 1);
	assert_int_equal(install(fix, open_counting(fix, &released)), 2);
	assert_int_equal(files_close(fix->files, 1), 0);
	assert_int_equal(released, 1);
	assert_int_equal(files_close(fix->files, 1), -EBADF);
	assert_int_equal(files_get_unused_fd(fix->files, 0), 1);
	assert_int_equal(files_get_unused_fd(fix->files, 0), 3);
	files_put_unused_fd(fix->files, 1);
	assert_int_equal(files_get_unused_fd(fix->files, 0), 1);
	files_put_unused_fd(fix->files, 1);
	files_put_unused_fd(fix->files, 3);
}

static void test_dup_closed_twice_releases_once(void **state)
{
	/* An iommufd would be torn down while another descriptor of it is still open. */
	struct base_fixture *fix = *state;
	static int released;
	int fd = install(fix, open_counting(fix, &released));
	int copy = files_dup(fix->files, fd, 0, O_CLOEXEC);

	assert_int_equal(copy, 1);
	assert_int_equal(files_get_flags(fix->files, fd), 0);
	assert_int_equal(files_get_flags(fix->files, copy), FD_CLOEXEC);
	assert_int_equal(files_close(fix->files, fd), 0);
	assert_int_equal(released, 0);
	assert_int_equal(files_close(fix->files, copy), 0);
	assert_int_equal(released, 1);
}

static void test_dup_minimum_at_limit_is_refused(void **state)
{
	/* fcntl(F_DUPFD) at the limit would hand out a number that must not exist. */
	struct base_fixture *fix = *state;
	static int released;
	int fd = install(fix, open_counting(fix, &released));

	assert_int_equal(files_dup(fix->files, fd, 1023, 0), 1023);
	assert_int_equal(files_dup(fix->files, fd, 1023, 0), -EMFILE);
	assert_int_equal(files_dup(fix->files, fd, 1024, 0), -EINVAL);
	assert_int_equal(files_dup(fix->files, fd, -1, 0), -EINVAL);
	assert_int_equal(files_dup(fix->files, 7, 0, 0), -EBADF);
	assert_int_equal(files_dup(fix->files, -1, 0, 0), -EBADF);
}

static void test_next_finds_open_numbers_and_ends(void **state)
{
	/* State hashes would miss descriptors, and two different states would look the same. */
	struct base_fixture *fix = *state;
	static int released;
	int fd = install(fix, open_counting(fix, &released));

	assert_int_equal(fd, 0);
	assert_int_equal(files_get_unused_fd(fix->files, 0), 1);
	assert_int_equal(files_dup(fix->files, fd, 63, 0), 63);
	assert_int_equal(files_dup(fix->files, fd, 100, 0), 100);
	assert_int_equal(files_next(fix->files, 0), 0);
	assert_int_equal(files_next(fix->files, 1), 63);
	assert_int_equal(files_next(fix->files, 63), 63);
	assert_int_equal(files_next(fix->files, 64), 100);
	assert_int_equal(files_next(fix->files, 101), -1);
	assert_int_equal(files_next(fix->files, 5000), -1);
	files_put_unused_fd(fix->files, 1);
}

static void test_get_unused_fd_at_rlimit_is_emfile(void **state)
{
	/* A leak of descriptors in a program under test would never be noticed. */
	struct base_fixture *fix = *state;
	struct files *files;
	int last = -1;

	assert_int_equal(files_new(fix->kernel, 65, &files), 0);
	for (int i = 0; i < 65; i++)
		last = files_get_unused_fd(files, 0);
	assert_int_equal(last, 64);
	assert_int_equal(files_get_unused_fd(files, 0), -EMFILE);
	files_put_unused_fd(files, 40);
	assert_int_equal(files_get_unused_fd(files, 0), 40);
	files_exit(files);
}

static void test_fork_shares_descriptions_and_flags(void **state)
{
	/* The child of a fork would lose or double what the parent had open. */
	struct base_fixture *fix = *state;
	static int released;
	int fd = install(fix, open_counting(fix, &released));
	struct files *child;

	assert_int_equal(files_set_flags(fix->files, fd, FD_CLOEXEC), 0);
	assert_int_equal(files_fork(fix->files, &child), 0);
	assert_int_equal(files_get_flags(child, fd), FD_CLOEXEC);
	assert_int_equal(files_close(fix->files, fd), 0);
	assert_int_equal(released, 0);
	assert_int_equal(fs_nr_files(fix->kernel->fs), 1);
	files_exit(child);
	assert_int_equal(released, 1);
	assert_int_equal(fs_nr_files(fix->kernel->fs), 0);
}

static void test_fget_keeps_file_over_close(void **state)
{
	/* A system call in progress would use a file that another thread closed. */
	struct base_fixture *fix = *state;
	static int released;
	int fd = install(fix, open_counting(fix, &released));
	struct file *file = fget(fd);

	assert_non_null(file);
	assert_null(fget(fd + 1));
	assert_int_equal(files_close(fix->files, fd), 0);
	assert_int_equal(released, 0);
	fput(file);
	assert_int_equal(released, 1);
}

static int refuse(struct file *file, void *ctx)
{
	return -ENODEV;
}

static int accept_open(struct file *file, void *ctx)
{
	file->f_op = &counting_fops;
	file->private_data = ctx;
	return 0;
}

static void test_open_device_names(void **state)
{
	/* /dev/iommu could not be opened, or a failed open would leave a file behind. */
	struct base_fixture *fix = *state;
	struct file_system *fs = fix->kernel->fs;
	struct file *file = NULL;
	static int released;

	assert_int_equal(fs_register(fs, "/dev/no", refuse, NULL), 0);
	assert_int_equal(fs_register(fs, "/dev/yes", accept_open, &released), 0);
	assert_int_equal(fs_register(fs, "/dev/yes", accept_open, &released), -EBUSY);
	assert_int_equal(fs_open(fs, "/dev/maybe", O_RDWR, &file), -ENOENT);
	assert_int_equal(fs_open(fs, "/dev/no", O_RDWR, &file), -ENODEV);
	assert_null(file);
	assert_int_equal(fs_nr_files(fs), 0);
	assert_int_equal(fs_open(fs, "/dev/yes", O_RDONLY | O_CREAT, &file), 0);
	assert_int_equal(file->f_flags, 0x8000);
	assert_int_equal(file->f_mode, 1);
	assert_string_equal(file->name, "/dev/yes");
	fput(file);
	fs_unregister(fs, "/dev/yes");
	fs_unregister(fs, "/dev/no");
}

static void test_allocation_failure_at_any_point_changes_nothing(void **state)
{
	/* Running out of memory while opening would leak a number or a description. */
	struct base_fixture *fix = *state;
	static int released;
	int fd;

	for (u64 nth = 1; nth <= 2; nth++) {
		base_fixture_fail_nth(fix, nth, false);
		assert_int_equal(files_get_unused_fd(fix->files, 0), -ENOMEM);
	}
	base_fixture_fail_nth(fix, 0, false);
	fd = install(fix, open_counting(fix, &released));
	assert_int_equal(fd, 0);
	for (u64 nth = 1; nth <= 3; nth++) {
		struct files *child = NULL;

		base_fixture_fail_nth(fix, nth, false);
		assert_int_equal(files_fork(fix->files, &child), -ENOMEM);
		assert_null(child);
	}
	base_fixture_fail_nth(fix, 0, false);
	assert_int_equal(files_close(fix->files, fd), 0);
	assert_int_equal(released, 1);
}

#define FIX_TEST(t) cmocka_unit_test_setup_teardown(t, base_fixture_setup, base_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIX_TEST(test_get_unused_fd_after_close_reuses_lowest),
		FIX_TEST(test_dup_closed_twice_releases_once),
		FIX_TEST(test_dup_minimum_at_limit_is_refused),
		FIX_TEST(test_next_finds_open_numbers_and_ends),
		FIX_TEST(test_get_unused_fd_at_rlimit_is_emfile),
		FIX_TEST(test_fork_shares_descriptions_and_flags),
		FIX_TEST(test_fget_keeps_file_over_close),
		FIX_TEST(test_open_device_names),
		FIX_TEST(test_allocation_failure_at_any_point_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
