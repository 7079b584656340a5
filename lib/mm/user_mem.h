/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Address spaces of processes: what a user address means, pinning it for DMA, and accounting.
 *
 * In process, a user address is a host pointer of the calling program. A VMA is known to us if it came
 * from our mmap() (memfd mappings); any other address is the program's own memory, probed with
 * madvise(MADV_POPULATE_*) and given frames in a window of the physical address space (identity: the
 * same (mm, page) has the same frame for as long as it is pinned).
 *
 * Pins are kept as runs of consecutive frames, never per page.
 */
#ifndef LIB_MM_USER_MEM_H
#define LIB_MM_USER_MEM_H

#include "lib/base/kernel_base.h"

struct mm;
struct file;

/* Consecutive frames: what pinning yields. */
struct pfn_run {
	pa_t pa;
	u64 nr_pages;
};
struct pfn_runs {
	struct pfn_run *runs;
	u32 nr, capacity;
};
int pfn_runs_add(struct kheap *heap, struct pfn_runs *runs, pa_t pa, u64 nr_pages); /* merges */
void pfn_runs_deinit(struct kheap *heap, struct pfn_runs *runs);
/* The frame of page @index, and how many follow it contiguously. */
pa_t pfn_runs_at(const struct pfn_runs *runs, u64 index, u64 *contiguous);

/* How pinned pages are charged (include/linux/iommufd.h's account modes). */
enum account_mode { ACCOUNT_NONE, ACCOUNT_USER, ACCOUNT_MM };

int mm_new(struct kernel_base *kernel, u32 pid, u64 rlimit_memlock_bytes, u32 uid, struct mm **out);
void mm_get(struct mm *mm);             /* keeps the structure, not the memory (mmgrab) */
void mm_put(struct mm *mm);
void mm_exit(struct mm *mm);            /* the process is gone: mappings go, pins stay */
bool mm_is_dead(const struct mm *mm);
u64 mm_vm_pin_pages(const struct mm *mm);
u64 mm_vm_lck_pages(const struct mm *mm);

/* 0 or -EFAULT. Checked access goes through the host kernel; a trusting mm copies directly. */
int copy_from_user(void *to, uva_t from, size_t length);        /* of current->mm */
int copy_to_user(uva_t to, const void *from, size_t length);
/* Linux's copy_struct_from_user(): zero-extends, -E2BIG for a nonzero tail. */
int copy_struct_from_user(void *to, size_t ksize, uva_t from, size_t usize);
void mm_set_trusting(struct mm *mm, bool trusting);

/* VMAs of our own mmap(). @munmap splits as mmap(2) does. */
int mm_mmap_file(struct mm *mm, struct file *file, u64 offset, u64 length, int prot, int flags,
		 uva_t *out);
int mm_munmap(struct mm *mm, uva_t start, u64 length);
int mm_mprotect(struct mm *mm, uva_t start, u64 length, int prot);

/*
 * Pins [uva, uva + nr_pages * PAGE_SIZE), page aligned, LONGTERM, for writing iff @write: appends runs.
 * -EFAULT as GUP gives it. On failure nothing is pinned.
 */
int mm_pin(struct mm *mm, uva_t uva, u64 nr_pages, bool write, struct pfn_runs *runs);
void mm_unpin(struct mm *mm, uva_t uva, u64 nr_pages, const struct pfn_runs *runs);
/* Charges after pinning: -ENOMEM over RLIMIT_MEMLOCK. -EINVAL: ACCOUNT_MM on a dead mm. */
int mm_account(struct mm *mm, enum account_mode mode, u64 nr_pages);
void mm_unaccount(struct mm *mm, enum account_mode mode, u64 nr_pages);

#endif
