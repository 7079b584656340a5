/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Accesses as a driver has them that is not the selftest: one that never lets go, and more of them
 * than there may be. The driver is an ioctl of a design that does nothing else.
 */
#include <iommufd-sim/proto/design.h>

#include "lib/iommufd/access.h"
#include "tests/lib/iommufd/iommufd_test.h"

#define DRIVER_IOCTL 0x3b98

enum driver_op { DRIVER_PIN, DRIVER_UNPIN, DRIVER_CROWD };

struct driver_cmd {
	uint32_t size, op, ioas, count;
	uint64_t iova, driver;
};

struct driver {
	struct iommufd_access *access;
	uint32_t asked;
};

static void driver_unmap(void *data, iova_t iova, u64 length)
{
	struct driver *driver = data;

	if (driver)
		driver->asked++;
}

static const struct iommufd_access_ops driver_ops = {
	.needs_pin_pages = true,
	.unmap = driver_unmap,
};

/*
 * The list of the IOAS filled up to @count, all with one access, for Linux looks at each of them
 * whenever one is added; then two more. What became of those is in @iova and @driver.
 */
static int driver_crowd(struct iommufd_ucmd *ucmd, struct driver_cmd *cmd)
{
	struct iommufd_access *access[3];
	struct io_pagetable *iopt;
	u32 id, i;

	for (i = 0; i < 3; i++)
		if (iommufd_access_create(ucmd->ictx, &driver_ops, NULL, &id, &access[i]))
			return -ENOMEM;
	if (iommufd_access_attach(access[0], cmd->ioas))
		return -EINVAL;
	iopt = &access[0]->ioas->iopt;
	for (i = 1; i < cmd->count; i++)
		xa_store(&iopt->access_list, i, access[0], GFP_KERNEL);
	cmd->iova = (u64)-iommufd_access_attach(access[1], cmd->ioas);
	cmd->driver = (u64)-iommufd_access_attach(access[2], cmd->ioas);
	for (i = 1; i < cmd->count; i++)
		xa_erase(&iopt->access_list, i);
	for (i = 0; i < 3; i++)
		iommufd_access_destroy(access[i]);
	return 0;
}

static int driver_pin(struct iommufd_ucmd *ucmd, struct driver_cmd *cmd)
{
	struct driver *driver = kzalloc(sizeof(*driver), GFP_KERNEL);
	u32 id;
	int rc;

	if (!driver)
		return -ENOMEM;
	rc = iommufd_access_create(ucmd->ictx, &driver_ops, driver, &id, &driver->access);
	if (rc)
		goto err_free;
	rc = iommufd_access_attach(driver->access, cmd->ioas);
	if (!rc)
		rc = iommufd_access_pin_pages(driver->access, cmd->iova, PAGE_SIZE, NULL, 0);
	if (rc)
		goto err_destroy;
	cmd->driver = (uintptr_t)driver;
	return 0;

err_destroy:
	iommufd_access_destroy(driver->access);
err_free:
	kfree(driver);
	return rc;
}

static int driver_unpin(struct driver_cmd *cmd)
{
	struct driver *driver = (struct driver *)(uintptr_t)cmd->driver;

	cmd->count = driver->asked;
	iommufd_access_unpin_pages(driver->access, cmd->iova, PAGE_SIZE);
	iommufd_access_destroy(driver->access);
	kfree(driver);
	return 0;
}

static int driver_ioctl(struct iommufd_ucmd *ucmd)
{
	struct driver_cmd *cmd = ucmd->cmd;
	int rc;

	if (cmd->op == DRIVER_CROWD)
		rc = driver_crowd(ucmd, cmd);
	else
		rc = cmd->op == DRIVER_PIN ? driver_pin(ucmd, cmd) : driver_unpin(cmd);
	return rc ? rc : iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

static const struct ifs_design_ioctl driver_ioctls[] = {
	{ .nr = 0x98, .size = sizeof(struct driver_cmd), .min_size = sizeof(struct driver_cmd),
	  .execute = driver_ioctl },
};

static const struct ifs_design driver_design = {
	.size = sizeof(driver_design), .name = "driver", .ioctls = driver_ioctls, .nr_ioctls = 1,
};

static int driver_set_up(void **state)
{
	struct fixture *f;

	assert_int_equal(fixture_set_up(state), 0);
	f = *state;
	f->kernel_config.custom_design = &driver_design;
	assert_int_equal(ifs_kernel_shutdown(f->kernel), 0);
	fixture_boot(f);
	return 0;
}

static int driver_call(struct fixture *f, int fd, uint32_t op, struct driver_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->op = op;
	return ifs_ioctl(f->process, fd, DRIVER_IOCTL, cmd);
}

/* The kernel would ask for ever, with the program waiting. */
static void test_unmap_of_what_nobody_lets_go_gives_up(void **state)
{
	struct fixture *f = *state;
	uint8_t *buffer = t_buffer(0x2000);
	struct driver_cmd cmd = { .iova = 0x10000 };
	int fd = t_open(f);

	cmd.ioas = t_ioas_alloc(f, fd);
	assert_int_equal(t_map(f, fd, cmd.ioas, FIXED | RD, (uintptr_t)buffer, 0x1000, 0xf000),
			 0xf000);
	assert_int_equal(t_map(f, fd, cmd.ioas, FIXED | RD, (uintptr_t)buffer, 0x1000, 0x10000),
			 0x10000);
	assert_int_equal(driver_call(f, fd, DRIVER_PIN, &cmd), 0);
	/* A hundred times in vain is enough; a driver that does not let go is a bug of its own. */
	fixture_expect(f, IFS_RULE_WARN, 1);
	assert_int_equal(t_unmap(f, fd, cmd.ioas, 0xf000, 0x2000), -35);
	/* The one before it is gone; the other stays, and nobody may pin it any more. */
	assert_int_equal(t_unmap(f, fd, cmd.ioas, 0xf000, 0x1000), -2);
	fixture_expect(f, IFS_RULE_WARN, 1);
	assert_int_equal(t_unmap(f, fd, cmd.ioas, 0, MAX64), -35);
	assert_int_equal(t_vm_pin(f), 1);
	assert_int_equal(driver_call(f, fd, DRIVER_UNPIN, &cmd), 0);
	assert_int_equal(cmd.count, 202);
	assert_int_equal(t_unmap(f, fd, cmd.ioas, 0x10000, 0x1000), 0x1000);
	assert_int_equal(t_vm_pin(f), 0);
	munmap(buffer, 0x2000);
}

/* One program could fill the table that all drivers share. */
static void test_access_list_of_an_ioas_is_full_at_65536(void **state)
{
	struct fixture *f = *state;
	struct driver_cmd cmd = { .count = 65534 };
	int fd = t_open(f);

	cmd.ioas = t_ioas_alloc(f, fd);
	assert_int_equal(driver_call(f, fd, DRIVER_CROWD, &cmd), 0);
	assert_int_equal(cmd.iova, 0);
	assert_int_equal(cmd.driver, 0);
	cmd.count = 65535;
	assert_int_equal(driver_call(f, fd, DRIVER_CROWD, &cmd), 0);
	assert_int_equal(cmd.iova, 0);
	assert_int_equal(cmd.driver, 16);
	/* All of them gave their ids back. */
	assert_int_equal(t_ioas_alloc(f, fd), 2);
}

#define D(name) cmocka_unit_test_setup_teardown(name, driver_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		D(test_unmap_of_what_nobody_lets_go_gives_up),
		D(test_access_list_of_an_ioas_is_full_at_65536),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
