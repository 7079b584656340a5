/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Locks: what is reported, and above all what is not. */
#include <iommufd-sim/proto/lock.h>

#include "tests/lib/base/base_fixture_min.h"

struct locks {
	struct mutex a, b, c;
	struct rw_semaphore rw;
	spinlock_t spin;
};

static void locks_init(struct locks *l)
{
	mutex_init(&l->a);
	mutex_init(&l->b);
	mutex_init(&l->c);
	init_rwsem(&l->rw);
	spin_lock_init(&l->spin);
}

static void test_correct_use_silent(void **state)
{
	/* Every report would be noise and nobody would read the true one. */
	struct fixture *f = *state;
	struct locks l;

	locks_init(&l);
	for (int i = 0; i < 3; i++) {
		mutex_lock(&l.a);
		down_write(&l.rw);
		lockdep_assert_held(&l.a);
		lockdep_assert_held_write(&l.rw);
		downgrade_write(&l.rw);
		lockdep_assert_held_read(&l.rw);
		spin_lock(&l.spin);
		mutex_unlock(&l.a);             /* not in reverse order: allowed */
		spin_unlock(&l.spin);
		up_read(&l.rw);
		might_sleep();
	}
	assert_true(mutex_trylock(&l.a));
	mutex_unlock(&l.a);
	assert_true(down_read_trylock(&l.rw));
	up_read(&l.rw);
	assert_no_report(f);
	assert_int_equal(f->task.nr_held, 0);
	assert_int_equal(f->task.atomic_depth, 0);
}

static void test_lock_recursion_reported(void **state)
{
	struct fixture *f = *state;
	struct locks l;

	locks_init(&l);
	mutex_lock(&l.a);
	mutex_lock(&l.a);
	assert_report(f, IFS_RULE_LOCK_RECURSION);
	mutex_unlock(&l.a);
	assert_true(ifs_mutex_is_held(&l.a));
	mutex_unlock(&l.a);
	assert_false(ifs_mutex_is_held(&l.a));
	down_read(&l.rw);
	down_read(&l.rw);
	assert_report(f, IFS_RULE_LOCK_RECURSION);
	up_read(&l.rw);
	up_read(&l.rw);
	down_read(&l.rw);
	down_write(&l.rw);
	assert_report(f, IFS_RULE_LOCK_RECURSION);
	up_write(&l.rw);
	up_read(&l.rw);
	spin_lock(&l.spin);
	spin_lock(&l.spin);
	assert_report(f, IFS_RULE_LOCK_RECURSION);
	spin_unlock(&l.spin);
	spin_unlock(&l.spin);
	assert_no_report(f);
	assert_int_equal(l.rw.readers, 0);
}

static void test_unlock_by_stranger_reported(void **state)
{
	struct fixture *f = *state;
	struct task other = { .pid = 2 };
	struct locks l;

	locks_init(&l);
	mutex_unlock(&l.a);
	assert_report(f, IFS_RULE_LOCK_STRANGER);
	up_read(&l.rw);
	assert_report(f, IFS_RULE_LOCK_STRANGER);
	mutex_lock(&l.a);
	task_enter(&other, &f->kernel, "other");
	mutex_unlock(&l.a);
	assert_report(f, IFS_RULE_LOCK_STRANGER);
	task_leave(&other);
	mutex_unlock(&l.a);
	assert_no_report(f);
}

static void test_lock_held_by_task_that_never_runs_reported(void **state)
{
	/* A kernel task that waits for its caller's lock waits for ever. */
	struct fixture *f = *state;
	struct task other = { .pid = 2 };
	struct locks l;

	locks_init(&l);
	mutex_lock(&l.a);
	down_read(&l.rw);
	task_enter(&other, &f->kernel, "other");
	assert_false(mutex_trylock(&l.a));
	down_read(&l.rw);
	up_read(&l.rw);
	assert_no_report(f);
	mutex_lock(&l.a);
	assert_report(f, IFS_RULE_LOCK_RECURSION);
	mutex_unlock(&l.a);
	down_write(&l.rw);
	assert_report(f, IFS_RULE_LOCK_RECURSION);
	up_write(&l.rw);
	task_leave(&other);
	up_read(&l.rw);
	mutex_unlock(&l.a);
}

static void test_order_cycle_reported_once(void **state)
{
	/* Two tasks that meet in the middle would deadlock on another day. */
	struct fixture *f = *state;
	struct locks l, m;

	locks_init(&l);
	locks_init(&m);
	mutex_lock(&l.a);
	mutex_lock(&l.b);
	mutex_unlock(&l.b);
	mutex_unlock(&l.a);
	mutex_lock(&l.b);
	mutex_lock(&l.c);
	mutex_unlock(&l.c);
	mutex_unlock(&l.b);
	assert_no_report(f);
	/* Other locks of the same classes: a -> b -> c -> a. */
	mutex_lock(&m.c);
	assert_true(mutex_trylock(&m.a));       /* cannot wait, so no cycle */
	mutex_unlock(&m.a);
	assert_no_report(f);
	mutex_lock(&m.a);
	assert_report(f, IFS_RULE_LOCK_ORDER);
	mutex_unlock(&m.a);
	mutex_lock(&m.a);
	assert_no_report(f);
	mutex_unlock(&m.a);
	mutex_unlock(&m.c);
}

static void test_two_locks_of_one_class_reported(void **state)
{
	struct fixture *f = *state;
	struct locks l, m;

	locks_init(&l);
	locks_init(&m);
	mutex_lock(&l.a);
	mutex_lock(&m.a);
	assert_report(f, IFS_RULE_LOCK_ORDER);
	mutex_unlock(&m.a);
	mutex_unlock(&l.a);
}

/* As many as a user makes: none may overflow the task's list, or count as a deadlock. */
static void test_down_write_nest_lock_many_of_one_class_silent(void **state)
{
	struct fixture *f = *state;
	struct rw_semaphore inner[100];
	struct locks l;

	locks_init(&l);
	for (int i = 0; i < 100; i++)
		ifs_rwsem_init(&inner[i], "inner");
	down_write(&l.rw);
	for (int i = 0; i < 100; i++)
		down_write_nest_lock(&inner[i], &l.rw);
	lockdep_assert_held_write(&inner[0]);
	lockdep_assert_held_write(&inner[99]);
	mutex_lock(&l.a);
	mutex_unlock(&l.a);
	for (int i = 0; i < 100; i++)
		up_write(&inner[i]);
	assert_false(ifs_rwsem_is_held(&inner[0], true));
	up_write(&l.rw);
	down_write(&inner[7]);
	up_write(&inner[7]);
	assert_no_report(f);
}

static void test_sleep_under_spinlock_reported(void **state)
{
	struct fixture *f = *state;
	struct locks l;

	locks_init(&l);
	spin_lock(&l.spin);
	mutex_lock(&l.a);
	assert_report(f, IFS_RULE_ATOMIC_SLEEP);
	down_read(&l.rw);
	assert_report(f, IFS_RULE_ATOMIC_SLEEP);
	might_sleep();
	assert_report(f, IFS_RULE_ATOMIC_SLEEP);
	up_read(&l.rw);
	mutex_unlock(&l.a);
	spin_unlock(&l.spin);
	might_sleep();
	assert_no_report(f);
}

static void test_assert_held_without_lock_reported(void **state)
{
	struct fixture *f = *state;
	struct locks l;

	locks_init(&l);
	lockdep_assert_held(&l.a);
	assert_report(f, IFS_RULE_LOCK_NOT_HELD);
	down_read(&l.rw);
	lockdep_assert_held_write(&l.rw);
	assert_report(f, IFS_RULE_LOCK_NOT_HELD);
	lockdep_assert_held_read(&l.rw);
	assert_no_report(f);
	up_read(&l.rw);
	downgrade_write(&l.rw);
	assert_report(f, IFS_RULE_LOCK_NOT_HELD);
}

static void test_task_leave_with_lock_reported(void **state)
{
	struct fixture *f = *state;
	struct task other = { .pid = 2 };
	struct locks l;

	locks_init(&l);
	task_enter(&other, &f->kernel, "other");
	assert_ptr_equal(current, &other);
	mutex_lock(&l.a);
	task_leave(&other);
	assert_report(f, IFS_RULE_LEAK);
	assert_ptr_equal(current, &f->task);
}

static void test_class_of_another_kernel_looked_up_anew(void **state)
{
	/* A lock that survives a kexec by mistake would count as whatever class had its number. */
	struct fixture *f = *state;
	struct lockdep *next = calloc(1, sizeof(*next));
	struct lock_dep x = { .name = "x" }, y = { .name = "y" };
	char copy_of_x[] = "x";
	struct lock_dep z = { .name = copy_of_x };

	assert_int_equal(lockdep_class(&f->kernel.lockdep, &x), 0);
	assert_int_equal(lockdep_class(&f->kernel.lockdep, &y), 1);
	assert_int_equal(lockdep_class(&f->kernel.lockdep, &z), 0);
	lockdep_init(next, 8);
	assert_int_equal(lockdep_class(next, &y), 0);
	assert_int_equal(lockdep_class(next, &x), 1);
	free(next);
}

static u32 nr_points, nr_waits;

static void count_point(struct task *task, const char *what, const void *object)
{
	nr_points++;
}

/* Plays the other task: it releases the lock. */
static void release_for(struct task *task, const char *what, const void *lock)
{
	struct mutex *m = (struct mutex *)lock;

	if (++nr_waits == 3)
		m->owner = NULL;
}

static void test_explorer_asked_to_run_others(void **state)
{
	static const struct sched_ops ops = { .point = count_point, .wait = release_for };
	struct fixture *f = *state;
	struct task other = { .pid = 2 };
	struct locks l;

	locks_init(&l);
	mutex_lock(&l.a);
	f->kernel.sched = &ops;
	task_enter(&other, &f->kernel, "other");
	mutex_lock(&l.a);
	assert_int_equal(nr_waits, 3);
	assert_int_equal(nr_points, 1);
	mutex_unlock(&l.a);
	assert_int_equal(nr_points, 2);
	task_leave(&other);
	f->kernel.sched = NULL;
	assert_no_report(f);
	mutex_unlock(&l.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_kernel(test_correct_use_silent),
		with_kernel(test_lock_recursion_reported),
		with_kernel(test_unlock_by_stranger_reported),
		with_kernel(test_lock_held_by_task_that_never_runs_reported),
		with_kernel(test_order_cycle_reported_once),
		with_kernel(test_two_locks_of_one_class_reported),
		with_kernel(test_down_write_nest_lock_many_of_one_class_silent),
		with_kernel(test_sleep_under_spinlock_reported),
		with_kernel(test_assert_held_without_lock_reported),
		with_kernel(test_task_leave_with_lock_reported),
		with_kernel(test_class_of_another_kernel_looked_up_anew),
		with_kernel(test_explorer_asked_to_run_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
