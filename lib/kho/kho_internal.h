/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* struct kho, shared by the files of lib/kho only. */
#ifndef LIB_KHO_KHO_INTERNAL_H
#define LIB_KHO_KHO_INTERNAL_H

#include "lib/abi/kho.h"
#include "lib/kho/kho.h"
#include "lib/kho/radix_tree.h"

#define KHO_REASON_BYTES 256

struct kho {
	struct kernel_base *kernel;
	struct phys_mem *mem;
	struct page_alloc *pages;
	bool enabled;
	bool debug;
	char release[65];

	/* Outgoing: made by kho_init(), always current. */
	struct kho_radix_tree radix;
	struct mutex fdt_lock;          /* kho_out.lock */
	pa_t fdt_pa, metadata_pa;       /* 0: not there */
	u64 nr_preserved;               /* pages, as the keys count them */

	/* Areas nothing is ever kept in; owned as FRAME_SCRATCH. */
	struct kho_scratch *scratch;
	u32 nr_scratch;

	/* Incoming. */
	void *in_fdt;                   /* a checked copy; NULL: not a KHO boot */
	u32 in_fdt_bytes;
	char previous_release[65];
	u32 kexec_count;
	struct range_pool pool;         /* of both trees below */
	struct range_tree in;           /* preserved and unclaimed: pa range -> order */
	struct range_tree folios;       /* of prototypes: pa range of more than one page -> order */
	u64 nr_unclaimed;               /* pages in @in */
};

/* scratch.c */
int kho_scratch_new(struct kho *kho, u64 bytes);
void kho_scratch_free(struct kho *kho);
bool kho_scratch_overlap(const struct kho *kho, pa_t pa, u64 length);

/* boot.c: 0, or -ENOMEM. Damage leaves @kho without incoming state and @reason filled. */
int kho_populate(struct kho *kho, const struct machine_boot_params *params, char *reason);

/* metadata.c */
void kho_in_kexec_metadata(struct kho *kho);
int kho_out_kexec_metadata(struct kho *kho);

/* preserve.c: what prototypes need to know about pages they got. */
unsigned kho_get_order(u64 size);
int kho_folio_remember(struct kho *kho, pa_t pa, unsigned order);
unsigned kho_folio_order(const struct kho *kho, pa_t pa);
void kho_folio_forget(struct kho *kho, pa_t pa);

#endif
