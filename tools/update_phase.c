/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The phases of a run: what happens between two lines of its report, and what is counted there.
 *
 * Every step is followed by DMA, whatever it did: devices never wait for software.
 */
#include "tools/update_step.h"

#define BLACKOUT_FACTOR 16      /* a black-out sees as much DMA as this many steps */

static gboolean run_steps(struct run *run, const struct step *step)
{
	for (; step->name; step++) {
		int rc = step->run(run);

		if (rc < 0) {
			run->stopped_at = g_strdup_printf("update %u of %d: %s: %s",
							  run->update + 1, run->options.updates,
							  step->name, g_strerror(-rc));
			return FALSE;
		}
		run_dma(run, 1);
	}
	return TRUE;
}

static guint64 phase_dma(struct run *run)
{
	guint64 done = run_dma_done(run), phase = done - run->dma_mark;

	run->dma_mark = done;
	return phase;
}

gboolean run_boot(struct run *run)
{
	struct ifs_kernel_config config = {
		.size = sizeof(config),
		.design = run->options.design,
		.memfd_folio_order = g_bit_nth_lsf(run->options.page_bytes, -1) - 12,
	};
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };
	struct ifs_error error;

	run->kernel = ifs_kernel_boot(run->machine, &config, &error);
	if (!run->kernel) {
		run->failure = g_strdup_printf("the kernel did not boot: %s", error.text);
		return FALSE;
	}
	ifs_kernel_get_stats(run->kernel, &stats);
	run->heap_at_boot = stats.heap_blocks;
	run->marks_at_boot = stats.pages_preserved;
	return TRUE;
}

gboolean run_set_up(struct run *run)
{
	if (!run_steps(run, set_up_steps))
		return FALSE;
	run->dma_mark = run_dma_done(run);
	run_say(run, "kernel 1 is up, guest mapped, %d device(s) streaming", run->options.devices);
	run_dma(run, BLACKOUT_FACTOR);
	return TRUE;
}

gboolean run_preserve(struct run *run)
{
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };

	run->now = (struct update_record){ .mappings = run->guest->regions->len };
	if (!run_steps(run, preserve_steps))
		return FALSE;
	ifs_kernel_get_stats(run->kernel, &stats);
	run->now.table_pages = stats.pages_table;
	run->now.pages_preserved = stats.pages_preserved;
	run_say(run, "update %u of %d: %" G_GUINT64_FORMAT " pages preserved, %" G_GUINT64_FORMAT
		" of them page tables", run->update + 1, run->options.updates,
		run->now.pages_preserved, run->now.table_pages);
	return TRUE;
}

gboolean run_kexec(struct run *run)
{
	int rc;

	run->now.dma_before = phase_dma(run);
	run->clock_mark_ns = run_clock_ns();
	rc = ifs_kernel_kexec(run->kernel);
	if (rc) {
		run->stopped_at = g_strdup_printf("update %u of %d: kexec: %s", run->update + 1,
						  run->options.updates, g_strerror(-rc));
		return FALSE;
	}
	run->kernel = NULL;
	run->vmm = NULL;
	return TRUE;
}

void run_half_blackout(struct run *run)
{
	run_dma(run, BLACKOUT_FACTOR / 2);
}

gboolean run_take_over(struct run *run)
{
	struct update_record *now = &run->now;
	gboolean ok;

	if (!run_boot(run))
		return FALSE;
	now->blackout_ns = run_clock_ns() - run->clock_mark_ns;
	now->dma_during = phase_dma(run);
	run->clock_mark_ns = run_clock_ns();
	ok = run_steps(run, take_over_steps);
	now->restore_ns = run_clock_ns() - run->clock_mark_ns;
	now->dma_after = phase_dma(run);
	g_array_append_val(run->records, *now);
	if (!ok)
		return FALSE;
	run->update++;
	run_say(run, "update %u of %d: kernel %u has taken everything over, %" G_GUINT64_FORMAT
		" DMA requests during the black-out", run->update, run->options.updates,
		run->update + 1, now->dma_during);
	return TRUE;
}

/* The VMM exits, then the kernel: what each leaves is a finding. */
void run_end(struct run *run)
{
	struct ifs_kernel_stats stats = { .size = sizeof(stats) };

	for (int i = 0; i < run->options.devices; i++)
		ifs_device_stream_stop(run->devices[i]);
	run->resident_bytes = run_resident_bytes(run);
	if (!run->kernel)
		return;
	ifs_exit(run->vmm);
	run->vmm = NULL;
	ifs_kernel_get_stats(run->kernel, &stats);
	run->heap_left = stats.heap_blocks > run->heap_at_boot
		? stats.heap_blocks - run->heap_at_boot : 0;
	run->marks_left = stats.pages_preserved > run->marks_at_boot
			  ? stats.pages_preserved - run->marks_at_boot : 0;
	run->leaks = ifs_kernel_shutdown(run->kernel);
	run->kernel = NULL;
}
