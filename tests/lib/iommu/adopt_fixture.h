/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Devices with live tables, handed over by a design of the tests' own: it carries in a variable
 * what a real one writes into KHO memory.
 */
#ifndef TESTS_LIB_IOMMU_ADOPT_FIXTURE_H
#define TESTS_LIB_IOMMU_ADOPT_FIXTURE_H

#include "tests/lib/iommu/iommu_fixture.h"

#define RW (IOMMU_READ | IOMMU_WRITE)
#define PA 0x000ffffffffff000ull
#define NR_PAGES 1024ull        /* per device: 2 MiB as one leaf and 2 MiB as small ones */

/* What crosses, and what the hooks saw. One test runs at a time. */
struct carried {
	pa_t root_pa;
	struct pt_iommu pt[FIXTURE_DEVICES];
	u32 did[FIXTURE_DEVICES];
	unsigned nr_domains;            /* devices 0 .. nr_domains - 1 are preserved */
	bool shared;                    /* all in the first one's domain */
	int adopt_error[FIXTURE_DEVICES];
	struct iommu_domain *domain[FIXTURE_DEVICES];
	unsigned nr_released;
	struct iommu_fixture *fix;
	pa_t memory;
};
extern struct carried carried;

/* Each of @nr devices gets a domain with two leaf sizes; the devices' memory follows each other. */
struct iommu_fixture *live(enum ifs_pt_format format, unsigned nr, bool shared);
/* Tables, unit and memory, for the next kernel. */
void preserve(struct iommu_fixture *fix);
/* Frees everything; also the memory, if the test has restored it as a user would. */
void finish(struct iommu_fixture *fix, u64 reports);
u64 count(struct iommu_fixture *fix, enum ifs_rule rule);

#endif
