/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What may never be on its way to the next kernel, whatever a program did: the design "reference"
 * has to refuse it (-EOPNOTSUPP) before anything changes, and to keep it out afterwards. Asked of
 * the objects themselves, not of the design.
 */
#include "tests/fuzz/fuzz_world.h"

#include "lib/iommufd/io_pagetable.h"
#include "lib/kernel/kernel.h"

static const char *check_areas(struct io_pagetable *iopt)
{
	const char *wrong = NULL;
	struct iopt_area *area;

	down_read(&iopt->iova_rwsem);
	for (area = iopt_area_iter_first(iopt, 0, U64_MAX); area && !wrong;
	     area = iopt_area_iter_next(area, 0, U64_MAX)) {
		if (area->pages->type == IOPT_ADDRESS_DMABUF)
			wrong = "a preserved HWPT maps a dma-buf";
		else if (area->pages->type != IOPT_ADDRESS_FILE)
			wrong = "a preserved HWPT maps memory of no file";
	}
	up_read(&iopt->iova_rwsem);
	return wrong;
}

static const char *check_hwpt(const struct iommufd_hwpt_paging *hwpt)
{
	const struct iommu_domain *domain = hwpt->common.domain;

	if (!domain->preserved_state)
		return NULL;
	if (hwpt->nest_parent)
		return "a nesting parent is preserved";
	if (hwpt->common.fault)
		return "a HWPT with a fault queue is preserved";
	if (hwpt->common.pasid_compat)
		return "a HWPT for PASIDs is preserved";
	if (!domain->iommu->hw)
		return "a HWPT of a mock device is preserved";
	return hwpt->ioas ? check_areas(&hwpt->ioas->iopt) : "a restored HWPT is preserved";
}

const char *fuzz_check_preserved(struct ifs_kernel *kernel)
{
	const char *wrong = NULL;
	struct iommufd_object *obj;
	struct iommufd_ctx *ictx;
	struct task task;
	u64 id;

	kernel_task_enter(&task, kernel, "check preserved");
	list_for_each_entry(ictx, &kernel->base.iommufd->contexts, list) {
		xa_for_each(&ictx->objects, id, obj) {
			if (!wrong && obj->type == IOMMUFD_OBJ_HWPT_PAGING)
				wrong = check_hwpt(container_of(obj, struct iommufd_hwpt_paging,
								common.obj));
		}
	}
	task_leave(&task);
	return wrong;
}
