/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the subcommands of iommufd-sim share. */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <glib.h>
#include <stdio.h>

#include <iommufd-sim/machine.h>

enum {
	EXIT_FINE = 0,
	EXIT_FINDINGS = 1,      /* DMA lost or astray, leaks, reports, a run that stopped */
	EXIT_USAGE = 2,         /* bad options or input, or output that cannot be written */
};

/*
 * "iommufd-sim: TEXT" on stderr; returns EXIT_USAGE. One line whatever file names and input are in
 * the text: what is not printable is written as \xNN.
 */
int tool_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* "4K", "2M", "1G", "64G", plain bytes. FALSE: not a size. */
gboolean tool_parse_size(const char *text, guint64 *out);
/* "4.00 GiB"; free it. */
char *tool_format_size(guint64 bytes);
/* The text as a JSON string with its quotes; free it. */
char *tool_json_string(const char *text);
/* Every report the machine kept, one line each, behind @indent. */
void tool_print_reports(FILE *to, const struct ifs_machine *machine, const char *indent);

struct tool_options {
	const char *name;               /* of the subcommand */
	const char *arguments;          /* behind the options in the usage line */
	const char *summary, *description;
	const GOptionEntry *entries;
};

enum tool_parsed { TOOL_GO_ON, TOOL_HELPED, TOOL_BAD };

/*
 * Takes options off @argv. TOOL_HELPED: --help was asked for and is printed. TOOL_BAD: *error is
 * one line.
 */
enum tool_parsed tool_parse_options(const struct tool_options *options, int *argc, char ***argv,
				    char **error);

/* tools/stdio.c: what the shell may have closed, and what a full disk does. First and last call. */
void tool_stdio_init(void);
int tool_stdio_finish(int status);

int cmd_live_update(int argc, char **argv);
int cmd_live_update_resume(int argc, char **argv);
int cmd_info(int argc, char **argv);

#endif
