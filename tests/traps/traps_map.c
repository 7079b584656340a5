/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Where things may be mapped: placement, alignment, what is reserved and what is allowed. */
#include "traps.h"

/* MAP looks at the IOVA even if it need not; and an end of exactly 2^64 is none. */
static void checked_before_the_ioas(struct traps *t)
{
	int fd = t_open();
	uint8_t *b = t_buffer(PG, 0);

	IS(1, t_ioas(fd));
	IS(-EOPNOTSUPP, t_map(fd, 1, 8, b, PG, MAX64));
	IS(-EOVERFLOW, t_map(fd, 9, RD, b, PG, MAX64));
	IS(-EOVERFLOW, t_map(fd, 9, 0, b, MAX64, 0));
	IS(-EINVAL, t_map(fd, 9, 0, b, PG, 0));
	IS(-EINVAL, t_map(fd, 9, FIXED, b, PG, 0));
	IS(-ENOENT, t_map(fd, 9, RD, b, PG, 0));
	IS(-EOVERFLOW, t_map(fd, 1, RD, (void *)-PG, PG, 0));
	IS(-EOVERFLOW, t_map(fd, 1, RD, (void *)-1, 1, 0));
	IS(0x1fff, t_map(fd, 1, RD, (void *)(-PG - 1), PG, 0));
	IS(-EINVAL, t_map(fd, 1, RD, b, 0, 0));
	IS(-EOVERFLOW, t_map(fd, 1, RD, (void *)MAX64, 0, MAX64));
	/* A length that leaves no room to round up to pages. */
	IS(-EINVAL, t_map(fd, 1, RD, 0, MAX64 - PG + 1, 0));
	IS(-EOVERFLOW, t_map(fd, 1, RD, 0, MAX64 - PG, 0));
	close(fd);
	munmap(b, PG);
}

/* IOVA 0 and the last page can be asked for; they are never given out. */
static void ends_of_the_space(struct traps *t)
{
	struct iommu_iova_range all = { 0, MAX64 };
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(0, t_map(fd, 1, FRW, (void *)0x1000, 1, 0));
	IS(-EEXIST, t_map(fd, 1, FRW, (void *)0x1000, PG, 0));
	IS(1, t_map(fd, 1, FRW, (void *)0x1000, PG - 1, 1));
	IS(-EINVAL, t_map(fd, 1, FRW, (void *)0x1000, 0, 0));
	IS(-2, t_map(fd, 1, FRW, (void *)0x1000, 1, MAX64 - 1));
	IS(-EOVERFLOW, t_map(fd, 1, FRW, (void *)0x1000, 3, MAX64 - 1));
	/* Two bytes: the very last one, too. */
	IS(-EEXIST, t_map(fd, 1, FRW, (void *)0x1000, 2, MAX64 - 1));
	IS(1, t_unmap(fd, 1, MAX64 - 1, 1));
	IS(-2, t_map(fd, 1, FRW, (void *)0x1000, 2, MAX64 - 1));
	/* Allowed or not. */
	IS(0, t_allow(fd, 1, &all, 1));
	IS(0x1000, t_map_auto(fd, 1, 0x1000, PG));
	IS(0, t_allow_one(fd, 1, 0, 0xfff));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x1000, PG));
	IS(0, t_allow_one(fd, 1, MAX64 - 0xfff, MAX64));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x1000, PG));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x1000, 1));
	/* The last byte that is given out: one below the top page. */
	IS(0, t_allow_one(fd, 1, MAX64 - 0x1fff, MAX64));
	IS(-0x2000, t_map_auto(fd, 1, 0x1000, PG - 1));
	IS(PG - 1, t_unmap(fd, 1, -0x2000ull, PG - 1));
	IS(-0x2000, t_map_auto(fd, 1, 0x1000, PG));
	close(fd);
}

/* Aligned as address and length are, then the address's page offset is put in by an OR. */
static void automatic_placement(struct traps *t)
{
	int fd = t_open();

	IS(1, t_ioas(fd));
	/* Half of the space and more is refused; less is a question of room. */
	IS(-EOVERFLOW, t_map_auto(fd, 1, 0x1000, 0x7fffffffffffffff));
	IS(0x200000, t_map_auto(fd, 1, 0, 0x7ffffffffffffffe));
	IS(-EINVAL, t_unmap(fd, 1, 0, 0));
	IS(0x7ffffffffffffffe, t_unmap(fd, 1, 0, MAX64));
	IS(0x1000, t_map_auto(fd, 1, 0x80000000, 0x1000));
	IS(0x4000, t_map_auto(fd, 1, 0x80000000, 0x3000));
	IS(0x200000, t_map_auto(fd, 1, 0x80000000, 0x200001));
	IS(0x600000, t_map_auto(fd, 1, 0x80000000, 0x400000));
	IS(0x2800, t_map_auto(fd, 1, 0x80000800, 0x800));
	IS(0x3801, t_map_auto(fd, 1, 0x80000801, 1));
	IS(0x7fff, t_map_auto(fd, 1, 0x80000fff, 1));
	close(fd);
}

/* A hole of one byte holds nothing, not even one byte. */
static void one_byte_hole(struct traps *t)
{
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(0, t_reserve(fd, 1, 0, 0x5000));
	IS(0, t_reserve(fd, 1, 0x5001, MAX64 - 0x5000));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x1000, 1));
	/* Asked for, it can be had. */
	IS(0x5000, t_map(fd, 1, FRW, (void *)0x1000, 1, 0x5000));
	close(fd);

	fd = t_open();
	IS(1, t_ioas(fd));
	IS(0, t_reserve(fd, 1, 0, 0x5000));
	IS(0, t_reserve(fd, 1, 0x5002, MAX64 - 0x5001));
	/* Of two bytes the first can be had; the second is the last of its hole. */
	IS(0x5000, t_map_auto(fd, 1, 0x1000, 1));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x1000, 1));
	IS(1, t_unmap(fd, 1, 0x5000, 1));
	IS(0x5000, t_map_auto(fd, 1, 0x1000, 2));
	close(fd);
}

/* Each failure of automatic placement leaves no trace: the reserved end of the space wraps. */
static void reserved_up_to_the_end(struct traps *t)
{
	struct iommu_iova_range ranges[4];
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(-EINVAL, t_reserve(fd, 1, 6, 0));
	IS(-EOVERFLOW, t_reserve(fd, 9, 6, MAX64));
	IS(-ENOENT, t_reserve(fd, 9, 6, 1));
	IS(0, t_reserve(fd, 1, 6, 0xffffffffffff8001));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x80000000, 0x5000));
	IS(2, t_ranges(fd, 1, ranges, 4, NULL));
	IS(0, ranges[0].start);
	IS(5, ranges[0].last);
	IS(0xffffffffffff8007, ranges[1].start);
	IS(MAX64, ranges[1].last);
	/* Twice the same, over another, beside one: they merge. */
	IS(0, t_reserve(fd, 1, 6, 0xffffffffffff8001));
	IS(0, t_reserve(fd, 1, 0x1000, 0x1000));
	IS(0, t_reserve(fd, 1, 5, 1));
	IS(2, t_ranges(fd, 1, ranges, 4, NULL));
	IS(4, ranges[0].last);
	IS(0, t_reserve(fd, 1, 0, MAX64));
	IS(0, t_reserve(fd, 1, 1, MAX64));
	IS(-EOVERFLOW, t_reserve(fd, 1, 2, MAX64));
	IS(0, t_reserve(fd, 1, MAX64, 1));
	IS(0, t_ranges(fd, 1, ranges, 4, NULL));
	IS(-EINVAL, t_map(fd, 1, FRW, (void *)0x1000, 1, 3));
	close(fd);
}

/* Reserved is EINVAL, taken is EEXIST; reserved is looked at first. */
static void reserved_wins(struct traps *t)
{
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(0x10000, t_map(fd, 1, FRW, (void *)0x1000, PG, 0x10000));
	IS(-EADDRINUSE, t_reserve(fd, 1, 0x10fff, 1));
	IS(0, t_reserve(fd, 1, 0x11000, PG));
	IS(-EINVAL, t_map(fd, 1, FRW, (void *)0x1000, 2 * PG, 0x10000));
	IS(-EINVAL, t_map(fd, 1, FRW, (void *)0x1000, PG, 0x11000));
	IS(-EEXIST, t_map(fd, 1, FRW, (void *)0x1000, PG - 1, 0x10001));
	IS(0xf000, t_map(fd, 1, FRW, (void *)0x1000, PG, 0xf000));
	IS(0x12000, t_map(fd, 1, FRW, (void *)0x1000, PG, 0x12000));
	close(fd);
}

/* What is allowed binds the kernel, not the program; what is mapped is not asked about. */
static void allowed_list(struct traps *t)
{
	struct iommu_iova_range list[] = { { 0x20000, 0x20fff }, { 0x21000, 0x22fff } };
	struct iommu_iova_range bad[] = { { 0x20000, 0x20fff }, { 0x20fff, 0x22fff } };
	struct iommu_iova_range reverse[] = { { 0x30000, 0x30fff }, { 0x20000, 0x20fff } };
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(-ENOENT, t_allow(fd, 9, NOWHERE, 1));
	IS(-EFAULT, t_allow(fd, 1, NOWHERE, 1));
	IS(-EINVAL, t_allow_one(fd, 1, 5, 5));
	IS(-EINVAL, t_allow_one(fd, 1, 6, 5));
	IS(-EINVAL, t_allow(fd, 1, bad, 2));
	/* Any order is fine, and touching is no overlap. */
	IS(0, t_allow(fd, 1, reverse, 2));
	IS(0x40000, t_map(fd, 1, FRW, (void *)0x1000, PG, 0x40000));
	IS(0, t_allow(fd, 1, list, 2));
	/* Two that touch are one span: this lies across. */
	IS(0x20000, t_map_auto(fd, 1, 0x4000, 0x3000));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x4000, 1));
	IS(-EADDRINUSE, t_reserve(fd, 1, 0x22fff, 1));
	IS(0, t_reserve(fd, 1, 0x23000, 0x1000));
	IS(-EADDRINUSE, t_reserve(fd, 1, 0x20fff, 0x5000));
	/* A list that fails leaves the old one. */
	IS(-EADDRINUSE, t_allow_one(fd, 1, 0x22000, 0x23000));
	IS(-ENOSPC, t_map_auto(fd, 1, 0x1000, PG));
	IS(0x3000, t_unmap(fd, 1, 0x20000, 0x3000));
	IS(0x20000, t_map_auto(fd, 1, 0x4000, PG));
	/* No list: anywhere again. */
	IS(0, t_allow(fd, 1, NOWHERE, 0));
	IS(0x1000, t_map_auto(fd, 1, 0x1000, PG));
	/* A domain cannot come: its aperture is smaller than what is allowed. */
	IS(0x1000, t_unmap(fd, 1, 0x1000, PG));
	IS(0x2000, t_unmap(fd, 1, 0, MAX64));
	IS(0, t_allow_one(fd, 1, BASE - 1, BASE));
	IS(-EADDRINUSE, t_mock(fd, 1, 0, NULL));
	IS(0, t_allow_one(fd, 1, 0x7fffffff, 0x80000000));
	IS(-EADDRINUSE, t_mock(fd, 1, 0, NULL));
	IS(0, t_allow_one(fd, 1, BASE, 0x7fffffff));
	IS(2, t_mock(fd, 1, 0, NULL));
	close(fd);
}

/* IOVA_RANGES fills what room there is, says how many there are, and what alignment, all along. */
static void iova_ranges(struct traps *t)
{
	struct iommu_iova_range ranges[3];
	struct iommu_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = 1, .num_iovas = 1,
					      .allowed_iovas = (uintptr_t)ranges };
	int fd = t_open();

	memset(ranges, 0x55, sizeof(ranges));
	IS(1, t_ioas(fd));
	IS(0, t_reserve(fd, 1, 0x1000, 0x1000));
	IS(-EMSGSIZE, io(fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	IS(2, cmd.num_iovas);
	IS(1, cmd.out_iova_alignment);
	IS(0xfff, ranges[0].last);
	IS(0x5555555555555555, ranges[1].start);
	cmd.__reserved = 1;
	IS(-EOPNOTSUPP, io(fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	/* An element that cannot be written: nothing is said. */
	cmd = (struct iommu_ioas_iova_ranges){ .size = sizeof(cmd), .ioas_id = 1, .num_iovas = 3,
					       .allowed_iovas = 8, .out_iova_alignment = 7 };
	IS(-EFAULT, io(fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	IS(3, cmd.num_iovas);
	IS(7, cmd.out_iova_alignment);
	cmd.num_iovas = 0;
	IS(-EMSGSIZE, io(fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
	IS(2, cmd.num_iovas);
	/* Areas do not show. */
	IS(0x5000, t_map(fd, 1, FRW, (void *)0x1000, PG, 0x5000));
	IS(2, t_ranges(fd, 1, ranges, 3, NULL));
	close(fd);
}

/* Alignment comes with what needs it, and goes with it. */
static void alignment(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0);
	struct mock mock;
	int fd = t_open(), access;

	IS(1, t_ioas(fd));
	IS(1, t_alignment(fd, 1));
	IS(0x10001, t_map(fd, 1, FRW, b, 1, 0x10001));
	IS(-EADDRINUSE, t_access(fd, 1, 1));
	IS(-EADDRINUSE, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 0));
	IS(1, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET, 1, 0));
	IS(-EADDRINUSE, t_mock(fd, 1, 0, &mock));
	IS(1, t_unmap(fd, 1, 0, MAX64));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(2048, t_alignment(fd, 1));
	IS(-EINVAL, t_map(fd, 1, FRW, b, 0x801, BASE));
	IS(-EINVAL, t_map(fd, 1, FRW, b, 0x800, BASE + 1));
	IS(-EINVAL, t_map(fd, 1, FRW, b + 1, 0x800, BASE));
	IS(-EINVAL, t_map(fd, 1, RD, b + 1, 0x800, 0));
	/* Length, then IOVA, then what is there, then the address. */
	IS(-EINVAL, t_map(fd, 1, FRW, b, 0x800, 0));
	IS(BASE, t_map(fd, 1, FRW, b, 0x800, BASE));
	IS(-EEXIST, t_map(fd, 1, FRW, b + 1, 0x800, BASE));
	/* Half a page on half a page of another. */
	IS(BASE + 0x800, t_map(fd, 1, FRW, b + PG, PG, BASE + 0x800));
	IS(0, t_check_map(fd, mock.hwpt, BASE, 0x800, b));
	IS(0, t_check_map(fd, mock.hwpt, BASE + 0x800, PG, b + PG));
	IS(-EADDRINUSE, t_access(fd, 1, 1));
	IS(0x1800, t_unmap(fd, 1, 0, MAX64));
	access = (int)t_access(fd, 1, 1);
	IS(4096, t_alignment(fd, 1));
	IS(-EINVAL, t_map(fd, 1, FRW, b, 0x800, BASE));
	close(access);
	IS(2048, t_alignment(fd, 1));
	/* An access that never pins asks for nothing. */
	access = (int)t_access(fd, 1, 0);
	IS(2048, t_alignment(fd, 1));
	close(access);
	IS(0, t_destroy(fd, mock.stdev));
	IS(1, t_alignment(fd, 1));
	IS(0, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 0));
	IS(4096, t_alignment(fd, 1));
	IS(1, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 1));
	IS(1, t_alignment(fd, 1));
	close(fd);
	munmap(b, 4 * PG);
}

/* Without a domain nobody looks at the memory; with one, whoever comes last is told. */
static void memory_is_looked_at_late(struct traps *t)
{
	uint8_t *b = t_buffer(2 * PG, 0);
	int fd = t_open(), access;
	struct mock mock;

	IS(1, t_ioas(fd));
	IS(BASE, t_map(fd, 1, FRW, NULL, PG, BASE));
	IS(BASE + PG, t_map(fd, 1, FRW, (void *)0x8000000000000000, PG, BASE + PG));
	IS(-EFAULT, t_mock(fd, 1, 0, &mock));
	access = (int)t_access(fd, 1, 1);
	IS(-EFAULT, t_pin(fd, access, BASE, PG, 0, NULL));
	IS(-EFAULT, t_pin(fd, access, BASE + PG, PG, 0, NULL));
	close(access);
	IS(0x2000, t_unmap(fd, 1, 0, MAX64));
	munmap(b + PG, PG);
	IS(BASE, t_map(fd, 1, FRW, b, 2 * PG, BASE));
	IS(-EFAULT, t_mock(fd, 1, 0, &mock));
	IS(0x2000, t_unmap(fd, 1, BASE, 2 * PG));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(-EFAULT, t_map(fd, 1, FRW, b, 2 * PG, BASE));
	/* Nothing is left of it. */
	IS(0, t_check_refs(fd, b, PG, 0));
	IS(BASE, t_map(fd, 1, FRW, b, PG, BASE));
	IS(0, t_check_refs(fd, b, PG, 1));
	/* Read-only memory cannot be mapped to be written, nor memory without any permission. */
	mprotect(b, PG, PROT_READ);
	IS(BASE + PG, t_map(fd, 1, FIXED | RD, b, PG, BASE + PG));
	IS(-EFAULT, t_map(fd, 1, FRW, b, PG, BASE + 2 * PG));
	mprotect(b, PG, PROT_NONE);
	IS(-EFAULT, t_map(fd, 1, FIXED | RD, b, PG, BASE + 2 * PG));
	close(fd);
	munmap(b, PG);
}

/* What a caller whose answer cannot be delivered is left with: MAP stays done. */
static void answers_that_cannot_be_written(struct traps *t)
{
	uint8_t *page = t_buffer(PG, 0), *b = t_buffer(PG, 0);
	struct iommu_ioas_map *map = (void *)page;
	int fd = t_open();

	IS(1, t_ioas(fd));
	*map = (struct iommu_ioas_map){ .size = sizeof(*map), .ioas_id = 1, .flags = FRW,
					.user_va = (uintptr_t)b, .length = PG, .iova = 0x5000 };
	mprotect(page, PG, PROT_READ);
	IS(-EFAULT, io(fd, IOMMU_IOAS_MAP, page));
	IS(-EEXIST, io(fd, IOMMU_IOAS_MAP, page));
	mprotect(page, PG, PROT_READ | PROT_WRITE);
	*(struct iommu_ioas_copy *)page = (struct iommu_ioas_copy){
		.size = sizeof(struct iommu_ioas_copy), .flags = FRW, .dst_ioas_id = 1,
		.src_ioas_id = 1, .length = PG, .dst_iova = 0x6000, .src_iova = 0x5000 };
	mprotect(page, PG, PROT_READ);
	IS(-EFAULT, io(fd, IOMMU_IOAS_COPY, page));
	IS(-EEXIST, io(fd, IOMMU_IOAS_COPY, page));
	mprotect(page, PG, PROT_READ | PROT_WRITE);
	*(struct iommu_ioas_unmap *)page = (struct iommu_ioas_unmap){
		.size = sizeof(struct iommu_ioas_unmap), .ioas_id = 1, .iova = 0x5000,
		.length = PG };
	mprotect(page, PG, PROT_READ);
	IS(-EFAULT, io(fd, IOMMU_IOAS_UNMAP, page));
	IS(-ENOENT, io(fd, IOMMU_IOAS_UNMAP, page));
	mprotect(page, PG, PROT_READ | PROT_WRITE);
	*(struct iommu_option *)page = (struct iommu_option){
		.size = sizeof(struct iommu_option), .option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET, .object_id = 1, .val64 = 0 };
	mprotect(page, PG, PROT_READ);
	IS(-EFAULT, io(fd, IOMMU_OPTION, page));
	IS(0, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET, 1, 0));
	mprotect(page, PG, PROT_READ | PROT_WRITE);
	/* Those that make an object take it back: its number is free again. */
	*(struct iommu_ioas_alloc *)page = (struct iommu_ioas_alloc){
		.size = sizeof(struct iommu_ioas_alloc) };
	mprotect(page, PG, PROT_READ);
	IS(-EFAULT, io(fd, IOMMU_IOAS_ALLOC, page));
	mprotect(page, PG, PROT_READ | PROT_WRITE);
	IS(2, t_ioas(fd));
	*(struct iommu_fault_alloc *)page = (struct iommu_fault_alloc){
		.size = sizeof(struct iommu_fault_alloc) };
	mprotect(page, PG, PROT_READ);
	IS(-EFAULT, io(fd, IOMMU_FAULT_QUEUE_ALLOC, page));
	IS(3, t_ioas(fd));
	IS(fd + 1, dup(fd));
	close(fd + 1);
	close(fd);
	munmap(page, PG);
	munmap(b, PG);
}

int main(void)
{
	struct traps t = { 0 };

	checked_before_the_ioas(&t);
	ends_of_the_space(&t);
	automatic_placement(&t);
	one_byte_hole(&t);
	reserved_up_to_the_end(&t);
	reserved_wins(&t);
	allowed_list(&t);
	iova_ranges(&t);
	alignment(&t);
	memory_is_looked_at_late(&t);
	answers_that_cannot_be_written(&t);
	return traps_end(&t, "traps_map");
}
