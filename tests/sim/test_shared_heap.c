/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, host processes that share a machine would each see another one. */
#include "sim/shared_heap.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim_test.h"

/* What a child stores its parent would not see, or see somewhere else. */
static void test_alloc_in_child_is_seen_by_parent(void **state)
{
	struct shared_heap *heap = shared_heap_new();
	char **place = shared_heap_alloc(heap, sizeof(*place));
	int status;
	pid_t pid;

	(void)state;
	assert_null(*place);
	pid = fork();
	if (!pid) {
		*place = shared_heap_alloc(heap, 1 << 20);
		strcpy(*place + 1000000, "from the child");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(*place + 1000000, "from the child");
	/* The child's block is taken for the parent, too. */
	assert_true((char *)shared_heap_alloc(heap, 1 << 20) >= *place + (1 << 20));
	shared_heap_delete(heap);
}

/* A kernel object would start with somebody's old bytes, or overlap its neighbour. */
static void test_alloc_zeroes_and_keeps_apart(void **state)
{
	struct shared_heap *heap = shared_heap_new();
	/* 48 and 112 bytes are what fits into blocks of 64 and 128. */
	static const size_t sizes[] = { 0, 1, 47, 48, 49, 112, 113, 4096, 1 << 22 };
	u8 *first[9];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 9; i++) {
			first[i] = shared_heap_alloc(heap, sizes[i]);
			assert_int_equal((uintptr_t)first[i] % 16, 0);
			for (size_t at = 0; at < sizes[i]; at++)
				assert_int_equal(first[i][at], 0);
			memset(first[i], 0x40 + i, sizes[i]);
		}
		for (int i = 0; i < 9; i++) {
			for (size_t at = 0; at < sizes[i]; at++)
				assert_int_equal(first[i][at], 0x40 + i);
			shared_heap_free(heap, first[i]);
		}
	}
	shared_heap_free(heap, NULL);
	assert_null(shared_heap_alloc(heap, 1ull << 34));
	assert_null(shared_heap_alloc(heap, SIZE_MAX));
	shared_heap_delete(heap);
}

/* A table that grows would lose what was in it. */
static void test_realloc_keeps_contents(void **state)
{
	struct shared_heap *heap = shared_heap_new();
	char *at = shared_heap_realloc(heap, NULL, 48), *taken, *moved;

	(void)state;
	strcpy(at, "0123456789");
	assert_ptr_equal(shared_heap_realloc(heap, at, 20), at);
	assert_ptr_equal(shared_heap_realloc(heap, at, 48), at);
	moved = shared_heap_realloc(heap, at, 49);
	assert_ptr_not_equal(moved, at);
	assert_string_equal(moved, "0123456789");
	taken = shared_heap_alloc(heap, 10);
	assert_ptr_equal(taken, at);            /* the old block is free again */
	assert_null(shared_heap_realloc(heap, moved, SIZE_MAX));
	assert_string_equal(moved, "0123456789");
	shared_heap_delete(heap);
}

/* Machines that are not shared would cost 16 GiB of address space each. */
static void test_without_a_heap_it_is_the_c_library(void **state)
{
	char *at = shared_heap_alloc(NULL, 10);

	(void)state;
	assert_memory_equal(at, "\0\0\0\0\0\0\0\0\0\0", 10);
	at = shared_heap_realloc(NULL, at, 100000);
	assert_non_null(at);
	shared_heap_free(NULL, at);
	shared_heap_delete(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc_in_child_is_seen_by_parent),
		cmocka_unit_test(test_alloc_zeroes_and_keeps_apart),
		cmocka_unit_test(test_realloc_keeps_contents),
		cmocka_unit_test(test_without_a_heap_it_is_the_c_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
