/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Runs a C program that knows nothing of the simulator against it, unchanged. Compile all of it
 * with
 *
 *	cc -include iommufd-sim/redirect.h prog.c $(pkg-config --cflags --libs iommufd-sim)
 *
 * Its calls of open, ioctl, mmap and so on (the list is at the end) then come here. What belongs to
 * the simulator goes there: the paths /dev/iommu, /dev/liveupdate and /dev/vfio/..., every memfd,
 * anonymous memory that is shared or of huge pages, the files of fault injection (redirect_dir.h),
 * what is charged and allowed (redirect_proc.h), and the descriptors that came of these. All else
 * goes to the C library. Results are as the C library gives them: -1 and errno.
 *
 * A machine is powered on and a kernel booted with the first such call, and the program becomes
 * a root process of it, without a limit on locked memory. A program that wants another machine
 * makes one and names its process with ifs_redirect_use() first. Environment:
 *
 *	IFS_REDIRECT_DEVICES=N          PCI devices of the machine (default 1, at most 64)
 *	IFS_REDIRECT_IOMMUFD_TEST=1     the selftest interface (CONFIG_IOMMUFD_TEST; default 0)
 *	IFS_REDIRECT_EXACT=0            known bugs of 7.3 are mended (default 1: reproduced)
 *	IFS_REDIRECT_HUGEPAGES=N        2 MiB pages for MAP_HUGETLB, as vm.nr_hugepages (default 0)
 *
 * Descriptors. The numbers are those that Linux would give, the lowest free one, and a number means
 * the same in the program and in the simulated kernel, which sees them in ioctl arguments too. For
 * that, each simulated descriptor holds its number in the host's table with a placeholder, and each
 * number that the host has in use is held in the simulated table by a file that can do nothing
 * (/dev/null). Both are brought in line just before a simulated descriptor is made or handed to an
 * ioctl; numbers of the host above the lowest free one stay unknown to the simulated kernel
 * (EBADF).
 *
 * The state is the program's: one object, shared by all translation units of the program (or of
 * one shared object) that were compiled with this header. Calls may come from several threads; they
 * take turns.
 *
 * Processes. A child of fork() is a process of the same kernel: it has its parent's descriptors,
 * maps its own memory, and is found gone when it has ended, in whatever way (redirect_fork.h). Up
 * to 255 processes share a machine. A kexec and a shutdown end all others with SIGKILL.
 *
 * Unlike Linux:
 *  - exec(2) closes all simulated descriptors; a child that was made in another way than by a call
 *    of fork() in the program's own source (vfork, clone, daemon, posix_spawn) must not use them;
 *  - own (private) memory of a process that ended cannot be reached by DMA any more;
 *  - poll() of simulated descriptors does not wait: nobody else could make them ready;
 *  - a descriptor is closed by close(), dup2() and dup3() only, not by closefrom() or
 *    close_range();
 *  - not redirected: select, epoll, readv and writev, sendfile, SCM_RIGHTS, syscall(2), setuid,
 *    setrlimit, paths seen by stat or access, stdio but for fopen("/proc/PID/status");
 *  - the program is compiled with _GNU_SOURCE, whatever it asks for.
 *
 * C only: in C++ these names are those of class members, too.
 */
#ifndef IOMMUFD_SIM_REDIRECT_H
#define IOMMUFD_SIM_REDIRECT_H

#ifdef __cplusplus
#error "iommufd-sim/redirect.h is for C programs"
#endif

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#define IFS_REDIRECT_UNDEF_GNU_SOURCE
#endif

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>

#define IFS_REDIRECT_MAX_FDS 4096
/* The machine's own descriptor lies above this number, where the program does not see it. */
#define IFS_REDIRECT_LOW_FDS 256

/* What a number is in the simulated table. */
enum ifs_redirect_fd {
	IFS_REDIRECT_FREE = 0,
	IFS_REDIRECT_SIM,               /* a simulated descriptor; the host has a placeholder */
	IFS_REDIRECT_HOST,              /* /dev/null, for one that the host has in use */
};

struct ifs_redirect_dir;

struct ifs_redirect {
	struct ifs_process *process;    /* NULL until the first call */
	struct ifs_machine *machine;    /* all NULL if the program brought its own process */
	struct ifs_kernel *kernel;
	struct ifs_redirect_dir *dirs;  /* open ones: redirect_dir.h */
	struct ifs_redirect_shared *shared;     /* who has the machine */
	int slot;                       /* our number there */
	int lock;                       /* between threads */
	int has_turn;                   /* between processes */
	unsigned char fds[IFS_REDIRECT_MAX_FDS];        /* enum ifs_redirect_fd */
};

/* Weak: all translation units share one. */
__attribute__((weak, visibility("hidden"))) struct ifs_redirect ifs_redirect;

#define IFS_REDIRECT_FN static __attribute__((unused))

#include <iommufd-sim/redirect_fork.h>

/* With the lock held from here on, until ifs_redirect_open(). */

IFS_REDIRECT_FN int ifs_redirect_is(int fd)
{
	return fd >= 0 && fd < IFS_REDIRECT_MAX_FDS && ifs_redirect.fds[fd] == IFS_REDIRECT_SIM;
}

IFS_REDIRECT_FN int ifs_redirect_placeholder(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

IFS_REDIRECT_FN void ifs_redirect_drop_sim(int fd)
{
	if (ifs_redirect.fds[fd] != IFS_REDIRECT_FREE)
		ifs_close(ifs_redirect.process, fd);
	ifs_redirect.fds[fd] = IFS_REDIRECT_FREE;
}

/* All simulated descriptors are gone, with the kernel that had them. */
IFS_REDIRECT_FN void ifs_redirect_forget(void)
{
	for (int fd = 0; fd < IFS_REDIRECT_MAX_FDS; fd++)
		if (ifs_redirect.fds[fd] == IFS_REDIRECT_SIM)
			close(fd);
	memset(ifs_redirect.fds, 0, sizeof(ifs_redirect.fds));
	ifs_redirect.process = NULL;
}

/* What @process has open becomes the program's, but for numbers that the host has in use. */
IFS_REDIRECT_FN void ifs_redirect_adopt(struct ifs_process *process)
{
	int spare = ifs_redirect_placeholder();

	ifs_redirect.process = process;
	for (int fd = 0; fd < IFS_REDIRECT_MAX_FDS; fd++) {
		if (ifs_fcntl(process, fd, F_GETFD, 0) < 0)
			continue;
		ifs_redirect.fds[fd] = IFS_REDIRECT_HOST;
		if (fd == spare || (fcntl(fd, F_GETFD) < 0 && dup3(spare, fd, O_CLOEXEC) == fd))
			ifs_redirect.fds[fd] = IFS_REDIRECT_SIM;
	}
	if (spare >= 0 && !ifs_redirect_is(spare))
		close(spare);
}

IFS_REDIRECT_FN int ifs_redirect_new_process(void)
{
	struct ifs_process_config config = { .size = sizeof(config),
					     .rlimit_memlock_bytes = ~0ull,
					     .rlimit_nofile = IFS_REDIRECT_MAX_FDS };

	/* RLIMIT_NOFILE is the host's: a number there comes first. */
	ifs_redirect.process = ifs_process_new(ifs_redirect.kernel, &config);
	if (!ifs_redirect.process)
		return -ENOMEM;
	ifs_redirect.shared->members[ifs_redirect.slot].process = ifs_redirect.process;
	return 0;
}

/* The number in IFS_REDIRECT_@name. */
IFS_REDIRECT_FN int ifs_redirect_env(const char *name, int by_default)
{
	char variable[64];
	const char *value;

	snprintf(variable, sizeof(variable), "IFS_REDIRECT_%s", name);
	value = getenv(variable);
	return value ? atoi(value) : by_default;
}

IFS_REDIRECT_FN struct ifs_machine *ifs_redirect_new_machine(struct ifs_error *error)
{
	struct ifs_machine_config config = { .size = sizeof(config), .shared = true };
	int low[IFS_REDIRECT_LOW_FDS], nr_low = 0, nr = ifs_redirect_env("DEVICES", 1);
	struct ifs_machine *machine;

	while (nr_low < IFS_REDIRECT_LOW_FDS) {
		low[nr_low] = ifs_redirect_placeholder();
		if (low[nr_low] < 0 || low[nr_low] >= IFS_REDIRECT_LOW_FDS)
			break;
		nr_low++;
	}
	if (nr_low < IFS_REDIRECT_LOW_FDS && low[nr_low] >= 0)
		close(low[nr_low]);
	machine = ifs_machine_new(&config, error);
	while (nr_low)
		close(low[--nr_low]);
	for (int i = 0; machine && i < nr; i++) {
		struct ifs_device_config slot = { .size = sizeof(slot), .bus = (uint8_t)(i + 1) };

		if (!ifs_machine_add_device(machine, &slot, error)) {
			ifs_machine_free(machine);
			return NULL;
		}
	}
	return machine;
}

/* The process of this program, booted if need be: 0 or -errno. */
IFS_REDIRECT_FN int ifs_redirect_boot(void)
{
	struct ifs_kernel_config config = { .size = sizeof(config) };
	struct ifs_error error = { .code = ENOMEM, .text = "no memory" };

	if (ifs_redirect.process)
		return 0;
	if (ifs_redirect_env("IOMMUFD_TEST", 0))
		config.iommufd_test = IFS_ON;
	config.huge_pages = (uint32_t)ifs_redirect_env("HUGEPAGES", 0);
	if (!ifs_redirect_env("EXACT", 1))
		config.exact = IFS_OFF;
	if (!ifs_redirect.machine)
		ifs_redirect.machine = ifs_redirect_new_machine(&error);
	if (!ifs_redirect.machine || (!ifs_redirect.shared && !ifs_redirect_found()))
		goto failed;
	if (!ifs_redirect.kernel)
		ifs_redirect.kernel = ifs_kernel_boot(ifs_redirect.machine, &config, &error);
	if (ifs_redirect.kernel)
		return ifs_redirect_new_process();
failed:
	fprintf(stderr, "iommufd-sim: %s\n", error.text);
	return error.code ? -error.code : -ENOMEM;
}

/*
 * Takes the number that the next descriptor gets, in the host's table, and sees to it that the
 * simulated kernel chooses the same one: the number, or -errno.
 */
IFS_REDIRECT_FN int ifs_redirect_reserve(void)
{
	int fd = ifs_redirect_placeholder(), null = 0, null_fd = -1;

	if (fd < 0)
		return fd;
	for (int i = 0; i < fd && i < IFS_REDIRECT_MAX_FDS && null_fd < 0; i++)
		null_fd = ifs_redirect.fds[i] == IFS_REDIRECT_HOST ? i : -1;
	for (int i = 0; i < fd && fd < IFS_REDIRECT_MAX_FDS && null >= 0; i++) {
		if (ifs_redirect.fds[i] != IFS_REDIRECT_FREE)
			continue;
		/* A copy of one that is there needs no memory: nothing for fail-nth to count. */
		null = null_fd < 0 ? ifs_open(ifs_redirect.process, "/dev/null", O_RDWR)
				   : ifs_dup(ifs_redirect.process, null_fd);
		if (null >= 0)
			ifs_redirect.fds[null] = IFS_REDIRECT_HOST;
	}
	if (null < 0 || fd >= IFS_REDIRECT_MAX_FDS) {
		close(fd);
		return null < 0 ? null : -EMFILE;
	}
	ifs_redirect_drop_sim(fd);
	return fd;
}

/* After the call: the number @fd was used, or is given back. */
IFS_REDIRECT_FN void ifs_redirect_settle(int fd)
{
	if (ifs_fcntl(ifs_redirect.process, fd, F_GETFD, 0) >= 0)
		ifs_redirect.fds[fd] = IFS_REDIRECT_SIM;
	else
		close(fd);
}

/* A copy of the simulated @fd at @to, which the host has reserved already. */
IFS_REDIRECT_FN int ifs_redirect_copy(int fd, int to, int cloexec)
{
	int ret = -EMFILE;

	if (to < IFS_REDIRECT_MAX_FDS) {
		ifs_redirect_drop_sim(to);
		ret = ifs_fcntl(ifs_redirect.process, fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD,
				(unsigned long)to);
	}
	if (ret >= 0)
		ifs_redirect.fds[to] = IFS_REDIRECT_SIM;
	else
		close(to);
	return ret;
}

IFS_REDIRECT_FN int ifs_redirect_copy_above(int fd, unsigned long min_fd, int cloexec)
{
	int to = fcntl(fd, F_DUPFD_CLOEXEC, (long)min_fd);

	return to < 0 ? -errno : ifs_redirect_copy(fd, to, cloexec);
}

/* The commands that give out descriptors or are given some. */
IFS_REDIRECT_FN int ifs_redirect_deals_in_fds(unsigned long cmd)
{
	if (_IOC_TYPE(cmd) == 0xba)
		return 1;               /* sessions, and what is preserved in them */
	if (_IOC_TYPE(cmd) != ';')
		return 0;
	switch (_IOC_NR(cmd)) {
	case 0x76:                      /* VFIO_DEVICE_BIND_IOMMUFD */
	case 0x8e:                      /* IOMMU_FAULT_QUEUE_ALLOC */
	case 0x8f:                      /* IOMMU_IOAS_MAP_FILE */
	case 0x93:                      /* IOMMU_VEVENTQ_ALLOC */
	case 0xa0:                      /* IOMMU_TEST_CMD */
		return 1;
	default:
		return 0;
	}
}

/*
 * The program's system calls go to @process from now on. What it has open is open in the program;
 * what was open before is not (and stays open in the former process).
 */
IFS_REDIRECT_FN void ifs_redirect_use(struct ifs_process *process)
{
	ifs_redirect_lock();
	ifs_redirect_forget();
	ifs_redirect_adopt(process);
	ifs_redirect_unlock(0);
}

/* The process behind the program's system calls; NULL: it could not be booted. */
IFS_REDIRECT_FN struct ifs_process *ifs_redirect_process(void)
{
	ifs_redirect_lock();
	ifs_redirect_unlock(ifs_redirect_boot());
	return ifs_redirect.process;
}

/*
 * kexec of the machine that was booted here, and boot of the next kernel, with defaults: 0, or -1
 * and errno as ifs_kernel_kexec() and ifs_kernel_boot() have it. All descriptors are gone after it.
 */
IFS_REDIRECT_FN int ifs_redirect_kexec(void)
{
	int ret;

	ifs_redirect_lock();
	ret = ifs_redirect.kernel ? ifs_kernel_kexec(ifs_redirect.kernel) : -EINVAL;
	if (!ret) {
		ifs_redirect_end_others();
		ifs_redirect_forget();
		ifs_redirect.kernel = NULL;
		ret = ifs_redirect_boot();
	}
	return (int)ifs_redirect_unlock(ret);
}

/* Ends the kernel and the machine that were booted here: what leaked, see ifs_kernel_shutdown(). */
IFS_REDIRECT_FN uint64_t ifs_redirect_shutdown(void)
{
	uint64_t left;

	ifs_redirect_lock();
	ifs_redirect_end_others();
	if (ifs_redirect.kernel)
		ifs_redirect_forget();
	left = ifs_kernel_shutdown(ifs_redirect.kernel);
	ifs_redirect.has_turn = 0;      /* the lock goes with the file */
	ifs_machine_free(ifs_redirect.machine);
	if (ifs_redirect.shared)
		munmap(ifs_redirect.shared, sizeof(*ifs_redirect.shared));
	ifs_redirect.shared = NULL;
	ifs_redirect.kernel = NULL;
	ifs_redirect.machine = NULL;
	ifs_redirect_unlock(0);
	return left;
}

#include <iommufd-sim/redirect_dir.h>
#include <iommufd-sim/redirect_proc.h>
#include <iommufd-sim/redirect_calls.h>

#ifdef IFS_REDIRECT_UNDEF_GNU_SOURCE
#undef _GNU_SOURCE              /* the program may define it in its own way */
#undef IFS_REDIRECT_UNDEF_GNU_SOURCE
#endif

#endif
