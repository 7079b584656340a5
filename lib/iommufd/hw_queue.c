/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Queues that hardware reads directly from guest memory, by physical address (Linux:
 * drivers/iommu/iommufd/viommu.c).
 *
 * The memory must be mapped in the nesting parent's IOAS and physically in one piece. It is pinned
 * through an access object of iommufd's own, which locks the areas: while the queue lives, an unmap
 * of them is -EBUSY instead of a callback.
 */
#include <iommufd-sim/proto/viommu.h>

#include "lib/iommufd/iommufd_private.h"

void iommufd_hw_queue_destroy(struct iommufd_object *obj)
{
	struct iommufd_hw_queue *queue = container_of(obj, struct iommufd_hw_queue, obj);

	if (queue->destroy)
		queue->destroy(queue);
	/* A creation that failed early has no vIOMMU yet. */
	if (queue->viommu)
		queue->viommu->obj.users--;
}

/* 0: the driver has no queues, or none of this type. */
static size_t hw_queue_size(struct iommufd_viommu *viommu, u32 type)
{
	size_t size;

	if (!viommu->ops->get_hw_queue_size || !viommu->ops->hw_queue_init_phys)
		return 0;
	size = viommu->ops->get_hw_queue_size(viommu, type);
	assert(!size || size >= sizeof(struct iommufd_hw_queue));
	return size;
}

/* Unlike Linux: not yet; nothing pins the queue's memory. */
static int hw_queue_alloc_on(struct iommufd_ucmd *ucmd, struct iommufd_viommu *viommu)
{
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;

	if (!hw_queue_size(viommu, cmd->type))
		return -EOPNOTSUPP;
	return -EOPNOTSUPP;
}

int iommufd_hw_queue_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	u64 last;
	int rc;

	if (cmd->flags || cmd->type == IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->length)
		return -EINVAL;
	if (check_add_overflow(cmd->nesting_parent_iova, cmd->length - 1, &last))
		return -EOVERFLOW;
	viommu = iommufd_get_viommu(ucmd->ictx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	rc = hw_queue_alloc_on(ucmd, viommu);
	iommufd_put_object(ucmd->ictx, &viommu->obj);
	return rc;
}

int ifs__iommufd_object_depend(struct iommufd_object *dependent, struct iommufd_object *depended)
{
	/* Nothing can wait for itself, and only objects of one type know about each other. */
	if (dependent == depended || dependent->type != depended->type)
		return -EINVAL;
	depended->users++;
	return 0;
}

void ifs__iommufd_object_undepend(struct iommufd_object *dependent,
				  struct iommufd_object *depended)
{
	if (!WARN_ON(dependent == depended || dependent->type != depended->type))
		depended->users--;
}
