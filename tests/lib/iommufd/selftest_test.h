/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The selftest interface, one line each; -errno, or what the operation answers. */
#ifndef TESTS_LIB_IOMMUFD_SELFTEST_TEST_H
#define TESTS_LIB_IOMMUFD_SELFTEST_TEST_H

#include <linux/iommufd_test.h>

#include "tests/lib/iommufd/iommufd_test.h"

static inline int s_cmd(struct fixture *f, int fd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ifs_ioctl(f->process, fd, IOMMU_TEST_CMD, cmd);
}

/* The SELFTEST id; the HWPT's in @hwpt and the device's in @idev, which may be NULL. */
static inline int64_t s_mock(struct fixture *f, int fd, uint32_t pt, uint32_t *hwpt, uint32_t *idev)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MOCK_DOMAIN, .id = pt };
	int rc = s_cmd(f, fd, &cmd);

	if (rc)
		return rc;
	if (hwpt)
		*hwpt = cmd.mock_domain.out_hwpt_id;
	if (idev)
		*idev = cmd.mock_domain.out_idev_id;
	return cmd.mock_domain.out_stdev_id;
}

static inline int s_check_map(struct fixture *f, int fd, uint32_t hwpt, uint64_t iova,
			      uint64_t length, const void *at)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MD_CHECK_MAP, .id = hwpt,
				      .check_map = { .iova = iova, .length = length,
						     .uptr = (uintptr_t)at } };

	return s_cmd(f, fd, &cmd);
}

static inline int s_check_refs(struct fixture *f, int fd, const void *at, uint64_t length,
			       uint32_t refs)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MD_CHECK_REFS,
				      .check_refs = { .length = length, .uptr = (uintptr_t)at,
						      .refs = refs } };

	return s_cmd(f, fd, &cmd);
}

/* The access's descriptor. */
static inline int64_t s_access(struct fixture *f, int fd, uint32_t ioas, uint32_t flags)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_CREATE_ACCESS, .id = ioas,
				      .create_access.flags = flags };
	int rc = s_cmd(f, fd, &cmd);

	return rc ? rc : (int64_t)cmd.create_access.out_access_fd;
}

/* The item's number. */
static inline int64_t s_pin(struct fixture *f, int fd, int access, uint64_t iova, uint64_t length,
			    const void *at, uint32_t flags)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_ACCESS_PAGES, .id = (uint32_t)access,
				      .access_pages = { .flags = flags, .iova = iova,
							.length = length,
							.uptr = (uintptr_t)at } };
	int rc = s_cmd(f, fd, &cmd);

	return rc ? rc : (int64_t)cmd.access_pages.out_access_pages_id;
}

static inline int s_unpin(struct fixture *f, int fd, int access, uint32_t item)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES,
				      .id = (uint32_t)access,
				      .destroy_access_pages.access_pages_id = item };

	return s_cmd(f, fd, &cmd);
}

static inline int s_rw(struct fixture *f, int fd, int access, uint64_t iova, uint64_t length,
		       void *at, uint32_t flags)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_ACCESS_RW, .id = (uint32_t)access,
				      .access_rw = { .iova = iova, .length = length,
						     .uptr = (uintptr_t)at, .flags = flags } };

	return s_cmd(f, fd, &cmd);
}

static inline int s_replace_ioas(struct fixture *f, int fd, int access, uint32_t ioas)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_ACCESS_REPLACE_IOAS,
				      .id = (uint32_t)access, .access_replace_ioas.ioas_id = ioas };

	return s_cmd(f, fd, &cmd);
}

/* The set-up of tests that use it: the kernel booted again, with the interface. */
static inline int s_set_up(void **state)
{
	struct fixture *f;
	int rc = fixture_set_up(state);

	if (rc)
		return rc;
	f = *state;
	f->kernel_config.iommufd_test = IFS_ON;
	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	fixture_boot(f);
	return 0;
}

#define S(name) cmocka_unit_test_setup_teardown(name, s_set_up, fixture_tear_down)

#endif
