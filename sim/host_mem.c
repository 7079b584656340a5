/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Memory of a host process, reached through the host kernel: process_vm_readv(), on ourselves too,
 * says so where a load would trap, and looks at the same moment as it copies, so that no other
 * thread can take the memory away in between.
 *
 * The call wants a process id, and getpid() is a call of its own, a quarter as dear as a copy. So
 * the number is kept, in a page that the host zeroes in a child: there it is asked for again, and
 * never are the parent's pages copied for those of the child.
 */
#include "sim/host_mem.h"

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sim/machine_internal.h"

/*
 * With the machine and not at the first copy: what is mapped in the middle of a call could come to
 * lie where a pointer that must be refused points to.
 */
void host_mem_init(struct host_mem *host)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	host->pid = NULL;
	if (page == MAP_FAILED)
		return;
	if (madvise(page, PAGE_SIZE, MADV_WIPEONFORK))
		munmap(page, PAGE_SIZE);
	else
		host->pid = page;
}

void host_mem_deinit(struct host_mem *host)
{
	if (host->pid)
		munmap(host->pid, PAGE_SIZE);
	host->pid = NULL;
}

struct host_mem *machine_host_mem(struct ifs_machine *machine)
{
	return &machine->mem.host;
}

static pid_t host_pid(struct host_mem *host, u32 pid)
{
	if (pid != HOST_MEM_OWN)
		return (pid_t)pid;
	if (__builtin_expect(!host->pid, 0))
		return getpid();
	if (__builtin_expect(!*host->pid, 0))
		*host->pid = getpid();
	return *host->pid;
}

u64 host_mem_read(struct host_mem *host, u32 pid, void *to, const void *from, u64 length)
{
	struct iovec local = { .iov_base = to, .iov_len = length };
	struct iovec remote = { .iov_base = (void *)from, .iov_len = length };
	ssize_t n = process_vm_readv(host_pid(host, pid), &local, 1, &remote, 1, 0);

	return n > 0 ? (u64)n : 0;
}

u64 host_mem_write(struct host_mem *host, u32 pid, void *to, const void *from, u64 length)
{
	struct iovec local = { .iov_base = (void *)from, .iov_len = length };
	struct iovec remote = { .iov_base = to, .iov_len = length };
	ssize_t n = process_vm_writev(host_pid(host, pid), &local, 1, &remote, 1, 0);

	return n > 0 ? (u64)n : 0;
}
