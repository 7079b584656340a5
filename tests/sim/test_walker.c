/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a device would reach memory that the page tables do not name. */
#include "sim/walker.h"

#include "tests/sim/sim_test.h"

#define TOP 0x100000

static u8 walk(struct sim_test *t, enum ifs_pt_format format, iova_t iova, bool write,
	       struct walk *out)
{
	return walker_walk(machine_phys_mem(t->machine), format, TOP, iova, write, true, out);
}

/* x86_64 tables at the same place: iova 0x1000 -> 0xabc000, P RW U A D. */
static void x86_tables_write(struct sim_test *t)
{
	put64(t->machine, 0x100000, 0x101027);
	put64(t->machine, 0x101000, 0x102027);
	put64(t->machine, 0x102000, 0x103027);
	put64(t->machine, 0x103008, 0xabc067);
}

static void test_walk_vtdss_4k_translates(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1abc, false, &out), 0);
	assert_int_equal(out.pa, 0xabcabc);
	assert_int_equal(out.level, 0);
	assert_int_equal(out.access, 3);        /* read, write, not dirty */
	assert_int_equal(out.path_pa[0], 0x100000);
	assert_int_equal(out.path_pa[3], 0x103008);
}

static void test_walk_vtdss_large_leaves_translate(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	put64(t->machine, 0x102008, 0x600083);          /* 2 MiB at 0x200000 */
	put64(t->machine, 0x101008, 0x80000083);        /* 1 GiB at 0x40000000 */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x212345, false, &out), 0);
	assert_int_equal(out.pa, 0x612345);
	assert_int_equal(out.level, 1);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x7fffffff, true, &out), 0);
	assert_int_equal(out.pa, 0xbfffffff);
	assert_int_equal(out.level, 2);
}

static void test_walk_vtdss_sets_accessed_and_dirty(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc103);
	assert_int_equal(get64(t->machine, 0x100000), 0x101103);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, true, &out), 0);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc303);
	assert_int_equal(get64(t->machine, 0x102000), 0x103103);        /* never dirty */
	assert_int_equal(out.access, 7);
}

static void test_walk_vtdss_fault_leaves_memory_alone(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	put64(t->machine, 0x103008, 0xabc001);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, true, &out), 0x05);
	assert_int_equal(get64(t->machine, 0x100000), 0x101003);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc001);
}

static void test_walk_vtdss_permissions_are_anded(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	put64(t->machine, 0x101000, 0x102001);  /* read only half way up */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0);
	assert_int_equal(out.access, 1);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, true, &out), 0x05);
	put64(t->machine, 0x101000, 0x102002);  /* write only */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0x06);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, true, &out), 0);
	put64(t->machine, 0x103008, 0xabc001);  /* nothing left of W over R */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, true, &out), 0x05);
}

static void test_walk_vtdss_not_present_faults_by_direction(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x2000, false, &out), 0x06);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x2000, true, &out), 0x05);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x8000000000, false, &out), 0x06);
}

static void test_walk_vtdss_width_is_48_bits(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	assert_int_equal(walk(t, IFS_PT_VTDSS, 0xffffffffffff, false, &out), 0x06);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000000000000, false, &out), 0x04);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0xffffffffffffffff, false, &out), 0x04);
}

static void test_walk_vtdss_reserved_bits_fault(void **state)
{
	static const u64 bad_table[] = { 0x101083, 0x101043, 0x10100b, 0x101803,
					 0x4000000000101003 };
	struct sim_test *t = *state;
	struct walk out;
	size_t i;

	for (i = 0; i < sizeof(bad_table) / sizeof(bad_table[0]); i++) {
		put64(t->machine, 0x100000, bad_table[i]);
		assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0x0c);
	}
	put64(t->machine, 0x100000, 0xb1f0000000101403);        /* all software bits: fine */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0);
	put64(t->machine, 0x103008, 0x4000000000abc003);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0x0c);
	put64(t->machine, 0x103008, 0xabc803);                  /* SNP in a leaf: fine */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0);
	put64(t->machine, 0x102008, 0x601083);                  /* a 2 MiB leaf off its size */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x200000, false, &out), 0x0c);
	put64(t->machine, 0x101008, 0x80200083);                /* a 1 GiB leaf off its size */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x40000000, false, &out), 0x0c);
}

static void test_walk_vtdss_table_outside_ram_faults(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	put64(t->machine, 0x102000, 0x4000003);         /* the first byte after 64 MiB */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0x07);
	put64(t->machine, 0x102000, 0x3fff003);         /* the last page: empty, but there */
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0x06);
	put64(t->machine, 0x102000, 0xffffffffff003);
	assert_int_equal(walk(t, IFS_PT_VTDSS, 0x1000, false, &out), 0x07);
}

static void test_walk_x86_translates_all_sizes(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	x86_tables_write(t);
	put64(t->machine, 0x102008, 0x6000e7);
	put64(t->machine, 0x101008, 0x800000e7);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1008, true, &out), 0);
	assert_int_equal(out.pa, 0xabc008);
	assert_int_equal(out.access, 7);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x3fffff, true, &out), 0);
	assert_int_equal(out.pa, 0x7fffff);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x40000010, true, &out), 0);
	assert_int_equal(out.pa, 0x80000010);
}

static void test_walk_x86_faults_in_order(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	x86_tables_write(t);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x2000, false, &out), 0x71);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x800000000000, false, &out), 0x80);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0xffff800000000000, false, &out), 0x71);
	put64(t->machine, 0x103008, 0xabc025);          /* read only */
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1000, false, &out), 0);
	assert_int_equal(out.access, 1);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1000, true, &out), 0x85);
	put64(t->machine, 0x103008, 0xabc063);          /* supervisor */
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1000, true, &out), 0x81);
	put64(t->machine, 0x100000, 0x1010a7);          /* PS at the top */
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1000, false, &out), 0x72);
	put64(t->machine, 0x100000, 0x4000027);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1000, false, &out), 0x70);
	put64(t->machine, 0x100000, 0x101027);
	put64(t->machine, 0x102008, 0x6020e7);          /* bit 13 of a 2 MiB leaf */
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x200000, false, &out), 0x72);
	assert_int_equal(walker_walk(machine_phys_mem(t->machine), IFS_PT_X86_64, 0x4000000, 0,
				     false, true, &out), 0x73);
}

static void test_walk_x86_sets_accessed_and_dirty(void **state)
{
	struct sim_test *t = *state;
	struct walk out;

	x86_tables_write(t);
	put64(t->machine, 0x102000, 0x103007);
	put64(t->machine, 0x103008, 0xabc007);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1000, false, &out), 0);
	assert_int_equal(get64(t->machine, 0x102000), 0x103027);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc027);
	assert_int_equal(walk(t, IFS_PT_X86_64, 0x1000, true, &out), 0);
	assert_int_equal(get64(t->machine, 0x103008), 0xabc067);
}

/* A walk through garbage may fault, but never leaves RAM: the sanitizers would see it. */
static void test_walk_random_tables_never_leave_ram(void **state)
{
	struct sim_test *t = *state;
	u64 random = 0x5eed, i, page;
	struct walk out;

	for (page = 0; page < 4; page++) {
		for (i = 0; i < 512; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			put64(t->machine, 0x100000 + page * 4096 + i * 8,
			      (random >> 4 & 0x103000) | (random >> 60 ? 0x100003 : random));
		}
	}
	for (i = 0; i < 20000; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		walk(t, i & 1, random >> 16, random & 1, &out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_walk_vtdss_4k_translates),
		sim_unit_test(test_walk_vtdss_large_leaves_translate),
		sim_unit_test(test_walk_vtdss_sets_accessed_and_dirty),
		sim_unit_test(test_walk_vtdss_fault_leaves_memory_alone),
		sim_unit_test(test_walk_vtdss_permissions_are_anded),
		sim_unit_test(test_walk_vtdss_not_present_faults_by_direction),
		sim_unit_test(test_walk_vtdss_width_is_48_bits),
		sim_unit_test(test_walk_vtdss_reserved_bits_fault),
		sim_unit_test(test_walk_vtdss_table_outside_ram_faults),
		sim_unit_test(test_walk_x86_translates_all_sizes),
		sim_unit_test(test_walk_x86_faults_in_order),
		sim_unit_test(test_walk_x86_sets_accessed_and_dirty),
		sim_unit_test(test_walk_random_tables_never_leave_ram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
