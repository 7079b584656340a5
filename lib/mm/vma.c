/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Mappings that our own mmap() made: MAP_SHARED, of files that have frames to show.
 *
 * The program really gets memory: a reserved range of its address space over which the frames are
 * mapped from the arena, piece by piece. So there are no page faults: what the file has within the
 * range is made present when the mapping is made, and again when the file changes
 * (unmap_mapping_range()); pages beyond its end trap, as they would give SIGBUS.
 *
 * mmap_lock is held for writing by whoever changes an address space; a file's mappings are found
 * through one list for all files (there are few), where Linux has a tree in each inode.
 *
 * A forked child has the same mappings at the same addresses (mm_fork()). Since all processes live
 * in one program, the host's memory is theirs together and goes when the last of them unmaps it.
 * Where processes are host processes of their own (host.c), each changes its own mappings only.
 *
 * Left out: MAP_PRIVATE, MAP_FIXED (but not MAP_FIXED_NOREPLACE), merging of neighbours.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include <iommufd-sim/proto/file.h>

#include "lib/mm/user_mem_internal.h"
#include "sim/phys_mem.h"

static void *host(uva_t at)
{
	return (void *)(uintptr_t)at;
}

bool vma_find_first(const struct mm *mm, uva_t start, uva_t last, struct vma **out)
{
	struct range_entry entry;

	if (!range_tree_find_first(&mm->vmas, start, last, &entry))
		return false;
	*out = (struct vma *)(uintptr_t)entry.value;
	return true;
}

/*
 * The frames behind [start, start + length), which lies in @vma, become visible at their addresses.
 */
static int vma_map_host(struct vma *vma, uva_t start, u64 length)
{
	struct kernel_base *kernel = vma->mm->kernel;
	struct pfn_runs runs = { 0 };
	uva_t at = start, end = start + length;
	int err;

	if (!mm_is_here(vma->mm)) {
		vma->mm->host_stale = true;
		return 0;
	}
	err = vma->file->f_op->mmap_frames(vma->file, vma->offset + (start - vma->start), length,
					   &runs);
	for (u32 i = 0; !err && i < runs.nr; i++) {
		u64 bytes = pfn_runs_get(&runs, i)->nr_pages * PAGE_SIZE;

		if (!phys_mem_map(kernel->mem, host(at), pfn_runs_get(&runs, i)->pa, bytes,
				  vma->prot & PROT_WRITE))
			err = -ENOMEM;
		else if ((vma->prot & ~PROT_WRITE) != PROT_READ &&
			 mprotect(host(at), bytes, vma->prot))
			err = -ENOMEM;
		at += bytes;
	}
	pfn_runs_deinit(&kernel->heap, &runs);
	if (err)
		at = start;
	/* What has no frame, or after a failure everything, traps. */
	if (at < end && mmap(host(at), end - at, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
			     -1, 0) == MAP_FAILED)
		return -ENOMEM;
	return err;
}

/* No memory: it traps, as a fault would give SIGBUS. */
void vma_follow_file(struct vma *vma)
{
	vma_map_host(vma, vma->start, vma->length);
}

static void host_unmapped(void *ctx, u64 first, u64 last, bool marked)
{
	if (mm_is_here(ctx))
		munmap(host(first << PAGE_SHIFT), (last - first + 1) << PAGE_SHIFT);
}

/* A range of the program's addresses that traps, at @at if it is not 0, else aligned to @align. */
static int reserve_host(uva_t at, u64 length, u64 align, uva_t *out)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED_NOREPLACE : 0);
	u64 extra = at ? 0 : align - PAGE_SIZE, before;
	void *range = mmap(host(at), length + extra, PROT_NONE, flags, -1, 0);

	if (range == MAP_FAILED)
		return at && errno == EEXIST ? -EEXIST : -ENOMEM;
	*out = at ? at : ALIGN_UP((uintptr_t)range, align);
	before = *out - (uintptr_t)range;
	if (before)
		munmap(range, before);
	if (extra > before)
		munmap(host(*out + length), extra - before);
	return 0;
}

static u64 file_page_size(struct file *file)
{
	return file->f_op->mmap_page_size ? file->f_op->mmap_page_size(file) : PAGE_SIZE;
}

unsigned mm_folio_order(struct mm *mm, uva_t uva)
{
	struct vma *vma;

	if (!vma_find_first(mm, uva, uva, &vma) || !vma->file->f_op->mmap_folio_order)
		return 0;
	return vma->file->f_op->mmap_folio_order(vma->file, vma->offset + (uva - vma->start));
}

/* Takes @vma out of its address space; its record stays with the caller. */
static void vma_unlink(struct vma *vma)
{
	struct mm *mm = vma->mm;

	range_tree_remove(&mm->vmas, vma->start);
	list_del(&vma->node);
	range_count_dec(mm_host_maps(mm), mm->kernel, vma->start >> PAGE_SHIFT,
			vma_last(vma) >> PAGE_SHIFT, host_unmapped, mm);
}

static void vma_remove(struct vma *vma)
{
	struct kernel_base *kernel = vma->mm->kernel;

	vma_unlink(vma);
	if (vma->file->f_op->mmap_change)
		vma->file->f_op->mmap_change(vma->file, vma->offset, -1, vma->may_write);
	fput(vma->file);
	kheap_free(&kernel->heap, vma);
}

int mm_mmap_file(struct mm *mm, struct file *file, u64 offset, u64 length, int prot, int flags,
		 uva_t *out)
{
	u64 page_size = file_page_size(file), first;
	uva_t at = flags & MAP_FIXED_NOREPLACE ? *out : 0;
	struct vma *vma;
	bool may_write;
	int err;

	if (!length || !IS_ALIGNED(offset | length | at, page_size))
		return -EINVAL;
	if (mm->dead)
		return -EINVAL;
	if (!file->f_op->mmap_check || !file->f_op->mmap_frames)
		return -ENODEV;
	/* From the check on until the file counts the mapping, no other task can run. */
	down_write(&mm->mmap_lock);
	may_write = file->f_mode & FMODE_WRITE;
	err = file->f_op->mmap_check(file, offset, length, prot, flags, &may_write);
	if (err)
		goto unlock;
	err = -ENOMEM;
	vma = kheap_new(&mm->kernel->heap, struct vma);
	if (!vma)
		goto unlock;
	err = reserve_host(at, length, page_size, &at);
	if (err)
		goto free_vma;
	err = -ENOMEM;
	*vma = (struct vma){ .mm = mm, .file = file, .start = at, .length = length,
			     .offset = offset, .prot = prot, .may_write = may_write };
	first = vma->start >> PAGE_SHIFT;
	if (!range_count_inc(mm_host_maps(mm), first, vma_last(vma) >> PAGE_SHIFT)) {
		munmap(host(at), length);
		goto free_vma;
	}
	if (!range_tree_insert(&mm->vmas, vma->start, vma_last(vma), (uintptr_t)vma))
		goto drop_host_map;
	err = vma_map_host(vma, vma->start, length);
	if (err)
		goto remove;
	list_add_tail(&vma->node, &mm->um->vmas);
	get_file(file);
	if (file->f_op->mmap_change)
		file->f_op->mmap_change(file, offset, 1, may_write);
	up_write(&mm->mmap_lock);
	*out = vma->start;
	return 0;

remove:
	range_tree_remove(&mm->vmas, vma->start);
drop_host_map:
	range_count_dec(mm_host_maps(mm), mm->kernel, first, vma_last(vma) >> PAGE_SHIFT,
			host_unmapped, mm);
free_vma:
	kheap_free(&mm->kernel->heap, vma);
unlock:
	up_write(&mm->mmap_lock);
	return err;
}

/* The mapping that lies across @at in *@out, NULL if none does. -EINVAL: within a huge page. */
static int vma_across(struct mm *mm, uva_t at, struct vma **out)
{
	struct vma *vma;

	*out = NULL;
	if (!at || !vma_find_first(mm, at, at, &vma) || vma->start == at)
		return 0;
	if (!IS_ALIGNED(at, file_page_size(vma->file)))
		return -EINVAL;
	*out = vma;
	return 0;
}

/* Two mappings touch at @at where one lay across it: @tail is the second. */
static void vma_split(struct mm *mm, uva_t at, struct vma *tail)
{
	struct vma *vma;

	/* Of a mapping that lay across both ends the first split has made two. */
	if (vma_across(mm, at, &vma) || !vma)
		assert(!"checked");
	*tail = *vma;
	tail->start = at;
	tail->length = vma->start + vma->length - at;
	tail->offset += at - vma->start;
	range_tree_remove(&mm->vmas, vma->start);
	vma->length -= tail->length;
	if (!range_tree_insert(&mm->vmas, vma->start, vma_last(vma), (uintptr_t)vma) ||
	    !range_tree_insert(&mm->vmas, at, vma_last(tail), (uintptr_t)tail))
		assert(!"reserved");
	list_add(&tail->node, &vma->node);
	get_file(tail->file);
	if (tail->file->f_op->mmap_change)
		tail->file->f_op->mmap_change(tail->file, tail->offset, 1, tail->may_write);
}

/*
 * Lets mappings end where the range begins and where it ends. -ENOMEM, or -EINVAL within a huge
 * page: nothing changed.
 *
 * Unlike Linux: where only the second split fails, the first has not been made either. There it
 * stays, which no program can see.
 */
static int vma_split_range(struct mm *mm, uva_t start, u64 length)
{
	const uva_t ends[2] = { start, start + length };
	struct vma *across[2], *tails[2] = { NULL, NULL };
	int err = 0;

	for (unsigned i = 0; i < 2 && !err; i++)
		err = vma_across(mm, ends[i], &across[i]);
	for (unsigned i = 0; i < 2 && !err; i++) {
		if (!across[i])
			continue;
		tails[i] = kheap_new(&mm->kernel->heap, struct vma);
		if (!tails[i])
			err = -ENOMEM;
	}
	if (!err && (across[0] || across[1]) && !range_tree_reserve(&mm->vmas, 4))
		err = -ENOMEM;
	if (err) {
		kheap_free(&mm->kernel->heap, tails[0]);
		kheap_free(&mm->kernel->heap, tails[1]);
		return err;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (across[i])
			vma_split(mm, ends[i], tails[i]);
	}
	return 0;
}

/* Memory that is not ours is left alone: the program can unmap it by itself. */
int mm_munmap(struct mm *mm, uva_t start, u64 length)
{
	struct vma *vma;
	int err;

	if (start & ~PAGE_MASK || length & ~PAGE_MASK || !length || start + length < start)
		return -EINVAL;
	down_write(&mm->mmap_lock);
	err = vma_split_range(mm, start, length);
	while (!err && vma_find_first(mm, start, start + length - 1, &vma))
		vma_remove(vma);
	up_write(&mm->mmap_lock);
	return err;
}

void mm_unmap_all(struct mm *mm)
{
	struct vma *vma;

	if (!mm->vmas.count)
		return;
	down_write(&mm->mmap_lock);
	while (vma_find_first(mm, 0, ~0ull, &vma))
		vma_remove(vma);
	up_write(&mm->mmap_lock);
}

static int vma_copy(struct mm *mm, const struct vma *from)
{
	struct vma *vma = kheap_new(&mm->kernel->heap, struct vma);
	u64 first = from->start >> PAGE_SHIFT, last = vma_last(from) >> PAGE_SHIFT;

	if (!vma)
		return -ENOMEM;
	*vma = *from;
	vma->mm = mm;
	if (!range_tree_insert(&mm->vmas, vma->start, vma_last(vma), (uintptr_t)vma))
		goto free_vma;
	if (!range_count_inc(mm_host_maps(mm), first, last))
		goto remove;
	list_add_tail(&vma->node, &mm->um->vmas);
	get_file(vma->file);
	if (vma->file->f_op->mmap_change)
		vma->file->f_op->mmap_change(vma->file, vma->offset, 1, vma->may_write);
	return 0;

remove:
	range_tree_remove(&mm->vmas, vma->start);
free_vma:
	kheap_free(&mm->kernel->heap, vma);
	return -ENOMEM;
}

int mm_fork(struct mm *parent, struct mm *child)
{
	struct range_entry entry;
	int err = 0;

	down_write(&parent->mmap_lock);
	for (bool more = range_tree_find_first(&parent->vmas, 0, ~0ull, &entry); more && !err;
	     more = range_tree_next(&parent->vmas, entry.start, &entry))
		err = vma_copy(child, (const struct vma *)(uintptr_t)entry.value);
	up_write(&parent->mmap_lock);
	if (err)
		mm_unmap_all(child);
	return err;
}

/* -ENOMEM if not all of it is mapped by us, -EACCES for what may not become writable. */
static int mprotect_allowed(struct mm *mm, uva_t start, uva_t last, int prot)
{
	uva_t at = start;
	struct vma *vma;

	for (;;) {
		if (!vma_find_first(mm, at, last, &vma) || vma->start > at)
			return -ENOMEM;
		if ((prot & PROT_WRITE) && !vma->may_write)
			return -EACCES;
		if (vma_last(vma) >= last)
			return 0;
		at = vma_last(vma) + 1;
	}
}

/*
 * Unlike Linux: the whole range is checked first. There a failure leaves the mappings before the
 * offending one with their new protection.
 */
int mm_mprotect(struct mm *mm, uva_t start, u64 length, int prot)
{
	struct vma *vma;
	uva_t at;
	int err;

	if (start & ~PAGE_MASK || length & ~PAGE_MASK || start + length < start)
		return -EINVAL;
	if (!length)
		return 0;
	down_write(&mm->mmap_lock);
	err = mprotect_allowed(mm, start, start + length - 1, prot);
	if (!err)
		err = vma_split_range(mm, start, length);
	if (err)
		goto unlock;
	nofail_begin(mm->kernel);
	for (at = start; at < start + length; at = vma_last(vma) + 1) {
		if (!vma_find_first(mm, at, start + length - 1, &vma))
			assert(!"checked above");
		vma->prot = prot;
		err = vma_map_host(vma, vma->start, vma->length);
		if (err)
			break;
	}
	nofail_end(mm->kernel);
unlock:
	up_write(&mm->mmap_lock);
	return err;
}

void unmap_mapping_range(struct kernel_base *kernel, const void *inode, u64 offset, u64 length)
{
	struct user_mem *um = kernel->user_mem;
	u64 last = offset + length - 1;
	struct vma *vma;

	if (!um || !length)
		return;
	if (last < offset)
		last = ~0ull;
	nofail_begin(kernel);
	list_for_each_entry(vma, &um->vmas, node) {
		u64 vma_end = vma->offset + vma->length - 1;
		u64 from = max(offset, vma->offset), to = min(last, vma_end);

		if (vma->file->private_data != inode || from > to)
			continue;
		from = ALIGN_DOWN(from, PAGE_SIZE);
		/* No memory: the range traps, as a fault would give SIGBUS. */
		vma_map_host(vma, vma->start + (from - vma->offset),
			     ALIGN_UP(to + 1, PAGE_SIZE) - from);
	}
	nofail_end(kernel);
}
