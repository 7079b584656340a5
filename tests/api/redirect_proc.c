/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What a program sees of its processes and of anonymous memory, compiled with
 * -include iommufd-sim/redirect.h. If this failed, a program that looks into /proc at what is
 * charged, drops a capability, or uses huge pages would test the host and not the simulator.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_PAGE (2ul << 20)

struct vm {
	int iommu, device;
	unsigned ioas;
};

static void vm_open(struct vm *vm)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach) };

	vm->iommu = open("/dev/iommu", O_RDWR);
	vm->device = open("/dev/vfio/devices/vfio0", O_RDWR);
	assert(ioctl(vm->iommu, IOMMU_IOAS_ALLOC, &ioas) == 0);
	bind.iommufd = vm->iommu;
	assert(ioctl(vm->device, VFIO_DEVICE_BIND_IOMMUFD, &bind) == 0);
	attach.pt_id = vm->ioas = ioas.out_ioas_id;
	assert(ioctl(vm->device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) == 0);
}

static void vm_close(struct vm *vm)
{
	assert(close(vm->device) == 0 && close(vm->iommu) == 0);
}

static int vm_map(struct vm *vm, void *at, size_t length)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map), .ioas_id = vm->ioas, .user_va = (uintptr_t)at,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.length = length, .iova = 0x40000000,
	};

	return ioctl(vm->iommu, IOMMU_IOAS_MAP, &map);
}

static void *anon(size_t length, int flags)
{
	return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
}

/* In kB; -1: no such line. @lines counts what the file has. */
static long status_value(const char *whose, const char *name, int *lines)
{
	char path[64], line[512];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/status", whose);
	file = fopen(path, "r");
	assert(file);
	for (*lines = 0; fgets(line, sizeof(line), file); ++*lines)
		if (!strncmp(line, name, strlen(name)))
			value = atol(line + strlen(name));
	assert(fclose(file) == 0);
	return value;
}

/* A process sees its own charge and another's; the rest of the file is the host's. */
static void check_status(void)
{
	int before, lines, status;
	char parent[16];
	struct vm vm;
	pid_t pid;

	assert(status_value("self", "VmPin:", &before) == 0);
	vm_open(&vm);
	assert(vm_map(&vm, anon(12288, MAP_PRIVATE), 12288) == 0);
	assert(status_value("self", "VmPin:", &lines) == 12 && lines == before);
	snprintf(parent, sizeof(parent), "%d", getpid());
	pid = fork();
	if (!pid) {
		assert(status_value("self", "VmPin:", &lines) == 0);
		assert(status_value(parent, "VmPin:", &lines) == 12 && lines == before);
		assert(status_value("self", "VmLck:", &lines) == 0);
		assert(status_value("1", "Pid:", &lines) == 1);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && status == 0);
	vm_close(&vm);
	assert(status_value("self", "VmPin:", &lines) == 0);
	assert(!fopen("/proc/self/status-of-nobody", "r") && errno == ENOENT);
}

/* What a child writes into shared memory its parent's devices read: they are the same pages. */
static void check_shared_memory(void)
{
	char *shared = anon(8192, MAP_SHARED), *own = anon(4096, MAP_PRIVATE);
	struct vm vm;
	int status;
	pid_t pid;

	assert(shared != MAP_FAILED && own != MAP_FAILED);
	vm_open(&vm);
	pid = fork();
	if (!pid) {
		strcpy(shared + 4096, "from the child");
		strcpy(own, "from the child");
		assert(vm_map(&vm, shared, 8192) == 0);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && status == 0);
	assert(strcmp(shared + 4096, "from the child") == 0 && own[0] == 0);
	assert(vm_map(&vm, shared, 8192) == -1 && errno == EEXIST);
	assert(munmap(shared, 8192) == 0 && munmap(own, 4096) == 0);
	vm_close(&vm);
}

/* Two pages are there: whole ones only, and no third. */
static void check_huge_pages(void)
{
	char *huge = anon(2 * HUGE_PAGE, MAP_SHARED | MAP_HUGETLB), *more;
	struct vm vm;
	int lines;

	assert(huge != MAP_FAILED && (uintptr_t)huge % HUGE_PAGE == 0);
	assert(anon(HUGE_PAGE, MAP_PRIVATE | MAP_HUGETLB) == MAP_FAILED && errno == ENOMEM);
	vm_open(&vm);
	assert(vm_map(&vm, huge, 2 * HUGE_PAGE) == 0);
	assert(status_value("self", "VmPin:", &lines) == 4096);
	assert(munmap(huge, 4096) == -1 && errno == EINVAL);
	assert(munmap(huge, 2 * HUGE_PAGE) == 0);
	vm_close(&vm);
	more = anon(HUGE_PAGE, MAP_PRIVATE | MAP_HUGETLB);
	assert(more != MAP_FAILED && munmap(more, HUGE_PAGE) == 0);
}

#if __has_include(<sys/capability.h>)
/* What was given up is missing in the simulator, in this process and its children only. */
static void check_capabilities(void)
{
	struct iommu_option option = { .size = sizeof(option), .val64 = 1,
				       .option_id = IOMMU_OPTION_RLIMIT_MODE };
	int iommu = open("/dev/iommu", O_RDWR), status;
	cap_value_t resource = CAP_SYS_RESOURCE;
	cap_t caps;
	pid_t pid = fork();

	if (!pid) {
		caps = cap_get_proc();
		assert(caps && ioctl(iommu, IOMMU_OPTION, &option) == 0);
		assert(cap_set_flag(caps, CAP_EFFECTIVE, 1, &resource, CAP_CLEAR) == 0);
		assert(cap_set_proc(caps) == 0);
		assert(ioctl(iommu, IOMMU_OPTION, &option) == -1 && errno == EPERM);
		assert(cap_set_flag(caps, CAP_PERMITTED, 1, &resource, CAP_CLEAR) == 0);
		assert(cap_set_proc(caps) == 0 && cap_free(caps) == 0);
		caps = cap_get_proc();
		assert(cap_set_flag(caps, CAP_PERMITTED, 1, &resource, CAP_SET) == 0);
		assert(cap_set_proc(caps) == -1 && errno == EPERM && cap_free(caps) == 0);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && status == 0);
	assert(ioctl(iommu, IOMMU_OPTION, &option) == 0 && close(iommu) == 0);
}
#else
static void check_capabilities(void)
{
}
#endif

int main(void)
{
	int lines;

	assert(setenv("IFS_REDIRECT_HUGEPAGES", "2", 1) == 0);
	assert(status_value("self", "VmPin:", &lines) == 0);    /* before the boot: the host's */
	check_status();
	check_shared_memory();
	check_huge_pages();
	check_capabilities();
	assert(ifs_redirect_shutdown() == 0);
	puts("a plain program sees its charges and its memory");
	return 0;
}
