/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Sequences of system calls on /dev/iommu, VFIO devices, memory files and /dev/liveupdate, DMA and
 * kexecs in between. After each call every invariant is walked; at the end nothing may have leaked.
 *
 * An input is a program: one byte picks the call, the next ones its arguments. Objects and descriptors
 * are small numbers, so that inputs reach existing ones often.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>
#include <iommufd-sim/uapi_reference.h>

#define MAX_CALLS 64

struct world {
	struct ifs_machine *machine;
	struct ifs_device *device;
	struct ifs_kernel *kernel;
	struct ifs_process *process;
	struct fuzz_input in;
};

static char buffer[16 << 12] __attribute__((aligned(4096)));

static void die(struct world *w, const char *what)
{
	char *log = ifs_machine_event_log(w->machine);

	fprintf(stderr, "%s\n%s", what, log ? log : "");
	free(log);
	abort();
}

static void boot(struct world *w)
{
	struct ifs_kernel_config config = { .size = sizeof(config) };
	struct ifs_process_config process = { .size = sizeof(process), .trust_pointers = false };

	w->kernel = ifs_kernel_boot(w->machine, &config, NULL);
	w->process = w->kernel ? ifs_process_new(w->kernel, &process) : NULL;
	if (!w->process)
		die(w, "no boot");
}

static int fd_of(struct world *w)
{
	return fuzz_u8(&w->in) % 12;
}

/* A struct of known size whose fields come as numbers: offset and width from the call's table. */
struct call {
	unsigned long cmd;
	uint8_t size;
	const char *fields;     /* per field after size: 'i' u32 small, 'n' u64, 'p' pointer, 'f' fd, 't' token */
};

static const struct call calls[] = {
	{ IOMMU_DESTROY, 8, "i" },
	{ IOMMU_IOAS_ALLOC, 12, "ii" },
	{ IOMMU_IOAS_ALLOW_IOVAS, 24, "iiip" },
	{ IOMMU_IOAS_COPY, 40, "iiinnn" },
	{ IOMMU_IOAS_IOVA_RANGES, 32, "iiipn" },
	{ IOMMU_IOAS_MAP, 40, "iii pnn" },
	{ IOMMU_IOAS_UNMAP, 24, "inn" },
	{ IOMMU_OPTION, 24, "iiin" },
	{ IOMMU_HWPT_ALLOC, 48, "iiiiiiipii" },
	{ IOMMU_GET_HW_INFO, 40, "iiipiii" },
	{ IOMMU_HWPT_SET_DIRTY_TRACKING, 16, "iii" },
	{ IOMMU_HWPT_GET_DIRTY_BITMAP, 48, "iii nnnp" },
	{ IOMMU_IOAS_MAP_FILE, 40, "iifnnn" },
	{ IOMMU_HWPT_LU_MARK, 24, "iiit" },
	{ IOMMU_HWPT_LU_RESTORE, 24, "itii" },
	{ VFIO_DEVICE_BIND_IOMMUFD, 16, "ifi" },
	{ VFIO_DEVICE_ATTACH_IOMMUFD_PT, 16, "iii" },
	{ VFIO_DEVICE_DETACH_IOMMUFD_PT, 16, "iii" },
	{ VFIO_DEVICE_RESET, 0, "" },
	{ LIVEUPDATE_SESSION_PRESERVE_FD, 16, "ft" },
	{ LIVEUPDATE_SESSION_RETRIEVE_FD, 16, "ft" },
	{ LIVEUPDATE_SESSION_FINISH, 8, "i" },
};

static void do_ioctl(struct world *w)
{
	const struct call *call = &calls[fuzz_u8(&w->in) % (sizeof(calls) / sizeof(calls[0]))];
	uint8_t arg[64] = { 0 };
	uint32_t size = call->size;
	unsigned at = 4;
	int fd = fd_of(w);

	memcpy(arg, &size, 4);
	for (const char *field = call->fields; *field; field++) {
		uint64_t value = 0;
		unsigned width = strchr("npt", *field) ? 8 : 4;

		if (*field == ' ')
			continue;
		if (*field == 'n')
			value = fuzz_number(&w->in);
		else if (*field == 'p')
			value = (uintptr_t)buffer + ((uint64_t)(fuzz_u8(&w->in) % 16) << 12);
		else
			value = fuzz_u8(&w->in) % 12;
		if (at + width <= sizeof(arg))
			memcpy(arg + at, &value, width);
		at += width;
	}
	ifs_ioctl(w->process, fd, call->cmd, arg);
}

static void do_session(struct world *w, unsigned long cmd)
{
	struct liveupdate_ioctl_create_session session = { .size = sizeof(session) };

	session.name[0] = (uint8_t)('a' + fuzz_u8(&w->in) % 3);
	ifs_ioctl(w->process, fd_of(w), cmd, &session);
}

static void do_file(struct world *w)
{
	int fd = fd_of(w);

	switch (fuzz_u8(&w->in) % 8) {
	case 0: ifs_ftruncate(w->process, fd, (off_t)fuzz_u8(&w->in) << 12); break;
	case 1: ifs_fallocate(w->process, fd, fuzz_u8(&w->in) % 4, (off_t)fuzz_u8(&w->in) << 12,
			      (off_t)fuzz_u8(&w->in) << 12); break;
	case 2: ifs_fcntl(w->process, fd, F_ADD_SEALS, fuzz_u8(&w->in) % 64); break;
	case 3: ifs_pwrite(w->process, fd, buffer, fuzz_u16(&w->in), (off_t)fuzz_u8(&w->in) << 10); break;
	case 4: ifs_pread(w->process, fd, buffer, fuzz_u16(&w->in), (off_t)fuzz_u8(&w->in) << 10); break;
	case 5: ifs_dup(w->process, fd); break;
	case 6: ifs_lseek(w->process, fd, fuzz_u8(&w->in), fuzz_u8(&w->in) % 3); break;
	default: ifs_close(w->process, fd); break;
	}
}

static void do_dma(struct world *w)
{
	uint64_t iova = fuzz_number(&w->in);

	if (fuzz_u8(&w->in) % 2)
		ifs_device_dma_write(w->device, iova, buffer, fuzz_u16(&w->in) % 8192, NULL);
	else
		ifs_device_dma_read(w->device, iova, buffer, fuzz_u16(&w->in) % 8192, NULL);
}

static void do_kexec(struct world *w)
{
	if (ifs_kernel_kexec(w->kernel) == 0)
		boot(w);
}

static void do_call(struct world *w)
{
	static const char *const paths[] = {
		"/dev/iommu", "/dev/vfio/devices/vfio0", "/dev/liveupdate", "/dev/none",
	};

	switch (fuzz_u8(&w->in) % 16) {
	case 0: ifs_open(w->process, paths[fuzz_u8(&w->in) % 4], O_RDWR); break;
	case 1: ifs_memfd_create(w->process, "m", fuzz_u8(&w->in) % 16); break;
	case 2: do_session(w, LIVEUPDATE_IOCTL_CREATE_SESSION); break;
	case 3: do_session(w, LIVEUPDATE_IOCTL_RETRIEVE_SESSION); break;
	case 4: case 5: do_file(w); break;
	case 6: do_dma(w); break;
	case 7: do_kexec(w); break;
	case 8: ifs_kernel_fail_nth(w->kernel, fuzz_u8(&w->in) % 32, fuzz_u8(&w->in) % 2); break;
	default: do_ioctl(w); break;
	}
	ifs_kernel_fail_nth(w->kernel, 0, false);
}

static void check_end(struct world *w)
{
	static const enum ifs_rule never[] = {
		IFS_RULE_DMA_ASTRAY, IFS_RULE_STALE_IOTLB, IFS_RULE_TABLE_FREED, IFS_RULE_LEAK,
		IFS_RULE_ATOMIC_SLEEP, IFS_RULE_LOCK_ORDER, IFS_RULE_LOCK_RECURSION,
		IFS_RULE_LOCK_STRANGER, IFS_RULE_USE_AFTER_FREE, IFS_RULE_BUG,
	};

	if (ifs_kernel_shutdown(w->kernel))
		die(w, "something leaked");
	for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (ifs_machine_count_reports(w->machine, never[i]))
			die(w, ifs_rule_name(never[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ifs_machine_config machine = { .size = sizeof(machine), .ram_bytes = 32 << 20 };
	struct ifs_device_config device = { .size = sizeof(device), .bus = 1 };
	struct world w = { .in = { data, size } };

	w.machine = ifs_machine_new(&machine, NULL);
	w.device = ifs_machine_add_device(w.machine, &device, NULL);
	boot(&w);
	for (unsigned i = 0; i < MAX_CALLS && w.in.left; i++) {
		const char *broken;

		do_call(&w);
		broken = ifs_kernel_check(w.kernel);
		if (broken)
			die(&w, broken);
	}
	check_end(&w);
	ifs_machine_free(w.machine);
	return 0;
}
