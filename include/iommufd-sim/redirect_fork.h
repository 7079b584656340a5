/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A part of redirect.h, not for inclusion by itself: taking turns, and fork().
 *
 * The machine, its kernel and what they know of each process lie in memory that forked children
 * share with their parents, so a child goes on with the same kernel: it runs its own system calls
 * there, as any process does. What is shared besides is struct ifs_redirect_shared: who there is.
 *
 * Record locks (fcntl(2)) on the machine's file, far behind its end, do the rest. They belong to a
 * process and go with it, whatever it died of:
 *  - byte 0 is the turn: who holds it may enter the kernel;
 *  - byte 1 + N is held by process N for as long as it lives. Whose lock is found gone has exited,
 *    and is made to exit in the simulated kernel before the next call does anything. A parent that
 *    waited for its child finds it gone: the host closes files before it tells the parent.
 * With one process there is nobody to take turns with, and no lock is taken.
 */
#include <iommufd-sim/redirect.h>       /* which includes this file where it belongs */

#ifndef IOMMUFD_SIM_REDIRECT_FORK_H
#define IOMMUFD_SIM_REDIRECT_FORK_H

#define IFS_REDIRECT_MAX_PROCESSES 255
#define IFS_REDIRECT_LOCK_BASE (1ll << 62)
#define IFS_REDIRECT_TURN 0

struct ifs_redirect_member {
	struct ifs_process *process;    /* NULL: no such process */
	int pid;
	int started;                    /* it holds, or held, its lock */
};

struct ifs_redirect_shared {
	int inside;                     /* the process that has the turn */
	int nr_members;
	struct ifs_redirect_member members[IFS_REDIRECT_MAX_PROCESSES];
};

/* The lock on @byte: @cmd as fcntl(2) has it. True: done, or for F_GETLK: somebody has it. */
IFS_REDIRECT_FN int ifs_redirect_host_lock(int cmd, short type, int byte)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET,
			      .l_start = IFS_REDIRECT_LOCK_BASE + byte, .l_len = 1 };
	int fd = ifs_machine_arena_fd(ifs_redirect.machine), ret;

	do
		ret = fcntl(fd, cmd, &lock);
	while (ret < 0 && errno == EINTR);
	return !ret && (cmd != F_GETLK || lock.l_type != F_UNLCK);
}

IFS_REDIRECT_FN int ifs_redirect_member_lives(int slot)
{
	struct ifs_redirect_member *member = &ifs_redirect.shared->members[slot];
	int started = __atomic_load_n(&member->started, __ATOMIC_ACQUIRE);

	if (ifs_redirect_host_lock(F_GETLK, F_WRLCK, 1 + slot))
		return 1;
	return !started && (!member->pid || !kill(member->pid, 0) || errno != ESRCH);
}

/* Somebody who ended without a word has ended for the simulated kernel, too. */
IFS_REDIRECT_FN void ifs_redirect_reap(void)
{
	struct ifs_redirect_shared *shared = ifs_redirect.shared;

	for (int i = 0; i < IFS_REDIRECT_MAX_PROCESSES; i++) {
		if (i == ifs_redirect.slot || !shared->members[i].process ||
		    ifs_redirect_member_lives(i))
			continue;
		ifs_exit(shared->members[i].process);
		memset(&shared->members[i], 0, sizeof(shared->members[i]));
		shared->nr_members--;
	}
}

IFS_REDIRECT_FN void ifs_redirect_lock(void)
{
	struct ifs_redirect_shared *shared;

	while (__atomic_exchange_n(&ifs_redirect.lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
	shared = ifs_redirect.shared;
	if (!shared || __atomic_load_n(&shared->nr_members, __ATOMIC_ACQUIRE) < 2)
		return;
	ifs_redirect.has_turn = ifs_redirect_host_lock(F_SETLKW, F_WRLCK, IFS_REDIRECT_TURN);
	if (!ifs_redirect.has_turn || shared->inside) {
		fprintf(stderr, "iommufd-sim: process %d ended inside of a system call; what the "
			"simulated kernel was doing there nobody can finish\n", shared->inside);
		assert(!"the simulated kernel can go on");
	}
	shared->inside = getpid();
	ifs_redirect_reap();
	ifs_process_set_host(shared->members[ifs_redirect.slot].process, (uint32_t)getpid());
}

/* Ends a call: @ret as process.h gives it, returned as the C library would. */
IFS_REDIRECT_FN long ifs_redirect_unlock(long ret)
{
	if (ifs_redirect.has_turn) {
		ifs_redirect.shared->inside = 0;
		ifs_redirect_host_lock(F_SETLK, F_UNLCK, IFS_REDIRECT_TURN);
		ifs_redirect.has_turn = 0;
	}
	__atomic_store_n(&ifs_redirect.lock, 0, __ATOMIC_RELEASE);
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

/* From here on with the lock held. */

/* This process is number @slot of those that share the machine. */
IFS_REDIRECT_FN void ifs_redirect_be(int slot)
{
	struct ifs_redirect_member *member = &ifs_redirect.shared->members[slot];

	ifs_redirect.slot = slot;
	ifs_redirect_host_lock(F_SETLK, F_WRLCK, 1 + slot);
	member->pid = getpid();
	__atomic_store_n(&member->started, 1, __ATOMIC_RELEASE);
}

/* The first process of a machine that was just made. False: no memory. */
IFS_REDIRECT_FN int ifs_redirect_found(void)
{
	struct ifs_redirect_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
						  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return 0;
	shared->nr_members = 1;
	ifs_redirect.shared = shared;
	ifs_redirect_be(0);
	return 1;
}

/* Ends all processes of the machine but this one: what a kexec or the power switch does to them. */
IFS_REDIRECT_FN void ifs_redirect_end_others(void)
{
	struct ifs_redirect_shared *shared = ifs_redirect.shared;

	for (int i = 0; shared && i < IFS_REDIRECT_MAX_PROCESSES; i++) {
		if (i == ifs_redirect.slot || !shared->members[i].process)
			continue;
		while (ifs_redirect_member_lives(i)) {
			if (shared->members[i].pid)
				kill(shared->members[i].pid, SIGKILL);
			sched_yield();
		}
		memset(&shared->members[i], 0, sizeof(shared->members[i]));
		shared->nr_members--;
	}
}

/* A child of the program's process in the simulated kernel: its number, or -errno. */
IFS_REDIRECT_FN int ifs_redirect_new_member(void)
{
	struct ifs_redirect_shared *shared = ifs_redirect.shared;
	struct ifs_process *child;
	int slot = 0;

	while (slot < IFS_REDIRECT_MAX_PROCESSES && shared->members[slot].process)
		slot++;
	if (slot == IFS_REDIRECT_MAX_PROCESSES)
		return -EAGAIN;
	ifs_process_set_host(ifs_redirect.process, (uint32_t)getpid());
	child = ifs_fork(ifs_redirect.process);
	if (!child)
		return -ENOMEM;
	ifs_process_set_host(child, IFS_HOST_NOBODY);
	shared->members[slot].process = child;
	__atomic_add_fetch(&shared->nr_members, 1, __ATOMIC_RELEASE);
	/* Where Yama is strict: the others read and write memory that was mapped for DMA. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	return slot;
}

IFS_REDIRECT_FN void ifs_redirect_drop_member(int slot)
{
	struct ifs_redirect_shared *shared = ifs_redirect.shared;

	ifs_exit(shared->members[slot].process);
	memset(&shared->members[slot], 0, sizeof(shared->members[slot]));
	shared->nr_members--;
}

IFS_REDIRECT_FN int ifs_redirect_boot(void);

/* Boots, too: otherwise parent and child would each boot a machine of its own. */
IFS_REDIRECT_FN pid_t ifs_redirect_fork(void)
{
	struct ifs_redirect_shared *shared;
	int slot = -1;
	pid_t pid;

	ifs_redirect_lock();
	if (!ifs_redirect_boot() && ifs_redirect.shared &&
	    ifs_redirect.process == ifs_redirect.shared->members[ifs_redirect.slot].process) {
		slot = ifs_redirect_new_member();
		if (slot < 0)
			return (pid_t)ifs_redirect_unlock(slot);
	}
	shared = ifs_redirect.shared;
	pid = fork();
	if (!pid) {
		ifs_redirect.lock = 0;
		ifs_redirect.has_turn = 0;
		if (slot >= 0) {
			ifs_redirect.process = shared->members[slot].process;
			ifs_redirect_be(slot);
			prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
		}
		return 0;
	}
	if (pid < 0)
		pid = -errno;
	if (slot >= 0 && pid < 0)
		ifs_redirect_drop_member(slot);
	else if (slot >= 0 && !shared->members[slot].pid)
		shared->members[slot].pid = pid;
	return (pid_t)ifs_redirect_unlock(pid);
}

#endif
