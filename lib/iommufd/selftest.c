/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * IOMMU_TEST_CMD: the table of its operations, and those that look at tables and frames. Their
 * checks come in Linux's order (drivers/iommu/iommufd/selftest.c).
 *
 * Unlike Linux: an operation on a mock device that is given the id of a real one is -EINVAL; there
 * it reads whatever lies behind the real one. The memory limit only decides how often fail points
 * are asked (pfn_reader.h): batches have no fixed size here.
 */
#include "lib/iommufd/selftest.h"

#include "lib/iommu/mock_driver.h"

/* The smallest batch of Linux's that can hold anything. */
#define MEMORY_LIMIT_MIN 12u
#define DIRTY_MAX_BITS (1ull << 27)

/* The lookup of a page needs no memory in Linux: nothing of it may fail by injection. */
int selftest_user_frame(uva_t uptr, pa_t *pa)
{
	uva_t page = ALIGN_DOWN(uptr, PAGE_SIZE);
	struct pfn_runs runs = { 0 };
	int rc;

	nofail_begin(current->kernel);
	rc = mm_pin(current->mm, page, 1, false, &runs);
	if (!rc) {
		*pa = pfn_runs_get(&runs, 0)->pa;
		mm_unpin(current->mm, page, 1, &runs);
	}
	pfn_runs_deinit(&current->kernel->heap, &runs);
	nofail_end(current->kernel);
	return rc;
}

/* The low half of @syz is the number of an area, the high half an offset in it. */
static iova_t nth_area_iova(struct io_pagetable *iopt, u64 syz)
{
	u32 nth = (u32)syz;
	struct iopt_area *area;
	iova_t iova = 0;

	down_read(&iopt->iova_rwsem);
	area = iopt_area_iter_first(iopt, 0, U64_MAX);
	while (area && nth--)
		area = iopt_area_iter_next(area, 0, U64_MAX);
	if (area)
		iova = area->first + (syz >> 32);
	up_read(&iopt->iova_rwsem);
	return iova;
}

iova_t iommufd_test_syz_conv_iova(struct iommufd_access *access, u64 iova)
{
	iova_t found = 0;

	mutex_lock(&access->ioas_lock);
	if (access->ioas)
		found = nth_area_iova(&access->ioas->iopt, iova);
	mutex_unlock(&access->ioas_lock);
	return found;
}

void iommufd_test_syz_conv_iova_id(struct iommufd_ucmd *ucmd, u32 ioas_id, u64 *iova, u32 *flags)
{
	struct iommufd_ioas *ioas;

	if (!current->kernel->iommufd_test || !(*flags & MOCK_FLAGS_ACCESS_SYZ))
		return;
	*flags &= ~(u32)MOCK_FLAGS_ACCESS_SYZ;
	ioas = iommufd_get_ioas(ucmd->ictx, ioas_id);
	if (IS_ERR(ioas))
		return;
	*iova = nth_area_iova(&ioas->iopt, *iova);
	iommufd_put_object(ucmd->ictx, &ioas->obj);
}

static int selftest_add_reserved(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	iova_t start = cmd->add_reserved.start, last;
	struct iommufd_ioas *ioas;
	int rc;

	if (!cmd->add_reserved.length)
		return -EINVAL;
	if (check_add_overflow(start, cmd->add_reserved.length - 1, &last))
		return -EOVERFLOW;
	ioas = iommufd_get_ioas(ucmd->ictx, cmd->id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	down_write(&ioas->iopt.iova_rwsem);
	rc = iopt_reserve_iova(&ioas->iopt, start, last, NULL);
	up_write(&ioas->iopt.iova_rwsem);
	iommufd_put_object(ucmd->ictx, &ioas->obj);
	return rc;
}

/* ERR_PTR: -ENOENT; -EINVAL: another driver's. */
static struct iommufd_hwpt_paging *get_mock_hwpt(struct iommufd_ucmd *ucmd, u32 id)
{
	struct iommufd_hwpt_paging *hwpt = iommufd_get_hwpt_paging(ucmd->ictx, id);

	if (IS_ERR(hwpt) || hwpt->common.domain->owner == &mock_ops)
		return hwpt;
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
	return ERR_PTR(-EINVAL);
}

static int check_translation(struct iommu_domain *domain, iova_t iova, uva_t uptr)
{
	pa_t pa;
	int rc = selftest_user_frame(uptr, &pa);

	if (rc)
		return rc;
	return iommu_iova_to_phys(domain, iova) == pa + uptr % PAGE_SIZE ? 0 : -EINVAL;
}

static int selftest_md_check_map(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	u64 length = cmd->check_map.length, done, step;
	uva_t uptr = cmd->check_map.uptr, end;
	iova_t iova = cmd->check_map.iova;
	struct iommufd_hwpt_paging *hwpt;
	struct iommu_domain *domain;
	int rc = 0;

	hwpt = get_mock_hwpt(ucmd, cmd->id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	domain = hwpt->common.domain;
	step = 1ull << __builtin_ctzll(domain->pgsize_bitmap);
	if (iova % step || length % step || uptr % step ||
	    check_add_overflow(uptr, length, &end))
		rc = -EINVAL;
	for (done = 0; !rc && done < length; done += step)
		rc = check_translation(domain, iova + done, uptr + done);
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
	return rc;
}

static int selftest_md_check_refs(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	uva_t uptr = cmd->check_refs.uptr, end;
	u64 length = cmd->check_refs.length, done;
	pa_t pa;
	int rc;

	if (length % PAGE_SIZE || uptr % PAGE_SIZE || check_add_overflow(uptr, length, &end))
		return -EINVAL;
	for (done = 0; done < length; done += PAGE_SIZE) {
		rc = selftest_user_frame(uptr + done, &pa);
		if (rc)
			return rc;
		/* References to parts of a large folio are counted for all of it. */
		if (mm_folio_order(current->mm, uptr + done))
			continue;
		if (frames_nr_pins(current->kernel, pa, 1) != cmd->check_refs.refs)
			return -EIO;
	}
	return 0;
}

static int selftest_md_check_iotlb(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	struct iommufd_object *obj = iommufd_get_object(ucmd->ictx, cmd->id,
							IOMMUFD_OBJ_HWPT_NESTED);
	struct iommu_domain *domain;
	u32 id = cmd->check_iotlb.id;
	int rc = 0;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	domain = container_of(obj, struct iommufd_hw_pagetable, obj)->domain;
	if (domain->owner != &mock_ops || id > MOCK_NESTED_DOMAIN_IOTLB_ID_MAX ||
	    to_mock_nested(domain)->iotlb[id] != cmd->check_iotlb.iotlb)
		rc = -EINVAL;
	iommufd_put_object(ucmd->ictx, obj);
	return rc;
}

static int selftest_memory_limit(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	if (cmd->memory_limit.limit < MEMORY_LIMIT_MIN)
		return -EINVAL;
	iommufd_module()->temp_memory_limit_bytes = cmd->memory_limit.limit;
	return 0;
}

/* What is not mapped is counted, too. */
static u64 set_dirty(struct iommu_domain *domain, const struct iommu_test_cmd *cmd, const u8 *bits,
		     u64 nr_bits)
{
	u64 count = 0;

	for (u64 i = 0; i < nr_bits; i++) {
		if (!(bits[i / 8] & (1u << i % 8)))
			continue;
		mock_domain_set_dirty(domain, cmd->dirty.iova + i * cmd->dirty.page_size);
		count++;
	}
	return count;
}

static int dirty_domain(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd,
			struct iommu_domain *domain, u64 nr_bits)
{
	u64 bytes = DIV_ROUND_UP(nr_bits, 8);
	u8 *bits;
	int rc;

	if (!domain->dirty_tracking)
		return -EINVAL;
	bits = kzalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;
	rc = copy_from_user(bits, cmd->dirty.uptr, bytes);
	if (!rc) {
		cmd->dirty.out_nr_dirty = set_dirty(domain, cmd, bits, nr_bits);
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	kfree(bits);
	return rc;
}

static int selftest_dirty(struct iommufd_ucmd *ucmd, struct iommu_test_cmd *cmd)
{
	u64 page_size = cmd->dirty.page_size, length = cmd->dirty.length;
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	if (!page_size || !length || cmd->dirty.iova % page_size || length % page_size ||
	    !cmd->dirty.uptr)
		return -EINVAL;
	if (length / page_size > DIRTY_MAX_BITS)
		return -EOVERFLOW;
	hwpt = get_mock_hwpt(ucmd, cmd->id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = dirty_domain(ucmd, cmd, hwpt->common.domain, length / page_size);
	iommufd_put_object(ucmd->ictx, &hwpt->common.obj);
	return rc;
}

static const selftest_op selftest_ops[] = {
	[IOMMU_TEST_OP_ADD_RESERVED] = selftest_add_reserved,
	[IOMMU_TEST_OP_MOCK_DOMAIN] = selftest_mock_domain,
	[IOMMU_TEST_OP_MD_CHECK_MAP] = selftest_md_check_map,
	[IOMMU_TEST_OP_MD_CHECK_REFS] = selftest_md_check_refs,
	[IOMMU_TEST_OP_CREATE_ACCESS] = selftest_create_access,
	[IOMMU_TEST_OP_DESTROY_ACCESS_PAGES] = selftest_access_item_destroy,
	[IOMMU_TEST_OP_ACCESS_PAGES] = selftest_access_pages,
	[IOMMU_TEST_OP_ACCESS_RW] = selftest_access_rw,
	[IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT] = selftest_memory_limit,
	[IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE] = selftest_mock_domain_replace,
	[IOMMU_TEST_OP_ACCESS_REPLACE_IOAS] = selftest_access_replace_ioas,
	[IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS] = selftest_mock_domain,
	[IOMMU_TEST_OP_DIRTY] = selftest_dirty,
	[IOMMU_TEST_OP_MD_CHECK_IOTLB] = selftest_md_check_iotlb,
	[IOMMU_TEST_OP_TRIGGER_IOPF] = selftest_trigger_iopf,
	[IOMMU_TEST_OP_DEV_CHECK_CACHE] = selftest_dev_check_cache,
	[IOMMU_TEST_OP_TRIGGER_VEVENT] = selftest_trigger_vevent,
	[IOMMU_TEST_OP_PASID_ATTACH] = selftest_pasid_attach,
	[IOMMU_TEST_OP_PASID_REPLACE] = selftest_pasid_replace,
	[IOMMU_TEST_OP_PASID_DETACH] = selftest_pasid_detach,
	[IOMMU_TEST_OP_PASID_CHECK_HWPT] = selftest_pasid_check_hwpt,
	[IOMMU_TEST_OP_DMABUF_GET] = selftest_dmabuf_get,
	[IOMMU_TEST_OP_DMABUF_REVOKE] = selftest_dmabuf_revoke,
};

int iommufd_test(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;

	if (cmd->op >= ARRAY_SIZE(selftest_ops) || !selftest_ops[cmd->op])
		return -EOPNOTSUPP;
	return selftest_ops[cmd->op](ucmd, cmd);
}
