/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Known bugs of Linux 7.3 in iommufd, each in a kernel that has it and in one that has it fixed;
 * docs/exact.md lists them. Those that belong to another test's subject are tested there.
 */
#include "tests/lib/iommufd/mock_test.h"

/* Boots again: a kernel that is 7.3 to the letter, or one whose bugs are fixed. */
static void boot(struct fixture *f, bool fixed)
{
	f->kernel_config.exact = fixed ? IFS_OFF : IFS_ON;
	f->kernel_config.memfd_folio_order = 9;
	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	fixture_boot(f);
}

static int get_dirty(struct fixture *f, int fd, uint32_t hwpt, uint64_t iova, uint64_t length,
		     void *data)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = { .size = sizeof(cmd), .hwpt_id = hwpt,
						   .iova = iova, .length = length,
						   .flags = IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
						   .page_size = 2048, .data = (uintptr_t)data };

	return ifs_ioctl(f->process, fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

/* A HWPT that tracks, with 2 MiB in one piece, dirty, at IOVA 0x1000000. */
static uint32_t dirty_hwpt(struct fixture *f, int fd)
{
	uint32_t ioas = t_ioas_alloc(f, fd), hwpt;
	uint64_t one = 1;
	struct iommu_hwpt_set_dirty_tracking track = { .size = sizeof(track), .flags = 1 };
	struct iommu_test_cmd dirty = { .op = IOMMU_TEST_OP_DIRTY,
					.dirty = { .iova = 0x1000000, .length = 2048,
						   .page_size = 2048, .uptr = (uintptr_t)&one } };
	int memfd = ifs_memfd_create(f->process, "m", 0);
	struct mock mock;

	assert_int_equal(t_mock(f, fd, ioas, 0, &mock), 0);
	hwpt = (uint32_t)t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, mock.idev, ioas);
	assert_int_equal(t_mock_replace(f, fd, mock.stdev, hwpt), hwpt);
	track.hwpt_id = dirty.id = hwpt;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &track), 0);
	assert_int_equal(ifs_ftruncate(f->process, memfd, 0x200000), 0);
	assert_int_equal(t_map_file(f, fd, ioas, FIXED | RD | WR, memfd, 0, 0x200000, 0x1000000),
			 0x1000000);
	assert_int_equal(t_test(f, fd, &dirty), 0);
	return hwpt;
}

/* Memory behind a bitmap would be overwritten, or a guest's page not be sent again. */
static void test_get_dirty_bits_beyond_the_range_and_errors(void **state)
{
	struct fixture *f = *state;
	uint8_t *bits = t_buffer(0x2000);

	for (int fixed = 0; fixed <= 1; fixed++) {
		uint32_t hwpt;
		int fd;

		boot(f, fixed);
		fd = t_open(f);
		hwpt = dirty_hwpt(f, fd);
		memset(bits, 0, 0x2000);
		/* Two bits are asked for; the entry has hundreds. */
		assert_int_equal(get_dirty(f, fd, hwpt, 0x1000000, 4096, bits), 0);
		assert_int_equal(bits[0], fixed ? 0x03 : 0xff);
		assert_int_equal(bits[1], fixed ? 0 : 0xff);
		/* One that does not begin with a page goes on in the next, */
		memset(bits, 0, 0x2000);
		assert_int_equal(get_dirty(f, fd, hwpt, 0x1000000, 4096, bits + 0xfff), 0);
		assert_int_equal(bits[0xfff], fixed ? 0x03 : 0xff);
		assert_int_equal(bits[0x1000], fixed ? 0 : 0xff);
		/* if that is there. */
		memset(bits, 0, 0x2000);
		assert_int_equal(mprotect(bits + 0x1000, 0x1000, PROT_NONE), 0);
		assert_int_equal(get_dirty(f, fd, hwpt, 0x1000000, 4096, bits + 0xfff), 0);
		assert_int_equal(bits[0xfff], fixed ? 0x03 : 0xff);
		assert_int_equal(mprotect(bits + 0x1000, 0x1000, PROT_READ | PROT_WRITE), 0);
		assert_int_equal(bits[0x1000], 0);
		/* A hole behind what is mapped; then no bitmap at all. */
		assert_int_equal(get_dirty(f, fd, hwpt, 0x1000000, 0x201000, bits),
				 fixed ? -22 : 0);
		assert_int_equal(get_dirty(f, fd, hwpt, 0x1400000, 4096, bits), fixed ? -22 : 0);
		assert_int_equal(get_dirty(f, fd, hwpt, 0x1000000, 4096, (void *)8),
				 fixed ? -14 : 0);
		assert_int_equal(get_dirty(f, fd, hwpt, 0, 0, (void *)8), 0);
	}
	munmap(bits, 0x2000);
}

/* A device that could not be moved would lose the holes in its IOVA space that it needs. */
static void test_replace_failing_within_an_ioas_and_reserved_regions(void **state)
{
	static const struct ifs_fail_config no_memory = {
		.size = sizeof(no_memory), .point = "failslab", .nth = 1,
	};

	for (int fixed = 0; fixed <= 1; fixed++) {
		struct fixture *f = *state;
		struct iommu_iova_range ranges[4];
		uint32_t ioas, dev, first, second;
		int64_t rc;
		int fd, vfio;

		boot(f, fixed);
		fd = t_open(f);
		vfio = t_open_vfio(f, 0);
		ioas = t_ioas_alloc(f, fd);
		dev = (uint32_t)t_bind(f, vfio, fd);
		first = (uint32_t)t_hwpt_alloc(f, fd, 0, dev, ioas);
		second = (uint32_t)t_hwpt_alloc(f, fd, 0, dev, ioas);
		assert_int_equal(t_attach(f, vfio, first), first);
		assert_int_equal(t_ranges(f, fd, ioas, ranges, 4, NULL), 2);
		assert_int_equal(ranges[0].last, 0xfedfffff);
		assert_int_equal(t_attach(f, vfio, second), second);
		assert_int_equal(t_ranges(f, fd, ioas, ranges, 4, NULL), 2);
		assert_int_equal(t_attach(f, vfio, first), first);
		assert_int_equal(ifs_kernel_fail(f->kernel, &no_memory), 0);
		rc = t_attach(f, vfio, second);
		ifs_kernel_fail_nth(f->kernel, 0, false);
		assert_int_equal(rc, -12);
		/* Messages of the device's interrupts lie at 0xfee00000. */
		assert_int_equal(t_ranges(f, fd, ioas, ranges, 4, NULL), fixed ? 2 : 1);
		assert_int_equal(t_detach(f, vfio), 0);
		assert_int_equal(t_ranges(f, fd, ioas, ranges, 4, NULL), 1);
	}
}

/* A program that asks for half of what it mapped would be told that there is nothing. */
static void test_cut_at_the_first_byte(void **state)
{
	for (int fixed = 0; fixed <= 1; fixed++) {
		struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map), .flags = 3,
							.vaddr = 0x10000, .iova = 0x1000,
							.size = 0x2000 };
		struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = 0x1001,
							    .size = 0x1fff };
		struct iommu_vfio_ioas set = { .size = sizeof(set), .op = IOMMU_VFIO_IOAS_SET };
		struct fixture *f = *state;
		int fd;

		boot(f, fixed);
		fd = t_open(f);
		set.ioas_id = t_ioas_alloc(f, fd);
		assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_VFIO_IOAS, &set), 0);
		assert_int_equal(ifs_ioctl(f->process, fd, VFIO_SET_IOMMU, (void *)1), 0);
		assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_MAP_DMA, &map), 0);
		assert_int_equal(ifs_ioctl(f->process, fd, VFIO_IOMMU_UNMAP_DMA, &unmap),
				 fixed ? -22 : -2);
		assert_int_equal(unmap.size, fixed ? 0x1fff : 0);
	}
}

/* A guest would believe that its caches are clean. */
static void test_invalidate_viommu_too_many_at_once(void **state)
{
	for (int fixed = 0; fixed <= 1; fixed++) {
		uint32_t ioas, parent, viommu, nr = 400000;
		struct fixture *f = *state;
		uint8_t byte = 0;
		struct mock mock;
		int fd;

		boot(f, fixed);
		fd = t_open(f);
		ioas = t_ioas_alloc(f, fd);
		assert_int_equal(t_mock(f, fd, ioas, 0, &mock), 0);
		parent = (uint32_t)t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_NEST_PARENT, mock.idev,
						ioas);
		viommu = (uint32_t)t_viommu(f, fd, mock.idev, parent, NULL);
		assert_int_equal(t_invalidate(f, fd, viommu, 0xdeadbeef, &byte, 12, &nr), -12);
		assert_int_equal(nr, fixed ? 0 : 400000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		S(test_get_dirty_bits_beyond_the_range_and_errors),
		S(test_replace_failing_within_an_ioas_and_reserved_regions),
		S(test_cut_at_the_first_byte),
		S(test_invalidate_viommu_too_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
