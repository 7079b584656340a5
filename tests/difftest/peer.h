/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Several processes that take turns. Number 0 is the program itself; the others are its children,
 * forked when they are asked for, and do what they are told. On Linux that is fork() and a mailbox
 * in shared memory; in the simulator there is no second process, but one of its own (ifs_fork()).
 *
 * Results are as the C library gives them: -1 and errno.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <stdint.h>

#define NR_PEERS 4

int peer_lives(unsigned peer);
void peer_fork(unsigned peer);
void peer_exit(unsigned peer);
int peer_open(unsigned peer, const char *path, int flags);
int peer_close(unsigned peer, int fd);
/* @arg has @size bytes, at most 256. */
int peer_ioctl(unsigned peer, int fd, unsigned long cmd, void *arg, unsigned size);
int peer_setrlimit_memlock(unsigned peer, uint64_t soft_bytes);
/* The effective set, bit CAP_*; everything stays permitted. */
int peer_capset(unsigned peer, uint64_t effective);
int peer_setresuid(unsigned peer, uint32_t ruid, uint32_t euid, uint32_t suid);
/* /proc/PID/status, in kB. */
void peer_locked(unsigned peer, uint64_t *vm_pin, uint64_t *vm_lck);

#endif
