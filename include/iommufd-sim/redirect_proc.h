/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Part of redirect.h, not for inclusion by itself: what a program may ask about its processes.
 *
 *  - fopen("/proc/PID/status"), PID a process of the simulated kernel or "self": the host's file,
 *    with the simulated VmLck and VmPin in it, as it was at the time of the call.
 *  - cap_get_proc() and cap_set_proc() of libcap, if its header is installed: the capabilities of
 *    the simulated process. The host's stay as they are, and need not be there.
 */
#include <iommufd-sim/redirect.h>       /* which includes this file where it belongs */

#ifndef IOMMUFD_SIM_REDIRECT_PROC_H
#define IOMMUFD_SIM_REDIRECT_PROC_H

/* With the lock held: the process that the host knows as @pid, or NULL. */
IFS_REDIRECT_FN struct ifs_process *ifs_redirect_process_of(int pid)
{
	struct ifs_redirect_shared *shared = ifs_redirect.shared;

	if (pid == getpid())
		return ifs_redirect.process;
	for (int i = 0; shared && i < IFS_REDIRECT_MAX_PROCESSES; i++)
		if (shared->members[i].process && shared->members[i].pid == pid)
			return shared->members[i].process;
	return NULL;
}

/* Whose status file @path is: a process of the host, or 0. */
IFS_REDIRECT_FN int ifs_redirect_status_pid(const char *path)
{
	char *end;
	long pid;

	if (!strcmp(path, "/proc/self/status"))
		return getpid();
	if (strncmp(path, "/proc/", 6) || path[6] < '1' || path[6] > '9')
		return 0;
	pid = strtol(path + 6, &end, 10);
	return strcmp(end, "/status") || pid > INT_MAX ? 0 : (int)pid;
}

/* A copy of @host, with these figures in pages. NULL: no memory. */
IFS_REDIRECT_FN FILE *ifs_redirect_status(FILE *host, uint64_t vm_pin, uint64_t vm_lck)
{
	FILE *out = fmemopen(NULL, 65536, "w+");
	char line[512];

	while (out && fgets(line, sizeof(line), host)) {
		if (!strncmp(line, "VmLck:", 6))
			fprintf(out, "VmLck:\t%8llu kB\n", (unsigned long long)vm_lck * 4);
		else if (!strncmp(line, "VmPin:", 6))
			fprintf(out, "VmPin:\t%8llu kB\n", (unsigned long long)vm_pin * 4);
		else
			fputs(line, out);
	}
	if (out)
		rewind(out);
	return out;
}

IFS_REDIRECT_FN FILE *ifs_redirect_fopen(const char *path, const char *mode)
{
	int pid = ifs_redirect_status_pid(path);
	struct ifs_process *process = NULL;
	uint64_t vm_pin = 0, vm_lck = 0;
	FILE *host = fopen(path, mode), *out;

	if (!host || !pid || mode[0] != 'r')
		return host;
	ifs_redirect_lock();
	process = ifs_redirect_process_of(pid);
	if (process)
		ifs_process_get_locked(process, &vm_pin, &vm_lck);
	ifs_redirect_unlock(0);
	if (!process)
		return host;
	out = ifs_redirect_status(host, vm_pin, vm_lck);
	fclose(host);
	return out;
}

#if __has_include(<sys/capability.h>)
#include <sys/capability.h>

/* inline: who does not call them need not link libcap, without optimization either. */
static inline cap_t ifs_redirect_cap_get_proc(void)
{
	uint64_t permitted, effective;
	cap_t caps;
	int ret;

	ifs_redirect_lock();
	ret = ifs_redirect_boot();
	if (!ret)
		ifs_capget(ifs_redirect.process, &permitted, &effective);
	if (ifs_redirect_unlock(ret))
		return NULL;
	caps = cap_init();
	if (!caps)
		return NULL;
	for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (permitted >> cap & 1)
			cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET);
		if (effective >> cap & 1)
			cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET);
	}
	return caps;
}

static inline uint64_t ifs_redirect_cap_bits(cap_t caps, cap_flag_t which)
{
	cap_flag_value_t value;
	uint64_t bits = 0;

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!cap_get_flag(caps, cap, which, &value) && value == CAP_SET)
			bits |= 1ull << cap;
	return bits;
}

static inline int ifs_redirect_cap_set_proc(cap_t caps)
{
	uint64_t permitted = ifs_redirect_cap_bits(caps, CAP_PERMITTED);
	uint64_t effective = ifs_redirect_cap_bits(caps, CAP_EFFECTIVE);
	int ret;

	ifs_redirect_lock();
	ret = ifs_redirect_boot();
	if (!ret)
		ret = ifs_capset(ifs_redirect.process, permitted, effective);
	return (int)ifs_redirect_unlock(ret);
}

#define cap_get_proc ifs_redirect_cap_get_proc
#define cap_set_proc ifs_redirect_cap_set_proc
#endif

#define fopen ifs_redirect_fopen
#define fopen64 ifs_redirect_fopen

#endif
