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

#include "lib/iommufd/access.h"

static void destroy_access(struct iommufd_ctx *ictx, struct iommufd_access *access, u64 base_iova,
			   u64 length)
{
	u64 aligned = ALIGN_DOWN(base_iova, PAGE_SIZE);

	iommufd_access_unpin_pages(access, aligned,
				   ALIGN_UP(length + (base_iova - aligned), PAGE_SIZE));
	iommufd_access_detach_internal(access);
	iommufd_access_destroy_internal(ictx, access);
}

void iommufd_hw_queue_destroy(struct iommufd_object *obj)
{
	struct iommufd_hw_queue *queue = container_of(obj, struct iommufd_hw_queue, obj);

	if (queue->destroy)
		queue->destroy(queue);
	if (queue->access)
		destroy_access(queue->viommu->ictx, queue->access, queue->base_addr,
			       queue->length);
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

static bool is_contiguous(const pa_t *pages, u64 nr_pages)
{
	for (u64 i = 1; i < nr_pages; i++)
		if (pages[i] != pages[i - 1] + PAGE_SIZE)
			return false;
	return true;
}

/* Pins whole pages; @pages has room for all of them. */
static int pin_contiguous(struct iommufd_viommu *viommu, iova_t aligned, u64 length, pa_t *pages,
			  struct iommufd_access **out)
{
	struct iommufd_access *access;
	int rc = iommufd_access_create_internal(viommu->ictx, &access);

	if (rc)
		return rc;
	rc = iommufd_access_attach_internal(access, viommu->hwpt->ioas);
	if (rc)
		goto err_destroy;
	rc = iommufd_access_pin_pages(access, aligned, length, pages, 0);
	if (rc)
		goto err_detach;
	if (!is_contiguous(pages, length / PAGE_SIZE)) {
		rc = -EFAULT;
		goto err_unpin;
	}
	*out = access;
	return 0;

err_unpin:
	iommufd_access_unpin_pages(access, aligned, length);
err_detach:
	iommufd_access_detach_internal(access);
err_destroy:
	iommufd_access_destroy_internal(viommu->ictx, access);
	return rc;
}

/* The queue's memory pinned, and where it is. */
static int hw_queue_pin(struct iommufd_viommu *viommu, const struct iommu_hw_queue_alloc *cmd,
			struct iommufd_access **access, pa_t *base_pa)
{
	u64 aligned = ALIGN_DOWN(cmd->nesting_parent_iova, PAGE_SIZE);
	u64 offset = cmd->nesting_parent_iova - aligned;
	pa_t *pages;
	u64 length;
	int rc;

	if (check_add_overflow(offset, cmd->length, &length) ||
	    check_add_overflow(length, (u64)PAGE_SIZE - 1, &length))
		return -ERANGE;
	length = ALIGN_DOWN(length, PAGE_SIZE);
	/* Larger arrays kvmalloc() refuses as well. */
	if (length / PAGE_SIZE > INT_MAX / sizeof(*pages))
		return -ENOMEM;
	pages = kcalloc(length / PAGE_SIZE, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	rc = pin_contiguous(viommu, aligned, length, pages, access);
	if (!rc)
		*base_pa = pages[0] + offset;
	kfree(pages);
	return rc;
}

static int hw_queue_alloc_on(struct iommufd_ucmd *ucmd, struct iommufd_viommu *viommu)
{
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;
	size_t size = hw_queue_size(viommu, cmd->type);
	struct iommufd_access *access;
	struct iommufd_hw_queue *queue;
	struct iommufd_object *obj;
	pa_t base_pa;
	int rc;

	if (!size)
		return -EOPNOTSUPP;
	rc = iommufd_object_alloc_ucmd(ucmd, size, IOMMUFD_OBJ_HW_QUEUE, &obj);
	if (rc)
		return rc;
	rc = hw_queue_pin(viommu, cmd, &access, &base_pa);
	if (rc)
		return rc;
	queue = container_of(obj, struct iommufd_hw_queue, obj);
	queue->viommu = viommu;
	viommu->obj.users++;
	queue->access = access;
	queue->type = cmd->type;
	queue->length = cmd->length;
	queue->base_addr = cmd->nesting_parent_iova;
	rc = viommu->ops->hw_queue_init_phys(queue, cmd->index, base_pa);
	if (rc)
		return rc;
	cmd->out_hw_queue_id = obj->id;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
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
