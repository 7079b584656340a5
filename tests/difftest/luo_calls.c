/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * /dev/liveupdate without a kexec: sessions that come and go, what can be preserved under which
 * token, what a preserved memory file still allows, sizes and contents of all structures.
 */
#include "difftest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/liveupdate.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int luo = -1, iommu = -1, ends[2];
static struct pool sessions;

static int start(void)
{
	luo = open("/dev/liveupdate", O_RDWR);
	iommu = open("/dev/iommu", O_RDWR);
	return luo < 0 || iommu < 0 || pipe(ends);
}

/* Sometimes a size that is too small, or larger with or without a tail that is zero. */
static unsigned odd_size(void *structure, unsigned size, unsigned room)
{
	uint8_t *bytes = structure;

	if (!pct(12))
		return size;
	if (pct(40))
		return (unsigned)below(size);
	if (pct(40))
		bytes[size + below(room - size)] = (uint8_t)below(2);
	return pct(95) ? size + (unsigned)below(room - size + 1) : 4096 + (unsigned)below(8);
}

static void name_session(uint8_t name[LIVEUPDATE_SESSION_NAME_LENGTH])
{
	static const char *const names[] = { "", "a", "b", "vm-0", "vm-1", "vm-2", "x/y", "..",
					     "two words", "\xc3\xa9" };

	if (pct(4)) {
		memset(name, 'n', LIVEUPDATE_SESSION_NAME_LENGTH);
		if (pct(50))
			name[LIVEUPDATE_SESSION_NAME_LENGTH - 1] = 0;
		return;
	}
	strcpy((char *)name, names[below(pct(90) ? 8 : 10)]);
	if (pct(5))
		name[40] = 'q';
}

static int some_session(void)
{
	return pct(98) ? pool_pick(&sessions) : luo;
}

static void do_create(void)
{
	union {
		struct liveupdate_ioctl_create_session c;
		uint8_t room[128];
	} u = { .c = { .fd = -5 } };

	if (pool_is_full(&sessions))
		return;
	name_session(u.c.name);
	u.c.size = odd_size(&u, sizeof(u.c), sizeof(u));
	call("create_session size=%u '%.64s'", u.c.size, (char *)u.c.name);
	if (!result(ioctl(luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &u)))
		pool_add(&sessions, u.c.fd);
	say(" fd=%d", u.c.fd);
	end();
}

static void do_retrieve_session(void)
{
	union {
		struct liveupdate_ioctl_retrieve_session c;
		uint8_t room[128];
	} u = { .c = { .fd = -5 } };

	name_session(u.c.name);
	u.c.size = odd_size(&u, sizeof(u.c), sizeof(u));
	call("retrieve_session size=%u '%.64s'", u.c.size, (char *)u.c.name);
	if (!result(ioctl(luo, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &u)))
		close(u.c.fd);
	say(" fd=%d", u.c.fd);
	end();
}

static void do_close(void)
{
	int fd = pool_pick(&sessions);

	if (pct(60))
		return;
	call("close session %d", fd);
	result(close(fd));
	pool_remove(&sessions, fd);
	end();
}

static void do_dup(void)
{
	int fd = pool_pick(&sessions), copy;

	if (pool_is_full(&sessions))
		return;
	call("dup session %d", fd);
	copy = (int)result(dup(fd));
	if (copy >= 0)
		pool_add(&sessions, copy);
	end();
}

static int something_to_preserve(void)
{
	switch (below(24)) {
	case 0:
		return (int)below(3) - 1;
	case 1:
		return luo;
	case 2:
		return iommu;
	case 3:
		return ends[below(2)];
	case 4:
		return pool_pick(&sessions);
	case 5:
		return 900;
	default:
		return pool_pick(&memfds);
	}
}

static void do_preserve(void)
{
	union {
		struct liveupdate_session_preserve_fd c;
		uint8_t room[128];
	} u = { .c = { .fd = something_to_preserve(), .token = pct(90) ? below(16) : rnd() } };
	int fd = some_session();

	u.c.size = odd_size(&u, sizeof(u.c), sizeof(u));
	call("preserve %d size=%u fd=%d token=%llx", fd, u.c.size, u.c.fd,
	     (unsigned long long)u.c.token);
	result(ioctl(fd, LIVEUPDATE_SESSION_PRESERVE_FD, &u));
	end();
}

static void do_retrieve(void)
{
	union {
		struct liveupdate_session_retrieve_fd c;
		uint8_t room[128];
	} u = { .c = { .fd = -5, .token = below(16) } };
	int fd = some_session();

	u.c.size = odd_size(&u, sizeof(u.c), sizeof(u));
	call("retrieve %d size=%u token=%llx", fd, u.c.size, (unsigned long long)u.c.token);
	if (!result(ioctl(fd, LIVEUPDATE_SESSION_RETRIEVE_FD, &u)))
		close(u.c.fd);
	say(" fd=%d", u.c.fd);
	end();
}

static void do_finish(void)
{
	union {
		struct liveupdate_session_finish c;
		uint8_t room[128];
	} u = { .c = { .reserved = pct(5) } };
	int fd = some_session();

	u.c.size = odd_size(&u, sizeof(u.c), sizeof(u));
	call("finish %d size=%u reserved=%u", fd, u.c.size, u.c.reserved);
	result(ioctl(fd, LIVEUPDATE_SESSION_FINISH, &u));
	end();
}

static void do_name(void)
{
	union {
		struct liveupdate_session_get_name c;
		uint8_t room[128];
	} u = { .c = { .reserved = pct(5) } };
	int fd = some_session();

	u.c.size = odd_size(&u, sizeof(u.c), sizeof(u));
	call("get_name %d size=%u reserved=%u", fd, u.c.size, u.c.reserved);
	result(ioctl(fd, LIVEUPDATE_SESSION_GET_NAME, &u));
	say(" '%.64s' sum=%08x", (char *)u.c.name, checksum(&u, sizeof(u)));
	end();
}

/* Any command, on the device or on a session, with any contents, good and bad pointers. */
static void do_raw(void)
{
	static const unsigned commands[] = { 0x00, 0x01, 0x02, 0x3f, 0x40, 0x41, 0x42, 0x43, 0x44,
					     0x7f, 0xff };
	unsigned type = pct(92) ? LIVEUPDATE_IOCTL_TYPE : (unsigned)below(256);
	unsigned long cmd = _IO(type, commands[below(11)]);
	int fd = pct(50) ? luo : pool_pick(&sessions);
	static uint32_t raw[64];
	void *arg = raw;

	memset(raw, 0, sizeof(raw));
	for (unsigned i = 1; i < 20; i++)
		raw[i] = pct(10) ? (uint32_t)below(pct(50) ? 5 : 1u << 31) : 0;
	raw[0] = (uint32_t)below(pct(90) ? 100 : 5000);
	if (type != LIVEUPDATE_IOCTL_TYPE)
		raw[0] = 8;
	if (raw[0] > sizeof(raw) && pct(50))
		raw[0] = UINT32_MAX;
	/* A session that would be made, or a file taken in, is what others do. */
	raw[2] = pct(30) ? 0 : raw[2];
	if (_IOC_NR(cmd) == 0 || _IOC_NR(cmd) == 0x40)
		raw[1] = raw[2] = 0xffff0000;
	if (_IOC_NR(cmd) == 0)
		raw[17] = UINT32_MAX;
	if (pct(10))
		arg = pct(50) ? NOWHERE : (char *)page_before_guard() + PAGE - 4;
	call("raw %d cmd=%lx size=%u", fd, cmd, raw[0]);
	result(ioctl(fd, cmd, arg));
	say(" sum=%08x", checksum(raw, sizeof(raw)));
	end();
}

static void do_other(void)
{
	int fd = pct(50) ? luo : pool_pick(&sessions);
	uint64_t word = 0;

	switch (below(6)) {
	case 0:
		call("open liveupdate");
		result(open("/dev/liveupdate", O_RDWR));
		break;
	case 1:
		call("read %d", fd);
		result(read(fd, &word, 8));
		break;
	case 2:
		call("write %d", fd);
		result(write(fd, &word, 8));
		break;
	case 3:
		call("lseek %d", fd);
		result(lseek(fd, 0, SEEK_SET));
		break;
	case 4:
		call("ftruncate %d", fd);
		result(ftruncate(fd, 0));
		break;
	default:
		call("fcntl %d", fd);
		result(fcntl(fd, F_GETFL));
		say(" cloexec=%d seals=%d", fcntl(fd, F_GETFD), fcntl(fd, F_GET_SEALS));
	}
	end();
}

static void do_memfd(void)
{
	const struct operation *op = memfd_operations;
	unsigned total = 0, at;

	for (; op->run; op++)
		total += op->weight;
	at = (unsigned)below(total);
	for (op = memfd_operations; at >= op->weight; op++)
		at -= op->weight;
	op->run();
}

static const struct operation operations[] = {
	{ do_create, 10 }, { do_retrieve_session, 2 }, { do_close, 8 }, { do_dup, 2 },
	{ do_preserve, 30 }, { do_retrieve, 3 }, { do_finish, 3 }, { do_name, 4 }, { do_raw, 12 },
	{ do_other, 3 }, { memfd_make, 6 }, { do_memfd, 60 }, { 0 },
};

const struct profile profile_luo = { .name = "luo", .start = start, .operations = operations };
