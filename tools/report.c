/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What a run tells at its end: for people, and as one JSON object for programs. */
#include "tools/live_update.h"

#include "tools/tool.h"

#define U64 "%" G_GUINT64_FORMAT
#define N9 "%9" G_GUINT64_FORMAT

static struct ifs_machine_stats machine_stats(const struct run *run)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };

	ifs_machine_get_stats(run->machine, &stats);
	return stats;
}

gboolean run_has_findings(const struct run *run)
{
	struct ifs_machine_stats stats = machine_stats(run);

	return run->failure || run->stopped_at || run->leaks || run->heap_left || run->marks_left ||
	       stats.dma_lost || stats.dma_astray || stats.dma_corrupt || stats.reports;
}

static void print_guest(const struct run *run, FILE *to)
{
	char *mapped = tool_format_size(run->guest->mapped_bytes);
	guint rom = 0;

	for (guint i = 0; i < run->guest->regions->len; i++)
		rom += !g_array_index(run->guest->regions, struct guest_region, i).writable;
	fprintf(to, "guest      %s: %s in %u RAM and %u ROM regions, %u others skipped\n",
		run->options.guest_path, mapped, run->guest->regions->len - rom, rom,
		run->guest->skipped);
	fprintf(to, "run        design %s, %d device(s), %s folios, %s\n", run->options.design,
		run->options.devices, run->options.page_size,
		run->options.exec ? "each kexec an execve" : "kexec in process");
	g_free(mapped);
}

static void print_updates(const struct run *run, FILE *to)
{
	const struct update_record *r;

	if (!run->records->len)
		return;
	fprintf(to, "\n%-10s %9s %9s %9s   %9s %9s %9s   %9s %9s\n", "", "", "table", "pages",
		"DMA done", "", "", "black-out", "restore");
	fprintf(to, "%-10s %9s %9s %9s   %9s %9s %9s   %9s %9s\n", "", "mappings", "pages",
		"preserved", "before", "during", "after", "ms", "ms");
	for (guint i = 0; i < run->records->len; i++) {
		r = &g_array_index(run->records, struct update_record, i);
		fprintf(to,
			"update %-3u " N9 " " N9 " " N9 "   " N9 " " N9 " " N9 "   %9.2f %9.2f\n",
			i + 1, r->mappings, r->table_pages, r->pages_preserved, r->dma_before,
			r->dma_during, r->dma_after, (double)r->blackout_ns / 1e6,
			(double)r->restore_ns / 1e6);
	}
	fputc('\n', to);
}

void run_report_text(const struct run *run, FILE *to)
{
	struct ifs_machine_stats stats = machine_stats(run);
	char *moved = tool_format_size(stats.dma_bytes);
	char *resident = tool_format_size(run->resident_bytes);

	print_guest(run, to);
	print_updates(run, to);
	fprintf(to,
		"DMA        " U64 " requests, %s: lost " U64 ", astray " U64 ", corrupt " U64 "\n",
		stats.dma_done, moved, stats.dma_lost, stats.dma_astray, stats.dma_corrupt);
	fprintf(to,
		"left over  heap blocks " U64 ", KHO marks " U64 ", leaks at shutdown " U64 "\n",
		run->heap_left, run->marks_left, run->leaks);
	fprintf(to, "memory     %s of the host's for the machine's RAM\n", resident);
	fprintf(to, stats.reports ? "reports    " U64 "\n" : "reports    none\n", stats.reports);
	tool_print_reports(to, run->machine, "  ");
	if (run->failure)
		fprintf(to, "stopped    %s\n", run->failure);
	if (run->stopped_at)
		fprintf(to, "stopped    %s\n", run->stopped_at);
	fprintf(to, "verdict    %s\n", run_has_findings(run) ? "NOT FINE: see above"
		: "every update went through, no DMA was lost or went astray, nothing is left");
	g_free(moved);
	g_free(resident);
}

static void json_text(FILE *to, const char *key, const char *value, const char *end)
{
	char *text = value ? tool_json_string(value) : g_strdup("null");

	fprintf(to, "\"%s\": %s%s", key, text, end);
	g_free(text);
}

static void json_count(FILE *to, const char *key, guint64 value, const char *end)
{
	fprintf(to, "\"%s\": " U64 "%s", key, value, end);
}

static void json_updates(const struct run *run, FILE *to)
{
	const struct update_record *r;

	fputs("  \"updates\": [", to);
	for (guint i = 0; i < run->records->len; i++) {
		r = &g_array_index(run->records, struct update_record, i);
		fputs(i ? ",\n    {" : "\n    {", to);
		json_count(to, "mappings", r->mappings, ", ");
		json_count(to, "table_pages", r->table_pages, ", ");
		json_count(to, "pages_preserved", r->pages_preserved, ", ");
		json_count(to, "dma_before", r->dma_before, ", ");
		json_count(to, "dma_during", r->dma_during, ", ");
		json_count(to, "dma_after", r->dma_after, ", ");
		json_count(to, "blackout_ns", r->blackout_ns, ", ");
		json_count(to, "restore_ns", r->restore_ns, "}");
	}
	fputs(run->records->len ? "\n  ],\n" : "],\n", to);
}

static void json_reports(const struct run *run, FILE *to)
{
	struct ifs_report report;
	unsigned i;

	fputs("  \"reports\": [", to);
	for (i = 0; ifs_machine_get_report(run->machine, i, &report); i++) {
		fprintf(to, "%s\n    {\"step\": " U64 ", ", i ? "," : "", report.step);
		json_text(to, "rule", ifs_rule_name(report.rule), ", ");
		json_text(to, "text", report.text, "}");
	}
	fputs(i ? "\n  ],\n" : "],\n", to);
}

static void json_totals(const struct run *run, FILE *to)
{
	struct ifs_machine_stats stats = machine_stats(run);

	fputs("  \"dma\": {", to);
	json_count(to, "done", stats.dma_done, ", ");
	json_count(to, "bytes", stats.dma_bytes, ", ");
	json_count(to, "lost", stats.dma_lost, ", ");
	json_count(to, "astray", stats.dma_astray, ", ");
	json_count(to, "corrupt", stats.dma_corrupt, ", ");
	json_count(to, "blocked", stats.dma_blocked, "},\n  \"left\": {");
	json_count(to, "heap_blocks", run->heap_left, ", ");
	json_count(to, "kho_marks", run->marks_left, ", ");
	json_count(to, "leaks", run->leaks, "},\n  ");
	json_count(to, "ram_resident_bytes", run->resident_bytes, ",\n  ");
	json_count(to, "reports_total", stats.reports, ",\n");
}

void run_report_json(const struct run *run, FILE *to)
{
	fputs("{\n  ", to);
	json_text(to, "guest", run->options.guest_path, ",\n  ");
	json_text(to, "design", run->options.design, ",\n  ");
	json_text(to, "page_size", run->options.page_size, ",\n  ");
	json_count(to, "guest_bytes", run->guest->mapped_bytes, ",\n  ");
	json_count(to, "devices", (guint64)run->options.devices, ",\n  ");
	json_count(to, "updates_wanted", (guint64)run->options.updates, ",\n  ");
	json_count(to, "updates_done", run->update, ",\n");
	fprintf(to, "  \"exec\": %s,\n", run->options.exec ? "true" : "false");
	json_updates(run, to);
	json_totals(run, to);
	json_reports(run, to);
	fputs("  ", to);
	json_text(to, "failure", run->failure, ",\n  ");
	json_text(to, "stopped_at", run->stopped_at, ",\n");
	fprintf(to, "  \"fine\": %s\n}\n", run_has_findings(run) ? "false" : "true");
}
