/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Creates, opens, maps and moves the arena file.
 *
 * The file is sparse and mapped shared without reserving swap: a machine of 16 TiB costs what it
 * touches. Two mappings: everything before RAM, which stays where it is, and RAM, which moves at
 * each kexec. The move keeps the host's page tables (mremap), so it costs microseconds and no
 * later faults; the range it leaves is held without access until the next move, so that a pointer
 * that the old kernel kept traps instead of reading somebody's heap.
 *
 * The header of a file that is opened is input. The layout follows from the version and the size of
 * RAM alone, so each field has exactly one right value and is compared with it.
 */
#include "sim/arena.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/machine_state.h"
#include "sim/range_tree.h"

/* Room for the checker's owners and grants; sparse. */
#define ARENA_NODES_BYTES (1ull << 30)
#define ARENA_MOVE_ALIGN (1ull << 30)

bool sim_error(struct ifs_error *error, int code, const char *format, ...)
{
	va_list args;

	if (error) {
		error->code = code;
		va_start(args, format);
		vsnprintf(error->text, sizeof(error->text), format, args);
		va_end(args);
	}
	return false;
}

static void header_fill(struct arena_header *header, u64 ram_bytes)
{
	*header = (struct arena_header){
		.magic = ARENA_MAGIC,
		.version = ARENA_VERSION,
		.node_bytes = (u32)range_node_bytes(),
		.state_offset = PAGE_SIZE,
		.state_bytes = sizeof(struct machine_state),
		.nodes_bytes = ARENA_NODES_BYTES,
		.ram_bytes = ram_bytes,
	};
	header->nodes_offset = ALIGN_UP(PAGE_SIZE + sizeof(struct machine_state), ARENA_RAM_UNIT);
	header->ram_offset = header->nodes_offset + header->nodes_bytes;
	header->file_bytes = header->ram_offset + ram_bytes;
}

/* Address space for @bytes; for large RAM such that mremap() can move whole page-table pages. */
static u8 *reserve_aligned(u64 bytes)
{
	u64 align = bytes < ARENA_MOVE_ALIGN ? PAGE_SIZE : ARENA_MOVE_ALIGN;
	u64 span = bytes + align - PAGE_SIZE, skip;
	u8 *at;

	at = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	skip = ALIGN_UP((uintptr_t)at, align) - (uintptr_t)at;
	if (skip)
		munmap(at, skip);
	if (span - skip - bytes)
		munmap(at + skip + bytes, span - skip - bytes);
	return at + skip;
}

static bool arena_map(struct arena *arena, struct ifs_error *error)
{
	const struct arena_header *header = &arena->header;
	int flags = MAP_SHARED | MAP_NORESERVE;
	void *map, *at, *ram;

	map = mmap(NULL, header->ram_offset, PROT_READ | PROT_WRITE, flags, arena->fd, 0);
	if (map == MAP_FAILED)
		return sim_error(error, errno, "cannot map the arena's state: %s", strerror(errno));
	at = reserve_aligned(header->ram_bytes);
	ram = at ? mmap(at, header->ram_bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
			arena->fd, (off_t)header->ram_offset) : MAP_FAILED;
	if (ram == MAP_FAILED) {
		if (at)
			munmap(at, header->ram_bytes);
		sim_error(error, errno, "cannot map 0x%llx bytes of RAM: %s",
			  (unsigned long long)header->ram_bytes, strerror(errno));
		munmap(map, header->ram_offset);
		return false;
	}
	arena->map = map;
	arena->state = (struct machine_state *)((u8 *)map + header->state_offset);
	arena->nodes = (u8 *)map + header->nodes_offset;
	arena->ram = ram;
	arena->stale_ram = NULL;
	return true;
}

bool arena_create(struct arena *arena, const char *path, u64 ram_bytes, struct ifs_error *error)
{
	const char *name = path ? path : "an anonymous file";
	int fd;

	memset(arena, 0, sizeof(*arena));
	if (!ram_bytes || ram_bytes > ARENA_RAM_MAX || !IS_ALIGNED(ram_bytes, ARENA_RAM_UNIT))
		return sim_error(error, EINVAL, "ram_bytes 0x%llx: not a multiple of 2 MiB "
				 "from 2 MiB to 16 TiB", (unsigned long long)ram_bytes);
	if (path)       /* never truncates what is there: it may be a machine in use */
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	else
		fd = memfd_create("iommufd-sim arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return sim_error(error, errno, "cannot create arena %s: %s", name, strerror(errno));

	header_fill(&arena->header, ram_bytes);
	if (ftruncate(fd, (off_t)arena->header.file_bytes) < 0) {
		sim_error(error, errno, "cannot size arena %s to 0x%llx bytes: %s", name,
			  (unsigned long long)arena->header.file_bytes, strerror(errno));
		goto remove_file;
	}
	if (!path)      /* nobody who inherits it can make our mapping fault */
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	arena->fd = fd;
	if (!arena_map(arena, error))
		goto remove_file;
	memcpy(arena->map, &arena->header, sizeof(arena->header));
	return true;

remove_file:
	close(fd);
	if (path)
		unlink(path);
	return false;
}

static bool header_field_wrong(struct ifs_error *error, const char *field, u64 is, u64 must)
{
	if (is == must)
		return false;
	sim_error(error, EINVAL, "arena header: %s is 0x%llx, must be 0x%llx", field,
		  (unsigned long long)is, (unsigned long long)must);
	return true;
}

static bool header_check(const struct arena_header *is, u64 file_bytes, struct ifs_error *error)
{
	struct arena_header must;

	if (memcmp(is->magic, (const char[16]){ ARENA_MAGIC }, sizeof(is->magic)))
		return sim_error(error, EINVAL, "not an arena: the file has another magic");
	if (is->version != ARENA_VERSION)
		return sim_error(error, EINVAL, "arena of version %u; this library knows "
				 "version %u", is->version, ARENA_VERSION);
	if (!is->ram_bytes || is->ram_bytes > ARENA_RAM_MAX ||
	    !IS_ALIGNED(is->ram_bytes, ARENA_RAM_UNIT))
		return sim_error(error, EINVAL, "arena header: ram_bytes 0x%llx is out of range",
				 (unsigned long long)is->ram_bytes);
	header_fill(&must, is->ram_bytes);
	if (header_field_wrong(error, "node_bytes", is->node_bytes, must.node_bytes) ||
	    header_field_wrong(error, "state_offset", is->state_offset, must.state_offset) ||
	    header_field_wrong(error, "state_bytes", is->state_bytes, must.state_bytes) ||
	    header_field_wrong(error, "nodes_offset", is->nodes_offset, must.nodes_offset) ||
	    header_field_wrong(error, "nodes_bytes", is->nodes_bytes, must.nodes_bytes) ||
	    header_field_wrong(error, "ram_offset", is->ram_offset, must.ram_offset) ||
	    header_field_wrong(error, "file_bytes", is->file_bytes, must.file_bytes))
		return false;
	if (file_bytes < must.file_bytes)
		return sim_error(error, EINVAL, "arena truncated: the file has %llu bytes, "
				 "needs %llu", (unsigned long long)file_bytes,
				 (unsigned long long)must.file_bytes);
	return true;
}

bool arena_open(struct arena *arena, int fd, struct ifs_error *error)
{
	struct stat st;
	ssize_t n;

	memset(arena, 0, sizeof(*arena));
	if (fstat(fd, &st) < 0)
		return sim_error(error, errno, "arena descriptor %d: %s", fd, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return sim_error(error, EINVAL, "not an arena: descriptor %d is no regular file",
				 fd);
	n = pread(fd, &arena->header, sizeof(arena->header), 0);
	if (n < 0)
		return sim_error(error, errno, "cannot read the arena header: %s", strerror(errno));
	if ((size_t)n < sizeof(arena->header))
		return sim_error(error, EINVAL, "arena truncated: the file has %llu bytes, "
				 "its header needs %zu", (unsigned long long)st.st_size,
				 sizeof(arena->header));
	if (!header_check(&arena->header, (u64)st.st_size, error))
		return false;
	arena->fd = fd;
	return arena_map(arena, error);
}

void arena_close(struct arena *arena)
{
	if (!arena->map)
		return;
	if (arena->stale_ram)
		munmap(arena->stale_ram, arena->header.ram_bytes);
	munmap(arena->ram, arena->header.ram_bytes);
	munmap(arena->map, arena->header.ram_offset);
	close(arena->fd);
	memset(arena, 0, sizeof(*arena));
	arena->fd = -1;
}

bool arena_remap_ram(struct arena *arena)
{
	u64 bytes = arena->header.ram_bytes;
	u8 *old = arena->ram, *to;
	void *hold;

	to = reserve_aligned(bytes);
	if (!to)
		return false;
	if (mremap(old, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
		munmap(to, bytes);
		return false;
	}
	arena->ram = to;
	if (arena->stale_ram)
		munmap(arena->stale_ram, bytes);
	/* Another thread may have mapped something there meanwhile; then it is not ours to hold. */
	hold = mmap(old, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		    MAP_FIXED_NOREPLACE, -1, 0);
	if (hold != MAP_FAILED && hold != old) {
		munmap(hold, bytes);
		hold = MAP_FAILED;
	}
	arena->stale_ram = hold == MAP_FAILED ? NULL : hold;
	return true;
}
