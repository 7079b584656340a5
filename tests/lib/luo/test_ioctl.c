/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The user ABI: numbers, sizes, and which errno wins. */
#include "tests/lib/luo/luo_fixture.h"

#include <fcntl.h>

#define BAD ((void *)8)

static void test_numbers_and_sizes(void **state)
{
	assert_int_equal(LIVEUPDATE_IOCTL_CREATE_SESSION, 0xba00);
	assert_int_equal(LIVEUPDATE_IOCTL_RETRIEVE_SESSION, 0xba01);
	assert_int_equal(LIVEUPDATE_SESSION_PRESERVE_FD, 0xba40);
	assert_int_equal(LIVEUPDATE_SESSION_RETRIEVE_FD, 0xba41);
	assert_int_equal(LIVEUPDATE_SESSION_FINISH, 0xba42);
	assert_int_equal(LIVEUPDATE_SESSION_GET_NAME, 0xba43);
	assert_int_equal(sizeof(struct liveupdate_ioctl_create_session), 72);
	assert_int_equal(sizeof(struct liveupdate_ioctl_retrieve_session), 72);
	assert_int_equal(sizeof(struct liveupdate_session_preserve_fd), 16);
	assert_int_equal(sizeof(struct liveupdate_session_retrieve_fd), 16);
	assert_int_equal(sizeof(struct liveupdate_session_finish), 8);
	assert_int_equal(sizeof(struct liveupdate_session_get_name), 72);
}

/* Two agents would fight over one machine. */
static void test_open_is_exclusive(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), dup;

	assert_true(dev >= 0);
	assert_int_equal(dev_open(fix), -EBUSY);
	dup = files_dup(fix->kho->base->files, dev, 0, 0);
	fd_close(fix, dev);
	assert_int_equal(dev_open(fix), -EBUSY);
	fd_close(fix, dup);
	dev = dev_open(fix);
	assert_true(dev >= 0);
}

static void test_device_dispatch_errno_order(void **state)
{
	struct luo_fixture *fix = *state;
	u8 arg[128] = { 72 };
	int dev = dev_open(fix);

	assert_int_equal(fd_ioctl(fix, dev, 0xba02, BAD), -EINVAL);
	assert_int_equal(fd_ioctl(fix, dev, 0xbaff, BAD), -EINVAL);
	assert_int_equal(fd_ioctl(fix, dev, 0xba40, arg), -EINVAL);
	assert_int_equal(fd_ioctl(fix, dev, 0x1200, BAD), -EFAULT);     /* size before type */
	assert_int_equal(fd_ioctl(fix, dev, 0x1200, arg), -ENOTTY);
	assert_int_equal(fd_ioctl(fix, dev, 0xc048ba00, arg), -ENOTTY); /* _IOWR encoding */
	arg[0] = 71;
	assert_int_equal(fd_ioctl(fix, dev, 0xba00, arg), -EINVAL);
	arg[0] = 80;
	arg[79] = 1;
	arg[8] = 'x';
	assert_int_equal(fd_ioctl(fix, dev, 0xba00, arg), -E2BIG);
	arg[79] = 0;
	assert_int_equal(fd_ioctl(fix, dev, 0xba00, arg), 0);
}

static void test_create_names(void **state)
{
	static const char x64[] = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
				  "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX";
	struct luo_fixture *fix = *state;
	struct liveupdate_session_get_name get = { .size = 72 };
	char name[64];
	int dev = dev_open(fix), fd;

	assert_int_equal(session_create(fix, dev, ""), -EINVAL);
	assert_int_equal(session_create(fix, dev, x64), -EINVAL);
	memcpy(name, x64, 63);
	name[63] = '\0';
	fd = session_create(fix, dev, name);
	assert_true(fd >= 0);
	assert_int_equal(fd_ioctl(fix, fd, LIVEUPDATE_SESSION_GET_NAME, &get), 0);
	assert_string_equal((char *)get.name, name);
	get.reserved = 1;
	assert_int_equal(fd_ioctl(fix, fd, LIVEUPDATE_SESSION_GET_NAME, &get), -EINVAL);
	assert_int_equal(session_create(fix, dev, name), -EEXIST);
	assert_int_equal(session_retrieve(fix, dev, name), -ENOENT);
	assert_int_equal(session_retrieve(fix, dev, x64), -ENOENT);
	fd_close(fix, fd);
	assert_true(session_create(fix, dev, name) >= 0);
}

static void test_session_file_properties(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), fd;
	struct file *file;

	fd = session_create(fix, dev, "abc");
	assert_int_equal(files_get_flags(fix->kho->base->files, fd), FD_CLOEXEC);
	file = files_get(fix->kho->base->files, fd);
	assert_string_equal(file->name, "anon_inode:[luo_session] abc");
	assert_int_equal(file->f_flags & O_ACCMODE, O_RDWR);
	fput(file);
	/* Sessions survive the device. */
	fd_close(fix, dev);
	assert_int_equal(session_preserve(fix, fd, thing_open(fix, 'a'), 1), 0);
}

static void test_create_out_of_descriptors_is_emfile_first(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), last = -1, fd;

	while ((fd = files_dup(fix->kho->base->files, dev, 0, 0)) >= 0)
		last = fd;
	assert_int_equal(session_create(fix, dev, ""), -EMFILE);
	assert_int_equal(session_retrieve(fix, dev, "none"), -EMFILE);
	assert_true(last > 0);
	for (fd = dev + 1; fd <= last; fd++)
		fd_close(fix, fd);
}

static void test_create_reply_fault_undoes(void **state)
{
	struct luo_fixture *fix = *state;
	u64 sessions, files;
	int dev = dev_open(fix);

	/* Read-only memory: the request can be read, the reply not written. */
	static const struct liveupdate_ioctl_create_session arg = { .size = 72, .name = "ro" };
	void *read_only = (void *)&arg;

	assert_int_equal(fd_ioctl(fix, dev, LIVEUPDATE_IOCTL_CREATE_SESSION, read_only), -EFAULT);
	luo_counts(fix->luo, &sessions, &files);
	assert_int_equal(sessions, 0);
	assert_int_equal(files_get_unused_fd(fix->kho->base->files, 0), dev + 1);
}

static void test_session_dispatch_errno_order(void **state)
{
	struct luo_fixture *fix = *state;
	u8 arg[128] = { 8 };
	int dev = dev_open(fix), fd = session_create(fix, dev, "s");

	assert_int_equal(fd_ioctl(fix, fd, 0xba3f, BAD), -EINVAL);
	assert_int_equal(fd_ioctl(fix, fd, 0xba44, BAD), -EINVAL);
	assert_int_equal(fd_ioctl(fix, fd, 0xba00, arg), -EINVAL);
	assert_int_equal(fd_ioctl(fix, fd, 0x1242, BAD), -EFAULT);
	assert_int_equal(fd_ioctl(fix, fd, 0x1242, arg), -ENOTTY);
	/* An outgoing session is not to be finished: said before the size is looked at. */
	arg[0] = 100;
	arg[99] = 1;
	assert_int_equal(fd_ioctl(fix, fd, LIVEUPDATE_SESSION_FINISH, arg), -EINVAL);
	assert_int_equal(fd_ioctl(fix, fd, LIVEUPDATE_SESSION_RETRIEVE_FD, arg), -EINVAL);
	assert_int_equal(fd_ioctl(fix, fd, LIVEUPDATE_SESSION_PRESERVE_FD, arg), -E2BIG);
	arg[0] = 15;
	assert_int_equal(fd_ioctl(fix, fd, LIVEUPDATE_SESSION_PRESERVE_FD, arg), -EINVAL);
}

static void test_preserve_errno_order(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	int t = session_create(fix, dev, "t");
	int a = thing_open(fix, 'a'), b = thing_open(fix, 'b'), c = thing_open(fix, 'C');

	assert_int_equal(session_preserve(fix, s, a, 7), 0);
	assert_int_equal(session_preserve(fix, s, 999, 7), -EEXIST);    /* before the descriptor */
	assert_int_equal(session_preserve(fix, s, 999, 8), -EBADF);
	assert_int_equal(session_preserve(fix, s, -1, 8), -EBADF);
	assert_int_equal(session_preserve(fix, s, dev, 8), -ENOENT);
	assert_int_equal(session_preserve(fix, s, s, 8), -ENOENT);
	assert_int_equal(session_preserve(fix, s, c, 8), -ENOENT);
	assert_int_equal(session_preserve(fix, s, a, 8), -EBUSY);
	assert_int_equal(session_preserve(fix, t, a, 7), -EBUSY);       /* one map for all */
	script.preserve_err = -EOPNOTSUPP;
	assert_int_equal(session_preserve(fix, s, b, 8), -EOPNOTSUPP);
	script.preserve_err = 0;
	assert_int_equal(session_preserve(fix, s, b, 8), 0);
	assert_int_equal(session_preserve(fix, t, b, 8), -EBUSY);
	assert_log("preserve(a) preserve(b) preserve(b)");
	assert_int_equal(ifs_module_refcount(&thing_module), 2);
}

static void test_preserve_any_token_per_session(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	int t = session_create(fix, dev, "t");

	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'a'), 0), 0);
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'b'), ~0ull), 0);
	assert_int_equal(session_preserve(fix, t, thing_open(fix, 'c'), 0), 0);
}

/* Userspace would think the file is free although it is preserved: that is Linux's behaviour. */
static void test_preserve_reply_fault_keeps_the_file(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s"), a = thing_open(fix, 'a');
	static const struct liveupdate_session_preserve_fd arg = {
		.size = 16, .fd = 2, .token = 5,
	};
	u64 sessions, files;

	assert_int_equal(a, 2);
	assert_int_equal(fd_ioctl(fix, s, LIVEUPDATE_SESSION_PRESERVE_FD, (void *)&arg), -EFAULT);
	luo_counts(fix->luo, &sessions, &files);
	assert_int_equal(files, 1);
	assert_int_equal(session_preserve(fix, s, a, 5), -EEXIST);
}

/* A failed preserve would leave marks, references or blocks behind. */
static void test_preserve_every_allocation_may_fail(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s"), a = thing_open(fix, 'a');
	struct kernel_base *kernel = fix->kho->base->kernel;
	long err = -ENOMEM;

	for (u64 nth = 1; err; nth++) {
		u64 blocks = kernel->heap.nr_blocks, marks = kho_nr_preserved_pages(fix->kho->kho);

		base_fixture_fail_nth(fix->kho->base, nth, false);
		err = session_preserve(fix, s, a, 5);
		base_fixture_fail_nth(fix->kho->base, 0, false);
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(kernel->heap.nr_blocks, blocks);
			assert_int_equal(kho_nr_preserved_pages(fix->kho->kho), marks);
			assert_int_equal(ifs_module_refcount(&thing_module), 0);
		}
	}
	fd_close(fix, s);
	assert_int_equal(kho_nr_preserved_pages(fix->kho->kho), 4);
}

static void test_create_every_allocation_may_fail(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), fd = -ENOMEM;

	for (u64 nth = 1; fd < 0; nth++) {
		u64 marks = kho_nr_preserved_pages(fix->kho->kho);

		base_fixture_fail_nth(fix->kho->base, nth, false);
		fd = session_create(fix, dev, "s");
		base_fixture_fail_nth(fix->kho->base, 0, false);
		if (fd < 0) {
			assert_int_equal(fd, -ENOMEM);
			assert_int_equal(kho_nr_preserved_pages(fix->kho->kho), marks);
		}
	}
	assert_int_equal(fd, dev + 1);
}

#define LUO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, luo_fixture_setup, luo_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_and_sizes),
		LUO_TEST(test_open_is_exclusive),
		LUO_TEST(test_device_dispatch_errno_order),
		LUO_TEST(test_create_names),
		LUO_TEST(test_session_file_properties),
		LUO_TEST(test_create_out_of_descriptors_is_emfile_first),
		LUO_TEST(test_create_reply_fault_undoes),
		LUO_TEST(test_session_dispatch_errno_order),
		LUO_TEST(test_preserve_errno_order),
		LUO_TEST(test_preserve_any_token_per_session),
		LUO_TEST(test_preserve_reply_fault_keeps_the_file),
		LUO_TEST(test_preserve_every_allocation_may_fail),
		LUO_TEST(test_create_every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
