/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The copyout profile's selftest operations: those that answer, or copy data. */
#include "copyout.h"

#include <linux/iommufd.h>
#include <string.h>
#include <sys/ioctl.h>

static long ask_mock(int fd, uint32_t op, uint32_t id, struct iommu_test_cmd *c)
{
	c->size = sizeof(*c);
	c->op = op;
	c->id = id;
	return try_ioctl(fd, IOMMU_TEST_CMD, c, sizeof(*c));
}

static void do_mock_domain(void)
{
	uint32_t op = pct(50) ? IOMMU_TEST_OP_MOCK_DOMAIN : IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS;
	uint32_t pt = pct(60) ? scene.ioas : scene.parent;
	struct iommu_test_cmd c = { 0 };

	call("mock_domain op=%u pt=%u", op, pt);
	if (!ask_mock(scene.iommu, op, pt, &c))
		undo_id(c.mock_domain.out_stdev_id);
	probe_free();
	end();
}

/* What the device was left with is seen by what a check says. */
static void do_replace(void)
{
	uint32_t to[] = { scene.with_pasids[0], scene.with_pasids[1], scene.parent, scene.ioas };
	struct iommu_test_cmd c = { .mock_domain_replace.pt_id = to[below(4)] };

	call("replace %u", c.mock_domain_replace.pt_id);
	ask_mock(scene.iommu, IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, scene.second_device, &c);
	say(" has");
	for (unsigned i = 0; i < 3; i++) {
		struct iommu_test_cmd check = { .pasid_check = { 0, to[i] } };

		say(" %d", mock(IOMMU_TEST_OP_PASID_CHECK_HWPT, scene.second_device, &check));
	}
	c = (struct iommu_test_cmd){ .mock_domain_replace.pt_id = scene.with_pasids[0] };
	say(" back=%d", mock(IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, scene.second_device, &c));
	probe_free();
	end();
}

static void check_pasid(uint32_t pasid)
{
	uint32_t hwpts[] = { 0, scene.with_pasids[0], scene.with_pasids[1] };

	say(" has");
	for (unsigned i = 0; i < 3; i++) {
		struct iommu_test_cmd check = { .pasid_check = { pasid, hwpts[i] } };

		say(" %d", mock(IOMMU_TEST_OP_PASID_CHECK_HWPT, scene.second_device, &check));
	}
}

static void do_pasid(void)
{
	uint32_t pasid = 1 + (uint32_t)below(3);
	struct iommu_test_cmd c = { .pasid_attach = { pasid, scene.with_pasids[below(2)] } };

	call("pasid_attach %u %u", pasid, c.pasid_attach.pt_id);
	if (ask_mock(scene.iommu, IOMMU_TEST_OP_PASID_ATTACH, scene.second_device, &c)) {
		check_pasid(pasid);
		c = (struct iommu_test_cmd){ .pasid_attach = { pasid, scene.with_pasids[1] } };
		say(" attach=%d",
		    mock(IOMMU_TEST_OP_PASID_ATTACH, scene.second_device, &c));
	}
	c = (struct iommu_test_cmd){ .pasid_replace = { pasid, scene.with_pasids[below(2)] } };
	say(" replace %u", c.pasid_replace.pt_id);
	ask_mock(scene.iommu, IOMMU_TEST_OP_PASID_REPLACE, scene.second_device, &c);
	check_pasid(pasid);
	c = (struct iommu_test_cmd){ .pasid_detach.pasid = pasid };
	mock(IOMMU_TEST_OP_PASID_DETACH, scene.second_device, &c);
	probe_free();
	end();
}

static void do_create_access(void)
{
	struct iommu_test_cmd c = { .create_access.flags = (uint32_t)below(2) };

	call("create_access");
	if (!ask_mock(scene.iommu, IOMMU_TEST_OP_CREATE_ACCESS, scene.ioas, &c))
		undo_fd((int)c.create_access.out_access_fd);
	probe_free();
	end();
}

/* A pinned page refuses to go: the unmap says whether it is pinned. */
static void do_access_pages(void)
{
	struct iommu_test_cmd c = { .access_pages = {
		.iova = MAPPED + PAGE * below(8), .length = 1 + below(3 * PAGE),
		.flags = (uint32_t)below(2) } };

	c.access_pages.uptr = (uintptr_t)BUFFER + (c.access_pages.iova - MAPPED);
	if (pct(10))
		c.access_pages.uptr += PAGE;
	call("access_pages %llx", (unsigned long long)c.access_pages.iova);
	if (!ask_mock(scene.iommu, IOMMU_TEST_OP_ACCESS_PAGES, (uint32_t)scene.access_fd, &c)) {
		struct iommu_test_cmd undo = { .destroy_access_pages.access_pages_id =
						       c.access_pages.out_access_pages_id };

		say(" item %u", c.access_pages.out_access_pages_id);
		say(" undo=%d", mock(IOMMU_TEST_OP_DESTROY_ACCESS_PAGES,
				     (uint32_t)scene.access_fd, &undo));
	}
	end();
}

static void do_access_rw(void)
{
	static uint8_t bytes[600];
	unsigned length = 1 + (unsigned)below(pct(80) ? 64 : 600);
	uint64_t at = pct(70) ? below(PAGE) : PAGE - below(length);
	struct iommu_test_cmd c = { .access_rw = {
		.iova = MAPPED + at, .length = length,
		.flags = (pct(50) ? MOCK_ACCESS_RW_WRITE : 0) |
			 (pct(30) ? MOCK_ACCESS_RW_SLOW_PATH : 0) } };

	for (unsigned i = 0; i < length; i++)
		bytes[i] = (uint8_t)rnd();
	call("access_rw %llx %u flags=%x", (unsigned long long)c.access_rw.iova, length,
	     c.access_rw.flags);
	c.access_rw.uptr = (uintptr_t)data_at(bytes, length);
	ask_mock(scene.iommu, IOMMU_TEST_OP_ACCESS_RW, (uint32_t)scene.access_fd, &c);
	data_done();
	say(" sum=%08x", checksum(BUFFER, 2 * PAGE));
	end();
}

/*
 * Of the single pages: how large the entries of the others are depends on which pages happen to be
 * contiguous.
 */
static void do_dirty(void)
{
	uint64_t bits[2] = { rnd(), rnd() }, pages = 1 + below(126), got = 0;
	struct iommu_test_cmd c = { .dirty = {
		.iova = SINGLE_PAGES, .length = pages * MOCK_PAGE_SIZE,
		.page_size = MOCK_PAGE_SIZE } };
	struct iommu_hwpt_get_dirty_bitmap after = {
		.size = sizeof(after), .hwpt_id = scene.dirty, .length = PAGE,
		.page_size = MOCK_PAGE_SIZE, .data = (uintptr_t)&got,
	};

	track_dirty();
	call("dirty %llu", (unsigned long long)pages);
	c.dirty.uptr = (uintptr_t)data_at(bits, sizeof(bits));
	ask_mock(scene.iommu, IOMMU_TEST_OP_DIRTY, scene.dirty, &c);
	data_done();
	say(" now");
	for (unsigned i = 0; i < NR_SINGLE_PAGES; i++) {
		after.iova = SINGLE_PAGES + 2 * PAGE * i;
		got = 0;
		if (ioctl(scene.iommu, IOMMU_HWPT_GET_DIRTY_BITMAP, &after))
			say(" -");
		else
			say(" %u", (unsigned)got);
	}
	end();
}

const struct operation copyout_of_mock[] = {
	{ do_mock_domain, 6 }, { do_replace, 4 }, { do_pasid, 6 }, { do_create_access, 4 },
	{ do_access_pages, 5 }, { do_access_rw, 7 }, { do_dirty, 5 }, { 0 },
};
