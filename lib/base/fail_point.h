/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Fault injection: the places of a kernel that ask whether they shall fail, by name.
 *
 * A point is one such place, a row of the table in fail_point.c: its name (the Linux function that
 * asks), the attribute it belongs to there (a directory of debugfs), and what the caller of a
 * refused operation gets. Each kernel counts how often each was reached.
 *
 * Two triggers, independent of each other:
 *  - a test's (struct ifs_fail_config): the n-th time that any of some points is reached, or that
 *    one place allocates;
 *  - Linux's own (lib/fault-inject.c), for programs that know it: fail-nth of a task, and the
 *    attributes in debugfs. Those honour what keeps Linux's attributes from sleeping allocations.
 *
 * Nothing is decided while no trigger is set: a point then costs an increment and a branch.
 */
#ifndef LIB_BASE_FAIL_POINT_H
#define LIB_BASE_FAIL_POINT_H

#include <iommufd-sim/proto/types.h>

enum fail_point {
	FAIL_KMALLOC,
	FAIL_XAS_ALLOC,
	FAIL_ALLOC_FDTABLE,
	FAIL_ALLOC_PAGES,
	FAIL_IOMMUFD_GET_OBJECT,
	FAIL_TEMP_KMALLOC,
	FAIL_PFN_READER_USER_PIN,
	FAIL_PFN_READER_USER_UPDATE_PINNED,
	FAIL_PAGES_TO_XARRAY,
	FAIL_IOPT_PAGES_RW_PAGE,
	FAIL_IOPT_TABLE_ENFORCE_DEV_RESV_REGIONS,
	NR_FAIL_POINTS,
};

enum fault_attr_id { FAULT_FAILSLAB, FAULT_FAIL_PAGE_ALLOC, FAULT_FAIL_IOMMUFD, NR_FAULT_ATTRS };

struct fail_point_info {
	const char *name;
	enum fault_attr_id attr;
	int error;              /* -errno */
};

/* What one directory of debugfs holds, by Linux's names. */
struct fault_attr {
	u64 probability;        /* percent */
	u64 interval;
	u64 verbose;            /* kept, but nothing is logged */
	s64 times;              /* failures left, -1: no limit; 32 bits count */
	s64 space;              /* so much may pass before the first failure; 32 bits count */
	u32 ratelimit_interval_ms, ratelimit_burst;
	bool task_filter;
	bool ignore_gfp_wait;   /* failslab, fail_page_alloc: spares what may sleep */
	bool ignore_gfp_highmem;
	bool cache_filter;      /* kept; no cache here is marked */
	u32 min_order;          /* fail_page_alloc */
	u64 count;
};

/* A task's part. */
struct task_faults {
	u32 fail_nth;           /* /proc/PID/task/TID/fail-nth */
	bool make_it_fail;      /* /proc/PID/task/TID/make-it-fail */
};

/* What to look at before a point may say no. */
#define FAIL_ARMED 1u           /* a test's trigger */
#define FAIL_LINUX 2u           /* one of Linux's has been touched */
#define FAIL_NOFAIL 4u          /* within __GFP_NOFAIL */

#define FAIL_ALL_POINTS (BIT_ULL(NR_FAIL_POINTS) - 1)

/* One per kernel. */
struct fail_points {
	u32 attention;
	u32 nofail_depth;
	u64 reached[NR_FAIL_POINTS], failed[NR_FAIL_POINTS];

	/* The test's trigger. */
	u64 points;             /* which ones: a bit for each */
	u64 nth, seen;
	u64 reached_before;     /* how often these had been, when it was set */
	bool forever, fired;
	char site[64];          /* allocations by whoever has this in the name; "": any */

	/* The last failure, whichever trigger. */
	enum fail_point last_point;
	const char *last_site;  /* NULL: no allocation, or none yet */
	const char *last_call;  /* NULL: none yet */

	struct fault_attr attrs[NR_FAULT_ATTRS];
	u64 random;
};

void fail_points_init(struct fail_points *fail);
const struct fail_point_info *fail_point_info(enum fail_point point);
const char *fault_attr_name(enum fault_attr_id attr);
/* The points that @name is the name of, or the attribute's of that name; NULL: all. 0: none. */
u64 fail_points_named(const char *name);

/*
 * Sets the test's trigger: from now on the @nth time that one of @points is reached fails, and all
 * after it if @forever. @nth 0: none. @site NULL or "": any.
 */
void fail_points_arm_at(struct fail_points *fail, u64 points, const char *site, u64 nth,
			bool forever);
void fail_points_arm(struct fail_points *fail, u64 nth, bool forever);
/* As @nth 0, but whether it fired can still be asked. */
void fail_points_disarm(struct fail_points *fail);
/* How often the points of the test's trigger were reached since it was set. */
u64 fail_points_reached(const struct fail_points *fail);

/* __GFP_NOFAIL: between the two nothing fails by injection, or counts. They nest. */
void fail_points_pause(struct fail_points *fail);
void fail_points_resume(struct fail_points *fail);

/* @size: what the attribute's "space" counts; bytes, pages, or 1. */
bool fail_point_decide(struct fail_points *fail, enum fail_point point, const char *site,
		       u64 size);

/* True if the operation at @point must fail. */
static inline bool fail_point_hit(struct fail_points *fail, enum fail_point point)
{
	if (__builtin_expect(fail->attention, 0))
		return fail_point_decide(fail, point, NULL, 1);
	fail->reached[point]++;
	return false;
}

/* For an allocation of @size bytes or pages by @site, a string that lives for ever. */
static inline bool fail_alloc_hit(struct fail_points *fail, enum fail_point point,
				  const char *site, u64 size)
{
	if (__builtin_expect(fail->attention, 0))
		return fail_point_decide(fail, point, site, size);
	fail->reached[point]++;
	return false;
}

#endif
