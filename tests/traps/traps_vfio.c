/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The container ioctls: what VFIO did before iommufd, on /dev/iommu. */
#include "traps.h"

#define V_ALL VFIO_DMA_UNMAP_FLAG_ALL

static int64_t v_map(int fd, uint32_t flags, const void *va, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_map cmd = { .argsz = sizeof(cmd), .flags = flags,
						.vaddr = (uintptr_t)va, .iova = iova,
						.size = size };

	return io(fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

/* *@left: the size that is in the structure afterwards. */
static int64_t v_unmap(int fd, uint32_t flags, uint64_t iova, uint64_t size, uint64_t *left)
{
	struct vfio_iommu_type1_dma_unmap cmd = { .argsz = sizeof(cmd), .flags = flags,
						  .iova = iova, .size = size };
	int64_t rc = io(fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	*left = cmd.size;
	return rc;
}

static int64_t v_set(int fd, unsigned long type)
{
	return io(fd, VFIO_SET_IOMMU, (void *)type);
}

static int64_t v_has(int fd, unsigned long extension)
{
	return io(fd, VFIO_CHECK_EXTENSION, (void *)extension);
}

/* A context with a compat IOAS, id 1. */
static int v_open(void)
{
	int fd = t_open();

	t_ioas(fd);
	t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, 1);
	return fd;
}

/* The order of complaints: memory, size and flags, then the IOAS, then the rest. */
static void errors(struct traps *t)
{
	static const int yes[] = { 0, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0 };
	struct vfio_iommu_type1_dma_map map = { .argsz = 31 };
	uint64_t left;
	int fd = t_open();

	IS(0, io(fd, VFIO_GET_API_VERSION, NOWHERE));
	IS(-ENODEV, v_has(fd, 4));
	IS(1, v_has(fd, 1));
	IS(-EINVAL, v_set(fd, 2));
	IS(-EINVAL, v_set(fd, 8));
	IS(-ENODEV, v_set(fd, 1));
	IS(-ENODEV, v_set(fd, 3));
	for (unsigned cmd = 0x3b67; cmd <= 0x3b7f; cmd++)
		if (cmd < 0x3b70 || cmd > 0x3b72)
			IS(-ENOTTY, io(fd, cmd, NOWHERE));
	IS(-EFAULT, io(fd, VFIO_IOMMU_MAP_DMA, NOWHERE));
	IS(-EINVAL, io(fd, VFIO_IOMMU_MAP_DMA, &map));
	IS(-EINVAL, v_map(fd, 4, NULL, 0, PG));
	IS(-ENODEV, v_map(fd, 3, NULL, 0, 0));
	IS(-EFAULT, io(fd, VFIO_IOMMU_UNMAP_DMA, NOWHERE));
	IS(-EINVAL, v_unmap(fd, 1, 0, PG, &left));
	IS(-EINVAL, v_unmap(fd, 4, 0, PG, &left));
	IS(-ENODEV, v_unmap(fd, V_ALL, 1, PG, &left));
	IS(PG, left);
	IS(-EFAULT, io(fd, VFIO_IOMMU_GET_INFO, NOWHERE));
	close(fd);

	fd = v_open();
	for (unsigned i = 0; i < 12; i++)
		IS(yes[i], v_has(fd, i));
	IS(0, v_has(fd, 1ul << 32 | 1));
	IS(2, t_mock(fd, 1, 0, NULL));
	/* A mock domain does not enforce coherency. */
	IS(0, v_has(fd, 4));
	IS(-EINVAL, v_map(fd, 3, NULL, 0, 0));
	IS(-EINVAL, v_map(fd, 3, NULL, 0, PG));
	IS(-EFAULT, v_map(fd, 3, NULL, BASE, PG));
	IS(-EINVAL, v_map(fd, 3, NULL, MAX64, PG));
	IS(-EOVERFLOW, v_map(fd, 3, (void *)-1, MAX64, PG));
	IS(-EINVAL, v_unmap(fd, V_ALL, 0, 1, &left));
	IS(1, left);
	IS(-EINVAL, v_unmap(fd, V_ALL, 1, 0, &left));
	IS(0, v_unmap(fd, V_ALL, 0, 0, &left));
	IS(-EINVAL, v_unmap(fd, 0, BASE, 0, &left));
	IS(-EOVERFLOW, v_unmap(fd, 0, MAX64 - 1, 3, &left));
	close(fd);
}

/* Neither reading nor writing is allowed: fine until a page table has to say so. */
static void no_permission(struct traps *t)
{
	uint8_t *b = t_buffer(PG, 0);
	uint64_t left;
	int fd = v_open();

	IS(0, v_map(fd, 0, b, BASE, PG));
	IS(-EINVAL, t_mock(fd, 1, 0, NULL));
	IS(0, v_unmap(fd, 0, BASE, PG, &left));
	IS(PG, left);
	close(fd);
	munmap(b, PG);
}

/* An empty range is fine, half of one is not, and what is gone is told. */
static void unmap_v2(struct traps *t)
{
	uint64_t left;
	int fd = v_open();

	IS(0, v_set(fd, 3));
	IS(0, v_unmap(fd, 0, 0x1000, 0x1000, &left));
	IS(0, left);
	for (unsigned i = 0; i < 4; i++)
		IS(0, v_map(fd, 3, (void *)0x10000, 0x1000 + i * 0x1000, 0x1000));
	IS(-ENOENT, v_unmap(fd, 0, 0x1000, 0x3800, &left));
	IS(0x3000, left);
	IS(0, v_unmap(fd, V_ALL, 0, 0, &left));
	IS(0x1000, left);
	IS(0, v_unmap(fd, V_ALL, 0, 0, &left));
	IS(0, left);
	close(fd);
}

/* Type 1 cuts areas first; a cut that fails tells nothing, and what was cut stays so. */
static void unmap_v1(struct traps *t)
{
	uint8_t *b = t_buffer(8 * PG, 0x22);
	struct mock mock;
	uint64_t left;
	int fd = v_open();

	IS(2, t_mock(fd, 1, 0, &mock));
	IS(0, v_set(fd, 1));
	IS(0, v_set(fd, 1));
	IS(4096, t_alignment(fd, 1));
	IS(0, v_map(fd, 3, b, BASE, 8 * PG));
	/* A cut behind the first byte counts as made: then the unmap finds half an area. */
	IS(-ENOENT, v_unmap(fd, 0, BASE + 1, 8 * PG - 1, &left));
	IS(0, left);
	IS(-EINVAL, v_unmap(fd, 0, BASE + 2, 8 * PG - 2, &left));
	IS(8 * PG - 2, left);
	IS(-EINVAL, v_unmap(fd, 0, BASE + PG, 0x800, &left));
	IS(0x800, left);
	IS(-EINVAL, v_unmap(fd, 0, BASE + 0x800, 0x1800, &left));
	/* The first cut, at the upper end, was made. */
	IS(0, v_unmap(fd, 0, BASE + 2 * PG, 6 * PG, &left));
	IS(6 * PG, left);
	IS(0, t_check_refs(fd, b, 2 * PG, 1));
	IS(0, t_check_refs(fd, b + 2 * PG, 6 * PG, 0));
	IS(0, t_check_map(fd, mock.hwpt, BASE, 2 * PG, b));
	IS(0, v_map(fd, 3, b + 2 * PG, BASE + 2 * PG, 6 * PG));
	IS(0, v_unmap(fd, 0, BASE + PG, 2 * PG, &left));
	IS(2 * PG, left);
	IS(0, v_unmap(fd, 0, BASE + PG, 2 * PG, &left));
	IS(0, left);
	IS(0, t_check_map(fd, mock.hwpt, BASE, PG, b));
	IS(0, t_check_map(fd, mock.hwpt, BASE + 3 * PG, 5 * PG, b + 3 * PG));
	IS(-EINVAL, t_check_map(fd, mock.hwpt, BASE + PG, PG, b + PG));
	/* Wider than what there is. */
	IS(0, v_unmap(fd, 0, 0, BASE + 16 * PG, &left));
	IS(6 * PG, left);
	IS(0, t_check_refs(fd, b, 8 * PG, 0));
	close(fd);
	munmap(b, 8 * PG);
}

/* Large pages cannot be cut: type 1 comes before the first mapping, or not at all. */
static void type1_too_late(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0);
	uint64_t left;
	int fd = v_open();

	/* Without a domain there is nothing in any table yet. */
	IS(0, v_map(fd, 3, b, BASE, 4 * PG));
	IS(0, v_set(fd, 1));
	IS(0, v_unmap(fd, 0, BASE + PG, PG, &left));
	IS(PG, left);
	IS(0, v_unmap(fd, V_ALL, 0, 0, &left));
	IS(3 * PG, left);
	IS(1, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 1));
	IS(2, t_mock(fd, 1, 0, NULL));
	IS(0, v_map(fd, 3, b, BASE, 4 * PG));
	IS(-EINVAL, v_set(fd, 1));
	IS(0, v_set(fd, 3));
	IS(-ENOENT, v_unmap(fd, 0, BASE + PG, PG, &left));
	IS(0, left);
	/* Enabled again with areas there: a cut would have to split large pages. */
	IS(0, v_unmap(fd, V_ALL, 0, 0, &left));
	IS(0, v_set(fd, 1));
	IS(0, v_map(fd, 3, b, BASE, 4 * PG));
	IS(1, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 1));
	IS(-ENOENT, v_unmap(fd, 0, BASE + PG, PG, &left));
	IS(-EINVAL, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 0));
	close(fd);
	munmap(b, 4 * PG);
}

/* What a driver has pinned is not cut. */
static void cut_of_pinned(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0);
	uint64_t left;
	int fd = v_open(), access;

	IS(0, v_set(fd, 1));
	access = (int)t_access(fd, 1, 1);
	IS(0, v_map(fd, 3, b, BASE, 4 * PG));
	IS(0, t_pin(fd, access, BASE, PG, 0, b));
	IS(-EINVAL, v_unmap(fd, 0, BASE + PG, PG, &left));
	IS(PG, left);
	/* All of it goes: its user is asked. */
	IS(0, v_unmap(fd, 0, BASE, 4 * PG, &left));
	IS(4 * PG, left);
	IS(-ENOENT, t_unpin(fd, access, 0));
	close(access);
	close(fd);
	munmap(b, 4 * PG);
}

/* Old VFIO allowed 65,535 mappings; here there is no such limit, and the number says so. */
static void dma_avail(struct traps *t)
{
	struct {
		struct vfio_iommu_type1_info info;
		struct vfio_iommu_type1_info_dma_avail avail;
		uint32_t pad;
		struct vfio_iommu_type1_info_cap_iova_range iova;
		struct vfio_iova_range ranges[2];
	} all = { .info.argsz = sizeof(all) };
	uint64_t left, failed = 0;
	int fd = v_open();

	IS(0, v_set(fd, 1));
	for (uint64_t i = 0; i < 65540; i++)
		failed += v_map(fd, 3, (void *)0x10000, PG * (i + 1), PG) != 0;
	IS(0, failed);
	IS(0, io(fd, VFIO_IOMMU_GET_INFO, &all));
	IS(24 + 16 + 32, all.info.argsz);
	IS(3, all.info.flags);
	IS(24, all.info.cap_offset);
	IS(0xfffffffffffff000, all.info.iova_pgsizes);
	IS(3, all.avail.header.id);
	IS(1, all.avail.header.version);
	IS(0x28, all.avail.header.next);
	IS(0xffffffff, all.avail.avail);
	IS(1, all.iova.header.id);
	IS(0, all.iova.header.next);
	IS(1, all.iova.nr_iovas);
	IS(0, all.ranges[0].start);
	IS(MAX64, all.ranges[0].end);
	IS(0, v_unmap(fd, V_ALL, 0, 0, &left));
	IS(65540 * PG, left);
	/* One mapping, cut into as many. */
	IS(0, v_map(fd, 3, (void *)0x10000, 0, 131080 * PG));
	for (uint64_t i = 1; i < 131080; i += 2)
		failed += v_unmap(fd, 0, i * PG, PG, &left) != 0;
	IS(0, failed);
	IS(0, v_unmap(fd, V_ALL, 0, 0, &left));
	IS(65540 * PG, left);
	close(fd);
}

/* Page sizes: what all domains have, no smaller than a page, and no less than the alignment. */
static void page_sizes(struct traps *t)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	struct mock mock;
	int fd = v_open();

	IS(0, io(fd, VFIO_IOMMU_GET_INFO, &info));
	IS(0xfffffffffffff000, info.iova_pgsizes);
	IS(0, info.cap_offset);
	IS(2, t_mock(fd, 1, 0, &mock));
	info.argsz = sizeof(info);
	IS(0, io(fd, VFIO_IOMMU_GET_INFO, &info));
	IS(0x1ffffff000, info.iova_pgsizes);
	/* The end of a structure that was smaller once. */
	info = (struct vfio_iommu_type1_info){ .argsz = 16, .cap_offset = 7 };
	IS(0, io(fd, VFIO_IOMMU_GET_INFO, &info));
	IS(72, info.argsz);
	IS(7, info.cap_offset);
	info.argsz = 15;
	IS(-EINVAL, io(fd, VFIO_IOMMU_GET_INFO, &info));
	close(fd);
}

int main(void)
{
	struct traps t = { 0 };

	errors(&t);
	no_permission(&t);
	unmap_v2(&t);
	unmap_v1(&t);
	type1_too_late(&t);
	cut_of_pinned(&t);
	dma_avail(&t);
	page_sizes(&t);
	return traps_end(&t, "traps_vfio");
}
