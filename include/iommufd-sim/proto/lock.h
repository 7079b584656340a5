/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Linux's locks, with Linux's names and rules, for kernel code run as tasks.
 *
 * By default a task runs to completion, so a lock never blocks: taking one costs a few nanoseconds
 * and its use is checked, always and in every mode:
 *   - sleeping (mutex, rwsem, GFP_KERNEL, might_sleep()) while a spinlock is held
 *   - taking a lock this task already holds; releasing one it does not hold
 *   - a cycle in the order in which classes of locks are taken (a class is one init site's name)
 * A violation is reported (rules ATOMIC_SLEEP, LOCK_RECURSION, LOCK_STRANGER, LOCK_ORDER) and the
 * operation goes on. Every operation is a point at which an explorer may switch tasks.
 *
 * lockdep_assert_held*() check what a comment would only claim.
 */
#ifndef IOMMUFD_SIM_PROTO_LOCK_H
#define IOMMUFD_SIM_PROTO_LOCK_H

#include <iommufd-sim/proto/types.h>

struct task;

struct lock_dep {
	const char *name;       /* the class: where and as what it was initialised */
	u16 class_id;           /* 1 + index in the kernel's class table; 0 = not yet looked up */
	u16 kernel_gen;         /* the class table class_id belongs to */
};

struct mutex {
	struct lock_dep dep;
	struct task *owner;
};

struct rw_semaphore {
	struct lock_dep dep;
	struct task *writer;
	u32 readers;
};

typedef struct spinlock {
	struct lock_dep dep;
	struct task *owner;
} spinlock_t;

#define IFS_LOCK_NAME(l) (IFS_FILE ":" #l)

IFS_PUBLIC void ifs_mutex_init(struct mutex *m, const char *name);
IFS_PUBLIC void ifs_mutex_lock(struct mutex *m);
IFS_PUBLIC bool ifs_mutex_trylock(struct mutex *m);
IFS_PUBLIC void ifs_mutex_unlock(struct mutex *m);
IFS_PUBLIC void ifs_rwsem_init(struct rw_semaphore *s, const char *name);
IFS_PUBLIC void ifs_down_read(struct rw_semaphore *s);
IFS_PUBLIC bool ifs_down_read_trylock(struct rw_semaphore *s);
IFS_PUBLIC void ifs_up_read(struct rw_semaphore *s);
IFS_PUBLIC void ifs_down_write(struct rw_semaphore *s);
IFS_PUBLIC void ifs_up_write(struct rw_semaphore *s);
/*
 * Any number of one class, under @nest, which is held for writing: nobody else can be taking
 * several of them, so their order does not matter.
 */
IFS_PUBLIC void ifs_down_write_nest_lock(struct rw_semaphore *s, struct rw_semaphore *nest);
IFS_PUBLIC void ifs_downgrade_write(struct rw_semaphore *s);
IFS_PUBLIC void ifs_spin_lock_init(spinlock_t *l, const char *name);
IFS_PUBLIC void ifs_spin_lock(spinlock_t *l);
IFS_PUBLIC void ifs_spin_unlock(spinlock_t *l);
IFS_PUBLIC void ifs_might_sleep(const char *where);
IFS_PUBLIC bool ifs_mutex_is_held(const struct mutex *m);
IFS_PUBLIC bool ifs_rwsem_is_held(const struct rw_semaphore *s, bool write);
/* Any kind of lock, in any mode, by this task. */
IFS_PUBLIC bool ifs_lock_is_held(const void *lock);
IFS_PUBLIC void ifs_lock_not_held(const char *what, const char *file, int line);

#define mutex_init(m) ifs_mutex_init(m, IFS_LOCK_NAME(m))
#define mutex_lock ifs_mutex_lock
#define mutex_trylock ifs_mutex_trylock
#define mutex_unlock ifs_mutex_unlock
#define mutex_destroy(m) ((void)(m))
#define init_rwsem(s) ifs_rwsem_init(s, IFS_LOCK_NAME(s))
#define down_read ifs_down_read
#define down_read_trylock ifs_down_read_trylock
#define up_read ifs_up_read
#define down_write ifs_down_write
#define up_write ifs_up_write
#define down_write_nest_lock ifs_down_write_nest_lock
#define downgrade_write ifs_downgrade_write
#define spin_lock_init(l) ifs_spin_lock_init(l, IFS_LOCK_NAME(l))
#define spin_lock ifs_spin_lock
#define spin_unlock ifs_spin_unlock
#define might_sleep() ifs_might_sleep(__func__)
#define lockdep_assert_held(m) \
	do { if (!ifs_lock_is_held(m)) ifs_lock_not_held(#m, IFS_FILE, __LINE__); } while (0)
#define lockdep_assert_held_read(s) do { if (!ifs_rwsem_is_held(s, false)) \
	ifs_lock_not_held(#s, IFS_FILE, __LINE__); } while (0)
#define lockdep_assert_held_write(s) do { if (!ifs_rwsem_is_held(s, true)) \
	ifs_lock_not_held(#s, IFS_FILE, __LINE__); } while (0)

#endif
