/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * From an ioctl's number and size to its handler: the order in which Linux notices what is wrong.
 */
#include "tests/lib/iommufd/iommufd_test.h"

/* A program that probes for a command would get the wrong answer from a bad pointer. */
static void test_ioctl_unknown_number_pointer_decides(void **state)
{
	struct fixture *f = *state;
	uint32_t size = 64;
	int fd = t_open(f);
	void *bad = (void *)8;

	/* Outside the table the pointer is not touched. */
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3b7f, bad), -25);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3b00, bad), -25);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3bff, bad), -25);
	/* Within the table the size is read first: wrong type byte, direction bits. */
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3c81, bad), -14);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3c81, &size), -25);
	assert_int_equal(ifs_ioctl(f->process, fd, 0xc00c3b81, bad), -14);
	assert_int_equal(ifs_ioctl(f->process, fd, 0xc00c3b81, &size), -25);
	assert_int_equal(ifs_ioctl(f->process, fd, 0x3b81, bad), -14);
}

/* A program built against newer headers must be told apart from one that passes garbage. */
static void test_ioctl_size_checked_before_content(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	struct {
		struct iommu_ioas_alloc cmd;
		uint8_t tail[16];
	} big = { .cmd = { .size = 11, .flags = 1 } };

	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOC, &big), -22);
	big.cmd.size = sizeof(big);
	big.tail[15] = 1;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOC, &big), -7);
	big.tail[15] = 0;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOC, &big), -95);
	big.cmd.flags = 0;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOC, &big), 0);
	assert_int_equal(big.cmd.out_ioas_id, 1);
	assert_int_equal(big.cmd.size, sizeof(big));
}

/* Old binaries with smaller structures would have memory behind them overwritten. */
static void test_ioctl_short_struct_gets_own_bytes_only(void **state)
{
	static const struct { unsigned long cmd; uint32_t min, size; } rows[] = {
		{ 0x3b80, 8, 8 }, { 0x3b81, 12, 12 }, { 0x3b82, 24, 24 }, { 0x3b83, 40, 40 },
		{ 0x3b84, 32, 32 }, { 0x3b85, 40, 40 }, { 0x3b86, 24, 24 }, { 0x3b87, 24, 24 },
		{ 0x3b88, 12, 12 }, { 0x3b89, 24, 48 }, { 0x3b8a, 32, 40 }, { 0x3b8b, 16, 16 },
		{ 0x3b8c, 48, 48 }, { 0x3b8d, 32, 32 }, { 0x3b8e, 16, 16 }, { 0x3b8f, 40, 40 },
		{ 0x3b90, 24, 40 }, { 0x3b91, 24, 24 }, { 0x3b92, 8, 8 }, { 0x3b93, 28, 32 },
		{ 0x3b94, 40, 40 },
	};
	struct fixture *f = *state;
	int fd = t_open(f);

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t buffer[32];

		memset(buffer, 0xff, sizeof(buffer));
		buffer[0] = rows[i].min - 1;
		assert_int_equal(ifs_ioctl(f->process, fd, rows[i].cmd, buffer), -22);
		/* One byte more than the kernel knows, and it is not zero. */
		buffer[0] = rows[i].size + 1;
		assert_int_equal(ifs_ioctl(f->process, fd, rows[i].cmd, buffer), -7);
	}
}

/* An id must not be burnt by a call that could not say which it was. */
static void test_ioas_alloc_answer_unwritable_frees_id(void **state)
{
	struct fixture *f = *state;
	uint8_t *page = t_buffer(4096);
	struct iommu_ioas_alloc *cmd = (void *)page;
	int fd = t_open(f);

	cmd->size = 12;
	assert_int_equal(mprotect(page, 4096, PROT_READ), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOC, cmd), -14);
	assert_int_equal(t_ioas_alloc(f, fd), 1);
	munmap(page, 4096);
}

/* Programs keep ids in tables and rely on the lowest free one. */
static void test_ioas_alloc_ids_lowest_free(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), other = t_open(f);

	assert_int_equal(t_ioas_alloc(f, fd), 1);
	assert_int_equal(t_ioas_alloc(f, fd), 2);
	assert_int_equal(t_ioas_alloc(f, fd), 3);
	assert_int_equal(t_destroy(f, fd, 2), 0);
	assert_int_equal(t_ioas_alloc(f, fd), 2);
	assert_int_equal(t_ioas_alloc(f, fd), 4);
	assert_int_equal(t_ioas_alloc(f, other), 1);
	assert_int_equal(t_destroy(f, fd, 0), -2);
	assert_int_equal(t_destroy(f, fd, 5), -2);
	assert_int_equal(t_destroy(f, other, 2), -2);
}

/* A context lives as long as any descriptor of its open file. */
static void test_context_shared_by_dup_and_fork(void **state)
{
	struct fixture *f = *state;
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	struct ifs_process *child;
	int fd = t_open(f), copy;

	assert_int_equal(t_ioas_alloc(f, fd), 1);
	copy = ifs_dup(f->process, fd);
	assert_int_equal(ifs_close(f->process, fd), 0);
	assert_int_equal(t_ioas_alloc(f, copy), 2);
	child = ifs_fork(f->process);
	assert_non_null(child);
	assert_int_equal(ifs_ioctl(child, copy, IOMMU_IOAS_ALLOC, &cmd), 0);
	assert_int_equal(cmd.out_ioas_id, 3);
	ifs_exit(child);
	assert_int_equal(t_ioas_alloc(f, copy), 4);
}

/* What the hardware cannot do must fail as it does on such hardware. */
static void test_ioctl_without_driver_support(void **state)
{
	struct fixture *f = *state;
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu), .type = 1, .dev_id = 9 };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice), .viommu_id = 1 };
	struct iommu_veventq_alloc veventq = { .size = sizeof(veventq), .type = 1 };
	struct iommu_hw_queue_alloc queue = { .size = sizeof(queue), .type = 1 };
	struct iommu_hwpt_invalidate inv = { .size = sizeof(inv), .hwpt_id = 9, .entry_num = 1 };
	int fd = t_open(f);

	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VIOMMU_ALLOC, &viommu), -2);
	viommu.type = 0;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VIOMMU_ALLOC, &viommu), -95);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VDEVICE_ALLOC, &vdevice), -2);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VEVENTQ_ALLOC, &veventq), -22);
	veventq.veventq_depth = 524288;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VEVENTQ_ALLOC, &veventq), -2);
	veventq.veventq_depth = 524289;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VEVENTQ_ALLOC, &veventq), -22);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HW_QUEUE_ALLOC, &queue), -22);
	queue.length = 2;
	queue.nesting_parent_iova = MAX64;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HW_QUEUE_ALLOC, &queue), -75);
	/* The number of entries handled comes back on every outcome. */
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_INVALIDATE, &inv), -22);
	assert_int_equal(inv.entry_num, 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_INVALIDATE, &inv), -2);
}

/* Everything on an open iommufd that is not an ioctl. */
static void test_file_other_calls(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f);
	char byte = 0;

	assert_int_equal(ifs_read(f->process, fd, &byte, 1), -22);
	assert_int_equal(ifs_write(f->process, fd, &byte, 1), -22);
	assert_int_equal(ifs_lseek(f->process, fd, 0, 0), -29);
	assert_int_equal(ifs_poll(f->process, fd, 0x5), 0x5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ioctl_unknown_number_pointer_decides),
		T(test_ioctl_size_checked_before_content),
		T(test_ioctl_short_struct_gets_own_bytes_only),
		T(test_ioas_alloc_answer_unwritable_frees_id),
		T(test_ioas_alloc_ids_lowest_free),
		T(test_context_shared_by_dup_and_fork),
		T(test_ioctl_without_driver_support),
		T(test_file_other_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
