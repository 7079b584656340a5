/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Mapping files and dma-bufs: which files, how much of them, and what is taken back. */
#include "traps.h"

/* The descriptor of a new dma-buf, which 7.3 makes but does not answer with. */
static int dmabuf_new(struct traps *t, int fd, uint32_t length)
{
	struct iommu_test_cmd cmd = { .dmabuf_get.length = length };
	int next = dup(fd);

	close(next);
	IS(0, t_test(fd, IOMMU_TEST_OP_DMABUF_GET, &cmd));
	return next;
}

static int64_t dmabuf_revoke(int fd, int dmabuf, uint32_t revoked)
{
	struct iommu_test_cmd cmd = { .dmabuf_revoke = { dmabuf, revoked } };

	return t_test(fd, IOMMU_TEST_OP_DMABUF_REVOKE, &cmd);
}

/* Without a domain any file will do; with one, only memory. */
static void any_file(struct traps *t)
{
	int fd = t_open(), null = open("/dev/null", O_RDWR), dir = open("/", O_RDONLY), memfd;

	IS(1, t_ioas(fd));
	IS(-EINVAL, t_map_file(fd, 1, FRW, 99, 0, 0, 0));
	IS(-EOVERFLOW, t_map_file(fd, 1, FRW, 99, MAX64, 2, 0));
	IS(-EOVERFLOW, t_map_file(fd, 1, FRW, 99, 0, MAX64, 0));
	IS(-EINVAL, t_map_file(fd, 1, FIXED, 99, 0, PG, 0));
	IS(-EOPNOTSUPP, t_map_file(fd, 9, 8, 99, 0, PG, MAX64));
	IS(-ENOENT, t_map_file(fd, 9, FRW, 99, 0, 0, 0));
	IS(-EBADF, t_map_file(fd, 1, FRW, 99, 0, PG, 0));
	IS(-EBADF, t_map_file(fd, 1, FRW, -1, 0, PG, 0));
	IS(-EBADF, t_map_file(fd, 1, FRW, -100, 0, PG, 0));
	/* The descriptor before the length that cannot be rounded up. */
	IS(-EBADF, t_map_file(fd, 1, FRW, 99, 0, MAX64 - 1, 0));
	IS(-EINVAL, t_map_file(fd, 1, FRW, null, 0, MAX64 - 1, 0));
	IS(BASE, t_map_file(fd, 1, FRW, null, 0, PG, BASE));
	IS(BASE + PG, t_map_file(fd, 1, FRW, dir, 0, PG, BASE + PG));
	IS(BASE + 2 * PG, t_map_file(fd, 1, FIXED | RD, 0, 0, PG, BASE + 2 * PG));
	IS(-EINVAL, t_mock(fd, 1, 0, NULL));
	IS(PG, t_unmap(fd, 1, BASE + 2 * PG, PG));
	IS(-EINVAL, t_mock(fd, 1, 0, NULL));
	IS(2 * PG, t_unmap(fd, 1, BASE, 2 * PG));
	IS(2, t_mock(fd, 1, 0, NULL));
	IS(-EINVAL, t_map_file(fd, 1, FRW, null, 0, PG, BASE));
	IS(-EINVAL, t_map_file(fd, 1, FRW, dir, 0, PG, BASE));
	/* The iommufd is a file as well. */
	IS(-EINVAL, t_map_file(fd, 1, FRW, fd, 0, PG, BASE));
	memfd = t_memfd(PG);
	IS(BASE, t_map_file(fd, 1, FRW, memfd, 0, PG, BASE));
	close(memfd);
	IS(PG, t_unmap(fd, 1, BASE, PG));
	close(null);
	close(dir);
	close(fd);
}

/* Whole pages only, however little of them is mapped. */
static void end_of_file(struct traps *t)
{
	int fd = t_open(), memfd = t_memfd(100);
	struct mock mock;

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, 0, 2048, BASE));
	IS(0, sys(ftruncate(memfd, PG - 1)));
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, 0, 2048, BASE));
	IS(0, sys(ftruncate(memfd, PG)));
	IS(BASE, t_map_file(fd, 1, FRW, memfd, 0, 2048, BASE));
	IS(BASE + 0x800, t_map_file(fd, 1, FRW, memfd, 0x800, 2048, BASE + 0x800));
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, 0x800, PG, BASE + PG));
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, PG, PG, BASE + PG));
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, 0x7ffffffffffff000, PG, BASE + PG));
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, 0x8000000000000000, PG, BASE + PG));
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, 0x801, PG, BASE + PG));
	close(memfd);
	close(fd);
}

/* What is pinned stays, though the file has been cut off; the next one sees the cut. */
static void truncated(struct traps *t)
{
	int fd = t_open(), memfd = t_memfd(4 * PG), access;
	uint8_t out[4] = { 0 }, *shown;
	struct mock mock;

	shown = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	memset(shown, 0x5a, 4 * PG);
	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &mock));
	access = (int)t_access(fd, 1, 0);
	IS(BASE, t_map_file(fd, 1, FRW, memfd, 0, 4 * PG, BASE));
	IS(0, t_check_map(fd, mock.hwpt, BASE, 4 * PG, shown));
	IS(0, t_check_refs(fd, shown, 4 * PG, 1));
	IS(0, sys(ftruncate(memfd, PG)));
	IS(0, t_rw(fd, access, BASE + 2 * PG, 4, 0, out));
	IS(0x5a, out[0]);
	IS(-EINVAL, t_map_file(fd, 1, FRW, memfd, 0, 2 * PG, BASE + 8 * PG));
	IS(BASE + 8 * PG, t_copy(fd, 1, 1, FRW, 4 * PG, BASE + 8 * PG, BASE));
	IS(0, sys(ftruncate(memfd, 4 * PG)));
	/* New pages: not those that are mapped. */
	IS(0, t_check_map(fd, mock.hwpt, BASE, PG, shown));
	IS(-EINVAL, t_check_map(fd, mock.hwpt, BASE + PG, PG, shown + PG));
	IS(0, t_check_refs(fd, shown + PG, PG, 0));
	munmap(shown, 4 * PG);
	close(access);
	close(memfd);
	close(fd);
}

/* How the file was opened does not matter, nor what has been sealed. */
static void modes_and_seals(struct traps *t)
{
	int fd = t_open(), memfd = memfd_create("sealed", MFD_ALLOW_SEALING), ro, access;
	char path[64];
	uint8_t data[4] = { 1, 2, 3, 4 }, *shown;

	IS(0, sys(ftruncate(memfd, 2 * PG)));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	IS(1, t_ioas(fd));
	access = (int)t_access(fd, 1, 0);
	ro = memfd;
	IS(0x1000, t_map_file(fd, 1, FRW, ro, 0, 2 * PG, 0x1000));
	IS(0, sys(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)));
	IS(0x4000, t_map_file(fd, 1, FRW, ro, 0, 2 * PG, 0x4000));
	/* Written past the seal. */
	IS(0, t_rw(fd, access, 0x4000, 4, 1, data));
	shown = mmap(NULL, PG, PROT_READ, MAP_SHARED, memfd, 0);
	IS(4, shown[3]);
	munmap(shown, PG);
	close(access);
	close(memfd);
	close(fd);
}

/* Placement goes by the offset in the file; at its start, by the length. */
static void file_placement(struct traps *t)
{
	int fd = t_open(), memfd = t_memfd(32 * PG);

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, NULL));
	IS(BASE, t_map_file(fd, 1, RD, memfd, 0, PG, 0));
	IS(BASE + 0x4000, t_map_file(fd, 1, RD, memfd, 0, 0x3000, 0));
	IS(BASE + 0x1000, t_map_file(fd, 1, RD, memfd, 0x1000, 0x3000, 0));
	IS(BASE + 0x8000, t_map_file(fd, 1, RD, memfd, 0x8000, 0x8000, 0));
	IS(BASE + 0x7800, t_map_file(fd, 1, RD, memfd, 0x800, 0x800, 0));
	IS(-EINVAL, t_map_file(fd, 1, RD, memfd, 0x400, 0x800, 0));
	close(memfd);
	close(fd);
}

/* A dma-buf is looked at when it is mapped, domain or not. */
static void dmabuf_errors(struct traps *t)
{
	struct iommu_test_cmd cmd = { .dmabuf_get.length = 0 };
	int fd = t_open(), dmabuf, memfd = t_memfd(PG);

	IS(1, t_ioas(fd));
	IS(-EINVAL, t_test(fd, IOMMU_TEST_OP_DMABUF_GET, &cmd));
	cmd.dmabuf_get.length = 513 * 4096;
	IS(-EINVAL, t_test(fd, IOMMU_TEST_OP_DMABUF_GET, &cmd));
	dmabuf = dmabuf_new(t, fd, 4 * PG - 1);
	IS(-EINVAL, t_map_file(fd, 1, FRW, dmabuf, 0, 0, 0));
	IS(-EINVAL, t_map_file(fd, 1, FRW, dmabuf, 0, 4 * PG + 1, 0x1000));
	IS(-EINVAL, t_map_file(fd, 1, FRW, dmabuf, 4 * PG, 1, 0x1000));
	IS(-EOVERFLOW, t_map_file(fd, 1, FRW, dmabuf, MAX64 - 1, 3, 0x1000));
	IS(-EINVAL, t_map_file(fd, 1, FRW, dmabuf, 0, MAX64 - 1, 0x1000));
	IS(0x1000, t_map_file(fd, 1, FRW, dmabuf, 0, 4 * PG, 0x1000));
	IS(0x8000, t_map_file(fd, 1, FRW, dmabuf, 4 * PG - 1, 1, 0x8000));
	IS(-EBADF, dmabuf_revoke(fd, 99, 1));
	IS(-EINVAL, dmabuf_revoke(fd, memfd, 1));
	IS(0, dmabuf_revoke(fd, dmabuf, 1));
	IS(-ENODEV, t_map_file(fd, 1, FRW, dmabuf, 0, PG, 0x20000));
	IS(-EINVAL, t_map_file(fd, 1, FRW, dmabuf, 0, 5 * PG, 0x20000));
	IS(0, dmabuf_revoke(fd, dmabuf, 0));
	IS(0x20000, t_map_file(fd, 1, FRW, dmabuf, 0, PG, 0x20000));
	close(memfd);
	close(dmabuf);
	close(fd);
}

/* There are no pages behind it: nothing to pin, read, or hand to another process. */
static void dmabuf_has_no_pages(struct traps *t)
{
	struct iommu_ioas_change_process change = { .size = sizeof(change) };
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = 0x11000,
						    .size = PG };
	int fd = t_open(), dmabuf = dmabuf_new(t, fd, 4 * PG), access;
	uint8_t out[4];

	IS(1, t_ioas(fd));
	access = (int)t_access(fd, 1, 1);
	IS(0x1000, t_map_file(fd, 1, FIXED | RD, dmabuf, 0, 4 * PG, 0x1000));
	IS(0x10000, t_map_file(fd, 1, FRW, dmabuf, 0, 4 * PG, 0x10000));
	IS(-EPERM, t_pin(fd, access, 0x1000, PG, 1, NULL));
	IS(-EINVAL, t_pin(fd, access, 0x1000, PG, 0, NULL));
	IS(-EINVAL, t_pin(fd, access, 0x10000, PG, 1, NULL));
	IS(-EINVAL, t_rw(fd, access, 0x1000, 4, 0, out));
	IS(-EPERM, t_rw(fd, access, 0x1000, 4, 1, out));
	IS(-EINVAL, t_rw(fd, access, 0x10000, 4, 1, out));
	IS(-EINVAL, io(fd, IOMMU_IOAS_CHANGE_PROCESS, &change));
	/* Nor can it be cut. */
	IS(1, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, 1));
	IS(0, io(fd, VFIO_SET_IOMMU, (void *)1));
	IS(-EOPNOTSUPP, io(fd, VFIO_IOMMU_UNMAP_DMA, &unmap));
	IS(PG, unmap.size);
	/* But any part of it copied, at any offset. */
	IS(0x30000, t_copy(fd, 1, 1, FRW, 2 * PG, 0x30000, 0x11000));
	IS(-EPERM, t_copy(fd, 1, 1, FRW, 2 * PG, 0x40000, 0x1000));
	close(access);
	close(dmabuf);
	close(fd);
}

/* Taken back, it is gone from every table for good; its areas are there, and may be copied. */
static void dmabuf_revoked(struct traps *t)
{
	int fd = t_open(), dmabuf = dmabuf_new(t, fd, 4 * PG);
	struct mock a, b;

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(3, t_mock(fd, 1, 0, &a));
	IS(BASE, t_map_file(fd, 1, FRW, dmabuf, 0, 4 * PG, BASE));
	IS(0, dmabuf_revoke(fd, dmabuf, 0));
	IS(BASE + 8 * PG, t_copy(fd, 1, 1, FRW, 4 * PG, BASE + 8 * PG, BASE));
	IS(-EEXIST, t_map_file(fd, 1, FRW, dmabuf, 0, PG, BASE));
	IS(BASE + 16 * PG, t_map_file(fd, 1, FRW, dmabuf, 0, PG, BASE + 16 * PG));
	IS(BASE, t_copy(fd, 2, 1, FRW, PG, BASE, BASE));
	IS(6, t_mock(fd, 2, 0, &b));
	IS(9, t_hwpt(fd, 0, a.idev, 1));
	IS(0, dmabuf_revoke(fd, dmabuf, 1));
	IS(0, dmabuf_revoke(fd, dmabuf, 1));
	IS(4 * PG, t_unmap(fd, 1, BASE, 4 * PG));
	IS(PG, t_unmap(fd, 2, BASE, PG));
	IS(0, t_destroy(fd, 3));
	IS(0, t_destroy(fd, 9));
	IS(5 * PG, t_unmap(fd, 1, 0, MAX64));
	/* The file is held by its areas. */
	IS(-ENODEV, t_map_file(fd, 1, FRW, dmabuf, 0, PG, BASE));
	close(dmabuf);
	close(fd);
}

int main(void)
{
	struct traps t = { 0 };

	any_file(&t);
	end_of_file(&t);
	truncated(&t);
	modes_and_seals(&t);
	file_placement(&t);
	dmabuf_errors(&t);
	dmabuf_has_no_pages(&t);
	dmabuf_revoked(&t);
	return traps_end(&t, "traps_file");
}
