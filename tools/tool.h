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
	EXIT_USAGE = 2,         /* bad options or bad input */
};

/* "iommufd-sim: TEXT" on stderr; returns EXIT_USAGE. */
int tool_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* "4K", "2M", "1G", "64G", plain bytes. FALSE: not a size. */
gboolean tool_parse_size(const char *text, guint64 *out);
/* "4.00 GiB"; free it. */
char *tool_format_size(guint64 bytes);
/* The text as a JSON string with its quotes; free it. */
char *tool_json_string(const char *text);
/* Every report the machine kept, one line each, behind @indent. */
void tool_print_reports(FILE *to, const struct ifs_machine *machine, const char *indent);

int cmd_live_update(int argc, char **argv);
int cmd_live_update_resume(int argc, char **argv);
int cmd_info(int argc, char **argv);

#endif
