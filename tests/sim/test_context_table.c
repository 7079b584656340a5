/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a device would use another device's tables, or a broken entry would pass. */
#include "sim/context_table.h"

#include "tests/sim/sim_test.h"

static u8 lookup(struct sim_test *t, u64 rtaddr, u16 bdf, struct context_entry *out, bool *fpd)
{
	return context_table_lookup(machine_phys_mem(t->machine), rtaddr, bdf, out, fpd);
}

static void test_lookup_present_entry_is_found(void **state)
{
	struct sim_test *t = *state;
	struct context_entry out;
	bool fpd;

	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0);
	assert_int_equal(out.lo, 0x100001);
	assert_int_equal(out.hi, 0x502);
	assert_int_equal(context_domain_id(&out), 5);
	assert_false(context_is_passthrough(&out));
	assert_false(fpd);
}

static void test_lookup_index_is_bus_then_devfn(void **state)
{
	struct sim_test *t = *state;
	struct context_entry out;
	bool fpd;

	put64(t->machine, 0x10ff0, 0x12001);    /* bus 255 */
	put64(t->machine, 0x12ff0, 0x200009);   /* devfn 255, pass-through */
	put64(t->machine, 0x12ff8, 0xffff02);
	assert_int_equal(lookup(t, 0x10000, 0xffff, &out, &fpd), 0);
	assert_int_equal(context_domain_id(&out), 65535);
	assert_true(context_is_passthrough(&out));
	assert_int_equal(lookup(t, 0x10000, 0xfffe, &out, &fpd), 0x02);
	assert_int_equal(lookup(t, 0x10000, 0x0200, &out, &fpd), 0x01);
}

static void test_lookup_bad_pointers_fault(void **state)
{
	struct sim_test *t = *state;
	struct context_entry out;
	bool fpd;

	assert_int_equal(lookup(t, 0x4000000, 0x0100, &out, &fpd), 0x08);
	assert_int_equal(lookup(t, 0x10400, 0x0100, &out, &fpd), 0x08);         /* scalable */
	put64(t->machine, 0x10010, 0x4000001);
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x09);
}

static void test_lookup_reserved_bits_fault(void **state)
{
	struct sim_test *t = *state;
	struct context_entry out;
	bool fpd;

	put64(t->machine, 0x10010, 0x11003);
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x0a);
	put64(t->machine, 0x10010, 0x11001);
	put64(t->machine, 0x10018, 1);
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x0a);
	put64(t->machine, 0x10018, 0);
	put64(t->machine, 0x11000, 0x100011);
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x0b);
	put64(t->machine, 0x11000, 0x100001);
	put64(t->machine, 0x11008, 0x1000502);
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x0b);
	put64(t->machine, 0x11008, 0x57a);      /* all available bits: fine */
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0);
}

static void test_lookup_unsupported_width_or_type_is_invalid(void **state)
{
	struct sim_test *t = *state;
	struct context_entry out;
	bool fpd;
	u64 aw;

	for (aw = 0; aw < 8; aw++) {
		put64(t->machine, 0x11008, 0x500 | aw);
		assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), aw == 2 ? 0 : 0x03);
	}
	put64(t->machine, 0x11008, 0x502);
	put64(t->machine, 0x11000, 0x100005);   /* device TLB */
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x03);
	put64(t->machine, 0x11000, 0x10000d);
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x03);
}

static void test_lookup_fpd_is_told_with_the_fault(void **state)
{
	struct sim_test *t = *state;
	struct context_entry out;
	bool fpd;

	put64(t->machine, 0x11000, 0x2);        /* not present, but quiet */
	assert_int_equal(lookup(t, 0x10000, 0x0100, &out, &fpd), 0x02);
	assert_true(fpd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_lookup_present_entry_is_found),
		sim_unit_test(test_lookup_index_is_bus_then_devfn),
		sim_unit_test(test_lookup_bad_pointers_fault),
		sim_unit_test(test_lookup_reserved_bits_fault),
		sim_unit_test(test_lookup_unsupported_width_or_type_is_invalid),
		sim_unit_test(test_lookup_fpd_is_told_with_the_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
