/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The system calls a VMM makes, one line each, as tests want to read them. Functions named
 * vmm_try_* return what the call returned; the others fail the test unless the call succeeded.
 */
#ifndef TESTS_HARNESS_VMM_H
#define TESTS_HARNESS_VMM_H

#include "tests/harness/fixture.h"

#define VMM_TOKEN_MEMFD 0x11ull
#define VMM_TOKEN_IOMMUFD 0x22ull
#define VMM_TOKEN_DEVICE 0x330000000000ull      /* + index; needs all 64 bits */
#define VMM_TOKEN_HWPT 0x44ull
#define VMM_GUEST_BYTES 0x800000ull             /* mapped at IOVA 0 */

struct vmm {
	struct fixture *f;
	struct ifs_process *process;
	int iommufd, memfd, liveupdate, session, vfio[FIXTURE_DEVICES];
	uint32_t ioas, hwpt, restored, dev_id[FIXTURE_DEVICES];
};

/* Opens everything, maps a sealed memfd at IOVA 0, attaches all devices and streams DMA. */
void vmm_start(struct vmm *vmm, struct fixture *f);
int vmm_open(struct vmm *vmm, const char *path);
int vmm_memfd(struct vmm *vmm, uint64_t bytes);
uint32_t vmm_ioas(struct vmm *vmm, int iommufd);
uint32_t vmm_hwpt(struct vmm *vmm, int iommufd, uint32_t dev_id, uint32_t ioas);
int vmm_try_map(struct vmm *vmm, int iommufd, uint32_t ioas, int memfd, uint64_t iova,
		uint64_t length);
int vmm_try_unmap(struct vmm *vmm, int iommufd, uint32_t ioas, uint64_t iova, uint64_t length);
int vmm_try_bind(struct vmm *vmm, int vfio, int iommufd, uint32_t *dev_id);
int vmm_try_attach(struct vmm *vmm, int vfio, uint32_t pt_id);
int vmm_try_destroy(struct vmm *vmm, int iommufd, uint32_t id);

void vmm_stream(struct vmm *vmm);
int vmm_try_mark(struct vmm *vmm, uint32_t hwpt, uint64_t token);
/* New descriptor, or -errno. */
int vmm_try_create_session(struct vmm *vmm, const char *name);
int vmm_try_retrieve_session(struct vmm *vmm, const char *name);
int vmm_try_preserve(struct vmm *vmm, int session, int fd, uint64_t token);
int vmm_try_retrieve(struct vmm *vmm, int session, uint64_t token);
int vmm_try_finish(struct vmm *vmm, int session);
int vmm_try_restore(struct vmm *vmm, uint64_t token, uint32_t *hwpt);

/* Mark, session "vmm", memfd, iommufd, devices. */
void vmm_preserve_all(struct vmm *vmm);
/* In the next kernel: new process, /dev/liveupdate, the session "vmm". */
void vmm_reopen(struct vmm *vmm);
/* What is left once all files are retrieved: bind, restore, map, swap, finish, destroy, close. */
void vmm_rebuild(struct vmm *vmm);

#endif
