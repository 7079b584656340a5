/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the sanitizers are told by every target, so that nobody has to: undefined behaviour is a
 * find, and memory that is freed and allocated a thousand times per input is kept apart for less
 * long and with shorter stacks than a program's that runs once.
 */
#include "tests/fuzz/fuzz.h"

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=16:malloc_context_size=6";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "halt_on_error=1:print_stacktrace=1";
}
