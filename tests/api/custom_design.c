/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A design of one's own, whole, as a program outside of this tree; docs/architecture.md walks
 * through it. It hands an iommufd over as one number, how many IOAS it had. While it is preserved
 * nothing can be mapped. In the next kernel an ioctl of the design tells the number.
 */
#include <assert.h>
#include <fcntl.h>

#include <iommufd-sim/process.h>
#include <iommufd-sim/proto/design.h>
#include <iommufd-sim/proto/kho.h>
#include <linux/liveupdate.h>

/* 1. What crosses: naturally aligned, versioned by its compatible string, no pointer in it. */
struct count_ser { u64 nr_ioas; };

/* 2. The LUO handler. Old kernel: can_preserve, preserve, unpreserve. */
static bool count_can_preserve(const struct liveupdate_file_handler *handler, struct file *file)
{
	struct iommufd_ctx *ictx = iommufd_ctx_from_file(file);

	if (IS_ERR(ictx))
		return false;
	iommufd_ctx_put(ictx);
	return true;
}

static u64 set_immutable(struct iommufd_ctx *ictx, bool immutable)
{
	struct iommufd_object *obj;
	u64 index, count = 0;

	xa_lock(&ictx->objects);
	xa_for_each(&ictx->objects, index, obj) {
		if (obj->type != IOMMUFD_OBJ_IOAS)
			continue;
		container_of(obj, struct iommufd_ioas, obj)->iopt.lu_map_immutable = immutable;
		count++;
	}
	xa_unlock(&ictx->objects);
	return count;
}

static int count_preserve(struct liveupdate_file_op_args *args)
{
	struct count_ser *ser = kho_alloc_preserve(sizeof(*ser));

	if (IS_ERR(ser))
		return PTR_ERR(ser);
	ser->nr_ioas = set_immutable(args->file->private_data, true);
	args->serialized_data = virt_to_phys(ser);
	return 0;
}

static void count_unpreserve(struct liveupdate_file_op_args *args)
{
	set_immutable(args->file->private_data, false);
	kho_unpreserve_free(phys_to_virt(args->serialized_data));
}

/* 3. The new kernel. What the old one left is input: address and number are checked. */
static int count_retrieve(struct liveupdate_file_op_args *args)
{
	const struct count_ser *ser = ifs_phys_to_virt_sized(args->serialized_data, sizeof(*ser));
	int rc;

	if (!ser || !ifs_kho_is_restorable(args->serialized_data) || ser->nr_ioas > UINT_MAX)
		return -EINVAL;
	rc = ifs_iommufd_file_new(&args->file);
	if (!rc)
		((struct iommufd_ctx *)args->file->private_data)->design_data =
			(void *)(uintptr_t)ser->nr_ioas;
	return rc;
}

static void count_finish(struct liveupdate_file_op_args *args)
{
	if (ifs_kho_is_restorable(args->serialized_data))
		kho_restore_free(phys_to_virt(args->serialized_data));
}

static const struct liveupdate_file_ops count_ops = {
	.can_preserve = count_can_preserve, .preserve = count_preserve, .retrieve = count_retrieve,
	.unpreserve = count_unpreserve, .finish = count_finish, .owner = &iommufd_module_owner,
};
static const struct liveupdate_file_handler count_handler = { &count_ops, "iommufd-count-v1" };

/* 4. An ioctl of /dev/iommu, and the hooks. */
struct count_get { u32 size, nr_ioas; };
#define COUNT_GET 0x3ba0

static int count_get(struct iommufd_ucmd *ucmd)
{
	struct count_get *cmd = ucmd->cmd;

	cmd->nr_ioas = (u32)(uintptr_t)ucmd->ictx->design_data;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

static int count_map_gate(struct io_pagetable *iopt) { return iopt->lu_map_immutable ? -EBUSY : 0; }
static int count_init(void *data) { return liveupdate_register_file_handler(&count_handler); }
static void count_exit(void *data) { liveupdate_unregister_file_handler(&count_handler); }
static const struct ifs_design_ioctl count_ioctls[] = {
	{ COUNT_GET & 0xff, sizeof(struct count_get), sizeof(struct count_get), count_get },
};
static const struct ifs_design count_design = {
	.size = sizeof(struct ifs_design), .name = "count",
	.ioctls = count_ioctls, .nr_ioctls = ARRAY_SIZE(count_ioctls),
	.module_init = count_init, .module_exit = count_exit,
	.map_gate = count_map_gate,
};

/* 5. The rehearsal is an ordinary program. */
int main(void)
{
	struct ifs_kernel_config config = { sizeof(config), .custom_design = &count_design };
	struct ifs_machine *machine = ifs_machine_new(NULL, NULL);
	struct ifs_kernel *kernel = ifs_kernel_boot(machine, &config, NULL);
	struct ifs_process *vmm = ifs_process_new(kernel, NULL);
	int iommufd = ifs_open(vmm, "/dev/iommu", O_RDWR);
	int luo = ifs_open(vmm, "/dev/liveupdate", O_RDWR);
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct liveupdate_ioctl_create_session create = { .size = sizeof(create), .name = "s" };
	struct liveupdate_ioctl_retrieve_session get = { .size = sizeof(get), .name = "s" };
	struct liveupdate_session_finish finish = { .size = sizeof(finish) };
	struct count_get count = { .size = sizeof(count) };
	static char page[4096] __attribute__((aligned(4096)));

	assert(ifs_ioctl(vmm, iommufd, IOMMU_IOAS_ALLOC, &ioas) == 0);
	assert(ifs_ioctl(vmm, luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &create) == 0);
	struct liveupdate_session_preserve_fd keep = { sizeof(keep), .fd = iommufd, .token = 7 };
	assert(ifs_ioctl(vmm, create.fd, LIVEUPDATE_SESSION_PRESERVE_FD, &keep) == 0);
	struct iommu_ioas_map map = { .size = sizeof(map), .flags = IOMMU_IOAS_MAP_READABLE,
		.ioas_id = ioas.out_ioas_id, .user_va = (uintptr_t)page, .length = sizeof(page) };
	assert(ifs_ioctl(vmm, iommufd, IOMMU_IOAS_MAP, &map) == -EBUSY);
	assert(ifs_kernel_kexec(kernel) == 0);
	kernel = ifs_kernel_boot(machine, &config, NULL);
	vmm = ifs_process_new(kernel, NULL);
	luo = ifs_open(vmm, "/dev/liveupdate", O_RDWR);
	assert(ifs_ioctl(vmm, luo, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &get) == 0);
	struct liveupdate_session_retrieve_fd back = { .size = sizeof(back), .token = 7 };
	assert(ifs_ioctl(vmm, get.fd, LIVEUPDATE_SESSION_RETRIEVE_FD, &back) == 0);
	assert(ifs_ioctl(vmm, back.fd, COUNT_GET, &count) == 0 && count.nr_ioas == 1);
	assert(ifs_ioctl(vmm, get.fd, LIVEUPDATE_SESSION_FINISH, &finish) == 0);
	assert(ifs_kernel_shutdown(kernel) == 0);
	ifs_machine_free(machine);
	return 0;
}
