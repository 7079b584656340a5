/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Open file descriptions (fs/file_table.c, fs/anon_inodes.c) and the names that open() knows.
 *
 * A description lives as long as something refers to it: descriptors of any process, mappings,
 * references taken by kernel code. release() runs once, with the last of them. There are no inodes:
 * a description has private_data, and two descriptions of the same thing are not made here.
 */
#include "lib/fs/file.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>

#include <iommufd-sim/proto/lock.h>

#include "lib/base/task.h"

/* What x86_64 sets for every open(): files may be larger than 2 GiB. */
#define FILE_O_LARGEFILE 0100000u

struct fs_node {
	struct list_head list;
	char path[64];
	int (*open)(struct file *file, void *ctx);
	void *ctx;
};

struct file_system {
	struct kernel_base *kernel;
	spinlock_t lock;                /* both lists; sb's inode list lock, chrdevs_lock */
	struct list_head nodes;         /* struct fs_node, in order of registration */
	struct list_head files;         /* struct file, oldest first */
	u64 nr_files;
};

int file_system_new(struct kernel_base *kernel, struct file_system **out)
{
	struct file_system *fs = kheap_new(&kernel->heap, struct file_system);

	if (!fs)
		return -ENOMEM;
	fs->kernel = kernel;
	spin_lock_init(&fs->lock);
	INIT_LIST_HEAD(&fs->nodes);
	INIT_LIST_HEAD(&fs->files);
	*out = fs;
	return 0;
}

void file_system_free(struct file_system *fs)
{
	if (!fs)
		return;
	/* Files that are left belong to something that was lost: each is found as a leak. */
	assert(list_empty(&fs->nodes));
	kheap_free(&fs->kernel->heap, fs);
}

static struct fs_node *fs_lookup(struct file_system *fs, const char *path)
{
	struct fs_node *node;

	list_for_each_entry(node, &fs->nodes, list)
		if (!strcmp(node->path, path))
			return node;
	return NULL;
}

/* The tree that @path lies in, or is the root of. */
static struct fs_node *fs_lookup_tree(struct file_system *fs, const char *path)
{
	struct fs_node *node;

	list_for_each_entry(node, &fs->nodes, list) {
		size_t length = strlen(node->path) - 1;

		if (node->path[length] == '/' && !strncmp(node->path, path, length) &&
		    (!path[length] || path[length] == '/'))
			return node;
	}
	return NULL;
}

int fs_register(struct file_system *fs, const char *path, int (*open)(struct file *file, void *ctx),
		void *ctx)
{
	struct fs_node *node;

	if (path[0] != '/' || strlen(path) >= sizeof(node->path))
		return -EINVAL;
	if (fs_lookup(fs, path))
		return -EBUSY;
	node = kheap_new(&fs->kernel->heap, struct fs_node);
	if (!node)
		return -ENOMEM;
	strcpy(node->path, path);
	node->open = open;
	node->ctx = ctx;
	spin_lock(&fs->lock);
	list_add_tail(&node->list, &fs->nodes);
	spin_unlock(&fs->lock);
	return 0;
}

void fs_unregister(struct file_system *fs, const char *path)
{
	struct fs_node *node = fs_lookup(fs, path);

	if (!node)
		return;
	spin_lock(&fs->lock);
	list_del(&node->list);
	spin_unlock(&fs->lock);
	kheap_free(&fs->kernel->heap, node);
}

static unsigned file_mode_of(unsigned flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return FMODE_READ;
	case O_WRONLY:
		return FMODE_WRITE;
	default:
		return FMODE_READ | FMODE_WRITE;
	}
}

/* One reference; not listed yet. */
static struct file *file_alloc(struct file_system *fs, unsigned flags)
{
	struct file *file = kheap_new(&fs->kernel->heap, struct file);

	if (!file)
		return NULL;
	file->f_flags = flags;
	file->f_mode = file_mode_of(flags);
	file->f_count = 1;
	file->fs = fs;
	INIT_LIST_HEAD(&file->fs_node);
	return file;
}

static void file_publish(struct file *file)
{
	struct file_system *fs = file->fs;

	assert(file->f_op);
	spin_lock(&fs->lock);
	list_add_tail(&file->fs_node, &fs->files);
	fs->nr_files++;
	spin_unlock(&fs->lock);
}

int fs_open(struct file_system *fs, const char *path, unsigned flags, struct file **out)
{
	struct fs_node *tree = fs_lookup_tree(fs, path), *node = tree ? tree : fs_lookup(fs, path);
	struct file *file;
	size_t length;
	int err;

	if (!node)
		return -ENOENT;
	flags &= ~(unsigned)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
	file = file_alloc(fs, flags | FILE_O_LARGEFILE);
	if (!file)
		return -ENOMEM;
	snprintf(file->name, sizeof(file->name), "%s", path);
	length = strlen(file->name);
	if (tree && file->name[length - 1] == '/')
		file->name[length - 1] = '\0';
	err = node->open(file, node->ctx);
	if (err) {
		kheap_free(&fs->kernel->heap, file);
		return err;
	}
	file_publish(file);
	*out = file;
	return 0;
}

u64 fs_nr_files(const struct file_system *fs)
{
	return fs->nr_files;
}

struct file *fs_next_file(const struct file_system *fs, const struct file *after)
{
	const struct list_head *next = after ? after->fs_node.next : fs->files.next;

	return next == &fs->files ? NULL : list_entry(next, struct file, fs_node);
}

int anon_file_new(struct file_system *fs, const char *name, const struct file_operations *ops,
		  void *private_data, unsigned flags, struct file **out)
{
	struct file *file = file_alloc(fs, flags & ~(unsigned)O_CLOEXEC);

	if (!file)
		return -ENOMEM;
	file->f_op = ops;
	file->private_data = private_data;
	snprintf(file->name, sizeof(file->name), "anon_inode:%s", name);
	file_publish(file);
	*out = file;
	return 0;
}

int ifs_anon_inode_getfile(const char *name, const struct file_operations *ops, void *private_data,
			   unsigned flags, struct file **out)
{
	return anon_file_new(current->kernel->fs, name, ops, private_data,
			     flags & (O_ACCMODE | O_NONBLOCK), out);
}

struct file *ifs_get_file(struct file *file)
{
	assert(file->f_count);
	file->f_count++;
	return file;
}

void ifs_fput(struct file *file)
{
	struct file_system *fs = file->fs;

	assert(file->f_count);
	if (--file->f_count)
		return;
	if (file->f_op->release)
		file->f_op->release(file);
	spin_lock(&fs->lock);
	list_del(&file->fs_node);
	fs->nr_files--;
	spin_unlock(&fs->lock);
	kheap_free(&fs->kernel->heap, file);
}
