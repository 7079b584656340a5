/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The calls of /dev/iommu and of a VFIO device file, one line each. Those that answer an id or an
 * address return it, or -errno: both fit into an int64_t.
 */
#ifndef TESTS_LIB_IOMMUFD_TEST_H
#define TESTS_LIB_IOMMUFD_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "tests/harness/fixture.h"

#define FIXED IOMMU_IOAS_MAP_FIXED_IOVA
#define RD IOMMU_IOAS_MAP_READABLE
#define WR IOMMU_IOAS_MAP_WRITEABLE
#define MAX64 0xffffffffffffffffull

static inline int t_open(struct fixture *f)
{
	int fd = ifs_open(f->process, "/dev/iommu", O_RDWR);

	assert_true(fd >= 0);
	return fd;
}

static inline int64_t t_ioas_alloc(struct fixture *f, int fd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int rc = ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOC, &cmd);

	return rc ? rc : (int64_t)cmd.out_ioas_id;
}

static inline int t_destroy(struct fixture *f, int fd, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return ifs_ioctl(f->process, fd, IOMMU_DESTROY, &cmd);
}

/* The IOVA, or -errno. */
static inline int64_t t_map(struct fixture *f, int fd, uint32_t ioas, uint32_t flags, uint64_t va,
			    uint64_t length, uint64_t iova)
{
	struct iommu_ioas_map cmd = { .size = sizeof(cmd), .flags = flags, .ioas_id = ioas,
				      .user_va = va, .length = length, .iova = iova };
	int rc = ifs_ioctl(f->process, fd, IOMMU_IOAS_MAP, &cmd);

	return rc ? rc : (int64_t)cmd.iova;
}

static inline int64_t t_map_file(struct fixture *f, int fd, uint32_t ioas, uint32_t flags, int file,
				 uint64_t start, uint64_t length, uint64_t iova)
{
	struct iommu_ioas_map_file cmd = { .size = sizeof(cmd), .flags = flags, .ioas_id = ioas,
					   .fd = file, .start = start, .length = length,
					   .iova = iova };
	int rc = ifs_ioctl(f->process, fd, IOMMU_IOAS_MAP_FILE, &cmd);

	return rc ? rc : (int64_t)cmd.iova;
}

static inline int64_t t_copy(struct fixture *f, int fd, uint32_t dst, uint32_t src, uint32_t flags,
			     uint64_t length, uint64_t dst_iova, uint64_t src_iova)
{
	struct iommu_ioas_copy cmd = { .size = sizeof(cmd), .flags = flags, .dst_ioas_id = dst,
				       .src_ioas_id = src, .length = length, .dst_iova = dst_iova,
				       .src_iova = src_iova };
	int rc = ifs_ioctl(f->process, fd, IOMMU_IOAS_COPY, &cmd);

	return rc ? rc : (int64_t)cmd.dst_iova;
}

/* Bytes unmapped, or -errno. */
static inline int64_t t_unmap(struct fixture *f, int fd, uint32_t ioas, uint64_t iova,
			      uint64_t length)
{
	struct iommu_ioas_unmap cmd = { .size = sizeof(cmd), .ioas_id = ioas, .iova = iova,
					.length = length };
	int rc = ifs_ioctl(f->process, fd, IOMMU_IOAS_UNMAP, &cmd);

	return rc ? rc : (int64_t)cmd.length;
}

/* The number of ranges, or -errno. */
static inline int64_t t_ranges(struct fixture *f, int fd, uint32_t ioas,
			       struct iommu_iova_range *ranges, uint32_t room, uint64_t *alignment)
{
	struct iommu_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = ioas,
					      .num_iovas = room,
					      .allowed_iovas = (uintptr_t)ranges };
	int rc = ifs_ioctl(f->process, fd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	if (alignment)
		*alignment = cmd.out_iova_alignment;
	return rc ? rc : (int64_t)cmd.num_iovas;
}

static inline int t_allow(struct fixture *f, int fd, uint32_t ioas,
			  const struct iommu_iova_range *ranges, uint32_t nr)
{
	struct iommu_ioas_allow_iovas cmd = { .size = sizeof(cmd), .ioas_id = ioas, .num_iovas = nr,
					      .allowed_iovas = (uintptr_t)ranges };

	return ifs_ioctl(f->process, fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

/* The value, or -errno. */
static inline int64_t t_option(struct fixture *f, int fd, uint32_t option, uint16_t op,
			       uint32_t object, uint64_t value)
{
	struct iommu_option cmd = { .size = sizeof(cmd), .option_id = option, .op = op,
				    .object_id = object, .val64 = value };
	int rc = ifs_ioctl(f->process, fd, IOMMU_OPTION, &cmd);

	return rc ? rc : (int64_t)cmd.val64;
}

static inline int64_t t_hwpt_alloc(struct fixture *f, int fd, uint32_t flags, uint32_t dev,
				   uint32_t pt)
{
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = flags, .dev_id = dev,
					.pt_id = pt };
	int rc = ifs_ioctl(f->process, fd, IOMMU_HWPT_ALLOC, &cmd);

	return rc ? rc : (int64_t)cmd.out_hwpt_id;
}

static inline int t_open_vfio(struct fixture *f, unsigned nr)
{
	char path[] = "/dev/vfio/devices/vfio0";
	int fd;

	path[sizeof(path) - 2] = (char)('0' + nr);
	fd = ifs_open(f->process, path, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

/* The device's id, or -errno. */
static inline int64_t t_bind(struct fixture *f, int vfio, int fd)
{
	struct vfio_device_bind_iommufd cmd = { .argsz = sizeof(cmd), .iommufd = fd };
	int rc = ifs_ioctl(f->process, vfio, VFIO_DEVICE_BIND_IOMMUFD, &cmd);

	return rc ? rc : (int64_t)cmd.out_devid;
}

/* The HWPT's id, or -errno. */
static inline int64_t t_attach(struct fixture *f, int vfio, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd), .pt_id = pt };
	int rc = ifs_ioctl(f->process, vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);

	return rc ? rc : (int64_t)cmd.pt_id;
}

static inline int t_detach(struct fixture *f, int vfio)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return ifs_ioctl(f->process, vfio, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

/* The program's own memory: page aligned, readable and writable, given back by munmap(). */
static inline uint8_t *t_buffer(uint64_t length)
{
	void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static inline uint64_t t_vm_pin(struct fixture *f)
{
	uint64_t pin, lck;

	ifs_process_get_locked(f->process, &pin, &lck);
	return pin;
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

#endif
