/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The page of FLB records (kernel/liveupdate/luo_flb.c: luo_flb_setup_outgoing(),
 * luo_flb_setup_incoming(), luo_flb_serialize()). One page, 63 records, written at reboot; the
 * previous kernel's page is never given back.
 *
 * Unlike Linux: the incoming page is checked (preserved, one page, no more than 63 records).
 */
#include <stdio.h>

#include "lib/luo/luo_internal.h"

int luo_flb_setup_outgoing(struct luo *luo)
{
	struct luo_flb_header_ser *header;
	int err = kho_alloc_preserve_pa(luo->kho, LUO_FLB_PGCNT << PAGE_SHIFT, &luo->flbs_out_pa);

	if (err)
		return err;
	header = phys_mem_ptr(luo->kernel->mem, luo->flbs_out_pa, PAGE_SIZE);
	header->pgcnt = LUO_FLB_PGCNT;
	return 0;
}

int luo_flb_setup_incoming(struct luo *luo, pa_t flbs_pa, char *reason)
{
	const struct luo_flb_header_ser *header;
	unsigned long long at = flbs_pa;
	unsigned order;

	if (!flbs_pa)
		return 0;
	if (!kho_is_restorable(luo->kho, flbs_pa, &order) || order) {
		snprintf(reason, LUO_REASON_BYTES, "the FLB page 0x%llx was not preserved", at);
		return -EINVAL;
	}
	header = phys_mem_ptr(luo->kernel->mem, flbs_pa, PAGE_SIZE);
	if (header->pgcnt != LUO_FLB_PGCNT || header->count > LUO_FLB_MAX) {
		snprintf(reason, LUO_REASON_BYTES,
			 "the FLB page 0x%llx claims %llu pages, %llu records", at,
			 (unsigned long long)header->pgcnt, (unsigned long long)header->count);
		return -EINVAL;
	}
	luo->flbs_in_pa = flbs_pa;
	return 0;
}

void luo_flb_serialize(struct luo *luo)
{
	struct luo_flb_header_ser *header =
		phys_mem_ptr(luo->kernel->mem, luo->flbs_out_pa, PAGE_SIZE);
	struct luo_flb_ser *ser = (struct luo_flb_ser *)(header + 1);
	const struct luo_flb_record *record;
	u64 i = 0;

	down_read(&luo->register_rwlock);
	list_for_each_entry(record, &luo->flbs, list) {
		if (record->outgoing.count <= 0)
			continue;
		luo_strscpy(ser[i].name, record->flb->compatible, sizeof(ser[i].name));
		ser[i].data = record->outgoing.data;
		ser[i].count = record->outgoing.count;
		i++;
	}
	header->count = i;
	up_read(&luo->register_rwlock);
}
