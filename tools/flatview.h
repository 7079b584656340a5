/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A guest's memory as QEMU prints it with "info mtree -f": which guest-physical ranges are RAM or
 * ROM, and which part of which RAM block is behind each.
 */
#ifndef TOOLS_FLATVIEW_H
#define TOOLS_FLATVIEW_H

#include <glib.h>

/* One RAM or ROM range: what QEMU's VFIO listener maps. */
struct guest_region {
	guint64 start, last;            /* guest-physical, which is the IOVA */
	guint64 file_offset;            /* in the one memory file that holds all blocks */
	gboolean writable;              /* FALSE: rom */
	guint block;                    /* index in guest->blocks */
	guint64 block_offset;
	guint line;
};

/* A RAM block of QEMU's, by name. */
struct guest_block {
	char *name;
	guint64 bytes;                  /* as far as any region reaches */
	guint64 file_offset;
};

struct guest {
	GArray *regions;                /* struct guest_region, ascending, disjoint */
	GArray *blocks;                 /* struct guest_block, in order of appearance */
	guint64 file_bytes;             /* of the memory file: all blocks, each aligned */
	guint64 mapped_bytes;
	guint skipped;                  /* i/o regions */
};

/*
 * Reads @path and lays its blocks out in one file, each aligned to @align_bytes. NULL: *error is
 * one line that says "FILE:LINE: what". Every number in the file is checked.
 */
struct guest *guest_load(const char *path, guint64 align_bytes, char **error);
void guest_free(struct guest *guest);

#endif
