/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The root FDT of KHO: one page of names (lib/abi/kho.h). The only user of libfdt. */
#ifndef LIB_KHO_HANDOVER_FDT_H
#define LIB_KHO_HANDOVER_FDT_H

#include <iommufd-sim/proto/types.h>

/* Writers: @page is PAGE_SIZE bytes. A failed call leaves it as it was. */
int handover_fdt_create(void *page, pa_t radix_root);                  /* -ENOMEM */
int handover_fdt_add(void *page, const char *name, pa_t pa, u64 size); /* -EEXIST, -ENOMEM */
bool handover_fdt_remove(void *page, pa_t pa);          /* the newest node that names @pa */

/*
 * Readers: @fdt is an 8-aligned copy of @bytes bytes. check: -EINVAL with @reason (256 bytes);
 * yields the radix root. All others expect a checked one.
 */
int handover_fdt_check(const void *fdt, size_t bytes, pa_t fdt_pa, pa_t *radix_root, char *reason);
/* -ENOENT; -EINVAL: a property is missing or not 8 bytes, @pa may have been written. */
int handover_fdt_find(const void *fdt, const char *name, pa_t *pa, u64 *size);

#endif
