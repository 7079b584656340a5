/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The Live Update Orchestrator's boot and reboot (kernel/liveupdate/luo_core.c).
 *
 * Early in the boot what the previous kernel left is found and its chain of sessions taken over,
 * even with liveupdate=off; that is the point at which Linux panics if it does not like what it
 * sees. Late in the boot comes the outgoing state: struct luo_ser and the FLB page, both preserved,
 * and the name "LUO" in KHO's tree.
 */
#include <stdio.h>

#include "lib/luo/luo_internal.h"

void luo_strscpy(char *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size - 1);

	memcpy(to, from, length);
	to[length] = '\0';
}

struct luo *this_luo(void)
{
	return current->kernel->luo;
}

bool ifs_liveupdate_enabled(void)
{
	return this_luo() && this_luo()->enabled;
}

/* What is under the name "LUO", checked. -ENOENT: nothing, which is fine. */
static int find_incoming_ser(struct luo *luo, pa_t *pa, struct luo_ser *out, char *reason)
{
	u64 size;
	int err = kho_retrieve_subtree(luo->kho, LUO_KHO_ENTRY_NAME, pa, &size);

	if (err == -ENOENT)
		return err;
	if (err) {
		snprintf(reason, LUO_REASON_BYTES, "failed to retrieve LUO state 'LUO' from KHO");
		return err;
	}
	if (size < sizeof(*out)) {
		snprintf(reason, LUO_REASON_BYTES, "LUO state is too small (%llu < %zu)",
			 (unsigned long long)size, sizeof(*out));
		return -EINVAL;
	}
	/* Unlike Linux, which reads whatever is there. */
	if (!kho_is_restorable(luo->kho, *pa, NULL)) {
		snprintf(reason, LUO_REASON_BYTES, "LUO state at 0x%llx was not preserved",
			 (unsigned long long)*pa);
		return -EINVAL;
	}
	memcpy(out, phys_mem_ptr(luo->kernel->mem, *pa, sizeof(*out)), sizeof(*out));
	if (strncmp(out->compatible, LUO_ABI_COMPATIBLE, LUO_ABI_COMPAT_LEN)) {
		snprintf(reason, LUO_REASON_BYTES, "LUO state is incompatible with '%s'",
			 LUO_ABI_COMPATIBLE);
		return -EINVAL;
	}
	return 0;
}

static int luo_early_startup(struct luo *luo, char *reason)
{
	struct luo_ser ser;
	pa_t ser_pa;
	int err;

	if (!kho_enabled(luo->kho)) {
		if (luo->enabled)
			pr_warn("luo: disabling liveupdate because KHO is disabled");
		luo->enabled = false;
		return 0;
	}
	err = find_incoming_ser(luo, &ser_pa, &ser, reason);
	if (err)
		return err == -ENOENT ? 0 : err;
	luo->liveupdate_num = ser.liveupdate_num;
	pr_info("luo: retrieved live update data, liveupdate number: %llu",
		(unsigned long long)luo->liveupdate_num);
	/* It goes back first, so that nothing else can claim the same page. */
	kho_restore_free_pa(luo->kho, ser_pa);
	err = luo_session_setup_incoming(luo, ser.sessions_pa);
	if (err) {
		snprintf(reason, LUO_REASON_BYTES, "the chain of sessions at 0x%llx is refused: %s",
			 (unsigned long long)ser.sessions_pa, strerror(-err));
		return err;
	}
	return luo_flb_setup_incoming(luo, ser.flbs_pa, reason);
}

int luo_new(struct kernel_base *kernel, const struct luo_config *config, char *reason,
	    struct luo **out)
{
	struct luo *luo = kheap_new(&kernel->heap, struct luo);
	int err;

	reason[0] = '\0';
	if (!luo)
		return -ENOMEM;
	luo->kernel = kernel;
	luo->kho = kernel->kho;
	luo->enabled = config->enabled;
	luo->exact = config->exact;
	init_rwsem(&luo->serialize_rwsem);
	init_rwsem(&luo->register_rwlock);
	luo_session_header_init(luo, &luo->incoming, "luo_session_global.incoming.rwsem");
	luo_session_header_init(luo, &luo->outgoing, "luo_session_global.outgoing.rwsem");
	INIT_LIST_HEAD(&luo->handlers);
	INIT_LIST_HEAD(&luo->gone_handlers);
	INIT_LIST_HEAD(&luo->flbs);
	INIT_LIST_HEAD(&luo->flb_records);
	INIT_LIST_HEAD(&luo->modules);
	xa_init(&luo->preserved_files);
	err = luo_early_startup(luo, reason);
	if (err) {
		kho_block_set_destroy(&luo->incoming.block_set);
		kheap_free(&kernel->heap, luo);
		return err == -ENOMEM ? err : -ENOTRECOVERABLE;
	}
	kernel->luo = luo;
	*out = luo;
	return 0;
}

static int luo_state_setup(struct luo *luo)
{
	struct luo_ser *ser;
	int err;

	err = kho_alloc_preserve_pa(luo->kho, sizeof(*ser), &luo->ser_pa);
	if (err)
		return err;
	err = luo_flb_setup_outgoing(luo);
	if (err)
		goto free_ser;
	ser = phys_mem_ptr(luo->kernel->mem, luo->ser_pa, sizeof(*ser));
	luo_strscpy(ser->compatible, LUO_ABI_COMPATIBLE, sizeof(ser->compatible));
	ser->liveupdate_num = luo->liveupdate_num + 1;
	ser->flbs_pa = luo->flbs_out_pa;
	err = kho_add_subtree(luo->kho, LUO_KHO_ENTRY_NAME, luo->ser_pa, sizeof(*ser));
	if (err)
		goto free_flbs;
	luo->outgoing.active = true;
	return 0;

free_flbs:
	/* Unlike Linux, which forgets this page. */
	kho_unpreserve_free_pa(luo->kho, luo->flbs_out_pa);
	luo->flbs_out_pa = 0;
free_ser:
	kho_unpreserve_free_pa(luo->kho, luo->ser_pa);
	luo->ser_pa = 0;
	pr_err("luo: failed to prepare LUO state: %d", err);
	return err;
}

static void luo_state_teardown(struct luo *luo)
{
	if (!luo->outgoing.active)
		return;
	kho_remove_subtree(luo->kho, luo->ser_pa);
	kho_unpreserve_free_pa(luo->kho, luo->flbs_out_pa);
	kho_unpreserve_free_pa(luo->kho, luo->ser_pa);
	luo->flbs_out_pa = 0;
	luo->ser_pa = 0;
	luo->outgoing.active = false;
}

int luo_late_init(struct luo *luo)
{
	int err;

	if (!luo->enabled)
		return 0;
	err = luo_state_setup(luo);
	if (err)
		goto disable;
	err = luo_device_register(luo);
	if (err)
		goto teardown;
	return 0;

teardown:
	luo_state_teardown(luo);
disable:
	luo->enabled = false;
	return err;
}

void luo_late_exit(struct luo *luo)
{
	luo_device_unregister(luo);
	/*
	 * Every process is gone. What sessions there still are nobody claimed, or their own files
	 * hold them (a session can be mapped into an iommufd that it preserves), in Linux for ever.
	 */
	luo->exiting = true;
	luo_sessions_drop(&luo->incoming);
	luo_sessions_drop(&luo->outgoing);
	luo_state_teardown(luo);
}

void luo_free(struct luo *luo)
{
	if (!luo)
		return;
	luo_late_exit(luo);
	luo_handlers_free(luo);
	luo_flb_records_free(luo);
	luo_modules_free(luo);
	xa_destroy(&luo->preserved_files);
	luo->kernel->luo = NULL;
	kheap_free(&luo->kernel->heap, luo);
}

int luo_reboot(struct luo *luo)
{
	int err;

	if (!luo->enabled)
		return 0;
	err = luo_session_serialize(luo);
	if (err)
		return err;
	luo_flb_serialize(luo);
	return 0;
}

void luo_counts(const struct luo *luo, u64 *sessions, u64 *files)
{
	*sessions = luo->incoming.count + luo->outgoing.count;
	*files = luo->nr_files;
}
