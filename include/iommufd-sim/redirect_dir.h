/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Part of redirect.h, not for inclusion by itself: the files of fault injection that a kernel with
 * the selftest interface has (process.h lists them), and directories of them as opendir() gives
 * them. With IFS_REDIRECT_IOMMUFD_TEST set, all of /sys/kernel/debug is the simulator's, and of
 * /proc what is named fail-nth or make-it-fail.
 */
#include <iommufd-sim/redirect.h>       /* which includes this file where it belongs */

#ifndef IOMMUFD_SIM_REDIRECT_DIR_H
#define IOMMUFD_SIM_REDIRECT_DIR_H

#include <dirent.h>

/* What DIR is for a simulated directory. */
struct ifs_redirect_dir {
	struct ifs_redirect_dir *next;
	int fd;
	ssize_t at, filled;
	_Alignas(8) char entries[2048];
};

IFS_REDIRECT_FN int ifs_redirect_ends_with(const char *path, const char *end)
{
	size_t length = strlen(path), end_length = strlen(end);

	return length >= end_length && !strcmp(path + length - end_length, end);
}

IFS_REDIRECT_FN int ifs_redirect_is_fault_file(const char *path)
{
	static const char debugfs[] = "/sys/kernel/debug";
	size_t length = sizeof(debugfs) - 1;

	if (!ifs_redirect_env("IOMMUFD_TEST", 0))
		return 0;
	if (!strncmp(path, debugfs, length))
		return !path[length] || path[length] == '/';
	return !strncmp(path, "/proc/", 6) && (ifs_redirect_ends_with(path, "/fail-nth") ||
					       ifs_redirect_ends_with(path, "/make-it-fail"));
}

/* The program knows itself by the host's numbers: "/proc/self/task/N/" is "/proc/self/". */
IFS_REDIRECT_FN void ifs_redirect_own_path(const char *path, char *out, size_t size)
{
	static const char self[] = "/proc/self/task/";
	char *end = NULL;
	long tid = 0;

	if (!strncmp(path, self, sizeof(self) - 1))
		tid = strtol(path + sizeof(self) - 1, &end, 10);
	if (tid && *end == '/' && (tid == getpid() || tid == gettid()))
		snprintf(out, size, "/proc/self%s", end);
	else
		snprintf(out, size, "%s", path);
}

/* The list has it, or it is the C library's: NULL. */
IFS_REDIRECT_FN struct ifs_redirect_dir *ifs_redirect_dir_of(DIR *handle)
{
	struct ifs_redirect_dir *dir = ifs_redirect.dirs;

	while (dir && (void *)dir != (void *)handle)
		dir = dir->next;
	return dir;
}

/* @fd: open(2) of it. */
IFS_REDIRECT_FN DIR *ifs_redirect_dir_new(int fd)
{
	struct ifs_redirect_dir *dir = fd < 0 ? NULL : calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->fd = fd;
	dir->next = ifs_redirect.dirs;
	ifs_redirect.dirs = dir;
	return (DIR *)(void *)dir;
}

IFS_REDIRECT_FN int ifs_redirect_dirfd(DIR *handle)
{
	struct ifs_redirect_dir *dir = ifs_redirect_dir_of(handle);

	return dir ? dir->fd : dirfd(handle);
}

IFS_REDIRECT_FN struct dirent *ifs_redirect_readdir(DIR *handle)
{
	struct ifs_redirect_dir *dir = ifs_redirect_dir_of(handle);
	struct dirent *entry;

	if (!dir)
		return readdir(handle);
	if (dir->at >= dir->filled) {
		ifs_redirect_lock();
		dir->at = 0;
		dir->filled = ifs_redirect_unlock(ifs_getdents64(ifs_redirect.process, dir->fd,
								 dir->entries,
								 sizeof(dir->entries)));
		if (dir->filled <= 0)
			return NULL;
	}
	entry = (struct dirent *)(void *)(dir->entries + dir->at);
	dir->at += entry->d_reclen;
	return entry;
}

/* The caller closes the descriptor that is returned, or none (-1). */
IFS_REDIRECT_FN int ifs_redirect_dir_free(DIR *handle)
{
	struct ifs_redirect_dir *dir = ifs_redirect_dir_of(handle), **at = &ifs_redirect.dirs;
	int fd;

	if (!dir)
		return -1;
	while (*at != dir)
		at = &(*at)->next;
	*at = dir->next;
	fd = dir->fd;
	free(dir);
	return fd;
}

#endif
