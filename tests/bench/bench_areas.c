/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Areas: insert, find and remove of disjoint ranges in random order, next to GLib's GTree used as
 * QEMU's util/iova-tree.c uses it: one allocated entry per range, and a comparator that calls
 * overlapping ranges equal. Both run in the same minute on the same addresses; what counts is the
 * ratio. Then two more things the structure is made for: painting page after page, and stepping
 * through all ranges.
 *
 * --full adds 10 million ranges (about 2 GiB for the GTree).
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sim/range_tree.h"

/* Areas of 4 to 64 KiB, each in its own 128 KiB, so that none touch. */
#define SLOT_LG2 17

struct map {
	u64 iova, last, pa;
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void *pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	return realloc(old, bytes);
}

static void pool_release(void *ctx, void *pool)
{
	free(pool);
}

static u64 random_next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static struct map *maps_new(u64 n)
{
	struct map *maps = g_new(struct map, n);
	u64 seed = 88172645463325252ull;

	for (u64 i = 0; i < n; i++) {
		u64 length = ((random_next(&seed) % 16) + 1) << PAGE_SHIFT;

		maps[i].iova = i << SLOT_LG2;
		maps[i].last = maps[i].iova + length - 1;
		maps[i].pa = i << 12;
	}
	return maps;
}

static void shuffle(struct map *maps, u64 n, u64 seed)
{
	for (u64 i = n - 1; i > 0; i--) {
		u64 j = random_next(&seed) % (i + 1);
		struct map swap = maps[i];

		maps[i] = maps[j];
		maps[j] = swap;
	}
}

static gint map_compare(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct map *x = a, *y = b;

	if (x->iova > y->last)
		return 1;
	return x->last < y->iova ? -1 : 0;
}

struct figures {
	double insert, find, remove, ascend;
};

static void check(bool right, const char *what)
{
	if (!right) {
		fprintf(stderr, "bench_areas: wrong result of %s\n", what);
		exit(1);
	}
}

static struct figures bench_range_tree(struct map *maps, u64 n)
{
	struct range_pool pool;
	struct range_tree tree;
	struct figures f;
	u64 sum = 0;
	double t;

	range_pool_init(&pool, NULL, pool_grow, pool_release);
	range_tree_init(&tree, &pool);
	shuffle(maps, n, 1);
	t = now_ns();
	for (u64 i = 0; i < n; i++)
		check(range_tree_insert(&tree, maps[i].iova, maps[i].last, maps[i].pa), "insert");
	f.insert = (now_ns() - t) / n;
	shuffle(maps, n, 2);
	t = now_ns();
	for (u64 i = 0; i < n; i++) {
		struct range_entry entry;

		check(range_tree_lookup(&tree, maps[i].iova + 100, &entry), "lookup");
		sum += entry.value - maps[i].pa;
	}
	f.find = (now_ns() - t) / n;
	check(sum == 0, "lookup");
	shuffle(maps, n, 3);
	t = now_ns();
	for (u64 i = 0; i < n; i++)
		check(range_tree_remove(&tree, maps[i].iova), "remove");
	f.remove = (now_ns() - t) / n;
	check(tree.count == 0, "remove");
	t = now_ns();
	for (u64 i = 0; i < n; i++)
		check(range_tree_insert(&tree, i << SLOT_LG2, (i << SLOT_LG2) + 1, i), "insert");
	f.ascend = (now_ns() - t) / n;
	range_tree_clear(&tree);
	range_pool_deinit(&pool);
	return f;
}

static struct figures bench_gtree(struct map *maps, u64 n)
{
	GTree *tree = g_tree_new_full(map_compare, NULL, g_free, NULL);
	struct figures f;
	u64 sum = 0;
	double t;

	shuffle(maps, n, 1);
	t = now_ns();
	for (u64 i = 0; i < n; i++) {
		struct map *map;

		/* As iova_tree_insert(): refuse what overlaps, then add a copy. */
		check(!g_tree_lookup(tree, &maps[i]), "g_tree_lookup");
		map = g_new(struct map, 1);
		*map = maps[i];
		g_tree_insert(tree, map, map);
	}
	f.insert = (now_ns() - t) / n;
	shuffle(maps, n, 2);
	t = now_ns();
	for (u64 i = 0; i < n; i++) {
		struct map key = { .iova = maps[i].iova + 100, .last = maps[i].iova + 100 };
		const struct map *found = g_tree_lookup(tree, &key);

		check(found, "g_tree_lookup");
		sum += found->pa - maps[i].pa;
	}
	f.find = (now_ns() - t) / n;
	check(sum == 0, "g_tree_lookup");
	shuffle(maps, n, 3);
	t = now_ns();
	for (u64 i = 0; i < n; i++)
		check(g_tree_remove(tree, &maps[i]), "g_tree_remove");
	f.remove = (now_ns() - t) / n;
	t = now_ns();
	for (u64 i = 0; i < n; i++) {
		struct map *map = g_new(struct map, 1);

		*map = (struct map){ .iova = i << SLOT_LG2, .last = (i << SLOT_LG2) + 1, .pa = i };
		check(!g_tree_lookup(tree, map), "g_tree_lookup");
		g_tree_insert(tree, map, map);
	}
	f.ascend = (now_ns() - t) / n;
	g_tree_destroy(tree);
	return f;
}

static void print_row(u64 n, const char *what, double ours, double theirs)
{
	printf("%10" PRIu64 "  %-14s %9.1f %9.1f %8.1fx\n", n, what, ours, theirs, theirs / ours);
}

static void bench_both(u64 n)
{
	struct map *maps = maps_new(n);
	/* Small trees are measured warm: the first round only heats. */
	unsigned rounds = n < 10000 ? 50 : n < 1000000 ? 3 : 1;
	struct figures ours = { 0 }, theirs = { 0 };

	for (unsigned i = 0; i < rounds; i++) {
		ours = bench_range_tree(maps, n);
		theirs = bench_gtree(maps, n);
	}
	print_row(n, "insert", ours.insert, theirs.insert);
	print_row(n, "find", ours.find, theirs.find);
	print_row(n, "remove", ours.remove, theirs.remove);
	print_row(n, "insert, rising", ours.ascend, theirs.ascend);
	g_free(maps);
}

static void bench_paint(u64 n)
{
	struct range_pool pool;
	struct range_tree tree;
	struct range_entry e;
	double t;
	u64 sum = 0;

	range_pool_init(&pool, NULL, pool_grow, pool_release);
	range_tree_init(&tree, &pool);
	for (u64 i = 0; i < n; i++)
		range_tree_insert(&tree, i << SLOT_LG2, (i << SLOT_LG2) + 0xfff, i << 32);
	t = now_ns();
	for (u64 i = 1; i < 16; i++)
		for (u64 j = 0; j < n; j += 16)
			check(range_tree_paint(&tree, (j << SLOT_LG2) + (i << 12),
					       (j << SLOT_LG2) + (i << 12) + 0xfff,
					       (j << 32) + (i << 12), true), "paint");
	printf("%10" PRIu64 "  paint a page that continues a range: %.1f ns\n", n,
	       (now_ns() - t) / (15 * ((n + 15) / 16)));
	check(tree.count == n, "paint");
	t = now_ns();
	for (bool more = range_tree_find_first(&tree, 0, ~0ull, &e); more;
	     more = range_tree_next(&tree, e.start, &e))
		sum += e.start;
	printf("%10" PRIu64 "  step to the next range: %.1f ns\n", n, (now_ns() - t) / n);
	check(sum == (n - 1) * n / 2 << SLOT_LG2, "next");
	range_tree_clear(&tree);
	range_pool_deinit(&pool);
}

int main(int argc, char **argv)
{
	bool full = argc > 1 && !strcmp(argv[1], "--full");

	printf("    ranges  what           range_tree     GTree    ratio   (ns per operation)\n");
	bench_both(1000);
	bench_both(100000);
	if (full)
		bench_both(10000000);
	bench_paint(100000);
	return 0;
}
