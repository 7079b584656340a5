/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Dirty tracking: GET_DIRTY_BITMAP per page of the guest, for a guest in which no page, one in 512
 * or every page was written by the device, with and without clearing, in leaves of 4 KiB and of
 * 2 MiB; one area and a thousand of them; and SET_DIRTY_TRACKING, which cleans the whole guest.
 * Next to it, in the same minute: a loop that looks at as many 8-byte words.
 */
#include <iommufd-sim/proto/types.h>

#include "tests/bench/bench_vmm.h"

#define ROUNDS 7
#define IOVA 0x40000000ull
#define GUEST (256ull << 20)

struct guest {
	struct bench_vmm vmm;
	uint32_t hwpt;
	u64 page_bytes;         /* of a leaf, and of a bit */
	const char *leaves;
	u64 nr_areas;
};

static u64 bitmap[(GUEST >> 12) / 64];

static void guest_start(struct guest *g)
{
	struct bench_vmm *v = &g->vmm;
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc),
					  .flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING };
	struct iommu_option option = { .size = sizeof(option), .op = IOMMU_OPTION_OP_SET,
				       .option_id = IOMMU_OPTION_HUGE_PAGES };

	bench_vmm_start(v, 1, 0, 9);
	option.object_id = v->ioas;
	if (g->page_bytes == PAGE_SIZE)
		bench_must(!ifs_ioctl(v->process, v->fd, IOMMU_OPTION, &option), "HUGE_PAGES");
	bench_vmm_map_file(v, IOVA, GUEST, g->nr_areas);
	bench_vmm_bind(v);
	alloc.dev_id = v->dev;
	alloc.pt_id = v->ioas;
	bench_must(!ifs_ioctl(v->process, v->fd, IOMMU_HWPT_ALLOC, &alloc), "HWPT_ALLOC");
	g->hwpt = alloc.out_hwpt_id;
	bench_vmm_attach(v, g->hwpt);
}

static double tracking_ns(struct guest *g)
{
	struct iommu_hwpt_set_dirty_tracking cmd = { .size = sizeof(cmd), .hwpt_id = g->hwpt,
						     .flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE };
	u64 start = bench_now_ns();

	bench_must(!ifs_ioctl(g->vmm.process, g->vmm.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd),
		   "SET_DIRTY_TRACKING");
	return (double)(bench_now_ns() - start);
}

static double bitmap_ns(struct guest *g, u32 flags)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd), .hwpt_id = g->hwpt, .flags = flags, .iova = IOVA,
		.length = GUEST, .page_size = g->page_bytes, .data = (uintptr_t)bitmap,
	};
	u64 start = bench_now_ns();

	bench_must(!ifs_ioctl(g->vmm.process, g->vmm.fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd),
		   "GET_DIRTY_BITMAP");
	return (double)(bench_now_ns() - start);
}

/* The device writes to one page in @every; 0: none. */
static u64 dirty(struct guest *g, u64 every)
{
	u64 nr = 0;

	for (u64 page = 0; every && page < GUEST / g->page_bytes; page += every, nr++)
		bench_must(!ifs_device_dma_write(g->vmm.device, IOVA + page * g->page_bytes, "x", 1,
						 NULL), "dma");
	return nr;
}

static void check_bits(u64 want)
{
	u64 nr = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bitmap); i++)
		nr += (u64)__builtin_popcountll(bitmap[i]);
	bench_must(nr == want, "the right number of dirty pages");
}

/* What it costs to look at one word per page, at least. */
static double look_ns(u64 nr)
{
	u64 *words = calloc(nr, 8), sum = 0;
	double best = 1e12;

	for (u64 i = 0; i < nr; i++)
		words[i] = i << 12 | 3;
	for (int round = 0; round < ROUNDS; round++) {
		u64 start = bench_now_ns();

		for (u64 i = 0; i < nr; i++) {
			sum += words[i] >> 9 & 1;
			__asm__ volatile("" : "+r"(sum));
		}
		best = bench_best(best, (double)(bench_now_ns() - start) / (double)nr);
	}
	bench_must(sum < nr, "look");
	free(words);
	return best;
}

static void bench_guest(struct guest *g)
{
	static const struct {
		const char *name;
		u64 every;
	} patterns[] = { { "clean", 0 }, { "1 in 512", 512 }, { "every one", 1 } };
	u64 nr = GUEST / g->page_bytes, dirtied;
	double look = look_ns(nr), track = 1e12;

	guest_start(g);
	for (unsigned p = 0; p < ARRAY_SIZE(patterns); p++) {
		double keep = 1e12, clear = 1e12;

		for (int round = 0; round < ROUNDS; round++) {
			dirty(g, patterns[p].every);
			track = bench_best(track, tracking_ns(g));
			dirtied = dirty(g, patterns[p].every);
			/* Once to heat: the device's writes have just driven the tables out. */
			bitmap_ns(g, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR);
			memset(bitmap, 0, sizeof(bitmap));
			keep = bench_best(keep, bitmap_ns(g, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR));
			check_bits(dirtied);
			memset(bitmap, 0, sizeof(bitmap));
			clear = bench_best(clear, bitmap_ns(g, 0));
			check_bits(dirtied);
		}
		printf("%-6s %6llu  %-10s %8.2f %6.1f   %8.2f %6.1f\n", g->leaves,
		       (unsigned long long)g->nr_areas, patterns[p].name, keep / (double)nr,
		       keep / (double)nr / look, clear / (double)nr, clear / (double)nr / look);
	}
	printf("%-6s %6llu  %-10s %8.2f %6.1f\n", g->leaves, (unsigned long long)g->nr_areas,
	       "set on", track / (double)nr, track / (double)nr / look);
	bench_vmm_stop(&g->vmm);
}

int main(void)
{
	struct guest guests[] = {
		{ .page_bytes = PAGE_SIZE, .leaves = "4 KiB", .nr_areas = 1 },
		{ .page_bytes = PAGE_SIZE, .leaves = "4 KiB", .nr_areas = 1024 },
		{ .page_bytes = 2 << 20, .leaves = "2 MiB", .nr_areas = 1 },
	};

	printf("dirty bitmap, ns per page and as a multiple of looking at a word:\n");
	printf("leaves  areas  written      no clear            clear\n");
	for (unsigned i = 0; i < ARRAY_SIZE(guests); i++)
		bench_guest(&guests[i]);
	return 0;
}
