/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Physical memory: RAM in the arena, windows of process memory above it.
 *
 * RAM is one mapping; an access is a bounds check and a memcpy. Windows are kept in a range tree
 * whose values are host addresses, one entry per run; access goes through the host kernel
 * (host_mem.c), which fails instead of trapping when the memory has gone. The memory is our
 * own, or that of another host process that shares the machine.
 *
 * Left out: MMIO, and the hole that a PC has below 4 GiB. RAM is [0, ram_bytes).
 */
#include "sim/phys_mem.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/machine_internal.h"

/* From here on giving pages back to the host is cheaper than clearing them. */
#define PUNCH_BYTES (64u * 1024)
/* What a reset clears in place; a small kernel uses less. The rest goes back to the host. */
#define RESET_KEEP_BYTES (256u * 1024)

#define HOST_SLOT_SHIFT 48
#define HOST_ADDRESS_MASK (BIT_ULL(HOST_SLOT_SHIFT) - 1)

static void *window_pool_grow(void *ctx, void *old, size_t old_bytes, size_t bytes)
{
	struct phys_mem *mem = ctx;

	return shared_heap_realloc(mem->heap, old, bytes);
}

static void window_pool_release(void *ctx, void *pool)
{
	struct phys_mem *mem = ctx;

	shared_heap_free(mem->heap, pool);
}

void phys_mem_init(struct phys_mem *mem, struct arena *arena, struct shared_heap *heap)
{
	mem->arena = arena;
	mem->heap = heap;
	mem->ram_bytes = arena->header.ram_bytes;
	range_pool_init(&mem->window_pool, mem, window_pool_grow, window_pool_release);
	range_tree_init(&mem->windows, &mem->window_pool);
	host_mem_init(&mem->host);
}

void phys_mem_deinit(struct phys_mem *mem)
{
	range_tree_clear(&mem->windows);
	range_pool_deinit(&mem->window_pool);
	host_mem_deinit(&mem->host);
}

struct phys_mem *machine_phys_mem(struct ifs_machine *machine)
{
	return &machine->mem;
}

u64 phys_mem_bytes(const struct phys_mem *mem)
{
	return mem->ram_bytes;
}

void *phys_mem_ptr(struct phys_mem *mem, pa_t pa, u64 length)
{
	return ram_ptr(mem, pa, length);
}

pa_t phys_mem_pa(struct phys_mem *mem, const void *ptr)
{
	uintptr_t at = (uintptr_t)ptr, ram = (uintptr_t)mem->arena->ram;

	return at >= ram && at - ram < mem->ram_bytes ? at - ram : ~0ull;
}

/* The slot of @pid, which gains @length bytes. False: too many processes. */
static bool window_host_get(struct phys_mem *mem, u32 pid, u64 length, u64 *slot)
{
	u64 i, unused = PHYS_MEM_MAX_HOSTS;

	*slot = 0;
	if (!pid)
		return true;
	for (i = PHYS_MEM_MAX_HOSTS - 1; i; i--) {
		if (!mem->hosts[i].bytes)
			unused = i;
		else if (mem->hosts[i].pid == pid)
			break;
	}
	if (!i && unused == PHYS_MEM_MAX_HOSTS)
		return false;
	*slot = i ? i : unused;
	mem->hosts[*slot].pid = pid;
	mem->hosts[*slot].bytes += length;
	return true;
}

static void window_host_put(struct phys_mem *mem, u64 slot, u64 length)
{
	if (slot)
		mem->hosts[slot].bytes -= length;
}

/* Copies between @buf and a window's memory at @at: false if the host says it is not there. */
static bool window_copy(struct phys_mem *mem, u64 at, void *buf, u64 length, bool write)
{
	u64 slot = at >> HOST_SLOT_SHIFT;
	void *host = (void *)(uintptr_t)(at & HOST_ADDRESS_MASK);
	u32 pid = slot ? mem->hosts[slot].pid : HOST_MEM_OWN;

	return length == (write ? host_mem_write(&mem->host, pid, host, buf, length)
				: host_mem_read(&mem->host, pid, buf, host, length));
}

static bool window_access(struct phys_mem *mem, pa_t pa, u8 *buf, u64 length, bool write)
{
	struct range_entry window;

	while (length) {
		u64 chunk;

		if (!range_tree_lookup(&mem->windows, pa, &window))
			return false;
		chunk = min(length, window.last - pa + 1);
		if (!window_copy(mem, window.value + (pa - window.start), buf, chunk, write))
			return false;
		pa += chunk;
		buf += chunk;
		length -= chunk;
	}
	return true;
}

bool phys_mem_read(struct phys_mem *mem, pa_t pa, void *to, u64 length)
{
	const void *from = ram_ptr(mem, pa, length);

	if (from) {
		memcpy(to, from, length);
		return true;
	}
	return pa >= PHYS_WINDOW_BASE && window_access(mem, pa, to, length, false);
}

bool phys_mem_write(struct phys_mem *mem, pa_t pa, const void *from, u64 length)
{
	void *to = ram_ptr(mem, pa, length);

	if (to) {
		memcpy(to, from, length);
		return true;
	}
	return pa >= PHYS_WINDOW_BASE && window_access(mem, pa, (u8 *)from, length, true);
}

/* Gives whole pages of RAM back to the host, which reads as zero afterwards. */
static bool ram_punch(struct phys_mem *mem, pa_t pa, u64 length)
{
	return !fallocate(mem->arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)(mem->arena->header.ram_offset + pa), (off_t)length);
}

/*
 * The first run of bytes in [pa, end) that the host backs; all others read as zero. A host that
 * cannot tell backs everything.
 */
static bool ram_find_data(const struct phys_mem *mem, pa_t pa, pa_t end, pa_t *first,
			  pa_t *data_end)
{
	off_t base = (off_t)mem->arena->header.ram_offset, data, hole;

	data = lseek(mem->arena->fd, base + (off_t)pa, SEEK_DATA);
	if (data < 0 && errno != ENXIO)
		data = base + (off_t)pa;
	if (data < 0 || (u64)(data - base) >= end)
		return false;
	hole = lseek(mem->arena->fd, data, SEEK_HOLE);
	*first = (pa_t)(data - base);
	*data_end = hole < 0 ? end : min((pa_t)(hole - base), end);
	return true;
}

bool phys_mem_is_untouched(const struct phys_mem *mem)
{
	pa_t first, data_end;

	return mem->untouched || !ram_find_data(mem, 0, mem->ram_bytes, &first, &data_end);
}

void phys_mem_reset(struct phys_mem *mem)
{
	pa_t pa = 0, end = mem->ram_bytes, first, data_end;
	u64 left = RESET_KEEP_BYTES, chunk;

	if (mem->untouched)
		return;
	while (ram_find_data(mem, pa, end, &first, &data_end)) {
		chunk = min(data_end - first, left);
		memset(mem->arena->ram + first, 0, chunk);
		left -= chunk;
		pa = first + chunk;
		if (pa < data_end) {
			phys_mem_zero(mem, pa, end - pa);
			break;
		}
	}
	mem->untouched = true;
}

void phys_mem_zero(struct phys_mem *mem, pa_t pa, u64 length)
{
	u8 *ram = ram_ptr(mem, pa, length);
	pa_t first = ALIGN_UP(pa, PAGE_SIZE), end = ALIGN_DOWN(pa + length, PAGE_SIZE), at, to;

	if (!ram)
		return;
	/* Looking costs less than punching where there is nothing. */
	if (length >= PUNCH_BYTES && !ram_find_data(mem, pa, pa + length, &at, &to))
		return;
	if (length < PUNCH_BYTES || !ram_punch(mem, first, end - first)) {
		memset(ram, 0, length);
		return;
	}
	memset(ram, 0, first - pa);
	memset(mem->arena->ram + end, 0, pa + length - end);
}

void phys_mem_poison(struct phys_mem *mem, pa_t pa, u64 length, u8 byte)
{
	u8 *ram = ram_ptr(mem, pa, length);
	pa_t at = pa, end = pa + length, data_end;

	if (!ram)
		return;
	if (length < PUNCH_BYTES) {     /* small pieces were in use, and asking costs more */
		memset(ram, byte, length);
		return;
	}
	for (; ram_find_data(mem, at, end, &at, &data_end); at = data_end)
		memset(mem->arena->ram + at, byte, data_end - at);
}

void *phys_mem_map(struct phys_mem *mem, void *at, pa_t pa, u64 length, bool writable)
{
	void *map;

	if (!length || !ram_ptr(mem, pa, length))
		return NULL;
	map = mmap(at, length, PROT_READ | (writable ? PROT_WRITE : 0),
		   MAP_SHARED | MAP_NORESERVE | (at ? MAP_FIXED : 0), mem->arena->fd,
		   (off_t)(mem->arena->header.ram_offset + pa));
	return map == MAP_FAILED ? NULL : map;
}

/* Bytes of the file that the host keeps before RAM: they are state, not memory. */
static u64 state_resident_bytes(const struct arena *arena)
{
	off_t end = (off_t)arena->header.ram_offset, data = 0, hole;
	u64 bytes = 0;

	while ((data = lseek(arena->fd, data, SEEK_DATA)) >= 0 && data < end) {
		hole = lseek(arena->fd, data, SEEK_HOLE);
		if (hole < 0 || hole > end)
			hole = end;
		bytes += (u64)(hole - data);
		data = hole;
	}
	return bytes;
}

u64 phys_mem_resident_bytes(const struct phys_mem *mem)
{
	struct stat st;
	u64 all, state;

	if (fstat(mem->arena->fd, &st) < 0)
		return 0;
	all = (u64)st.st_blocks * 512;
	state = state_resident_bytes(mem->arena);
	return all > state ? all - state : 0;
}

bool phys_mem_window_add(struct phys_mem *mem, pa_t pa, u64 length, void *host, u32 host_pid)
{
	struct range_entry taken;
	enum range_paint painted;
	u64 slot, host_at;

	if (pa < PHYS_WINDOW_BASE || !length || pa + length - 1 < pa ||
	    (pa + length - 1) >> PHYS_ADDRESS_BITS)
		return false;
	if (!window_host_get(mem, host_pid, length, &slot))
		return false;
	host_at = slot << HOST_SLOT_SHIFT | (uintptr_t)host;
	painted = range_tree_paint_free(&mem->windows, pa, pa + length - 1, host_at, true);
	if (painted == RANGE_MEETS &&
	    !range_tree_find_first(&mem->windows, pa, pa + length - 1, &taken) &&
	    range_tree_paint(&mem->windows, pa, pa + length - 1, host_at, true))
		painted = RANGE_PAINTED;        /* between two that it joins */
	if (painted == RANGE_PAINTED)
		return true;
	window_host_put(mem, slot, length);
	return false;
}

u64 phys_mem_window_remove(struct phys_mem *mem, pa_t pa, u64 length, void **host)
{
	struct range_entry window;
	u64 bytes;

	if (!range_tree_take(&mem->windows, pa, pa + length - 1, true, &window))
		return 0;
	bytes = window.last - window.start + 1;
	window_host_put(mem, window.value >> HOST_SLOT_SHIFT, bytes);
	if (host)
		*host = (void *)(uintptr_t)(window.value & HOST_ADDRESS_MASK);
	return bytes;
}

void phys_mem_windows_drop(struct phys_mem *mem)
{
	range_tree_clear(&mem->windows);
	memset(mem->hosts, 0, sizeof(mem->hosts));
}

bool phys_mem_has_window(const struct phys_mem *mem, pa_t pa)
{
	struct range_entry window;

	return range_tree_lookup(&mem->windows, pa, &window);
}
