/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the copyout profile consists of: structures and data that the kernel can read or write only
 * up to some byte, and a scene of objects that every call leaves as it was.
 */
#ifndef TESTS_DIFFTEST_COPYOUT_H
#define TESTS_DIFFTEST_COPYOUT_H

#include "difftest.h"

#include <linux/iommufd_test.h>

#define BUFFER ((uint8_t *)0x200000000000ull)
#define PLACES ((uint8_t *)0x320000000000ull)   /* where structures and data are put */
#define BUFFER_PAGES 64ull
#define MAPPED 0x1000000ull             /* in scene.ioas: the whole buffer */
#define SINGLE_PAGES 0x2000000ull       /* and its first pages one by one, at every other page */
#define NR_SINGLE_PAGES 8
#define NAME "session"

/* Ids and descriptors; each is there at all times. */
struct scene {
	int iommu, vfio, luo, session, memory_file, fault_fd, event_fd, access_fd;
	uint32_t ioas, device, idev, parent, dirty, fault, nested, viommu, vdevice, queue, events;
	uint32_t second_device, second_idev;    /* with RIDs and PASIDs, without vDEVICE */
	uint32_t with_pasids[2];                /* HWPTs for its PASIDs; the first has the RID */
};
extern struct scene scene;
int scene_start(void);
void scene_open_session(void);

/*
 * The ioctl with a copy of the @size bytes at @structure, which is where nothing stops the kernel,
 * or has a page beginning at one of its bytes that cannot be read, or not be written. Prints what
 * happened to the copy, and brings it back to @structure. What the first member says is its size is
 * sometimes another one.
 */
long try_ioctl(int fd, unsigned long cmd, void *structure, unsigned size);
/* The same for data that a structure points to: before the call, and after it. */
void *data_at(const void *data, unsigned size);
void data_done(void);
uint32_t data_word(unsigned offset);    /* then */
/* To and from such a place. */
long try_read(int fd, unsigned size);
long try_write(int fd, const void *bytes, unsigned size);

/* What the call left behind: calls that nothing stops, with what they answer. */
uint32_t make_ioas(void);
uint32_t make_hwpt(uint32_t flags, uint32_t pt, uint32_t type);
void track_dirty(void);                 /* of scene.dirty, mostly */
void undo_id(uint32_t id);
void undo_fd(int fd);
void undo_maps(uint32_t ioas, uint64_t iova, uint64_t length);
void probe_free(void);                  /* the lowest free id and descriptor */
int mock(uint32_t op, uint32_t id, struct iommu_test_cmd *c);

extern const struct operation copyout_of_iommufd[], copyout_of_virtual[], copyout_of_mock[],
			      copyout_elsewhere[];

#endif
