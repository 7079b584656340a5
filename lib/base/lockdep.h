/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Which class of lock was ever taken while which other was held. One graph per kernel; a new edge
 * is checked for a cycle once, so that the common case is one bit test.
 */
#ifndef LIB_BASE_LOCKDEP_H
#define LIB_BASE_LOCKDEP_H

#include <iommufd-sim/proto/lock.h>

/* More classes than the code has: running out is an assertion, never silence. */
#define LOCKDEP_CLASSES 192
#define LOCKDEP_CACHE 128

struct lockdep {
	u16 gen;                /* differs for each kernel, so that stale class ids are noticed */
	u16 nr_classes;
	u8 cache[LOCKDEP_CACHE];        /* by the name's address: 1 + class, 0 = empty */
	const char *names[LOCKDEP_CLASSES];
	u64 after[LOCKDEP_CLASSES][LOCKDEP_CLASSES / 64];      /* bit: taken while row was held */
};

struct kernel_base;
void lockdep_init(struct lockdep *dep, u16 gen);
/*
 * The class of a lock, an index into names[] (registering it on first sight). Names are compared by
 * content: the same lock initialised by one macro in two files is one class.
 */
u16 lockdep_class_lookup(struct lockdep *dep, struct lock_dep *lock);
static inline u16 lockdep_class(struct lockdep *dep, struct lock_dep *lock)
{
	if (__builtin_expect(lock->class_id && lock->kernel_gen == dep->gen, 1))
		return lock->class_id - 1;
	return lockdep_class_lookup(dep, lock);
}
/*
 * Records "next taken while held is held". False: that closes a cycle (reported by the caller), a
 * class nested in itself included. Recorded all the same, so each cycle is noticed once.
 */
bool lockdep_add_edge(struct lockdep *dep, u16 held, u16 next);

#endif
