/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * I/O address spaces without a domain: ids, ranges, fixed and automatic placement, files, copies,
 * unmaps, options, destruction, in two contexts at a time.
 *
 * Nothing is pinned as long as no device is attached, so that a kernel without an IOMMU answers
 * everything here.
 */
#include "difftest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER ((uint8_t *)0x200000000000ull)
#define BUFFER_PAGES 2048ull

struct map {
	int context;
	uint32_t ioas;
	uint64_t iova, length;
};

static int contexts[2], files[4];
static struct pool ids[2];
static struct map maps[128];
static unsigned nr_maps;

static int start(void)
{
	for (unsigned i = 0; i < 2; i++)
		contexts[i] = open("/dev/iommu", O_RDWR);
	files[0] = memfd_create("small", MFD_ALLOW_SEALING);
	files[1] = memfd_create("large", MFD_ALLOW_SEALING);
	if (contexts[1] < 0 || files[1] < 0 || pipe(files + 2))
		return 1;
	if (ftruncate(files[0], 16 * PAGE) || ftruncate(files[1], 1024 * PAGE))
		return 1;
	return mmap(BUFFER, BUFFER_PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != BUFFER;
}

static int some_context(void)
{
	return pct(85) ? 0 : 1;
}

static uint32_t some_id(int context)
{
	int id = pct(95) ? pool_pick(&ids[context]) : (int)below(40);

	return id < 0 ? 0 : (uint32_t)id;
}

static uint64_t random_length(void)
{
	switch (below(10)) {
	case 0:
		return pct(20) ? 0 : PAGE;
	case 1:
		return pct(30) ? below(5 * PAGE) : PAGE * 2;
	case 2:
		return 1ull << (12 + below(12));
	case 3:
		return pct(20) ? 1ull << (30 + below(34)) : PAGE * 3;
	case 4:
		return pct(20) ? rnd() : PAGE * 512;
	case 5:
		return pct(20) ? UINT64_MAX - PAGE * below(3) - below(2) : PAGE * 16;
	default:
		return PAGE * (1 + below(64));
	}
}

static uint64_t random_iova(void)
{
	switch (below(10)) {
	case 0:
		return pct(30) ? rnd() : PAGE * below(1 << 20);
	case 1:
		return pct(30) ? UINT64_MAX - PAGE * below(16) + 1 : 0;
	case 2:
		return below(1 << 24);
	case 3:
		return below(64) << 21;
	default:
		return 0x100000 + PAGE * below(1024);
	}
}

static unsigned random_map_flags(void)
{
	unsigned flags = 0;

	if (pct(97))
		flags |= IOMMU_IOAS_MAP_READABLE;
	if (pct(80))
		flags |= IOMMU_IOAS_MAP_WRITEABLE;
	if (pct(55))
		flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	if (pct(2))
		flags |= 1u << (3 + below(29));
	/* Bit 16 is a flag of kernels with CONFIG_IOMMUFD_TEST. */
	return flags & 0x10000 ? flags ^ 0x30000 : flags;
}

static void remember(int context, uint32_t ioas, uint64_t iova, uint64_t length)
{
	struct map *map = nr_maps < 128 ? &maps[nr_maps++] : &maps[below(128)];

	*map = (struct map){ context, ioas, iova, length };
}

static const struct map *some_map(void)
{
	return nr_maps ? &maps[below(nr_maps)] : NULL;
}

static void do_alloc(void)
{
	struct iommu_ioas_alloc c = { .size = sizeof(c), .flags = pct(4) ? 1u << below(32) : 0 };
	int context = some_context();

	if (pool_is_full(&ids[context]))
		return;
	call("ioas_alloc #%d flags=%x", context, c.flags);
	if (!result(ioctl(contexts[context], IOMMU_IOAS_ALLOC, &c)))
		pool_add(&ids[context], (int)c.out_ioas_id);
	say(" id=%u", c.out_ioas_id);
	end();
}

static void do_destroy(void)
{
	int context = some_context();
	struct iommu_destroy c = { .size = sizeof(c), .id = some_id(context) };

	if (pct(50))
		return;
	call("destroy #%d id=%u", context, c.id);
	if (!result(ioctl(contexts[context], IOMMU_DESTROY, &c)))
		pool_remove(&ids[context], (int)c.id);
	end();
}

static void do_map(void)
{
	int context = some_context();
	struct iommu_ioas_map c = {
		.size = sizeof(c), .flags = random_map_flags(), .ioas_id = some_id(context),
		.length = random_length(), .iova = random_iova(),
	};
	uint64_t length = c.length;

	c.user_va = (uintptr_t)BUFFER + (pct(80) ? PAGE * below(BUFFER_PAGES)
						   : below(BUFFER_PAGES * PAGE));
	if (pct(5))
		c.user_va = pct(50) ? rnd() : UINT64_MAX - below(3 * PAGE);
	if (pct(1))
		c.__reserved = 1;
	call("map #%d ioas=%u flags=%x reserved=%u va=%llx length=%llx iova=%llx", context,
	     c.ioas_id, c.flags, c.__reserved, (unsigned long long)c.user_va,
	     (unsigned long long)c.length, (unsigned long long)c.iova);
	if (!result(ioctl(contexts[context], IOMMU_IOAS_MAP, &c)))
		remember(context, c.ioas_id, c.iova, length);
	say(" iova=%llx", (unsigned long long)c.iova);
	end();
}

static void do_map_file(void)
{
	int context = some_context(), which = (int)below(pct(80) ? 2 : 6);
	struct iommu_ioas_map_file c = {
		.size = sizeof(c), .flags = random_map_flags(), .ioas_id = some_id(context),
		.length = random_length(), .iova = random_iova(),
		.start = pct(80) ? PAGE * below(1100) : below(1100 * PAGE),
	};

	c.fd = which < 4 ? files[which] : which == 4 ? -1 : contexts[1];
	if (pct(4))
		c.start = pct(50) ? rnd() : UINT64_MAX - below(3 * PAGE);
	call("map_file #%d ioas=%u flags=%x fd=%d start=%llx length=%llx iova=%llx", context,
	     c.ioas_id, c.flags, c.fd, (unsigned long long)c.start, (unsigned long long)c.length,
	     (unsigned long long)c.iova);
	if (!result(ioctl(contexts[context], IOMMU_IOAS_MAP_FILE, &c)))
		remember(context, c.ioas_id, c.iova, c.length);
	say(" iova=%llx", (unsigned long long)c.iova);
	end();
}

static void do_copy(void)
{
	const struct map *map = pct(90) ? some_map() : NULL;
	int context = map ? map->context : some_context();
	struct iommu_ioas_copy c = {
		.size = sizeof(c), .flags = random_map_flags(), .dst_ioas_id = some_id(context),
		.src_ioas_id = map ? map->ioas : some_id(context),
		.length = map ? map->length : random_length(),
		.dst_iova = random_iova(), .src_iova = map ? map->iova : random_iova(),
	};

	if (map && pct(30)) {
		c.src_iova += PAGE * below(map->length / PAGE);
		c.length = pct(70) ? map->iova + map->length - c.src_iova : random_length();
	}
	if (pct(5))
		c.length += below(2 * PAGE);
	call("copy #%d dst=%u src=%u flags=%x length=%llx dst_iova=%llx src_iova=%llx", context,
	     c.dst_ioas_id, c.src_ioas_id, c.flags, (unsigned long long)c.length,
	     (unsigned long long)c.dst_iova, (unsigned long long)c.src_iova);
	if (!result(ioctl(contexts[context], IOMMU_IOAS_COPY, &c)))
		remember(context, c.dst_ioas_id, c.dst_iova, c.length);
	say(" iova=%llx", (unsigned long long)c.dst_iova);
	end();
}

static void do_unmap(void)
{
	const struct map *map = pct(90) ? some_map() : NULL;
	int context = map ? map->context : some_context();
	struct iommu_ioas_unmap c = {
		.size = sizeof(c), .ioas_id = map ? map->ioas : some_id(context),
		.iova = map ? map->iova : random_iova(),
		.length = map ? map->length : random_length(),
	};

	switch (below(20)) {
	case 0:
		c.iova += PAGE;
		break;
	case 1:
		c.length += PAGE * below(100);
		break;
	case 2:
		c.iova -= PAGE * below(100);
		c.length += PAGE * below(200);
		break;
	case 3:
		if (pct(20)) {
			c.iova = 0;
			c.length = UINT64_MAX;
		}
		break;
	case 4:
		c.length = pct(50) ? random_length() : 0;
		break;
	default:
		break;
	}
	call("unmap #%d ioas=%u iova=%llx length=%llx", context, c.ioas_id,
	     (unsigned long long)c.iova, (unsigned long long)c.length);
	result(ioctl(contexts[context], IOMMU_IOAS_UNMAP, &c));
	say(" length=%llx", (unsigned long long)c.length);
	end();
}

static void do_ranges(void)
{
	struct iommu_iova_range ranges[8];
	int context = some_context();
	struct iommu_ioas_iova_ranges c = {
		.size = sizeof(c), .ioas_id = some_id(context), .num_iovas = (uint32_t)below(9),
		.__reserved = pct(2), .allowed_iovas = (uintptr_t)(pct(96) ? ranges : NOWHERE),
	};

	memset(ranges, 0xab, sizeof(ranges));
	call("iova_ranges #%d ioas=%u num=%u reserved=%u", context, c.ioas_id, c.num_iovas,
	     c.__reserved);
	result(ioctl(contexts[context], IOMMU_IOAS_IOVA_RANGES, &c));
	say(" num=%u align=%llx", c.num_iovas, (unsigned long long)c.out_iova_alignment);
	for (unsigned i = 0; i < 8; i++)
		say(" %llx-%llx", (unsigned long long)ranges[i].start,
		    (unsigned long long)ranges[i].last);
	end();
}

static void do_allow(void)
{
	struct iommu_iova_range ranges[4];
	int context = some_context();
	struct iommu_ioas_allow_iovas c = {
		.size = sizeof(c), .ioas_id = some_id(context),
		.num_iovas = pct(30) ? 0 : (uint32_t)below(5), .__reserved = pct(2),
		.allowed_iovas = (uintptr_t)(pct(96) ? ranges : NOWHERE),
	};

	call("allow_iovas #%d ioas=%u reserved=%u", context, c.ioas_id, c.__reserved);
	for (unsigned i = 0; i < 4; i++) {
		ranges[i].start = random_iova();
		ranges[i].last = ranges[i].start + random_length() - (pct(90) ? 1 : 0);
		if (i < c.num_iovas)
			say(" %llx-%llx", (unsigned long long)ranges[i].start,
			    (unsigned long long)ranges[i].last);
	}
	result(ioctl(contexts[context], IOMMU_IOAS_ALLOW_IOVAS, &c));
	end();
}

static void do_option(void)
{
	int context = some_context();
	struct iommu_option c = {
		.size = sizeof(c), .option_id = (uint32_t)below(pct(90) ? 2 : 5),
		.op = (uint16_t)below(pct(90) ? 2 : 4), .__reserved = pct(3),
		.object_id = pct(60) ? some_id(context) : 0, .val64 = below(pct(90) ? 2 : 4),
	};

	call("option #%d id=%u op=%u reserved=%u object=%u value=%llu", context, c.option_id, c.op,
	     c.__reserved, c.object_id, (unsigned long long)c.val64);
	result(ioctl(contexts[context], IOMMU_OPTION, &c));
	say(" value=%llu", (unsigned long long)c.val64);
	end();
}

/* A context that ends takes everything in it along. */
static void do_reopen(void)
{
	if (pct(90))
		return;
	call("reopen #1");
	close(contexts[1]);
	ids[1].n = 0;
	result(contexts[1] = open("/dev/iommu", O_RDWR));
	end();
}

static const struct operation operations[] = {
	{ do_alloc, 6 }, { do_destroy, 4 }, { do_map, 30 }, { do_map_file, 16 }, { do_copy, 16 },
	{ do_unmap, 22 }, { do_ranges, 6 }, { do_allow, 3 }, { do_option, 6 }, { do_reopen, 2 },
	{ 0 },
};

const struct profile profile_ioas = { .name = "ioas", .start = start, .operations = operations };
