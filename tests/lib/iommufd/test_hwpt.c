/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Hardware page tables: filling, pins and charges, and what devices reach through them. */
#include "tests/lib/iommufd/iommufd_test.h"

struct bound {
	int fd, vfio;
	uint32_t ioas, dev;
};

/* IOAS 1, and the first device, bound as object 2. */
static struct bound bind_one(struct fixture *f)
{
	struct bound b = { .fd = t_open(f), .vfio = t_open_vfio(f, 0) };

	b.ioas = t_ioas_alloc(f, b.fd);
	b.dev = t_bind(f, b.vfio, b.fd);
	assert_int_equal(b.ioas, 1);
	assert_int_equal(b.dev, 2);
	return b;
}

static void test_hwpt_alloc_errors_in_linux_order(void **state)
{
	struct fixture *f = *state;
	struct bound b = bind_one(f);
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .__reserved = 1, .data_len = 1 };
	uint32_t hwpt;

	assert_int_equal(ifs_ioctl(f->process, b.fd, IOMMU_HWPT_ALLOC, &cmd), -95);
	cmd.__reserved = 0;
	assert_int_equal(ifs_ioctl(f->process, b.fd, IOMMU_HWPT_ALLOC, &cmd), -22);
	cmd.data_type = 1;
	assert_int_equal(ifs_ioctl(f->process, b.fd, IOMMU_HWPT_ALLOC, &cmd), -2);
	cmd.dev_id = 2;
	/* A target that does not exist is -EINVAL here. */
	assert_int_equal(ifs_ioctl(f->process, b.fd, IOMMU_HWPT_ALLOC, &cmd), -22);
	cmd.pt_id = 2;
	assert_int_equal(ifs_ioctl(f->process, b.fd, IOMMU_HWPT_ALLOC, &cmd), -22);
	cmd.pt_id = 1;
	assert_int_equal(ifs_ioctl(f->process, b.fd, IOMMU_HWPT_ALLOC, &cmd), -95);
	assert_int_equal(t_hwpt_alloc(f, b.fd, 16, 2, 1), -95);
	assert_int_equal(t_hwpt_alloc(f, b.fd, 5, 2, 1), -95);
	/* A fault queue is looked up only once the table is there; everything is undone. */
	assert_int_equal(t_hwpt_alloc(f, b.fd, 4, 2, 1), -2);
	hwpt = t_hwpt_alloc(f, b.fd, 0, 2, 1);
	assert_int_equal(hwpt, 3);
	/* No nested tables. */
	assert_int_equal(t_hwpt_alloc(f, b.fd, 0, 2, hwpt), -95);
	/* An old program's structure ends before the id of the answer's successor. */
	cmd = (struct iommu_hwpt_alloc){ .size = 24, .dev_id = 2, .pt_id = 1, .data_type = 0xdead };
	assert_int_equal(ifs_ioctl(f->process, b.fd, IOMMU_HWPT_ALLOC, &cmd), 0);
	assert_int_equal(cmd.out_hwpt_id, 4);
	assert_int_equal(cmd.data_type, 0xdead);
}

/* An IOAS in use by a table must stay; areas in it do not matter. */
static void test_destroy_order_by_references(void **state)
{
	struct fixture *f = *state;
	struct bound b = bind_one(f);
	uint32_t hwpt = t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas);
	uint8_t *buffer = t_buffer(0x1000);

	assert_int_equal(t_map(f, b.fd, b.ioas, RD | WR | FIXED, (uintptr_t)buffer, 0x1000, 0), 0);
	assert_int_equal(t_vm_pin(f), 1);
	assert_int_equal(t_destroy(f, b.fd, b.ioas), -16);
	assert_int_equal(t_destroy(f, b.fd, b.dev), -16);
	assert_int_equal(t_destroy(f, b.fd, hwpt), 0);
	assert_int_equal(t_vm_pin(f), 0);
	assert_int_equal(t_destroy(f, b.fd, b.ioas), 0);
	munmap(buffer, 0x1000);
}

/* The first table makes pages pinned, the last one gives them back; in between nothing changes. */
static void test_pins_follow_first_and_last_domain(void **state)
{
	struct fixture *f = *state;
	struct bound b = bind_one(f);
	uint8_t *buffer = t_buffer(0x4000);
	uint32_t hwpt[2], other = t_ioas_alloc(f, b.fd);
	uint64_t alignment;

	assert_int_equal(t_map(f, b.fd, b.ioas, RD | WR | FIXED, (uintptr_t)buffer, 0x4000,
			       0x10000),
			 0x10000);
	assert_int_equal(t_vm_pin(f), 0);
	hwpt[0] = t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas);
	assert_int_equal(t_vm_pin(f), 4);
	hwpt[1] = t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas);
	assert_int_equal(t_vm_pin(f), 4);
	assert_int_equal(t_ranges(f, b.fd, b.ioas, NULL, 0, &alignment), -90);
	assert_int_equal(alignment, 0x1000);
	/* A copy into the same and into another space: the same pages, pinned once. */
	assert_int_equal(t_copy(f, b.fd, b.ioas, b.ioas, RD | FIXED, 0x2000, 0x20000, 0x11000),
			 0x20000);
	assert_int_equal(t_copy(f, b.fd, other, b.ioas, RD | FIXED, 0x1000, 0x20000, 0x13000),
			 0x20000);
	assert_int_equal(t_vm_pin(f), 4);
	/* The original goes; the copy still holds two of its pages. */
	assert_int_equal(t_unmap(f, b.fd, b.ioas, 0x10000, 0x4000), 0x4000);
	assert_int_equal(t_vm_pin(f), 2);
	/* The third is pinned again when the other space gets a table. */
	assert_int_equal(t_destroy(f, b.fd, hwpt[1]), 0);
	assert_int_equal(t_hwpt_alloc(f, b.fd, 0, b.dev, other), 5);
	assert_int_equal(t_vm_pin(f), 3);
	/* Two maps of one address pin twice. */
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0x40000),
			 0x40000);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0x41000),
			 0x41000);
	assert_int_equal(t_vm_pin(f), 5);
	assert_int_equal(t_destroy(f, b.fd, hwpt[0]), 0);
	assert_int_equal(t_vm_pin(f), 1);
	/* Nothing but the huge pages option holds the alignment up now. */
	assert_int_equal(t_ranges(f, b.fd, b.ioas, NULL, 0, &alignment), -90);
	assert_int_equal(alignment, 1);
	munmap(buffer, 0x4000);
}

/* Memory that cannot be pinned shows when there is a table, not before; and all is undone. */
static void test_fill_failure_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct bound b = bind_one(f);
	int memfd = ifs_memfd_create(f->process, "m", 0);
	uint8_t *buffer = t_buffer(0x3000);
	uint64_t hash;

	assert_int_equal(ifs_ftruncate(f->process, memfd, 100), 0);
	assert_int_equal(munmap(buffer + 0x1000, 0x1000), 0);
	assert_int_equal(mprotect(buffer + 0x2000, 0x1000, PROT_READ), 0);
	/* Without a table all of this is accepted ... */
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0), 0);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x2000, 0x10000),
			 0x10000);
	hash = ifs_kernel_state_hash(f->kernel);
	assert_int_equal(t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas), -14);
	assert_true(ifs_kernel_state_hash(f->kernel) == hash);
	assert_int_equal(t_attach(f, b.vfio, b.ioas), -14);
	assert_true(ifs_kernel_state_hash(f->kernel) == hash);
	assert_int_equal(t_vm_pin(f), 0);
	assert_int_equal(t_unmap(f, b.fd, b.ioas, 0x10000, 0x2000), 0x2000);
	/* ... and with one it is not. */
	assert_int_equal(t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas), 3);
	hash = ifs_kernel_state_hash(f->kernel);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x2000, 0x10000),
			 -14);
	assert_int_equal(t_map(f, b.fd, b.ioas, WR | FIXED, (uintptr_t)buffer + 0x2000, 0x1000,
			       0x10000),
			 -14);
	/* The last page is not within the file: 100 bytes are not a page. */
	assert_int_equal(t_map_file(f, b.fd, b.ioas, RD | FIXED, memfd, 0, 0x1000, 0x10000), -22);
	assert_int_equal(t_map_file(f, b.fd, b.ioas, RD | FIXED, b.fd, 0, 0x1000, 0x10000), -22);
	/* More memory than there is. */
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 1ull << 46, 0x10000),
			 -14);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, 1ull << 63, 0x1000, 0x10000), -14);
	/* Less than a page of IOVA, of memory, of length. */
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x800, 0x10000),
			 -22);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0x10800),
			 -22);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer + 1, 0x1000, 0x10000),
			 -22);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD, (uintptr_t)buffer + 1, 0x1000, 0), -22);
	assert_true(ifs_kernel_state_hash(f->kernel) == hash);
	assert_int_equal(t_vm_pin(f), 1);
	assert_int_equal(ifs_ftruncate(f->process, memfd, 4096), 0);
	assert_int_equal(t_map_file(f, b.fd, b.ioas, RD | WR | FIXED, memfd, 0, 0x1000, 0x10000),
			 0x10000);
	munmap(buffer, 0x3000);
}

/* An area less aligned than the hardware's pages keeps a table out. */
static void test_alignment_and_aperture(void **state)
{
	struct fixture *f = *state;
	struct bound b = bind_one(f);
	struct iommu_iova_range ranges[2];
	uint8_t *buffer = t_buffer(0x1000);

	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x800, 0), 0);
	assert_int_equal(t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas), -98);
	assert_int_equal(t_unmap(f, b.fd, b.ioas, 0, 0x800), 0x800);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 1ull << 48),
			 1ull << 48);
	assert_int_equal(t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas), -98);
	assert_int_equal(t_unmap(f, b.fd, b.ioas, 0, MAX64), 0x1000);
	assert_int_equal(t_hwpt_alloc(f, b.fd, 0, b.dev, b.ioas), 3);
	assert_int_equal(t_ranges(f, b.fd, b.ioas, ranges, 2, NULL), 1);
	assert_int_equal(ranges[0].start, 0);
	assert_true(ranges[0].last == (1ull << 48) - 1);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 1ull << 48),
			 -22);
	/* What is to stay usable may not be cut off. */
	ranges[0].last = 1ull << 48;
	assert_int_equal(t_allow(f, b.fd, b.ioas, ranges, 1), -98);
	ranges[0].last = (1ull << 48) - 1;
	assert_int_equal(t_allow(f, b.fd, b.ioas, ranges, 1), 0);
	/* The interrupt window of the device is part of that. */
	assert_int_equal(t_attach(f, b.vfio, 3), -98);
	assert_int_equal(t_allow(f, b.fd, b.ioas, NULL, 0), 0);
	assert_int_equal(t_attach(f, b.vfio, 3), 3);
	assert_int_equal(t_ranges(f, b.fd, b.ioas, ranges, 2, NULL), 2);
	assert_int_equal(ranges[0].last, 0xfedfffff);
	assert_int_equal(ranges[1].start, 0xfef00000);
	assert_int_equal(t_detach(f, b.vfio), 0);
	assert_int_equal(t_destroy(f, b.fd, 3), 0);
	assert_int_equal(t_ranges(f, b.fd, b.ioas, ranges, 2, NULL), 1);
	assert_true(ranges[0].last == MAX64);
	munmap(buffer, 0x1000);
}

/* A device reaches what is mapped, as it is mapped, and nothing else. */
static void test_dma_through_areas(void **state)
{
	struct fixture *f = *state;
	struct bound b = bind_one(f);
	uint8_t *buffer = t_buffer(0x4000), got[8];
	struct ifs_dma_fault fault;

	memcpy(buffer + 0x2ffc, "straddle", 8);
	assert_int_equal(t_attach(f, b.vfio, b.ioas), 3);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer + 0x2000, 0x2000,
			       0x10000),
			 0x10000);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0x10ffc, got, 8, &fault), IFS_DMA_OK);
	assert_memory_equal(got, "straddle", 8);
	assert_int_equal(ifs_device_dma_write(f->devices[0], 0x10000, "x", 1, &fault),
			 IFS_DMA_FAULT);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0x12000, got, 1, &fault),
			 IFS_DMA_FAULT);
	/* The memory goes, the pins stay. */
	munmap(buffer, 0x4000);
	assert_int_equal(t_unmap(f, b.fd, b.ioas, 0x10000, 0x2000), 0x2000);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0x10ffc, got, 8, &fault),
			 IFS_DMA_FAULT);
}

/* What was pinned in time outlives its process; what was not is gone with it. Files do not care. */
static void test_map_of_dead_process(void **state)
{
	struct fixture *f = *state;
	struct ifs_process *parent = f->process, *child = ifs_fork(parent);
	struct bound b = bind_one(f);
	uint8_t *buffer = t_buffer(0x2000), byte;
	uint32_t late = t_ioas_alloc(f, b.fd), file = t_ioas_alloc(f, b.fd);
	int memfd = ifs_memfd_create(parent, "m", 0), fd, vfio;

	assert_non_null(child);
	buffer[0] = 'p';
	assert_int_equal(ifs_ftruncate(parent, memfd, 0x1000), 0);
	assert_int_equal(t_attach(f, b.vfio, b.ioas), 5);
	assert_int_equal(t_map(f, b.fd, b.ioas, RD | FIXED, (uintptr_t)buffer, 0x1000, 0x1000),
			 0x1000);
	assert_int_equal(t_map(f, b.fd, late, RD | FIXED, (uintptr_t)buffer, 0x1000, 0x1000),
			 0x1000);
	assert_int_equal(t_map_file(f, b.fd, file, RD | FIXED, memfd, 0, 0x1000, 0x1000), 0x1000);
	fd = ifs_send_fd(parent, b.fd, child);
	vfio = ifs_send_fd(parent, b.vfio, child);
	assert_true(fd >= 0 && vfio >= 0);
	ifs_exit(parent);
	f->process = child;
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0x1000, &byte, 1, NULL), IFS_DMA_OK);
	assert_int_equal(byte, 'p');
	assert_int_equal(t_hwpt_alloc(f, fd, 0, b.dev, late), -14);
	assert_int_equal(t_hwpt_alloc(f, fd, 0, b.dev, file), 6);
	/* A copy of pinned pages needs no process; one of the others does. */
	assert_int_equal(t_copy(f, fd, file, b.ioas, RD | FIXED, 0x1000, 0x2000, 0x1000), 0x2000);
	assert_int_equal(t_copy(f, fd, file, late, RD | FIXED, 0x1000, 0x3000, 0x1000), -14);
	assert_int_equal(t_attach(f, vfio, 6), 6);
	assert_int_equal(ifs_device_dma_read(f->devices[0], 0x2000, &byte, 1, NULL), IFS_DMA_OK);
	assert_int_equal(byte, 'p');
	assert_int_equal(t_vm_pin(f), 0);
	munmap(buffer, 0x2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_hwpt_alloc_errors_in_linux_order),
		T(test_destroy_order_by_references),
		T(test_pins_follow_first_and_last_domain),
		T(test_fill_failure_changes_nothing),
		T(test_alignment_and_aperture),
		T(test_dma_through_areas),
		T(test_map_of_dead_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
