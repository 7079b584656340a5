/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every call that could pull something away from under a preserved guest, tried while nothing is
 * preserved, while everything is, again after the session was closed, and in the next kernel before
 * the swap. A refusal must leave no trace; what is allowed must do no harm: the update goes on
 * after each.
 */
#include "tests/harness/guests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include <iommufd-sim/uapi_reference.h>

/* Two devices that are preserved, and what stands beside them in the same context. */
struct scene {
	struct host host;
	struct guest guest;
	uint32_t other_hwpt;            /* on the same IOAS, not marked */
	uint32_t other_ioas;
	int spare;                      /* a third device: bound, not attached */
	uint32_t spare_id;
	int free_vfio;                  /* a fourth: open, not bound */
};

#define VMM(s) (&(s)->guest.vmm)

static int on_iommufd(struct scene *s, unsigned long cmd, void *arg)
{
	return ifs_ioctl(VMM(s)->process, VMM(s)->iommufd, cmd, arg);
}

static int map(struct scene *s)
{
	return vmm_try_map(VMM(s), VMM(s)->iommufd, VMM(s)->ioas, VMM(s)->memfd, 1ull << 40,
			   0x1000);
}

static int map_other(struct scene *s)
{
	return vmm_try_map(VMM(s), VMM(s)->iommufd, s->other_ioas, VMM(s)->memfd, 1ull << 40,
			   0x1000);
}

static int unmap(struct scene *s)
{
	return vmm_try_unmap(VMM(s), VMM(s)->iommufd, VMM(s)->ioas, 1ull << 41, 0x1000);
}

static int unmap_part(struct scene *s)
{
	return vmm_try_unmap(VMM(s), VMM(s)->iommufd, VMM(s)->ioas, 0x1000, 0x1000);
}

static int unmap_nothing(struct scene *s)
{
	return vmm_try_unmap(VMM(s), VMM(s)->iommufd, VMM(s)->ioas, 1ull << 42, 0x1000);
}

static int copy(struct scene *s, uint32_t from, uint32_t to, uint64_t iova)
{
	struct iommu_ioas_copy arg = { .size = sizeof(arg), .src_ioas_id = from, .dst_ioas_id = to,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE, .length = 0x1000,
		.src_iova = iova, .dst_iova = 1ull << 39 };

	return on_iommufd(s, IOMMU_IOAS_COPY, &arg);
}

static int copy_into(struct scene *s)
{
	return copy(s, VMM(s)->ioas, VMM(s)->ioas, 0x3000);
}

static int copy_out(struct scene *s)
{
	return copy(s, VMM(s)->ioas, s->other_ioas, 0x3000);
}

static int allow_iovas(struct scene *s)
{
	/* All but the window of interrupt messages. */
	struct iommu_iova_range ranges[] = { { 0, 0xfedfffff }, { 0xfef00000, (1ull << 43) - 1 } };
	struct iommu_ioas_allow_iovas arg = { .size = sizeof(arg), .ioas_id = VMM(s)->ioas,
		.num_iovas = 2, .allowed_iovas = (uintptr_t)ranges };

	return on_iommufd(s, IOMMU_IOAS_ALLOW_IOVAS, &arg);
}

static int no_huge_pages(struct scene *s)
{
	struct iommu_option arg = { .size = sizeof(arg), .option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET, .object_id = s->other_ioas };

	return on_iommufd(s, IOMMU_OPTION, &arg);
}

static int alloc_hwpt(struct scene *s)
{
	struct iommu_hwpt_alloc arg = { .size = sizeof(arg), .dev_id = s->guest.dev_id[0],
		.pt_id = VMM(s)->ioas };

	return on_iommufd(s, IOMMU_HWPT_ALLOC, &arg);
}

static int destroy_hwpt(struct scene *s)
{
	return vmm_try_destroy(VMM(s), VMM(s)->iommufd, s->guest.hwpt[0]);
}

static int destroy_other_hwpt(struct scene *s)
{
	return vmm_try_destroy(VMM(s), VMM(s)->iommufd, s->other_hwpt);
}

static int destroy_ioas(struct scene *s)
{
	return vmm_try_destroy(VMM(s), VMM(s)->iommufd, VMM(s)->ioas);
}

static int destroy_device(struct scene *s)
{
	return vmm_try_destroy(VMM(s), VMM(s)->iommufd, s->guest.dev_id[0]);
}

static int attach_other(struct scene *s)
{
	return vmm_try_attach(VMM(s), s->guest.vfio[0], s->other_hwpt);
}

static int attach_ioas(struct scene *s)
{
	return vmm_try_attach(VMM(s), s->guest.vfio[0], VMM(s)->ioas);
}

static int attach_same(struct scene *s)
{
	return vmm_try_attach(VMM(s), s->guest.vfio[0], s->guest.hwpt[0]);
}

static int attach_spare(struct scene *s)
{
	return vmm_try_attach(VMM(s), s->spare, s->other_hwpt);
}

static int detach(struct scene *s, int vfio)
{
	struct vfio_device_detach_iommufd_pt arg = { .argsz = sizeof(arg) };

	return ifs_ioctl(VMM(s)->process, vfio, VFIO_DEVICE_DETACH_IOMMUFD_PT, &arg);
}

static int detach_preserved(struct scene *s)
{
	return detach(s, s->guest.vfio[1]);
}

static int detach_spare(struct scene *s)
{
	return detach(s, s->spare);
}

static int reset_preserved(struct scene *s)
{
	return ifs_ioctl(VMM(s)->process, s->guest.vfio[0], VFIO_DEVICE_RESET, NULL);
}

static int reset_spare(struct scene *s)
{
	return ifs_ioctl(VMM(s)->process, s->spare, VFIO_DEVICE_RESET, NULL);
}

static int bind_another(struct scene *s)
{
	uint32_t id;

	return vmm_try_bind(VMM(s), s->free_vfio, VMM(s)->iommufd, &id);
}

static int close_spare(struct scene *s)
{
	return ifs_close(VMM(s)->process, s->spare);
}

static int close_bound(struct scene *s)
{
	int copy = ifs_dup(VMM(s)->process, s->guest.vfio[0]);
	int rc = ifs_close(VMM(s)->process, s->guest.vfio[0]);

	s->guest.vfio[0] = copy;
	return rc;
}

static int mark(struct scene *s)
{
	return vmm_try_mark(VMM(s), s->guest.hwpt[0], VMM_TOKEN_HWPT);
}

static int mark_other(struct scene *s)
{
	return vmm_try_mark(VMM(s), s->other_hwpt, 77);
}

static int unmark(struct scene *s)
{
	struct iommu_hwpt_lu_mark arg = { .size = sizeof(arg), .hwpt_id = s->guest.hwpt[0],
					  .flags = IOMMU_HWPT_LU_MARK_UNMARK };

	return on_iommufd(s, IOMMU_HWPT_LU_MARK, &arg);
}

static int restore(struct scene *s)
{
	uint32_t id;

	return vmm_try_restore(VMM(s), VMM_TOKEN_HWPT, &id);
}

static int truncate_memory(struct scene *s)
{
	return ifs_ftruncate(VMM(s)->process, VMM(s)->memfd, 0x1000);
}

static int punch_memory(struct scene *s)
{
	return ifs_fallocate(VMM(s)->process, VMM(s)->memfd, 3, VMM_GUEST_BYTES - 0x1000, 0x1000);
}

static int write_memory(struct scene *s)
{
	char byte = 0;

	if (ifs_pread(VMM(s)->process, VMM(s)->memfd, &byte, 1, 0xfff) != 1)
		return -EIO;
	return (int)ifs_pwrite(VMM(s)->process, VMM(s)->memfd, &byte, 1, 0xfff) - 1;
}

static const struct attempt {
	const char *name;
	int (*call)(struct scene *s);
	int open, preserved;
} attempts[] = {
	{ "map", map, 0, -EBUSY },
	{ "map elsewhere", map_other, 0, 0 },
	{ "unmap", unmap, 0, -EBUSY },
	{ "unmap part of an area", unmap_part, -ENOENT, -EBUSY },
	{ "unmap nothing", unmap_nothing, -ENOENT, -EBUSY },
	{ "copy into", copy_into, 0, -EBUSY },
	{ "copy out of", copy_out, 0, 0 },
	{ "allow iovas", allow_iovas, 0, 0 },
	{ "huge pages off elsewhere", no_huge_pages, 0, 0 },
	{ "allocate a HWPT", alloc_hwpt, 0, 0 },
	{ "destroy HWPT", destroy_hwpt, -EBUSY, -EBUSY },
	{ "destroy other HWPT", destroy_other_hwpt, 0, 0 },
	{ "destroy IOAS", destroy_ioas, -EBUSY, -EBUSY },
	{ "destroy device", destroy_device, -EBUSY, -EBUSY },
	{ "attach elsewhere", attach_other, 0, -EBUSY },
	{ "attach to the IOAS", attach_ioas, 0, -EBUSY },
	{ "attach again", attach_same, 0, -EBUSY },
	{ "attach spare device", attach_spare, 0, -EBUSY },
	{ "detach", detach_preserved, 0, -EBUSY },
	{ "detach spare device", detach_spare, 0, 0 },
	{ "reset", reset_preserved, 0, -EBUSY },
	{ "reset spare device", reset_spare, 0, 0 },
	{ "bind another device", bind_another, 0, 0 },
	{ "close spare device", close_spare, 0, 0 },
	{ "close a duplicate", close_bound, 0, 0 },
	{ "mark", mark, 0, -EBUSY },
	{ "mark other", mark_other, 0, -EBUSY },
	{ "unmark", unmark, 0, -EBUSY },
	{ "restore", restore, -ENOTTY, -ENOTTY },
	{ "truncate", truncate_memory, -EPERM, -EPERM },
	{ "punch", punch_memory, 0, -EPERM },
	{ "write", write_memory, 0, 0 },
};

static void set_scene(struct scene *s)
{
	host_start(&s->host, &(struct host_config){ .nr_devices = 4 });
	s->guest = guest_new(&s->host, "vmm", 0, 2);
	guest_run(&s->guest, GUEST_OPEN, GUEST_STREAM);
	assert_int_equal(vmm_try_map(VMM(s), VMM(s)->iommufd, VMM(s)->ioas, VMM(s)->memfd,
				     1ull << 41, 0x1000), 0);
	s->other_ioas = vmm_ioas(VMM(s), VMM(s)->iommufd);
	s->other_hwpt = vmm_hwpt(VMM(s), VMM(s)->iommufd, s->guest.dev_id[0], VMM(s)->ioas);
	s->spare = vmm_open(VMM(s), "/dev/vfio/devices/vfio2");
	s->free_vfio = vmm_open(VMM(s), "/dev/vfio/devices/vfio3");
	assert_int_equal(vmm_try_bind(VMM(s), s->spare, VMM(s)->iommufd, &s->spare_id), 0);
	guest_run(&s->guest, GUEST_STREAM, GUEST_SESSION);
}

static void expect(struct scene *s, const struct attempt *attempt, int want, const char *when)
{
	uint64_t before = ifs_kernel_state_hash(s->host.kernel);
	int rc = attempt->call(s);
	const char *broken = ifs_kernel_check(s->host.kernel);

	if (rc != want)
		fail_msg("%s, %s: %d instead of %d", attempt->name, when, rc, want);
	if (rc && ifs_kernel_state_hash(s->host.kernel) != before)
		fail_msg("%s, %s: refused, and something has changed", attempt->name, when);
	if (broken)
		fail_msg("%s, %s: %s", attempt->name, when, broken);
}

/* A call that is refused when it need not be, or once for ever. */
static void test_each_call_open_then_preserved_then_open(void **state)
{
	for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *attempt = &attempts[i];
		struct scene s;

		set_scene(&s);
		expect(&s, attempt, attempt->open, "before");
		guest_die(&s.guest);
		host_end(&s.host);

		set_scene(&s);
		guest_run(&s.guest, GUEST_SESSION, GUEST_OLD_END);
		if (attempt->preserved) {
			expect(&s, attempt, attempt->preserved, "preserved");
			guest_assert_alive(&s.guest);
		}
		assert_int_equal(ifs_close(VMM(&s)->process, VMM(&s)->session), 0);
		expect(&s, attempt, attempt->open, "after the session");
		guest_die(&s.guest);
		host_end(&s.host);
	}
}

/* What is handed over would no longer be what is. */
static void test_each_call_preserved_then_update_goes_on(void **state)
{
	for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		struct scene s;

		set_scene(&s);
		guest_run(&s.guest, GUEST_SESSION, GUEST_OLD_END);
		expect(&s, &attempts[i], attempts[i].preserved, "preserved");
		guest_assert_alive(&s.guest);
		host_kexec(&s.host);
		guest_assert_alive(&s.guest);
		guest_process(&s.guest);
		guest_run(&s.guest, GUEST_GET_SESSION, GUEST_END);
		guest_assert_alive(&s.guest);
		host_end(&s.host);
	}
}

/* ---- the next kernel, before the swap ---- */

static int restored_get_dirty(struct scene *s)
{
	uint64_t bits[32];
	struct iommu_hwpt_get_dirty_bitmap cmd = { .size = sizeof(cmd), .page_size = 0x1000,
		.hwpt_id = s->guest.restored[0], .length = VMM_GUEST_BYTES,
		.data = (uintptr_t)bits };

	return on_iommufd(s, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

static int restored_nest(struct scene *s)
{
	struct iommu_hwpt_alloc arg = { .size = sizeof(arg), .dev_id = s->guest.dev_id[0],
		.pt_id = s->guest.restored[0] };

	return on_iommufd(s, IOMMU_HWPT_ALLOC, &arg);
}

static int restored_map(struct scene *s)
{
	return vmm_try_map(VMM(s), VMM(s)->iommufd, s->guest.restored[0], VMM(s)->memfd, 0, 0x1000);
}

static int restored_mark(struct scene *s)
{
	return vmm_try_mark(VMM(s), s->guest.restored[0], 5);
}

static int restored_destroy(struct scene *s)
{
	return vmm_try_destroy(VMM(s), VMM(s)->iommufd, s->guest.restored[0]);
}

static int restored_attach(struct scene *s)
{
	return vmm_try_attach(VMM(s), s->guest.vfio[0], s->guest.restored[0]);
}

static int finish_early(struct scene *s)
{
	return vmm_try_finish(VMM(s), VMM(s)->session);
}

static int preserve_again(struct scene *s)
{
	int luo = vmm_open(VMM(s), "/dev/liveupdate"), session, rc;

	VMM(s)->liveupdate = luo;
	session = vmm_try_create_session(VMM(s), "again");
	assert_true(session >= 0);
	rc = vmm_try_preserve(VMM(s), session, VMM(s)->iommufd, 1);
	ifs_close(VMM(s)->process, session);
	ifs_close(VMM(s)->process, luo);
	return rc;
}


static int rebind(struct scene *s)
{
	uint32_t id;

	return vmm_try_bind(VMM(s), s->guest.vfio[0], VMM(s)->iommufd, &id);
}

static const struct attempt restored_attempts[] = {
	{ "get dirty", restored_get_dirty, 0, -EINVAL },
	{ "nest", restored_nest, 0, -EOPNOTSUPP },
	{ "map into a restored HWPT", restored_map, 0, -ENOENT },
	{ "mark", restored_mark, 0, -EOPNOTSUPP },
	{ "destroy", restored_destroy, 0, -EBUSY },
	{ "attach", restored_attach, 0, -EBUSY },
	{ "restore again", restore, 0, -EBUSY },
	{ "reset", reset_preserved, 0, -EBUSY },
	{ "detach", detach_preserved, 0, 0 },
	{ "bind again", rebind, 0, -EINVAL },
	{ "destroy device", destroy_device, 0, -EBUSY },
	{ "finish", finish_early, 0, -EBUSY },
	{ "preserve again", preserve_again, 0, -EBUSY },
	{ "truncate", truncate_memory, 0, -EPERM },
	{ "punch", punch_memory, 0, -EPERM },
	{ "write", write_memory, 0, 0 },
};

/* A restored guest would be pulled down by a call made too early. */
static void test_each_call_restored_then_update_goes_on(void **state)
{
	for (unsigned i = 0; i < sizeof(restored_attempts) / sizeof(restored_attempts[0]); i++) {
		struct scene s;

		set_scene(&s);
		guest_run(&s.guest, GUEST_SESSION, GUEST_OLD_END);
		host_kexec(&s.host);
		guest_process(&s.guest);
		guest_run(&s.guest, GUEST_GET_SESSION, GUEST_REMAP);
		expect(&s, &restored_attempts[i], restored_attempts[i].preserved, "restored");
		guest_assert_alive(&s.guest);
		guest_run(&s.guest, GUEST_REMAP, GUEST_END);
		guest_assert_alive(&s.guest);
		guest_run(&s.guest, GUEST_MARK, GUEST_OLD_END);
		host_kexec(&s.host);
		guest_process(&s.guest);
		guest_run(&s.guest, GUEST_GET_SESSION, GUEST_END);
		guest_assert_alive(&s.guest);
		host_end(&s.host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_open_then_preserved_then_open),
		cmocka_unit_test(test_each_call_preserved_then_update_goes_on),
		cmocka_unit_test(test_each_call_restored_then_update_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
