/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A program of several processes that knows nothing of the simulator, compiled with
 * -include iommufd-sim/redirect.h. If this failed, a VMM or a test harness that forks would see
 * another kernel in each process, or ends of processes would leave descriptors open.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned ioas_alloc(int iommu)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	return ioctl(iommu, IOMMU_IOAS_ALLOC, &cmd) ? 0 : cmd.out_ioas_id;
}

static int bind_device(int iommu, int device)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommu };

	return ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind);
}

static int session_create(int luo)
{
	struct liveupdate_ioctl_create_session session = { .size = sizeof(session), .name = "vm" };

	return ioctl(luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &session) ? -1 : session.fd;
}

static void wait_for(pid_t pid, int expected)
{
	int status;

	assert(waitpid(pid, &status, 0) == pid);
	assert(status == expected);
}

/* Nothing is booted yet: all the same there is one kernel. */
static void check_fork_comes_first(void)
{
	int ends[2], luo;
	pid_t pid;
	char byte;

	assert(pipe(ends) == 0);
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		luo = open("/dev/liveupdate", O_RDWR);
		assert(luo >= 0 && write(ends[1], "", 1) == 1);
		pause();
	}
	assert(read(ends[0], &byte, 1) == 1);
	assert(open("/dev/liveupdate", O_RDWR) == -1 && errno == EBUSY);
	assert(kill(pid, SIGKILL) == 0);
	wait_for(pid, SIGKILL);
	luo = open("/dev/liveupdate", O_RDWR);
	assert(luo >= 0 && close(luo) == 0);
	assert(close(ends[0]) == 0 && close(ends[1]) == 0);
}

/* Descriptors and memory are the parent's; what is opened later is not. */
static void check_what_is_shared(void)
{
	int iommu = open("/dev/iommu", O_RDWR), memfd = memfd_create("guest", 0), other;
	char *guest;
	pid_t pid;

	assert(ftruncate(memfd, 8192) == 0 && ioas_alloc(iommu) == 1);
	guest = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	assert(guest != MAP_FAILED);
	pid = fork();
	if (!pid) {
		assert(ioas_alloc(iommu) == 2);
		strcpy(guest + 4096, "from the child");
		other = open("/dev/iommu", O_RDWR);
		assert(other == memfd + 1 && ioas_alloc(other) == 1);
		assert(close(iommu) == 0 && munmap(guest, 8192) == 0);
		_exit(0);
	}
	wait_for(pid, 0);
	assert(ioas_alloc(iommu) == 3 && strcmp(guest + 4096, "from the child") == 0);
	assert(close(memfd + 1) == -1 && errno == EBADF);
	assert(munmap(guest, 8192) == 0 && close(memfd) == 0 && close(iommu) == 0);
}

/* A process that was killed has let go of its device; a grandchild goes on without its parent. */
static void check_who_is_gone(void)
{
	int device = open("/dev/vfio/devices/vfio0", O_RDWR), ends[2], iommu;
	pid_t pid;
	char id;

	assert(device >= 0 && close(device) == 0 && pipe(ends) == 0);
	pid = fork();
	if (!pid) {
		iommu = open("/dev/iommu", O_RDWR);
		device = open("/dev/vfio/devices/vfio0", O_RDWR);
		assert(bind_device(iommu, device) == 0 && ioas_alloc(iommu) == 2);
		if (!fork()) {
			while (getppid() == pid)
				sched_yield();
			assert(close(device) == 0);
			id = (char)ioas_alloc(iommu);
			assert(write(ends[1], &id, 1) == 1);
			_exit(0);
		}
		raise(SIGKILL);
	}
	wait_for(pid, SIGKILL);
	assert(read(ends[0], &id, 1) == 1 && id >= 1);
	device = open("/dev/vfio/devices/vfio0", O_RDWR);
	iommu = open("/dev/iommu", O_RDWR);
	assert(bind_device(iommu, device) == 0);
	assert(close(iommu) == 0 && close(device) == 0);
	assert(close(ends[0]) == 0 && close(ends[1]) == 0);
}

/* The program's own threads of processes: several at a time, all of them busy. */
static void check_taking_turns(void)
{
	int iommu = open("/dev/iommu", O_RDWR);
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int n = 0; n < 250; n++)
			assert(ioas_alloc(iommu));
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		wait_for(pids[i], 0);
	assert(ioas_alloc(iommu) == 1001 && close(iommu) == 0);
}

/* Sessions live in a process that waits for the kexec, as an agent's do. */
static void check_kexec_ends_processes(void)
{
	struct liveupdate_ioctl_retrieve_session vm = { .size = sizeof(vm), .name = "vm" };
	int ends[2], luo;
	pid_t pid;
	char byte;

	assert(pipe(ends) == 0);
	pid = fork();
	if (!pid) {
		luo = open("/dev/liveupdate", O_RDWR);
		assert(session_create(luo) > luo && close(luo) == 0 && write(ends[1], "", 1) == 1);
		for (;;)
			pause();
	}
	assert(read(ends[0], &byte, 1) == 1);
	assert(ifs_redirect_kexec() == 0);
	wait_for(pid, SIGKILL);
	pid = fork();
	if (!pid) {
		luo = open("/dev/liveupdate", O_RDWR);
		assert(ioctl(luo, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &vm) == 0);
		_exit(0);
	}
	wait_for(pid, 0);
	assert(close(ends[0]) == 0 && close(ends[1]) == 0);
}

int main(void)
{
	check_fork_comes_first();
	check_what_is_shared();
	check_who_is_gone();
	check_taking_turns();
	check_kexec_ends_processes();
	assert(ifs_redirect_shutdown() == 0);
	puts("processes of a plain program share one kernel");
	return 0;
}
