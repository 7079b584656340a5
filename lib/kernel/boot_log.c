/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The text of the boot (what dmesg shows), kept in the kernel, and error texts.
 *
 * Lines that do not fit any more are counted out silently: the buffer is sized for 64 blocked
 * devices, and the machine's event log has them in any case.
 */
#include "lib/kernel/kernel.h"

#include <stdarg.h>
#include <stdio.h>

/* kernel_base.console while booting: one line, already without its newline. */
void kernel_boot_log(struct kernel_base *base, const char *line)
{
	struct ifs_kernel *kernel = container_of(base, struct ifs_kernel, base);
	size_t length = strlen(line);

	if (kernel->boot_log_used + length + 2 > BOOT_LOG_BYTES)
		return;
	memcpy(kernel->boot_log + kernel->boot_log_used, line, length);
	kernel->boot_log_used += length;
	kernel->boot_log[kernel->boot_log_used++] = '\n';
	kernel->boot_log[kernel->boot_log_used] = '\0';
}

const char *ifs_kernel_boot_log(const struct ifs_kernel *kernel)
{
	return kernel->boot_log;
}

void error_set(struct ifs_error *error, int code, const char *format, ...)
{
	va_list args;

	if (!error)
		return;
	error->code = code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
}
