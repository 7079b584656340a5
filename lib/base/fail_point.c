/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The table of fail points, and what decides whether one fails. The rules of Linux's triggers are
 * those of Documentation/fault-injection/fault-injection.rst.
 *
 * Linux asks iommufd_should_fail() in seven functions; each is a row here, asked at the same places
 * and as often (lib/iommufd/pfn_reader.c says how, where Linux works in chunks). Allocations differ
 * from Linux's in number: they are told apart by who allocates.
 *
 * Unlike Linux: slab allocations in atomic context count as sleeping ones (ignore-gfp-wait spares
 * them); a failure is not logged; the numbers that "probability" is compared with are the same in
 * every kernel.
 */
#include "lib/base/fail_point.h"

#include <assert.h>

#include "lib/base/task.h"

static const struct fail_point_info fail_points[NR_FAIL_POINTS] = {
	[FAIL_KMALLOC] = { "kmalloc", FAULT_FAILSLAB, -ENOMEM },
	[FAIL_XAS_ALLOC] = { "xas_alloc", FAULT_FAILSLAB, -ENOMEM },
	[FAIL_ALLOC_FDTABLE] = { "alloc_fdtable", FAULT_FAILSLAB, -ENOMEM },
	[FAIL_ALLOC_PAGES] = { "alloc_pages", FAULT_FAIL_PAGE_ALLOC, -ENOMEM },
	[FAIL_IOMMUFD_GET_OBJECT] = { "iommufd_get_object", FAULT_FAIL_IOMMUFD, -ENOENT },
	[FAIL_TEMP_KMALLOC] = { "temp_kmalloc", FAULT_FAIL_IOMMUFD, -ENOMEM },
	[FAIL_PFN_READER_USER_PIN] = { "pfn_reader_user_pin", FAULT_FAIL_IOMMUFD, -EFAULT },
	[FAIL_PFN_READER_USER_UPDATE_PINNED] = {
		"pfn_reader_user_update_pinned", FAULT_FAIL_IOMMUFD, -ENOMEM,
	},
	[FAIL_PAGES_TO_XARRAY] = { "pages_to_xarray", FAULT_FAIL_IOMMUFD, -EINVAL },
	[FAIL_IOPT_PAGES_RW_PAGE] = { "iopt_pages_rw_page", FAULT_FAIL_IOMMUFD, -EINVAL },
	[FAIL_IOPT_TABLE_ENFORCE_DEV_RESV_REGIONS] = {
		"iopt_table_enforce_dev_resv_regions", FAULT_FAIL_IOMMUFD, -EINVAL,
	},
};

static const char *const fault_attrs[NR_FAULT_ATTRS] = {
	[FAULT_FAILSLAB] = "failslab",
	[FAULT_FAIL_PAGE_ALLOC] = "fail_page_alloc",
	[FAULT_FAIL_IOMMUFD] = "fail_iommufd",
};

void fail_points_init(struct fail_points *fail)
{
	*fail = (struct fail_points){ .points = FAIL_ALL_POINTS, .random = 1 };
	for (enum fault_attr_id i = 0; i < NR_FAULT_ATTRS; i++)
		fail->attrs[i] = (struct fault_attr){
			.interval = 1, .times = 1, .verbose = 2, .ratelimit_burst = 10,
			.ignore_gfp_wait = true, .ignore_gfp_highmem = true, .min_order = 1,
		};
}

const struct fail_point_info *fail_point_info(enum fail_point point)
{
	return &fail_points[point];
}

const char *fault_attr_name(enum fault_attr_id attr)
{
	return fault_attrs[attr];
}

u64 fail_points_named(const char *name)
{
	u64 points = 0;

	if (!name)
		return FAIL_ALL_POINTS;
	for (enum fail_point i = 0; i < NR_FAIL_POINTS; i++)
		if (!strcmp(fail_points[i].name, name) ||
		    !strcmp(fault_attrs[fail_points[i].attr], name))
			points |= BIT_ULL(i);
	return points;
}

static u64 sum_reached(const struct fail_points *fail)
{
	u64 sum = 0;

	for (enum fail_point i = 0; i < NR_FAIL_POINTS; i++)
		sum += fail->points & BIT_ULL(i) ? fail->reached[i] : 0;
	return sum;
}

void fail_points_arm_at(struct fail_points *fail, u64 points, const char *site, u64 nth,
			bool forever)
{
	size_t length;

	site = site ? site : "";
	length = strlen(site);
	assert(points && length < sizeof(fail->site));
	memcpy(fail->site, site, length + 1);
	fail->points = points;
	fail->nth = nth;
	fail->forever = forever;
	fail->fired = false;
	fail->seen = 0;
	fail->reached_before = sum_reached(fail);
	fail->attention &= ~FAIL_ARMED;
	if (nth)
		fail->attention |= FAIL_ARMED;
}

void fail_points_arm(struct fail_points *fail, u64 nth, bool forever)
{
	fail_points_arm_at(fail, FAIL_ALL_POINTS, "", nth, forever);
}

void fail_points_disarm(struct fail_points *fail)
{
	fail->attention &= ~FAIL_ARMED;
}

u64 fail_points_reached(const struct fail_points *fail)
{
	return sum_reached(fail) - fail->reached_before;
}

void fail_points_pause(struct fail_points *fail)
{
	fail->nofail_depth++;
	fail->attention |= FAIL_NOFAIL;
}

void fail_points_resume(struct fail_points *fail)
{
	assert(fail->nofail_depth);
	if (!--fail->nofail_depth)
		fail->attention &= ~FAIL_NOFAIL;
}

static bool test_refuses(struct fail_points *fail, enum fail_point point, const char *site)
{
	if (!(fail->attention & FAIL_ARMED) || !(fail->points & BIT_ULL(point)))
		return false;
	if (fail->site[0] && (!site || !strstr(site, fail->site)))
		return false;
	fail->seen++;
	if (fail->seen < fail->nth || (fail->seen > fail->nth && !fail->forever))
		return false;
	fail->fired = true;
	return true;
}

/* What the attribute was told to leave alone, whoever asks. */
static bool attr_spares(const struct fault_attr *attr, enum fault_attr_id id, u64 size)
{
	switch (id) {
	case FAULT_FAILSLAB:
		return attr->ignore_gfp_wait || attr->cache_filter;
	case FAULT_FAIL_PAGE_ALLOC:
		return attr->ignore_gfp_wait || attr->min_order > 63 ||
		       size < BIT_ULL(attr->min_order);
	default:
		return false;
	}
}

/* xorshift64* */
static u32 random_below_100(struct fail_points *fail)
{
	u64 x = fail->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	fail->random = x;
	return (u32)((x * 0x2545f4914f6cdd1dull) >> 33) % 100;
}

static bool attr_refuses(struct fail_points *fail, struct fault_attr *attr,
			 const struct task_faults *faults, u64 size)
{
	if (!attr->probability || (attr->task_filter && !(faults && faults->make_it_fail)) ||
	    !attr->times)
		return false;
	if (attr->space > 0 && (u64)attr->space > size) {
		attr->space -= (s64)size;
		return false;
	}
	if (attr->interval > 1 && ++attr->count % attr->interval)
		return false;
	return attr->probability > random_below_100(fail);
}

static bool linux_refuses(struct fail_points *fail, enum fault_attr_id id, u64 size)
{
	struct task_faults *faults = current ? current->faults : NULL;
	struct fault_attr *attr = &fail->attrs[id];
	bool refuses;

	if (!(fail->attention & FAIL_LINUX) || attr_spares(attr, id, size))
		return false;
	if (faults && faults->fail_nth)
		refuses = !--faults->fail_nth;
	else
		refuses = attr_refuses(fail, attr, faults, size);
	if (refuses && attr->times > 0)
		attr->times--;
	return refuses;
}

bool fail_point_decide(struct fail_points *fail, enum fail_point point, const char *site, u64 size)
{
	bool refused;

	if (fail->nofail_depth)
		return false;
	fail->reached[point]++;
	refused = test_refuses(fail, point, site) ||
		  linux_refuses(fail, fail_points[point].attr, size);
	if (!refused)
		return false;
	fail->failed[point]++;
	fail->last_point = point;
	fail->last_site = site;
	fail->last_call = current ? current->name : NULL;
	return true;
}
