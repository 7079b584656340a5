/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Whose memory an address space is. As a rule all processes of a kernel live in one program: any
 * user address is a host address of the program that runs the simulator (host_pid 0). On a machine
 * made with @shared each may be a host process of its own, which runs its own system calls on the
 * kernel that all of them share.
 *
 * From then on only that host process can change what is mapped in it. What a file does to the
 * mappings of another is noted (host_stale) and done when that one comes by next.
 *
 * Unlike Linux: until then it sees what the file had. Pages of another host process are made
 * present by reading a byte of each and, for a pin for writing, storing it again: a thread of that
 * process that stores there in the same instant may lose its byte.
 */
#include <assert.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/mm/user_mem_internal.h"
#include "sim/phys_mem.h"

#define TOUCH_PAGES 64u

bool mm_is_here(const struct mm *mm)
{
	return !mm->host_pid || mm->host_pid == (u32)getpid();
}

bool host_pages_touch(const struct mm *mm, uva_t start, u64 length, bool write)
{
	struct iovec remote[TOUCH_PAGES], local;
	char bytes[TOUCH_PAGES];

	while (length) {
		u32 i, nr = (u32)min(length >> PAGE_SHIFT, (u64)TOUCH_PAGES);

		for (i = 0; i < nr; i++, start += PAGE_SIZE)
			remote[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)start,
						    .iov_len = 1 };
		local = (struct iovec){ .iov_base = bytes, .iov_len = nr };
		if (process_vm_readv((pid_t)mm->host_pid, &local, 1, remote, nr, 0) != nr)
			return false;
		if (write &&
		    process_vm_writev((pid_t)mm->host_pid, &local, 1, remote, nr, 0) != nr)
			return false;
		length -= nr * PAGE_SIZE;
	}
	return true;
}

static void stays_mapped(void *ctx, u64 first, u64 last, bool marked)
{
}

/* Mappings are counted in @mm alone from now on: nobody else's calls undo them. */
static void maps_become_own(struct mm *mm)
{
	struct range_entry entry;

	for (bool more = range_tree_find_first(&mm->vmas, 0, ~0ull, &entry); more;
	     more = range_tree_next(&mm->vmas, entry.start, &entry)) {
		u64 first = entry.start >> PAGE_SHIFT, last = entry.last >> PAGE_SHIFT;

		range_count_dec(&mm->um->host_maps, mm->kernel, first, last, stays_mapped,
				NULL);
		if (!range_count_inc(&mm->host_maps, first, last))
			assert(!"no memory, and no injected failure");
	}
}

/* The machine finds the memory that is pinned in the process @host_pid. */
static void windows_move(struct mm *mm, u32 host_pid)
{
	struct phys_mem *mem = mm->kernel->mem;
	struct range_entry entry;

	for (bool more = range_tree_find_first(&mm->frames, 0, ~0ull, &entry); more;
	     more = range_tree_next(&mm->frames, entry.start, &entry)) {
		u64 length = (entry.last - entry.start + 1) << PAGE_SHIFT, done, bytes;
		pa_t pa = entry.value << PAGE_SHIFT;

		for (done = 0; done < length; done += bytes) {
			bytes = phys_mem_window_remove(mem, pa + done, length - done, NULL);
			assert(bytes);
		}
		if (!phys_mem_window_add(mem, pa, length,
					 (void *)(uintptr_t)(entry.start << PAGE_SHIFT), host_pid))
			assert(!"too many host processes");
	}
}

static void maps_follow_files(struct mm *mm)
{
	struct range_entry entry;

	mm->host_stale = false;
	for (bool more = range_tree_find_first(&mm->vmas, 0, ~0ull, &entry); more;
	     more = range_tree_next(&mm->vmas, entry.start, &entry))
		vma_follow_file((struct vma *)(uintptr_t)entry.value);
}

void mm_set_host(struct mm *mm, u32 host_pid)
{
	if (mm->dead || !host_pid || (mm->host_pid == host_pid && !mm->host_stale))
		return;
	nofail_begin(mm->kernel);
	down_write(&mm->mmap_lock);
	if (!mm->host_pid)
		maps_become_own(mm);
	if (mm->host_pid != host_pid)
		windows_move(mm, host_pid);
	mm->host_pid = host_pid;
	if (mm->host_stale && mm_is_here(mm))
		maps_follow_files(mm);
	up_write(&mm->mmap_lock);
	nofail_end(mm->kernel);
}
