/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Descriptor tables (fs/file.c). A number is free, reserved (get_unused_fd_flags(): taken, but
 * nothing is open there yet), or open. New numbers are the lowest free ones, below RLIMIT_NOFILE.
 *
 * The table grows in steps of 64 and never shrinks: one bit per number says whether it is taken,
 * another whether exec closes it. Like Linux's expand_fdtable(), growing drops the lock and looks
 * again.
 */
#include "lib/fs/file.h"

#include <assert.h>
#include <fcntl.h>

#include <iommufd-sim/proto/lock.h>

#include "lib/base/task.h"

#define FDS_PER_WORD 64u

struct files {
	struct kernel_base *kernel;
	spinlock_t file_lock;
	u32 rlimit_nofile;
	u32 max_fds;                    /* multiple of 64 */
	u32 next_fd;                    /* all numbers below are taken */
	struct file **fd;               /* NULL: free or reserved */
	u64 *open_fds;
	u64 *close_on_exec;
};

static bool bit_get(const u64 *bits, u32 nr)
{
	return bits[nr / FDS_PER_WORD] >> (nr % FDS_PER_WORD) & 1;
}

static void bit_put(u64 *bits, u32 nr, bool value)
{
	u64 mask = BIT_ULL(nr % FDS_PER_WORD);

	bits[nr / FDS_PER_WORD] = value ? bits[nr / FDS_PER_WORD] | mask
					: bits[nr / FDS_PER_WORD] & ~mask;
}

int files_new(struct kernel_base *kernel, u32 rlimit_nofile, struct files **out)
{
	struct files *files = kheap_new(&kernel->heap, struct files);

	if (!files)
		return -ENOMEM;
	files->kernel = kernel;
	files->rlimit_nofile = rlimit_nofile;
	spin_lock_init(&files->file_lock);
	*out = files;
	return 0;
}

/* Room for number @fd. Called without the lock; -ENOMEM changes nothing. */
static int files_expand(struct files *files, u32 fd)
{
	struct kheap *heap = &files->kernel->heap;
	u32 max_fds = ALIGN_UP(max(fd + 1, 2 * files->max_fds), FDS_PER_WORD);
	u32 words = max_fds / FDS_PER_WORD, old_words = files->max_fds / FDS_PER_WORD;
	struct file **table;
	u64 *bits;

	if (fd < files->max_fds)
		return 0;
	table = kheap_alloc_at(heap, FAIL_ALLOC_FDTABLE, max_fds * sizeof(*table), "fdtable.fd");
	if (!table)
		return -ENOMEM;
	bits = kheap_alloc_at(heap, FAIL_ALLOC_FDTABLE, 2 * words * sizeof(*bits),
			      "fdtable.open_fds");
	if (!bits) {
		kheap_free(heap, table);
		return -ENOMEM;
	}
	spin_lock(&files->file_lock);
	if (files->max_fds) {
		memcpy(table, files->fd, files->max_fds * sizeof(*table));
		memcpy(bits, files->open_fds, old_words * sizeof(*bits));
		memcpy(bits + words, files->close_on_exec, old_words * sizeof(*bits));
	}
	kheap_free(heap, files->fd);
	kheap_free(heap, files->open_fds);
	files->fd = table;
	files->open_fds = bits;
	files->close_on_exec = bits + words;
	files->max_fds = max_fds;
	spin_unlock(&files->file_lock);
	return 0;
}

int files_fork(struct files *parent, struct files **out)
{
	struct files *child;
	int err;

	err = files_new(parent->kernel, parent->rlimit_nofile, &child);
	if (err)
		return err;
	err = parent->max_fds ? files_expand(child, parent->max_fds - 1) : 0;
	if (err) {
		kheap_free(&parent->kernel->heap, child);
		return err;
	}
	spin_lock(&parent->file_lock);
	for (u32 fd = 0; fd < parent->max_fds; fd++) {
		if (!parent->fd[fd])
			continue;       /* a reservation is of the thread that made it */
		child->fd[fd] = get_file(parent->fd[fd]);
		bit_put(child->open_fds, fd, true);
		bit_put(child->close_on_exec, fd, bit_get(parent->close_on_exec, fd));
	}
	spin_unlock(&parent->file_lock);
	*out = child;
	return 0;
}

void files_exit(struct files *files)
{
	struct kheap *heap;

	if (!files)
		return;
	heap = &files->kernel->heap;
	for (u32 fd = 0; fd < files->max_fds; fd++)
		if (files->fd[fd])
			files_close(files, (int)fd);
	kheap_free(heap, files->fd);
	kheap_free(heap, files->open_fds);
	kheap_free(heap, files);
}

/* The lowest free number from @from on; max_fds if all are taken. */
static u32 find_next_fd(const struct files *files, u32 from)
{
	for (u32 word = from / FDS_PER_WORD; word < files->max_fds / FDS_PER_WORD; word++) {
		u64 free_bits = ~files->open_fds[word];

		if (word == from / FDS_PER_WORD)
			free_bits &= ~0ull << (from % FDS_PER_WORD);
		if (free_bits)
			return word * FDS_PER_WORD + (u32)__builtin_ctzll(free_bits);
	}
	return max(from, files->max_fds);
}

static int files_alloc_fd(struct files *files, u32 min_fd, unsigned flags)
{
	u32 fd;
	int err;

	for (;;) {
		spin_lock(&files->file_lock);
		fd = find_next_fd(files, max(min_fd, files->next_fd));
		if (fd >= files->rlimit_nofile) {
			spin_unlock(&files->file_lock);
			return -EMFILE;
		}
		if (fd < files->max_fds)
			break;
		spin_unlock(&files->file_lock);
		err = files_expand(files, fd);
		if (err)
			return err;
	}
	bit_put(files->open_fds, fd, true);
	bit_put(files->close_on_exec, fd, flags & O_CLOEXEC);
	if (min_fd <= files->next_fd)
		files->next_fd = fd + 1;
	spin_unlock(&files->file_lock);
	return (int)fd;
}

int files_get_unused_fd(struct files *files, unsigned flags)
{
	return files_alloc_fd(files, 0, flags);
}

/* With the lock held. */
static void files_free_fd(struct files *files, u32 fd)
{
	bit_put(files->open_fds, fd, false);
	files->next_fd = min(files->next_fd, fd);
}

void files_put_unused_fd(struct files *files, int fd)
{
	spin_lock(&files->file_lock);
	assert((u32)fd < files->max_fds && bit_get(files->open_fds, fd) && !files->fd[fd]);
	files_free_fd(files, fd);
	spin_unlock(&files->file_lock);
}

void files_install(struct files *files, int fd, struct file *file)
{
	spin_lock(&files->file_lock);
	assert((u32)fd < files->max_fds && bit_get(files->open_fds, fd) && !files->fd[fd]);
	files->fd[fd] = file;
	spin_unlock(&files->file_lock);
}

static struct file *files_lookup(const struct files *files, int fd)
{
	return fd >= 0 && (u32)fd < files->max_fds ? files->fd[fd] : NULL;
}

struct file *files_get(struct files *files, int fd)
{
	struct file *file = files_lookup(files, fd);

	return file ? get_file(file) : NULL;
}

int files_next(const struct files *files, int fd)
{
	for (; (u32)fd < files->max_fds; fd++)
		if (files->fd[fd])
			return fd;
	return -1;
}

int files_close(struct files *files, int fd)
{
	struct file *file;

	spin_lock(&files->file_lock);
	file = files_lookup(files, fd);
	if (file) {
		files->fd[fd] = NULL;
		files_free_fd(files, fd);
	}
	spin_unlock(&files->file_lock);
	if (!file)
		return -EBADF;
	fput(file);
	return 0;
}

/* F_DUPFD's order: a minimum at or above the limit is -EINVAL, before anything is looked for. */
int files_dup(struct files *files, int fd, int min_fd, unsigned flags)
{
	struct file *file = files_lookup(files, fd);
	int copy;

	if (!file)
		return -EBADF;
	if (min_fd < 0 || (u32)min_fd >= files->rlimit_nofile)
		return min_fd ? -EINVAL : -EMFILE;
	copy = files_alloc_fd(files, (u32)min_fd, flags);
	if (copy >= 0)
		files_install(files, copy, get_file(file));
	return copy;
}

int files_get_flags(struct files *files, int fd)
{
	if (!files_lookup(files, fd))
		return -EBADF;
	return bit_get(files->close_on_exec, (u32)fd) ? FD_CLOEXEC : 0;
}

int files_set_flags(struct files *files, int fd, int flags)
{
	if (!files_lookup(files, fd))
		return -EBADF;
	spin_lock(&files->file_lock);
	bit_put(files->close_on_exec, (u32)fd, flags & FD_CLOEXEC);
	spin_unlock(&files->file_lock);
	return 0;
}

struct file *ifs_fget(int fd)
{
	return current->files ? files_get(current->files, fd) : NULL;
}

int ifs_get_unused_fd_flags(unsigned flags)
{
	return current->files ? files_get_unused_fd(current->files, flags) : -EMFILE;
}

void ifs_put_unused_fd(int fd)
{
	files_put_unused_fd(current->files, fd);
}

void ifs_fd_install(int fd, struct file *file)
{
	files_install(current->files, fd, file);
}
