/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The door of /dev/iommu: every command with every size, random contents, good and bad pointers;
 * commands that are none.
 *
 * Not asked: FAULT_QUEUE_ALLOC, IOAS_CHANGE_PROCESS and the selftest command, which the simulator
 * does not have.
 */
#include "difftest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int iommu;

static int start(void)
{
	iommu = open("/dev/iommu", O_RDWR);
	return iommu < 0;
}

static void do_alloc(void)
{
	struct iommu_ioas_alloc c = { .size = sizeof(c) };

	call("ioas_alloc");
	result(ioctl(iommu, IOMMU_IOAS_ALLOC, &c));
	say(" id=%u", c.out_ioas_id);
	end();
}

static void do_raw(void)
{
	static const unsigned numbers[] = { 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88,
					    0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8f, 0x90, 0x91, 0x93,
					    0x94, 0x00, 0x7f, 0xa1, 0xff };
	unsigned type = pct(97) ? IOMMUFD_TYPE : (unsigned)below(256);
	unsigned long cmd = _IO(type, numbers[below(sizeof(numbers) / sizeof(numbers[0]))]);
	unsigned direction = pct(3) ? (unsigned)below(4) : 0;
	static uint32_t raw[64];
	void *arg = raw;

	memset(raw, 0, sizeof(raw));
	for (unsigned i = 1; i < 40 && pct(98); i++)
		raw[i] = pct(15) ? (uint32_t)below(pct(80) ? 6 : 1ull << 32) : 0;
	raw[0] = pct(60) ? 4 * (uint32_t)below(24) : (uint32_t)below(130);
	if (pct(3))
		raw[0] = pct(50) ? 4096 + (uint32_t)below(2) : (uint32_t)rnd();
	if (type != IOMMUFD_TYPE)
		raw[0] = 8;
	cmd |= (unsigned long)direction << _IOC_DIRSHIFT;
	if (pct(6))
		arg = pct(50) ? NOWHERE : (char *)page_before_guard() + PAGE - 4;
	call("raw cmd=%lx size=%u%s", cmd, raw[0], arg == raw ? "" : " elsewhere");
	for (unsigned i = 1; i < 12; i++)
		say(" %x", raw[i]);
	result(ioctl(iommu, cmd, arg));
	say(" sum=%08x", checksum(raw, sizeof(raw)));
	end();
}

/* What a file that is only good for ioctls makes of the rest. */
static void do_other(void)
{
	uint64_t word = 0;

	switch (below(6)) {
	case 0:
		call("read");
		result(read(iommu, &word, 8));
		break;
	case 1:
		call("write");
		result(write(iommu, &word, 8));
		break;
	case 2:
		call("lseek");
		result(lseek(iommu, 8, SEEK_SET));
		break;
	case 3:
		call("pread");
		result(pread(iommu, &word, 8, 8));
		break;
	case 4:
		call("fallocate");
		result(fallocate(iommu, 0, 0, PAGE));
		break;
	default:
		call("seals");
		result(fcntl(iommu, F_GET_SEALS));
	}
	end();
}

static const struct operation operations[] = {
	{ do_alloc, 2 }, { do_raw, 95 }, { do_other, 3 }, { 0 },
};

const struct profile profile_abi = { .name = "abi", .start = start, .operations = operations };
