/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* VFIO device files: binding, and the matrix of attach, replace and detach. */
#include "tests/lib/iommufd/iommufd_test.h"

static void test_unbound_file_knows_only_bind(void **state)
{
	struct fixture *f = *state;
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vfio_device_bind_iommufd bind = { .argsz = 15, .flags = 2, .iommufd = -1 };
	int vfio = t_open_vfio(f, 0), fd = t_open(f), memfd = ifs_memfd_create(f->process, "m", 0);

	assert_int_equal(ifs_open(f->process, "/dev/vfio/devices/vfio2", O_RDWR), -2);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_GET_INFO, &info), -22);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_RESET, NULL), -22);
	assert_int_equal(t_attach(f, vfio, 1), -22);
	assert_int_equal(t_detach(f, vfio), -22);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, (void *)8), -14);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), -22);
	bind.argsz = 16;
	bind.iommufd = fd;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), -22);
	bind.flags = 0;
	bind.iommufd = -1;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), -22);
	bind.iommufd = 99;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), -9);
	bind.iommufd = memfd;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), -77);
	bind.iommufd = fd;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	assert_int_equal(bind.out_devid, 1);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), -22);
	/* Another file of the same device. */
	assert_int_equal(t_bind(f, t_open_vfio(f, 0), fd), -22);
}

static void test_get_info_and_reset(void **state)
{
	struct fixture *f = *state;
	struct vfio_device_info info = { .argsz = 15, .cap_offset = 77 };
	int vfio = t_open_vfio(f, 0);

	assert_int_equal(t_bind(f, vfio, t_open(f)), 1);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_GET_INFO, &info), -22);
	info.argsz = 16;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_GET_INFO, &info), 0);
	assert_int_equal(info.flags, 3);
	assert_int_equal(info.num_regions, 9);
	assert_int_equal(info.num_irqs, 5);
	assert_int_equal(info.cap_offset, 77);
	info.argsz = 100;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_GET_INFO, &info), 0);
	assert_int_equal(info.cap_offset, 0);
	assert_int_equal(info.argsz, 100);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_RESET, NULL), 0);
	assert_int_equal(ifs_ioctl(f->process, vfio, 0x3b70, NULL), -25);
}

/* The context lives while a device is bound, and the device is free again when its file goes. */
static void test_bind_holds_context_until_close(void **state)
{
	struct fixture *f = *state;
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };
	int vfio = t_open_vfio(f, 0), fd = t_open(f);
	uint8_t *buffer = t_buffer(0x1000);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_bind(f, vfio, fd), 2);
	assert_int_equal(t_map(f, fd, ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0), 0);
	assert_int_equal(t_attach(f, vfio, ioas), 3);
	assert_int_equal(ifs_close(f->process, fd), 0);
	assert_int_equal(t_vm_pin(f), 1);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0, buffer, 1, NULL), IFS_DMA_OK);
	assert_int_equal(ifs_close(f->process, vfio), 0);
	assert_int_equal(t_vm_pin(f), 0);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0, buffer, 1, NULL), IFS_DMA_FAULT);
	ifs_kernel_get_stats(f->kernel, &stats);
	assert_int_equal(stats.files, 0);
	assert_int_equal(stats.module_refs, 0);
	assert_int_equal(t_bind(f, t_open_vfio(f, 0), t_open(f)), 1);
	munmap(buffer, 0x1000);
}

/* A bind whose answer cannot be given back must leave the device free. */
static void test_bind_answer_unwritable_undone(void **state)
{
	struct fixture *f = *state;
	struct vfio_device_bind_iommufd *bind = (void *)t_buffer(4096);
	int vfio = t_open_vfio(f, 0), fd = t_open(f);

	*bind = (struct vfio_device_bind_iommufd){ .argsz = 16, .iommufd = fd };
	assert_int_equal(mprotect(bind, 4096, PROT_READ), 0);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, bind), -14);
	assert_int_equal(t_bind(f, vfio, fd), 1);
	munmap(bind, 4096);
}

static void test_attach_errors(void **state)
{
	struct fixture *f = *state;
	struct vfio_device_attach_iommufd_pt cmd = { .argsz = 11, .pt_id = 1 };
	struct vfio_device_detach_iommufd_pt detach = { .argsz = 7 };
	int vfio = t_open_vfio(f, 0), fd = t_open(f);

	assert_int_equal(t_bind(f, vfio, fd), 1);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, (void *)8),
			 -14);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd), -22);
	cmd.argsz = 12;
	cmd.flags = 2;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd), -22);
	cmd.flags = 1;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd), -22);
	assert_int_equal(t_attach(f, vfio, 1), -22);
	assert_int_equal(t_attach(f, vfio, 9), -2);
	assert_int_equal(t_detach(f, vfio), 0);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach), -22);
	detach.argsz = 8;
	detach.flags = 2;
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach), -22);
}

/* Devices on one IOAS share one auto HWPT, which goes with the last of them. */
static void test_auto_hwpt_shared_and_gone_with_last(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), v0 = t_open_vfio(f, 0), v1 = t_open_vfio(f, 1);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_bind(f, v0, fd), 2);
	assert_int_equal(t_bind(f, v1, fd), 3);
	assert_int_equal(t_attach(f, v0, ioas), 4);
	assert_int_equal(t_attach(f, v1, ioas), 4);
	assert_int_equal(t_destroy(f, fd, 4), -16);
	/* Attaching again is a replace; to the same it changes nothing. */
	assert_int_equal(t_attach(f, v0, ioas), 4);
	assert_int_equal(t_attach(f, v0, 4), 4);
	assert_int_equal(t_detach(f, v0), 0);
	assert_int_equal(t_destroy(f, fd, ioas), -16);
	assert_int_equal(t_detach(f, v1), 0);
	assert_int_equal(t_detach(f, v1), 0);
	assert_int_equal(t_destroy(f, fd, 4), -2);
	assert_int_equal(t_destroy(f, fd, ioas), 0);
}

/*
 * Replace moves a device while it works; what it leaves behind is cleaned up, or kept, as it must
 * be.
 */
static void test_replace_matrix(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), v0 = t_open_vfio(f, 0);
	uint32_t a = t_ioas_alloc(f, fd), b = t_ioas_alloc(f, fd), dev = t_bind(f, v0, fd);
	uint8_t *buffer = t_buffer(0x2000), byte;
	struct iommu_iova_range msi = { 0xfee00000, 0xfeefffff };

	memset(buffer, 'a', 0x1000);
	memset(buffer + 0x1000, 'b', 0x1000);
	assert_int_equal(t_map(f, fd, a, RD | FIXED, (uintptr_t)buffer, 0x1000, 0), 0);
	assert_int_equal(t_map(f, fd, b, RD | FIXED, (uintptr_t)buffer + 0x1000, 0x1000, 0), 0);
	assert_int_equal(t_hwpt_alloc(f, fd, 0, dev, a), 4);
	/*
	 * Manual to auto on another IOAS, and on to auto on the first: the manual one is not taken.
	 */
	assert_int_equal(t_attach(f, v0, 4), 4);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0, &byte, 1, NULL), IFS_DMA_OK);
	assert_int_equal(byte, 'a');
	assert_int_equal(t_attach(f, v0, b), 5);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0, &byte, 1, NULL), IFS_DMA_OK);
	assert_int_equal(byte, 'b');
	assert_int_equal(t_allow(f, fd, b, &msi, 1), -98);
	assert_int_equal(t_attach(f, v0, a), 6);
	assert_int_equal(t_destroy(f, fd, 5), -2);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0, &byte, 1, NULL), IFS_DMA_OK);
	assert_int_equal(byte, 'a');
	/* The interrupt window is reserved where the device is, and nowhere else. */
	assert_int_equal(t_allow(f, fd, b, &msi, 1), 0);
	assert_int_equal(t_attach(f, v0, b), -98);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0, &byte, 1, NULL), IFS_DMA_OK);
	assert_int_equal(byte, 'a');
	assert_int_equal(t_attach(f, v0, 4), 4);
	assert_int_equal(t_destroy(f, fd, 6), -2);
	assert_int_equal(t_destroy(f, fd, 4), -16);
	assert_int_equal(t_detach(f, v0), 0);
	assert_int_equal(t_destroy(f, fd, 4), 0);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0, &byte, 1, NULL), IFS_DMA_FAULT);
	munmap(buffer, 0x2000);
}

/* A device serves one context at a time. */
static void test_two_contexts(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), other = t_open(f), v0 = t_open_vfio(f, 0), v1 = t_open_vfio(f, 1);
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = 1, .data_len = 32 };
	struct { struct iommu_hw_info_vtd vtd; uint64_t tail; } data = { .tail = ~0ull };

	assert_int_equal(t_bind(f, v0, fd), 1);
	assert_int_equal(t_bind(f, v1, other), 1);
	info.data_uptr = (uintptr_t)&data;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_GET_HW_INFO, &info), 0);
	assert_int_equal(info.out_data_type, 1);
	assert_int_equal(info.data_len, 24);
	assert_int_equal(info.out_capabilities, 9);
	assert_int_equal(info.out_max_pasid_log2, 0);
	assert_true(data.vtd.cap_reg && data.vtd.ecap_reg);
	assert_true(!data.tail);
	info.flags = 1;
	info.in_data_type = 2;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_GET_HW_INFO, &info), -95);
	info.dev_id = 2;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_GET_HW_INFO, &info), -2);
	info.__reserved[2] = 1;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_GET_HW_INFO, &info), -95);
	info = (struct iommu_hw_info){ .size = 32, .dev_id = 1, .data_len = 4, .data_uptr = 8 };
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_GET_HW_INFO, &info), -14);
}

/* A user's device must not go on with the DMA of the user before. */
static void test_close_and_reset_stop_the_engine(void **state)
{
	struct fixture *f = *state;
	struct ifs_stream_window window = { .start = 0, .last = 0xfff, .writable = true };
	struct ifs_stream_config stream = { .size = sizeof(stream), .windows = &window,
					    .nr_windows = 1 };
	struct ifs_device_stats stats = { .size = sizeof(stats) };
	int fd = t_open(f), v0 = t_open_vfio(f, 0);
	uint8_t *buffer = t_buffer(0x1000);
	uint32_t ioas = t_ioas_alloc(f, fd);

	assert_int_equal(t_bind(f, v0, fd), 2);
	assert_int_equal(t_attach(f, v0, ioas), 3);
	assert_int_equal(t_map(f, fd, ioas, RD | WR | FIXED, (uintptr_t)buffer, 0x1000, 0), 0);
	assert_true(ifs_device_stream_start(f->devices[0], &stream));
	fixture_assert_dma_fine(f, 10);
	assert_int_equal(ifs_ioctl(f->process, v0, VFIO_DEVICE_RESET, NULL), 0);
	ifs_device_get_stats(f->devices[0], &stats);
	assert_false(stats.streaming);
	assert_true(ifs_device_stream_start(f->devices[0], &stream));
	assert_int_equal(ifs_close(f->process, v0), 0);
	ifs_device_get_stats(f->devices[0], &stats);
	assert_false(stats.streaming);
	fixture_assert_dma_fine(f, 10);
	munmap(buffer, 0x1000);
}

static int pasid_ioctl(struct fixture *f, int vfio, unsigned long cmd, uint32_t argsz, uint32_t pt,
		       uint32_t pasid)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = argsz, .flags = 1, .pt_id = pt,
							.pasid = pasid };
	struct vfio_device_detach_iommufd_pt detach = { .argsz = argsz, .flags = 1,
							.pasid = pasid };

	return ifs_ioctl(f->process, vfio, cmd, cmd == VFIO_DEVICE_ATTACH_IOMMUFD_PT ?
			 (void *)&attach : (void *)&detach);
}

/* A VMM that asks for PASIDs where there are none would be told that it has them. */
static void test_pasid_attach_without_pasids_is_refused(void **state)
{
	struct fixture *f = *state;
	int vfio = t_open_vfio(f, 0), fd = t_open(f);
	int64_t dev = t_bind(f, vfio, fd), ioas = t_ioas_alloc(f, fd);
	int64_t hwpt = t_hwpt_alloc(f, fd, 0, dev, ioas);

#define ATTACH(argsz, pt, pasid) \
	pasid_ioctl(f, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, argsz, pt, pasid)
#define DETACH(argsz, pasid) pasid_ioctl(f, vfio, VFIO_DEVICE_DETACH_IOMMUFD_PT, argsz, 0, pasid)
	assert_int_equal(ATTACH(12, hwpt, 1), -22);
	assert_int_equal(DETACH(8, 1), -22);
	assert_int_equal(ATTACH(16, 99, 1), -2);
	assert_int_equal(ATTACH(16, dev, 1), -22);
	assert_int_equal(ATTACH(16, hwpt, 1), -22);
	assert_int_equal(ATTACH(16, ioas, 1), -22);
	assert_int_equal(ATTACH(16, hwpt, 0x80000000u), -28);
	assert_int_equal(DETACH(12, 1), 0);
	/* PASID 0 is the device's own DMA, by another name that only PASID calls know. */
	assert_int_equal(ATTACH(16, hwpt, 0), 0);
	assert_int_equal(t_attach(f, vfio, hwpt), -16);
	assert_int_equal(t_detach(f, vfio), 0);
	assert_int_equal(t_destroy(f, fd, hwpt), -16);
	assert_int_equal(DETACH(12, 0), 0);
	assert_int_equal(t_destroy(f, fd, hwpt), 0);
	/* What is attached when the file goes is detached. */
	assert_int_equal(ATTACH(16, ioas, 0), 0);
	assert_int_equal(ifs_close(f->process, vfio), 0);
	assert_int_equal(t_destroy(f, fd, ioas), 0);
}

/* PASID 0, so that a device without PASIDs will do; the answer cannot be written. */
static void attach_unanswered(struct fixture *f, int *fd, int64_t *hwpt)
{
	struct vfio_device_attach_iommufd_pt *attach = (void *)t_buffer(0x1000);
	int vfio = t_open_vfio(f, 0);
	int64_t dev;

	*fd = t_open(f);
	dev = t_bind(f, vfio, *fd);
	*hwpt = t_hwpt_alloc(f, *fd, 0, dev, t_ioas_alloc(f, *fd));
	*attach = (struct vfio_device_attach_iommufd_pt){ .argsz = 16, .flags = 1, .pt_id = *hwpt };
	assert_int_equal(mprotect(attach, 0x1000, PROT_READ), 0);
	assert_int_equal(ifs_ioctl(f->process, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach), -14);
	munmap(attach, 0x1000);
}

/* A kernel that claims to be exactly 7.3 would undo what 7.3 leaves attached. */
static void test_pasid_attach_unanswered_stays_as_in_linux(void **state)
{
	struct fixture *f = *state;
	int64_t hwpt;
	int fd;

	attach_unanswered(f, &fd, &hwpt);
	assert_int_equal(t_destroy(f, fd, hwpt), -16);
}

/* A failed attach would leave the device attached, and nobody knows. */
static void test_pasid_attach_unanswered_is_undone_if_bugs_are_fixed(void **state)
{
	struct fixture *f = *state;
	int64_t hwpt;
	int fd;

	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	f->kernel_config.exact = IFS_OFF;
	fixture_boot(f);
	attach_unanswered(f, &fd, &hwpt);
	assert_int_equal(t_destroy(f, fd, hwpt), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_unbound_file_knows_only_bind),
		T(test_get_info_and_reset),
		T(test_bind_holds_context_until_close),
		T(test_bind_answer_unwritable_undone),
		T(test_attach_errors),
		T(test_auto_hwpt_shared_and_gone_with_last),
		T(test_replace_matrix),
		T(test_two_contexts),
		T(test_close_and_reset_stop_the_engine),
		T(test_pasid_attach_without_pasids_is_refused),
		T(test_pasid_attach_unanswered_stays_as_in_linux),
		T(test_pasid_attach_unanswered_is_undone_if_bugs_are_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
