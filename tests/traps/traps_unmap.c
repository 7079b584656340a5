/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Taking away and copying: what a call did before it failed, and whose permission counts. */
#include "traps.h"

/* Areas of one page at @iova, @iova + 1 page and so on; nothing is there. */
static void map_pages(int fd, unsigned nr, uint64_t iova)
{
	for (unsigned i = 0; i < nr; i++)
		t_map(fd, 1, FRW, (void *)0x10000, PG, iova + i * PG);
}

/* Whole areas only, lowest first; those before the one that cannot go are gone. */
static void partial_ranges(struct traps *t)
{
	struct iommu_ioas_unmap cmd = { .size = sizeof(cmd), .ioas_id = 1, .iova = 0x1000,
					.length = 0x3800 };
	int fd = t_open();

	IS(1, t_ioas(fd));
	map_pages(fd, 4, 0x1000);
	/* Three gone, the fourth stays, and nobody is told how many. */
	IS(-ENOENT, io(fd, IOMMU_IOAS_UNMAP, &cmd));
	IS(0x3800, cmd.length);
	IS(-ENOENT, t_unmap(fd, 1, 0x1000, 0x3000));
	IS(0x1000, t_unmap(fd, 1, 0x4000, 0x1000));
	/* Cut off in front: nothing happens. */
	map_pages(fd, 4, 0x1000);
	IS(-ENOENT, t_unmap(fd, 1, 0x1800, 0x3800));
	IS(-ENOENT, t_unmap(fd, 1, 0x1001, 0xfff));
	IS(-ENOENT, t_unmap(fd, 1, 0x1000, 0xfff));
	IS(0x4000, t_unmap(fd, 1, 0x1000, 0x4000));
	/* Holes within, and more than there is around. */
	map_pages(fd, 1, 0x1000);
	map_pages(fd, 1, 0x8000);
	IS(0x2000, t_unmap(fd, 1, 0, 0x100000));
	close(fd);
}

/* One pair of numbers means all, and is content with nothing. */
static void everything(struct traps *t)
{
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(-ENOENT, t_unmap(fd, 9, 0, MAX64));
	IS(0, t_unmap(fd, 1, 0, MAX64));
	IS(-ENOENT, t_unmap(fd, 1, 0, MAX64 - 1));
	IS(-EOVERFLOW, t_unmap(fd, 1, 1, MAX64));
	IS(-EOVERFLOW, t_unmap(fd, 1, MAX64, 1));
	IS(-EOVERFLOW, t_unmap(fd, 1, MAX64 - 1, 3));
	IS(-ENOENT, t_unmap(fd, 1, MAX64 - 1, 2));
	IS(-EINVAL, t_unmap(fd, 1, 0, 0));
	IS(-EINVAL, t_unmap(fd, 1, 0x1000, 0));
	map_pages(fd, 3, 0x1000);
	IS(0x3000, t_unmap(fd, 1, 0, MAX64));
	IS(0, t_unmap(fd, 1, 0, MAX64));
	close(fd);
}

/* Any stretch of what is mapped without a gap; one new area for each old one it touches. */
static void copy_pieces(struct traps *t)
{
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	map_pages(fd, 4, 0x10000);
	map_pages(fd, 1, 0x18000);
	IS(0x5000, t_copy(fd, 2, 1, FRW, 0x20, 0x5000, 0x10010));
	IS(0x6800, t_copy(fd, 2, 1, FRW, 0x2800, 0x6800, 0x10800));
	/* Three areas side by side: half, whole, whole. */
	IS(0x1000, t_unmap(fd, 2, 0x7000, 0x1000));
	IS(0x1800, t_unmap(fd, 2, 0x6800, 0x2800));
	IS(-ENOENT, t_copy(fd, 2, 1, FRW, 0x4001, 0x20000, 0x10000));
	IS(-ENOENT, t_copy(fd, 2, 1, FRW, 0x9000, 0x20000, 0x10000));
	IS(-ENOENT, t_copy(fd, 2, 1, FRW, 1, 0x20000, 0xffff));
	IS(-EINVAL, t_copy(fd, 2, 1, FRW, 0, 0x20000, 0x10000));
	IS(-EOVERFLOW, t_copy(fd, 2, 1, FRW, MAX64 - 1, 0x20000, 0x10000));
	IS(-EOVERFLOW, t_copy(fd, 2, 1, RD, 1, MAX64, 0x10000));
	IS(-EOVERFLOW, t_copy(fd, 2, 1, RD, 1, 0, MAX64));
	IS(-EOVERFLOW, t_copy(fd, 2, 1, RD, MAX64, 0, 0));
	IS(-EINVAL, t_copy(fd, 9, 9, FIXED, 1, 0, 0));
	IS(-EOPNOTSUPP, t_copy(fd, 9, 9, 8, MAX64, 0, 0));
	/* The source is read, and done with, before the destination is looked up. */
	IS(-ENOENT, t_copy(fd, 9, 1, FRW, 1, 0, 0x10000));
	IS(-ENOENT, t_copy(fd, 2, 9, FRW, 1, 0, 0x10000));
	IS(-EEXIST, t_copy(fd, 1, 1, FRW, 1, 0x10000, 0x10000));
	IS(0x14000, t_copy(fd, 1, 1, FRW, 0x4000, 0x14000, 0x10000));
	IS(0x20000, t_copy(fd, 2, 1, FRW, 0x8000, 0x20000, 0x10000));
	/* Placed by the address of the first piece. */
	IS(0x1000, t_copy(fd, 2, 1, RD | WR, 0x1000, 0, 0x10000));
	IS(0x2800, t_copy(fd, 2, 1, RD | WR, 0x800, 0, 0x10800));
	close(fd);
}

/* What may be written is up to the MAP that made the pages, not to the area that is copied. */
static void copy_permissions(struct traps *t)
{
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(0x1000, t_map(fd, 1, FIXED | RD, (void *)0x10000, PG, 0x1000));
	IS(0x2000, t_map(fd, 1, FRW, (void *)0x10000, PG, 0x2000));
	IS(0x3000, t_map(fd, 1, FIXED | WR, (void *)0x10000, PG, 0x3000));
	IS(-EPERM, t_copy(fd, 1, 1, FRW, PG, 0x5000, 0x1000));
	IS(-EPERM, t_copy(fd, 1, 1, FIXED | WR, PG, 0x5000, 0x1000));
	IS(0x5000, t_copy(fd, 1, 1, FIXED | RD, PG, 0x5000, 0x2000));
	IS(0x6000, t_copy(fd, 1, 1, FRW, PG, 0x6000, 0x5000));
	IS(0x7000, t_copy(fd, 1, 1, FIXED | RD, PG, 0x7000, 0x3000));
	/* Its place is looked at before the permission. */
	IS(-EEXIST, t_copy(fd, 1, 1, FRW, PG, 0x5000, 0x1000));
	/* Two pieces, of which the second may not be written: none is there. */
	IS(0x20000, t_map(fd, 1, FRW, (void *)0x10000, PG, 0x20000));
	IS(0x21000, t_map(fd, 1, FIXED | RD, (void *)0x10000, PG, 0x21000));
	IS(-EPERM, t_copy(fd, 1, 1, FRW, 2 * PG, 0x30000, 0x20000));
	IS(-ENOENT, t_unmap(fd, 1, 0x30000, 2 * PG));
	close(fd);
}

/* Pages are pinned once, however many areas show them; another MAP of them counts again. */
static void copies_share_pins(struct traps *t)
{
	uint8_t *b = t_buffer(2 * PG, 0x11);
	struct mock mock;
	int fd = t_open(), access;

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(3, t_mock(fd, 1, 0, &mock));
	IS(BASE, t_map(fd, 1, FRW, b, 2 * PG, BASE));
	IS(0, t_check_refs(fd, b, 2 * PG, 1));
	IS(BASE + 0x10000, t_copy(fd, 1, 1, FRW, 2 * PG, BASE + 0x10000, BASE));
	IS(BASE, t_copy(fd, 2, 1, FRW, 2 * PG, BASE, BASE));
	IS(0, t_check_refs(fd, b, 2 * PG, 1));
	access = (int)t_access(fd, 2, 1);
	IS(0, t_pin(fd, access, BASE, PG, 1, b));
	IS(0, t_check_refs(fd, b, 2 * PG, 1));
	IS(BASE + 0x20000, t_map(fd, 1, FRW, b, 2 * PG, BASE + 0x20000));
	IS(0, t_check_refs(fd, b, 2 * PG, 2));
	IS(-EIO, t_check_refs(fd, b, 2 * PG, 1));
	/* The one that was copied goes; the copy keeps the memory. */
	IS(2 * PG, t_unmap(fd, 1, BASE + 0x20000, 2 * PG));
	IS(2 * PG, t_unmap(fd, 1, BASE, 2 * PG));
	IS(0, t_check_refs(fd, b, 2 * PG, 1));
	IS(0, t_check_map(fd, mock.hwpt, BASE + 0x10000, 2 * PG, b));
	IS(2 * PG, t_unmap(fd, 1, BASE + 0x10000, 2 * PG));
	/* Now only what the access pinned. */
	IS(0, t_check_refs(fd, b, PG, 1));
	IS(0, t_check_refs(fd, b + PG, PG, 0));
	IS(0, t_unpin(fd, access, 0));
	IS(0, t_check_refs(fd, b, 2 * PG, 0));
	close(access);
	close(fd);
	munmap(b, 2 * PG);
}

/* Once pinned, memory that the program lost is still what a new domain gets. */
static void pinned_memory_outlives_its_address(struct traps *t)
{
	uint8_t *b = t_buffer(17 * PG, 0x11), *other;   /* with room for a page to move to */
	struct mock mock, second;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(3, t_mock(fd, 1, 0, &mock));
	IS(BASE, t_map(fd, 1, FRW, b, 2 * PG, BASE));
	other = mremap(b, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, b + 16 * PG);
	IS(0, other == MAP_FAILED);
	IS(BASE, t_copy(fd, 2, 1, FRW, 2 * PG, BASE, BASE));
	IS(6, t_mock(fd, 2, 0, &second));
	IS(0, t_check_map(fd, second.hwpt, BASE + PG, PG, b + PG));
	IS(-EFAULT, t_check_map(fd, second.hwpt, BASE, PG, b));
	IS(-EFAULT, t_map(fd, 1, FRW, b, PG, BASE + 8 * PG));
	close(fd);
	munmap(b + PG, 16 * PG);
}

/* More than a few thousand of them; an IOAS has no limit of its own, nor does its end. */
static void many_areas(struct traps *t)
{
	int fd = t_open();
	unsigned failed = 0;

	IS(1, t_ioas(fd));
	for (unsigned i = 0; i < 70000; i++)
		failed += t_map(fd, 1, FRW, (void *)0x10000, 1, 0x10000 + 2 * i) < 0;
	IS(0, failed);
	IS(1, t_unmap(fd, 1, 0x10000, 1));
	IS(-ENOENT, t_unmap(fd, 1, 0x10001, 1));
	IS(69999, t_unmap(fd, 1, 0, MAX64));
	close(fd);
}

int main(void)
{
	struct traps t = { 0 };

	partial_ranges(&t);
	everything(&t);
	copy_pieces(&t);
	copy_permissions(&t);
	copies_share_pins(&t);
	pinned_memory_outlives_its_address(&t);
	many_areas(&t);
	return traps_end(&t, "traps_unmap");
}
