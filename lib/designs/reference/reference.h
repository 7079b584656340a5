/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The design "reference" from inside: what it keeps in a kernel's heap.
 *
 *   old kernel                                   new kernel
 *   ----------                                   ----------
 *   ref_ctx      one per iommufd: its lock,      ref_state  lists of what the previous kernel left:
 *                preserved state or restored       ref_in_owner   a preserved iommufd
 *                owner                             ref_in_domain  a set of tables, maybe live
 *   ref_preserved  a preserved iommufd: HWPTs      ref_in_device  a requester bound to one
 *                held, records written             ref_in_unit    an IOMMU
 *   ref_outgoing   the FLB's page chain
 *
 * Lock order: session mutex (LUO), ref_ctx.lock, ref_outgoing.lock; ref_state.lock is innermost but
 * for the IOMMU's own lock. The IOMMU core is never asked to block, free or attach under
 * ref_state.lock, since it calls back into this design.
 */
#ifndef LIB_DESIGNS_REFERENCE_REFERENCE_H
#define LIB_DESIGNS_REFERENCE_REFERENCE_H

#include <iommufd-sim/proto/bug.h>
#include <iommufd-sim/proto/design.h>
#include <iommufd-sim/proto/kho.h>
#include <iommufd-sim/proto/memfd.h>
#include <iommufd-sim/proto/slab.h>

#include "lib/abi/reference.h"

/* ---- records.c: writing and checking what crosses ---- */

/* Of the whole record, its crc32 field taken as zero. @size is at least a header's. */
u32 ref_record_crc32(const struct ref_hdr *hdr, size_t size);
void ref_seal(struct ref_hdr *hdr, u32 magic, size_t size);
/* NULL if @hdr heads a sound record of that kind with at least @min_size bytes within @max_size. */
const char *ref_refuse(const struct ref_hdr *hdr, u32 magic, size_t min_size, size_t max_size);
/*
 * As ref_refuse(), for a record at an address the previous kernel named. NULL and a line in the
 * log.
 */
void *ref_record_at(phys_addr_t pa, u32 magic, size_t min_size, const char *what);

struct ref_outgoing {
	struct mutex lock;
	struct ref_page *first;
};
/* Needs @out->lock. A zeroed slot and its id; ERR_PTR(-ENOMEM). */
void *ref_slot_new(struct ref_outgoing *out, u64 *id);
void ref_slot_free(struct ref_outgoing *out, void *slot);

/* ---- flb.c ---- */

struct ref_incoming_chain {
	phys_addr_t first_pa;
	u32 nr_pages;
	bool truncated;         /* a page did not check: whatever hung behind it is lost */
};
extern const struct liveupdate_flb ref_flb;
/* NULL is fine. */
void ref_chain_free(struct ref_incoming_chain *chain);
/* The outgoing side, alive while any iommufd is preserved. */
int ref_outgoing_get(struct ref_outgoing **out);

/* ---- the previous kernel's state ---- */

struct ref_in_owner {
	struct list_head list;
	u64 id, token;
	char session[64];
	phys_addr_t iommufd_pa;
	bool bad;               /* its file record does not check: nothing of it can be restored */
	struct iommufd_ctx *ictx;       /* retrieved: the only one who may have its devices */
	u32 nr_hwpts, nr_frozen, max_frozen;
	struct ref_iommufd_hwpt *hwpts; /* copied */
	struct file **frozen;   /* memory files retrieved so far, a reference each */
};

struct ref_in_domain {
	struct list_head list;
	struct ref_domain rec;  /* copied */
	struct ref_in_owner *owner;     /* NULL once that is finished */
	struct iommu_domain *domain;    /* NULL: not adopted yet, or gone */
	struct pt_pins *pins;   /* of the frames @domain leads to */
	bool is_hwpt;           /* a HWPT owns @domain */
	bool gone;              /* was adopted and freed: there are no tables any more */
	int error;              /* why it could not be adopted */
};

struct ref_in_device {
	struct list_head list;
	struct ref_device rec;
	struct ref_in_owner *owner;
	struct ref_in_domain *domain;
};

struct ref_in_unit {
	struct list_head list;
	struct ref_hw rec;
};

struct ref_state {
	struct mutex lock;
	struct list_head owners, domains, devices, units;
	struct ref_incoming_chain *chain;       /* the FLB's object, until LUO finishes that */
	int incoming_error;     /* why nothing the previous kernel left can be used */
	bool damaged;           /* some record was left out */
	bool registered;
};

/* incoming.c: from pages to the lists above and back. */
void ref_incoming_read(struct ref_state *state, const struct ref_incoming_chain *chain);
void ref_incoming_drop(struct ref_state *state);
void ref_owner_free(struct ref_in_owner *owner);
/* Memory files of the owner's session may change again. Not under ref_state.lock. */
void ref_owner_thaw(struct ref_in_owner *owner);

/* boot.c: the hooks of the IOMMU core. */
int ref_iommu_boot(void *kernel_data, struct iommu_device *iommu, pa_t *root_pa);
int ref_probe_device(void *kernel_data, struct device *dev, struct iommu_domain **domain);
int ref_claim_owner(void *kernel_data, struct device *dev, void *owner);
void ref_domain_released(void *kernel_data, struct iommu_domain *domain);
bool ref_iommu_preserved(void *kernel_data, struct iommu_device *iommu);
bool ref_device_preserved(void *kernel_data, struct device *dev);
/* Adopts the tables if that has not been done. Needs @state->lock. */
int ref_domain_adopt(struct ref_in_domain *in, struct iommu_device *iommu);
struct iommu_device *ref_find_unit(u64 base_pa);

/* ---- iommufd ---- */

struct ref_preserved_hwpt {
	struct list_head list;
	struct iommufd_hwpt_paging *hwpt;       /* a reference: DESTROY says -EBUSY */
	struct ref_domain *rec;
};

struct ref_preserved {
	struct liveupdate_session *session;
	u64 owner_id;
	u64 token;
	struct ref_owner *owner;
	struct ref_iommufd *rec;
	struct list_head hwpts;
	u32 nr_hwpts, nr_files;
	u64 *file_tokens;       /* of the memory files, each once */
	u32 max_files;
};

struct ref_ctx {
	struct mutex lock;      /* marks and the two below */
	struct ref_preserved *preserved;
	struct ref_in_owner *restored;
};

struct iommufd_hwpt_paging *ref_hwpt_paging(struct iommufd_hw_pagetable *hwpt);
int ref_ioctl_mark(struct iommufd_ucmd *ucmd);
int ref_ioctl_restore(struct iommufd_ucmd *ucmd);
/* check.c: is @hwpt of a kind that can be handed over at all? -EOPNOTSUPP, -ENODEV. */
int ref_check_kind(const struct iommufd_hwpt_paging *hwpt);
/* is all that @hwpt's tables reach memory that crosses with the session? */
int ref_check_hwpt(struct ref_preserved *preserved, struct iommufd_hwpt_paging *hwpt);

extern const struct liveupdate_file_ops ref_iommufd_ops;
extern const struct liveupdate_file_ops ref_vfio_ops;
int ref_iommufd_preserve(struct liveupdate_file_op_args *args);
void ref_iommufd_unpreserve(struct liveupdate_file_op_args *args);
int ref_iommufd_freeze(struct liveupdate_file_op_args *args);
int ref_iommufd_retrieve(struct liveupdate_file_op_args *args);
bool ref_iommufd_can_finish(struct liveupdate_file_op_args *args);
void ref_iommufd_finish(struct liveupdate_file_op_args *args);
void ref_file_retrieved(void *kernel_data, struct liveupdate_session *session, u64 token,
			struct file *file);

/*
 * Is @dev free for @ictx: not restored, or restored for the iommufd that this one was? 0 or -EPERM.
 */
int ref_may_claim(struct ref_state *state, struct device *dev, const struct iommufd_ctx *ictx);

#endif
