/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The calls that make and destroy what the profiles about devices work with: see mock.h.
 */
#include "mock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_IDS 4096

struct pool fault_files, veventq_files;
struct taste taste = {
	.fault = 50, .pasid = 45, .on_viommu = 50, .to_nested = 50, .max_viommus = 3,
};
void (*mock_viommu_made)(struct context *ctx, uint64_t offset);
/* Which device belongs to a mock device. */
static uint32_t idev_of[2][MAX_IDS];
/* Which file a queue has. */
static int file_of[2][MAX_IDS];

static struct pool *files_of(enum kind kind)
{
	return kind == FAULT ? &fault_files : &veventq_files;
}

int some_file(enum kind kind)
{
	const struct context *ctx = some_context();
	int id;

	if (pct(2))
		kind = pct(50) ? FAULT : VEVENTQ;
	id = pct(80) ? pool_pick(&ctx->ids[kind]) : -1;
	return id < 0 ? pool_pick(files_of(kind)) : file_of[ctx->number][id % MAX_IDS];
}

void learn_file(const struct context *ctx, enum kind kind, uint32_t id, uint32_t fd)
{
	file_of[ctx->number][id % MAX_IDS] = (int)fd;
	pool_add(files_of(kind), (int)fd);
}

void mock_ioas(void)
{
	struct context *ctx = some_context();
	struct iommu_ioas_alloc c = { .flags = pct(2) };

	if (ctx->ids[IOAS].n >= 2)
		return;
	call("ioas_alloc #%u", ctx->number);
	if (!ask(ctx, IOMMU_IOAS_ALLOC, &c, sizeof(c)))
		learn_id(ctx, IOAS, c.out_ioas_id);
	say(" id=%u", c.out_ioas_id);
	end();
}

/* What a device may be attached to. */
static uint32_t some_pt(struct context *ctx)
{
	static const enum kind kinds[] = { IOAS, IOAS, IOAS, PARENT, PARENT, PAGING, PAGING,
					   NESTED, NESTED, NESTED };

	return some_id(ctx, kinds[below(sizeof(kinds) / sizeof(kinds[0]))]);
}

void mock_device(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = pct(20) ? IOMMU_TEST_OP_MOCK_DOMAIN : IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.id = some_pt(ctx),
	};

	if (ctx->ids[STDEV].n >= 4)
		return;
	if (c.op == IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS)
		c.mock_domain_flags.dev_flags = pct(80) ? MOCK_FLAGS_DEVICE_PASID
							: (uint32_t)below(9);
	call("mock_domain #%u op=%u pt=%u flags=%x", ctx->number, c.op, c.id,
	     c.mock_domain_flags.dev_flags);
	if (!ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c))) {
		say(" stdev=%u idev=%u hwpt=%u", c.mock_domain.out_stdev_id,
		    c.mock_domain.out_idev_id, c.mock_domain.out_hwpt_id);
		learn_id(ctx, STDEV, c.mock_domain.out_stdev_id);
		learn_id(ctx, IDEV, c.mock_domain.out_idev_id);
		if (c.mock_domain.out_hwpt_id != c.id)
			learn_id(ctx, PAGING, c.mock_domain.out_hwpt_id);
		idev_of[ctx->number][c.mock_domain.out_stdev_id % MAX_IDS] =
			c.mock_domain.out_idev_id;
	}
	end();
}

void mock_replace(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, .id = some_id(ctx, STDEV),
		.mock_domain_replace.pt_id = some_pt(ctx),
	};
	uint32_t pt = c.mock_domain_replace.pt_id;

	call("replace #%u stdev=%u pt=%u", ctx->number, c.id, pt);
	if (!ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c)) && c.mock_domain_replace.pt_id != pt)
		learn_id(ctx, PAGING, c.mock_domain_replace.pt_id);
	say(" hwpt=%u", c.mock_domain_replace.pt_id);
	end();
}

void mock_move(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, .id = some_id(ctx, STDEV),
		.mock_domain_replace.pt_id = some_id(ctx, pct(taste.to_nested) ? NESTED : PAGING),
	};

	call("move #%u stdev=%u pt=%u", ctx->number, c.id, c.mock_domain_replace.pt_id);
	ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c));
	end();
}

/* On an IOAS, mostly. */
void mock_hwpt(void)
{
	struct context *ctx = some_context();
	struct iommu_hwpt_selftest data = { .iotlb = 1, .pagetable_type = (uint32_t)below(3) };
	struct iommu_hwpt_alloc c = {
		.dev_id = some_id(ctx, IDEV), .pt_id = some_id(ctx, pct(95) ? IOAS : PARENT),
		.fault_id = some_id(ctx, FAULT), .__reserved2 = pct(5), .__reserved = pct(2),
	};

	if (pct(taste.pasid))
		c.flags |= IOMMU_HWPT_ALLOC_PASID;
	if (pct(40))
		c.flags |= IOMMU_HWPT_ALLOC_NEST_PARENT;
	else if (pct(taste.fault))
		c.flags |= IOMMU_HWPT_FAULT_ID_VALID;
	if (pct(4))
		c.flags ^= 1u << below(8);
	if (ctx->ids[c.flags & IOMMU_HWPT_ALLOC_NEST_PARENT ? PARENT : PAGING].n >= 6)
		return;
	call("hwpt #%u dev=%u pt=%u flags=%x fault=%u reserved=%u,%u", ctx->number, c.dev_id,
	     c.pt_id, c.flags, c.fault_id, c.__reserved, c.__reserved2);
	if (pct(10)) {
		c.data_type = pct(90) ? IOMMU_HWPT_DATA_SELFTEST : 1;
		c.data_len = (uint32_t)(pct(70) ? sizeof(data) : below(12));
		say(" type=%x data=%u %u", c.data_type, c.data_len, data.pagetable_type);
		c.data_uptr = (uintptr_t)some_data(&data, sizeof(data));
	}
	if (!ask(ctx, IOMMU_HWPT_ALLOC, &c, sizeof(c)))
		learn_id(ctx, c.flags & IOMMU_HWPT_ALLOC_NEST_PARENT ? PARENT : PAGING,
			 c.out_hwpt_id);
	say(" id=%u", c.out_hwpt_id);
	end();
}

/* On a nesting parent or a vIOMMU. */
void mock_nested(void)
{
	struct context *ctx = some_context();
	struct {
		struct iommu_hwpt_selftest data;
		uint32_t more;
	} d = { .data.iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc c = {
		.dev_id = some_id(ctx, IDEV),
		.pt_id = some_id(ctx, pct(taste.on_viommu) ? VIOMMU : PARENT),
		.fault_id = some_id(ctx, FAULT), .data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = pct(90) ? sizeof(d.data) : (uint32_t)below(14),
	};

	if (ctx->ids[NESTED].n >= 10)
		return;
	d.more = pct(30);
	if (pct(taste.pasid))
		c.flags |= IOMMU_HWPT_ALLOC_PASID;
	if (pct(taste.fault))
		c.flags |= IOMMU_HWPT_FAULT_ID_VALID;
	if (pct(4))
		c.flags ^= 1u << below(8);
	if (pct(4))
		c.data_type = (uint32_t)below(2);
	call("nested #%u dev=%u pt=%u flags=%x fault=%u type=%x data=%u,%u", ctx->number, c.dev_id,
	     c.pt_id, c.flags, c.fault_id, c.data_type, c.data_len, d.more);
	c.data_uptr = (uintptr_t)some_data(&d, sizeof(d));
	if (!ask(ctx, IOMMU_HWPT_ALLOC, &c, sizeof(c)))
		learn_id(ctx, NESTED, c.out_hwpt_id);
	say(" id=%u", c.out_hwpt_id);
	end();
}

void mock_fault(void)
{
	struct context *ctx = some_context();
	struct iommu_fault_alloc c = { .flags = pct(4) ? 1u << below(32) : 0 };

	if (ctx->ids[FAULT].n >= 3 || pool_is_full(&fault_files))
		return;
	call("fault_queue #%u flags=%x", ctx->number, c.flags);
	if (!ask(ctx, IOMMU_FAULT_QUEUE_ALLOC, &c, sizeof(c))) {
		learn_id(ctx, FAULT, c.out_fault_id);
		learn_file(ctx, FAULT, c.out_fault_id, c.out_fault_fd);
	}
	say(" id=%u fd=%u", c.out_fault_id, c.out_fault_fd);
	end();
}

void mock_viommu(void)
{
	struct context *ctx = some_context();
	struct iommu_viommu_selftest data[2] = { { .in_data = (uint32_t)rnd() } };
	struct iommu_viommu_alloc c = {
		.flags = pct(2), .type = pct(95) ? IOMMU_VIOMMU_TYPE_SELFTEST : (uint32_t)below(4),
		.dev_id = some_id(ctx, IDEV), .hwpt_id = some_id(ctx, PARENT),
		.__reserved = pct(5),
	};
	long rc;

	if (ctx->ids[VIOMMU].n >= taste.max_viommus)
		return;
	call("viommu #%u flags=%x type=%x dev=%u hwpt=%u", ctx->number, c.flags, c.type, c.dev_id,
	     c.hwpt_id);
	if (pct(60)) {
		c.data_len = pct(75) ? sizeof(data[0]) : (uint32_t)below(34);
		((uint8_t *)data)[sizeof(data[0]) + below(12)] = pct(20);
		say(" in=%x data=%u", data[0].in_data, c.data_len);
		c.data_uptr = (uintptr_t)some_data(data, sizeof(data));
	}
	rc = ask(ctx, IOMMU_VIOMMU_ALLOC, &c, sizeof(c));
	if (!rc)
		learn_id(ctx, VIOMMU, c.out_viommu_id);
	if (!rc && data[0].out_mmap_offset && mock_viommu_made)
		mock_viommu_made(ctx, data[0].out_mmap_offset);
	say(" id=%u out=%x offset=%llx length=%llx", c.out_viommu_id, data[0].out_data,
	    (unsigned long long)data[0].out_mmap_offset,
	    (unsigned long long)data[0].out_mmap_length);
	end();
}

void mock_vdevice(void)
{
	struct context *ctx = some_context();
	struct iommu_vdevice_alloc c = {
		.viommu_id = some_id(ctx, VIOMMU), .dev_id = some_id(ctx, IDEV),
		.virt_id = 1 + below(4),
	};

	if (pct(15))
		c.virt_id = pct(40) ? 0 : pct(50) ? rnd() : (uint64_t)0 - below(3);
	call("vdevice #%u viommu=%u dev=%u virt=%llx", ctx->number, c.viommu_id, c.dev_id,
	     (unsigned long long)c.virt_id);
	if (!ask(ctx, IOMMU_VDEVICE_ALLOC, &c, sizeof(c)))
		learn_id(ctx, VDEVICE, c.out_vdevice_id);
	say(" id=%u", c.out_vdevice_id);
	end();
}

void mock_destroy(void)
{
	struct context *ctx = some_context();
	enum kind kind = (enum kind)below(NR_KINDS);
	struct iommu_destroy c = { .id = some_id(ctx, kind) };
	uint32_t id = c.id;

	if ((ctx->ids[kind].n < 2 && pct(70)) || has_pasids(ctx, c.id))
		return;
	call("destroy #%u id=%u", ctx->number, c.id);
	if (!ask(ctx, IOMMU_DESTROY, &c, sizeof(c))) {
		for (unsigned i = 0; i < ctx->ids[STDEV].n; i++)
			if (ctx->ids[STDEV].v[i] == (int)id)
				pool_remove(&ctx->ids[IDEV],
					    (int)idev_of[ctx->number][id % MAX_IDS]);
		forget_id(ctx, id);
	} else if (errno == ENOENT) {
		forget_id(ctx, id);
	}
	end();
}

static int is_of_a_queue(int fd, enum kind kind)
{
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < contexts[k].ids[kind].n; i++)
			if (file_of[k][contexts[k].ids[kind].v[i] % MAX_IDS] == fd)
				return 1;
	return 0;
}

/* The context goes on living as long as a file or a mapping of it does. */
void mock_reopen(void)
{
	struct context *ctx = &contexts[pct(10) ? 0 : 1];

	if (pct(60))
		return;
	for (unsigned i = 0; i < ctx->ids[STDEV].n; i++)
		if (has_pasids(ctx, (uint32_t)ctx->ids[STDEV].v[i]))
			return;
	call("reopen #%u close", ctx->number);
	result(close(ctx->fd));
	ctx->fd = (int)result(open("/dev/iommu", O_RDWR));
	memset(ctx->ids, 0, sizeof(ctx->ids));
	end();
}

void mock_close_file(void)
{
	enum kind kind = pct(50) ? FAULT : VEVENTQ;
	int fd = pool_pick(files_of(kind));

	if (fd < 0 || (is_of_a_queue(fd, kind) && pct(90)))
		return;
	call("close queue %d", fd);
	result(close(fd));
	pool_remove(files_of(kind), fd);
	end();
}

/* What a queue's file makes of the rest. */
void mock_file(void)
{
	enum kind kind = pct(50) ? FAULT : VEVENTQ;
	int fd = some_file(kind);
	struct pollfd poll_fd = { .fd = fd, .events = (short)(pct(50) ? 0x7fff : POLLIN) };
	off_t offset = (off_t)below(2);
	struct stat st = { 0 };
	char byte = 0;
	long copy;

	switch (below(14)) {
	case 0:
		call("pread queue %d", fd);
		result(pread(fd, &byte, (size_t)offset, offset));
		break;
	case 1:
		call("pwrite queue %d", fd);
		result(pwrite(fd, &byte, (size_t)offset, offset));
		break;
	case 2:
		call("lseek queue %d", fd);
		result(lseek(fd, offset, SEEK_SET));
		break;
	case 3:
		call("ioctl queue %d", fd);
		result(ioctl(fd, pct(50) ? IOMMU_IOAS_ALLOC : 0x1234, &byte));
		break;
	case 4:
		call("flags of queue %d", fd);
		result(fcntl(fd, F_GETFL));
		say(" cloexec=%d", fcntl(fd, F_GETFD));
		break;
	case 5:
		if (pool_is_full(files_of(kind)))
			return;
		call("dup queue %d", fd);
		copy = result(dup(fd));
		if (copy >= 0)
			pool_add(files_of(kind), (int)copy);
		break;
	case 6:
		call("fstat queue %d", fd);
		result(fstat(fd, &st));
		say(" mode=%o size=%llu", st.st_mode, (unsigned long long)st.st_size);
		break;
	case 7:
		call("resize queue %d", fd);
		result(pct(50) ? ftruncate(fd, 0) : fallocate(fd, 0, 0, PAGE));
		break;
	case 8:
		call("set flags of queue %d", fd);
		result(fcntl(fd, F_SETFL, pct(50) ? O_NONBLOCK : 0));
		break;
	default:
		call("poll queue %d events=%x", fd, poll_fd.events);
		result(poll(&poll_fd, 1, 0));
		say(" revents=%x", poll_fd.revents);
	}
	end();
}
