/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What lies in memory after reboot(2), freeze and its undoing, and records that are damaged. */
#include "tests/lib/luo/luo_fixture.h"

#include "lib/abi/luo.h"

static u64 *words(struct luo_fixture *fix, pa_t pa)
{
	return kho_fixture_words(fix->kho, pa);
}

/* The LUO blob of the running kernel, found as the next one would. */
static pa_t luo_ser_pa(struct luo_fixture *fix)
{
	const u8 *fdt = (const u8 *)words(fix, kho_root_fdt_pa(fix->kho->kho));
	u64 pa;

	/* LUO is the newest node: off_dt_struct 56, its preserved-data value at +88. */
	memcpy(&pa, fdt + 56 + 88, sizeof(pa));
	return pa;
}

static void test_struct_sizes(void **state)
{
	assert_int_equal(sizeof(struct luo_ser), 32);
	assert_int_equal(sizeof(struct luo_session_ser), 80);
	assert_int_equal(sizeof(struct luo_file_ser), 64);
	assert_int_equal(sizeof(struct luo_flb_header_ser), 16);
	assert_int_equal(sizeof(struct luo_flb_ser), 64);
	assert_int_equal(sizeof(struct kho_block_header_ser), 16);
	assert_int_equal(offsetof(struct luo_ser, liveupdate_num), 8);
	assert_int_equal(offsetof(struct luo_ser, sessions_pa), 16);
	assert_int_equal(offsetof(struct luo_ser, flbs_pa), 24);
	assert_int_equal(offsetof(struct luo_session_ser, file_set_ser), 64);
	assert_int_equal(offsetof(struct luo_file_ser, data), 48);
	assert_int_equal(offsetof(struct luo_file_ser, token), 56);
}

/* The next kernel reads these very bytes. */
static void test_serialized_bytes(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "big");
	const u64 *ser, *sessions, *files;

	session_create(fix, dev, "empty-session");
	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	session_preserve(fix, s, thing_open(fix, 'b'), ~0ull);
	ser = words(fix, luo_ser_pa(fix));
	assert_memory_equal(ser, "luo-v5\0\0", 8);
	assert_int_equal(ser[1], 1);
	assert_int_equal(ser[2], 0);            /* sessions: not before the reboot */
	assert_int_not_equal(ser[3], 0);
	assert_int_equal(words(fix, ser[3])[0], 1);
	assert_int_equal(words(fix, ser[3])[1], 0);

	script.freeze_changes_data = true;
	assert_int_equal(luo_reboot(fix->luo), 0);
	sessions = words(fix, ser[2]);
	assert_int_equal(sessions[0], 0);
	assert_int_equal(sessions[1], 2);
	assert_memory_equal((const char *)sessions + 16, "big\0", 4);
	assert_int_equal(sessions[2 + 9], 2);
	assert_memory_equal((const char *)sessions + 96, "empty-session\0", 14);
	assert_int_equal(sessions[12 + 8] | sessions[12 + 9], 0);
	files = words(fix, sessions[2 + 8]);
	assert_int_equal(files[0], 0);
	assert_int_equal(files[1], 2);
	assert_memory_equal((const char *)files + 16, "thing-v1\0\0", 10);
	assert_int_equal(files[2 + 6], 'a' + 1000);
	assert_int_equal(files[2 + 7], 1);
	assert_int_equal(files[10 + 6], 'b' + 1000);
	assert_int_equal(files[10 + 7], ~0ull);
	assert_int_equal(kho_nr_preserved_pages(fix->kho->kho), 2 + 2 + 1 + 1);
	luo_fixture_kexec(fix);
}

static void test_liveupdate_num_counts_up(void **state)
{
	struct luo_fixture *fix = *state;

	for (u64 num = 1; num <= 4; num++) {
		assert_int_equal(words(fix, luo_ser_pa(fix))[1], num);
		luo_fixture_kexec(fix);
	}
}

static void test_no_sessions_leaves_the_chain_empty(void **state)
{
	struct luo_fixture *fix = *state;

	assert_int_equal(luo_reboot(fix->luo), 0);
	assert_int_equal(words(fix, luo_ser_pa(fix))[2], 0);
}

/* 63 and 64 files: one block or two. */
static void test_files_fill_blocks(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	for (u64 i = 1; i <= 63; i++)
		assert_int_equal(session_preserve(fix, s, thing_open(fix, 'a'), i), 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kho->kho), 5 + 1);
	assert_int_equal(session_preserve(fix, s, thing_open(fix, 'z'), 64), 0);
	assert_int_equal(kho_nr_preserved_pages(fix->kho->kho), 5 + 2);
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	assert_int_equal(thing_letter(fix, session_retrieve_fd(fix, s, 64)), 'z');
	assert_int_equal(thing_letter(fix, session_retrieve_fd(fix, s, 1)), 'a');
}

/* A refused update would leave files frozen, or records for a kernel that never comes. */
static void test_freeze_failure_undoes_in_order(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");
	int t = session_create(fix, dev, "t");
	int u = session_create(fix, dev, "u");
	pa_t ser_pa = luo_ser_pa(fix);

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	session_preserve(fix, s, thing_open(fix, 'b'), 2);
	session_preserve(fix, t, thing_open(fix, 'c'), 1);
	session_preserve(fix, u, thing_open(fix, 'd'), 1);
	session_preserve(fix, u, thing_open(fix, 'e'), 2);
	session_preserve(fix, u, thing_open(fix, 'f'), 3);
	script.log[0] = '\0';
	script.freeze_err = -EAGAIN;
	script.err_for = 'e';
	assert_int_equal(luo_reboot(fix->luo), -EAGAIN);
	/* d of the failed session, then sessions backwards, files forwards; e and f get nothing. */
	assert_log("freeze(a) freeze(b) freeze(c) freeze(d) freeze(e) unfreeze(d) unfreeze(c) "
		   "unfreeze(a) unfreeze(b)");
	assert_int_equal(words(fix, ser_pa)[2], 0);
	assert_int_equal(words(fix, words(fix, ser_pa)[3])[1], 0);      /* no FLBs either */
	/* The system goes on. */
	assert_int_equal(session_preserve(fix, u, thing_open(fix, 'g'), 4), 0);
	script.freeze_err = 0;
	script.log[0] = '\0';
	assert_int_equal(luo_reboot(fix->luo), 0);
	assert_log("freeze(a) freeze(b) freeze(c) freeze(d) freeze(e) freeze(f) freeze(g)");
	assert_int_not_equal(words(fix, ser_pa)[2], 0);
	luo_fixture_kexec(fix);
}

static void test_positive_freeze_passes_without_its_data(void **state)
{
	struct luo_fixture *fix = *state;
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	script.freeze_err = 1;
	script.freeze_changes_data = true;
	luo_fixture_kexec(fix);
	dev = dev_open(fix);
	s = session_retrieve(fix, dev, "s");
	session_retrieve_fd(fix, s, 1);
	assert_int_equal(script.data_seen, 'a');
}

struct handed {
	struct machine_boot_params params;
	u64 *ser, *sessions, *files;
};

/* A session "s" with files a and b, serialized; where its records are. */
static void hand_over(struct luo_fixture *fix, struct handed *out)
{
	int dev = dev_open(fix), s = session_create(fix, dev, "s");

	session_preserve(fix, s, thing_open(fix, 'a'), 1);
	session_preserve(fix, s, thing_open(fix, 'b'), 2);
	luo_fixture_end(fix, &out->params);
	out->ser = words(fix, luo_ser_pa(fix));
	out->sessions = words(fix, out->ser[2]);
	out->files = words(fix, out->sessions[10]);
}

/* Linux panics here; the boot must fail with a sentence, not go on half blind. */
static void boot_is_fatal(struct luo_fixture *fix, const struct handed *handed, const char *reason)
{
	assert_int_equal(luo_fixture_begin(fix, &handed->params), -ENOTRECOVERABLE);
	if (!strstr(fix->reason, reason))
		fail_msg("reason is '%s', expected '...%s...'", fix->reason, reason);
	assert_null(fix->kho->base->kernel->luo);
	/* On with a cold machine. */
	assert_int_equal(luo_fixture_begin(fix, &(struct machine_boot_params){ 0 }), 0);
}

static void test_boot_damaged_luo_state_is_fatal(void **state)
{
	struct luo_fixture *fix = *state;
	struct handed handed;

	hand_over(fix, &handed);
	((char *)handed.ser)[5] = '4';
	boot_is_fatal(fix, &handed, "LUO state is incompatible with 'luo-v5'");
	hand_over(fix, &handed);
	handed.ser[2] = 0x1234;
	boot_is_fatal(fix, &handed, "chain of sessions at 0x1234 is refused");
	hand_over(fix, &handed);
	handed.ser[2] = ~0xfffull;
	boot_is_fatal(fix, &handed, "chain of sessions");
	hand_over(fix, &handed);
	handed.sessions[0] = handed.ser[2];
	boot_is_fatal(fix, &handed, "chain of sessions");
	hand_over(fix, &handed);
	handed.sessions[1] = 52;
	boot_is_fatal(fix, &handed, "chain of sessions");
	hand_over(fix, &handed);
	handed.sessions[1] = 0;
	boot_is_fatal(fix, &handed, "chain of sessions");
	hand_over(fix, &handed);
	handed.ser[3] = 64ull << 20;
	boot_is_fatal(fix, &handed, "FLB page 0x4000000 was not preserved");
	hand_over(fix, &handed);
	words(fix, handed.ser[3])[1] = 64;
	boot_is_fatal(fix, &handed, "claims 1 pages, 64 records");
	hand_over(fix, &handed);
	words(fix, handed.ser[3])[0] = 2;
	boot_is_fatal(fix, &handed, "claims 2 pages");
}

static void test_boot_luo_blob_too_small_or_lost_is_fatal(void **state)
{
	struct luo_fixture *fix = *state;
	struct handed handed;
	struct kho *kho;
	pa_t pa;

	hand_over(fix, &handed);
	kho = fix->kho->kho;
	pa = luo_ser_pa(fix);
	kho_remove_subtree(kho, pa);
	assert_int_equal(kho_add_subtree(kho, "LUO", pa, 31), 0);
	boot_is_fatal(fix, &handed, "LUO state is too small (31 < 32)");
	hand_over(fix, &handed);
	kho = fix->kho->kho;
	kho_remove_subtree(kho, luo_ser_pa(fix));
	assert_int_equal(kho_add_subtree(kho, "LUO", 0x3f00000, 32), 0);
	boot_is_fatal(fix, &handed, "LUO state at 0x3f00000 was not preserved");
}

/* @refs: what sessions before the damaged one still hold; they stay, out of reach. */
static void open_is_eio(struct luo_fixture *fix, const struct handed *handed, u32 refs)
{
	assert_int_equal(luo_fixture_begin(fix, &handed->params), 0);
	assert_int_equal(dev_open(fix), -EIO);
	assert_int_equal(dev_open(fix), -EIO);
	assert_int_equal(ifs_module_refcount(&thing_module), refs);
	assert_int_equal(luo_fixture_begin(fix, &(struct machine_boot_params){ 0 }), 0);
}

/* Damage in one session must be noticed at the first open, not followed. */
static void test_open_damaged_session_is_eio(void **state)
{
	struct luo_fixture *fix = *state;
	struct handed handed;

	hand_over(fix, &handed);
	handed.sessions[2] = 0;                 /* no name */
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	memset(&handed.sessions[2], 'x', 64);   /* no end of it */
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	handed.sessions[10] = 8;
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	handed.sessions[11] = 3;                /* three files promised, two there */
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	handed.files[1] = 1;
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	handed.files[1] = 64;
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	((char *)&handed.files[10])[0] = 'T';   /* the second file's compatible string */
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	memset(&handed.files[2], 'x', 48);
	open_is_eio(fix, &handed, 0);
	hand_over(fix, &handed);
	memcpy(&handed.sessions[12], &handed.sessions[2], 80);  /* the same session twice */
	handed.sessions[1] = 2;
	open_is_eio(fix, &handed, 2);
	hand_over(fix, &handed);
	memcpy(&handed.sessions[12], &handed.sessions[2], 80);  /* another one, same files */
	((char *)&handed.sessions[12])[0] = 't';
	handed.sessions[1] = 2;
	open_is_eio(fix, &handed, 2);
}

static void test_open_files_promised_but_none_there_warns(void **state)
{
	struct luo_fixture *fix = *state;
	struct handed handed;

	hand_over(fix, &handed);
	handed.sessions[10] = 0;
	assert_int_equal(luo_fixture_begin(fix, &handed.params), 0);
	assert_true(dev_open(fix) >= 0);
	fix->kho->base->expected_reports = 1;
}

/* Every single bit of all records: fatal, -EIO, or harmless. Never a crash. */
static void test_every_bit_flip_survives(void **state)
{
	struct luo_fixture *fix = *state;
	struct handed handed;
	u64 reports;

	for (unsigned bit = 0; bit < 3 * 96 * 8; bit += 5) {
		u8 *page;
		int err, dev;

		hand_over(fix, &handed);
		page = (u8 *)(bit < 768 ? handed.ser : bit < 1536 ? handed.sessions : handed.files);
		page[bit % 768 / 8] ^= 1 << bit % 8;
		err = luo_fixture_begin(fix, &handed.params);
		assert_true(!err || err == -ENOTRECOVERABLE);
		if (!err && (dev = dev_open(fix)) >= 0) {
			int s = session_retrieve(fix, dev, "s");

			if (s >= 0) {
				session_retrieve_fd(fix, s, 1);
				session_finish(fix, s);
			}
		}
		assert_int_equal(luo_fixture_begin(fix, &(struct machine_boot_params){ 0 }), 0);
		script.log[0] = '\0';
	}
	reports = ifs_machine_count_reports(fix->kho->base->machine, IFS_RULE_WARN);
	fix->kho->base->expected_reports = reports;
}

static void test_late_init_every_allocation_may_fail(void **state)
{
	struct luo_fixture *fix = *state;
	struct kernel_base *kernel = fix->kho->base->kernel;
	struct kho *kho = fix->kho->kho;
	int err = -ENOMEM;

	luo_free(fix->luo);
	for (u64 nth = 1; err; nth++) {
		assert_int_equal(luo_new(kernel, &fix->config, fix->reason, &fix->luo), 0);
		base_fixture_fail_nth(fix->kho->base, nth, false);
		err = luo_late_init(fix->luo);
		base_fixture_fail_nth(fix->kho->base, 0, false);
		assert_int_equal(liveupdate_enabled(), !err);
		assert_int_equal(kho_nr_preserved_pages(kho), err ? 2 : 4);
		luo_free(fix->luo);
		assert_int_equal(kho_nr_preserved_pages(kho), 2);
	}
	assert_int_equal(luo_fixture_boot(fix), 0);
}

#define LUO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, luo_fixture_setup, luo_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_struct_sizes),
		LUO_TEST(test_serialized_bytes),
		LUO_TEST(test_liveupdate_num_counts_up),
		LUO_TEST(test_no_sessions_leaves_the_chain_empty),
		LUO_TEST(test_files_fill_blocks),
		LUO_TEST(test_freeze_failure_undoes_in_order),
		LUO_TEST(test_positive_freeze_passes_without_its_data),
		LUO_TEST(test_boot_damaged_luo_state_is_fatal),
		LUO_TEST(test_boot_luo_blob_too_small_or_lost_is_fatal),
		LUO_TEST(test_open_damaged_session_is_eio),
		LUO_TEST(test_open_files_promised_but_none_there_warns),
		LUO_TEST(test_every_bit_flip_survives),
		LUO_TEST(test_late_init_every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
