/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a guest's memory may look like: many files, holes, copies, one file in many places, memory
 * of a process among it, large folios, dirty pages, and hardly any memory at all.
 */
#include "tests/harness/guests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/iommufd.h>

#define MIB (1ull << 20)

static int map_at(struct vmm *vmm, uint32_t ioas, int memfd, uint64_t offset, uint64_t iova,
		  uint64_t length, bool writable)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map), .ioas_id = ioas, .fd = memfd, .start = offset,
		.length = length, .iova = iova,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 (writable ? IOMMU_IOAS_MAP_WRITEABLE : 0),
	};

	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_IOAS_MAP_FILE, &map);
}

static int map_user(struct vmm *vmm, uint32_t ioas, void *at, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map), .ioas_id = ioas, .user_va = (uintptr_t)at, .length = length,
		.iova = iova, .flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
	};

	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_IOAS_MAP, &map);
}

static int copy(struct vmm *vmm, uint32_t from, uint32_t to, uint64_t src, uint64_t dst,
		uint64_t length)
{
	struct iommu_ioas_copy arg = {
		.size = sizeof(arg), .src_ioas_id = from, .dst_ioas_id = to, .src_iova = src,
		.dst_iova = dst, .length = length,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
	};

	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_IOAS_COPY, &arg);
}

/* RAM, hole, ROM, a second file, the first one again (shifted), more than one file in one page. */
static uint32_t build_mixed(struct vmm *vmm, int second)
{
	uint32_t ioas = vmm_ioas(vmm, vmm->iommufd);

	assert_int_equal(map_at(vmm, ioas, vmm->memfd, 0, 0, 3 * MIB, true), 0);
	assert_int_equal(map_at(vmm, ioas, vmm->memfd, 4 * MIB, 4 * MIB, 0x3000, false), 0);
	assert_int_equal(map_at(vmm, ioas, second, 0x1000, 4 * MIB + 0x3000, 0x1000, true), 0);
	assert_int_equal(map_at(vmm, ioas, second, 2 * MIB, 8 * MIB, 2 * MIB, true), 0);
	assert_int_equal(map_at(vmm, ioas, vmm->memfd, 0x1000, 1ull << 40, 2 * MIB, true), 0);
	return ioas;
}

static const struct ifs_stream_window mixed[] = {
	{ 0, 3 * MIB - 1, true },
	{ 4 * MIB, 4 * MIB + 0x2fff, false },
	{ 4 * MIB + 0x3000, 4 * MIB + 0x3fff, true },
	{ 8 * MIB, 10 * MIB - 1, true },
};

static void stream_mixed(struct host *host, unsigned device)
{
	struct ifs_stream_config stream = { .size = sizeof(stream), .windows = mixed,
					    .nr_windows = 4 };

	assert_true(ifs_device_stream_start(host->devices[device], &stream));
}

static void keep(struct guest *guest, int second)
{
	struct vmm *vmm = &guest->vmm;

	guest_run(guest, GUEST_SESSION, GUEST_KEEP_IOMMUFD);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, second, 0x55), 0);
	guest_run(guest, GUEST_KEEP_IOMMUFD, GUEST_KEEP_DEVICES);
}

/*
 * Three devices: on a marked HWPT, on another HWPT of the same IOAS that is not marked, and on a
 * marked one of an IOAS made of copies. A layout that a real guest has would be refused, or some of
 * it lost.
 */
static void mixed_layout(uint32_t pt_format, uint32_t folio_order)
{
	struct host host;
	struct guest guest;
	struct vmm *vmm = &guest.vmm;
	uint32_t a, b, hwpt[3];
	int second;

	host_start(&host, &(struct host_config){ .nr_devices = 3, .pt_format = pt_format });
	ifs_kernel_shutdown(host.kernel);
	host.kernel_config.memfd_folio_order = folio_order;
	host_boot(&host);
	guest = guest_new(&host, "vmm", 0, 3);
	guest_run(&guest, GUEST_OPEN, GUEST_MAP);
	second = vmm_memfd(vmm, 4 * MIB);
	a = build_mixed(vmm, second);
	b = vmm_ioas(vmm, vmm->iommufd);
	/* Copies share the pages, at another place; cut from the middle of an area. */
	assert_int_equal(copy(vmm, a, b, MIB + 0x1000, 0x7000, 0x9000), 0);
	assert_int_equal(copy(vmm, a, b, 8 * MIB, 1ull << 30, 2 * MIB), 0);
	hwpt[0] = vmm_hwpt(vmm, vmm->iommufd, guest.dev_id[0], a);
	hwpt[1] = vmm_hwpt(vmm, vmm->iommufd, guest.dev_id[1], a);
	hwpt[2] = vmm_hwpt(vmm, vmm->iommufd, guest.dev_id[2], b);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vmm_try_attach(vmm, guest.vfio[i], hwpt[i]), 0);
	stream_mixed(&host, 0);
	stream_mixed(&host, 1);
	assert_int_equal(vmm_try_mark(vmm, hwpt[0], 100), 0);
	assert_int_equal(vmm_try_mark(vmm, hwpt[2], 102), 0);
	keep(&guest, second);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, guest.vfio[0], VMM_TOKEN_DEVICE), 0);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, guest.vfio[1], 7), -EINVAL);
	assert_int_equal(vmm_try_preserve(vmm, vmm->session, guest.vfio[2], VMM_TOKEN_DEVICE + 2),
			 0);
	assert_int_equal(ifs_device_dma_write(host.devices[2], 0x7123, "copied", 6, NULL), 0);
	ifs_device_stream_stop(host.devices[1]);
	host_kexec(&host);
	assert_int_equal(ifs_device_dma_write(host.devices[1], 0, "x", 1, NULL), IFS_DMA_FAULT);
	assert_int_equal(ifs_device_dma_write(host.devices[0], 4 * MIB, "x", 1, NULL),
			 IFS_DMA_FAULT);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_GET_DEVICES);
	second = vmm_try_retrieve(vmm, vmm->session, 0x55);
	guest.vfio[0] = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_DEVICE);
	guest.vfio[1] = vmm_open(vmm, "/dev/vfio/devices/vfio1");
	guest.vfio[2] = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_DEVICE + 2);
	guest_run(&guest, GUEST_REBIND, GUEST_RESTORE);
	assert_int_equal(vmm_try_restore(vmm, 101, &hwpt[1]), -ENOENT);
	assert_int_equal(vmm_try_restore(vmm, 102, &guest.restored[2]), 0);
	assert_int_equal(vmm_try_restore(vmm, 100, &guest.restored[0]), 0);
	a = build_mixed(vmm, second);
	hwpt[0] = vmm_hwpt(vmm, vmm->iommufd, guest.dev_id[0], a);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vmm_try_attach(vmm, guest.vfio[i], hwpt[0]), 0);
	ifs_machine_run(host.machine, 16);
	assert_int_equal(vmm_try_finish(vmm, vmm->session), 0);
	assert_int_equal(vmm_try_destroy(vmm, vmm->iommufd, guest.restored[0]), 0);
	assert_int_equal(vmm_try_destroy(vmm, vmm->iommufd, guest.restored[2]), 0);
	host_end(&host);
}

static void test_mixed_layouts_come_back(void **state)
{
	mixed_layout(IFS_PT_VTDSS, 0);
	mixed_layout(IFS_PT_X86_64, 0);
	mixed_layout(IFS_PT_VTDSS, 9);
	mixed_layout(IFS_PT_X86_64, 9);
}

/* A guest in 1 GiB pages would come back with other pages, or not at all. */
static void test_gigantic_folios_come_back(void **state)
{
	struct host host;
	struct guest guest;

	host_start(&host, &(struct host_config){ .nr_devices = 1, .ram_bytes = 6ull << 30 });
	ifs_kernel_shutdown(host.kernel);
	host.kernel_config.memfd_folio_order = 18;
	host_boot(&host);
	guest = guest_new(&host, "vmm", 0, 1);
	guest.bytes = 2ull << 30;
	guest_run(&guest, GUEST_OPEN, GUEST_OLD_END);
	host_kexec(&host);
	guest_assert_alive(&guest);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&guest);
	host_end(&host);
}

/* Two emulated devices, each with an iommufd of its own, on the same memory in one session. */
static void test_one_memfd_in_two_iommufds_comes_back(void **state)
{
	struct host host;
	struct guest a, b;

	host_start(&host, &(struct host_config){ .nr_devices = 2 });
	a = guest_new(&host, "vmm", 0, 1);
	guest_run(&a, GUEST_OPEN, GUEST_OLD_END);
	b = a;
	b.first = 1;
	b.vmm.iommufd = vmm_open(&b.vmm, "/dev/iommu");
	b.vfio[0] = vmm_open(&b.vmm, "/dev/vfio/devices/vfio1");
	guest_run(&b, GUEST_BIND, GUEST_SESSION);
	assert_int_equal(vmm_try_preserve(&b.vmm, b.vmm.session, b.vmm.iommufd, 8), 0);
	assert_int_equal(vmm_try_preserve(&b.vmm, b.vmm.session, b.vfio[0], 9), 0);
	host_kexec(&host);
	guest_assert_alive(&a);
	guest_assert_alive(&b);
	guest_process(&a);
	guest_run(&a, GUEST_GET_SESSION, GUEST_FINISH);
	/* All or nothing: b's device still runs on what it was left. */
	assert_int_equal(vmm_try_finish(&a.vmm, a.vmm.session), -EBUSY);
	b.vmm = a.vmm;
	b.vmm.iommufd = vmm_try_retrieve(&b.vmm, b.vmm.session, 8);
	b.vfio[0] = vmm_try_retrieve(&b.vmm, b.vmm.session, 9);
	/* The right device, the wrong iommufd of the same VMM. */
	assert_int_equal(vmm_try_bind(&a.vmm, b.vfio[0], a.vmm.iommufd, &b.dev_id[0]), -EPERM);
	guest_run(&b, GUEST_REBIND, GUEST_FINISH);
	guest_run(&a, GUEST_FINISH, GUEST_END);
	guest_run(&b, GUEST_DESTROY, GUEST_CLOSE);
	guest_assert_alive(&a);
	guest_assert_alive(&b);
	host_end(&host);
}

/* Memory that does not cross would be reached by a device in the next kernel. */
static void test_process_memory_is_refused_and_changes_nothing(void **state)
{
	void *user = mmap(NULL, 0x4000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct host host;
	struct guest guest;
	struct vmm *vmm = &guest.vmm;
	uint32_t other;
	uint64_t before;
	void *shared;

	assert_true(user != MAP_FAILED);
	host_start(&host, &(struct host_config){ .nr_devices = 1 });
	guest = guest_new(&host, "vmm", 0, 1);
	guest_run(&guest, GUEST_OPEN, GUEST_KEEP_IOMMUFD);
	other = vmm_ioas(vmm, vmm->iommufd);
	assert_int_equal(map_user(vmm, other, user, 1ull << 32, 0x4000), 0);
	/* By way of a copy, as itself, and as the mapping of a file that does cross. */
	for (unsigned way = 0; way < 3; way++) {
		if (way == 0)
			assert_int_equal(copy(vmm, other, vmm->ioas, 1ull << 32, 1ull << 32,
					      0x1000), -EPERM);
		else if (way == 1)
			assert_int_equal(map_user(vmm, vmm->ioas, user, 1ull << 32, 0x1000), 0);
		else
			assert_int_equal(ifs_mmap(vmm->process, 0x1000, PROT_READ | PROT_WRITE,
						  MAP_SHARED, vmm->memfd, 0, &shared), 0);
		if (way == 0)
			continue;
		if (way == 2)
			assert_int_equal(map_user(vmm, vmm->ioas, shared, 1ull << 32, 0x1000), 0);
		before = ifs_kernel_state_hash(host.kernel);
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd, 5), -EINVAL);
		assert_true(ifs_kernel_state_hash(host.kernel) == before);
		guest_assert_alive(&guest);
		assert_int_equal(vmm_try_unmap(vmm, vmm->iommufd, vmm->ioas, 1ull << 32, 0x1000),
				 0);
	}
	/* In an IOAS without a marked HWPT it is nobody's business. */
	guest_run(&guest, GUEST_KEEP_IOMMUFD, GUEST_OLD_END);
	host_kexec(&host);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_END);
	guest_assert_alive(&guest);
	host_end(&host);
	munmap(user, 0x4000);
}

/* ---- dirty pages ---- */

static int set_tracking(struct vmm *vmm, uint32_t hwpt, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = { .size = sizeof(cmd), .flags = flags,
						     .hwpt_id = hwpt };

	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static int get_dirty(struct vmm *vmm, uint32_t hwpt, void *bitmap)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = { .size = sizeof(cmd), .hwpt_id = hwpt,
		.length = VMM_GUEST_BYTES, .page_size = 0x1000, .data = (uintptr_t)bitmap };

	return ifs_ioctl(vmm->process, vmm->iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

static uint32_t tracked_hwpt(struct guest *guest, uint32_t flags)
{
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc), .flags = flags,
		.dev_id = guest->dev_id[0], .pt_id = guest->vmm.ioas };

	assert_int_equal(ifs_ioctl(guest->vmm.process, guest->vmm.iommufd, IOMMU_HWPT_ALLOC,
				   &alloc), 0);
	return alloc.out_hwpt_id;
}

static void write_page(struct host *host, uint64_t page)
{
	assert_int_equal(ifs_device_dma_write(host->devices[0], page << 12, "dirt", 4, NULL),
			 IFS_DMA_OK);
}

/* A guest that is migrated right after a live update would arrive with old pages. */
static void test_dirty_pages_are_not_forgotten(void **state)
{
	uint64_t bits[VMM_GUEST_BYTES >> 18] = { 0 };
	struct host host;
	struct guest guest;
	struct vmm *vmm = &guest.vmm;

	host_start(&host, &(struct host_config){ .nr_devices = 1 });
	guest = guest_new(&host, "vmm", 0, 1);
	guest_run(&guest, GUEST_OPEN, GUEST_HWPT);
	guest.hwpt[0] = tracked_hwpt(&guest, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	guest_run(&guest, GUEST_ATTACH, GUEST_STREAM);
	write_page(&host, 1);
	assert_int_equal(set_tracking(vmm, guest.hwpt[0], IOMMU_HWPT_DIRTY_TRACKING_ENABLE), 0);
	write_page(&host, 2);
	guest_run(&guest, GUEST_MARK, GUEST_OLD_END);
	assert_int_equal(set_tracking(vmm, guest.hwpt[0], 0), -EBUSY);
	write_page(&host, 3);
	assert_int_equal(ifs_kernel_kexec(host.kernel), 0);
	write_page(&host, 4);
	host_boot(&host);
	write_page(&host, 5);
	guest_process(&guest);
	guest_run(&guest, GUEST_GET_SESSION, GUEST_REMAP);
	write_page(&host, 6);
	assert_int_equal(set_tracking(vmm, guest.restored[0], 0), -EINVAL);
	assert_int_equal(set_tracking(vmm, guest.restored[0], 1), -EINVAL);
	assert_int_equal(get_dirty(vmm, guest.restored[0], (void *)8), -EFAULT);
	assert_int_equal(get_dirty(vmm, guest.restored[0], bits), 0);
	/* 4 KiB leaves would give 0x7c; larger ones cover whole 2 MiB. */
	assert_true((bits[0] & 0x7c) == 0x7c);
	memset(bits, 0, sizeof(bits));
	assert_int_equal(get_dirty(vmm, guest.restored[0], bits), 0);
	assert_int_equal(bits[0], 0);
	guest_run(&guest, GUEST_REMAP, GUEST_REHWPT);
	guest.hwpt[0] = tracked_hwpt(&guest, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
	assert_int_equal(set_tracking(vmm, guest.hwpt[0], IOMMU_HWPT_DIRTY_TRACKING_ENABLE), 0);
	write_page(&host, 70);
	guest_run(&guest, GUEST_SWAP, GUEST_FINISH);
	write_page(&host, 140);
	assert_int_equal(get_dirty(vmm, guest.restored[0], bits), 0);
	assert_true(bits[1] & 0x40);
	memset(bits, 0, sizeof(bits));
	assert_int_equal(get_dirty(vmm, guest.hwpt[0], bits), 0);
	assert_true(bits[2] & 0x1000);
	guest_run(&guest, GUEST_FINISH, GUEST_END);
	host_end(&host);
}

/* ---- hardly any memory ---- */

/* A next kernel with hardly a free page would panic, or let devices loose. */
static void test_hardly_any_memory_is_survived(void **state)
{
	for (uint64_t free_mib = 1; free_mib <= 12; free_mib++) {
		struct ifs_machine_stats stats = { .size = sizeof(stats) };
		struct host host;
		struct guest guest;
		int hog;

		host_start(&host, &(struct host_config){ .nr_devices = 2, .ram_bytes = 64 * MIB });
		guest = guest_new(&host, "vmm", 0, 2);
		guest.bytes = (48 - free_mib) * MIB;
		hog = ifs_memfd_create(guest.vmm.process, "probe", 0);
		assert_int_equal(ifs_ftruncate(guest.vmm.process, hog, (off_t)guest.bytes), 0);
		if (ifs_fallocate(guest.vmm.process, hog, 0, 0, (off_t)guest.bytes)) {
			guest_die(&guest);
			host_end(&host);
			continue;
		}
		ifs_close(guest.vmm.process, hog);
		guest_run(&guest, GUEST_OPEN, GUEST_OLD_END);
		host_kexec(&host);
		guest_assert_alive(&guest);
		guest_process(&guest);
		guest_run(&guest, GUEST_GET_SESSION, GUEST_GET_DEVICES);
		ifs_machine_get_stats(host.machine, &stats);
		assert_int_equal(stats.dma_lost + stats.dma_astray + stats.dma_corrupt, 0);
		guest_run(&guest, GUEST_GET_DEVICES, GUEST_END);
		guest_assert_alive(&guest);
		host_end(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mixed_layouts_come_back),
		cmocka_unit_test(test_gigantic_folios_come_back),
		cmocka_unit_test(test_one_memfd_in_two_iommufds_comes_back),
		cmocka_unit_test(test_process_memory_is_refused_and_changes_nothing),
		cmocka_unit_test(test_dirty_pages_are_not_forgotten),
		cmocka_unit_test(test_hardly_any_memory_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
