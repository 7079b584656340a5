/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The calls of a fuzzed program: one byte picks the call, the next ones its arguments.
 *
 * Random arguments would hardly ever get past -EBADF and -ENOENT. So a descriptor is mostly picked
 * among those of the kind the call wants, object ids are small numbers, tokens and session names
 * come from the few that the live update uses, and addresses are near its regions.
 */
#include "tests/fuzz/fuzz_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include <iommufd-sim/uapi_posted_v1.h>
#include <iommufd-sim/uapi_reference.h>

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_FD 16
#define BUFFER_PAGES 16

static unsigned char buffer[BUFFER_PAGES << 12] __attribute__((aligned(4096)));

/* How the name of an open file begins (see ifs_fstat()), by the letters used below. */
static const struct {
	char kind;
	const char *name;
} kinds[] = {
	{ 'I', "/dev/iommu" },
	{ 'V', "/dev/vfio/" },
	{ 'L', "/dev/liveupdate" },
	{ 'S', "anon_inode:[luo_session]" },
	{ 'M', "/memfd:" },
};

static const char *name_of_kind(char kind)
{
	for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++) {
		if (kinds[i].kind == kind)
			return kinds[i].name;
	}
	return "";
}

/* Of the open files of @kind, the one that the next byte picks; of any kind if it is above 0xef. */
static int fd_of(struct fuzz_world *w, char kind)
{
	const char *name = name_of_kind(kind);
	uint8_t pick = fuzz_u8(&w->in);
	int found[MAX_FD], nr_found = 0;
	struct ifs_stat stat;

	if (pick < 0xf0) {
		for (int fd = 0; fd < MAX_FD; fd++) {
			if (ifs_fstat(w->process, fd, &stat) == 0 &&
			    !strncmp(stat.name, name, strlen(name)))
				found[nr_found++] = fd;
		}
	}
	return nr_found ? found[pick % nr_found] : pick % MAX_FD;
}

/*
 * A file to map: not one that may hold the iommufd it is mapped into. Such a ring nobody ever
 * frees, in Linux neither, and at the end it would pass for a leak of ours.
 */
static int fd_to_map(struct fuzz_world *w)
{
	int fd = fd_of(w, 'M');
	struct ifs_stat stat;

	for (const char *kind = "IVS"; *kind; kind++) {
		const char *name = name_of_kind(*kind);

		if (ifs_fstat(w->process, fd, &stat) == 0 &&
		    !strncmp(stat.name, name, strlen(name)))
			return -1;
	}
	return fd;
}

static uint64_t token(struct fuzz_world *w)
{
	static const uint64_t tokens[] = {
		0x1001, 0x2002, 0x300000000, 0x300000001, 0x4000000000000001, 0, 1, ~0ull,
	};

	return tokens[fuzz_u8(&w->in) % ARRAY_LENGTH(tokens)];
}

static const char *session_name(struct fuzz_world *w)
{
	static const char *const names[] = { "vmm", "other", "", "third" };

	return names[fuzz_u8(&w->in) % ARRAY_LENGTH(names)];
}

/* A user address: of our own buffer, of a mapping, or a bad one. */
static uint64_t pointer(struct fuzz_world *w)
{
	uint8_t pick = fuzz_u8(&w->in);
	const struct fuzz_mapping *mapping = &w->mappings[pick % FUZZ_MAPPINGS];

	if (pick < 0x80)
		return (uintptr_t)buffer + ((uint64_t)(pick % BUFFER_PAGES) << 12) + (pick >> 4);
	if (pick < 0xf0 && mapping->process)
		return (uintptr_t)mapping->start + ((uint64_t)(pick >> 2 & 15) << 12);
	return (uint64_t)(pick & 15) << 12;
}

/*
 * A call whose argument is a struct: what each field after its size is filled with.
 *
 *   i  u32, a small number          n  u64, see fuzz_number()       .  u32, 0
 *   g  u32, a few bits              t  u64, a token                 p  u64, a user address
 *   M  u32, a memory file           I  u32, an iommufd              F  u32, any file
 *   N  64 bytes, a session's name
 */
struct call {
	unsigned long cmd;
	uint8_t size;
	char kind;              /* of the file it is for */
	const char *fields;
};

static const struct call calls[] = {
	{ IOMMU_DESTROY, 8, 'I', "i" },
	{ IOMMU_IOAS_ALLOC, 12, 'I', ".." },
	{ IOMMU_IOAS_ALLOW_IOVAS, 24, 'I', "ii.p" },
	{ IOMMU_IOAS_COPY, 40, 'I', "giinnn" },
	{ IOMMU_IOAS_IOVA_RANGES, 32, 'I', "ii.pn" },
	{ IOMMU_IOAS_MAP, 40, 'I', "gi.pnn" },
	{ IOMMU_IOAS_MAP_FILE, 40, 'I', "giMnnn" },
	{ IOMMU_IOAS_UNMAP, 24, 'I', "inn" },
	{ IOMMU_OPTION, 24, 'I', "iiin" },
	{ IOMMU_HWPT_ALLOC, 48, 'I', "gii..i.p.." },
	{ IOMMU_GET_HW_INFO, 40, 'I', "giipi.n" },
	{ IOMMU_HWPT_SET_DIRTY_TRACKING, 16, 'I', "gi." },
	{ IOMMU_HWPT_GET_DIRTY_BITMAP, 48, 'I', "ig.nnnp" },
	{ IOMMU_VFIO_IOAS, 12, 'I', "ii" },
	{ IOMMU_IOAS_CHANGE_PROCESS, 8, 'I', "." },
	{ IOMMU_HWPT_LU_MARK, 24, 'I', "gi.t" },
	{ IOMMU_HWPT_LU_RESTORE, 24, 'I', ".t.." },
	{ IOMMU_HWPT_LU_SET_PRESERVE, 12, 'I', "ii" },
	{ VFIO_DEVICE_BIND_IOMMUFD, 16, 'V', ".I." },
	{ VFIO_DEVICE_ATTACH_IOMMUFD_PT, 16, 'V', ".i." },
	{ VFIO_DEVICE_DETACH_IOMMUFD_PT, 12, 'V', ".." },
	{ VFIO_DEVICE_GET_INFO, 24, 'V', "....." },
	{ VFIO_DEVICE_RESET, 4, 'V', "" },
	{ LIVEUPDATE_IOCTL_CREATE_SESSION, 72, 'L', ".N" },
	{ LIVEUPDATE_IOCTL_RETRIEVE_SESSION, 72, 'L', ".N" },
	{ LIVEUPDATE_SESSION_PRESERVE_FD, 16, 'S', "Ft" },
	{ LIVEUPDATE_SESSION_RETRIEVE_FD, 16, 'S', ".t" },
	{ LIVEUPDATE_SESSION_FINISH, 8, 'S', "." },
	{ LIVEUPDATE_SESSION_GET_NAME, 72, 'S', "." },
};

/* One field, at @to; returns how many bytes it has. */
static unsigned put_field(struct fuzz_world *w, char kind, unsigned char *to)
{
	uint64_t value = 0;
	unsigned width = strchr("ntp", kind) ? 8 : 4;
	uint8_t pick;

	switch (kind) {
	case 'i': value = fuzz_u8(&w->in) % 10; break;
	case 'g': value = fuzz_u8(&w->in) % 8; break;
	case 'n': value = fuzz_number(&w->in); break;
	case 't': value = token(w); break;
	case 'p': value = pointer(w); break;
	case 'M': value = (uint32_t)fd_to_map(w); break;
	case 'I': value = (uint32_t)fd_of(w, kind); break;
	case 'F':
		pick = fuzz_u8(&w->in);
		value = (uint32_t)fd_of(w, "MIVS"[pick % 4]);
		break;
	case 'N':
		strcpy((char *)to, session_name(w));
		return 64;
	default:
		break;
	}
	memcpy(to, &value, width);
	return width;
}

static int do_ioctl(struct fuzz_world *w, bool odd_size)
{
	const struct call *call = &calls[fuzz_u8(&w->in) % ARRAY_LENGTH(calls)];
	unsigned char arg[256] = { 0 };
	uint32_t size = odd_size ? fuzz_u8(&w->in) : call->size;
	int fd = fd_of(w, call->kind);
	unsigned at = 4;

	memcpy(arg, &size, 4);
	for (const char *field = call->fields; *field; field++)
		at += put_field(w, *field, arg + at);
	return ifs_ioctl(w->process, fd, call->cmd, arg);
}

/* Memory files, and what they share with all files. */
static int do_file(struct fuzz_world *w)
{
	uint8_t what = fuzz_u8(&w->in);
	int fd = fd_of(w, what & 0x80 ? "IVLS"[what >> 5 & 3] : 'M');
	off_t at = (off_t)fuzz_number(&w->in);
	uint32_t count = fuzz_u16(&w->in) % sizeof(buffer);

	switch (what % 16) {
	case 0: return ifs_ftruncate(w->process, fd, at);
	case 1: return ifs_fallocate(w->process, fd, count % 5, at, (off_t)fuzz_number(&w->in));
	case 2: return ifs_fcntl(w->process, fd, F_ADD_SEALS, count % 64);
	case 3: return (int)ifs_pwrite(w->process, fd, buffer, count, at);
	case 4: return (int)ifs_pread(w->process, fd, buffer, count, at);
	case 5: return (int)ifs_write(w->process, fd, buffer, count);
	case 6: return (int)ifs_read(w->process, fd, buffer, count);
	case 7: return ifs_lseek(w->process, fd, at, (int)(count % 6)) < 0 ? -EINVAL : 0;
	case 8: return ifs_fcntl(w->process, fd, F_DUPFD, count % MAX_FD);
	case 9: return ifs_fcntl(w->process, fd, F_SETFL, count);
	case 10: return ifs_poll(w->process, fd, POLLIN);
	default: return ifs_close(w->process, fd);
	}
}

static void forget_mappings(struct fuzz_world *w, const struct ifs_process *process)
{
	for (unsigned i = 0; i < FUZZ_MAPPINGS; i++) {
		if (w->mappings[i].process == process)
			w->mappings[i].process = NULL;
	}
}

static int do_mmap(struct fuzz_world *w, struct fuzz_mapping *mapping)
{
	int fd = fd_of(w, 'M'), rc;
	uint8_t prot = fuzz_u8(&w->in) % 8;
	off_t at = (off_t)fuzz_number(&w->in);

	mapping->length = (size_t)(fuzz_u8(&w->in) + 1) << 12;
	rc = ifs_mmap(w->process, mapping->length, prot, MAP_SHARED, fd, at, &mapping->start);
	if (rc == 0)
		mapping->process = w->process;
	return rc;
}

/* A mapping is forgotten once any part of it is gone. */
static int do_memory(struct fuzz_world *w)
{
	uint8_t what = fuzz_u8(&w->in);
	struct fuzz_mapping *mapping = &w->mappings[what % FUZZ_MAPPINGS];
	unsigned char *start = mapping->start;
	size_t skip, length;
	int rc;

	if (!mapping->process)
		return do_mmap(w, mapping);
	skip = (size_t)(fuzz_u8(&w->in) % 16) << 12;
	length = (size_t)(fuzz_u8(&w->in) % 16 + 1) << 12;
	if (skip >= mapping->length || length > mapping->length - skip) {
		skip = 0;
		length = mapping->length;
	}
	if (what & 0x80)
		return ifs_mprotect(mapping->process, start + skip, length, what >> 4 & 7);
	rc = ifs_munmap(mapping->process, start + skip, length);
	if (rc == 0)
		mapping->process = NULL;
	return rc;
}

/* The second process comes and goes; either may be the one that calls. */
static int do_process(struct fuzz_world *w)
{
	struct ifs_process **other = &w->processes[w->process == w->processes[0]];

	switch (fuzz_u8(&w->in) % 8) {
	case 0: case 1:
		if (!*other)
			*other = ifs_fork(w->process);
		return *other ? 0 : -ENOMEM;
	case 2:
		if (!*other)
			*other = ifs_process_new(w->scenario.kernel, NULL);
		return *other ? 0 : -ENOMEM;
	case 3:
		forget_mappings(w, *other);
		ifs_exit(*other);
		*other = NULL;
		return 0;
	case 4: case 5:
		return *other ? ifs_send_fd(w->process, fd_of(w, 'I'), *other) : 0;
	default:
		if (*other)
			w->process = *other;
		return 0;
	}
}

static int do_dma(struct fuzz_world *w)
{
	uint8_t what = fuzz_u8(&w->in);
	struct ifs_device *device = w->scenario.devices[what % w->scenario.config.devices];
	uint64_t iova = fuzz_number(&w->in);
	uint32_t length = fuzz_u16(&w->in) % sizeof(buffer);

	switch (what >> 6) {
	case 0: ifs_device_dma_write(device, iova, buffer, length, NULL); break;
	case 1: ifs_device_dma_read(device, iova, buffer, length, NULL); break;
	case 2: ifs_machine_run(w->scenario.machine, 4); break;
	default: ifs_device_stream_stop(device); break;
	}
	return 0;
}

static int do_kexec(struct fuzz_world *w)
{
	struct lu_scenario *s = &w->scenario;
	int rc = ifs_kernel_kexec(s->kernel);

	if (rc)
		return rc;
	s->kernel = NULL;
	memset(w->processes, 0, sizeof(w->processes));
	memset(w->mappings, 0, sizeof(w->mappings));
	ifs_machine_run(s->machine, 4);
	if (lu_scenario_step(s, lu_scenario_find(s, 0, LU_BOOT)))
		fuzz_die(w, s->error.text);
	w->process = w->processes[0] = ifs_process_new(s->kernel, NULL);
	return 0;
}

/* Two ranges, for what takes a list of them, and bits for the rest. */
static int do_fill_buffer(struct fuzz_world *w)
{
	uint64_t words[4];
	unsigned page = fuzz_u8(&w->in) % BUFFER_PAGES;

	for (unsigned i = 0; i < 4; i += 2) {
		words[i] = fuzz_number(&w->in);
		words[i + 1] = words[i] + fuzz_number(&w->in);
	}
	memcpy(buffer + ((size_t)page << 12), words, sizeof(words));
	return 0;
}

static int do_open(struct fuzz_world *w)
{
	static const char *const paths[] = {
		"/dev/iommu", "/dev/vfio/devices/vfio0", "/dev/vfio/devices/vfio1",
		"/dev/liveupdate", "/dev/none",
	};
	uint8_t what = fuzz_u8(&w->in);

	if (what & 0x80)
		return ifs_memfd_create(w->process, "m", what % 16);
	return ifs_open(w->process, paths[what % ARRAY_LENGTH(paths)], O_RDWR);
}

int fuzz_call(struct fuzz_world *w, uint8_t opcode)
{
	switch (opcode % 32) {
	case 0: case 1: case 2: return do_open(w);
	case 3: case 4: case 5: return do_file(w);
	case 6: return do_process(w);
	case 7: case 8: return do_memory(w);
	case 9: return do_dma(w);
	case 10: return do_kexec(w);
	case 11: return do_fill_buffer(w);
	default: return do_ioctl(w, opcode & FUZZ_CALL_SIZE);
	}
}
