/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * KHO for prototypes (include/iommufd-sim/proto/kho.h): Linux's calls, which name no kernel and
 * deal in addresses of the direct map. The kernel is the current task's; a host pointer into RAM
 * stands for the virtual address.
 */
#define IFS_PROTO_NO_KHO_NAMES
#include <iommufd-sim/proto/kho.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/base/task.h"
#include "lib/kho/kho_internal.h"

static struct kho *this_kho(void)
{
	return current->kernel->kho;
}

bool ifs_kho_is_enabled(void)
{
	return this_kho() && kho_enabled(this_kho());
}

bool ifs_is_kho_boot(void)
{
	return this_kho() && kho_is_incoming(this_kho());
}

phys_addr_t ifs_virt_to_phys(const void *virt)
{
	return phys_mem_pa(current->kernel->mem, virt);
}

void *ifs_phys_to_virt(phys_addr_t phys)
{
	return phys_mem_ptr(current->kernel->mem, phys, 1);
}

void *ifs_phys_to_virt_sized(phys_addr_t phys, size_t size)
{
	return phys_mem_ptr(current->kernel->mem, phys, size);
}

void *ifs_kho_alloc_preserve(size_t size)
{
	struct kho *kho = this_kho();
	pa_t pa;
	int err = kho_alloc_preserve_pa(kho, size, &pa);

	if (err)
		return ERR_PTR(err);
	err = kho_folio_remember(kho, pa, kho_get_order(size));
	if (err) {
		kho_unpreserve_free_pa(kho, pa);
		return ERR_PTR(err);
	}
	return phys_mem_ptr(kho->mem, pa, size);
}

void ifs_kho_unpreserve_free(void *mem)
{
	pa_t pa = mem ? ifs_virt_to_phys(mem) : 0;

	if (!mem || WARN_ON(!~pa))
		return;
	kho_folio_forget(this_kho(), pa);
	kho_unpreserve_free_pa(this_kho(), pa);
}

void ifs_kho_restore_free(void *mem)
{
	if (mem)
		kho_restore_free_pa(this_kho(), ifs_virt_to_phys(mem));
}

struct folio *ifs_kho_restore_folio(phys_addr_t phys)
{
	struct kho *kho = this_kho();
	unsigned order;

	if (!kho_is_restorable(kho, phys, &order)) {
		WARN(true, "kho_restore_folio: not a preserved page");
		return NULL;
	}
	if (kho_folio_remember(kho, phys, order))
		return NULL;
	if (kho_restore_folio_pa(kho, phys, FRAME_KERNEL, NULL)) {
		kho_folio_forget(kho, phys);
		return NULL;
	}
	return phys_mem_ptr(kho->mem, phys, PAGE_SIZE << order);
}

size_t ifs_folio_size(struct folio *folio)
{
	return PAGE_SIZE << kho_folio_order(this_kho(), ifs_virt_to_phys(folio));
}

void ifs_folio_put(struct folio *folio)
{
	struct kho *kho = this_kho();
	pa_t pa = ifs_virt_to_phys(folio);
	unsigned order = kho_folio_order(kho, pa);

	kho_folio_forget(kho, pa);
	pages_free(kho->pages, pa, BIT_ULL(order));
}

int ifs_kho_preserve_phys(phys_addr_t phys, u64 nr_pages)
{
	return kho_preserve_pages_pa(this_kho(), phys, nr_pages);
}

void ifs_kho_unpreserve_phys(phys_addr_t phys, u64 nr_pages)
{
	kho_unpreserve_pages_pa(this_kho(), phys, nr_pages);
}

int ifs_kho_add_subtree(const char *name, void *blob, size_t size)
{
	return kho_add_subtree(this_kho(), name, ifs_virt_to_phys(blob), size);
}

void ifs_kho_remove_subtree(void *blob)
{
	kho_remove_subtree(this_kho(), ifs_virt_to_phys(blob));
}

int ifs_kho_retrieve_subtree(const char *name, phys_addr_t *phys, size_t *size)
{
	u64 bytes = 0;
	int err = kho_retrieve_subtree(this_kho(), name, phys, &bytes);

	if (!err && size)
		*size = bytes;
	return err;
}

bool ifs_kho_is_restorable(phys_addr_t phys)
{
	return kho_is_restorable(this_kho(), phys, NULL);
}

bool ifs_kho_is_preserved(phys_addr_t phys)
{
	return kho_is_preserved(this_kho(), phys);
}
