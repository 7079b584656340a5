/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * kmalloc and friends: memory of the current task's kernel. Each may return NULL (fault injection
 * makes it), is counted and named for leak reports, and is dropped and poisoned at kexec.
 */
#ifndef IOMMUFD_SIM_PROTO_SLAB_H
#define IOMMUFD_SIM_PROTO_SLAB_H

#include <iommufd-sim/proto/types.h>

IFS_PUBLIC void *ifs_kzalloc(size_t size, gfp_t gfp, const char *site);
/* NULL also if @n * @size does not fit. */
IFS_PUBLIC void *ifs_kcalloc(size_t n, size_t size, gfp_t gfp, const char *site);
/* Contents move and the new part is zeroed; NULL leaves @ptr alone. @ptr NULL allocates. */
IFS_PUBLIC void *ifs_krealloc(void *ptr, size_t size, gfp_t gfp, const char *site);
IFS_PUBLIC void ifs_kfree(const void *ptr);

#define IFS_STR2(x) #x
#define IFS_STR(x) IFS_STR2(x)
#define kzalloc(size, gfp) ifs_kzalloc(size, gfp, IFS_FILE ":" IFS_STR(__LINE__))
#define kmalloc(size, gfp) ifs_kzalloc(size, gfp, IFS_FILE ":" IFS_STR(__LINE__))
#define kcalloc(n, size, gfp) ifs_kcalloc(n, size, gfp, IFS_FILE ":" IFS_STR(__LINE__))
#define krealloc(ptr, size, gfp) ifs_krealloc(ptr, size, gfp, IFS_FILE ":" IFS_STR(__LINE__))
#define kfree ifs_kfree
#define kvfree ifs_kfree

#endif
