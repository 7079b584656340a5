/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The order in which classes of locks are taken, learnt as the kernel runs: an edge held -> next
 * for every lock taken while another is held. A cycle means that some schedule deadlocks, even if
 * this one did not. The idea is Linux's lockdep; contexts (irq, softirq) are left out, there are
 * none here.
 *
 * A new edge is searched for a cycle once; after that it costs one bit test.
 */
#include "lib/base/lockdep.h"

#include <assert.h>

#define WORDS (LOCKDEP_CLASSES / 64)

_Static_assert(LOCKDEP_CLASSES % 64 == 0, "rows are whole words");
_Static_assert(LOCKDEP_CLASSES < 255, "the cache holds classes as bytes");

void lockdep_init(struct lockdep *dep, u16 gen)
{
	memset(dep, 0, sizeof(*dep));
	dep->gen = gen;
}

static u16 class_by_name(struct lockdep *dep, const char *name)
{
	u8 *slot = &dep->cache[((uintptr_t)name >> 2) % LOCKDEP_CACHE];
	u16 class_id;

	if (*slot && dep->names[*slot - 1] == name)
		return *slot - 1;
	for (class_id = 0; class_id < dep->nr_classes; class_id++)
		if (!strcmp(dep->names[class_id], name))
			break;
	assert(class_id < LOCKDEP_CLASSES);
	if (class_id == dep->nr_classes) {
		dep->names[class_id] = name;
		dep->nr_classes++;
	}
	*slot = class_id + 1;
	return class_id;
}

u16 lockdep_class_lookup(struct lockdep *dep, struct lock_dep *lock)
{
	assert(lock->name);                     /* never initialised */
	lock->class_id = class_by_name(dep, lock->name) + 1;
	lock->kernel_gen = dep->gen;
	return lock->class_id - 1;
}

static bool test_and_set(u64 *bits, u16 n)
{
	u64 bit = BIT_ULL(n % 64);
	bool was = bits[n / 64] & bit;

	bits[n / 64] |= bit;
	return was;
}

/* Breadth first over whole rows of the graph. */
static bool reaches(const struct lockdep *dep, u16 from, u16 to)
{
	u64 seen[WORDS] = { 0 }, todo[WORDS] = { 0 };

	test_and_set(todo, from);
	for (unsigned w = 0; w < WORDS; w++) {
		u16 n;

		if (!todo[w])
			continue;
		n = w * 64 + __builtin_ctzll(todo[w]);
		if (n == to)
			return true;
		seen[w] |= BIT_ULL(n % 64);
		for (unsigned i = 0; i < WORDS; i++)
			todo[i] = (todo[i] | dep->after[n][i]) & ~seen[i];
		w = -1u;                        /* start over: a lower class may be new */
	}
	return false;
}

bool lockdep_add_edge(struct lockdep *dep, u16 held, u16 next)
{
	if (__builtin_expect(test_and_set(dep->after[held], next), 1))
		return true;
	return !reaches(dep, next, held);
}
