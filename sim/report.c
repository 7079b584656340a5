/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Reports and the event log, both in the arena.
 *
 * Every report is counted per rule. Text is kept for the first REPORTS_KEPT, at most
 * REPORTS_PER_RULE of each rule, so that a rule that fires on every burst leaves room for the
 * others. The event log is a ring of bytes: lines "step: text", the oldest overwritten first.
 */
#include "sim/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/machine_internal.h"

#define REPORTS_PER_RULE 16

static const char *const rule_names[IFS_NR_RULES] = {
	[IFS_RULE_NONE] = "none",
	[IFS_RULE_DMA_LOST] = "dma-lost",
	[IFS_RULE_DMA_ASTRAY] = "dma-astray",
	[IFS_RULE_DMA_CORRUPT] = "dma-corrupt",
	[IFS_RULE_STALE_IOTLB] = "stale-iotlb",
	[IFS_RULE_TABLE_FREED] = "table-freed",
	[IFS_RULE_UNPRESERVED_TARGET] = "unpreserved-target",
	[IFS_RULE_LEAK] = "leak",
	[IFS_RULE_ATOMIC_SLEEP] = "atomic-sleep",
	[IFS_RULE_LOCK_ORDER] = "lock-order",
	[IFS_RULE_LOCK_RECURSION] = "lock-recursion",
	[IFS_RULE_LOCK_STRANGER] = "lock-stranger",
	[IFS_RULE_LOCK_NOT_HELD] = "lock-not-held",
	[IFS_RULE_USE_AFTER_FREE] = "use-after-free",
	[IFS_RULE_WARN] = "warn",
	[IFS_RULE_BUG] = "bug",
	[IFS_RULE_PANIC] = "panic",
	[IFS_RULE_DEVICE_BLOCKED] = "device-blocked",
	[IFS_RULE_STATE_REFUSED] = "state-refused",
};

const char *ifs_rule_name(enum ifs_rule rule)
{
	return (unsigned)rule < IFS_NR_RULES ? rule_names[rule] : "unknown";
}

u64 sim_step(struct ifs_machine *machine)
{
	return ++machine->state->steps;
}

bool sim_is_stopped(const struct ifs_machine *machine)
{
	return machine->state->stopped;
}

void sim_report(struct ifs_machine *machine, enum ifs_rule rule, const char *format, ...)
{
	struct machine_state *state = machine->state;
	struct ifs_report *report;
	va_list args;

	if ((unsigned)rule >= IFS_NR_RULES)
		rule = IFS_RULE_NONE;
	if (state->on_report == IFS_REPORT_AND_STOP)
		state->stopped = 1;
	if (state->rule_counts[rule]++ >= REPORTS_PER_RULE || state->nr_reports >= REPORTS_KEPT)
		return;
	report = &state->reports[state->nr_reports++];
	report->step = state->steps;
	report->rule = rule;
	va_start(args, format);
	vsnprintf(report->text, sizeof(report->text), format, args);
	va_end(args);
	sim_log(machine, "report %s: %s", rule_names[rule], report->text);
}

uint64_t ifs_machine_count_reports(const struct ifs_machine *machine, enum ifs_rule rule)
{
	return (unsigned)rule < IFS_NR_RULES ? machine->state->rule_counts[rule] : 0;
}

bool ifs_machine_get_report(const struct ifs_machine *machine, unsigned index,
			    struct ifs_report *out)
{
	if (index >= machine->state->nr_reports)
		return false;
	*out = machine->state->reports[index];
	return true;
}

void sim_log(struct ifs_machine *machine, const char *format, ...)
{
	struct machine_state *state = machine->state;
	char line[512];
	va_list args;
	int at, n;
	u32 pos, head;

	at = snprintf(line, sizeof(line), "%llu: ", (unsigned long long)state->steps);
	va_start(args, format);
	n = vsnprintf(line + at, sizeof(line) - (size_t)at, format, args);
	va_end(args);
	n = n < 0 ? at : min(at + n, (int)sizeof(line) - 2);
	line[n++] = '\n';

	pos = (u32)(state->log_bytes % EVENT_LOG_BYTES);
	head = min((u32)n, EVENT_LOG_BYTES - pos);
	memcpy(state->log + pos, line, head);
	memcpy(state->log, line + head, (u32)n - head);
	state->log_bytes += (u32)n;
}

char *ifs_machine_event_log(const struct ifs_machine *machine)
{
	const struct machine_state *state = machine->state;
	u64 from = 0, at, length = 0;
	char *text;

	text = malloc(EVENT_LOG_BYTES + 1);
	if (!text)
		return NULL;
	if (state->log_bytes > EVENT_LOG_BYTES) {       /* the first line was cut: drop it */
		from = state->log_bytes - EVENT_LOG_BYTES;
		while (from < state->log_bytes && state->log[from++ % EVENT_LOG_BYTES] != '\n')
			;
	}
	for (at = from; at < state->log_bytes; at++) {
		char c = state->log[at % EVENT_LOG_BYTES];

		text[length++] = c ? c : '?';   /* an arena is input: a NUL must not cut the text */
	}
	text[length] = '\0';
	return text;
}

const char *report_check_state(const struct machine_state *state)
{
	u32 i;

	if (state->on_report > IFS_REPORT_AND_STOP)
		return "on_report is out of range";
	if (state->stopped > 1)
		return "stopped is neither 0 nor 1";
	if (state->nr_reports > REPORTS_KEPT)
		return "nr_reports is out of range";
	if (state->log_bytes > BIT_ULL(62))
		return "log_bytes is out of range";
	for (i = 0; i < state->nr_reports; i++) {
		const struct ifs_report *report = &state->reports[i];

		if (report->rule >= IFS_NR_RULES)
			return "a report's rule is out of range";
		if (!memchr(report->text, 0, sizeof(report->text)))
			return "a report's text does not end";
	}
	return NULL;
}
