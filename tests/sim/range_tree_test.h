/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* A tree in a pool that grows as often as the test says, and its text. */
#ifndef TESTS_SIM_RANGE_TREE_TEST_H
#define TESTS_SIM_RANGE_TREE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/range_tree.h"

/* Grows with realloc(); *ctx is how many more times it may, -1 for ever. */
static inline void *grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	int *left = ctx;

	if (*left == 0)
		return NULL;
	*left -= *left > 0;
	return realloc(old, bytes);
}

static inline void release(void *ctx, void *pool)
{
	free(pool);
}

struct fixture {
	int may_grow;
	struct range_pool pool;
	struct range_tree tree;
};

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->may_grow = -1;
	range_pool_init(&f->pool, &f->may_grow, grow, release);
	range_tree_init(&f->tree, &f->pool);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	range_tree_clear(&f->tree);
	assert_int_equal(f->pool.used, f->pool.nr_free);
	range_pool_deinit(&f->pool);
	free(f);
	return 0;
}

static inline void assert_sound(const struct range_tree *tree)
{
	const char *wrong = range_tree_check(tree);

	if (wrong)
		fail_msg("%s", wrong);
}

/* The whole tree as text, "start-last=value ...". */
static inline const char *tree_text(const struct range_tree *tree, char *text, size_t size)
{
	struct range_entry entry;
	size_t at = 0;

	assert_sound(tree);
	text[0] = '\0';
	for (bool more = range_tree_find_first(tree, 0, ~0ull, &entry); more;
	     more = range_tree_next(tree, entry.start, &entry))
		at += snprintf(text + at, size - at, "%s%lx-%lx=%lx", at ? " " : "", entry.start,
			       entry.last, entry.value);
	return text;
}

#define assert_tree(f, expected) do { \
	char text[1024]; \
	assert_string_equal(tree_text(&(f)->tree, text, sizeof(text)), expected); \
} while (0)

#define with_tree(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
