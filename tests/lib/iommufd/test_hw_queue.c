/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Queues that hardware reads from guest memory. */
#include "tests/lib/iommufd/mock_test.h"

#define BASE 0x1000000ull

struct setup {
	int fd, memfd;
	uint32_t ioas, parent, viommu;
	struct mock dev;
};

/* Eight pages of a memory file at BASE, physically in one piece. */
static void set_up(struct fixture *f, struct setup *s)
{
	s->fd = t_open(f);
	s->ioas = t_ioas_alloc(f, s->fd);
	assert_int_equal(t_mock(f, s->fd, s->ioas, 0, &s->dev), 0);
	s->parent = t_hwpt_alloc(f, s->fd, IOMMU_HWPT_ALLOC_NEST_PARENT, s->dev.idev, s->ioas);
	s->viommu = t_viommu(f, s->fd, s->dev.idev, s->parent, NULL);
	s->memfd = ifs_memfd_create(f->process, "queue", 0);
	assert_int_equal(ifs_ftruncate(f->process, s->memfd, 0x8000), 0);
	assert_int_equal(t_map_file(f, s->fd, s->ioas, FIXED | RD | WR, s->memfd, 0, 0x8000, BASE),
			 BASE);
}

/* A VMM would be told that its queue is bad where its arguments are. */
static void test_hw_queue_alloc_each_mistake_has_its_errno(void **state)
{
	struct fixture *f = *state;
	struct iommu_hw_queue_alloc cmd = { .size = sizeof(cmd), .flags = 1, .type = 1 };
	struct setup s;

	set_up(f, &s);
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HW_QUEUE_ALLOC, &cmd), -EOPNOTSUPP);
	cmd = (struct iommu_hw_queue_alloc){ .size = sizeof(cmd), .length = 1 };
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HW_QUEUE_ALLOC, &cmd), -EOPNOTSUPP);
	cmd.type = 1;
	cmd.length = 0;
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HW_QUEUE_ALLOC, &cmd), -EINVAL);
	cmd.length = 2;
	cmd.nesting_parent_iova = MAX64;
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HW_QUEUE_ALLOC, &cmd), -EOVERFLOW);
	cmd.nesting_parent_iova = BASE;
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HW_QUEUE_ALLOC, &cmd), -ENOENT);
	cmd.viommu_id = s.viommu;
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HW_QUEUE_ALLOC, &cmd), -EOPNOTSUPP);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 0, 0, MAX64), -ERANGE);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 0, 0x2000000, 0x1000), -ENOENT);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 2, BASE, 0x1000), -EINVAL);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 1, BASE, 0x1000), -EIO);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 0, BASE + 0x7800, 0x1000), -ENOENT);
	/* No id is lost. */
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 0, BASE, 0x1000), s.viommu + 1);
}

/* Hardware would read a queue whose memory belongs to somebody else. */
static void test_hw_queue_locks_its_memory(void **state)
{
	struct fixture *f = *state;
	uint64_t alignment = 0;
	int64_t first, second;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_ranges(f, s.fd, s.ioas, NULL, 0, &alignment), -EMSGSIZE);
	assert_int_equal(alignment, 2048);
	first = t_hw_queue(f, s.fd, s.viommu, 0, BASE + 0x10, 0x1800);
	assert_int_equal(first, s.viommu + 1);
	assert_int_equal(t_ranges(f, s.fd, s.ioas, NULL, 0, &alignment), -EMSGSIZE);
	assert_int_equal(alignment, 4096);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 0, BASE, 0x1000), -EEXIST);
	/* The pin takes an id of its own: the second queue's comes after it. */
	second = t_hw_queue(f, s.fd, s.viommu, 1, BASE + 0x4000, 0x1000);
	assert_int_equal(second, first + 2);
	assert_int_equal(t_unmap(f, s.fd, s.ioas, BASE, 0x8000), -EBUSY);
	/* Before it is found out that the range covers only a part. */
	assert_int_equal(t_unmap(f, s.fd, s.ioas, BASE, 0x1000), -EBUSY);
	assert_int_equal(t_destroy(f, s.fd, first), -EBUSY);
	assert_int_equal(t_destroy(f, s.fd, first + 1), -EBUSY);
	assert_int_equal(t_destroy(f, s.fd, s.viommu), -EBUSY);
	assert_int_equal(t_destroy(f, s.fd, second), 0);
	assert_int_equal(t_destroy(f, s.fd, first), 0);
	assert_int_equal(t_unmap(f, s.fd, s.ioas, BASE, 0x8000), 0x8000);
	assert_int_equal(t_ranges(f, s.fd, s.ioas, NULL, 0, &alignment), -EMSGSIZE);
	assert_int_equal(alignment, 2048);
}

/* The mock driver of 7.3 takes every queue that ends for the first one; fixed, it does not. */
static void test_hw_queue_index_of_one_that_ended(void **state)
{
	for (unsigned fixed = 0; fixed <= 1; fixed++) {
		struct fixture *f = *state;
		int64_t first, second, other;
		struct setup s;

		f->kernel_config.exact = fixed ? IFS_OFF : IFS_ON;
		assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
		fixture_boot(f);
		set_up(f, &s);
		first = t_hw_queue(f, s.fd, s.viommu, 0, BASE, 0x1000);
		second = t_hw_queue(f, s.fd, s.viommu, 1, BASE, 0x1000);
		assert_int_equal(t_destroy(f, s.fd, second), 0);
		other = t_hw_queue(f, s.fd, s.viommu, 0, BASE, 0x1000);
		assert_int_equal(other, fixed ? -EEXIST : second);
		second = t_hw_queue(f, s.fd, s.viommu, 1, BASE, 0x1000);
		assert_int_equal(second, fixed ? first + 2 : -EEXIST);
		if (!fixed)
			assert_int_equal(t_destroy(f, s.fd, other), 0);
		assert_int_equal(t_destroy(f, s.fd, first), fixed ? -EBUSY : 0);
		assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 1, BASE, 0x1000), -EEXIST);
		assert_int_equal(ifs_close(f->process, s.fd), 0);
	}
}

/* Hardware would follow the queue into memory that is not its next page. */
static void test_hw_queue_memory_in_pieces_is_refused(void **state)
{
	struct fixture *f = *state;
	struct setup s;

	set_up(f, &s);
	/* The same page twice. */
	assert_int_equal(t_map_file(f, s.fd, s.ioas, FIXED | RD, s.memfd, 0, 0x1000, BASE + 0x8000),
			 BASE + 0x8000);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 0, BASE + 0x7000, 0x2000), -EFAULT);
	assert_int_equal(t_map_file(f, s.fd, s.ioas, FIXED | WR, s.memfd, 0, 0x1000, BASE + 0x9000),
			 BASE + 0x9000);
	assert_int_equal(t_hw_queue(f, s.fd, s.viommu, 0, BASE + 0x9000, 0x1000), -EPERM);
	assert_int_equal(t_unmap(f, s.fd, s.ioas, BASE, 0x8000), 0x8000);
}

/* A context with a queue could not be closed, or would leave pages pinned. */
static void test_release_with_hw_queues_gives_all_back(void **state)
{
	struct fixture *f = *state;
	struct setup s;

	set_up(f, &s);
	assert_true(t_hw_queue(f, s.fd, s.viommu, 0, BASE, 0x1000) > 0);
	assert_true(t_hw_queue(f, s.fd, s.viommu, 1, BASE, 0x1000) > 0);
	assert_int_equal(ifs_close(f->process, s.fd), 0);
	assert_int_equal(t_vm_pin(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_hw_queue_alloc_each_mistake_has_its_errno),
		T(test_hw_queue_locks_its_memory),
		T(test_hw_queue_index_of_one_that_ended),
		T(test_hw_queue_memory_in_pieces_is_refused),
		T(test_release_with_hw_queues_gives_all_back),
	};

	return cmocka_run_group_tests_name("iommufd: hardware queues", tests, NULL, NULL);
}
