/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Mock devices, dma-bufs and the questions about tables of IOMMU_TEST_CMD. */
#include "tests/lib/iommufd/selftest_test.h"

static int s_reserve(struct fixture *f, int fd, uint32_t ioas, uint64_t start, uint64_t length)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_ADD_RESERVED, .id = ioas,
				      .add_reserved = { .start = start, .length = length } };

	return s_cmd(f, fd, &cmd);
}

/* Programs count on the ids: the device object, the device, the HWPT made for it. */
static void test_mock_domain_ids(void **state)
{
	struct fixture *f = *state;
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, .id = 1,
				      .mock_domain_flags.dev_flags = 2 };
	uint32_t hwpt = 0, idev = 0;
	int fd = t_open(f);

	assert_int_equal(t_ioas_alloc(f, fd), 1);
	assert_int_equal(s_cmd(f, fd, &cmd), -22);
	assert_int_equal(s_mock(f, fd, 9, NULL, NULL), -2);
	assert_int_equal(s_mock(f, fd, 1, &hwpt, &idev), 2);
	assert_int_equal(idev, 3);
	assert_int_equal(hwpt, 4);
	assert_int_equal(s_mock(f, fd, 1, &hwpt, &idev), 5);
	assert_int_equal(idev, 6);
	assert_int_equal(hwpt, 4);
	assert_int_equal(s_mock(f, fd, 2, NULL, NULL), -22);
	assert_int_equal(t_destroy(f, fd, 1), -16);
	assert_int_equal(t_destroy(f, fd, 3), -16);
	assert_int_equal(t_destroy(f, fd, 4), -16);
	assert_int_equal(t_destroy(f, fd, 2), 0);
	assert_int_equal(t_destroy(f, fd, 3), -2);
	assert_int_equal(t_destroy(f, fd, 5), 0);
	assert_int_equal(t_destroy(f, fd, 4), -2);
	assert_int_equal(t_destroy(f, fd, 1), 0);
}

/* The answer that cannot be written must not leave a device behind. */
static void test_mock_domain_answer_unwritable_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct iommu_test_cmd *cmd = (void *)t_buffer(0x1000);
	int fd = t_open(f);

	assert_int_equal(t_ioas_alloc(f, fd), 1);
	*cmd = (struct iommu_test_cmd){ .size = sizeof(*cmd), .op = IOMMU_TEST_OP_MOCK_DOMAIN,
					.id = 1 };
	assert_int_equal(mprotect(cmd, 0x1000, PROT_READ), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_TEST_CMD, cmd), -14);
	assert_int_equal(s_mock(f, fd, 1, NULL, NULL), 2);
	munmap(cmd, 0x1000);
}

/* A test that asks for a mapping must not be told yes for another one. */
static void test_check_map_and_refs(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x4000);
	uintptr_t va = (uintptr_t)buffer;
	uint32_t ioas, hwpt = 0;
	int fd = t_open(f);

	ioas = t_ioas_alloc(f, fd);
	assert_true(s_mock(f, fd, ioas, &hwpt, NULL) > 0);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD | WR, va + 0x800, 0x1800, 0x1000000),
			 0x1000000);
	assert_int_equal(t_map(f, fd, ioas, RD, va, 0x1000, 0), 0x1002000);
	assert_int_equal(s_check_map(f, fd, ioas, 0x1000000, 0x800, buffer), -2);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0x1800, buffer + 0x800), 0);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0x800, buffer), -22);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0x2000, buffer + 0x800), -22);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0x400, buffer + 0x800), -22);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0, buffer + 0x800), 0);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0x800, NULL), -14);
	assert_int_equal(s_check_refs(f, fd, buffer, 0x1000, 2), 0);
	assert_int_equal(s_check_refs(f, fd, buffer + 0x1000, 0x1000, 1), 0);
	assert_int_equal(s_check_refs(f, fd, buffer + 0x2000, 0x2000, 0), 0);
	assert_int_equal(s_check_refs(f, fd, buffer, 0x2000, 2), -5);
	assert_int_equal(s_check_refs(f, fd, buffer + 1, 0x1000, 2), -22);
	assert_int_equal(s_check_refs(f, fd, NULL, 0x1000, 0), -14);
	assert_int_equal(s_reserve(f, fd, ioas, 0x1000, 0), -22);
	assert_int_equal(s_reserve(f, fd, ioas, MAX64, 2), -75);
	assert_int_equal(s_reserve(f, fd, 9, 0x1000, 1), -2);
	assert_int_equal(s_reserve(f, fd, ioas, 0x1000fff, 1), -98);
	assert_int_equal(s_reserve(f, fd, ioas, 0x2000000, 0x1000), 0);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD, va, 0x1000, 0x2000000), -22);
	munmap(buffer, 0x4000);
}

static int s_dmabuf_get(struct fixture *f, int fd, uint32_t length)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_DMABUF_GET,
				      .dmabuf_get = { .length = length,
						      .open_flags = O_RDWR | O_CLOEXEC } };

	return s_cmd(f, fd, &cmd);
}

static int s_dmabuf_revoke(struct fixture *f, int fd, int dmabuf, uint32_t revoked)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_DMABUF_REVOKE,
				      .dmabuf_revoke = { .dmabuf_fd = dmabuf,
							 .revoked = revoked } };

	return s_cmd(f, fd, &cmd);
}

/* A device would go on reading memory that its owner has given to somebody else. */
static void test_dmabuf_revoked_leaves_every_table(void **state)
{
	struct fixture *f = *state;
	uint8_t page[16];
	uint32_t ioas, copy, hwpt = 0;
	int fd = t_open(f), dmabuf = fd + 1, access;

	ioas = t_ioas_alloc(f, fd);
	copy = t_ioas_alloc(f, fd);
	access = 0;
	assert_true(s_mock(f, fd, ioas, &hwpt, NULL) > 0);
	assert_true(s_mock(f, fd, copy, NULL, NULL) > 0);
	assert_int_equal(s_dmabuf_get(f, fd, 0), -22);
	assert_int_equal(s_dmabuf_get(f, fd, 0x200001), -22);
	/* The bug of 7.3: 0 instead of the descriptor, which is the lowest free one. */
	assert_int_equal(s_dmabuf_get(f, fd, 0x3000), 0);
	assert_int_equal(s_dmabuf_revoke(f, fd, 99, 1), -9);
	assert_int_equal(s_dmabuf_revoke(f, fd, fd, 1), -22);
	assert_int_equal(t_map_file(f, fd, ioas, RD | WR, dmabuf, 0, 0, 0), -22);
	assert_int_equal(t_map_file(f, fd, ioas, RD | WR, dmabuf, 0x1000, 0x2001, 0), -22);
	assert_int_equal(t_map_file(f, fd, ioas, FIXED | RD, dmabuf, 0x1000, 0x2000, 0x1000000),
			 0x1000000);
	assert_int_equal(t_copy(f, fd, copy, ioas, FIXED | RD, 0x1000, 0x1000000, 0x1001000),
			 0x1000000);
	assert_int_equal(t_vm_pin(f), 0);
	access = s_access(f, fd, ioas, 1);
	assert_int_equal(s_rw(f, fd, access, 0x1000000, 16, page, 0), -22);
	assert_int_equal(s_rw(f, fd, access, 0x1000000, 16, page, 1), -1);
	assert_int_equal(s_pin(f, fd, access, 0x1000000, 0x1000, NULL, 0), -22);
	fixture_check(f);
	assert_int_equal(s_dmabuf_revoke(f, fd, dmabuf, 1), 0);
	fixture_check(f);
	assert_int_equal(t_map_file(f, fd, ioas, RD, dmabuf, 0, 0x1000, 0), -19);
	assert_int_equal(t_copy(f, fd, copy, ioas, FIXED | RD, 0x2000, 0x1002000, 0x1000000),
			 0x1002000);
	/* A domain that comes later passes over it. */
	assert_int_equal(s_dmabuf_revoke(f, fd, dmabuf, 0), 0);
	assert_true(t_hwpt_alloc(f, fd, 0, 4, ioas) > 0);
	fixture_check(f);
	assert_true(t_map_file(f, fd, ioas, RD, dmabuf, 0, 0x1000, 0) > 0);
	assert_int_equal(ifs_close(f->process, dmabuf), 0);
	assert_int_equal(t_unmap(f, fd, ioas, 0, MAX64), 0x3000);
	assert_int_equal(t_unmap(f, fd, copy, 0, MAX64), 0x3000);
}

/* Without bugs the descriptor is the answer, as the kernel's own test expects. */
static void test_dmabuf_get_fixed_answers_descriptor(void **state)
{
	struct fixture *f = *state;
	int fd;

	f->kernel_config.exact = IFS_OFF;
	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	fixture_boot(f);
	fd = t_open(f);
	assert_int_equal(s_dmabuf_get(f, fd, 1), fd + 1);
	assert_int_equal(ifs_lseek(f->process, fd + 1, 0, SEEK_END), 0x1000);
}

static int64_t s_dirty(struct fixture *f, int fd, uint32_t hwpt, uint64_t iova, uint64_t length,
		       uint64_t page_size, const void *bits)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_DIRTY, .id = hwpt,
				      .dirty = { .iova = iova, .length = length,
						 .page_size = page_size,
						 .uptr = (uintptr_t)bits } };
	int rc = s_cmd(f, fd, &cmd);

	return rc ? rc : (int64_t)cmd.dirty.out_nr_dirty;
}

/* Migration would leave a page behind: what a device wrote must be in the bitmap. */
static void test_dirty_errors_and_count(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_set_dirty_tracking on = { .size = sizeof(on), .flags = 1 };
	uint8_t *buffer = t_buffer(0x2000), bits[] = { 0x05, 0x80 };
	uint32_t ioas, idev = 0, hwpt, auto_hwpt;
	int fd = t_open(f);

	ioas = t_ioas_alloc(f, fd);
	assert_true(s_mock(f, fd, ioas, &auto_hwpt, &idev) > 0);
	hwpt = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, idev, ioas);
	assert_int_equal(t_map(f, fd, ioas, FIXED | RD | WR, (uintptr_t)buffer, 0x2000, 0x1000000),
			 0x1000000);
	assert_int_equal(s_dirty(f, fd, 99, 0, 0x1000, 0, bits), -22);
	assert_int_equal(s_dirty(f, fd, 99, 0, 0, 0x800, bits), -22);
	assert_int_equal(s_dirty(f, fd, 99, 1, 0x800, 0x800, bits), -22);
	assert_int_equal(s_dirty(f, fd, 99, 0, 0x800, 0x800, NULL), -22);
	assert_int_equal(s_dirty(f, fd, 99, 0, (1ull << 27) + 1, 1, bits), -75);
	assert_int_equal(s_dirty(f, fd, 99, 0, 0x800, 0x800, bits), -2);
	assert_int_equal(s_dirty(f, fd, hwpt, 0x1000000, 0x8000, 0x800, bits), -22);
	on.hwpt_id = hwpt;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &on), 0);
	assert_int_equal(s_dirty(f, fd, hwpt, 0x1000000, 0x8000, 0x800, (void *)8), -14);
	/* The third one is not mapped and counts all the same. */
	assert_int_equal(s_dirty(f, fd, hwpt, 0x1000000, 0x8000, 0x800, bits), 3);
	munmap(buffer, 0x2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(test_mock_domain_ids),
		S(test_mock_domain_answer_unwritable_leaves_nothing),
		S(test_check_map_and_refs),
		S(test_dmabuf_revoked_leaves_every_table),
		S(test_dmabuf_get_fixed_answers_descriptor),
		S(test_dirty_errors_and_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
