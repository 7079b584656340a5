/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Small things every subcommand needs: sizes, errors, JSON strings, the list of reports. */
#include "tools/tool.h"

#include <string.h>

int tool_error(const char *format, ...)
{
	va_list args;

	fputs("iommufd-sim: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_USAGE;
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

	for (; *text; text++) {
		guchar c = (guchar)*text;

		if (c == '"' || c == '\\')
			g_string_append_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			g_string_append_printf(out, "\\u%04x", c);
		else
			g_string_append_c(out, (char)c);
	}
	g_string_append_c(out, '"');
	return g_string_free(out, FALSE);
}

void tool_print_reports(FILE *to, const struct ifs_machine *machine, const char *indent)
{
	struct ifs_report report;

	for (unsigned i = 0; ifs_machine_get_report(machine, i, &report); i++)
		fprintf(to, "%sstep %" G_GUINT64_FORMAT ", %s: %s\n", indent, report.step,
			ifs_rule_name(report.rule), report.text);
}
