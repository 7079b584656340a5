/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The LUO handler "memfd-v2" in the kernel that starts (mm/memfd_luo.c): retrieve and finish.
 *
 * What the previous kernel left is input. Records are read in runs (consecutive pages on
 * consecutive frames, saved with one order), each checked against what KHO knows to be preserved,
 * before any frame is taken. Half a million records of one large file are a handful of such runs.
 *
 * Unlike Linux:
 *   - Records must ascend by index, lie within the size, and be aligned to their folio. Linux
 *     inserts whatever it reads.
 *   - One bad record (-EIO) and nothing becomes part of the file; Linux inserts up to there.
 *
 * A bug of Linux 7.3, reproduced unless bugs are to be fixed: a retrieve that fails for want of
 * memory, for its seals or for a broken array frees the header alone, and finish does nothing after
 * it. The rest stays reserved until the next reboot (trap 64). Fixed, a retrieve that fails so
 * early takes nothing, and finish frees all of it. The errno is LUO's to keep either way.
 */
#include "lib/memfd/memfd_luo_internal.h"

#include <iommufd-sim/proto/bug.h>

#include "lib/base/task.h"
#include "lib/kho/kho.h"
#include "lib/mm/page_alloc.h"
#include "lib/mm/range_count.h"
#include "sim/phys_mem.h"

/* Folios of one order on consecutive frames, for consecutive pages of the file. */
struct folio_run {
	u64 index;
	pa_t pa;
	u64 nr_folios;
	unsigned order;
	bool uptodate;
};

struct folio_runs {
	struct folio_run *runs;
	u32 nr, capacity;
	u32 nr_restored;        /* runs whose frames are ours by now */
	u32 nr_inserted;        /* runs that the file has */
};

/* Walks the records in order. */
struct record_reader {
	struct kernel_base *kernel;
	const struct pfn_run *run;
	const struct memfd_luo_folio_ser *at;
	u64 in_run;             /* left before the page run ends */
	u64 left;
};

static void reader_init(struct record_reader *reader, struct kernel_base *kernel,
			const struct pfn_runs *array, u64 nr)
{
	*reader = (struct record_reader){ .kernel = kernel, .run = pfn_runs_get(array, 0),
					.left = nr };
}

/* The next record that names a folio, or NULL. */
static const struct memfd_luo_folio_ser *reader_next(struct record_reader *reader)
{
	while (reader->left) {
		const struct memfd_luo_folio_ser *record;

		if (!reader->in_run) {
			reader->at = phys_mem_ptr(reader->kernel->mem, reader->run->pa,
						  reader->run->nr_pages * PAGE_SIZE);
			reader->in_run = reader->run->nr_pages * MEMFD_LUO_RECORDS_PER_PAGE;
			reader->run++;
		}
		record = reader->at++;
		reader->in_run--;
		reader->left--;
		if (record->pfn_flags & MEMFD_LUO_FOLIO_PFN_MASK)
			return record;
	}
	return NULL;
}

static pa_t record_pa(const struct memfd_luo_folio_ser *record)
{
	return (record->pfn_flags & MEMFD_LUO_FOLIO_PFN_MASK) << PAGE_SHIFT;
}

static struct folio_run *runs_push(struct kheap *heap, struct folio_runs *runs)
{
	if (runs->nr == runs->capacity) {
		u32 capacity = runs->capacity ? 2 * runs->capacity : 16;
		struct folio_run *grown;

		grown = kheap_realloc(heap, runs->runs, capacity * sizeof(*grown),
				      "struct folio_run");
		if (!grown)
			return NULL;
		runs->runs = grown;
		runs->capacity = capacity;
	}
	return &runs->runs[runs->nr++];
}

/* Reads all records into runs; nothing is taken yet. -EIO: a record that cannot be right. */
static int records_read(struct record_reader *reader, u64 nr_pages, struct folio_runs *runs)
{
	struct kernel_base *kernel = reader->kernel;
	const struct memfd_luo_folio_ser *record;
	u64 next_index = 0, limit = 0, step = 0;
	struct folio_run *run = NULL;
	pa_t next_pa = 0;

	while ((record = reader_next(reader))) {
		bool uptodate = record->pfn_flags & MEMFD_LUO_FOLIO_UPTODATE;
		pa_t pa = record_pa(record);

		if (record->index < next_index || record->index >= nr_pages)
			return -EIO;
		if (run && record->index == next_index && pa == next_pa && run->nr_folios < limit &&
		    uptodate == run->uptodate) {
			run->nr_folios++;
		} else {
			run = runs_push(&kernel->heap, runs);
			if (!run)
				return -ENOMEM;
			*run = (struct folio_run){ .index = record->index, .pa = pa, .nr_folios = 1,
						   .uptodate = uptodate };
			limit = kho_nr_restorable(kernel->kho, pa, &run->order);
			if (!limit || record->index & (BIT_ULL(run->order) - 1)) {
				pr_err("memfd: cannot restore page 0x%llx at 0x%llx",
				       (unsigned long long)record->index,
				       (unsigned long long)pa);
				return -EIO;
			}
			step = BIT_ULL(run->order);
		}
		next_index = record->index + step;
		next_pa = pa + (step << PAGE_SHIFT);
	}
	return 0;
}

static u64 run_pages(const struct folio_run *run)
{
	return run->nr_folios << run->order;
}

static int runs_restore(struct kernel_base *kernel, struct folio_runs *runs)
{
	for (; runs->nr_restored < runs->nr; runs->nr_restored++) {
		const struct folio_run *run = &runs->runs[runs->nr_restored];
		unsigned order;

		/* Two records may name one folio: the first has it by now. */
		if (kho_nr_restorable(kernel->kho, run->pa, &order) < run->nr_folios ||
		    order != run->order)
			return -EIO;
		if (kho_restore_folios(kernel->kho, run->pa, run->nr_folios, order, FRAME_MEMFD))
			return -EIO;
		if (!run->uptodate)
			phys_mem_zero(kernel->mem, run->pa, run_pages(run) << PAGE_SHIFT);
	}
	return 0;
}

static int runs_insert(struct memfd *memfd, struct folio_runs *runs)
{
	for (; runs->nr_inserted < runs->nr; runs->nr_inserted++) {
		const struct folio_run *run = &runs->runs[runs->nr_inserted];
		struct memfd_extent extent = { .index = run->index, .nr_pages = run_pages(run),
					       .pa = run->pa, .order = run->order };
		int err = memfd_insert(memfd, &extent);

		if (err)
			return err;
	}
	return 0;
}

/* Frees every folio that the records name and that is still to be had. Cannot fail. */
static void records_discard(struct kernel_base *kernel, const struct pfn_runs *array, u64 nr)
{
	const struct memfd_luo_folio_ser *record;
	struct record_reader reader;

	reader_init(&reader, kernel, array, nr);
	record = reader_next(&reader);
	while (record) {
		pa_t pa = record_pa(record);
		unsigned order = 0;
		u64 limit = kho_nr_restorable(kernel->kho, pa, &order), found = 1;
		u64 bytes = PAGE_SIZE << order;

		if (!limit)
			pr_warn("memfd: page at 0x%llx is not preserved", (unsigned long long)pa);
		while ((record = reader_next(&reader)) && found < limit &&
		       record_pa(record) == pa + found * bytes)
			found++;
		/* A design may have pinned them: a restored domain still leads there. */
		if (limit && !kho_restore_folios(kernel->kho, pa, found, order, FRAME_MEMFD))
			frames_release(kernel, pa, found << order);
	}
}

static void array_free(struct kernel_base *kernel, struct pfn_runs *array)
{
	for (u32 i = 0; i < array->nr; i++)
		pages_free(kernel->page_alloc, pfn_runs_get(array, i)->pa,
			   pfn_runs_get(array, i)->nr_pages);
	pfn_runs_deinit(&kernel->heap, array);
}

/*
 * A copy of the header, if it is one that can be had: what LUO passes came from the previous
 * kernel, and so did the page, which a damaged record may name again.
 */
static bool ser_read(struct kernel_base *kernel, u64 pa, struct memfd_luo_ser *out)
{
	return pa && kho_is_restorable(kernel->kho, pa, NULL) &&
	       phys_mem_read(kernel->mem, pa, out, sizeof(*out));
}

static void ser_free(struct kernel_base *kernel, pa_t pa)
{
	nofail_begin(kernel);
	if (kho_is_restorable(kernel->kho, pa, NULL))
		kho_restore_free_pa(kernel->kho, pa);
	else
		pr_warn("memfd: a record names the header at 0x%llx", (unsigned long long)pa);
	nofail_end(kernel);
}

static bool ser_counts_ok(const struct memfd_luo_ser *ser)
{
	u64 capacity = ser->folios.total_pages * MEMFD_LUO_RECORDS_PER_PAGE;

	return ser->nr_folios <= capacity;
}

/*
 * Fills @memfd. On failure it is as empty as before, and *@taken becomes true if the records are
 * gone.
 */
static int folios_retrieve(struct memfd *memfd, const struct memfd_luo_ser *ser, bool *taken)
{
	struct kernel_base *kernel = memfd->kernel;
	struct folio_runs runs = { 0 };
	struct pfn_runs array = { 0 };
	struct record_reader reader;
	int err;

	if (!ser_counts_ok(ser))
		return -EINVAL;
	err = kho_restore_vmalloc_runs(kernel->kho, &ser->folios, &array);
	if (err)
		return err == -ENOMEM ? err : -EINVAL;
	/*
	 * The array is ours and cannot be given back: what follows does not fail for want of
	 * memory.
	 */
	*taken = true;
	nofail_begin(kernel);
	reader_init(&reader, kernel, &array, ser->nr_folios);
	err = records_read(&reader, DIV_ROUND_UP(ser->size, PAGE_SIZE), &runs);
	if (!err)
		err = runs_restore(kernel, &runs);
	if (!err)
		err = runs_insert(memfd, &runs);
	if (err) {
		for (u32 i = runs.nr_inserted; i < runs.nr_restored; i++)
			frames_release(kernel, runs.runs[i].pa, run_pages(&runs.runs[i]));
		records_discard(kernel, &array, ser->nr_folios);
	}
	array_free(kernel, &array);
	kheap_free(&kernel->heap, runs.runs);
	nofail_end(kernel);
	return err;
}

/* The file of @ser. On failure *@taken becomes true if its records are gone. */
static int file_retrieve(struct kernel_base *kernel, const struct memfd_luo_ser *ser, bool *taken,
			 struct file **out)
{
	struct memfd *memfd;
	struct file *file;
	int err;

	if (ser->seals & ~MEMFD_LUO_ALL_SEALS)
		return -EOPNOTSUPP;
	if (ser->size > MAX_LFS_FILESIZE)
		return -EINVAL;
	/* Seals come first: nothing below looks at them. */
	err = memfd_new_sealed(kernel, kernel->memfd_config, ser->seals, &file);
	if (err)
		return err;
	memfd = file_memfd(file);
	if (ser->pos <= MAX_LFS_FILESIZE)
		file->f_pos = ser->pos;
	memfd_set_size(memfd, ser->size);
	if (ser->nr_folios)
		err = folios_retrieve(memfd, ser, taken);
	if (err) {
		fput(file);
		return err;
	}
	*out = file;
	return 0;
}

int memfd_luo_retrieve(struct liveupdate_file_op_args *args)
{
	struct kernel_base *kernel = current->kernel;
	/* Once they are the header goes with them. */
	bool taken = !kernel->fix_bugs;
	struct memfd_luo_ser ser;
	int err;

	if (!ser_read(kernel, args->serialized_data, &ser))
		return -EINVAL;
	err = file_retrieve(kernel, &ser, &taken, &args->file);
	if (!err || taken)
		ser_free(kernel, args->serialized_data);
	return err;
}

void memfd_luo_finish(struct liveupdate_file_op_args *args)
{
	struct kernel_base *kernel = current->kernel;
	struct memfd_luo_ser ser;
	struct pfn_runs array = { 0 };

	if (args->retrieve_status > 0 || (args->retrieve_status && !kernel->fix_bugs))
		return;
	if (!ser_read(kernel, args->serialized_data, &ser))
		return;
	nofail_begin(kernel);
	if (ser.nr_folios && ser_counts_ok(&ser) &&
	    !kho_restore_vmalloc_runs(kernel->kho, &ser.folios, &array)) {
		records_discard(kernel, &array, ser.nr_folios);
		array_free(kernel, &array);
	}
	nofail_end(kernel);
	ser_free(kernel, args->serialized_data);
}
