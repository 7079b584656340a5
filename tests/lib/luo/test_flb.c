/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Handlers, FLBs and module references: registration, counts, and their known bugs. */
#include "tests/lib/luo/luo_fixture.h"

#include <stdio.h>

static const struct liveupdate_file_ops no_ops;

static void test_register_handler_errno(void **state)
{
	static const struct liveupdate_file_handler empty = { &no_ops, "empty" };
	struct liveupdate_file_handler same;

	memcpy(&same, &thing2_handler, sizeof(same));
	strcpy(same.compatible, "thing-v1");
	assert_int_equal(liveupdate_register_file_handler(&empty), -EINVAL);
	assert_int_equal(liveupdate_register_file_handler(&thing_handler), -EEXIST);
	assert_int_equal(liveupdate_register_file_handler(&same), -EEXIST);
	assert_int_equal(liveupdate_unregister_file_handler(&thing_handler), 0);
	assert_int_equal(liveupdate_register_file_handler(&same), 0);
	assert_int_equal(liveupdate_unregister_file_handler(&same), 0);
	assert_int_equal(liveupdate_register_file_handler(&thing_handler), 0);
}

/* Another handler than the first that matches would get the file. */
static void test_first_registered_match_wins(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	struct machine_boot_params params;

	/* thing2's handler takes both kinds, but comes second. */
	assert_int_equal(liveupdate_register_file_handler(&thing2_handler), 0);
	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	assert_int_equal(ifs_module_refcount(&thing_module), 1);
	/* Unregistered with a file of it around: the file keeps it, new ones go elsewhere. */
	assert_int_equal(liveupdate_unregister_file_handler(&thing_handler), 0);
	session_preserve(fix, s, thing_open(fix, 'b'), 2);
	assert_int_equal(ifs_module_refcount(&thing_module), 1);
	fd_close(fix, s);
	assert_log("preserve(a) preserve(b) unpreserve(b) unpreserve(a)");
	assert_int_equal(ifs_module_refcount(&thing_module), 0);
	luo_fixture_end(fix, &params);
	assert_int_equal(luo_fixture_begin(fix, &params), 0);
}

static void test_register_flb_errno(void **state)
{
	struct luo_fixture *fix = *state;
	static const struct liveupdate_flb_ops none;
	static const struct liveupdate_flb empty = { &none, "empty" };
	struct liveupdate_flb same, many[64];

	assert_int_equal(liveupdate_register_flb(&thing_handler, &empty), -EINVAL);
	assert_int_equal(liveupdate_register_flb(&thing2_handler, &flb_one), -EINVAL);
	assert_int_equal(liveupdate_register_flb(&thing_handler, &flb_one), 0);
	assert_int_equal(liveupdate_register_flb(&thing_handler, &flb_one), -EEXIST);
	memcpy(&same, &flb_two, sizeof(same));
	strcpy(same.compatible, "flb-one");
	assert_int_equal(liveupdate_register_flb(&thing_handler, &same), -EEXIST);
	for (int i = 0; i < 63; i++) {
		memcpy(&many[i], &flb_two, sizeof(same));
		snprintf(many[i].compatible, sizeof(many[i].compatible), "many-%d", i);
		assert_int_equal(liveupdate_register_flb(&thing_handler, &many[i]),
				 i < 62 ? 0 : -ENOSPC);
	}
	/* Another handler may share what is there. */
	assert_int_equal(liveupdate_register_file_handler(&thing2_handler), 0);
	assert_int_equal(liveupdate_register_flb(&thing2_handler, &flb_one), 0);
	assert_int_equal(liveupdate_unregister_flb(&thing_handler, &flb_one), 0);
	assert_int_equal(liveupdate_unregister_flb(&thing_handler, &flb_one), -ENOENT);
	assert_int_equal(liveupdate_register_flb(&thing_handler, &many[62]), -ENOSPC);
	assert_int_equal(liveupdate_unregister_file_handler(&thing2_handler), 0);
	assert_int_equal(liveupdate_register_flb(&thing_handler, &many[62]), 0);
	fix->kho->base->expected_reports = 2;
	luo_free(fix->luo);
	assert_int_equal(luo_fixture_boot(fix), 0);
}

/* Shared state would be preserved once per file, or dropped with the first. */
static void test_outgoing_counts(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	int t = session_create(fix, dev, "t");
	void *obj = NULL;

	assert_int_equal(liveupdate_flb_get_outgoing(&flb_one, &obj), -ENOENT);
	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	assert_log("flb_preserve(1) flb_preserve(2) preserve(a)");
	assert_int_equal(liveupdate_flb_get_outgoing(&flb_one, &obj), 0);
	assert_ptr_equal(obj, script.log);
	session_preserve(fix, t, thing_open(fix, 'b'), 1);
	assert_log("preserve(b)");
	assert_int_equal(ifs_module_refcount(&flb_module), 2);
	fd_close(fix, s);
	fd_close(fix, t);
	assert_log("unpreserve(a) unpreserve(b) flb_unpreserve(2)");
	liveupdate_flb_put_outgoing(&flb_one);
	assert_log("flb_unpreserve(1)");
	assert_int_equal(ifs_module_refcount(&flb_module), 0);
}

static void test_outgoing_failure_puts_the_earlier_ones(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	script.flb_preserve_err = -EOPNOTSUPP;
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'a'), 1), -EOPNOTSUPP);
	assert_log("flb_preserve(1) flb_preserve(2) flb_unpreserve(1)");
	script.flb_preserve_err = 0;
	script.preserve_err = -EIO;
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'a'), 1), -EIO);
	assert_log("flb_preserve(1) flb_preserve(2) preserve(a) "
		   "flb_unpreserve(2) flb_unpreserve(1)");
	assert_int_equal(ifs_module_refcount(&flb_module), 0);
	assert_int_equal(ifs_module_refcount(&thing_module), 0);
}

/* Golden: name, data, count = files + references still out. */
static void test_serialized_records(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	struct phys_mem *mem = fix->kho->base->kernel->mem;
	const u64 *page = NULL;
	void *obj;

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	session_preserve(fix, s, thing_open(fix, 'b'), 2);
	assert_int_equal(liveupdate_flb_get_outgoing(&flb_two, &obj), 0);
	assert_int_equal(luo_reboot(fix->luo), 0);
	for (pa_t pa = 0x1000; pa < 0x400000 && !page; pa += 4096) {
		const u64 *words = phys_mem_ptr(mem, pa, 4096);

		if (words[0] == 1 && words[1] == 2 && !memcmp(&words[2], "flb-one", 8))
			page = words;
	}
	assert_non_null(page);
	assert_int_equal(page[2 + 6], 0x1111);
	assert_int_equal(page[2 + 7], 2);
	assert_memory_equal(&page[10], "flb-two", 8);
	assert_int_equal(page[10 + 6], 0x2222);
	assert_int_equal(page[10 + 7], 3);
	luo_fixture_kexec(fix);
}

static void hand_over_two_files(struct luo_fixture *fix)
{
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	int t = session_create(fix, dev, "t");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	session_preserve(fix, t, thing_open(fix, 'b'), 2);
	luo_fixture_kexec(fix);
}

static void test_incoming_finished_with_the_last_file(void **state)
{
	struct luo_fixture *fix = *state;
	void *obj = NULL;
	int dev;

	assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), -ENODATA);        /* cold */
	hand_over_two_files(fix);
	assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), 0);
	assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), 0);
	assert_ptr_equal(obj, script.log);
	liveupdate_flb_put_incoming(&flb_one);
	liveupdate_flb_put_incoming(&flb_one);
	assert_int_equal(liveupdate_flb_get_incoming(&flb_two, &obj), 0);
	liveupdate_flb_put_incoming(&flb_two);
	assert_log("flb_retrieve(1) flb_retrieve(2)");
	assert_int_equal(ifs_module_refcount(&flb_module), 2);
	dev = dev_open(fix);
	fd_close(fix, session_retrieve(fix, dev, "s"));
	assert_log("can_finish(a) finish:0-(a)");
	fd_close(fix, session_retrieve(fix, dev, "t"));
	assert_log("can_finish(b) finish:0-(b) flb_finish(2) flb_finish(1)");
	assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), -ENODATA);
	assert_int_equal(ifs_module_refcount(&flb_module), 0);
}

static void test_incoming_failed_retrieve_is_sticky(void **state)
{
	struct luo_fixture *fix = *state;
	static struct liveupdate_flb other;
	void *obj;

	hand_over_two_files(fix);
	script.flb_retrieve_err = -EIO;
	assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), -EIO);
	script.flb_retrieve_err = 0;
	assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), -EIO);
	assert_log("flb_retrieve(1)");
	assert_int_equal(ifs_module_refcount(&flb_module), 0);
	memcpy(&other, &flb_one, sizeof(other));
	strcpy(other.compatible, "flb-none");
	assert_int_equal(liveupdate_flb_get_incoming(&other, &obj), -ENOENT);
}

/* Trap 28: nobody asked before the last finish. As in 7.3, or as it was meant. */
static void test_incoming_never_asked_for(void **state)
{
	for (int exact = 0; exact < 2; exact++) {
		struct luo_fixture *fix;
		void *obj;
		int dev;

		luo_fixture_setup_flbs((void **)&fix);
		fix->config.exact = exact;
		hand_over_two_files(fix);
		dev = dev_open(fix);
		fd_close(fix, session_retrieve(fix, dev, "s"));
		fd_close(fix, session_retrieve(fix, dev, "t"));
		if (exact) {
			/* Two files, two FLBs: four underflows, no finish, and a way back. */
			assert_log("can_finish(a) finish:0-(a) can_finish(b) finish:0-(b)");
			assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), 0);
			assert_log("flb_retrieve(1)");
			fix->kho->base->expected_reports = 4;
		} else {
			assert_log("can_finish(a) finish:0-(a) flb_retrieve(2) flb_retrieve(1) "
				   "can_finish(b) finish:0-(b) flb_finish(2) flb_finish(1)");
		}
		luo_fixture_free(fix);
	}
	*state = NULL;
}

/* C42 of the series' review: the last close unregisters while incoming files remain. */
static void test_unregistered_handler_never_finishes_its_flbs(void **state)
{
	struct luo_fixture *fix = *state;
	void *obj;
	int dev, s;

	hand_over_two_files(fix);
	assert_int_equal(liveupdate_flb_get_incoming(&flb_one, &obj), 0);
	liveupdate_flb_put_incoming(&flb_one);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	assert_int_equal(liveupdate_unregister_file_handler(&thing_handler), 0);
	assert_log("flb_retrieve(1)");
	fd_close(fix, s);
	fd_close(fix, session_retrieve(fix, dev, "t"));
	assert_log("can_finish(a) finish:0-(a) can_finish(b) finish:0-(b)");
	assert_int_equal(ifs_module_refcount(&flb_module), 1);
}

static void test_module_references(void **state)
{
	static const struct module m = { "m" };

	assert_true(ifs_try_module_get(NULL));
	ifs_module_put(NULL);
	assert_int_equal(ifs_module_refcount(&m), 0);
	assert_true(ifs_try_module_get(&m));
	assert_true(ifs_try_module_get(&m));
	assert_int_equal(ifs_module_refcount(&m), 2);
	ifs_module_put(&m);
	ifs_module_put(&m);
	assert_int_equal(ifs_module_refcount(&m), 0);
}

#define LUO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, luo_fixture_setup, luo_fixture_teardown)
#define FLB_TEST(name) \
	cmocka_unit_test_setup_teardown(name, luo_fixture_setup_flbs, luo_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LUO_TEST(test_register_handler_errno),
		LUO_TEST(test_first_registered_match_wins),
		LUO_TEST(test_register_flb_errno),
		FLB_TEST(test_outgoing_counts),
		FLB_TEST(test_outgoing_failure_puts_the_earlier_ones),
		FLB_TEST(test_serialized_records),
		FLB_TEST(test_incoming_finished_with_the_last_file),
		FLB_TEST(test_incoming_failed_retrieve_is_sticky),
		cmocka_unit_test(test_incoming_never_asked_for),
		FLB_TEST(test_unregistered_handler_never_finishes_its_flbs),
		LUO_TEST(test_module_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
