/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * /dev/iommu: open, release, and the way of an ioctl to its handler (Linux:
 * drivers/iommu/iommufd/main.c).
 *
 * Dispatch, in Linux's order: a number outside the table may be one of a VFIO container's, else it
 * is -ENOTTY and user memory is not touched; then the u32 size is read (-EFAULT) before the number
 * is found to be a hole or of the wrong type (-ENOTTY); size too small (-EINVAL); a nonzero byte
 * beyond what we know (-E2BIG); then the handler. What it answers goes back from offset 0, at most
 * as much as the caller has room for.
 *
 * A design may add rows or take one over; the sizes are checked by the same rules.
 *
 * One open file description is one context. Release runs when the last reference to the file goes:
 * descriptors, mappings, open event queues, bound devices. Each open file holds a reference on the
 * module.
 */
#include "lib/iommufd/iommufd_private.h"

#include "lib/fs/file.h"
#include "lib/iommufd/access.h"
#include "lib/iommufd/mmap.h"
#include "lib/iommufd/selftest.h"

#define UCMD_BUFFER_BYTES 256u

struct iommufd_ioctl_op {
	u32 size, min_size, cmd;
	int (*execute)(struct iommufd_ucmd *ucmd);
};

#define IOCTL_OP(ioctl, fn, type, last) \
	[_IOC_NR(ioctl) - IOMMUFD_CMD_BASE] = { \
		.size = sizeof(type), \
		.min_size = offsetof(type, last) + sizeof(((type *)0)->last), \
		.cmd = ioctl, \
		.execute = fn, \
	}

static const struct iommufd_ioctl_op iommufd_ioctl_ops[] = {
	IOCTL_OP(IOMMU_DESTROY, iommufd_destroy, struct iommu_destroy, id),
	IOCTL_OP(IOMMU_FAULT_QUEUE_ALLOC, iommufd_fault_alloc, struct iommu_fault_alloc,
		 out_fault_fd),
	IOCTL_OP(IOMMU_GET_HW_INFO, iommufd_get_hw_info, struct iommu_hw_info, __reserved),
	IOCTL_OP(IOMMU_HWPT_ALLOC, iommufd_hwpt_alloc, struct iommu_hwpt_alloc, __reserved),
	IOCTL_OP(IOMMU_HWPT_GET_DIRTY_BITMAP, iommufd_hwpt_get_dirty_bitmap,
		 struct iommu_hwpt_get_dirty_bitmap, data),
	IOCTL_OP(IOMMU_HWPT_INVALIDATE, iommufd_hwpt_invalidate, struct iommu_hwpt_invalidate,
		 __reserved),
	IOCTL_OP(IOMMU_HWPT_SET_DIRTY_TRACKING, iommufd_hwpt_set_dirty_tracking,
		 struct iommu_hwpt_set_dirty_tracking, __reserved),
	IOCTL_OP(IOMMU_HW_QUEUE_ALLOC, iommufd_hw_queue_alloc, struct iommu_hw_queue_alloc, length),
	IOCTL_OP(IOMMU_IOAS_ALLOC, iommufd_ioas_alloc_ioctl, struct iommu_ioas_alloc, out_ioas_id),
	IOCTL_OP(IOMMU_IOAS_ALLOW_IOVAS, iommufd_ioas_allow_iovas, struct iommu_ioas_allow_iovas,
		 allowed_iovas),
	IOCTL_OP(IOMMU_IOAS_CHANGE_PROCESS, iommufd_ioas_change_process,
		 struct iommu_ioas_change_process, __reserved),
	IOCTL_OP(IOMMU_IOAS_COPY, iommufd_ioas_copy, struct iommu_ioas_copy, src_iova),
	IOCTL_OP(IOMMU_IOAS_IOVA_RANGES, iommufd_ioas_iova_ranges, struct iommu_ioas_iova_ranges,
		 out_iova_alignment),
	IOCTL_OP(IOMMU_IOAS_MAP, iommufd_ioas_map, struct iommu_ioas_map, iova),
	IOCTL_OP(IOMMU_IOAS_MAP_FILE, iommufd_ioas_map_file, struct iommu_ioas_map_file, iova),
	IOCTL_OP(IOMMU_IOAS_NOIOMMU_GET_PA, iommufd_unsupported, struct iommu_ioas_noiommu_get_pa,
		 out_phys),
	IOCTL_OP(IOMMU_IOAS_UNMAP, iommufd_ioas_unmap, struct iommu_ioas_unmap, length),
	IOCTL_OP(IOMMU_OPTION, iommufd_option, struct iommu_option, val64),
	IOCTL_OP(IOMMU_VDEVICE_ALLOC, iommufd_vdevice_alloc, struct iommu_vdevice_alloc, virt_id),
	IOCTL_OP(IOMMU_VEVENTQ_ALLOC, iommufd_veventq_alloc, struct iommu_veventq_alloc,
		 out_veventq_fd),
	IOCTL_OP(IOMMU_VFIO_IOAS, iommufd_vfio_ioas, struct iommu_vfio_ioas, __reserved),
	IOCTL_OP(IOMMU_VIOMMU_ALLOC, iommufd_viommu_alloc, struct iommu_viommu_alloc,
		 out_viommu_id),
};

/* CONFIG_IOMMUFD_TEST: far behind the others, and the table reaches to it. */
static const struct iommufd_ioctl_op iommufd_test_op = {
	.size = sizeof(struct iommu_test_cmd),
	.min_size = offsetof(struct iommu_test_cmd, last) + sizeof(u32),
	.cmd = IOMMU_TEST_CMD,
	.execute = iommufd_test,
};

int ifs_iommufd_ucmd_respond(struct iommufd_ucmd *ucmd, size_t cmd_len)
{
	if (copy_to_user(ucmd->ubuffer, ucmd->cmd, min((size_t)ucmd->user_size, cmd_len)))
		return -EFAULT;
	return 0;
}

/*
 * The row for @nr, in @op. False: the number lies beyond the table. A hole within it has no
 * execute.
 */
static bool iommufd_find_op(const struct ifs_design *design, u32 nr, struct iommufd_ioctl_op *op)
{
	u32 end = IOMMUFD_CMD_BASE + ARRAY_SIZE(iommufd_ioctl_ops);
	unsigned i;

	*op = (struct iommufd_ioctl_op){ 0 };
	if (current->kernel->iommufd_test) {
		end = _IOC_NR(IOMMU_TEST_CMD) + 1;
		if (nr == end - 1)
			*op = iommufd_test_op;
	}
	for (i = 0; design && i < design->nr_ioctls; i++) {
		const struct ifs_design_ioctl *row = &design->ioctls[i];

		end = max(end, row->nr + 1);
		if (row->nr != nr)
			continue;
		*op = (struct iommufd_ioctl_op){
			.size = row->size,
			.min_size = row->min_size,
			.cmd = _IO(IOMMUFD_TYPE, row->nr),
			.execute = row->execute,
		};
		return true;
	}
	if (nr < IOMMUFD_CMD_BASE || nr >= end)
		return false;
	if (!op->execute && nr - IOMMUFD_CMD_BASE < ARRAY_SIZE(iommufd_ioctl_ops))
		*op = iommufd_ioctl_ops[nr - IOMMUFD_CMD_BASE];
	return true;
}

/* As copy_struct_from_user() would fill it. @nr bytes of what is at @arg are in @buffer already. */
static int iommufd_fetch(void *buffer, const struct iommufd_ioctl_op *op, uva_t arg, u32 user_size,
			 size_t nr)
{
	if (user_size > nr || user_size > op->size)
		return copy_struct_from_user(buffer, op->size, arg, user_size);
	memset((u8 *)buffer + user_size, 0, op->size - user_size);
	return 0;
}

static long iommufd_fops_ioctl(struct file *file, unsigned cmd, uva_t arg)
{
	struct iommufd_ucmd ucmd = { .ictx = file->private_data, .ubuffer = arg };
	u64 buffer[UCMD_BUFFER_BYTES / sizeof(u64)];
	struct iommufd_ioctl_op op;
	size_t nr;
	int rc;

	if (!iommufd_find_op(current->kernel->design, _IOC_NR(cmd), &op)) {
		rc = iommufd_vfio_ioctl(ucmd.ictx, cmd, arg);
		iommufd_free_dead_pages(ucmd.ictx->module);
		return rc;
	}
	nr = copy_from_user_ahead(buffer, arg, sizeof(ucmd.user_size),
				  min(max((size_t)op.size, sizeof(u32)), sizeof(buffer)));
	if (!nr)
		return -EFAULT;
	memcpy(&ucmd.user_size, buffer, sizeof(ucmd.user_size));
	if (!op.execute || op.cmd != cmd)
		return -ENOTTY;
	if (ucmd.user_size < op.min_size)
		return -EINVAL;
	if (WARN_ON(op.size > sizeof(buffer)))
		return -ENOTTY;         /* a design's row we have no room for */
	rc = iommufd_fetch(buffer, &op, arg, ucmd.user_size, nr);
	if (rc)
		return rc;
	ucmd.cmd = buffer;
	rc = op.execute(&ucmd);
	if (ucmd.new_obj && rc)
		iommufd_object_abort_and_destroy(ucmd.ictx, ucmd.new_obj);
	else if (ucmd.new_obj)
		iommufd_object_finalize(ucmd.ictx, ucmd.new_obj);
	iommufd_free_dead_pages(ucmd.ictx->module);
	return rc;
}

/* The first context of all, as designs see it that register there. */
static int iommufd_add_ctx(struct iommufd_module *module, struct iommufd_ctx *ictx)
{
	int rc = 0;

	mutex_lock(&module->lock);
	if (list_empty(&module->contexts))
		rc = iommufd_gate(first_open, current->kernel->design_data);
	if (!rc)
		list_add_tail(&ictx->list, &module->contexts);
	mutex_unlock(&module->lock);
	return rc;
}

static void iommufd_del_ctx(struct iommufd_module *module, struct iommufd_ctx *ictx)
{
	mutex_lock(&module->lock);
	list_del(&ictx->list);
	if (list_empty(&module->contexts))
		iommufd_hook(last_release, current->kernel->design_data);
	mutex_unlock(&module->lock);
}

static void iommufd_fops_release(struct file *file)
{
	struct iommufd_ctx *ictx = file->private_data;
	struct iommufd_module *module = ictx->module;

	iommufd_hook(ctx_release, current->kernel->design_data, ictx);
	iommufd_objects_destroy_all(ictx);
	WARN_ON(!xa_empty(&ictx->groups));
	WARN_ON(!list_empty(&ictx->mmaps));
	xa_destroy(&ictx->objects);
	xa_destroy(&ictx->groups);

	iommufd_del_ctx(module, ictx);
	kfree(ictx);
	iommufd_free_dead_pages(module);
	module_put(&iommufd_module_owner);
}

static const struct file_operations iommufd_fops = {
	.name = IOMMUFD_PATH,
	.release = iommufd_fops_release,
	.ioctl = iommufd_fops_ioctl,
	.mmap_check = iommufd_fops_mmap_check,
	.mmap_frames = iommufd_fops_mmap_frames,
	.mmap_change = iommufd_fops_mmap_change,
	.mmap_pfn = true,
	.mmap_private = true,
};

int iommufd_fops_open(struct file *file, void *ctx)
{
	struct iommufd_module *module = ctx;
	struct iommufd_ctx *ictx;
	int rc;

	if (!try_module_get(&iommufd_module_owner))
		return -ENODEV;
	ictx = kzalloc(sizeof(*ictx), GFP_KERNEL_ACCOUNT);
	if (!ictx) {
		rc = -ENOMEM;
		goto err_put_module;
	}
	init_rwsem(&ictx->ioas_creation_lock);
	xa_init_flags(&ictx->objects, XA_FLAGS_ALLOC1);
	xa_init(&ictx->groups);
	INIT_LIST_HEAD(&ictx->list);
	spin_lock_init(&ictx->mmap_lock);
	INIT_LIST_HEAD(&ictx->mmaps);
	ictx->file = file;
	ictx->module = module;
	rc = iommufd_add_ctx(module, ictx);
	if (rc)
		goto err_free_ctx;
	rc = iommufd_gate(ctx_init, current->kernel->design_data, ictx);
	if (rc)
		goto err_del_ctx;
	file->private_data = ictx;
	file->f_op = &iommufd_fops;
	return 0;

err_del_ctx:
	iommufd_del_ctx(module, ictx);
err_free_ctx:
	kfree(ictx);
err_put_module:
	module_put(&iommufd_module_owner);
	return rc;
}

/* A container of VFIO charges as VFIO did. */
int iommufd_vfio_fops_open(struct file *file, void *module)
{
	int rc = iommufd_fops_open(file, module);
	struct iommufd_ctx *ictx;

	if (rc)
		return rc;
	ictx = file->private_data;
	ictx->account_mode = ACCOUNT_MM;
	return 0;
}

struct iommufd_ctx *ifs_iommufd_ctx_from_file(struct file *file)
{
	if (file->f_op != &iommufd_fops)
		return ERR_PTR(-EBADFD);
	get_file(file);
	return file->private_data;
}

void ifs_iommufd_ctx_put(struct iommufd_ctx *ictx)
{
	fput(ictx->file);
}

int ifs_iommufd_file_new(struct file **out)
{
	return fs_open(current->kernel->fs, IOMMUFD_PATH, O_RDWR, out);
}
