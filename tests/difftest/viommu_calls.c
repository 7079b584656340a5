/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Virtual IOMMUs and devices, with and without driver data; their event queues, read and overrun;
 * nested HWPTs and virtual IOMMUs invalidated with every mistake; what of it reached the device.
 *
 * Not asked: to invalidate so much at once that the mock driver cannot have the memory. Linux
 * answers -ENOMEM, and warns.
 */
#include "mock.h"

#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <string.h>
#include <unistd.h>

static void do_veventq(void)
{
	struct context *ctx = some_context();
	struct iommu_veventq_alloc c = {
		.flags = pct(2), .viommu_id = some_id(ctx, VIOMMU),
		.type = pct(80) ? IOMMU_VEVENTQ_TYPE_SELFTEST : (uint32_t)below(3),
		.veventq_depth = 1 + (uint32_t)below(4), .__reserved = pct(2),
	};

	if (ctx->ids[VEVENTQ].n >= 4 || pool_is_full(&veventq_files))
		return;
	if (pct(5))
		c.veventq_depth = pct(50) ? 0 : (1u << 19) + (uint32_t)below(2);
	call("veventq #%u flags=%x viommu=%u type=%x depth=%x reserved=%u", ctx->number, c.flags,
	     c.viommu_id, c.type, c.veventq_depth, c.__reserved);
	if (!ask(ctx, IOMMU_VEVENTQ_ALLOC, &c, sizeof(c))) {
		learn_id(ctx, VEVENTQ, c.out_veventq_id);
		learn_file(ctx, VEVENTQ, c.out_veventq_id, c.out_veventq_fd);
	}
	say(" id=%u fd=%u", c.out_veventq_id, c.out_veventq_fd);
	end();
}

static void do_trigger(void)
{
	struct context *ctx = some_context();

	for (unsigned n = 1 + (unsigned)below(4); n; n--) {
		struct iommu_test_cmd c = {
			.op = IOMMU_TEST_OP_TRIGGER_VEVENT,
			.trigger_vevent.dev_id = some_id(ctx, IDEV),
		};

		call("event #%u dev=%u", ctx->number, c.trigger_vevent.dev_id);
		ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c));
		end();
	}
}

static void do_read(void)
{
	static uint32_t words[32];
	uint64_t size = pct(80) ? 12 * (1 + below(4)) : below(sizeof(words));
	int fd = some_file(VEVENTQ);
	void *to = words;
	long done;

	memset(words, 0xee, sizeof(words));
	if (pct(3))
		size = pct(50) ? 1ull << (20 + below(20)) : UINT64_MAX - below(64);
	call("read queue %d %llx", fd, (unsigned long long)size);
	if (size > sizeof(words) || pct(10)) {
		/* Room for some events, none, or a part of one. */
		unsigned room = (unsigned)below(10) * 4;

		to = (char *)page_before_guard() + PAGE - room;
		say(" room=%u", room);
	}
	done = result(read(fd, to, size));
	for (long i = 0; i < done / 4; i++)
		say(" %x", ((uint32_t *)to)[i]);
	end();
}

static void do_write(void)
{
	int fd = some_file(VEVENTQ);
	uint64_t word = 0;

	call("write queue %d", fd);
	result(write(fd, &word, below(9)));
	end();
}

/* Flags, then a virtual device id or an entry of the IOTLB, then an entry of the cache. */
static void fill_entries(uint8_t *bytes, unsigned length, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t entry[3] = {
			pct(75) ? 0 : pct(90) ? 1 : 1u << below(32),
			pct(96) ? (uint32_t)below(5) : (uint32_t)rnd(),
			pct(96) ? (uint32_t)below(4) : (uint32_t)below(9),
		};

		memcpy(bytes + i * length, entry, length < sizeof(entry) ? length : sizeof(entry));
		/* What follows must be zero. */
		if (length > sizeof(entry) && pct(10))
			bytes[i * length + sizeof(entry) + below(length - sizeof(entry))] = 1;
	}
}

static void do_invalidate(void)
{
	static uint32_t words[256];
	struct context *ctx = some_context();
	enum kind kind = pct(50) ? NESTED : VIOMMU;
	struct iommu_hwpt_invalidate c = {
		.hwpt_id = some_id(ctx, kind), .data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
		.entry_len = kind == NESTED ? 8 : 12, .entry_num = (uint32_t)below(6),
		.__reserved = pct(2),
	};

	memset(words, 0, sizeof(words));
	if (pct(15))
		c.entry_len = pct(60) ? 4 * (uint32_t)below(6)
				      : (uint32_t)below(pct(70) ? 24 : 4200);
	if (pct(3))
		c.data_type = (uint32_t)below(3);
	if (pct(3))
		c.entry_num = pct(50) ? (1u << 19) + 1 : 200000;
	if (c.entry_len * (uint64_t)c.entry_num <= sizeof(words))
		fill_entries((uint8_t *)words, c.entry_len, c.entry_num);
	call("invalidate #%u id=%u type=%x length=%u number=%u reserved=%u", ctx->number,
	     c.hwpt_id, c.data_type, c.entry_len, c.entry_num, c.__reserved);
	for (unsigned i = 0; i < 6; i++)
		say(" %x", words[i]);
	if (c.entry_len * (uint64_t)c.entry_num > sizeof(words)) {
		say(" to its end");
		c.data_uptr = (uintptr_t)page_before_guard() + PAGE - 100;
		memset((void *)(uintptr_t)c.data_uptr, 0, 100);
	} else {
		c.data_uptr = (uintptr_t)some_data(words, c.entry_len * c.entry_num);
	}
	if (pct(2))
		c.data_uptr = 0;
	ask(ctx, IOMMU_HWPT_INVALIDATE, &c, sizeof(c));
	say(" done=%u", c.entry_num);
	end();
}

static void do_check(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = { .id = some_id(ctx, IDEV) };
	uint32_t entry = (uint32_t)below(pct(90) ? 4 : 6);

	if (pct(50)) {
		c.op = IOMMU_TEST_OP_DEV_CHECK_CACHE;
		c.check_dev_cache.id = entry;
		c.check_dev_cache.cache = pct(50) ? 0 : IOMMU_TEST_DEV_CACHE_DEFAULT;
	} else {
		c.op = IOMMU_TEST_OP_MD_CHECK_IOTLB;
		c.id = some_id(ctx, NESTED);
		c.check_iotlb.id = entry;
		c.check_iotlb.iotlb = pct(50) ? 0 : IOMMU_TEST_IOTLB_DEFAULT;
	}
	call("check op=%u #%u id=%u entry=%u value=%x", c.op, ctx->number, c.id, entry,
	     c.check_iotlb.iotlb);
	ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c));
	end();
}

/* Nothing may exist when it is set, not even what is left of a virtual device. */
static void do_option(void)
{
	struct context *ctx = some_context();
	struct iommu_option c = {
		.option_id = IOMMU_OPTION_RLIMIT_MODE, .op = (uint16_t)below(2), .val64 = below(3),
		.object_id = pct(10),
	};

	call("rlimit_mode #%u op=%u object=%u value=%u", ctx->number, c.op, c.object_id,
	     (unsigned)c.val64);
	ask(ctx, IOMMU_OPTION, &c, sizeof(c));
	say(" value=%u", (unsigned)c.val64);
	end();
}

static int start(void)
{
	taste = (struct taste){
		.fault = 10, .pasid = 20, .on_viommu = 80, .to_nested = 90, .max_viommus = 2,
	};
	return mock_start();
}

static const struct operation operations[] = {
	{ mock_grow, 20 }, { mock_ioas, 1 }, { mock_device, 4 }, { mock_hwpt, 5 },
	{ mock_nested, 10 }, { mock_fault, 1 }, { mock_viommu, 8 }, { mock_vdevice, 8 },
	{ mock_replace, 4 }, { mock_destroy, 10 }, { mock_reopen, 1 }, { mock_close_file, 4 },
	{ mock_file, 4 }, { do_veventq, 8 }, { mock_move, 10 }, { do_trigger, 16 },
	{ do_read, 16 }, { do_write, 1 }, { do_invalidate, 16 }, { do_check, 12 },
	{ do_option, 1 }, { 0 },
};

const struct profile profile_viommu = {
	.name = "viommu", .start = start, .operations = operations,
};
