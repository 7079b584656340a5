/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * KHO, Kexec HandOver: memory that stays, and a tree of names to find it by
 * (kernel/liveupdate/kexec_handover.c). One outgoing instance per kernel (FDT page, radix tree of
 * preserved pages, metadata) and one incoming view of what the previous kernel left.
 *
 * Host pointers to preserved memory live within one function; records name memory by pa.
 */
#ifndef LIB_KHO_KHO_H
#define LIB_KHO_KHO_H

#include "lib/base/kernel_base.h"
#include "lib/mm/page_alloc.h"
#include "sim/machine_kernel.h"

struct kho;

struct kho_config {
	bool enabled;           /* kho=on */
	u64 scratch_bytes;      /* one area, rounded up to 4 MiB; first boot only */
	const char *release;    /* uname -r, at most 64 bytes */
	bool debug;             /* CONFIG_KEXEC_HANDOVER_DEBUG: refuse to preserve scratch */
};

/*
 * Early boot: validates the incoming FDT (kho_populate), adopts scratch, walks the incoming radix
 * tree and reserves what was preserved. Everything that comes from the previous kernel is checked;
 * a failure means "disabling KHO revival": the boot goes on as a cold one, and @reason (256 bytes)
 * says why ("" if fine or nothing incoming).
 */
int kho_new(struct kernel_base *kernel, const struct kho_config *config, char *reason,
	    struct kho **out);
/* kho_init(): outgoing tree, FDT page, kexec-metadata. */
int kho_init(struct kho *kho);
void kho_free(struct kho *kho);
bool kho_enabled(const struct kho *kho);
bool kho_is_incoming(const struct kho *kho);           /* is_kho_boot() */
/* kexec: what the boot loader passes on. */
void kho_fill_boot_params(struct kho *kho, struct machine_boot_params *out);

/* Preserve. Keys are per order; ranges set many keys at once (same bytes as one at a time). */
int kho_preserve_folio_pa(struct kho *kho, pa_t pa, unsigned order);
void kho_unpreserve_folio_pa(struct kho *kho, pa_t pa, unsigned order);
/* @nr naturally aligned folios of @order, consecutive: one key each, in one go. */
int kho_preserve_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order);
void kho_unpreserve_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order);
int kho_preserve_pages_pa(struct kho *kho, pa_t pa, u64 nr_pages);     /* greedy split */
void kho_unpreserve_pages_pa(struct kho *kho, pa_t pa, u64 nr_pages);
/* Zeroed pages, power of two. -EINVAL size 0, -E2BIG above order 10, -ENOMEM. */
int kho_alloc_preserve_pa(struct kho *kho, u64 size, pa_t *pa);
void kho_unpreserve_free_pa(struct kho *kho, pa_t pa);
u64 kho_nr_preserved_pages(const struct kho *kho);
bool kho_is_preserved(struct kho *kho, pa_t pa);
/* How many pages of (pa, nr_pages) are preserved, with any order, before the first that is not. */
u64 kho_nr_preserved_from(struct kho *kho, pa_t pa, u64 nr_pages);

/* Restore. The order saved for the head page comes back; -ENOENT if it is not a preserved head. */
int kho_restore_folio_pa(struct kho *kho, pa_t pa, enum frame_owner owner, unsigned *order);
/* @nr consecutive folios saved with @order each, in one go. -ENOENT names no partial effect. */
int kho_restore_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order, enum frame_owner owner);
/* Makes sure that the next @nr restores of a caller who has checked them cannot fail. -ENOMEM. */
int kho_restore_reserve(struct kho *kho, u64 nr);
int kho_restore_pages_pa(struct kho *kho, pa_t pa, u64 nr_pages, enum frame_owner owner);
void kho_restore_free_pa(struct kho *kho, pa_t pa);    /* restore and free; WARN if it is none */
/*
 * Undoes a restore: the block is RESERVED again and can be restored once more. Cannot fail (fault
 * injection does not apply). For callers that could not finish for want of memory.
 */
void kho_unrestore_folios(struct kho *kho, pa_t pa, u64 nr, unsigned order);
bool kho_is_restorable(struct kho *kho, pa_t pa, unsigned *order);     /* looks, changes nothing */
/* How many blocks of one order, consecutive from @pa on, can be restored. 0: @pa names none. */
u64 kho_nr_restorable(struct kho *kho, pa_t pa, unsigned *order);
u64 kho_nr_unclaimed_pages(const struct kho *kho);     /* preserved by the old kernel, unclaimed */

/* Sub-trees of the root FDT. -EEXIST, -ENOMEM; retrieve: -ENOENT, -EINVAL. */
int kho_add_subtree(struct kho *kho, const char *name, pa_t pa, u64 size);
void kho_remove_subtree(struct kho *kho, pa_t pa);
int kho_retrieve_subtree(struct kho *kho, const char *name, pa_t *pa, u64 *size);
pa_t kho_root_fdt_pa(const struct kho *kho);           /* outgoing */
pa_t kho_radix_root_pa(const struct kho *kho);         /* outgoing */

/*
 * vmalloc form (section 1.5 of the notes; kho_preserve_vmalloc): the pages of one virtually
 * contiguous area. Here an area is given by its runs of order-0 pages, since the simulator has no
 * vmalloc space.
 */
struct kho_vmalloc;             /* lib/abi/kho.h */
struct pfn_runs;
int kho_preserve_vmalloc_runs(struct kho *kho, const struct pfn_runs *runs, u64 total_pages,
			      struct kho_vmalloc *out);
void kho_unpreserve_vmalloc_runs(struct kho *kho, const struct kho_vmalloc *desc);
/* Pages come back as runs owned by the caller. -EINVAL: counts do not match, cycle, bad page. */
int kho_restore_vmalloc_runs(struct kho *kho, const struct kho_vmalloc *desc, struct pfn_runs *out);

#endif
