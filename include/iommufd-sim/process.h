/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Processes and their system calls. Each call returns what Linux 7.3 returns: 0, a descriptor or a
 * count, or a negative errno value (never -1 with errno).
 *
 * Paths that open() knows: /dev/iommu, /dev/liveupdate, /dev/vfio/devices/vfioN (N counts the
 * machine's devices by address, from 0), and /dev/null, which stands for any file that cannot do
 * what is asked. A kernel with the selftest interface also has Linux's triggers of fault injection
 * (Documentation/fault-injection): /sys/kernel/debug with the directories failslab, fail_page_alloc
 * and fail_iommufd, and fail-nth and make-it-fail under /proc/self, /proc/PID and their task/TID.
 *
 * A user address is a host pointer of the calling program. By default the kernel reads and writes
 * through the host kernel, so that a bad pointer is -EFAULT, as it should be, and not a crash; with
 * @trust_pointers it copies directly and pins without looking (faster, for benches and fuzzers
 * whose pointers are good).
 *
 * Unlike Linux: of memory that the program mapped by itself (malloc, mmap), only the state at the
 * time of a pin counts; memory mapped with ifs_mmap() is tracked.
 */
#ifndef IOMMUFD_SIM_PROCESS_H
#define IOMMUFD_SIM_PROCESS_H

#include <sys/types.h>

#include <iommufd-sim/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ifs_process;

/* All zero with @size set: root with all capabilities, default limits. */
struct ifs_process_config {
	size_t size;
	uint32_t uid;
	bool drop_cap_ipc_lock, drop_cap_sys_resource, drop_cap_sys_rawio, drop_cap_sys_boot;
	bool trust_pointers;
	uint64_t rlimit_memlock_bytes;  /* default 8 MiB */
	uint32_t rlimit_nofile;         /* default 1024 */
};

/*
 * A new process with an empty descriptor table; @config NULL means root with default limits. NULL:
 * out of memory or injected failure.
 */
IFS_PUBLIC struct ifs_process *ifs_process_new(struct ifs_kernel *kernel,
					       const struct ifs_process_config *config);
/*
 * fork(2): shares every open description; address space and descriptor table are copies. NULL: no
 * memory.
 */
IFS_PUBLIC struct ifs_process *ifs_fork(struct ifs_process *process);
/*
 * On a machine made with @shared: @process is the host process @host_pid from now on, whose memory
 * its addresses mean. Before a fork(2) the parent names itself (getpid()), and IFS_HOST_NOBODY for
 * the process that it has from ifs_fork(); the child names itself. All of them call this again
 * before their other calls if somebody else used the machine meanwhile: what happened to files that
 * they map then becomes visible to them.
 *
 * That a host process has ended the simulated kernel learns when another calls ifs_exit() for it.
 */
#define IFS_HOST_NOBODY 0xffffffffu
IFS_PUBLIC void ifs_process_set_host(struct ifs_process *process, uint32_t host_pid);
/* exit(2): closes everything and frees @process. NULL is fine. */
IFS_PUBLIC void ifs_exit(struct ifs_process *process);
IFS_PUBLIC uint32_t ifs_getpid(const struct ifs_process *process);

IFS_PUBLIC int ifs_open(struct ifs_process *process, const char *path, int flags);
/* A @path relative to a directory: only those of fault injection can be opened. */
IFS_PUBLIC int ifs_openat(struct ifs_process *process, int dirfd, const char *path, int flags);
/* struct linux_dirent64 to @to: bytes, 0 at the end, -ENOTDIR, -EINVAL (no room for one). */
IFS_PUBLIC ssize_t ifs_getdents64(struct ifs_process *process, int fd, void *to, size_t count);
IFS_PUBLIC int ifs_close(struct ifs_process *process, int fd);
IFS_PUBLIC int ifs_dup(struct ifs_process *process, int fd);
/* As if sent with SCM_RIGHTS: @to gets a descriptor of the same open description. */
IFS_PUBLIC int ifs_send_fd(struct ifs_process *from, int fd, struct ifs_process *to);
IFS_PUBLIC int ifs_ioctl(struct ifs_process *process, int fd, unsigned long cmd, void *arg);
IFS_PUBLIC ssize_t ifs_read(struct ifs_process *process, int fd, void *to, size_t count);
IFS_PUBLIC ssize_t ifs_write(struct ifs_process *process, int fd, const void *from, size_t count);
IFS_PUBLIC ssize_t ifs_pread(struct ifs_process *process, int fd, void *to, size_t count, off_t at);
IFS_PUBLIC ssize_t ifs_pwrite(struct ifs_process *process, int fd, const void *from, size_t count,
			      off_t at);
IFS_PUBLIC off_t ifs_lseek(struct ifs_process *process, int fd, off_t offset, int whence);
/* poll(2) of one descriptor, never blocking: the events that are ready. */
IFS_PUBLIC int ifs_poll(struct ifs_process *process, int fd, short events);
IFS_PUBLIC int ifs_memfd_create(struct ifs_process *process, const char *name, unsigned flags);
IFS_PUBLIC int ifs_ftruncate(struct ifs_process *process, int fd, off_t size);
IFS_PUBLIC int ifs_fallocate(struct ifs_process *process, int fd, int mode, off_t offset,
			     off_t length);
/* F_ADD_SEALS, F_GET_SEALS, F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC. */
IFS_PUBLIC int ifs_fcntl(struct ifs_process *process, int fd, int cmd, unsigned long arg);
struct ifs_stat {
	uint64_t size, blocks;
	uint32_t mode;
	char name[96];                  /* the target of /proc/self/fd/N */
};
IFS_PUBLIC int ifs_fstat(struct ifs_process *process, int fd, struct ifs_stat *out);
/*
 * MAP_SHARED mappings of memory files: a real host address, valid until munmap, exit or kexec.
 * MAP_FIXED_NOREPLACE: at *@out, page aligned, or -EEXIST. MAP_FIXED: -EOPNOTSUPP.
 * With MAP_ANONYMOUS, @fd is ignored: shared memory in simulated RAM, and with MAP_HUGETLB 2 MiB
 * pages (-ENOMEM: fewer are free, see @huge_pages in struct ifs_kernel_config). Private anonymous
 * memory of small pages is the program's own, -EOPNOTSUPP.
 */
IFS_PUBLIC int ifs_mmap(struct ifs_process *process, size_t length, int prot, int flags, int fd,
			off_t offset, void **out);
IFS_PUBLIC int ifs_munmap(struct ifs_process *process, void *addr, size_t length);
IFS_PUBLIC int ifs_mprotect(struct ifs_process *process, void *addr, size_t length, int prot);

/*
 * Credentials and limits, of the calling process. They count from the next call on: who is charged
 * for pins is decided by each map, how much is allowed when pages are pinned.
 *
 * capset(2): bit CAP_* of linux/capability.h. -EPERM: @permitted adds to what there is, or
 * @effective to @permitted.
 */
IFS_PUBLIC int ifs_capset(struct ifs_process *process, uint64_t permitted, uint64_t effective);
/* capget(2). */
IFS_PUBLIC void ifs_capget(const struct ifs_process *process, uint64_t *permitted,
			   uint64_t *effective);
/*
 * setresuid(2): (uid_t)-1 leaves one as it is. -EPERM: a number that is none of the three, without
 * CAP_SETUID. Whoever is no longer root loses capabilities as on Linux (without SECBIT_KEEP_CAPS).
 */
IFS_PUBLIC int ifs_setresuid(struct ifs_process *process, uid_t ruid, uid_t euid, uid_t suid);
/*
 * setrlimit(RLIMIT_MEMLOCK), in bytes, ~0ull for none. -EINVAL: @soft_bytes above @hard_bytes;
 * -EPERM: more than the hard limit there is, without CAP_SYS_RESOURCE.
 */
IFS_PUBLIC int ifs_setrlimit_memlock(struct ifs_process *process, uint64_t soft_bytes,
				     uint64_t hard_bytes);
/* VmPin and VmLck of /proc/PID/status, in pages. */
IFS_PUBLIC void ifs_process_get_locked(const struct ifs_process *process, uint64_t *vm_pin,
				       uint64_t *vm_lck);

#ifdef __cplusplus
}
#endif
#endif
