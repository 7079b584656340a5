/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * D15, D19: what the previous kernel left is damaged, or of another version. It must cost the
 * devices that depend on it and nobody else.
 */
#include "tests/lib/designs/lab.h"

#include <stdlib.h>
#include <string.h>

/* Each device in a HWPT of its own, both marked and preserved; the kernel has ended. */
static void two_domains_handed_over(struct vmm *vmm, struct fixture *f)
{
	uint32_t other;

	vmm_start(vmm, f);
	other = vmm_hwpt(vmm, vmm->iommufd, vmm->dev_id[1], vmm->ioas);
	assert_int_equal(vmm_try_attach(vmm, vmm->vfio[1], other), 0);
	assert_int_equal(vmm_try_mark(vmm, other, 0x45), 0);
	vmm_preserve_all(vmm);
	assert_int_equal(ifs_kernel_kexec(f->kernel), 0);
	f->kernel = NULL;
	f->process = NULL;
}

/* The address of the record page: its first four bytes are "RSPG". */
static uint64_t find_page(struct fixture *f)
{
	for (uint64_t pa = 0x1000; pa < 256ull << 20; pa += 0x1000) {
		char magic[4];

		assert_true(ifs_machine_read_ram(f->machine, pa, magic, 4));
		if (!memcmp(magic, "RSPG", 4))
			return pa;
	}
	fail_msg("no record page");
	return 0;
}

/* The @nth slot that begins with @magic. */
static uint64_t find_slot(struct fixture *f, uint64_t page, const char *magic, unsigned nth)
{
	for (unsigned slot = 1; slot < 16; slot++) {
		char found[4];

		assert_true(ifs_machine_read_ram(f->machine, page + slot * 256, found, 4));
		if (!memcmp(found, magic, 4) && !nth--)
			return page + slot * 256;
	}
	fail_msg("no record %s", magic);
	return 0;
}

static void flip(struct fixture *f, uint64_t pa)
{
	uint8_t byte;

	assert_true(ifs_machine_read_ram(f->machine, pa, &byte, 1));
	byte ^= 0x10;
	assert_true(ifs_machine_write_ram(f->machine, pa, &byte, 1));
}

/* Boots, and wants exactly the devices in @blocked (a bit each) cut off and the others running. */
static void boot_and_expect(struct fixture *f, unsigned blocked)
{
	fixture_boot(f);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		uint64_t before = lab_dma(f, i);

		ifs_machine_run(f->machine, 8);
		assert_int_equal(lab_dma(f, i) > before, !(blocked & 1u << i));
	}
	fixture_check(f);
	assert_int_equal(lab_reports(f, IFS_RULE_DMA_ASTRAY), 0);
	lab_accept(f, IFS_RULE_DEVICE_BLOCKED);
	lab_accept(f, IFS_RULE_STATE_REFUSED);
	lab_accept(f, IFS_RULE_DMA_LOST);
}

/* One bad domain would stop the machine, or take the healthy one with it. */
static void test_boot_with_damaged_domain_blocks_its_device_only(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	two_domains_handed_over(&vmm, f);
	flip(f, find_slot(f, find_page(f), "RSDM", 1) + 40);
	boot_and_expect(f, 2);
	lab_drop(f);
}

static void test_boot_with_damaged_device_record_blocks_it_only(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	two_domains_handed_over(&vmm, f);
	flip(f, find_slot(f, find_page(f), "RSDV", 0) + 50);
	boot_and_expect(f, 1);
	lab_drop(f);
}

/* A later kernel's record, sound but of version 2, would be read as ours. */
static void test_boot_with_newer_domain_version_blocks_its_device_only(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint32_t version = 2;

	two_domains_handed_over(&vmm, f);
	assert_true(ifs_machine_write_ram(f->machine, find_slot(f, find_page(f), "RSDM", 0) + 4,
					  &version, 4));
	boot_and_expect(f, 1);
	lab_drop(f);
}

/* What all devices hang on: all of them are cut off, and the machine boots. */
static void test_boot_with_damaged_page_header_blocks_all(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	two_domains_handed_over(&vmm, f);
	flip(f, find_page(f) + 16);
	boot_and_expect(f, 3);
	lab_drop(f);
}

static void test_boot_with_damaged_iommu_record_blocks_all(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;

	two_domains_handed_over(&vmm, f);
	flip(f, find_slot(f, find_page(f), "RSHW", 0) + 32);
	boot_and_expect(f, 3);
	lab_drop(f);
}

/* The devices that boot blocks if its @nth allocation fails; -1: it has fewer, or did not boot. */
static int boot_short_of_memory(struct fixture *f, uint64_t nth, bool *reading)
{
	struct ifs_failure failure = { .size = sizeof(failure) };
	int blocked = 0;

	f->kernel_config.fail_nth = nth;
	f->kernel = ifs_kernel_boot(f->machine, &f->kernel_config, &f->error);
	if (!f->kernel || !ifs_kernel_get_failure(f->kernel, &failure))
		return -1;
	*reading = failure.site && strstr(failure.site, "incoming.c:");
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++) {
		uint64_t before = lab_dma(f, i);

		ifs_machine_run(f->machine, 8);
		if (lab_dma(f, i) == before)
			blocked |= 1 << i;
	}
	fixture_check(f);
	assert_int_equal(lab_reports(f, IFS_RULE_DMA_ASTRAY), 0);
	return blocked;
}

/* A kernel short of one small allocation would cut off every device of the machine. */
static void test_boot_short_of_memory_for_a_record_blocks_its_device_only(void **state)
{
	unsigned failures_by_blocked[4] = { 0 };

	bool more = true;

	for (uint64_t nth = 1; more; nth++) {
		struct fixture *f;
		bool reading = false;
		struct vmm vmm;
		int blocked;

		assert_int_equal(fixture_set_up((void **)&f), 0);
		two_domains_handed_over(&vmm, f);
		blocked = boot_short_of_memory(f, nth, &reading);
		more = !f->kernel || blocked >= 0;
		if (reading)
			failures_by_blocked[blocked]++;
		for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
			ifs_device_stream_stop(f->devices[i]);
		ifs_kernel_drop(f->kernel);
		ifs_machine_free(f->machine);
		free(f);
	}
	/* Each has a record and a domain's. */
	assert_int_equal(failures_by_blocked[0], 0);
	assert_int_equal(failures_by_blocked[1], 2);
	assert_int_equal(failures_by_blocked[2], 2);
	/* The unit; the owner, its HWPTs, and its files. */
	assert_int_equal(failures_by_blocked[3], 4);
}

/* The VMM of a machine with one bad domain would not get at the rest of its state. */
static void test_restore_of_what_is_left_works(void **state)
{
	struct fixture *f = *state;
	struct vmm vmm;
	uint32_t id;

	two_domains_handed_over(&vmm, f);
	flip(f, find_slot(f, find_page(f), "RSDM", 1) + 40);
	boot_and_expect(f, 2);
	vmm_reopen(&vmm);
	lab_retrieve_all(&vmm);
	/* Of the two tokens one names a domain that is there, the other none. */
	assert_int_equal(vmm_try_restore(&vmm, VMM_TOKEN_HWPT, &id) +
			 vmm_try_restore(&vmm, 0x45, &id), -ENOENT);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_bind(&vmm, vmm.vfio[i], vmm.iommufd, &vmm.dev_id[i]), 0);
	vmm.ioas = vmm_ioas(&vmm, vmm.iommufd);
	assert_int_equal(vmm_try_map(&vmm, vmm.iommufd, vmm.ioas, vmm.memfd, 0, VMM_GUEST_BYTES),
			 0);
	vmm.hwpt = vmm_hwpt(&vmm, vmm.iommufd, vmm.dev_id[0], vmm.ioas);
	for (unsigned i = 0; i < FIXTURE_DEVICES; i++)
		assert_int_equal(vmm_try_attach(&vmm, vmm.vfio[i], vmm.hwpt), 0);
	assert_int_equal(vmm_try_finish(&vmm, vmm.session), 0);
	lab_accept(f, IFS_RULE_DMA_LOST);
	ifs_machine_run(f->machine, 16);
	assert_int_equal(lab_reports(f, IFS_RULE_DMA_LOST), 0);
	lab_drop(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_boot_with_damaged_domain_blocks_its_device_only),
		T(test_boot_with_damaged_device_record_blocks_it_only),
		T(test_boot_with_newer_domain_version_blocks_its_device_only),
		T(test_boot_with_damaged_page_header_blocks_all),
		T(test_boot_with_damaged_iommu_record_blocks_all),
		cmocka_unit_test(test_boot_short_of_memory_for_a_record_blocks_its_device_only),
		T(test_restore_of_what_is_left_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
