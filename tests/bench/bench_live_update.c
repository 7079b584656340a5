/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a live update of a guest costs, by size of guest and of page: mapping it, preserving it, the
 * black-out (kexec until the next kernel is up), restoring it (until the last device is swapped and
 * the session finished). The aim: cost grows with table pages, not with memory.
 *
 * 1 TiB in 4 KiB pages has 2 GiB of tables and 4 GiB of folio records; it runs with --full.
 */
#include "tests/bench/bench.h"
#include "tests/harness/lu_scenario.h"

#define GIB (1ull << 30)

struct times {
	double ms[LU_END + 1];
	double map_ms;
};

static bool run(struct lu_scenario *s, struct times *times)
{
	for (unsigned i = 0; i < s->nr_steps; i++) {
		uint64_t start = bench_now_ns();
		int rc = lu_scenario_step(s, i);
		double ms = (double)(bench_now_ns() - start) / 1e6;

		if (rc) {
			printf("step '%s' failed: %d %s\n", s->steps[i].name, rc, s->error.text);
			return false;
		}
		times->ms[s->steps[i].phase] += ms;
		if (s->steps[i].phase == LU_SETUP && !strcmp(s->steps[i].name, "HWPT_ALLOC"))
			times->map_ms += ms;
	}
	return true;
}

static void one(uint64_t guest, unsigned order, const char *size, const char *page)
{
	struct lu_config config = {
		.ram_bytes = guest + guest / 64 + GIB,
		.memfd_bytes = guest,
		/* As QEMU lays it out: 2 GiB below the hole at 4 GiB, the rest above. */
		.regions = {
			{ .length = 2 * GIB, .writable = true },
			{ .iova = 4 * GIB, .offset = 2 * GIB, .length = guest - 2 * GIB,
			  .writable = true },
		},
		.nr_regions = 2, .devices = 1, .updates = 1, .bursts = 1,
		.folio_order = order,
	};
	struct lu_scenario s;
	struct times times = { 0 };

	lu_scenario_init(&s, &config);
	if (run(&s, &times))
		printf("%8s %5s %12.2f %12.2f %12.2f %12.2f\n", size, page, times.map_ms,
		       times.ms[LU_PRESERVE], times.ms[LU_KEXEC] + times.ms[LU_BOOT],
		       times.ms[LU_RESTORE]);
	fflush(stdout);
	lu_scenario_deinit(&s);
}

int main(int argc, char **argv)
{
	static const struct {
		uint64_t bytes;
		const char *name;
	} sizes[] = { { 4 * GIB, "4 GiB" }, { 64 * GIB, "64 GiB" }, { 1024 * GIB, "1 TiB" } };
	static const struct {
		unsigned order;
		const char *name;
	} pages[] = { { 18, "1 GiB" }, { 9, "2 MiB" }, { 0, "4 KiB" } };

	printf("milliseconds:\n%8s %5s %12s %12s %12s %12s\n", "guest", "page", "map", "preserve",
	       "black-out", "restore");
	for (unsigned p = 0; p < 3; p++) {
		for (unsigned i = 0; i < 3; i++) {
			if (pages[p].order == 0 && sizes[i].bytes > 64 * GIB &&
			    !bench_has_flag(argc, argv, "--full"))
				continue;
			one(sizes[i].bytes, pages[p].order, sizes[i].name, pages[p].name);
		}
	}
	return 0;
}
