/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The calls of a fuzzed program: one byte picks the call, the next ones its arguments. Each call
 * takes the same number of bytes whatever the state, so that what follows keeps its meaning, except
 * those on memory: a free slot is mapped, a used one changed.
 */
#include "tests/fuzz/fuzz_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

/* Memory files, and what they share with all files. */
static int do_file(struct fuzz_world *w)
{
	uint8_t what = fuzz_u8(&w->in);
	int fd = fuzz_fd(w, what & 0x80 ? "IVLS"[what >> 5 & 3] : 'M');
	off_t at = (off_t)fuzz_number(&w->in);
	uint32_t count = fuzz_u16(&w->in) % (FUZZ_BUFFER_PAGES << 12);
	unsigned char *data = fuzz_buffer(0);

	if (w->trace)
		fprintf(stderr, "file %u(%d, %#llx, %u) ", what % 16, fd, (unsigned long long)at,
			count);
	switch (what % 16) {
	case 0: return ifs_ftruncate(w->process, fd, at);
	case 1: return ifs_fallocate(w->process, fd, count % 5, at, (off_t)fuzz_number(&w->in));
	case 2: return ifs_fcntl(w->process, fd, F_ADD_SEALS, count % 64);
	case 3: return (int)ifs_pwrite(w->process, fd, data, count, at);
	case 4: return (int)ifs_pread(w->process, fd, data, count, at);
	case 5: return (int)ifs_write(w->process, fd, data, count);
	case 6: return (int)ifs_read(w->process, fd, data, count);
	case 7: return ifs_lseek(w->process, fd, at, (int)(count % 6)) < 0 ? -EINVAL : 0;
	case 8: return ifs_fcntl(w->process, fd, F_DUPFD, count % FUZZ_MAX_FD);
	case 9: return ifs_fcntl(w->process, fd, F_SETFL, count);
	case 10: return ifs_poll(w->process, fd, POLLIN);
	default: return ifs_close(w->process, fd);
	}
}

/* Linux's shmem extends a file up to where a write would have begun, even if that faults. */
static bool write_leaves_something(struct fuzz_world *w, int fd, int rc)
{
	return rc == -EFAULT && fuzz_fd_kind(w, fd) == 'M';
}

/*
 * A descriptor of any kind: an event queue is read and answered, others refuse. Answers are taken
 * from the buffer, where do_fill_buffer() puts pairs of cookie and code.
 */
static int do_queue(struct fuzz_world *w, bool *partial)
{
	uint8_t what = fuzz_u8(&w->in);
	int fd = fuzz_fd(w, "FEADCIVL"[what & 7]);
	uint8_t count = fuzz_u8(&w->in);
	uint64_t at = fuzz_pointer(w);
	int rc;

	if (w->trace)
		fprintf(stderr, "queue %u(%d, %#llx, %u) ", what >> 3 & 7, fd,
			(unsigned long long)at, count);
	switch (what >> 3 & 7) {
	case 0: case 1: return (int)ifs_read(w->process, fd, (void *)at, count * 8u);
	case 2: return (int)ifs_read(w->process, fd, (void *)at, count);
	case 3: case 4: case 5:
		rc = (int)ifs_write(w->process, fd, (void *)at,
				    (what >> 3 & 7) == 5 ? count : count % 8 * 8u);
		*partial = write_leaves_something(w, fd, rc);
		return rc;
	case 6: return ifs_poll(w->process, fd, POLLIN | POLLOUT);
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

/* Of an iommufd: a region of a vIOMMU is two pages at an odd page. */
static int do_mmap(struct fuzz_world *w, struct fuzz_mapping *mapping, bool iommufd)
{
	int fd = fuzz_fd(w, iommufd ? 'I' : 'M'), rc;
	uint8_t prot = fuzz_u8(&w->in);
	off_t at = (off_t)fuzz_number(&w->in);

	mapping->length = (size_t)(fuzz_u8(&w->in) + 1) << 12;
	rc = ifs_mmap(w->process, mapping->length, prot % 8, prot & 0x80 ? MAP_PRIVATE : MAP_SHARED,
		      fd, at, &mapping->start);
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
		return do_mmap(w, mapping, what & 0x40);
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

/* By the bits of @what: who it is, what it may, and how much. */
static struct ifs_process *new_process(struct fuzz_world *w, uint8_t what)
{
	struct ifs_process_config config = {
		.size = sizeof(config),
		.uid = what & 0x01 ? 1000 : 0,
		.drop_cap_ipc_lock = what & 0x02,
		.drop_cap_sys_resource = what & 0x04,
		.drop_cap_sys_rawio = what & 0x08,
		.trust_pointers = false,
		.rlimit_memlock_bytes = what & 0x10 ? 0x4000 : 0,
		.rlimit_nofile = what & 0x20 ? 8 : 0,
	};

	return ifs_process_new(w->scenario.kernel, &config);
}

/* The second process comes and goes; either may be the one that calls. */
static int do_process(struct fuzz_world *w)
{
	struct ifs_process **other = &w->processes[w->process == w->processes[0]];
	uint8_t what = fuzz_u8(&w->in), how = fuzz_u8(&w->in);

	switch (what % 8) {
	case 0: case 1:
		if (!*other)
			*other = ifs_fork(w->process);
		return *other ? 0 : -ENOMEM;
	case 2:
		if (!*other)
			*other = new_process(w, how);
		return *other ? 0 : -ENOMEM;
	case 3:
		forget_mappings(w, *other);
		ifs_exit(*other);
		*other = NULL;
		return 0;
	case 4: case 5:
		if (!*other)
			return 0;
		return ifs_send_fd(w->process, fuzz_fd(w, "ICFEADMV"[how >> 5]), *other);
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
	uint32_t length = fuzz_u16(&w->in) % (FUZZ_BUFFER_PAGES << 12);

	switch (what >> 6) {
	case 0: ifs_device_dma_write(device, iova, fuzz_buffer(0), length, NULL); break;
	case 1: ifs_device_dma_read(device, iova, fuzz_buffer(0), length, NULL); break;
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
	memset(w->ids, 0, sizeof(w->ids));
	ifs_machine_run(s->machine, 4);
	if (lu_scenario_step(s, lu_scenario_find(s, 0, LU_BOOT)))
		fuzz_die(w, s->error.text);
	w->process = w->processes[0] = ifs_process_new(s->kernel, NULL);
	/* A panic at boot, which only posted-v1 can bring about: the program is over. */
	if (!w->process && s->config.design)
		w->in.left = 0;
	else if (!w->process)
		fuzz_die(w, "the next kernel booted, but runs no process");
	return 0;
}

/* Two ranges, for what takes a list of them, and bits for the rest. */
static int do_fill_buffer(struct fuzz_world *w)
{
	unsigned page = fuzz_u8(&w->in);
	uint64_t words[4];

	for (unsigned i = 0; i < 4; i += 2) {
		words[i] = fuzz_number(&w->in);
		words[i + 1] = words[i] + fuzz_number(&w->in);
	}
	memcpy(fuzz_buffer(page), words, sizeof(words));
	return 0;
}

static int do_open(struct fuzz_world *w)
{
	static const char *const paths[] = {
		"/dev/iommu", "/dev/vfio/devices/vfio0", "/dev/vfio/devices/vfio1",
		"/dev/liveupdate", "/dev/none", "/dev/vfio/vfio", "/dev/null", "/dev/iommu",
	};
	uint8_t what = fuzz_u8(&w->in);

	if (what & 0x80)
		return ifs_memfd_create(w->process, "m", what % 16);
	return ifs_open(w->process, paths[what % ARRAY_LENGTH(paths)], O_RDWR);
}

static int one_of(struct fuzz_world *w, uint8_t opcode, bool *partial)
{
	switch (opcode % 32) {
	case 0: case 1: case 2: return do_open(w);
	case 3: case 4: case 5: return do_file(w);
	case 6: return do_process(w);
	case 7: case 8: return do_memory(w);
	case 9: return do_dma(w);
	case 10: return do_kexec(w);
	case 11: return do_fill_buffer(w);
	case 12: case 13: return do_queue(w, partial);
	default: return fuzz_ioctl(w, opcode, partial);
	}
}

int fuzz_call(struct fuzz_world *w, uint8_t opcode, bool *partial)
{
	int rc;

	*partial = false;
	rc = one_of(w, opcode, partial);
	/* Who fails opens and closes nothing. */
	if (rc >= 0)
		w->fd_kinds_known = false;
	return rc;
}
