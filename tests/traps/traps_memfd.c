/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Memory files: how they are made, and what each seal forbids. */
#include "traps.h"

#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 0x10u
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

static int sealable(uint64_t bytes, int seals)
{
	int fd = memfd_create("s", MFD_ALLOW_SEALING);

	if (ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, seals))
		return -1;
	return fd;
}

static int64_t add(int fd, int seals)
{
	return sys(fcntl(fd, F_ADD_SEALS, seals));
}

static int64_t map(int fd, int prot, int flags)
{
	void *at = mmap(NULL, PG, prot, flags, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, PG);
	return 0;
}

static void creation(struct traps *t)
{
	static const struct {
		unsigned flags;
		int seals, mode;
	} kinds[] = {
		{ 0, 1, 0777 }, { MFD_EXEC, 1, 0777 }, { MFD_ALLOW_SEALING, 0, 0777 },
		{ MFD_ALLOW_SEALING | MFD_EXEC, 0, 0777 }, { MFD_NOEXEC_SEAL, 0x20, 0666 },
		{ MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING, 0x20, 0666 },
	};
	char name[251];
	struct stat st;

	for (unsigned i = 0; i < 6; i++) {
		int fd = memfd_create("m", kinds[i].flags);

		IS(kinds[i].seals, fcntl(fd, F_GET_SEALS));
		IS(0, fstat(fd, &st));
		IS(kinds[i].mode, st.st_mode & 07777);
		close(fd);
	}
	IS(-EINVAL, sys(memfd_create("m", MFD_EXEC | MFD_NOEXEC_SEAL)));
	IS(-EINVAL, sys(memfd_create("m", 0x20)));
	IS(-EINVAL, sys(memfd_create(NOWHERE, 0x20)));
	IS(-EFAULT, sys(memfd_create(NOWHERE, 0)));
	memset(name, 'n', 250);
	name[250] = 0;
	IS(-EINVAL, sys(memfd_create(name, 0)));
	name[249] = 0;
	IS(3, memfd_create(name, 0));
	close(3);
	IS(3, memfd_create("", MFD_CLOEXEC));
	IS(1, fcntl(3, F_GETFD));
	close(3);
}

static void adding(struct traps *t)
{
	int fd = memfd_create("m", 0);
	void *at;

	IS(-EPERM, add(fd, 0));
	IS(-EINVAL, add(fd, 0x40));
	IS(-EPERM, add(fd, F_SEAL_WRITE));
	close(fd);
	fd = sealable(PG, 0);
	IS(0, add(fd, 0));
	at = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0);
	/* It might be written through later. */
	IS(-EBUSY, add(fd, F_SEAL_WRITE));
	IS(0, add(fd, F_SEAL_FUTURE_WRITE));
	/* EXEC on a file that may be executed seals it altogether. */
	IS(-EBUSY, add(fd, F_SEAL_EXEC));
	munmap(at, PG);
	IS(0, add(fd, F_SEAL_EXEC));
	IS(0x3e, fcntl(fd, F_GET_SEALS));
	IS(0, add(fd, F_SEAL_SEAL));
	IS(-EPERM, add(fd, F_SEAL_SEAL));
	close(fd);
	fd = sealable(PG, 0);
	IS(0, add(fd, F_SEAL_WRITE));
	IS(0, add(fd, F_SEAL_WRITE | F_SEAL_SHRINK));
	IS(F_SEAL_WRITE | F_SEAL_SHRINK, fcntl(fd, F_GET_SEALS));
	close(fd);
}

/* Each row: the seal, and what write, truncate and fallocate answer. */
static void forbidding(struct traps *t)
{
	static const struct {
		int seal;
		int write, cross, shrink, grow, alloc, alloc_beyond, punch;
	} rows[] = {
		{ F_SEAL_SHRINK, 8, 8, -EPERM, 0, 0, 0, 0 },
		{ F_SEAL_GROW, 8, -EPERM, 0, -EPERM, 0, -EPERM, 0 },
		{ F_SEAL_WRITE, -EPERM, -EPERM, 0, 0, 0, 0, -EPERM },
		{ F_SEAL_FUTURE_WRITE, -EPERM, -EPERM, 0, 0, 0, 0, -EPERM },
	};
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	for (unsigned i = 0; i < 4; i++) {
		int fd = sealable(4 * PG, rows[i].seal);

		IS(rows[i].write, sys(pwrite(fd, "12345678", 8, 0)));
		IS(0, sys(pwrite(fd, "12345678", 0, 0)));
		IS(rows[i].cross, sys(pwrite(fd, "12345678", 8, 4 * PG - 4)));
		IS(0, sys(rows[i].cross == 8 ? fallocate(fd, 0, 0, 1) : 0));
		IS(rows[i].alloc, sys(fallocate(fd, 0, 0, PG)));
		IS(rows[i].alloc_beyond, sys(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * PG)));
		IS(rows[i].punch, sys(fallocate(fd, punch, 0, PG)));
		IS(rows[i].grow, sys(ftruncate(fd, 6 * PG)));
		IS(rows[i].shrink, sys(ftruncate(fd, PG)));
		close(fd);
	}
}

static void mapping(struct traps *t)
{
	int fd = sealable(PG, F_SEAL_WRITE);
	void *at;

	IS(-EPERM, map(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	at = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0);
	IS(-EACCES, sys(mprotect(at, PG, PROT_READ | PROT_WRITE)));
	munmap(at, PG);
	close(fd);
	/* What was writable before the seal stays so. */
	fd = sealable(PG, 0);
	at = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0);
	IS(0, add(fd, F_SEAL_FUTURE_WRITE));
	IS(-EPERM, map(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	IS(0, sys(mprotect(at, PG, PROT_READ | PROT_WRITE)));
	*(char *)at = 5;
	IS(-EPERM, sys(pwrite(fd, "x", 1, 0)));
	munmap(at, PG);
	close(fd);
}

int main(void)
{
	struct traps t = { 0 };

	creation(&t);
	adding(&t);
	forbidding(&t);
	mapping(&t);
	return traps_end(&t, "traps_memfd");
}
