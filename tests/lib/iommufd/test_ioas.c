/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* IOAS ioctls without a domain: each row breaks one rule and nothing before it in Linux's order. */
#include "tests/lib/iommufd/iommufd_test.h"

struct map_row {
	uint32_t flags, ioas, reserved;
	uint64_t va, length, iova;
	int64_t result;
};

/* A VMM that tells errors apart would misread what went wrong. */
static void test_map_errors_in_linux_order(void **state)
{
	static const struct map_row rows[] = {
		{ 8, 9, 0, 0, MAX64, MAX64, -95 },
		{ 0, 9, 1, 0, MAX64, MAX64, -95 },
		{ 0, 9, 0, 0, 0, MAX64, -75 },
		{ 0, 9, 0, 0, MAX64, 0, -75 },
		{ FIXED, 9, 0, 0, 0, 0, -22 },
		{ RD, 9, 0, MAX64, 1, 0, -2 },
		{ RD, 1, 0, 0xfffffffffffff000, 0x1000, 0, -75 },
		{ RD, 1, 0, 0, 0, 0, -22 },
		{ RD, 1, 0, 0, 0xfffffffffffff000, 0, -22 },
		{ RD | FIXED, 1, 0, 0, 0xffffffffffffefff, 0x1002, -75 },
		{ RD, 1, 0, 0, 0x7fffffffffffffff, 0, -75 },
		{ RD | FIXED, 1, 0, 0x1000, 0x1000, 0x5000, 0x5000 },
		{ RD | FIXED, 1, 0, 0x1000, 1, 0x5fff, -17 },
		{ RD | FIXED, 1, 0, 0x1000, 1, 0x6000, 0x6000 },
		{ RD | FIXED, 1, 0, 0x1000, 2, 0x4fff, -17 },
		/* Without a domain nobody looks at the memory. */
		{ RD | WR | FIXED, 1, 0, 0xffff800000000000, 0x1000, 0x8000, 0x8000 },
		{ WR | FIXED, 1, 0, 0, 0x1000, 0, 0 },
	};
	struct fixture *f = *state;
	int fd = t_open(f);

	assert_int_equal(t_ioas_alloc(f, fd), 1);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct map_row *r = &rows[i];
		struct iommu_ioas_map cmd = { .size = sizeof(cmd), .flags = r->flags,
					      .ioas_id = r->ioas, .__reserved = r->reserved,
					      .user_va = r->va, .length = r->length,
					      .iova = r->iova };
		int rc = ifs_ioctl(f->process, fd, IOMMU_IOAS_MAP, &cmd);

		if ((rc ? rc : (int64_t)cmd.iova) != r->result)
			fail_msg("row %u: %d", i, rc);
	}
	assert_int_equal(t_vm_pin(f), 0);
}

/* The same for memory files. */
static void test_map_file_errors_in_linux_order(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), memfd = ifs_memfd_create(f->process, "m", 0);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_map_file(f, fd, 9, 8, -1, 0, MAX64, 0), -95);
	assert_int_equal(t_map_file(f, fd, 9, 0, -1, 0, MAX64, 0), -75);
	assert_int_equal(t_map_file(f, fd, 9, 0, -1, 0, 0, 0), -22);
	assert_int_equal(t_map_file(f, fd, 9, RD, -1, 0, 0, 0), -2);
	assert_int_equal(t_map_file(f, fd, ioas, RD, -1, 0, 0, 0), -22);
	assert_int_equal(t_map_file(f, fd, ioas, RD, -1, MAX64, 2, 0), -75);
	assert_int_equal(t_map_file(f, fd, ioas, RD, -1, 0, 1, 0), -9);
	assert_int_equal(t_map_file(f, fd, ioas, RD, 77, 0, 1, 0), -9);
	/*
	 * Any file will do as long as nothing is pinned: an empty one, the iommufd of another
	 * context.
	 */
	assert_int_equal(t_map_file(f, fd, ioas, RD | FIXED, memfd, 0, 0x1000, 0), 0);
	assert_int_equal(t_map_file(f, fd, ioas, RD | FIXED, t_open(f), 0, 0x1000, 0x1000), 0x1000);
	/* The offset in the file is what alignment comes from. */
	assert_int_equal(t_map_file(f, fd, ioas, RD, memfd, 0, 0x3000, 0), 0x4000);
	assert_int_equal(ifs_close(f->process, memfd), 0);
}

/* Unmapping is by whole areas, and what is gone before an error stays gone. */
static void test_unmap_partial_effects(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);
	struct iommu_ioas_unmap cmd = { .size = sizeof(cmd), .ioas_id = ioas, .iova = 0x1000,
					.length = 0x3800 };

	for (uint64_t iova = 0x1000; iova <= 0x4000; iova += 0x1000)
		assert_int_equal(t_map(f, fd, ioas, RD | FIXED, 0x1000, 0x1000, iova), iova);
	/* Areas 1 to 3 and half of 4: the first three go, the count does not come back. */
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_UNMAP, &cmd), -2);
	assert_int_equal(cmd.length, 0x3800);
	assert_int_equal(t_unmap(f, fd, ioas, 0x1000, 0x3000), -2);
	assert_int_equal(t_unmap(f, fd, ioas, 0x4000, 0x800), -2);
	assert_int_equal(t_unmap(f, fd, ioas, 0x3fff, 0x1001), 0x1000);
	assert_int_equal(t_unmap(f, fd, ioas, 0x4000, 0x1000), -2);
}

/* Only the literal pair means everything. */
static void test_unmap_errors_in_linux_order(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_unmap(f, fd, 9, MAX64, MAX64), -2);
	assert_int_equal(t_unmap(f, fd, ioas, 1, MAX64), -75);
	assert_int_equal(t_unmap(f, fd, ioas, MAX64, 1), -75);
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0), -22);
	assert_int_equal(t_unmap(f, fd, ioas, 0xfffffffffffff000, 0x1001), -75);
	assert_int_equal(t_unmap(f, fd, ioas, 0, MAX64 - 1), -2);
	assert_int_equal(t_unmap(f, fd, ioas, 0, MAX64), 0);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, 0x1000, 0x2000, 0x1000), 0x1000);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, 0x1000, 0x10, 0x7000), 0x7000);
	assert_int_equal(t_unmap(f, fd, ioas, 0, MAX64), 0x2010);
}

/* The mapping must be there even if the program could not be told where. */
static void test_map_answer_unwritable_stays_mapped(void **state)
{
	struct fixture *f = *state;
	uint8_t *page = t_buffer(4096);
	struct iommu_ioas_map *cmd = (void *)page;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	*cmd = (struct iommu_ioas_map){ .size = sizeof(*cmd), .flags = RD, .ioas_id = ioas,
					.user_va = 0x1000, .length = 0x1000 };
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_MAP, cmd), -14);
	assert_int_equal(t_unmap(f, fd, ioas, 0x1000, 0x1000), 0x1000);
	munmap(page, 4096);
}

static void test_iova_ranges_of_fresh_ioas(void **state)
{
	struct fixture *f = *state;
	struct iommu_iova_range range = { 1, 1 };
	struct iommu_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = 1 };
	uint64_t alignment;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_ranges(f, fd, ioas, &range, 1, &alignment), 1);
	assert_int_equal(range.start, 0);
	assert_true(range.last == MAX64);
	assert_int_equal(alignment, 1);
	/* Too little room: -EMSGSIZE, and how much it takes is written all the same. */
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_IOVA_RANGES, &cmd), -90);
	assert_int_equal(cmd.num_iovas, 1);
	assert_int_equal(cmd.out_iova_alignment, 1);
	/* An element that cannot be written: the structure stays as it was. */
	cmd = (struct iommu_ioas_iova_ranges){ .size = sizeof(cmd), .ioas_id = 1, .num_iovas = 5,
					       .allowed_iovas = 8 };
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_IOVA_RANGES, &cmd), -14);
	assert_int_equal(cmd.num_iovas, 5);
	cmd.__reserved = 1;
	cmd.ioas_id = 9;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_IOVA_RANGES, &cmd), -95);
	cmd.__reserved = 0;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_IOVA_RANGES, &cmd), -2);
}

static void test_allow_iovas_errors(void **state)
{
	static const struct iommu_iova_range one_byte[] = { { 5, 5 } };
	static const struct iommu_iova_range backwards[] = { { 6, 5 } };
	static const struct iommu_iova_range overlap[] = { { 0, 9 }, { 20, 30 }, { 9, 20 } };
	static const struct iommu_iova_range touch[] = { { 10, 19 }, { 0, 9 }, { 20, MAX64 } };
	static const struct iommu_iova_range inside[] = { { 0, 100 }, { 5, 10 } };
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_allow(f, fd, 9, NULL, 1), -2);
	assert_int_equal(t_allow(f, fd, ioas, NULL, 1), -14);
	assert_int_equal(t_allow(f, fd, ioas, one_byte, 1), -22);
	assert_int_equal(t_allow(f, fd, ioas, backwards, 1), -22);
	assert_int_equal(t_allow(f, fd, ioas, overlap, 3), -22);
	assert_int_equal(t_allow(f, fd, ioas, inside, 2), -22);
	assert_int_equal(t_allow(f, fd, ioas, touch, 3), 0);
	assert_int_equal(t_allow(f, fd, ioas, NULL, 0), 0);
}

/* Copies share the pages object; pieces become areas of their own. */
static void test_copy_without_domain(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t a = t_ioas_alloc(f, fd), b = t_ioas_alloc(f, fd);

	assert_int_equal(t_map(f, fd, a, RD | WR | FIXED, 0x100000, 0x2000, 0x10000), 0x10000);
	assert_int_equal(t_map(f, fd, a, RD | FIXED, 0x200000, 0x1000, 0x12000), 0x12000);
	assert_int_equal(t_copy(f, fd, 9, 9, 8, MAX64, 0, 0), -95);
	assert_int_equal(t_copy(f, fd, 9, 9, 0, MAX64, 0, 0), -75);
	assert_int_equal(t_copy(f, fd, 9, 9, 0, 1, MAX64, 0), -75);
	assert_int_equal(t_copy(f, fd, 9, 9, 0, 1, 0, MAX64), -75);
	assert_int_equal(t_copy(f, fd, 9, 9, 0, 1, 0, 0), -22);
	assert_int_equal(t_copy(f, fd, b, 9, RD, 0, 0, 0), -2);
	assert_int_equal(t_copy(f, fd, 9, a, RD, 0, 0, 0x10000), -22);
	assert_int_equal(t_copy(f, fd, 9, a, RD, 2, 0, MAX64 - 1), -2);
	assert_int_equal(t_copy(f, fd, 9, a, RD, 0x1001, 0, 0x12000), -2);
	assert_int_equal(t_copy(f, fd, 9, a, RD, 0x1000, 0, 0x10000), -2);
	/* A range over two areas, and one in the middle of an area. */
	assert_int_equal(t_copy(f, fd, b, a, RD | FIXED, 0x3000, 0x50000, 0x10000), 0x50000);
	assert_int_equal(t_copy(f, fd, b, a, RD | WR | FIXED, 0x20, 0x60000, 0x10010), 0x60000);
	assert_int_equal(t_copy(f, fd, b, a, RD | FIXED, 0x20, 0x60010, 0x10010), -17);
	/* Writing is decided by the MAP that made the pages, not by the source area. */
	assert_int_equal(t_copy(f, fd, b, b, RD | WR | FIXED, 0x2000, 0x70000, 0x50000), 0x70000);
	assert_int_equal(t_copy(f, fd, b, a, RD | WR | FIXED, 0x1000, 0x80000, 0x12000), -1);
	/* One of two pieces refuses: nothing stays. */
	assert_int_equal(t_copy(f, fd, b, a, RD | WR | FIXED, 0x3000, 0x80000, 0x10000), -1);
	assert_int_equal(t_unmap(f, fd, b, 0x80000, 0x3000), -2);
	/* The pieces can go one by one. */
	assert_int_equal(t_unmap(f, fd, b, 0x52000, 0x1000), 0x1000);
	assert_int_equal(t_unmap(f, fd, b, 0x50000, 0x1000), -2);
	assert_int_equal(t_unmap(f, fd, b, 0x50000, 0x2000), 0x2000);
	/* The copies outlive their source. */
	assert_int_equal(t_destroy(f, fd, a), 0);
	assert_int_equal(t_unmap(f, fd, b, 0, MAX64), 0x2020);
}

static void test_vfio_ioas_pointer(void **state)
{
	struct fixture *f = *state;
	struct iommu_vfio_ioas cmd = { .size = sizeof(cmd), .op = IOMMU_VFIO_IOAS_GET };
	int fd = t_open(f);

	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &cmd), -19);
	cmd.op = IOMMU_VFIO_IOAS_SET;
	cmd.ioas_id = 1;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &cmd), -2);
	assert_int_equal(t_ioas_alloc(f, fd), 1);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &cmd), 0);
	cmd.op = IOMMU_VFIO_IOAS_GET;
	cmd.ioas_id = 0;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &cmd), 0);
	assert_int_equal(cmd.ioas_id, 1);
	assert_int_equal(t_destroy(f, fd, 1), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &cmd), -19);
	cmd.op = 3;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &cmd), -95);
}

/* An iommufd may be mapped into another, or into itself, and must go when it is let go. */
static void test_map_file_of_iommufd_released_outside_locks(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), other = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_ioas_alloc(f, other), 1);
	assert_int_equal(t_map_file(f, fd, ioas, RD | FIXED, other, 0, 0x1000, 0), 0);
	assert_int_equal(ifs_close(f->process, other), 0);
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0x1000), 0x1000);
	assert_int_equal(t_map_file(f, fd, ioas, RD | FIXED, fd, 0, 0x1000, 0), 0);
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0x1000), 0x1000);
}

/* Linux leaks a context whose own area holds its file; a shutdown says so and survives it. */
static void test_map_file_of_itself_leaks_and_is_reported(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_map_file(f, fd, ioas, RD | FIXED, fd, 0, 0x1000, 0), 0);
	assert_int_equal(ifs_close(f->process, fd), 0);
	assert_true(ifs_kernel_shutdown(f->kernel) > 0);
	f->kernel = NULL;
	fixture_expect(f, IFS_RULE_LEAK, ifs_machine_count_reports(f->machine, IFS_RULE_LEAK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_map_errors_in_linux_order),
		T(test_map_file_errors_in_linux_order),
		T(test_unmap_partial_effects),
		T(test_unmap_errors_in_linux_order),
		T(test_map_answer_unwritable_stays_mapped),
		T(test_iova_ranges_of_fresh_ioas),
		T(test_allow_iovas_errors),
		T(test_copy_without_domain),
		T(test_vfio_ioas_pointer),
		T(test_map_file_of_iommufd_released_outside_locks),
		T(test_map_file_of_itself_leaks_and_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
