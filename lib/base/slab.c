/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * kmalloc and friends (include/linux/slab.h) for the current task's kernel. What they add to kheap:
 * an allocation that may sleep is refused a quiet pass while a spinlock is held, and is a point at
 * which an explorer may switch tasks.
 *
 * Unlike Linux: kmalloc() zeroes as well, so that results never depend on what was there before.
 */
#include <iommufd-sim/proto/slab.h>

#include <assert.h>

#include "lib/base/task.h"

static struct kheap *slab_heap(gfp_t gfp, const char *site)
{
	struct task *task = current;

	assert(task);                           /* kernel code runs inside a task */
	if (!(gfp & GFP_ATOMIC))
		ifs_might_sleep(site);
	sched_point("kmalloc", NULL);
	return &task->kernel->heap;
}

void *ifs_kzalloc(size_t size, gfp_t gfp, const char *site)
{
	return kheap_alloc(slab_heap(gfp, site), size, site);
}

void *ifs_kcalloc(size_t n, size_t size, gfp_t gfp, const char *site)
{
	struct kheap *heap = slab_heap(gfp, site);
	size_t bytes;

	if (check_mul_overflow(n, size, &bytes))
		return NULL;
	return kheap_alloc(heap, bytes, site);
}

void *ifs_krealloc(void *ptr, size_t size, gfp_t gfp, const char *site)
{
	return kheap_realloc(slab_heap(gfp, site), ptr, size, site);
}

void ifs_kfree(const void *ptr)
{
	assert(current);
	kheap_free(&current->kernel->heap, ptr);
}
