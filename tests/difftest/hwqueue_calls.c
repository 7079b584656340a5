/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Queues that hardware reads from guest memory: where they may lie, what they forbid to the memory
 * below them, the order in which they are made and destroyed, and other users of the same memory:
 * accesses that have it pinned as well, and copies. And what a vIOMMU offers for
 * mapping, mapped at all offsets, whole, in part and twice, and unmapped in any order.
 *
 * Whether two pages of a program are neighbours in memory is not for it to know, so all pages of
 * the buffer are the same one, and no queue of two pages can be had.
 */
#include "mock.h"

#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER ((uint8_t *)0x200000000000ull)
#define BUFFER_PAGES 16
#define IOVA 0x1000000ull

struct mapping {
	volatile uint32_t *at;
	uint64_t length;
	int may_read, may_write;
};

static uint64_t offsets[8];
static unsigned nr_offsets;
static struct mapping mappings[12];
static unsigned nr_mappings;
static int read_only_fd;
static struct pool accesses, items;

static void learn_offset(struct context *ctx, uint64_t offset)
{
	(void)ctx;
	offsets[nr_offsets++ % 8] = offset;
}

static int start(void)
{
	int fd = memfd_create("page", 0);

	if (mock_start() || fd < 0 || ftruncate(fd, PAGE))
		return 1;
	for (unsigned i = 0; i < BUFFER_PAGES; i++)
		if (mmap(BUFFER + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) != BUFFER + i * PAGE)
			return 1;
	memset(BUFFER, 0, PAGE);
	close(fd);
	read_only_fd = open("/dev/iommu", O_RDONLY);
	mock_viommu_made = learn_offset;
	taste.max_viommus = 5;
	return read_only_fd < 0;
}

static uint64_t some_iova(void)
{
	return IOVA + PAGE * below(12) + (pct(95) ? 0 : PAGE / 2);
}

static void do_map(void)
{
	struct context *ctx = some_context();
	struct iommu_ioas_map c = {
		.ioas_id = some_id(ctx, IOAS), .iova = some_iova(),
		.user_va = (uintptr_t)BUFFER + PAGE * below(12), .length = PAGE * (1 + below(3)),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA,
	};

	if (pct(95))
		c.flags |= IOMMU_IOAS_MAP_READABLE;
	if (pct(70))
		c.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	if (pct(5))
		c.user_va += PAGE / 2;
	if (pct(5))
		c.length -= PAGE / 2;
	if (nr_mappings && pct(3)) {
		/* What was mapped from an iommufd is no memory to it. */
		c.user_va = (uintptr_t)mappings[0].at;
		c.length = PAGE;
	}
	call("map #%u ioas=%u flags=%x iova=%llx va=%llx length=%llx", ctx->number, c.ioas_id,
	     c.flags, (unsigned long long)c.iova,
	     (unsigned long long)(c.user_va - (uintptr_t)BUFFER < BUFFER_PAGES * PAGE
					  ? c.user_va : 0),
	     (unsigned long long)c.length);
	ask(ctx, IOMMU_IOAS_MAP, &c, sizeof(c));
	end();
}

static void do_unmap(void)
{
	struct context *ctx = some_context();
	struct iommu_ioas_unmap c = {
		.ioas_id = some_id(ctx, IOAS), .iova = some_iova(), .length = PAGE * (1 + below(3)),
	};

	if (pct(20)) {
		c.iova = pct(50) ? 0 : IOVA;
		c.length = c.iova ? PAGE * 8 : UINT64_MAX;
	}
	call("unmap #%u ioas=%u iova=%llx length=%llx", ctx->number, c.ioas_id,
	     (unsigned long long)c.iova, (unsigned long long)c.length);
	ask(ctx, IOMMU_IOAS_UNMAP, &c, sizeof(c));
	say(" length=%llx", (unsigned long long)c.length);
	end();
}

static void do_copy(void)
{
	struct context *ctx = some_context();
	struct iommu_ioas_copy c = {
		.dst_ioas_id = some_id(ctx, IOAS), .src_ioas_id = some_id(ctx, IOAS),
		.dst_iova = some_iova(), .src_iova = some_iova(), .length = PAGE,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
	};

	call("copy #%u dst=%u src=%u dst_iova=%llx src_iova=%llx", ctx->number, c.dst_ioas_id,
	     c.src_ioas_id, (unsigned long long)c.dst_iova, (unsigned long long)c.src_iova);
	ask(ctx, IOMMU_IOAS_COPY, &c, sizeof(c));
	end();
}

static void do_access(void)
{
	struct context *ctx = some_context();
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_CREATE_ACCESS, .id = some_id(ctx, IOAS),
		.create_access.flags = pct(90) ? MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES : 0,
	};

	if (accesses.n == 3)
		return;
	call("access #%u ioas=%u flags=%x", ctx->number, c.id, c.create_access.flags);
	if (!ask(ctx, IOMMU_TEST_CMD, &c, sizeof(c)))
		pool_add(&accesses, (int)c.create_access.out_access_fd);
	say(" fd=%d", (int)c.create_access.out_access_fd);
	end();
}

static void do_pin(void)
{
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_ACCESS_PAGES, .id = (uint32_t)pool_pick(&accesses),
		.access_pages = {
			.flags = pct(30) ? MOCK_FLAGS_ACCESS_WRITE : 0, .iova = some_iova(),
			.length = PAGE * (1 + below(2)),
		},
	};

	call("pin fd=%d flags=%x iova=%llx length=%llx", (int)c.id, c.access_pages.flags,
	     (unsigned long long)c.access_pages.iova, (unsigned long long)c.access_pages.length);
	if (!ask(&contexts[0], IOMMU_TEST_CMD, &c, sizeof(c)))
		pool_add(&items, (int)c.access_pages.out_access_pages_id);
	say(" item=%u", c.access_pages.out_access_pages_id);
	end();
}

static void do_unpin(void)
{
	struct iommu_test_cmd c = {
		.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES, .id = (uint32_t)pool_pick(&accesses),
		.destroy_access_pages.access_pages_id = (uint32_t)pool_pick(&items),
	};
	int item = (int)c.destroy_access_pages.access_pages_id;

	if (pct(30)) {
		call("close access %d", (int)c.id);
		result(close((int)c.id));
		pool_remove(&accesses, (int)c.id);
	} else {
		call("unpin fd=%d item=%d", (int)c.id, item);
		ask(&contexts[0], IOMMU_TEST_CMD, &c, sizeof(c));
		pool_remove(&items, item);
	}
	end();
}

/* The alignment says whether a queue has its pages pinned. */
static void do_ranges(void)
{
	struct context *ctx = some_context();
	struct iommu_ioas_iova_ranges c = { .ioas_id = some_id(ctx, IOAS) };

	call("iova_ranges #%u ioas=%u", ctx->number, c.ioas_id);
	ask(ctx, IOMMU_IOAS_IOVA_RANGES, &c, sizeof(c));
	say(" number=%u alignment=%llx", c.num_iovas, (unsigned long long)c.out_iova_alignment);
	end();
}

/* What no memory can hold, but nothing that some machines can. */
static uint64_t absurd_length(void)
{
	switch (below(4)) {
	case 0:
		return 0;
	case 1:
		return 1ull << (40 + below(24));
	case 2:
		return UINT64_MAX - below(3 * PAGE);
	default:
		return UINT64_MAX - IOVA - PAGE * below(16);
	}
}

static void do_queue(void)
{
	struct context *ctx = some_context();
	struct iommu_hw_queue_alloc c = {
		.flags = pct(2), .viommu_id = some_id(ctx, VIOMMU),
		.type = pct(96) ? IOMMU_HW_QUEUE_TYPE_SELFTEST : (uint32_t)below(3),
		.index = pct(96) ? (uint32_t)below(2) : (uint32_t)below(4),
		.nesting_parent_iova = some_iova(), .length = PAGE,
	};

	if (ctx->ids[HW_QUEUE].n >= 8)
		return;
	if (pct(50)) {
		c.nesting_parent_iova += below(PAGE / 2);
		c.length = 1 + below(pct(80) ? PAGE / 2 : PAGE * 2);
	}
	if (pct(8))
		c.length = absurd_length();
	if (pct(2))
		c.nesting_parent_iova = UINT64_MAX - below(2 * PAGE);
	call("hw_queue #%u flags=%x viommu=%u type=%x index=%u iova=%llx length=%llx", ctx->number,
	     c.flags, c.viommu_id, c.type, c.index, (unsigned long long)c.nesting_parent_iova,
	     (unsigned long long)c.length);
	if (!ask(ctx, IOMMU_HW_QUEUE_ALLOC, &c, sizeof(c)))
		learn_id(ctx, HW_QUEUE, c.out_hw_queue_id);
	say(" id=%u", c.out_hw_queue_id);
	end();
}

static void do_destroy(void)
{
	struct context *ctx = some_context();
	struct iommu_destroy c = { .id = some_id(ctx, pct(70) ? HW_QUEUE : VIOMMU) };
	uint32_t id = c.id;

	if (has_pasids(ctx, id))
		return;
	call("destroy #%u id=%u", ctx->number, id);
	if (!ask(ctx, IOMMU_DESTROY, &c, sizeof(c)))
		forget_id(ctx, id);
	end();
}

static uint64_t some_offset(void)
{
	uint64_t offset = nr_offsets ? offsets[below(nr_offsets < 8 ? nr_offsets : 8)] : PAGE;

	switch (below(24)) {
	case 0:
		return offset + PAGE;
	case 1:
		return offset - PAGE;
	case 2:
		return offset + 1 + below(PAGE - 1);
	case 3:
		return PAGE * below(12);
	case 4:
		return offset | 1ull << (16 + below(48));
	case 5:
		return (uint64_t)0 - PAGE * below(5);
	default:
		return offset;
	}
}

static uint64_t some_length(void)
{
	switch (below(20)) {
	case 0:
		return PAGE * below(5);
	case 1:
		return 2 * PAGE - below(PAGE);
	case 2:
		return below(4 * PAGE);
	case 3:
		return pct(50) ? 0 : UINT64_MAX - below(2 * PAGE);
	default:
		return 2 * PAGE;
	}
}

static int some_mmap_fd(void)
{
	switch (below(30)) {
	case 0:
		return read_only_fd;
	case 1:
		return pool_pick(&fault_files);
	case 2:
		return 900;
	default:
		return contexts[pct(90) ? 0 : 1].fd;
	}
}

static void do_mmap(void)
{
	uint64_t offset = some_offset(), length = some_length();
	int fd = some_mmap_fd(), flags = MAP_SHARED;
	int prot = pct(80) ? PROT_READ | PROT_WRITE : (int)below(4);
	void *at;

	if (nr_mappings == 12)
		return;
	if (pct(5))
		flags = (int)below(4);
	if (flags != MAP_PRIVATE && pct(3))
		prot |= PROT_EXEC;
	call("mmap %d offset=%llx length=%llx prot=%x flags=%x", fd, (unsigned long long)offset,
	     (unsigned long long)length, prot, flags);
	at = mmap(NULL, length, prot, flags, fd, (off_t)offset);
	result(at == MAP_FAILED ? -1 : 0);
	if (at != MAP_FAILED) {
		mappings[nr_mappings++] = (struct mapping){
			at, (length + PAGE - 1) & ~(PAGE - 1), prot & PROT_READ, prot & PROT_WRITE,
		};
		if (prot & PROT_READ)
			say(" %x %x", *mappings[nr_mappings - 1].at,
			    mappings[nr_mappings - 1].at[PAGE / 4]);
	}
	end();
}

/* Whole, or its first or last page. */
static void do_munmap(void)
{
	unsigned i = (unsigned)below(nr_mappings), part = pct(60) ? 0 : 1 + (unsigned)below(2);
	struct mapping *map = &mappings[i];
	uint64_t from = 0, length;

	if (!nr_mappings)
		return;
	length = part ? PAGE : map->length;
	if (part == 2)
		from = map->length - PAGE;
	call("munmap #%u %llx %llx", i, (unsigned long long)from, (unsigned long long)length);
	result(munmap((char *)map->at + from, length));
	map->length -= length;
	if (!from)
		map->at += length / 4;
	if (!map->length)
		*map = mappings[--nr_mappings];
	end();
}

static void do_protect(void)
{
	unsigned i = (unsigned)below(nr_mappings);
	int prot = (int)below(pct(90) ? 4 : 8);

	if (!nr_mappings)
		return;
	call("mprotect #%u prot=%x", i, prot);
	if (!result(mprotect((void *)mappings[i].at, mappings[i].length, prot))) {
		mappings[i].may_read = prot & PROT_READ;
		mappings[i].may_write = prot & PROT_WRITE;
	}
	end();
}

/* All mappings of one region show the same. */
static void do_look(void)
{
	unsigned i = (unsigned)below(nr_mappings);

	if (!nr_mappings || !mappings[i].may_read)
		return;
	call("look #%u", i);
	say(" = %x", *mappings[i].at);
	if (mappings[i].may_write && pct(50)) {
		*mappings[i].at += 1;
		say(" now %x", *mappings[i].at);
	}
	end();
}

static const struct operation operations[] = {
	{ mock_grow, 20 }, { mock_ioas, 1 }, { mock_device, 4 }, { mock_hwpt, 6 },
	{ mock_nested, 2 }, { mock_fault, 1 }, { mock_viommu, 12 }, { mock_vdevice, 1 },
	{ mock_replace, 3 }, { mock_destroy, 6 }, { mock_reopen, 1 }, { mock_close_file, 1 },
	{ do_map, 20 }, { do_unmap, 8 }, { do_copy, 4 }, { do_access, 3 }, { do_pin, 5 },
	{ do_unpin, 4 }, { do_ranges, 4 }, { do_queue, 30 }, { do_destroy, 12 }, { do_mmap, 18 },
	{ do_munmap, 8 }, { do_protect, 3 }, { do_look, 6 }, { 0 },
};

const struct profile profile_hwqueue = {
	.name = "hwqueue", .start = start, .operations = operations,
};
