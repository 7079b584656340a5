/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * One kernel, several host processes (a machine made with @shared). If these failed, a VMM that
 * forks could not be tested: its processes would not see each other's work, or each other's memory
 * would be taken for their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/fixture.h"

struct host_test {
	struct ifs_machine *machine;
	struct ifs_device *device;
	struct ifs_kernel *kernel;
	struct ifs_process *process, *child;
	int go[2], done[2];             /* pipes: parent to child, child to parent */
	pid_t pid;
};

static int set_up(void **state)
{
	struct ifs_machine_config config = { .size = sizeof(config), .shared = true };
	struct ifs_device_config slot = { .size = sizeof(slot), .bus = 1 };
	static struct host_test t;

	t.machine = ifs_machine_new(&config, NULL);
	t.device = ifs_machine_add_device(t.machine, &slot, NULL);
	t.kernel = ifs_kernel_boot(t.machine, NULL, NULL);
	t.process = ifs_process_new(t.kernel, NULL);
	*state = &t;
	return pipe(t.go) || pipe(t.done);
}

static int tear_down(void **state)
{
	struct host_test *t = *state;
	const char *broken = ifs_kernel_check(t->kernel);
	uint64_t left = ifs_kernel_shutdown(t->kernel);

	ifs_machine_free(t->machine);
	for (int i = 0; i < 2; i++) {
		close(t->go[i]);
		close(t->done[i]);
	}
	return broken || left;
}

static void wait_for(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(99);
}

static void tell(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(98);
}

/* The child runs @body, whose result it exits with: 0, or the line that was wrong. */
static void start_child(struct host_test *t, int (*body)(struct host_test *t))
{
	ifs_process_set_host(t->process, (uint32_t)getpid());
	t->child = ifs_fork(t->process);
	assert_non_null(t->child);
	ifs_process_set_host(t->child, IFS_HOST_NOBODY);
	t->pid = fork();
	if (!t->pid) {
		ifs_process_set_host(t->child, (uint32_t)getpid());
		_exit(body(t));
	}
}

static void end_child(struct host_test *t)
{
	int status;

	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_int_equal(status, 0);
	ifs_exit(t->child);
	ifs_process_set_host(t->process, (uint32_t)getpid());
}

#define CHECK(condition) do { if (!(condition)) return __LINE__ & 0x7f; } while (0)

static int ioas_alloc(struct ifs_process *process, int fd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int ret = ifs_ioctl(process, fd, IOMMU_IOAS_ALLOC, &cmd);

	return ret ? ret : (int)cmd.out_ioas_id;
}

static int alloc_in_child(struct host_test *t)
{
	CHECK(ioas_alloc(t->child, 0) == 2);
	CHECK(ifs_open(t->child, "/dev/iommu", O_RDWR) == 1);
	CHECK(ifs_close(t->child, 0) == 0);
	return 0;
}

/* Parent and child would each have an iommufd of their own, or share a descriptor table. */
static void test_fork_shares_the_iommufd(void **state)
{
	struct host_test *t = *state;

	assert_int_equal(ifs_open(t->process, "/dev/iommu", O_RDWR), 0);
	assert_int_equal(ioas_alloc(t->process, 0), 1);
	start_child(t, alloc_in_child);
	end_child(t);
	assert_int_equal(ioas_alloc(t->process, 0), 3);
	assert_int_equal(ioas_alloc(t->process, 1), -EBADF);
}

static int map_user(struct ifs_process *process, void *at, uint64_t iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map), .ioas_id = 1, .user_va = (uintptr_t)at, .length = 4096,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.iova = iova,
	};

	return ifs_ioctl(process, 0, IOMMU_IOAS_MAP, &map);
}

static char page[8192] __attribute__((aligned(4096)));

static int map_in_child(struct host_test *t)
{
	strcpy(page, "the child's");
	CHECK(map_user(t->child, page, 0x200000) == 0);
	tell(t->done[1]);
	wait_for(t->go[0]);
	CHECK(strcmp(page, "written by the device") == 0);
	return 0;
}

static void attach(struct host_test *t)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt pt = { .argsz = sizeof(pt), .pt_id = 1 };

	assert_int_equal(ifs_open(t->process, "/dev/iommu", O_RDWR), 0);
	assert_int_equal(ioas_alloc(t->process, 0), 1);
	assert_int_equal(ifs_open(t->process, "/dev/vfio/devices/vfio0", O_RDWR), 1);
	assert_int_equal(ifs_ioctl(t->process, 1, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	assert_int_equal(ifs_ioctl(t->process, 1, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt), 0);
}

/* A device would reach the parent's memory where the child's was mapped, or the other way round. */
static void test_dma_reaches_the_process_that_mapped(void **state)
{
	struct host_test *t = *state;
	char got[12];

	attach(t);
	strcpy(page, "the parent's");
	assert_int_equal(map_user(t->process, page, 0x100000), 0);
	start_child(t, map_in_child);
	wait_for(t->done[0]);
	assert_int_equal(ifs_device_dma_read(t->device, 0x200000, got, 12, NULL), IFS_DMA_OK);
	assert_string_equal(got, "the child's");
	assert_int_equal(ifs_device_dma_write(t->device, 0x200000, "written by the device", 22,
					      NULL), IFS_DMA_OK);
	assert_int_equal(ifs_device_dma_write(t->device, 0x100000, "and this too", 13, NULL),
			 IFS_DMA_OK);
	tell(t->go[1]);
	end_child(t);
	assert_string_equal(page, "and this too");
}

static int wait_in_child(struct host_test *t)
{
	strcpy(page, "the child's");
	munmap(page + 4096, 4096);
	CHECK(map_user(t->child, page, 0x200000) == 0);
	CHECK(map_user(t->child, page + 4096, 0x300000) == 0);
	tell(t->done[1]);
	wait_for(t->go[0]);
	return 0;
}

static int copy_to_attached(struct host_test *t, uint64_t iova)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy), .dst_ioas_id = 2, .src_ioas_id = 1, .length = 4096,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE,
		.dst_iova = iova, .src_iova = iova,
	};

	return ifs_ioctl(t->process, 0, IOMMU_IOAS_COPY, &copy);
}

/* Pages of another process would be looked for, or missed, in the one that happens to pin. */
static void test_pin_looks_at_the_process_that_mapped(void **state)
{
	struct host_test *t = *state;
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt pt = { .argsz = sizeof(pt), .pt_id = 2 };

	attach(t);
	/* IOAS 1 has no domain any more, so the child's maps pin nothing yet. */
	assert_int_equal(ifs_close(t->process, 1), 0);
	assert_int_equal(ifs_open(t->process, "/dev/vfio/devices/vfio0", O_RDWR), 1);
	assert_int_equal(ioas_alloc(t->process, 0), 2);
	start_child(t, wait_in_child);
	wait_for(t->done[0]);
	assert_int_equal(ifs_ioctl(t->process, 1, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	assert_int_equal(ifs_ioctl(t->process, 1, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt), 0);
	/* The parent has page + 4096, the child has not. */
	assert_int_equal(copy_to_attached(t, 0x300000), -EFAULT);
	assert_int_equal(copy_to_attached(t, 0x200000), 0);
	tell(t->go[1]);
	end_child(t);
}

static int change_in_child(struct host_test *t)
{
	char *at = *(char **)page;

	CHECK(ifs_munmap(t->child, at + 4096, 4096) == 0);
	CHECK(ifs_ftruncate(t->child, 0, 8192) == 0);
	CHECK(ifs_pwrite(t->child, 0, "grown", 6, 4096) == 6);
	strcpy(at, "seen");
	return 0;
}

/* A file that grew would stay short, or one that is unmapped would vanish, in another process. */
static void test_mappings_follow_what_others_do(void **state)
{
	struct host_test *t = *state;
	void *at;

	assert_int_equal(ifs_memfd_create(t->process, "m", 0), 0);
	assert_int_equal(ifs_ftruncate(t->process, 0, 4096), 0);
	assert_int_equal(ifs_mmap(t->process, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0, &at),
			 0);
	memcpy(page, &at, sizeof(at));
	start_child(t, change_in_child);
	end_child(t);
	assert_string_equal(at, "seen");
	assert_string_equal((char *)at + 4096, "grown");
	assert_int_equal(ifs_munmap(t->process, at, 8192), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define H(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		H(test_fork_shares_the_iommufd),
		H(test_dma_reaches_the_process_that_mapped),
		H(test_pin_looks_at_the_process_that_mapped),
		H(test_mappings_follow_what_others_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
