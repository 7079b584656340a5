/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * For the kernel's iommufd selftest, after redirect.h: IOMMU_TEST_OP_DMABUF_GET answers with the
 * descriptor it made. 7.3 makes it, at the lowest free number, and answers 0; the program takes the
 * answer for the descriptor. All else is as it was.
 */
#include <iommufd-sim/redirect.h>

#define SELFTEST_OP_DMABUF_GET 22

static int selftest_ioctl(int fd, unsigned long cmd, ...)
{
	int lowest = dup(STDERR_FILENO), ret;
	va_list args;
	unsigned *arg;

	close(lowest);
	va_start(args, cmd);
	arg = va_arg(args, unsigned *);
	va_end(args);
	ret = ifs_redirect_ioctl(fd, cmd, arg);
	/* struct iommu_test_cmd: the size, then the operation */
	if (!ret && cmd == _IO(';', 0xa0) && arg[1] == SELFTEST_OP_DMABUF_GET)
		return lowest;
	return ret;
}

#undef ioctl
#define ioctl selftest_ioctl
