/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A small machine with one device whose tables are written by hand, as literals:
 *
 *   0x10000 root table      bus 1 -> 0x11000
 *   0x11000 context table   devfn 0 -> second-stage table 0x100000, domain id 5, AW 2
 *   0x100000 .. 0x103000    one page table per level, top first
 *   iova 0x1000 -> 0xabc000, readable and writable
 */
#ifndef TESTS_SIM_SIM_TEST_H
#define TESTS_SIM_SIM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iommufd-sim/device.h>
#include <iommufd-sim/machine.h>

#include "sim/dma_check.h"
#include "sim/iommu_hw.h"
#include "sim/machine_kernel.h"
#include "sim/phys_mem.h"
#include "sim/report.h"

struct sim_test {
	struct ifs_machine *machine;
	struct iommu_hw *hw;
	struct ifs_device *device;      /* 0000:01:00.0 */
	u32 space;
};

static inline void put64(struct ifs_machine *machine, u64 pa, u64 value)
{
	assert_true(ifs_machine_write_ram(machine, pa, &value, 8));
}

static inline u64 get64(struct ifs_machine *machine, u64 pa)
{
	u64 value = 0;

	assert_true(ifs_machine_read_ram(machine, pa, &value, 8));
	return value;
}

/* 64 MiB, one unit, one device, translation off, nothing declared to the checker. */
static inline void power_on(struct sim_test *t)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 64 << 20 };
	struct ifs_device_config device = { .size = sizeof(device), .bus = 1 };
	struct ifs_error error = { 0 };

	memset(t, 0, sizeof(*t));
	t->machine = ifs_machine_new(&config, &error);
	assert_non_null(t->machine);
	t->hw = machine_iommu(t->machine, 0);
	t->device = ifs_machine_add_device(t->machine, &device, &error);
	assert_non_null(t->device);
}

static inline void tables_write(struct sim_test *t)
{
	put64(t->machine, 0x10010, 0x11001);
	put64(t->machine, 0x11000, 0x100001);
	put64(t->machine, 0x11008, 0x502);
	put64(t->machine, 0x100000, 0x101003);
	put64(t->machine, 0x101000, 0x102003);
	put64(t->machine, 0x102000, 0x103003);
	put64(t->machine, 0x103008, 0xabc003);
}

static inline void translation_on(struct sim_test *t)
{
	iommu_hw_write(t->hw, 0x20, 0x10000);           /* RTADDR */
	iommu_hw_write(t->hw, 0x18, 0x40000000);        /* GCMD.SRTP */
	iommu_hw_write(t->hw, 0x18, 0x80000000);        /* GCMD.TE */
}

/* What a correct kernel would have told the checker about the tables above. */
static inline void checker_told(struct sim_test *t)
{
	dma_check_set_owner(t->machine, 0x10000, 0x2000, FRAME_TABLE);
	dma_check_set_owner(t->machine, 0x100000, 0x4000, FRAME_TABLE);
	dma_check_set_owner(t->machine, 0xabc000, 0x1000, FRAME_MEMFD);
	t->space = dma_check_space_new(t->machine);
	dma_check_grant(t->machine, t->space, 0x1000, 0xabc000, 0x1000, true, true);
	dma_check_bind(t->machine, t->device, t->space);
}

static inline void iotlb_flush(struct sim_test *t)
{
	iommu_hw_write(t->hw, 0x108, 0x9000000000000000);       /* IVT, global */
}

static inline void context_flush(struct sim_test *t)
{
	iommu_hw_write(t->hw, 0x28, 0xa000000000000000);        /* ICC, global */
}

static inline int sim_setup(void **state)
{
	struct sim_test *t = calloc(1, sizeof(*t));

	power_on(t);
	tables_write(t);
	translation_on(t);
	checker_told(t);
	*state = t;
	return 0;
}

static inline int sim_teardown(void **state)
{
	struct sim_test *t = *state;

	ifs_machine_free(t->machine);
	free(t);
	return 0;
}

static inline u64 reports_of(struct sim_test *t, enum ifs_rule rule)
{
	return ifs_machine_count_reports(t->machine, rule);
}

/* No rule has fired. */
static inline void assert_quiet(struct sim_test *t)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct ifs_report report;

	ifs_machine_get_stats(t->machine, &stats);
	if (stats.reports && ifs_machine_get_report(t->machine, 0, &report))
		print_error("%s\n", report.text);
	assert_int_equal(stats.reports, 0);
}

#define sim_unit_test(f) cmocka_unit_test_setup_teardown(f, sim_setup, sim_teardown)

#endif
