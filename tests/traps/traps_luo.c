/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* /dev/liveupdate before any kexec: sessions, and what may be preserved in them. */
#include "traps.h"

#include <linux/liveupdate.h>
#include <sys/stat.h>

/* A session's descriptor. */
static int64_t session(int lu, unsigned cmd, const char *name)
{
	struct liveupdate_ioctl_create_session c = { .size = sizeof(c) };
	int64_t rc;

	memcpy(c.name, name, strnlen(name, sizeof(c.name)));
	rc = io(lu, cmd, &c);
	return rc ? rc : c.fd;
}

#define create(lu, name) session(lu, LIVEUPDATE_IOCTL_CREATE_SESSION, name)
#define retrieve(lu, name) session(lu, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, name)

static int64_t preserve(int s, int fd, uint64_t token)
{
	struct liveupdate_session_preserve_fd c = { .size = sizeof(c), .fd = fd, .token = token };

	return io(s, LIVEUPDATE_SESSION_PRESERVE_FD, &c);
}

/* One user at a time; the sessions live on without the device. */
static void device(struct traps *t)
{
	int lu = open("/dev/liveupdate", O_RDWR), copy, s;
	char c;

	IS(-EBUSY, sys(open("/dev/liveupdate", O_RDWR)));
	IS(-EINVAL, sys(read(lu, &c, 1)));
	IS(-EINVAL, sys(write(lu, &c, 1)));
	s = (int)create(lu, "a");
	copy = dup(lu);
	close(lu);
	IS(-EBUSY, sys(open("/dev/liveupdate", O_RDWR)));
	close(copy);
	lu = open("/dev/liveupdate", O_RDWR);
	IS(-EEXIST, create(lu, "a"));
	close(s);
	s = (int)create(lu, "a");
	IS(1, s > 0);
	close(s);
	close(lu);
}

/* The number is looked at in three steps, and the size is read after the first. */
static void dispatch(struct traps *t)
{
	uint32_t words[32] = { 72 };
	int lu = open("/dev/liveupdate", O_RDWR), s = (int)create(lu, "a");

	for (unsigned nr = 2; nr < 256; nr += 61)
		IS(-EINVAL, io(lu, 0xba00 | nr, NOWHERE));
	IS(-EINVAL, io(lu, 0xba40, words));
	IS(-EFAULT, io(lu, 0xba00, NOWHERE));
	IS(-EFAULT, io(lu, 0xbb00, NOWHERE));
	IS(-ENOTTY, io(lu, 0xbb00, words));
	IS(-ENOTTY, io(lu, _IOWR(0xba, 0, uint32_t), words));
	words[0] = 71;
	IS(-EINVAL, io(lu, 0xba00, words));
	words[0] = 76;
	words[18] = 1;
	IS(-E2BIG, io(lu, 0xba00, words));
	IS(-EINVAL, io(s, 0xba3f, NOWHERE));
	IS(-EINVAL, io(s, 0xba44, NOWHERE));
	IS(-EFAULT, io(s, 0xba40, NOWHERE));
	IS(-EFAULT, io(s, 0xbb40, NOWHERE));
	IS(-ENOTTY, io(s, 0xbb40, words));
	/* The wrong way round comes before the size. */
	IS(-EINVAL, io(s, 0xba41, words));
	IS(-EINVAL, io(s, 0xba42, words));
	words[0] = 15;
	IS(-EINVAL, io(s, 0xba40, words));
	words[0] = 24;
	words[4] = 1;
	IS(-E2BIG, io(s, 0xba40, words));
	close(s);
	close(lu);
}

/* Names of 1 to 63 characters, each once. */
static void names(struct traps *t)
{
	struct liveupdate_session_get_name get = { .size = sizeof(get) };
	char name[65];
	int lu = open("/dev/liveupdate", O_RDWR), s;
	struct stat st;

	memset(name, 'X', 64);
	name[64] = 0;
	IS(-EINVAL, create(lu, ""));
	IS(-EINVAL, create(lu, name));
	IS(-ENOENT, retrieve(lu, name));
	IS(-ENOENT, retrieve(lu, ""));
	name[63] = 0;
	s = (int)create(lu, name);
	IS(-EEXIST, create(lu, name));
	/* Outgoing ones cannot be retrieved. */
	IS(-ENOENT, retrieve(lu, name));
	IS(0, io(s, LIVEUPDATE_SESSION_GET_NAME, &get));
	IS(0, strcmp((char *)get.name, name));
	get.reserved = 1;
	IS(-EINVAL, io(s, LIVEUPDATE_SESSION_GET_NAME, &get));
	IS(1, fcntl(s, F_GETFD));
	IS(O_RDWR, fcntl(s, F_GETFL) & O_ACCMODE);
	IS(-EINVAL, sys(read(s, name, 1)));
	IS(-ESPIPE, sys(lseek(s, 0, SEEK_SET)));
	IS(0, fstat(s, &st));
	IS(0600, st.st_mode);
	IS(0, fstat(lu, &st));
	IS(S_IFCHR | 0600, st.st_mode);
	close(s);
	close(lu);
}

/* What is wrong with a file is found in this order; each file once in the whole system. */
static void files(struct traps *t)
{
	int lu = open("/dev/liveupdate", O_RDWR);
	int s = (int)create(lu, "a"), o = (int)create(lu, "b");
	int memfd = t_memfd(2 * PG), other = t_memfd(0), null = open("/dev/null", O_RDWR);
	int again = dup(memfd), iommu = t_open();

	IS(-EBADF, preserve(s, 99, 1));
	IS(-EBADF, preserve(s, -1, 1));
	IS(-ENOENT, preserve(s, null, 1));
	IS(-ENOENT, preserve(s, lu, 1));
	IS(-ENOENT, preserve(s, s, 1));
	IS(0, preserve(s, memfd, 0));
	/* The token before the descriptor. */
	IS(-EEXIST, preserve(s, 99, 0));
	IS(-EEXIST, preserve(s, null, 0));
	IS(-EBUSY, preserve(s, memfd, 1));
	IS(-EBUSY, preserve(o, again, 0));
	IS(0, preserve(s, other, MAX64));
	close(other);
	close(memfd);
	/* Held by the session: the other descriptor is the same file. */
	IS(-EBUSY, preserve(o, again, 0));
	close(s);
	IS(0, preserve(o, again, 0));
	close(o);
	close(again);
	close(null);
	close(iommu);
	close(lu);
}

/* A file that is preserved keeps its size, and lets itself be written. */
static void frozen(struct traps *t)
{
	int lu = open("/dev/liveupdate", O_RDWR), s = (int)create(lu, "a");
	int memfd = memfd_create("frozen", MFD_ALLOW_SEALING);
	char data[16] = "0123456789abcde";

	IS(0, sys(ftruncate(memfd, 2 * PG)));
	IS(0, preserve(s, memfd, 1));
	IS(0, sys(ftruncate(memfd, 2 * PG)));
	IS(-EPERM, sys(ftruncate(memfd, PG)));
	IS(-EPERM, sys(ftruncate(memfd, 3 * PG)));
	IS(16, sys(pwrite(memfd, data, 16, 2 * PG - 16)));
	/* Across the end: nothing at all. */
	IS(-EPERM, sys(pwrite(memfd, data, 16, 2 * PG - 8)));
	IS(-EPERM, sys(pwrite(memfd, data, 1, 2 * PG)));
	IS(-EPERM, sys(fallocate(memfd, 0, 0, PG)));
	IS(-EPERM, sys(fallocate(memfd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, PG)));
	IS(-EOPNOTSUPP, sys(fallocate(memfd, FALLOC_FL_COLLAPSE_RANGE, 0, PG)));
	IS(-EBUSY, sys(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE)));
	IS(0, sys(fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW)));
	IS(F_SEAL_GROW, fcntl(memfd, F_GET_SEALS));
	close(s);
	IS(0, sys(ftruncate(memfd, PG)));
	IS(0, sys(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE)));
	close(memfd);
	/* Empty: nothing is pinned. */
	s = (int)create(lu, "a");
	memfd = memfd_create("empty", MFD_ALLOW_SEALING);
	IS(0, preserve(s, memfd, 1));
	IS(0, sys(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE)));
	IS(-EPERM, sys(ftruncate(memfd, PG)));
	close(memfd);
	close(s);
	close(lu);
}

/* Answers that cannot be written: a preserved file stays, a session goes. */
static void unwritable_answers(struct traps *t)
{
	struct liveupdate_session_preserve_fd *p = (void *)t_buffer(PG, 0);
	struct liveupdate_ioctl_create_session *c = (void *)p;
	int lu = open("/dev/liveupdate", O_RDWR), s = (int)create(lu, "a"), memfd = t_memfd(PG);

	*p = (struct liveupdate_session_preserve_fd){ .size = 16, .fd = memfd, .token = 5 };
	mprotect(p, PG, PROT_READ);
	IS(-EFAULT, io(s, LIVEUPDATE_SESSION_PRESERVE_FD, p));
	IS(-EEXIST, preserve(s, memfd, 5));
	IS(-EBUSY, preserve(s, memfd, 6));
	mprotect(p, PG, PROT_READ | PROT_WRITE);
	*c = (struct liveupdate_ioctl_create_session){ .size = 72, .name = "b" };
	mprotect(p, PG, PROT_READ);
	IS(-EFAULT, io(lu, LIVEUPDATE_IOCTL_CREATE_SESSION, c));
	IS(memfd + 1, create(lu, "b"));
	close(memfd + 1);
	munmap(p, PG);
	close(memfd);
	close(s);
	close(lu);
}

int main(void)
{
	struct traps t = { 0 };

	device(&t);
	dispatch(&t);
	names(&t);
	files(&t);
	frozen(&t);
	unwritable_answers(&t);
	return traps_end(&t, "traps_luo");
}
