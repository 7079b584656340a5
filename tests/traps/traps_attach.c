/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Devices and hardware page tables: who may be attached to what, and who goes with whom. */
#include "traps.h"

#define NO_DIRTY MOCK_FLAGS_DEVICE_NO_DIRTY
#define PASID MOCK_FLAGS_DEVICE_PASID

static int64_t pasid_op(int fd, uint32_t op, uint32_t stdev, uint32_t pasid, uint32_t pt)
{
	struct iommu_test_cmd cmd = { .id = stdev, .pasid_attach = { pasid, pt } };
	int64_t rc = t_test(fd, op, &cmd);

	return rc || op == IOMMU_TEST_OP_PASID_DETACH ? rc : cmd.pasid_attach.pt_id;
}

#define p_attach(...) pasid_op(fd, IOMMU_TEST_OP_PASID_ATTACH, __VA_ARGS__)
#define p_replace(...) pasid_op(fd, IOMMU_TEST_OP_PASID_REPLACE, __VA_ARGS__)
#define p_detach(...) pasid_op(fd, IOMMU_TEST_OP_PASID_DETACH, __VA_ARGS__, 0)

static int64_t p_check(int fd, uint32_t stdev, uint32_t pasid, uint32_t hwpt)
{
	struct iommu_test_cmd cmd = { .id = stdev, .pasid_check = { pasid, hwpt } };

	return t_test(fd, IOMMU_TEST_OP_PASID_CHECK_HWPT, &cmd);
}

/* HWPT_ALLOC with everything in it. */
static int64_t hwpt_full(int fd, uint32_t flags, uint32_t dev, uint32_t pt, uint32_t type,
			 const void *data, uint32_t len, uint32_t fault)
{
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = flags, .dev_id = dev,
					.pt_id = pt, .data_type = type, .data_len = len,
					.data_uptr = (uintptr_t)data, .fault_id = fault };
	int64_t rc = io(fd, IOMMU_HWPT_ALLOC, &cmd);

	return rc ? rc : cmd.out_hwpt_id;
}

/* Devices share the HWPT that the kernel made for them; one made by hand is never taken. */
static void shared_auto_hwpt(struct traps *t)
{
	struct mock a, b, c;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &a));
	IS(4, a.hwpt);
	/* By hand: another number; attaching to the IOAS still goes to the first. */
	IS(5, t_hwpt(fd, 0, a.idev, 1));
	IS(6, t_mock(fd, 1, 0, &b));
	IS(4, b.hwpt);
	IS(5, t_mock_replace(fd, 2, 5));
	IS(-EBUSY, t_destroy(fd, 5));
	IS(4, t_mock_replace(fd, 2, 1));
	/* To where it is: nothing happens. */
	IS(4, t_mock_replace(fd, 2, 1));
	IS(4, t_mock_replace(fd, 2, 4));
	IS(0, t_destroy(fd, 5));
	/* Attached by its number, it goes with its last device all the same. */
	IS(5, t_mock(fd, 4, 0, &c));
	IS(4, c.hwpt);
	IS(0, t_destroy(fd, 2));
	IS(0, t_destroy(fd, 6));
	IS(-EBUSY, t_destroy(fd, 4));
	IS(0, t_destroy(fd, 5));
	IS(-ENOENT, t_destroy(fd, 4));
	/* Nobody is attached: a later device gets a new one. */
	IS(2, t_mock(fd, 1, 0, &a));
	IS(4, a.hwpt);
	IS(5, t_ioas(fd));
	IS(6, t_mock_replace(fd, 2, 5));
	IS(-ENOENT, t_destroy(fd, 4));
	IS(0, t_destroy(fd, 1));
	close(fd);
}

/* An automatic HWPT that does not fit the device is passed over; a HWPT by name is not. */
static void incompatible(struct traps *t)
{
	struct mock plain, tracked, other;
	int64_t hwpt;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, NO_DIRTY, &plain));
	IS(4, plain.hwpt);
	IS(-EOPNOTSUPP, t_hwpt(fd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, plain.idev, 1));
	IS(5, t_mock(fd, 1, 0, &tracked));
	IS(4, tracked.hwpt);
	hwpt = t_hwpt(fd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, tracked.idev, 1);
	IS(7, hwpt);
	IS(-EINVAL, t_mock_replace(fd, 2, 7));
	IS(-EINVAL, t_mock(fd, 7, NO_DIRTY, &other));
	IS(7, t_mock_replace(fd, 5, 7));
	IS(-EBUSY, t_destroy(fd, 7));
	/* A device that is refused stays where it was. */
	IS(-EBUSY, t_destroy(fd, 4));
	close(fd);
}

/* Attach, replace and detach with a PASID look at what is there in a certain order. */
static void pasids(struct traps *t)
{
	const uint32_t compat = IOMMU_HWPT_ALLOC_PASID;
	struct mock m, plain;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, PASID, &m));
	IS(4, m.hwpt);
	IS(5, t_hwpt(fd, compat, m.idev, 1));
	IS(6, t_hwpt(fd, compat, m.idev, 1));
	IS(7, t_hwpt(fd, 0, m.idev, 1));
	/* The device itself is on a HWPT that is none for PASIDs. */
	IS(-EINVAL, p_attach(2, 5, 5));
	IS(5, t_mock_replace(fd, 2, 5));
	IS(-EINVAL, p_attach(2, 5, 7));
	IS(-EINVAL, p_attach(2, 5, 1));
	IS(-ENOENT, p_attach(2, 5, 99));
	IS(-ENOENT, p_attach(3, 5, 5));
	IS(-EINVAL, p_attach(2, 5, 3));
	IS(-EINVAL, p_attach(2, 0x100000, 5));
	IS(5, p_attach(2, 0xfffff, 5));
	IS(6, p_attach(2, 5, 6));
	IS(-EBUSY, p_attach(2, 5, 6));
	IS(-EBUSY, p_attach(2, 5, 5));
	IS(-EBUSY, p_attach(2, 0, 5));
	IS(0, p_check(fd, 2, 5, 6));
	IS(-EINVAL, p_check(fd, 2, 5, 5));
	IS(-EINVAL, p_check(fd, 2, 5, 0));
	IS(0, p_check(fd, 2, 6, 0));
	IS(-ENOENT, p_check(fd, 2, 5, 99));
	IS(-EINVAL, p_check(fd, 2, 5, 1));
	/* While PASIDs are in use the device cannot leave for another kind. */
	IS(-EINVAL, t_mock_replace(fd, 2, 7));
	IS(-EINVAL, t_mock_replace(fd, 2, 1));
	IS(6, t_mock_replace(fd, 2, 6));
	IS(-EINVAL, p_replace(2, 6, 5));
	IS(6, p_replace(2, 5, 6));
	IS(-EINVAL, p_replace(2, 5, 7));
	IS(5, p_replace(2, 5, 5));
	IS(0, p_check(fd, 2, 5, 5));
	IS(0, p_detach(2, 77));
	IS(0, p_detach(2, 5));
	IS(0, p_detach(2, 5));
	IS(0, p_detach(2, 0xfffff));
	IS(0, t_destroy(fd, 5));
	IS(7, t_mock_replace(fd, 2, 7));
	/* One that knows no PASIDs. */
	IS(4, t_mock(fd, 6, 0, &plain));
	IS(-EINVAL, p_attach(4, 1, 6));
	close(fd);
}

/* What GET_HW_INFO writes: as much as there is room for, and zeroes behind what there is. */
static void hw_info(struct traps *t)
{
	struct iommu_test_hw_info data;
	uint32_t words[8];
	struct iommu_hw_info cmd = { .size = sizeof(cmd), .data_uptr = (uintptr_t)words };
	struct mock m, p;
	int fd = t_open();

	(void)data;
	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, NO_DIRTY, &m));
	IS(5, t_mock(fd, 1, PASID, &p));
	cmd.dev_id = m.idev;
	for (uint32_t len = 0; len <= 24; len++) {
		memset(words, 0x55, sizeof(words));
		cmd.data_len = len;
		cmd.in_data_type = 7;
		IS(0, io(fd, IOMMU_GET_HW_INFO, &cmd));
		IS(8, cmd.data_len);
		IS(0xfeedbeef, cmd.out_data_type);
		IS(8, cmd.out_capabilities);
		IS(0, cmd.out_max_pasid_log2);
		IS(len >= 4 ? 0 : len ? 0x55555555u << 8 * len : 0x55555555, words[0]);
		IS(len >= 8 ? 0xdeadbeef : words[1], words[1]);
		IS(0x55, ((uint8_t *)words)[len]);
	}
	cmd.flags = 1;
	cmd.in_data_type = 0xfeedbeef;
	IS(0, io(fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.in_data_type = 0xfeedbef0;
	IS(-EOPNOTSUPP, io(fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.in_data_type = 0;
	IS(0, io(fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.flags = 2;
	IS(-EOPNOTSUPP, io(fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.flags = 0;
	cmd.dev_id = p.idev;
	IS(0, io(fd, IOMMU_GET_HW_INFO, &cmd));
	IS(20, cmd.out_max_pasid_log2);
	/* No PCI device, so nothing of what a PASID may do; dirty tracking, and no ATS. */
	IS(9, cmd.out_capabilities);
	cmd.data_uptr = 8;
	cmd.data_len = 0;
	IS(0, io(fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.data_len = 1;
	IS(-EFAULT, io(fd, IOMMU_GET_HW_INFO, &cmd));
	IS(1, cmd.data_len);
	close(fd);
}

/* HWPT_ALLOC on an IOAS: which mistake is found first. */
static void hwpt_on_ioas(struct traps *t)
{
	struct iommu_hwpt_selftest data = { .iotlb = 1, .pagetable_type = 2 };
	struct mock m;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &m));
	IS(-EINVAL, hwpt_full(fd, 0, 99, 99, 5, NULL, 0, 0));
	IS(-EINVAL, hwpt_full(fd, 0, 99, 99, 0, NULL, 5, 0));
	IS(-ENOENT, hwpt_full(fd, 0xffffffff, 99, 1, 5, NULL, 5, 0));
	IS(-EOPNOTSUPP, hwpt_full(fd, 16, 3, 1, 0, NULL, 0, 0));
	/* A parent takes no faults. */
	IS(-EOPNOTSUPP, hwpt_full(fd, 1 | 4, 3, 1, 0, NULL, 0, 99));
	IS(-ENOENT, hwpt_full(fd, 4, 3, 1, 0, NULL, 0, 99));
	IS(-ENOENT, hwpt_full(fd, 4, 3, 1, 0, NULL, 0, 1));
	IS(-EOPNOTSUPP, hwpt_full(fd, 0, 3, 1, 0xdeae, &data, 8, 0));
	IS(-EINVAL, hwpt_full(fd, 0, 3, 1, 0xdead, &data, 3, 0));
	IS(-EINVAL, hwpt_full(fd, 0, 3, 1, 0xdead, &data, 9, 0));
	IS(-EFAULT, hwpt_full(fd, 0, 3, 1, 0xdead, NOWHERE, 8, 0));
	IS(-EOPNOTSUPP, hwpt_full(fd, 0, 3, 1, 0xdead, &data, 8, 0));
	/* Without the second word the table is the default one. */
	IS(5, hwpt_full(fd, 0, 3, 1, 0xdead, &data, 4, 0));
	IS(2048, t_alignment(fd, 1));
	data.pagetable_type = 1;
	IS(6, hwpt_full(fd, 1 | 2 | 8, 3, 1, 0xdead, &data, 8, 0));
	IS(4096, t_alignment(fd, 1));
	IS(0, t_destroy(fd, 6));
	IS(2048, t_alignment(fd, 1));
	/* It joins the IOAS, with all that may go wrong there. */
	IS(7, t_ioas(fd) + 1);
	IS(0x1000, t_map(fd, 6, FRW, NULL, PG, 0x1000));
	IS(-EADDRINUSE, t_hwpt(fd, 0, 3, 6));
	IS(PG, t_unmap(fd, 6, 0x1000, PG));
	IS(BASE, t_map(fd, 6, FRW, NULL, PG, BASE));
	IS(-EFAULT, t_hwpt(fd, 0, 3, 6));
	IS(PG, t_unmap(fd, 6, BASE, PG));
	IS(BASE, t_map(fd, 6, FRW, (void *)0x800, 0x801, BASE));
	IS(-EADDRINUSE, t_hwpt(fd, 0, 3, 6));
	IS(0x801, t_unmap(fd, 6, 0, MAX64));
	IS(7, t_hwpt(fd, 0, 3, 6));
	IS(-EBUSY, t_destroy(fd, 6));
	IS(0, t_destroy(fd, 7));
	IS(0, t_destroy(fd, 6));
	close(fd);
}

/* A HWPT holds its IOAS, a device its HWPT, a nested HWPT its parent; and no one else. */
static void who_holds_whom(struct traps *t)
{
	struct iommu_hwpt_selftest data = { .iotlb = 0xabc };
	struct mock m;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(3, t_mock(fd, 1, 0, &m));
	IS(5, m.hwpt);
	IS(6, t_hwpt(fd, IOMMU_HWPT_ALLOC_NEST_PARENT, m.idev, 2));
	IS(7, hwpt_full(fd, 0, m.idev, 6, 0xdead, &data, 4, 0));
	/* An automatic one, one that is no parent, and one that is nested are no parents. */
	IS(-EINVAL, hwpt_full(fd, 0, m.idev, 5, 0xdead, &data, 4, 0));
	IS(8, t_hwpt(fd, 0, m.idev, 2));
	IS(-EINVAL, hwpt_full(fd, 0, m.idev, 8, 0xdead, &data, 4, 0));
	IS(-EINVAL, hwpt_full(fd, 0, m.idev, 7, 0xdead, &data, 4, 0));
	IS(-EOPNOTSUPP, hwpt_full(fd, 2, m.idev, 6, 0xdead, &data, 4, 0));
	IS(-EOPNOTSUPP, hwpt_full(fd, 1, m.idev, 6, 0xdead, &data, 4, 0));
	IS(-EOPNOTSUPP, hwpt_full(fd, 0, m.idev, 6, 0, NULL, 0, 0));
	IS(-EOPNOTSUPP, hwpt_full(fd, 0, m.idev, 6, 1, &data, 4, 0));
	IS(-EINVAL, hwpt_full(fd, 0, m.idev, 6, 0xdead, &data, 3, 0));
	IS(-EINVAL, hwpt_full(fd, 0, m.idev, 6, 0xdead, &data, 12, 0));
	IS(-EFAULT, hwpt_full(fd, 0, m.idev, 6, 0xdead, NOWHERE, 4, 0));
	IS(-ENOENT, hwpt_full(fd, 4, m.idev, 6, 0xdead, &data, 4, 99));
	IS(-EBUSY, t_destroy(fd, 6));
	IS(-EBUSY, t_destroy(fd, 2));
	IS(7, t_mock_replace(fd, 3, 7));
	/* The one it left was automatic and is gone; its IOAS is free. */
	IS(-ENOENT, t_destroy(fd, 5));
	IS(0, t_destroy(fd, 1));
	IS(-EBUSY, t_destroy(fd, 7));
	IS(0, t_destroy(fd, 8));
	IS(0, t_destroy(fd, 3));
	IS(-EBUSY, t_destroy(fd, 6));
	IS(0, t_destroy(fd, 7));
	IS(0, t_destroy(fd, 6));
	IS(0, t_destroy(fd, 2));
	close(fd);
}

/* A domain comes into a full IOAS, or it does not; what is left then is as before. */
static void joining_fails_whole(struct traps *t)
{
	uint8_t *b = t_buffer(3 * PG, 0);
	struct iommu_iova_range ranges[2];
	struct mock m;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(BASE, t_map(fd, 1, FRW, b, PG, BASE));
	IS(BASE + PG, t_map(fd, 1, FRW, b + PG, PG, BASE + PG));
	IS(BASE + 2 * PG, t_map(fd, 1, FRW, b + 2 * PG, PG, BASE + 2 * PG));
	munmap(b + 2 * PG, PG);
	IS(-EFAULT, t_mock(fd, 1, 0, &m));
	IS(0, t_check_refs(fd, b, 2 * PG, 0));
	IS(1, t_alignment(fd, 1));
	IS(1, t_ranges(fd, 1, ranges, 2, NULL));
	IS(0, ranges[0].start);
	IS(PG, t_unmap(fd, 1, BASE + 2 * PG, PG));
	IS(2, t_mock(fd, 1, 0, &m));
	IS(0, t_check_refs(fd, b, 2 * PG, 1));
	IS(1, t_ranges(fd, 1, ranges, 2, NULL));
	IS(0x1000000, ranges[0].start);
	IS(0x7fffffff, ranges[0].last);
	/* Outside of its aperture nothing can be mapped any more. */
	IS(-EINVAL, t_map(fd, 1, FRW, b, PG, BASE - PG));
	IS(-EINVAL, t_map(fd, 1, FRW, b, PG, 0x80000000));
	IS(0x7ffff000, t_map(fd, 1, FRW, b, PG, 0x7ffff000));
	close(fd);
	IS(0, t_check_refs(t_open(), b, 2 * PG, 0));
	munmap(b, 2 * PG);
}

int main(void)
{
	struct traps t = { 0 };

	shared_auto_hwpt(&t);
	incompatible(&t);
	pasids(&t);
	hw_info(&t);
	hwpt_on_ioas(&t);
	who_holds_whom(&t);
	joining_fails_whole(&t);
	return traps_end(&t, "traps_attach");
}
