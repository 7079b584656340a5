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

static struct luo_module *find_or_make(struct luo *luo, const struct module *module)
{
	struct luo_module *it = find(luo, module);

	if (it)
		return it;
	it = kheap_new(&luo->kernel->heap, struct luo_module);
	if (!it)
		return NULL;
	it->module = module;
	list_add_tail(&it->list, &luo->modules);
	return it;
}

static void free_if_unused(struct luo *luo, struct luo_module *it)
{
	if (it->refcount || it->users)
		return;
	list_del(&it->list);
	kheap_free(&luo->kernel->heap, it);
}

int luo_module_use(struct luo *luo, const struct module *module)
{
	struct luo_module *it = module ? find_or_make(luo, module) : NULL;

	if (it)
		it->users++;
	return it || !module ? 0 : -ENOMEM;
}

void luo_module_unuse(struct luo *luo, const struct module *module)
{
	struct luo_module *it = module ? find(luo, module) : NULL;

	if (!it)
		return;
	it->users--;
	free_if_unused(luo, it);
}

bool luo_module_get(struct luo *luo, const struct module *module)
{
	struct luo_module *it = module ? find_or_make(luo, module) : NULL;

	if (it)
		it->refcount++;
	return it || !module;           /* NULL: built in */
}

void luo_module_put(struct luo *luo, const struct module *module)
{
	struct luo_module *it = module ? find(luo, module) : NULL;

	if (!module || WARN_ON(!it || !it->refcount))
		return;
	it->refcount--;
	free_if_unused(luo, it);
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
