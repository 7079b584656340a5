/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The VMM of the run: the system calls of a live update, one step each, with DMA between any two.
 *
 * The guest is mapped as QEMU's VFIO listener maps it: RAM readable and writable, ROM readable,
 * all out of one sealed memory file. Under the next kernel everything comes back out of the
 * session by its token, the address space is built anew, and each device is moved from the domain
 * it brought along to the new one by attaching it: one entry write, no gap.
 */
#include "tools/update_step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include <iommufd-sim/uapi_posted_v1.h>
#include <iommufd-sim/uapi_reference.h>

#define SESSION_NAME "vmm"
#define TOKEN_MEMFD 0x6d656d6664ull
#define TOKEN_IOMMUFD 0x696f6d6d75ull
#define TOKEN_DEVICE 0x6465760000ull
#define TOKEN_HWPT 0x68777074u          /* posted-v1 has 32-bit tokens */

static gboolean is_posted_v1(const struct run *run)
{
	return !strcmp(run->options.design, "posted-v1");
}

static int call(struct run *run, int fd, unsigned long cmd, void *arg)
{
	return ifs_ioctl(run->vmm, fd, cmd, arg);
}

static int open_to(struct run *run, const char *path, int *fd)
{
	int rc = ifs_open(run->vmm, path, O_RDWR | O_CLOEXEC);

	if (rc >= 0)
		*fd = rc;
	return MIN(rc, 0);
}

/* A process that may pin a whole guest, as libvirt or root would start it. */
static int start_vmm(struct run *run)
{
	struct ifs_process_config config = { .size = sizeof(config) };

	run->vmm = ifs_process_new(run->kernel, &config);
	return run->vmm ? 0 : -ENOMEM;
}

static int open_iommufd(struct run *run)
{
	return open_to(run, "/dev/iommu", &run->iommufd);
}

static int open_liveupdate(struct run *run)
{
	return open_to(run, "/dev/liveupdate", &run->liveupdate);
}

static int open_devices(struct run *run)
{
	char path[64];
	int rc = 0;

	for (int i = 0; !rc && i < run->options.devices; i++) {
		snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%d", i);
		rc = open_to(run, path, &run->vfio[i]);
	}
	return rc;
}

static int create_memfd(struct run *run)
{
	int rc = ifs_memfd_create(run->vmm, "guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (rc >= 0)
		run->memfd = rc;
	return MIN(rc, 0);
}

static int size_memfd(struct run *run)
{
	return ifs_ftruncate(run->vmm, run->memfd, (off_t)run->guest->file_bytes);
}

static int seal_memfd(struct run *run)
{
	return ifs_fcntl(run->vmm, run->memfd, F_ADD_SEALS,
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
}

static int bind_devices(struct run *run)
{
	int rc = 0;

	for (int i = 0; !rc && i < run->options.devices; i++) {
		struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind),
							 .iommufd = run->iommufd };

		rc = call(run, run->vfio[i], VFIO_DEVICE_BIND_IOMMUFD, &bind);
		run->dev_id[i] = bind.out_devid;
		run_dma(run, 1);
	}
	return rc;
}

static int alloc_ioas(struct run *run)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int rc = call(run, run->iommufd, IOMMU_IOAS_ALLOC, &alloc);

	run->ioas_id = alloc.out_ioas_id;
	return rc;
}

static int alloc_hwpt(struct run *run)
{
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc), .dev_id = run->dev_id[0],
					  .pt_id = run->ioas_id };
	int rc = call(run, run->iommufd, IOMMU_HWPT_ALLOC, &alloc);

	run->hwpt_id = alloc.out_hwpt_id;
	return rc;
}

static int map_guest(struct run *run)
{
	int rc = 0;

	for (guint i = 0; !rc && i < run->guest->regions->len; i++) {
		const struct guest_region *region =
			&g_array_index(run->guest->regions, struct guest_region, i);
		struct iommu_ioas_map_file map = {
			.size = sizeof(map),
			.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
				 (region->writable ? IOMMU_IOAS_MAP_WRITEABLE : 0),
			.ioas_id = run->ioas_id,
			.fd = run->memfd,
			.start = region->file_offset,
			.length = region->last - region->start + 1,
			.iova = region->start,
		};

		rc = call(run, run->iommufd, IOMMU_IOAS_MAP_FILE, &map);
	}
	return rc;
}

/* In a new kernel this is the swap: each device leaves the domain it came with in one step. */
static int attach_devices(struct run *run)
{
	int rc = 0;

	for (int i = 0; !rc && i < run->options.devices; i++) {
		struct vfio_device_attach_iommufd_pt attach = { .argsz = sizeof(attach),
								.pt_id = run->hwpt_id };

		rc = call(run, run->vfio[i], VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
		run_dma(run, 1);
	}
	return rc;
}

/* An engine has 64 windows: of a guest with more regions, the lowest 64 see DMA. */
static int start_streams(struct run *run)
{
	struct ifs_stream_window windows[64];
	struct ifs_stream_config stream = { .size = sizeof(stream), .windows = windows };
	const struct guest_region *region;

	for (guint i = 0; i < run->guest->regions->len && stream.nr_windows < 64; i++) {
		region = &g_array_index(run->guest->regions, struct guest_region, i);
		windows[stream.nr_windows++] = (struct ifs_stream_window){
			region->start, region->last, region->writable };
	}
	for (int i = 0; i < run->options.devices; i++) {
		if (!ifs_device_stream_start(run->devices[i], &stream))
			return -EINVAL;
	}
	return 0;
}

static int mark_hwpt(struct run *run)
{
	struct iommu_hwpt_lu_set_preserve posted = {
		.size = sizeof(posted), .hwpt_id = run->hwpt_id, .hwpt_token = TOKEN_HWPT,
	};
	struct iommu_hwpt_lu_mark mark = {
		.size = sizeof(mark), .hwpt_id = run->hwpt_id, .token = TOKEN_HWPT,
	};

	if (is_posted_v1(run))
		return call(run, run->iommufd, IOMMU_HWPT_LU_SET_PRESERVE, &posted);
	return call(run, run->iommufd, IOMMU_HWPT_LU_MARK, &mark);
}

static int create_session(struct run *run)
{
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create),
							  .name = SESSION_NAME };
	int rc = call(run, run->liveupdate, LIVEUPDATE_IOCTL_CREATE_SESSION, &create);

	run->session = create.fd;
	return rc;
}

static int preserve(struct run *run, int fd, guint64 token)
{
	struct liveupdate_session_preserve_fd arg = {
		.size = sizeof(arg), .fd = fd, .token = token,
	};

	return call(run, run->session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg);
}

static int preserve_memfd(struct run *run)
{
	return preserve(run, run->memfd, TOKEN_MEMFD);
}

static int preserve_iommufd(struct run *run)
{
	return preserve(run, run->iommufd, TOKEN_IOMMUFD);
}

static int preserve_devices(struct run *run)
{
	int rc = 0;

	for (int i = 0; !rc && i < run->options.devices; i++)
		rc = preserve(run, run->vfio[i], TOKEN_DEVICE + (guint64)i);
	return rc;
}

static int retrieve_session(struct run *run)
{
	struct liveupdate_ioctl_retrieve_session get = {
		.size = sizeof(get), .name = SESSION_NAME,
	};
	int rc = call(run, run->liveupdate, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &get);

	run->session = get.fd;
	return rc;
}

static int retrieve(struct run *run, guint64 token, int *fd)
{
	struct liveupdate_session_retrieve_fd arg = { .size = sizeof(arg), .token = token };
	int rc = call(run, run->session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg);

	*fd = arg.fd;
	return rc;
}

static int retrieve_memfd(struct run *run)
{
	return retrieve(run, TOKEN_MEMFD, &run->memfd);
}

static int retrieve_iommufd(struct run *run)
{
	return retrieve(run, TOKEN_IOMMUFD, &run->iommufd);
}

static int retrieve_devices(struct run *run)
{
	int rc = 0;

	for (int i = 0; !rc && i < run->options.devices; i++)
		rc = retrieve(run, TOKEN_DEVICE + (guint64)i, &run->vfio[i]);
	return rc;
}

static int restore_hwpt(struct run *run)
{
	struct iommu_hwpt_lu_restore restore = { .size = sizeof(restore), .token = TOKEN_HWPT };
	int rc = call(run, run->iommufd, IOMMU_HWPT_LU_RESTORE, &restore);

	run->restored_hwpt_id = restore.out_hwpt_id;
	return rc;
}

static int destroy_restored_hwpt(struct run *run)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = run->restored_hwpt_id };

	return call(run, run->iommufd, IOMMU_DESTROY, &destroy);
}

static int finish_session(struct run *run)
{
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };

	return call(run, run->session, LIVEUPDATE_SESSION_FINISH, &finish);
}

static int close_session(struct run *run)
{
	return ifs_close(run->vmm, run->session);
}

const struct step set_up_steps[] = {
	{ "start the VMM", start_vmm },
	{ "open /dev/iommu", open_iommufd },
	{ "open /dev/liveupdate", open_liveupdate },
	{ "memfd_create", create_memfd },
	{ "ftruncate of the guest's memory", size_memfd },
	{ "F_ADD_SEALS", seal_memfd },
	{ "open /dev/vfio/devices", open_devices },
	{ "VFIO_DEVICE_BIND_IOMMUFD", bind_devices },
	{ "IOMMU_IOAS_ALLOC", alloc_ioas },
	{ "IOMMU_HWPT_ALLOC", alloc_hwpt },
	{ "VFIO_DEVICE_ATTACH_IOMMUFD_PT", attach_devices },
	{ "IOMMU_IOAS_MAP_FILE", map_guest },
	{ "start of DMA", start_streams },
	{ NULL, NULL }
};

const struct step preserve_steps[] = {
	{ "mark of the HWPT", mark_hwpt },
	{ "CREATE_SESSION", create_session },
	{ "PRESERVE_FD of the memory file", preserve_memfd },
	{ "PRESERVE_FD of the iommufd", preserve_iommufd },
	{ "PRESERVE_FD of the devices", preserve_devices },
	{ NULL, NULL }
};

const struct step take_over_steps[] = {
	{ "start the VMM", start_vmm },
	{ "open /dev/liveupdate", open_liveupdate },
	{ "RETRIEVE_SESSION", retrieve_session },
	{ "RETRIEVE_FD of the memory file", retrieve_memfd },
	{ "RETRIEVE_FD of the iommufd", retrieve_iommufd },
	{ "RETRIEVE_FD of the devices", retrieve_devices },
	{ "VFIO_DEVICE_BIND_IOMMUFD", bind_devices },
	{ "restore of the HWPT", restore_hwpt },
	{ "IOMMU_IOAS_ALLOC", alloc_ioas },
	{ "IOMMU_IOAS_MAP_FILE", map_guest },
	{ "IOMMU_HWPT_ALLOC", alloc_hwpt },
	{ "swap to the rebuilt HWPT", attach_devices },
	{ "SESSION_FINISH", finish_session },
	{ "IOMMU_DESTROY of the restored HWPT", destroy_restored_hwpt },
	{ "close of the session", close_session },
	{ NULL, NULL }
};
