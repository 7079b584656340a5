/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See lu_scenario.h. The calls are the ones a VMM makes; nothing here looks inside the library. */
#include "tests/harness/lu_scenario.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include <iommufd-sim/uapi_reference.h>

#define TOKEN_MEMFD 0x1001ull
#define TOKEN_IOMMUFD 0x2002ull
#define TOKEN_VFIO 0x300000000ull       /* more than 32 bits, on purpose */
#define TOKEN_HWPT 0x4000000000000001ull

struct lu_config lu_config_small(void)
{
	return (struct lu_config){
		.ram_bytes = 64ull << 20,
		.memfd_bytes = 4ull << 20,
		.regions = {
			{ .iova = 0, .offset = 0, .length = 0xc0000, .writable = true },
			{ .iova = 0xf0000, .offset = 0xf0000, .length = 0x10000 },
			{ .iova = 0x100000, .offset = 0x100000,
			  .length = 0x300000, .writable = true },
		},
		.nr_regions = 3,
		.devices = 2,
		.updates = 2,
		.bursts = 2,
	};
}

static int call(struct lu_scenario *s, int fd, unsigned long cmd, void *arg)
{
	return ifs_ioctl(s->process, fd, cmd, arg);
}

static int step_boot(struct lu_scenario *s, unsigned arg)
{
	struct ifs_kernel_config config = {
		.size = sizeof(config),
		.design = s->config.design,
		.memfd_folio_order = s->config.folio_order,
		.exact = s->config.not_exact ? IFS_OFF : IFS_ON,
		.iommufd_test = s->config.iommufd_test ? IFS_ON : IFS_OFF,
		.fail_nth = s->boot_fail_nth,
		.fail_forever = s->boot_fail_forever,
	};

	s->kernel = ifs_kernel_boot(s->machine, &config, &s->error);
	return s->kernel ? 0 : -s->error.code;
}

static int step_process(struct lu_scenario *s, unsigned arg)
{
	s->process = ifs_process_new(s->kernel, NULL);
	return s->process ? 0 : -ENOMEM;
}

static int open_path(struct lu_scenario *s, const char *path, int *fd)
{
	int rc = ifs_open(s->process, path, O_RDWR | O_CLOEXEC);

	if (rc >= 0)
		*fd = rc;
	return rc < 0 ? rc : 0;
}

static int step_open_iommu(struct lu_scenario *s, unsigned arg)
{
	return open_path(s, "/dev/iommu", &s->iommufd);
}

static int step_open_luo(struct lu_scenario *s, unsigned arg)
{
	return open_path(s, "/dev/liveupdate", &s->luo);
}

static int step_open_vfio(struct lu_scenario *s, unsigned arg)
{
	char path[] = "/dev/vfio/devices/vfio0";

	path[sizeof(path) - 2] = (char)('0' + arg);
	return open_path(s, path, &s->vfio[arg]);
}

static int step_memfd(struct lu_scenario *s, unsigned arg)
{
	int rc = ifs_memfd_create(s->process, "guest", MFD_ALLOW_SEALING);

	if (rc >= 0)
		s->memfd = rc;
	return rc < 0 ? rc : 0;
}

static int step_ftruncate(struct lu_scenario *s, unsigned arg)
{
	return ifs_ftruncate(s->process, s->memfd, (off_t)s->config.memfd_bytes);
}

static int step_seal(struct lu_scenario *s, unsigned arg)
{
	return ifs_fcntl(s->process, s->memfd, F_ADD_SEALS,
			 F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_SHRINK);
}

static int step_ioas(struct lu_scenario *s, unsigned arg)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int rc = call(s, s->iommufd, IOMMU_IOAS_ALLOC, &alloc);

	if (!rc)
		s->ioas = alloc.out_ioas_id;
	return rc;
}

static int step_bind(struct lu_scenario *s, unsigned arg)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = s->iommufd };
	int rc = call(s, s->vfio[arg], VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (!rc)
		s->devid[arg] = bind.out_devid;
	return rc;
}

static int step_hwpt(struct lu_scenario *s, unsigned arg)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc), .dev_id = s->devid[0], .pt_id = s->ioas,
	};
	int rc = call(s, s->iommufd, IOMMU_HWPT_ALLOC, &alloc);

	if (!rc)
		s->hwpt = alloc.out_hwpt_id;
	return rc;
}

static int step_attach(struct lu_scenario *s, unsigned arg)
{
	struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach), .pt_id = s->hwpt };

	return call(s, s->vfio[arg], VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

static int step_map(struct lu_scenario *s, unsigned arg)
{
	const struct lu_region *region = &s->config.regions[arg];
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 (region->writable ? IOMMU_IOAS_MAP_WRITEABLE : 0),
		.ioas_id = s->ioas, .fd = s->memfd,
		.start = region->offset, .length = region->length, .iova = region->iova,
	};

	return call(s, s->iommufd, IOMMU_IOAS_MAP_FILE, &map);
}

static int step_stream(struct lu_scenario *s, unsigned arg)
{
	struct ifs_stream_window windows[LU_MAX_REGIONS];
	struct ifs_stream_config stream = {
		.size = sizeof(stream), .windows = windows, .nr_windows = s->config.nr_regions,
	};

	for (unsigned i = 0; i < s->config.nr_regions; i++) {
		const struct lu_region *region = &s->config.regions[i];

		windows[i] = (struct ifs_stream_window){
			region->iova, region->iova + region->length - 1, region->writable };
	}
	return ifs_device_stream_start(s->devices[arg], &stream) ? 0 : -EINVAL;
}

static int step_mark(struct lu_scenario *s, unsigned arg)
{
	struct iommu_hwpt_lu_mark mark = {
		.size = sizeof(mark), .hwpt_id = s->hwpt, .token = TOKEN_HWPT,
	};

	return call(s, s->iommufd, IOMMU_HWPT_LU_MARK, &mark);
}

static int step_create_session(struct lu_scenario *s, unsigned arg)
{
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create), .name = "vmm" };
	int rc = call(s, s->luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &create);

	if (!rc)
		s->session = create.fd;
	return rc;
}

static int preserve(struct lu_scenario *s, int fd, uint64_t token)
{
	struct liveupdate_session_preserve_fd arg = {
		.size = sizeof(arg), .fd = fd, .token = token,
	};

	return call(s, s->session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg);
}

static int step_preserve_memfd(struct lu_scenario *s, unsigned arg)
{
	return preserve(s, s->memfd, TOKEN_MEMFD);
}

static int step_preserve_iommufd(struct lu_scenario *s, unsigned arg)
{
	return preserve(s, s->iommufd, TOKEN_IOMMUFD);
}

static int step_preserve_vfio(struct lu_scenario *s, unsigned arg)
{
	return preserve(s, s->vfio[arg], TOKEN_VFIO + arg);
}

static int step_kexec(struct lu_scenario *s, unsigned arg)
{
	int rc = ifs_kernel_kexec(s->kernel);

	if (!rc) {
		s->kernel = NULL;
		s->process = NULL;
		s->generation++;
	}
	return rc;
}

static int step_blackout(struct lu_scenario *s, unsigned arg)
{
	ifs_machine_run(s->machine, s->config.blackout_bursts ? s->config.blackout_bursts : 16);
	return 0;
}

static int step_retrieve_session(struct lu_scenario *s, unsigned arg)
{
	struct liveupdate_ioctl_retrieve_session get = { .size = sizeof(get), .name = "vmm" };
	int rc = call(s, s->luo, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &get);

	if (!rc)
		s->session = get.fd;
	return rc;
}

static int retrieve(struct lu_scenario *s, uint64_t token, int *fd)
{
	struct liveupdate_session_retrieve_fd arg = { .size = sizeof(arg), .token = token };
	int rc = call(s, s->session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg);

	if (!rc)
		*fd = arg.fd;
	return rc;
}

static int step_retrieve_memfd(struct lu_scenario *s, unsigned arg)
{
	return retrieve(s, TOKEN_MEMFD, &s->memfd);
}

static int step_retrieve_iommufd(struct lu_scenario *s, unsigned arg)
{
	return retrieve(s, TOKEN_IOMMUFD, &s->iommufd);
}

static int step_retrieve_vfio(struct lu_scenario *s, unsigned arg)
{
	return retrieve(s, TOKEN_VFIO + arg, &s->vfio[arg]);
}

static int step_restore(struct lu_scenario *s, unsigned arg)
{
	struct iommu_hwpt_lu_restore restore = { .size = sizeof(restore), .token = TOKEN_HWPT };
	int rc = call(s, s->iommufd, IOMMU_HWPT_LU_RESTORE, &restore);

	if (!rc)
		s->restored = restore.out_hwpt_id;
	return rc;
}

static int step_destroy_restored(struct lu_scenario *s, unsigned arg)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = s->restored };

	return call(s, s->iommufd, IOMMU_DESTROY, &destroy);
}

static int step_finish(struct lu_scenario *s, unsigned arg)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };

	return call(s, s->session, LIVEUPDATE_SESSION_FINISH, &finish);
}

static int step_close_session(struct lu_scenario *s, unsigned arg)
{
	return ifs_close(s->process, s->session);
}

static int step_shutdown(struct lu_scenario *s, unsigned arg)
{
	for (unsigned i = 0; i < s->config.devices; i++)
		ifs_device_stream_stop(s->devices[i]);
	s->leaks = ifs_kernel_shutdown(s->kernel);
	s->kernel = NULL;
	s->process = NULL;
	return 0;
}

static void add(struct lu_scenario *s, const char *name, enum lu_phase phase,
		int (*run)(struct lu_scenario *, unsigned), unsigned arg)
{
	assert(s->nr_steps < LU_MAX_STEPS);
	s->steps[s->nr_steps++] = (struct lu_step){ name, phase, run, arg };
}

static void add_each(struct lu_scenario *s, const char *name, enum lu_phase phase,
		     int (*run)(struct lu_scenario *, unsigned), unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		add(s, name, phase, run, i);
}

static void plan_setup(struct lu_scenario *s)
{
	add(s, "boot", LU_SETUP, step_boot, 0);
	add(s, "process", LU_SETUP, step_process, 0);
	add(s, "open /dev/iommu", LU_SETUP, step_open_iommu, 0);
	add(s, "memfd_create", LU_SETUP, step_memfd, 0);
	add(s, "ftruncate", LU_SETUP, step_ftruncate, 0);
	add(s, "seal", LU_SETUP, step_seal, 0);
	add(s, "IOAS_ALLOC", LU_SETUP, step_ioas, 0);
	add_each(s, "open vfio", LU_SETUP, step_open_vfio, s->config.devices);
	add_each(s, "BIND_IOMMUFD", LU_SETUP, step_bind, s->config.devices);
	add_each(s, "MAP_FILE", LU_SETUP, step_map, s->config.nr_regions);
	add(s, "HWPT_ALLOC", LU_SETUP, step_hwpt, 0);
	add_each(s, "ATTACH", LU_SETUP, step_attach, s->config.devices);
	add_each(s, "start stream", LU_SETUP, step_stream, s->config.devices);
	add(s, "open /dev/liveupdate", LU_SETUP, step_open_luo, 0);
}

static void plan_update(struct lu_scenario *s)
{
	add(s, "mark", LU_PRESERVE, step_mark, 0);
	add(s, "CREATE_SESSION", LU_PRESERVE, step_create_session, 0);
	add(s, "preserve memfd", LU_PRESERVE, step_preserve_memfd, 0);
	add(s, "preserve iommufd", LU_PRESERVE, step_preserve_iommufd, 0);
	add_each(s, "preserve vfio", LU_PRESERVE, step_preserve_vfio, s->config.devices);
	add(s, "kexec", LU_KEXEC, step_kexec, 0);
	add(s, "black-out", LU_BLACKOUT, step_blackout, 0);
	add(s, "boot", LU_BOOT, step_boot, 0);
	add(s, "process", LU_RESTORE, step_process, 0);
	add(s, "open /dev/liveupdate", LU_RESTORE, step_open_luo, 0);
	add(s, "RETRIEVE_SESSION", LU_RESTORE, step_retrieve_session, 0);
	add(s, "retrieve memfd", LU_RESTORE, step_retrieve_memfd, 0);
	add(s, "retrieve iommufd", LU_RESTORE, step_retrieve_iommufd, 0);
	add_each(s, "retrieve vfio", LU_RESTORE, step_retrieve_vfio, s->config.devices);
	add_each(s, "BIND_IOMMUFD", LU_RESTORE, step_bind, s->config.devices);
	add(s, "restore", LU_RESTORE, step_restore, 0);
	add(s, "IOAS_ALLOC", LU_RESTORE, step_ioas, 0);
	add_each(s, "MAP_FILE", LU_RESTORE, step_map, s->config.nr_regions);
	add(s, "HWPT_ALLOC", LU_RESTORE, step_hwpt, 0);
	add_each(s, "ATTACH (swap)", LU_RESTORE, step_attach, s->config.devices);
	add(s, "destroy restored", LU_RESTORE, step_destroy_restored, 0);
	add(s, "FINISH", LU_RESTORE, step_finish, 0);
	add(s, "close session", LU_RESTORE, step_close_session, 0);
}

void lu_scenario_init(struct lu_scenario *s, const struct lu_config *config)
{
	struct ifs_machine_config machine = {
		.size = sizeof(machine), .ram_bytes = config->ram_bytes,
	};

	*s = (struct lu_scenario){ .config = *config };
	s->machine = config->machine ? config->machine : ifs_machine_new(&machine, &s->error);
	assert(s->machine);
	if (config->machine)
		ifs_machine_reset(s->machine);
	for (unsigned i = 0; i < config->devices; i++) {
		struct ifs_device_config device = {
			.size = sizeof(device), .bus = (uint8_t)(1 + i),
		};

		s->devices[i] = config->machine
			? ifs_machine_get_device(s->machine, i)
			: ifs_machine_add_device(s->machine, &device, &s->error);
		assert(s->devices[i]);
	}
	plan_setup(s);
	for (unsigned i = 0; i < config->updates; i++)
		plan_update(s);
	add(s, "shutdown", LU_END, step_shutdown, 0);
}

int lu_scenario_step(struct lu_scenario *s, unsigned index)
{
	int rc = s->steps[index].run(s, s->steps[index].arg);

	ifs_machine_run(s->machine, s->config.bursts);
	return rc;
}

unsigned lu_scenario_run(struct lu_scenario *s, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		if (lu_scenario_step(s, i))
			return i;
	}
	return to;
}

unsigned lu_scenario_find(const struct lu_scenario *s, unsigned from, enum lu_phase phase)
{
	while (from < s->nr_steps && s->steps[from].phase != phase)
		from++;
	return from;
}

void lu_scenario_deinit(struct lu_scenario *s)
{
	ifs_kernel_drop(s->kernel);
	if (!s->config.machine)
		ifs_machine_free(s->machine);
}

int lu_arena_copy(struct ifs_machine *machine)
{
	int from = dup(ifs_machine_arena_fd(machine)), to = memfd_create("arena copy", MFD_CLOEXEC);
	off_t size = lseek(from, 0, SEEK_END), at = 0;
	char *buffer = malloc(1 << 16);

	assert(from >= 0 && to >= 0 && buffer && ftruncate(to, size) == 0);
	while ((at = lseek(from, at, SEEK_DATA)) >= 0 && at < size) {
		off_t end = lseek(from, at, SEEK_HOLE);

		while (at < end) {
			size_t part = end - at < (1 << 16) ? (size_t)(end - at) : 1 << 16;

			assert(pread(from, buffer, part, at) == (ssize_t)part);
			assert(pwrite(to, buffer, part, at) == (ssize_t)part);
			at += (off_t)part;
		}
	}
	free(buffer);
	close(from);
	return to;
}

bool lu_scenario_reload(struct lu_scenario *s, int arena_fd)
{
	ifs_machine_free(s->machine);
	s->machine = ifs_machine_open(arena_fd, &s->error);
	for (unsigned i = 0; s->machine && i < s->config.devices; i++)
		s->devices[i] = ifs_machine_get_device(s->machine, i);
	return s->machine != NULL;
}
