/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* If these failed, a machine would not be the same machine after kexec or in another process. */
#include <iommufd-sim/machine.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/sim_test.h"

static void assert_config_refused(struct ifs_machine_config config, const char *text)
{
	struct ifs_error error = { 0 };

	config.size = sizeof(config);
	assert_null(ifs_machine_new(&config, &error));
	assert_int_equal(error.code, EINVAL);
	assert_string_equal(error.text, text);
	assert_null(ifs_machine_new(&config, NULL));
}

static void test_new_with_config_out_of_range_is_refused(void **state)
{
	struct ifs_machine_config none = { 0 };
	struct ifs_error error = { 0 };

	(void)state;
	assert_null(ifs_machine_new(&none, &error));
	assert_string_equal(error.text, "config.size is 0; this library knows 64");
	assert_config_refused((struct ifs_machine_config){ .ram_bytes = 4096 },
			      "ram_bytes 0x1000: not a multiple of 2 MiB from 2 MiB to 16 TiB");
	assert_config_refused((struct ifs_machine_config){ .ram_bytes = (16ull << 40) + (2 << 20) },
			      "ram_bytes 0x100000200000: not a multiple of 2 MiB from 2 MiB to "
			      "16 TiB");
	assert_config_refused((struct ifs_machine_config){ .nr_iommus = 9 },
			      "nr_iommus is out of range: 1 to 8");
	assert_config_refused((struct ifs_machine_config){ .pt_format = 2 },
			      "pt_format is out of range");
	assert_config_refused((struct ifs_machine_config){ .iotlb_entries = 8 },
			      "iotlb_entries is out of range: a power of two from 16 to 4096");
	assert_config_refused((struct ifs_machine_config){ .iotlb_entries = 8192 },
			      "iotlb_entries is out of range: a power of two from 16 to 4096");
	assert_config_refused((struct ifs_machine_config){ .fault_entries = 257 },
			      "fault_entries is out of range: 1 to 256");
	assert_config_refused((struct ifs_machine_config){ .on_report = 2 },
			      "on_report is out of range");
}

static void test_new_defaults_are_the_documented_ones(void **state)
{
	struct ifs_machine_config config = { .size = sizeof(config) };
	struct ifs_machine *machine = ifs_machine_new(&config, NULL);

	(void)state;
	assert_int_equal(phys_mem_bytes(machine_phys_mem(machine)), 1 << 30);
	assert_int_equal(machine_nr_iommus(machine), 1);
	assert_int_equal(machine_boot_count(machine), 0);
	assert_null(machine_device(machine, 0));
	ifs_machine_free(machine);
	ifs_machine_free(NULL);
}

static void test_16_tib_machine_is_sparse(void **state)
{
	struct ifs_machine_config config = { .size = sizeof(config), .ram_bytes = 16ull << 40 };
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct ifs_machine *machine = ifs_machine_new(&config, NULL);
	u32 i;

	(void)state;
	assert_non_null(machine);
	put64(machine, (16ull << 40) - 8, 99);
	for (i = 0; i < 4; i++)
		machine_kexec(machine);
	assert_int_equal(get64(machine, (16ull << 40) - 8), 99);
	ifs_machine_get_stats(machine, &stats);
	assert_int_equal(stats.ram_resident_bytes, 4096);
	assert_int_equal(stats.boots, 4);
	ifs_machine_free(machine);
}

static void test_kexec_moves_ram_and_keeps_it(void **state)
{
	struct sim_test *t = *state;
	struct machine_boot_params params = { .kho_fdt_pa = 0x1000, .kho_fdt_bytes = 7 }, out;
	struct phys_mem *mem = machine_phys_mem(t->machine);
	void *before = phys_mem_ptr(mem, 0xabc000, 4096);
	char byte;

	machine_get_boot_params(t->machine, &out);
	assert_int_equal(out.kho_fdt_pa, 0);
	machine_set_boot_params(t->machine, &params);
	put64(t->machine, 0xabc000, 0x1234);
	assert_true(phys_mem_window_add(mem, 1ull << 46, 4096, &byte, 0));
	machine_kexec(t->machine);
	assert_int_equal(machine_boot_count(t->machine), 1);
	assert_ptr_not_equal(phys_mem_ptr(mem, 0xabc000, 4096), before);
	assert_int_equal(get64(t->machine, 0xabc000), 0x1234);
	assert_false(phys_mem_read(mem, 1ull << 46, &byte, 1));
	machine_get_boot_params(t->machine, &out);
	assert_int_equal(out.kho_fdt_pa, 0x1000);
	assert_int_equal(out.kho_fdt_bytes, 7);
}

static void test_stale_pointer_traps_after_kexec(void **state)
{
	struct sim_test *t = *state;
	volatile u8 *stale = phys_mem_ptr(machine_phys_mem(t->machine), 0xabc000, 1);
	int status;
	pid_t child;

	machine_kexec(t->machine);
	child = fork();
	if (!child) {
		signal(SIGSEGV, SIG_DFL);       /* a sanitizer would catch and print it */
		signal(SIGBUS, SIG_DFL);
		_exit(*stale ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void streaming_start(struct sim_test *t)
{
	struct ifs_stream_window window = { .start = 0x1000, .last = 0x1fff, .writable = true };
	struct ifs_stream_config config = { .size = sizeof(config), .windows = &window,
					    .nr_windows = 1, .burst_bytes = 256 };

	assert_true(ifs_device_stream_start(t->device, &config));
}

/* Everything a machine shows, in one text. */
static char *machine_text(struct ifs_machine *machine)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	u8 *frame = malloc(4096);
	char *text = malloc(16384);
	size_t at, i;

	ifs_machine_get_stats(machine, &stats);
	stats.ram_resident_bytes = 0;
	assert_true(ifs_machine_read_ram(machine, 0xabc000, frame, 4096));
	at = (size_t)sprintf(text, "%llu %llu %llu %llu %llu: ", (unsigned long long)stats.steps,
			     (unsigned long long)stats.dma_done,
			     (unsigned long long)stats.dma_bytes,
			     (unsigned long long)stats.iotlb_hits,
			     (unsigned long long)stats.reports);
	for (i = 0; i < 4096; i++)
		at += (size_t)sprintf(text + at, "%02x", frame[i]);
	free(frame);
	return text;
}

static void test_reopened_machine_streams_on_identically(void **state)
{
	struct sim_test a, b;
	struct ifs_machine *again;
	struct ifs_error error = { 0 };
	char *one, *other;
	int fd;

	(void)state;
	power_on(&a);
	tables_write(&a);
	translation_on(&a);
	checker_told(&a);
	power_on(&b);
	tables_write(&b);
	translation_on(&b);
	checker_told(&b);
	streaming_start(&a);
	streaming_start(&b);
	ifs_machine_run(a.machine, 150);

	ifs_machine_run(b.machine, 100);
	fd = dup(ifs_machine_arena_fd(b.machine));
	ifs_machine_free(b.machine);
	again = ifs_machine_open(fd, &error);
	assert_non_null(again);
	ifs_machine_run(again, 50);

	one = machine_text(a.machine);
	other = machine_text(again);
	assert_string_equal(one, other);
	free(one);
	free(other);
	ifs_machine_free(a.machine);
	ifs_machine_free(again);
}

static void test_run_goes_through_the_black_out(void **state)
{
	struct sim_test *t = *state;
	struct ifs_device_stats stats = { .size = sizeof(stats) };

	streaming_start(t);
	ifs_machine_run(t->machine, 10);
	machine_kexec(t->machine);
	ifs_machine_run(t->machine, 10);
	ifs_device_get_stats(t->device, &stats);
	assert_int_equal(stats.bursts, 20);
	assert_int_equal(stats.dma_done, 40);
	assert_int_equal(stats.dma_bytes, 40 * 256);
	assert_true(stats.streaming);
	assert_quiet(t);
}

static void test_stats_respect_the_callers_size(void **state)
{
	struct sim_test *t = *state;
	struct ifs_machine_stats stats;

	memset(&stats, 0x5a, sizeof(stats));
	stats.size = 16;
	ifs_machine_get_stats(t->machine, &stats);
	assert_int_equal(stats.size, 16);
	assert_int_equal(stats.steps, 0);
	assert_int_equal(stats.boots, 0x5a5a5a5a5a5a5a5a);
}

static void *machine_thread(void *arg)
{
	struct sim_test t;
	u32 i;

	(void)arg;
	power_on(&t);
	tables_write(&t);
	translation_on(&t);
	checker_told(&t);
	streaming_start(&t);
	for (i = 0; i < 20; i++) {
		ifs_machine_run(t.machine, 20);
		machine_kexec(t.machine);
	}
	assert_quiet(&t);
	ifs_machine_free(t.machine);
	return NULL;
}

static void test_machines_on_threads_do_not_meet(void **state)
{
	pthread_t threads[4];
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, machine_thread, NULL), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_with_config_out_of_range_is_refused),
		cmocka_unit_test(test_new_defaults_are_the_documented_ones),
		cmocka_unit_test(test_16_tib_machine_is_sparse),
		sim_unit_test(test_kexec_moves_ram_and_keeps_it),
		sim_unit_test(test_stale_pointer_traps_after_kexec),
		cmocka_unit_test(test_reopened_machine_streams_on_identically),
		sim_unit_test(test_run_goes_through_the_black_out),
		sim_unit_test(test_stats_respect_the_callers_size),
		cmocka_unit_test(test_machines_on_threads_do_not_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
