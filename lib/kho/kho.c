/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The life of one kernel's KHO (kernel/liveupdate/kexec_handover.c): what it found at boot, what it
 * leaves, and the names in between. The outgoing FDT and radix tree are always current: there is no
 * step that finalizes them.
 *
 * Left out: debugfs, and memblock's reserve_mem=.
 */
#include "lib/kho/kho_internal.h"

#include <stdio.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/kho/handover_fdt.h"

static void *pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	return kheap_realloc(ctx, old, bytes, "kho ranges");
}

static void pool_release(void *ctx, void *pool)
{
	kheap_free(ctx, pool);
}

static bool params_empty(const struct machine_boot_params *params)
{
	return !params->kho_fdt_pa && !params->kho_fdt_bytes && !params->kho_scratch_pa &&
	       !params->kho_scratch_bytes;
}

static void kho_reserve_scratch(struct kho *kho, u64 bytes)
{
	if (!kho->enabled || kho->nr_scratch)
		return;
	if (kho_scratch_new(kho, bytes)) {
		pr_warn("KHO: failed to reserve %llu bytes of scratch, disabling kexec handover",
			(unsigned long long)bytes);
		kho->enabled = false;
	}
}

int kho_new(struct kernel_base *kernel, const struct kho_config *config, char *reason,
	    struct kho **out)
{
	struct kho *kho = kheap_new(&kernel->heap, struct kho);
	struct machine_boot_params params;
	int err;

	reason[0] = '\0';
	if (!kho)
		return -ENOMEM;
	kho->kernel = kernel;
	kho->mem = kernel->mem;
	kho->pages = kernel->page_alloc;
	kho->enabled = config->enabled;
	kho->debug = config->debug;
	snprintf(kho->release, sizeof(kho->release), "%.64s", config->release);
	mutex_init(&kho->fdt_lock);
	range_pool_init(&kho->pool, &kernel->heap, pool_grow, pool_release);
	range_tree_init(&kho->in, &kho->pool);
	range_tree_init(&kho->folios, &kho->pool);
	/* The pool is there from the start, so that using it does not look like a leak. */
	err = range_tree_reserve(&kho->in, 4) ? 0 : -ENOMEM;
	machine_get_boot_params(kernel->machine, &params);
	/* Even with kho=off, what was preserved stays reserved (trap 48). */
	if (!err && !params_empty(&params))
		err = kho_populate(kho, &params, reason);
	if (err) {
		range_pool_deinit(&kho->pool);
		kheap_free(&kernel->heap, kho->scratch);
		kheap_free(&kernel->heap, kho->in_fdt);
		kheap_free(&kernel->heap, kho);
		return err;
	}
	kho_reserve_scratch(kho, config->scratch_bytes);
	kernel->kho = kho;
	*out = kho;
	return 0;
}

int kho_init(struct kho *kho)
{
	int err;

	if (!kho->enabled)
		return 0;
	err = kho_radix_init_tree(&kho->radix, kho->kernel);
	if (err)
		goto free_scratch;
	err = kho_alloc_preserve_pa(kho, PAGE_SIZE, &kho->fdt_pa);
	if (err)
		goto destroy_tree;
	err = handover_fdt_create(phys_mem_ptr(kho->mem, kho->fdt_pa, PAGE_SIZE), kho->radix.root);
	if (err)
		goto free_fdt;
	if (kho->in_fdt)
		kho_in_kexec_metadata(kho);
	err = kho_out_kexec_metadata(kho);
	if (err) {
		pr_warn("KHO: failed to initialize kexec-metadata subtree: %d", err);
		goto free_fdt;
	}
	return 0;

free_fdt:
	kho_unpreserve_free_pa(kho, kho->fdt_pa);
	kho->fdt_pa = 0;
destroy_tree:
	kho_radix_destroy_tree(&kho->radix);
free_scratch:
	kho_scratch_free(kho);
	kho->enabled = false;
	return err;
}

void kho_free(struct kho *kho)
{
	if (!kho)
		return;
	if (kho->metadata_pa)
		kho_unpreserve_free_pa(kho, kho->metadata_pa);
	if (kho->fdt_pa)
		kho_unpreserve_free_pa(kho, kho->fdt_pa);
	kho_radix_destroy_tree(&kho->radix);
	kho_scratch_free(kho);
	range_pool_deinit(&kho->pool);
	kheap_free(&kho->kernel->heap, kho->in_fdt);
	kho->kernel->kho = NULL;
	kheap_free(&kho->kernel->heap, kho);
}

bool kho_enabled(const struct kho *kho)
{
	return kho->enabled;
}

bool kho_is_incoming(const struct kho *kho)
{
	return kho->in_fdt != NULL;
}

int kho_add_subtree(struct kho *kho, const char *name, pa_t pa, u64 size)
{
	int err;

	/* Unlike Linux: with KHO off there is no FDT, and Linux would follow a null pointer. */
	if (WARN_ON(!kho->fdt_pa))
		return -EINVAL;
	mutex_lock(&kho->fdt_lock);
	err = handover_fdt_add(phys_mem_ptr(kho->mem, kho->fdt_pa, PAGE_SIZE), name, pa, size);
	mutex_unlock(&kho->fdt_lock);
	return err;
}

void kho_remove_subtree(struct kho *kho, pa_t pa)
{
	if (!kho->fdt_pa)
		return;
	mutex_lock(&kho->fdt_lock);
	handover_fdt_remove(phys_mem_ptr(kho->mem, kho->fdt_pa, PAGE_SIZE), pa);
	mutex_unlock(&kho->fdt_lock);
}

int kho_retrieve_subtree(struct kho *kho, const char *name, pa_t *pa, u64 *size)
{
	int err;

	if (!kho->in_fdt)
		return -ENOENT;
	if (!pa)
		return -EINVAL;
	err = handover_fdt_find(kho->in_fdt, name, pa, size);
	if (err == -EINVAL)
		pr_warn("KHO: broken subnode '%s': a property is missing or invalid", name);
	return err;
}

pa_t kho_root_fdt_pa(const struct kho *kho)
{
	return kho->fdt_pa;
}

pa_t kho_radix_root_pa(const struct kho *kho)
{
	return kho->radix.root;
}
