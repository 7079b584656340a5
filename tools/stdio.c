/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Standard streams as one may find them: closed, full, or a pipe without a reader.
 *
 * A closed one would be reused by the next file that is opened, which is the arena: progress
 * messages would then be written into the machine. So each closed one becomes a descriptor that
 * cannot be written. What could not be written is told at the end, by the exit status too.
 *
 * RAM is a sparse file. If its file system fills up, or somebody cuts the file short, the next
 * access is a SIGBUS, which gets the same one line as any other bad input.
 */
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void on_bus_error(int number)
{
	static const char text[] = "iommufd-sim: the arena: its file system is full, or the file "
				   "was cut short while it was in use\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	_exit(EXIT_USAGE);
}

void tool_stdio_init(void)
{
	struct sigaction action = { .sa_handler = on_bus_error };

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
	sigaction(SIGBUS, &action, NULL);
}

int tool_stdio_finish(int status)
{
	gboolean failed = ferror(stdout);

	if (fflush(stdout))
		return tool_error("standard output cannot be written: %s", g_strerror(errno));
	return failed ? tool_error("standard output could not be written") : status;
}
