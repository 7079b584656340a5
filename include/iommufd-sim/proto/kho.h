/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * KHO for prototypes, with Linux's names (include/linux/kexec_handover.h). Acts on the kernel of
 * the current task. A "virtual address" is a host pointer into RAM: valid until kexec, never to be
 * stored in what is handed over. A struct folio * is the virtual address of its first page.
 */
#ifndef IOMMUFD_SIM_PROTO_KHO_H
#define IOMMUFD_SIM_PROTO_KHO_H

#include <iommufd-sim/proto/types.h>

struct folio;

IFS_PUBLIC bool ifs_kho_is_enabled(void);
IFS_PUBLIC bool ifs_is_kho_boot(void);
/* ERR_PTR: -EINVAL (size 0), -E2BIG (above order 10), -ENOMEM. Zeroed, power-of-two pages. */
IFS_PUBLIC void *ifs_kho_alloc_preserve(size_t size);
IFS_PUBLIC void ifs_kho_unpreserve_free(void *mem);
IFS_PUBLIC void ifs_kho_restore_free(void *mem);
IFS_PUBLIC struct folio *ifs_kho_restore_folio(phys_addr_t phys);      /* NULL: not preserved */
IFS_PUBLIC void ifs_folio_put(struct folio *folio);
IFS_PUBLIC size_t ifs_folio_size(struct folio *folio);
IFS_PUBLIC int ifs_kho_preserve_phys(phys_addr_t phys, u64 nr_pages);
IFS_PUBLIC void ifs_kho_unpreserve_phys(phys_addr_t phys, u64 nr_pages);
IFS_PUBLIC int ifs_kho_add_subtree(const char *name, void *blob, size_t size);
IFS_PUBLIC void ifs_kho_remove_subtree(void *blob);
IFS_PUBLIC int ifs_kho_retrieve_subtree(const char *name, phys_addr_t *phys, size_t *size);
IFS_PUBLIC phys_addr_t ifs_virt_to_phys(const void *virt);
/* NULL if @phys is not RAM: what the previous kernel left is input. */
IFS_PUBLIC void *ifs_phys_to_virt(phys_addr_t phys);
/* NULL unless all of [phys, phys + size) lies within RAM. */
IFS_PUBLIC void *ifs_phys_to_virt_sized(phys_addr_t phys, size_t size);
/* Looks, changes nothing: the head of a page that the previous kernel preserved, unclaimed yet? */
IFS_PUBLIC bool ifs_kho_is_restorable(phys_addr_t phys);
IFS_PUBLIC bool ifs_kho_is_preserved(phys_addr_t phys);

#ifndef IFS_PROTO_NO_KHO_NAMES
#define kho_is_enabled ifs_kho_is_enabled
#define is_kho_boot ifs_is_kho_boot
#define kho_alloc_preserve ifs_kho_alloc_preserve
#define kho_unpreserve_free ifs_kho_unpreserve_free
#define kho_restore_free ifs_kho_restore_free
#define kho_restore_folio ifs_kho_restore_folio
#define folio_put ifs_folio_put
#define folio_address(folio) ((void *)(folio))
#define kho_add_subtree ifs_kho_add_subtree
#define kho_remove_subtree ifs_kho_remove_subtree
#define kho_retrieve_subtree ifs_kho_retrieve_subtree
#define virt_to_phys ifs_virt_to_phys
#define phys_to_virt ifs_phys_to_virt
#define __pa(x) ifs_virt_to_phys(x)
#define __va(x) ifs_phys_to_virt(x)
#endif

#endif
