/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The descriptor itself, how a command is found and sized, what ids objects get, options. */
#include "traps.h"

#include <sys/stat.h>

/* What can be done with the descriptor besides its own commands. */
static void descriptor(struct traps *t)
{
	struct pollfd pfd = { .events = POLLIN | POLLOUT | POLLPRI };
	int fd = t_open(), zero = 0, one = 1;
	struct stat st;
	char byte = 0;

	IS(-EINVAL, sys(read(fd, &byte, 1)));
	IS(-EINVAL, sys(write(fd, &byte, 1)));
	IS(-ESPIPE, sys(lseek(fd, 0, SEEK_SET)));
	IS(-EINVAL, sys(pread(fd, &byte, 1, 0)));
	IS(0, fstat(fd, &st));
	IS(S_IFCHR | 0660, st.st_mode);
	pfd.fd = fd;
	IS(1, poll(&pfd, 1, 0));
	IS(POLLIN | POLLOUT, pfd.revents);
	IS(0, io(fd, FIONBIO, &zero));
	IS(0, io(fd, FIOCLEX, NULL));
	IS(1, fcntl(fd, F_GETFD));
	IS(0, io(fd, FIONCLEX, NULL));
	IS(0, fcntl(fd, F_GETFD));
	/* Only who asks for a change is told that there is none. */
	IS(0, io(fd, FIOASYNC, &zero));
	IS(-ENOTTY, io(fd, FIOASYNC, &one));
	IS(-ENOTTY, io(fd, FIONREAD, &zero));
	IS(-EINVAL, sys((long)mmap(NULL, PG, PROT_READ, MAP_PRIVATE, fd, PG)));
	IS(-EPERM, sys((long)mmap(NULL, PG, PROT_EXEC, MAP_SHARED, fd, PG)));
	IS(-ENXIO, sys((long)mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, PG)));
	close(fd);
}

/* The size is fetched before the number is looked up: whose pointer is bad is told that. */
static void size_before_number(struct traps *t)
{
	uint32_t words[64] = { 24 };
	int fd = t_open();

	IS(-ENOTTY, io(fd, 0x3b00, NOWHERE));
	IS(-ENOTTY, io(fd, 0x3b7f, NOWHERE));
	IS(-ENOTTY, io(fd, 0x3ba1, NOWHERE));
	IS(-ENOTTY, io(fd, 0x3bff, NOWHERE));
	for (unsigned nr = 0x80; nr <= 0xa0; nr++)
		IS(-EFAULT, io(fd, 0x3b00 | nr, NOWHERE));
	/* 0x96 and 0x97 are holes, too, where no design adds its own. */
	for (unsigned nr = 0x98; nr <= 0x9f; nr++)
		IS(-ENOTTY, io(fd, 0x3b00 | nr, words));
	/* Another type, and the number with a size in it. */
	IS(-EFAULT, io(fd, 0x3c81, NOWHERE));
	IS(-ENOTTY, io(fd, 0x3c81, words));
	IS(-ENOTTY, io(fd, _IOWR(0x3b, 0x81, uint32_t[3]), words));
	IS(-ENOTTY, io(fd, 0x13b81, words));
	/* Only the low byte tells what goes to the other side. */
	IS(-ENOTTY, io(fd, 0x3c64, NULL));
	IS(0, io(fd, 0x3b64, NULL));
	close(fd);
}

/* The smallest size, one less, and more than is known; some are shorter than what they point to. */
static void sizes(struct traps *t)
{
	static const struct {
		unsigned nr, min, full;
	} cmds[] = {
		{ 0x80, 8, 8 },   { 0x81, 12, 12 }, { 0x82, 24, 24 }, { 0x83, 40, 40 },
		{ 0x84, 32, 32 }, { 0x85, 40, 40 }, { 0x86, 24, 24 }, { 0x87, 24, 24 },
		{ 0x88, 12, 12 }, { 0x89, 24, 48 }, { 0x8a, 32, 40 }, { 0x8b, 16, 16 },
		{ 0x8c, 48, 48 }, { 0x8d, 32, 32 }, { 0x8e, 16, 16 }, { 0x8f, 40, 40 },
		{ 0x90, 24, 40 }, { 0x91, 24, 24 }, { 0x92, 8, 8 },   { 0x93, 28, 32 },
		{ 0x94, 40, 40 }, { 0x95, 40, 40 }, { 0xa0, 68, 72 },
	};
	uint32_t words[64];
	int fd = t_open();

	for (unsigned i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		unsigned cmd = 0x3b00 | cmds[i].nr;
		int64_t exact;

		memset(words, 0, sizeof(words));
		words[0] = cmds[i].min - 1;
		/* Flags of all ones: nobody looks yet. */
		words[1] = 0xffffffff;
		IS(-EINVAL, io(fd, cmd, words));
		words[0] = 0;
		IS(-EINVAL, io(fd, cmd, words));
		words[0] = cmds[i].full + 4;
		words[cmds[i].full / 4] = 0x1000000;
		IS(-E2BIG, io(fd, cmd, words));
		/* Zeroes beyond are as if they were not there. */
		words[1] = 0xfffffff0;
		words[cmds[i].full / 4] = 0;
		exact = io(fd, cmd, words);
		words[1] = 0xfffffff0;
		words[0] = cmds[i].min;
		IS(exact, io(fd, cmd, words));
	}
	close(fd);
}

/* There is no largest size: all of it is looked at until something is wrong. */
static void no_upper_bound(struct traps *t)
{
	uint8_t *b = t_buffer(4 * PG, 0);
	uint32_t *words = (void *)b;
	int fd = t_open();

	munmap(b + 3 * PG, PG);
	words[0] = 3 * PG;
	IS(0, io(fd, IOMMU_IOAS_ALLOC, words));
	IS(1, words[2]);
	IS(3 * PG, words[0]);
	words[0] = 3 * PG + 1;
	IS(-EFAULT, io(fd, IOMMU_IOAS_ALLOC, words));
	words[0] = 0xffffffff;
	IS(-EFAULT, io(fd, IOMMU_IOAS_ALLOC, words));
	b[3 * PG - 1] = 1;
	IS(-E2BIG, io(fd, IOMMU_IOAS_ALLOC, words));
	b[3 * PG - 1] = 0;
	b[12] = 1;
	IS(-E2BIG, io(fd, IOMMU_IOAS_ALLOC, words));
	/* The end of the structure itself is not there. */
	words = (void *)(b + 3 * PG - 8);
	words[0] = 12;
	IS(-EFAULT, io(fd, IOMMU_IOAS_ALLOC, words));
	words = (void *)(b + 3 * PG - 4);
	words[0] = 12;
	IS(-EFAULT, io(fd, IOMMU_IOAS_ALLOC, words));
	IS(-EFAULT, io(fd, IOMMU_IOAS_ALLOC, b + 3 * PG - 3));
	IS(2, t_ioas(fd));
	close(fd);
	munmap(b, 3 * PG);
}

/* The answer is the whole structure, as far as the caller's reaches; the inputs come back too. */
static void answers(struct traps *t)
{
	struct iommu_hwpt_alloc cmd = { .size = 24, .data_type = 0x11111111, .data_len = 5 };
	uint32_t option[6] = { 24, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0, 7, 7 };
	uint32_t failing[6] = { 24, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 1, 7, 7 };
	struct mock mock;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(3, mock.idev);
	IS(4, mock.hwpt);
	cmd.dev_id = 3;
	cmd.pt_id = 1;
	IS(0, io(fd, IOMMU_HWPT_ALLOC, &cmd));
	IS(5, cmd.out_hwpt_id);
	IS(0x11111111, cmd.data_type);
	/* OPTION answers its value and nothing else; a failed one nothing. */
	IS(-EBUSY, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 9));
	IS(0, t_destroy(fd, 5));
	IS(0, t_destroy(fd, 2));
	IS(0, t_destroy(fd, 1));
	IS(0, io(fd, IOMMU_OPTION, option));
	IS(0, option[4]);
	IS(0, option[5]);
	IS(-EOPNOTSUPP, io(fd, IOMMU_OPTION, failing));
	IS(7, failing[4]);
	close(fd);
}

/* The lowest free number, used again at once; and who else takes one. */
static void ids(struct traps *t)
{
	struct mock mock;
	int fd = t_open(), access;

	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(3, t_ioas(fd));
	IS(0, t_destroy(fd, 2));
	IS(-ENOENT, t_destroy(fd, 2));
	IS(2, t_ioas(fd));
	IS(-ENOENT, t_destroy(fd, 0));
	IS(-ENOENT, t_destroy(fd, 0x7fffffff));
	IS(-ENOENT, t_destroy(fd, 0x80000000));
	IS(-ENOENT, t_destroy(fd, 0xffffffff));
	/* An access takes one that nobody is told. */
	access = (int)t_access(fd, 1, 0);
	IS(5, t_ioas(fd));
	IS(-EBUSY, t_destroy(fd, 4));
	IS(-EBUSY, t_destroy(fd, 1));
	close(access);
	IS(-ENOENT, t_destroy(fd, 4));
	/* What fails gives its numbers back: the device's, and the two that came before. */
	IS(-ENOENT, t_mock(fd, 9, 0, &mock));
	IS(-EINVAL, t_mock(fd, 1, 2, &mock));
	IS(4, t_ioas(fd));
	IS(6, t_mock(fd, 1, 0, &mock));
	IS(7, mock.idev);
	IS(8, mock.hwpt);
	IS(-EBUSY, t_destroy(fd, 7));
	IS(-EBUSY, t_destroy(fd, 8));
	/* A second device of the same IOAS is on the same HWPT, which goes with the last. */
	IS(9, t_mock(fd, 1, 0, &mock));
	IS(10, mock.idev);
	IS(8, mock.hwpt);
	IS(0, t_destroy(fd, 6));
	IS(-EBUSY, t_destroy(fd, 8));
	IS(0, t_destroy(fd, 9));
	IS(-ENOENT, t_destroy(fd, 8));
	IS(0, t_destroy(fd, 1));
	close(fd);
}

/* Another type's id is as good as none, but where any may be named: there it is EINVAL. */
static void wrong_types(struct traps *t)
{
	struct mock mock;
	int fd = t_open();

	IS(1, t_ioas(fd));
	IS(2, t_mock(fd, 1, 0, &mock));
	IS(-ENOENT, t_map(fd, 2, RD, NULL, PG, 0));
	IS(-ENOENT, t_unmap(fd, 4, 0, PG));
	IS(-ENOENT, t_check_map(fd, 1, BASE, PG, NULL));
	IS(-ENOENT, t_mock_replace(fd, 3, 1));
	IS(-ENOENT, t_hwpt(fd, 0, 1, 1));
	IS(-ENOENT, t_hwpt(fd, 0, 99, 99));
	IS(-EINVAL, t_hwpt(fd, 0, 3, 99));
	IS(-EINVAL, t_hwpt(fd, 0, 3, 0));
	IS(-EINVAL, t_hwpt(fd, 0, 3, 3));
	IS(-EINVAL, t_hwpt(fd, 0, 3, 2));
	IS(-EOPNOTSUPP, t_hwpt(fd, 0, 3, 4));
	IS(-EINVAL, t_mock_replace(fd, 2, 3));
	IS(-EINVAL, t_mock_replace(fd, 2, 2));
	IS(-ENOENT, t_mock_replace(fd, 2, 99));
	IS(-EINVAL, t_mock(fd, 3, 0, NULL));
	IS(-ENOENT, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, 3));
	close(fd);
}

/* The accounting mode: who may, then when, then to what. */
static void rlimit_mode(struct traps *t)
{
	struct iommu_option odd = { .size = sizeof(odd), .__reserved = 1, .option_id = 9 };
	int fd = t_open();

	IS(-EOPNOTSUPP, io(fd, IOMMU_OPTION, &odd));
	IS(-EOPNOTSUPP, t_option(fd, 2, 1, 0, 0));
	IS(-EOPNOTSUPP, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 1, 0));
	IS(-EOPNOTSUPP, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, 2, 0, 0));
	IS(0, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0, 7));
	IS(-EINVAL, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 2));
	IS(1, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 1));
	IS(1, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0, 0));
	IS(0, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 0));
	IS(0, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0, 1));
	IS(1, t_ioas(fd));
	IS(-EBUSY, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 1));
	IS(-EBUSY, t_option(fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0, 5));
	/* The IOAS is looked up before the operation. */
	IS(-ENOENT, t_option(fd, IOMMU_OPTION_HUGE_PAGES, 9, 9, 0));
	IS(-EOPNOTSUPP, t_option(fd, IOMMU_OPTION_HUGE_PAGES, 9, 1, 0));
	IS(-EINVAL, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET, 1, 2));
	IS(1, t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET, 1, 0));
	close(fd);
}

/* The pointer is no reference: it goes with the IOAS. */
static void vfio_ioas(struct traps *t)
{
	struct iommu_vfio_ioas odd = { .size = sizeof(odd), .op = 3, .__reserved = 1 };
	int fd = t_open();

	IS(-EOPNOTSUPP, io(fd, IOMMU_VFIO_IOAS, &odd));
	IS(-EOPNOTSUPP, t_vfio_ioas(fd, 3, 0));
	IS(-ENODEV, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, 1));
	IS(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_CLEAR, 0));
	IS(-ENOENT, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, 1));
	IS(1, t_ioas(fd));
	IS(2, t_ioas(fd));
	IS(1, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, 1));
	IS(2, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, 2));
	IS(0, t_destroy(fd, 1));
	IS(2, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, 99));
	IS(0, t_destroy(fd, 2));
	IS(-ENODEV, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, 0));
	close(fd);
}

/* What is reserved in a structure is looked at in some commands and not in others. */
static void reserved_fields(struct traps *t)
{
	struct iommu_hwpt_set_dirty_tracking dirty = { .size = sizeof(dirty), .hwpt_id = 9,
						       .__reserved = 1 };
	struct iommu_hwpt_alloc hwpt = { .size = sizeof(hwpt), .dev_id = 9, .__reserved2 = 1 };
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu), .type = 1, .dev_id = 9,
					     .__reserved = 1 };
	struct iommu_hwpt_invalidate inv = { .size = sizeof(inv), .hwpt_id = 9, .__reserved = 1 };
	struct iommu_veventq_alloc veventq = { .size = sizeof(veventq), .type = 1,
					       .veventq_depth = 1, .__reserved = 1 };
	struct iommu_ioas_change_process change = { .size = sizeof(change), .__reserved = 1 };
	struct iommu_ioas_allow_iovas allow = { .size = sizeof(allow), .__reserved = 1 };
	struct iommu_ioas_map map = { .size = sizeof(map), .__reserved = 1, .length = MAX64 };
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = 9 };
	int fd = t_open();

	IS(-ENOENT, io(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	IS(-ENOENT, io(fd, IOMMU_HWPT_ALLOC, &hwpt));
	hwpt.__reserved = 1;
	IS(-EOPNOTSUPP, io(fd, IOMMU_HWPT_ALLOC, &hwpt));
	IS(-ENOENT, io(fd, IOMMU_VIOMMU_ALLOC, &viommu));
	inv.entry_num = 5;
	IS(-EOPNOTSUPP, io(fd, IOMMU_HWPT_INVALIDATE, &inv));
	IS(0, inv.entry_num);
	IS(-EOPNOTSUPP, io(fd, IOMMU_VEVENTQ_ALLOC, &veventq));
	IS(-EOPNOTSUPP, io(fd, IOMMU_IOAS_CHANGE_PROCESS, &change));
	IS(-EOPNOTSUPP, io(fd, IOMMU_IOAS_ALLOW_IOVAS, &allow));
	IS(-EOPNOTSUPP, io(fd, IOMMU_IOAS_MAP, &map));
	IS(-ENOENT, io(fd, IOMMU_GET_HW_INFO, &info));
	for (unsigned i = 0; i < 3; i++) {
		memset(info.__reserved, 0, 3);
		info.__reserved[i] = 1;
		IS(-EOPNOTSUPP, io(fd, IOMMU_GET_HW_INFO, &info));
	}
	close(fd);
}

int main(void)
{
	struct traps t = { 0 };

	descriptor(&t);
	size_before_number(&t);
	sizes(&t);
	no_upper_bound(&t);
	answers(&t);
	ids(&t);
	wrong_types(&t);
	rlimit_mode(&t);
	vfio_ioas(&t);
	reserved_fields(&t);
	return traps_end(&t, "traps_dispatch");
}
