/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommufd as a module: what boot starts and an orderly shutdown ends. Nothing here is per context.
 *
 * The nodes of all area and pin trees of a kernel come from one pool, which grows in the kernel's
 * heap and goes back only with the module, so that a context with a handful of areas costs almost
 * nothing.
 */
#include "lib/iommufd/iommufd_private.h"

#include "lib/fs/file.h"
#include "lib/iommufd/io_pagetable.h"
#include "lib/iommufd/pfn_reader.h"

const struct module iommufd_module_owner = { .name = "iommufd" };

static void *module_pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	struct kernel_base *kernel = ctx;

	return kheap_realloc(&kernel->heap, old, bytes, "iommufd: nodes of range trees");
}

static void module_pool_release(void *ctx, void *pool)
{
	struct kernel_base *kernel = ctx;

	kheap_free(&kernel->heap, pool);
}

/*
 * Takes the pool's first block at boot: a map that fails later must not leave the heap different
 * from how it found it.
 */
static bool module_pool_warm(struct iommufd_module *module)
{
	struct range_tree tree;

	range_tree_init(&tree, &module->pool);
	return range_tree_reserve(&tree, 1);
}

int iommufd_init(struct kernel_base *kernel)
{
	struct iommufd_module *module = kzalloc(sizeof(*module), GFP_KERNEL);
	int rc;

	if (!module)
		return -ENOMEM;
	module->kernel = kernel;
	mutex_init(&module->lock);
	INIT_LIST_HEAD(&module->contexts);
	INIT_LIST_HEAD(&module->dead_pages);
	module->temp_memory_limit_bytes = TEMP_MEMORY_LIMIT_BYTES;
	range_pool_init(&module->pool, kernel, module_pool_grow, module_pool_release);
	kernel->iommufd = module;
	if (!module_pool_warm(module)) {
		rc = -ENOMEM;
		goto err_free_module;
	}
	rc = fs_register(kernel->fs, IOMMUFD_PATH, iommufd_fops_open, module);
	if (rc)
		goto err_free_module;
	rc = fs_register(kernel->fs, IOMMUFD_VFIO_PATH, iommufd_vfio_fops_open, module);
	if (rc)
		goto err_unregister_iommu;
	rc = iommufd_gate(module_init, kernel->design_data);
	if (rc)
		goto err_unregister_vfio;
	return 0;

err_unregister_vfio:
	fs_unregister(kernel->fs, IOMMUFD_VFIO_PATH);
err_unregister_iommu:
	fs_unregister(kernel->fs, IOMMUFD_PATH);
err_free_module:
	range_pool_deinit(&module->pool);
	kernel->iommufd = NULL;
	kfree(module);
	return rc;
}

/*
 * A context outlives its last descriptor if one of its own areas holds its file. Linux leaks it
 * until reboot, and the module with it; the shutdown has counted it as a leak and here the knot is
 * cut.
 */
static void cut_self_mapped(struct iommufd_module *module)
{
	while (!list_empty(&module->contexts)) {
		struct iommufd_ctx *ictx = list_first_entry(&module->contexts, struct iommufd_ctx,
							    list);
		struct file *file = get_file(ictx->file);

		iommufd_objects_destroy_all(ictx);
		iommufd_free_dead_pages(module);
		if (WARN_ON(file->f_count != 1))
			return;
		fput(file);
	}
}

void iommufd_exit(struct kernel_base *kernel)
{
	struct iommufd_module *module = kernel->iommufd;

	if (!module)
		return;
	cut_self_mapped(module);
	iommufd_hook(module_exit, kernel->design_data);
	fs_unregister(kernel->fs, IOMMUFD_VFIO_PATH);
	fs_unregister(kernel->fs, IOMMUFD_PATH);
	range_pool_deinit(&module->pool);
	kernel->iommufd = NULL;
	kfree(module);
}

u64 iommufd_nr_objects(struct kernel_base *kernel)
{
	struct iommufd_object *obj;
	struct iommufd_ctx *ictx;
	u64 index, nr = 0;

	if (!kernel->iommufd)
		return 0;
	list_for_each_entry(ictx, &kernel->iommufd->contexts, list)
		xa_for_each(&ictx->objects, index, obj)
			nr++;
	return nr;
}
