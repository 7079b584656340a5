/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Dirty tracking: which bits are told, and what is silently not. */
#include "traps.h"

#define TRACK IOMMU_HWPT_ALLOC_DIRTY_TRACKING
#define NO_CLEAR IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR

static int64_t set_tracking(int fd, uint32_t hwpt, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = { .size = sizeof(cmd), .flags = flags,
						     .hwpt_id = hwpt };

	return io(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static int64_t get_dirty(int fd, uint32_t hwpt, uint32_t flags, uint64_t iova, uint64_t length,
			 uint64_t page_size, void *data)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = { .size = sizeof(cmd), .hwpt_id = hwpt,
						   .flags = flags, .iova = iova, .length = length,
						   .page_size = page_size,
						   .data = (uintptr_t)data };

	return io(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

/* Dirties by @bits: the count that is answered, or -errno. */
static int64_t make_dirty(int fd, uint32_t hwpt, uint64_t iova, uint64_t length,
			  uint64_t page_size, const void *bits)
{
	struct iommu_test_cmd cmd = { .id = hwpt,
				      .dirty = { .iova = iova, .length = length,
						 .page_size = page_size,
						 .uptr = (uintptr_t)bits } };
	int64_t rc = t_test(fd, IOMMU_TEST_OP_DIRTY, &cmd);

	return rc ? rc : (int64_t)cmd.dirty.out_nr_dirty;
}

/* A context with IOAS 1, device 2, HWPT 5 that tracks. */
static int d_open(struct traps *t, struct mock *mock)
{
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, mock));
	IS(5, t_hwpt(fd, TRACK, mock->idev, 1));
	IS(5, t_mock_replace(fd, 2, 5));
	return fd;
}

/* Which mistake is found first; and that most are found by nobody. */
static void errors(struct traps *t)
{
	struct mock mock;
	int fd = d_open(t, &mock);
	uint64_t bits = 0;

	IS(-EOPNOTSUPP, set_tracking(fd, 99, 2));
	IS(-ENOENT, set_tracking(fd, 99, 1));
	IS(-ENOENT, set_tracking(fd, 1, 1));
	IS(0, set_tracking(fd, 5, 0));
	IS(0, set_tracking(fd, 5, 1));
	IS(0, set_tracking(fd, 5, 1));
	IS(4, t_hwpt(fd, 0, mock.idev, 1));
	IS(-EOPNOTSUPP, set_tracking(fd, 4, 1));
	IS(-EOPNOTSUPP, get_dirty(fd, 99, 2, 0, 0, 0, NULL));
	IS(-ENOENT, get_dirty(fd, 99, 0, 0, 0, 0, NULL));
	IS(-EOVERFLOW, get_dirty(fd, 5, 0, BASE, 0, 0, NULL));
	IS(-EOVERFLOW, get_dirty(fd, 5, 0, BASE, MAX64, 2048, NULL));
	IS(-EINVAL, get_dirty(fd, 5, 0, BASE + 1, 2048, 2048, &bits));
	IS(-EINVAL, get_dirty(fd, 5, 0, BASE, 2049, 2048, &bits));
	IS(-EINVAL, get_dirty(fd, 5, 0, BASE, 2048, 0, &bits));
	IS(-EINVAL, get_dirty(fd, 5, 0, BASE + 2048, 2048, 4096, &bits));
	IS(-EINVAL, get_dirty(fd, 4, 0, BASE, 2048, 4096, &bits));
	IS(-EOPNOTSUPP, get_dirty(fd, 4, 0, BASE, 2048, 2048, &bits));
	/* Nothing mapped, no such bitmap, a size that is no power of two: all fine. */
	IS(0, get_dirty(fd, 5, 0, BASE, 4096, 2048, NOWHERE));
	IS(0, get_dirty(fd, 5, 0, BASE, 4096, 3, &bits));
	IS(0, get_dirty(fd, 5, 0, BASE, 4096, 1, NULL));
	IS(0, get_dirty(fd, 5, 0, 0, 0, 2048, &bits));
	IS(0, bits);
	close(fd);
}

/* The test's own way to make pages dirty. */
static void dirty_op(struct traps *t)
{
	struct mock mock;
	int fd = d_open(t, &mock);
	uint8_t *b = t_buffer(2 * PG, 0);
	uint64_t bits = 0xff;

	IS(BASE, t_map(fd, 1, FRW, b, PG, BASE));
	IS(-EINVAL, make_dirty(fd, 5, BASE, PG, 2048, &bits));
	IS(0, set_tracking(fd, 5, 1));
	IS(-EINVAL, make_dirty(fd, 99, BASE, 0, 2048, &bits));
	IS(-EINVAL, make_dirty(fd, 99, BASE, PG, 0, &bits));
	IS(-EINVAL, make_dirty(fd, 99, BASE + 1, PG, 2048, &bits));
	IS(-EINVAL, make_dirty(fd, 99, BASE, PG, 2048, NULL));
	IS(-EOVERFLOW, make_dirty(fd, 99, BASE, (1ull << 27) + 1, 1, &bits));
	IS(-ENOENT, make_dirty(fd, 99, BASE, PG, 2048, &bits));
	IS(-EFAULT, make_dirty(fd, 5, BASE, PG, 2048, NOWHERE));
	/* What is not mapped is counted, too. */
	IS(8, make_dirty(fd, 5, BASE, 4 * PG, 2048, &bits));
	IS(2, make_dirty(fd, 5, BASE, PG, 2048, &bits));
	close(fd);
	munmap(b, 2 * PG);
}

/* Of an entry that takes several slots of the table the last is never told. */
static void last_item_is_lost(struct traps *t)
{
	static const struct {
		uint64_t length, bytes;
	} entries[] = { { 2048, 2048 }, { 4096, 2048 } };
	struct mock mock;
	int fd = d_open(t, &mock);
	uint8_t *b = t_buffer(PG, 0);
	uint64_t bits, one = 1;

	IS(0, set_tracking(fd, 5, 1));
	for (unsigned i = 0; i < 2; i++) {
		IS(BASE, t_map(fd, 1, FRW, b, entries[i].length, BASE));
		IS(1, make_dirty(fd, 5, BASE, 2048, 2048, &one));
		bits = 0;
		IS(0, get_dirty(fd, 5, NO_CLEAR, BASE, entries[i].length, 2048, &bits));
		IS(1, bits);
		/* By the last of them it is dirty as well. */
		IS(0, get_dirty(fd, 5, 0, BASE, entries[i].length, 2048, &bits));
		bits = 0;
		IS(0, get_dirty(fd, 5, 0, BASE, entries[i].length, 2048, &bits));
		IS(0, bits);
		IS(entries[i].length, t_unmap(fd, 1, BASE, entries[i].length));
	}
	IS(BASE, t_map(fd, 1, FRW, b, 4096, BASE));
	bits = 2;
	IS(1, make_dirty(fd, 5, BASE, 4096, 2048, &bits));
	bits = 0;
	IS(0, get_dirty(fd, 5, 0, BASE, 4096, 2048, &bits));
	IS(1, bits);
	close(fd);
	munmap(b, PG);
}

/* Bits are only ever added, from iova on; no further than the first hole. */
static void bits_are_added(struct traps *t)
{
	struct mock mock;
	int fd = d_open(t, &mock);
	uint8_t *b = t_buffer(8 * PG, 0);
	uint64_t all = MAX64, bits;

	IS(0, set_tracking(fd, 5, 1));
	for (unsigned i = 0; i < 4; i++)
		if (i != 2)
			IS(BASE + i * PG, t_map(fd, 1, FRW, b + i * PG, PG, BASE + i * PG));
	IS(8, make_dirty(fd, 5, BASE, 4 * PG, 2048, &all));
	bits = 1ull << 63;
	IS(0, get_dirty(fd, 5, NO_CLEAR, BASE, 4 * PG, 2048, &bits));
	IS(1ull << 63 | 0x05, bits);
	bits = 0;
	IS(0, get_dirty(fd, 5, NO_CLEAR, BASE + PG, 3 * PG, 2048, &bits));
	IS(0x01, bits);
	bits = 0;
	IS(0, get_dirty(fd, 5, NO_CLEAR, BASE + 3 * PG, PG, 4096, &bits));
	IS(0x01, bits);
	/* Coarser than the pages. */
	bits = 0;
	IS(0, get_dirty(fd, 5, 0, BASE, 2 * PG, 2 * PG, &bits));
	IS(0x01, bits);
	/* What lay behind the hole was not cleaned with the rest. */
	bits = 0;
	IS(0, get_dirty(fd, 5, 0, BASE, 4 * PG, 2048, &bits));
	IS(0, bits);
	IS(0, get_dirty(fd, 5, 0, BASE + 3 * PG, PG, 2048, &bits));
	IS(1, bits);
	/* Reading works without tracking; switching it on again cleans first. */
	IS(2, make_dirty(fd, 5, BASE, PG, 2048, &all));
	IS(0, set_tracking(fd, 5, 0));
	bits = 0;
	IS(0, get_dirty(fd, 5, NO_CLEAR, BASE, PG, 2048, &bits));
	IS(1, bits);
	IS(0, set_tracking(fd, 5, 1));
	bits = 0;
	IS(0, get_dirty(fd, 5, 0, BASE, PG, 2048, &bits));
	IS(0, bits);
	close(fd);
	munmap(b, 8 * PG);
}

/* An odd size is as good as its lowest bit, once the range is a multiple of it. */
static void odd_page_sizes(struct traps *t)
{
	struct mock mock;
	int fd = d_open(t, &mock);
	uint8_t *b = t_buffer(PG, 0);
	uint8_t *bits = t_buffer(2 * PG, 0);
	uint64_t all = MAX64;

	IS(0, set_tracking(fd, 5, 1));
	IS(BASE, t_map(fd, 1, FRW, b, 2048, BASE));
	IS(1, make_dirty(fd, 5, BASE, 2048, 2048, &all));
	/* 3: one bit for each byte. */
	IS(0, get_dirty(fd, 5, NO_CLEAR, BASE, 2048, 3, bits));
	IS(0xff, bits[0]);
	IS(0xff, bits[255]);
	IS(0, bits[256]);
	/* Anywhere in memory. */
	memset(bits, 0, 2 * PG);
	IS(0, get_dirty(fd, 5, NO_CLEAR, BASE, 2048, 2048, bits + PG - 1));
	IS(1, bits[PG - 1]);
	IS(0, bits[PG]);
	IS(0, get_dirty(fd, 5, NO_CLEAR, BASE, 2048, 256, bits + 3));
	IS(0xff, bits[3]);
	close(fd);
	munmap(b, PG);
	munmap(bits, 2 * PG);
}

int main(void)
{
	struct traps t = { 0 };

	errors(&t);
	dirty_op(&t);
	last_item_is_lost(&t);
	bits_are_added(&t);
	odd_page_sizes(&t);
	return traps_end(&t, "traps_dirty");
}
