/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A handed-over machine with the fuzzer's patches in what crosses: the next kernel must refuse it,
 * confine the damage or not care. An input is a list of patches: which page, word, xor with what.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/dma_check.h"
#include "tests/harness/lu_scenario.h"

#define PAGE 4096ull
#define MAX_PATCHES 32

struct handed_over {
	struct lu_scenario scenario;
	uint64_t pages[512];
	unsigned nr_pages;
};

/* Made once: the run up to the kexec costs more than all that follows. */
static struct handed_over *handed_over(void)
{
	static struct handed_over *made;
	struct lu_config config = lu_config_small();

	if (made)
		return made;
	made = calloc(1, sizeof(*made));
	assert(made);
	config.bursts = 1;
	lu_scenario_init(&made->scenario, &config);
	lu_scenario_run(&made->scenario, 0, lu_scenario_find(&made->scenario, 0, LU_BOOT));
	for (uint64_t pa = 0; pa < config.ram_bytes; pa += PAGE) {
		enum frame_owner owner = dma_check_owner(made->scenario.machine, pa);

		if ((owner == FRAME_KERNEL || owner == FRAME_TABLE) && made->nr_pages < 512)
			made->pages[made->nr_pages++] = pa;
	}
	return made;
}

static void patch(struct handed_over *h, struct lu_scenario *s, struct fuzz_input *in)
{
	for (unsigned i = 0; i < MAX_PATCHES && in->left >= 5; i++) {
		uint64_t page = h->pages[fuzz_u16(in) % h->nr_pages];
		uint64_t pa = page + 8 * (fuzz_u16(in) % 512), value;
		uint8_t kind = fuzz_u8(in);

		assert(ifs_machine_read_ram(s->machine, pa, &value, 8));
		if (kind & 0x80)
			value = fuzz_number(in);
		else
			value ^= 1ull << (kind % 64);
		assert(ifs_machine_write_ram(s->machine, pa, &value, 8));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct handed_over *h = handed_over();
	struct lu_scenario s = h->scenario;
	struct fuzz_input in = { data, size };
	unsigned boot = lu_scenario_find(&s, 0, LU_BOOT);
	unsigned end = lu_scenario_find(&s, boot, LU_PRESERVE);
	const char *broken;

	s.machine = NULL;
	if (!lu_scenario_reload(&s, lu_arena_copy(h->scenario.machine)))
		abort();
	patch(h, &s, &in);
	if (lu_scenario_step(&s, boot) == 0) {
		for (unsigned i = boot + 1; i < end; i++)
			lu_scenario_step(&s, i);
		broken = ifs_kernel_check(s.kernel);
		if (broken) {
			fprintf(stderr, "%s\n", broken);
			abort();
		}
		/* Damage may cost memory for good, but must not crash the teardown either. */
		ifs_kernel_shutdown(s.kernel);
		s.kernel = NULL;
	} else if (!s.error.text[0]) {
		abort();
	}
	lu_scenario_deinit(&s);
	return 0;
}

bool fuzz_every_ioctl_was_answered(FILE *out)
{
	return true;
}
