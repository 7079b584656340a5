/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A program that knows nothing of the simulator, compiled with -include iommufd-sim/redirect.h.
 * If this failed, a VMM could not be tested without changing its code: a call would reach the host
 * instead of the simulator, or a descriptor would not have the number that Linux gives.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* redirect_other.c */
int open_iommu_elsewhere(void);

static void map_guest(int iommu, int device, int memfd)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommu };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.fd = memfd, .length = 0x2000, .iova = 0x100000,
	};

	assert(ioctl(iommu, IOMMU_IOAS_ALLOC, &ioas) == 0);
	assert(ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &bind) == 0);
	attach.pt_id = map.ioas_id = ioas.out_ioas_id;
	assert(ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) == 0);
	assert(ioctl(iommu, IOMMU_IOAS_MAP_FILE, &map) == 0);
	assert(ioctl(iommu, IOMMU_IOAS_MAP_FILE, &map) == -1 && errno == EEXIST);
	map.fd = STDERR_FILENO;         /* a file, but none whose pages can be pinned */
	map.iova = 0x200000;
	assert(ioctl(iommu, IOMMU_IOAS_MAP_FILE, &map) == -1 && errno == EINVAL);
}

static void check_numbers(int first)
{
	int host, memfd;

	/* One number space: the host's file takes the gap, the next simulated one goes behind. */
	assert(close(first) == 0);
	assert(close(first) == -1 && errno == EBADF);
	host = open("/dev/zero", O_RDONLY);
	memfd = memfd_create("a", 0);
	assert(host == first && memfd == first + 3);
	assert(dup(memfd) == first + 4 && fcntl(memfd, F_DUPFD, 40) == 40);
	assert(dup2(memfd, host) == host && write(host, "xyz", 3) == 3);
	assert(lseek(40, 0, SEEK_CUR) == 3);
	assert(dup2(STDERR_FILENO, 40) == 40 && lseek(host, 0, SEEK_CUR) == 3);
	assert(close(40) == 0 && close(memfd) == 0 && close(first + 4) == 0 && close(host) == 0);
	assert(open_iommu_elsewhere() == first && close(first) == 0);
}

static void check_memory(int memfd, int host_pipe)
{
	struct pollfd fds[2] = { { .fd = memfd, .events = POLLIN },
				 { .fd = host_pipe, .events = POLLIN } };
	struct stat st;
	char *at, *again;

	assert(fstat(memfd, &st) == 0 && st.st_size == 0x2000 && S_ISREG(st.st_mode));
	at = mmap(NULL, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	assert(at != MAP_FAILED && pwrite(memfd, "guest", 6, 0x1000) == 6);
	assert(strcmp(at + 0x1000, "guest") == 0);
	again = mmap(at, 0x2000, PROT_READ, MAP_SHARED | MAP_FIXED, memfd, 0);
	assert(again == at && strcmp(at + 0x1000, "guest") == 0);
	assert(mprotect(at, 0x1000, PROT_READ | PROT_WRITE) == 0);
	assert(munmap(at, 0x2000) == 0 && poll(fds, 2, -1) == 1);
	assert(fds[0].revents == POLLIN && fds[1].revents == 0 && fds[1].fd == host_pipe);
	assert(fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE) == -1 && errno == EBUSY);        /* pinned */
	assert(fcntl(memfd, F_ADD_SEALS, F_SEAL_GROW) == 0);
	assert(ftruncate(memfd, 0x3000) == -1 && errno == EPERM);
}

int main(void)
{
	struct liveupdate_ioctl_create_session session = { .size = sizeof(session), .name = "vm" };
	int next = dup(STDERR_FILENO), iommu, device, luo, memfd, ends[2];

	close(next);
	iommu = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	device = open("/dev/vfio/devices/vfio0", O_RDWR);
	luo = openat(AT_FDCWD, "/dev/liveupdate", O_RDWR);
	assert(iommu == next && device == next + 1 && luo == next + 2);
	assert(fcntl(iommu, F_GETFD) == FD_CLOEXEC && fcntl(luo, F_GETFD) == 0);
	assert(open("/dev/vfio/devices/vfio9", O_RDWR) == -1 && errno == ENOENT);
	memfd = memfd_create("guest", MFD_ALLOW_SEALING);
	assert(memfd == next + 3 && ftruncate(memfd, 0x2000) == 0);
	map_guest(iommu, device, memfd);
	assert(ioctl(luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &session) == 0);
	assert(session.fd == next + 4);
	assert(pipe(ends) == 0 && ends[0] == next + 5);
	check_memory(memfd, ends[0]);
	assert(close(session.fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
	assert(close(memfd) == 0 && close(device) == 0 && close(luo) == 0);
	luo = open("/dev/liveupdate", O_RDWR);
	assert(luo == next + 1 && memfd_create("b", 0) == next + 2);
	check_numbers(iommu);
	assert(ifs_redirect_kexec() == 0);
	assert(close(luo) == -1 && errno == EBADF);
	assert(open("/dev/iommu", O_RDWR) == next);
	assert(ifs_redirect_shutdown() == 0);
	puts("a plain program works");
	return 0;
}
