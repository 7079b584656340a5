/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The user ABI of the Live Update Orchestrator at Linux 7.3: /dev/liveupdate and session files.
 *
 * Each command is a plain _IO() number without size or direction bits. The first field of every
 * structure is its size as the caller knows it: a larger one must be zero in what the kernel does
 * not know (-E2BIG), a smaller one than listed here is refused (-EINVAL).
 */
#ifndef IFS_UAPI_LINUX_LIVEUPDATE_H
#define IFS_UAPI_LINUX_LIVEUPDATE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LIVEUPDATE_IOCTL_TYPE 0xBA

/* Bytes of a session name with its terminating NUL: 1 to 63 bytes are usable. */
#define LIVEUPDATE_SESSION_NAME_LENGTH 64

/* Commands of /dev/liveupdate. */
enum {
	LIVEUPDATE_CMD_BASE = 0x00,
	LIVEUPDATE_CMD_CREATE_SESSION = 0x00,
	LIVEUPDATE_CMD_RETRIEVE_SESSION = 0x01,
};

/* Commands of a session file. */
enum {
	LIVEUPDATE_CMD_SESSION_BASE = 0x40,
	LIVEUPDATE_CMD_SESSION_PRESERVE_FD = 0x40,
	LIVEUPDATE_CMD_SESSION_RETRIEVE_FD = 0x41,
	LIVEUPDATE_CMD_SESSION_FINISH = 0x42,
	LIVEUPDATE_CMD_SESSION_GET_NAME = 0x43,
};

/*
 *   0 u32 size | 4 s32 fd (out) | 8 name[64] (in)                                     72 bytes
 * A new, empty session: @fd preserves into it; closing it before the kexec undoes everything.
 */
struct liveupdate_ioctl_create_session {
	__u32 size;
	__s32 fd;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
};
#define LIVEUPDATE_IOCTL_CREATE_SESSION \
	_IO(LIVEUPDATE_IOCTL_TYPE, LIVEUPDATE_CMD_CREATE_SESSION)

/*
 *   0 u32 size | 4 s32 fd (out) | 8 name[64] (in)                                     72 bytes
 * The session of that name which the previous kernel handed over. Once only.
 */
struct liveupdate_ioctl_retrieve_session {
	__u32 size;
	__s32 fd;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
};
#define LIVEUPDATE_IOCTL_RETRIEVE_SESSION \
	_IO(LIVEUPDATE_IOCTL_TYPE, LIVEUPDATE_CMD_RETRIEVE_SESSION)

/*
 *   0 u32 size | 4 s32 fd (in) | 8 u64 token (in)                                     16 bytes
 * The token is the caller's and unique within the session.
 */
struct liveupdate_session_preserve_fd {
	__u32 size;
	__s32 fd;
	__aligned_u64 token;
};
#define LIVEUPDATE_SESSION_PRESERVE_FD \
	_IO(LIVEUPDATE_IOCTL_TYPE, LIVEUPDATE_CMD_SESSION_PRESERVE_FD)

/*
 *   0 u32 size | 4 s32 fd (out) | 8 u64 token (in)                                    16 bytes
 * Again and again gives descriptors of the same open file.
 */
struct liveupdate_session_retrieve_fd {
	__u32 size;
	__s32 fd;
	__aligned_u64 token;
};
#define LIVEUPDATE_SESSION_RETRIEVE_FD \
	_IO(LIVEUPDATE_IOCTL_TYPE, LIVEUPDATE_CMD_SESSION_RETRIEVE_FD)

/*
 *   0 u32 size | 4 u32 reserved (0)                                                    8 bytes
 * The orchestrator lets go of every file of the session; what was not retrieved is discarded.
 */
struct liveupdate_session_finish {
	__u32 size;
	__u32 reserved;
};
#define LIVEUPDATE_SESSION_FINISH \
	_IO(LIVEUPDATE_IOCTL_TYPE, LIVEUPDATE_CMD_SESSION_FINISH)

/*   0 u32 size | 4 u32 reserved (0) | 8 name[64] (out)                                72 bytes */
struct liveupdate_session_get_name {
	__u32 size;
	__u32 reserved;
	__u8 name[LIVEUPDATE_SESSION_NAME_LENGTH];
};
#define LIVEUPDATE_SESSION_GET_NAME \
	_IO(LIVEUPDATE_IOCTL_TYPE, LIVEUPDATE_CMD_SESSION_GET_NAME)

#endif
