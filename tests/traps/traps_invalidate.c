/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* HWPT_INVALIDATE: how far it came is told whatever happens. */
#include "traps.h"

static int64_t invalidate(int fd, uint32_t id, uint32_t type, const void *data, uint32_t len,
			  uint32_t nr, uint32_t *done)
{
	struct iommu_hwpt_invalidate cmd = { .size = sizeof(cmd), .hwpt_id = id,
					     .data_uptr = (uintptr_t)data, .data_type = type,
					     .entry_len = len, .entry_num = nr };
	int64_t rc = io(fd, IOMMU_HWPT_INVALIDATE, &cmd);

	*done = cmd.entry_num;
	return rc;
}

static int64_t iotlb(int fd, uint32_t hwpt, uint32_t id, uint32_t value)
{
	struct iommu_test_cmd cmd = { .id = hwpt, .check_iotlb = { id, value } };

	return t_test(fd, IOMMU_TEST_OP_MD_CHECK_IOTLB, &cmd);
}

static int64_t cache(int fd, uint32_t idev, uint32_t id, uint32_t value)
{
	struct iommu_test_cmd cmd = { .id = idev, .check_dev_cache = { id, value } };

	return t_test(fd, IOMMU_TEST_OP_DEV_CHECK_CACHE, &cmd);
}

static int64_t nested_new(int fd, uint32_t idev, uint32_t pt)
{
	struct iommu_hwpt_selftest data = { .iotlb = 0xbadbeef };
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .dev_id = idev, .pt_id = pt,
					.data_type = IOMMU_HWPT_DATA_SELFTEST, .data_len = 4,
					.data_uptr = (uintptr_t)&data };
	int64_t rc = io(fd, IOMMU_HWPT_ALLOC, &cmd);

	return rc ? rc : cmd.out_hwpt_id;
}

static void nested(struct traps *t)
{
	struct iommu_hwpt_invalidate_selftest e[3] = { { 0, 1 }, { 0, 2 }, { 0, 3 } };
	const uint32_t type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST;
	struct mock mock;
	uint32_t done;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(5, t_hwpt(fd, IOMMU_HWPT_ALLOC_NEST_PARENT, 3, 1));
	IS(6, nested_new(fd, 3, 5));
	IS(-EINVAL, invalidate(fd, 99, type, NULL, 8, 3, &done));
	IS(0, done);
	IS(-EINVAL, invalidate(fd, 99, type, e, 0, 3, &done));
	IS(-EINVAL, invalidate(fd, 99, type, e, 4097, 3, &done));
	IS(-EINVAL, invalidate(fd, 99, type, e, 8, (1 << 19) + 1, &done));
	IS(-ENOENT, invalidate(fd, 99, type, e, 8, 1 << 19, &done));
	IS(0, done);
	IS(-EINVAL, invalidate(fd, 5, type, e, 8, 3, &done));
	IS(-EINVAL, invalidate(fd, 1, type, e, 8, 3, &done));
	IS(-EINVAL, invalidate(fd, 6, type + 1, NULL, 0, 0, &done));
	IS(0, invalidate(fd, 6, type, NULL, 0, 0, &done));
	IS(-EINVAL, invalidate(fd, 6, type, e, 7, 3, &done));
	IS(-EFAULT, invalidate(fd, 6, type, NOWHERE, 8, 3, &done));
	IS(0, done);
	e[1].flags = 2;
	IS(-EOPNOTSUPP, invalidate(fd, 6, type, e, 8, 3, &done));
	IS(1, done);
	IS(0, iotlb(fd, 6, 0, 0xbadbeef));
	IS(0, iotlb(fd, 6, 1, 0));
	IS(0, iotlb(fd, 6, 2, 0xbadbeef));
	IS(-EINVAL, iotlb(fd, 6, 4, 0xbadbeef));
	IS(-EINVAL, iotlb(fd, 6, 1, 0xbadbeef));
	IS(-ENOENT, iotlb(fd, 5, 1, 0));
	/* All of them: the number is looked at nevertheless. */
	e[0] = (struct iommu_hwpt_invalidate_selftest){ 1, 4 };
	IS(-EINVAL, invalidate(fd, 6, type, e, 8, 1, &done));
	IS(0, done);
	IS(0, iotlb(fd, 6, 0, 0xbadbeef));
	e[0].iotlb_id = 3;
	IS(0, invalidate(fd, 6, type, e, 8, 1, &done));
	IS(1, done);
	for (uint32_t i = 0; i < 4; i++)
		IS(0, iotlb(fd, 6, i, 0));
	close(fd);
}

static void viommu(struct traps *t)
{
	struct iommu_viommu_invalidate_selftest e[3] = { { 0, 9, 1 }, { 0, 9, 2 }, { 0, 8, 3 } };
	struct iommu_viommu_alloc v = { .size = sizeof(v), .type = IOMMU_VIOMMU_TYPE_SELFTEST,
					.dev_id = 3, .hwpt_id = 5 };
	struct iommu_vdevice_alloc d = { .size = sizeof(d), .viommu_id = 6, .dev_id = 3,
					 .virt_id = 9 };
	const uint32_t type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST;
	uint32_t wide[8] = { 0, 9, 0, 0, 0, 9, 1, 7 };
	struct mock mock;
	uint32_t done;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(5, t_hwpt(fd, IOMMU_HWPT_ALLOC_NEST_PARENT, 3, 1));
	IS(0, io(fd, IOMMU_VIOMMU_ALLOC, &v));
	IS(0, io(fd, IOMMU_VDEVICE_ALLOC, &d));
	IS(7, d.out_vdevice_id);
	IS(-EINVAL, invalidate(fd, 6, type + 1, NULL, 0, 0, &done));
	IS(0, invalidate(fd, 6, type, NULL, 0, 0, &done));
	IS(-EFAULT, invalidate(fd, 6, type, NOWHERE, 12, 2, &done));
	IS(-EINVAL, invalidate(fd, 6, type, e, 12, 3, &done));
	IS(2, done);
	IS(0, cache(fd, 3, 0, 0xbaddad));
	IS(0, cache(fd, 3, 1, 0));
	IS(0, cache(fd, 3, 2, 0));
	IS(-EINVAL, cache(fd, 3, 4, 0));
	IS(-ENOENT, cache(fd, 2, 0, 0));
	/* More than the mock driver can copy at once: it forgets to say that it did nothing. */
	IS(-ENOMEM, invalidate(fd, 6, type, NOWHERE, 12, 400000, &done));
	IS(400000, done);
	/* Longer ones: one by one, and nothing is done if one cannot be read. */
	IS(-E2BIG, invalidate(fd, 6, type, wide, 16, 2, &done));
	IS(0, done);
	IS(0, cache(fd, 3, 0, 0xbaddad));
	wide[7] = 0;
	IS(0, invalidate(fd, 6, type, wide, 16, 2, &done));
	IS(2, done);
	IS(0, cache(fd, 3, 0, 0));
	/* Shorter ones: what is missing is zero. */
	IS(0, invalidate(fd, 6, type, e, 8, 1, &done));
	IS(1, done);
	e[0].flags = 2;
	IS(-EOPNOTSUPP, invalidate(fd, 6, type, e, 12, 1, &done));
	e[0] = (struct iommu_viommu_invalidate_selftest){ 1, 9, 4 };
	IS(-EINVAL, invalidate(fd, 6, type, e, 12, 1, &done));
	e[0].cache_id = 0;
	IS(0, invalidate(fd, 6, type, e, 12, 1, &done));
	IS(0, cache(fd, 3, 3, 0));
	close(fd);
}

int main(void)
{
	struct traps t = { 0 };

	nested(&t);
	viommu(&t);
	return traps_end(&t, "traps_invalidate");
}
