/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Does the state hash see what iommufd keeps? A call that succeeds without a trace in it could fail
 * half-way as well, and no test that compares hashes would notice.
 */
#include "tests/lib/iommufd/mock_test.h"

struct watch {
	struct fixture *f;
	uint64_t last;
};

static void watch_start(struct watch *watch, struct fixture *f)
{
	watch->f = f;
	watch->last = ifs_kernel_state_hash(f->kernel);
}

/* Something has happened since the last time. */
static void assert_seen(struct watch *watch)
{
	uint64_t now = ifs_kernel_state_hash(watch->f->kernel);

	assert_true(now != watch->last);
	/* Looking changes nothing, and the number is a function of the state. */
	assert_true(now == ifs_kernel_state_hash(watch->f->kernel));
	watch->last = now;
}

/* A fault that a failed call lost, or answered, would go unnoticed. */
static void test_state_hash_page_fault_shows_in_each_stage(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt), .flags = IOMMU_HWPT_FAULT_ID_VALID,
	};
	struct iommu_hwpt_page_response answer = { .cookie = 1 };
	struct iommu_hwpt_pgfault got;
	int fd = t_open(f), fault_fd = -1;
	struct watch watch;
	struct mock dev;

	hwpt.pt_id = (uint32_t)t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, hwpt.pt_id, 0, &dev), 0);
	hwpt.dev_id = dev.idev;
	watch_start(&watch, f);
	hwpt.fault_id = t_fault_queue(f, fd, &fault_fd);
	assert_seen(&watch);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_ALLOC, &hwpt), 0);
	assert_seen(&watch);
	assert_int_equal(t_mock_replace(f, fd, dev.stdev, hwpt.out_hwpt_id), hwpt.out_hwpt_id);
	assert_seen(&watch);
	assert_int_equal(t_iopf(f, fd, dev.idev, 0, 1), 0);
	assert_seen(&watch);
	assert_int_equal(ifs_read(f->process, fault_fd, &got, sizeof(got)), sizeof(got));
	assert_seen(&watch);
	assert_int_equal(ifs_write(f->process, fault_fd, &answer, sizeof(answer)), 8);
	assert_seen(&watch);
}

/* A PASID that a failed attach left behind would go unnoticed. */
static void test_state_hash_pasid_shows(void **state)
{
	struct fixture *f = *state;
	struct watch watch;
	int fd = t_open(f);
	int64_t ioas, a, b;
	struct mock dev;

	ioas = t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, ioas, MOCK_FLAGS_DEVICE_PASID, &dev), 0);
	a = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_PASID, dev.idev, ioas);
	b = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_PASID, dev.idev, ioas);
	assert_int_equal(t_mock_replace(f, fd, dev.stdev, a), a);
	watch_start(&watch, f);
	assert_int_equal(t_pasid_attach(f, fd, dev.stdev, 10, a), a);
	assert_seen(&watch);
	assert_int_equal(t_pasid_replace(f, fd, dev.stdev, 10, b), b);
	assert_seen(&watch);
	assert_int_equal(t_pasid_detach(f, fd, dev.stdev, 10), 0);
	assert_seen(&watch);
}

/* A half-made virtual IOMMU would go unnoticed. */
static void test_state_hash_viommu_and_what_is_on_it_show(void **state)
{
	struct iommu_hwpt_invalidate_selftest entry = { .flags = 1 };
	struct iommu_viommu_invalidate_selftest cache = { .vdev_id = 7, .cache_id = 2 };
	int64_t ioas, parent, viommu, nested, vdevice;
	struct fixture *f = *state;
	int fd = t_open(f), event_fd = -1;
	unsigned char event[12];
	struct watch watch;
	struct mock dev;
	uint32_t nr = 1;

	ioas = t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, ioas, 0, &dev), 0);
	parent = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_NEST_PARENT, dev.idev, ioas);
	watch_start(&watch, f);
	viommu = t_viommu(f, fd, dev.idev, parent, NULL);
	assert_seen(&watch);
	nested = t_nested(f, fd, dev.idev, viommu, 0, 0, 0x11);
	assert_seen(&watch);
	vdevice = t_vdevice(f, fd, viommu, dev.idev, 7);
	assert_seen(&watch);
	assert_int_equal(t_mock_replace(f, fd, dev.stdev, nested), nested);
	assert_seen(&watch);
	assert_int_equal(t_invalidate(f, fd, nested, 0xdeadbeef, &entry, 8, &nr), 0);
	assert_seen(&watch);
	assert_int_equal(t_invalidate(f, fd, viommu, 0xdeadbeef, &cache, 12, &nr), 0);
	assert_seen(&watch);
	assert_true(t_veventq(f, fd, viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 1, &event_fd) > 0);
	assert_seen(&watch);
	assert_int_equal(t_vevent(f, fd, dev.idev), 0);
	assert_seen(&watch);
	/* Lost: only a sequence number says so. */
	assert_int_equal(t_vevent(f, fd, dev.idev), 0);
	assert_seen(&watch);
	assert_int_equal(t_vevent(f, fd, dev.idev), 0);
	assert_seen(&watch);
	assert_int_equal(ifs_read(f->process, event_fd, event, sizeof(event)), 12);
	assert_seen(&watch);
	assert_int_equal(t_destroy(f, fd, vdevice), 0);
	assert_seen(&watch);
}

/* Memory that a failed call left to hardware or to a driver would go unnoticed. */
static void test_state_hash_hw_queue_access_and_reservation_show(void **state)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ADD_RESERVED, .add_reserved = { 0x2000000, 0x1000 },
	};
	static char memory[4096] __attribute__((aligned(4096)));
	int64_t ioas, parent, viommu, queue;
	struct fixture *f = *state;
	struct watch watch;
	int fd = t_open(f);
	struct mock dev;

	ioas = t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, ioas, 0, &dev), 0);
	parent = t_hwpt_alloc(f, fd, IOMMU_HWPT_ALLOC_NEST_PARENT, dev.idev, ioas);
	viommu = t_viommu(f, fd, dev.idev, parent, NULL);
	assert_int_equal(t_map(f, fd, ioas, 7, (uintptr_t)memory, 0x1000, 0x1000000), 0x1000000);
	watch_start(&watch, f);
	queue = t_hw_queue(f, fd, viommu, 0, 0x1000000, 0x1000);
	assert_seen(&watch);
	assert_int_equal(t_destroy(f, fd, queue), 0);
	assert_seen(&watch);
	cmd.id = ioas;
	assert_int_equal(t_test(f, fd, &cmd), 0);
	assert_seen(&watch);
	cmd = (struct iommu_test_cmd){ .op = IOMMU_TEST_OP_CREATE_ACCESS, .id = ioas };
	assert_true(t_test(f, fd, &cmd) >= 0);
	assert_seen(&watch);
}

/* A dma-buf that a failed call holds on to would go unnoticed. */
static void test_state_hash_dma_buf_shows(void **state)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map), .length = 0x1000, .iova = 0x1000000,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
	};
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DMABUF_GET, .dmabuf_get = { .length = 0x1000 },
	};
	struct fixture *f = *state;
	struct watch watch;
	int fd = t_open(f);
	struct mock dev;

	map.ioas_id = (uint32_t)t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, map.ioas_id, 0, &dev), 0);
	watch_start(&watch, f);
	/* The answer is 0 and not the descriptor: the lowest free one. */
	assert_int_equal(t_test(f, fd, &cmd), 0);
	assert_seen(&watch);
	map.fd = fd + 1;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_IOAS_MAP_FILE, &map), 0);
	assert_seen(&watch);
	cmd = (struct iommu_test_cmd){
		.op = IOMMU_TEST_OP_DMABUF_REVOKE,
		.dmabuf_revoke = { .dmabuf_fd = fd + 1, .revoked = 1 },
	};
	assert_int_equal(t_test(f, fd, &cmd), 0);
	assert_seen(&watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_state_hash_page_fault_shows_in_each_stage),
		T(test_state_hash_pasid_shows),
		T(test_state_hash_viommu_and_what_is_on_it_show),
		T(test_state_hash_hw_queue_access_and_reservation_show),
		T(test_state_hash_dma_buf_shows),
	};

	return cmocka_run_group_tests_name("kernel: state hash", tests, NULL, NULL);
}
