/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See model.h. Speed is no concern here; being obviously right is. */
#include "tests/harness/model.h"

#include <errno.h>
#include <string.h>

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (unsigned d = 0; d < MODEL_DEVICES; d++)
		m->attached[d] = -1;
}

static bool any_used(const struct model *m, unsigned space, unsigned first, unsigned nr)
{
	for (unsigned i = first; i < first + nr; i++)
		if (m->cells[space][i].area)
			return true;
	return false;
}

int model_map(struct model *m, unsigned space, unsigned first, unsigned nr, uint32_t source, bool r,
	      bool w)
{
	if ((!r && !w) || !nr)
		return -EINVAL;
	if (any_used(m, space, first, nr))
		return -EEXIST;
	m->last_area++;
	m->last_pages++;
	for (unsigned i = 0; i < nr; i++)
		m->cells[space][first + i] = (struct model_cell){
			.area = m->last_area, .pages = m->last_pages, .index = i,
			.source = source + i, .readable = r, .writable = w, .pages_writable = w,
		};
	return 0;
}

int model_copy(struct model *m, unsigned dst, unsigned dst_first, unsigned src, unsigned src_first,
	       unsigned nr, bool r, bool w)
{
	struct model_cell cells[MODEL_PAGES];
	uint32_t from_area = 0;

	if ((!r && !w) || !nr)
		return -EINVAL;
	for (unsigned i = 0; i < nr; i++) {
		cells[i] = m->cells[src][src_first + i];
		if (!cells[i].area)
			return -ENOENT;
	}
	if (any_used(m, dst, dst_first, nr))
		return -EEXIST;
	for (unsigned i = 0; i < nr; i++)
		if (w && !cells[i].pages_writable)
			return -EPERM;
	for (unsigned i = 0; i < nr; i++) {
		/* Each piece of a source area is an area of its own. */
		if (cells[i].area != from_area)
			m->last_area++;
		from_area = cells[i].area;
		cells[i].area = m->last_area;
		cells[i].readable = r;
		cells[i].writable = w;
		m->cells[dst][dst_first + i] = cells[i];
	}
	return 0;
}

int model_unmap(struct model *m, unsigned space, unsigned first, unsigned nr, unsigned *unmapped)
{
	*unmapped = 0;
	if (!nr)
		return -EINVAL;
	for (unsigned i = first; i < first + nr; i++) {
		struct model_cell *cell = &m->cells[space][i];
		uint32_t area = cell->area;

		if (!area)
			continue;
		/* An area that reaches out of the range ends it all, and what is gone is gone. */
		for (unsigned k = 0; k < MODEL_PAGES; k++)
			if (m->cells[space][k].area == area && (k < first || k >= first + nr))
				return -ENOENT;
		for (unsigned k = 0; k < MODEL_PAGES; k++)
			if (m->cells[space][k].area == area) {
				memset(&m->cells[space][k], 0, sizeof(*cell));
				++*unmapped;
			}
	}
	return *unmapped ? 0 : -ENOENT;
}

bool model_has_domain(const struct model *m, unsigned space)
{
	for (unsigned d = 0; d < MODEL_DEVICES; d++)
		if (m->attached[d] == (int)space)
			return true;
	return m->hwpts[space] > 0;
}

uint64_t model_nr_pinned(const struct model *m)
{
	const struct model_cell *seen[MODEL_SPACES * MODEL_PAGES];
	uint64_t nr = 0;

	for (unsigned s = 0; s < MODEL_SPACES; s++)
		for (unsigned i = 0; i < MODEL_PAGES && model_has_domain(m, s); i++) {
			const struct model_cell *cell = &m->cells[s][i];
			uint64_t k = 0;

			if (!cell->area)
				continue;
			while (k < nr && (seen[k]->pages != cell->pages ||
					  seen[k]->index != cell->index))
				k++;
			if (k == nr)
				seen[nr++] = cell;
		}
	return nr;
}
