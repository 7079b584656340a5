/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See adopt_fixture.h. */
#include "tests/lib/iommu/adopt_fixture.h"

#include <string.h>

struct carried carried;

static unsigned index_of(const struct device *dev)
{
	return dev->bdf == 0x0100 ? 0 : dev->bdf == 0x0108 ? 1 : 2;
}

static int design_iommu_boot(void *data, struct iommu_device *iommu, pa_t *root_pa)
{
	*root_pa = carried.root_pa;
	return carried.root_pa ? 1 : 0;
}

static int design_probe(void *data, struct device *dev, struct iommu_domain **domain)
{
	unsigned i = carried.shared ? 0 : index_of(dev);

	*domain = NULL;
	if (index_of(dev) >= carried.nr_domains)
		return 0;
	if (!carried.domain[i] && !carried.adopt_error[i]) {
		carried.adopt_error[i] = ifs_iommu_domain_adopt(dev->iommu, &carried.pt[i],
								carried.did[i], false,
								&carried.domain[i]);
		if (!carried.adopt_error[i])
			carried.domain[i]->restored_from = &carried;
	}
	*domain = carried.domain[i];
	return carried.adopt_error[i];
}

static int design_claim(void *data, struct device *dev, void *owner)
{
	return owner == &carried ? 0 : -EPERM;
}

static void design_released(void *data, struct iommu_domain *domain)
{
	carried.nr_released++;
}

static bool design_iommu_preserved(void *data, struct iommu_device *iommu)
{
	return iommu->preserved_state;
}

static bool design_device_preserved(void *data, struct device *dev)
{
	return dev->preserved_state;
}

static const struct ifs_design design = {
	.size = sizeof(design),
	.name = "test",
	.iommu_boot = design_iommu_boot,
	.probe_device = design_probe,
	.claim_owner = design_claim,
	.domain_released = design_released,
	.iommu_preserved = design_iommu_preserved,
	.device_preserved = design_device_preserved,
};

struct iommu_fixture *live(enum ifs_pt_format format, unsigned nr, bool shared)
{
	struct iommu_fixture *fix;

	memset(&carried, 0, sizeof(carried));
	fix = iommu_fixture_new(format);
	fix->design = fix->kernel->design = &design;
	carried.fix = fix;
	carried.nr_domains = nr;
	carried.shared = shared;
	carried.memory = iommu_fixture_memory(fix, NR_PAGES * nr, 9);
	for (unsigned i = 0; i < nr; i++) {
		pa_t memory = carried.memory + i * NR_PAGES * 0x1000;
		struct iommu_domain *domain;

		if (shared && i) {
			assert_int_equal(ifs_iommu_attach_group(carried.domain[0],
								fix->dev[i]->group), 0);
			continue;
		}
		domain = carried.domain[i] = iommu_fixture_domain(fix, i);
		iommu_fixture_map(fix, domain, 0x200000, memory, 0x200000, RW);
		iommu_fixture_map(fix, domain, 0x401000, memory + 0x200000, 0x1ff000, RW);
		assert_int_equal(ifs_iommu_attach_group(domain, fix->dev[i]->group), 0);
	}
	return fix;
}

void preserve(struct iommu_fixture *fix)
{
	struct iommu_device *iommu = fix->dev[0]->iommu;

	for (unsigned i = 0; i < carried.nr_domains; i++) {
		fix->dev[i]->preserved_state = &carried;
		if (!carried.domain[i])
			continue;
		assert_int_equal(ifs_pt_preserve(&carried.domain[i]->pt), 0);
		carried.pt[i] = carried.domain[i]->pt;
		carried.did[i] = carried.domain[i]->did;
		carried.domain[i] = NULL;
	}
	assert_int_equal(ifs_iommu_hw_preserve(iommu), 0);
	iommu->preserved_state = &carried;
	carried.root_pa = iommu->root_pa;
	assert_int_equal(kho_preserve_folios(fix->kernel->kho, carried.memory,
					     NR_PAGES * carried.nr_domains, 0), 0);
}

void finish(struct iommu_fixture *fix, u64 reports)
{
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		if (carried.domain[i])
			ifs_iommu_domain_free(carried.domain[i]);
	if (pages_owner(fix->kernel->page_alloc, carried.memory) == FRAME_MEMFD)
		iommu_fixture_memory_free(fix, carried.memory, NR_PAGES * carried.nr_domains);
	iommu_fixture_free(fix, reports);
}

u64 count(struct iommu_fixture *fix, enum ifs_rule rule)
{
	return ifs_machine_count_reports(fix->machine, rule);
}
