/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Dirty tracking: what a VMM learns about the pages its devices wrote. */
#include "tests/lib/iommufd/iommufd_test.h"

#define NO_CLEAR IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR

struct tracked {
	int fd, vfio;
	uint32_t ioas, dev, hwpt;
	uint8_t *buffer;
};

/* 16 pages at IOVA 0x100000, written by the first device. */
static struct tracked track(struct fixture *f)
{
	struct tracked t = { .fd = t_open(f), .vfio = t_open_vfio(f, 0),
			    .buffer = t_buffer(0x10000) };

	t.ioas = t_ioas_alloc(f, t.fd);
	t.dev = t_bind(f, t.vfio, t.fd);
	t.hwpt = t_hwpt_alloc(f, t.fd, IOMMU_HWPT_ALLOC_DIRTY_TRACKING, t.dev, t.ioas);
	assert_int_equal(t.hwpt, 3);
	assert_int_equal(t_attach(f, t.vfio, t.hwpt), 3);
	assert_int_equal(t_map(f, t.fd, t.ioas, RD | WR | FIXED, (uintptr_t)t.buffer, 0x10000,
			       0x100000),
			 0x100000);
	return t;
}

static int set_tracking(struct fixture *f, struct tracked *t, uint32_t hwpt, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = { .size = sizeof(cmd), .flags = flags,
						     .hwpt_id = hwpt, .__reserved = 77 };

	return ifs_ioctl(f->process, t->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static int get_dirty(struct fixture *f, struct tracked *t, uint32_t flags, uint64_t iova,
		     uint64_t length, uint64_t page_size, void *data)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = { .size = sizeof(cmd), .hwpt_id = t->hwpt,
						   .flags = flags, .iova = iova, .length = length,
						   .page_size = page_size,
						   .data = (uintptr_t)data };

	return ifs_ioctl(f->process, t->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

static void dma_write(struct fixture *f, uint64_t iova)
{
	assert_int_equal(ifs_device_dma_write(f->devices[0], iova, "dirt", 4, NULL), IFS_DMA_OK);
}

static void test_get_dirty_errors_in_linux_order(void **state)
{
	struct fixture *f = *state;
	struct tracked t = track(f);
	struct iommu_hwpt_get_dirty_bitmap cmd = { .size = sizeof(cmd), .hwpt_id = 9,
						  .__reserved = 1 };
	uint32_t plain = t_hwpt_alloc(f, t.fd, 0, t.dev, t.ioas);
	uint64_t bits = 0;

	assert_int_equal(ifs_ioctl(f->process, t.fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd), -95);
	cmd.__reserved = 0;
	assert_int_equal(ifs_ioctl(f->process, t.fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd), -2);
	assert_int_equal(get_dirty(f, &t, 2, 0, 0, 0, &bits), -95);
	assert_int_equal(get_dirty(f, &t, 0, 0x1000, 0, 0, &bits), -75);
	assert_int_equal(get_dirty(f, &t, 0, 0x1000, MAX64, 0, &bits), -75);
	assert_int_equal(get_dirty(f, &t, 0, 0x800, 0x1000, 0, &bits), -22);
	assert_int_equal(get_dirty(f, &t, 0, 0x1000, 0x1000, 0, &bits), -22);
	assert_int_equal(get_dirty(f, &t, 0, 0x1000, 0x1000, 0x2000, &bits), -22);
	/* No power of two, and accepted. */
	assert_int_equal(get_dirty(f, &t, 0, 0x4000, 0x4000, 3, &bits), 0);
	/* Unmapped, or a bitmap that is not there: silence. */
	assert_int_equal(get_dirty(f, &t, 0, 0, 0x1000, 0x1000, &bits), 0);
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x1000, 0x1000, (void *)8), 0);
	assert_int_equal(get_dirty(f, &t, 0, 0, 0, 0x1000, &bits), 0);
	assert_int_equal(bits, 0);
	t.hwpt = plain;
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x1000, 0x1000, &bits), -95);
	assert_int_equal(set_tracking(f, &t, plain, 1), -95);
	assert_int_equal(set_tracking(f, &t, 9, 2), -95);
	assert_int_equal(set_tracking(f, &t, 9, 1), -2);
	assert_int_equal(set_tracking(f, &t, t.ioas, 1), -2);
	munmap(t.buffer, 0x10000);
}

static void test_get_dirty_reports_written_pages_once(void **state)
{
	struct fixture *f = *state;
	struct tracked t = track(f);
	uint16_t bits = 0;

	dma_write(f, 0x10f000);
	/* Enabling starts from a clean slate. */
	assert_int_equal(set_tracking(f, &t, t.hwpt, 1), 0);
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x10000, 0x1000, &bits), 0);
	assert_int_equal(bits, 0);
	dma_write(f, 0x100000);
	dma_write(f, 0x103ffe);
	dma_write(f, 0x10f000);
	assert_int_equal(get_dirty(f, &t, NO_CLEAR, 0x100000, 0x10000, 0x1000, &bits), 0);
	assert_int_equal(bits, 0x8019);
	/* Bits are added, never taken away. */
	bits = 0x0100;
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x10000, 0x1000, &bits), 0);
	assert_int_equal(bits, 0x8119);
	bits = 0;
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x10000, 0x1000, &bits), 0);
	assert_int_equal(bits, 0);
	/* Written again, although the translation was cached as dirty before. */
	dma_write(f, 0x103000);
	assert_int_equal(get_dirty(f, &t, 0, 0x102000, 0x4000, 0x1000, &bits), 0);
	assert_int_equal(bits, 0x2);
	/* A bit may stand for more than a page. */
	dma_write(f, 0x109000);
	bits = 0;
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x10000, 0x4000, &bits), 0);
	assert_int_equal(bits, 0x4);
	assert_int_equal(set_tracking(f, &t, t.hwpt, 0), 0);
	munmap(t.buffer, 0x10000);
}

/* The walk ends at the first hole; what lies behind it keeps its dirt. */
static void test_get_dirty_stops_at_hole(void **state)
{
	struct fixture *f = *state;
	struct tracked t = track(f);
	uint64_t bits = 0;

	assert_int_equal(t_map(f, t.fd, t.ioas, RD | WR | FIXED, (uintptr_t)t.buffer, 0x1000,
			       0x112000),
			 0x112000);
	assert_int_equal(set_tracking(f, &t, t.hwpt, 1), 0);
	dma_write(f, 0x10f000);
	dma_write(f, 0x112000);
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x20000, 0x1000, &bits), 0);
	assert_true(bits == 1ull << 15);
	bits = 0;
	assert_int_equal(get_dirty(f, &t, 0, 0x112000, 0x1000, 0x1000, &bits), 0);
	assert_int_equal(bits, 1);
	munmap(t.buffer, 0x10000);
}

/*
 * What a large entry says holds for all of it: bits past the range, and past the bitmap's page if
 * it does not begin with one.
 */
static void test_get_dirty_large_entry_sets_bits_past_range(void **state)
{
	struct fixture *f = *state;
	uint8_t *page = t_buffer(0x2000), *bitmap = page + 0x1000 - 16, all[64];
	struct tracked t;
	int memfd;

	/* Memory files in folios of 2 MiB. */
	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	f->kernel_config.memfd_folio_order = 9;
	fixture_boot(f);
	memset(all, 0xff, sizeof(all));
	t = track(f);
	memfd = ifs_memfd_create(f->process, "m", 0);
	assert_int_equal(ifs_ftruncate(f->process, memfd, 4 << 20), 0);
	assert_int_equal(t_map_file(f, t.fd, t.ioas, RD | WR | FIXED, memfd, 0, 4 << 20,
				    0x40000000),
			 0x40000000);
	assert_int_equal(set_tracking(f, &t, t.hwpt, 1), 0);
	dma_write(f, 0x40000000);
	assert_int_equal(get_dirty(f, &t, NO_CLEAR, 0x40000000, 0x1000, 0x1000, bitmap), 0);
	assert_memory_equal(bitmap, all, 64);
	assert_int_equal(bitmap[64], 0);
	memset(page, 0, 0x2000);
	assert_int_equal(get_dirty(f, &t, 0, 0x40000000, 0x1000, 0x1000, page), 0);
	assert_memory_equal(page, all, 64);
	assert_int_equal(page[64], 0);
	munmap(page, 0x2000);
	munmap(t.buffer, 0x10000);
}

/*
 * If this failed, a VMM's second try after a bad bitmap would find pages that a Linux host has
 * forgotten, and hide the bug.
 */
static void test_get_dirty_bitmap_partly_there_loses_the_rest(void **state)
{
	struct fixture *f = *state;
	struct tracked t = track(f);
	uint8_t *pages = mmap(NULL, 0x2000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	uint16_t bits = 0;

	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(set_tracking(f, &t, t.hwpt, 1), 0);
	/* The first page of the bitmap is there, then the second one. */
	for (int i = 0; i < 2; i++) {
		dma_write(f, 0x103000);
		dma_write(f, 0x108000);
		memset(pages, 0, 0x2000);
		assert_int_equal(mprotect(pages + (i ? 0 : 0x1000), 0x1000,
					  i ? PROT_READ : PROT_NONE),
				 0);
		assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x10000, 0x1000, pages + 0xfff), 0);
		assert_int_equal(mprotect(pages, 0x2000, PROT_READ | PROT_WRITE), 0);
		assert_int_equal(pages[0xfff], i ? 0 : 8);
		assert_int_equal(pages[0x1000], i ? 1 : 0);
		assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x10000, 0x1000, &bits), 0);
		assert_int_equal(bits, 0);
	}
	/* With the flag nothing is lost. */
	dma_write(f, 0x103000);
	assert_int_equal(get_dirty(f, &t, NO_CLEAR, 0x100000, 0x10000, 0x1000, (void *)8), 0);
	assert_int_equal(get_dirty(f, &t, 0, 0x100000, 0x10000, 0x1000, &bits), 0);
	assert_int_equal(bits, 8);
	munmap(pages, 0x2000);
	munmap(t.buffer, 0x10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_get_dirty_errors_in_linux_order),
		T(test_get_dirty_reports_written_pages_once),
		T(test_get_dirty_stops_at_hole),
		T(test_get_dirty_bitmap_partly_there_loses_the_rest),
		T(test_get_dirty_large_entry_sets_bits_past_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
