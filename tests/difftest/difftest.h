/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Random system calls whose answers a real kernel has recorded.
 *
 * The program issues a sequence of calls that depends on the profile, the seed and the answers so
 * far, and prints one line for each: number, call, arguments, answer. It uses the C library and the
 * kernel's user headers and nothing of this project: compiled as it is, it asks the kernel it runs
 * on (as root); compiled with -include iommufd-sim/redirect.h, it asks the simulator. The two must
 * print the same bytes.
 *
 * What the simulator is known not to do is not asked: see each profile.
 */
#ifndef TESTS_DIFFTEST_H
#define TESTS_DIFFTEST_H

#include <stdint.h>

#define PAGE 4096ull

/* The random sequence: xorshift64*, the same everywhere. */
uint64_t rnd(void);
uint64_t below(uint64_t n);             /* 0 if @n is 0 */
int pct(unsigned percent);
void rnd_seed(uint64_t seed);

/* A line: what is called, then result() for what it answered, then what it gave, then end(). */
__attribute__((format(printf, 1, 2))) void call(const char *format, ...);
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* Prints " = -ENAME" or " = value", and returns @value. */
long result(long value);
void end(void);
uint32_t checksum(const void *data, uint64_t length);

/* Descriptors or ids to choose from; sometimes one that does not belong there. */
struct pool {
	int v[24];
	unsigned n;
};
int pool_is_full(const struct pool *pool);
void pool_add(struct pool *pool, int value);
void pool_remove(struct pool *pool, int value);
int pool_pick(const struct pool *pool);         /* -1: empty */

/*
 * Memory with nothing behind it, and a page with a guard behind it. Fixed addresses lie where
 * neither Linux nor a sanitizer puts anything.
 */
#define NOWHERE ((void *)0x300000000000ull)
#define GUARDED ((void *)0x310000000000ull)
void *page_before_guard(void);

struct operation {
	void (*run)(void);
	unsigned weight;
};
struct profile {
	const char *name;
	int (*start)(void);             /* not 0: this kernel lacks something */
	const struct operation *operations;     /* ends with a NULL */
};
extern const struct profile profile_memfd, profile_luo, profile_ioas, profile_abi, profile_fault,
			    profile_viommu, profile_hwqueue, profile_pasid, profile_account,
			    profile_copyout;

/* Of the memfd profile, for others: memory files in all states. */
extern const struct operation memfd_operations[];
extern struct pool memfds;
void memfd_make(void);

#endif
