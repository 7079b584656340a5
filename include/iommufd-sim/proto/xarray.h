/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Index -> pointer map with Linux's names (include/linux/xarray.h): lowest-free id allocation,
 * reserved slots (stored, but read as NULL), marks, an internal spinlock. Calls named xa_*() take
 * the lock themselves; __xa_*() expect it held. Storing may need memory: -ENOMEM as xa_err() of the
 * returned pointer. Indexes are 64 bits.
 */
#ifndef IOMMUFD_SIM_PROTO_XARRAY_H
#define IOMMUFD_SIM_PROTO_XARRAY_H

#include <iommufd-sim/proto/lock.h>

typedef unsigned xa_mark_t;
#define XA_MARK_0 0u
#define XA_MARK_1 1u
#define XA_MARK_2 2u
#define XA_MARK_MAX 3u
#define XA_PRESENT 8u
#define XA_FLAGS_TRACK_FREE 4u  /* xa_alloc() is allowed; storing NULL keeps the index reserved */
#define XA_FLAGS_ZERO_BUSY 8u   /* no index 0 from xa_alloc(), until erased while not empty */
#define XA_FLAGS_ALLOC XA_FLAGS_TRACK_FREE
#define XA_FLAGS_ALLOC1 (XA_FLAGS_TRACK_FREE | XA_FLAGS_ZERO_BUSY)
/* What a reserved slot holds; reads give NULL instead. Entries have bits 1:0 clear. */
#define XA_ZERO_ENTRY ((void *)1030ul)

struct xa_node;

struct xarray {
	spinlock_t xa_lock;
	u32 flags;
	u32 height;             /* 0: empty */
	struct xa_node *head;
};

struct xa_limit {
	u32 max, min;
};
#define XA_LIMIT(lo, hi) (struct xa_limit){ .min = (lo), .max = (hi) }
#define xa_limit_31b XA_LIMIT(0, 0x7fffffff)
#define xa_limit_32b XA_LIMIT(0, 0xffffffff)

IFS_PUBLIC void ifs_xa_init(struct xarray *xa, u32 flags, const char *name);
IFS_PUBLIC void ifs_xa_destroy(struct xarray *xa);
IFS_PUBLIC void *ifs_xa_load(struct xarray *xa, u64 index);
IFS_PUBLIC void *ifs_xa_store(struct xarray *xa, u64 index, void *entry, gfp_t gfp);
IFS_PUBLIC void *ifs_xa_erase(struct xarray *xa, u64 index);
/*
 * As xa_store(), but only if the slot holds @old; returns what was there. @old NULL means empty,
 * XA_ZERO_ENTRY reserved: a reserved slot also returns NULL for @old NULL, unchanged, as in Linux.
 */
IFS_PUBLIC void *ifs_xa_cmpxchg(struct xarray *xa, u64 index, void *old, void *entry, gfp_t gfp);
/* 0, -EBUSY (slot taken, also when reserved), -ENOMEM. */
IFS_PUBLIC int ifs_xa_insert(struct xarray *xa, u64 index, void *entry, gfp_t gfp);
IFS_PUBLIC int ifs_xa_reserve(struct xarray *xa, u64 index, gfp_t gfp);
IFS_PUBLIC void ifs_xa_release(struct xarray *xa, u64 index);
/* Lowest free index within @limit; NULL @entry reserves it. 0, -EBUSY (none free), -ENOMEM. */
IFS_PUBLIC int ifs_xa_alloc(struct xarray *xa, u32 *id, void *entry, struct xa_limit limit,
			    gfp_t gfp);
IFS_PUBLIC bool ifs_xa_empty(const struct xarray *xa);
IFS_PUBLIC void *ifs_xa_find(struct xarray *xa, u64 *index, u64 max, xa_mark_t filter);
IFS_PUBLIC void *ifs_xa_find_after(struct xarray *xa, u64 *index, u64 max, xa_mark_t filter);
IFS_PUBLIC void ifs_xa_set_mark(struct xarray *xa, u64 index, xa_mark_t mark);
IFS_PUBLIC void ifs_xa_clear_mark(struct xarray *xa, u64 index, xa_mark_t mark);
IFS_PUBLIC bool ifs_xa_get_mark(struct xarray *xa, u64 index, xa_mark_t mark);
/* NULL, or a sentence naming the first invariant broken. */
IFS_PUBLIC const char *ifs_xa_check(const struct xarray *xa);
IFS_PUBLIC void *ifs___xa_store(struct xarray *xa, u64 index, void *entry, gfp_t gfp);
IFS_PUBLIC void *ifs___xa_erase(struct xarray *xa, u64 index);
IFS_PUBLIC int ifs___xa_insert(struct xarray *xa, u64 index, void *entry, gfp_t gfp);

#define xa_init(xa) ifs_xa_init(xa, 0, IFS_LOCK_NAME(xa))
#define xa_init_flags(xa, flags) ifs_xa_init(xa, flags, IFS_LOCK_NAME(xa))
#define xa_destroy ifs_xa_destroy
#define xa_load ifs_xa_load
#define xa_store ifs_xa_store
#define xa_erase ifs_xa_erase
#define xa_cmpxchg ifs_xa_cmpxchg
#define xa_insert ifs_xa_insert
#define xa_reserve ifs_xa_reserve
#define xa_release ifs_xa_release
#define xa_alloc ifs_xa_alloc
#define xa_empty ifs_xa_empty
#define xa_find ifs_xa_find
#define xa_find_after ifs_xa_find_after
#define xa_set_mark ifs_xa_set_mark
#define xa_clear_mark ifs_xa_clear_mark
#define xa_get_mark ifs_xa_get_mark
#define __xa_store ifs___xa_store
#define __xa_erase ifs___xa_erase
#define __xa_insert ifs___xa_insert
#define xa_lock(xa) spin_lock(&(xa)->xa_lock)
#define xa_unlock(xa) spin_unlock(&(xa)->xa_lock)
static inline int xa_err(const void *entry) { return IS_ERR(entry) ? (int)PTR_ERR(entry) : 0; }
static inline bool xa_is_err(const void *entry) { return IS_ERR(entry); }
/* Walks take no lock and may run while entries come and go: each step searches anew. */
#define xa_for_each(xa, index, entry)                                                       \
	for (index = 0, entry = xa_find(xa, &index, ~0ull, XA_PRESENT); entry;              \
	     entry = xa_find_after(xa, &index, ~0ull, XA_PRESENT))
#define xa_for_each_marked(xa, index, entry, filter)                                        \
	for (index = 0, entry = xa_find(xa, &index, ~0ull, filter); entry;                  \
	     entry = xa_find_after(xa, &index, ~0ull, filter))

#endif
