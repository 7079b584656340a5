/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See kho_fixture.h. */
#include "tests/lib/kho/kho_fixture.h"

struct kho_fixture *kho_fixture_new(u64 ram_bytes)
{
	struct kho_fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	fix->base = base_fixture_new(ram_bytes);
	fix->config = (struct kho_config){
		.enabled = true, .scratch_bytes = 4 << 20, .release = "7.3.0-rc7",
	};
	kho_fixture_boot(fix);
	return fix;
}

void kho_fixture_free(struct kho_fixture *fix)
{
	kho_free(fix->kho);
	base_fixture_free(fix->base);
	free(fix);
}

void kho_fixture_boot(struct kho_fixture *fix)
{
	assert_int_equal(kho_new(fix->base->kernel, &fix->config, fix->reason, &fix->kho), 0);
	assert_int_equal(kho_init(fix->kho), 0);
}

void kho_fixture_end(struct kho_fixture *fix, struct machine_boot_params *params)
{
	kho_fill_boot_params(fix->kho, params);
}

void kho_fixture_begin(struct kho_fixture *fix, const struct machine_boot_params *params)
{
	base_fixture_kexec(fix->base, params);
	kho_fixture_boot(fix);
}

void kho_fixture_kexec(struct kho_fixture *fix)
{
	struct machine_boot_params params;

	kho_fixture_end(fix, &params);
	kho_fixture_begin(fix, &params);
}

u64 *kho_fixture_words(struct kho_fixture *fix, pa_t pa)
{
	u64 *words = phys_mem_ptr(fix->base->kernel->mem, pa, PAGE_SIZE);

	assert_non_null(words);
	return words;
}

pa_t kho_fixture_page(struct kho_fixture *fix)
{
	pa_t pa;

	assert_int_equal(pages_alloc(fix->base->kernel->page_alloc, 1, 0, FRAME_KERNEL, &pa), 0);
	return pa;
}

int kho_fixture_setup(void **state)
{
	*state = kho_fixture_new(64ull << 20);
	return 0;
}

int kho_fixture_teardown(void **state)
{
	kho_fixture_free(*state);
	return 0;
}
