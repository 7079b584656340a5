/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * difftest PROFILE SEED CALLS: see difftest.h.
 *
 * To record answers: compile tests/difftest/ *.c statically with the headers of the kernel in
 * question and -idirafter include/uapi, run it there as root with descriptors 0 to 2 open and no
 * others, and keep what it prints as tests/data/difftest/PROFILE.SEED.gz.
 */
#include "difftest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t state;
static long nr_calls;

void rnd_seed(uint64_t seed)
{
	state = seed * 0x9e3779b97f4a7c15ull + 1;
	for (int i = 0; i < 8; i++)
		rnd();
}

uint64_t rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

uint64_t below(uint64_t n)
{
	return n ? (rnd() >> 11) % n : 0;
}

int pct(unsigned percent)
{
	return below(100) < percent;
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

void call(const char *format, ...)
{
	va_list args;

	printf("%ld ", nr_calls++);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

long result(long value)
{
	if (value < 0)
		say(" = -%s", strerrorname_np(errno));
	else
		say(" = %ld", value);
	return value;
}

void end(void)
{
	say("\n");
}

uint32_t checksum(const void *data, uint64_t length)
{
	const uint8_t *byte = data;
	uint32_t sum = 2166136261u;

	for (uint64_t i = 0; i < length; i++)
		sum = (sum ^ byte[i]) * 16777619u;
	return sum;
}

int pool_is_full(const struct pool *pool)
{
	return pool->n == sizeof(pool->v) / sizeof(pool->v[0]);
}

void pool_add(struct pool *pool, int value)
{
	if (!pool_is_full(pool))
		pool->v[pool->n++] = value;
}

void pool_remove(struct pool *pool, int value)
{
	for (unsigned i = 0; i < pool->n; i++)
		if (pool->v[i] == value)
			pool->v[i--] = pool->v[--pool->n];
}

int pool_pick(const struct pool *pool)
{
	return pool->n ? pool->v[below(pool->n)] : -1;
}

void *page_before_guard(void)
{
	static uint8_t *page;

	if (!page) {
		page = mmap(GUARDED, 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		mprotect(page + PAGE, PAGE, PROT_NONE);
	}
	return page;
}

static void run(const struct operation *operations, long calls)
{
	unsigned total = 0;

	for (const struct operation *op = operations; op->run; op++)
		total += op->weight;
	while (nr_calls < calls) {
		const struct operation *op = operations;
		unsigned at = (unsigned)below(total);

		while (at >= op->weight)
			at -= op++->weight;
		op->run();
	}
}

int main(int argc, char **argv)
{
	const struct profile *const profiles[] = {
		&profile_memfd, &profile_luo, &profile_ioas, &profile_abi, &profile_fault,
		&profile_viommu, &profile_hwqueue, &profile_pasid, &profile_account,
		&profile_copyout,
	};

	for (unsigned i = 0; argc == 4 && i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		if (strcmp(argv[1], profiles[i]->name))
			continue;
		rnd_seed(strtoull(argv[2], NULL, 0));
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
		if (profiles[i]->start && profiles[i]->start()) {
			perror(argv[1]);
			return 1;
		}
		run(profiles[i]->operations, strtol(argv[3], NULL, 0));
		fflush(stdout);
		return 0;
	}
	fprintf(stderr, "usage: difftest PROFILE SEED CALLS\n");
	return 2;
}
