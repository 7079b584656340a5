/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Two ways to have another process: see peer.h. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_CAPS ((1ull << (CAP_LAST_CAP + 1)) - 1)

#ifdef IOMMUFD_SIM_REDIRECT_H

static struct ifs_process *peers[NR_PEERS];

static struct ifs_process *process(unsigned peer)
{
	return peer ? peers[peer] : ifs_redirect_process();
}

static int answer(int result)
{
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

int peer_lives(unsigned peer)
{
	return !peer || peers[peer];
}

void peer_fork(unsigned peer)
{
	peers[peer] = ifs_fork(ifs_redirect_process());
}

void peer_exit(unsigned peer)
{
	ifs_exit(peers[peer]);
	peers[peer] = NULL;
}

int peer_open(unsigned peer, const char *path, int flags)
{
	return peer ? answer(ifs_open(peers[peer], path, flags)) : open(path, flags);
}

int peer_close(unsigned peer, int fd)
{
	return peer ? answer(ifs_close(peers[peer], fd)) : close(fd);
}

int peer_ioctl(unsigned peer, int fd, unsigned long cmd, void *arg, unsigned size)
{
	(void)size;
	return peer ? answer(ifs_ioctl(peers[peer], fd, cmd, arg)) : ioctl(fd, cmd, arg);
}

int peer_setrlimit_memlock(unsigned peer, uint64_t soft_bytes)
{
	return answer(ifs_setrlimit_memlock(process(peer), soft_bytes, ~0ull));
}

int peer_capset(unsigned peer, uint64_t effective)
{
	return answer(ifs_capset(process(peer), ALL_CAPS, effective));
}

int peer_setresuid(unsigned peer, uint32_t ruid, uint32_t euid, uint32_t suid)
{
	return answer(ifs_setresuid(process(peer), ruid, euid, suid));
}

void peer_locked(unsigned peer, uint64_t *vm_pin, uint64_t *vm_lck)
{
	ifs_process_get_locked(process(peer), vm_pin, vm_lck);
	*vm_pin *= 4;
	*vm_lck *= 4;
}

#else
enum request { EXIT, OPEN, CLOSE, IOCTL, RLIMIT, CAPSET, SETRESUID };

struct mailbox {
	sem_t request, done;
	enum request what;
	uint64_t number[3];
	char arg[256];
	int result, error;
};
static struct mailbox *mailboxes;
static pid_t pids[NR_PEERS];

static int set_caps(uint64_t effective)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)effective, .permitted = (uint32_t)ALL_CAPS },
		{ .effective = effective >> 32, .permitted = ALL_CAPS >> 32 },
	};

	return (int)syscall(SYS_capset, &header, data);
}

static int obey(enum request what, const uint64_t *number, void *arg)
{
	const struct rlimit limit = { number[0], RLIM_INFINITY };

	switch (what) {
	case OPEN:
		return open(arg, (int)number[0]);
	case CLOSE:
		return close((int)number[0]);
	case IOCTL:
		return ioctl((int)number[0], number[1], arg);
	case RLIMIT:
		return setrlimit(RLIMIT_MEMLOCK, &limit);
	case CAPSET:
		return set_caps(number[0]);
	case SETRESUID:
		return setresuid((uid_t)number[0], (uid_t)number[1], (uid_t)number[2]);
	default:
		_exit(0);
	}
}

static int tell(unsigned peer, enum request what, const uint64_t *number, void *arg, unsigned size)
{
	struct mailbox *box = &mailboxes[peer];

	if (!peer)
		return obey(what, number, arg);
	box->what = what;
	memcpy(box->number, number, sizeof(box->number));
	memcpy(box->arg, arg, size);
	sem_post(&box->request);
	while (sem_wait(&box->done))
		;
	memcpy(arg, box->arg, size);
	errno = box->error;
	return box->result;
}

int peer_lives(unsigned peer)
{
	return !peer || pids[peer];
}

static void exit_all(void)
{
	for (unsigned peer = 1; peer < NR_PEERS; peer++)
		if (pids[peer])
			peer_exit(peer);
}

void peer_fork(unsigned peer)
{
	struct mailbox *box;

	if (!mailboxes) {
		atexit(exit_all);
		mailboxes = mmap(NULL, NR_PEERS * sizeof(*mailboxes), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	}
	box = &mailboxes[peer];
	sem_init(&box->request, 1, 0);
	sem_init(&box->done, 1, 0);
	pids[peer] = fork();
	if (pids[peer] < 0) {
		perror("fork");
		exit(1);
	}
	if (pids[peer])
		return;
	for (;;) {
		while (sem_wait(&box->request))
			;
		box->result = obey(box->what, box->number, box->arg);
		box->error = errno;
		sem_post(&box->done);
	}
}

void peer_exit(unsigned peer)
{
	mailboxes[peer].what = EXIT;
	sem_post(&mailboxes[peer].request);
	waitpid(pids[peer], NULL, 0);
	pids[peer] = 0;
}

int peer_open(unsigned peer, const char *path, int flags)
{
	char copy[64];

	strcpy(copy, path);
	return tell(peer, OPEN, (uint64_t[3]){ (uint64_t)flags }, copy, sizeof(copy));
}

int peer_close(unsigned peer, int fd)
{
	return tell(peer, CLOSE, (uint64_t[3]){ (uint64_t)fd }, "", 0);
}

int peer_ioctl(unsigned peer, int fd, unsigned long cmd, void *arg, unsigned size)
{
	return tell(peer, IOCTL, (uint64_t[3]){ (uint64_t)fd, cmd }, arg, size);
}

int peer_setrlimit_memlock(unsigned peer, uint64_t soft_bytes)
{
	return tell(peer, RLIMIT, (uint64_t[3]){ soft_bytes }, "", 0);
}

int peer_capset(unsigned peer, uint64_t effective)
{
	return tell(peer, CAPSET, (uint64_t[3]){ effective }, "", 0);
}

int peer_setresuid(unsigned peer, uint32_t ruid, uint32_t euid, uint32_t suid)
{
	return tell(peer, SETRESUID, (uint64_t[3]){ ruid, euid, suid }, "", 0);
}

void peer_locked(unsigned peer, uint64_t *vm_pin, uint64_t *vm_lck)
{
	/* Opened as root, out of the way: whoever is none may not get past "/". */
	static int proc = -1;
	char line[256];
	FILE *status;
	int fd;

	if (proc < 0) {
		fd = open("/proc", O_RDONLY | O_DIRECTORY);
		proc = fcntl(fd, F_DUPFD_CLOEXEC, 500);
		close(fd);
	}
	snprintf(line, sizeof(line), "%d/status", peer ? pids[peer] : getpid());
	fd = openat(proc, line, O_RDONLY);
	status = fd < 0 ? NULL : fdopen(fd, "r");
	while (status && fgets(line, sizeof(line), status)) {
		if (!strncmp(line, "VmPin:", 6))
			*vm_pin = strtoull(line + 6, NULL, 10);
		if (!strncmp(line, "VmLck:", 6))
			*vm_lck = strtoull(line + 6, NULL, 10);
	}
	if (status)
		fclose(status);
}
#endif
