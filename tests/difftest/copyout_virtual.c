/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The copyout profile's commands of /dev/iommu: queues, virtual IOMMUs, invalidation. */
#include "copyout.h"

#include <linux/iommufd.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint32_t make_viommu(void)
{
	struct iommu_viommu_alloc c = { .size = sizeof(c), .dev_id = scene.idev,
					.type = IOMMU_VIOMMU_TYPE_SELFTEST,
					.hwpt_id = scene.parent };

	return ioctl(scene.iommu, IOMMU_VIOMMU_ALLOC, &c) ? 0 : c.out_viommu_id;
}

static void do_fault_alloc(void)
{
	struct iommu_fault_alloc c = { .size = sizeof(c) };

	call("fault_alloc");
	if (!try_ioctl(scene.iommu, IOMMU_FAULT_QUEUE_ALLOC, &c, sizeof(c))) {
		undo_fd((int)c.out_fault_fd);
		undo_id(c.out_fault_id);
	}
	probe_free();
	end();
}

static void do_viommu_alloc(void)
{
	struct iommu_viommu_selftest own = { .in_data = 0x1234 };
	struct iommu_viommu_alloc c = { .size = sizeof(c), .dev_id = scene.idev,
					.type = IOMMU_VIOMMU_TYPE_SELFTEST,
					.hwpt_id = scene.parent };

	if (pct(70))
		c.data_len = pct(80) ? sizeof(own) : (uint32_t)below(40);
	call("viommu_alloc len=%u", c.data_len);
	c.data_uptr = (uintptr_t)data_at(&own, sizeof(own));
	if (!try_ioctl(scene.iommu, IOMMU_VIOMMU_ALLOC, &c, sizeof(c)))
		undo_id(c.out_viommu_id);
	data_done();
	probe_free();
	end();
}

static void do_vdevice_alloc(void)
{
	struct iommu_vdevice_alloc c = { .size = sizeof(c), .viommu_id = scene.viommu,
					 .dev_id = scene.second_idev, .virt_id = 5 + below(3) };

	call("vdevice_alloc %llu", (unsigned long long)c.virt_id);
	if (!try_ioctl(scene.iommu, IOMMU_VDEVICE_ALLOC, &c, sizeof(c)))
		undo_id(c.out_vdevice_id);
	probe_free();
	end();
}

static void do_events_alloc(void)
{
	struct iommu_veventq_alloc c = { .size = sizeof(c), .viommu_id = make_viommu(),
					 .type = IOMMU_VEVENTQ_TYPE_SELFTEST, .veventq_depth = 2 };
	uint32_t viommu = c.viommu_id;

	call("veventq_alloc");
	if (!try_ioctl(scene.iommu, IOMMU_VEVENTQ_ALLOC, &c, sizeof(c))) {
		undo_fd((int)c.out_veventq_fd);
		undo_id(c.out_veventq_id);
	}
	undo_id(viommu);
	probe_free();
	end();
}

static void do_queue_alloc(void)
{
	struct iommu_hw_queue_alloc c = { .size = sizeof(c), .viommu_id = scene.viommu,
					  .type = IOMMU_HW_QUEUE_TYPE_SELFTEST, .index = 1,
					  .nesting_parent_iova = SINGLE_PAGES + 2 * PAGE,
					  .length = PAGE };

	call("hw_queue_alloc");
	if (!try_ioctl(scene.iommu, IOMMU_HW_QUEUE_ALLOC, &c, sizeof(c)))
		undo_id(c.out_hw_queue_id);
	probe_free();
	end();
}

static void do_change_process(void)
{
	struct iommu_ioas_change_process c = { .size = sizeof(c) };

	call("change_process");
	try_ioctl(scene.iommu, IOMMU_IOAS_CHANGE_PROCESS, &c, sizeof(c));
	end();
}

/* Of a new page table, so that each entry's effect is seen. */
static void do_invalidate(void)
{
	struct iommu_hwpt_invalidate_selftest entries[4] = { { 0 } };
	uint32_t hwpt = make_hwpt(0, scene.parent, IOMMU_HWPT_DATA_SELFTEST);
	struct iommu_hwpt_invalidate c = {
		.size = sizeof(c), .hwpt_id = hwpt, .entry_len = sizeof(entries[0]),
		.entry_num = (uint32_t)below(5),
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
	};

	for (uint32_t i = 0; i < 4; i++)
		entries[i].iotlb_id = pct(90) ? i : 9;
	if (pct(15)) {
		c.entry_len = 4 * (uint32_t)below(6);
		c.entry_num = (uint32_t)below(2);
	}
	call("invalidate num=%u len=%u", c.entry_num, c.entry_len);
	c.data_uptr = (uintptr_t)data_at(entries, sizeof(entries));
	try_ioctl(scene.iommu, IOMMU_HWPT_INVALIDATE, &c, sizeof(c));
	data_done();
	say(" left");
	for (uint32_t i = 0; i < 4; i++) {
		struct iommu_test_cmd check = { .check_iotlb = { i, 7 } };

		say(" %d", mock(IOMMU_TEST_OP_MD_CHECK_IOTLB, hwpt, &check) ? 0 : 7);
	}
	undo_id(hwpt);
	end();
}

static void do_invalidate_viommu(void)
{
	struct iommu_viommu_invalidate_selftest entries[4] = { { 0 } };
	struct iommu_hwpt_invalidate c = {
		.size = sizeof(c), .hwpt_id = scene.viommu, .entry_len = sizeof(entries[0]),
		.entry_num = (uint32_t)below(5),
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
	};

	for (uint32_t i = 0; i < 4; i++) {
		entries[i].vdev_id = pct(90) ? 5 : 4;
		entries[i].cache_id = pct(95) ? i : 4;
	}
	call("invalidate_viommu num=%u", c.entry_num);
	c.data_uptr = (uintptr_t)data_at(entries, sizeof(entries));
	try_ioctl(scene.iommu, IOMMU_HWPT_INVALIDATE, &c, sizeof(c));
	data_done();
	for (uint32_t i = 0; i < 4; i++) {
		struct iommu_test_cmd check = { .check_dev_cache = { i, 0 } };

		say(" %d", mock(IOMMU_TEST_OP_DEV_CHECK_CACHE, scene.idev, &check));
	}
	end();
}

static void answer_fault(uint32_t cookie)
{
	struct iommu_hwpt_page_response answer = { .cookie = cookie };

	say(" answer %u", cookie);
	result(write(scene.fault_fd, &answer, sizeof(answer)));
}

/* Page requests read to where not all fits, then to where it does, then answered. */
static void do_faults(void)
{
	static const struct iommu_hwpt_pgfault zero;
	struct iommu_hwpt_pgfault got[4] = { zero };
	unsigned n = 1 + (unsigned)below(3);
	long bytes;

	for (unsigned i = 0; i < n; i++) {
		struct iommu_test_cmd c = { .trigger_iopf = {
			.dev_id = scene.idev, .pasid = UINT32_MAX, .grpid = i, .perm = 1,
			.addr = i * PAGE } };

		mock(IOMMU_TEST_OP_TRIGGER_IOPF, 0, &c);
	}
	call("faults %u", n);
	bytes = try_read(scene.fault_fd, (1 + (unsigned)below(4)) * (unsigned)sizeof(zero));
	for (long i = 0; i < bytes / (long)sizeof(zero); i++)
		answer_fault(data_word((unsigned)i * (unsigned)sizeof(zero) +
				       (unsigned)offsetof(struct iommu_hwpt_pgfault, cookie)));
	say(" again");
	bytes = result(read(scene.fault_fd, got, sizeof(got)));
	for (long i = 0; i < bytes / (long)sizeof(zero); i++) {
		struct iommu_hwpt_page_response answers[2] = { { .cookie = got[i].cookie } };

		say(" group %u cookie %u", got[i].grpid, got[i].cookie);
		answers[1].cookie = 99;
		if (pct(60) && try_write(scene.fault_fd, answers, pct(70) ? 8 : 16) > 0)
			continue;
		answer_fault(got[i].cookie);
	}
	end();
}

static void do_events(void)
{
	unsigned n = 1 + (unsigned)below(6);
	struct iommu_test_cmd c = { .trigger_vevent.dev_id = scene.idev };
	uint8_t room[256];

	for (unsigned i = 0; i < n; i++)
		mock(IOMMU_TEST_OP_TRIGGER_VEVENT, 0, &c);
	call("events %u", n);
	try_read(scene.event_fd, 8 + 4 * (unsigned)below(20));
	memset(room, 0, sizeof(room));
	say(" again");
	result(read(scene.event_fd, room, sizeof(room)));
	say(" sum=%08x", checksum(room, sizeof(room)));
	end();
}

const struct operation copyout_of_virtual[] = {
	{ do_fault_alloc, 4 }, { do_viommu_alloc, 7 }, { do_vdevice_alloc, 4 },
	{ do_events_alloc, 4 }, { do_queue_alloc, 4 }, { do_change_process, 1 },
	{ do_invalidate, 7 }, { do_invalidate_viommu, 5 }, { do_faults, 6 }, { do_events, 6 },
	{ 0 },
};
