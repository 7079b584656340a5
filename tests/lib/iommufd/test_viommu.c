/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Virtual IOMMUs, virtual devices, their events, their memory and their queues. */
#include "tests/lib/iommufd/mock_test.h"

struct setup {
	int fd;
	uint32_t ioas, parent, viommu;
	struct mock dev;
};

static void set_up(struct fixture *f, struct setup *s)
{
	s->fd = t_open(f);
	s->ioas = t_ioas_alloc(f, s->fd);
	assert_int_equal(t_mock(f, s->fd, s->ioas, 0, &s->dev), 0);
	s->parent = t_hwpt_alloc(f, s->fd, IOMMU_HWPT_ALLOC_NEST_PARENT, s->dev.idev, s->ioas);
	s->viommu = t_viommu(f, s->fd, s->dev.idev, s->parent, NULL);
	assert_int_equal(s->viommu, s->parent + 1);
}

/* A VMM that probes for vIOMMUs would be told the wrong reason. */
static void test_viommu_alloc_each_mistake_has_its_errno(void **state)
{
	struct fixture *f = *state;
	struct iommu_viommu_alloc cmd;
	struct setup s;

	set_up(f, &s);
#define ALLOC(...) (cmd = (struct iommu_viommu_alloc){ .size = sizeof(cmd), __VA_ARGS__ }, \
		    ifs_ioctl(f->process, s.fd, IOMMU_VIOMMU_ALLOC, &cmd))
	assert_int_equal(ALLOC(.flags = 1, .type = 0xdeadbeef), -EOPNOTSUPP);
	assert_int_equal(ALLOC(.type = 0), -EOPNOTSUPP);
	assert_int_equal(ALLOC(.type = 0xdeadbeef, .dev_id = s.ioas), -ENOENT);
	/* The type before the HWPT. */
	assert_int_equal(ALLOC(.type = 1, .dev_id = s.dev.idev, .hwpt_id = 99), -EOPNOTSUPP);
	assert_int_equal(ALLOC(.type = 0xdeadbeef, .dev_id = s.dev.idev, .hwpt_id = 99), -ENOENT);
	assert_int_equal(ALLOC(.type = 0xdeadbeef, .dev_id = s.dev.idev, .hwpt_id = s.dev.hwpt),
			 -EINVAL);
	assert_int_equal(ALLOC(.type = 0xdeadbeef, .dev_id = s.dev.idev, .hwpt_id = s.parent,
			       .data_len = 7), -EINVAL);
	assert_int_equal(ALLOC(.type = 0xdeadbeef, .dev_id = s.dev.idev, .hwpt_id = s.parent,
			       .data_len = 8), -EFAULT);
	assert_int_equal(ALLOC(.type = 0xdeadbeef, .dev_id = s.dev.idev, .hwpt_id = s.parent,
			       .__reserved = 5), 0);
#undef ALLOC
	assert_int_equal(cmd.out_viommu_id, s.viommu + 1);
	assert_int_equal(t_destroy(f, s.fd, s.parent), -EBUSY);
	assert_int_equal(t_destroy(f, s.fd, s.viommu), 0);
	assert_int_equal(t_destroy(f, s.fd, s.viommu + 1), 0);
	assert_int_equal(t_destroy(f, s.fd, s.parent), 0);
}

/* Two devices would answer to one name, or one device to two. */
static void test_vdevice_alloc_names_are_unique(void **state)
{
	struct fixture *f = *state;
	struct mock second;
	int64_t vdev;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_mock(f, s.fd, s.ioas, 0, &second), 0);
	assert_int_equal(t_vdevice(f, s.fd, s.parent, s.dev.idev, 1), -ENOENT);
	assert_int_equal(t_vdevice(f, s.fd, s.viommu, s.parent, 1), -ENOENT);
	vdev = t_vdevice(f, s.fd, s.viommu, s.dev.idev, 0);
	assert_int_equal(vdev, second.idev + 1);
	assert_int_equal(t_vdevice(f, s.fd, s.viommu, s.dev.idev, 1), -EEXIST);
	assert_int_equal(t_vdevice(f, s.fd, s.viommu, second.idev, 0), -EEXIST);
	assert_int_equal(t_destroy(f, s.fd, s.viommu), -EBUSY);
	assert_int_equal(t_destroy(f, s.fd, vdev), 0);
	assert_int_equal(t_vdevice(f, s.fd, s.viommu, second.idev, 0), vdev);
	assert_int_equal(t_destroy(f, s.fd, vdev), 0);
	assert_int_equal(t_vdevice(f, s.fd, s.viommu, second.idev, MAX64), vdev);
	assert_int_equal(t_destroy(f, s.fd, vdev), 0);
}

/* A stale id would name something else: the guest's device is gone, its number is not. */
static void test_unbind_with_vdevice_leaves_a_tombstone(void **state)
{
	struct fixture *f = *state;
	int64_t vdev, next;
	struct setup s;

	set_up(f, &s);
	vdev = t_vdevice(f, s.fd, s.viommu, s.dev.idev, 0x42);
	assert_int_equal(vdev, s.viommu + 1);
	assert_int_equal(t_destroy(f, s.fd, s.dev.stdev), 0);
	assert_int_equal(t_destroy(f, s.fd, vdev), -ENOENT);
	/* The ids of stdev, idev and hwpt are free again, the vDEVICE's never. */
	assert_int_equal(t_ioas_alloc(f, s.fd), s.dev.stdev);
	assert_int_equal(t_ioas_alloc(f, s.fd), s.dev.idev);
	assert_int_equal(t_ioas_alloc(f, s.fd), s.dev.hwpt);
	next = t_ioas_alloc(f, s.fd);
	assert_int_equal(next, vdev + 1);
	/* Nothing of it holds the vIOMMU. */
	assert_int_equal(t_destroy(f, s.fd, s.viommu), 0);
	assert_int_equal(t_destroy(f, s.fd, s.parent), 0);
	for (int64_t id = 1; id <= next; id++)
		t_destroy(f, s.fd, id);
	assert_int_equal(t_option(f, s.fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 1),
			 -EBUSY);
}

/* A guest's device would enter tables that know nothing of it. */
static void test_attach_nested_of_viommu_needs_a_vdevice(void **state)
{
	struct fixture *f = *state;
	int64_t nested, vdev;
	struct setup s;

	set_up(f, &s);
	nested = t_nested(f, s.fd, s.dev.idev, s.viommu, 0, 0, 1);
	assert_int_equal(nested, s.viommu + 1);
	assert_int_equal(t_destroy(f, s.fd, s.viommu), -EBUSY);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, nested), -ENOENT);
	vdev = t_vdevice(f, s.fd, s.viommu, s.dev.idev, 7);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, nested), nested);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.ioas), s.dev.hwpt);
	assert_int_equal(t_destroy(f, s.fd, nested), 0);
	assert_int_equal(t_destroy(f, s.fd, vdev), 0);
	assert_int_equal(t_destroy(f, s.fd, s.viommu), 0);
}

/* A stale device cache would survive the guest's invalidation. */
static void test_invalidate_viommu_reaches_named_devices(void **state)
{
	struct fixture *f = *state;
	struct iommu_viommu_invalidate_selftest e[2] = { { 0, 7, 0 }, { 0, 8, 1 } };
	struct iommu_test_cmd check = { .op = IOMMU_TEST_OP_DEV_CHECK_CACHE };
	uint32_t nr = 2;
	struct setup s;

	set_up(f, &s);
	assert_true(t_vdevice(f, s.fd, s.viommu, s.dev.idev, 7) > 0);
	assert_int_equal(t_invalidate(f, s.fd, s.viommu, 0xdeadbeef, e, 12, &nr), -EINVAL);
	assert_int_equal(nr, 1);
	check.id = s.dev.idev;
	check.check_dev_cache.id = 0;
	assert_int_equal(t_test(f, s.fd, &check), 0);
	check.check_dev_cache.id = 1;
	check.check_dev_cache.cache = 0xbaddad;
	assert_int_equal(t_test(f, s.fd, &check), 0);
	nr = 1;
	assert_int_equal(t_invalidate(f, s.fd, s.viommu, 1, e, sizeof(e[0]), &nr), -EINVAL);
	assert_int_equal(nr, 0);
}

struct events {
	struct setup s;
	int fd;
	uint32_t veventq;
};

/* A nested HWPT of the vIOMMU under a device named 0x99, and a queue of two. */
static void set_up_events(struct fixture *f, struct events *e)
{
	int64_t nested;

	set_up(f, &e->s);
	assert_true(t_vdevice(f, e->s.fd, e->s.viommu, e->s.dev.idev, 0x99) > 0);
	nested = t_nested(f, e->s.fd, e->s.dev.idev, e->s.viommu, 0, 0, 1);
	assert_int_equal(t_mock_replace(f, e->s.fd, e->s.dev.stdev, nested), nested);
	assert_int_equal(t_vevent(f, e->s.fd, e->s.dev.idev), -EOPNOTSUPP);
	e->veventq = t_veventq(f, e->s.fd, e->s.viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 2, &e->fd);
	/* The id of the auto HWPT that the device has left. */
	assert_int_equal(e->veventq, e->s.dev.hwpt);
}

static void trigger(struct fixture *f, struct events *e, int times)
{
	while (times--)
		assert_int_equal(t_vevent(f, e->s.fd, e->s.dev.idev), 0);
}

/* A guest would not notice that it missed events, or believe that it missed some. */
static void test_veventq_overflow_is_told_by_one_header_at_the_tail(void **state)
{
	struct fixture *f = *state;
	uint32_t got[64];
	struct events e;

	set_up_events(f, &e);
	assert_int_equal(ifs_poll(f->process, e.fd, POLLIN | POLLOUT | POLLRDNORM), 0);
	assert_int_equal(ifs_read(f->process, e.fd, got, 7), -EINVAL);
	assert_int_equal(ifs_read(f->process, e.fd, got, 8), 0);
	assert_int_equal(ifs_write(f->process, e.fd, got, 8), -EINVAL);
	trigger(f, &e, 4);
	assert_int_equal(ifs_poll(f->process, e.fd, POLLIN | POLLOUT | POLLRDNORM),
			 POLLIN | POLLRDNORM);
	assert_int_equal(ifs_read(f->process, e.fd, got, 256), 32);
	assert_int_equal(got[0], 0);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 0x99);
	assert_int_equal(got[4], 1);
	assert_int_equal(got[6], 1);
	assert_int_equal(got[7], 3);
	/* 4; then 5, 6 fill the rest: 7 is lost, and the header goes when 8 follows. */
	trigger(f, &e, 1);
	assert_int_equal(ifs_read(f->process, e.fd, got, 256), 12);
	assert_int_equal(got[1], 4);
	trigger(f, &e, 3);
	assert_int_equal(ifs_read(f->process, e.fd, got, 12), 12);
	assert_int_equal(got[1], 5);
	trigger(f, &e, 1);
	assert_int_equal(ifs_read(f->process, e.fd, got, 256), 24);
	assert_int_equal(got[1], 6);
	assert_int_equal(got[4], 8);
	assert_int_equal(got[3], 0);
}

/* An event would be lost with the read that had no room for it. */
static void test_veventq_read_without_room_keeps_the_event(void **state)
{
	struct fixture *f = *state;
	uint32_t got[8];
	struct events e;

	set_up_events(f, &e);
	trigger(f, &e, 3);
	assert_int_equal(ifs_read(f->process, e.fd, got, 11), -EINVAL);
	assert_int_equal(ifs_read(f->process, e.fd, NULL, 12), -EFAULT);
	assert_int_equal(ifs_read(f->process, e.fd, got, 23), 12);
	assert_int_equal(got[1], 0);
	assert_int_equal(ifs_read(f->process, e.fd, got, 12), 12);
	assert_int_equal(got[1], 1);
	assert_int_equal(ifs_read(f->process, e.fd, NULL, 8), -EFAULT);
	assert_int_equal(ifs_read(f->process, e.fd, got, 8), 8);
	assert_int_equal(got[0], 1);
	assert_int_equal(got[1], 2);
}

/* Two queues would share one kind of event. */
static void test_veventq_alloc_each_mistake_has_its_errno(void **state)
{
	struct fixture *f = *state;
	struct iommu_veventq_alloc cmd = { .size = sizeof(cmd), .flags = 1, .type = 1 };
	struct ifs_stat stat;
	struct events e;
	int64_t other;
	int fd = -1;

	set_up_events(f, &e);
	assert_int_equal(ifs_ioctl(f->process, e.s.fd, IOMMU_VEVENTQ_ALLOC, &cmd), -EOPNOTSUPP);
	assert_int_equal(t_veventq(f, e.s.fd, e.s.viommu, 0, 1, &fd), -EOPNOTSUPP);
	assert_int_equal(t_veventq(f, e.s.fd, 99, 5, 0, &fd), -EINVAL);
	assert_int_equal(t_veventq(f, e.s.fd, 99, 5, (1u << 19) + 1, &fd), -EINVAL);
	assert_int_equal(t_veventq(f, e.s.fd, 99, 5, 1, &fd), -ENOENT);
	assert_int_equal(t_veventq(f, e.s.fd, e.s.viommu, 0xbeefbeef, 1, &fd), -EEXIST);
	/* Any other number is a type. */
	other = t_veventq(f, e.s.fd, e.s.viommu, 5, 1, &fd);
	assert_true(other > 0);
	assert_int_equal(ifs_fstat(f->process, fd, &stat), 0);
	assert_string_equal(stat.name, "anon_inode:[iommufd-viommu-event]");
	assert_int_equal(t_destroy(f, e.s.fd, other), -EBUSY);
	assert_int_equal(ifs_close(f->process, fd), 0);
	assert_int_equal(t_destroy(f, e.s.fd, other), 0);
	assert_int_equal(t_destroy(f, e.s.fd, e.s.viommu), -EBUSY);
}

/* A driver's memory would be mapped in part, twice over, or after its owner is gone. */
static void test_mmap_of_viommu_memory_holds_the_viommu(void **state)
{
	struct fixture *f = *state;
	struct iommu_viommu_selftest data = { .in_data = 0xbeef };
	struct setup s;
	uint32_t *at = NULL, *second = NULL;
	int64_t viommu;

	set_up(f, &s);
	viommu = t_viommu(f, s.fd, s.dev.idev, s.parent, &data);
	assert_int_equal(data.out_data, 0xbeef);
	assert_int_equal(data.out_mmap_offset, 0x1000);
	assert_int_equal(data.out_mmap_length, 0x2000);
#define MMAP(length, prot, flags, offset, out) \
	ifs_mmap(f->process, length, prot, flags, s.fd, offset, (void **)(out))
	assert_int_equal(MMAP(0x2000, PROT_EXEC, MAP_PRIVATE, 0x1000, &at), -EINVAL);
	assert_int_equal(MMAP(0x2000, PROT_READ | PROT_EXEC, MAP_SHARED, 0x1000, &at), -EPERM);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, 0, &at), -ENXIO);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, 0x3000, &at), -ENXIO);
	assert_int_equal(MMAP(0x1000, PROT_READ, MAP_SHARED, 0x1000, &at), -ENXIO);
	assert_int_equal(MMAP(0x1000, PROT_READ, MAP_SHARED, 0x2000, &at), -ENXIO);
	assert_int_equal(MMAP(0x3000, PROT_READ, MAP_SHARED, 0x1000, &at), -ENXIO);
	/* A device's offsets have no sign: only what passes 2^64 is too much. */
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, INT64_MIN, &at), -ENXIO);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, INT64_MIN + 0x1000, &at), -ENXIO);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, -0x3000, &at), -ENXIO);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, -0x2000, &at), -EOVERFLOW);
	assert_int_equal(MMAP(SIZE_MAX, PROT_READ, MAP_SHARED, 0x1000, &at), -ENOMEM);
	assert_int_equal(MMAP(1ull << 47, PROT_READ, MAP_SHARED, -0x1000, &at), -ENOMEM);
	assert_int_equal(MMAP(0x2000, PROT_READ, 0, 0x1000, &at), -EINVAL);
	assert_int_equal(MMAP(0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, 0x1000, &at), 0);
	assert_int_equal(at[0], 0xbeef);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, 0x1000, &second), 0);
	at[1024] = 0x77;
	assert_int_equal(second[1024], 0x77);
	assert_int_equal(ifs_munmap(f->process, second, 0x2000), 0);
	/* Not memory to do DMA to. */
	assert_int_equal(t_map(f, s.fd, s.ioas, FIXED | RD, (uintptr_t)at, 0x1000, 0x1000000),
			 -EFAULT);
	assert_int_equal(t_destroy(f, s.fd, viommu), -EBUSY);
	assert_int_equal(ifs_munmap(f->process, at, 0x1000), 0);
	assert_int_equal(t_destroy(f, s.fd, viommu), -EBUSY);
	assert_int_equal(ifs_munmap(f->process, (uint8_t *)at + 0x1000, 0x1000), 0);
	assert_int_equal(t_destroy(f, s.fd, viommu), 0);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, 0x1000, &at), -ENXIO);
}

/* Offsets that a VMM has remembered would come to mean other memory. */
static void test_mmap_offsets_are_the_lowest_free(void **state)
{
	struct fixture *f = *state;
	struct iommu_viommu_selftest data[3] = { 0 };
	int64_t viommu[3];
	struct setup s;
	void *at;
	int i;

	set_up(f, &s);
	for (i = 0; i < 3; i++)
		viommu[i] = t_viommu(f, s.fd, s.dev.idev, s.parent, &data[i]);
	assert_int_equal(data[0].out_mmap_offset, 0x1000);
	assert_int_equal(data[1].out_mmap_offset, 0x3000);
	assert_int_equal(data[2].out_mmap_offset, 0x5000);
	assert_int_equal(t_destroy(f, s.fd, viommu[1]), 0);
	viommu[1] = t_viommu(f, s.fd, s.dev.idev, s.parent, &data[1]);
	assert_int_equal(data[1].out_mmap_offset, 0x3000);
	/* A mapping outlives the descriptor, and the context lives with it. */
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, 0x3000, &at), 0);
	assert_int_equal(ifs_close(f->process, s.fd), 0);
	assert_int_equal(*(uint32_t *)at, 0);
	assert_int_equal(ifs_munmap(f->process, at, 0x2000), 0);
}

/* A program that may only read would be told that the region is not there. */
static void test_mmap_of_what_is_open_for_reading_only(void **state)
{
	struct fixture *f = *state;
	int fd = ifs_open(f->process, "/dev/iommu", O_RDONLY);
	void *at;

	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				  0x1000, &at), -EACCES);
	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_READ, MAP_SHARED, fd, 0x1000, &at),
			 -EINVAL);
	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_READ, MAP_PRIVATE, fd, 0x1000, &at),
			 -EINVAL);
	fd = ifs_open(f->process, "/dev/iommu", O_WRONLY);
	assert_int_equal(ifs_mmap(f->process, 0x2000, PROT_WRITE, MAP_SHARED, fd, 0x1000, &at),
			 -EACCES);
}

/* Of a queue's descriptor nothing can be mapped; asked to execute it, Linux looks no further. */
static void test_mmap_of_a_queue(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), queue = -1;
	void *at;

	assert_true(t_fault_queue(f, fd, &queue) > 0);
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ, MAP_SHARED, queue, 0, &at),
			 -ENODEV);
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ, MAP_PRIVATE, queue, 0, &at),
			 -ENODEV);
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ | PROT_EXEC, MAP_SHARED, queue, 0,
				  &at), -EPERM);
	assert_int_equal(ifs_mmap(f->process, 0x1000, PROT_READ, MAP_SHARED, queue, INT64_MIN, &at),
			 -ENODEV);
}

/* A child's mapping would not count, and the parent's object would go under it. */
static void test_mmap_is_held_by_a_forked_child(void **state)
{
	struct fixture *f = *state;
	struct iommu_viommu_selftest data = { 0 };
	struct ifs_process *child;
	int64_t viommu;
	struct setup s;
	void *at;

	set_up(f, &s);
	viommu = t_viommu(f, s.fd, s.dev.idev, s.parent, &data);
	assert_int_equal(MMAP(0x2000, PROT_READ, MAP_SHARED, 0x1000, &at), 0);
	child = ifs_fork(f->process);
	assert_non_null(child);
	assert_int_equal(ifs_munmap(f->process, at, 0x2000), 0);
	assert_int_equal(t_destroy(f, s.fd, viommu), -EBUSY);
	ifs_exit(child);
	assert_int_equal(t_destroy(f, s.fd, viommu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_viommu_alloc_each_mistake_has_its_errno),
		T(test_vdevice_alloc_names_are_unique),
		T(test_unbind_with_vdevice_leaves_a_tombstone),
		T(test_attach_nested_of_viommu_needs_a_vdevice),
		T(test_invalidate_viommu_reaches_named_devices),
		T(test_veventq_overflow_is_told_by_one_header_at_the_tail),
		T(test_veventq_read_without_room_keeps_the_event),
		T(test_veventq_alloc_each_mistake_has_its_errno),
		T(test_mmap_of_viommu_memory_holds_the_viommu),
		T(test_mmap_offsets_are_the_lowest_free),
		T(test_mmap_of_what_is_open_for_reading_only),
		T(test_mmap_of_a_queue),
		T(test_mmap_is_held_by_a_forked_child),
	};

	return cmocka_run_group_tests_name("iommufd: vIOMMUs", tests, NULL, NULL);
}
