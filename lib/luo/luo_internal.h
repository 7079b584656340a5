/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the files of lib/luo share (kernel/liveupdate/luo_internal.h).
 *
 * Locks, outermost first (Linux's): serialize_rwsem, the list's rwsem, session mutex, luo_file
 * mutex, register_rwlock (read), the FLB's mutexes.
 */
#ifndef LIB_LUO_LUO_INTERNAL_H
#define LIB_LUO_LUO_INTERNAL_H

#include <iommufd-sim/proto/bug.h>
#include <iommufd-sim/proto/lock.h>
#include <iommufd-sim/proto/xarray.h>
#include <linux/liveupdate.h>

#include "lib/abi/luo.h"
#include "lib/base/task.h"
#include "lib/kho/block.h"
#include "lib/luo/luo.h"
#include "lib/mm/user_mem.h"
#include "sim/phys_mem.h"

#define LUO_REASON_BYTES 256

/* A registered handler, or one that files still refer to. Keyed by the handler's address. */
struct luo_handler {
	const struct liveupdate_file_handler *fh;
	struct list_head list;          /* of luo->handlers, or of luo->gone_handlers */
	struct list_head flb_links;     /* struct luo_flb_link, registration order */
	bool registered;
	u64 nr_files;                   /* luo_files that name it */
};

struct luo_flb_state {
	int count;                      /* a refcount_t, with its saturation */
	u64 data;
	void *obj;
	struct mutex lock;
	bool finished;
	int retrieve_status;            /* 0 not tried, 1 retrieved, < 0 failed so */
};

/* What Linux keeps in the FLB itself. Keyed by its address; lives until the kernel ends. */
struct luo_flb_record {
	const struct liveupdate_flb *flb;
	struct list_head all;           /* of luo->flb_records */
	struct list_head list;          /* of luo->flbs while anyone links it */
	u64 users;
	struct luo_flb_state incoming, outgoing;
};

struct luo_flb_link {
	struct luo_flb_record *record;
	struct list_head list;
};

struct luo_module {
	const struct module *module;
	struct list_head list;
	u32 refcount;
	u32 users;                      /* handlers and FLBs registered with it */
};

struct luo_file_set {
	struct list_head files;
	u64 count;
	struct kho_block_set block_set;
};

struct luo_file {
	struct luo_handler *handler;
	struct file *file;              /* incoming: NULL until retrieved */
	u64 serialized_data;
	void *private_data;
	int retrieve_status;
	struct mutex mutex;
	struct list_head list;
	u64 token;
};

struct liveupdate_session {
	struct luo *luo;
	char name[LUO_SESSION_NAME_LENGTH];
	struct list_head list;
	bool retrieved;                 /* incoming, and handed to a process */
	bool closing;                   /* the implicit finish at the last close */
	struct luo_file_set file_set;
	struct mutex mutex;
};

struct luo_session_header {
	u64 count;
	struct list_head list;
	struct rw_semaphore rwsem;
	struct kho_block_set block_set;
	bool active;
};

struct luo {
	struct kernel_base *kernel;
	struct kho *kho;
	bool enabled, exact;
	bool exiting;                   /* the sessions left are dropped, not closed */
	u64 liveupdate_num;             /* of the kernel before */
	pa_t ser_pa;                    /* outgoing struct luo_ser, 0: none */
	pa_t flbs_out_pa, flbs_in_pa;   /* pages of FLB records, 0: none */
	bool device_registered, in_use;
	bool committed;                 /* serialized for good: the next thing is the kexec */

	struct rw_semaphore serialize_rwsem;
	struct luo_session_header incoming, outgoing;
	bool deserialized;
	int deserialize_err;

	struct rw_semaphore register_rwlock;
	struct list_head handlers;      /* registered, in registration order */
	struct list_head gone_handlers; /* unregistered, still named by files */
	struct list_head flbs;          /* struct luo_flb_record with users, registration order */
	u64 nr_flbs;
	struct list_head flb_records;   /* all */
	struct list_head modules;
	struct xarray preserved_files;  /* id -> struct file */
	u64 nr_files;                   /* luo_files alive */
};

/* Linux's strscpy() into a field of @size bytes: always terminated, the rest is left alone. */
void luo_strscpy(char *to, const char *from, size_t size);
/* The luo of the current task's kernel; NULL before there is one. */
struct luo *this_luo(void);

/* luo_ucmd.c: the argument of an ioctl. */
struct luo_ucmd {
	uva_t ubuffer;
	u32 user_size;
	void *cmd;
};
struct luo_ucmd_op {
	u32 size, min_size;
	u32 ioctl_num;
};
/* Size first, then the whole number: -EFAULT, -ENOTTY. */
int luo_ucmd_start(struct luo_ucmd *ucmd, const struct luo_ucmd_op *op, unsigned cmd, uva_t arg);
/* -EINVAL (too short), -E2BIG, -EFAULT. @cmd has room for op->size bytes. */
int luo_ucmd_fetch(struct luo_ucmd *ucmd, const struct luo_ucmd_op *op, void *cmd);
int luo_ucmd_respond(const struct luo_ucmd *ucmd, size_t kernel_cmd_size);

/* luo_device.c */
int luo_device_register(struct luo *luo);
void luo_device_unregister(struct luo *luo);

/* luo_session.c */
void luo_session_header_init(struct luo *luo, struct luo_session_header *sh, const char *name);
int luo_session_create(struct luo *luo, const char *name, struct file **out);
int luo_session_retrieve(struct luo *luo, const char *name, struct file **out);
int luo_session_finish_one(struct liveupdate_session *session);
/* 0, or -EIO once the kexec is certain. */
int luo_serialize_enter(struct luo *luo);
void luo_serialize_leave(struct luo *luo);
void luo_session_release(struct file *file);
struct liveupdate_session *luo_session_alloc(struct luo *luo, const char *name);
void luo_session_free(struct liveupdate_session *session);
int luo_session_insert(struct luo_session_header *sh, struct liveupdate_session *session);
void luo_sessions_drop(struct luo_session_header *sh);

/* luo_session_ioctl.c */
extern const struct file_operations luo_session_fops;

/* luo_serialize.c: sessions to and from blocks. */
int luo_session_setup_incoming(struct luo *luo, pa_t sessions_pa);
int luo_session_deserialize(struct luo *luo);
int luo_session_serialize(struct luo *luo);

/* luo_file.c. The session's mutex is held. */
void luo_file_set_init(struct luo *luo, struct luo_file_set *set);
int luo_preserve_file(struct liveupdate_session *session, u64 token, int fd);
void luo_file_unpreserve_files(struct liveupdate_session *session);
int luo_retrieve_file(struct liveupdate_session *session, u64 token, struct file **out);
int luo_file_finish(struct liveupdate_session *session);
void luo_file_args(struct liveupdate_session *session, const struct luo_file *file,
		   struct liveupdate_file_op_args *args);
struct luo_file *luo_file_alloc(struct luo *luo, struct luo_handler *handler, u64 token);
void luo_file_free(struct luo *luo, struct luo_file *file);
/* Lets go of incoming files without asking anybody: the kernel ends. */
void luo_file_set_drop(struct liveupdate_session *session);
/* Gives back what luo_file_deserialize() took, so that it can be called again. */
void luo_file_set_undo(struct liveupdate_session *session);

/* luo_file_serialize.c */
int luo_file_freeze(struct liveupdate_session *session, struct luo_file_set_ser *ser);
void luo_file_unfreeze(struct liveupdate_session *session, struct luo_file_set_ser *ser);
int luo_file_deserialize(struct liveupdate_session *session, const struct luo_file_set_ser *ser);

/* luo_handler.c */
struct luo_handler *luo_handler_for_file(struct luo *luo, struct file *file);
struct luo_handler *luo_handler_for_compatible(struct luo *luo, const char *compatible);
void luo_handler_put(struct luo *luo, struct luo_handler *handler);
void luo_handlers_free(struct luo *luo);

/* luo_flb.c, luo_flb_serialize.c */
struct luo_flb_record *luo_flb_find(struct luo *luo, const struct liveupdate_flb *flb);
struct luo_flb_record *luo_flb_record_get(struct luo *luo, const struct liveupdate_flb *flb);
void luo_flb_unregister_all(struct luo *luo, struct luo_handler *handler);
void luo_flb_records_free(struct luo *luo);
int luo_flb_file_preserve(struct luo *luo, struct luo_handler *handler);
void luo_flb_file_unpreserve(struct luo *luo, struct luo_handler *handler);
void luo_flb_file_finish(struct luo *luo, struct luo_handler *handler);
int luo_flb_setup_outgoing(struct luo *luo);
int luo_flb_setup_incoming(struct luo *luo, pa_t flbs_pa, char *reason);
void luo_flb_serialize(struct luo *luo);

/* luo_module.c */
/* A registered module's references need no memory any more. -ENOMEM. */
int luo_module_use(struct luo *luo, const struct module *module);
void luo_module_unuse(struct luo *luo, const struct module *module);
bool luo_module_get(struct luo *luo, const struct module *module);
void luo_module_put(struct luo *luo, const struct module *module);
void luo_modules_free(struct luo *luo);

#endif
