/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Who is charged for pinned pages: four processes on shared contexts (one for each accounting mode,
 * and one of each child's own), mock devices and accesses that pin, capabilities, users and limits
 * that come and go, processes that end, CHANGE_PROCESS. After every call VmPin and VmLck of all of
 * them.
 *
 * Not asked: to pin more of what a process had mapped in accounting mode MM before it ended. Linux
 * has lost count of it then; 7.3 gives back a lock it does not hold, and waits for ever.
 */
#include "difftest.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/iommufd.h>
#include <linux/iommufd_test.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER ((uint8_t *)0x200000000000ull)
#define BUFFER_PAGES 64ull
#define NR_SHARED 3
#define ALL_CAPS ((1ull << (CAP_LAST_CAP + 1)) - 1)

struct context {
	int fd;                         /* -1: none */
	struct pool ioas, devices, idevs;
	unsigned mappers;               /* bit set of peers whose memory may be here */
	int charges_mm, lost_count;
};

/* NR_SHARED that all have, then one for each peer. */
static struct context contexts[NR_SHARED + NR_PEERS];
static struct pool accesses;            /* descriptors of peer 0, which its children inherit */
static int memory_file;
static uint64_t effective[NR_PEERS];    /* capabilities */
static uint32_t not_root[NR_PEERS];     /* cannot open devices */

static void open_shared(unsigned number)
{
	struct context *ctx = &contexts[number];
	struct iommu_option c = { .size = sizeof(c), .option_id = IOMMU_OPTION_RLIMIT_MODE,
				  .val64 = number - 1 };

	ctx->fd = open("/dev/iommu", O_RDWR);
	ctx->ioas.n = ctx->devices.n = ctx->idevs.n = 0;
	ctx->charges_mm = number == 2;
	ctx->mappers = ctx->lost_count = 0;
	if (number)
		ioctl(ctx->fd, IOMMU_OPTION, &c);
}

static int start(void)
{
	for (unsigned i = 0; i < NR_SHARED; i++)
		open_shared(i);
	for (unsigned i = 0; i < NR_PEERS; i++) {
		contexts[NR_SHARED + i].fd = -1;
		effective[i] = ALL_CAPS;
	}
	memory_file = memfd_create("m", 0);
	if (contexts[2].fd < 0 || memory_file < 0 || ftruncate(memory_file, BUFFER_PAGES * PAGE))
		return 1;
	return mmap(BUFFER, BUFFER_PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != BUFFER;
}

static unsigned some_peer(void)
{
	unsigned peer = (unsigned)below(NR_PEERS);

	return peer_lives(peer) ? peer : 0;
}

/* The peer's own context now and then. */
static struct context *some_context(unsigned peer)
{
	struct context *ctx = &contexts[NR_SHARED + peer];

	return ctx->fd >= 0 && pct(20) ? ctx : &contexts[below(NR_SHARED)];
}

/* What pins is asked of another one. */
static struct context *some_sound_context(unsigned peer)
{
	struct context *ctx = some_context(peer);

	while (ctx->lost_count)
		ctx = &contexts[below(NR_SHARED)];
	return ctx;
}

static void lose_count(unsigned peer)
{
	for (unsigned i = 0; i < NR_SHARED; i++)
		contexts[i].lost_count |= contexts[i].charges_mm && contexts[i].mappers >> peer & 1;
}

static int some_lost_count(void)
{
	for (unsigned i = 0; i < NR_SHARED; i++)
		if (contexts[i].lost_count)
			return 1;
	return 0;
}

static uint32_t some_id(const struct pool *pool)
{
	int id = pct(97) ? pool_pick(pool) : (int)below(12);

	return id < 0 ? 0 : (uint32_t)id;
}

/* The end of every line. */
static void end_locked(void)
{
	uint64_t vm_pin, vm_lck;

	for (unsigned peer = 0; peer < NR_PEERS; peer++) {
		if (!peer_lives(peer))
			continue;
		peer_locked(peer, &vm_pin, &vm_lck);
		say("%s%llu/%llu", peer ? "," : " [", (unsigned long long)vm_pin,
		    (unsigned long long)vm_lck);
	}
	say("]\n");
}

/* Prints who asks what, asks, and prints the answer. */
static int ask(unsigned peer, const struct context *ctx, unsigned long cmd, void *arg)
{
	return (int)result(peer_ioctl(peer, ctx->fd, cmd, arg, *(uint32_t *)arg));
}

static void start_call(unsigned peer, const struct context *ctx, const char *what)
{
	call("%u#%u %s", peer, (unsigned)(ctx - contexts), what);
}

static void do_alloc(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_context(peer);
	struct iommu_ioas_alloc c = { .size = sizeof(c) };

	if (ctx->ioas.n > 3)
		return;
	start_call(peer, ctx, "ioas_alloc");
	if (!ask(peer, ctx, IOMMU_IOAS_ALLOC, &c))
		pool_add(&ctx->ioas, (int)c.out_ioas_id);
	say(" id=%u", c.out_ioas_id);
	end_locked();
}

static void do_destroy(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_context(peer);
	struct iommu_destroy c = { .size = sizeof(c) };

	c.id = some_id(pct(70) ? &ctx->devices : &ctx->ioas);
	start_call(peer, ctx, "destroy");
	say(" id=%u", c.id);
	if (!ask(peer, ctx, IOMMU_DESTROY, &c)) {
		pool_remove(&ctx->ioas, (int)c.id);
		for (unsigned i = 0; i < ctx->devices.n; i++)
			if (ctx->devices.v[i] == (int)c.id)
				pool_remove(&ctx->idevs, ctx->idevs.v[i]);
		pool_remove(&ctx->devices, (int)c.id);
	}
	end_locked();
}

static void do_device(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_sound_context(peer);
	struct iommu_test_cmd c = { .size = sizeof(c), .op = IOMMU_TEST_OP_MOCK_DOMAIN,
				    .id = some_id(&ctx->ioas) };

	if (ctx->devices.n > 2)
		return;
	start_call(peer, ctx, "device");
	say(" ioas=%u", c.id);
	if (!ask(peer, ctx, IOMMU_TEST_CMD, &c)) {
		pool_add(&ctx->devices, (int)c.mock_domain.out_stdev_id);
		pool_add(&ctx->idevs, (int)c.mock_domain.out_idev_id);
	}
	say(" ids=%u,%u,%u", c.mock_domain.out_stdev_id, c.mock_domain.out_idev_id,
	    c.mock_domain.out_hwpt_id);
	end_locked();
}

static void do_replace(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_sound_context(peer);
	struct iommu_test_cmd c = { .size = sizeof(c), .op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
				    .id = some_id(&ctx->devices),
				    .mock_domain_replace.pt_id = some_id(&ctx->ioas) };

	start_call(peer, ctx, "replace");
	say(" device=%u ioas=%u", c.id, c.mock_domain_replace.pt_id);
	ask(peer, ctx, IOMMU_TEST_CMD, &c);
	say(" hwpt=%u", c.mock_domain_replace.pt_id);
	end_locked();
}

static unsigned random_flags(void)
{
	return IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
	       (pct(80) ? IOMMU_IOAS_MAP_WRITEABLE : 0);
}

static uint64_t random_iova(void)
{
	return MOCK_APERTURE_START + PAGE * below(48);
}

static uint64_t random_length(void)
{
	return pct(90) ? PAGE * (1 + below(6)) : MOCK_PAGE_SIZE * (1 + below(20));
}

static void do_map(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_context(peer);
	uint64_t length = random_length(), start = PAGE * below(BUFFER_PAGES - 10);
	struct iommu_ioas_map map = {
		.size = sizeof(map), .flags = random_flags(), .ioas_id = some_id(&ctx->ioas),
		.user_va = (uintptr_t)BUFFER + start, .length = length, .iova = random_iova(),
	};
	struct iommu_ioas_map_file file = {
		.size = sizeof(file), .flags = map.flags, .ioas_id = map.ioas_id,
		.fd = memory_file, .start = start, .length = length, .iova = map.iova,
	};
	int is_file = pct(ctx == &contexts[1] ? 50 : 97);

	if (pct(10))
		map.user_va += MOCK_PAGE_SIZE;
	start_call(peer, ctx, is_file ? "map_file" : "map");
	say(" ioas=%u flags=%x at=%llx length=%llx iova=%llx", map.ioas_id, map.flags,
	    (unsigned long long)(is_file ? start : map.user_va - (uintptr_t)BUFFER),
	    (unsigned long long)length, (unsigned long long)map.iova);
	if (is_file)
		ask(peer, ctx, IOMMU_IOAS_MAP_FILE, &file);
	else
		ask(peer, ctx, IOMMU_IOAS_MAP, &map);
	ctx->mappers |= 1u << peer;
	end_locked();
}

static void do_copy(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_sound_context(peer);
	struct iommu_ioas_copy c = {
		.size = sizeof(c), .flags = random_flags(), .dst_ioas_id = some_id(&ctx->ioas),
		.src_ioas_id = some_id(&ctx->ioas), .length = PAGE * (1 + below(3)),
		.dst_iova = random_iova(), .src_iova = random_iova(),
	};

	start_call(peer, ctx, "copy");
	say(" dst=%u src=%u flags=%x length=%llx to=%llx from=%llx", c.dst_ioas_id, c.src_ioas_id,
	    c.flags, (unsigned long long)c.length, (unsigned long long)c.dst_iova,
	    (unsigned long long)c.src_iova);
	ask(peer, ctx, IOMMU_IOAS_COPY, &c);
	end_locked();
}

static void do_unmap(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_context(peer);
	struct iommu_ioas_unmap c = {
		.size = sizeof(c), .ioas_id = some_id(&ctx->ioas), .iova = random_iova(),
		.length = PAGE * (6 + below(20)),
	};

	if (pct(10)) {
		c.iova = 0;
		c.length = UINT64_MAX;
	}
	start_call(peer, ctx, "unmap");
	say(" ioas=%u iova=%llx length=%llx", c.ioas_id, (unsigned long long)c.iova,
	    (unsigned long long)c.length);
	ask(peer, ctx, IOMMU_IOAS_UNMAP, &c);
	say(" length=%llx", (unsigned long long)c.length);
	end_locked();
}

static void do_change_process(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_context(peer);
	struct iommu_ioas_change_process c = { .size = sizeof(c), .__reserved = pct(3) };

	start_call(peer, ctx, "change_process");
	say(" reserved=%u", c.__reserved);
	ask(peer, ctx, IOMMU_IOAS_CHANGE_PROCESS, &c);
	ctx->mappers |= 1u << peer;
	end_locked();
}

static void do_option(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_context(peer);
	struct iommu_option c = {
		.size = sizeof(c), .option_id = (uint32_t)below(pct(70) ? 1 : 3),
		.op = (uint16_t)below(pct(90) ? 2 : 4), .__reserved = pct(3),
		.object_id = pct(80) ? 0 : some_id(&ctx->ioas), .val64 = below(3),
	};

	start_call(peer, ctx, "option");
	say(" id=%u op=%u reserved=%u object=%u value=%llu", c.option_id, c.op, c.__reserved,
	    c.object_id, (unsigned long long)c.val64);
	if (!ask(peer, ctx, IOMMU_OPTION, &c) && c.option_id == IOMMU_OPTION_RLIMIT_MODE &&
	    c.op == IOMMU_OPTION_OP_SET)
		ctx->charges_mm = (int)c.val64;
	say(" value=%llu", (unsigned long long)c.val64);
	end_locked();
}

static void do_access(void)
{
	struct context *ctx = &contexts[below(NR_SHARED)];
	struct iommu_test_cmd c = { .size = sizeof(c), .op = IOMMU_TEST_OP_CREATE_ACCESS,
				    .id = some_id(&ctx->ioas) };

	if (accesses.n > 3)
		return;
	c.create_access.flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES;
	start_call(0, ctx, "access");
	say(" ioas=%u", c.id);
	if (!ask(0, ctx, IOMMU_TEST_CMD, &c))
		pool_add(&accesses, (int)c.create_access.out_access_fd);
	say(" fd=%d", (int)c.create_access.out_access_fd);
	end_locked();
}

/* The n-th area from an offset on, whatever lies there. */
static void do_pin(void)
{
	unsigned peer = some_peer();
	struct context *ctx = some_context(peer);
	struct iommu_test_cmd c = { .size = sizeof(c), .op = IOMMU_TEST_OP_ACCESS_PAGES,
				    .id = (uint32_t)pool_pick(&accesses) };

	if (some_lost_count())
		return;
	c.access_pages.flags = MOCK_FLAGS_ACCESS_SYZ | (pct(30) ? MOCK_FLAGS_ACCESS_WRITE : 0);
	c.access_pages.iova = below(4) | PAGE * below(3) << 32;
	c.access_pages.length = PAGE * (1 + below(4));
	if (pct(30)) {
		c.op = IOMMU_TEST_OP_DESTROY_ACCESS_PAGES;
		c.destroy_access_pages.access_pages_id = (uint32_t)below(12);
	}
	start_call(peer, ctx, c.op == IOMMU_TEST_OP_ACCESS_PAGES ? "pin" : "unpin");
	say(" fd=%d %x %x %llx %llx", (int)c.id, c.access_pages.flags,
	    c.access_pages.out_access_pages_id, (unsigned long long)c.access_pages.iova,
	    (unsigned long long)c.access_pages.length);
	ask(peer, ctx, IOMMU_TEST_CMD, &c);
	say(" id=%u", c.access_pages.out_access_pages_id);
	end_locked();
}

/* In all processes that have it, or in one. */
static void do_close_access(void)
{
	int fd = pool_pick(&accesses);
	unsigned only = pct(30) ? some_peer() : NR_PEERS;

	if (fd < 0)
		return;
	call("close fd=%d only=%u", fd, only);
	for (unsigned peer = 0; peer < NR_PEERS; peer++)
		if (peer_lives(peer) && (only == NR_PEERS || peer == only))
			result(peer_close(peer, fd));
	if (only == NR_PEERS || !only)
		pool_remove(&accesses, fd);
	end_locked();
}

/* Often just enough for what is pinned already and a few pages more. */
static void do_limit(void)
{
	unsigned peer = some_peer();
	uint64_t vm_pin, vm_lck, pages = pct(15) ? UINT64_MAX / PAGE : below(30);

	peer_locked(peer, &vm_pin, &vm_lck);
	if (vm_pin < 1000 && pct(70))
		pages = vm_pin / 4 + below(8);
	call("%u limit %llu", peer, (unsigned long long)pages);
	result(peer_setrlimit_memlock(peer, pages * PAGE + (pct(10) ? PAGE - 1 : 0)));
	end_locked();
}

static void do_caps(void)
{
	unsigned peer = some_peer();
	uint64_t caps = effective[peer] ^ 1ull << (pct(80) ? CAP_IPC_LOCK : CAP_SYS_RESOURCE);

	call("%u capset %llx", peer, (unsigned long long)(ALL_CAPS ^ caps));
	if (!result(peer_capset(peer, caps)))
		effective[peer] = caps;
	end_locked();
}

/* With user 0 saved there is always a way back. */
static void do_user(void)
{
	static const uint32_t users[] = { 0, 1000, 1001 };
	unsigned peer = some_peer();
	uint32_t ruid = users[below(3)], euid = pct(80) ? 0 : users[below(3)];

	call("%u setresuid %u %u 0", peer, ruid, euid);
	if (!result(peer_setresuid(peer, ruid, euid, 0))) {
		/* Who is root again has all capabilities, who no longer is has none. */
		if (euid)
			effective[peer] = 0;
		else if (not_root[peer])
			effective[peer] = ALL_CAPS;
		not_root[peer] = euid;
	}
	end_locked();
}

static void end_peer(unsigned peer)
{
	peer_exit(peer);
	contexts[NR_SHARED + peer].fd = -1;
	lose_count(peer);
}

static void do_fork_or_exit(void)
{
	unsigned peer = 1 + (unsigned)below(NR_PEERS - 1);

	if (peer_lives(peer) && pct(60))
		return;
	call("%s %u", peer_lives(peer) ? "exit" : "fork", peer);
	if (peer_lives(peer)) {
		end_peer(peer);
	} else {
		peer_fork(peer);
		effective[peer] = effective[0];
		not_root[peer] = not_root[0];
	}
	end_locked();
}

static void do_open(void)
{
	unsigned peer = some_peer();
	struct context *ctx = &contexts[NR_SHARED + peer];

	if (!peer || not_root[peer])
		return;
	call("%u open", peer);
	if (ctx->fd >= 0)
		result(peer_close(peer, ctx->fd));
	ctx->ioas.n = ctx->devices.n = ctx->idevs.n = 0;
	result(ctx->fd = peer_open(peer, "/dev/iommu", O_RDWR));
	end_locked();
}

/* All processes but the first end, and a shared context with them. */
static void do_restart(void)
{
	unsigned number = (unsigned)below(NR_SHARED);

	if ((pct(70) && !contexts[number].lost_count) || not_root[0])
		return;
	call("restart #%u", number);
	for (unsigned peer = 1; peer < NR_PEERS; peer++)
		if (peer_lives(peer))
			end_peer(peer);
	while (accesses.n)
		close(accesses.v[--accesses.n]);
	close(contexts[number].fd);
	open_shared(number);
	result(contexts[number].fd);
	end_locked();
}

static const struct operation operations[] = {
	{ do_alloc, 16 }, { do_destroy, 6 }, { do_device, 14 }, { do_replace, 4 }, { do_map, 40 },
	{ do_copy, 25 }, { do_unmap, 12 }, { do_change_process, 12 }, { do_option, 4 },
	{ do_access, 4 }, { do_pin, 20 }, { do_close_access, 2 }, { do_limit, 8 }, { do_caps, 8 },
	{ do_user, 6 }, { do_fork_or_exit, 12 }, { do_open, 3 }, { do_restart, 2 }, { 0 },
};

const struct profile profile_account = {
	.name = "account", .start = start, .operations = operations,
};
