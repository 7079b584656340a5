/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* "iommufd-sim info ARENA": what an arena file says about the machine in it. */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <iommufd-sim/device.h>

#define U64 "%" G_GUINT64_FORMAT

static void print_machine(const struct ifs_machine_stats *stats)
{
	char *bytes = tool_format_size(stats->dma_bytes);
	char *resident = tool_format_size(stats->ram_resident_bytes);

	printf("machine    step " U64 ", " U64 " kexec(s), %s of RAM in use\n", stats->steps,
	       stats->boots, resident);
	printf("DMA        " U64 " requests, %s: blocked " U64 ", lost " U64 ", astray " U64
	       ", corrupt " U64 "\n", stats->dma_done, bytes, stats->dma_blocked, stats->dma_lost,
	       stats->dma_astray, stats->dma_corrupt);
	printf("IOTLB      hits " U64 ", misses " U64 ", invalidations " U64 "\n",
	       stats->iotlb_hits, stats->iotlb_misses, stats->iotlb_invalidations);
	printf("faults     recorded " U64 ", overflowed " U64 "\n", stats->faults_recorded,
	       stats->faults_overflowed);
	g_free(bytes);
	g_free(resident);
}

static void print_devices(struct ifs_machine *machine)
{
	struct ifs_device_stats stats = { .size = sizeof(stats) };
	struct ifs_device *device;
	char name[16];

	for (unsigned i = 0; (device = ifs_machine_get_device(machine, i)); i++) {
		ifs_device_name(device, name);
		ifs_device_get_stats(device, &stats);
		printf("device     %s: %s, bursts " U64 ", DMA " U64 ", blocked " U64 ", lost " U64
		       ", astray " U64 ", corrupt " U64 "\n", name,
		       stats.streaming ? "streaming" : "idle", stats.bursts, stats.dma_done,
		       stats.dma_blocked, stats.dma_lost, stats.dma_astray, stats.dma_corrupt);
	}
}

static int print_info(struct ifs_machine *machine)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	char *log = ifs_machine_event_log(machine);

	ifs_machine_get_stats(machine, &stats);
	print_machine(&stats);
	print_devices(machine);
	printf("reports    " U64 "\n", stats.reports);
	tool_print_reports(stdout, machine, "  ");
	printf("event log, oldest first\n%s", log ? log : "  (no memory to print it)\n");
	free(log);
	return EXIT_FINE;
}

int cmd_info(int argc, char **argv)
{
	const struct tool_options options = {
		.name = "info",
		.arguments = "ARENA",
		.summary = "Says what is in an arena file: machine, devices, reports, event log.",
		.description = "ARENA is what \"iommufd-sim live-update --arena ARENA\" left.",
	};
	struct ifs_error error = { 0 };
	struct ifs_machine *machine;
	enum tool_parsed parsed;
	char *problem = NULL;
	int fd, status;

	parsed = tool_parse_options(&options, &argc, &argv, &problem);
	if (parsed == TOOL_HELPED)
		return EXIT_FINE;
	if (parsed == TOOL_BAD) {
		status = tool_error("%s", problem);
		g_free(problem);
		return status;
	}
	if (argc != 2 || !*argv[1])
		return tool_error("info takes one arena file");
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return tool_error("%s: cannot be opened: %s", argv[1], g_strerror(errno));
	machine = ifs_machine_open(fd, &error);
	if (!machine) {
		close(fd);
		return tool_error("%s: %s", argv[1], error.text);
	}
	status = print_info(machine);
	ifs_machine_free(machine);
	return status;
}
