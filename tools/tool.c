/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Small things every subcommand needs: options, sizes, errors, JSON strings, the reports. */
#include "tools/tool.h"

#include <string.h>

/* GLib quotes with these; a terminal in the C locale cannot show them. */
static gboolean is_curly_quote(gunichar c)
{
	return c == 0x201c || c == 0x201d;
}

int tool_error(const char *format, ...)
{
	GString *line = g_string_new("iommufd-sim: ");
	const char *at;
	va_list args;
	char *text;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	for (at = text; *at;) {
		gunichar c = g_utf8_get_char_validated(at, -1);
		gboolean valid = c != (gunichar)-1 && c != (gunichar)-2;

		if (valid && is_curly_quote(c))
			g_string_append_c(line, '"');
		else if (valid && g_unichar_isprint(c))
			g_string_append_unichar(line, c);
		else
			g_string_append_printf(line, "\\x%02x", (guchar)*at);
		at = valid && g_unichar_isprint(c) ? g_utf8_next_char(at) : at + 1;
	}
	fprintf(stderr, "%s\n", line->str);
	g_string_free(line, TRUE);
	g_free(text);
	return EXIT_USAGE;
}

static void print_help(GOptionContext *context)
{
	char *help = g_option_context_get_help(context, TRUE, NULL);
	char **parts = g_strsplit(help, "\xe2\x80\xa6", -1);    /* GLib's ellipsis */
	char *ascii = g_strjoinv("...", parts);

	fputs(ascii, stdout);
	g_free(ascii);
	g_strfreev(parts);
	g_free(help);
}

enum tool_parsed tool_parse_options(const struct tool_options *options, int *argc, char ***argv,
				    char **error)
{
	gboolean help = FALSE;
	const GOptionEntry help_entry[] = {
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &help, "This text", NULL },
		G_OPTION_ENTRY_NULL
	};
	GOptionContext *context = g_option_context_new(options->arguments);
	enum tool_parsed parsed = TOOL_GO_ON;
	GError *problem = NULL;
	char *name = g_strconcat("iommufd-sim ", options->name, NULL);

	g_set_prgname(name);
	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_set_summary(context, options->summary);
	g_option_context_set_description(context, options->description);
	if (options->entries)
		g_option_context_add_main_entries(context, options->entries, NULL);
	g_option_context_add_main_entries(context, help_entry, NULL);
	if (!g_option_context_parse(context, argc, argv, &problem)) {
		*error = g_strdup_printf("%s; iommufd-sim %s --help lists the options",
					 problem->message, options->name);
		g_error_free(problem);
		parsed = TOOL_BAD;
	} else if (help) {
		print_help(context);
		parsed = TOOL_HELPED;
	}
	g_option_context_free(context);
	g_free(name);
	return parsed;
}

gboolean tool_parse_size(const char *text, guint64 *out)
{
	static const char units[] = "KMGT";
	const char *unit;
	guint64 value;
	char *end;

	if (!g_ascii_isdigit(*text))
		return FALSE;
	value = g_ascii_strtoull(text, &end, 10);
	if (*end) {
		unit = strchr(units, g_ascii_toupper(*end));
		if (!unit || (end[1] && strcmp(end + 1, "iB")))
			return FALSE;
		for (int shift = 10 * (int)(unit - units + 1); shift; shift -= 10) {
			if (value > G_MAXUINT64 >> 10)
				return FALSE;
			value <<= 10;
		}
	}
	*out = value;
	return TRUE;
}

char *tool_format_size(guint64 bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	guint unit = 0;

	while (value >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
		value /= 1024;
		unit++;
	}
	return g_strdup_printf(unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
}

char *tool_json_string(const char *text)
{
	GString *out = g_string_new("\"");
	char *valid = g_utf8_make_valid(text, -1);

	for (const char *at = valid; *at; at++) {
		guchar c = (guchar)*at;

		if (c == '"' || c == '\\')
			g_string_append_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			g_string_append_printf(out, "\\u%04x", c);
		else
			g_string_append_c(out, (char)c);
	}
	g_string_append_c(out, '"');
	g_free(valid);
	return g_string_free(out, FALSE);
}

void tool_print_reports(FILE *to, const struct ifs_machine *machine, const char *indent)
{
	struct ifs_report report;

	for (unsigned i = 0; ifs_machine_get_report(machine, i, &report); i++)
		fprintf(to, "%sstep %" G_GUINT64_FORMAT ", %s: %s\n", indent, report.step,
			ifs_rule_name(report.rule), report.text);
}
