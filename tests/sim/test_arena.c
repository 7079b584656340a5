/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a broken or foreign file would be taken for a machine, or a good one refused. */
#include "sim/arena.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/machine_internal.h"
#include "tests/sim/sim_test.h"

/* The arena of a machine in use, on a descriptor of its own. */
static int arena_fd(struct sim_test *t)
{
	int fd = dup(ifs_machine_arena_fd(t->machine));

	assert_true(fd >= 0);
	return fd;
}

/* Opening must fail with exactly this sentence and leave the descriptor open. */
static void assert_refused(int fd, const char *sentence)
{
	struct ifs_error error = { 0 };

	assert_null(ifs_machine_open(fd, &error));
	assert_string_equal(error.text, sentence);
	assert_int_equal(error.code, 22);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

static void test_header_layout_is_version_1(void **state)
{
	struct sim_test *t = *state;
	u8 header[80];

	assert_int_equal(pread(ifs_machine_arena_fd(t->machine), header, 80, 0), 80);
	assert_memory_equal(header, "ifs-arena\n\x1a\0\0\0\0", 16);
	assert_int_equal(header[16], 1);                                /* version */
	assert_int_equal(sizeof(struct arena_header), 80);
	assert_int_equal(offsetof(struct arena_header, file_bytes), 24);
	assert_int_equal(offsetof(struct arena_header, ram_bytes), 72);
	assert_int_equal(((u64 *)header)[9], 64 << 20);
}

static void test_open_of_foreign_files_is_refused(void **state)
{
	char text[4096] = "Memory map of some other program";
	int fd = memfd_create("other", 0), pipes[2];

	(void)state;
	assert_refused(fd, "arena truncated: the file has 0 bytes, its header needs 80");
	assert_int_equal(write(fd, text, 79), 79);
	assert_refused(fd, "arena truncated: the file has 79 bytes, its header needs 80");
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	assert_refused(fd, "not an arena: the file has another magic");
	close(fd);
	assert_int_equal(pipe(pipes), 0);
	fd = dup2(pipes[0], 100);
	assert_refused(100, "not an arena: descriptor 100 is no regular file");
	close(100);
	close(pipes[0]);
	close(pipes[1]);
	assert_null(ifs_machine_open(-1, NULL));
}

static void test_open_of_other_version_is_refused(void **state)
{
	struct sim_test *t = *state;
	int fd = arena_fd(t);

	((struct arena_header *)t->machine->arena.map)->version = 2;
	assert_refused(fd, "arena of version 2; this library knows version 1");
	close(fd);
}

/* A copy of the arena's first bytes, as a file of @bytes. */
static int truncated_copy(struct sim_test *t, u64 bytes)
{
	int fd = memfd_create("copy", 0);
	u8 page[4096];

	assert_int_equal(pread(ifs_machine_arena_fd(t->machine), page, 4096, 0), 4096);
	assert_int_equal(pwrite(fd, page, 4096, 0), 4096);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static void test_open_of_truncated_arena_is_refused(void **state)
{
	struct sim_test *t = *state;
	u64 full = t->machine->arena.header.file_bytes;
	char sentence[128];
	u64 sizes[] = { 4096, 1 << 20, full - 4096, full - 1 };
	size_t i;

	for (i = 0; i < 4; i++) {
		int fd = truncated_copy(t, sizes[i]);

		snprintf(sentence, sizeof(sentence),
			 "arena truncated: the file has %llu bytes, needs %llu",
			 (unsigned long long)sizes[i], (unsigned long long)full);
		assert_refused(fd, sentence);
		close(fd);
	}
}

static void test_open_of_corrupt_header_fields_is_refused(void **state)
{
	struct sim_test *t = *state;
	struct arena_header *header = t->machine->arena.map;
	struct arena_header good = *header;
	int fd = arena_fd(t);

	header->ram_bytes = 0;
	assert_refused(fd, "arena header: ram_bytes 0x0 is out of range");
	header->ram_bytes = (64 << 20) + 4096;
	assert_refused(fd, "arena header: ram_bytes 0x4001000 is out of range");
	header->ram_bytes = ~0ull;
	assert_refused(fd, "arena header: ram_bytes 0xffffffffffffffff is out of range");
	*header = good;
	header->state_offset = 8192;
	assert_refused(fd, "arena header: state_offset is 0x2000, must be 0x1000");
	*header = good;
	header->node_bytes = 1;
	assert_null(ifs_machine_open(fd, NULL));
	*header = good;
	header->nodes_offset += 8;
	assert_null(ifs_machine_open(fd, NULL));
	*header = good;
	header->nodes_bytes = 1ull << 62;
	assert_null(ifs_machine_open(fd, NULL));
	*header = good;
	header->ram_offset = ~0ull;
	assert_null(ifs_machine_open(fd, NULL));
	*header = good;
	header->file_bytes = 0;
	assert_null(ifs_machine_open(fd, NULL));
	*header = good;
	header->state_bytes++;
	assert_null(ifs_machine_open(fd, NULL));
	*header = good;
	t->machine->arena.state->nr_iommus = 9;
	assert_refused(fd, "arena state: nr_iommus is out of range: 1 to 8");
	close(fd);
}

static void state_field_refused(struct sim_test *t, u32 *field, u32 value, const char *sentence)
{
	u32 good = *field;
	int fd = arena_fd(t);

	*field = value;
	assert_refused(fd, sentence);
	*field = good;
	close(fd);
}

static void test_open_of_corrupt_state_fields_is_refused(void **state)
{
	struct sim_test *t = *state;
	struct machine_state *s = t->machine->state;
	u64 word;

	ifs_device_dma_read(t->device, 0x1000, &word, 8, NULL); /* something in the IOTLB */
	state_field_refused(t, &s->nr_iommus, 0, "arena state: nr_iommus is out of range: 1 to 8");
	state_field_refused(t, &s->iotlb_entries, 255,
			    "arena state: iotlb_entries is out of range: "
			    "a power of two from 16 to 4096");
	state_field_refused(t, &s->fault_entries, 257,
			    "arena state: fault_entries is out of range: 1 to 256");
	state_field_refused(t, &s->pt_format, 2, "arena state: pt_format is out of range");
	state_field_refused(t, &s->on_report, 2, "arena state: on_report is out of range");
	state_field_refused(t, &s->stopped, 2, "arena state: stopped is neither 0 nor 1");
	state_field_refused(t, &s->nr_reports, 65, "arena state: nr_reports is out of range");
	state_field_refused(t, &s->nr_devices, 65, "arena state: nr_devices is out of range");
	state_field_refused(t, &s->device_order[0], 1, "arena state: device_order is out of range");
	state_field_refused(t, &s->devices[0].iommu, 1,
			    "arena state: a device's IOMMU unit is out of range");
	state_field_refused(t, &s->devices[0].space, 2,
			    "arena state: a device is in a DMA space that does not exist");
	state_field_refused(t, &s->iommus[0].fault_next, 8,
			    "arena state: an index into a fault ring is out of range");
	state_field_refused(t, &s->iommus[0].fault_first, 1,
			    "arena state: the oldest fault of an empty ring is not the next");
	state_field_refused(t, (u32 *)&s->iommus[0].faults[7].hi + 1, 1u << 31,
			    "arena state: a fault is pending, but not the oldest");
	state_field_refused(t, &s->iommus[0].iotlb_live[0], 0,
			    "arena state: iotlb_live does not count the valid IOTLB entries");
	state_field_refused(t, &s->check.spaces_used, CHECK_MAX_SPACES + 1,
			    "arena state: spaces_used of the DMA checker is out of range");
	state_field_refused(t, &s->check.spaces_free_head, 7,
			    "arena state: the list of free DMA spaces names one that is not free");
	state_field_refused(t, &s->check.spaces[1].nr_bound, 9,
			    "arena state: nr_bound of a DMA space does not count its devices");
	state_field_refused(t, &s->check.spaces[1].grants.root, s->check.owners.root,
			    "arena state: a node belongs to two trees");
	state_field_refused(t, &s->check.pool_used, ~0u,
			    "arena state: pool_used of the DMA checker is out of range");
	state_field_refused(t, &s->check.owners.root, 1000,
			    "arena state: a node lies outside the pool");
}

static void test_open_of_good_arena_succeeds(void **state)
{
	struct sim_test *t = *state;
	struct ifs_error error = { 0 };
	struct ifs_machine *again;

	again = ifs_machine_open(arena_fd(t), &error);
	assert_non_null(again);
	assert_int_equal(get64(again, 0x103008), 0xabc003);
	ifs_machine_free(again);
}

/* Any single flipped bit of the state is refused or harmless: no crash, no endless loop. */
static void test_open_after_bit_flips_never_crashes(void **state)
{
	struct sim_test *t = *state;
	u64 random = 20261123, i, word;
	u64 used = t->machine->arena.header.node_bytes * 8;

	ifs_device_dma_read(t->device, 0x1000, &word, 8, NULL);
	for (i = 0; i < 1500; i++) {
		struct ifs_machine *again;
		u8 *at;
		u8 bit;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		bit = (u8)(1u << (random >> 61));
		switch (random >> 20 & 3) {
		case 0:
			at = (u8 *)t->machine->arena.nodes + (random >> 24) % used;
			break;
		case 1:
			at = (u8 *)&t->machine->state->check + (random >> 24) % 400;
			break;
		case 2:
			at = (u8 *)t->machine->state->iommus + (random >> 24) % 20000;
			break;
		default:
			at = (u8 *)t->machine->state + (random >> 24) % 3000;
		}
		*at ^= bit;
		again = ifs_machine_open(arena_fd(t), NULL);
		if (again) {
			struct ifs_device *device = ifs_machine_get_device(again, 0);
			struct iommu_hw *hw = machine_iommu(again, 0);
			void *ram = malloc(64);

			if (device)
				ifs_device_dma_read(device, 0x1000, ram, 64, NULL);
			ifs_machine_run(again, 2);
			dma_check_set_owner(again, 0x103000, 0x1000, FRAME_FREE);
			dma_check_set_owner(again, 0x103000, 0x1000, FRAME_TABLE);
			iommu_hw_read(hw, 0x34);
			free(ifs_machine_event_log(again));
			free(ram);
			ifs_machine_free(again);
		}
		*at ^= bit;
	}
}

static void test_path_is_created_and_never_overwritten(void **state)
{
	char dir[] = "/tmp/ifs-arena-XXXXXX", path[64];
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 2 << 20,
					     .ram_path = path };
	struct ifs_error error = { 0 };
	struct ifs_machine *machine;
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ram", dir);
	machine = ifs_machine_new(&config, &error);
	assert_non_null(machine);
	put64(machine, 0x1ffff8, 0xfeed);
	assert_null(ifs_machine_new(&config, &error));
	assert_int_equal(error.code, 17);
	ifs_machine_free(machine);

	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_blocks * 512 < 1 << 20);              /* sparse */
	fd = open(path, O_RDWR);
	machine = ifs_machine_open(fd, &error);
	assert_non_null(machine);
	assert_int_equal(get64(machine, 0x1ffff8), 0xfeed);
	ifs_machine_free(machine);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_header_layout_is_version_1),
		cmocka_unit_test(test_open_of_foreign_files_is_refused),
		sim_unit_test(test_open_of_other_version_is_refused),
		sim_unit_test(test_open_of_truncated_arena_is_refused),
		sim_unit_test(test_open_of_corrupt_header_fields_is_refused),
		sim_unit_test(test_open_of_corrupt_state_fields_is_refused),
		sim_unit_test(test_open_of_good_arena_succeeds),
		sim_unit_test(test_open_after_bit_flips_never_crashes),
		cmocka_unit_test(test_path_is_created_and_never_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
