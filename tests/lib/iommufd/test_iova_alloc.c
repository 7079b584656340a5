/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Automatic placement, against what the real 7.3 kernel answered. */
#include "tests/lib/iommufd/iommufd_test.h"

/* Programs that record and compare IOVAs would see other addresses than on Linux. */
static void test_map_auto_worked_examples_same_iova_as_linux(void **state)
{
	static const struct { uint64_t addr, length, iova; } rows[] = {
		{ 0x80000000, 0x1000, 0x1000 },
		{ 0x80000000, 0x1000, 0x2000 },
		{ 0x80001000, 0x1000, 0x3000 },
		{ 0x80000000, 0x3000, 0x4000 },
		{ 0x80000000, 0x200000, 0x200000 },
		{ 0x80000000, 0x400000, 0x400000 },
		{ 0x80000800, 0x800, 0x7800 },
		{ 0x80000801, 0x1, 0x8801 },
		{ 0x80000000, 0x10000, 0x10000 },
		{ 0, 0x1000, 0x9000 },
		{ 0, 0x3000, 0xc000 },
		{ 0, 0x1, 0x7000 },
		{ 0x1000, 0x100000, 0x20000 },
		{ 0x80000fff, 0x2, 0xafff },
		{ 0x80000010, 0x10000, 0x120010 },
	};
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(t_map(f, fd, ioas, RD, rows[i].addr, rows[i].length, 0),
				 rows[i].iova);
}

/* The hint that skips what is full must never hide a hole. */
static void test_map_auto_after_unmap_takes_lowest_hole(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	for (uint64_t i = 1; i <= 64; i++)
		assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), i * 0x1000);
	assert_int_equal(t_unmap(f, fd, ioas, 0x9000, 0x1000), 0x1000);
	assert_int_equal(t_unmap(f, fd, ioas, 0x3000, 0x1000), 0x1000);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), 0x3000);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), 0x9000);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), 0x41000);
}

/* Limits of the automatic search. */
static void test_map_auto_limits(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_map(f, fd, ioas, RD, 0, 0x7fffffffffffffff, 0), -75);
	assert_int_equal(t_map(f, fd, ioas, RD, 0, 0x4000000000000000, 0), 0x200000);
	/* The rest is smaller than 2^63 - 2. */
	assert_int_equal(t_map(f, fd, ioas, RD, 0, 0x7ffffffffffffffe, 0), 0x4000000000200000);
	assert_int_equal(t_map(f, fd, ioas, RD, 0, 0x4000000000000000, 0), -28);
}

/* The allowed list steers automatic placement and nothing else. */
static void test_map_auto_allowed_spans(void **state)
{
	static const struct iommu_iova_range ranges[] = {
		{ 0x100000, 0x101fff }, { 0x10000, 0x10fff }, { 0x11000, 0x11fff },
	};
	static const struct iommu_iova_range low[] = { { 0, 0xfff } };
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_allow(f, fd, ioas, ranges, 3), 0);
	/* Two entries that touch are one span. */
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x2000, 0), 0x10000);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), 0x100000);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x2000, 0), -28);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), 0x101000);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), -28);
	/* A chosen IOVA may lie outside, and so may IOVA 0. */
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, 0x1000, 0x1000, 0), 0);
	/* The first page is never chosen, even if it is all that is allowed. */
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0x1000), 0x1000);
	assert_int_equal(t_allow(f, fd, ioas, low, 1), 0);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), -28);
	assert_int_equal(t_allow(f, fd, ioas, NULL, 0), 0);
	assert_int_equal(t_map(f, fd, ioas, RD, 0x1000, 0x1000, 0), 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_map_auto_worked_examples_same_iova_as_linux),
		T(test_map_auto_after_unmap_takes_lowest_hole),
		T(test_map_auto_limits),
		T(test_map_auto_allowed_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
