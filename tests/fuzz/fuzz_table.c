/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every ioctl there is, one row each: IOMMU_TEST_CMD has one for each of its operations.
 *
 * every_ioctl.py compares the names with the headers under include/uapi/linux/, and the replay of
 * the seeds (replay.c --every-ioctl) fails if a row was not answered with success and with an error
 * at least once. So a new ioctl without a row and a seed is a failed test.
 *
 * A program names a row by its place. New rows go to the end: then old inputs mean what they meant.
 */
#include "tests/fuzz/fuzz_world.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/iommufd_test.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include <iommufd-sim/uapi_posted_v1.h>
#include <iommufd-sim/uapi_reference.h>

#define MAX_ARG 256
#define MAX_ROWS 128

/*
 * @fields are those after the size and, of IOMMU_TEST_CMD, the operation (see fuzz_args.c). @out
 * says where ids are answered: the letter of the type and the offset, as often as there are any.
 */
struct row {
	const char *name;
	unsigned long cmd;
	uint32_t op;            /* of IOMMU_TEST_CMD */
	uint8_t size;           /* 0: the argument is one number, not a struct */
	char kind;              /* of the file it is for */
	const char *fields, *out;
	bool only_fails, only_succeeds;
};

#define ROW(ioctl, bytes, file, ...) \
	{ .name = #ioctl, .cmd = ioctl, .size = bytes, .kind = file, .fields = __VA_ARGS__ }
#define TEST(operation, ...) \
	{ .name = "IOMMU_TEST_OP_" #operation, .cmd = IOMMU_TEST_CMD, \
	  .op = IOMMU_TEST_OP_##operation, .size = 72, .kind = 'I', .fields = __VA_ARGS__ }

static const struct row rows[] = {
	ROW(IOMMU_DESTROY, 8, 'I', "o"),
	ROW(IOMMU_IOAS_ALLOC, 12, 'I', "..", .out = "a8"),
	ROW(IOMMU_IOAS_ALLOW_IOVAS, 24, 'I', "ai.p"),
	ROW(IOMMU_IOAS_COPY, 40, 'I', "Gaannn"),
	ROW(IOMMU_IOAS_IOVA_RANGES, 32, 'I', "ai.pn"),
	ROW(IOMMU_IOAS_MAP, 40, 'I', "ga.pnn"),
	ROW(IOMMU_IOAS_MAP_FILE, 40, 'I', "gaMnnn"),
	ROW(IOMMU_IOAS_UNMAP, 24, 'I', "ann"),
	ROW(IOMMU_OPTION, 24, 'I', "iian"),
	ROW(IOMMU_HWPT_ALLOC, 48, 'I', "fdk..TLpq.", .out = "h16"),
	ROW(IOMMU_GET_HW_INFO, 40, 'I', "gdLpT.n"),
	ROW(IOMMU_HWPT_SET_DIRTY_TRACKING, 16, 'I', "gh."),
	ROW(IOMMU_HWPT_GET_DIRTY_BITMAP, 48, 'I', "hg.nnnp"),
	ROW(IOMMU_VFIO_IOAS, 12, 'I', "ai"),
	ROW(IOMMU_IOAS_CHANGE_PROCESS, 8, 'I', "."),
	ROW(IOMMU_HWPT_LU_MARK, 24, 'I', "gh.t"),
	ROW(IOMMU_HWPT_LU_RESTORE, 24, 'I', ".t..", .out = "h16"),
	ROW(IOMMU_HWPT_LU_SET_PRESERVE, 12, 'I', "hi"),
	ROW(VFIO_DEVICE_BIND_IOMMUFD, 16, 'V', ".I.", .out = "d12"),
	ROW(VFIO_DEVICE_ATTACH_IOMMUFD_PT, 16, 'V', "gkP", .out = "h8"),
	ROW(VFIO_DEVICE_DETACH_IOMMUFD_PT, 12, 'V', "gP"),
	ROW(VFIO_DEVICE_GET_INFO, 24, 'V', "....."),
	ROW(VFIO_DEVICE_RESET, 4, 'V', ""),
	ROW(LIVEUPDATE_IOCTL_CREATE_SESSION, 72, 'L', ".N"),
	ROW(LIVEUPDATE_IOCTL_RETRIEVE_SESSION, 72, 'L', ".N"),
	ROW(LIVEUPDATE_SESSION_PRESERVE_FD, 16, 'S', "Ft"),
	ROW(LIVEUPDATE_SESSION_RETRIEVE_FD, 16, 'S', ".t"),
	ROW(LIVEUPDATE_SESSION_FINISH, 8, 'S', "."),
	ROW(LIVEUPDATE_SESSION_GET_NAME, 72, 'S', "."),

	ROW(IOMMU_FAULT_QUEUE_ALLOC, 16, 'I', "g..", .out = "q8"),
	ROW(IOMMU_HWPT_INVALIDATE, 32, 'I', "kpTLi."),
	ROW(IOMMU_VIOMMU_ALLOC, 40, 'I', "gTdh.L.p", .out = "v20"),
	ROW(IOMMU_VDEVICE_ALLOC, 24, 'I', "vd.n", .out = "w12"),
	ROW(IOMMU_VEVENTQ_ALLOC, 32, 'I', "gvTi...", .out = "e20"),
	ROW(IOMMU_HW_QUEUE_ALLOC, 40, 'I', "gvTi.nn", .out = "x20"),
	ROW(IOMMU_IOAS_NOIOMMU_GET_PA, 40, 'I', "ga.nnn", .only_fails = true),
	ROW(VFIO_GET_API_VERSION, 0, 'C', ".", .only_succeeds = true),
	ROW(VFIO_CHECK_EXTENSION, 0, 'C', "i"),
	ROW(VFIO_SET_IOMMU, 0, 'C', "i"),
	ROW(VFIO_IOMMU_GET_INFO, 24, 'C', ".n.."),
	ROW(VFIO_IOMMU_MAP_DMA, 32, 'C', "gpnn"),
	ROW(VFIO_IOMMU_UNMAP_DMA, 24, 'C', "gnn"),

	TEST(ADD_RESERVED, "a.nn"),
	TEST(MOCK_DOMAIN, "k....", .out = "s16h20d24"),
	TEST(MD_CHECK_MAP, "h.nnp"),
	TEST(MD_CHECK_REFS, "..npi"),
	TEST(CREATE_ACCESS, "a..g"),
	TEST(DESTROY_ACCESS_PAGES, "A.i"),
	TEST(ACCESS_PAGES, "A.G.nnp"),
	TEST(ACCESS_RW, "A.nnpG"),
	TEST(SET_TEMP_MEMORY_LIMIT, "..b"),
	TEST(MOCK_DOMAIN_REPLACE, "s.k"),
	TEST(ACCESS_REPLACE_IOAS, "A.a"),
	TEST(MOCK_DOMAIN_FLAGS, "k....g", .out = "s16h20d24"),
	TEST(DIRTY, "h.g.nnnp"),
	TEST(MD_CHECK_IOTLB, "h.iT"),
	TEST(TRIGGER_IOPF, "..dPiin"),
	TEST(DEV_CHECK_CACHE, "d.iT"),
	TEST(TRIGGER_VEVENT, "..d"),
	TEST(PASID_ATTACH, "s.Pk"),
	TEST(PASID_REPLACE, "s.Pk"),
	TEST(PASID_DETACH, "s.P"),
	TEST(PASID_CHECK_HWPT, "s.Ph"),
	TEST(DMABUF_GET, "..yg"),
	TEST(DMABUF_REVOKE, "..Dg"),

	ROW(VFIO_IOMMU_ENABLE, 8, 'C', ".", .only_fails = true),
	ROW(VFIO_IOMMU_DISABLE, 8, 'C', ".", .only_fails = true),
	ROW(VFIO_IOMMU_DIRTY_PAGES, 8, 'C', "g", .only_fails = true),
	/* Any operation, known or not, on next to nothing. */
	ROW(IOMMU_TEST_CMD, 72, 'I', "bb.b"),
};

_Static_assert(ARRAY_LENGTH(rows) <= MAX_ROWS, "room to count each");

/* How often each row was answered, in all runs of this process. */
static struct {
	unsigned long succeeded, failed;
} answers[MAX_ROWS];

/*
 * Did Linux, too, leave something behind although the call failed? @arg is what it wrote back;
 * @read_only: it could not. Each case is a documented effect of 7.3, as narrow as can be seen from
 * outside.
 */
static bool leaves_something(const struct fuzz_world *w, const struct row *row, int rc,
			     const unsigned char *arg, bool read_only)
{
	const struct iommu_hwpt_invalidate *invalidate = (const void *)arg;
	bool no_answer = rc == -EFAULT && read_only, exact = !w->scenario.config.not_exact;

	switch (row->cmd) {
	/* The copy-out comes last, and nothing is undone. */
	case IOMMU_IOAS_MAP: case IOMMU_IOAS_MAP_FILE: case IOMMU_IOAS_COPY: case IOMMU_OPTION:
	case LIVEUPDATE_SESSION_PRESERVE_FD: case LIVEUPDATE_SESSION_RETRIEVE_FD:
	case LIVEUPDATE_SESSION_FINISH:
		return no_answer;
	/*
	 * What is undone is the attachment, also one that was there before. A replacement that the
	 * driver refuses loses the device's reserved IOVA (7.3 only, if the IOAS is the same).
	 */
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		return no_answer ||
		       (exact && (rc == -EINVAL || rc == -ENOMEM || rc == -ENODEV));
	/* Whole areas before the one that cannot go are gone. */
	case IOMMU_IOAS_UNMAP:
		return no_answer || rc == -ENOENT || rc == -EBUSY || rc == -EDEADLOCK;
	/* The same, and areas stay cut where an earlier cut succeeded. */
	case VFIO_IOMMU_UNMAP_DMA:
		return no_answer || rc == -ENOMEM || rc == -EBUSY || rc == -EDEADLOCK;
	/* Entries before the one that is wrong have been done. */
	case IOMMU_HWPT_INVALIDATE:
		return no_answer || invalidate->entry_num;
	case IOMMU_TEST_CMD:
		break;
	default:
		return false;
	}
	switch (row->op) {
	case IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE: case IOMMU_TEST_OP_PASID_REPLACE:
		return no_answer;
	/* An event that there is no memory for counts as lost. */
	case IOMMU_TEST_OP_TRIGGER_VEVENT:
		return rc == -ENOMEM;
	default:
		return false;
	}
}

/*
 * A page that the program can write to and the kernel, which sees it by another address, cannot: an
 * ioctl reads its argument from there, does its work and cannot answer.
 */
static void *read_only_view(const unsigned char *arg)
{
	static unsigned char *writable, *read_only;

	if (!writable) {
		int fd = memfd_create("fuzz read-only", MFD_CLOEXEC);

		assert(fd >= 0 && ftruncate(fd, 4096) == 0);
		writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		read_only = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		assert(writable != MAP_FAILED && read_only != MAP_FAILED);
		close(fd);
	}
	memcpy(writable, arg, MAX_ARG);
	return read_only;
}

static void learn_ids(struct fuzz_world *w, const struct row *row, const unsigned char *arg)
{
	const char *out = row->out;

	while (out && *out) {
		char type = *out++;
		unsigned at = 0;
		uint32_t id;

		while (*out >= '0' && *out <= '9')
			at = 10 * at + (unsigned)(*out++ - '0');
		memcpy(&id, arg + at, sizeof(id));
		fuzz_id_add(w, type, id);
	}
	if (row->cmd == IOMMU_DESTROY) {
		uint32_t id;

		memcpy(&id, arg + 4, sizeof(id));
		fuzz_id_remove(w, id);
	}
}

static void fill(struct fuzz_world *w, const struct row *row, unsigned char *arg, uint32_t size)
{
	unsigned at = 0;

	if (row->size) {
		memcpy(arg, &size, sizeof(size));
		at = sizeof(size);
	}
	if (row->op) {
		memcpy(arg + at, &row->op, sizeof(row->op));
		at += sizeof(row->op);
	}
	for (const char *field = row->fields; *field; field++)
		at += fuzz_put_field(w, *field, arg + at);
	assert(at <= MAX_ARG);
}

static void trace(const struct row *row, int fd, const unsigned char *arg, bool read_only)
{
	uint32_t word;

	fprintf(stderr, "%s(%d%s", row->name, fd, read_only ? ", read-only" : "");
	for (unsigned at = 0; at < row->size; at += sizeof(word)) {
		memcpy(&word, arg + at, sizeof(word));
		fprintf(stderr, " %x", word);
	}
	fprintf(stderr, ") ");
}

int fuzz_ioctl(struct fuzz_world *w, uint8_t opcode, bool *partial)
{
	const struct row *row = &rows[fuzz_u8(&w->in) % ARRAY_LENGTH(rows)];
	unsigned char arg[MAX_ARG] = { 0 };
	uint8_t odd = opcode & FUZZ_CALL_SIZE ? fuzz_u8(&w->in) : 0xff;
	bool read_only = opcode & FUZZ_CALL_SIZE && odd >= FUZZ_SIZE_READ_ONLY;
	int fd = fuzz_fd(w, row->kind), rc;
	void *user = arg;

	fill(w, row, arg, odd < FUZZ_SIZE_READ_ONLY ? odd : row->size);
	if (!row->size)
		user = (void *)(uintptr_t)arg[0];
	else if (read_only)
		user = read_only_view(arg);
	if (w->trace)
		trace(row, fd, arg, read_only);
	rc = ifs_ioctl(w->process, fd, row->cmd, user);
	if (rc >= 0) {
		answers[row - rows].succeeded++;
		learn_ids(w, row, arg);
	} else {
		answers[row - rows].failed++;
		*partial = leaves_something(w, row, rc, arg, read_only);
	}
	return rc;
}

bool fuzz_every_ioctl_was_answered(FILE *out)
{
	bool complete = true;

	for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
		const struct row *row = &rows[i];
		bool missing = (!answers[i].succeeded && !row->only_fails) ||
			       (!answers[i].failed && !row->only_succeeds);

		fprintf(out, "%-40s %8lu succeeded %8lu failed%s\n", row->name,
			answers[i].succeeded, answers[i].failed, missing ? "  MISSING" : "");
		complete = complete && !missing;
	}
	return complete;
}
