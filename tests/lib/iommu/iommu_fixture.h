/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A machine with three devices (two on bus 01, one on bus 02) behind one IOMMU, and the layers up
 * to lib/iommu: what a test of the IOMMU core needs, and no more.
 */
#ifndef TESTS_LIB_IOMMU_IOMMU_FIXTURE_H
#define TESTS_LIB_IOMMU_IOMMU_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <iommufd-sim/proto/iommu.h>

#include "lib/base/task.h"
#include "lib/iommu/iommu_core.h"
#include "lib/kho/kho.h"
#include "lib/mm/page_alloc.h"
#include "sim/dma_check.h"
#include "sim/machine_kernel.h"
#include "sim/phys_mem.h"

#define FIXTURE_DEVICES 3

struct iommu_fixture {
	struct ifs_machine *machine;
	struct kernel_base *kernel;
	struct task task;
	struct ifs_device *hw[FIXTURE_DEVICES];
	/* Of the current kernel. */
	struct device *dev[FIXTURE_DEVICES];
	const struct ifs_design *design;
};

struct iommu_fixture *iommu_fixture_new(enum ifs_pt_format format);
/* Everything is freed, nothing may be left, and exactly @reports reports were made. */
void iommu_fixture_free(struct iommu_fixture *fix, u64 reports);
/* The end of one kernel and the start of the next; marks are made before. */
void iommu_fixture_kexec(struct iommu_fixture *fix);
/* The same in two steps, with the black-out between. */
void iommu_fixture_kernel_down(struct iommu_fixture *fix);
/* 0 or what iommu_core_new() returned; then no kernel is up. */
int iommu_fixture_kernel_up(struct iommu_fixture *fix, u64 fail_nth);

/* A domain with a DMA space of its own. */
struct iommu_domain *iommu_fixture_domain(struct iommu_fixture *fix, unsigned dev);
void iommu_fixture_domain_free(struct iommu_fixture *fix, struct iommu_domain *domain);
/* Maps and grants. */
void iommu_fixture_map(struct iommu_fixture *fix, struct iommu_domain *domain, iova_t iova, pa_t pa,
		       u64 length, int prot);
/* Frames that may be given to devices. */
pa_t iommu_fixture_memory(struct iommu_fixture *fix, u64 nr_pages, unsigned align_order);
void iommu_fixture_memory_free(struct iommu_fixture *fix, pa_t pa, u64 nr_pages);

/* An entry of a table, read from RAM. */
u64 table_entry(struct iommu_fixture *fix, pa_t table_pa, unsigned index);
void table_entry_set(struct iommu_fixture *fix, pa_t table_pa, unsigned index, u64 value);
/* Whether a device reaches the byte at @iova. */
bool device_reads(struct iommu_fixture *fix, unsigned dev, iova_t iova);
bool device_writes(struct iommu_fixture *fix, unsigned dev, iova_t iova);

int setup_vtdss(void **state);
int setup_x86_64(void **state);
int teardown(void **state);

#endif
