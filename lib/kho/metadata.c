/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Sub-tree "kexec-metadata" (kho_in_kexec_metadata(), kho_out_kexec_metadata()): which kernel was
 * here before, and how many kexecs ago the machine was switched on. What cannot be read is ignored.
 */
#include "lib/kho/kho_internal.h"

#include <stdio.h>

#include <iommufd-sim/proto/bug.h>

void kho_in_kexec_metadata(struct kho *kho)
{
	struct kho_kexec_metadata metadata;
	const void *blob;
	pa_t pa;
	u64 size;

	if (kho_retrieve_subtree(kho, KHO_METADATA_NODE_NAME, &pa, &size))
		return;
	blob = phys_mem_ptr(kho->mem, pa, min(size, sizeof(metadata)));
	if (!blob || size < sizeof(metadata.version)) {
		pr_warn("KHO: kexec-metadata blob too small (%llu bytes)",
			(unsigned long long)size);
		return;
	}
	memset(&metadata, 0, sizeof(metadata));
	memcpy(&metadata, blob, min(size, sizeof(metadata)));
	if (metadata.version != KHO_KEXEC_METADATA_VERSION) {
		pr_warn("KHO: kexec-metadata version %u not supported (expected %u)",
			metadata.version, KHO_KEXEC_METADATA_VERSION);
		return;
	}
	if (size < sizeof(metadata)) {
		pr_warn("KHO: kexec-metadata blob too small for v1 (%llu < 73)",
			(unsigned long long)size);
		return;
	}
	kho->kexec_count = metadata.kexec_count;
	snprintf(kho->previous_release, sizeof(kho->previous_release), "%.64s",
		 metadata.previous_release);
	pr_info("KHO: exec from: %s (count %u)", kho->previous_release, kho->kexec_count);
}

int kho_out_kexec_metadata(struct kho *kho)
{
	struct kho_kexec_metadata *metadata;
	pa_t pa;
	int err = kho_alloc_preserve_pa(kho, sizeof(*metadata), &pa);

	if (err)
		return err;
	metadata = phys_mem_ptr(kho->mem, pa, sizeof(*metadata));
	metadata->version = KHO_KEXEC_METADATA_VERSION;
	memcpy(metadata->previous_release, kho->release, sizeof(metadata->previous_release));
	metadata->kexec_count = kho->kexec_count + 1;
	err = kho_add_subtree(kho, KHO_METADATA_NODE_NAME, pa, sizeof(*metadata));
	if (err) {
		kho_unpreserve_free_pa(kho, pa);
		return err;
	}
	kho->metadata_pa = pa;
	return 0;
}
