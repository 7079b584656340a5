/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The heap of one kernel, and kmalloc on top of it. */
#include "lib/base/kheap.h"

#include <iommufd-sim/proto/slab.h>

#include "tests/lib/base/base_fixture_min.h"

static void test_alloc_zeroed_and_counted(void **state)
{
	struct fixture *f = *state;
	struct kheap *heap = &f->kernel.heap;
	u8 *p = kheap_alloc(heap, 100, "a");

	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal((uintptr_t)p % 16, 0);
	assert_int_equal(heap->nr_blocks, 1);
	assert_int_equal(heap->nr_bytes, 100);
	kheap_free(heap, p);
	kheap_free(heap, NULL);
	assert_int_equal(heap->nr_blocks, 0);
	assert_int_equal(heap->nr_bytes, 0);
}

static void test_alloc_impossible_size_null(void **state)
{
	/* A count from outside, multiplied, would wrap to a small block. */
	struct fixture *f = *state;

	assert_null(kheap_alloc(&f->kernel.heap, SIZE_MAX, "a"));
	assert_null(kheap_alloc(&f->kernel.heap, SIZE_MAX - 8, "a"));
	assert_null(kcalloc(1ul << 33, 1ul << 33, GFP_KERNEL));
}

static void test_realloc_keeps_old_and_zeroes_new(void **state)
{
	struct fixture *f = *state;
	struct kheap *heap = &f->kernel.heap;
	u8 *p = kheap_realloc(heap, NULL, 4, "a"), *other = kheap_alloc(heap, 1, "b"), *q;

	memset(p, 0x11, 4);
	p = kheap_realloc(heap, p, 100000, "a");
	assert_int_equal(p[3], 0x11);
	assert_int_equal(p[4], 0);
	assert_int_equal(p[99999], 0);
	assert_int_equal(heap->nr_bytes, 100001);
	fail_points_arm(&f->kernel.fail, 1, false);
	q = kheap_realloc(heap, p, 200000, "a");
	assert_null(q);
	assert_int_equal(p[3], 0x11);
	p = kheap_realloc(heap, p, 2, "a");
	assert_int_equal(p[1], 0x11);
	assert_int_equal(heap->nr_bytes, 3);
	kheap_free(heap, other);
	kheap_free(heap, p);
}

static void test_alloc_nth_failure_injected(void **state)
{
	/* The sweep over failing allocations would skip some. */
	struct fixture *f = *state;
	struct kheap *heap = &f->kernel.heap;
	void *a, *b;

	fail_points_arm(&f->kernel.fail, 2, false);
	a = kheap_alloc(heap, 1, "a");
	assert_non_null(a);
	assert_false(f->kernel.fail.fired);
	assert_null(kheap_alloc(heap, 1, "b"));
	assert_true(f->kernel.fail.fired);
	b = kzalloc(1, GFP_KERNEL);
	assert_non_null(b);
	fail_points_arm(&f->kernel.fail, 1, true);
	assert_null(kheap_alloc(heap, 1, "c"));
	assert_null(kzalloc(1, GFP_KERNEL));
	kheap_free(heap, a);
	kfree(b);
}

struct names {
	char text[64];
	size_t bytes;
};

static void note(void *ctx, const char *site, size_t size)
{
	struct names *names = ctx;

	strcat(names->text, site);
	names->bytes += size;
}

static void test_for_each_names_leaks_oldest_first(void **state)
{
	struct fixture *f = *state;
	struct kheap *heap = &f->kernel.heap;
	struct names names = { .bytes = 0 };
	void *a = kheap_alloc(heap, 1, "one ");

	kheap_alloc(heap, 2, "two ");
	kheap_alloc(heap, 3, "three ");
	kheap_free(heap, a);
	kheap_for_each(heap, note, &names);
	assert_string_equal(names.text, "two three ");
	assert_int_equal(names.bytes, 5);
	kheap_drop(heap);
	kheap_for_each(heap, note, &names);
	assert_int_equal(names.bytes, 5);
}

static void test_kzalloc_may_sleep_under_spinlock_reported(void **state)
{
	/* A design that allocates under a spinlock would look fine until it runs on hardware. */
	struct fixture *f = *state;
	spinlock_t lock;
	void *p;

	spin_lock_init(&lock);
	spin_lock(&lock);
	p = kzalloc(8, GFP_ATOMIC);
	assert_no_report(f);
	kfree(p);
	p = kzalloc(8, GFP_KERNEL);
	assert_report(f, IFS_RULE_ATOMIC_SLEEP);
	kfree(p);
	spin_unlock(&lock);
	kfree(kzalloc(8, GFP_KERNEL));
	assert_no_report(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_kernel(test_alloc_zeroed_and_counted),
		with_kernel(test_alloc_impossible_size_null),
		with_kernel(test_realloc_keeps_old_and_zeroes_new),
		with_kernel(test_alloc_nth_failure_injected),
		with_kernel(test_for_each_names_leaks_oldest_first),
		with_kernel(test_kzalloc_may_sleep_under_spinlock_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
