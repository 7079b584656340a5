/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The container ioctls that iommufd serves for programs from before it. */
#include "tests/lib/iommufd/selftest_test.h"

static int v_set_ioas(struct fixture *f, int fd, uint32_t ioas)
{
	struct iommu_vfio_ioas cmd = { .size = sizeof(cmd), .op = IOMMU_VFIO_IOAS_SET,
				       .ioas_id = ioas };

	return ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &cmd);
}

static int v_map(struct fixture *f, int fd, uint32_t flags, const void *at, uint64_t iova,
		 uint64_t size)
{
	struct vfio_iommu_type1_dma_map cmd = { .argsz = sizeof(cmd), .flags = flags,
						.vaddr = (uintptr_t)at, .iova = iova,
						.size = size };

	return ifs_ioctl(f->process, fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

/* What is written back, in @size, too. */
static int v_unmap(struct fixture *f, int fd, uint32_t flags, uint64_t iova, uint64_t *size)
{
	struct vfio_iommu_type1_dma_unmap cmd = { .argsz = sizeof(cmd), .flags = flags,
						  .iova = iova, .size = *size };
	int rc = ifs_ioctl(f->process, fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	*size = cmd.size;
	return rc;
}

static int v_call(struct fixture *f, int fd, unsigned long cmd, unsigned long arg)
{
	return ifs_ioctl(f->process, fd, cmd, (void *)arg);
}

/* QEMU without an IOMMU group would be told something else than "no IOMMU yet". */
static void test_vfio_errors_in_linux_order(void **state)
{
	static const int8_t extensions[] = { 0, 1, 0, 1, -19, 0, 0, 0, 0, 1, 0, 0 };
	struct fixture *f = *state;
	struct vfio_iommu_type1_dma_map map = { .argsz = 31 };
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = 23 };
	struct vfio_iommu_type1_info info = { .argsz = 15 };
	int fd = t_open(f);

	assert_int_equal(v_call(f, fd, 0x3b64, 0), 0);
	for (unsigned i = 0; i < sizeof(extensions); i++)
		assert_int_equal(v_call(f, fd, 0x3b65, i), extensions[i]);
	assert_int_equal(v_call(f, fd, 0x3b66, 2), -22);
	assert_int_equal(v_call(f, fd, 0x3b66, 8), -22);
	assert_int_equal(v_call(f, fd, 0x3b66, 1), -19);
	assert_int_equal(v_call(f, fd, 0x3b66, 3), -19);
	for (unsigned long cmd = 0x3b73; cmd <= 0x3b75; cmd++)
		assert_int_equal(v_call(f, fd, cmd, 8), -25);
	for (unsigned long cmd = 0x3b70; cmd <= 0x3b72; cmd++)
		assert_int_equal(v_call(f, fd, cmd, 8), -14);
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_MAP_DMA, &map), -22);
	map.argsz = 32;
	map.flags = 4;
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_MAP_DMA, &map), -22);
	map.flags = 3;
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_MAP_DMA, &map), -19);
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_UNMAP_DMA, &unmap), -22);
	unmap.argsz = 24;
	unmap.flags = 1;
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_UNMAP_DMA, &unmap), -22);
	unmap.flags = 2;
	unmap.size = 1;
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_UNMAP_DMA, &unmap), -19);
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_GET_INFO, &info), -22);
	info.argsz = 16;
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_GET_INFO, &info), -19);
	assert_int_equal(v_set_ioas(f, fd, t_ioas_alloc(f, fd)), 0);
	assert_int_equal(v_call(f, fd, 0x3b65, 4), 1);
	assert_int_equal(v_call(f, fd, 0x3b66, 1), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_UNMAP_DMA, &unmap), -22);
}

static void assert_bytes(const uint8_t *got, const uint8_t *want, unsigned n, unsigned argsz)
{
	for (unsigned i = 0; i < n; i++)
		if (got[i] != want[i])
			fail_msg("argsz %u: byte %u is %02x, not %02x", argsz, i, got[i], want[i]);
}

/* A program with less room than it takes would have its stack overwritten, or miss the ranges. */
static void test_get_info_every_size_writes_only_that(void **state)
{
	/* With a mock domain, as the kernel wrote it; cc: untouched. */
	static const uint8_t full[80] = {
		72, 0, 0, 0, 3, 0, 0, 0, 0, 0xf0, 0xff, 0xff, 0x1f, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0,
		0, 3, 0, 1, 0, 0x28, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xcc, 0xcc, 0xcc, 0xcc, 1, 0,
		1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff,
		0x7f, 0, 0, 0, 0, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
	};
	struct fixture *f = *state;
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(v_set_ioas(f, fd, ioas), 0);
	assert_true(s_mock(f, fd, ioas, NULL, NULL) > 0);
	for (uint32_t argsz = 16; argsz <= 80; argsz++) {
		uint8_t info[80], want[80];

		memset(info, 0xcc, sizeof(info));
		memcpy(info, &argsz, 4);
		assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_GET_INFO, info), 0);
		memset(want, 0xcc, sizeof(want));
		memcpy(want, full, argsz < 24 ? argsz : 24);
		if (argsz < 72 && argsz > 16)
			want[16] = 0;
		if (argsz >= 36)
			memcpy(want + 24, full + 24, 12);
		/* Linked as soon as there is room up to the next one. */
		if (argsz >= 36 && argsz < 40)
			want[28] = 0;
		if (argsz >= 72)
			memcpy(want + 40, full + 40, 32);
		assert_bytes(info, want, 80, argsz);
	}
}

/* Guests with old kernels unmap parts of what they mapped; newer interfaces forbid it. */
static void test_unmap_type1_cuts_type1v2_does_not(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x8000);
	int fd = t_open(f);
	uint32_t ioas = t_ioas_alloc(f, fd), hwpt = 0;
	uint64_t size = 0x3000, alignment;

	assert_int_equal(v_set_ioas(f, fd, ioas), 0);
	assert_true(s_mock(f, fd, ioas, &hwpt, NULL) > 0);
	assert_int_equal(v_call(f, fd, 0x3b66, 3), 0);
	assert_int_equal(v_map(f, fd, 3, buffer, 0x1000000, 0x8000), 0);
	assert_int_equal(v_unmap(f, fd, 0, 0x1002000, &size), -2);
	assert_int_equal(size, 0);
	/* Too late: large pages may be in use. */
	assert_int_equal(v_call(f, fd, 0x3b66, 1), -22);
	size = 0;
	assert_int_equal(v_unmap(f, fd, 2, 0, &size), 0);
	assert_int_equal(size, 0x8000);

	assert_int_equal(v_call(f, fd, 0x3b66, 1), 0);
	t_ranges(f, fd, ioas, NULL, 0, &alignment);
	assert_int_equal(alignment, 0x1000);
	assert_int_equal(v_map(f, fd, 3, buffer, 0x1000000, 0x8000), 0);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0x8000, buffer), 0);
	size = 0x800;
	assert_int_equal(v_unmap(f, fd, 0, 0x1002000, &size), -22);
	assert_int_equal(size, 0x800);
	size = 0x3000;
	assert_int_equal(v_unmap(f, fd, 0, 0x1002000, &size), 0);
	assert_int_equal(size, 0x3000);
	fixture_check(f);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1000000, 0x2000, buffer), 0);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1001000, 0x2000, buffer + 0x1000), -22);
	assert_int_equal(s_check_map(f, fd, hwpt, 0x1005000, 0x3000, buffer + 0x5000), 0);
	assert_int_equal(s_check_refs(f, fd, buffer, 0x2000, 1), 0);
	assert_int_equal(s_check_refs(f, fd, buffer + 0x2000, 0x3000, 0), 0);
	assert_int_equal(s_check_refs(f, fd, buffer + 0x5000, 0x3000, 1), 0);
	assert_int_equal(t_vm_pin(f), 5);
	/* An empty range is fine. */
	size = 0x3000;
	assert_int_equal(v_unmap(f, fd, 0, 0x1002000, &size), 0);
	assert_int_equal(size, 0);
	/* No permission at all: only the page table minds, and Linux warns there too. */
	fixture_expect(f, IFS_RULE_WARN, 1);
	assert_int_equal(v_map(f, fd, 0, buffer, 0x1002000, 0x1000), -22);
	size = 0;
	assert_int_equal(v_unmap(f, fd, 0, 0x1000000, &size), -22);
	munmap(buffer, 0x8000);
}

/* A container's pages count against the process, not the user. */
static void test_vfio_node_charges_the_process(void **state)
{
	struct fixture *f = *state;
	int fd = ifs_open(f->process, "/dev/vfio/vfio", O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(t_option(f, fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0, 7), 1);
	assert_int_equal(v_call(f, fd, 0x3b64, 0), 0);
}

/* A VMM that maps page by page, and never saw the limit of vfio_iommu_type1, fails at customers. */
static void test_map_dma_with_an_entry_limit_ends_with_enospc(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x1000);
	struct {
		struct vfio_iommu_type1_info info;
		struct vfio_iommu_type1_info_dma_avail avail;
		uint8_t ranges[64];
	} answer = { .info.argsz = sizeof(answer) };
	uint64_t size = 0x1000;
	int fd, nr = 0, rc;

	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	f->kernel_config.vfio_dma_entry_limit = 65535;
	fixture_boot(f);
	fd = t_open(f);
	assert_int_equal(v_set_ioas(f, fd, t_ioas_alloc(f, fd)), 0);
	while (!(rc = v_map(f, fd, 3, buffer, 0x1000ull * nr, 0x1000)))
		nr++;
	assert_int_equal(rc, -28);
	assert_int_equal(nr, 65535);
	/* Over another one it is that; too little of everything else is told as ever. */
	assert_int_equal(v_map(f, fd, 3, buffer, 0, 0x1000), -17);
	assert_int_equal(v_map(f, fd, 3, buffer, 0x40000000, 0), -22);

	assert_int_equal(v_call(f, fd, 0x3b70, (uintptr_t)&answer), 0);
	assert_int_equal(answer.avail.header.id, 3);
	assert_int_equal(answer.avail.avail, 0);
	assert_int_equal(v_unmap(f, fd, 0, 0x5000, &size), 0);
	assert_int_equal(v_call(f, fd, 0x3b70, (uintptr_t)&answer), 0);
	assert_int_equal(answer.avail.avail, 1);
	assert_int_equal(v_map(f, fd, 3, buffer, 0x40000000, 0x1000), 0);
	assert_int_equal(v_map(f, fd, 3, buffer, 0x40001000, 0x1000), -28);
	munmap(buffer, 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(test_vfio_errors_in_linux_order),
		S(test_get_info_every_size_writes_only_that),
		S(test_unmap_type1_cuts_type1v2_does_not),
		T(test_vfio_node_charges_the_process),
		T(test_map_dma_with_an_entry_limit_ends_with_enospc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
