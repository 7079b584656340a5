/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The root FDT (kernel/liveupdate/kexec_handover.c: kho_out_fdt_setup(), kho_add_subtree(),
 * kho_remove_subtree(), kho_retrieve_subtree(), and the checks of kho_populate()).
 *
 * Byte for byte what Linux leaves: first made with libfdt's sequential calls, later opened into the
 * full page, edited and packed each time. New nodes come before older ones, and so do properties.
 * Numbers inside are in machine byte order and only 4-byte aligned.
 *
 * Unlike Linux: edits are made on a copy, so that a failed one leaves no trace (Linux may leave a
 * new string or a moved block behind); and the incoming tree is checked in full, not only its
 * header.
 */
#include "lib/kho/handover_fdt.h"

#include <stdio.h>

#include <libfdt.h>

#include "lib/abi/kho.h"

#define REASON_BYTES 256

int handover_fdt_create(void *page, pa_t radix_root)
{
	u64 buffer[PAGE_SIZE / 8];
	u64 root = radix_root;
	int err;

	memset(buffer, 0, sizeof(buffer));
	err = fdt_create(buffer, PAGE_SIZE);
	err = err ? err : fdt_finish_reservemap(buffer);
	err = err ? err : fdt_begin_node(buffer, "");
	err = err ? err : fdt_property_string(buffer, "compatible", KHO_FDT_COMPATIBLE);
	err = err ? err : fdt_property(buffer, KHO_FDT_MEMORY_MAP_PROP_NAME, &root, sizeof(root));
	err = err ? err : fdt_end_node(buffer);
	err = err ? err : fdt_finish(buffer);
	if (err)
		return -ENOMEM;
	memcpy(page, buffer, PAGE_SIZE);
	return 0;
}

int handover_fdt_add(void *page, const char *name, pa_t pa, u64 size)
{
	u64 buffer[PAGE_SIZE / 8];
	u64 data = pa;
	int node, err;

	memcpy(buffer, page, PAGE_SIZE);
	if (fdt_open_into(buffer, buffer, PAGE_SIZE) < 0)
		return -ENOMEM;
	node = fdt_add_subnode(buffer, 0, name);
	if (node < 0)
		return node == -FDT_ERR_EXISTS ? -EEXIST : -ENOMEM;
	err = fdt_setprop(buffer, node, KHO_SUB_TREE_PROP_NAME, &data, sizeof(data));
	if (!err)
		err = fdt_setprop(buffer, node, KHO_SUB_TREE_SIZE_PROP_NAME, &size, sizeof(size));
	err = err ? err : fdt_pack(buffer);
	if (err)
		return -ENOMEM;
	memcpy(page, buffer, PAGE_SIZE);
	return 0;
}

/* An 8-byte property. False: missing, or of another length. */
static bool fdt_u64(const void *fdt, int node, const char *name, u64 *out)
{
	int length;
	const void *value = fdt_getprop(fdt, node, name, &length);

	if (!value || length != sizeof(*out))
		return false;
	memcpy(out, value, sizeof(*out));
	return true;
}

bool handover_fdt_remove(void *page, pa_t pa)
{
	u64 buffer[PAGE_SIZE / 8];
	u64 data;
	int node;

	memcpy(buffer, page, PAGE_SIZE);
	if (fdt_open_into(buffer, buffer, PAGE_SIZE) < 0)
		return false;
	fdt_for_each_subnode(node, buffer, 0)
		if (fdt_u64(buffer, node, KHO_SUB_TREE_PROP_NAME, &data) && data == pa)
			break;
	if (node < 0)
		return false;
	if (fdt_del_node(buffer, node) || fdt_pack(buffer))
		return false;
	memcpy(page, buffer, PAGE_SIZE);
	return true;
}

int handover_fdt_check(const void *fdt, size_t bytes, pa_t fdt_pa, pa_t *radix_root, char *reason)
{
	unsigned long long at = fdt_pa;
	u64 root;
	int err;

	err = fdt_check_full(fdt, bytes);
	if (err) {
		snprintf(reason, REASON_BYTES, "handover FDT (0x%llx) is invalid: %s", at,
			 fdt_strerror(err));
		return -EINVAL;
	}
	if (fdt_node_check_compatible(fdt, 0, KHO_FDT_COMPATIBLE)) {
		snprintf(reason, REASON_BYTES, "handover FDT (0x%llx) is incompatible with '%s'",
			 at, KHO_FDT_COMPATIBLE);
		return -EINVAL;
	}
	if (!fdt_u64(fdt, 0, KHO_FDT_MEMORY_MAP_PROP_NAME, &root)) {
		snprintf(reason, REASON_BYTES, "handover FDT (0x%llx) has no 8-byte '%s'", at,
			 KHO_FDT_MEMORY_MAP_PROP_NAME);
		return -EINVAL;
	}
	if (!root) {
		snprintf(reason, REASON_BYTES, "handover FDT (0x%llx): '%s' is 0", at,
			 KHO_FDT_MEMORY_MAP_PROP_NAME);
		return -EINVAL;
	}
	*radix_root = root;
	return 0;
}

int handover_fdt_find(const void *fdt, const char *name, pa_t *pa, u64 *size)
{
	int node = fdt_subnode_offset(fdt, 0, name);
	u64 data, bytes;

	if (node < 0)
		return -ENOENT;
	if (!fdt_u64(fdt, node, KHO_SUB_TREE_PROP_NAME, &data))
		return -EINVAL;
	*pa = data;
	if (!fdt_u64(fdt, node, KHO_SUB_TREE_SIZE_PROP_NAME, &bytes))
		return -EINVAL;
	if (size)
		*size = bytes;
	return 0;
}
