/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The range tree: literal small cases, then random operations against a flat array. */
#include "tests/sim/range_tree_test.h"

static void test_insert_overlap_refused(void **state)
{
	/* Two owners of one address would go unnoticed. */
	struct fixture *f = *state;

	assert_true(range_tree_insert(&f->tree, 10, 19, 1));
	assert_false(range_tree_insert(&f->tree, 19, 19, 2));
	assert_false(range_tree_insert(&f->tree, 0, 10, 2));
	assert_false(range_tree_insert(&f->tree, 0, ~0ull, 2));
	assert_false(range_tree_insert(&f->tree, 12, 13, 2));
	assert_true(range_tree_insert(&f->tree, 20, ~0ull, 3));
	assert_true(range_tree_insert(&f->tree, 0, 9, 4));
	assert_tree(f, "0-9=4 a-13=1 14-ffffffffffffffff=3");
}

static void test_find_edges_exact(void **state)
{
	/* An off-by-one would hand out an address next to the right one. */
	struct fixture *f = *state;
	struct range_entry e;

	assert_false(range_tree_lookup(&f->tree, 0, &e));
	range_tree_insert(&f->tree, 10, 19, 1);
	range_tree_insert(&f->tree, 30, 39, 2);
	assert_false(range_tree_lookup(&f->tree, 9, &e));
	assert_true(range_tree_lookup(&f->tree, 10, &e));
	assert_int_equal(e.last, 19);
	assert_true(range_tree_lookup(&f->tree, 19, &e));
	assert_false(range_tree_lookup(&f->tree, 20, &e));
	assert_false(range_tree_find_first(&f->tree, 20, 29, &e));
	assert_true(range_tree_find_first(&f->tree, 20, 30, &e));
	assert_int_equal(e.value, 2);
	assert_true(range_tree_next(&f->tree, 10, &e));
	assert_int_equal(e.start, 30);
	assert_true(range_tree_next(&f->tree, 9, &e));
	assert_int_equal(e.start, 10);
	assert_false(range_tree_next(&f->tree, 30, &e));
	assert_false(range_tree_prev(&f->tree, 19, &e));
	assert_true(range_tree_prev(&f->tree, 20, &e));
	assert_int_equal(e.start, 10);
	assert_true(range_tree_prev(&f->tree, ~0ull, &e));
	assert_int_equal(e.start, 30);
}

static void test_remove_needs_exact_start(void **state)
{
	/* Unmapping the middle of an area must not drop the area. */
	struct fixture *f = *state;

	range_tree_insert(&f->tree, 10, 19, 1);
	assert_false(range_tree_remove(&f->tree, 11));
	assert_false(range_tree_remove(&f->tree, 9));
	assert_false(range_tree_remove(&f->tree, 20));
	assert_true(range_tree_remove(&f->tree, 10));
	assert_false(range_tree_remove(&f->tree, 10));
	assert_tree(f, "");
}

static void test_set_value_exact_start(void **state)
{
	struct fixture *f = *state;

	range_tree_insert(&f->tree, 10, 19, 1);
	assert_false(range_tree_set_value(&f->tree, 11, 9));
	assert_true(range_tree_set_value(&f->tree, 10, 7));
	assert_tree(f, "a-13=7");
}

static void test_insert_without_memory_changes_nothing(void **state)
{
	/* A failed map would leave half an area behind. */
	struct fixture *f = *state;
	struct range_entry e;
	u64 n;

	f->may_grow = 2;
	for (n = 0; range_tree_insert(&f->tree, n * 10, n * 10 + 4, n); n++)
		assert_true(n < 1000);
	assert_int_equal(f->tree.count, n);
	assert_false(range_tree_lookup(&f->tree, n * 10, &e));
	assert_false(range_tree_paint(&f->tree, 1, 1, 77, false));
	assert_false(range_tree_erase(&f->tree, 1, 1, false));
	assert_false(range_tree_take(&f->tree, 1, 1, false, &e));
	assert_int_equal(range_tree_paint_free(&f->tree, n * 10, n * 10, 77, false),
			 RANGE_NO_MEMORY);
	assert_sound(&f->tree);
	assert_true(range_tree_lookup(&f->tree, 1, &e));
	assert_int_equal(e.value, 0);
	assert_int_equal(e.last, 4);
	f->may_grow = -1;
	assert_true(range_tree_insert(&f->tree, n * 10, n * 10 + 4, n));
	assert_int_equal(f->tree.count, n + 1);
}

static void test_reserve_then_splits_cannot_fail(void **state)
{
	/* Freeing the middle of an extent must not need memory. */
	struct fixture *f = *state;

	for (u64 i = 0; i < 1000; i++) {
		f->may_grow = -1;
		assert_true(range_tree_reserve(&f->tree, 3));
		f->may_grow = 0;
		for (u64 j = 0; j < 3; j++) {
			u64 at = (i * 3 + j) * 2654435761u % (1u << 24) * 4;

			assert_true(range_tree_insert(&f->tree, at, at, i));
		}
	}
	assert_int_equal(f->tree.count, 3000);
	assert_sound(&f->tree);
}

static void test_check_broken_node_noticed(void **state)
{
	/* An arena with one flipped bit would be believed. */
	struct fixture *f = *state;
	u8 *bytes;

	for (u64 i = 0; i < 500; i++)
		range_tree_insert(&f->tree, i * 10, i * 10 + 4, i);
	bytes = (u8 *)f->pool.nodes + range_node_bytes() * (f->tree.root - 1);
	bytes[0] ^= 0x40;                       /* the number of children */
	assert_non_null(range_tree_check(&f->tree));
	bytes[0] ^= 0x40;
	assert_null(range_tree_check(&f->tree));
	f->tree.root += 100000;
	assert_non_null(range_tree_check(&f->tree));
	f->tree.root -= 100000;
	f->tree.count++;
	assert_non_null(range_tree_check(&f->tree));
	f->tree.count--;
}

/* A flat array in which cell i carries the id of the range that covers it. */
#define CELLS 4096

struct naive {
	bool used[CELLS];
	u64 value[CELLS];       /* of this very cell: advanced if linear */
	bool starts[CELLS];     /* insert/remove only: a range starts here */
};

static u64 random_next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void compare_painted(const struct range_tree *tree, const struct naive *naive, bool linear)
{
	struct range_entry e = { 0 };
	u64 at = 0, joints = 0;

	assert_sound(tree);
	for (bool more = range_tree_find_first(tree, 0, ~0ull, &e); more;
	     more = range_tree_next(tree, e.start, &e)) {
		for (; at < e.start; at++)
			assert_false(naive->used[at]);
		for (; at <= e.last; at++) {
			assert_true(naive->used[at]);
			assert_int_equal(naive->value[at], e.value + (linear ? at - e.start : 0));
		}
		joints += at < CELLS && naive->used[at] &&
			  naive->value[at] == naive->value[at - 1] + linear;
	}
	for (; at < CELLS; at++)
		assert_false(naive->used[at]);
	assert_int_equal(joints, 0);
}

static void random_paint(struct fixture *f, bool linear, u64 seed)
{
	struct naive *naive = calloc(1, sizeof(*naive));

	for (int i = 0; i < 20000; i++) {
		u64 start = random_next(&seed) % CELLS;
		u64 last = start + random_next(&seed) % (i % 64 ? 6 : 400);
		bool erase = random_next(&seed) % 3 == 0;
		u64 value = linear ? start + random_next(&seed) % 3 * 0x10000 :
				     random_next(&seed) % 3;

		if (last >= CELLS)
			last = CELLS - 1;
		if (erase)
			assert_true(range_tree_erase(&f->tree, start, last, linear));
		else
			assert_true(range_tree_paint(&f->tree, start, last, value, linear));
		for (u64 at = start; at <= last; at++) {
			naive->used[at] = !erase;
			naive->value[at] = value + (linear ? at - start : 0);
		}
		if (i % 50 == 0)
			compare_painted(&f->tree, naive, linear);
	}
	compare_painted(&f->tree, naive, linear);
	free(naive);
}

static void test_paint_random_equals_flat_array(void **state)
{
	random_paint(*state, false, 1);
}

static void test_paint_linear_random_equals_flat_array(void **state)
{
	random_paint(*state, true, 2);
}

static void compare_finds(const struct range_tree *tree, const struct naive *naive, u64 at)
{
	struct range_entry e;
	u64 up = at, down = at;

	assert_int_equal(range_tree_lookup(tree, at, &e), naive->used[at]);
	while (up < CELLS && !naive->used[up])
		up++;
	assert_int_equal(range_tree_find_first(tree, at, CELLS - 1, &e), up < CELLS);
	if (up < CELLS)
		assert_true(e.start <= up && up <= e.last && e.value == naive->value[up]);
	for (up = at + 1; up < CELLS && !naive->starts[up];)
		up++;
	assert_int_equal(range_tree_next(tree, at, &e), up < CELLS);
	if (up < CELLS)
		assert_int_equal(e.start, up);
	/* The highest range that is over before @at. */
	while (down > 0 && naive->used[down] && !naive->starts[down])
		down--;
	while (down > 0 && !naive->used[down - 1])
		down--;
	assert_int_equal(range_tree_prev(tree, at, &e), down > 0);
	if (down > 0)
		assert_int_equal(e.last, down - 1);
}

static void test_insert_remove_random_equals_flat_array(void **state)
{
	/* Splits, merges and loosened separators would lose or double a range. */
	struct naive *naive = calloc(1, sizeof(*naive));
	struct fixture *f = *state;
	u64 seed = 3;

	for (int i = 0; i < 60000; i++) {
		u64 start = random_next(&seed) % CELLS, last = start, n;
		bool grow_phase = i / 5000 % 2 == 0, clear = true;

		if (random_next(&seed) % 8 < (grow_phase ? 6 : 1)) {
			n = random_next(&seed) % 4;
			for (last = start; last - start < n && last + 1 < CELLS;)
				last++;
			for (u64 at = start; at <= last; at++)
				clear = clear && !naive->used[at];
			assert_int_equal(range_tree_insert(&f->tree, start, last, i), clear);
			for (u64 at = start; clear && at <= last; at++) {
				naive->used[at] = true;
				naive->value[at] = i;
				naive->starts[at] = at == start;
			}
		} else {
			assert_int_equal(range_tree_remove(&f->tree, start), naive->starts[start]);
			for (u64 at = start; naive->starts[start] && at < CELLS; at++) {
				if (!naive->used[at] || (at > start && naive->starts[at]))
					break;
				naive->used[at] = false;
			}
			naive->starts[start] = false;
		}
		compare_finds(&f->tree, naive, random_next(&seed) % CELLS);
		if (i % 100 == 0)
			assert_sound(&f->tree);
	}
	free(naive);
}

static void test_insert_many_orders_sound(void **state)
{
	/* Three levels and more, ascending, descending and shuffled, then emptied. */
	struct fixture *f = *state;

	for (int order = 0; order < 3; order++) {
		for (u64 i = 0; i < 40000; i++) {
			u64 at = order == 0 ? i : order == 1 ? 39999 - i : i * 7919 % 40000;

			assert_true(range_tree_insert(&f->tree, at * 8, at * 8 + 7, at));
		}
		assert_sound(&f->tree);
		assert_int_equal(f->tree.count, 40000);
		for (u64 i = 0; i < 40000; i++)
			assert_true(range_tree_remove(&f->tree, i * 7919 % 40000 * 8));
		assert_sound(&f->tree);
		assert_int_equal(f->tree.root, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(test_insert_overlap_refused),
		with_tree(test_find_edges_exact),
		with_tree(test_remove_needs_exact_start),
		with_tree(test_set_value_exact_start),
		with_tree(test_insert_without_memory_changes_nothing),
		with_tree(test_reserve_then_splits_cannot_fail),
		with_tree(test_check_broken_node_noticed),
		with_tree(test_paint_random_equals_flat_array),
		with_tree(test_paint_linear_random_equals_flat_array),
		with_tree(test_insert_remove_random_equals_flat_array),
		with_tree(test_insert_many_orders_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
