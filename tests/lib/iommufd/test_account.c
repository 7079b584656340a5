/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* IOMMU_OPTION, and who is charged for pins. */
#include "tests/lib/iommufd/iommufd_test.h"

#define RLIMIT_MODE IOMMU_OPTION_RLIMIT_MODE
#define HUGE IOMMU_OPTION_HUGE_PAGES
#define SET IOMMU_OPTION_OP_SET
#define GET IOMMU_OPTION_OP_GET

/* Fails the test if the fixture's process is not replaced by one without CAP_IPC_LOCK. */
static void without_ipc_lock(struct fixture *f, uint64_t limit_pages)
{
	struct ifs_process_config config = { .size = sizeof(config), .uid = 1000,
					     .drop_cap_ipc_lock = true,
					     .rlimit_memlock_bytes = limit_pages * 4096 };

	ifs_exit(f->process);
	f->process = ifs_process_new(f->kernel, &config);
	assert_non_null(f->process);
}

static void test_option_errors_in_linux_order(void **state)
{
	struct fixture *f = *state;
	struct iommu_option cmd = { .size = sizeof(cmd), .option_id = 9, .__reserved = 1 };
	struct ifs_process_config config = { .size = sizeof(config),
					    .drop_cap_sys_resource = true };
	int fd = t_open(f);

	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_OPTION, &cmd), -95);
	assert_int_equal(t_option(f, fd, 2, GET, 0, 0), -95);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, GET, 1, 0), -95);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, 2, 0, 0), -95);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, GET, 0, 7), 0);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, SET, 0, 2), -22);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, SET, 0, 1), 1);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, GET, 0, 7), 1);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, SET, 0, 0), 0);
	/* An object is there: that is found out before the value is looked at. */
	assert_int_equal(t_ioas_alloc(f, fd), 1);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, SET, 0, 5), -16);
	/* The object is looked up before the operation is. */
	assert_int_equal(t_option(f, fd, HUGE, 9, 7, 0), -2);
	assert_int_equal(t_option(f, fd, HUGE, 9, 1, 0), -95);
	assert_int_equal(t_option(f, fd, HUGE, SET, 1, 2), -22);
	assert_int_equal(t_option(f, fd, HUGE, GET, 1, 9), 1);
	ifs_exit(f->process);
	f->process = ifs_process_new(f->kernel, &config);
	fd = t_open(f);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, SET, 0, 5), -1);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, GET, 0, 5), 0);
}

static void test_huge_pages_option(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), vfio = t_open_vfio(f, 0);
	uint32_t ioas = t_ioas_alloc(f, fd), dev = t_bind(f, vfio, fd);
	uint8_t *buffer = t_buffer(0x2000);
	uint64_t alignment;

	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x800, 0), 0);
	assert_int_equal(t_option(f, fd, HUGE, SET, ioas, 0), -98);
	assert_int_equal(t_option(f, fd, HUGE, GET, ioas, 0), 1);
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0x800), 0x800);
	assert_int_equal(t_option(f, fd, HUGE, SET, ioas, 0), 0);
	assert_int_equal(t_option(f, fd, HUGE, SET, ioas, 0), 0);
	assert_int_equal(t_ranges(f, fd, ioas, NULL, 0, &alignment), -90);
	assert_int_equal(alignment, 0x1000);
	assert_int_equal(t_hwpt_alloc(f, fd, 0, dev, ioas), 3);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x2000, 0), 0);
	assert_int_equal(t_option(f, fd, HUGE, SET, ioas, 1), 1);
	assert_int_equal(t_option(f, fd, HUGE, SET, ioas, 0), -22);
	munmap(buffer, 0x2000);
}

/* Root pins without a limit; a user's pages count against RLIMIT_MEMLOCK when they are pinned. */
static void test_charge_user_limit_when_pinned(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x6000);
	uint32_t ioas, dev, hwpt;
	uint64_t pin, lck;
	int fd, vfio;

	without_ipc_lock(f, 4);
	fd = t_open(f);
	vfio = t_open_vfio(f, 0);
	ioas = t_ioas_alloc(f, fd);
	dev = t_bind(f, vfio, fd);
	assert_int_equal(t_map(f, fd, ioas, RD | WR | FIXED, (uintptr_t)buffer, 0x5000, 0), 0);
	assert_int_equal(t_hwpt_alloc(f, fd, 0, dev, ioas), -12);
	assert_int_equal(t_vm_pin(f), 0);
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0x5000), 0x5000);
	hwpt = t_hwpt_alloc(f, fd, 0, dev, ioas);
	assert_int_equal(hwpt, 3);
	assert_int_equal(t_map(f, fd, ioas, RD | WR | FIXED, (uintptr_t)buffer, 0x5000, 0), -12);
	assert_int_equal(t_map(f, fd, ioas, RD | WR | FIXED, (uintptr_t)buffer, 0x3000, 0), 0);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x2000, 0x10000), -12);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0x10000),
			 0x10000);
	/* A copy of what is pinned costs nothing. */
	assert_int_equal(t_copy(f, fd, ioas, ioas, RD | FIXED, 0x3000, 0x20000, 0), 0x20000);
	ifs_process_get_locked(f->process, &pin, &lck);
	assert_int_equal(pin, 4);
	assert_int_equal(lck, 0);
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0x3000), 0x3000);
	assert_int_equal(t_vm_pin(f), 4);
	assert_int_equal(t_unmap(f, fd, ioas, 0x20000, 0x3000), 0x3000);
	assert_int_equal(t_vm_pin(f), 1);
	munmap(buffer, 0x6000);
}

/* In MM mode the process's own locked memory is charged, and says so. */
static void test_charge_mm_mode(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x3000);
	uint32_t ioas, dev;
	uint64_t pin, lck;
	int fd, vfio;

	without_ipc_lock(f, 2);
	fd = t_open(f);
	vfio = t_open_vfio(f, 0);
	assert_int_equal(t_option(f, fd, RLIMIT_MODE, SET, 0, 1), 1);
	ioas = t_ioas_alloc(f, fd);
	dev = t_bind(f, vfio, fd);
	assert_int_equal(t_hwpt_alloc(f, fd, 0, dev, ioas), 3);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x3000, 0), -12);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x2000, 0), 0);
	ifs_process_get_locked(f->process, &pin, &lck);
	assert_int_equal(pin, 2);
	assert_int_equal(lck, 2);
	assert_int_equal(t_unmap(f, fd, ioas, 0, 0x2000), 0x2000);
	ifs_process_get_locked(f->process, &pin, &lck);
	assert_int_equal(pin, 0);
	assert_int_equal(lck, 0);
	munmap(buffer, 0x3000);
}

/* The user is decided by the map, the limit by the process that mapped, whoever attaches. */
static void test_charge_the_user_who_mapped(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x4000);
	struct ifs_process *child, *parent;
	uint32_t ioas, dev;
	int fd, vfio;

	fd = t_open(f);
	vfio = t_open_vfio(f, 0);
	ioas = t_ioas_alloc(f, fd);
	dev = t_bind(f, vfio, fd);
	child = ifs_fork(f->process);
	/* A root without CAP_IPC_LOCK, whose real user is another. */
	assert_int_equal(ifs_capset(f->process, ~0ull >> 23, (~0ull >> 23) & ~(1ull << 14)), 0);
	assert_int_equal(ifs_setresuid(f->process, 1000, -1, -1), 0);
	assert_int_equal(ifs_setrlimit_memlock(f->process, 0x4fff, ~0ull), 0);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x4000, 0), 0);
	assert_int_equal(ifs_setresuid(f->process, 0, -1, -1), 0);
	/* The child has all capabilities and no need to pay. */
	parent = f->process;
	f->process = child;
	assert_int_equal(ifs_setrlimit_memlock(parent, 0x3fff, ~0ull), 0);
	assert_int_equal(t_hwpt_alloc(f, fd, 0, dev, ioas), -12);
	assert_int_equal(ifs_setrlimit_memlock(parent, 0x4000, ~0ull), 0);
	assert_int_equal(t_hwpt_alloc(f, fd, 0, dev, ioas), 3);
	assert_int_equal(t_vm_pin(f), 0);
	f->process = parent;
	assert_int_equal(t_vm_pin(f), 4);
	/* User 0 is charged nothing yet, user 1000 has reached the limit. */
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x4000, 0x10000),
			 0x10000);
	assert_int_equal(ifs_setresuid(f->process, 1000, -1, -1), 0);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0x20000), -12);
	ifs_exit(child);
	munmap(buffer, 0x4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_option_errors_in_linux_order),
		T(test_huge_pages_option),
		T(test_charge_user_limit_when_pinned),
		T(test_charge_mm_mode),
		T(test_charge_the_user_who_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
