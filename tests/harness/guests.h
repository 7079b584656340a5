/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Any number of guests on one machine of any shape, each with its own process, memory, iommufd,
 * session and devices, each driven step by step: so that one can stop, fail or die at any step
 * while another one must not notice.
 */
#ifndef TESTS_HARNESS_GUESTS_H
#define TESTS_HARNESS_GUESTS_H

#include "tests/harness/vmm.h"

#define HOST_MAX_DEVICES 64
#define HOST_MAX_UNITS 8

struct host_config {
	uint64_t ram_bytes;             /* default 256 MiB */
	uint32_t nr_units;              /* default 1; device i sits behind unit i % nr_units */
	uint32_t nr_devices;
	uint32_t pt_format;
	bool segments;                  /* unit u serves PCI segment u, all with equal addresses */
};

struct host {
	struct host_config config;
	struct ifs_machine *machine;
	struct ifs_device *devices[HOST_MAX_DEVICES];
	struct ifs_kernel *kernel;
	struct ifs_kernel_config kernel_config;
	struct ifs_error error;
	uint64_t blocked;               /* reports of rule DEVICE_BLOCKED announced */
};

/* In this order; from GUEST_GET_SESSION on they belong to the next kernel. */
enum guest_step {
	GUEST_OPEN, GUEST_BIND, GUEST_MAP, GUEST_HWPT, GUEST_ATTACH, GUEST_STREAM,
	GUEST_MARK, GUEST_SESSION, GUEST_KEEP_MEMFD, GUEST_KEEP_IOMMUFD, GUEST_KEEP_DEVICES,
	GUEST_OLD_END,
	GUEST_GET_SESSION = GUEST_OLD_END, GUEST_GET_MEMFD, GUEST_GET_IOMMUFD, GUEST_GET_DEVICES,
	GUEST_REBIND, GUEST_RESTORE, GUEST_REMAP, GUEST_REHWPT, GUEST_SWAP, GUEST_FINISH,
	GUEST_DESTROY, GUEST_CLOSE,
	GUEST_END
};

struct guest {
	struct host *host;
	const char *name;               /* of its session */
	struct vmm vmm;                 /* process and descriptors; vmm_try_*() work on it */
	unsigned first, count;          /* its devices: host->devices[first .. first + count) */
	uint64_t bytes;                 /* of memory, at IOVA 0; default VMM_GUEST_BYTES */
	int vfio[HOST_MAX_DEVICES];
	uint32_t dev_id[HOST_MAX_DEVICES], hwpt[HOST_MAX_UNITS], restored[HOST_MAX_UNITS];
};

void host_start(struct host *host, const struct host_config *config);
void host_boot(struct host *host);
/* Kexec, a black-out, and a boot. All processes are gone. */
void host_kexec(struct host *host);
/* Shuts down and asserts that nothing leaked and only what was announced was reported. */
void host_end(struct host *host);

struct guest guest_new(struct host *host, const char *name, unsigned first, unsigned count);
/* A process of its own in the kernel that runs now. */
void guest_process(struct guest *guest);
/* Steps [from, to); fails the test if one fails. */
void guest_run(struct guest *guest, enum guest_step from, enum guest_step to);
/* The process exits and its engines stop, in whatever state they are. */
void guest_die(struct guest *guest);
/* Runs the machine and asserts that the guest's DMA reaches its memory, and nobody's is wrong. */
void guest_assert_alive(struct guest *guest);
/* Its devices reach nothing, and nothing went wrong. */
void guest_assert_cut_off(struct guest *guest);

#endif
