/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Copies between a buffer and memory of a host process, mostly our own, that may not be there. */
#ifndef SIM_HOST_MEM_H
#define SIM_HOST_MEM_H

#include <iommufd-sim/proto/types.h>

struct ifs_machine;

/* Who we are, as the host numbers processes: asked once, and again after a fork. */
struct host_mem {
	s32 *pid;               /* in a page that a fork zeroes; NULL: asked each time */
};

void host_mem_init(struct host_mem *host);
void host_mem_deinit(struct host_mem *host);
struct host_mem *machine_host_mem(struct ifs_machine *machine);

#define HOST_MEM_OWN 0u         /* instead of a process id: our own */

/* How many bytes were copied before one that is not there, or not to be written. */
u64 host_mem_read(struct host_mem *host, u32 pid, void *to, const void *from, u64 length);
u64 host_mem_write(struct host_mem *host, u32 pid, void *to, const void *from, u64 length);

#endif
