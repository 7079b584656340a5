/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Places and the scene: see copyout.h. */
#include "copyout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <linux/liveupdate.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BEYOND 32u                      /* bytes after a structure that are looked at */

/* Two pages, and what was put where they meet. */
struct place {
	uint8_t *pages, *at;
	unsigned size;
	uint8_t before[1024];
};

struct scene scene;
static struct place structures, data;

int mock(uint32_t op, uint32_t id, struct iommu_test_cmd *c)
{
	c->size = sizeof(*c);
	c->op = op;
	c->id = id;
	return ioctl(scene.iommu, IOMMU_TEST_CMD, c);
}

uint32_t make_hwpt(uint32_t flags, uint32_t pt, uint32_t type)
{
	struct iommu_hwpt_selftest own = { .iotlb = 7 };
	struct iommu_hwpt_alloc c = { .size = sizeof(c), .flags = flags, .dev_id = scene.idev,
				      .pt_id = pt, .data_type = type, .fault_id = scene.fault };

	if (type) {
		c.data_len = sizeof(own);
		c.data_uptr = (uintptr_t)&own;
	}
	return ioctl(scene.iommu, IOMMU_HWPT_ALLOC, &c) ? 0 : c.out_hwpt_id;
}

static int make_maps(void)
{
	struct iommu_ioas_map c = {
		.size = sizeof(c), .ioas_id = scene.ioas, .user_va = (uintptr_t)BUFFER,
		.length = BUFFER_PAGES * PAGE, .iova = MAPPED,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
	};
	int rc = ioctl(scene.iommu, IOMMU_IOAS_MAP, &c);

	for (unsigned i = 0; i < NR_SINGLE_PAGES; i++) {
		c.iova = SINGLE_PAGES + 2 * PAGE * i;
		c.length = PAGE;
		c.user_va = (uintptr_t)BUFFER + PAGE * i;
		rc |= ioctl(scene.iommu, IOMMU_IOAS_MAP, &c);
	}
	return rc;
}

static int make_virtual(void)
{
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu), .dev_id = scene.idev,
					     .type = IOMMU_VIOMMU_TYPE_SELFTEST,
					     .hwpt_id = scene.parent };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice), .dev_id = scene.idev,
					       .virt_id = 5 };
	struct iommu_veventq_alloc events = { .size = sizeof(events), .veventq_depth = 4,
					      .type = IOMMU_VEVENTQ_TYPE_SELFTEST };
	struct iommu_hw_queue_alloc queue = { .size = sizeof(queue),
					      .type = IOMMU_HW_QUEUE_TYPE_SELFTEST,
					      .nesting_parent_iova = SINGLE_PAGES, .length = PAGE };
	int rc = ioctl(scene.iommu, IOMMU_VIOMMU_ALLOC, &viommu);

	vdevice.viommu_id = events.viommu_id = queue.viommu_id = viommu.out_viommu_id;
	rc |= ioctl(scene.iommu, IOMMU_VDEVICE_ALLOC, &vdevice);
	rc |= ioctl(scene.iommu, IOMMU_VEVENTQ_ALLOC, &events);
	rc |= ioctl(scene.iommu, IOMMU_HW_QUEUE_ALLOC, &queue);
	scene.viommu = viommu.out_viommu_id;
	scene.vdevice = vdevice.out_vdevice_id;
	scene.events = events.out_veventq_id;
	scene.event_fd = (int)events.out_veventq_fd;
	scene.queue = queue.out_hw_queue_id;
	return rc;
}

void scene_open_session(void)
{
	struct liveupdate_ioctl_create_session c = { .size = sizeof(c), .name = NAME };

	scene.session = ioctl(scene.luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &c) ? -1 : c.fd;
}

static int make_devices(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_fault_alloc fault = { .size = sizeof(fault) };
	struct iommu_test_cmd c = { .mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_PASID };
	int rc = ioctl(scene.iommu, IOMMU_IOAS_ALLOC, &ioas);

	scene.ioas = ioas.out_ioas_id;
	rc |= mock(IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, scene.ioas, &c);
	scene.device = c.mock_domain_flags.out_stdev_id;
	scene.idev = c.mock_domain_flags.out_idev_id;
	rc |= ioctl(scene.iommu, IOMMU_FAULT_QUEUE_ALLOC, &fault);
	scene.fault = fault.out_fault_id;
	scene.fault_fd = (int)fault.out_fault_fd;
	scene.parent = make_hwpt(IOMMU_HWPT_ALLOC_NEST_PARENT, scene.ioas, 0);
	scene.dirty = make_hwpt(IOMMU_HWPT_ALLOC_DIRTY_TRACKING, scene.ioas, 0);
	scene.nested = make_hwpt(IOMMU_HWPT_FAULT_ID_VALID, scene.parent,
				 IOMMU_HWPT_DATA_SELFTEST);
	scene.with_pasids[0] = make_hwpt(IOMMU_HWPT_ALLOC_PASID, scene.ioas, 0);
	scene.with_pasids[1] = make_hwpt(IOMMU_HWPT_ALLOC_PASID, scene.ioas, 0);
	c = (struct iommu_test_cmd){ .mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_PASID };
	rc |= mock(IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS, scene.with_pasids[0], &c);
	scene.second_device = c.mock_domain_flags.out_stdev_id;
	scene.second_idev = c.mock_domain_flags.out_idev_id;
	c = (struct iommu_test_cmd){ .create_access.flags =
					     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES };
	rc |= mock(IOMMU_TEST_OP_CREATE_ACCESS, scene.ioas, &c);
	scene.access_fd = (int)c.create_access.out_access_fd;
	/* Page requests go to the nested one. */
	c = (struct iommu_test_cmd){ .mock_domain_replace.pt_id = scene.nested };
	return rc | mock(IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE, scene.device, &c);
}

static int make_vfio(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_vfio_ioas vfio = { .size = sizeof(vfio), .op = IOMMU_VFIO_IOAS_SET };
	struct iommu_test_cmd c = { .size = sizeof(c), .op = IOMMU_TEST_OP_MOCK_DOMAIN };
	int rc = ioctl(scene.vfio, IOMMU_IOAS_ALLOC, &ioas);

	c.id = vfio.ioas_id = ioas.out_ioas_id;
	rc |= ioctl(scene.vfio, IOMMU_VFIO_IOAS, &vfio);
	return rc | ioctl(scene.vfio, IOMMU_TEST_CMD, &c);
}

int scene_start(void)
{
	int rc;

	structures.pages = mmap(PLACES, 4 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	data.pages = structures.pages + 2 * PAGE;
	if (mmap(BUFFER, BUFFER_PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != BUFFER)
		return 1;
	scene.iommu = open("/dev/iommu", O_RDWR);
	scene.vfio = open("/dev/iommu", O_RDWR);
	scene.luo = open("/dev/liveupdate", O_RDWR);
	scene.memory_file = memfd_create("m", 0);
	rc = ftruncate(scene.memory_file, BUFFER_PAGES * PAGE);
	scene_open_session();
	rc |= make_devices();
	rc |= make_maps();
	rc |= make_virtual();
	rc |= make_vfio();
	return rc || scene.session < 0;
}

/* Puts @size bytes where some of them may be out of the kernel's reach. */
static void *put(struct place *place, const void *bytes, unsigned size)
{
	static const int protections[] = { PROT_NONE, PROT_READ };
	static const char *const names[] = { "guard", "read-only" };
	unsigned what = (unsigned)below(4), reach = size;

	place->size = size;
	place->at = place->pages + 64;
	memset(place->pages, 0xa5, 2 * PAGE);
	if (what < 2) {
		reach = pct(85) ? 4 * (unsigned)below(size / 4 + 1) : (unsigned)below(size + 1);
		place->at = place->pages + PAGE - reach;
		say(" %s+%u", names[what], reach);
	}
	memcpy(place->at, bytes, size);
	memcpy(place->before, place->at, size + BEYOND + 3);
	if (what < 2)
		mprotect(place->pages + PAGE, PAGE, protections[what]);
	return place->at;
}

/* Prints what changed there. */
static void take(struct place *place, const char *name)
{
	mprotect(place->pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
	for (unsigned i = 0; i < place->size + BEYOND; i += 4) {
		uint32_t word;

		memcpy(&word, place->at + i, 4);
		if (memcmp(place->before + i, &word, 4))
			say(" %s%u=%x", name, i, word);
	}
}

long try_ioctl(int fd, unsigned long cmd, void *structure, unsigned size)
{
	static uint8_t room[256];
	unsigned length = size;
	uint32_t first;
	long rc;

	memset(room, 0, sizeof(room));
	memcpy(room, structure, size);
	memcpy(&first, structure, 4);
	if (pct(8) && first == size) {
		length = pct(50) ? size + (unsigned)below(24) : (unsigned)below(size);
		memcpy(room, &length, 4);
	}
	if (length != size)
		say(" size=%u", length);
	rc = result(ioctl(fd, cmd, put(&structures, room, length > size ? length : size)));
	take(&structures, "+");
	memcpy(structure, structures.at, size);
	return rc;
}

void *data_at(const void *bytes, unsigned size)
{
	return put(&data, bytes, size);
}

void data_done(void)
{
	take(&data, "*");
}

uint32_t data_word(unsigned offset)
{
	uint32_t word;

	memcpy(&word, data.at + offset, sizeof(word));
	return word;
}

long try_read(int fd, unsigned size)
{
	static const uint8_t zero[1024];
	long rc = result(read(fd, put(&data, zero, size), size));

	take(&data, "*");
	return rc;
}

long try_write(int fd, const void *bytes, unsigned size)
{
	long rc = result(write(fd, put(&data, bytes, size), size));

	take(&data, "*");
	return rc;
}

static void pick(const struct operation *operations)
{
	const struct operation *op = operations;
	unsigned total = 0, at;

	for (; op->run; op++)
		total += op->weight;
	at = (unsigned)below(total);
	for (op = operations; at >= op->weight; op++)
		at -= op->weight;
	op->run();
}

static void do_iommufd(void)
{
	pick(copyout_of_iommufd);
}

static void do_virtual(void)
{
	pick(copyout_of_virtual);
}

static void do_mock(void)
{
	pick(copyout_of_mock);
}

static void do_elsewhere(void)
{
	pick(copyout_elsewhere);
}

static const struct operation copyout_operations[] = {
	{ do_iommufd, 8 }, { do_virtual, 5 }, { do_mock, 5 }, { do_elsewhere, 4 }, { 0 },
};

uint32_t make_ioas(void)
{
	struct iommu_ioas_alloc c = { .size = sizeof(c) };

	return ioctl(scene.iommu, IOMMU_IOAS_ALLOC, &c) ? 0 : c.out_ioas_id;
}

void track_dirty(void)
{
	struct iommu_hwpt_set_dirty_tracking c = { .size = sizeof(c), .hwpt_id = scene.dirty,
						   .flags = pct(85) };

	ioctl(scene.iommu, IOMMU_HWPT_SET_DIRTY_TRACKING, &c);
}

void undo_id(uint32_t id)
{
	struct iommu_destroy c = { .size = sizeof(c), .id = id };

	say(" destroy %u", id);
	result(ioctl(scene.iommu, IOMMU_DESTROY, &c));
}

void undo_fd(int fd)
{
	say(" close %d", fd);
	result(close(fd));
}

void undo_maps(uint32_t ioas, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_unmap c = { .size = sizeof(c), .ioas_id = ioas, .iova = iova,
				      .length = length };

	say(" unmap");
	if (!result(ioctl(scene.iommu, IOMMU_IOAS_UNMAP, &c)))
		say(" length=%llx", (unsigned long long)c.length);
}

void probe_free(void)
{
	struct iommu_destroy c = { .size = sizeof(c), .id = make_ioas() };
	int fd = dup(0);

	ioctl(scene.iommu, IOMMU_DESTROY, &c);
	close(fd);
	say(" next %u,%d", c.id, fd);
}

const struct profile profile_copyout = { .name = "copyout", .start = scene_start,
					 .operations = copyout_operations };
