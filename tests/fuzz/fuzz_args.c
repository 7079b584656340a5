/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Arguments of fuzzed calls.
 *
 * Random ones would hardly ever get past -EBADF and -ENOENT. So a descriptor is mostly picked among
 * those of the kind the call wants, an id among those that calls have answered for that type of
 * object, tokens and session names come from the few that the live update uses, addresses are near
 * its regions and the mock's aperture, types and lengths are those that some driver knows.
 *
 * Kinds of files:
 *
 *   I  /dev/iommu    C  /dev/vfio/vfio    V  a VFIO device    L  /dev/liveupdate    S  a session
 *   M  a memory file    F  a fault queue    E  a vEVENTQ    A  an access    D  a dma-buf
 *
 * Fields of structs, each of which is filled from one byte unless noted:
 *
 *   .  u32, 0                         i  u32, 0 .. 9                 b  u32, a byte
 *   g  u32, three bits of flags       f  u32, four of them           G  g and MOCK_FLAGS_ACCESS_SYZ
 *   T  u32, a type                    L  u32, a length               P  u32, a PASID
 *   n  u64, fuzz_number() (2 bytes)   y  the same, u32               t  u64, a token
 *   p  u64, a user address            N  64 bytes, a session's name
 *   I A D  u32, a file of that kind  M  u32, a file to map           F  u32, any file (2 bytes)
 *   a h d q v w e x s  u32, an id of that type       k  what a device can be attached to
 *   o  u32, an id of any type
 */
#include "tests/fuzz/fuzz_world.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <linux/iommufd_test.h>

/* How the name of an open file begins (see ifs_fstat()). */
static const struct {
	char kind;
	const char *name;
} kinds[] = {
	{ 'C', "/dev/vfio/vfio" },      /* before 'I', which it is as well */
	{ 'I', "/dev/iommu" },
	{ 'V', "/dev/vfio/devices/" },
	{ 'L', "/dev/liveupdate" },
	{ 'S', "anon_inode:[luo_session]" },
	{ 'M', "/memfd:" },
	{ 'F', "anon_inode:[iommufd-pgfault]" },
	{ 'E', "anon_inode:[iommufd-viommu-event]" },
	{ 'A', "anon_inode:[iommufd_test_staccess]" },
	{ 'D', "/dmabuf:" },
};

/*
 * Behind the buffer nothing can be written for a long way: programs ask for more than fits, at
 * offsets that only the 64-bit space limits, and the kernel writes wherever the host lets it.
 */
static unsigned char *buffer(void)
{
	static unsigned char *made;

	if (!made) {
		const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

		made = mmap(NULL, 1ull << 40, PROT_NONE, flags, -1, 0);
		assert(made != MAP_FAILED);
		if (mprotect(made, FUZZ_BUFFER_PAGES << 12, PROT_READ | PROT_WRITE))
			assert(!"the buffer cannot be made writable");
	}
	return made;
}

unsigned char *fuzz_buffer(unsigned page)
{
	return buffer() + ((size_t)(page % FUZZ_BUFFER_PAGES) << 12);
}

void fuzz_buffer_reset(void)
{
	memset(buffer(), 0, FUZZ_BUFFER_PAGES << 12);
}

static char kind_of(struct fuzz_world *w, int fd)
{
	struct ifs_stat stat;

	if (ifs_fstat(w->process, fd, &stat))
		return 0;
	for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++) {
		if (!strncmp(stat.name, kinds[i].name, strlen(kinds[i].name)))
			return kinds[i].kind;
	}
	/* One that came from the previous kernel has lost its name. */
	return S_ISREG(stat.mode) ? 'M' : '?';
}

char fuzz_fd_kind(struct fuzz_world *w, int fd)
{
	if (fd < 0 || fd >= FUZZ_MAX_FD)
		return kind_of(w, fd);
	for (int i = 0; i < FUZZ_MAX_FD && !w->fd_kinds_known; i++)
		w->fd_kinds[i] = kind_of(w, i);
	w->fd_kinds_known = true;
	return w->fd_kinds[fd];
}

/* What is for a container is half of the time for an iommufd, which answers it as well. */
int fuzz_fd(struct fuzz_world *w, char kind)
{
	uint8_t pick = fuzz_u8(&w->in);
	int found[FUZZ_MAX_FD], nr_found = 0;

	if (kind == 'C' && pick & 0x40)
		kind = 'I';

	for (int fd = 0; fd < FUZZ_MAX_FD && pick < 0xf0; fd++) {
		if (fuzz_fd_kind(w, fd) == kind)
			found[nr_found++] = fd;
	}
	return nr_found ? found[pick % nr_found] : pick % FUZZ_MAX_FD;
}

static bool is_open(struct fuzz_world *w, char kind)
{
	for (int fd = 0; fd < FUZZ_MAX_FD; fd++) {
		if (fuzz_fd_kind(w, fd) == kind)
			return true;
	}
	return false;
}

/*
 * A file to map: a dma-buf if the byte is above 0x7f and there is one, else a memory file. Not one
 * that may hold the iommufd it is mapped into. Such a ring nobody ever frees, in Linux neither, and
 * at the end it would pass for a leak of ours.
 */
static int fd_to_map(struct fuzz_world *w)
{
	bool dmabuf = w->in.left && *w->in.data >= 0x80 && is_open(w, 'D');
	int fd = fuzz_fd(w, dmabuf ? 'D' : 'M');
	char found = fuzz_fd_kind(w, fd);

	return found && strchr("ICVSFEA", found) ? -1 : fd;
}

static struct fuzz_ids *ids_of(struct fuzz_world *w, char type)
{
	const char *at = type ? strchr(FUZZ_ID_TYPES, type) : NULL;

	return at ? &w->ids[at - FUZZ_ID_TYPES] : NULL;
}

void fuzz_id_remove(struct fuzz_world *w, uint32_t id)
{
	for (unsigned type = 0; type < ARRAY_LENGTH(w->ids); type++) {
		struct fuzz_ids *ids = &w->ids[type];
		unsigned kept = 0, nr = ids->nr < FUZZ_IDS ? ids->nr : FUZZ_IDS;

		for (unsigned i = 0; i < nr; i++) {
			if (ids->ids[i] != id)
				ids->ids[kept++] = ids->ids[i];
		}
		if (kept != nr)
			ids->nr = kept;
	}
}

void fuzz_id_add(struct fuzz_world *w, char type, uint32_t id)
{
	struct fuzz_ids *ids = ids_of(w, type);

	fuzz_id_remove(w, id);
	ids->ids[ids->nr++ % FUZZ_IDS] = id;
}

/* From 0xc0 on a bare number; else the type is @pick's high half, its place the low one. */
static uint32_t id_of(struct fuzz_world *w, const char *types)
{
	uint8_t pick = fuzz_u8(&w->in);
	const struct fuzz_ids *ids = ids_of(w, types[(pick >> 4) % strlen(types)]);
	unsigned nr = ids->nr < FUZZ_IDS ? ids->nr : FUZZ_IDS;

	if (pick >= 0xc0)
		return pick & 0x3f;
	return nr ? ids->ids[pick % 16 % nr] : pick % 10u;
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

uint64_t fuzz_pointer(struct fuzz_world *w)
{
	uint8_t pick = fuzz_u8(&w->in);
	const struct fuzz_mapping *mapping = &w->mappings[pick % FUZZ_MAPPINGS];

	if (pick < 0x80)
		return (uintptr_t)fuzz_buffer(pick % FUZZ_BUFFER_PAGES) + (pick >> 4);
	if (pick < 0xf0 && mapping->process)
		return (uintptr_t)mapping->start + ((uint64_t)(pick >> 2 & 15) << 12);
	return (uint64_t)(pick & 15) << 12;
}

static uint32_t type_or_magic(struct fuzz_world *w)
{
	static const uint32_t types[] = {
		0, 1, 2, 3, IOMMU_HWPT_DATA_SELFTEST, IOMMU_VIOMMU_TYPE_SELFTEST,
		IOMMU_VEVENTQ_TYPE_SELFTEST, IOMMU_HW_INFO_TYPE_SELFTEST,
		IOMMU_TEST_IOTLB_DEFAULT, IOMMU_TEST_DEV_CACHE_DEFAULT,
		IOMMU_HWPT_INVALIDATE_DATA_SELFTEST_INVALID, 4,
	};

	return types[fuzz_u8(&w->in) % ARRAY_LENGTH(types)];
}

static uint32_t data_length(struct fuzz_world *w)
{
	static const uint32_t lengths[] = { 0, 4, 8, 12, 16, 24, 32, 1, 64, 4096, ~0u };

	return lengths[fuzz_u8(&w->in) % ARRAY_LENGTH(lengths)];
}

static uint32_t pasid(struct fuzz_world *w)
{
	static const uint32_t pasids[] = {
		0, 1, 2, 3, IOMMU_TEST_PASID_RESERVED, (1u << 20) - 1, 1u << 20, ~0u,
	};

	return pasids[fuzz_u8(&w->in) % ARRAY_LENGTH(pasids)];
}

static uint32_t any_file(struct fuzz_world *w)
{
	static const char any[] = "MIVSFEADCL";
	uint8_t pick = fuzz_u8(&w->in);

	return (uint32_t)fuzz_fd(w, any[pick % (sizeof(any) - 1)]);
}

static uint32_t flags_and_syz(struct fuzz_world *w)
{
	uint8_t pick = fuzz_u8(&w->in);

	return pick % 8u | (pick & 0x80 ? MOCK_FLAGS_ACCESS_SYZ : 0);
}

static uint64_t field_value(struct fuzz_world *w, char letter)
{
	const char type[] = { letter, 0 };

	switch (letter) {
	case 'i': return fuzz_u8(&w->in) % 10;
	case 'b': return fuzz_u8(&w->in);
	case 'g': return fuzz_u8(&w->in) % 8;
	case 'f': return fuzz_u8(&w->in) % 16;
	case 'G': return flags_and_syz(w);
	case 'T': return type_or_magic(w);
	case 'L': return data_length(w);
	case 'P': return pasid(w);
	case 'n': case 'y': return fuzz_number(&w->in);
	case 't': return token(w);
	case 'p': return fuzz_pointer(w);
	case 'M': return (uint32_t)fd_to_map(w);
	case 'I': case 'A': case 'D': return (uint32_t)fuzz_fd(w, letter);
	case 'F': return any_file(w);
	case 'k': return id_of(w, "ahv");
	case 'o': return id_of(w, FUZZ_ID_TYPES);
	case '.': return 0;
	default: return id_of(w, type);
	}
}

unsigned fuzz_put_field(struct fuzz_world *w, char letter, unsigned char *to)
{
	unsigned width = strchr("ntp", letter) ? 8 : 4;
	uint64_t value;

	if (letter == 'N') {
		strcpy((char *)to, session_name(w));
		return 64;
	}
	value = field_value(w, letter);
	memcpy(to, &value, width);
	return width;
}
