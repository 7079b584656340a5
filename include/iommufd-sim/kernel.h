/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A kernel: booted on a machine, ended by a kexec or a shutdown.
 *
 * Kexec is two calls. ifs_kernel_kexec() ends this kernel: sessions are serialized, one physical
 * address is left for the next kernel, all of the kernel's memory is dropped without a destructor.
 * ifs_kernel_boot() starts the next one. Between them is the black-out: only the machine runs
 * (ifs_machine_run()), and devices still do DMA.
 *
 * All functions return 0 or a count, or a negative errno value. One thread at a time per machine.
 */
#ifndef IOMMUFD_SIM_KERNEL_H
#define IOMMUFD_SIM_KERNEL_H

#include <iommufd-sim/machine.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ifs_kernel;
struct ifs_design;

enum ifs_switch { IFS_DEFAULT = 0, IFS_ON, IFS_OFF };

struct ifs_kernel_config {
	size_t size;
	const char *design;             /* "reference" (default), "posted-v1" */
	const struct ifs_design *custom_design; /* see proto/design.h; wins over @design */
	uint8_t kho;                    /* enum ifs_switch: kho=, default on */
	uint8_t liveupdate;             /* liveupdate=, default on */
	uint8_t register_at_open;       /* posted-v1's follow-up: default off */
	uint8_t exact;                  /* reproduce known bugs of 7.3, default on */
	uint64_t scratch_bytes;         /* default 16 MiB; multiple of 4 MiB */
	uint32_t memfd_folio_order;     /* 0 (default), 9: 2 MiB folios, 18: 1 GiB */
	uint32_t memfd_noexec;          /* sysctl vm.memfd_noexec, default 0 */
	const char *release;            /* uname -r, default "7.3.0-rc7" */
	/* As ifs_kernel_fail_nth(), armed before the first allocation of the boot itself. */
	uint64_t fail_nth;
	bool fail_forever;
	uint8_t iommufd_test;           /* CONFIG_IOMMUFD_TEST: IOMMU_TEST_CMD, default off */
	uint32_t huge_pages;            /* vm.nr_hugepages, of 2 MiB, default 0 */
	/*
	 * Mappings that a VFIO container has room for, else MAP_DMA is -ENOSPC: default 0 = no
	 * limit, as iommufd's containers; 65535 is what vfio_iommu_type1 allows (dma_entry_limit).
	 */
	uint32_t vfio_dma_entry_limit;
};

/*
 * Boots; @config NULL means all defaults. NULL with @error: -ENOMEM, -EINVAL (config), or a fatal
 * state left by the previous kernel (what Linux panics on): @error->code is ENOTRECOVERABLE and the
 * text says what was refused. Damage confined to one device is no failure: see
 * ifs_kernel_boot_log() and the machine's reports.
 */
IFS_PUBLIC struct ifs_kernel *ifs_kernel_boot(struct ifs_machine *machine,
					      const struct ifs_kernel_config *config,
					      struct ifs_error *error);
/*
 * reboot(LINUX_REBOOT_CMD_KEXEC) with an image loaded. 0: the kernel and all its processes are
 * gone, @kernel and every ifs_process of it are freed. -errno of the first freeze that failed:
 * everything goes on as if nothing had been asked.
 */
IFS_PUBLIC int ifs_kernel_kexec(struct ifs_kernel *kernel);
/*
 * Orderly end: all processes exit, everything is closed and freed, @kernel too. Returns the number
 * of things that were left (heap blocks, pages, pins, preserved marks, files, grants), each named
 * in a report of rule IFS_RULE_LEAK. NULL is fine.
 */
IFS_PUBLIC uint64_t ifs_kernel_shutdown(struct ifs_kernel *kernel);
/* Pulls the plug: memory is dropped, nothing is closed or handed over. For error paths of tests. */
IFS_PUBLIC void ifs_kernel_drop(struct ifs_kernel *kernel);

/*
 * Fault injection. A fail point is a place in the kernel that asks whether it shall fail; it has a
 * name, that of the Linux function which asks. Those of the attribute "fail_iommufd" are asked
 * where and as often as Linux 7.3 with CONFIG_IOMMUFD_TEST calls iommufd_should_fail(), in the same
 * order, and that also without the selftest interface; the others are allocations ("failslab",
 * "fail_page_alloc"), told apart by who allocates. Unless armed they change nothing. Programs can
 * use Linux's own triggers: see process.h.
 */
struct ifs_fail_config {
	size_t size;
	const char *point;      /* of one point, or of an attribute; NULL: every point */
	const char *site;       /* NULL, or allocations by whoever has this in the name */
	uint64_t nth;           /* fail the nth from now on (1 = the next); 0 disarms */
	bool forever;           /* and all after it */
};
/* Takes the place of what was armed before. -ENOENT: no such point. -EINVAL: @site >= 64 bytes. */
IFS_PUBLIC int ifs_kernel_fail(struct ifs_kernel *kernel, const struct ifs_fail_config *config);
/* The same for every point. */
IFS_PUBLIC void ifs_kernel_fail_nth(struct ifs_kernel *kernel, uint64_t nth, bool forever);
/* Did it fire since it was armed? How often the points were reached since, in @count or NULL. */
IFS_PUBLIC bool ifs_kernel_fail_fired(const struct ifs_kernel *kernel, uint64_t *count);

struct ifs_failure {
	size_t size;
	const char *point;      /* "pfn_reader_user_pin" */
	const char *site;       /* who allocates: "struct file", "lib/fs/x.c:31"; else NULL */
	const char *call;       /* the system call, "boot", "kexec" */
	int error;              /* what the point's caller got: -errno */
};
/* The last failure that was injected, set @out->size first. False: none since boot. */
IFS_PUBLIC bool ifs_kernel_get_failure(const struct ifs_kernel *kernel, struct ifs_failure *out);

struct ifs_fail_point {
	size_t size;
	const char *name, *attribute;
	int error;              /* -errno */
	uint64_t reached, failed;       /* times since boot */
};
/* The point with that number, from 0, set @out->size first. False: there are fewer. */
IFS_PUBLIC bool ifs_kernel_get_fail_point(const struct ifs_kernel *kernel, unsigned index,
					  struct ifs_fail_point *out);

struct ifs_kernel_stats {
	size_t size;
	uint64_t heap_blocks, heap_bytes;
	uint64_t pages_kernel, pages_table, pages_memfd;        /* frames owned */
	uint64_t pages_preserved;       /* marked for the next kernel */
	uint64_t pages_unclaimed;       /* preserved by the last kernel, not claimed yet */
	uint64_t pages_pinned;
	uint64_t files, sessions, session_files, iommufd_objects;
	uint64_t module_refs;           /* of the iommufd module */
	uint64_t lock_classes;
};
IFS_PUBLIC void ifs_kernel_get_stats(struct ifs_kernel *kernel, struct ifs_kernel_stats *out);
/* A number over all state a system call could change: equal before and after a call that failed. */
IFS_PUBLIC uint64_t ifs_kernel_state_hash(struct ifs_kernel *kernel);
/* Walks every invariant of every layer. NULL, or a sentence about the first one broken. */
IFS_PUBLIC const char *ifs_kernel_check(struct ifs_kernel *kernel);
/* What the kernel said while booting, one line each. Owned by the kernel. */
IFS_PUBLIC const char *ifs_kernel_boot_log(const struct ifs_kernel *kernel);

#ifdef __cplusplus
}
#endif
#endif
