/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The last part of redirect.h, not for inclusion by itself: one function for each system call
 * that is redirected, with the C library's prototype, and at the end the macros that put them in
 * place. Until then the C library's names mean the C library.
 *
 * The macros have no arguments: pointers to these functions are redirected too, and a member of the
 * program's structures that has such a name is renamed wherever it is mentioned.
 */
#ifndef IOMMUFD_SIM_REDIRECT_CALLS_H
#define IOMMUFD_SIM_REDIRECT_CALLS_H

#include <iommufd-sim/redirect.h>

IFS_REDIRECT_FN int ifs_redirect_knows_path(const char *path)
{
	return path && (!strcmp(path, "/dev/iommu") || !strcmp(path, "/dev/liveupdate") ||
			!strncmp(path, "/dev/vfio/", 10) || ifs_redirect_is_fault_file(path));
}

/* @dir as openat(2) has it. */
IFS_REDIRECT_FN int ifs_redirect_open_sim(int dir, const char *path, int flags)
{
	char own_path[128];
	int ret, fd;

	ifs_redirect_own_path(path, own_path, sizeof(own_path));
	ifs_redirect_lock();
	ret = ifs_redirect_boot();
	if (!ret)
		ret = ifs_redirect_reserve();
	if (ret >= 0) {
		fd = ret;
		ret = ifs_openat(ifs_redirect.process, dir, own_path, flags);
		ifs_redirect_settle(fd);
	}
	return (int)ifs_redirect_unlock(ret);
}

IFS_REDIRECT_FN int ifs_redirect_open(const char *path, int flags, ...)
{
	unsigned mode;
	va_list args;

	va_start(args, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, unsigned) : 0;
	va_end(args);
	if (ifs_redirect_knows_path(path))
		return ifs_redirect_open_sim(AT_FDCWD, path, flags);
	return open(path, flags, mode);
}

IFS_REDIRECT_FN int ifs_redirect_openat(int dir, const char *path, int flags, ...)
{
	unsigned mode;
	va_list args;

	va_start(args, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, unsigned) : 0;
	va_end(args);
	if (ifs_redirect_knows_path(path) || (ifs_redirect_is(dir) && path && *path != '/'))
		return ifs_redirect_open_sim(dir, path, flags);
	return openat(dir, path, flags, mode);
}

IFS_REDIRECT_FN int ifs_redirect_memfd_create(const char *name, unsigned flags)
{
	int ret, fd;

	ifs_redirect_lock();
	ret = ifs_redirect_boot();
	if (!ret)
		ret = ifs_redirect_reserve();
	if (ret >= 0) {
		fd = ret;
		ret = ifs_memfd_create(ifs_redirect.process, name, flags);
		ifs_redirect_settle(fd);
	}
	return (int)ifs_redirect_unlock(ret);
}

/* A number that only the host has is free in the simulated table, too. */
IFS_REDIRECT_FN int ifs_redirect_close(int fd)
{
	int ret = 0, simulated;

	ifs_redirect_lock();
	simulated = ifs_redirect_is(fd);
	if (simulated)
		ret = ifs_close(ifs_redirect.process, fd);
	else if (fd >= 0 && fd < IFS_REDIRECT_MAX_FDS)
		ifs_redirect_drop_sim(fd);
	if (simulated)
		ifs_redirect.fds[fd] = IFS_REDIRECT_FREE;
	ret = (int)ifs_redirect_unlock(ret);
	return simulated ? (close(fd), ret) : close(fd);
}

IFS_REDIRECT_FN DIR *ifs_redirect_opendir(const char *path)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

	if (!ifs_redirect_knows_path(path))
		return opendir(path);
	return ifs_redirect_dir_new(ifs_redirect_open_sim(AT_FDCWD, path, flags));
}

IFS_REDIRECT_FN int ifs_redirect_closedir(DIR *handle)
{
	int fd = ifs_redirect_dir_free(handle);

	return fd < 0 ? closedir(handle) : ifs_redirect_close(fd);
}

IFS_REDIRECT_FN int ifs_redirect_dup(int fd)
{
	if (!ifs_redirect_is(fd))
		return dup(fd);
	ifs_redirect_lock();
	return (int)ifs_redirect_unlock(ifs_redirect_copy_above(fd, 0, 0));
}

IFS_REDIRECT_FN int ifs_redirect_dup3(int fd, int to, int flags)
{
	int ret;

	ifs_redirect_lock();
	ret = dup3(fd, to, ifs_redirect_is(fd) ? flags | O_CLOEXEC : flags);
	if (ret < 0)
		ret = -errno;
	else if (ifs_redirect_is(fd))
		ret = ifs_redirect_copy(fd, to, flags & O_CLOEXEC);
	else if (ifs_redirect_is(to))
		ifs_redirect_drop_sim(to);
	return (int)ifs_redirect_unlock(ret);
}

IFS_REDIRECT_FN int ifs_redirect_dup2(int fd, int to)
{
	return fd == to ? dup2(fd, to) : ifs_redirect_dup3(fd, to, 0);
}

/* A call that the simulator has, on a descriptor: there or in the C library. */
#define IFS_REDIRECT_ON_FD(fd, simulated, host)                         \
	do {                                                            \
		if (!ifs_redirect_is(fd))                               \
			return host;                                    \
		ifs_redirect_lock();                                    \
		return (__typeof__(host))ifs_redirect_unlock(simulated);\
	} while (0)

IFS_REDIRECT_FN ssize_t ifs_redirect_read(int fd, void *to, size_t count)
{
	IFS_REDIRECT_ON_FD(fd, ifs_read(ifs_redirect.process, fd, to, count), read(fd, to, count));
}

IFS_REDIRECT_FN ssize_t ifs_redirect_write(int fd, const void *from, size_t count)
{
	IFS_REDIRECT_ON_FD(fd, ifs_write(ifs_redirect.process, fd, from, count),
			   write(fd, from, count));
}

IFS_REDIRECT_FN ssize_t ifs_redirect_pread(int fd, void *to, size_t count, off_t at)
{
	IFS_REDIRECT_ON_FD(fd, ifs_pread(ifs_redirect.process, fd, to, count, at),
			   pread(fd, to, count, at));
}

IFS_REDIRECT_FN ssize_t ifs_redirect_pwrite(int fd, const void *from, size_t count, off_t at)
{
	IFS_REDIRECT_ON_FD(fd, ifs_pwrite(ifs_redirect.process, fd, from, count, at),
			   pwrite(fd, from, count, at));
}

IFS_REDIRECT_FN off_t ifs_redirect_lseek(int fd, off_t offset, int whence)
{
	IFS_REDIRECT_ON_FD(fd, ifs_lseek(ifs_redirect.process, fd, offset, whence),
			   lseek(fd, offset, whence));
}

IFS_REDIRECT_FN int ifs_redirect_ftruncate(int fd, off_t size)
{
	IFS_REDIRECT_ON_FD(fd, ifs_ftruncate(ifs_redirect.process, fd, size), ftruncate(fd, size));
}

IFS_REDIRECT_FN int ifs_redirect_fallocate(int fd, int mode, off_t offset, off_t length)
{
	IFS_REDIRECT_ON_FD(fd, ifs_fallocate(ifs_redirect.process, fd, mode, offset, length),
			   fallocate(fd, mode, offset, length));
}

IFS_REDIRECT_FN int ifs_redirect_ioctl(int fd, unsigned long cmd, ...)
{
	int ret, new_fd = -1;
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (!ifs_redirect_is(fd))
		return ioctl(fd, cmd, arg);
	ifs_redirect_lock();
	if (ifs_redirect_deals_in_fds(cmd))
		new_fd = ifs_redirect_reserve();
	ret = ifs_ioctl(ifs_redirect.process, fd, cmd, arg);
	if (new_fd >= 0)
		ifs_redirect_settle(new_fd);
	return (int)ifs_redirect_unlock(ret);
}

IFS_REDIRECT_FN int ifs_redirect_fcntl(int fd, int cmd, ...)
{
	unsigned long arg;
	va_list args;
	int ret;

	va_start(args, cmd);
	arg = va_arg(args, unsigned long);
	va_end(args);
	if (!ifs_redirect_is(fd))
		return fcntl(fd, cmd, arg);
	ifs_redirect_lock();
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		ret = ifs_redirect_copy_above(fd, arg, cmd == F_DUPFD_CLOEXEC);
	else
		ret = ifs_fcntl(ifs_redirect.process, fd, cmd, arg);
	return (int)ifs_redirect_unlock(ret);
}

IFS_REDIRECT_FN int ifs_redirect_fstat(int fd, struct stat *out)
{
	struct ifs_stat stat;
	int ret;

	if (!ifs_redirect_is(fd))
		return fstat(fd, out);
	ifs_redirect_lock();
	ret = ifs_fstat(ifs_redirect.process, fd, &stat);
	if (!ret) {
		memset(out, 0, sizeof(*out));
		out->st_mode = stat.mode;
		out->st_nlink = 1;
		out->st_size = (off_t)stat.size;
		out->st_blksize = 4096;
		out->st_blocks = (blkcnt_t)stat.blocks;
	}
	return (int)ifs_redirect_unlock(ret);
}

/* Who is ready among the simulated descriptors is known at once; then only the host may wait. */
IFS_REDIRECT_FN int ifs_redirect_poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	short ready[IFS_REDIRECT_MAX_FDS];
	nfds_t nr_sim = 0;
	int nr_ready = 0, ret;

	if (nr > IFS_REDIRECT_MAX_FDS)
		return (int)ifs_redirect_unlock(-EINVAL);
	ifs_redirect_lock();
	for (nfds_t i = 0; i < nr; i++) {
		ready[i] = -1;
		if (!ifs_redirect_is(fds[i].fd))
			continue;
		ready[i] = (short)ifs_poll(ifs_redirect.process, fds[i].fd, fds[i].events);
		nr_ready += ready[i] != 0;
		fds[i].fd = ~fds[i].fd;         /* poll(2) passes over negative numbers */
		nr_sim++;
	}
	ifs_redirect_unlock(0);
	ret = nr_sim && nr_sim == nr ? 0 : poll(fds, nr, nr_ready ? 0 : timeout);
	for (nfds_t i = 0; i < nr && nr_sim; i++) {
		if (ready[i] == -1)
			continue;
		fds[i].fd = ~fds[i].fd;
		fds[i].revents = ready[i];
	}
	return ret < 0 ? ret : ret + nr_ready;
}

/* At @addr if nothing is there, or with @fixed only there; -errno. */
IFS_REDIRECT_FN int ifs_redirect_mmap_sim(void *addr, size_t length, int prot, int flags, int fd,
					  off_t offset, int fixed, void **at)
{
	int ret = -EEXIST;

	*at = addr;
	if (addr || fixed)
		ret = ifs_mmap(ifs_redirect.process, length, prot, flags | MAP_FIXED_NOREPLACE, fd,
			       offset, at);
	if ((ret == -EEXIST || ret == -EINVAL) && !fixed)
		ret = ifs_mmap(ifs_redirect.process, length, prot, flags, fd, offset, at);
	return ret;
}

/* Anonymous memory that the kernel keeps in a file: shared, or of huge pages. */
IFS_REDIRECT_FN int ifs_redirect_is_anon_file(int flags)
{
	return flags & MAP_ANONYMOUS &&
	       (flags & MAP_HUGETLB || (flags & MAP_TYPE) == MAP_SHARED);
}

IFS_REDIRECT_FN void *ifs_redirect_mmap(void *addr, size_t length, int prot, int flags, int fd,
					off_t offset)
{
	int fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
	int anon = ifs_redirect_is_anon_file(flags), ret;
	size_t huge = flags & MAP_HUGETLB ? (2u << 20) - 1 : 0;
	void *at;

	ifs_redirect_lock();
	if (anon && ifs_redirect_boot())
		anon = 0;
	if (flags & MAP_FIXED && ifs_redirect.process)
		ifs_munmap(ifs_redirect.process, addr, (length + huge) & ~huge);
	if (!anon && (flags & MAP_ANONYMOUS || !ifs_redirect_is(fd))) {
		ifs_redirect_unlock(0);
		return mmap(addr, length, prot, flags, fd, offset);
	}
	if (flags & MAP_FIXED)
		munmap(addr, (length + huge) & ~huge);
	ret = ifs_redirect_mmap_sim(addr, length, prot, flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE),
				    fd, offset, fixed, &at);
	ret = (int)ifs_redirect_unlock(ret);
	/* More than RAM has: the host's, which is the program's own. */
	if (ret && anon && errno == ENOMEM && !(flags & MAP_HUGETLB))
		return mmap(addr, length, prot, flags, fd, offset);
	return ret ? MAP_FAILED : at;
}

IFS_REDIRECT_FN int ifs_redirect_munmap(void *addr, size_t length)
{
	if (ifs_redirect.process) {
		ifs_redirect_lock();
		if (ifs_redirect_unlock(ifs_munmap(ifs_redirect.process, addr, length)))
			return -1;
	}
	return munmap(addr, length);
}

/* -ENOMEM: not all of it is the simulator's, so it is the program's. */
IFS_REDIRECT_FN int ifs_redirect_mprotect(void *addr, size_t length, int prot)
{
	int ret = -ENOMEM;

	if (ifs_redirect.process) {
		ifs_redirect_lock();
		ret = ifs_mprotect(ifs_redirect.process, addr, length, prot);
		ifs_redirect_unlock(0);
	}
	if (ret == -ENOMEM)
		return mprotect(addr, length, prot);
	return ret ? (errno = -ret, -1) : 0;
}

#define open ifs_redirect_open
#define open64 ifs_redirect_open
#define openat ifs_redirect_openat
#define openat64 ifs_redirect_openat
#define opendir ifs_redirect_opendir
#define dirfd ifs_redirect_dirfd
#define readdir ifs_redirect_readdir
#define closedir ifs_redirect_closedir
#define memfd_create ifs_redirect_memfd_create
#define close ifs_redirect_close
#define dup ifs_redirect_dup
#define dup2 ifs_redirect_dup2
#define dup3 ifs_redirect_dup3
#define read ifs_redirect_read
#define write ifs_redirect_write
#define pread ifs_redirect_pread
#define pread64 ifs_redirect_pread
#define pwrite ifs_redirect_pwrite
#define pwrite64 ifs_redirect_pwrite
#define lseek ifs_redirect_lseek
#define lseek64 ifs_redirect_lseek
#define ftruncate ifs_redirect_ftruncate
#define ftruncate64 ifs_redirect_ftruncate
#define fallocate ifs_redirect_fallocate
#define fallocate64 ifs_redirect_fallocate
#define fork ifs_redirect_fork
#define ioctl ifs_redirect_ioctl
#define fcntl ifs_redirect_fcntl
#define fcntl64 ifs_redirect_fcntl
#define fstat ifs_redirect_fstat
#define fstat64 ifs_redirect_fstat
#define poll ifs_redirect_poll
#define mmap ifs_redirect_mmap
#define mmap64 ifs_redirect_mmap
#define munmap ifs_redirect_munmap
#define mprotect ifs_redirect_mprotect

#endif
