/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* lib/designs/reference/records.c and the layouts of both designs. */
#include "lib/designs/reference/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/abi/posted_v1_iommu.h"
#include "lib/abi/posted_v1_iommufd.h"

struct small {
	struct ref_hdr hdr;
	u8 payload[8];
};

static struct small sealed(void)
{
	struct small rec = { .payload = { 1, 2, 3, 4, 5, 6, 7, 8 } };

	ref_seal(&rec.hdr, 0x57485352, sizeof(rec));
	return rec;
}

/* Another kernel's CRC, right by the standard, would be refused. The value is zlib's. */
static void test_seal_known_record_has_ieee_crc(void **state)
{
	struct small rec = sealed();

	assert_int_equal(rec.hdr.magic, 0x57485352);
	assert_int_equal(rec.hdr.version, 1);
	assert_int_equal(rec.hdr.size, 24);
	assert_int_equal(rec.hdr.crc32, 0x5e44345f);
	assert_null(ref_refuse(&rec.hdr, 0x57485352, 24, 24));
}

/* A flipped bit would be believed. */
static void test_refuse_each_flipped_bit_is_noticed(void **state)
{
	for (unsigned bit = 0; bit < 24 * 8; bit++) {
		struct small rec = sealed();

		((u8 *)&rec)[bit / 8] ^= (u8)(1 << bit % 8);
		assert_non_null(ref_refuse(&rec.hdr, 0x57485352, 24, 24));
	}
}

/* A record of a later kernel would be read as if it were one of ours. */
static void test_refuse_other_kind_version_size_is_named(void **state)
{
	struct small rec = sealed();

	assert_string_equal(ref_refuse(&rec.hdr, 0x4d445352, 24, 24), "is something else");
	assert_string_equal(ref_refuse(&rec.hdr, 0x57485352, 25, 64), "has an impossible size");
	assert_string_equal(ref_refuse(&rec.hdr, 0x57485352, 0, 23), "has an impossible size");
	rec.hdr.version = 2;
	assert_string_equal(ref_refuse(&rec.hdr, 0x57485352, 24, 24), "has another version");
	rec = sealed();
	rec.payload[7] = 9;
	assert_string_equal(ref_refuse(&rec.hdr, 0x57485352, 24, 24), "is damaged");
}

/* Two kernels compiled on different days would not understand each other. */
static void test_reference_layout_is_the_documented_one(void **state)
{
	assert_int_equal(offsetof(struct ref_page, next_pa), 16);
	assert_int_equal(offsetof(struct ref_page, index), 24);
	assert_int_equal(offsetof(struct ref_page, nr_slots), 28);
	assert_int_equal(offsetof(struct ref_owner, iommufd_token), 24);
	assert_int_equal(offsetof(struct ref_owner, iommufd_pa), 32);
	assert_int_equal(offsetof(struct ref_owner, session), 48);
	assert_int_equal(offsetof(struct ref_domain, base_pa), 32);
	assert_int_equal(offsetof(struct ref_domain, top_pa), 40);
	assert_int_equal(offsetof(struct ref_domain, nr_table_pages), 48);
	assert_int_equal(offsetof(struct ref_domain, did), 56);
	assert_int_equal(offsetof(struct ref_domain, flags), 60);
	assert_int_equal(offsetof(struct ref_domain, top_level), 64);
	assert_int_equal(offsetof(struct ref_domain, sign_extend), 67);
	assert_int_equal(offsetof(struct ref_domain, hwpt_token), 72);
	assert_int_equal(offsetof(struct ref_device, domain_id), 32);
	assert_int_equal(offsetof(struct ref_device, segment), 48);
	assert_int_equal(offsetof(struct ref_device, did), 52);
	assert_int_equal(offsetof(struct ref_hw, root_pa), 32);
	assert_int_equal(offsetof(struct ref_hw, nr_devices), 40);
	assert_int_equal(offsetof(struct ref_iommufd, nr_hwpts), 24);
	assert_int_equal(offsetof(struct ref_iommufd, hwpts), 32);
	assert_int_equal(offsetof(struct ref_vfio, segment), 32);
	assert_int_equal(offsetof(struct ref_vfio, bdf), 34);
}

/* The model would preserve something else than the posted series does. */
static void test_posted_v1_layout_is_the_posted_one(void **state)
{
	assert_int_equal(sizeof(struct iommu_obj_ser), 9);
	assert_int_equal(sizeof(struct iommu_domain_ser), 33);
	assert_int_equal(sizeof(struct device_ser), 65);
	assert_int_equal(sizeof(struct iommu_ser), 37);
	assert_int_equal(sizeof(struct iommu_objs_ser), 16);
	assert_int_equal(sizeof(struct iommu_lu_flb_ser), 48);
	assert_int_equal(offsetof(struct iommu_domain_ser, top_level), 17);
	assert_int_equal(offsetof(struct device_ser, token), 9);
	assert_int_equal(offsetof(struct device_ser, devid), 17);
	assert_int_equal(offsetof(struct device_ser, domain_iommu_ser), 25);
	assert_int_equal(offsetof(struct device_ser, pasid_table), 49);
	assert_int_equal(offsetof(struct iommu_ser, root_table), 29);
	assert_int_equal(IOMMU_OBJS_PER_PAGE(struct iommu_domain_ser), 123);
	assert_int_equal(IOMMU_OBJS_PER_PAGE(struct iommu_ser), 110);
	assert_int_equal(IOMMU_OBJS_PER_PAGE(struct device_ser), 62);
	assert_int_equal(sizeof(struct iommufd_hwpt_lu), 13);
	assert_int_equal(offsetof(struct iommufd_lu, hwpts), 4);
	assert_int_equal(sizeof(struct vfio_pci_core_device_ser), 9);
	assert_int_equal(offsetof(struct vfio_pci_core_device_ser, iommufd_ser), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seal_known_record_has_ieee_crc),
		cmocka_unit_test(test_refuse_each_flipped_bit_is_noticed),
		cmocka_unit_test(test_refuse_other_kind_version_size_is_named),
		cmocka_unit_test(test_reference_layout_is_the_documented_one),
		cmocka_unit_test(test_posted_v1_layout_is_the_posted_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
