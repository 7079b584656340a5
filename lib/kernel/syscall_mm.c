/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * mmap, munmap and mprotect of memory files and of anonymous memory that is one (mm/mmap.c): checks
 * of the arguments that do not need the address space, in Linux's order; the rest is lib/mm/.
 *
 * Unlike Linux: mappings are shared, at an address the simulator chooses or where nothing else is
 * mapped (MAP_FIXED_NOREPLACE). Private anonymous memory is the program's own and needs no system
 * call here, unless it is of huge pages; a child then shares them with its parent. Huge pages have
 * 2 MiB.
 */
#include "lib/kernel/syscall.h"

#include <sys/mman.h>

static bool is_regular(const struct file *file)
{
	return file->f_op->truncate;
}

/* The first offset that cannot be mapped: offsets of what is no regular file have no sign. */
static u64 mmap_size_max(const struct file *file)
{
	return is_regular(file) ? INT64_MAX : UINT64_MAX;
}

static int do_mmap(struct ifs_process *process, struct file *file, u64 length, int prot, int flags,
		   u64 offset, uva_t *out)
{
	const int type = flags & MAP_TYPE;

	if (!length)
		return -EINVAL;
	if (length > TASK_SIZE_MAX)
		return -ENOMEM;
	length = ALIGN_UP(length, PAGE_SIZE);
	if (flags & MAP_FIXED)
		return -EOPNOTSUPP;
	if (flags & MAP_FIXED_NOREPLACE && *out & ~PAGE_MASK)
		return -EINVAL;
	if (offset >> PAGE_SHIFT > (mmap_size_max(file) - length) >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE && type != MAP_PRIVATE)
		return -EINVAL;
	if (type != MAP_PRIVATE && (prot & PROT_WRITE) && !(file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (!(file->f_mode & FMODE_READ))
		return -EACCES;
	/* Only memory may be executed. */
	if (prot & PROT_EXEC && is_anon_inode(file) && !is_regular(file))
		return -EPERM;
	if (!file->f_op->mmap_check)
		return -ENODEV;
	if (type == MAP_PRIVATE && !file->f_op->mmap_private)
		return -EOPNOTSUPP;
	return mm_mmap_file(process->mm, file, offset, length, prot, flags, out);
}

#define HUGE_SIZE_LOG2 21u

/* MAP_HUGE_2MB, or no size at all. */
static bool huge_size_ok(int flags)
{
	unsigned lg2 = (unsigned)flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	return !lg2 || lg2 == HUGE_SIZE_LOG2;
}

static int do_mmap_anon(struct ifs_process *process, u64 length, int prot, int flags, uva_t *out)
{
	struct ifs_kernel *kernel = process->kernel;
	bool huge = flags & MAP_HUGETLB;
	int type = flags & MAP_TYPE, err;
	struct file *file;

	if (huge && !huge_size_ok(flags))
		return -EINVAL;
	if (!length)
		return -EINVAL;
	if (length > TASK_SIZE_MAX)
		return -ENOMEM;
	if (type != MAP_SHARED && type != MAP_PRIVATE)
		return -EINVAL;
	if (flags & MAP_FIXED || (type == MAP_PRIVATE && !huge))
		return -EOPNOTSUPP;
	length = ALIGN_UP(length, huge ? BIT_ULL(HUGE_SIZE_LOG2) : PAGE_SIZE);
	err = memfd_new_anon(&kernel->base, &kernel->memfd_config, length, huge, &file);
	if (err)
		return err;
	err = mm_mmap_file(process->mm, file, 0, length, prot, flags, out);
	fput(file);
	return err;
}

int ifs_mmap(struct ifs_process *process, size_t length, int prot, int flags, int fd, off_t offset,
	     void **out)
{
	struct file *file;
	struct task task;
	uva_t at = flags & MAP_FIXED_NOREPLACE ? (uintptr_t)*out : 0;
	int err = -EBADF;

	if ((u64)offset & ~PAGE_MASK)
		return -EINVAL;
	if (!syscall_enter(&task, process, "mmap"))
		return -EIO;
	file = flags & MAP_ANONYMOUS ? NULL : files_get(process->files, fd);
	if (flags & MAP_ANONYMOUS) {
		err = do_mmap_anon(process, length, prot, flags, &at);
	} else if (file) {
		err = do_mmap(process, file, length, prot, flags, (u64)offset, &at);
		fput(file);
	}
	syscall_leave(&task, process);
	if (!err)
		*out = (void *)(uintptr_t)at;
	return err;
}

static bool user_range_ok(uva_t start, u64 *length)
{
	u64 end;

	if (start & ~PAGE_MASK || !*length || *length > -PAGE_SIZE)
		return false;
	*length = ALIGN_UP(*length, PAGE_SIZE);
	return !check_add_overflow(start, *length, &end);
}

int ifs_munmap(struct ifs_process *process, void *addr, size_t length)
{
	u64 bytes = length;
	struct task task;
	int err;

	if (!user_range_ok((uintptr_t)addr, &bytes))
		return -EINVAL;
	if (!syscall_enter(&task, process, "munmap"))
		return -EIO;
	err = mm_munmap(process->mm, (uintptr_t)addr, bytes);
	syscall_leave(&task, process);
	return err;
}

int ifs_mprotect(struct ifs_process *process, void *addr, size_t length, int prot)
{
	u64 bytes = length;
	struct task task;
	int err;

	if ((uintptr_t)addr & ~PAGE_MASK)
		return -EINVAL;
	if (!length)
		return 0;
	if (!user_range_ok((uintptr_t)addr, &bytes))
		return -ENOMEM;
	if (!syscall_enter(&task, process, "mprotect"))
		return -EIO;
	err = mm_mprotect(process->mm, (uintptr_t)addr, bytes, prot);
	syscall_leave(&task, process);
	return err;
}
