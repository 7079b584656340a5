/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Address spaces of processes: what a user address means, pinning it for DMA, and accounting.
 *
 * In process, a user address is a host pointer of the calling program. A VMA is known to us if it
 * came from our mmap() (memfd mappings); any other address is the program's own memory, probed with
 * madvise(MADV_POPULATE_*) and given frames in a window of the physical address space (identity:
 * the same (mm, page) has the same frame for as long as it is pinned).
 *
 * Pins are kept as runs of consecutive frames, never per page.
 */
#ifndef LIB_MM_USER_MEM_H
#define LIB_MM_USER_MEM_H

#include "lib/base/kernel_base.h"

struct mm;
struct file;

/* The first address that is not the user's (x86_64, 4-level paging: the last page is a guard). */
#define TASK_SIZE_MAX (BIT_ULL(47) - PAGE_SIZE)

/* Consecutive frames: what pinning yields. */
struct pfn_run {
	pa_t pa;
	u64 nr_pages;
};
/* Most often there is one, without memory of its own. A copy takes over what it is made from. */
struct pfn_runs {
	struct pfn_run one;
	struct pfn_run *many;           /* NULL: at most @one */
	u32 nr, capacity;               /* of @many */
};
static inline struct pfn_run *pfn_runs_get(const struct pfn_runs *runs, u32 index)
{
	return runs->many ? &runs->many[index] : (struct pfn_run *)&runs->one;
}
int pfn_runs_add(struct kheap *heap, struct pfn_runs *runs, pa_t pa, u64 nr_pages); /* merges */
/* Back to when there were @nr runs, the last with @last_nr_pages pages. */
void pfn_runs_cut(struct pfn_runs *runs, u32 nr, u64 last_nr_pages);
u64 pfn_runs_nr_pages(const struct pfn_runs *runs);
void pfn_runs_deinit(struct kheap *heap, struct pfn_runs *runs);
/* The frame of page @index, and how many follow it contiguously. */
pa_t pfn_runs_at(const struct pfn_runs *runs, u64 index, u64 *contiguous);

/* How pinned pages are charged (include/linux/iommufd.h's account modes). */
enum account_mode { ACCOUNT_NONE, ACCOUNT_USER, ACCOUNT_MM };

int mm_new(struct kernel_base *kernel, u32 pid, u64 rlimit_memlock_bytes, struct mm **out);
void mm_get(struct mm *mm);             /* keeps the structure, not the memory (mmgrab) */
void mm_put(struct mm *mm);
void mm_exit(struct mm *mm);            /* the process is gone: mappings go, pins stay */
/* dup_mmap(): @child, new and empty, maps what @parent maps. -ENOMEM: it stays empty. */
int mm_fork(struct mm *parent, struct mm *child);
bool mm_is_dead(const struct mm *mm);
/*
 * On a machine that host processes share: @mm is the memory of @host_pid, or of none yet
 * (IFS_HOST_NOBODY). If that is who calls, what became of its files meanwhile becomes visible.
 */
void mm_set_host(struct mm *mm, u32 host_pid);
u64 mm_vm_pin_pages(const struct mm *mm);
u64 mm_vm_lck_pages(const struct mm *mm);

/* 0 or -EFAULT. Checked access goes through the host kernel; a trusting mm copies directly. */
int copy_from_user(void *to, uva_t from, size_t length);        /* of current->mm */
int copy_to_user(uva_t to, const void *from, size_t length);
/*
 * For a struct that begins with its size: @length bytes, and as many up to @ahead as are there too,
 * which spares a second way to the host. How many were copied, all in one moment; 0: not even the
 * first @length. A trusting mm is not looked at beyond those.
 */
size_t copy_from_user_ahead(void *to, uva_t from, size_t length, size_t ahead);
/* Linux's copy_struct_from_user(): zero-extends, -E2BIG for a nonzero tail. */
int copy_struct_from_user(void *to, size_t ksize, uva_t from, size_t usize);
void mm_set_trusting(struct mm *mm, bool trusting);
/* The order of the folio behind @uva as it is mapped now; 0 for memory that is not ours. */
unsigned mm_folio_order(struct mm *mm, uva_t uva);

/*
 * VMAs of our own mmap(). munmap splits as munmap(2) does. With MAP_FIXED_NOREPLACE @out says
 * where, and -EEXIST that something is there already, ours or the program's.
 */
int mm_mmap_file(struct mm *mm, struct file *file, u64 offset, u64 length, int prot, int flags,
		 uva_t *out);
int mm_munmap(struct mm *mm, uva_t start, u64 length);
int mm_mprotect(struct mm *mm, uva_t start, u64 length, int prot);

/*
 * Pins [uva, uva + nr_pages * PAGE_SIZE), page aligned, LONGTERM, for writing iff @write: appends
 * runs.
 * -EFAULT as GUP gives it. On failure nothing is pinned.
 */
int mm_pin(struct mm *mm, uva_t uva, u64 nr_pages, bool write, struct pfn_runs *runs);
void mm_unpin(struct mm *mm, uva_t uva, u64 nr_pages, const struct pfn_runs *runs);
/*
 * The same for frames whose owner knows them (a memory file's): pinned frames stay alive even if
 * their owner gives them up meanwhile, and are freed with the last pin. -ENOMEM: nothing is pinned.
 */
int frames_pin(struct kernel_base *kernel, const struct pfn_runs *runs);
void frames_unpin(struct kernel_base *kernel, const struct pfn_runs *runs);
/* The owner gives up frames of RAM: free, or as soon as nobody pins them. Cannot fail. */
void frames_release(struct kernel_base *kernel, pa_t pa, u64 nr_pages);
/* Page pins in the range, counting repeats. */
u64 frames_nr_pins(struct kernel_base *kernel, pa_t pa, u64 nr_pages);
/* Page pins of this kernel, counting repeats: RAM and windows. */
u64 user_mem_nr_pins(struct kernel_base *kernel);
const char *user_mem_check(struct kernel_base *kernel);

/*
 * The pages behind [offset, offset + length) of a file's mappings changed (hole punched, truncated,
 * grown): every address space that maps them follows. @inode is what file_inode_id() names.
 *
 * Unlike Linux: there are no page faults. What a mapping shows is made present at once; what lies
 * beyond the end of the file traps.
 */
void unmap_mapping_range(struct kernel_base *kernel, const void *inode, u64 offset, u64 length);
/*
 * What all address spaces of a kernel share (pins, windows, charges per user, the VMAs of each
 * file). Lives from the first mm, memory file or pin to the last. Mms and files hold it, pins keep
 * it.
 */
int user_mem_get(struct kernel_base *kernel);
void user_mem_put(struct kernel_base *kernel);
/*
 * The instant of kexec: host mappings of RAM go, and nothing else: the heap is dropped by others.
 */
void user_mem_kexec(struct kernel_base *kernel);

/* Charges @mm, or user @uid, after pinning. -ENOMEM: over the RLIMIT_MEMLOCK of @mm's process. */
int mm_account(struct mm *mm, u32 uid, enum account_mode mode, u64 nr_pages);
void mm_unaccount(struct mm *mm, u32 uid, enum account_mode mode, u64 nr_pages);
void mm_set_rlimit_memlock(struct mm *mm, u64 bytes);

#endif
