/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The arena file: header, machine state, checker nodes, RAM; drawn in machine_state.h. */
#ifndef SIM_ARENA_H
#define SIM_ARENA_H

#include <iommufd-sim/machine.h>
#include <iommufd-sim/proto/types.h>

#define ARENA_MAGIC "ifs-arena\n\x1a"
#define ARENA_VERSION 1u
#define ARENA_RAM_UNIT (2ull << 20)
#define ARENA_RAM_MAX (16ull << 40)

/* At offset 0. A change of any structure in machine_state.h is a new version. */
struct arena_header {
	char magic[16];
	u32 version;
	u32 node_bytes;         /* of one range-tree node */
	u64 file_bytes;
	u64 state_offset, state_bytes;
	u64 nodes_offset, nodes_bytes;
	u64 ram_offset, ram_bytes;
};

struct machine_state;

struct arena {
	int fd;
	struct arena_header header;     /* a checked copy */
	void *map;              /* [0, ram_offset) */
	struct machine_state *state;
	void *nodes;
	u8 *ram;
	void *stale_ram;        /* where RAM was mapped before the last remap; no access there */
};

/* @path NULL: an anonymous file. */
bool arena_create(struct arena *arena, const char *path, u64 ram_bytes, struct ifs_error *error);
/* Takes @fd on success only. */
bool arena_open(struct arena *arena, int fd, struct ifs_error *error);
void arena_close(struct arena *arena);
/* Moves RAM to another host address and makes the old one trap. False: no address space left. */
bool arena_remap_ram(struct arena *arena);

/* Fills @error (may be NULL) and returns false. */
bool sim_error(struct ifs_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
