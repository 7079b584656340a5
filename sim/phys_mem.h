/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Physical memory: the RAM arena [0, ram_bytes) on a mapped, sparse file, and above it the
 * windows in which the host memory of simulated processes appears to devices.
 *
 * Three kinds of address never mix: a pa names simulated memory; a host pointer into RAM lives
 * within one function and is never stored; a window pa names memory of a process and is never
 * preserved.
 */
#ifndef SIM_PHYS_MEM_H
#define SIM_PHYS_MEM_H

#include <iommufd-sim/proto/types.h>

struct ifs_machine;

/* Physical addresses from here on are process windows. RAM ends below. */
#define PHYS_WINDOW_BASE BIT_ULL(46)
#define PHYS_ADDRESS_BITS 52

struct phys_mem;
struct phys_mem *machine_phys_mem(struct ifs_machine *machine);

u64 phys_mem_bytes(const struct phys_mem *mem);
/* A pointer to [pa, pa + length) of RAM, valid until the next kexec. NULL: not all is RAM. */
void *phys_mem_ptr(struct phys_mem *mem, pa_t pa, u64 length);
/* The reverse, for pointers phys_mem_ptr() gave out. ~0 if it is none. */
pa_t phys_mem_pa(struct phys_mem *mem, const void *ptr);

/* Bounded copies, RAM or window. False: outside, or the process's memory is gone. */
bool phys_mem_read(struct phys_mem *mem, pa_t pa, void *to, u64 length);
bool phys_mem_write(struct phys_mem *mem, pa_t pa, const void *from, u64 length);
/* Zeroes RAM; large ranges give their backing store back to the host. */
void phys_mem_zero(struct phys_mem *mem, pa_t pa, u64 length);
/* Overwrites RAM that was in use (only what the host backs) with @byte, for frames that died. */
void phys_mem_poison(struct phys_mem *mem, pa_t pa, u64 length, u8 byte);
/* Maps [pa, pa + length) of RAM at host address @at (or NULL): what mmap() of a memfd does. */
void *phys_mem_map(struct phys_mem *mem, void *at, pa_t pa, u64 length, bool writable);
u64 phys_mem_resident_bytes(const struct phys_mem *mem);
/* All of it is known to read as zero, as at power-on. */
bool phys_mem_is_untouched(const struct phys_mem *mem);

/*
 * A window: [pa, pa + length) is host memory at @host, of the process @host_pid or, if that is 0,
 * of this very one. Access goes through the host kernel, so memory that was unmapped meanwhile is
 * an error and not a crash.
 */
bool phys_mem_window_add(struct phys_mem *mem, pa_t pa, u64 length, void *host, u32 host_pid);
/*
 * Takes away the first part of [pa, pa + length) that is a window of one piece of host memory: its
 * length, and where it was (may be NULL). 0: nothing there.
 */
u64 phys_mem_window_remove(struct phys_mem *mem, pa_t pa, u64 length, void **host);
void phys_mem_windows_drop(struct phys_mem *mem);      /* at kexec: all processes are gone */

#endif
