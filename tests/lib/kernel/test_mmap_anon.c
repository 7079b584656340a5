/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Anonymous memory that is a file of the kernel's: shared, or of huge pages. If these failed, a
 * VMM's guest memory would not be the memory that its processes share, or not be in large pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <linux/mman.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/harness/fixture.h"

#define SHARED (MAP_SHARED | MAP_ANONYMOUS)
#define HUGE (SHARED | MAP_HUGETLB)
#define RW (PROT_READ | PROT_WRITE)
#define MIB2 (2u << 20)

/* Four huge pages, the selftest interface, an IOAS with a mock device. */
static int set_up(void **state)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_test_cmd mock = { .size = sizeof(mock), .op = IOMMU_TEST_OP_MOCK_DOMAIN,
				       .id = 1 };
	struct fixture *f;

	if (fixture_set_up(state))
		return -1;
	f = *state;
	ifs_kernel_shutdown(f->kernel);
	f->kernel_config.huge_pages = 4;
	f->kernel_config.iommufd_test = IFS_ON;
	f->kernel_config.memfd_folio_order = 9;
	fixture_boot(f);
	return ifs_open(f->process, "/dev/iommu", O_RDWR) ||
	       ifs_ioctl(f->process, 0, IOMMU_IOAS_ALLOC, &ioas) ||
	       ifs_ioctl(f->process, 0, _IO(';', 0xa0), &mock);
}

static int map(struct fixture *f, size_t length, int flags, void **at)
{
	return ifs_mmap(f->process, length, RW, flags, -1, 0, at);
}

static int ioas_map(struct fixture *f, void *at, uint64_t length, uint64_t iova)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd), .ioas_id = 1, .user_va = (uintptr_t)at, .length = length,
		.iova = iova, .flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
	};

	return ifs_ioctl(f->process, 0, IOMMU_IOAS_MAP, &cmd);
}

static int check_refs(struct fixture *f, void *at, uint64_t length, uint32_t refs)
{
	struct iommu_test_cmd cmd = { .size = sizeof(cmd), .op = IOMMU_TEST_OP_MD_CHECK_REFS };

	cmd.check_refs.uptr = (uintptr_t)at;
	cmd.check_refs.length = length;
	cmd.check_refs.refs = refs;
	return ifs_ioctl(f->process, 0, _IO(';', 0xa0), &cmd);
}

/* Memory would not read as zero, or two mappings would be one. */
static void test_shared_is_zeroed_memory(void **state)
{
	struct fixture *f = *state;
	void *a, *b, *again;

	assert_int_equal(map(f, 4097, SHARED, &a), 0);
	assert_int_equal(map(f, 4096, SHARED | MAP_NORESERVE | MAP_POPULATE, &b), 0);
	for (int i = 0; i < 8192; i++)
		assert_int_equal(((char *)a)[i], 0);
	memset(a, 1, 8192);
	assert_int_equal(*(char *)b, 0);
	again = a;
	assert_int_equal(map(f, 4096, SHARED | MAP_FIXED_NOREPLACE, &again), -EEXIST);
	assert_int_equal(ifs_munmap(f->process, a, 8192), 0);
	assert_int_equal(map(f, 4096, SHARED | MAP_FIXED_NOREPLACE, &again), 0);
	assert_ptr_equal(again, a);
	assert_int_equal(*(char *)again, 0);    /* dirty frames are cleared */
}

/* A program would see another error than on Linux. */
static void test_errors(void **state)
{
	struct fixture *f = *state;
	void *at = NULL;

	assert_int_equal(map(f, 0, SHARED, &at), -EINVAL);
	assert_int_equal(map(f, 0, HUGE, &at), -EINVAL);
	assert_int_equal(map(f, SIZE_MAX, SHARED, &at), -ENOMEM);
	assert_int_equal(map(f, 1ull << 46, SHARED, &at), -ENOMEM);
	assert_int_equal(map(f, 4096, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, &at), -EINVAL);
	assert_int_equal(map(f, 4096, MAP_ANONYMOUS, &at), -EINVAL);
	assert_int_equal(ifs_mmap(f->process, 4096, RW, SHARED, -1, 1, &at), -EINVAL);
	/* What is the program's own. */
	assert_int_equal(map(f, 4096, MAP_PRIVATE | MAP_ANONYMOUS, &at), -EOPNOTSUPP);
	assert_int_equal(map(f, 4096, SHARED | MAP_FIXED, &at), -EOPNOTSUPP);
	assert_null(at);
}

/* Frames would go back to the allocator, and to somebody else, while a device can reach them. */
static void test_shared_stays_while_pinned(void **state)
{
	struct fixture *f = *state;
	void *at, *other;

	assert_int_equal(map(f, 8192, SHARED, &at), 0);
	assert_int_equal(check_refs(f, at, 8192, 0), 0);
	assert_int_equal(ioas_map(f, at, 8192, 0x1000000), 0);
	assert_int_equal(ioas_map(f, at, 4096, 0x2000000), 0);
	assert_int_equal(check_refs(f, at, 4096, 2), 0);
	assert_int_equal(check_refs(f, (char *)at + 4096, 4096, 1), 0);
	assert_int_equal(check_refs(f, at, 8192, 2), -EIO);
	assert_int_equal(ifs_munmap(f->process, at, 8192), 0);
	other = at;
	assert_int_equal(map(f, 8192, SHARED | MAP_FIXED_NOREPLACE, &other), 0);
	assert_int_equal(check_refs(f, other, 8192, 0), 0);
}

/* Each process would have memory of its own, or a device would reach that of one that is gone. */
static void test_shared_is_one_memory_in_all_processes(void **state)
{
	struct fixture *f = *state;
	struct ifs_process *child;
	void *at;

	assert_int_equal(map(f, 4096, SHARED, &at), 0);
	child = ifs_fork(f->process);
	assert_int_equal(ioas_map(&(struct fixture){ .process = child }, at, 4096, 0x1000000), 0);
	assert_int_equal(check_refs(f, at, 4096, 1), 0);
	ifs_exit(child);
	assert_int_equal(check_refs(f, at, 4096, 1), 0);
}

/* The pool would hand out more than it has, or never get its pages back. */
static void test_huge_pages_come_from_the_pool(void **state)
{
	struct fixture *f = *state;
	void *a, *b, *c = NULL;

	assert_int_equal(map(f, MIB2 + 1, HUGE, &a), 0);
	assert_int_equal((uintptr_t)a % MIB2, 0);
	memset(a, 1, 2 * MIB2);
	assert_int_equal(map(f, 3 * MIB2, HUGE, &c), -ENOMEM);
	assert_int_equal(map(f, 2 * MIB2, HUGE | MAP_HUGE_2MB, &b), 0);
	assert_int_equal(map(f, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, &c), -ENOMEM);
	assert_int_equal(ifs_munmap(f->process, b, 2 * MIB2), 0);
	assert_int_equal(map(f, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, &c), 0);
	assert_int_equal(map(f, MIB2, HUGE | MAP_HUGE_1GB, &b), -EINVAL);
}

/* Huge pages could be cut in two, or begin in the middle of one. */
static void test_huge_pages_stay_whole(void **state)
{
	struct fixture *f = *state;
	void *at, *there;

	assert_int_equal(map(f, 3 * MIB2, HUGE, &at), 0);
	assert_int_equal(ifs_munmap(f->process, at, 4096), -EINVAL);
	assert_int_equal(ifs_munmap(f->process, (char *)at + MIB2 - 4096, 8192), -EINVAL);
	assert_int_equal(ifs_mprotect(f->process, at, 4096, PROT_READ), -EINVAL);
	assert_int_equal(ifs_munmap(f->process, (char *)at + MIB2, MIB2), 0);
	memset(at, 1, MIB2);
	memset((char *)at + 2 * MIB2, 1, MIB2);
	there = (char *)at + MIB2 + 4096;
	assert_int_equal(map(f, MIB2, HUGE | MAP_FIXED_NOREPLACE, &there), -EINVAL);
	there = (char *)at + MIB2;
	assert_int_equal(map(f, MIB2, HUGE | MAP_FIXED_NOREPLACE, &there), 0);
}

/* The selftest programs would fail on huge pages: Linux does not count parts of a large folio. */
static void test_check_refs_skips_large_folios(void **state)
{
	struct fixture *f = *state;
	char *huge, *file;
	int fd;

	assert_int_equal(map(f, MIB2, HUGE, (void **)&huge), 0);
	assert_int_equal(ioas_map(f, huge, MIB2, 0x1000000), 0);
	assert_int_equal(check_refs(f, huge, MIB2, 0), 0);
	assert_int_equal(check_refs(f, huge + 4096, 4096, 17), 0);
	fd = ifs_memfd_create(f->process, "m", 0);
	assert_int_equal(ifs_ftruncate(f->process, fd, MIB2 + 4096), 0);
	assert_int_equal(ifs_mmap(f->process, MIB2 + 4096, RW, MAP_SHARED, fd, 0, (void **)&file),
			 0);
	assert_int_equal(check_refs(f, file, MIB2, 5), 0);
	assert_int_equal(check_refs(f, file + MIB2, 4096, 5), -EIO);    /* a page by itself */
	assert_int_equal(check_refs(f, file + MIB2, 4096, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
		T(test_shared_is_zeroed_memory),
		T(test_errors),
		T(test_shared_stays_while_pinned),
		T(test_shared_is_one_memory_in_all_processes),
		T(test_huge_pages_come_from_the_pool),
		T(test_huge_pages_stay_whole),
		T(test_check_refs_skips_large_folios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
