/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Mutexes, rwsems and spinlocks (kernel/locking/): who holds what, checked at every operation.
 *
 * Tasks run to completion, so a lock is normally free. If it is not, either an explorer has
 * switched tasks in the middle (sched_ops.wait() runs others until the lock is free), or nobody is
 * there who could ever release it: that is a deadlock, reported as recursion, and the lock is taken
 * over so that the run can go on and find more.
 *
 * Each task keeps the list of its locks, in the order they were taken; that list is what order,
 * ownership and lockdep_assert_held() are judged by. A lock must be released by the task that took
 * it.
 */
#include <iommufd-sim/proto/lock.h>

#include <assert.h>

#include "lib/base/task.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

static const char *class_name(const struct task *task, u16 class_id)
{
	return task->kernel->lockdep.names[class_id];
}

static inline struct task *lock_point(const char *what, const void *lock)
{
	struct task *task = current;

	assert(task);                           /* kernel code runs inside a task */
	if (unlikely(task->kernel->sched))
		sched_point(what, lock);
	return task;
}

/* The place in @task's list where it holds @lock, or nr_held. Latest first: locks nest. */
static inline u32 held_index(const struct task *task, const void *lock)
{
	for (u32 i = task->nr_held; i-- > 0;)
		if (task->held[i].lock == lock)
			return i;
	return task->nr_held;
}

static bool is_held(const struct task *task, const void *lock)
{
	return held_index(task, lock) < task->nr_held;
}

static inline void held_push(struct task *task, void *lock, u16 class_id, enum held_mode mode)
{
	assert(task->nr_held < TASK_MAX_LOCKS);
	task->held[task->nr_held++] = (struct held_lock){
		.lock = lock, .class_id = class_id, .mode = mode,
	};
}

/* False, and a report: the task does not hold it. */
static inline bool held_pop(struct task *task, void *lock, struct lock_dep *dep, const char *what)
{
	u32 i = held_index(task, lock);

	if (unlikely(i == task->nr_held)) {
		u16 class_id = lockdep_class(&task->kernel->lockdep, dep);

		kernel_report(task->kernel, IFS_RULE_LOCK_STRANGER,
			      "%s pid %u: %s of %s, which it does not hold", task->name, task->pid,
			      what, class_name(task, class_id));
		return false;
	}
	task->nr_held--;
	for (; i < task->nr_held; i++)
		task->held[i] = task->held[i + 1];
	return true;
}

/* What must be true before @lock may be taken: its class comes after all that are held. */
static inline u16 check_order(struct task *task, struct lock_dep *dep)
{
	struct lockdep *graph = &task->kernel->lockdep;
	u16 class_id = lockdep_class(graph, dep);

	for (u32 i = 0; i < task->nr_held; i++) {
		u16 held = task->held[i].class_id;

		if (likely(lockdep_add_edge(graph, held, class_id)))
			continue;
		kernel_report(task->kernel, IFS_RULE_LOCK_ORDER, "%s pid %u takes %s under %s; %s",
			      task->name, task->pid, class_name(task, class_id),
			      class_name(task, held),
			      held == class_id ? "two of one class have no order" :
						 "the other order was seen before");
	}
	return class_id;
}

/* Same lock twice: a deadlock on the spot. True if so; order is not judged then. */
static inline bool check_recursion(struct task *task, const void *lock, struct lock_dep *dep,
				   const char *what)
{
	if (!unlikely(is_held(task, lock)))
		return false;
	kernel_report(task->kernel, IFS_RULE_LOCK_RECURSION,
		      "%s pid %u: %s of %s, which it holds already", task->name, task->pid, what,
		      class_name(task, lockdep_class(&task->kernel->lockdep, dep)));
	return true;
}

/* One round of waiting for a lock another task holds. False: nobody will ever release it. */
static bool wait_round(struct task *task, const void *lock, struct lock_dep *dep, const char *what,
		       const struct task *owner)
{
	if (task->kernel->sched) {
		task->kernel->sched->wait(task, what, lock);
		return true;
	}
	kernel_report(task->kernel, IFS_RULE_LOCK_RECURSION,
		      "%s pid %u: %s of %s waits for ever: held by %s", task->name, task->pid, what,
		      class_name(task, lockdep_class(&task->kernel->lockdep, dep)),
		      owner ? "a task that does not run" : "readers that do not run");
	return false;
}

static void check_sleep(struct task *task, const char *what, const char *object)
{
	const char *spinlock = "?";

	for (u32 i = 0; i < task->nr_held; i++)
		if (task->held[i].mode == HELD_SPIN)
			spinlock = class_name(task, task->held[i].class_id);
	kernel_report(task->kernel, IFS_RULE_ATOMIC_SLEEP,
		      "%s pid %u: %s%s%s may sleep under spinlock %s", task->name, task->pid, what,
		      object ? " of " : "", object ? object : "", spinlock);
}

void ifs_might_sleep(const char *where)
{
	struct task *task = current;

	assert(task);
	if (unlikely(task->atomic_depth))
		check_sleep(task, where, NULL);
}

/* mutex */

void ifs_mutex_init(struct mutex *m, const char *name)
{
	*m = (struct mutex){ .dep.name = name };
}

void ifs_mutex_lock(struct mutex *m)
{
	struct task *task = lock_point("mutex_lock", m);
	u16 class_id;

	if (unlikely(task->atomic_depth))
		check_sleep(task, "mutex_lock", m->dep.name);
	if (unlikely(check_recursion(task, m, &m->dep, "mutex_lock")))
		class_id = lockdep_class(&task->kernel->lockdep, &m->dep);
	else
		class_id = check_order(task, &m->dep);
	while (unlikely(m->owner && m->owner != task))
		if (!wait_round(task, m, &m->dep, "mutex_lock", m->owner))
			break;
	m->owner = task;
	held_push(task, m, class_id, HELD_MUTEX);
}

bool ifs_mutex_trylock(struct mutex *m)
{
	struct task *task = lock_point("mutex_trylock", m);

	if (m->owner)
		return false;
	m->owner = task;
	/* It cannot wait, so it cannot close a cycle. */
	held_push(task, m, lockdep_class(&task->kernel->lockdep, &m->dep), HELD_MUTEX);
	return true;
}

void ifs_mutex_unlock(struct mutex *m)
{
	struct task *task = current;

	assert(task);
	held_pop(task, m, &m->dep, "mutex_unlock");
	if (!unlikely(is_held(task, m)))
		m->owner = NULL;
	lock_point("mutex_unlock", m);
}

bool ifs_mutex_is_held(const struct mutex *m)
{
	return current && is_held(current, m);
}

/* rw_semaphore */

void ifs_rwsem_init(struct rw_semaphore *s, const char *name)
{
	*s = (struct rw_semaphore){ .dep.name = name };
}

static u16 rwsem_check(struct task *task, struct rw_semaphore *s, const char *what)
{
	if (unlikely(task->atomic_depth))
		check_sleep(task, what, s->dep.name);
	/* A reader that reads again deadlocks too, as soon as a writer waits in between. */
	if (unlikely(check_recursion(task, s, &s->dep, what)))
		return lockdep_class(&task->kernel->lockdep, &s->dep);
	return check_order(task, &s->dep);
}

void ifs_down_read(struct rw_semaphore *s)
{
	struct task *task = lock_point("down_read", s);
	u16 class_id = rwsem_check(task, s, "down_read");

	while (unlikely(s->writer && s->writer != task))
		if (!wait_round(task, s, &s->dep, "down_read", s->writer)) {
			s->writer = NULL;
			break;
		}
	s->readers++;
	held_push(task, s, class_id, HELD_READ);
}

bool ifs_down_read_trylock(struct rw_semaphore *s)
{
	struct task *task = lock_point("down_read_trylock", s);

	if (s->writer)
		return false;
	s->readers++;
	held_push(task, s, lockdep_class(&task->kernel->lockdep, &s->dep), HELD_READ);
	return true;
}

void ifs_up_read(struct rw_semaphore *s)
{
	struct task *task = current;

	assert(task);
	held_pop(task, s, &s->dep, "up_read");
	if (s->readers)
		s->readers--;
	lock_point("up_read", s);
}

void ifs_down_write(struct rw_semaphore *s)
{
	struct task *task = lock_point("down_write", s);
	u16 class_id = rwsem_check(task, s, "down_write");
	u32 own = is_held(task, s) && s->writer != task;

	while (unlikely((s->writer && s->writer != task) || s->readers > own))
		if (!wait_round(task, s, &s->dep, "down_write", s->writer)) {
			s->readers = own;
			break;
		}
	s->writer = task;
	held_push(task, s, class_id, HELD_WRITE);
}

static struct held_lock *held_nested(struct task *task, u16 class_id)
{
	for (u32 i = task->nr_held; i-- > 0;)
		if (task->held[i].mode == HELD_NESTED && task->held[i].class_id == class_id)
			return &task->held[i];
	return NULL;
}

/*
 * However many there are, the task's list has one entry for them (as Linux's lockdep counts
 * references of one held lock); that this task has one of them is known from the lock itself.
 */
void ifs_down_write_nest_lock(struct rw_semaphore *s, struct rw_semaphore *nest)
{
	struct task *task = lock_point("down_write_nest_lock", s);
	u16 class_id = lockdep_class(&task->kernel->lockdep, &s->dep);
	struct held_lock *held = held_nested(task, class_id);

	lockdep_assert_held_write(nest);
	if (!held) {
		class_id = rwsem_check(task, s, "down_write_nest_lock");
		held_push(task, NULL, class_id, HELD_NESTED);
		held = &task->held[task->nr_held - 1];
	}
	while (unlikely(s->writer || s->readers))
		if (!wait_round(task, s, &s->dep, "down_write_nest_lock", s->writer)) {
			s->readers = 0;
			break;
		}
	s->writer = task;
	held->nr++;
}

/* False: it was not taken that way. */
static bool nested_pop(struct task *task, struct rw_semaphore *s)
{
	struct held_lock *held = held_nested(task, lockdep_class(&task->kernel->lockdep, &s->dep));

	if (!held || s->writer != task)
		return false;
	if (--held->nr)
		return true;
	task->nr_held--;
	for (; held < &task->held[task->nr_held]; held++)
		held[0] = held[1];
	return true;
}

void ifs_up_write(struct rw_semaphore *s)
{
	struct task *task = current;

	assert(task);
	if (is_held(task, s) || !nested_pop(task, s))
		held_pop(task, s, &s->dep, "up_write");
	s->writer = NULL;
	lock_point("up_write", s);
}

void ifs_downgrade_write(struct rw_semaphore *s)
{
	struct task *task = current;
	u32 i;

	assert(task);
	i = held_index(task, s);
	if (unlikely(i == task->nr_held || task->held[i].mode != HELD_WRITE)) {
		ifs_lock_not_held("downgrade_write", s->dep.name, 0);
		return;
	}
	task->held[i].mode = HELD_READ;
	s->writer = NULL;
	s->readers++;
	lock_point("downgrade_write", s);
}

bool ifs_rwsem_is_held(const struct rw_semaphore *s, bool write)
{
	struct task *task = current;
	u32 i;

	if (!task)
		return false;
	i = held_index(task, s);
	/* Taken with down_write_nest_lock(). */
	if (i == task->nr_held)
		return write && s->writer == task;
	/* As Linux's lockdep_assert_held_read(): reading is asserted exactly, not "at least". */
	return task->held[i].mode == (write ? HELD_WRITE : HELD_READ);
}

/* spinlock */

void ifs_spin_lock_init(spinlock_t *l, const char *name)
{
	*l = (spinlock_t){ .dep.name = name };
}

void ifs_spin_lock(spinlock_t *l)
{
	struct task *task = lock_point("spin_lock", l);
	u16 class_id;

	if (unlikely(check_recursion(task, l, &l->dep, "spin_lock")))
		class_id = lockdep_class(&task->kernel->lockdep, &l->dep);
	else
		class_id = check_order(task, &l->dep);
	while (unlikely(l->owner && l->owner != task))
		if (!wait_round(task, l, &l->dep, "spin_lock", l->owner))
			break;
	l->owner = task;
	task->atomic_depth++;
	held_push(task, l, class_id, HELD_SPIN);
}

void ifs_spin_unlock(spinlock_t *l)
{
	struct task *task = current;

	assert(task);
	if (held_pop(task, l, &l->dep, "spin_unlock"))
		task->atomic_depth--;
	if (!unlikely(is_held(task, l)))
		l->owner = NULL;
	lock_point("spin_unlock", l);
}

bool ifs_lock_is_held(const void *lock)
{
	return current && is_held(current, lock);
}

void ifs_lock_not_held(const char *what, const char *file, int line)
{
	struct task *task = current;

	assert(task);
	kernel_report(task->kernel, IFS_RULE_LOCK_NOT_HELD, "%s:%d: %s is not held by %s pid %u",
		      file, line, what, task->name, task->pid);
}
