/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * dma-bufs: memory that one driver exports and others import (Linux: drivers/dma-buf/dma-buf.c).
 * Only what iommufd needs: the file, attachments of importers, and the exporter's word that what
 * they got is no longer theirs.
 *
 * Locks: dma_buf.resv comes before the importer's own.
 */
#ifndef LIB_FS_DMA_BUF_H
#define LIB_FS_DMA_BUF_H

#include <iommufd-sim/proto/lock.h>

#include "lib/fs/file.h"

struct dma_buf;
struct dma_buf_attachment;

/* One physical range (include/linux/dma-buf.h's phys_vec). */
struct phys_vec {
	pa_t paddr;
	u64 len;
};

struct dma_buf_ops {
	/*
	 * What Linux's iommufd asks of exporters it knows: the whole buffer as one range. -ENODEV:
	 * revoked. NULL: an exporter iommufd does not know. Needs resv.
	 */
	int (*iommufd_map)(struct dma_buf_attachment *attach, struct phys_vec *phys);
	void (*release)(struct dma_buf *dmabuf);
};

struct dma_buf_attach_ops {
	/* Stop using the buffer at once. Needs resv. */
	void (*invalidate_mappings)(struct dma_buf_attachment *attach);
};

struct dma_buf {
	struct file *file;
	const struct dma_buf_ops *ops;
	void *priv;
	u64 size;
	struct mutex resv;
	struct list_head attachments;
};

struct dma_buf_attachment {
	struct list_head node;
	struct dma_buf *dmabuf;
	const struct dma_buf_attach_ops *importer_ops;
	void *importer_priv;
};

/* With one reference for the caller. -ENOMEM: @priv stays the caller's. */
int dma_buf_export(const struct dma_buf_ops *ops, void *priv, u64 size, unsigned flags,
		   struct dma_buf **out);
/* A descriptor that takes over the reference; on failure it stays the caller's. */
int dma_buf_fd(struct dma_buf *dmabuf, unsigned flags);
/* NULL: not a dma-buf. Takes no reference. */
struct dma_buf *file_dma_buf(struct file *file);
/* ERR_PTR: -EBADF, -EINVAL (not a dma-buf). A reference. */
struct dma_buf *dma_buf_get(int fd);
void dma_buf_put(struct dma_buf *dmabuf);

/* Holds no reference on the buffer: whoever attaches does. -ENOMEM. */
int dma_buf_attach(struct dma_buf *dmabuf, const struct dma_buf_attach_ops *ops, void *priv,
		   struct dma_buf_attachment **out);
void dma_buf_detach(struct dma_buf_attachment *attach);
/* Tells every importer. Needs resv. */
void dma_buf_invalidate_mappings(struct dma_buf *dmabuf);

#endif
