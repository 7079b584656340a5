/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Faults, virtual IOMMUs, their events, queues and memory; and who keeps a context alive. */
#include "traps.h"

#define NEST_PARENT IOMMU_HWPT_ALLOC_NEST_PARENT
#define FAULT_ID IOMMU_HWPT_FAULT_ID_VALID

/* A context with IOAS 1, stdev 2, idev 3, automatic HWPT 4, parent 5, and vIOMMU 6. */
struct ctx {
	int fd;
	struct mock mock;
};

static int64_t viommu_new(int fd, uint32_t idev, uint32_t hwpt, struct iommu_viommu_selftest *data)
{
	struct iommu_viommu_alloc cmd = { .size = sizeof(cmd), .type = IOMMU_VIOMMU_TYPE_SELFTEST,
					  .dev_id = idev, .hwpt_id = hwpt,
					  .data_len = data ? sizeof(*data) : 0,
					  .data_uptr = (uintptr_t)data };
	int64_t rc = io(fd, IOMMU_VIOMMU_ALLOC, &cmd);

	return rc ? rc : cmd.out_viommu_id;
}

static int64_t vdevice_new(int fd, uint32_t viommu, uint32_t idev, uint64_t virt_id)
{
	struct iommu_vdevice_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu,
					   .dev_id = idev, .virt_id = virt_id };
	int64_t rc = io(fd, IOMMU_VDEVICE_ALLOC, &cmd);

	return rc ? rc : cmd.out_vdevice_id;
}

static int64_t nested_new(int fd, uint32_t idev, uint32_t pt, uint32_t flags, uint32_t fault)
{
	struct iommu_hwpt_selftest data = { .iotlb = 0xbadbeef };
	struct iommu_hwpt_alloc cmd = { .size = sizeof(cmd), .flags = flags, .dev_id = idev,
					.pt_id = pt, .data_type = IOMMU_HWPT_DATA_SELFTEST,
					.data_len = sizeof(data), .data_uptr = (uintptr_t)&data,
					.fault_id = fault };
	int64_t rc = io(fd, IOMMU_HWPT_ALLOC, &cmd);

	return rc ? rc : cmd.out_hwpt_id;
}

/* The id; its descriptor in *@out. */
static int64_t veventq_new(int fd, uint32_t viommu, uint32_t type, uint32_t depth, int *out)
{
	struct iommu_veventq_alloc cmd = { .size = sizeof(cmd), .viommu_id = viommu, .type = type,
					   .veventq_depth = depth };
	int64_t rc = io(fd, IOMMU_VEVENTQ_ALLOC, &cmd);

	if (rc)
		return rc;
	*out = (int)cmd.out_veventq_fd;
	return cmd.out_veventq_id;
}

static int64_t fault_new(int fd, int *out)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int64_t rc = io(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (rc)
		return rc;
	*out = (int)cmd.out_fault_fd;
	return cmd.out_fault_id;
}

static int64_t hw_queue_new(int fd, uint32_t index, uint64_t iova, uint64_t length)
{
	struct iommu_hw_queue_alloc cmd = { .size = sizeof(cmd), .viommu_id = 6,
					    .type = IOMMU_HW_QUEUE_TYPE_SELFTEST, .index = index,
					    .nesting_parent_iova = iova, .length = length };
	int64_t rc = io(fd, IOMMU_HW_QUEUE_ALLOC, &cmd);

	return rc ? rc : cmd.out_hw_queue_id;
}

static int64_t trigger_vevent(int fd, uint32_t idev)
{
	struct iommu_test_cmd cmd = { .trigger_vevent.dev_id = idev };

	return t_test(fd, IOMMU_TEST_OP_TRIGGER_VEVENT, &cmd);
}

static int64_t trigger_iopf(int fd, uint32_t idev, uint32_t pasid, uint32_t group)
{
	struct iommu_test_cmd cmd = { .trigger_iopf = { idev, pasid, group, 3, 0xdeadbeaf } };

	return t_test(fd, IOMMU_TEST_OP_TRIGGER_IOPF, &cmd);
}

static short polled(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLRDNORM | POLLOUT };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

static void c_open(struct traps *t, struct ctx *c)
{
	c->fd = t_open();
	IS(1, t_ioas(c->fd));
	IS(2, t_mock(c->fd, 1, 0, &c->mock));
	IS(5, t_hwpt(c->fd, NEST_PARENT, 3, 1));
	IS(6, viommu_new(c->fd, 3, 5, NULL));
}

/* A queue of faults never blocks; groups come whole, and are numbered when they are read. */
static void fault_queue(struct traps *t)
{
	struct iommu_hwpt_pgfault faults[3];
	struct iommu_hwpt_page_response answer[2] = { { 1, 0 }, { 1, 0 } };
	struct mock mock;
	int fd = t_open(), queue;

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(5, fault_new(fd, &queue));
	IS(1, fcntl(queue, F_GETFD));
	IS(O_RDWR, fcntl(queue, F_GETFL) & O_ACCMODE);
	IS(6, t_hwpt(fd, NEST_PARENT, 3, 1));
	IS(7, nested_new(fd, 3, 6, FAULT_ID, 5));
	IS(7, t_mock_replace(fd, 2, 7));
	IS(0, sys(read(queue, faults, 40)));
	IS(0, sys(read(queue, faults, 0)));
	IS(-ESPIPE, sys(read(queue, faults, 39)));
	IS(-ESPIPE, sys(pread(queue, faults, 40, 0)));
	IS(-ESPIPE, sys(lseek(queue, 0, SEEK_SET)));
	IS(-ENOTTY, io(queue, IOMMU_DESTROY, faults));
	IS(POLLOUT, polled(queue));
	IS(0, trigger_iopf(fd, 3, 0, 17));
	IS(0, trigger_iopf(fd, 3, 0, 18));
	IS(0, trigger_iopf(fd, 3, 5, 19));
	IS(POLLIN | POLLRDNORM | POLLOUT, polled(queue));
	IS(-EINVAL, sys(read(queue, faults, 0)));
	IS(-EFAULT, sys(read(queue, NOWHERE, 40)));
	IS(40, sys(read(queue, faults, 40)));
	IS(1, faults[0].cookie);
	IS(17, faults[0].grpid);
	IS(3, faults[0].dev_id);
	IS(2, faults[0].flags);
	IS(3, faults[0].perm);
	IS(0xdeadbeaf, faults[0].addr);
	IS(80, sys(read(queue, faults, 120)));
	IS(2, faults[0].cookie);
	IS(19, faults[1].grpid);
	IS(5, faults[1].pasid);
	IS(3, faults[1].flags);
	/* Answers: in order, until one is wrong. */
	IS(-ESPIPE, sys(write(queue, answer, 7)));
	IS(0, sys(write(queue, answer, 0)));
	IS(8, sys(write(queue, answer, 16)));
	IS(-EINVAL, sys(write(queue, answer, 8)));
	answer[0] = (struct iommu_hwpt_page_response){ 2, 2 };
	IS(-EINVAL, sys(write(queue, answer, 8)));
	IS(-EFAULT, sys(write(queue, NOWHERE, 8)));
	/* The lowest number that is free. */
	IS(0, trigger_iopf(fd, 3, 0, 20));
	IS(40, sys(read(queue, faults, 120)));
	IS(1, faults[0].cookie);
	/* Leaving answers for the guest what it has not. */
	IS(4, t_mock_replace(fd, 2, 1));
	answer[0] = (struct iommu_hwpt_page_response){ 2, 0 };
	IS(-EINVAL, sys(write(queue, answer, 8)));
	/* Nobody listens now: dropped without a word. */
	IS(0, trigger_iopf(fd, 3, 0, 21));
	IS(POLLOUT, polled(queue));
	IS(-EBUSY, t_destroy(fd, 5));
	close(queue);
	IS(-EBUSY, t_destroy(fd, 5));
	IS(0, t_destroy(fd, 7));
	IS(0, t_destroy(fd, 5));
	close(fd);
}

/* A nested HWPT of a vIOMMU is for virtual devices; one of a bare parent is for anyone. */
static void vdevices(struct traps *t)
{
	struct ctx c;
	struct mock second;

	c_open(t, &c);
	IS(7, nested_new(c.fd, 3, 6, 0, 0));
	IS(8, nested_new(c.fd, 3, 5, 0, 0));
	IS(-EOPNOTSUPP, nested_new(c.fd, 3, 6, 1, 0));
	IS(-ENOENT, t_mock_replace(c.fd, 2, 7));
	IS(8, t_mock_replace(c.fd, 2, 8));
	IS(-ENOENT, t_mock_replace(c.fd, 2, 7));
	IS(-ENOENT, trigger_vevent(c.fd, 3));
	IS(4, vdevice_new(c.fd, 6, 3, 0));
	IS(7, t_mock_replace(c.fd, 2, 7));
	/* With a virtual id of 0 no event can name it. */
	IS(-ENOENT, trigger_vevent(c.fd, 3));
	IS(8, t_mock_replace(c.fd, 2, 8));
	IS(0, t_destroy(c.fd, 4));
	IS(-ENOENT, t_mock_replace(c.fd, 2, 7));
	IS(4, vdevice_new(c.fd, 6, 3, 9));
	IS(-EEXIST, vdevice_new(c.fd, 6, 3, 10));
	IS(9, t_mock(c.fd, 8, 0, &second));
	IS(-EEXIST, vdevice_new(c.fd, 6, second.idev, 9));
	IS(-ENOENT, vdevice_new(c.fd, 5, 3, 10));
	IS(-ENOENT, vdevice_new(c.fd, 6, 2, 10));
	IS(11, vdevice_new(c.fd, 6, second.idev, MAX64));
	/* One for each device, on whatever vIOMMU. */
	IS(12, viommu_new(c.fd, 3, 5, NULL));
	IS(-EEXIST, vdevice_new(c.fd, 12, 3, 77));
	IS(-EBUSY, t_destroy(c.fd, 6));
	IS(-EBUSY, t_destroy(c.fd, 5));
	close(c.fd);
}

/* The device goes first: its vDEVICE's number is never seen again, and keeps the context busy. */
static void tombstones(struct traps *t)
{
	struct ctx c;

	c_open(t, &c);
	IS(7, vdevice_new(c.fd, 6, 3, 1));
	IS(0, t_destroy(c.fd, 2));
	IS(-ENOENT, t_destroy(c.fd, 7));
	IS(0, t_destroy(c.fd, 6));
	IS(0, t_destroy(c.fd, 5));
	IS(0, t_destroy(c.fd, 1));
	for (int id = 1; id <= 8; id++)
		if (id != 7)
			IS(id, t_ioas(c.fd));
	for (int id = 1; id <= 8; id++)
		IS(id == 7 ? -ENOENT : 0, t_destroy(c.fd, (uint32_t)id));
	IS(-EBUSY, t_option(c.fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 1));
	IS(0, t_option(c.fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0, 1));
	close(c.fd);
}

/* Events beyond the depth are counted, told by one header at the end, which later ones replace. */
static void lost_events(struct traps *t)
{
	uint32_t words[64];
	struct ctx c;
	int queue, other;

	c_open(t, &c);
	IS(7, nested_new(c.fd, 3, 6, 0, 0));
	IS(8, vdevice_new(c.fd, 6, 3, 0x99));
	IS(7, t_mock_replace(c.fd, 2, 7));
	IS(-EOPNOTSUPP, trigger_vevent(c.fd, 3));
	IS(-EOPNOTSUPP, veventq_new(c.fd, 99, 0, 0, &queue));
	IS(-EINVAL, veventq_new(c.fd, 99, 1, 0, &queue));
	IS(-EINVAL, veventq_new(c.fd, 99, 1, (1 << 19) + 1, &queue));
	IS(-ENOENT, veventq_new(c.fd, 99, 1, 1 << 19, &queue));
	IS(4, veventq_new(c.fd, 6, IOMMU_VEVENTQ_TYPE_SELFTEST, 2, &queue));
	IS(-EEXIST, veventq_new(c.fd, 6, IOMMU_VEVENTQ_TYPE_SELFTEST, 2, &other));
	/* Any other type will do. */
	IS(9, veventq_new(c.fd, 6, 5, 1 << 19, &other));
	IS(0, polled(queue));
	IS(0, sys(read(queue, words, 8)));
	IS(-EINVAL, sys(read(queue, words, 7)));
	IS(-EINVAL, sys(write(queue, words, 8)));
	for (int i = 0; i < 4; i++)
		IS(0, trigger_vevent(c.fd, 3));
	IS(POLLIN | POLLRDNORM, polled(queue));
	IS(-EINVAL, sys(read(queue, words, 8)));
	IS(-EINVAL, sys(read(queue, words, 11)));
	IS(32, sys(read(queue, words, sizeof(words))));
	IS(0, words[0]);
	IS(0, words[1]);
	IS(0x99, words[2]);
	IS(1, words[4]);
	IS(1, words[6]);
	IS(3, words[7]);
	for (int i = 0; i < 3; i++)
		IS(0, trigger_vevent(c.fd, 3));
	IS(12, sys(read(queue, words, 12)));
	IS(4, words[1]);
	IS(0, trigger_vevent(c.fd, 3));
	IS(24, sys(read(queue, words, sizeof(words))));
	IS(5, words[1]);
	IS(0, words[3]);
	IS(7, words[4]);
	IS(-EBUSY, t_destroy(c.fd, 4));
	close(queue);
	IS(0, t_destroy(c.fd, 4));
	close(other);
	close(c.fd);
}

/* Queues lie in guest memory that stays: no unmap while they are there. */
static void hw_queues(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0);
	struct ctx c;

	c_open(t, &c);
	IS(-EINVAL, hw_queue_new(c.fd, 0, BASE, 0));
	IS(-EOVERFLOW, hw_queue_new(c.fd, 0, MAX64, 2));
	IS(-ERANGE, hw_queue_new(c.fd, 0, 0, MAX64));
	IS(-ENOENT, hw_queue_new(c.fd, 0, BASE, PG));
	IS(BASE, t_map(c.fd, 1, FIXED | WR, b, PG, BASE));
	IS(BASE + 4 * PG, t_map(c.fd, 1, FRW, b, PG, BASE + 4 * PG));
	IS(BASE + 8 * PG, t_map(c.fd, 1, FRW, b, 0x800, BASE + 8 * PG));
	/* It asks for whole pages everywhere. */
	IS(-EADDRINUSE, hw_queue_new(c.fd, 0, BASE + 4 * PG, PG));
	IS(0x800, t_unmap(c.fd, 1, BASE + 8 * PG, 0x800));
	IS(-EPERM, hw_queue_new(c.fd, 0, BASE, PG));
	IS(-EINVAL, hw_queue_new(c.fd, 2, BASE + 4 * PG, PG));
	IS(-EIO, hw_queue_new(c.fd, 1, BASE + 4 * PG, PG));
	IS(2048, t_alignment(c.fd, 1));
	IS(7, hw_queue_new(c.fd, 0, BASE + 4 * PG, PG));
	IS(4096, t_alignment(c.fd, 1));
	/* 8 is the access that pins. */
	IS(-EBUSY, t_destroy(c.fd, 8));
	IS(-EEXIST, hw_queue_new(c.fd, 0, BASE + 4 * PG, PG));
	IS(9, hw_queue_new(c.fd, 1, BASE + 4 * PG, PG));
	IS(11, t_ioas(c.fd));
	IS(-EBUSY, t_unmap(c.fd, 1, BASE + 4 * PG, PG));
	/* Before it is found to be too small a range. */
	IS(-EBUSY, t_unmap(c.fd, 1, BASE + 4 * PG, 0x10));
	IS(-EBUSY, t_unmap(c.fd, 1, 0, MAX64));
	IS(-EBUSY, t_destroy(c.fd, 7));
	IS(0, t_destroy(c.fd, 9));
	IS(0, t_destroy(c.fd, 7));
	IS(PG, t_unmap(c.fd, 1, 0, MAX64));
	IS(2048, t_alignment(c.fd, 1));
	close(c.fd);
	munmap(b, 4 * PG);
}

/* What a driver offers to be mapped: exactly, shared, and held by whoever maps it. */
static void shared_memory(struct traps *t)
{
	struct iommu_viommu_selftest data = { .in_data = 0xbeef };
	uint32_t *at;
	struct ctx c;

	c_open(t, &c);
	IS(7, viommu_new(c.fd, 3, 5, &data));
	IS(0xbeef, data.out_data);
	IS(0x1000, data.out_mmap_offset);
	IS(0x2000, data.out_mmap_length);
	IS(8, viommu_new(c.fd, 3, 5, &data));
	IS(0x3000, data.out_mmap_offset);
	IS(9, viommu_new(c.fd, 3, 5, &data));
	IS(0x5000, data.out_mmap_offset);
	IS(0, t_destroy(c.fd, 8));
	IS(8, viommu_new(c.fd, 3, 5, &data));
	IS(0x3000, data.out_mmap_offset);
	IS(-ENXIO, sys((long)mmap(NULL, PG, PROT_READ, MAP_SHARED, c.fd, 0x1000)));
	IS(-ENXIO, sys((long)mmap(NULL, 3 * PG, PROT_READ, MAP_SHARED, c.fd, 0x1000)));
	IS(-ENXIO, sys((long)mmap(NULL, PG, PROT_READ, MAP_SHARED, c.fd, 0x2000)));
	IS(-ENXIO, sys((long)mmap(NULL, 2 * PG, PROT_READ, MAP_SHARED, c.fd, 0x7000)));
	IS(-EINVAL, sys((long)mmap(NULL, 2 * PG, PROT_READ | PROT_EXEC, MAP_PRIVATE, c.fd, 0)));
	IS(-EPERM, sys((long)mmap(NULL, 2 * PG, PROT_READ | PROT_EXEC, MAP_SHARED, c.fd, 0)));
	at = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, c.fd, 0x1000);
	IS(0xbeef, at[0]);
	IS(-EBUSY, t_destroy(c.fd, 7));
	munmap((uint8_t *)at + PG, PG);
	IS(-EBUSY, t_destroy(c.fd, 7));
	munmap(at, PG);
	IS(0, t_destroy(c.fd, 7));
	close(c.fd);
}

/* Each of these keeps a closed context, and the memory that it pinned. */
static void who_keeps_a_context(struct traps *t)
{
	uint8_t *b = t_buffer(PG, 0);

	for (int kind = 0; kind < 4; kind++) {
		struct iommu_viommu_selftest data = { .in_data = 1 };
		void *at = NULL;
		struct ctx c;
		int keep = -1;

		c_open(t, &c);
		IS(BASE, t_map(c.fd, 1, FRW, b, PG, BASE));
		if (kind == 0)
			IS(7, fault_new(c.fd, &keep));
		else if (kind == 1)
			IS(7, veventq_new(c.fd, 6, 5, 1, &keep));
		else if (kind == 2)
			keep = (int)t_access(c.fd, 1, 0);
		else
			IS(7, viommu_new(c.fd, 3, 5, &data));
		if (kind == 3)
			at = mmap(NULL, 2 * PG, PROT_READ, MAP_SHARED, c.fd, 0x1000);
		close(c.fd);
		c.fd = t_open();
		IS(0, t_check_refs(c.fd, b, PG, 1));
		if (kind == 3)
			munmap(at, 2 * PG);
		else
			close(keep);
		IS(0, t_check_refs(c.fd, b, PG, 0));
		close(c.fd);
	}
	munmap(b, PG);
}

int main(void)
{
	struct traps t = { 0 };

	fault_queue(&t);
	vdevices(&t);
	tombstones(&t);
	lost_events(&t);
	hw_queues(&t);
	shared_memory(&t);
	who_keeps_a_context(&t);
	return traps_end(&t, "traps_viommu");
}
