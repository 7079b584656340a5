/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the boot loader and the previous kernel say, believed or not. */
#include "tests/lib/kho/kho_fixture.h"

#include "lib/abi/kho.h"
#include "lib/kho/radix_tree.h"

/* Boots on @params, which must be refused with @reason: a cold boot with nothing reserved. */
static void refused(struct kho_fixture *fix, const struct machine_boot_params *params,
		    const char *reason)
{
	kho_fixture_begin(fix, params);
	if (strncmp(fix->reason, reason, strlen(reason)))
		fail_msg("reason is '%s', expected '%s...'", fix->reason, reason);
	assert_false(kho_is_incoming(fix->kho));
	assert_true(kho_enabled(fix->kho));
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 0);
	assert_int_equal(pages_count(fix->base->kernel->page_alloc, FRAME_RESERVED), 0);
	/* Scratch was chosen anew. */
	assert_int_equal(pages_count(fix->base->kernel->page_alloc, FRAME_SCRATCH), 1024);
}

static void test_boot_nothing_incoming_is_cold_without_reason(void **state)
{
	struct kho_fixture *fix = *state;

	kho_fixture_begin(fix, &(struct machine_boot_params){ 0 });
	assert_string_equal(fix->reason, "");
	assert_false(kho_is_incoming(fix->kho));
}

static void test_fill_boot_params_scratch_array_lies_in_scratch(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params params;

	kho_fill_boot_params(fix->kho, &params);
	assert_int_equal(params.kho_fdt_pa, kho_root_fdt_pa(fix->kho));
	assert_int_equal(params.kho_fdt_bytes, 4096);
	assert_int_equal(params.kho_scratch_pa, 0x7f0000);
	assert_int_equal(params.kho_scratch_bytes, 16);
	assert_int_equal(kho_fixture_words(fix, 0x7f0000)[0], 0x400000);
	assert_int_equal(kho_fixture_words(fix, 0x7f0000)[1], 0x400000);
}

static void test_boot_bad_fdt_pointer_is_refused(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params good, bad;

	kho_fixture_end(fix, &good);
	bad = good;
	bad.kho_fdt_pa = 64ull << 20;
	refused(fix, &bad, "handover FDT is not one page of RAM");
	kho_fixture_end(fix, &good);
	bad = good;
	bad.kho_fdt_bytes = 0;
	refused(fix, &bad, "handover FDT is not one page of RAM");
	kho_fixture_end(fix, &good);
	bad = good;
	bad.kho_fdt_bytes = 4097;
	refused(fix, &bad, "handover FDT is not one page of RAM");
	kho_fixture_end(fix, &good);
	bad = good;
	bad.kho_fdt_bytes = 100;
	refused(fix, &bad, "handover FDT (0x");
	kho_fixture_end(fix, &good);
	kho_fixture_words(fix, good.kho_fdt_pa)[0] = 0;
	refused(fix, &good, "handover FDT (0x");
}

static void test_boot_bad_scratch_is_refused(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params params;
	u64 *array;

	kho_fixture_end(fix, &params);
	params.kho_scratch_bytes = 15;
	refused(fix, &params, "scratch array has a bad length");
	kho_fixture_end(fix, &params);
	params.kho_scratch_pa = ~0ull;
	refused(fix, &params, "scratch array is outside RAM");
	kho_fixture_end(fix, &params);
	array = kho_fixture_words(fix, params.kho_scratch_pa);
	array[1] = 0;
	refused(fix, &params, "scratch area is not whole pages of RAM");
	kho_fixture_end(fix, &params);
	array = kho_fixture_words(fix, params.kho_scratch_pa);
	array[1] = ~0xfffull;
	refused(fix, &params, "scratch area is not whole pages of RAM");
	kho_fixture_end(fix, &params);
	array = kho_fixture_words(fix, params.kho_scratch_pa);
	array[0] = 0;                   /* page 0 is the kernel's */
	refused(fix, &params, "scratch area is not free");
	kho_fixture_end(fix, &params);
	array = kho_fixture_words(fix, params.kho_scratch_pa);
	array[2] = array[0] + 0x3ff000;
	array[3] = 0x2000;
	params.kho_scratch_bytes = 32;
	refused(fix, &params, "scratch areas overlap");
}

/* Marks @key in the outgoing tree and boots: it cannot be true. */
static void key_is_refused(struct kho_fixture *fix, u64 key, const char *reason)
{
	struct machine_boot_params params;
	struct kho_radix_tree alias = {
		.kernel = fix->base->kernel,
		.pages = fix->base->kernel->page_alloc,
		.root = kho_radix_root_pa(fix->kho),
	};

	mutex_init(&alias.lock);
	assert_int_equal(kho_radix_add_key(&alias, key), 0);
	kho_fixture_end(fix, &params);
	refused(fix, &params, reason);
}

/* Overlapping or impossible blocks would be given to two owners. */
static void test_boot_impossible_keys_are_refused(void **state)
{
	struct kho_fixture *fix = *state;
	u64 fdt_pfn = kho_root_fdt_pa(fix->kho) >> 12;

	key_is_refused(fix, 0, "the preserved memory map holds key 0");
	key_is_refused(fix, 1, "preserved memory is larger than RAM");
	key_is_refused(fix, (1ull << 52) | 0x4000, "preserved memory lies outside RAM");
	key_is_refused(fix, (1ull << 52) | 0x400, "preserved memory lies in scratch");
	key_is_refused(fix, 1ull << 52, "preserved memory is not free");
	fdt_pfn = kho_root_fdt_pa(fix->kho) >> 12;
	key_is_refused(fix, (1ull << 51) | fdt_pfn >> 1, fdt_pfn > 1 ? "preserved blocks overlap" :
		       "preserved memory is not free");
}

static void test_boot_root_property_leads_nowhere_is_refused(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params params;
	u64 root = kho_radix_root_pa(fix->kho), bad = 64ull << 20;
	char *fdt;

	kho_fixture_end(fix, &params);
	fdt = (char *)kho_fixture_words(fix, params.kho_fdt_pa);
	for (unsigned i = 0; i < 4096 - 8; i++)
		if (!memcmp(fdt + i, &root, 8))
			memcpy(fdt + i, &bad, 8);
	refused(fix, &params, "preserved memory map: level 5 node 0x4000000 is not a page of RAM");
}

/* kho=off in the second kernel would let it hand out memory that devices still write to. */
static void test_boot_kho_off_still_reserves(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params params;
	pa_t pa;

	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 4096, &pa), 0);
	kho_fixture_end(fix, &params);
	fix->config.enabled = false;
	kho_fixture_begin(fix, &params);
	assert_false(kho_enabled(fix->kho));
	assert_true(kho_is_incoming(fix->kho));
	assert_int_equal(pages_owner(fix->base->kernel->page_alloc, pa), FRAME_RESERVED);
	kho_fill_boot_params(fix->kho, &params);
	assert_int_equal(params.kho_fdt_pa | params.kho_scratch_pa, 0);
}

static void test_boot_keeps_scratch_whatever_the_command_line(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params params;

	kho_fixture_end(fix, &params);
	fix->config.scratch_bytes = 12 << 20;
	kho_fixture_begin(fix, &params);
	assert_int_equal(pages_count(fix->base->kernel->page_alloc, FRAME_SCRATCH), 1024);
	kho_fixture_begin(fix, &(struct machine_boot_params){ 0 });
	assert_int_equal(pages_count(fix->base->kernel->page_alloc, FRAME_SCRATCH), 3072);
}

/* A boot that runs out of memory would leak, crash, or spoil what it was to take over. */
static void test_new_every_allocation_may_fail_and_retry_works(void **state)
{
	struct kho_fixture *fix = *state;
	struct machine_boot_params params;
	int err = -ENOMEM;
	pa_t pa;

	assert_int_equal(kho_alloc_preserve_pa(fix->kho, 4096, &pa), 0);
	kho_fixture_words(fix, pa)[511] = 0x5a5a;
	kho_fixture_end(fix, &params);
	for (u64 nth = 1; err; nth++) {
		struct kernel_base *kernel;
		u64 blocks;

		base_fixture_kexec(fix->base, &params);
		kernel = fix->base->kernel;
		blocks = kernel->heap.nr_blocks;
		base_fixture_fail_nth(fix->base, nth, false);
		err = kho_new(kernel, &fix->config, fix->reason, &fix->kho);
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_null(kernel->kho);
			assert_int_equal(kernel->heap.nr_blocks, blocks);
		}
		base_fixture_fail_nth(fix->base, 0, false);
	}
	assert_string_equal(fix->reason, "");
	assert_int_equal(kho_init(fix->kho), 0);
	assert_int_equal(kho_nr_unclaimed_pages(fix->kho), 3);
	assert_int_equal(kho_fixture_words(fix, pa)[511], 0x5a5a);
}

/* A kernel whose KHO could not start would go on believing in it. */
static void test_init_every_allocation_may_fail_and_disables(void **state)
{
	struct kho_fixture *fix = *state;
	struct kernel_base *kernel = fix->base->kernel;
	int err = -ENOMEM;

	for (u64 nth = 1; err; nth++) {
		kho_free(fix->kho);
		assert_int_equal(kho_new(kernel, &fix->config, fix->reason, &fix->kho), 0);
		base_fixture_fail_nth(fix->base, nth, false);
		err = kho_init(fix->kho);
		base_fixture_fail_nth(fix->base, 0, false);
		assert_int_equal(kho_enabled(fix->kho), !err);
		assert_int_equal(pages_count(kernel->page_alloc, FRAME_SCRATCH), err ? 0 : 1024);
		if (err)
			assert_int_equal(pages_count(kernel->page_alloc, FRAME_KERNEL), 1);
	}
}

#define KHO_TEST(name) \
	cmocka_unit_test_setup_teardown(name, kho_fixture_setup, kho_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KHO_TEST(test_boot_nothing_incoming_is_cold_without_reason),
		KHO_TEST(test_fill_boot_params_scratch_array_lies_in_scratch),
		KHO_TEST(test_boot_bad_fdt_pointer_is_refused),
		KHO_TEST(test_boot_bad_scratch_is_refused),
		KHO_TEST(test_boot_impossible_keys_are_refused),
		KHO_TEST(test_boot_root_property_leads_nowhere_is_refused),
		KHO_TEST(test_boot_kho_off_still_reserves),
		KHO_TEST(test_boot_keeps_scratch_whatever_the_command_line),
		KHO_TEST(test_new_every_allocation_may_fail_and_retry_works),
		KHO_TEST(test_init_every_allocation_may_fail_and_disables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
