/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The iommufd half of the state hash: objects with their counts, areas and what the ends of each
 * translate to in each domain, reservations, accesses, HWPTs, devices and what each PASID is
 * attached to, page faults in every stage, vIOMMUs, vDEVICEs, the contents of vEVENTQs, HW queues,
 * and what the mock driver keeps for its devices and nested domains.
 *
 * Not in it: dirty bits, whose reading would cost more than all the rest; the number of the next
 * item of a mock access and the next fault cookie, which Linux spends on calls that fail; how far
 * an IOVA space is known to be full, which is a cache.
 */
#include "lib/kernel/state_hash.h"

#include "lib/iommu/mock_driver.h"
#include "lib/iommufd/access.h"
#include "lib/iommufd/eventq.h"

static void mix_length(u64 *hash, const struct list_head *list)
{
	u64 length = 0;

	for (const struct list_head *at = list->next; at != list; at = at->next)
		length++;
	mix(hash, length);
}

static void mix_domain_ends(u64 *hash, struct io_pagetable *iopt, const struct iopt_area *area)
{
	struct iommu_domain *domain;
	u64 index;

	xa_for_each(&iopt->domains, index, domain) {
		mix(hash, index);
		mix(hash, iommu_iova_to_phys(domain, area->first));
		mix(hash, iommu_iova_to_phys(domain, area->last));
	}
}

static void mix_pages(u64 *hash, const struct iopt_pages *pages)
{
	mix(hash, pages->npages);
	mix(hash, (u64)pages->refs << 32 | pages->account_mode);
	mix(hash, (u64)pages->type << 2 | pages->writable << 1 | pages->dmabuf_revoked);
}

static void mix_area(u64 *hash, struct io_pagetable *iopt, const struct iopt_area *area)
{
	mix(hash, area->first);
	mix(hash, area->last);
	mix(hash, (u64)area->iommu_prot << 32 | area->page_offset);
	mix(hash, area->pages_index);
	mix(hash, (u64)area->num_accesses << 32 | area->num_locks);
	mix(hash, (u64)area->prevent_access << 1 | !!area->storage_domain);
	if (area->pages)
		mix_pages(hash, area->pages);
	mix_domain_ends(hash, iopt, area);
}

static void mix_iopt(u64 *hash, struct io_pagetable *iopt)
{
	const struct iopt_reserved *reserved;
	const struct iopt_allowed *allowed;
	struct iommufd_access *access;
	struct iopt_area *area;
	u64 index;

	down_read(&iopt->domains_rwsem);
	down_read(&iopt->iova_rwsem);
	mix(hash, iopt->next_domain_id);
	mix(hash, iopt->iova_alignment);
	mix(hash, (u64)iopt->disable_large_pages << 1 | iopt->lu_map_immutable);
	for (area = iopt_area_iter_first(iopt, 0, ~0ull); area;
	     area = iopt_area_iter_next(area, 0, ~0ull))
		mix_area(hash, iopt, area);
	list_for_each_entry(reserved, &iopt->reserved, item) {
		mix(hash, reserved->first);
		mix(hash, reserved->last);
	}
	list_for_each_entry(allowed, &iopt->allowed, item) {
		mix(hash, allowed->first);
		mix(hash, allowed->last);
	}
	xa_for_each(&iopt->access_list, index, access)
		mix(hash, index << 32 | access->obj.id);
	up_read(&iopt->iova_rwsem);
	up_read(&iopt->domains_rwsem);
}

static void mix_ioas(u64 *hash, struct iommufd_ioas *ioas)
{
	struct iommufd_hwpt_paging *hwpt;

	mix_iopt(hash, &ioas->iopt);
	list_for_each_entry(hwpt, &ioas->hwpt_list, hwpt_item)
		mix(hash, hwpt->common.obj.id);
}

static void mix_hwpt(u64 *hash, const struct iommufd_hw_pagetable *hwpt)
{
	mix(hash, hwpt->fault ? hwpt->fault->common.obj.id : 0);
	mix(hash, hwpt->pasid_compat);
	mix(hash, hwpt->domain->nr_attached);
}

static void mix_hwpt_paging(u64 *hash, const struct iommufd_hwpt_paging *hwpt)
{
	mix_hwpt(hash, &hwpt->common);
	mix(hash, (u64)hwpt->auto_domain << 2 | hwpt->enforce_cache_coherency << 1 |
		  hwpt->nest_parent);
	mix(hash, hwpt->lu_preserve);
	mix(hash, hwpt->lu_token);
	mix(hash, hwpt->common.domain->dirty_tracking);
	mix(hash, hwpt->common.domain->preserved_state != NULL);
}

static void mix_hwpt_nested(u64 *hash, const struct iommufd_hwpt_nested *hwpt)
{
	const struct mock_iommu_domain_nested *nested = to_mock_nested(hwpt->common.domain);

	mix_hwpt(hash, &hwpt->common);
	mix(hash, hwpt->parent->common.obj.id);
	mix(hash, hwpt->viommu ? hwpt->viommu->obj.id : 0);
	for (unsigned i = 0; hwpt->common.domain->owner == &mock_ops &&
			     i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++)
		mix(hash, nested->iotlb[i]);
}

static void mix_mock_dev(u64 *hash, const struct mock_dev *mdev)
{
	mix(hash, mdev->id);
	mix(hash, mdev->viommu ? mdev->viommu->core.obj.id : 0);
	mix(hash, mdev->viommu ? mdev->vdev_id : 0);
	mix(hash, mdev->iopf_refcount);
	for (unsigned i = 0; i < MOCK_DEV_CACHE_NUM; i++)
		mix(hash, mdev->cache[i]);
}

static void mix_device(u64 *hash, struct iommufd_device *idev)
{
	const struct iommu_fault_param *faults = idev->dev->fault_param;
	struct iommufd_attach *attach;
	u64 pasid;

	mix(hash, (u64)idev->enforce_cache_coherency << 1 | idev->destroying);
	mix(hash, idev->vdev ? idev->vdev->obj.id : 0);
	mix(hash, idev->igroup->refs);
	xa_for_each(&idev->igroup->pasid_attach, pasid, attach) {
		mix(hash, pasid);
		mix(hash, attach->hwpt ? attach->hwpt->obj.id : 0);
		mix(hash, xa_load(&attach->device_array, idev->obj.id) != NULL);
	}
	mix(hash, faults != NULL);
	if (faults) {
		mix_length(hash, &faults->partial);
		mix_length(hash, &faults->faults);
	}
	if (iommufd_selftest_is_mock_dev(idev->dev))
		mix_mock_dev(hash, to_mock_dev(idev->dev));
}

static void mix_access(u64 *hash, const struct iommufd_access *access)
{
	mix(hash, access->ioas ? access->ioas->obj.id : 0);
	mix(hash, access->ioas_unpin ? access->ioas_unpin->obj.id : 0);
	mix(hash, access->iova_alignment);
	mix(hash, access->ioas ? access->iopt_access_list_id : 0);
}

static void mix_fault_group(u64 *hash, const struct iopf_group *group)
{
	const struct iopf_fault *iopf;

	list_for_each_entry(iopf, &group->faults, list) {
		const struct iommu_fault_page_request *prm = &iopf->fault.prm;

		mix(hash, (u64)prm->flags << 32 | prm->pasid);
		mix(hash, (u64)prm->grpid << 32 | prm->perm);
		mix(hash, prm->addr);
	}
}

static void mix_fault(u64 *hash, struct iommufd_fault *fault)
{
	struct iopf_group *group;
	u64 cookie;

	list_for_each_entry(group, &fault->common.deliver, node)
		mix_fault_group(hash, group);
	xa_for_each(&fault->response, cookie, group) {
		mix(hash, cookie);
		mix_fault_group(hash, group);
	}
}

static void mix_veventq(u64 *hash, const struct iommufd_veventq *veventq)
{
	const struct iommufd_vevent *vevent;

	mix(hash, veventq->viommu->obj.id);
	mix(hash, (u64)veventq->type << 32 | veventq->depth);
	mix(hash, (u64)veventq->num_events << 32 | veventq->sequence);
	list_for_each_entry(vevent, &veventq->common.deliver, node) {
		mix(hash, (u64)vevent->header.flags << 32 | vevent->header.sequence);
		for (u64 i = 0; i < vevent->data_len; i++)
			mix(hash, vevent->event_data[i]);
	}
}

static void mix_viommu(u64 *hash, struct iommufd_viommu *viommu)
{
	struct iommufd_veventq *veventq;
	struct iommufd_vdevice *vdev;
	u64 virt_id;

	mix(hash, (u64)viommu->type << 32 | viommu->hwpt->common.obj.id);
	xa_for_each(&viommu->vdevs, virt_id, vdev) {
		mix(hash, virt_id);
		mix(hash, vdev->obj.id);
	}
	list_for_each_entry(veventq, &viommu->veventqs, node)
		mix(hash, veventq->common.obj.id);
}

static void mix_hw_queue(u64 *hash, const struct iommufd_hw_queue *queue)
{
	mix(hash, (u64)queue->type << 32 | queue->viommu->obj.id);
	mix(hash, queue->base_addr);
	mix(hash, queue->length);
}

static void mix_object(u64 *hash, struct iommufd_object *obj)
{
	mix(hash, obj->id);
	mix(hash, obj->type);
	mix(hash, (u64)obj->users << 32 | obj->wait_cnt);
	switch (obj->type) {
	case IOMMUFD_OBJ_IOAS:
		mix_ioas(hash, container_of(obj, struct iommufd_ioas, obj));
		break;
	case IOMMUFD_OBJ_HWPT_PAGING:
		mix_hwpt_paging(hash, container_of(obj, struct iommufd_hwpt_paging, common.obj));
		break;
	case IOMMUFD_OBJ_HWPT_NESTED:
		mix_hwpt_nested(hash, container_of(obj, struct iommufd_hwpt_nested, common.obj));
		break;
	case IOMMUFD_OBJ_DEVICE:
		mix_device(hash, container_of(obj, struct iommufd_device, obj));
		break;
	case IOMMUFD_OBJ_ACCESS:
		mix_access(hash, container_of(obj, struct iommufd_access, obj));
		break;
	case IOMMUFD_OBJ_FAULT:
		mix_fault(hash, container_of(obj, struct iommufd_fault, common.obj));
		break;
	case IOMMUFD_OBJ_VIOMMU:
		mix_viommu(hash, container_of(obj, struct iommufd_viommu, obj));
		break;
	case IOMMUFD_OBJ_VEVENTQ:
		mix_veventq(hash, container_of(obj, struct iommufd_veventq, common.obj));
		break;
	case IOMMUFD_OBJ_HW_QUEUE:
		mix_hw_queue(hash, container_of(obj, struct iommufd_hw_queue, obj));
		break;
	default:
		break;
	}
}

void state_hash_context(u64 *hash, struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	u64 id;

	mix(hash, ictx->account_mode);
	mix(hash, ictx->vfio_ioas ? ictx->vfio_ioas->obj.id : 0);
	mix_length(hash, &ictx->mmaps);
	xa_for_each(&ictx->objects, id, obj)
		mix_object(hash, obj);
}
