/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a bad pointer would kill the program under test, or a child see its parent. */
#include "sim/host_mem.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim_test.h"

static u8 *two_pages_one_gone(void)
{
	u8 *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	assert_int_equal(munmap(at + 4096, 4096), 0);
	return at;
}

static void test_host_mem_copies_up_to_what_is_gone(void **state)
{
	/* A struct at the end of a page would be refused, or one beyond it accepted. */
	struct sim_test *t = *state;
	struct host_mem *host = machine_host_mem(t->machine);
	u8 *at = two_pages_one_gone(), buf[16] = { 0 };

	at[4088] = 0x77;
	assert_int_equal(host_mem_read(host, 0, buf, at + 4088, 8), 8);
	assert_int_equal(buf[0], 0x77);
	assert_int_equal(host_mem_read(host, 0, buf, at + 4088, 9), 8);
	assert_int_equal(host_mem_read(host, 0, buf, at + 4096, 1), 0);
	assert_int_equal(host_mem_write(host, 0, at + 4095, buf, 1), 1);
	assert_int_equal(host_mem_write(host, 0, at + 4096, buf, 1), 0);
	assert_int_equal(mprotect(at, 4096, PROT_READ), 0);
	assert_int_equal(host_mem_write(host, 0, at, buf, 1), 0);
	assert_int_equal(host_mem_read(host, 0, buf, at, 1), 1);
	assert_int_equal(host_mem_read(host, 0, buf, NULL, 1), 0);
	munmap(at, 4096);
}

static void test_host_mem_child_reads_its_own_memory(void **state)
{
	/* After a fork a copy would silently come from the parent, or go to it. */
	struct sim_test *t = *state;
	struct host_mem *host = machine_host_mem(t->machine);
	volatile u8 value = 1;
	int status;
	u8 got = 0;
	pid_t pid;

	assert_int_equal(host_mem_read(host, 0, &got, (void *)&value, 1), 1);
	assert_int_equal(got, 1);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		value = 2;
		_exit(host_mem_read(host, 0, &got, (void *)&value, 1) == 1 && got == 2 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(host_mem_read(host, 0, &got, (void *)&value, 1), 1);
	assert_int_equal(got, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		sim_unit_test(test_host_mem_copies_up_to_what_is_gone),
		sim_unit_test(test_host_mem_child_reads_its_own_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
