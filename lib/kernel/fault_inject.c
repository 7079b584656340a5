/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* A test's side of fault injection: sets the trigger, lists the points, tells which one fired. */
#include "lib/kernel/kernel.h"

int ifs_kernel_fail(struct ifs_kernel *kernel, const struct ifs_fail_config *user_config)
{
	struct ifs_fail_config config = { 0 };
	u64 points;

	if (user_config)
		memcpy(&config, user_config, min(user_config->size, sizeof(config)));
	points = fail_points_named(config.point);
	if (!points)
		return -ENOENT;
	if (config.site && strlen(config.site) >= sizeof(kernel->base.fail.site))
		return -EINVAL;
	fail_points_arm_at(&kernel->base.fail, points, config.site, config.nth, config.forever);
	return 0;
}

void ifs_kernel_fail_nth(struct ifs_kernel *kernel, uint64_t nth, bool forever)
{
	fail_points_arm(&kernel->base.fail, nth, forever);
}

bool ifs_kernel_fail_fired(const struct ifs_kernel *kernel, uint64_t *count)
{
	if (count)
		*count = fail_points_reached(&kernel->base.fail);
	return kernel->base.fail.fired;
}

bool ifs_kernel_get_failure(const struct ifs_kernel *kernel, struct ifs_failure *out)
{
	const struct fail_points *fail = &kernel->base.fail;
	struct ifs_failure failure = { .size = min(out->size, sizeof(failure)) };

	if (!fail->last_call)
		return false;
	failure.point = fail_point_info(fail->last_point)->name;
	failure.error = fail_point_info(fail->last_point)->error;
	failure.site = fail->last_site;
	failure.call = fail->last_call;
	memcpy(out, &failure, failure.size);
	return true;
}

bool ifs_kernel_get_fail_point(const struct ifs_kernel *kernel, unsigned index,
			       struct ifs_fail_point *out)
{
	struct ifs_fail_point point = { .size = min(out->size, sizeof(point)) };
	const struct fail_point_info *info;

	if (index >= NR_FAIL_POINTS)
		return false;
	info = fail_point_info((enum fail_point)index);
	point.name = info->name;
	point.attribute = fault_attr_name(info->attr);
	point.error = info->error;
	point.reached = kernel->base.fail.reached[index];
	point.failed = kernel->base.fail.failed[index];
	memcpy(out, &point, point.size);
	return true;
}
