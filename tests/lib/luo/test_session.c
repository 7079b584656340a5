/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The life of a session and its files, in one kernel and over the kexec; every wrong call. */
#include "tests/lib/luo/luo_fixture.h"

#include <fcntl.h>
#include <stdio.h>

static u64 marks(struct luo_fixture *fix)
{
	return kho_nr_preserved_pages(fix->kho->kho);
}

/* An aborted update would leave something preserved. */
static void test_close_unpreserves_last_first(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s"), b = thing_open(fix, 'b');

	/* FDT, metadata, luo_ser, FLB page, session block */
	assert_int_equal(marks(fix), 5);
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'a'), 1), 0);
	assert_int_equal(session_preserve(fix, s, b, 2), 0);
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'c'), 3), 0);
	assert_int_equal(marks(fix), 6);
	fd_close(fix, b);                       /* LUO keeps it open */
	assert_log("preserve(a) preserve(b) preserve(c)");
	fd_close(fix, s);
	assert_log("unpreserve(c) unpreserve(b) release(b) unpreserve(a)");
	assert_int_equal(marks(fix), 4);
	assert_int_equal(ifs_module_refcount(&thing_module), 0);
}

static void test_kexec_retrieve_finish_close(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s"), a, b;
	struct file *file_a, *file_b;
	u64 sessions, files;

	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'a'), 1), 0);
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'b'), 2), 0);
	assert_log("preserve(a) preserve(b)");
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	assert_true(s >= 0);
	assert_int_equal(session_retrieve(fix, dev, "s"), -EINVAL);
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'x'), 9), -EINVAL);
	assert_int_equal(session_retrieve_fd(fix, s, 3), -ENOENT);
	a = session_retrieve_fd(fix, s, 1);
	b = session_retrieve_fd(fix, s, 1);
	assert_true(a >= 0 && b > a);
	assert_int_equal(thing_letter(fix, a), 'a');
	assert_int_equal(files_get_flags(fix->kho->base->files, a), FD_CLOEXEC);
	file_a = files_get(fix->kho->base->files, a);
	file_b = files_get(fix->kho->base->files, b);
	assert_ptr_equal(file_a, file_b);
	fput(file_a);
	fput(file_b);
	assert_log("retrieve(a)");
	assert_int_equal(session_finish(fix, s), 0);
	assert_log("can_finish(a) can_finish(b) finish:0-(b) finish:1(a)");
	assert_int_equal(session_finish(fix, s), 0);
	assert_int_equal(session_retrieve_fd(fix, s, 1), -ENOENT);
	assert_int_equal(session_retrieve(fix, dev, "s"), -EINVAL);
	luo_counts(fix->luo, &sessions, &files);
	assert_int_equal(sessions, 1);
	assert_int_equal(files, 0);
	fd_close(fix, s);
	assert_int_equal(session_retrieve(fix, dev, "s"), -ENOENT);
	assert_int_equal(ifs_module_refcount(&thing_module), 0);
	assert_log("");
	/* FDT, metadata and FLB page of the kernel before are never given back. */
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho->kho), 3);
	assert_int_equal(marks(fix), 4);
}

static void test_close_without_finish_finishes(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	fd_close(fix, s);
	assert_log("can_finish(a) finish:0-(a)");
	assert_true(script.closing);
	assert_int_equal(session_retrieve(fix, dev, "s"), -ENOENT);
}

/* A session that refuses to end at close is lost, not freed twice. */
static void test_refused_finish_is_ebusy_then_a_zombie(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s"), a;
	u64 sessions, files;

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	session_preserve(fix, s, thing_open(fix, 'b'), 2);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	a = session_retrieve_fd(fix, s, 1);
	script.cannot_finish = true;
	script.log[0] = '\0';
	assert_int_equal(session_finish(fix, s), -EBUSY);
	assert_false(script.closing);
	assert_log("can_finish(a)");            /* the first refusal ends it */
	fd_close(fix, s);
	fd_close(fix, a);
	assert_true(script.closing);
	assert_log("can_finish(a)");
	assert_int_equal(session_retrieve(fix, dev, "s"), -EINVAL);
	luo_counts(fix->luo, &sessions, &files);
	assert_int_equal(sessions, 1);
	assert_int_equal(files, 2);
	assert_int_equal(ifs_module_refcount(&thing_module), 2);
}

static void test_unretrieved_session_is_dropped_at_the_next_kexec(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	assert_int_equal(session_retrieve(fix, dev, "s"), -ENOENT);
	assert_log("");
}

static void test_same_name_outgoing_and_incoming(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix);

	session_create(fix, dev, "s");
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	assert_true(session_create(fix, dev, "s") >= 0);
	assert_true(session_retrieve(fix, dev, "s") >= 0);
	assert_int_equal(session_create(fix, dev, "s"), -EEXIST);
}

static void test_failed_retrieve_is_sticky(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	script.retrieve_err = -EIO;
	assert_int_equal(session_retrieve_fd(fix, s, 1), -EIO);
	script.retrieve_err = 0;
	assert_int_equal(session_retrieve_fd(fix, s, 1), -EIO);
	assert_log("retrieve(a)");
	assert_int_equal(session_finish(fix, s), 0);
	assert_log("can_finish(a) finish:-5-(a)");
}

/* A file would be preserved while the last update is not finished with it. */
static void test_retrieved_file_is_busy_until_finish(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s"), t, a;

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	t = session_create(fix, dev, "t");
	a = session_retrieve_fd(fix, s, 1);
	assert_int_equal(session_preserve(fix, t, a, 1), -EBUSY);
	assert_int_equal(session_finish(fix, s), 0);
	assert_int_equal(session_preserve(fix, t, a, 1), 0);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	assert_int_equal(session_retrieve(fix, dev, "s"), -ENOENT);
	s = session_retrieve(fix, dev, "t");
	assert_int_equal(thing_letter(fix, session_retrieve_fd(fix, s, 1)), 'a');
}

static void test_retrieve_within_retrieve(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	assert_int_equal(liveupdate_register_file_handler(&thing2_handler), 0);
	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	session_preserve(fix, s, thing_open(fix, 'B'), 2);
	luo_fixture_kexec(fix);
	assert_int_equal(liveupdate_register_file_handler(&thing2_handler), 0);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	script.retrieve_also = 2;
	assert_int_equal(thing_letter(fix, session_retrieve_fd(fix, s, 1)), 'a');
	assert_log("retrieve(a) retrieve(B)");
	assert_int_equal(thing_letter(fix, session_retrieve_fd(fix, s, 2)), 'B');
	assert_log("");
}

/* Linux would hang; here the mistake has a name. */
static void test_retrieve_of_itself_is_edeadlk(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	script.retrieve_also = 1;
	assert_int_equal(session_retrieve_fd(fix, s, 1), -EDEADLK);
}

static void test_get_token_outgoing(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s"), a = thing_open(fix, 'a');
	struct file *file = files_get(fix->kho->base->files, a);
	struct file *other = files_get(fix->kho->base->files, dev);
	u64 token = 0;

	session_preserve(fix, s, a, 77);
	assert_int_equal(liveupdate_get_token_outgoing(script.session, file, &token), 0);
	assert_int_equal(token, 77);
	assert_int_equal(liveupdate_get_token_outgoing(script.session, file, NULL), 0);
	assert_int_equal(liveupdate_get_token_outgoing(script.session, other, &token), -ENOENT);
	assert_string_equal(liveupdate_session_name(script.session), "s");
	fput(file);
	fput(other);
}

static void test_deserialize_without_handler_is_eio_for_the_boot(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	fix->no_handlers = true;
	luo_fixture_kexec(fix);
	assert_int_equal(dev_open(fix), -EIO);
	assert_int_equal(liveupdate_register_file_handler(&thing_handler), 0);
	assert_int_equal(dev_open(fix), -EIO);
	assert_int_equal(ifs_module_refcount(&thing_module), 0);
}

/* One lost allocation would lose every session of the machine. */
static void test_first_open_every_allocation_may_fail_and_retry_works(void **state)
{
	struct luo_fixture *fix = *state;
	struct kernel_base *kernel;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	int t = session_create(fix, dev, "t");

	for (u64 i = 0; i < 70; i++)
		session_preserve(fix, i < 65 ? s : t, thing_open(fix, 'a'), i);
	luo_fixture_kexec(fix);
	fd_close(fix, thing_open(fix, 'x'));    /* the descriptor table has its memory now */
	kernel = fix->kho->base->kernel;
	dev = -EIO;
	for (u64 nth = 1; dev < 0; nth++) {
		u64 unclaimed = kho_nr_unclaimed_pages(fix->kho->kho);
		u64 blocks = kernel->heap.nr_blocks;
		u64 sessions, files;

		base_fixture_fail_nth(fix->kho->base, nth, nth % 2);
		dev = dev_open(fix);
		base_fixture_fail_nth(fix->kho->base, 0, false);
		if (dev >= 0)
			break;
		assert_true(dev == -EIO || dev == -ENOMEM);     /* -ENOMEM: the file itself */
		assert_int_equal(kho_nr_unclaimed_pages(fix->kho->kho), unclaimed);
		assert_int_equal(kernel->heap.nr_blocks, blocks);
		luo_counts(fix->luo, &sessions, &files);
		assert_int_equal(sessions + files, 0);
		assert_int_equal(ifs_module_refcount(&thing_module), 0);
	}
	s = session_retrieve(fix, dev, "s");
	assert_int_equal(thing_letter(fix, session_retrieve_fd(fix, s, 64)), 'a');
	assert_true(session_retrieve(fix, dev, "t") >= 0);
}

/* Trap 1: reproduced, or not, as asked. */
static void test_duplicate_name_at_a_block_boundary(void **state)
{
	for (int exact = 0; exact < 2; exact++) {
		struct luo_fixture *fix = luo_fixture_new();
		struct machine_boot_params params;
		char name[8] = "s00";
		int dev;

		luo_free(fix->luo);
		fix->config.exact = exact;
		assert_int_equal(luo_fixture_boot(fix), 0);
		dev = dev_open(fix);
		for (int i = 0; i < 51; i++) {
			name[1] = '0' + i / 10;
			name[2] = '0' + i % 10;
			assert_true(session_create(fix, dev, name) >= 0);
		}
		assert_int_equal(session_create(fix, dev, "s07"), -EEXIST);
		assert_int_equal(marks(fix), exact ? 6 : 5);
		luo_fixture_end(fix, &params);
		if (exact) {
			assert_int_equal(luo_fixture_begin(fix, &params), -ENOTRECOVERABLE);
			assert_memory_equal(fix->reason, "the chain of sessions at 0x", 27);
		} else {
			assert_int_equal(luo_fixture_begin(fix, &params), 0);
			dev = dev_open(fix);
			assert_true(session_retrieve(fix, dev, "s50") >= 0);
		}
		luo_fixture_free(fix);
	}
	*state = NULL;
}

static void test_committed_reboot_refuses_sessions(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	struct machine_boot_params params;

	luo_fixture_end(fix, &params);
	assert_int_equal(session_create(fix, dev, "t"), -EIO);
	assert_int_equal(session_retrieve(fix, dev, "t"), -EIO);
	assert_int_equal(session_preserve(fix, s, dev, 1), -EIO);
	fd_close(fix, dev);
	assert_true(dev_open(fix) >= 0);
	assert_int_equal(luo_fixture_begin(fix, &params), 0);
}

static void test_disabled_has_no_device_and_registers_nothing(void **state)
{
	struct luo_fixture *fix = *state;
	struct machine_boot_params params;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	luo_fixture_end(fix, &params);
	fix->config.enabled = false;
	assert_int_equal(luo_fixture_begin(fix, &params), 0);
	assert_int_equal(dev_open(fix), -ENOENT);
	assert_false(liveupdate_enabled());
	assert_int_equal(liveupdate_register_file_handler(&thing_handler), -EOPNOTSUPP);
	assert_int_equal(liveupdate_register_flb(&thing_handler, &flb_one), -EOPNOTSUPP);
	assert_int_equal(luo_reboot(fix->luo), 0);
	assert_int_equal(marks(fix), 2);
}

static void test_nine_hundred_sessions_cross(void **state)
{
	struct luo_fixture *fix = *state;
	struct luo *luo = fix->luo;
	u64 sessions, files;
	int dev = dev_open(fix), fd;
	char name[32];

	for (int i = 0; i < 900; i++) {
		snprintf(name, sizeof(name), "many-test-%d", i);
		fd = session_create(fix, dev, name);
		assert_true(fd >= 0);
	}
	luo_counts(luo, &sessions, &files);
	assert_int_equal(sessions, 900);
	assert_int_equal(marks(fix), 4 + 18);   /* 51 a block */
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	assert_true(session_retrieve(fix, dev, "many-test-0") >= 0);
	assert_true(session_retrieve(fix, dev, "many-test-899") >= 0);
}

#define LUO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, luo_fixture_setup, luo_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LUO_TEST(test_close_unpreserves_last_first),
		LUO_TEST(test_kexec_retrieve_finish_close),
		LUO_TEST(test_close_without_finish_finishes),
		LUO_TEST(test_refused_finish_is_ebusy_then_a_zombie),
		LUO_TEST(test_unretrieved_session_is_dropped_at_the_next_kexec),
		LUO_TEST(test_same_name_outgoing_and_incoming),
		LUO_TEST(test_failed_retrieve_is_sticky),
		LUO_TEST(test_retrieved_file_is_busy_until_finish),
		LUO_TEST(test_retrieve_within_retrieve),
		LUO_TEST(test_retrieve_of_itself_is_edeadlk),
		LUO_TEST(test_get_token_outgoing),
		LUO_TEST(test_deserialize_without_handler_is_eio_for_the_boot),
		LUO_TEST(test_first_open_every_allocation_may_fail_and_retry_works),
		cmocka_unit_test(test_duplicate_name_at_a_block_boundary),
		LUO_TEST(test_committed_reboot_refuses_sessions),
		LUO_TEST(test_disabled_has_no_device_and_registers_nothing),
		LUO_TEST(test_nine_hundred_sessions_cross),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
