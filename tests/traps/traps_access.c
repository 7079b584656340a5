/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Users of an IOAS inside the kernel: what they may pin, what they read, what an unmap does. */
#include "traps.h"

#define SLOW MOCK_ACCESS_RW_SLOW_PATH
#define SYZ MOCK_FLAGS_ACCESS_SYZ

/* Numbers that are no accesses, and sizes that are too large, in the order they are found. */
static void errors(struct traps *t)
{
	int fd = t_open(), access, plain;
	char c = 0;

	IS(1, t_ioas(fd));
	IS(-EOPNOTSUPP, t_access(fd, 9, 2));
	IS(-ENOENT, t_access(fd, 9, 1));
	access = (int)t_access(fd, 1, 1);
	plain = (int)t_access(fd, 1, 0);
	IS(1, fcntl(access, F_GETFD));
	IS(-EINVAL, sys(read(access, &c, 1)));
	IS(-ENOTTY, io(access, IOMMU_DESTROY, &c));
	IS(-ENOMEM, t_pin(fd, 99, 0, 0x1000001, 0xff, NULL));
	IS(-EOPNOTSUPP, t_pin(fd, 99, 0, 0x1000000, 2, NULL));
	IS(-EBADFD, t_pin(fd, 99, 0, 1, 0, NULL));
	IS(-EBADFD, t_pin(fd, fd, 0, 1, 0, NULL));
	IS(-EBADFD, t_pin(fd, 0, 0, 1, 0, NULL));
	IS(-EOPNOTSUPP, t_pin(fd, plain, 0, 0, 0, NULL));
	IS(-EINVAL, t_pin(fd, access, 0, 0, 0, NULL));
	IS(-EOVERFLOW, t_pin(fd, access, MAX64, 2, 0, NULL));
	IS(-ENOENT, t_pin(fd, access, 0, 1, 0, NULL));
	IS(-ENOMEM, t_rw(fd, 99, 0, 0x1000001, 0xff, NULL));
	IS(-EOPNOTSUPP, t_rw(fd, 99, 0, 1, 2, NULL));
	IS(-EBADFD, t_rw(fd, 99, 0, 1, 0, NULL));
	IS(-EFAULT, t_rw(fd, access, 0, 1, 1, NOWHERE));
	IS(-EINVAL, t_rw(fd, access, 0, 0, 1, NOWHERE));
	IS(-EINVAL, t_rw(fd, access, 0, 0, 0, NOWHERE));
	IS(-EOVERFLOW, t_rw(fd, access, MAX64, 2, 0, NOWHERE));
	IS(-ENOENT, t_rw(fd, access, 0, 1, 0, NOWHERE));
	IS(-EBADFD, t_unpin(fd, 99, 0));
	IS(-ENOENT, t_unpin(fd, access, 0));
	IS(-EBADFD, t_access_move(fd, 99, 1));
	IS(-ENOENT, t_access_move(fd, access, 9));
	IS(-ENOENT, t_access_move(fd, access, 2));
	IS(0, t_access_move(fd, access, 1));
	close(access);
	close(plain);
	close(fd);
}

/* Any iommufd will do to give a command: the access is named by its own descriptor. */
static void other_context(struct traps *t)
{
	uint8_t *b = t_buffer(PG, 0x33), out[4] = { 0 };
	int fd = t_open(), other = t_open(), access;

	IS(1, t_ioas(fd));
	IS(0x1000, t_map(fd, 1, FRW, b, PG, 0x1000));
	access = (int)t_access(fd, 1, 1);
	IS(0, t_rw(other, access, 0x1ffc, 4, 0, out));
	IS(0x33, out[3]);
	IS(0, t_pin(other, access, 0x1000, PG, 0, b));
	IS(1, t_pin(other, access, 0x1000, PG, 0, b));
	IS(0, t_unpin(other, access, 0));
	IS(0, t_check_refs(other, b, PG, 1));
	/* Numbers are never given twice. */
	IS(2, t_pin(other, access, 0x1000, PG, 0, b));
	/* The access is what keeps the first context, pins and all. */
	close(fd);
	IS(0, t_check_refs(other, b, PG, 1));
	IS(0, t_rw(other, access, 0x1000, 4, 0, out));
	close(access);
	IS(0, t_check_refs(other, b, PG, 0));
	close(other);
	munmap(b, PG);
}

/* Pins are of whole pages of memory, wherever those lie in the IOVA space. */
static void pin_alignment(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0);
	int fd = t_open(), access;

	IS(1, t_ioas(fd));
	access = (int)t_access(fd, 1, 1);
	IS(0x10000, t_map(fd, 1, FIXED | RD, b, 2 * PG, 0x10000));
	IS(0x12000, t_map(fd, 1, FRW, b + 2 * PG, 2 * PG, 0x12000));
	IS(-EINVAL, t_pin(fd, access, 0x10800, PG, 0, NULL));
	IS(-EPERM, t_pin(fd, access, 0x10000, PG, 1, NULL));
	/* What was pinned before the area that may not be written is given back. */
	IS(-EPERM, t_pin(fd, access, 0x11000, 2 * PG, 1, NULL));
	IS(0, t_pin(fd, access, 0x11000, PG + 1, 0, b + PG));
	IS(0, t_check_refs(fd, b, PG, 0));
	IS(0, t_check_refs(fd, b + PG, 2 * PG, 1));
	IS(0, t_check_refs(fd, b + 3 * PG, PG, 0));
	IS(-ENOENT, t_pin(fd, access, 0x13000, PG + 1, 0, NULL));
	IS(0, t_check_refs(fd, b + 3 * PG, PG, 0));
	/* Other memory than the caller has there; nothing there at all. */
	IS(-EBADE, t_pin(fd, access, 0x10000, PG, 0, b + PG));
	IS(-EFAULT, t_pin(fd, access, 0x10000, PG, 0, NOWHERE));
	IS(0, t_check_refs(fd, b, PG, 0));
	IS(1, t_pin(fd, access, 0x10000, PG, 0, NULL));
	close(access);
	IS(0, t_check_refs(fd, b, 4 * PG, 0));
	close(fd);
	munmap(b, 4 * PG);
}

/* Written to when it is pinned if the map allows it, even for one who only reads. */
static void pin_of_read_only_memory(struct traps *t)
{
	uint8_t *b = t_buffer(2 * PG, 0x44), out[4];
	int fd = t_open(), access;

	IS(1, t_ioas(fd));
	access = (int)t_access(fd, 1, 1);
	mprotect(b, 2 * PG, PROT_READ);
	IS(0x1000, t_map(fd, 1, FRW, b, 2 * PG, 0x1000));
	IS(0x8000, t_map(fd, 1, FIXED | RD, b, 2 * PG, 0x8000));
	IS(-EFAULT, t_pin(fd, access, 0x1000, PG, 0, NULL));
	IS(-EFAULT, t_pin(fd, access, 0x1000, PG, 1, NULL));
	IS(0, t_pin(fd, access, 0x8000, PG, 0, b));
	IS(0, t_rw(fd, access, 0x1000, 4, 0, out));
	IS(0x44, out[0]);
	IS(-EFAULT, t_rw(fd, access, 0x1000, 4, 1, out));
	IS(0, t_rw(fd, access, 0x1000, 4, SLOW, out));
	IS(-EFAULT, t_rw(fd, access, 0x1ffe, 4, SLOW, out));
	IS(0, t_rw(fd, access, 0x8ffe, 4, SLOW, out));
	IS(-EPERM, t_rw(fd, access, 0x8000, 4, 1, out));
	close(access);
	close(fd);
	munmap(b, 2 * PG);
}

/* A copy goes through the addresses as they are now, unless it takes the slow way over pages. */
static void rw_sees_the_present(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0x11), out[8];
	int fd = t_open(), access;
	void *again;

	IS(1, t_ioas(fd));
	access = (int)t_access(fd, 1, 1);
	IS(0x1000, t_map(fd, 1, FRW, b, 4 * PG, 0x1000));
	memset(out, 0x22, 8);
	IS(0, t_rw(fd, access, 0x1ffc, 8, 1, out));
	IS(0x22, b[PG]);
	/* Other memory at the same address. */
	munmap(b, PG);
	IS(-EFAULT, t_rw(fd, access, 0x1000, 4, 0, out));
	IS(-EFAULT, t_rw(fd, access, 0x1000, 4, SLOW, out));
	again = mmap(b, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	IS(0, again == MAP_FAILED);
	memset(b, 0x77, PG);
	IS(0, t_rw(fd, access, 0x1000, 4, 0, out));
	IS(0x77, out[0]);
	IS(0, t_rw(fd, access, 0x1000, 4, SLOW, out));
	IS(0x77, out[0]);
	IS(0, t_rw(fd, access, 0x1ffc, 8, SLOW, out));
	IS(0x77, out[0]);
	/* A hole comes after what lies before it. */
	memset(out, 0x99, 8);
	IS(-ENOENT, t_rw(fd, access, 0x4ffc, 8, 1, out));
	IS(0x99, b[4 * PG - 1]);
	/* What is read is delivered only if all of it could be. */
	memset(out, 0x55, 8);
	IS(-ENOENT, t_rw(fd, access, 0x4ffc, 8, 0, out));
	IS(0x55, out[0]);
	IS(-EFAULT, t_rw(fd, access, 0x1000, 8, 0, NOWHERE));
	close(access);
	close(fd);
	munmap(b, 4 * PG);
}

/* An unmap makes users let go; and what they forgot cannot be unpinned again. */
static void unmap_callback(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0);
	int fd = t_open(), access;

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	access = (int)t_access(fd, 1, 1);
	IS(0x10000, t_map(fd, 1, FRW, b, 2 * PG, 0x10000));
	IS(0x12000, t_map(fd, 1, FRW, b + 2 * PG, 2 * PG, 0x12000));
	IS(0, t_pin(fd, access, 0x10000, PG, 1, b));
	IS(1, t_pin(fd, access, 0x10000, 4 * PG, 1, b));
	IS(2, t_pin(fd, access, 0x13000, PG, 0, b + 3 * PG));
	/* Too small a range asks nobody. */
	IS(-ENOENT, t_unmap(fd, 1, 0x10000, PG));
	IS(0, t_unpin(fd, access, 0));
	IS(2 * PG, t_unmap(fd, 1, 0x10000, 2 * PG));
	/* It reached over both areas, and was dropped whole. */
	IS(-ENOENT, t_unpin(fd, access, 1));
	IS(0, t_check_refs(fd, b, 3 * PG, 0));
	IS(0, t_check_refs(fd, b + 3 * PG, PG, 1));
	/* Moving drops all; the memory stays mapped where it was. */
	IS(0, t_access_move(fd, access, 2));
	IS(-ENOENT, t_unpin(fd, access, 2));
	IS(-ENOENT, t_pin(fd, access, 0x12000, PG, 0, NULL));
	IS(0, t_destroy(fd, 1));
	IS(-EBUSY, t_destroy(fd, 2));
	close(access);
	IS(0, t_destroy(fd, 2));
	close(fd);
	munmap(b, 4 * PG);
}

/* Areas by number, lowest first, for who does not know where things are. */
static void by_ordinal(struct traps *t)
{
	uint8_t *b = t_buffer(2 * PG, 0), out[4];
	int fd = t_open(), access;

	b[0] = 1;
	b[PG] = 2;
	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(0x9000, t_map(fd, 1, FRW, b + PG, PG, 0x9000));
	IS(0x5000, t_map(fd, 1, FRW, b, PG, 0x5000));
	access = (int)t_access(fd, 1, 1);
	IS(0, t_rw(fd, access, 0, 4, SYZ, out));
	IS(1, out[0]);
	IS(0, t_rw(fd, access, 1, 4, SYZ, out));
	IS(2, out[0]);
	IS(0, t_rw(fd, access, 4ull << 32 | 1, 4, SYZ, out));
	IS(0, out[0]);
	/* No such area: IOVA 0. */
	IS(-ENOENT, t_rw(fd, access, 2, 4, SYZ, out));
	IS(0, t_pin(fd, access, 1, PG, SYZ, b + PG));
	IS(0x1000, t_copy(fd, 2, 1, FRW | SYZ, PG, 0x1000, 1));
	IS(0x2000, t_copy(fd, 2, 1, FRW | SYZ, 0x800, 0x2000, 0x800ull << 32));
	IS(-ENOENT, t_copy(fd, 2, 1, FRW | SYZ, 0x801, 0x8000, 0x800ull << 32));
	IS(-ENOENT, t_copy(fd, 2, 1, FRW | SYZ, PG, 0x8000, 7));
	IS(-ENOENT, t_copy(fd, 2, 9, FRW | SYZ, PG, 0x8000, 1));
	close(access);
	close(fd);
	munmap(b, 2 * PG);
}

int main(void)
{
	struct traps t = { 0 };

	errors(&t);
	other_context(&t);
	pin_alignment(&t);
	pin_of_read_only_memory(&t);
	rw_sees_the_present(&t);
	unmap_callback(&t);
	by_ordinal(&t);
	return traps_end(&t, "traps_access");
}
