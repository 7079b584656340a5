/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The LUO handler "memfd-v2" in the kernel that ends (mm/memfd_luo.c): preserve, unpreserve,
 * freeze. lib/abi/memfd.h draws what it leaves.
 *
 * Preserving fills the holes, pins every page, freezes the size, and writes one record for each
 * folio into an array of pages that is handed over in vmalloc form. Contents may still change: what
 * is in memory at kexec is what arrives. The seals are those of this moment, the position that of
 * freeze.
 *
 * Work is done per extent: keys are set and records written in runs.
 */
#include "lib/memfd/memfd_luo_internal.h"

#include <assert.h>

#include <iommufd-sim/proto/bug.h>

#include "lib/base/task.h"
#include "lib/kho/kho.h"
#include "lib/mm/page_alloc.h"
#include "sim/phys_mem.h"

/* What unpreserve needs to know: the file's own pages may have moved on by then. */
struct memfd_luo_private {
	struct pfn_runs pins;
	struct pfn_runs array;          /* pages of the records */
	struct memfd_extent *extents;   /* whole folios */
	u32 nr_extents, capacity;
	u64 nr_folios;
};

static bool memfd_luo_can_preserve(const struct liveupdate_file_handler *handler, struct file *file)
{
	return file_is_memfd(file);
}

static unsigned long memfd_luo_get_id(struct file *file)
{
	return file_inode_id(file);
}

static struct memfd_luo_ser *ser_ptr(struct kernel_base *kernel, pa_t pa)
{
	return phys_mem_ptr(kernel->mem, pa, sizeof(struct memfd_luo_ser));
}

static int extents_collect(struct memfd *memfd, u64 nr_pages, struct memfd_luo_private *private)
{
	struct kheap *heap = &memfd->kernel->heap;
	struct memfd_extent extent;

	for (u64 at = 0; at < nr_pages; at += extent.nr_pages) {
		if (!memfd_extent_at(memfd, at, &extent))
			assert(!"filled before");
		/* The last folio comes whole, even if the file ends in it. */
		extent.nr_pages = min(extent.nr_pages,
				      ALIGN_UP(nr_pages - at, 1ull << extent.order));
		if (private->nr_extents == private->capacity) {
			u32 capacity = private->capacity ? 2 * private->capacity : 4;
			void *grown = kheap_realloc(heap, private->extents,
						    capacity * sizeof(*private->extents),
						    "memfd_luo extents");

			if (!grown)
				return -ENOMEM;
			private->extents = grown;
			private->capacity = capacity;
		}
		private->extents[private->nr_extents++] = extent;
		private->nr_folios += extent.nr_pages >> extent.order;
	}
	return 0;
}

static int array_alloc(struct kernel_base *kernel, struct memfd_luo_private *private)
{
	u64 left = DIV_ROUND_UP(private->nr_folios, MEMFD_LUO_RECORDS_PER_PAGE);

	while (left) {
		u64 got;
		pa_t pa;
		int err = pages_alloc_extent(kernel->page_alloc, left, 0, FRAME_KERNEL, &pa, &got);

		if (!err) {
			err = pfn_runs_add(&kernel->heap, &private->array, pa, got);
			if (err)
				pages_free(kernel->page_alloc, pa, got);
		}
		if (err)
			return err;
		left -= got;
	}
	return 0;
}

static void array_free(struct kernel_base *kernel, struct memfd_luo_private *private)
{
	for (u32 i = 0; i < private->array.nr; i++)
		pages_free(kernel->page_alloc, pfn_runs_get(&private->array, i)->pa,
			   pfn_runs_get(&private->array, i)->nr_pages);
}

/* Where records are written next: the array is a few runs of pages. */
struct record_cursor {
	struct phys_mem *mem;
	const struct pfn_run *run;
	struct memfd_luo_folio_ser *at;
	u64 left;               /* records that fit before the run ends */
};

static struct memfd_luo_folio_ser *record_next(struct record_cursor *cursor)
{
	if (!cursor->left) {
		cursor->at = phys_mem_ptr(cursor->mem, cursor->run->pa,
					  cursor->run->nr_pages * PAGE_SIZE);
		cursor->left = cursor->run->nr_pages * MEMFD_LUO_RECORDS_PER_PAGE;
		cursor->run++;
	}
	cursor->left--;
	return cursor->at++;
}

static void records_write(struct kernel_base *kernel, const struct memfd_luo_private *private)
{
	struct record_cursor cursor = {
		.mem = kernel->mem, .run = pfn_runs_get(&private->array, 0),
	};

	for (u32 i = 0; i < private->nr_extents; i++) {
		const struct memfd_extent *extent = &private->extents[i];
		u64 step = 1ull << extent->order;

		for (u64 page = 0; page < extent->nr_pages; page += step)
			*record_next(&cursor) = (struct memfd_luo_folio_ser){
				.pfn_flags = ((extent->pa >> PAGE_SHIFT) + page) |
					     MEMFD_LUO_FOLIO_DIRTY | MEMFD_LUO_FOLIO_UPTODATE,
				.index = extent->index + page,
			};
	}
}

static void extents_unpreserve(struct kho *kho, const struct memfd_luo_private *private, u32 nr)
{
	while (nr--) {
		const struct memfd_extent *extent = &private->extents[nr];

		kho_unpreserve_folios(kho, extent->pa, extent->nr_pages >> extent->order,
				      extent->order);
	}
}

static int extents_preserve(struct kho *kho, const struct memfd_luo_private *private)
{
	for (u32 i = 0; i < private->nr_extents; i++) {
		const struct memfd_extent *extent = &private->extents[i];
		int err = kho_preserve_folios(kho, extent->pa, extent->nr_pages >> extent->order,
					      extent->order);

		if (err) {
			extents_unpreserve(kho, private, i);
			return err;
		}
	}
	return 0;
}

static void private_free(struct kernel_base *kernel, struct memfd_luo_private *private)
{
	pfn_runs_deinit(&kernel->heap, &private->pins);
	pfn_runs_deinit(&kernel->heap, &private->array);
	kheap_free(&kernel->heap, private->extents);
	kheap_free(&kernel->heap, private);
}

/* Pages, records, keys. @out is all zero for an empty file. */
static int folios_preserve(struct memfd *memfd, u64 nr_pages, struct memfd_luo_private *private,
			   struct kho_vmalloc *out)
{
	struct kernel_base *kernel = memfd->kernel;
	struct pfn_runs added = { 0 };
	int err;

	err = memfd_fill(memfd, 0, nr_pages, &added);
	if (err)
		goto free_added;
	err = memfd_pin_range(memfd, 0, nr_pages, &private->pins);
	if (err)
		goto unfill;
	err = extents_collect(memfd, nr_pages, private);
	if (err)
		goto unpin;
	err = array_alloc(kernel, private);
	if (err)
		goto free_array;
	records_write(kernel, private);
	err = extents_preserve(kernel->kho, private);
	if (err)
		goto free_array;
	err = kho_preserve_vmalloc_runs(kernel->kho, &private->array,
					pfn_runs_nr_pages(&private->array), out);
	if (err)
		goto unpreserve;
	pfn_runs_deinit(&kernel->heap, &added);
	return 0;

unpreserve:
	extents_unpreserve(kernel->kho, private, private->nr_extents);
free_array:
	array_free(kernel, private);
unpin:
	memfd_unpin(memfd, &private->pins);
unfill:
	memfd_unfill(memfd, &added);
free_added:
	pfn_runs_deinit(&kernel->heap, &added);
	return err;
}

/* i_rwsem is held, the file frozen. */
static int preserve_locked(struct memfd *memfd, u64 pos, pa_t *ser_pa,
			   struct memfd_luo_private **out)
{
	struct kernel_base *kernel = memfd->kernel;
	u64 nr_pages = DIV_ROUND_UP(memfd->size, PAGE_SIZE);
	struct memfd_luo_private *private;
	struct memfd_luo_ser *ser;
	int err;

	err = kho_alloc_preserve_pa(kernel->kho, sizeof(*ser), ser_pa);
	if (err)
		return err;
	err = -EOPNOTSUPP;
	if (memfd->seals & ~MEMFD_LUO_ALL_SEALS)
		goto free_ser;
	err = -EFBIG;
	if (nr_pages > UINT32_MAX)
		goto free_ser;
	err = -ENOMEM;
	private = kheap_new(&kernel->heap, struct memfd_luo_private);
	if (!private)
		goto free_ser;
	ser = ser_ptr(kernel, *ser_pa);
	ser->pos = pos;
	ser->size = memfd->size;
	ser->seals = memfd->seals;
	err = nr_pages ? folios_preserve(memfd, nr_pages, private, &ser->folios) : 0;
	if (err)
		goto free_private;
	ser->nr_folios = private->nr_folios;
	*out = private;
	return 0;

free_private:
	private_free(kernel, private);
free_ser:
	kho_unpreserve_free_pa(kernel->kho, *ser_pa);
	return err;
}

static int memfd_luo_preserve(struct liveupdate_file_op_args *args)
{
	struct memfd *memfd = file_memfd(args->file);
	struct memfd_luo_private *private;
	pa_t ser_pa;
	int err;

	down_write(&memfd->i_rwsem);
	memfd_set_frozen(memfd, true);
	err = preserve_locked(memfd, args->file->f_pos, &ser_pa, &private);
	if (err)
		memfd_set_frozen(memfd, false);
	up_write(&memfd->i_rwsem);
	if (err)
		return err;
	args->serialized_data = ser_pa;
	args->private_data = private;
	return 0;
}

static void memfd_luo_unpreserve(struct liveupdate_file_op_args *args)
{
	struct memfd *memfd = file_memfd(args->file);
	struct memfd_luo_private *private = args->private_data;
	struct kernel_base *kernel = memfd->kernel;
	struct memfd_luo_ser *ser = ser_ptr(kernel, args->serialized_data);

	if (WARN_ON(!args->serialized_data || !ser))
		return;
	down_write(&memfd->i_rwsem);
	memfd_set_frozen(memfd, false);
	if (private->nr_folios) {
		kho_unpreserve_vmalloc_runs(kernel->kho, &ser->folios);
		extents_unpreserve(kernel->kho, private, private->nr_extents);
		array_free(kernel, private);
		memfd_unpin(memfd, &private->pins);
	}
	private_free(kernel, private);
	kho_unpreserve_free_pa(kernel->kho, args->serialized_data);
	up_write(&memfd->i_rwsem);
}

static int memfd_luo_freeze(struct liveupdate_file_op_args *args)
{
	struct memfd_luo_ser *ser = ser_ptr(current->kernel, args->serialized_data);

	if (WARN_ON_ONCE(!args->serialized_data || !ser))
		return -EINVAL;
	/* The offset at the time of the reboot: it may have moved since preserve. */
	ser->pos = args->file->f_pos;
	/* So may the seals; 7.3 forgets them (trap 52). */
	if (current->kernel->fix_bugs)
		ser->seals = file_memfd(args->file)->seals;
	return 0;
}

const struct liveupdate_file_ops memfd_luo_file_ops = {
	.can_preserve = memfd_luo_can_preserve,
	.preserve = memfd_luo_preserve,
	.unpreserve = memfd_luo_unpreserve,
	.freeze = memfd_luo_freeze,
	.retrieve = memfd_luo_retrieve,
	.finish = memfd_luo_finish,
	.get_id = memfd_luo_get_id,
};

static const struct liveupdate_file_handler memfd_luo_handler = {
	.ops = &memfd_luo_file_ops,
	.compatible = MEMFD_LUO_FH_COMPATIBLE,
};

int memfd_luo_register(struct kernel_base *kernel, const struct memfd_config *config)
{
	kernel->memfd_config = config;
	return liveupdate_register_file_handler(&memfd_luo_handler);
}
