/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * From struct ifs_kernel_config (the kernel's command line) to what each layer is told.
 *
 * Every field is checked before anything is built, and an error names the field, what it holds
 * and what it may hold. A structure larger than ours comes from a newer header: it is taken if
 * what we do not know is zero, as Linux takes extensible structures.
 */
#include "lib/kernel/kernel.h"

#include <stdio.h>

#include "sim/phys_mem.h"

#define SCRATCH_GRANULE_BYTES (4ull << 20)
#define SCRATCH_DEFAULT_BYTES (16ull << 20)

static int config_copy(struct ifs_kernel_config *out, const struct ifs_kernel_config *config,
		       struct ifs_error *error)
{
	const unsigned char *bytes = (const unsigned char *)config;
	size_t at;

	memset(out, 0, sizeof(*out));
	out->size = sizeof(*out);
	if (!config)
		return 0;
	if (config->size < sizeof(config->size)) {
		error_set(error, EINVAL,
			  "kernel config: size is %zu, set it to sizeof(struct ifs_kernel_config)",
			  config->size);
		return -EINVAL;
	}
	for (at = sizeof(*out); at < config->size; at++) {
		if (bytes[at]) {
			error_set(error, E2BIG,
				  "kernel config: byte %zu is set, this library knows %zu bytes",
				  at, sizeof(*out));
			return -E2BIG;
		}
	}
	memcpy(out, config, min(config->size, sizeof(*out)));
	return 0;
}

static int switch_check(const char *field, uint8_t value, struct ifs_error *error)
{
	if (value <= IFS_OFF)
		return 0;
	error_set(error, EINVAL, "kernel config: %s is %u, not IFS_DEFAULT, IFS_ON or IFS_OFF",
		  field,
		  value);
	return -EINVAL;
}

static bool switch_on(uint8_t value, bool by_default)
{
	return value == IFS_DEFAULT ? by_default : value == IFS_ON;
}

static int design_find(struct ifs_kernel *kernel, const struct ifs_kernel_config *config,
		       struct ifs_error *error)
{
	const struct ifs_design *const known[] = { ifs_design_reference(), ifs_design_posted_v1() };
	const struct ifs_design *custom = config->custom_design;

	if (custom) {
		if (custom->size != sizeof(*custom) || !custom->name) {
			error_set(error, EINVAL,
				  "kernel config: custom_design has size %zu, need %zu%s",
				  custom->size, sizeof(*custom),
				  custom->name ? "" : ", and a name");
			return -EINVAL;
		}
		kernel->base.design = custom;
		return 0;
	}
	if (!config->design) {
		kernel->base.design = known[0];
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!strcmp(known[i]->name, config->design)) {
			kernel->base.design = known[i];
			return 0;
		}
	}
	error_set(error, EINVAL,
		  "kernel config: no design \"%.40s\"; there are \"reference\" and \"posted-v1\"",
		  config->design);
	return -EINVAL;
}

static int memory_check(const struct ifs_kernel *kernel, const struct ifs_kernel_config *config,
			struct ifs_error *error)
{
	u64 ram = phys_mem_bytes(kernel->base.mem);
	u32 order = config->memfd_folio_order;

	if (config->scratch_bytes % SCRATCH_GRANULE_BYTES) {
		error_set(error, EINVAL,
			  "kernel config: scratch_bytes is 0x%llx, not a multiple of 4 MiB",
			  (unsigned long long)config->scratch_bytes);
		return -EINVAL;
	}
	if (config->scratch_bytes >= ram) {
		error_set(error, EINVAL,
			  "kernel config: scratch_bytes is 0x%llx, RAM has only 0x%llx bytes",
			  (unsigned long long)config->scratch_bytes, (unsigned long long)ram);
		return -EINVAL;
	}
	if (order != 0 && order != 9 && order != 18) {
		error_set(error, EINVAL, "kernel config: memfd_folio_order is %u, not 0, 9 or 18",
			  order);
		return -EINVAL;
	}
	if (config->memfd_noexec > 2) {
		error_set(error, EINVAL, "kernel config: memfd_noexec is %u, not 0, 1 or 2",
			  config->memfd_noexec);
		return -EINVAL;
	}
	return 0;
}

int kernel_config_apply(struct ifs_kernel *kernel, const struct ifs_kernel_config *user_config,
			struct ifs_error *error)
{
	struct ifs_kernel_config config;
	const char *release;
	int err;

	err = config_copy(&config, user_config, error);
	if (err)
		return err;
	if (switch_check("kho", config.kho, error) ||
	    switch_check("liveupdate", config.liveupdate, error) ||
	    switch_check("register_at_open", config.register_at_open, error) ||
	    switch_check("exact", config.exact, error) ||
	    switch_check("iommufd_test", config.iommufd_test, error))
		return -EINVAL;
	err = design_find(kernel, &config, error);
	if (err)
		return err;
	err = memory_check(kernel, &config, error);
	if (err)
		return err;
	release = config.release ? config.release : "7.3.0-rc7";
	if (strnlen(release, sizeof(kernel->release)) >= sizeof(kernel->release)) {
		error_set(error, EINVAL, "kernel config: release is longer than 64 bytes");
		return -EINVAL;
	}

	snprintf(kernel->release, sizeof(kernel->release), "%s", release);
	kernel->kho_config = (struct kho_config){
		.enabled = switch_on(config.kho, true),
		.scratch_bytes = config.scratch_bytes
			? config.scratch_bytes : SCRATCH_DEFAULT_BYTES,
		.release = kernel->release,
		.debug = true,
	};
	kernel->luo_config = (struct luo_config){
		.enabled = switch_on(config.liveupdate, true),
		.exact = switch_on(config.exact, true),
	};
	kernel->memfd_config = (struct memfd_config){
		.folio_order = config.memfd_folio_order,
		.sysctl_noexec = config.memfd_noexec,
	};
	kernel->base.iommufd_test = switch_on(config.iommufd_test, false);
	kernel->base.free_huge_pages = config.huge_pages;
	kernel->base.vfio_dma_entry_limit = config.vfio_dma_entry_limit;
	kernel->base.fix_bugs = !switch_on(config.exact, true);
	kernel->base.memfd_config = &kernel->memfd_config;
	fail_points_arm(&kernel->base.fail, config.fail_nth, config.fail_forever);
	kernel->design_options.register_at_open = switch_on(config.register_at_open, false);
	return 0;
}
