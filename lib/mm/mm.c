/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Life of an address space (struct mm_struct) and of what all of them share.
 *
 * As in Linux an mm has two ends. When its process exits, its mappings go (mm_exit(); exit_mmap());
 * the structure stays for as long as a pin or a charge names it (mm_get(), mm_put(); mmgrab()).
 */
#include <assert.h>
#include <sys/mman.h>

#include "lib/mm/user_mem_internal.h"
#include "sim/phys_mem.h"

int user_mem_ensure(struct kernel_base *kernel)
{
	struct user_mem *um = kernel->user_mem;

	if (um)
		return 0;
	um = kheap_new(&kernel->heap, struct user_mem);
	if (!um)
		return -ENOMEM;
	um->kernel = kernel;
	range_pool_init_kheap(&um->pool, kernel);
	range_tree_init(&um->pins, &um->pool);
	range_tree_init(&um->windows, &um->pool);
	range_tree_init(&um->users, &um->pool);
	range_tree_init(&um->host_maps, &um->pool);
	um->next_window_pfn = PHYS_WINDOW_BASE >> PAGE_SHIFT;
	INIT_LIST_HEAD(&um->vmas);
	kernel->user_mem = um;
	return 0;
}

void user_mem_free_unused(struct kernel_base *kernel)
{
	struct user_mem *um = kernel->user_mem;

	if (um->refs || um->pins.count)
		return;
	/* Each of these belongs to an address space, and the last one is gone. */
	assert(!um->windows.count && !um->users.count && !um->host_maps.count);
	assert(list_empty(&um->vmas));
	range_pool_deinit(&um->pool);
	kheap_free(&kernel->heap, um);
	kernel->user_mem = NULL;
}

int user_mem_get(struct kernel_base *kernel)
{
	int err = user_mem_ensure(kernel);

	if (!err)
		kernel->user_mem->refs++;
	return err;
}

void user_mem_put(struct kernel_base *kernel)
{
	assert(kernel->user_mem && kernel->user_mem->refs);
	kernel->user_mem->refs--;
	user_mem_free_unused(kernel);
}

void user_mem_kexec(struct kernel_base *kernel)
{
	struct user_mem *um = kernel->user_mem;
	struct vma *vma;

	if (!um)
		return;
	list_for_each_entry(vma, &um->vmas, node)
		if (mm_is_here(vma->mm))
			munmap((void *)(uintptr_t)vma->start, vma->length);
	phys_mem_windows_drop(kernel->mem);
}

int mm_new(struct kernel_base *kernel, u32 pid, u64 rlimit_memlock_bytes, struct mm **out)
{
	struct mm *mm = kheap_new(&kernel->heap, struct mm);
	int err;

	if (!mm)
		return -ENOMEM;
	err = user_mem_get(kernel);
	if (err) {
		kheap_free(&kernel->heap, mm);
		return err;
	}
	mm->kernel = kernel;
	mm->um = kernel->user_mem;
	mm->pid = pid;
	mm->refs = 1;
	mm->rlimit_memlock_pages = rlimit_memlock_bytes >> PAGE_SHIFT;
	init_rwsem(&mm->mmap_lock);
	range_tree_init(&mm->vmas, &mm->um->pool);
	range_tree_init(&mm->frames, &mm->um->pool);
	range_tree_init(&mm->host_maps, &mm->um->pool);
	*out = mm;
	return 0;
}

void mm_get(struct mm *mm)
{
	assert(mm->refs);
	mm->refs++;
}

void mm_put(struct mm *mm)
{
	struct kernel_base *kernel;

	if (!mm)
		return;
	assert(mm->refs);
	if (--mm->refs)
		return;
	kernel = mm->kernel;
	mm_exit(mm);
	assert(!mm->frames.count);      /* whoever pins holds the mm */
	kheap_free(&kernel->heap, mm);
	user_mem_put(kernel);
}

void mm_exit(struct mm *mm)
{
	if (mm->dead)
		return;
	mm_unmap_all(mm);
	mm->dead = true;
}

bool mm_is_dead(const struct mm *mm)
{
	return mm->dead;
}

void mm_set_trusting(struct mm *mm, bool trusting)
{
	mm->trusting = trusting;
}

u64 mm_vm_pin_pages(const struct mm *mm)
{
	return mm->pinned_vm;
}

u64 mm_vm_lck_pages(const struct mm *mm)
{
	return mm->locked_vm;
}

static const char *vma_check(const struct vma *vma)
{
	struct range_entry entry;

	if (!range_tree_lookup(&vma->mm->vmas, vma->start, &entry))
		return "a mapping is listed but not in its address space";
	if (entry.start != vma->start || entry.last != vma_last(vma) ||
	    entry.value != (uintptr_t)vma)
		return "a mapping and its address space disagree about where it is";
	if (!range_count_sum(mm_host_maps(vma->mm), vma->start >> PAGE_SHIFT,
			     vma->start >> PAGE_SHIFT))
		return "a mapping is not counted as a host mapping";
	return NULL;
}

const char *user_mem_check(struct kernel_base *kernel)
{
	struct user_mem *um = kernel->user_mem;
	const char *broken;
	struct vma *vma;

	if (!um)
		return NULL;
	broken = range_tree_check(&um->pins);
	broken = broken ? broken : range_tree_check(&um->windows);
	broken = broken ? broken : range_tree_check(&um->users);
	broken = broken ? broken : range_tree_check(&um->host_maps);
	if (broken)
		return broken;
	if (range_count_sum(&um->pins, 0, ~0ull >> PAGE_SHIFT) != um->nr_pins)
		return "the sum of all pins is not the number of pins";
	list_for_each_entry(vma, &um->vmas, node)
		if ((broken = vma_check(vma)))
			return broken;
	return NULL;
}
