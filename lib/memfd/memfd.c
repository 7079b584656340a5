/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Memory files: making them, their seals, pinning (mm/memfd.c, mm/shmem.c).
 *
 * Seals only ever grow, and belong to the file, not to the descriptor. F_SEAL_WRITE promises that
 * nobody can change the contents any more, so it cannot be set while a shared mapping may write or
 * a frame is pinned.
 *
 * Unlike Linux: F_SEAL_WRITE does not wait 150 ms for pins to go away, time is not modelled. There
 * are no huge pages from hugetlbfs (MFD_HUGETLB: -ENOSYS, a kernel without CONFIG_HUGETLBFS).
 */
#include "lib/memfd/memfd_internal.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>

#include <iommufd-sim/proto/memfd.h>

#include "lib/base/task.h"
#include "lib/mm/page_alloc.h"

#define MFD_FLAG_CLOEXEC 0x01u
#define MFD_FLAG_ALLOW_SEALING 0x02u
#define MFD_FLAG_HUGETLB 0x04u
#define MFD_FLAG_NOEXEC_SEAL 0x08u
#define MFD_FLAG_EXEC 0x10u
#define MFD_ALL_FLAGS 0x1fu
#define MFD_HUGE_SIZE_MASK (0x3fu << 26)

#define MFD_NAME_MAX 249
#define MEMFD_ALL_SEALS 0x3fu
/* What F_SEAL_EXEC brings along on a file that somebody may execute. */
#define MEMFD_EXEC_IMPLIES (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

int memfd_new(struct kernel_base *kernel, const struct memfd_config *config, const char *name,
	      unsigned seals, u32 mode, struct file **out)
{
	struct memfd *memfd = kheap_new(&kernel->heap, struct memfd);
	int err;

	if (!memfd)
		return -ENOMEM;
	err = user_mem_get(kernel);
	if (err)
		goto free_memfd;
	memfd->kernel = kernel;
	memfd->config = *config;
	memfd->seals = seals;
	memfd->mode = mode;
	init_rwsem(&memfd->i_rwsem);
	memfd_pages_init(memfd);
	err = anon_file_new(kernel->fs, "", &memfd_fops, memfd, O_RDWR | 0100000, out);
	if (err)
		goto put_user_mem;
	/* A longer name is cut: nobody but readlink sees it. */
	snprintf((*out)->name, sizeof((*out)->name), "/%.*s (deleted)",
		 (int)(sizeof((*out)->name) - sizeof("/ (deleted)")), name);
	return 0;

put_user_mem:
	memfd_pages_deinit(memfd);
	user_mem_put(kernel);
free_memfd:
	kheap_free(&kernel->heap, memfd);
	return err;
}

/*
 * A string of at most MFD_NAME_MAX bytes behind "memfd:", page by page as it may end before a hole.
 */
static int name_from_user(uva_t from, char *name)
{
	size_t length = sizeof("memfd:") - 1, end = length + MFD_NAME_MAX + 1;

	memcpy(name, "memfd:", length);
	while (length < end) {
		size_t chunk = min(end - length, PAGE_SIZE - (from & ~PAGE_MASK));

		if (copy_from_user(name + length, from, chunk))
			return -EFAULT;
		if (memchr(name + length, 0, chunk))
			return 0;
		length += chunk;
		from += chunk;
	}
	return -EINVAL;
}

int memfd_create_file(struct kernel_base *kernel, const struct memfd_config *config, uva_t name,
		      unsigned flags, struct file **out)
{
	char text[sizeof("memfd:") + MFD_NAME_MAX + 1] = "";
	unsigned seals = F_SEAL_SEAL;
	u32 mode = 0777;
	int err;

	if (flags & ~(MFD_ALL_FLAGS | (flags & MFD_FLAG_HUGETLB ? MFD_HUGE_SIZE_MASK : 0)))
		return -EINVAL;
	if ((flags & MFD_FLAG_EXEC) && (flags & MFD_FLAG_NOEXEC_SEAL))
		return -EINVAL;
	if (!(flags & (MFD_FLAG_EXEC | MFD_FLAG_NOEXEC_SEAL)))
		flags |= config->sysctl_noexec >= 1 ? MFD_FLAG_NOEXEC_SEAL : MFD_FLAG_EXEC;
	if (config->sysctl_noexec >= 2 && !(flags & MFD_FLAG_NOEXEC_SEAL))
		return -EACCES;
	err = name_from_user(name, text);
	if (err)
		return err;
	if (flags & MFD_FLAG_HUGETLB)
		return -ENOSYS;
	if (flags & MFD_FLAG_ALLOW_SEALING)
		seals = 0;
	if (flags & MFD_FLAG_NOEXEC_SEAL) {
		seals = F_SEAL_EXEC;
		mode = 0666;
	}
	return memfd_new(kernel, config, text, seals, mode, out);
}

bool file_is_memfd(const struct file *file)
{
	return file->f_op == &memfd_fops;
}

struct memfd *file_memfd(struct file *file)
{
	assert(file_is_memfd(file));
	return file->private_data;
}

u64 memfd_size(const struct memfd *memfd)
{
	return memfd->size;
}

void memfd_set_size(struct memfd *memfd, u64 size)
{
	memfd->size = size;
}

unsigned memfd_seals(const struct memfd *memfd)
{
	return memfd->seals;
}

/* With i_rwsem held for writing. */
static int add_seals_locked(struct memfd *memfd, unsigned seals)
{
	if (memfd->seals & F_SEAL_SEAL)
		return -EPERM;
	if ((seals & F_SEAL_EXEC) && (memfd->mode & 0111))
		seals |= MEMFD_EXEC_IMPLIES;
	if ((seals & F_SEAL_WRITE) && !(memfd->seals & F_SEAL_WRITE)) {
		if (memfd->nr_writable_mappings)
			return -EBUSY;
		if (memfd_nr_pinned(memfd))
			return -EBUSY;
	}
	memfd->seals |= seals;
	return 0;
}

int memfd_add_seals(struct memfd *memfd, unsigned seals)
{
	int err;

	if (seals & ~MEMFD_ALL_SEALS)
		return -EINVAL;
	down_write(&memfd->i_rwsem);
	err = add_seals_locked(memfd, seals);
	up_write(&memfd->i_rwsem);
	return err;
}

int memfd_new_sealed(struct kernel_base *kernel, const struct memfd_config *config, unsigned seals,
		     struct file **out)
{
	unsigned mode = 0777;
	int err;

	/* What could be executed would have got the other seals with this one. */
	if (kernel->fix_bugs && (seals & F_SEAL_EXEC) && MEMFD_EXEC_IMPLIES & ~seals)
		mode = 0666;
	err = memfd_new(kernel, config, "", 0, mode, out);
	if (err)
		return err;
	err = memfd_add_seals(file_memfd(*out), seals);
	if (err)
		fput(*out);
	return err;
}

void memfd_set_frozen(struct memfd *memfd, bool frozen)
{
	if (frozen)
		memfd->frozen++;
	else if (memfd->frozen)
		memfd->frozen--;
}

bool memfd_frozen(const struct memfd *memfd)
{
	return memfd->frozen;
}

int memfd_pin_range(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *runs)
{
	struct kheap *heap = &memfd->kernel->heap;
	struct pfn_runs added = { 0 }, got = { 0 };
	u32 nr = runs->nr;
	u64 last_nr_pages = nr ? pfn_runs_get(runs, nr - 1)->nr_pages : 0;
	int err;

	err = memfd_fill(memfd, index, nr_pages, &added);
	if (!err)
		err = memfd_frames(memfd, index, nr_pages, &got);
	for (u32 i = 0; !err && i < got.nr; i++) {
		const struct pfn_run *run = pfn_runs_get(&got, i);

		err = pfn_runs_add(heap, runs, run->pa, run->nr_pages);
	}
	if (!err)
		err = frames_pin(memfd->kernel, &got);
	if (err) {
		pfn_runs_cut(runs, nr, last_nr_pages);
		memfd_unfill(memfd, &added);
	}
	pfn_runs_deinit(heap, &got);
	pfn_runs_deinit(heap, &added);
	return err;
}

int memfd_pin(struct memfd *memfd, u64 index, u64 nr_pages, struct pfn_runs *runs)
{
	u64 last_page = memfd->size >> PAGE_SHIFT;      /* whole pages only */

	if (!nr_pages || index >= last_page || nr_pages > last_page - index)
		return -EINVAL;
	return memfd_pin_range(memfd, index, nr_pages, runs);
}

void memfd_unpin(struct memfd *memfd, const struct pfn_runs *runs)
{
	frames_unpin(memfd->kernel, runs);
}

u64 memfd_nr_pinned(const struct memfd *memfd)
{
	struct range_entry entry;
	u64 pins = 0;

	for (bool more = range_tree_find_first(&memfd->extents, 0, ~0ull, &entry); more;
	     more = range_tree_next(&memfd->extents, entry.start, &entry))
		pins += frames_nr_pins(memfd->kernel, entry.value & PAGE_MASK,
				       (entry.last - entry.start + 1) >> PAGE_SHIFT);
	return pins;
}

int ifs_memfd_get_seals(struct file *file)
{
	return file_is_memfd(file) ? (int)file_memfd(file)->seals : -EINVAL;
}

bool ifs_file_is_memfd(const struct file *file)
{
	return file_is_memfd(file);
}

void ifs_memfd_set_frozen(struct file *file, bool frozen)
{
	memfd_set_frozen(file_memfd(file), frozen);
}

bool ifs_memfd_is_frozen(const struct file *file)
{
	return file_is_memfd(file) && memfd_frozen(file->private_data);
}

bool ifs_memfd_frames_are(struct file *file, u64 index, u64 nr_pages, pa_t pa)
{
	struct memfd_extent extent;

	if (!file_is_memfd(file))
		return false;
	while (nr_pages) {
		if (!memfd_extent_at(file_memfd(file), index, &extent) || extent.pa != pa)
			return false;
		extent.nr_pages = min(extent.nr_pages, nr_pages);
		index += extent.nr_pages;
		nr_pages -= extent.nr_pages;
		pa += extent.nr_pages << PAGE_SHIFT;
	}
	return true;
}
