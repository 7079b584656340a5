/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The files of fault injection: what they begin with, take, refuse and give back. */
#include "traps.h"

#include <dirent.h>

#define DEBUGFS "/sys/kernel/debug/"

/* What a file of debugfs says, without the newline; "?" and the errno if it does not. */
static const char *get(const char *path)
{
	static char text[64];
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	if (length < 1 || text[length - 1] != '\n')
		snprintf(text, sizeof(text), "? %d", length < 0 ? errno : 0);
	else
		text[length - 1] = '\0';
	close(fd);
	return text;
}

static int64_t put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int64_t rc = sys(write(fd, text, strlen(text)));

	close(fd);
	return rc;
}

#define SAYS(want, path) IS(0, strcmp(want, get(path)))

static void attributes(struct traps *t)
{
	SAYS("0", DEBUGFS "fail_iommufd/probability");
	SAYS("1", DEBUGFS "fail_iommufd/interval");
	SAYS("1", DEBUGFS "fail_iommufd/times");
	SAYS("0", DEBUGFS "fail_iommufd/space");
	SAYS("2", DEBUGFS "fail_iommufd/verbose");
	SAYS("0", DEBUGFS "fail_iommufd/verbose_ratelimit_interval_ms");
	SAYS("10", DEBUGFS "fail_iommufd/verbose_ratelimit_burst");
	SAYS("N", DEBUGFS "fail_iommufd/task-filter");
	SAYS("Y", DEBUGFS "failslab/ignore-gfp-wait");
	SAYS("N", DEBUGFS "failslab/cache-filter");
	IS(-1, open(DEBUGFS "fail_iommufd/ignore-gfp-wait", O_RDONLY));
	IS(-1, open(DEBUGFS "fail_iommufd/stacktrace-depth", O_RDONLY));
	IS(ENOENT, errno);
	/* Numbers of any base, with a newline or without. */
	IS(4, put(DEBUGFS "fail_iommufd/space", "0x10"));
	SAYS("16", DEBUGFS "fail_iommufd/space");
	IS(4, put(DEBUGFS "fail_iommufd/space", "010\n"));
	SAYS("8", DEBUGFS "fail_iommufd/space");
	IS(2, put(DEBUGFS "fail_iommufd/times", "-1"));
	SAYS("-1", DEBUGFS "fail_iommufd/times");
	/* 32 bits of 64. */
	IS(10, put(DEBUGFS "fail_iommufd/times", "4294967297"));
	SAYS("1", DEBUGFS "fail_iommufd/times");
	IS(-EINVAL, put(DEBUGFS "fail_iommufd/times", "1 "));
	IS(-EINVAL, put(DEBUGFS "fail_iommufd/times", "one"));
	IS(-EINVAL, put(DEBUGFS "fail_iommufd/times", "0x"));
	IS(-ERANGE, put(DEBUGFS "fail_iommufd/times", "9223372036854775808"));
	IS(-EINVAL, put(DEBUGFS "fail_iommufd/interval", "-1"));
	IS(-ERANGE, put(DEBUGFS "fail_iommufd/interval", "18446744073709551616"));
	IS(20, put(DEBUGFS "fail_iommufd/interval", "18446744073709551615"));
	SAYS("18446744073709551615", DEBUGFS "fail_iommufd/interval");
	IS(1, put(DEBUGFS "fail_iommufd/interval", "1"));
	IS(1, put(DEBUGFS "fail_iommufd/space", "0"));
	/* A word that is neither is no error. */
	IS(5, put(DEBUGFS "fail_iommufd/task-filter", "maybe"));
	SAYS("N", DEBUGFS "fail_iommufd/task-filter");
	IS(2, put(DEBUGFS "fail_iommufd/task-filter", "on"));
	SAYS("Y", DEBUGFS "fail_iommufd/task-filter");
	IS(6, put(DEBUGFS "fail_iommufd/task-filter", "oFfice"));
	SAYS("N", DEBUGFS "fail_iommufd/task-filter");
}

/* Numbers have no position; truth values do. */
static void positions(struct traps *t)
{
	int number = open(DEBUGFS "fail_iommufd/times", O_RDWR);
	int truth = open(DEBUGFS "fail_iommufd/task-filter", O_RDWR);
	char text[8];

	IS(-ESPIPE, sys(pread(number, text, 8, 0)));
	IS(-ESPIPE, sys(pwrite(number, "1", 1, 0)));
	IS(-ESPIPE, sys(lseek(number, 0, SEEK_SET)));
	IS(1, read(number, text, 1));
	IS(1, read(number, text, 8));
	IS('\n', text[0]);
	IS(0, read(number, text, 8));
	IS(2, pread(truth, text, 8, 0));
	IS(1, pread(truth, text, 8, 1));
	IS(0, pread(truth, text, 8, 2));
	IS(2, read(truth, text, 8));
	IS(0, read(truth, text, 8));
	IS(0, lseek(truth, 0, SEEK_SET));
	IS(2, read(truth, text, 8));
	close(number);
	number = open(DEBUGFS "fail_iommufd/times", O_RDWR);
	IS(-EFAULT, sys(read(number, NOWHERE, 8)));
	IS(-EFAULT, sys(write(number, NOWHERE, 8)));
	IS(8, sys(write(truth, NOWHERE, 8)));
	close(number);
	close(truth);
}

static void directories(struct traps *t)
{
	DIR *dir = opendir(DEBUGFS "fail_iommufd");
	struct dirent *entry;
	int fd, dots = 0, files = 0, times = 0;
	char byte;

	while (dir && (entry = readdir(dir))) {
		dots += entry->d_name[0] == '.' && entry->d_type == DT_DIR;
		files += entry->d_name[0] != '.' && entry->d_type == DT_REG;
		times += !strcmp(entry->d_name, "times");
	}
	IS(2, dots);
	IS(8, files);
	IS(1, times);
	fd = openat(dirfd(dir), "times", O_RDONLY);
	IS(1, read(fd, &byte, 1));
	IS(-ENOTDIR, sys(openat(fd, "times", O_RDONLY)));
	close(fd);
	IS(-EISDIR, sys(read(dirfd(dir), &byte, 1)));
	IS(-ENOENT, sys(openat(dirfd(dir), "time", O_RDONLY)));
	IS(0, closedir(dir));
	IS(-EISDIR, sys(open(DEBUGFS "failslab", O_RDWR)));
	IS(-ENOTDIR, sys(open(DEBUGFS "failslab/times", O_RDONLY | O_DIRECTORY)));
	IS(-ENOENT, sys(open(DEBUGFS "fail_iommu", O_RDONLY)));
	IS(-ENOENT, sys(open(DEBUGFS "fail_iommufds/times", O_RDONLY)));
}

/* A lookup that fails once; memory is spared until failslab is told otherwise. */
static void fail_nth(struct traps *t)
{
	int iommu = t_open(), fd = open("/proc/self/fail-nth", O_RDWR), other;
	char path[64], text[8] = "";

	IS(1, t_ioas(iommu));
	IS(2, pread(fd, text, 8, 0));
	IS('0', text[0]);
	IS(-EINVAL, sys(pwrite(fd, "", 0, 0)));
	IS(-EINVAL, sys(pwrite(fd, "-1", 2, 0)));
	IS(-ERANGE, sys(pwrite(fd, "4294967296", 10, 0)));
	IS(-ESPIPE, sys(lseek(fd, 0, SEEK_SET)));
	IS(2, pwrite(fd, "2\n", 2, 0));
	IS(1, t_ranges(iommu, 1, NULL, 0, NULL));
	IS(2, pread(fd, text, 8, 0));
	IS('1', text[0]);
	IS(-ENOENT, t_ranges(iommu, 1, NULL, 0, NULL));
	IS(2, pread(fd, text, 8, 0));
	IS('0', text[0]);
	IS(1, t_ranges(iommu, 1, NULL, 0, NULL));
	/* It is one number, by whatever name. */
	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", (int)getpid());
	other = open(path, O_RDWR);
	IS(1, write(other, "7", 1));
	IS(2, pread(fd, text, 8, 0));
	IS('7', text[0]);
	IS(1, write(other, "0", 1));
	close(other);
	IS(-ENOENT, sys(open("/proc/self/task/999999/fail-nth", O_RDWR)));
	close(fd);
	close(iommu);
}

/* Only a marked task fails. */
static void make_it_fail(struct traps *t)
{
	int iommu = t_open(), fd = open("/proc/self/make-it-fail", O_RDWR);
	char text[8] = "";

	IS(1, t_ioas(iommu));
	IS(1, put(DEBUGFS "fail_iommufd/verbose", "0"));
	IS(1, put(DEBUGFS "fail_iommufd/task-filter", "y"));
	IS(1, put(DEBUGFS "fail_iommufd/times", "1"));
	IS(3, put(DEBUGFS "fail_iommufd/probability", "100"));
	IS(1, t_ranges(iommu, 1, NULL, 0, NULL));
	IS(-EINVAL, sys(pwrite(fd, "2", 1, 0)));
	IS(-EINVAL, sys(pwrite(fd, "-1", 2, 0)));
	IS(1, pwrite(fd, "1", 1, 0));
	IS(2, pread(fd, text, 8, 0));
	IS('1', text[0]);
	IS(-ENOENT, t_ranges(iommu, 1, NULL, 0, NULL));
	SAYS("0", DEBUGFS "fail_iommufd/times");
	IS(1, t_ranges(iommu, 1, NULL, 0, NULL));
	IS(1, put(DEBUGFS "fail_iommufd/probability", "0"));
	close(fd);
	close(iommu);
}

int main(void)
{
	struct traps t = { 0 };

	attributes(&t);
	positions(&t);
	directories(&t);
	fail_nth(&t);
	make_it_fail(&t);
	return traps_end(&t, "traps_fail_files");
}
