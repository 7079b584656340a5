/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* A kernel with KHO and nothing above it, and kexecs of it by hand. */
#ifndef TESTS_LIB_KHO_KHO_FIXTURE_H
#define TESTS_LIB_KHO_KHO_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/kho/kho.h"
#include "tests/harness/base_fixture.h"

struct kho_fixture {
	struct base_fixture *base;
	struct kho *kho;
	struct kho_config config;
	char reason[256];
};

struct kho_fixture *kho_fixture_new(u64 ram_bytes);
void kho_fixture_free(struct kho_fixture *fix);
/* kho_new() and kho_init() on the machine as it is. */
void kho_fixture_boot(struct kho_fixture *fix);
/* Ends this kernel, handing over what it has, and boots the next. */
void kho_fixture_kexec(struct kho_fixture *fix);
/* The same in two steps, so that a test can change what lies in memory between them. */
void kho_fixture_end(struct kho_fixture *fix, struct machine_boot_params *params);
void kho_fixture_begin(struct kho_fixture *fix, const struct machine_boot_params *params);

u64 *kho_fixture_words(struct kho_fixture *fix, pa_t pa);      /* 512 of them */
pa_t kho_fixture_page(struct kho_fixture *fix);                /* one zeroed page */

int kho_fixture_setup(void **state);
int kho_fixture_teardown(void **state);

#endif
