/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Calls around the selftest interface's devices, one line each. Beside iommufd_test.h. */
#ifndef TESTS_LIB_IOMMUFD_MOCK_TEST_H
#define TESTS_LIB_IOMMUFD_MOCK_TEST_H

#include <poll.h>

#include <linux/iommufd_test.h>

#include "tests/lib/iommufd/selftest_test.h"

struct mock {
	uint32_t stdev, hwpt, idev;
};

static inline int t_test(struct fixture *f, int fd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ifs_ioctl(f->process, fd, IOMMU_TEST_CMD, cmd);
}

/* A device attached to @pt. */
static inline int t_mock(struct fixture *f, int fd, uint32_t pt, uint32_t dev_flags,
			 struct mock *out)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, .id = pt,
				      .mock_domain_flags.dev_flags = dev_flags };
	int rc = t_test(f, fd, &cmd);

	*out = (struct mock){ .stdev = cmd.mock_domain_flags.out_stdev_id,
			      .hwpt = cmd.mock_domain_flags.out_hwpt_id,
			      .idev = cmd.mock_domain_flags.out_idev_id };
	return rc;
}

/* The HWPT it is on now, or -errno. */
static inline int64_t t_mock_replace(struct fixture *f, int fd, uint32_t stdev, uint32_t pt)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, .id = stdev,
				      .mock_domain_replace.pt_id = pt };
	int rc = t_test(f, fd, &cmd);

	return rc ? rc : (int64_t)cmd.mock_domain_replace.pt_id;
}

/* A nested HWPT on @pt with @iotlb in its entries: its id, or -errno. */
static inline int64_t t_nested(struct fixture *f, int fd, uint32_t idev, uint32_t pt,
			       uint32_t flags, uint32_t fault, uint32_t iotlb)
{
	struct iommu_hwpt_selftest data = { .iotlb = iotlb };
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = flags, .dev_id = idev,
					.pt_id = pt, .data_type = IOMMU_HWPT_DATA_SELFTEST,
					.data_len = sizeof(data), .data_uptr = (uintptr_t)&data,
					.fault_id = fault };
	int rc = ifs_ioctl(f->process, fd, IOMMU_HWPT_ALLOC, &cmd);

	return rc ? rc : (int64_t)cmd.out_hwpt_id;
}

/* The id; its descriptor in *@fault_fd. Or -errno. */
static inline int64_t t_fault_queue(struct fixture *f, int fd, int *fault_fd)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int rc = ifs_ioctl(f->process, fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (rc)
		return rc;
	*fault_fd = (int)cmd.out_fault_fd;
	return cmd.out_fault_id;
}

static inline int t_iopf(struct fixture *f, int fd, uint32_t idev, uint32_t pasid, uint32_t grpid)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_TRIGGER_IOPF,
				      .trigger_iopf = { .dev_id = idev, .pasid = pasid,
							.grpid = grpid, .perm = 3,
							.addr = 0xdeadbeaf } };

	return t_test(f, fd, &cmd);
}

static inline int t_check_iotlb(struct fixture *f, int fd, uint32_t hwpt, uint32_t id,
				uint32_t want)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_MD_CHECK_IOTLB, .id = hwpt,
				      .check_iotlb = { .id = id, .iotlb = want } };

	return t_test(f, fd, &cmd);
}

/* *@nr: in, entries; out, entries handled. */
static inline int t_invalidate(struct fixture *f, int fd, uint32_t id, uint32_t type,
			       const void *entries, uint32_t entry_len, uint32_t *nr)
{
	struct iommu_hwpt_invalidate cmd = { .size = sizeof(cmd), .hwpt_id = id,
					     .data_uptr = (uintptr_t)entries, .data_type = type,
					     .entry_len = entry_len, .entry_num = *nr };
	int rc = ifs_ioctl(f->process, fd, IOMMU_HWPT_INVALIDATE, &cmd);

	*nr = cmd.entry_num;
	return rc;
}

static inline int64_t t_viommu(struct fixture *f, int fd, uint32_t idev, uint32_t hwpt,
			       struct iommu_viommu_selftest *data)
{
	struct iommu_viommu_alloc cmd = { .size = sizeof(cmd), .type = IOMMU_VIOMMU_TYPE_SELFTEST,
					  .dev_id = idev, .hwpt_id = hwpt,
					  .data_len = data ? sizeof(*data) : 0,
					  .data_uptr = (uintptr_t)data };
	int rc = ifs_ioctl(f->process, fd, IOMMU_VIOMMU_ALLOC, &cmd);

	return rc ? rc : (int64_t)cmd.out_viommu_id;
}

static inline int64_t t_vdevice(struct fixture *f, int fd, uint32_t viommu, uint32_t idev,
				uint64_t virt_id)
{
	struct iommu_vdevice_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu,
					   .dev_id = idev, .virt_id = virt_id };
	int rc = ifs_ioctl(f->process, fd, IOMMU_VDEVICE_ALLOC, &cmd);

	return rc ? rc : (int64_t)cmd.out_vdevice_id;
}

static inline int64_t t_veventq(struct fixture *f, int fd, uint32_t viommu, uint32_t type,
				uint32_t depth, int *out_fd)
{
	struct iommu_veventq_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu, .type = type,
					   .veventq_depth = depth };
	int rc = ifs_ioctl(f->process, fd, IOMMU_VEVENTQ_ALLOC, &cmd);

	if (rc)
		return rc;
	*out_fd = (int)cmd.out_veventq_fd;
	return cmd.out_veventq_id;
}

static inline int t_vevent(struct fixture *f, int fd, uint32_t idev)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_TRIGGER_VEVENT,
				      .trigger_vevent.dev_id = idev };

	return t_test(f, fd, &cmd);
}

static inline int64_t t_hw_queue(struct fixture *f, int fd, uint32_t viommu, uint32_t index,
				 uint64_t iova, uint64_t length)
{
	struct iommu_hw_queue_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu,
					    .type = IOMMU_HW_QUEUE_TYPE_SELFTEST, .index = index,
					    .nesting_parent_iova = iova, .length = length };
	int rc = ifs_ioctl(f->process, fd, IOMMU_HW_QUEUE_ALLOC, &cmd);

	return rc ? rc : (int64_t)cmd.out_hw_queue_id;
}

/* Attach, replace: the HWPT at that PASID now, or -errno. */
static inline int64_t t_pasid(struct fixture *f, int fd, uint32_t op, uint32_t stdev,
			      uint32_t pasid, uint32_t pt)
{
	struct iommu_test_cmd cmd = { .op = op, .id = stdev,
				      .pasid_attach = { .pasid = pasid, .pt_id = pt } };
	int rc = t_test(f, fd, &cmd);

	return rc ? rc : (int64_t)cmd.pasid_attach.pt_id;
}

#define t_pasid_attach(f, fd, stdev, pasid, pt) \
	t_pasid(f, fd, IOMMU_TEST_OP_PASID_ATTACH, stdev, pasid, pt)
#define t_pasid_replace(f, fd, stdev, pasid, pt) \
	t_pasid(f, fd, IOMMU_TEST_OP_PASID_REPLACE, stdev, pasid, pt)

static inline int t_pasid_detach(struct fixture *f, int fd, uint32_t stdev, uint32_t pasid)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_PASID_DETACH, .id = stdev,
				      .pasid_detach.pasid = pasid };

	return t_test(f, fd, &cmd);
}

/* Is that HWPT (0: nothing) attached at @pasid? */
static inline int t_pasid_check(struct fixture *f, int fd, uint32_t stdev, uint32_t pasid,
				uint32_t hwpt)
{
	struct iommu_test_cmd cmd = { .op = IOMMU_TEST_OP_PASID_CHECK_HWPT, .id = stdev,
				      .pasid_check = { .pasid = pasid, .hwpt_id = hwpt } };

	return t_test(f, fd, &cmd);
}

/* All tests here need the interface. */
#undef T
#define T(name) S(name)

#endif
