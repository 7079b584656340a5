/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* iommufd-sim: the command. Finds the subcommand and hands over. */
#include "tools/tool.h"

#include <string.h>

#ifndef IOMMUFD_SIM_VERSION
#define IOMMUFD_SIM_VERSION "unknown"
#endif

static const struct {
	const char *name, *what;        /* what NULL: not for users */
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "live-update", "map a guest, keep DMA running, kexec, take it over, and again",
	  cmd_live_update },
	{ "info", "say what is in an arena file: machine, devices, reports, event log", cmd_info },
	{ "live-update-resume", NULL, cmd_live_update_resume },
};

static int usage(FILE *to, int status)
{
	fprintf(to, "Usage: iommufd-sim COMMAND [OPTION...]\n\n"
		"Linux iommufd, live update (LUO and KHO) and an IOMMU, in user space.\n\n"
		"Commands:\n");
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (commands[i].what)
			fprintf(to, "  %-13s %s\n", commands[i].name, commands[i].what);
	}
	fprintf(to, "\niommufd-sim COMMAND --help tells the options of a command.\n"
		"iommufd-sim(1) is the manual page.\n"
		"Exit status: 0 all is well, 1 something was found, 2 bad options or input.\n");
	return status;
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, EXIT_USAGE);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return usage(stdout, EXIT_FINE);
	if (!strcmp(argv[1], "--version")) {
		printf("iommufd-sim %s\n", IOMMUFD_SIM_VERSION);
		return EXIT_FINE;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	return tool_error("no command \"%s\"; iommufd-sim --help lists them", argv[1]);
}

int main(int argc, char **argv)
{
	tool_stdio_init();
	return tool_stdio_finish(dispatch(argc, argv));
}
