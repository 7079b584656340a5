/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Memory files: flags and names of memfd_create, seals against everything they forbid, sizes,
 * holes, mappings, offsets, duplicates.
 *
 * Not asked: MFD_HUGETLB (there are no huge pages from hugetlbfs), SEEK_DATA and SEEK_HOLE (a page
 * that was allocated but never written counts as data), mappings other than MAP_SHARED, the number
 * of blocks of a file that was mapped (there are no page faults, its holes are filled at once).
 */
#include "difftest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

struct mapping {
	uint8_t *at;
	uint64_t length;
};

struct pool memfds;
static struct mapping mappings[8];
static unsigned nr_mappings;
/* Which file a descriptor is of, and which files were mapped: their blocks are not asked for. */
static unsigned file_of[128], nr_files;
static uint8_t was_mapped[4096];

static const char *name_of(unsigned kind)
{
	static char name[300];

	switch (kind) {
	case 0:
		return "";
	case 1:
	case 2:
		memset(name, 'n', sizeof(name));
		name[kind == 1 ? 249 : 250] = 0;
		return name;
	case 3:
		return NOWHERE;
	default:
		return "guest";
	}
}

static unsigned random_flags(void)
{
	unsigned flags = pct(75) ? MFD_ALLOW_SEALING : 0;

	if (pct(15))
		flags |= MFD_CLOEXEC;
	if (pct(10))
		flags |= 8u;            /* MFD_NOEXEC_SEAL */
	if (pct(10))
		flags |= 0x10u;         /* MFD_EXEC */
	if (pct(3))
		flags |= 1u << (5 + below(21));
	if (pct(2))
		flags |= 1u << (26 + below(6));
	return flags;
}

void memfd_make(void)
{
	unsigned kind = pct(8) ? (unsigned)below(4) : 4, flags = random_flags();
	uint64_t size = PAGE * below(12);
	int fd;

	if (pool_is_full(&memfds))
		return;
	call("memfd_create name=%u flags=%x", kind, flags);
	fd = (int)result(memfd_create(name_of(kind), flags));
	if (fd >= 0) {
		say(" seals=%x", fcntl(fd, F_GET_SEALS));
		say(" truncate %llx = %d", (unsigned long long)size,
		    ftruncate(fd, (off_t)size) ? errno : 0);
		pool_add(&memfds, fd);
		file_of[fd] = nr_files++ % 4096;
		was_mapped[file_of[fd]] = 0;
	}
	end();
}

static void do_close(void)
{
	int fd = pool_pick(&memfds);

	if (memfds.n < 6 && pct(80))
		return;
	call("close %d", fd);
	result(close(fd));
	pool_remove(&memfds, fd);
	end();
}

static void do_dup(void)
{
	int fd = pool_pick(&memfds), to;

	if (pool_is_full(&memfds))
		return;
	switch (below(4)) {
	case 0:
		call("dup %d", fd);
		to = (int)result(dup(fd));
		break;
	case 1:
		call("fcntl %d F_DUPFD_CLOEXEC 20", fd);
		to = (int)result(fcntl(fd, F_DUPFD_CLOEXEC, 20));
		break;
	case 2:
		to = pool_pick(&memfds);
		call("dup2 %d %d", fd, to);
		to = (int)result(dup2(fd, to));
		pool_remove(&memfds, to);
		break;
	default:
		call("fcntl %d F_GETFD", fd);
		result(fcntl(fd, F_GETFD));
		to = -1;
	}
	if (to >= 0) {
		pool_add(&memfds, to);
		file_of[to] = file_of[fd];
	}
	end();
}

static void do_seal(void)
{
	static const unsigned seals[] = { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE,
					  F_SEAL_FUTURE_WRITE, F_SEAL_EXEC };
	int fd = pool_pick(&memfds);
	unsigned add = seals[below(6)];

	if (pct(20))
		add |= seals[below(6)];
	if (pct(3))
		add = 0;
	if (pct(3))
		add |= 1u << (6 + below(20));
	if (add & F_SEAL_SEAL && pct(60))
		return;
	call("add_seals %d %x", fd, add);
	result(fcntl(fd, F_ADD_SEALS, add));
	say(" now %x", fcntl(fd, F_GET_SEALS));
	end();
}

static off_t random_offset(void)
{
	switch (below(8)) {
	case 0:
		return (off_t)below(14 * PAGE);
	case 1:
		return pct(20) ? -1 : (off_t)PAGE;
	case 2:
		return pct(10) ? INT64_MAX - (off_t)below(3) * (off_t)PAGE : 0;
	default:
		return (off_t)(PAGE * below(14));
	}
}

static void do_truncate(void)
{
	int fd = pct(98) ? pool_pick(&memfds) : 0;
	off_t size = pct(3) ? (off_t)1 << (40 + below(23)) : random_offset();

	call("ftruncate %d %llx", fd, (unsigned long long)size);
	result(ftruncate(fd, size));
	end();
}

static void do_fallocate(void)
{
	int fd = pool_pick(&memfds), mode = pct(50) ? 0 : FALLOC_FL_KEEP_SIZE;
	off_t offset = random_offset(), length = (off_t)(PAGE * below(5));

	if (pct(40))
		mode |= FALLOC_FL_PUNCH_HOLE;
	if (pct(10))
		mode = 1 << below(9);
	if (pct(15))
		length = (off_t)below(3 * PAGE) - 1;
	call("fallocate %d mode=%x %llx %llx", fd, mode, (unsigned long long)offset,
	     (unsigned long long)length);
	result(fallocate(fd, mode, offset, length));
	end();
}

static void do_write(void)
{
	static uint8_t data[3 * PAGE];
	int fd = pool_pick(&memfds);
	uint64_t count = pct(70) ? below(64) : below(sizeof(data));
	off_t at = random_offset();
	const void *from = data;

	memset(data, (int)rnd(), sizeof(data));
	if (pct(3))
		from = NOWHERE;
	if (pct(3)) {
		from = (char *)page_before_guard() + PAGE - 16;
		count = 32;
	}
	if (pct(70)) {
		call("pwrite %d %llu at %llx", fd, (unsigned long long)count,
		     (unsigned long long)at);
		result(pwrite(fd, from, count, at));
	} else {
		call("write %d %llu", fd, (unsigned long long)count);
		result(write(fd, from, count));
		say(" offset=%llx", (unsigned long long)lseek(fd, 0, SEEK_CUR));
	}
	end();
}

static void do_read(void)
{
	static uint8_t data[6 * PAGE];
	int fd = pool_pick(&memfds);
	uint64_t count = pct(30) ? below(64) : below(sizeof(data));
	off_t at = random_offset();
	void *to = pct(3) ? NOWHERE : data;
	long done;

	memset(data, 0xee, sizeof(data));
	if (pct(70)) {
		call("pread %d %llu at %llx", fd, (unsigned long long)count,
		     (unsigned long long)at);
		done = result(pread(fd, to, count, at));
	} else {
		call("read %d %llu", fd, (unsigned long long)count);
		done = result(read(fd, to, count));
	}
	say(" sum=%08x", checksum(data, done > 0 ? done : 0));
	end();
}

static void do_seek(void)
{
	int fd = pool_pick(&memfds), whence = pct(95) ? (int)below(3) : 5 + (int)below(3);
	off_t offset = random_offset();

	if (pct(30))
		offset = -offset;
	call("lseek %d %lld %d", fd, (long long)offset, whence);
	result(lseek(fd, offset, whence));
	end();
}

static void do_look(void)
{
	int fd = pool_pick(&memfds), left = -7;
	struct stat st = { 0 };

	switch (below(5)) {
	case 0:
		call("fcntl %d F_GETFL", fd);
		result(fcntl(fd, F_GETFL));
		break;
	case 1:
		call("ioctl %d FIONREAD", fd);
		result(ioctl(fd, FIONREAD, &left));
		say(" left=%d", left);
		break;
	case 2:
		call("fcntl %d F_SETFL O_APPEND", fd);
		result(pct(20) ? fcntl(fd, F_SETFL, O_APPEND) : fcntl(fd, F_SETFL, 0));
		break;
	default:
		call("fstat %d", fd);
		result(fstat(fd, &st));
		say(" mode=%o size=%llx", st.st_mode, (unsigned long long)st.st_size);
		if (fd >= 0 && !was_mapped[file_of[fd]])
			say(" blocks=%llu", (unsigned long long)st.st_blocks);
	}
	end();
}

static int random_prot(void)
{
	return PROT_READ | (pct(60) ? PROT_WRITE : 0) | (pct(5) ? PROT_EXEC : 0);
}

static void do_mmap(void)
{
	int fd = pool_pick(&memfds), prot = random_prot();
	uint64_t length = pct(95) ? PAGE * (1 + below(4)) : below(2 * PAGE);
	off_t offset = (off_t)(pct(95) ? PAGE * below(4) : below(3 * PAGE));
	void *at;

	if (nr_mappings == 8)
		return;
	call("mmap %d prot=%x %llx %llx", fd, prot, (unsigned long long)offset,
	     (unsigned long long)length);
	at = mmap(NULL, length, prot, MAP_SHARED, fd, offset);
	result(at == MAP_FAILED ? -1 : 0);
	if (at != MAP_FAILED) {
		mappings[nr_mappings++] = (struct mapping){ at, length };
		was_mapped[file_of[fd]] = 1;
	}
	end();
}

static void do_mapping(void)
{
	unsigned i = (unsigned)below(nr_mappings);
	uint64_t page;
	int prot;

	if (!nr_mappings)
		return;
	if (pct(50)) {
		call("munmap #%u", i);
		result(munmap(mappings[i].at, mappings[i].length));
		mappings[i] = mappings[--nr_mappings];
	} else {
		prot = random_prot();
		page = below((mappings[i].length + PAGE - 1) / PAGE);
		call("mprotect #%u page=%u prot=%x", i, (unsigned)page, prot);
		result(mprotect(mappings[i].at + page * PAGE, PAGE, prot));
	}
	end();
}

const struct operation memfd_operations[] = {
	{ memfd_make, 10 }, { do_close, 5 }, { do_dup, 6 }, { do_seal, 8 }, { do_truncate, 10 },
	{ do_fallocate, 12 }, { do_write, 14 }, { do_read, 12 }, { do_seek, 5 }, { do_look, 10 },
	{ do_mmap, 8 }, { do_mapping, 8 }, { 0 },
};

const struct profile profile_memfd = { .name = "memfd", .operations = memfd_operations };
