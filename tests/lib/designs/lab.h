/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the tests of the designs add to the harness: calls on either design, and reading the
 * verdict.
 */
#ifndef TESTS_LIB_DESIGNS_LAB_H
#define TESTS_LIB_DESIGNS_LAB_H

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include <iommufd-sim/uapi_posted_v1.h>
#include <iommufd-sim/uapi_reference.h>

#include "tests/harness/vmm.h"

/* Marks with whichever ioctl the design of this boot has. */
int lab_mark(struct vmm *vmm, uint32_t hwpt, uint64_t token);
int lab_unmark(struct vmm *vmm, uint32_t hwpt);
/* The guest's first page once more, at @iova. */
int lab_map_page(struct vmm *vmm, uint64_t iova);
int lab_detach(struct vmm *vmm, int vfio);
int lab_punch(struct vmm *vmm, int fd, uint64_t offset, uint64_t length);
/* Punches the page at @offset and writes to it, so that the file has another frame there. */
void lab_swap_frame(struct vmm *vmm, int fd, uint64_t offset);
int lab_dirty_tracking(struct vmm *vmm, uint32_t hwpt, bool enable);
/* Session @name with memory, iommufd and both devices, marked as @token. */
void lab_preserve_all(struct vmm *vmm, const char *name, uint64_t token);
void lab_retrieve_all(struct vmm *vmm);

uint64_t lab_reports(struct fixture *f, enum ifs_rule rule);
/* Whatever was reported by @rule is what the experiment was made to show: at least one. */
void lab_expect_some(struct fixture *f, enum ifs_rule rule);
/* The same, but none is fine as well. */
void lab_accept(struct fixture *f, enum ifs_rule rule);
uint64_t lab_dma(struct fixture *f, unsigned device);  /* requests done so far */
void lab_drop(struct fixture *f);

/*
 * posted-v1 sleeps in atomic context wherever it goes; tests that look at something else begin with
 * this.
 */
void lab_accept_posted_v1_locking(struct fixture *f);

#endif
