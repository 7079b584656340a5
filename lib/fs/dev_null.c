/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * /dev/null (drivers/char/mem.c): a file that everyone may have open and nobody can do anything
 * with. It stands for all files that are none of the simulator's business: a descriptor of it is
 * what kernel code sees when a program hands over a pipe or a terminal by mistake.
 *
 * Left out: mapping it, splice.
 */
#include "lib/fs/file.h"

static long null_read(struct file *file, uva_t to, u64 count, u64 *pos)
{
	return 0;
}

static long null_write(struct file *file, uva_t from, u64 count, u64 *pos)
{
	return (long)count;
}

static long null_llseek(struct file *file, s64 offset, int whence)
{
	return (long)(file->f_pos = 0);
}

static const struct file_operations null_fops = {
	.name = "/dev/null",
	.read = null_read,
	.write = null_write,
	.llseek = null_llseek,
};

static int null_open(struct file *file, void *ctx)
{
	file->f_op = &null_fops;
	return 0;
}

int dev_null_register(struct file_system *fs)
{
	return fs_register(fs, null_fops.name, null_open, NULL);
}

void dev_null_unregister(struct file_system *fs)
{
	fs_unregister(fs, null_fops.name);
}
