/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Painting and cutting range trees, small cases; at random it is done in test_range_tree.c. */
#include "tests/sim/range_tree_test.h"

static void test_paint_merges_and_splits(void **state)
{
	/* A map of owners would grow by one entry per page. */
	struct fixture *f = *state;

	assert_true(range_tree_paint(&f->tree, 0, 99, 1, false));
	assert_true(range_tree_paint(&f->tree, 10, 19, 2, false));
	assert_tree(f, "0-9=1 a-13=2 14-63=1");
	assert_true(range_tree_paint(&f->tree, 20, 29, 2, false));
	assert_tree(f, "0-9=1 a-1d=2 1e-63=1");
	assert_true(range_tree_paint(&f->tree, 5, 9, 2, false));
	assert_tree(f, "0-4=1 5-1d=2 1e-63=1");
	assert_true(range_tree_paint(&f->tree, 5, 29, 1, false));
	assert_tree(f, "0-63=1");
	assert_true(range_tree_paint(&f->tree, 3, 4, 1, false));
	assert_tree(f, "0-63=1");
	assert_true(range_tree_paint(&f->tree, 100, ~0ull, 1, false));
	assert_tree(f, "0-ffffffffffffffff=1");
	assert_true(range_tree_paint(&f->tree, ~0ull, ~0ull, 3, false));
	assert_true(range_tree_paint(&f->tree, 0, 0, 3, false));
	assert_tree(f, "0-0=3 1-fffffffffffffffe=1 ffffffffffffffff-ffffffffffffffff=3");
}

static void test_paint_linear_joins_only_what_continues(void **state)
{
	/* A grant of other frames would be taken for the continuation of the first. */
	struct fixture *f = *state;

	assert_true(range_tree_paint(&f->tree, 0x10, 0x1f, 0x110, true));
	assert_true(range_tree_paint(&f->tree, 0x20, 0x2f, 0x120, true));
	assert_tree(f, "10-2f=110");
	assert_true(range_tree_paint(&f->tree, 0x30, 0x3f, 0x120, true));
	assert_tree(f, "10-2f=110 30-3f=120");
	assert_true(range_tree_paint(&f->tree, 0x18, 0x1f, 0x500, true));
	assert_tree(f, "10-17=110 18-1f=500 20-2f=120 30-3f=120");
	assert_true(range_tree_paint(&f->tree, 0x18, 0x1f, 0x118, true));
	assert_tree(f, "10-2f=110 30-3f=120");
	assert_true(range_tree_paint(&f->tree, 0x00, 0x0f, 0x100, true));
	assert_tree(f, "0-2f=100 30-3f=120");
}

static void test_erase_advances_the_right_remainder(void **state)
{
	struct fixture *f = *state;

	range_tree_paint(&f->tree, 0x10, 0x4f, 0x110, true);
	assert_true(range_tree_erase(&f->tree, 0x20, 0x2f, true));
	assert_tree(f, "10-1f=110 30-4f=130");
	assert_true(range_tree_erase(&f->tree, 0x18, 0x37, true));
	assert_tree(f, "10-17=110 38-4f=138");
	assert_true(range_tree_erase(&f->tree, 0, ~0ull, true));
	assert_tree(f, "");
	assert_true(range_tree_erase(&f->tree, 0, ~0ull, true));
}

static void test_paint_free_touches_nothing_that_is_there(void **state)
{
	/* A page that is pinned twice would lose its first count. */
	struct fixture *f = *state;

	assert_int_equal(range_tree_paint_free(&f->tree, 10, 19, 1, false), RANGE_PAINTED);
	assert_int_equal(range_tree_paint_free(&f->tree, 10, 19, 1, false), RANGE_MEETS);
	assert_int_equal(range_tree_paint_free(&f->tree, 19, 19, 2, false), RANGE_MEETS);
	assert_int_equal(range_tree_paint_free(&f->tree, 0, 10, 2, false), RANGE_MEETS);
	assert_int_equal(range_tree_paint_free(&f->tree, 0, ~0ull, 2, false), RANGE_MEETS);
	assert_tree(f, "a-13=1");
	assert_int_equal(range_tree_paint_free(&f->tree, 20, 29, 2, false), RANGE_PAINTED);
	assert_int_equal(range_tree_paint_free(&f->tree, 40, 49, 1, false), RANGE_PAINTED);
	assert_int_equal(range_tree_paint_free(&f->tree, 5, 9, 1, false), RANGE_PAINTED);
	assert_int_equal(range_tree_paint_free(&f->tree, 35, 39, 1, false), RANGE_PAINTED);
	assert_int_equal(range_tree_paint_free(&f->tree, 0, 4, 3, false), RANGE_PAINTED);
	assert_tree(f, "0-4=3 5-13=1 14-1d=2 23-31=1");
	/* Joins both: left to range_tree_paint(). */
	assert_int_equal(range_tree_paint_free(&f->tree, 60, 69, 1, false), RANGE_PAINTED);
	assert_int_equal(range_tree_paint_free(&f->tree, 50, 59, 1, false), RANGE_MEETS);
	assert_true(range_tree_paint(&f->tree, 50, 59, 1, false));
	assert_int_equal(range_tree_paint_free(&f->tree, 70, ~0ull, 1, false), RANGE_PAINTED);
	assert_tree(f, "0-4=3 5-13=1 14-1d=2 23-ffffffffffffffff=1");
}

static void test_take_says_what_it_cut_out(void **state)
{
	/* Unpinning would give back the wrong frames. */
	struct fixture *f = *state;
	struct range_entry e;

	range_tree_paint(&f->tree, 0x10, 0x1f, 0x110, true);
	range_tree_paint(&f->tree, 0x20, 0x2f, 0x500, true);
	assert_false(range_tree_take(&f->tree, 0, 0xf, true, &e));
	assert_true(range_tree_take(&f->tree, 0x18, 0x27, true, &e));
	assert_int_equal(e.start, 0x18);
	assert_int_equal(e.last, 0x1f);
	assert_int_equal(e.value, 0x118);
	assert_true(range_tree_take(&f->tree, 0x20, 0x27, true, &e));
	assert_int_equal(e.value, 0x500);
	assert_tree(f, "10-17=110 28-2f=508");
	assert_true(range_tree_take(&f->tree, 0x12, 0x13, true, &e));
	assert_int_equal(e.start, 0x12);
	assert_int_equal(e.last, 0x13);
	assert_int_equal(e.value, 0x112);
	assert_tree(f, "10-11=110 14-17=114 28-2f=508");
	assert_true(range_tree_take(&f->tree, 0, 0x11, true, &e));
	assert_int_equal(e.start, 0x10);
	assert_true(range_tree_take(&f->tree, 0x12, ~0ull, true, &e));
	assert_int_equal(e.start, 0x14);
	assert_true(range_tree_take(&f->tree, 0x12, ~0ull, true, &e));
	assert_tree(f, "");
	assert_false(range_tree_take(&f->tree, 0, ~0ull, true, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(test_paint_merges_and_splits),
		with_tree(test_paint_linear_joins_only_what_continues),
		with_tree(test_erase_advances_the_right_remainder),
		with_tree(test_paint_free_touches_nothing_that_is_there),
		with_tree(test_take_says_what_it_cut_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
