/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The xarray: literal cases first, then random operations against a flat array. */
#include <iommufd-sim/proto/xarray.h>

#include "tests/lib/base/base_fixture_min.h"

static u64 things[4];

static void assert_sound(const struct xarray *xa)
{
	const char *wrong = ifs_xa_check(xa);

	if (wrong)
		fail_msg("%s", wrong);
}

static void test_store_load_erase_any_index(void **state)
{
	static const u64 indexes[] = { 0, 1, 63, 64, 4095, 4096, 1ull << 32, ~0ull - 1, ~0ull };
	struct xarray xa;

	xa_init(&xa);
	assert_null(xa_load(&xa, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(indexes); i++) {
		assert_null(xa_load(&xa, indexes[i]));
		assert_null(xa_store(&xa, indexes[i], &things[i % 4], GFP_KERNEL));
		assert_sound(&xa);
		assert_ptr_equal(xa_load(&xa, indexes[i]), &things[i % 4]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(indexes); i++) {
		assert_ptr_equal(xa_erase(&xa, indexes[i]), &things[i % 4]);
		assert_null(xa_erase(&xa, indexes[i]));
		assert_sound(&xa);
	}
	assert_true(xa_empty(&xa));             /* and the fixture finds the heap empty */
}

static void test_store_without_memory_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct xarray xa;
	u64 blocks;

	xa_init(&xa);
	assert_null(xa_store(&xa, 5, &things[0], GFP_KERNEL));
	blocks = f->kernel.heap.nr_blocks;
	for (u64 nth = 1; nth <= 10; nth++) {
		fail_points_arm(&f->kernel.fail, nth, false);
		assert_int_equal(xa_err(xa_store(&xa, ~0ull / 2, &things[1], GFP_KERNEL)), -ENOMEM);
		assert_int_equal(f->kernel.heap.nr_blocks, blocks);
		assert_sound(&xa);
	}
	fail_points_disarm(&f->kernel.fail);
	assert_ptr_equal(xa_load(&xa, 5), &things[0]);
	assert_null(xa_load(&xa, ~0ull / 2));
	assert_int_equal(xa_insert(&xa, ~0ull / 2, &things[1], GFP_KERNEL), 0);
	xa_destroy(&xa);
	assert_true(xa_empty(&xa));
}

static void test_insert_taken_or_reserved_busy(void **state)
{
	/* Two objects would share an id. */
	struct xarray xa;

	xa_init(&xa);
	assert_int_equal(xa_insert(&xa, 9, &things[0], GFP_KERNEL), 0);
	assert_int_equal(xa_insert(&xa, 9, &things[1], GFP_KERNEL), -EBUSY);
	assert_int_equal(xa_reserve(&xa, 9, GFP_KERNEL), 0);
	assert_ptr_equal(xa_load(&xa, 9), &things[0]);
	assert_int_equal(xa_reserve(&xa, 10, GFP_KERNEL), 0);
	assert_null(xa_load(&xa, 10));
	assert_int_equal(xa_insert(&xa, 10, &things[1], GFP_KERNEL), -EBUSY);
	assert_null(xa_cmpxchg(&xa, 10, NULL, &things[1], GFP_KERNEL));
	assert_null(xa_load(&xa, 10));          /* reserved is not empty */
	assert_null(xa_cmpxchg(&xa, 10, XA_ZERO_ENTRY, &things[1], GFP_KERNEL));
	assert_ptr_equal(xa_load(&xa, 10), &things[1]);
	xa_release(&xa, 10);
	assert_ptr_equal(xa_load(&xa, 10), &things[1]);
	assert_ptr_equal(xa_cmpxchg(&xa, 10, &things[0], NULL, GFP_KERNEL), &things[1]);
	assert_ptr_equal(xa_cmpxchg(&xa, 10, &things[1], NULL, GFP_KERNEL), &things[1]);
	assert_null(xa_load(&xa, 10));
	assert_int_equal(xa_reserve(&xa, 10, GFP_KERNEL), 0);
	xa_release(&xa, 10);
	xa_erase(&xa, 9);
	assert_true(xa_empty(&xa));
}

static void test_alloc_lowest_free_id(void **state)
{
	/* Object ids are part of the ABI: tests and traces expect 1, 2, 3, ... */
	struct xarray xa;
	u32 id = 77;

	xa_init_flags(&xa, XA_FLAGS_ALLOC1);
	for (u32 want = 1; want <= 200; want++) {
		assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_31b, GFP_KERNEL), 0);
		assert_int_equal(id, want);
	}
	xa_erase(&xa, 130);
	xa_erase(&xa, 64);
	assert_int_equal(xa_alloc(&xa, &id, NULL, xa_limit_31b, GFP_KERNEL), 0);
	assert_int_equal(id, 64);
	assert_null(xa_load(&xa, 64));
	assert_int_equal(xa_alloc(&xa, &id, &things[1], XA_LIMIT(100, 130), GFP_KERNEL), 0);
	assert_int_equal(id, 130);
	assert_int_equal(xa_alloc(&xa, &id, &things[1], XA_LIMIT(100, 130), GFP_KERNEL), -EBUSY);
	assert_int_equal(id, 130);
	assert_int_equal(xa_alloc(&xa, &id, &things[1], XA_LIMIT(0, 0), GFP_KERNEL), -EBUSY);
	assert_int_equal(xa_alloc(&xa, &id, &things[1], XA_LIMIT(5000, 5001), GFP_KERNEL), 0);
	assert_int_equal(id, 5000);
	assert_int_equal(xa_alloc(&xa, &id, &things[1], XA_LIMIT(~0u, ~0u), GFP_KERNEL), 0);
	assert_int_equal(id, ~0u);
	assert_int_equal(xa_alloc(&xa, &id, &things[1], XA_LIMIT(~0u, ~0u), GFP_KERNEL), -EBUSY);
	assert_sound(&xa);
	xa_destroy(&xa);
}

static void test_alloc_gives_out_index_zero_once_erased(void **state)
{
	/* Cookies of faults are part of the ABI, and who answers cookie 0 gets it next. */
	struct xarray xa;
	u32 id = 77;

	xa_init_flags(&xa, XA_FLAGS_ALLOC1);
	assert_null(xa_erase(&xa, 0));          /* empty: nothing keeps it busy yet */
	assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_32b, GFP_KERNEL), 0);
	assert_int_equal(id, 1);
	assert_null(xa_erase(&xa, 0));
	assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_32b, GFP_KERNEL), 0);
	assert_int_equal(id, 0);
	assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_32b, GFP_KERNEL), 0);
	assert_int_equal(id, 2);
	for (u32 i = 0; i < 3; i++)
		assert_ptr_equal(xa_erase(&xa, i), &things[0]);
	/* For ever, also in an array that was empty in between. */
	assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_32b, GFP_KERNEL), 0);
	assert_int_equal(id, 0);
	assert_sound(&xa);
	xa_destroy(&xa);
}

static void test_store_null_in_allocating_array_stays_reserved(void **state)
{
	/* As in Linux: an id being built is not given out twice. */
	struct xarray xa;
	u32 id;

	xa_init_flags(&xa, XA_FLAGS_ALLOC);
	assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_32b, GFP_KERNEL), 0);
	assert_int_equal(id, 0);
	assert_ptr_equal(xa_store(&xa, 0, NULL, GFP_KERNEL), &things[0]);
	assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_32b, GFP_KERNEL), 0);
	assert_int_equal(id, 1);
	xa_erase(&xa, 0);
	xa_erase(&xa, 1);
	assert_true(xa_empty(&xa));
}

static void test_alloc_in_plain_array_warns(void **state)
{
	struct fixture *f = *state;
	struct xarray xa;
	u32 id;

	xa_init(&xa);
	assert_int_equal(xa_alloc(&xa, &id, &things[0], xa_limit_32b, GFP_KERNEL), -EINVAL);
	assert_report(f, IFS_RULE_WARN);
}

static void test_find_skips_reserved_and_stops_at_max(void **state)
{
	struct xarray xa;
	void *entry;
	u64 index, sum = 0, n = 0;

	xa_init(&xa);
	xa_store(&xa, 3, &things[0], GFP_KERNEL);
	xa_reserve(&xa, 4, GFP_KERNEL);
	xa_store(&xa, 70, &things[1], GFP_KERNEL);
	xa_store(&xa, ~0ull, &things[2], GFP_KERNEL);
	xa_set_mark(&xa, 70, XA_MARK_1);
	xa_set_mark(&xa, 71, XA_MARK_1);        /* nothing there */
	xa_for_each(&xa, index, entry) {
		sum += index;
		n++;
	}
	assert_int_equal(n, 3);
	assert_int_equal(sum, 3 + 70 - 1);
	index = 4;
	assert_null(xa_find(&xa, &index, 69, XA_PRESENT));
	assert_int_equal(index, 4);
	assert_ptr_equal(xa_find(&xa, &index, 70, XA_PRESENT), &things[1]);
	assert_int_equal(index, 70);
	n = 0;
	xa_for_each_marked(&xa, index, entry, XA_MARK_1) {
		assert_int_equal(index, 70);
		n++;
	}
	assert_int_equal(n, 1);
	assert_true(xa_get_mark(&xa, 70, XA_MARK_1));
	assert_false(xa_get_mark(&xa, 70, XA_MARK_0));
	xa_store(&xa, 70, &things[3], GFP_KERNEL);
	assert_true(xa_get_mark(&xa, 70, XA_MARK_1));
	xa_erase(&xa, 70);
	xa_store(&xa, 70, &things[3], GFP_KERNEL);
	assert_false(xa_get_mark(&xa, 70, XA_MARK_1));
	xa_destroy(&xa);
}

static void test_for_each_may_erase(void **state)
{
	struct xarray xa;
	void *entry;
	u64 index, n = 0;

	xa_init(&xa);
	for (u64 i = 0; i < 1000; i++)
		xa_store(&xa, i * 37, &things[0], GFP_KERNEL);
	xa_for_each(&xa, index, entry) {
		xa_erase(&xa, index);
		n++;
	}
	assert_int_equal(n, 1000);
	assert_true(xa_empty(&xa));
}

static void test_own_lock_is_no_atomic_context(void **state)
{
	/* Linux drops xa_lock to wait for memory; any other spinlock stays held. */
	struct fixture *f = *state;
	struct xarray xa;
	spinlock_t other;

	xa_init(&xa);
	spin_lock_init(&other);
	xa_lock(&xa);
	assert_int_equal(__xa_insert(&xa, 1, &things[0], GFP_KERNEL), 0);
	xa_unlock(&xa);
	assert_no_report(f);
	spin_lock(&other);
	xa_store(&xa, 2, &things[0], GFP_ATOMIC);
	assert_no_report(f);
	xa_store(&xa, 3, &things[0], GFP_KERNEL);
	assert_report(f, IFS_RULE_ATOMIC_SLEEP);
	spin_unlock(&other);
	__xa_erase(&xa, 3);
	assert_report(f, IFS_RULE_LOCK_NOT_HELD);
	xa_destroy(&xa);
}

#define CELLS 8192

struct cell {
	bool used;
	void *entry;            /* NULL: reserved */
	bool mark;
};

static u64 random_next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void random_step(struct xarray *xa, struct cell *cells, u64 *seed)
{
	u64 at = random_next(seed) % CELLS, find = at, want = at;
	u32 id;
	int err;

	switch (random_next(seed) % 6) {
	case 0:
		err = xa_insert(xa, at, &things[at % 4], GFP_KERNEL);
		assert_int_equal(err, cells[at].used ? -EBUSY : 0);
		if (!err)
			cells[at] = (struct cell){ .used = true, .entry = &things[at % 4] };
		break;
	case 1:
	case 2:
		assert_ptr_equal(xa_erase(xa, at), cells[at].entry);
		cells[at] = (struct cell){ .used = false };
		break;
	case 3:
		while (want < CELLS && cells[want].used)
			want++;
		err = xa_alloc(xa, &id, at % 2 ? &things[0] : NULL, XA_LIMIT(at, CELLS - 1), 0);
		assert_int_equal(err, want < CELLS ? 0 : -EBUSY);
		if (err)
			break;
		assert_int_equal(id, want);
		cells[want] = (struct cell){ .used = true, .entry = at % 2 ? &things[0] : NULL };
		break;
	case 4:
		xa_set_mark(xa, at, XA_MARK_2);
		cells[at].mark = cells[at].used;
		break;
	default:
		while (want < CELLS && !(cells[want].mark && cells[want].entry))
			want++;
		assert_int_equal(!!xa_find(xa, &find, ~0ull, XA_MARK_2), want < CELLS);
		if (want < CELLS)
			assert_int_equal(find, want);
	}
}

static void test_random_calls_equal_flat_array(void **state)
{
	struct cell *cells = calloc(CELLS, sizeof(*cells));
	struct xarray xa;
	u64 seed = 5;

	xa_init_flags(&xa, XA_FLAGS_ALLOC);
	for (int i = 0; i < 50000; i++) {
		random_step(&xa, cells, &seed);
		if (i % 500 == 0)
			assert_sound(&xa);
	}
	for (u64 i = 0; i < CELLS; i++) {
		assert_ptr_equal(xa_load(&xa, i), cells[i].entry);
		assert_int_equal(xa_get_mark(&xa, i, XA_MARK_2), cells[i].mark);
		xa_erase(&xa, i);
	}
	assert_true(xa_empty(&xa));
	free(cells);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_kernel(test_store_load_erase_any_index),
		with_kernel(test_store_without_memory_changes_nothing),
		with_kernel(test_insert_taken_or_reserved_busy),
		with_kernel(test_alloc_lowest_free_id),
		with_kernel(test_alloc_gives_out_index_zero_once_erased),
		with_kernel(test_store_null_in_allocating_array_stays_reserved),
		with_kernel(test_alloc_in_plain_array_warns),
		with_kernel(test_find_skips_reserved_and_stops_at_max),
		with_kernel(test_for_each_may_erase),
		with_kernel(test_own_lock_is_no_atomic_context),
		with_kernel(test_random_calls_equal_flat_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
