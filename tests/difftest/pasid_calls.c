/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * PASIDs: attached, replaced, detached and looked at, on devices with and without them, to HWPTs
 * that allow them and do not, before and after the device itself has moved.
 */
#include "mock.h"

#include <linux/iommufd.h>
#include <linux/iommufd_test.h>

/* 1024 is where the mock driver fails now and then; 2^20 is the first one too many. */
static uint32_t some_pasid(void)
{
	switch (below(12)) {
	case 0:
		return 0;
	case 1:
	case 2:
	case 3:
		return 1024;
	case 4:
		return (1u << 20) - 1 + (uint32_t)below(2);
	case 5:
		return pct(50) ? (uint32_t)rnd() : UINT32_MAX - (uint32_t)below(2);
	default:
		return 1 + (uint32_t)below(4);
	}
}

static uint32_t some_pt(struct context *ctx)
{
	static const enum kind kinds[] = { IOAS, PARENT, PARENT, PARENT, PAGING, PAGING, PAGING,
					   PAGING, NESTED, NESTED, VIOMMU };

	return some_id(ctx, kinds[below(sizeof(kinds) / sizeof(kinds[0]))]);
}

static void do_attach(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = pct(60) ? IOMMU_TEST_OP_PASID_ATTACH : IOMMU_TEST_OP_PASID_REPLACE,
		.id = some_id(ctx, STDEV),
		.pasid_attach = { .pasid = some_pasid(), .pt_id = some_pt(ctx) },
	};
	uint32_t stdev = c.id, pasid = c.pasid_attach.pasid;
	int attach = c.op == IOMMU_TEST_OP_PASID_ATTACH;

	if (pasids_are_full())
		return;
	call("%s #%u stdev=%u pasid=%x pt=%u", attach ? "attach" : "replace", ctx->number, c.id,
	     pasid, c.pasid_attach.pt_id);
	if (!ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c)) && attach && pasid)
		learn_pasid(ctx, stdev, pasid);
	say(" hwpt=%u", c.pasid_attach.pt_id);
	end();
}

static void do_detach(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_PASID_DETACH, .id = some_id(ctx, STDEV),
		.pasid_detach.pasid = some_pasid(),
	};
	uint32_t stdev = c.id, pasid = c.pasid_detach.pasid;

	call("detach #%u stdev=%u pasid=%x", ctx->number, stdev, pasid);
	if (!ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c)))
		forget_pasid(ctx, stdev, pasid);
	end();
}

static void do_check(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_PASID_CHECK_HWPT, .id = some_id(ctx, STDEV),
		.pasid_check = {
			.pasid = some_pasid(), .hwpt_id = pct(30) ? 0 : some_pt(ctx),
		},
	};

	call("check #%u stdev=%u pasid=%x hwpt=%u", ctx->number, c.id, c.pasid_check.pasid,
	     c.pasid_check.hwpt_id);
	ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c));
	end();
}

static void do_info(void)
{
	struct context *ctx = some_context();
	struct iommu_hw_info c = { .dev_id = some_id(ctx, IDEV) };

	call("hw_info #%u dev=%u", ctx->number, c.dev_id);
	ask(ctx, IOMMU_GET_HW_INFO, &c, sizeof(c));
	say(" type=%x length=%u pasids=%u capabilities=%llx", c.out_data_type, c.data_len,
	    c.out_max_pasid_log2, (unsigned long long)c.out_capabilities);
	end();
}

static int start(void)
{
	taste.fault = 20;
	taste.pasid = 75;
	return mock_start();
}

static const struct operation operations[] = {
	{ mock_grow, 20 }, { mock_ioas, 1 }, { mock_device, 4 }, { mock_hwpt, 10 },
	{ mock_nested, 6 }, { mock_fault, 1 }, { mock_viommu, 2 }, { mock_vdevice, 3 },
	{ mock_replace, 12 }, { mock_destroy, 8 }, { mock_reopen, 1 }, { mock_close_file, 1 },
	{ do_attach, 40 }, { do_detach, 15 }, { do_check, 30 }, { do_info, 2 }, { 0 },
};

const struct profile profile_pasid = {
	.name = "pasid", .start = start, .operations = operations,
};
