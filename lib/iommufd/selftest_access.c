/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Accesses as userspace has them: files (Linux: drivers/iommu/iommufd/selftest.c). What is pinned
 * through one is remembered as numbered items, and dropped when it is unmapped or the file closes.
 *
 * The commands name the file by its descriptor and may come from any context.
 */
#include "lib/iommufd/selftest.h"

#include "lib/fs/file.h"

#define ACCESS_MAX_BYTES (16ull << 20)

struct selftest_access {
	struct iommufd_access *access;  /* NULL: never came into being */
	struct file *file;
	struct mutex lock;              /* items: a pin and its item are one step to an unmap */
	struct list_head items;
	u32 next_id;
};

struct selftest_access_item {
	struct list_head node;
	iova_t iova;
	u64 length;
	u32 id;
};

static void staccess_unmap(void *data, iova_t iova, u64 length)
{
	struct selftest_access *staccess = data;
	struct selftest_access_item *item, *next;
	iova_t last = iova + length - 1;

	mutex_lock(&staccess->lock);
	list_for_each_entry_safe(item, next, &staccess->items, node) {
		if (iova > item->iova + item->length - 1 || last < item->iova)
			continue;
		list_del(&item->node);
		iommufd_access_unpin_pages(staccess->access, item->iova, item->length);
		kfree(item);
	}
	mutex_unlock(&staccess->lock);
}

static const struct iommufd_access_ops ops_pin = {
	.needs_pin_pages = true,
	.unmap = staccess_unmap,
};

static const struct iommufd_access_ops ops_no_pin = { .unmap = staccess_unmap };

static void staccess_release(struct file *file)
{
	struct selftest_access *staccess = file->private_data;

	if (staccess->access) {
		staccess_unmap(staccess, 0, U64_MAX);
		iommufd_access_destroy(staccess->access);
	}
	mutex_destroy(&staccess->lock);
	kfree(staccess);
}

static const struct file_operations staccess_fops = {
	.name = "[iommufd_test_staccess]",
	.release = staccess_release,
};

/* A reference on the file. ERR_PTR(-EBADFD), also for a descriptor that is not open. */
static struct selftest_access *staccess_get(u32 fd)
{
	struct file *file = fget((int)fd);

	if (!file)
		return ERR_PTR(-EBADFD);
	if (file->f_op == &staccess_fops)
		return file->private_data;
	fput(file);
	return ERR_PTR(-EBADFD);
}

static int staccess_new(struct selftest_access **out)
{
	struct selftest_access *staccess = kzalloc(sizeof(*staccess), GFP_KERNEL_ACCOUNT);
	int rc;

	if (!staccess)
		return -ENOMEM;
	INIT_LIST_HEAD(&staccess->items);
	mutex_init(&staccess->lock);
	rc = ifs_anon_inode_getfile(staccess_fops.name, &staccess_fops, staccess, O_RDWR,
				    &staccess->file);
	if (rc) {
		kfree(staccess);
		return rc;
	}
	*out = staccess;
	return 0;
}

int selftest_create_access(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	u32 flags = cmd->create_access.flags, id;
	struct selftest_access *staccess;
	struct iommufd_access *access;
	int fd, rc;

	if (flags & ~(u32)MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES)
		return -EOPNOTSUPP;
	rc = staccess_new(&staccess);
	if (rc)
		return rc;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		rc = -ENOMEM;
		goto err_put_file;
	}
	rc = iommufd_access_create(ucmd->ictx, flags ? &ops_pin : &ops_no_pin, staccess, &id,
				   &access);
	if (rc)
		goto err_put_fd;
	rc = iommufd_access_attach(access, cmd->id);
	if (rc)
		goto err_destroy;
	cmd->create_access.out_access_fd = (u32)fd;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_destroy;
	staccess->access = access;
	fd_install(fd, staccess->file);
	return 0;

err_destroy:
	iommufd_access_destroy(access);
err_put_fd:
	put_unused_fd(fd);
err_put_file:
	fput(staccess->file);
	return rc;
}

int selftest_access_replace_ioas(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct selftest_access *staccess = staccess_get(cmd->id);
	int rc;

	if (IS_ERR(staccess))
		return PTR_ERR(staccess);
	rc = iommufd_access_replace(staccess->access, cmd->access_replace_ioas.ioas_id);
	fput(staccess->file);
	return rc;
}

/* Are these the frames the caller has at @uptr now? -EBADE. */
static int check_pages(uva_t uptr, const pa_t *pages, u64 nr_pages)
{
	pa_t pa;
	int rc;

	for (u64 i = 0; i < nr_pages; i++) {
		rc = selftest_user_frame(uptr + i * PAGE_SIZE, &pa);
		if (rc)
			return rc;
		if (pa != pages[i])
			return -EBADE;
	}
	return 0;
}

/* What follows the pin. Needs staccess->lock. */
static int add_item(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd,
		    struct selftest_access *staccess, iova_t iova)
{
	struct selftest_access_item *item = kzalloc(sizeof(*item), GFP_KERNEL_ACCOUNT);
	int rc;

	if (!item)
		return -ENOMEM;
	item->iova = iova;
	item->length = cmd->access_pages.length;
	/* The number is spent even if the answer cannot be written. */
	item->id = staccess->next_id++;
	cmd->access_pages.out_access_pages_id = item->id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		kfree(item);
		return rc;
	}
	list_add_tail(&item->node, &staccess->items);
	return 0;
}

static int pin_item(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd,
		    struct selftest_access *staccess, iova_t iova)
{
	u64 length = cmd->access_pages.length, nr_pages;
	uva_t uptr = cmd->access_pages.uptr;
	pa_t *pages;
	int rc;

	nr_pages = (ALIGN_UP(iova + length, PAGE_SIZE) - ALIGN_DOWN(iova, PAGE_SIZE)) / PAGE_SIZE;
	pages = kzalloc((nr_pages + 1) * sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;
	mutex_lock(&staccess->lock);
	rc = iommufd_access_pin_pages(staccess->access, iova, length, pages,
				      cmd->access_pages.flags & MOCK_FLAGS_ACCESS_WRITE ?
				      IOMMUFD_ACCESS_RW_WRITE : 0);
	if (rc)
		goto out_unlock;
	if (uptr)
		rc = check_pages(uptr - iova % PAGE_SIZE, pages, nr_pages);
	if (!rc)
		rc = add_item(ucmd, cmd, staccess, iova);
	if (rc)
		iommufd_access_unpin_pages(staccess->access, iova, length);
out_unlock:
	mutex_unlock(&staccess->lock);
	kfree(pages);
	return rc;
}

int selftest_access_pages(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	u32 flags = cmd->access_pages.flags;
	iova_t iova = cmd->access_pages.iova;
	struct selftest_access *staccess;
	int rc;

	if (cmd->access_pages.length > ACCESS_MAX_BYTES)
		return -ENOMEM;
	if (flags & ~(u32)(MOCK_FLAGS_ACCESS_WRITE | MOCK_FLAGS_ACCESS_SYZ))
		return -EOPNOTSUPP;
	staccess = staccess_get(cmd->id);
	if (IS_ERR(staccess))
		return PTR_ERR(staccess);
	if (staccess->access->ops != &ops_pin) {
		rc = -EOPNOTSUPP;
		goto out_put;
	}
	if (flags & MOCK_FLAGS_ACCESS_SYZ)
		iova = iommufd_test_syz_conv_iova(staccess->access, iova);
	rc = pin_item(ucmd, cmd, staccess, iova);
out_put:
	fput(staccess->file);
	return rc;
}

int selftest_access_item_destroy(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct selftest_access *staccess = staccess_get(cmd->id);
	struct selftest_access_item *item, *next;
	int rc = -ENOENT;

	if (IS_ERR(staccess))
		return PTR_ERR(staccess);
	mutex_lock(&staccess->lock);
	list_for_each_entry_safe(item, next, &staccess->items, node) {
		if (item->id != cmd->destroy_access_pages.access_pages_id)
			continue;
		list_del(&item->node);
		iommufd_access_unpin_pages(staccess->access, item->iova, item->length);
		kfree(item);
		rc = 0;
	}
	mutex_unlock(&staccess->lock);
	fput(staccess->file);
	return rc;
}

int selftest_access_rw(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	u32 flags = cmd->access_rw.flags;
	u64 length = cmd->access_rw.length;
	iova_t iova = cmd->access_rw.iova;
	struct selftest_access *staccess;
	int rc = 0;
	u8 *data;

	if (length > ACCESS_MAX_BYTES)
		return -ENOMEM;
	if (flags & ~(u32)(MOCK_ACCESS_RW_WRITE | MOCK_ACCESS_RW_SLOW_PATH |
			   MOCK_FLAGS_ACCESS_SYZ))
		return -EOPNOTSUPP;
	staccess = staccess_get(cmd->id);
	if (IS_ERR(staccess))
		return PTR_ERR(staccess);
	data = kzalloc(length + 1, GFP_KERNEL_ACCOUNT);
	if (!data) {
		rc = -ENOMEM;
		goto out_put;
	}
	if (flags & MOCK_ACCESS_RW_WRITE)
		rc = copy_from_user(data, cmd->access_rw.uptr, length);
	if (flags & MOCK_FLAGS_ACCESS_SYZ)
		iova = iommufd_test_syz_conv_iova(staccess->access, iova);
	if (!rc)
		rc = iommufd_access_rw(staccess->access, iova, data, length, flags);
	if (!rc && !(flags & MOCK_ACCESS_RW_WRITE))
		rc = copy_to_user(cmd->access_rw.uptr, data, length);
	kfree(data);
out_put:
	fput(staccess->file);
	return rc;
}
