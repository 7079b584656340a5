/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A kexec that really is one: execve() of this very program. Of the old process nothing is left
 * but standard input, output and error, and the arena file. The counters that the report needs at
 * the end travel as one argument:
 *
 *   --resume=FD:UPDATE:CLOCK:DMA[,RECORD...]     RECORD is MAPPINGS:TABLES:...:RESTORE_NS
 *
 * all decimal. The last record is the update under way; what is not known yet is 0 in it.
 */
#include "tools/live_update.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/tool.h"

#define RECORD_FIELDS (sizeof(struct update_record) / sizeof(guint64))

static char *state_format(const struct run *run, int arena_fd)
{
	GString *text = g_string_new(NULL);

	g_string_append_printf(text, "%d:%u:%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, arena_fd,
			       run->update, run->clock_mark_ns, run->dma_mark);
	for (guint i = 0; i <= run->records->len; i++) {
		const struct update_record *record = &run->now;
		guint64 fields[RECORD_FIELDS];

		if (i < run->records->len)
			record = &g_array_index(run->records, struct update_record, i);
		memcpy(fields, record, sizeof(fields));
		for (guint k = 0; k < RECORD_FIELDS; k++)
			g_string_append_printf(text, "%c%" G_GUINT64_FORMAT, k ? ':' : ',',
					       fields[k]);
	}
	return g_string_free(text, FALSE);
}

/* @count numbers separated by colons, nothing else. */
static gboolean numbers_parse(const char *text, guint64 *out, guint count)
{
	char **parts = g_strsplit(text, ":", -1);
	gboolean ok = g_strv_length(parts) == count;

	for (guint i = 0; ok && i < count; i++)
		ok = g_ascii_string_to_unsigned(parts[i], 10, 0, G_MAXUINT64, &out[i], NULL);
	g_strfreev(parts);
	return ok;
}

static gboolean state_parse(struct run *run, const char *text, int *arena_fd)
{
	char **parts = g_strsplit(text, ",", -1);
	guint nr_records = g_strv_length(parts);
	guint64 head[4], fields[RECORD_FIELDS];
	struct update_record record;
	gboolean ok;

	ok = nr_records >= 2 && numbers_parse(parts[0], head, 4) && head[0] <= G_MAXINT &&
	     head[1] < (guint64)run->options.updates && head[1] == nr_records - 2;
	for (guint i = 1; ok && i < nr_records; i++) {
		ok = numbers_parse(parts[i], fields, RECORD_FIELDS);
		memcpy(&record, fields, sizeof(record));
		if (i + 1 < nr_records)
			g_array_append_val(run->records, record);
		else
			run->now = record;
	}
	g_strfreev(parts);
	if (!ok)
		return FALSE;
	*arena_fd = (int)head[0];
	run->update = (guint)head[1];
	run->clock_mark_ns = head[2];
	run->dma_mark = head[3];
	return TRUE;
}

static void add_number(GPtrArray *argv, const char *option, gint64 value)
{
	g_ptr_array_add(argv, g_strdup_printf("--%s=%" G_GINT64_FORMAT, option, value));
}

static char **arguments(const struct run *run, int arena_fd)
{
	GPtrArray *argv = g_ptr_array_new();
	const struct run_options *o = &run->options;
	char *state = state_format(run, arena_fd);

	g_ptr_array_add(argv, g_strdup("iommufd-sim"));
	g_ptr_array_add(argv, g_strdup("live-update-resume"));
	g_ptr_array_add(argv, g_strdup_printf("--guest=%s", o->guest_path));
	g_ptr_array_add(argv, g_strdup_printf("--design=%s", o->design));
	g_ptr_array_add(argv, g_strdup_printf("--page-size=%s", o->page_size));
	add_number(argv, "devices", o->devices);
	add_number(argv, "updates", o->updates);
	add_number(argv, "dma-bursts", o->dma_bursts);
	add_number(argv, "seed", o->seed);
	g_ptr_array_add(argv, g_strdup("--exec"));
	if (o->arena_path)
		g_ptr_array_add(argv, g_strdup_printf("--arena=%s", o->arena_path));
	if (o->json)
		g_ptr_array_add(argv, g_strdup("--json"));
	if (o->quiet)
		g_ptr_array_add(argv, g_strdup("--quiet"));
	g_ptr_array_add(argv, g_strdup_printf("--resume=%s", state));
	g_ptr_array_add(argv, NULL);
	g_free(state);
	return (char **)g_ptr_array_free(argv, FALSE);
}

/* Everything from 3 up closes at the exec, but for @keep. */
static int keep_only(int keep)
{
	int flags = fcntl(keep, F_GETFD);

	if (flags < 0)
		return errno;
	if (keep > 3 && syscall(SYS_close_range, 3u, (unsigned)keep - 1, CLOSE_RANGE_CLOEXEC))
		return errno;
	if (syscall(SYS_close_range, (unsigned)keep + 1, ~0u, CLOSE_RANGE_CLOEXEC))
		return errno;
	return fcntl(keep, F_SETFD, flags & ~FD_CLOEXEC) ? errno : 0;
}

int run_exec(struct run *run)
{
	int arena_fd = ifs_machine_arena_fd(run->machine), err;
	char **argv;

	fflush(stdout);
	fflush(stderr);
	argv = arguments(run, arena_fd);
	err = keep_only(arena_fd);
	if (!err) {
		execv("/proc/self/exe", argv);
		err = errno;
	}
	g_strfreev(argv);
	return err;
}

gboolean run_resume(struct run *run, const char *state, char **error)
{
	struct ifs_error problem = { 0 };
	int arena_fd;

	if (!state_parse(run, state, &arena_fd)) {
		*error = g_strdup("live-update-resume is not a command for users: "
				  "its state cannot be read");
		return FALSE;
	}
	run->machine = ifs_machine_open(arena_fd, &problem);
	if (!run->machine) {
		*error = g_strdup_printf("the arena that execve() carried over: %s", problem.text);
		return FALSE;
	}
	for (int i = 0; i < run->options.devices; i++) {
		run->devices[i] = ifs_machine_get_device(run->machine, (unsigned)i);
		if (!run->devices[i]) {
			*error = g_strdup_printf("the arena that execve() carried over has %d "
						 "devices, not %d", i, run->options.devices);
			return FALSE;
		}
	}
	return TRUE;
}
