/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The scalar types and the words every header uses.
 *
 *   iova   the address a device puts on the bus (I/O virtual address)
 *   pa     a physical address of the machine; bits 12.. are the page frame number (pfn)
 *   uva    an address in a process (user virtual address)
 *   last   an inclusive upper bound; end is exclusive. Ranges are (start, last), because last + 1
 *          may not exist
 *   lg2    a power of two given by its exponent
 *
 * All three kinds of address are 64 bits wide. They are different typedefs so that a prototype says
 * which one it wants; nothing converts between them but the functions that translate.
 */
#ifndef IOMMUFD_SIM_TYPES_H
#define IOMMUFD_SIM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t ifs_iova_t;
typedef uint64_t ifs_pa_t;
typedef uint64_t ifs_uva_t;

/* Marks what the shared library shows; all else is hidden. */
#define IFS_PUBLIC __attribute__((visibility("default")))

/* One clear sentence about what went wrong and where. @text is always terminated. */
struct ifs_error {
	int code;               /* a positive errno value, 0 while nothing went wrong */
	char text[252];
};

#ifdef __cplusplus
}
#endif
#endif
