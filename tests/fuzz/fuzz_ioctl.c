/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Programs of system calls on /dev/iommu, VFIO devices, memory files and /dev/liveupdate, with the
 * kernel's selftest interface, DMA, allocations that fail, and kexecs in between.
 *
 * An input is such a program:
 *
 *   byte 0   how the kernel is booted: the bits FUZZ_* below
 *   byte 1   where the program starts: after that many steps of a whole live update (see
 *            tests/harness/lu_scenario.h; about 60 steps). 0 is a machine that is still off, and
 *            the largest useful one a guest that has been through two updates.
 *   then     the calls: one byte picks the call (see fuzz_calls.c), the next ones its arguments
 *
 * A call that failed must have left the state as it was, and every invariant of every layer must
 * hold. Both cost more than the calls themselves, so of calls in which no allocation is made to
 * fail only some are watched: which ones depends on the call's own bytes, so that a find can be
 * minimized. FUZZ_WATCH_ALL=1 in the environment watches all, and so finds the first bad one;
 * FUZZ_TRACE=1 prints the calls.
 *
 * At the end everything is closed: nothing may have leaked, and no checker may have reported
 * anything that the design does not answer for.
 *
 * The design posted-v1 is known to trip the checkers. Of it only the invariants are asked: no
 * mistake of a design may crash the kernel.
 */
#include "tests/fuzz/fuzz_world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <iommufd-sim/uapi_posted_v1.h>

#define MAX_CALLS 64
#define FUZZ_NOT_EXACT 0x01     /* known bugs of Linux are mended */
#define FUZZ_POSTED_V1 0x02
#define FUZZ_HUGE_FOLIOS 0x04   /* memory files in 2 MiB folios */
#define FUZZ_ONE_DEVICE 0x08
#define FUZZ_STREAM 0x10        /* devices do DMA between calls */
#define FUZZ_SELFTEST 0x20      /* IOMMU_TEST_CMD, and with it mock devices */

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

/* What the steps of the scenario made, as if the program itself had. */
static void learn_ids(struct fuzz_world *w)
{
	const struct lu_scenario *s = &w->scenario;

	if (s->ioas)
		fuzz_id_add(w, 'a', s->ioas);
	if (s->restored)
		fuzz_id_add(w, 'h', s->restored);
	if (s->hwpt)
		fuzz_id_add(w, 'h', s->hwpt);
	for (unsigned i = 0; i < s->config.devices; i++) {
		if (s->devid[i])
			fuzz_id_add(w, 'd', s->devid[i]);
	}
}

static void run_scenario(struct fuzz_world *w, uint8_t steps)
{
	struct lu_scenario *s = &w->scenario;
	/* Boot and a process there always are; the shutdown at the end is ours. */
	unsigned nr_steps = 2 + steps % (s->nr_steps - 2);

	for (unsigned i = 0; i < nr_steps; i++) {
		int rc = lu_scenario_step(s, i);

		if (rc && is_posted_v1(w) && !strcmp(s->steps[i].name, "mark"))
			mark_posted(s);
		else if (rc && !is_posted_v1(w))
			fuzz_die(w, s->steps[i].name);
	}
	if (!s->kernel)
		lu_scenario_step(s, lu_scenario_find(s, 0, LU_BOOT));
}

static void start(struct fuzz_world *w)
{
	/* By the number of devices; made once, each input finds it as new. */
	static struct ifs_machine *machines[LU_MAX_DEVICES + 1];
	struct lu_config config = lu_config_small();
	struct lu_scenario *s = &w->scenario;
	uint8_t flags = fuzz_u8(&w->in), steps = fuzz_u8(&w->in);

	config.not_exact = flags & FUZZ_NOT_EXACT;
	config.design = flags & FUZZ_POSTED_V1 ? "posted-v1" : NULL;
	config.folio_order = flags & FUZZ_HUGE_FOLIOS ? 9 : 0;
	config.devices = flags & FUZZ_ONE_DEVICE ? 1 : 2;
	config.bursts = flags & FUZZ_STREAM ? 1 : 0;
	config.blackout_bursts = 1;
	config.iommufd_test = flags & FUZZ_SELFTEST;
	config.machine = machines[config.devices];
	lu_scenario_init(s, &config);
	machines[config.devices] = s->machine;
	fuzz_buffer_reset();
	run_scenario(w, steps);
	learn_ids(w);
	w->process = w->processes[0] = s->process ? s->process : ifs_process_new(s->kernel, NULL);
}

/*
 * A mock device was destroyed with a PASID attached: Linux 7.3 warns, and loses the device with all
 * that it uses. So do we, unless known bugs are mended, and then nothing more can be asked of that
 * kernel at its end.
 */
static bool has_lost_pasids(const struct fuzz_world *w)
{
	static const char sign[] = "mock_driver.c";
	struct ifs_report report;

	if (w->scenario.config.not_exact || !w->scenario.config.iommufd_test)
		return false;
	for (unsigned i = 0; ifs_machine_get_report(w->scenario.machine, i, &report); i++) {
		if (report.rule == IFS_RULE_WARN && strstr(report.text, sign) &&
		    strstr(report.text, "in_use"))
			return true;
	}
	return false;
}

/*
 * Linux warns as well: of a retrieved file that cannot enter the map of preserved files, of a
 * VFIO_IOMMU_MAP_DMA that is neither for reading nor for writing, and of pages charged to a process
 * that has ended (lib/iommufd/pages_account.c).
 */
static bool linux_warns(const char *text)
{
	return strstr(text, "preserved_files") ||
	       strstr(text, "!(prot & (IOMMU_READ | IOMMU_WRITE))") ||
	       strstr(text, ": !nr_new, ") || strstr(text, "nr_pages > mm->locked_vm") ||
	       (strstr(text, "change_process.c") && strstr(text, ": err, "));
}

/* What no program may bring about, whatever it asks for. */
static void check_reports(struct fuzz_world *w)
{
	struct ifs_report report;

	if (is_posted_v1(w) || has_lost_pasids(w))
		return;
	for (unsigned i = 0; ifs_machine_get_report(w->scenario.machine, i, &report); i++) {
		if (report.rule != IFS_RULE_WARN || !linux_warns(report.text))
			fuzz_die(w, report.text);
	}
}

/* All invariants, and nothing that a checker had to say. */
static void check_all(struct fuzz_world *w)
{
	const char *broken = ifs_kernel_check(w->scenario.kernel);

	if (!broken && !is_posted_v1(w))
		broken = fuzz_check_preserved(w->scenario.kernel);
	if (broken)
		fuzz_die(w, broken);
	check_reports(w);
}

/* The call that begins with @opcode and the next bytes: is it looked at before and after? */
static bool is_watched(const struct fuzz_world *w, uint8_t opcode)
{
	unsigned sum = opcode;

	for (unsigned i = 0; i < 8 && i < w->in.left; i++)
		sum += w->in.data[i];
	return w->watch_all || opcode & FUZZ_CALL_FAIL || sum % 4 == 0;
}

static void one_call(struct fuzz_world *w)
{
	uint8_t opcode = fuzz_u8(&w->in);
	bool watched = is_watched(w, opcode), partial;
	uint64_t before = 0;
	int rc;

	if (watched)
		before = ifs_kernel_state_hash(w->scenario.kernel);
	if (opcode & FUZZ_CALL_FAIL) {
		uint8_t which = fuzz_u8(&w->in);

		ifs_kernel_fail_nth(w->scenario.kernel, which % 64 + 1, which & 0x80);
	}
	rc = fuzz_call(w, opcode, &partial);
	ifs_kernel_fail_nth(w->scenario.kernel, 0, false);
	if (w->trace)
		fprintf(stderr, "call %#x%s = %d\n", opcode, watched ? ", watched" : "", rc);
	if (watched && rc < 0 && !partial && !is_posted_v1(w) &&
	    before != ifs_kernel_state_hash(w->scenario.kernel)) {
		fprintf(stderr, "opcode %#x: %s\n", opcode, strerror(-rc));
		fuzz_die(w, "a call that failed has changed something");
	}
	ifs_machine_run(w->scenario.machine, w->scenario.config.bursts);
	if (watched)
		check_all(w);
}

static void end(struct fuzz_world *w)
{
	struct lu_scenario *s = &w->scenario;

	for (unsigned i = 0; i < s->config.devices; i++)
		ifs_device_stream_stop(s->devices[i]);
	check_all(w);
	if (is_posted_v1(w) || has_lost_pasids(w)) {
		ifs_kernel_drop(s->kernel);
		return;
	}
	if (ifs_kernel_shutdown(s->kernel) && !has_lost_pasids(w))
		fuzz_die(w, "something leaked");
	check_reports(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_world w = {
		.in = { data, size },
		.watch_all = getenv("FUZZ_WATCH_ALL") != NULL,
		.trace = getenv("FUZZ_TRACE") != NULL,
	};

	start(&w);
	for (unsigned i = 0; i < MAX_CALLS && w.in.left; i++)
		one_call(&w);
	end(&w);
	return 0;
}
