/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * "iommufd-sim live-update": options, the machine, and the order of things.
 *
 *   power on, boot, set up --+--> preserve, kexec, black-out, boot, take over --+--> end, report
 *                            +<----------------- next update ------------------+
 *
 * With --exec the process image is replaced in the middle of each black-out, and the run goes on in
 * cmd_live_update_resume().
 */
#include "tools/live_update.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/tool.h"

guint64 run_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (guint64)now.tv_sec * 1000000000u + (guint64)now.tv_nsec;
}

guint64 run_dma_done(const struct run *run)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_get_stats(run->machine, &stats);
	return stats.dma_done;
}

void run_dma(struct run *run, guint64 factor)
{
	guint64 start = run_clock_ns();

	ifs_machine_run(run->machine, (guint64)run->options.dma_bursts * factor);
	run->clock_mark_ns += run_clock_ns() - start;
}

guint64 run_resident_bytes(const struct run *run)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_get_stats(run->machine, &stats);
	return stats.ram_resident_bytes;
}

void run_say(const struct run *run, const char *format, ...)
{
	va_list args;

	if (run->options.quiet)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Takes the options off the command line. TOOL_BAD: *error is one line. */
static enum tool_parsed options_parse(struct run_options *o, int argc, char **argv, char **resume,
				      char **error)
{
	const GOptionEntry entries[] = {
		{ "guest", 'g', 0, G_OPTION_ARG_FILENAME, &o->guest_path,
		  "The guest's memory: output of QEMU's \"info mtree -f\"", "FILE" },
		{ "devices", 'd', 0, G_OPTION_ARG_INT, &o->devices,
		  "Devices that do DMA, 1 to 64 (2)", "N" },
		{ "updates", 'u', 0, G_OPTION_ARG_INT, &o->updates,
		  "Live updates in a row (2)", "N" },
		{ "exec", 'x', 0, G_OPTION_ARG_NONE, &o->exec,
		  "Make each kexec an execve() that inherits only the arena", NULL },
		{ "design", 0, 0, G_OPTION_ARG_STRING, &o->design,
		  "reference (default) or posted-v1", "NAME" },
		{ "page-size", 0, 0, G_OPTION_ARG_STRING, &o->page_size,
		  "Folios of the guest's memory: 4K, 2M (default), 1G", "SIZE" },
		{ "memory", 0, 0, G_OPTION_ARG_STRING, &o->memory,
		  "RAM of the machine (default: what the guest needs)", "SIZE" },
		{ "dma-bursts", 0, 0, G_OPTION_ARG_INT64, &o->dma_bursts,
		  "DMA bursts of each device between two calls (32)", "N" },
		{ "seed", 0, 0, G_OPTION_ARG_INT64, &o->seed, "Seed of the devices (1)", "N" },
		{ "arena", 0, 0, G_OPTION_ARG_FILENAME, &o->arena_path,
		  "Keep the machine in this file", "FILE" },
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &o->json, "Report for programs", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "No progress on stderr", NULL },
		{ "resume", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, resume, NULL, NULL },
		G_OPTION_ENTRY_NULL
	};
	const struct tool_options options = {
		.name = "live-update",
		.arguments = "--guest FILE",
		.summary = "Maps a guest, keeps DMA running, and live-updates the kernel under it.",
		.description = "Exit status: 0 if nothing was lost, astray, leaked or reported; "
			       "1 otherwise;\n2 for bad options or input.",
		.entries = entries,
	};
	enum tool_parsed parsed = tool_parse_options(&options, &argc, &argv, error);

	o->design = o->design ? o->design : g_strdup("reference");
	o->page_size = o->page_size ? o->page_size : g_strdup("2M");
	if (parsed == TOOL_GO_ON && argc > 1) {
		*error = g_strdup_printf("unexpected argument \"%s\"", argv[1]);
		return TOOL_BAD;
	}
	return parsed;
}

static char *options_check(struct run_options *o)
{
	struct stat guest;

	if (!o->guest_path || !*o->guest_path)
		return g_strdup("which guest? --guest FILE names what QEMU printed for "
				"\"info mtree -f\"");
	if (o->devices < 1 || o->devices > RUN_MAX_DEVICES)
		return g_strdup_printf("--devices is %d, not 1 to %d", o->devices, RUN_MAX_DEVICES);
	if (o->updates < 1 || o->updates > RUN_MAX_UPDATES)
		return g_strdup_printf("--updates is %d, not 1 to %d", o->updates, RUN_MAX_UPDATES);
	if (o->dma_bursts < 0 || o->dma_bursts > RUN_MAX_BURSTS)
		return g_strdup_printf("--dma-bursts is %" G_GINT64_FORMAT ", not 0 to %d",
				       o->dma_bursts, RUN_MAX_BURSTS);
	if (strcmp(o->design, "reference") && strcmp(o->design, "posted-v1"))
		return g_strdup_printf("no design \"%s\"; there are reference and posted-v1",
				       o->design);
	if (!tool_parse_size(o->page_size, &o->page_bytes) ||
	    (o->page_bytes != 4096 && o->page_bytes != 2u << 20 && o->page_bytes != 1u << 30))
		return g_strdup_printf("--page-size is \"%s\", not 4K, 2M or 1G", o->page_size);
	if (o->memory && (!tool_parse_size(o->memory, &o->memory_bytes) ||
			  o->memory_bytes == 0 || o->memory_bytes % (2u << 20)))
		return g_strdup_printf("--memory is \"%s\", not a multiple of 2M", o->memory);
	if (o->memory_bytes > RUN_MAX_RAM_BYTES)
		return g_strdup_printf("--memory is \"%s\", larger than 16T", o->memory);
	if (o->arena_path && !*o->arena_path)
		return g_strdup("--arena is empty, not the name of a file to create");
	if (o->exec && !stat(o->guest_path, &guest) && !S_ISREG(guest.st_mode))
		return g_strdup_printf("%s: not a regular file: with --exec the guest is read "
				       "again after each kexec", o->guest_path);
	return NULL;
}

/*
 * Beside the guest there must be room for what describes it, in the kernel that hands over and in
 * the one that takes over at the same time: page tables, 16 bytes for each folio in the
 * handed-over list, KHO's bits; plus scratch and the kernels themselves.
 */
static guint64 memory_needed(const struct run_options *o, const struct guest *guest)
{
	guint64 folios = guest->file_bytes / o->page_bytes + 1;
	guint64 bytes = guest->file_bytes + o->page_bytes + folios * 64 + (128ull << 20);

	return (bytes + (2u << 20) - 1) & ~((2ull << 20) - 1);
}

static gboolean power_on(struct run *run, char **error)
{
	guint64 needed = memory_needed(&run->options, run->guest);
	struct ifs_machine_config config = {
		.size = sizeof(config),
		.ram_bytes = run->options.memory_bytes ? run->options.memory_bytes : needed,
		.ram_path = run->options.arena_path,
		.seed = (guint64)run->options.seed,
	};
	struct ifs_error problem = { 0 };

	if (run->guest->file_bytes > config.ram_bytes) {
		char *guest = tool_format_size(run->guest->file_bytes);
		char *ram = tool_format_size(config.ram_bytes);

		*error = g_strdup_printf("%s: the guest has %s of memory, larger than the "
					 "machine's RAM of %s", run->options.guest_path, guest,
						 ram);
		g_free(guest);
		g_free(ram);
		return FALSE;
	}
	if (config.ram_bytes > RUN_MAX_RAM_BYTES) {
		char *ram = tool_format_size(config.ram_bytes);

		*error = g_strdup_printf("%s: the guest needs a machine with %s of RAM, which is "
					 "more than 16 TiB", run->options.guest_path, ram);
		g_free(ram);
		return FALSE;
	}
	run->machine = ifs_machine_new(&config, &problem);
	for (int i = 0; run->machine && i < run->options.devices; i++) {
		struct ifs_device_config device = { .size = sizeof(device) };

		device.bus = (guint8)(i + 1);
		run->devices[i] = ifs_machine_add_device(run->machine, &device, &problem);
		if (!run->devices[i])
			break;
	}
	if (problem.code)
		*error = g_strdup(problem.text);
	return !problem.code;
}

/* From "everything runs" to the end, or to where it stops. @resumed: within a black-out. */
static void run_updates(struct run *run, gboolean resumed)
{
	int err;

	while (resumed || run->update < (guint)run->options.updates) {
		if (!resumed) {
			if (!run_preserve(run) || !run_kexec(run))
				return;
			run_half_blackout(run);
			err = run->options.exec ? run_exec(run) : 0;
			if (err) {
				run->failure = g_strdup_printf("execve failed: %s",
							       g_strerror(err));
				return;
			}
		}
		run_half_blackout(run);
		resumed = FALSE;
		if (!run_take_over(run))
			return;
	}
}

static int run_finish(struct run *run)
{
	run_end(run);
	if (run->options.json)
		run_report_json(run, stdout);
	else
		run_report_text(run, stdout);
	return run_has_findings(run) ? EXIT_FINDINGS : EXIT_FINE;
}

static void run_init(struct run *run)
{
	*run = (struct run){
		.options = { .devices = 2, .updates = 2, .dma_bursts = 32, .seed = 1 },
	};
	run->records = g_array_new(FALSE, TRUE, sizeof(struct update_record));
}

static void run_deinit(struct run *run)
{
	struct run_options *o = &run->options;

	ifs_kernel_drop(run->kernel);
	ifs_machine_free(run->machine);
	guest_free(run->guest);
	g_array_free(run->records, TRUE);
	g_free(o->guest_path);
	g_free(o->arena_path);
	g_free(o->design);
	g_free(o->page_size);
	g_free(o->memory);
	g_free(run->stopped_at);
	g_free(run->failure);
}

/* Options and guest; the part that both ways into a run share. */
static enum tool_parsed run_prepare(struct run *run, int argc, char **argv, char **resume,
				    char **error)
{
	enum tool_parsed parsed;

	run_init(run);
	parsed = options_parse(&run->options, argc, argv, resume, error);
	if (parsed != TOOL_GO_ON)
		return parsed;
	*error = options_check(&run->options);
	if (*error)
		return TOOL_BAD;
	run->guest = guest_load(run->options.guest_path, run->options.page_bytes, error);
	return run->guest ? TOOL_GO_ON : TOOL_BAD;
}

int cmd_live_update(int argc, char **argv)
{
	char *error = NULL, *resume = NULL;
	struct run run;
	enum tool_parsed parsed = run_prepare(&run, argc, argv, &resume, &error);
	int status;

	if (parsed == TOOL_HELPED) {
		status = EXIT_FINE;
	} else if (parsed == TOOL_BAD || !power_on(&run, &error)) {
		status = tool_error("%s", error);
	} else {
		if (run_boot(&run) && run_set_up(&run))
			run_updates(&run, FALSE);
		status = run_finish(&run);
	}
	g_free(error);
	g_free(resume);
	run_deinit(&run);
	return status;
}

/* After a kexec that was an execve(): the arena came along, the rest is in --resume. */
int cmd_live_update_resume(int argc, char **argv)
{
	char *error = NULL, *resume = NULL;
	struct run run;
	enum tool_parsed parsed = run_prepare(&run, argc, argv, &resume, &error);
	int status;

	if (parsed == TOOL_HELPED) {
		status = EXIT_FINE;
	} else if (parsed == TOOL_BAD ||
		   !run_resume(&run, resume ? resume : "", &error)) {
		status = tool_error("%s", error);
	} else {
		run_updates(&run, TRUE);
		status = run_finish(&run);
	}
	g_free(error);
	g_free(resume);
	run_deinit(&run);
	return status;
}
