/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What an IOAS should do, said as naively as it can be: one cell per page of a small IOVA space, no
 * ranges, no trees, no sharing. Random calls are made on the model and on the real thing; results,
 * what devices reach and what is pinned must agree.
 */
#ifndef TESTS_HARNESS_MODEL_H
#define TESTS_HARNESS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_SPACES 3
#define MODEL_PAGES 48
#define MODEL_DEVICES 2

struct model_cell {
	uint32_t area;                  /* 0: nothing is mapped here */
	uint32_t pages;                 /* the pages object, from 1 */
	uint32_t index;                 /* within it */
	uint32_t source;                /* page of backing memory */
	bool readable, writable, pages_writable;
};

struct model {
	struct model_cell cells[MODEL_SPACES][MODEL_PAGES];
	int attached[MODEL_DEVICES];    /* space, or -1 */
	unsigned hwpts[MODEL_SPACES];   /* made by hand, beside the automatic ones */
	uint32_t last_area, last_pages;
};

void model_init(struct model *m);
/* 0 or what the call must fail with. Pages are numbers, not addresses. */
int model_map(struct model *m, unsigned space, unsigned first, unsigned nr, uint32_t source, bool r,
	      bool w);
int model_copy(struct model *m, unsigned dst, unsigned dst_first, unsigned src, unsigned src_first,
	       unsigned nr, bool r, bool w);
int model_unmap(struct model *m, unsigned space, unsigned first, unsigned nr, unsigned *unmapped);
/* Does @space have a table that it is mapped into? */
bool model_has_domain(const struct model *m, unsigned space);
/* Distinct pages that must be pinned now. */
uint64_t model_nr_pinned(const struct model *m);

#endif
