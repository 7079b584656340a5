/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The Live Update Orchestrator for prototypes, with Linux's names (include/linux/liveupdate.h at
 * 7.3, plus the in-kernel file API of the preservation series: args->session, get_token_outgoing,
 * get_file_incoming). Handlers and FLBs are constant here: what LUO keeps about them it keeps
 * itself, so that one definition serves any number of kernels.
 */
#ifndef IOMMUFD_SIM_PROTO_LUO_H
#define IOMMUFD_SIM_PROTO_LUO_H

#include <iommufd-sim/proto/file.h>

struct liveupdate_file_handler;
struct liveupdate_flb;
struct liveupdate_session;

/*
 * A module that can be unloaded: references are taken while files of it are preserved. Only its
 * identity is here; each kernel keeps its own count (ifs_module_refcount()).
 */
struct module {
	const char *name;
};

struct liveupdate_file_op_args {
	const struct liveupdate_file_handler *handler;
	struct liveupdate_session *session;
	int retrieve_status;    /* 0 not tried, 1 retrieved, < 0 the errno it failed with */
	struct file *file;
	u64 serialized_data;
	void *private_data;
};

/* Required: can_preserve, preserve, unpreserve, retrieve, finish. */
struct liveupdate_file_ops {
	bool (*can_preserve)(const struct liveupdate_file_handler *handler, struct file *file);
	int (*preserve)(struct liveupdate_file_op_args *args);
	void (*unpreserve)(struct liveupdate_file_op_args *args);
	int (*freeze)(struct liveupdate_file_op_args *args);
	void (*unfreeze)(struct liveupdate_file_op_args *args);
	int (*retrieve)(struct liveupdate_file_op_args *args);
	bool (*can_finish)(struct liveupdate_file_op_args *args);
	void (*finish)(struct liveupdate_file_op_args *args);
	unsigned long (*get_id)(struct file *file);
	const struct module *owner;   /* NULL: built in */
};

struct liveupdate_file_handler {
	const struct liveupdate_file_ops *ops;
	char compatible[48];
};

struct liveupdate_flb_op_args {
	const struct liveupdate_flb *flb;
	u64 data;
	void *obj;
};

/* All four callbacks are required. */
struct liveupdate_flb_ops {
	int (*preserve)(struct liveupdate_flb_op_args *args);
	void (*unpreserve)(struct liveupdate_flb_op_args *args);
	int (*retrieve)(struct liveupdate_flb_op_args *args);
	void (*finish)(struct liveupdate_flb_op_args *args);
	const struct module *owner;
};

struct liveupdate_flb {
	const struct liveupdate_flb_ops *ops;
	char compatible[48];
};

IFS_PUBLIC bool ifs_liveupdate_enabled(void);
/* -EOPNOTSUPP (disabled), -EINVAL (op missing), -EEXIST, -ENOMEM. */
IFS_PUBLIC int ifs_liveupdate_register_file_handler(const struct liveupdate_file_handler *fh);
IFS_PUBLIC int ifs_liveupdate_unregister_file_handler(const struct liveupdate_file_handler *fh);
/* -EOPNOTSUPP, -EINVAL, -ENOMEM, -EEXIST, -ENOSPC (63 already). */
IFS_PUBLIC int ifs_liveupdate_register_flb(const struct liveupdate_file_handler *fh,
					   const struct liveupdate_flb *flb);
IFS_PUBLIC int ifs_liveupdate_unregister_flb(const struct liveupdate_file_handler *fh,
					     const struct liveupdate_flb *flb);
IFS_PUBLIC int ifs_liveupdate_flb_get_outgoing(const struct liveupdate_flb *flb, void **obj);
IFS_PUBLIC void ifs_liveupdate_flb_put_outgoing(const struct liveupdate_flb *flb);
IFS_PUBLIC int ifs_liveupdate_flb_get_incoming(const struct liveupdate_flb *flb, void **obj);
IFS_PUBLIC void ifs_liveupdate_flb_put_incoming(const struct liveupdate_flb *flb);
/*
 * The series' in-kernel file API. Callers run inside a callback of the same session (its mutex is
 * held). get_token_outgoing(): -ENOENT if @file is not preserved in @s; @token may be NULL.
 * get_file_incoming(): retrieves on demand, returns a new reference.
 */
IFS_PUBLIC int ifs_liveupdate_get_token_outgoing(struct liveupdate_session *s, struct file *file,
						 u64 *token);
IFS_PUBLIC int ifs_liveupdate_get_file_incoming(struct liveupdate_session *s, u64 token,
						struct file **file);
/* The name of a session: 1 to 63 bytes, for reports and ownership. */
IFS_PUBLIC const char *ifs_liveupdate_session_name(const struct liveupdate_session *s);
/*
 * Unlike Linux: can_finish() may ask whether it is the FINISH ioctl that wants to know, or the
 * implicit finish because the last descriptor of the session is gone (true) and nobody can try
 * again.
 */
IFS_PUBLIC bool ifs_liveupdate_session_is_closing(const struct liveupdate_session *s);
IFS_PUBLIC bool ifs_try_module_get(const struct module *module);
IFS_PUBLIC void ifs_module_put(const struct module *module);
IFS_PUBLIC u32 ifs_module_refcount(const struct module *module);

#define liveupdate_enabled ifs_liveupdate_enabled
#define liveupdate_register_file_handler ifs_liveupdate_register_file_handler
#define liveupdate_unregister_file_handler ifs_liveupdate_unregister_file_handler
#define liveupdate_register_flb ifs_liveupdate_register_flb
#define liveupdate_unregister_flb ifs_liveupdate_unregister_flb
#define liveupdate_flb_get_outgoing ifs_liveupdate_flb_get_outgoing
#define liveupdate_flb_put_outgoing ifs_liveupdate_flb_put_outgoing
#define liveupdate_flb_get_incoming ifs_liveupdate_flb_get_incoming
#define liveupdate_flb_put_incoming ifs_liveupdate_flb_put_incoming
#define liveupdate_get_token_outgoing ifs_liveupdate_get_token_outgoing
#define liveupdate_get_file_incoming ifs_liveupdate_get_file_incoming
#define liveupdate_session_name ifs_liveupdate_session_name
#define liveupdate_session_is_closing ifs_liveupdate_session_is_closing
#define try_module_get ifs_try_module_get
#define module_put ifs_module_put

#endif
