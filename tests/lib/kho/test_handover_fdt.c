/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The root FDT, byte for byte what Linux 7.3 leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/kho/handover_fdt.h"

/* Map root 0x1122334455667000; kexec-metadata at 0xa000 with 73 bytes, LUO at 0xb000 with 32. */
static const u32 golden[] = {
	0xd00dfeed, 0x0000011d, 0x00000038, 0x000000e4,
	0x00000028, 0x00000011, 0x00000010, 0x00000000,
	0x00000039, 0x000000ac, 0x00000000, 0x00000000,
	0x00000000, 0x00000000, 0x00000001, 0x00000000,
	0x00000003, 0x00000007, 0x00000015, 0x6b686f2d,
	0x76340000, 0x00000003, 0x00000008, 0x00000000,
	0x00706655, 0x44332211, 0x00000001, 0x4c554f00,
	0x00000003, 0x00000008, 0x0000002f, 0x20000000,
	0x00000000, 0x00000003, 0x00000008, 0x00000020,
	0x00b00000, 0x00000000, 0x00000002, 0x00000001,
	0x6b657865, 0x632d6d65, 0x74616461, 0x74610000,
	0x00000003, 0x00000008, 0x0000002f, 0x49000000,
	0x00000000, 0x00000003, 0x00000008, 0x00000020,
	0x00a00000, 0x00000000, 0x00000002, 0x00000002,
	0x00000009,
};
static const char golden_strings[] = "preserved-memory-map\0compatible\0preserved-data\0blob-size";

static u32 be32(const u64 *page, unsigned byte)
{
	u32 value;

	memcpy(&value, (const char *)page + byte, 4);
	return __builtin_bswap32(value);
}

static void page_new(u64 *page)
{
	assert_int_equal(handover_fdt_create(page, 0x1122334455667000), 0);
}

/* The next kernel, built from Linux's sources, would not find what we left. */
static void test_add_two_subtrees_golden_bytes(void **state)
{
	u64 page[512];

	page_new(page);
	assert_int_equal(be32(page, 4), 152);
	assert_int_equal(be32(page, 8), 64);    /* off_dt_struct */
	assert_int_equal(be32(page, 12), 120);  /* off_dt_strings */
	assert_int_equal(be32(page, 16), 48);   /* off_mem_rsvmap */
	assert_int_equal(handover_fdt_add(page, "kexec-metadata", 0xa000, 73), 0);
	assert_int_equal(be32(page, 4), 233);
	assert_int_equal(handover_fdt_add(page, "LUO", 0xb000, 32), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(golden); i++)
		assert_int_equal(be32(page, 4 * i), golden[i]);
	assert_memory_equal((char *)page + sizeof(golden), golden_strings, sizeof(golden_strings));
	assert_int_equal(sizeof(golden) + sizeof(golden_strings), 285);
}

/* A sub-tree would silently replace another one. */
static void test_add_same_name_is_eexist_and_changes_nothing(void **state)
{
	u64 page[512], before[512];

	page_new(page);
	assert_int_equal(handover_fdt_add(page, "foo@1", 0xa000, 1), 0);
	memcpy(before, page, sizeof(page));
	assert_int_equal(handover_fdt_add(page, "foo@1", 0xb000, 1), -EEXIST);
	/* As libfdt matches names. */
	assert_int_equal(handover_fdt_add(page, "foo", 0xb000, 1), -EEXIST);
	assert_memory_equal(page, before, sizeof(page));
}

/* A full tree would lose sub-trees without a word. */
static void test_add_seventy_subtrees_then_enomem(void **state)
{
	u64 page[512], before[512];
	char name[8];

	page_new(page);
	assert_int_equal(handover_fdt_add(page, "kexec-metadata", 0xa000, 73), 0);
	assert_int_equal(handover_fdt_add(page, "LUO", 0xb000, 32), 0);
	for (unsigned i = 0; i < 68; i++) {
		snprintf(name, sizeof(name), "n%04u", i);
		assert_int_equal(handover_fdt_add(page, name, 0xc000, 1), 0);
	}
	memcpy(before, page, sizeof(page));
	assert_int_equal(handover_fdt_add(page, "n0068", 0xc000, 1), -ENOMEM);
	assert_memory_equal(page, before, sizeof(page));
}

static void test_remove_takes_the_newest_of_that_address(void **state)
{
	u64 page[512], size;
	pa_t pa;

	page_new(page);
	assert_int_equal(handover_fdt_add(page, "old", 0xa000, 1), 0);
	assert_int_equal(handover_fdt_add(page, "new", 0xa000, 2), 0);
	assert_true(handover_fdt_remove(page, 0xa000));
	assert_int_equal(handover_fdt_find(page, "new", &pa, &size), -ENOENT);
	assert_int_equal(handover_fdt_find(page, "old", &pa, &size), 0);
	assert_int_equal(pa, 0xa000);
	assert_int_equal(size, 1);
	assert_false(handover_fdt_remove(page, 0xb000));
}

static void test_check_own_tree_yields_the_root(void **state)
{
	u64 page[512];
	char reason[256];
	pa_t root;

	page_new(page);
	assert_int_equal(handover_fdt_check(page, 4096, 0x1000, &root, reason), 0);
	assert_int_equal(root, 0x1122334455667000);
}

/* Bytes of an unknown writer would be followed. */
static void test_check_damage_is_refused_with_a_reason(void **state)
{
	u64 page[512];
	char reason[256];
	pa_t root;

	page_new(page);
	page[0] ^= 1;
	assert_int_equal(handover_fdt_check(page, 4096, 0x1000, &root, reason), -EINVAL);
	assert_string_equal(reason, "handover FDT (0x1000) is invalid: FDT_ERR_BADMAGIC");
	page[0] ^= 1;
	for (size_t bytes = 0; bytes < 152; bytes++)
		assert_int_equal(handover_fdt_check(page, bytes, 0x1000, &root, reason), -EINVAL);
	assert_int_equal(handover_fdt_check(page, 152, 0x1000, &root, reason), 0);
	((char *)page)[64 + 20 + 5] = '3';      /* kho-v3 */
	assert_int_equal(handover_fdt_check(page, 4096, 0x1000, &root, reason), -EINVAL);
	assert_string_equal(reason, "handover FDT (0x1000) is incompatible with 'kho-v4'");
	assert_int_equal(handover_fdt_create(page, 0), 0);
	assert_int_equal(handover_fdt_check(page, 4096, 0x1000, &root, reason), -EINVAL);
	assert_string_equal(reason, "handover FDT (0x1000): 'preserved-memory-map' is 0");
}

/* Any single flipped bit: refused or harmless, never a crash. */
static void test_check_every_bit_flip_survives(void **state)
{
	u64 page[512], size;
	char reason[256];
	pa_t root, pa;

	page_new(page);
	assert_int_equal(handover_fdt_add(page, "LUO", 0xb000, 32), 0);
	for (unsigned bit = 0; bit < be32(page, 4) * 8; bit++) {
		u64 copy[512];

		memcpy(copy, page, sizeof(copy));
		copy[bit / 64] ^= 1ull << bit % 64;
		if (handover_fdt_check(copy, 4096, 0x1000, &root, reason))
			continue;
		handover_fdt_find(copy, "LUO", &pa, &size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_two_subtrees_golden_bytes),
		cmocka_unit_test(test_add_same_name_is_eexist_and_changes_nothing),
		cmocka_unit_test(test_add_seventy_subtrees_then_enomem),
		cmocka_unit_test(test_remove_takes_the_newest_of_that_address),
		cmocka_unit_test(test_check_own_tree_yields_the_root),
		cmocka_unit_test(test_check_damage_is_refused_with_a_reason),
		cmocka_unit_test(test_check_every_bit_flip_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
