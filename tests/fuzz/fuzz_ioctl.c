/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Programs of system calls on /dev/iommu, VFIO devices, memory files and /dev/liveupdate, with DMA,
 * allocations that fail, and kexecs in between.
 *
 * An input is such a program:
 *
 *   byte 0   how the kernel is booted: the bits FUZZ_* below
 *   byte 1   where the program starts: after that many steps of a whole live update (see
 *            tests/harness/lu_scenario.h; about 60 steps). 0 is a machine that is still off, and
 *            the largest useful one a guest that has been through two updates.
 *   then     the calls: one byte picks the call (see fuzz_calls.c), the next ones its arguments
 *
 * After each call every invariant of every layer is walked, and a call that failed must have left
 * the state as it was. At the end everything is closed: nothing may have leaked, and no checker may
 * have reported anything that the design does not answer for.
 *
 * The design posted-v1 is known to trip the checkers. Of it only the invariants are asked: no
 * mistake of a design may crash the kernel.
 */
#include "tests/fuzz/fuzz_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iommufd-sim/uapi_posted_v1.h>

#define MAX_CALLS 48
#define FUZZ_NOT_EXACT 0x01     /* known bugs of Linux are mended */
#define FUZZ_POSTED_V1 0x02
#define FUZZ_HUGE_FOLIOS 0x04   /* memory files in 2 MiB folios */
#define FUZZ_ONE_DEVICE 0x08
#define FUZZ_STREAM 0x10        /* devices do DMA between calls */

void fuzz_die(struct fuzz_world *w, const char *what)
{
	struct ifs_machine *machine = w->scenario.machine;
	char *log = ifs_machine_event_log(machine);
	struct ifs_report report;

	fprintf(stderr, "%s\n", log ? log : "");
	for (unsigned i = 0; ifs_machine_get_report(machine, i, &report); i++)
		fprintf(stderr, "report %s: %s\n", ifs_rule_name(report.rule), report.text);
	fprintf(stderr, "FOUND: %s\n", what);
	abort();
}

static bool is_posted_v1(const struct fuzz_world *w)
{
	return w->scenario.config.design != NULL;
}

/* The posted design's own mark, in place of the step that its kernel does not know. */
static void mark_posted(struct lu_scenario *s)
{
	struct iommu_hwpt_lu_set_preserve mark = {
		.size = sizeof(mark), .hwpt_id = s->hwpt, .hwpt_token = 7,
	};

	ifs_ioctl(s->process, s->iommufd, IOMMU_HWPT_LU_SET_PRESERVE, &mark);
}

/* One machine for all inputs with that many devices: each finds it as new. */
static struct ifs_machine **machine_kept(unsigned devices)
{
	static struct ifs_machine *machines[LU_MAX_DEVICES + 1];

	return &machines[devices];
}

static void start(struct fuzz_world *w)
{
	static struct ifs_machine *machines[3];         /* by devices; made once, then reset */
	struct lu_config config = lu_config_small();
	struct lu_scenario *s = &w->scenario;
	uint8_t flags = fuzz_u8(&w->in), steps = fuzz_u8(&w->in);
	unsigned nr_steps;

	config.not_exact = flags & FUZZ_NOT_EXACT;
	config.design = flags & FUZZ_POSTED_V1 ? "posted-v1" : NULL;
	config.folio_order = flags & FUZZ_HUGE_FOLIOS ? 9 : 0;
	config.devices = flags & FUZZ_ONE_DEVICE ? 1 : 2;
	config.bursts = flags & FUZZ_STREAM ? 1 : 0;
	config.machine = *machine_kept(config.devices);
	config.machine = machines[config.devices];
	lu_scenario_init(s, &config);
	machines[config.devices] = s->machine;
	*machine_kept(config.devices) = s->machine;
	/* Boot and a process there always are; the shutdown at the end is ours. */
	nr_steps = 2 + steps % (s->nr_steps - 2);
	for (unsigned i = 0; i < nr_steps; i++) {
		int rc = lu_scenario_step(s, i);

		if (rc && is_posted_v1(w) && !strcmp(s->steps[i].name, "mark"))
			mark_posted(s);
		else if (rc && !is_posted_v1(w))
			fuzz_die(w, s->steps[i].name);
	}
	if (!s->kernel)
		lu_scenario_step(s, lu_scenario_find(s, 0, LU_BOOT));
	w->process = w->processes[0] = s->process ? s->process : ifs_process_new(s->kernel, NULL);
}

/* What no program may bring about, whatever it asks for. */
static void check_reports(struct fuzz_world *w)
{
	/* A retrieved file that cannot enter the map of preserved files; Linux warns too. */
	static const char known[] = "preserved_files";
	struct ifs_report report;

	if (is_posted_v1(w))
		return;
	for (unsigned i = 0; ifs_machine_get_report(w->scenario.machine, i, &report); i++) {
		if (report.rule != IFS_RULE_WARN || !strstr(report.text, known))
			fuzz_die(w, report.text);
	}
}

static void one_call(struct fuzz_world *w, uint64_t *hash)
{
	uint8_t opcode = fuzz_u8(&w->in);
	const char *broken;
	uint64_t after;
	int rc;

	if (opcode & FUZZ_CALL_FAIL) {
		uint8_t which = fuzz_u8(&w->in);

		ifs_kernel_fail_nth(w->scenario.kernel, which % 64 + 1, which & 0x80);
	}
	rc = fuzz_call(w, opcode);
	ifs_kernel_fail_nth(w->scenario.kernel, 0, false);
	ifs_machine_run(w->scenario.machine, w->scenario.config.bursts);
	broken = ifs_kernel_check(w->scenario.kernel);
	if (broken)
		fuzz_die(w, broken);
	after = ifs_kernel_state_hash(w->scenario.kernel);
	if (rc < 0 && after != *hash && !is_posted_v1(w)) {
		fprintf(stderr, "opcode %#x: %s\n", opcode, strerror(-rc));
		fuzz_die(w, "a call that failed has changed something");
	}
	*hash = after;
	check_reports(w);
}

static void end(struct fuzz_world *w)
{
	struct lu_scenario *s = &w->scenario;

	for (unsigned i = 0; i < s->config.devices; i++)
		ifs_device_stream_stop(s->devices[i]);
	if (is_posted_v1(w)) {
		ifs_kernel_drop(s->kernel);
	} else {
		if (ifs_kernel_shutdown(s->kernel))
			fuzz_die(w, "something leaked");
		check_reports(w);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_world w = { .in = { data, size } };
	uint64_t hash;

	start(&w);
	hash = ifs_kernel_state_hash(w.scenario.kernel);
	for (unsigned i = 0; i < MAX_CALLS && w.in.left; i++)
		one_call(&w, &hash);
	end(&w);
	return 0;
}
