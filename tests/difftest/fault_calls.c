/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Fault queues: page faults of mock devices by PASID and without, on paging and nested HWPTs; reads
 * and writes of all sizes; answers right and wrong; devices that move away with faults
 * outstanding; queues closed and destroyed in any order.
 */
#include "mock.h"

#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct pool cookies;
static int latest = -1;         /* the file that was read from */

static uint32_t some_pasid(void)
{
	return pct(70) ? 0 : pct(90) ? 1 + (uint32_t)below(3) : (uint32_t)rnd();
}

static void do_trigger(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_TRIGGER_IOPF, .id = (uint32_t)below(3),
		.trigger_iopf = {
			.dev_id = some_id(ctx, IDEV), .pasid = some_pasid(),
			.grpid = pct(90) ? (uint32_t)below(4) : (uint32_t)rnd(),
			.perm = pct(90) ? (uint32_t)below(16) : (uint32_t)rnd(), .addr = rnd(),
		},
	};

	call("fault #%u dev=%u pasid=%x grpid=%x perm=%x addr=%llx", ctx->number,
	     c.trigger_iopf.dev_id, c.trigger_iopf.pasid, c.trigger_iopf.grpid,
	     c.trigger_iopf.perm, (unsigned long long)c.trigger_iopf.addr);
	ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c));
	end();
}

static uint64_t some_read_size(void)
{
	switch (below(16)) {
	case 0:
		return 0;
	case 1:
		return below(100);
	case 2:
		return (1ull << below(33)) * sizeof(struct iommu_hwpt_pgfault);
	case 3:
		return UINT64_MAX - below(80);
	default:
		return (1 + below(4)) * sizeof(struct iommu_hwpt_pgfault);
	}
}

static void do_read(void)
{
	static struct iommu_hwpt_pgfault faults[8];
	uint64_t size = some_read_size();
	int fd = some_file(FAULT);
	void *to = faults;
	long done;

	memset(faults, 0xee, sizeof(faults));
	call("read queue %d %llx", fd, (unsigned long long)size);
	if (size > sizeof(faults) || pct(8)) {
		/* Room for some records, none, or a part of one. */
		unsigned room = (unsigned)below(5) * 20;

		to = (char *)page_before_guard() + PAGE - room;
		say(" room=%u", room);
	}
	done = result(read(fd, to, size));
	for (long i = 0; i < done / (long)sizeof(faults[0]); i++) {
		struct iommu_hwpt_pgfault f;

		/* Before the guard page nothing is aligned. */
		memcpy(&f, (char *)to + i * sizeof(f), sizeof(f));
		say(" [%x dev=%u pasid=%x grpid=%x perm=%x %x addr=%llx %x cookie=%u]", f.flags,
		    f.dev_id, f.pasid, f.grpid, f.perm, f.__reserved,
		    (unsigned long long)f.addr, f.length, f.cookie);
		pool_add(&cookies, (int)f.cookie);
		latest = fd;
	}
	end();
}

static void do_write(void)
{
	struct iommu_hwpt_page_response r[4];
	unsigned n = 1 + (unsigned)below(4);
	uint64_t size = n * sizeof(r[0]);
	int fd = pct(60) ? latest : some_file(FAULT);
	const void *from = r;

	call("write queue %d", fd);
	for (unsigned i = 0; i < 4; i++) {
		int cookie = pool_pick(&cookies);

		r[i].cookie = cookie >= 0 && pct(70) ? (uint32_t)cookie
							 : pct(95) ? 1 + (uint32_t)below(6) : 0;
		r[i].code = pct(92) ? (uint32_t)below(2) : pct(50) ? 2 : (uint32_t)rnd();
		say(" %u:%x", r[i].cookie, r[i].code);
		if (i < n)
			pool_remove(&cookies, (int)r[i].cookie);
	}
	if (pct(8))
		size = pct(50) ? below(40) : UINT64_MAX - below(9);
	if (pct(6)) {
		unsigned room = (unsigned)below(9) * 4;

		from = memcpy((char *)page_before_guard() + PAGE - room, r, room);
		say(" room=%u", room);
	} else if (size > sizeof(r)) {
		from = NOWHERE;
	}
	say(" size=%llx", (unsigned long long)size);
	result(write(fd, from, size));
	end();
}

static void do_pasid(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_PASID_ATTACH + (uint32_t)below(3), .id = some_id(ctx, STDEV),
		.pasid_attach = {
			.pasid = 1 + (uint32_t)below(3),
			.pt_id = some_id(ctx, pct(50) ? PAGING : NESTED),
		},
	};
	uint32_t stdev = c.id, pasid = c.pasid_attach.pasid, op = c.op;

	if (pasids_are_full())
		return;
	call("pasid op=%u #%u stdev=%u pasid=%u pt=%u", c.op, ctx->number, c.id, pasid,
	     c.pasid_attach.pt_id);
	if (!ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c))) {
		if (op == IOMMU_TEST_OP_PASID_ATTACH)
			learn_pasid(ctx, stdev, pasid);
		else if (op == IOMMU_TEST_OP_PASID_DETACH)
			forget_pasid(ctx, stdev, pasid);
	}
	end();
}

static int start(void)
{
	taste.fault = 90;
	taste.on_viommu = 30;
	return mock_start();
}

static const struct operation operations[] = {
	{ mock_grow, 20 }, { mock_ioas, 1 }, { mock_device, 4 }, { mock_hwpt, 8 },
	{ mock_nested, 8 }, { mock_fault, 6 }, { mock_viommu, 2 }, { mock_vdevice, 4 },
	{ mock_replace, 4 }, { mock_move, 8 }, { mock_destroy, 8 }, { mock_reopen, 1 },
	{ mock_close_file, 4 }, { mock_file, 6 }, { do_pasid, 8 }, { do_trigger, 30 },
	{ do_read, 20 }, { do_write, 15 }, { 0 },
};

const struct profile profile_fault = {
	.name = "fault", .start = start, .operations = operations,
};
