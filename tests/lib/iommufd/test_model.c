/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Random calls, made on the naive model and on a real kernel: the same results, the same memory
 * behind every IOVA as devices see it, the same number of pins. The seed is printed; IFS_TEST_SEED
 * repeats a run, IFS_TEST_OPS makes it longer.
 */
#include <stdlib.h>
#include <time.h>

#include "tests/harness/model.h"
#include "tests/lib/iommufd/iommufd_test.h"

#define IOVA_BASE 0x40000000ull
#define MEMFD_PAGES 64
#define BUFFER_PAGES 64
#define SOURCES (MEMFD_PAGES + BUFFER_PAGES)    /* pages of backing memory: memfd first */

struct run {
	struct fixture *f;
	struct model m;
	uint64_t random, op;
	int fd, memfd, vfio[MODEL_DEVICES];
	uint32_t space[MODEL_SPACES], dev[MODEL_DEVICES];
	uint32_t hwpt[MODEL_SPACES][4];
	uint8_t *memory[2];             /* of the memfd, and the program's own */
};

/* xorshift64*: the same numbers everywhere. */
static uint32_t pick(struct run *r, uint32_t below)
{
	r->random ^= r->random >> 12;
	r->random ^= r->random << 25;
	r->random ^= r->random >> 27;
	return (uint32_t)((r->random * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static uint64_t iova_of(unsigned page)
{
	return IOVA_BASE + page * 0x1000ull;
}

static uint8_t *source_at(struct run *r, uint32_t source)
{
	return source < MEMFD_PAGES ? r->memory[0] + source * 0x1000ull :
				      r->memory[1] + (source - MEMFD_PAGES) * 0x1000ull;
}

static void expect(struct run *r, const char *what, int64_t got, int64_t want)
{
	if (got != want)
		fail_msg("operation %llu, %s: %lld, the model says %lld", (unsigned long long)r->op,
			 what, (long long)got, (long long)want);
}

static void pick_range(struct run *r, unsigned *first, unsigned *nr)
{
	*first = pick(r, MODEL_PAGES);
	*nr = 1 + pick(r, pick(r, 2) ? 4 : MODEL_PAGES - *first);
	if (*first + *nr > MODEL_PAGES)
		*nr = MODEL_PAGES - *first;
}

static void do_map(struct run *r)
{
	unsigned s = pick(r, MODEL_SPACES), flags = pick(r, 8) ? 1 + pick(r, 3) : 0, first, nr;
	bool file = pick(r, 2), rd = flags & 1, wr = flags & 2;
	uint32_t source, f = FIXED | (rd ? RD : 0) | (wr ? WR : 0);
	int64_t got, want;

	pick_range(r, &first, &nr);
	source = pick(r, MEMFD_PAGES - nr + 1);
	if (file)
		got = t_map_file(r->f, r->fd, r->space[s], f, r->memfd, source * 0x1000ull,
				 nr * 0x1000ull, iova_of(first));
	else
		got = t_map(r->f, r->fd, r->space[s], f,
			    (uintptr_t)source_at(r, MEMFD_PAGES + source), nr * 0x1000ull,
			    iova_of(first));
	want = model_map(&r->m, s, first, nr, file ? source : MEMFD_PAGES + source, rd, wr);
	expect(r, "map", got, want ? want : (int64_t)iova_of(first));
}

static void do_copy(struct run *r)
{
	unsigned d = pick(r, MODEL_SPACES), s = pick(r, MODEL_SPACES), first, nr, from;
	unsigned flags = 1 + pick(r, 3);
	bool rd = flags & 1, wr = flags & 2;
	int64_t got, want;

	pick_range(r, &first, &nr);
	from = pick(r, MODEL_PAGES - nr + 1);
	got = t_copy(r->f, r->fd, r->space[d], r->space[s],
		     FIXED | (rd ? RD : 0) | (wr ? WR : 0), nr * 0x1000ull, iova_of(first),
		     iova_of(from));
	want = model_copy(&r->m, d, first, s, from, nr, rd, wr);
	expect(r, "copy", got, want ? want : (int64_t)iova_of(first));
}

static void do_unmap(struct run *r)
{
	unsigned s = pick(r, MODEL_SPACES), first, nr, unmapped;
	int64_t got, want;

	pick_range(r, &first, &nr);
	got = t_unmap(r->f, r->fd, r->space[s], iova_of(first), nr * 0x1000ull);
	want = model_unmap(&r->m, s, first, nr, &unmapped);
	expect(r, "unmap", got, want ? want : (int64_t)unmapped * 0x1000);
}

static void do_hwpt(struct run *r)
{
	unsigned s = pick(r, MODEL_SPACES), *nr = &r->m.hwpts[s];

	if (*nr < 4 && pick(r, 2)) {
		int64_t id = t_hwpt_alloc(r->f, r->fd, 0, r->dev[0], r->space[s]);

		assert_true(id > 0);
		r->hwpt[s][(*nr)++] = (uint32_t)id;
	} else if (*nr) {
		expect(r, "destroy", t_destroy(r->f, r->fd, r->hwpt[s][--*nr]), 0);
	}
}

static void do_attach(struct run *r)
{
	unsigned d = pick(r, MODEL_DEVICES), s = pick(r, MODEL_SPACES + 1);

	if (s == MODEL_SPACES) {
		expect(r, "detach", t_detach(r->f, r->vfio[d]), 0);
		r->m.attached[d] = -1;
	} else {
		assert_true(t_attach(r->f, r->vfio[d], r->space[s]) > 0);
		r->m.attached[d] = (int)s;
	}
}

/* What a device sees at one page of its space. */
static void check_page(struct run *r, unsigned d, unsigned page)
{
	static const struct model_cell nothing;
	const struct model_cell *cell = r->m.attached[d] < 0 ? &nothing :
					&r->m.cells[r->m.attached[d]][page];
	uint64_t got, stamp = r->op << 8 | d;
	enum ifs_dma_status status;

	status = ifs_device_dma_read(r->f->devices[d], iova_of(page), &got, 8, NULL);
	expect(r, "DMA read", status == IFS_DMA_OK, cell->readable);
	if (status == IFS_DMA_OK)
		expect(r, "what was read", (int64_t)got, cell->source);
	status = ifs_device_dma_write(r->f->devices[d], iova_of(page) + 0xff8, &stamp, 8, NULL);
	expect(r, "DMA write", status == IFS_DMA_OK, cell->writable);
	if (status == IFS_DMA_OK) {
		memcpy(&got, source_at(r, cell->source) + 0xff8, 8);
		expect(r, "what was written", (int64_t)got, (int64_t)stamp);
	}
}

static void do_one(struct run *r)
{
	unsigned what = pick(r, 16);

	if (what < 6)
		do_map(r);
	else if (what < 9)
		do_copy(r);
	else if (what < 13)
		do_unmap(r);
	else if (what < 14)
		do_hwpt(r);
	else
		do_attach(r);
}

static void start(struct run *r, struct fixture *f, uint64_t seed)
{
	*r = (struct run){ .f = f, .random = seed ? seed : 1 };
	model_init(&r->m);
	r->fd = t_open(f);
	r->memfd = ifs_memfd_create(f->process, "model", 0);
	assert_int_equal(ifs_ftruncate(f->process, r->memfd, MEMFD_PAGES * 0x1000), 0);
	assert_int_equal(ifs_mmap(f->process, MEMFD_PAGES * 0x1000, PROT_READ | PROT_WRITE,
				  MAP_SHARED, r->memfd, 0, (void **)&r->memory[0]), 0);
	r->memory[1] = t_buffer(BUFFER_PAGES * 0x1000);
	for (uint64_t i = 0; i < SOURCES; i++)
		memcpy(source_at(r, i), &i, 8);
	for (unsigned i = 0; i < MODEL_SPACES; i++)
		r->space[i] = t_ioas_alloc(f, r->fd);
	for (unsigned i = 0; i < MODEL_DEVICES; i++) {
		r->vfio[i] = t_open_vfio(f, i);
		r->dev[i] = t_bind(f, r->vfio[i], r->fd);
	}
}

/* Any difference between the simulator and the obvious meaning of its calls. */
static void test_random_calls_agree_with_model(void **state)
{
	const char *seed_text = getenv("IFS_TEST_SEED"), *ops_text = getenv("IFS_TEST_OPS");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : (uint64_t)time(NULL);
	uint64_t ops = ops_text ? strtoull(ops_text, NULL, 0) : 3000;
	struct fixture *f = *state;
	struct run r;

	print_message("IFS_TEST_SEED=%llu\n", (unsigned long long)seed);
	start(&r, f, seed);
	for (r.op = 1; r.op <= ops; r.op++) {
		do_one(&r);
		expect(&r, "pins", (int64_t)t_vm_pin(f), (int64_t)model_nr_pinned(&r.m));
		for (unsigned i = 0; i < 4; i++)
			check_page(&r, pick(&r, MODEL_DEVICES), pick(&r, MODEL_PAGES));
		if (r.op % 16 == 0)
			fixture_check(f);
	}
	munmap(r.memory[1], BUFFER_PAGES * 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_random_calls_agree_with_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
