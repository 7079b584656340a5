/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Ten thousand bit flips in what crosses a kexec: FDT, radix tree, session and file records,
 * domain, device and table pages, one at a time, each on a fresh copy of the same handed-over
 * machine.
 *
 * Afterwards the next kernel boots and the VMM does all it can. Each flip must end in one of three
 * ways: refused with an error that says something, confined (a device blocked, a file that cannot
 * be retrieved), or harmless. Never a crash; no invariant broken; and DMA may stray only where the
 * flip hit tables that the hardware itself reads, and then never silently.
 */
#include "tests/harness/lu_scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/dma_check.h"

#define PAGE 4096ull
#define FLIPS 10000

struct target {
	uint64_t pa;
	bool table;
};

struct flips {
	struct lu_scenario base;        /* stopped between kexec and boot */
	struct target *pages;
	unsigned nr_pages;
	uint64_t random;
	unsigned refused, confined, blocked, harmless, stray;
};

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static bool page_is_zero(struct ifs_machine *machine, uint64_t pa)
{
	static const char zero[PAGE];
	char page[PAGE];

	return !ifs_machine_read_ram(machine, pa, page, PAGE) || !memcmp(page, zero, PAGE);
}

/* All frames that were the old kernel's or its tables' and hold something. */
static void collect_pages(struct flips *f)
{
	uint64_t end = f->base.config.ram_bytes;

	f->pages = calloc(end / PAGE, sizeof(*f->pages));
	assert_non_null(f->pages);
	for (uint64_t pa = 0; pa < end; pa += PAGE) {
		enum frame_owner owner = dma_check_owner(f->base.machine, pa);

		if ((owner == FRAME_KERNEL || owner == FRAME_TABLE) &&
		    !page_is_zero(f->base.machine, pa))
			f->pages[f->nr_pages++] = (struct target){ pa, owner == FRAME_TABLE };
	}
	assert_true(f->nr_pages > 10);
}

/* Half of the flips hit words that are in use, the others anything in the page. */
static uint64_t pick_word(struct flips *f, uint64_t pa)
{
	uint64_t words[PAGE / 8], used[PAGE / 8];
	unsigned nr_used = 0;

	assert_true(ifs_machine_read_ram(f->base.machine, pa, words, PAGE));
	for (unsigned i = 0; i < PAGE / 8; i++) {
		if (words[i])
			used[nr_used++] = i;
	}
	if (nr_used && next_random(&f->random) % 2)
		return pa + 8 * used[next_random(&f->random) % nr_used];
	return pa + 8 * (next_random(&f->random) % (PAGE / 8));
}

static void print_reports(struct lu_scenario *s)
{
	struct ifs_report report;

	for (unsigned i = 0; ifs_machine_get_report(s->machine, i, &report); i++)
		print_error("step %lu, %s: %s\n", (unsigned long)report.step,
			    ifs_rule_name(report.rule), report.text);
}

static void judge(struct flips *f, struct lu_scenario *s, const struct target *target,
		  unsigned failed_steps, uint64_t word, unsigned bit)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_get_stats(s->machine, &stats);
	if (stats.dma_astray) {
		f->stray++;
		if (!target->table)
			print_reports(s);
		if (!target->table)
			fail_msg("flip of bit %u at 0x%lx, in no table, let DMA stray", bit,
				 (unsigned long)word);
		assert_true(ifs_machine_count_reports(s->machine, IFS_RULE_DMA_ASTRAY) > 0);
	}
	if (ifs_machine_count_reports(s->machine, IFS_RULE_DEVICE_BLOCKED))
		f->blocked++;
	else if (failed_steps)
		f->confined++;
	else
		f->harmless++;
}

static void one_flip(struct flips *f)
{
	const struct target *target = &f->pages[next_random(&f->random) % f->nr_pages];
	uint64_t word = pick_word(f, target->pa), value;
	unsigned bit = next_random(&f->random) % 64, failed = 0;
	struct lu_scenario s = f->base;
	unsigned from = lu_scenario_find(&s, 0, LU_BOOT);
	unsigned to = lu_scenario_find(&s, from, LU_PRESERVE);
	const char *broken;

	s.machine = NULL;
	assert_true(lu_scenario_reload(&s, lu_arena_copy(f->base.machine)));
	assert_true(ifs_machine_read_ram(s.machine, word, &value, 8));
	value ^= 1ull << bit;
	assert_true(ifs_machine_write_ram(s.machine, word, &value, 8));
	if (lu_scenario_step(&s, from)) {
		if (!s.error.text[0])
			fail_msg("flip of bit %u at 0x%lx: boot refused without a reason", bit,
				 (unsigned long)word);
		f->refused++;
		lu_scenario_deinit(&s);
		return;
	}
	for (unsigned i = from + 1; i < to; i++)
		failed += lu_scenario_step(&s, i) != 0;
	broken = ifs_kernel_check(s.kernel);
	if (broken)
		fail_msg("flip of bit %u at 0x%lx: %s", bit, (unsigned long)word, broken);
	judge(f, &s, target, failed, word, bit);
	lu_scenario_deinit(&s);
}

/* One flipped bit would take the host down, or let a device write into someone else's memory. */
static void test_bit_flip_in_what_crosses_is_refused_confined_or_harmless(void **state)
{
	const char *count = getenv("IFS_FLIPS"), *seed = getenv("IFS_SEED");
	unsigned flips = count ? (unsigned)atoi(count) : FLIPS;
	struct flips f = { .random = seed ? strtoull(seed, NULL, 0) : 0x5eed };
	struct lu_config config = lu_config_small();
	unsigned boot;

	print_message("seed 0x%lx, %u flips\n", (unsigned long)f.random, flips);
	config.updates = 2;
	config.bursts = 1;
	lu_scenario_init(&f.base, &config);
	boot = lu_scenario_find(&f.base, 0, LU_BOOT);
	assert_int_equal(lu_scenario_run(&f.base, 0, boot), boot);
	collect_pages(&f);
	for (unsigned i = 0; i < flips; i++)
		one_flip(&f);
	print_message("%u flips in %u pages: %u refused at boot, %u blocked a device, "
		      "%u failed a call, %u harmless; %u let DMA stray, reported\n", flips,
		      f.nr_pages, f.refused, f.blocked, f.confined, f.harmless, f.stray);
	/* A sweep in which nothing is ever noticed proves nothing. */
	assert_true(f.refused + f.blocked + f.confined > flips / 20);
	free(f.pages);
	lu_scenario_deinit(&f.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bit_flip_in_what_crosses_is_refused_confined_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
