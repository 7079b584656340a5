/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, an address from a handed-over structure could reach host memory. */
#include "sim/phys_mem.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim_test.h"

#define RAM (64ull << 20)

static void test_ptr_is_bounded(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	u8 *base = phys_mem_ptr(mem, 0, 1);

	assert_non_null(base);
	assert_ptr_equal(phys_mem_ptr(mem, RAM - 1, 1), base + RAM - 1);
	assert_non_null(phys_mem_ptr(mem, 0, RAM));
	assert_null(phys_mem_ptr(mem, 0, RAM + 1));
	assert_null(phys_mem_ptr(mem, RAM - 1, 2));
	assert_null(phys_mem_ptr(mem, RAM, 1));
	assert_null(phys_mem_ptr(mem, ~0ull, 1));
	assert_null(phys_mem_ptr(mem, 8, ~0ull));
	assert_null(phys_mem_ptr(mem, 1ull << 46, 1));
	assert_int_equal(phys_mem_pa(mem, base + 12345), 12345);
	assert_int_equal(phys_mem_pa(mem, base - 1), ~0ull);
	assert_int_equal(phys_mem_pa(mem, base + RAM), ~0ull);
	assert_int_equal(phys_mem_pa(mem, NULL), ~0ull);
}

static void test_zero_clears_and_gives_back(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	u64 empty = phys_mem_resident_bytes(mem);

	memset(phys_mem_ptr(mem, 0x200000, 0x200000), 0xff, 0x200000);
	assert_int_equal(phys_mem_resident_bytes(mem), empty + 0x200000);
	phys_mem_zero(mem, 0x200010, 0x1fffe0);
	assert_int_equal(get64(t->machine, 0x200008), ~0ull);
	assert_int_equal(get64(t->machine, 0x200010), 0);
	assert_int_equal(get64(t->machine, 0x3fffe8), 0);
	assert_int_equal(get64(t->machine, 0x3ffff0), ~0ull);
	assert_true(phys_mem_resident_bytes(mem) <= empty + 0x2000);
	put64(t->machine, 0x5000, 1);
	put64(t->machine, 0x5008, 1);
	phys_mem_zero(mem, 0x5000, 8);
	assert_int_equal(get64(t->machine, 0x5000), 0);
	assert_int_equal(get64(t->machine, 0x5008), 1);
	phys_mem_zero(mem, RAM - 8, 16);                /* outside: nothing */
}

static void test_poison_touches_backed_memory_only(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	u64 before;

	put64(t->machine, 0x900000, 1);
	put64(t->machine, 0xa00000, 1);
	before = phys_mem_resident_bytes(mem);
	phys_mem_poison(mem, 0x800000, 0x200000, 0x6b);
	assert_int_equal(get64(t->machine, 0x900000), 0x6b6b6b6b6b6b6b6b);
	assert_int_equal(get64(t->machine, 0xa00000), 1);
	assert_int_equal(phys_mem_resident_bytes(mem), before);
	phys_mem_poison(mem, 0xa00000, 0x1000, 0x6b);
	assert_int_equal(get64(t->machine, 0xa00000), 0x6b6b6b6b6b6b6b6b);
	assert_int_equal(get64(t->machine, 0xa00ff8), 0x6b6b6b6b6b6b6b6b);
}

static void test_map_shows_the_same_memory(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	u64 *map = phys_mem_map(mem, NULL, 0x300000, 0x2000, true);

	assert_non_null(map);
	map[512] = 0xbeef;
	assert_int_equal(get64(t->machine, 0x301000), 0xbeef);
	assert_ptr_equal(phys_mem_map(mem, map, 0x400000, 0x1000, false), map);
	put64(t->machine, 0x400000, 7);
	assert_int_equal(map[0], 7);
	assert_int_equal(map[512], 0xbeef);
	munmap(map, 0x2000);
	assert_null(phys_mem_map(mem, NULL, RAM - 0x1000, 0x2000, true));
	assert_null(phys_mem_map(mem, NULL, 0, 0, true));
}

static void test_window_reads_writes_and_spans(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	u8 a[4096] = { 0 }, b[4096] = { 0 }, out[16] = { 0 };
	u64 base = 1ull << 46;
	void *host;

	assert_true(phys_mem_window_add(mem, base, 4096, a, 0));
	assert_true(phys_mem_window_add(mem, base + 4096, 4096, b, 0));
	assert_false(phys_mem_window_add(mem, base + 4095, 1, b, 0));      /* taken */
	assert_false(phys_mem_window_add(mem, base - 4096, 4096, b, 0));   /* below */
	assert_false(phys_mem_window_add(mem, base, 0, b, 0));
	assert_false(phys_mem_window_add(mem, ~0ull - 4095, 8192, b, 0));
	assert_false(phys_mem_window_add(mem, (1ull << 52) - 4096, 8192, b, 0));
	assert_true(phys_mem_write(mem, base + 4092, "overlap!", 8));
	assert_memory_equal(a + 4092, "over", 4);
	assert_memory_equal(b, "lap!", 4);
	assert_true(phys_mem_read(mem, base + 4092, out, 8));
	assert_memory_equal(out, "overlap!", 8);
	assert_false(phys_mem_read(mem, base + 8190, out, 4));
	assert_int_equal(phys_mem_window_remove(mem, base, 4096, &host), 4096);
	assert_ptr_equal(host, a);
	assert_int_equal(phys_mem_window_remove(mem, base, 4096, &host), 0);
	assert_false(phys_mem_read(mem, base, out, 1));
	phys_mem_windows_drop(mem);
	assert_false(phys_mem_read(mem, base + 4096, out, 1));
}

/* Part of a guest is unmapped: the rest would move, or stay reachable. */
static void test_window_remove_part_leaves_the_rest(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	u64 base = 1ull << 46;
	u8 bytes[4] = { 1, 2, 3, 4 }, got = 0;
	void *host;

	/* Two that continue each other are one, and are cut anywhere. */
	assert_true(phys_mem_window_add(mem, base, 2, bytes, 0));
	assert_true(phys_mem_window_add(mem, base + 2, 2, bytes + 2, 0));
	assert_int_equal(phys_mem_window_remove(mem, base + 1, 2, &host), 2);
	assert_ptr_equal(host, bytes + 1);
	assert_true(phys_mem_read(mem, base, &got, 1));
	assert_int_equal(got, 1);
	assert_false(phys_mem_read(mem, base + 1, &got, 1));
	assert_false(phys_mem_read(mem, base + 2, &got, 1));
	assert_true(phys_mem_read(mem, base + 3, &got, 1));
	assert_int_equal(got, 4);
	/* What lies between two that it joins. */
	assert_true(phys_mem_window_add(mem, base + 1, 2, bytes + 1, 0));
	assert_int_equal(phys_mem_window_remove(mem, base, 100, &host), 4);
}

/* A device would reach the same address of the wrong process. */
static void test_window_of_another_process(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	u64 base = 1ull << 46;
	u8 byte = 1, got;
	pid_t pid;
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		byte = 2;
		close(ends[1]);
		_exit(read(ends[0], &got, 1) != 0 || byte != 3);
	}
	close(ends[0]);
	assert_true(phys_mem_window_add(mem, base, 1, &byte, 0));
	assert_true(phys_mem_window_add(mem, base + 1, 1, &byte, (u32)pid));
	do
		assert_true(phys_mem_read(mem, base + 1, &got, 1));
	while (got == 1);               /* the child has not started yet */
	assert_int_equal(got, 2);
	assert_true(phys_mem_read(mem, base, &got, 1));
	assert_int_equal(got, 1);
	assert_true(phys_mem_write(mem, base + 1, &(u8){ 3 }, 1));
	assert_int_equal(byte, 1);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(phys_mem_read(mem, base + 1, &got, 1));
	assert_int_equal(phys_mem_window_remove(mem, base + 1, 1, NULL), 1);
	/* 255 processes at a time, not more. */
	for (u32 i = 1; i <= 255; i++)
		assert_true(phys_mem_window_add(mem, base + i, 1, &byte, i));
	assert_false(phys_mem_window_add(mem, base + 256, 1, &byte, 256));
	assert_true(phys_mem_window_add(mem, base + 256, 1, &byte, 255));
	assert_int_equal(phys_mem_window_remove(mem, base + 7, 1, NULL), 1);
	assert_true(phys_mem_window_add(mem, base + 7, 1, &byte, 256));
	phys_mem_windows_drop(mem);
}

static void test_window_whose_memory_has_gone_is_an_error(void **state)
{
	struct sim_test *t = *state;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	void *host = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	u8 buf[8192];

	assert_true(phys_mem_window_add(mem, 1ull << 46, 8192, host, 0));
	assert_true(phys_mem_read(mem, 1ull << 46, buf, 8192));
	munmap((u8 *)host + 4096, 4096);
	assert_false(phys_mem_read(mem, 1ull << 46, buf, 8192));
	assert_false(phys_mem_write(mem, (1ull << 46) + 4096, buf, 1));
	assert_true(phys_mem_write(mem, 1ull << 46, buf, 4096));
	munmap(host, 4096);
}

static void test_raw_ram_access_is_ram_only(void **state)
{
	struct sim_test *t = *state;
	u8 byte = 0;

	assert_true(ifs_machine_write_ram(t->machine, RAM - 1, &byte, 1));
	assert_false(ifs_machine_write_ram(t->machine, RAM, &byte, 1));
	assert_true(phys_mem_window_add(machine_phys_mem(t->machine), 1ull << 46, 1, &byte, 0));
	assert_false(ifs_machine_read_ram(t->machine, 1ull << 46, &byte, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_ptr_is_bounded),
		sim_unit_test(test_zero_clears_and_gives_back),
		sim_unit_test(test_poison_touches_backed_memory_only),
		sim_unit_test(test_map_shows_the_same_memory),
		sim_unit_test(test_window_reads_writes_and_spans),
		sim_unit_test(test_window_remove_part_leaves_the_rest),
		sim_unit_test(test_window_of_another_process),
		sim_unit_test(test_window_whose_memory_has_gone_is_an_error),
		sim_unit_test(test_raw_ram_access_is_ram_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
