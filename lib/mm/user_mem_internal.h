/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Address spaces, as the files of lib/mm see them. */
#ifndef LIB_MM_USER_MEM_INTERNAL_H
#define LIB_MM_USER_MEM_INTERNAL_H

#include <iommufd-sim/proto/lock.h>

#include "lib/mm/range_count.h"
#include "lib/mm/user_mem.h"

/* What all address spaces of one kernel share. */
struct user_mem {
	struct kernel_base *kernel;
	u32 refs;                       /* address spaces and memory files */
	struct range_pool pool;         /* of all trees here and in every mm */
	struct range_tree pins;         /* pfn -> count; marked: the file let go of it */
	u64 nr_pins;                    /* page pins, counting repeats */
	struct range_tree windows;      /* pfn -> struct mm *, own memory while pinned */
	u64 next_window_pfn;            /* frame numbers of windows are never used twice */
	struct range_tree users;        /* uid -> pages charged (user_struct.locked_vm) */
	struct range_tree host_maps;    /* host page -> VMAs that show RAM there */
	struct list_head vmas;          /* of all address spaces: i_mmap of all files */
};

struct mm {
	struct kernel_base *kernel;
	struct user_mem *um;
	u32 pid;
	u32 refs;                       /* mm_count: the structure */
	/*
	 * The host process whose memory it is. 0: the one that runs the simulator; all such address
	 * spaces are in there, and what they map goes with the last that unmaps it.
	 */
	u32 host_pid;
	bool host_stale;                /* it was not here when a file changed that it maps */
	bool dead, trusting;
	struct rw_semaphore mmap_lock;
	u64 rlimit_memlock_pages;
	u64 pinned_vm, locked_vm;       /* VmPin, VmLck, in pages */
	struct range_tree vmas;         /* uva -> struct vma * */
	struct range_tree frames;       /* user page -> pfn (linear), own memory while pinned */
	struct range_tree host_maps;    /* with @host_pid: as user_mem.host_maps */
};

/* A MAP_SHARED mapping of a file. */
struct vma {
	struct list_head node;          /* user_mem.vmas */
	struct mm *mm;
	struct file *file;              /* a reference */
	uva_t start;
	u64 length, offset;
	int prot;
	bool may_write;                 /* VM_MAYWRITE: may be, or become, writable */
};

static inline uva_t vma_last(const struct vma *vma)
{
	return vma->start + vma->length - 1;
}

/* mm.c: there from the first mm, memory file or pin to the last. */
int user_mem_ensure(struct kernel_base *kernel);
void user_mem_free_unused(struct kernel_base *kernel);

/* host.c: can mappings and memory of @mm be reached as our own? */
bool mm_is_here(const struct mm *mm);
/* Of another host process: false if not all pages are there, and writable for @write. */
bool host_pages_touch(const struct mm *mm, uva_t start, u64 length, bool write);
static inline struct range_tree *mm_host_maps(struct mm *mm)
{
	return mm->host_pid ? &mm->host_maps : &mm->um->host_maps;
}

/* vma.c */
bool vma_find_first(const struct mm *mm, uva_t start, uva_t last, struct vma **out);
void mm_unmap_all(struct mm *mm);
/* Maps what the file has now. */
void vma_follow_file(struct vma *vma);

/* window.c: frames for own memory [first, last] (user pages), new where there are none. */
int window_frames(struct mm *mm, u64 first, u64 last, struct pfn_runs *runs);
/* The frames that nobody pins any more, or never did. */
void window_drop_unpinned(struct user_mem *um, const struct pfn_runs *runs);
void window_drop(struct user_mem *um, u64 first_pfn, u64 last_pfn);

#endif
