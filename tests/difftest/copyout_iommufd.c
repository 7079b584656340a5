/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The copyout profile's commands of /dev/iommu: IOVA spaces, page tables, dirty bits. */
#include "copyout.h"

#include <linux/iommufd.h>
#include <string.h>
#include <sys/ioctl.h>

#define FREE_IOVA 0x4000000ull          /* in scene.ioas */
#define MAP_FLAGS (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static void do_ioas_alloc(void)
{
	struct iommu_ioas_alloc c = { .size = sizeof(c) };

	call("ioas_alloc");
	if (!try_ioctl(scene.iommu, IOMMU_IOAS_ALLOC, &c, sizeof(c)))
		undo_id(c.out_ioas_id);
	probe_free();
	end();
}

static void do_destroy(void)
{
	struct iommu_destroy c = { .size = sizeof(c), .id = make_ioas() };
	uint32_t id = c.id;

	call("destroy");
	try_ioctl(scene.iommu, IOMMU_DESTROY, &c, sizeof(c));
	undo_id(id);
	end();
}

/* With reserved ranges, so that there are several usable ones. */
static void do_iova_ranges(void)
{
	static const struct iommu_iova_range zero[8];
	struct iommu_ioas_iova_ranges c = { .size = sizeof(c), .ioas_id = make_ioas(),
					    .num_iovas = (uint32_t)below(8) };
	uint32_t ioas = c.ioas_id;

	for (uint64_t i = 1; i < 5; i++) {
		struct iommu_test_cmd reserve = { .add_reserved = { i << 20, PAGE } };

		mock(IOMMU_TEST_OP_ADD_RESERVED, ioas, &reserve);
	}
	call("iova_ranges num=%u", c.num_iovas);
	c.allowed_iovas = (uintptr_t)data_at(zero, c.num_iovas * sizeof(zero[0]));
	try_ioctl(scene.iommu, IOMMU_IOAS_IOVA_RANGES, &c, sizeof(c));
	data_done();
	undo_id(ioas);
	end();
}

/* What is allowed is seen by where a map goes. */
static void do_allow_iovas(void)
{
	static const struct iommu_iova_range ranges[] = {
		{ 0x100000, 0x1fffff }, { 0x300000, 0x3fffff }, { 0x80000, 0x8ffff },
	};
	struct iommu_ioas_allow_iovas c = { .size = sizeof(c), .ioas_id = make_ioas(),
					    .num_iovas = (uint32_t)below(4) };
	struct iommu_ioas_map map = { .size = sizeof(map), .ioas_id = c.ioas_id,
				      .flags = MAP_FLAGS, .length = PAGE,
				      .user_va = (uintptr_t)BUFFER };

	call("allow_iovas num=%u", c.num_iovas);
	c.allowed_iovas = (uintptr_t)data_at(ranges, c.num_iovas * sizeof(ranges[0]));
	try_ioctl(scene.iommu, IOMMU_IOAS_ALLOW_IOVAS, &c, sizeof(c));
	data_done();
	ioctl(scene.iommu, IOMMU_IOAS_MAP, &map);
	say(" map=%llx", (unsigned long long)map.iova);
	undo_id(map.ioas_id);
	end();
}

/* At a fixed address where devices see it, or anywhere in an IOVA space without devices. */
static uint32_t some_ioas(uint32_t *flags, uint64_t *iova)
{
	*flags = MAP_FLAGS;
	if (pct(50))
		return make_ioas();
	*flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	*iova = FREE_IOVA;
	return scene.ioas;
}

static void undo_some_ioas(uint32_t ioas)
{
	if (ioas == scene.ioas) {
		undo_maps(ioas, FREE_IOVA, BUFFER_PAGES * PAGE);
		return;
	}
	undo_maps(ioas, 0, UINT64_MAX);
	undo_id(ioas);
}

static void do_map(void)
{
	struct iommu_ioas_map c = { .size = sizeof(c), .user_va = (uintptr_t)BUFFER,
				    .length = PAGE * (1 + below(8)) };
	uint64_t iova = 0;
	uint32_t ioas = some_ioas(&c.flags, &iova);

	c.ioas_id = ioas;
	c.iova = iova;
	call("map ioas=%u", ioas);
	try_ioctl(scene.iommu, IOMMU_IOAS_MAP, &c, sizeof(c));
	undo_some_ioas(ioas);
	end();
}

static void do_map_file(void)
{
	struct iommu_ioas_map_file c = { .size = sizeof(c), .fd = scene.memory_file,
					 .length = PAGE * (1 + below(8)) };
	uint64_t iova = 0;
	uint32_t ioas = some_ioas(&c.flags, &iova);

	c.ioas_id = ioas;
	c.iova = iova;
	call("map_file ioas=%u", ioas);
	try_ioctl(scene.iommu, IOMMU_IOAS_MAP_FILE, &c, sizeof(c));
	undo_some_ioas(ioas);
	end();
}

static void do_copy(void)
{
	struct iommu_ioas_copy c = { .size = sizeof(c), .src_ioas_id = scene.ioas,
				     .src_iova = MAPPED + PAGE, .length = PAGE * (1 + below(8)) };
	uint64_t iova = 0;
	uint32_t ioas = some_ioas(&c.flags, &iova);

	c.dst_ioas_id = ioas;
	c.dst_iova = iova;
	call("copy dst=%u", ioas);
	try_ioctl(scene.iommu, IOMMU_IOAS_COPY, &c, sizeof(c));
	undo_some_ioas(ioas);
	end();
}

/* One page or several: up to here, or up to within the last one. */
static void do_unmap(void)
{
	struct iommu_ioas_unmap c = { .size = sizeof(c), .ioas_id = scene.ioas,
				      .iova = SINGLE_PAGES + 2 * PAGE * (1 + below(3)),
				      .length = pct(70) ? PAGE * (1 + below(6)) : 5 * PAGE / 2 };
	struct iommu_ioas_map map = { .size = sizeof(map), .ioas_id = scene.ioas,
				      .flags = MAP_FLAGS | IOMMU_IOAS_MAP_FIXED_IOVA,
				      .length = PAGE };

	call("unmap %llx %llx", (unsigned long long)c.iova, (unsigned long long)c.length);
	try_ioctl(scene.iommu, IOMMU_IOAS_UNMAP, &c, sizeof(c));
	for (unsigned i = 1; i < NR_SINGLE_PAGES; i++) {
		map.iova = SINGLE_PAGES + 2 * PAGE * i;
		map.user_va = (uintptr_t)BUFFER + PAGE * i;
		if (!ioctl(scene.iommu, IOMMU_IOAS_MAP, &map))
			say(" %u was gone", i);
	}
	end();
}

static void do_option(void)
{
	uint32_t ioas = make_ioas();
	struct iommu_option c = { .size = sizeof(c), .option_id = (uint32_t)below(2),
				  .op = (uint16_t)below(2), .val64 = below(2) };
	struct iommu_option get = { .size = sizeof(get), .option_id = IOMMU_OPTION_HUGE_PAGES,
				    .op = IOMMU_OPTION_OP_GET, .object_id = ioas };

	if (c.option_id == IOMMU_OPTION_HUGE_PAGES)
		c.object_id = ioas;
	call("option id=%u op=%u value=%llu", c.option_id, c.op, (unsigned long long)c.val64);
	try_ioctl(scene.iommu, IOMMU_OPTION, &c, sizeof(c));
	ioctl(scene.iommu, IOMMU_OPTION, &get);
	say(" huge=%llu", (unsigned long long)get.val64);
	undo_id(ioas);
	end();
}

static void do_vfio_ioas(void)
{
	struct iommu_vfio_ioas get = { .size = sizeof(get), .op = IOMMU_VFIO_IOAS_GET }, c, set;

	ioctl(scene.vfio, IOMMU_VFIO_IOAS, &get);
	set = get;
	set.op = IOMMU_VFIO_IOAS_SET;
	c = get;
	c.op = (uint16_t)below(3);
	if (c.op == IOMMU_VFIO_IOAS_GET)
		c.ioas_id = 0;
	call("vfio_ioas op=%u", c.op);
	try_ioctl(scene.vfio, IOMMU_VFIO_IOAS, &c, sizeof(c));
	say(" then");
	result(ioctl(scene.vfio, IOMMU_VFIO_IOAS, &get));
	ioctl(scene.vfio, IOMMU_VFIO_IOAS, &set);
	end();
}

static void do_hwpt_alloc(void)
{
	struct iommu_hwpt_selftest own = { .iotlb = 9 };
	struct iommu_hwpt_alloc c = { .size = sizeof(c), .dev_id = scene.idev,
				      .pt_id = scene.ioas };

	call("hwpt_alloc");
	if (pct(60)) {
		c.pt_id = pct(50) ? scene.parent : scene.viommu;
		c.data_type = IOMMU_HWPT_DATA_SELFTEST;
		c.data_len = pct(80) ? sizeof(own) : (uint32_t)below(20);
	}
	if (pct(30)) {
		c.flags = IOMMU_HWPT_FAULT_ID_VALID;
		c.fault_id = pct(80) ? scene.fault : 77;
	}
	say(" pt=%u flags=%x len=%u", c.pt_id, c.flags, c.data_len);
	c.data_uptr = (uintptr_t)data_at(&own, sizeof(own));
	if (!try_ioctl(scene.iommu, IOMMU_HWPT_ALLOC, &c, sizeof(c)))
		undo_id(c.out_hwpt_id);
	data_done();
	probe_free();
	end();
}

static void do_hw_info(void)
{
	static const uint8_t filled[32] = { [0 ... 31] = 0x5a };
	struct iommu_hw_info c = { .size = sizeof(c), .dev_id = scene.idev,
				   .data_len = (uint32_t)below(33) };

	call("hw_info len=%u", c.data_len);
	c.data_uptr = (uintptr_t)data_at(filled, sizeof(filled));
	try_ioctl(scene.iommu, IOMMU_GET_HW_INFO, &c, sizeof(c));
	data_done();
	end();
}

static void do_set_dirty(void)
{
	struct iommu_hwpt_set_dirty_tracking c = { .size = sizeof(c), .flags = (uint32_t)below(2),
						   .hwpt_id = scene.dirty };

	call("set_dirty %u", c.flags);
	try_ioctl(scene.iommu, IOMMU_HWPT_SET_DIRTY_TRACKING, &c, sizeof(c));
	end();
}

/* Of one page, which the mock driver was told is dirty. */
static void do_get_dirty(void)
{
	uint64_t bits = 3, iova = SINGLE_PAGES + 2 * PAGE * below(NR_SINGLE_PAGES);
	static const uint8_t zero[16];
	struct iommu_test_cmd set = {
		.dirty = { .iova = iova, .length = PAGE, .page_size = MOCK_PAGE_SIZE,
			   .uptr = (uintptr_t)&bits },
	};
	struct iommu_hwpt_get_dirty_bitmap c = {
		.size = sizeof(c), .hwpt_id = scene.dirty, .iova = iova, .length = PAGE,
		.page_size = pct(50) ? PAGE : MOCK_PAGE_SIZE,
		.flags = pct(50) ? IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0,
	};

	track_dirty();
	call("get_dirty %llx %llu flags=%x", (unsigned long long)iova,
	     (unsigned long long)c.page_size, c.flags);
	say(" set=%d", mock(IOMMU_TEST_OP_DIRTY, scene.dirty, &set));
	c.data = (uintptr_t)data_at(zero, sizeof(zero));
	try_ioctl(scene.iommu, IOMMU_HWPT_GET_DIRTY_BITMAP, &c, sizeof(c));
	data_done();
	end();
}

const struct operation copyout_of_iommufd[] = {
	{ do_ioas_alloc, 3 }, { do_destroy, 2 }, { do_iova_ranges, 6 }, { do_allow_iovas, 4 },
	{ do_map, 5 }, { do_map_file, 5 }, { do_copy, 5 }, { do_unmap, 5 }, { do_option, 5 },
	{ do_vfio_ioas, 4 }, { do_hwpt_alloc, 8 }, { do_hw_info, 6 }, { do_set_dirty, 2 },
	{ do_get_dirty, 4 }, { 0 },
};
