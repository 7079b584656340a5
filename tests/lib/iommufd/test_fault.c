/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Fault queues: the object, its descriptor, and which page fault goes where. */
#include "tests/lib/iommufd/mock_test.h"

static int t_read(struct fixture *f, int fd, void *to, size_t count)
{
	return (int)ifs_read(f->process, fd, to, count);
}

static int t_answer(struct fixture *f, int fd, uint32_t cookie, uint32_t code)
{
	struct iommu_hwpt_page_response response = { .cookie = cookie, .code = code };

	return (int)ifs_write(f->process, fd, &response, sizeof(response));
}

/* A VMM would wait for ever, or take a size error for a fault. */
static void test_fault_fd_empty_queue_never_blocks(void **state)
{
	struct fixture *f = *state;
	struct iommu_fault_alloc bad = { .size = sizeof(bad), .flags = 1 };
	uint8_t buf[80];
	int fd = t_open(f), fault = -1;
	struct ifs_stat stat;

	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_FAULT_QUEUE_ALLOC, &bad), -EOPNOTSUPP);
	assert_int_equal(t_fault_queue(f, fd, &fault), 1);
	assert_int_equal(fault, fd + 1);
	assert_int_equal(ifs_fcntl(f->process, fault, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(ifs_fcntl(f->process, fault, F_GETFL, 0) & O_ACCMODE, O_RDWR);
	assert_int_equal(ifs_fstat(f->process, fault, &stat), 0);
	assert_string_equal(stat.name, "anon_inode:[iommufd-pgfault]");
	assert_int_equal(t_read(f, fault, buf, 0), 0);
	assert_int_equal(t_read(f, fault, buf, 40), 0);
	/* What can be no user's memory is found out before the size is. */
	assert_int_equal(t_read(f, fault, (void *)(uintptr_t)0x7ffffffff000, 0), 0);
	assert_int_equal(t_read(f, fault, (void *)(uintptr_t)0x7ffffffff000, 1), -EFAULT);
	assert_int_equal(t_read(f, fault, buf, 39), -ESPIPE);
	assert_int_equal(t_read(f, fault, buf, 41), -ESPIPE);
	assert_int_equal(ifs_write(f->process, fault, buf, 0), 0);
	assert_int_equal(ifs_write(f->process, fault, buf, 7), -ESPIPE);
	assert_int_equal(ifs_pread(f->process, fault, buf, 40, 0), -ESPIPE);
	assert_int_equal(ifs_lseek(f->process, fault, 0, SEEK_SET), -ESPIPE);
	assert_int_equal(ifs_ioctl(f->process, fault, IOMMU_DESTROY, buf), -ENOTTY);
	assert_int_equal(ifs_poll(f->process, fault, POLLIN | POLLOUT), POLLOUT);
	assert_int_equal(t_answer(f, fault, 1, IOMMUFD_PAGE_RESP_SUCCESS), -EINVAL);
	assert_int_equal(t_answer(f, fault, 1, 2), -EINVAL);
	assert_int_equal(ifs_write(f->process, fault, NULL, 8), -EFAULT);
}

/* An id whose queue is still read from would be given to something else. */
static void test_destroy_fault_queue_is_busy_until_closed(void **state)
{
	struct fixture *f = *state;
	int fd = t_open(f), fault = -1, copy;

	assert_int_equal(t_fault_queue(f, fd, &fault), 1);
	copy = ifs_dup(f->process, fault);
	assert_int_equal(t_destroy(f, fd, 1), -EBUSY);
	assert_int_equal(ifs_close(f->process, fault), 0);
	assert_int_equal(t_destroy(f, fd, 1), -EBUSY);
	assert_int_equal(ifs_close(f->process, copy), 0);
	assert_int_equal(t_destroy(f, fd, 1), 0);
	assert_int_equal(t_destroy(f, fd, 1), -ENOENT);
}

/* A failed call would use up an id or a descriptor number. */
static void test_fault_queue_alloc_failed_answer_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct iommu_fault_alloc *cmd = (void *)t_buffer(4096);
	int fd = t_open(f), fault = -1;

	cmd->size = sizeof(*cmd);
	assert_int_equal(mprotect(cmd, 4096, PROT_READ), 0);
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_FAULT_QUEUE_ALLOC, cmd), -EFAULT);
	assert_int_equal(t_fault_queue(f, fd, &fault), 1);
	assert_int_equal(fault, fd + 1);
	munmap(cmd, 4096);
}

/* A nested HWPT with a fault queue under an attached device. */
struct setup {
	int fd, fault_fd;
	uint32_t fault, parent, nested;
	struct mock dev;
};

static void set_up(struct fixture *f, struct setup *s)
{
	int64_t ioas;

	s->fd = t_open(f);
	ioas = t_ioas_alloc(f, s->fd);
	assert_int_equal(t_mock(f, s->fd, ioas, 0, &s->dev), 0);
	s->parent = t_hwpt_alloc(f, s->fd, IOMMU_HWPT_ALLOC_NEST_PARENT, s->dev.idev, ioas);
	s->fault = t_fault_queue(f, s->fd, &s->fault_fd);
	s->nested = t_nested(f, s->fd, s->dev.idev, s->parent, IOMMU_HWPT_FAULT_ID_VALID, s->fault,
			     0xbadbeef);
	assert_int_equal(t_mock_replace(f, s->fd, s->dev.stdev, s->nested), s->nested);
}

/* A fault would get lost, be answered for another one, or be delivered to a program twice. */
static void test_fault_fd_delivers_groups_with_cookies(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_pgfault got[3];
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 7), 0);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 8), 0);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 9), 0);
	assert_int_equal(ifs_poll(f->process, s.fault_fd, POLLIN | POLLOUT | POLLRDNORM),
			 POLLIN | POLLOUT | POLLRDNORM);
	assert_int_equal(t_read(f, s.fault_fd, got, 0), -EINVAL);
	assert_int_equal(t_read(f, s.fault_fd, NULL, 40), -EFAULT);
	assert_int_equal(t_read(f, s.fault_fd, got, 80), 80);
	assert_int_equal(got[0].flags, 2);
	assert_int_equal(got[0].dev_id, s.dev.idev);
	assert_int_equal(got[0].pasid, 0);
	assert_int_equal(got[0].grpid, 7);
	assert_int_equal(got[0].perm, 3);
	assert_int_equal(got[0].addr, 0xdeadbeaf);
	assert_int_equal(got[0].length, 0);
	assert_int_equal(got[0].cookie, 1);
	assert_int_equal(got[1].grpid, 8);
	assert_int_equal(got[1].cookie, 2);
	assert_int_equal(t_answer(f, s.fault_fd, 1, IOMMUFD_PAGE_RESP_SUCCESS), 8);
	assert_int_equal(t_answer(f, s.fault_fd, 1, IOMMUFD_PAGE_RESP_SUCCESS), -EINVAL);
	assert_int_equal(t_read(f, s.fault_fd, got, 120), 40);
	assert_int_equal(got[0].grpid, 9);
	assert_int_equal(got[0].cookie, 1);
	assert_int_equal(t_read(f, s.fault_fd, got, 40), 0);
}

/* Linux 7.3 gives out cookie 0 to who has tried to answer it; fixed, it never does. */
static void test_fault_fd_answer_to_cookie_zero(void **state)
{
	for (unsigned fixed = 0; fixed <= 1; fixed++) {
		struct fixture *f = *state;
		struct iommu_hwpt_pgfault got[2];
		struct setup s;

		f->kernel_config.exact = fixed ? IFS_OFF : IFS_ON;
		assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
		fixture_boot(f);
		set_up(f, &s);
		assert_int_equal(t_answer(f, s.fault_fd, 0, IOMMUFD_PAGE_RESP_SUCCESS), -EINVAL);
		assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 1), 0);
		assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 2), 0);
		assert_int_equal(t_read(f, s.fault_fd, got, 40), 40);
		assert_int_equal(got[0].cookie, 1);
		assert_int_equal(t_answer(f, s.fault_fd, 0, IOMMUFD_PAGE_RESP_SUCCESS), -EINVAL);
		assert_int_equal(t_read(f, s.fault_fd, got, 40), 40);
		assert_int_equal(got[0].cookie, fixed ? 2 : 0);
		assert_int_equal(t_answer(f, s.fault_fd, fixed ? 2 : 0, IOMMUFD_PAGE_RESP_SUCCESS),
				 8);
	}
}

/* One bad answer would throw away the good ones before it. */
static void test_fault_fd_write_stops_at_first_bad_answer(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_page_response answers[3] = { { 1, 0 }, { 5, 0 }, { 2, 0 } };
	struct iommu_hwpt_pgfault got[2];
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 1), 0);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 2), 0);
	assert_int_equal(t_read(f, s.fault_fd, got, 80), 80);
	assert_int_equal(ifs_write(f->process, s.fault_fd, answers, sizeof(answers)), 8);
	assert_int_equal(t_answer(f, s.fault_fd, 2, IOMMUFD_PAGE_RESP_INVALID), 8);
}

/* A program would answer a fault that its device no longer waits for. */
static void test_detach_answers_outstanding_faults(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_pgfault got;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 1), 0);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 2), 0);
	assert_int_equal(t_read(f, s.fault_fd, &got, 40), 40);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, s.parent), s.parent);
	assert_int_equal(t_read(f, s.fault_fd, &got, 40), 0);
	assert_int_equal(t_answer(f, s.fault_fd, 1, IOMMUFD_PAGE_RESP_SUCCESS), -EINVAL);
	/* Nobody takes them there: dropped, and no error. */
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 3), 0);
	assert_int_equal(t_read(f, s.fault_fd, &got, 40), 0);
}

/* Faults of a guest's own PASIDs would not reach the guest. */
static void test_pasid_fault_goes_to_nested_rid_only(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_pgfault got;
	struct iommu_hwpt_alloc cmd;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 5, 1), 0);
	assert_int_equal(t_read(f, s.fault_fd, &got, 40), 40);
	assert_int_equal(got.flags, 3);
	assert_int_equal(got.pasid, 5);
	assert_int_equal(t_answer(f, s.fault_fd, 1, IOMMUFD_PAGE_RESP_SUCCESS), 8);

	cmd = (struct iommu_hwpt_alloc){ .size = sizeof(cmd), .dev_id = s.dev.idev, .pt_id = 1,
					 .flags = IOMMU_HWPT_FAULT_ID_VALID,
					 .fault_id = s.fault };
	assert_int_equal(ifs_ioctl(f->process, s.fd, IOMMU_HWPT_ALLOC, &cmd), 0);
	assert_int_equal(t_mock_replace(f, s.fd, s.dev.stdev, cmd.out_hwpt_id), cmd.out_hwpt_id);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 5, 1), 0);
	assert_int_equal(t_read(f, s.fault_fd, &got, 40), 0);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 1), 0);
	assert_int_equal(t_read(f, s.fault_fd, &got, 40), 40);
}

/* HWPTs would be left without a queue that their faults go to, or hold one nobody can name. */
static void test_hwpt_fault_id_errors_undo_the_hwpt(void **state)
{
	struct fixture *f = *state;
	struct iommu_hwpt_alloc cmd;
	int64_t ioas, fault;
	int fd = t_open(f), fault_fd = -1;
	struct mock dev;

	ioas = t_ioas_alloc(f, fd);
	assert_int_equal(t_mock(f, fd, ioas, 0, &dev), 0);
	fault = t_fault_queue(f, fd, &fault_fd);
	cmd = (struct iommu_hwpt_alloc){ .size = sizeof(cmd), .dev_id = dev.idev, .pt_id = ioas,
					 .flags = IOMMU_HWPT_FAULT_ID_VALID, .fault_id = ioas };
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_ALLOC, &cmd), -ENOENT);
	cmd.flags |= IOMMU_HWPT_ALLOC_NEST_PARENT;
	cmd.fault_id = fault;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_ALLOC, &cmd), -EOPNOTSUPP);
	cmd.flags = IOMMU_HWPT_FAULT_ID_VALID;
	assert_int_equal(ifs_ioctl(f->process, fd, IOMMU_HWPT_ALLOC, &cmd), 0);
	assert_int_equal(cmd.out_hwpt_id, fault + 1);
	assert_int_equal(ifs_close(f->process, fault_fd), 0);
	assert_int_equal(t_destroy(f, fd, fault), -EBUSY);
	assert_int_equal(t_destroy(f, fd, cmd.out_hwpt_id), 0);
	assert_int_equal(t_destroy(f, fd, fault), 0);
}

/* A queue that is still read from would have lost its devices' memory. */
static void test_close_iommufd_open_fault_fd_keeps_the_context(void **state)
{
	struct fixture *f = *state;
	uint8_t *buf = t_buffer(0x1000);
	struct iommu_hwpt_pgfault got;
	struct setup s;

	set_up(f, &s);
	assert_int_equal(t_map(f, s.fd, 1, FIXED | RD | WR, (uintptr_t)buf, 0x1000, 0x1000000),
			 0x1000000);
	assert_int_equal(t_vm_pin(f), 1);
	assert_int_equal(t_iopf(f, s.fd, s.dev.idev, 0, 1), 0);
	assert_int_equal(ifs_close(f->process, s.fd), 0);
	assert_int_equal(t_vm_pin(f), 1);
	assert_int_equal(t_read(f, s.fault_fd, &got, 40), 40);
	assert_int_equal(ifs_close(f->process, s.fault_fd), 0);
	assert_int_equal(t_vm_pin(f), 0);
	munmap(buf, 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_fault_fd_empty_queue_never_blocks),
		T(test_destroy_fault_queue_is_busy_until_closed),
		T(test_fault_queue_alloc_failed_answer_takes_nothing),
		T(test_fault_fd_delivers_groups_with_cookies),
		T(test_fault_fd_answer_to_cookie_zero),
		T(test_fault_fd_write_stops_at_first_bad_answer),
		T(test_detach_answers_outstanding_faults),
		T(test_pasid_fault_goes_to_nested_rid_only),
		T(test_hwpt_fault_id_errors_undo_the_hwpt),
		T(test_close_iommufd_open_fault_fd_keeps_the_context),
	};

	return cmocka_run_group_tests_name("iommufd: fault queues", tests, NULL, NULL);
}
