/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Timing for the benches: figures to print, never to judge by. Ratios are of the same minute. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static inline uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Of two figures the better one; a function, so that what is measured runs once. */
static inline double bench_best(double best, double ns)
{
	return ns < best ? ns : best;
}

static inline int bench_has_flag(int argc, char **argv, const char *flag)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], flag))
			return 1;
	}
	return 0;
}

#endif
