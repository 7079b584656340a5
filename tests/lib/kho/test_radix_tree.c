/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The tracker's keys, its bytes in memory, and reading them back as input. */
#include "tests/lib/kho/kho_fixture.h"

#include "lib/kho/radix_tree.h"

/* A kernel of another build would look for our pages under other keys. */
static void test_encode_golden_values(void **state)
{
	assert_int_equal(kho_encode_radix_key(0x0, 0), 0x10000000000000);
	assert_int_equal(kho_encode_radix_key(0x71d000, 0), 0x1000000000071d);
	assert_int_equal(kho_encode_radix_key(0x2000, 1), 0x8000000000001);
	assert_int_equal(kho_encode_radix_key(0x10000, 4), 0x1000000000001);
	assert_int_equal(kho_encode_radix_key(0x200000, 9), 0x80000000001);
	assert_int_equal(kho_encode_radix_key(0x40000000, 10), 0x40000000100);
	assert_int_equal(kho_encode_radix_key(0x100000000, 0), 0x10000000100000);
	assert_int_equal(kho_encode_radix_key(0xfffffffff000, 0), 0x10000fffffffff);
	assert_int_equal(kho_encode_radix_key(0xc0000000, 18), 0x400000003);
}

static void test_decode_golden_values(void **state)
{
	unsigned order;

	assert_int_equal(kho_decode_radix_key(0x1000000000071d, &order), 0x71d000);
	assert_int_equal(order, 0);
	assert_int_equal(kho_decode_radix_key(0x40000000100, &order), 0x40000000);
	assert_int_equal(order, 10);
	assert_int_equal(kho_decode_radix_key(0x400000003, &order), 0xc0000000);
	assert_int_equal(order, 18);
	assert_int_equal(kho_decode_radix_key(1, &order), 0);
	assert_int_equal(order, 52);
}

static void tree_new(struct kho_fixture *fix, struct kho_radix_tree *tree)
{
	assert_int_equal(kho_radix_init_tree(tree, fix->base->kernel), 0);
}

/* The table four levels down. */
static u64 *follow(struct kho_fixture *fix, pa_t node, const u64 index[4])
{
	for (unsigned i = 0; i < 4; i++)
		node = kho_fixture_words(fix, node)[index[i]];
	return kho_fixture_words(fix, node);
}

/* The next kernel would read zeros where we think we set bits. */
static void test_add_key_sets_the_golden_path(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_radix_tree tree;
	u64 *leaf;

	tree_new(fix, &tree);
	/* 0x100000000, order 0: indices 2,0,0,0,32, leaf bit 0. */
	assert_int_equal(kho_radix_add_key(&tree, 0x10000000100000), 0);
	leaf = follow(fix, tree.root, (u64[]){ 2, 0, 0, 0 });
	assert_int_equal(kho_fixture_words(fix, leaf[32])[0], 1);
	/* 0x71d000: leaf bit 1821 of the first bitmap beside it. */
	assert_int_equal(kho_radix_add_key(&tree, 0x1000000000071d), 0);
	assert_int_equal(kho_fixture_words(fix, leaf[0])[1821 / 64], 1ull << 1821 % 64);
	/* 0xc0000000, order 18: indices 0,0,2,0,0, bit 3. */
	assert_int_equal(kho_radix_add_key(&tree, 0x400000003), 0);
	leaf = follow(fix, tree.root, (u64[]){ 0, 0, 2, 0 });
	assert_int_equal(kho_fixture_words(fix, leaf[0])[0], 8);
	kho_radix_destroy_tree(&tree);
}

/* Two owners of one page would each believe in a count that does not exist. */
static void test_add_twice_delete_once_clears(void **state)
{
	struct kho_fixture *fix = *state;
	struct page_alloc *pages = fix->base->kernel->page_alloc;
	u64 kernel_pages = pages_count(pages, FRAME_KERNEL);
	struct kho_radix_tree tree;

	tree_new(fix, &tree);
	assert_int_equal(kho_radix_add_key(&tree, 77), 0);
	assert_int_equal(kho_radix_add_key(&tree, 77), 0);
	assert_true(kho_radix_has_key(&tree, 77));
	assert_int_equal(kho_radix_del_keys(&tree, 77, 77), 1);
	assert_false(kho_radix_has_key(&tree, 77));
	assert_int_equal(kho_radix_del_keys(&tree, 77, 77), 0);
	/* Root and five nodes stay until the tree goes. */
	assert_int_equal(pages_count(pages, FRAME_KERNEL), kernel_pages + 6);
	kho_radix_destroy_tree(&tree);
	assert_int_equal(pages_count(pages, FRAME_KERNEL), kernel_pages);
}

static void test_add_key_beyond_53_bits_is_erange(void **state)
{
	struct kho_fixture *fix = *state;
	struct kho_radix_tree tree;

	tree_new(fix, &tree);
	assert_int_equal(kho_radix_add_key(&tree, 1ull << 53), -ERANGE);
	assert_int_equal(kho_radix_add_key(&tree, (1ull << 53) - 1), 0);
	kho_radix_destroy_tree(&tree);
}

/* A failed preserve would leave nodes behind for every retry. */
static void test_reserve_out_of_memory_frees_what_it_made(void **state)
{
	struct kho_fixture *fix = *state;
	struct page_alloc *pages = fix->base->kernel->page_alloc;
	u64 first = 1ull << 52, last = first + 100 * 32768 - 1, before;
	struct kho_radix_tree tree;
	struct kho_radix_txn txn;

	tree_new(fix, &tree);
	before = pages_count(pages, FRAME_KERNEL);
	for (u64 nth = 1; nth <= 30; nth++) {
		kho_radix_txn_init(&txn);
		mutex_lock(&tree.lock);
		base_fixture_fail_nth(fix->base, nth, false);
		/* 100 bitmaps: inline slots do not suffice. */
		assert_int_equal(kho_radix_reserve(&tree, first, last, &txn), -ENOMEM);
		base_fixture_fail_nth(fix->base, 0, false);
		kho_radix_txn_abort(&tree, &txn);
		mutex_unlock(&tree.lock);
		assert_int_equal(pages_count(pages, FRAME_KERNEL), before);
		assert_int_equal(kho_fixture_words(fix, tree.root)[2], 0);
	}
	kho_radix_destroy_tree(&tree);
}

/* Bulk writes would hand over other pages than one at a time. */
static void test_set_range_same_bytes_as_single_keys(void **state)
{
	static const u64 ranges[][2] = {
		{ 0, 0 }, { 63, 64 }, { 1, 62 }, { 100, 300 }, { 32767, 32768 }, { 32760, 98400 },
	};
	struct kho_fixture *fix = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
		u64 base = 1ull << 52, first = base + ranges[i][0], last = base + ranges[i][1];
		struct kho_radix_tree one, bulk;
		struct kho_radix_txn txn;

		tree_new(fix, &one);
		tree_new(fix, &bulk);
		for (u64 key = first; key <= last; key++)
			assert_int_equal(kho_radix_add_key(&one, key), 0);
		kho_radix_txn_init(&txn);
		mutex_lock(&bulk.lock);
		assert_int_equal(kho_radix_reserve(&bulk, first, last, &txn), 0);
		assert_int_equal(kho_radix_set(&bulk, first, last), last - first + 1);
		kho_radix_txn_commit(&bulk, &txn);
		mutex_unlock(&bulk.lock);
		for (u64 key = base; key <= last + 64; key++)
			assert_int_equal(kho_radix_has_key(&one, key),
					 kho_radix_has_key(&bulk, key));
		assert_int_equal(kho_radix_del_keys(&bulk, first, last), last - first + 1);
		kho_radix_destroy_tree(&one);
		kho_radix_destroy_tree(&bulk);
	}
}

struct log {
	unsigned nr_runs, nr_nodes;
	u64 first[8], nr[8];
	int result;
};

static int log_run(void *ctx, u64 first, u64 nr)
{
	struct log *log = ctx;

	if (log->nr_runs < 8) {
		log->first[log->nr_runs] = first;
		log->nr[log->nr_runs] = nr;
	}
	log->nr_runs++;
	return log->result;
}

static int log_node(void *ctx, pa_t pa)
{
	((struct log *)ctx)->nr_nodes++;
	return 0;
}

struct walk {
	struct range_pool pool;
	struct log log;
	char reason[256];
};

static void *pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	return realloc(old, bytes);
}

static void pool_release(void *ctx, void *pool)
{
	free(pool);
}

static int walk(struct kho_fixture *fix, pa_t root, struct walk *w)
{
	struct kho_radix_walk_cb cb = { .node = log_node, .run = log_run, .ctx = &w->log };
	int result = w->log.result, err;

	memset(w, 0, sizeof(*w));
	w->log.result = result;
	range_pool_init(&w->pool, NULL, pool_grow, pool_release);
	err = kho_radix_walk(fix->base->kernel->mem, root, &w->pool, &cb, w->reason);
	range_pool_deinit(&w->pool);
	return err;
}

static void set_range(struct kho_radix_tree *tree, u64 first, u64 last)
{
	struct kho_radix_txn txn;

	kho_radix_txn_init(&txn);
	mutex_lock(&tree->lock);
	assert_int_equal(kho_radix_reserve(tree, first, last, &txn), 0);
	kho_radix_set(tree, first, last);
	kho_radix_txn_commit(tree, &txn);
	mutex_unlock(&tree->lock);
}

/* Restore would see the parts of a guest in another order than Linux, or one by one. */
static void test_walk_delivers_runs_largest_order_first(void **state)
{
	struct kho_fixture *fix = *state;
	struct walk w = { .log.result = 0 };
	struct kho_radix_tree tree;

	tree_new(fix, &tree);
	set_range(&tree, (1ull << 52) + 1000, (1ull << 52) + 70000);
	kho_radix_add_key(&tree, (1ull << 52) + 70002);
	set_range(&tree, 1ull << 43, (1ull << 43) + 3);
	assert_int_equal(walk(fix, tree.root, &w), 0);
	assert_int_equal(w.log.nr_runs, 3);
	assert_int_equal(w.log.first[0], 0x80000000000);
	assert_int_equal(w.log.nr[0], 4);
	assert_int_equal(w.log.first[1], 0x100000000003e8);
	assert_int_equal(w.log.nr[1], 69001);
	assert_int_equal(w.log.first[2], 0x10000000011172);
	assert_int_equal(w.log.nr[2], 1);
	/* Root; order 0: four tables, three bitmaps; order 9: four tables, one bitmap. */
	assert_int_equal(w.log.nr_nodes, 1 + 4 + 3 + 4 + 1);
	kho_radix_destroy_tree(&tree);
}

/* The last key of one order and the first of the next are neighbours, but not one run. */
static void test_walk_splits_runs_between_orders(void **state)
{
	struct kho_fixture *fix = *state;
	struct walk w = { .log.result = 0 };
	struct kho_radix_tree tree;

	tree_new(fix, &tree);
	set_range(&tree, 1, 130);
	assert_int_equal(walk(fix, tree.root, &w), 0);
	/* 1, 2-3, 4-7, 8-15, 16-31, 32-63, 64-127, 128-130 */
	assert_int_equal(w.log.nr_runs, 8);
	assert_int_equal(w.log.first[6], 64);
	assert_int_equal(w.log.nr[6], 64);
	assert_int_equal(w.log.first[7], 128);
	assert_int_equal(w.log.nr[7], 3);
	kho_radix_destroy_tree(&tree);
}

static void test_walk_callback_result_ends_it(void **state)
{
	struct kho_fixture *fix = *state;
	struct walk w = { .log.result = -EIO };
	struct kho_radix_tree tree;

	tree_new(fix, &tree);
	set_range(&tree, 64, 64);
	set_range(&tree, 80, 80);
	assert_int_equal(walk(fix, tree.root, &w), -EIO);
	assert_int_equal(w.log.nr_runs, 1);
	kho_radix_destroy_tree(&tree);
}

/* A damaged tree would crash the next kernel or keep it busy for ever. */
static void test_walk_damaged_tree_is_refused(void **state)
{
	struct kho_fixture *fix = *state;
	struct walk w = { .log.result = 0 };
	struct kho_radix_tree tree;
	u64 *root;

	tree_new(fix, &tree);
	kho_radix_add_key(&tree, 1ull << 52);
	root = kho_fixture_words(fix, tree.root);

	root[0] = tree.root;            /* a cycle */
	assert_int_equal(walk(fix, tree.root, &w), -EINVAL);
	assert_string_equal(w.reason + strlen(w.reason) - strlen("appears twice"), "appears twice");
	root[0] = root[2];              /* a shared table */
	assert_int_equal(walk(fix, tree.root, &w), -EINVAL);
	root[0] = 64ull << 20;          /* just behind RAM */
	assert_int_equal(walk(fix, tree.root, &w), -EINVAL);
	root[0] = ~0ull;
	assert_int_equal(walk(fix, tree.root, &w), -EINVAL);
	root[0] = root[2] + 8;          /* not a page */
	assert_int_equal(walk(fix, tree.root, &w), -EINVAL);
	root[0] = 0;
	root[4] = kho_fixture_page(fix);        /* keys of 54 bits */
	assert_int_equal(walk(fix, tree.root, &w), -EINVAL);
	pages_free(fix->base->kernel->page_alloc, root[4], 1);
	root[4] = 0;
	assert_int_equal(walk(fix, tree.root, &w), 0);
	assert_int_equal(walk(fix, 0x1234, &w), -EINVAL);
	kho_radix_add_key(&tree, 0);
	assert_int_equal(walk(fix, tree.root, &w), -EINVAL);
	assert_string_equal(w.reason, "the preserved memory map holds key 0");
	kho_radix_destroy_tree(&tree);
}

#define KHO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, kho_fixture_setup, kho_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_golden_values),
		cmocka_unit_test(test_decode_golden_values),
		KHO_TEST(test_add_key_sets_the_golden_path),
		KHO_TEST(test_add_twice_delete_once_clears),
		KHO_TEST(test_add_key_beyond_53_bits_is_erange),
		KHO_TEST(test_reserve_out_of_memory_frees_what_it_made),
		KHO_TEST(test_set_range_same_bytes_as_single_keys),
		KHO_TEST(test_walk_delivers_runs_largest_order_first),
		KHO_TEST(test_walk_splits_runs_between_orders),
		KHO_TEST(test_walk_callback_result_ends_it),
		KHO_TEST(test_walk_damaged_tree_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
