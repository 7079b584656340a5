/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A kernel with KHO and LUO, a process that uses /dev/liveupdate, and a kind of file ("thing")
 * whose handler writes down every call. Each thing has a letter; serialized data is the letter's
 * code.
 */
#ifndef TESTS_LIB_LUO_LUO_FIXTURE_H
#define TESTS_LIB_LUO_LUO_FIXTURE_H

#include <linux/liveupdate.h>

#include "lib/luo/luo.h"
#include "tests/lib/kho/kho_fixture.h"

/* What the test handler and FLBs did and are to do. One test runs at a time. */
struct luo_script {
	char log[1024];                 /* "preserve(a) freeze(a) ..." */
	int preserve_err, freeze_err, retrieve_err, flb_preserve_err, flb_retrieve_err;
	char err_for;                   /* only for this letter; 0: for all */
	bool cannot_finish;
	bool freeze_changes_data;       /* data becomes data + 1000 */
	u64 retrieve_also;              /* token to get within retrieve, 0: none */
	struct liveupdate_session *session;     /* as last seen */
	bool closing;                   /* as can_finish saw it */
	struct file *last_file;
	u64 data_seen;
};
extern struct luo_script script;

struct luo_fixture {
	struct kho_fixture *kho;
	struct luo *luo;
	struct luo_config config;
	char reason[256];
	bool no_handlers;               /* do not register at boot */
	bool flbs;                      /* register the two FLBs with the handler */
};

extern const struct liveupdate_file_handler thing_handler, thing2_handler;
extern const struct liveupdate_flb flb_one, flb_two;
extern const struct module thing_module, flb_module;

struct luo_fixture *luo_fixture_new(void);
void luo_fixture_free(struct luo_fixture *fix);
int luo_fixture_boot(struct luo_fixture *fix);          /* result of luo_new() */
/* Reboot (must succeed) and boot the next kernel. */
void luo_fixture_kexec(struct luo_fixture *fix);
/* The two halves: memory can be changed in between. */
void luo_fixture_end(struct luo_fixture *fix, struct machine_boot_params *params);
int luo_fixture_begin(struct luo_fixture *fix, const struct machine_boot_params *params);

/* System calls of the process. */
int thing_open(struct luo_fixture *fix, char letter);   /* a descriptor */
int dev_open(struct luo_fixture *fix);
long fd_ioctl(struct luo_fixture *fix, int fd, unsigned cmd, void *arg);
void fd_close(struct luo_fixture *fix, int fd);
int session_create(struct luo_fixture *fix, int dev, const char *name);
int session_retrieve(struct luo_fixture *fix, int dev, const char *name);
long session_preserve(struct luo_fixture *fix, int session, int fd, u64 token);
int session_retrieve_fd(struct luo_fixture *fix, int session, u64 token);
long session_finish(struct luo_fixture *fix, int session);
char thing_letter(struct luo_fixture *fix, int fd);

#define assert_log(expected) do { \
	assert_string_equal(script.log, expected); script.log[0] = '\0'; } while (0)

int luo_fixture_setup(void **state);
int luo_fixture_setup_flbs(void **state);
int luo_fixture_teardown(void **state);

#endif
