/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Module references (kernel/module/main.c: try_module_get(), module_put()), as far as they can be
 * seen: how often each module is held. A module is only an identity, the count is the kernel's.
 *
 * Unlike Linux: nobody unloads a module, so a get fails for want of memory only.
 */
#include "lib/luo/luo_internal.h"

static struct luo_module *find(struct luo *luo, const struct module *module)
{
	struct luo_module *it;

	list_for_each_entry(it, &luo->modules, list)
		if (it->module == module)
			return it;
	return NULL;
}

bool luo_module_get(struct luo *luo, const struct module *module)
{
	struct luo_module *it;

	if (!module)
		return true;            /* built in */
	it = find(luo, module);
	if (!it) {
		it = kheap_new(&luo->kernel->heap, struct luo_module);
		if (!it)
			return false;
		it->module = module;
		list_add_tail(&it->list, &luo->modules);
	}
	it->refcount++;
	return true;
}

void luo_module_put(struct luo *luo, const struct module *module)
{
	struct luo_module *it;

	if (!module)
		return;
	it = find(luo, module);
	if (WARN_ON(!it))
		return;
	if (--it->refcount)
		return;
	list_del(&it->list);
	kheap_free(&luo->kernel->heap, it);
}

void luo_modules_free(struct luo *luo)
{
	struct luo_module *it, *next;

	list_for_each_entry_safe(it, next, &luo->modules, list)
		kheap_free(&luo->kernel->heap, it);
	INIT_LIST_HEAD(&luo->modules);
}

bool ifs_try_module_get(const struct module *module)
{
	if (!module)
		return true;
	return this_luo() && luo_module_get(this_luo(), module);
}

void ifs_module_put(const struct module *module)
{
	if (this_luo())
		luo_module_put(this_luo(), module);
}

u32 ifs_module_refcount(const struct module *module)
{
	const struct luo_module *it = this_luo() ? find(this_luo(), module) : NULL;

	return it ? it->refcount : 0;
}
