/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a program can do with the descriptor of a memory file (shmem_file_operations), each with the
 * checks in Linux's order: seals, the frozen flag, the size.
 *
 * A write is done in chunks that end at multiples of 2 MiB, the largest folio of the page cache,
 * and each chunk is allowed or refused as a whole: so a write across the end of a file that may not
 * grow does nothing, unless it crosses such a boundary before.
 *
 * Unlike Linux: a page that was allocated but never written counts as data for SEEK_DATA.
 */
#include "lib/memfd/memfd_internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/task.h"
#include "sim/phys_mem.h"

#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif

#define FALLOC_KEEP_SIZE 0x01
#define FALLOC_PUNCH_HOLE 0x02

#define WRITE_CHUNK (2ull << 20)
#define SEALS_AGAINST_WRITE (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static const u8 zeros[PAGE_SIZE];

static void memfd_release(struct file *file)
{
	struct memfd *memfd = file->private_data;
	struct kernel_base *kernel = memfd->kernel;

	memfd_pages_deinit(memfd);
	memfd_put_huge_pages(memfd);
	kheap_free(&kernel->heap, memfd);
	user_mem_put(kernel);
}

static int zeros_to_user(uva_t to, u64 length)
{
	for (u64 done = 0, chunk; done < length; done += chunk) {
		chunk = min(length - done, sizeof(zeros));
		if (copy_to_user(to + done, zeros, chunk))
			return -EFAULT;
	}
	return 0;
}

static long memfd_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	struct memfd *memfd = file->private_data;
	u64 done = 0;
	int err = 0;

	if (*pos >= memfd->size)
		return 0;
	count = min(count, memfd->size - *pos);
	while (done < count) {
		u64 offset = *pos & ~PAGE_MASK, chunk = min(count - done, PAGE_SIZE - offset);
		struct memfd_extent extent;

		if (memfd_extent_at(memfd, *pos >> PAGE_SHIFT, &extent)) {
			chunk = min(count - done, (extent.nr_pages << PAGE_SHIFT) - offset);
			err = copy_to_user(to + done,
					   phys_mem_ptr(memfd->kernel->mem, extent.pa + offset,
							chunk), chunk);
		} else {
			err = zeros_to_user(to + done, chunk);
		}
		if (err)
			break;
		done += chunk;
		*pos += chunk;
	}
	return done ? (long)done : err;
}

/* How many bytes could be copied: up to the page of the user's that is not there. */
static u64 copy_in(void *to, uva_t from, u64 length)
{
	u64 done = 0, chunk;

	if (!copy_from_user(to, from, length))
		return length;
	for (; done < length; done += chunk) {
		chunk = min(length - done, PAGE_SIZE - ((from + done) & ~PAGE_MASK));
		if (copy_from_user((u8 *)to + done, from + done, chunk))
			break;
	}
	return done;
}

/* What was written may end the file; with nothing written, the place where it would have begun. */
static void size_at_least(struct memfd *memfd, u64 size)
{
	u64 old_size = memfd->size;

	if (size <= old_size)
		return;
	memfd->size = size;
	/* Mappings that reach beyond the old end can now be used further. */
	if (memfd->nr_mappings)
		unmap_mapping_range(memfd->kernel, memfd, ALIGN_UP(old_size, PAGE_SIZE),
				    ALIGN_UP(size, PAGE_SIZE) - ALIGN_UP(old_size, PAGE_SIZE));
}

/*
 * One chunk, within 2 MiB. The number of bytes written, or -errno.
 *
 * If the user's memory ends before the chunk, the page to which the next byte would have gone stays
 * in the file, and the file reaches up to that byte, even if it is the first (-EFAULT).
 */
static long write_chunk(struct memfd *memfd, uva_t from, u64 pos, u64 length)
{
	u64 index = pos >> PAGE_SHIFT, end = DIV_ROUND_UP(pos + length, PAGE_SIZE), done = 0;
	struct pfn_runs added = { 0 };
	int err;

	if (memfd->seals & SEALS_AGAINST_WRITE)
		return -EPERM;
	if ((memfd->seals & F_SEAL_GROW) && pos + length > memfd->size)
		return -EPERM;
	if (memfd->frozen && pos + length > memfd->size)
		return -EPERM;
	err = memfd_fill(memfd, index, end - index, &added);
	if (err)
		return err;
	while (done < length) {
		u64 offset = (pos + done) & ~PAGE_MASK, chunk, copied;
		struct memfd_extent extent;

		if (!memfd_extent_at(memfd, (pos + done) >> PAGE_SHIFT, &extent))
			break;
		chunk = min(length - done, (extent.nr_pages << PAGE_SHIFT) - offset);
		copied = copy_in(phys_mem_ptr(memfd->kernel->mem, extent.pa + offset, chunk),
				 from + done, chunk);
		done += copied;
		if (copied < chunk)
			break;
	}
	if (done < length)
		memfd_unfill_from(memfd, &added, ((pos + done) >> PAGE_SHIFT) + 1);
	pfn_runs_deinit(&memfd->kernel->heap, &added);
	size_at_least(memfd, pos + done);
	return done ? (long)done : -EFAULT;
}

static long memfd_write(struct file *file, uva_t from, u64 count, u64 *pos)
{
	struct memfd *memfd = file->private_data;
	u64 done = 0;
	long n = 0;

	if (!count)
		return 0;
	down_write(&memfd->i_rwsem);
	if (file->f_flags & O_APPEND)
		*pos = memfd->size;
	if (*pos >= MAX_LFS_FILESIZE) {
		up_write(&memfd->i_rwsem);
		return -EFBIG;
	}
	count = min(count, MAX_LFS_FILESIZE - *pos);
	while (done < count) {
		u64 chunk = min(count - done, WRITE_CHUNK - (*pos & (WRITE_CHUNK - 1)));

		n = write_chunk(memfd, from + done, *pos, chunk);
		if (n < 0)
			break;
		done += n;
		*pos += n;
		if ((u64)n < chunk)
			break;
	}
	up_write(&memfd->i_rwsem);
	return done ? (long)done : n;
}

/* The next data or hole at or after @at; the end of the file counts as a hole. */
static u64 seek_hole_data(struct memfd *memfd, u64 at, bool data)
{
	while (at < memfd->size) {
		struct memfd_extent extent;
		struct range_entry next;

		if (memfd_extent_at(memfd, at >> PAGE_SHIFT, &extent)) {
			if (data)
				return at;
			at = (extent.index + extent.nr_pages) << PAGE_SHIFT;
			continue;
		}
		if (!data)
			return at;
		at = range_tree_next(&memfd->extents, at, &next) ? next.start : memfd->size;
	}
	return memfd->size;
}

static long memfd_llseek(struct file *file, s64 offset, int whence)
{
	struct memfd *memfd = file->private_data;
	s64 base = 0, to;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = (s64)file->f_pos;
		break;
	case SEEK_END:
		base = (s64)memfd->size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (offset < 0 || (u64)offset >= memfd->size)
			return -ENXIO;
		to = (s64)seek_hole_data(memfd, (u64)offset, whence == SEEK_DATA);
		if (whence == SEEK_DATA && (u64)to >= memfd->size)
			return -ENXIO;
		file->f_pos = (u64)to;
		return to;
	default:
		return -EINVAL;
	}
	if (check_add_overflow(base, offset, &to) || to < 0)
		return -EINVAL;
	file->f_pos = (u64)to;
	return to;
}

/*
 * i_rwsem is held. Mappings follow: what they show beyond the new end traps, what is new appears.
 * Without a change of size, too, pages beyond the end go (fallocate() may have put some there).
 */
static void set_size(struct memfd *memfd, u64 size)
{
	u64 old_size = memfd->size;

	memfd->size = size;
	if (size <= old_size) {
		memfd_remove(memfd, size, ALIGN_UP(MAX_LFS_FILESIZE, PAGE_SIZE));
		/* Holes that a mapping showed beyond the end are not pages that were removed. */
		old_size = size;
	}
	if (memfd->nr_mappings)
		unmap_mapping_range(memfd->kernel, memfd, ALIGN_UP(old_size, PAGE_SIZE),
				    ALIGN_UP(MAX_LFS_FILESIZE, PAGE_SIZE) -
				    ALIGN_UP(old_size, PAGE_SIZE));
}

static int memfd_truncate(struct file *file, u64 size)
{
	struct memfd *memfd = file->private_data;
	int err = 0;

	if (size > MAX_LFS_FILESIZE)
		return -EINVAL;
	down_write(&memfd->i_rwsem);
	if ((size < memfd->size && (memfd->seals & F_SEAL_SHRINK)) ||
	    (size > memfd->size && (memfd->seals & F_SEAL_GROW)))
		err = -EPERM;
	else if (size != memfd->size && memfd->frozen)
		err = -EPERM;
	else
		set_size(memfd, size);
	up_write(&memfd->i_rwsem);
	return err;
}

/* i_rwsem is held. */
static int fallocate_locked(struct memfd *memfd, int mode, u64 start, u64 end)
{
	int err;

	if (memfd->frozen)
		return -EPERM;
	if (mode & FALLOC_PUNCH_HOLE) {
		if (memfd->seals & SEALS_AGAINST_WRITE)
			return -EPERM;
		memfd_remove(memfd, start, end);
		return 0;
	}
	if ((memfd->seals & F_SEAL_GROW) && end > memfd->size)
		return -EPERM;
	if (end > MAX_LFS_FILESIZE - (PAGE_SIZE - 1))
		return -EFBIG;          /* the last page would end beyond */
	err = memfd_populate(memfd, start >> PAGE_SHIFT,
			     DIV_ROUND_UP(end, PAGE_SIZE) - (start >> PAGE_SHIFT));
	if (!err && !(mode & FALLOC_KEEP_SIZE) && end > memfd->size)
		set_size(memfd, end);
	return err;
}

static int memfd_fallocate(struct file *file, int mode, u64 offset, u64 length)
{
	struct memfd *memfd = file->private_data;
	u64 end;
	int err;

	if (mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_PUNCH_HOLE) && !(mode & FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!length || check_add_overflow(offset, length, &end) || end > MAX_LFS_FILESIZE)
		return length ? -EFBIG : -EINVAL;
	down_write(&memfd->i_rwsem);
	err = fallocate_locked(memfd, mode, offset, end);
	up_write(&memfd->i_rwsem);
	return err;
}

static int memfd_fop_add_seals(struct file *file, unsigned seals)
{
	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	return memfd_add_seals(file->private_data, seals);
}

static int memfd_fop_get_seals(struct file *file)
{
	return (int)memfd_seals(file->private_data);
}

static int memfd_mmap_check(struct file *file, u64 offset, u64 length, int prot, int flags,
			    bool *may_write)
{
	const struct memfd *memfd = file->private_data;

	if (!(memfd->seals & SEALS_AGAINST_WRITE))
		return 0;
	/* Through a descriptor that cannot write, nothing needs to be given up. */
	if ((prot & PROT_WRITE) && *may_write)
		return -EPERM;
	*may_write = false;
	return 0;
}

static int memfd_mmap_frames(struct file *file, u64 offset, u64 length, void *runs)
{
	struct memfd *memfd = file->private_data;
	u64 index = offset >> PAGE_SHIFT, end = (offset + length) >> PAGE_SHIFT;
	struct pfn_runs added = { 0 }, *out = runs;
	u32 nr = out->nr;
	u64 last_nr_pages = nr ? pfn_runs_get(out, nr - 1)->nr_pages : 0;
	int err;

	end = min(end, DIV_ROUND_UP(memfd->size, PAGE_SIZE));
	if (index >= end)
		return 0;
	err = memfd_fill(memfd, index, end - index, &added);
	if (!err) {
		err = memfd_frames(memfd, index, end - index, out);
		if (err) {
			pfn_runs_cut(out, nr, last_nr_pages);
			memfd_unfill(memfd, &added);
		}
	}
	pfn_runs_deinit(&memfd->kernel->heap, &added);
	return err;
}

static void memfd_mmap_change(struct file *file, u64 offset, int delta, bool may_write)
{
	struct memfd *memfd = file->private_data;

	memfd->nr_mappings += delta;
	if (may_write)
		memfd->nr_writable_mappings += delta;
}

static void memfd_stat(struct file *file, u64 *size, u32 *mode, u64 *blocks)
{
	const struct memfd *memfd = file->private_data;

	*size = memfd->size;
	*mode = S_IFREG | memfd->mode;
	*blocks = memfd->nr_pages * (PAGE_SIZE / 512);
}

const struct file_operations memfd_fops = {
	.name = "memfd",
	.release = memfd_release,
	.read = memfd_read,
	.write = memfd_write,
	.llseek = memfd_llseek,
	.truncate = memfd_truncate,
	.fallocate = memfd_fallocate,
	.add_seals = memfd_fop_add_seals,
	.get_seals = memfd_fop_get_seals,
	.mmap_check = memfd_mmap_check,
	.mmap_frames = memfd_mmap_frames,
	.mmap_change = memfd_mmap_change,
	.mmap_page_size = memfd_mmap_page_size,
	.mmap_folio_order = memfd_mmap_folio_order,
	.stat = memfd_stat,
};
