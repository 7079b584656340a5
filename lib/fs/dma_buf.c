/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The dma-buf file and its importers (Linux: drivers/dma-buf/dma-buf.c). A buffer goes with the
 * last reference on its file; importers hold one, so none is left by then.
 *
 * Left out: mapping by scatter list, pinning, fences, CPU access.
 */
#include "lib/fs/dma_buf.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <iommufd-sim/proto/slab.h>

#include "lib/base/task.h"

static void dma_buf_file_release(struct file *file)
{
	struct dma_buf *dmabuf = file->private_data;

	assert(list_empty(&dmabuf->attachments));
	dmabuf->ops->release(dmabuf);
	mutex_destroy(&dmabuf->resv);
	kfree(dmabuf);
}

/* Only enough to find out the size. */
static long dma_buf_llseek(struct file *file, s64 offset, int whence)
{
	struct dma_buf *dmabuf = file->private_data;

	if ((whence != SEEK_END && whence != SEEK_SET) || offset)
		return -EINVAL;
	return whence == SEEK_END ? (long)dmabuf->size : 0;
}

/* No exporter here can be mapped. */
static int dma_buf_mmap_check(struct file *file, u64 offset, u64 length, int prot, int flags,
			      bool *may_write)
{
	return -EINVAL;
}

static const struct file_operations dma_buf_fops = {
	.name = "/dmabuf:",
	.release = dma_buf_file_release,
	.llseek = dma_buf_llseek,
	.mmap_check = dma_buf_mmap_check,
};

int dma_buf_export(const struct dma_buf_ops *ops, void *priv, u64 size, unsigned flags,
		   struct dma_buf **out)
{
	struct dma_buf *dmabuf = kzalloc(sizeof(*dmabuf), GFP_KERNEL);
	int rc;

	if (!dmabuf)
		return -ENOMEM;
	dmabuf->ops = ops;
	dmabuf->priv = priv;
	dmabuf->size = size;
	mutex_init(&dmabuf->resv);
	INIT_LIST_HEAD(&dmabuf->attachments);
	rc = ifs_anon_inode_getfile("dmabuf", &dma_buf_fops, dmabuf,
				    flags & (O_ACCMODE | O_NONBLOCK), &dmabuf->file);
	if (rc) {
		kfree(dmabuf);
		return rc;
	}
	snprintf(dmabuf->file->name, sizeof(dmabuf->file->name), "%s", dma_buf_fops.name);
	*out = dmabuf;
	return 0;
}

int dma_buf_fd(struct dma_buf *dmabuf, unsigned flags)
{
	int fd = get_unused_fd_flags(flags);

	if (fd >= 0)
		fd_install(fd, dmabuf->file);
	return fd;
}

struct dma_buf *file_dma_buf(struct file *file)
{
	return file->f_op == &dma_buf_fops ? file->private_data : NULL;
}

struct dma_buf *dma_buf_get(int fd)
{
	struct file *file = fget(fd);
	struct dma_buf *dmabuf;

	if (!file)
		return ERR_PTR(-EBADF);
	dmabuf = file_dma_buf(file);
	if (!dmabuf) {
		fput(file);
		return ERR_PTR(-EINVAL);
	}
	return dmabuf;
}

void dma_buf_put(struct dma_buf *dmabuf)
{
	fput(dmabuf->file);
}

int dma_buf_attach(struct dma_buf *dmabuf, const struct dma_buf_attach_ops *ops, void *priv,
		   struct dma_buf_attachment **out)
{
	struct dma_buf_attachment *attach = kzalloc(sizeof(*attach), GFP_KERNEL);

	if (!attach)
		return -ENOMEM;
	attach->dmabuf = dmabuf;
	attach->importer_ops = ops;
	attach->importer_priv = priv;
	mutex_lock(&dmabuf->resv);
	list_add_tail(&attach->node, &dmabuf->attachments);
	mutex_unlock(&dmabuf->resv);
	*out = attach;
	return 0;
}

void dma_buf_detach(struct dma_buf_attachment *attach)
{
	struct dma_buf *dmabuf = attach->dmabuf;

	mutex_lock(&dmabuf->resv);
	list_del(&attach->node);
	mutex_unlock(&dmabuf->resv);
	kfree(attach);
}

void dma_buf_invalidate_mappings(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	lockdep_assert_held(&dmabuf->resv);
	list_for_each_entry(attach, &dmabuf->attachments, node)
		attach->importer_ops->invalidate_mappings(attach);
}
