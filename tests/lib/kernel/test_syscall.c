/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What Linux checks, and in which order, before a file's own operation runs. */
#include "tests/harness/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/falloc.h>
#include <linux/iommufd.h>

static int memfd(struct fixture *f, uint64_t bytes)
{
	int fd = ifs_memfd_create(f->process, "m", MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ifs_ftruncate(f->process, fd, (off_t)bytes), 0);
	return fd;
}

/* A program would see another error than on Linux for a path or descriptor that is not there. */
static void test_open_errors(void **state)
{
	struct fixture *f = *state;
	struct ifs_process_config few = { .size = sizeof(few), .rlimit_nofile = 1 };
	struct ifs_process *p = ifs_process_new(f->kernel, &few);

	assert_int_equal(ifs_open(p, "/dev/nothing", O_RDWR), -ENOENT);
	assert_int_equal(ifs_open(p, "", O_RDWR), -ENOENT);
	assert_int_equal(ifs_open(p, NULL, O_RDWR), -EFAULT);
	assert_int_equal(ifs_open(p, "/dev/iommu", O_RDWR), 0);
	assert_int_equal(ifs_open(p, "/dev/iommu", O_RDWR), -EMFILE);
	/* The descriptor is asked for first. */
	assert_int_equal(ifs_open(p, "/dev/nothing", O_RDWR), -EMFILE);
	assert_int_equal(ifs_dup(p, 0), -EMFILE);
	assert_int_equal(ifs_memfd_create(p, "m", 0), -EMFILE);
	assert_int_equal(ifs_close(p, 1), -EBADF);
	assert_int_equal(ifs_close(p, -1), -EBADF);
	assert_int_equal(ifs_close(p, 0), 0);
	assert_int_equal(ifs_close(p, 0), -EBADF);
	ifs_exit(p);
}

/* fcntl() on descriptors would not follow the lowest-free rule, or lose FD_CLOEXEC. */
static void test_fcntl_descriptor_flags(void **state)
{
	struct fixture *f = *state;
	int fd = ifs_open(f->process, "/dev/iommu", O_RDWR | O_CLOEXEC);

	assert_int_equal(fd, 0);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(ifs_fcntl(f->process, fd, F_DUPFD, 7), 7);
	assert_int_equal(ifs_fcntl(f->process, 7, F_GETFD, 0), 0);
	assert_int_equal(ifs_fcntl(f->process, fd, F_DUPFD_CLOEXEC, 7), 8);
	assert_int_equal(ifs_fcntl(f->process, 8, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(ifs_fcntl(f->process, fd, F_DUPFD, 1024), -EINVAL);
	assert_int_equal(ifs_fcntl(f->process, fd, F_SETFD, 0), 0);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GETFD, 0), 0);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GETFL, 0) & O_ACCMODE, O_RDWR);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GET_SEALS, 0), -EINVAL);
	assert_int_equal(ifs_fcntl(f->process, 55, F_GETFD, 0), -EBADF);
	assert_int_equal(ifs_fcntl(f->process, fd, 4711, 0), -EINVAL);
}

/* The ioctls every file answers would reach the driver, and fail there. */
static void test_ioctl_vfs_commands(void **state)
{
	struct fixture *f = *state;
	int fd = ifs_open(f->process, "/dev/iommu", O_RDWR), on = 1, left = 0, m;

	assert_int_equal(ifs_ioctl(f->process, fd, FIONBIO, &on), 0);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GETFL, 0) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(ifs_ioctl(f->process, fd, FIONBIO, NULL), -EFAULT);
	assert_int_equal(ifs_ioctl(f->process, fd, FIOASYNC, &on), -ENOTTY);
	assert_int_equal(ifs_ioctl(f->process, fd, FIONREAD, &left), -ENOTTY);
	assert_int_equal(ifs_ioctl(f->process, fd, FIOCLEX, NULL), 0);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(ifs_ioctl(f->process, fd, FIONCLEX, NULL), 0);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GETFD, 0), 0);
	assert_int_equal(ifs_ioctl(f->process, 77, FIONBIO, &on), -EBADF);
	m = memfd(f, 0x3000);
	assert_int_equal(ifs_lseek(f->process, m, 0x1000, SEEK_SET), 0x1000);
	assert_int_equal(ifs_ioctl(f->process, m, FIONREAD, &left), 0);
	assert_int_equal(left, 0x2000);
}

/*
 * As measured on the real kernel: /dev/iommu cannot be read, written or sought, and is always
 * ready.
 */
static void test_rw_on_iommufd(void **state)
{
	struct fixture *f = *state;
	int fd = ifs_open(f->process, "/dev/iommu", O_RDWR);
	char byte = 0;

	assert_int_equal(ifs_read(f->process, fd, &byte, 1), -EINVAL);
	assert_int_equal(ifs_write(f->process, fd, &byte, 1), -EINVAL);
	assert_int_equal(ifs_pread(f->process, fd, &byte, 1, -1), -EINVAL);
	assert_int_equal(ifs_lseek(f->process, fd, 0, SEEK_SET), -ESPIPE);
	assert_int_equal(ifs_lseek(f->process, fd, 0, 99), -EINVAL);
	assert_int_equal(ifs_poll(f->process, fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
	assert_int_equal(ifs_poll(f->process, 99, POLLIN), POLLNVAL);
	assert_int_equal(ifs_poll(f->process, -1, POLLIN), 0);
	assert_int_equal(ifs_ftruncate(f->process, fd, 0), -EINVAL);
	assert_int_equal(ifs_fallocate(f->process, fd, 0, 0, 1), -ENODEV);
	assert_int_equal(ifs_read(f->process, 99, &byte, 1), -EBADF);
}

/* fallocate()'s checks would come in another order than vfs_fallocate()'s. */
static void test_fallocate_order_of_checks(void **state)
{
	struct fixture *f = *state;
	int fd = memfd(f, 0x2000), iommu = ifs_open(f->process, "/dev/iommu", O_RDWR);
	struct iommu_fault_alloc queue = { .size = sizeof(queue) };

	assert_int_equal(ifs_fallocate(f->process, fd, 0, -1, 1), -EINVAL);
	assert_int_equal(ifs_fallocate(f->process, fd, 0, 0, 0), -EINVAL);
	assert_int_equal(ifs_fallocate(f->process, fd, FALLOC_FL_PUNCH_HOLE, 0, 1), -EOPNOTSUPP);
	assert_int_equal(ifs_fallocate(f->process, fd, 0x4000, 0, 1), -EOPNOTSUPP);
	assert_int_equal(ifs_fallocate(f->process, fd, 0, INT64_MAX, 1), -EFBIG);
	assert_int_equal(ifs_fallocate(f->process, 99, 0x4000, -1, 0), -EBADF);
	assert_int_equal(ifs_fallocate(f->process, iommu, 0, 0, 1), -ENODEV);
	assert_int_equal(ifs_ioctl(f->process, iommu, IOMMU_FAULT_QUEUE_ALLOC, &queue), 0);
	assert_int_equal(ifs_fallocate(f->process, (int)queue.out_fault_fd, 0, INT64_MAX, 1),
			 -ENODEV);
	assert_int_equal(ifs_fallocate(f->process, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       0, 0x1000), 0);
}

/* The offset would not be shared between descriptors of one open file, as dup() promises. */
static void test_read_write_share_offset(void **state)
{
	struct fixture *f = *state;
	int fd = memfd(f, 0), copy = ifs_dup(f->process, fd);
	char text[8] = { 0 };

	assert_int_equal(ifs_write(f->process, fd, "abcdef", 6), 6);
	assert_int_equal(ifs_lseek(f->process, copy, 0, SEEK_CUR), 6);
	assert_int_equal(ifs_lseek(f->process, copy, 2, SEEK_SET), 2);
	assert_int_equal(ifs_read(f->process, fd, text, 3), 3);
	assert_string_equal(text, "cde");
	assert_int_equal(ifs_pread(f->process, fd, text, 2, 4), 2);
	assert_int_equal(ifs_lseek(f->process, fd, 0, SEEK_CUR), 5);
	assert_int_equal(ifs_read(f->process, fd, (void *)1, 1), -EFAULT);
}

/*
 * mmap() would hand out memory that is not the file's, or with rights the descriptor does not
 * give.
 */
static void test_mmap_is_the_file(void **state)
{
	struct fixture *f = *state;
	int fd = memfd(f, 0x2000);
	char *at = NULL, text[3] = { 0 };

	assert_int_equal(ifs_mmap(f->process, 0, PROT_READ, MAP_SHARED, fd, 0, (void **)&at),
			 -EINVAL);
	assert_int_equal(ifs_mmap(f->process, 4096, PROT_READ, MAP_SHARED, fd, 1, (void **)&at),
			 -EINVAL);
	assert_int_equal(ifs_mmap(f->process, 4096, PROT_READ, MAP_SHARED, 99, 0, (void **)&at),
			 -EBADF);
	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0,
				  (void **)&at), 0);
	memcpy(at + 0x1ffe, "yz", 2);
	assert_int_equal(ifs_pread(f->process, fd, text, 2, 0x1ffe), 2);
	assert_string_equal(text, "yz");
	assert_int_equal(ifs_munmap(f->process, at + 1, 4096), -EINVAL);
	assert_int_equal(ifs_mprotect(f->process, at, 0x2000, PROT_READ), 0);
	assert_int_equal(ifs_munmap(f->process, at, 0x2000), 0);
}

/* A stat() of a descriptor would not name what it is. */
static void test_fstat_names_files(void **state)
{
	struct fixture *f = *state;
	struct ifs_stat stat;
	int fd = memfd(f, 0x1234);

	assert_int_equal(ifs_fstat(f->process, fd, &stat), 0);
	assert_int_equal(stat.size, 0x1234);
	assert_string_equal(stat.name, "/memfd:m (deleted)");
	fd = ifs_open(f->process, "/dev/iommu", O_RDWR);
	assert_int_equal(ifs_fstat(f->process, fd, &stat), 0);
	assert_string_equal(stat.name, "/dev/iommu");
	assert_int_equal(ifs_fstat(f->process, fd, NULL), -EFAULT);
	assert_int_equal(ifs_fstat(f->process, 99, &stat), -EBADF);
}

/* A call that failed could have changed something, and no test would see it. */
static void test_state_hash_sees_changes_only(void **state)
{
	struct fixture *f = *state;
	uint64_t before = ifs_kernel_state_hash(f->kernel), with_file;
	int fd;

	assert_int_equal(ifs_open(f->process, "/dev/nothing", O_RDWR), -ENOENT);
	assert_int_equal(ifs_close(f->process, 3), -EBADF);
	assert_true(ifs_kernel_state_hash(f->kernel) == before);
	fd = memfd(f, 0x1000);
	with_file = ifs_kernel_state_hash(f->kernel);
	assert_true(with_file != before);
	assert_int_equal(ifs_ftruncate(f->process, fd, 0x2000), 0);
	assert_true(ifs_kernel_state_hash(f->kernel) != with_file);
	assert_int_equal(ifs_ftruncate(f->process, fd, 0x1000), 0);
	assert_true(ifs_kernel_state_hash(f->kernel) == with_file);
	assert_int_equal(ifs_fcntl(f->process, fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_true(ifs_kernel_state_hash(f->kernel) != with_file);
	assert_int_equal(ifs_close(f->process, fd), 0);
	assert_true(ifs_kernel_state_hash(f->kernel) == before);
}

/* An offset that does not exist would be reached, or refused with another error. */
static void test_offsets_beyond_the_largest(void **state)
{
	struct fixture *f = *state;
	int fd = memfd(f, 0x1000);
	char text[32] = "";

	assert_int_equal(ifs_pread(f->process, fd, text, 16, INT64_MAX - 16), 0);
	assert_int_equal(ifs_pread(f->process, fd, text, 16, INT64_MAX - 15), -EINVAL);
	assert_int_equal(ifs_pwrite(f->process, fd, text, 16, INT64_MAX - 15), -EINVAL);
	assert_int_equal(ifs_pwrite(f->process, fd, text, 0, INT64_MAX), 0);
	/* No such buffer: that is asked before the offset. */
	assert_int_equal(ifs_read(f->process, fd, text, (size_t)INT64_MAX + 1), -EFAULT);
	assert_int_equal(ifs_lseek(f->process, fd, INT64_MAX, SEEK_SET), INT64_MAX);
	assert_int_equal(ifs_lseek(f->process, fd, 1, SEEK_CUR), -EINVAL);
	assert_int_equal(ifs_lseek(f->process, fd, INT64_MAX, SEEK_END), -EINVAL);
	assert_int_equal(ifs_lseek(f->process, fd, 0, SEEK_CUR), INT64_MAX);
}

/* Descriptors of the host, which /dev/null stands for, would be good for something. */
static void test_dev_null_can_do_nothing(void **state)
{
	struct fixture *f = *state;
	int fd = ifs_open(f->process, "/dev/null", O_RDWR);
	char text[4] = "abc";
	void *at;

	assert_true(fd >= 0);
	assert_int_equal(ifs_read(f->process, fd, text, 4), 0);
	assert_int_equal(ifs_write(f->process, fd, NULL, 4), 4);
	assert_int_equal(ifs_lseek(f->process, fd, 5, SEEK_SET), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3b81, NULL), -ENOTTY);
	assert_int_equal(ifs_ftruncate(f->process, fd, 0), -EINVAL);
	assert_int_equal(ifs_fcntl(f->process, fd, F_GET_SEALS, 0), -EINVAL);
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ, MAP_SHARED, fd, 0, &at), -ENODEV);
}

/* A guest that must lie at one address could land on something else. */
static void test_mmap_fixed_noreplace(void **state)
{
	struct fixture *f = *state;
	int fd = memfd(f, 0x2000), flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
	void *at, *there;

	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_READ, MAP_SHARED, fd, 0, &at), 0);
	there = at;
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ, flags, fd, 0, &there), -EEXIST);
	assert_int_equal(ifs_munmap(f->process, at, 0x2000), 0);
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ, flags, fd, 0, &there), 0);
	assert_ptr_equal(there, at);
	there = (char *)at + 1;
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ, flags, fd, 0, &there), -EINVAL);
	assert_int_equal(ifs_munmap(f->process, at, 0x1000), 0);
}

/* A hole that could not be cut would still leave a mapping in two, and its file held twice. */
static void test_munmap_out_of_memory_changes_nothing(void **state)
{
	struct fixture *f = *state;
	int fd = memfd(f, 0x4000), rc = -ENOMEM;
	uint64_t before;
	unsigned nth;
	void *at;

	assert_int_equal(ifs_mmap(f->process, 0x4000, PROT_READ, MAP_SHARED, fd, 0, &at), 0);
	for (nth = 1; rc && nth < 10; nth++) {
		before = ifs_kernel_state_hash(f->kernel);
		ifs_kernel_fail_nth(f->kernel, nth, false);
		rc = ifs_munmap(f->process, (char *)at + 0x1000, 0x2000);
		ifs_kernel_fail_nth(f->kernel, 0, false);
		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			assert_true(ifs_kernel_state_hash(f->kernel) == before);
		}
	}
	assert_int_equal(rc, 0);
	/* Each of two new mappings can be the one that fails. */
	assert_true(nth > 3);
	assert_int_equal(ifs_munmap(f->process, at, 0x4000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
		T(test_open_errors),
		T(test_fcntl_descriptor_flags),
		T(test_ioctl_vfs_commands),
		T(test_rw_on_iommufd),
		T(test_fallocate_order_of_checks),
		T(test_read_write_share_offset),
		T(test_mmap_is_the_file),
		T(test_fstat_names_files),
		T(test_state_hash_sees_changes_only),
		T(test_offsets_beyond_the_largest),
		T(test_dev_null_can_do_nothing),
		T(test_mmap_fixed_noreplace),
		T(test_munmap_out_of_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
