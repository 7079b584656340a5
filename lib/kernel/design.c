/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What a preservation design asks about the kernel it runs in (proto/design.h). */
#include "lib/kernel/kernel.h"

void *ifs_design_data(void)
{
	return current->kernel->design_data;
}

const struct ifs_design_options *ifs_design_get_options(void)
{
	return &container_of(current->kernel, struct ifs_kernel, base)->design_options;
}
