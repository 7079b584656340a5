/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Contexts, ids and the structures of calls: see mock.h.
 */
#include "mock.h"

#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct attached_pasid {
	const struct context *ctx;
	uint32_t stdev, pasid;
};

struct context contexts[2] = { { .number = 0 }, { .number = 1 } };
static struct context *forced;
static struct attached_pasid pasids[32];
static unsigned nr_pasids;

/* Not a call that is printed: leaves the kernel in order. */
static void detach_pasids(void)
{
	while (nr_pasids) {
		const struct attached_pasid *at = &pasids[--nr_pasids];
		struct iommu_test_cmd c = {
			.size = sizeof(c), .op = IOMMU_TEST_OP_PASID_DETACH, .id = at->stdev,
			.pasid_detach.pasid = at->pasid,
		};

		ioctl(at->ctx->fd, IOMMU_TEST_CMD, &c);
	}
}

int mock_start(void)
{
	for (unsigned i = 0; i < 2; i++)
		contexts[i].fd = open("/dev/iommu", O_RDWR);
	atexit(detach_pasids);
	return contexts[1].fd < 0;
}

struct context *some_context(void)
{
	return forced ? forced : &contexts[pct(90) ? 0 : 1];
}

void mock_grow(void)
{
	static const struct {
		enum kind kind;
		unsigned n;
		void (*make)(void);
	} wanted[] = {
		{ IOAS, 1, mock_ioas }, { IDEV, 1, mock_device }, { PARENT, 1, mock_hwpt },
		{ IDEV, 2, mock_device }, { FAULT, 1, mock_fault }, { VIOMMU, 1, mock_viommu },
		{ VDEVICE, 1, mock_vdevice }, { NESTED, 3, mock_nested }, { PAGING, 3, mock_hwpt },
	};
	struct context *ctx = some_context();

	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (ctx->ids[wanted[i].kind].n >= wanted[i].n)
			continue;
		forced = ctx;
		wanted[i].make();
		forced = NULL;
		return;
	}
}

uint32_t some_id(const struct context *ctx, enum kind kind)
{
	int id;

	if (pct(2))
		return (uint32_t)below(40);
	id = pool_pick(&ctx->ids[pct(3) ? below(NR_KINDS) : kind]);
	return id < 0 ? 0 : (uint32_t)id;
}

void forget_id(struct context *ctx, uint32_t id)
{
	for (unsigned i = 0; i < NR_KINDS; i++)
		pool_remove(&ctx->ids[i], (int)id);
}

void learn_id(struct context *ctx, enum kind kind, uint32_t id)
{
	forget_id(ctx, id);
	pool_add(&ctx->ids[kind], (int)id);
}

int pasids_are_full(void)
{
	return nr_pasids == sizeof(pasids) / sizeof(pasids[0]);
}

int has_pasids(const struct context *ctx, uint32_t stdev)
{
	for (unsigned i = 0; i < nr_pasids; i++)
		if (pasids[i].ctx == ctx && pasids[i].stdev == stdev)
			return 1;
	return 0;
}

void learn_pasid(const struct context *ctx, uint32_t stdev, uint32_t pasid)
{
	pasids[nr_pasids++] = (struct attached_pasid){ ctx, stdev, pasid };
}

void forget_pasid(const struct context *ctx, uint32_t stdev, uint32_t pasid)
{
	for (unsigned i = 0; i < nr_pasids; i++)
		if (pasids[i].ctx == ctx && pasids[i].stdev == stdev && pasids[i].pasid == pasid)
			pasids[i--] = pasids[--nr_pasids];
}

/* @bytes at @offset of a page that can be read only. */
static void *read_only(const void *bytes, unsigned size, unsigned offset)
{
	static uint8_t *page;

	if (!page)
		page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	memcpy(page + offset, bytes, size);
	mprotect(page, PAGE, PROT_READ);
	return page + offset;
}

/* @bytes, of which the last @missing lie behind the end of what can be read. */
static void *cut_off(const void *bytes, unsigned size, unsigned missing)
{
	uint8_t *at = (uint8_t *)page_before_guard() + PAGE - (size - missing);

	memcpy(at, bytes, size - missing);
	return at;
}

void *some_data(const void *data, unsigned size)
{
	switch (below(60)) {
	case 0:
		say(" nowhere");
		return NOWHERE;
	case 1:
		if (!size)
			break;
		say(" cut");
		return cut_off(data, size, 1 + (unsigned)below(size));
	case 2:
		say(" to its end");
		return cut_off(data, size, 0);
	case 3:
		say(" read-only");
		return read_only(data, size, PAGE / 2);
	default:
		break;
	}
	return (void *)data;
}

long ask(const struct context *ctx, unsigned long cmd, void *structure, unsigned size)
{
	static uint32_t room[64];
	void *at = room;
	long rc;

	memset(room, 0, sizeof(room));
	memcpy(room, structure, size);
	room[0] = size;
	if (pct(2)) {
		room[0] = pct(50) ? (uint32_t)below(size) : size + (uint32_t)below(40);
		if (pct(30))
			((uint8_t *)room)[size + below(40)] = 1;
		say(" size=%u", room[0]);
	} else if (pct(1)) {
		say(" cut");
		at = cut_off(room, size, 1 + (unsigned)below(size));
	} else if (pct(1)) {
		say(" nowhere");
		at = NOWHERE;
	} else if (pct(2)) {
		say(" read-only");
		at = read_only(room, size, 0);
	}
	rc = result(ioctl(ctx->fd, cmd, at));
	memcpy(structure, room, size);
	return rc;
}
