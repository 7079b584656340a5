/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The selftest's own dma-bufs: zeroed kernel memory that can be revoked (Linux:
 * drivers/iommu/iommufd/selftest.c).
 *
 * Two bugs of Linux 7.3. DMABUF_GET answers 0 instead of the descriptor it made; reproduced unless
 * bugs are to be fixed. DMABUF_REVOKE tells importers whether the buffer is revoked by it or given
 * back; that is kept in any case, as programs expect a buffer given back to need a new map.
 */
#include "lib/iommufd/selftest.h"

#include "lib/fs/dma_buf.h"
#include "lib/mm/page_alloc.h"

#define DMABUF_MAX_PAGES 512u

struct selftest_dmabuf {
	pa_t pa;
	u64 length;
	bool revoked;
};

static int selftest_dmabuf_iommufd_map(struct dma_buf_attachment *attach, struct phys_vec *phys)
{
	struct selftest_dmabuf *priv = attach->dmabuf->priv;

	lockdep_assert_held(&attach->dmabuf->resv);
	if (priv->revoked)
		return -ENODEV;
	phys->paddr = priv->pa;
	phys->len = priv->length;
	return 0;
}

static void selftest_dmabuf_release(struct dma_buf *dmabuf)
{
	struct selftest_dmabuf *priv = dmabuf->priv;

	pages_free(current->kernel->page_alloc, priv->pa, priv->length / PAGE_SIZE);
	kfree(priv);
}

static const struct dma_buf_ops selftest_dmabuf_ops = {
	.iommufd_map = selftest_dmabuf_iommufd_map,
	.release = selftest_dmabuf_release,
};

static int dmabuf_new(u64 length, unsigned flags, struct dma_buf **out)
{
	struct page_alloc *page_alloc = current->kernel->page_alloc;
	struct selftest_dmabuf *priv = kzalloc(sizeof(*priv), GFP_KERNEL);
	int rc;

	if (!priv)
		return -ENOMEM;
	priv->length = length;
	rc = pages_alloc(page_alloc, length / PAGE_SIZE, 0, FRAME_DMABUF, &priv->pa);
	if (rc)
		goto err_free;
	rc = dma_buf_export(&selftest_dmabuf_ops, priv, length, flags, out);
	if (rc)
		goto err_free_pages;
	return 0;

err_free_pages:
	pages_free(page_alloc, priv->pa, length / PAGE_SIZE);
err_free:
	kfree(priv);
	return rc;
}

int selftest_dmabuf_get(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	u64 length = ALIGN_UP((u64)cmd->dmabuf_get.length, PAGE_SIZE);
	struct dma_buf *dmabuf;
	int fd, rc;

	if (!length || length > DMABUF_MAX_PAGES * PAGE_SIZE)
		return -EINVAL;
	rc = dmabuf_new(length, cmd->dmabuf_get.open_flags, &dmabuf);
	if (rc)
		return rc;
	fd = dma_buf_fd(dmabuf, cmd->dmabuf_get.open_flags);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}
	return current->kernel->fix_bugs ? fd : 0;
}

int selftest_dmabuf_revoke(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct dma_buf *dmabuf = dma_buf_get(cmd->dmabuf_revoke.dmabuf_fd);
	struct selftest_dmabuf *priv;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (dmabuf->ops != &selftest_dmabuf_ops) {
		dma_buf_put(dmabuf);
		return -EOPNOTSUPP;
	}
	priv = dmabuf->priv;
	mutex_lock(&dmabuf->resv);
	priv->revoked = cmd->dmabuf_revoke.revoked;
	dma_buf_invalidate_mappings(dmabuf);
	mutex_unlock(&dmabuf->resv);
	dma_buf_put(dmabuf);
	return 0;
}
