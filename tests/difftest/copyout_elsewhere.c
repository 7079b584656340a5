/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The copyout profile's commands of VFIO's type 1 interface and of /dev/liveupdate. */
#include "copyout.h"

#include <errno.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define AT 0x3000000ull                 /* in the compatible IOAS */

/* The information, with as many of its capabilities as @argsz leaves room for. */
static void do_vfio_info(void)
{
	static uint8_t zero[192];
	struct vfio_iommu_type1_info info = { .argsz = 16 + 4 * (uint32_t)below(40) };

	memcpy(zero, &info, sizeof(info));
	call("vfio_info argsz=%u", info.argsz);
	result(ioctl(scene.vfio, VFIO_IOMMU_GET_INFO, data_at(zero, info.argsz)));
	data_done();
	end();
}

static void do_vfio_map(void)
{
	struct vfio_iommu_type1_dma_map c = {
		.argsz = sizeof(c), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)BUFFER, .iova = AT, .size = PAGE * (1 + below(4)) };
	struct vfio_iommu_type1_dma_unmap undo = { .argsz = sizeof(undo), .iova = AT,
						   .size = 8 * PAGE };

	call("vfio_map %llu", (unsigned long long)c.size);
	result(ioctl(scene.vfio, VFIO_IOMMU_MAP_DMA, data_at(&c, sizeof(c))));
	data_done();
	say(" unmap");
	result(ioctl(scene.vfio, VFIO_IOMMU_UNMAP_DMA, &undo));
	say(" %llu", (unsigned long long)undo.size);
	end();
}

static void do_vfio_unmap(void)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_DMA_MAP_FLAG_READ, .size = PAGE,
		.vaddr = (uintptr_t)BUFFER };
	struct vfio_iommu_type1_dma_unmap c = {
		.argsz = sizeof(c), .iova = AT,
		.size = pct(70) ? 2 * PAGE * below(4) : PAGE / 2 + PAGE * below(4) };
	struct vfio_iommu_type1_dma_unmap rest = { .argsz = sizeof(rest), .iova = AT,
						   .size = 16 * PAGE };

	if (pct(20)) {
		c.flags = VFIO_DMA_UNMAP_FLAG_ALL;
		c.iova = pct(70) ? 0 : AT;
		c.size = pct(70) ? 0 : PAGE;
	}
	for (unsigned i = 0; i < 4; i++) {
		map.iova = AT + 2 * i * PAGE;
		ioctl(scene.vfio, VFIO_IOMMU_MAP_DMA, &map);
	}
	call("vfio_unmap flags=%u %llx %llx", c.flags, (unsigned long long)c.iova,
	     (unsigned long long)c.size);
	result(ioctl(scene.vfio, VFIO_IOMMU_UNMAP_DMA,
		     data_at(&c, offsetof(struct vfio_iommu_type1_dma_unmap, data))));
	data_done();
	say(" rest");
	result(ioctl(scene.vfio, VFIO_IOMMU_UNMAP_DMA, &rest));
	say(" %llu", (unsigned long long)rest.size);
	end();
}

/* Whether the name is taken is seen by a second try. */
static void do_create_session(void)
{
	struct liveupdate_ioctl_create_session c = { .size = sizeof(c), .name = "other" }, again;

	again = c;
	call("create_session");
	if (pct(5))
		memset(c.name, 'x', sizeof(c.name));
	if (!try_ioctl(scene.luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &c, sizeof(c)))
		undo_fd(c.fd);
	say(" again");
	if (!result(ioctl(scene.luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &again)))
		undo_fd(again.fd);
	probe_free();
	end();
}

static void do_retrieve_session(void)
{
	struct liveupdate_ioctl_retrieve_session c = { .size = sizeof(c), .name = NAME };

	call("retrieve_session");
	try_ioctl(scene.luo, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &c, sizeof(c));
	probe_free();
	end();
}

/* Whether it is preserved is seen by a second try, and ends with the session. */
static void do_preserve(void)
{
	int fd = memfd_create("p", 0);
	struct liveupdate_session_preserve_fd c = { .size = sizeof(c), .fd = fd,
						    .token = below(4) }, again = c;

	if (ftruncate(fd, 2 * PAGE))
		return;
	call("preserve");
	try_ioctl(scene.session, LIVEUPDATE_SESSION_PRESERVE_FD, &c, sizeof(c));
	say(" again");
	result(ioctl(scene.session, LIVEUPDATE_SESSION_PRESERVE_FD, &again));
	close(fd);
	close(scene.session);
	scene_open_session();
	probe_free();
	end();
}

static void do_retrieve(void)
{
	struct liveupdate_session_retrieve_fd c = { .size = sizeof(c), .fd = -1 };

	call("retrieve");
	try_ioctl(scene.session, LIVEUPDATE_SESSION_RETRIEVE_FD, &c, sizeof(c));
	probe_free();
	end();
}

static void do_finish(void)
{
	struct liveupdate_session_finish c = { .size = sizeof(c) };

	call("finish");
	try_ioctl(scene.session, LIVEUPDATE_SESSION_FINISH, &c, sizeof(c));
	end();
}

static void do_get_name(void)
{
	struct liveupdate_session_get_name c = { .size = sizeof(c) };

	call("get_name");
	try_ioctl(scene.session, LIVEUPDATE_SESSION_GET_NAME, &c, sizeof(c));
	end();
}

const struct operation copyout_elsewhere[] = {
	{ do_vfio_info, 8 }, { do_vfio_map, 4 }, { do_vfio_unmap, 6 }, { do_create_session, 6 },
	{ do_retrieve_session, 1 }, { do_preserve, 5 }, { do_retrieve, 1 }, { do_finish, 1 },
	{ do_get_name, 4 }, { 0 },
};
