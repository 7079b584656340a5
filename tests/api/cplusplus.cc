/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Without this, a C++ VMM could include our headers and not link, or not include them at all.
 */
#include <cstdio>

#include <iommufd-sim/device.h>
#include <iommufd-sim/process.h>

#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

int main()
{
	ifs_error error;
	ifs_machine *machine = ifs_machine_new(nullptr, &error);
	ifs_kernel *kernel = machine ? ifs_kernel_boot(machine, nullptr, &error) : nullptr;
	ifs_process *process = kernel ? ifs_process_new(kernel, nullptr) : nullptr;

	if (!process) {
		std::fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	int fd = ifs_open(process, "/dev/iommu", 2);
	if (fd != 0)
		return 2;
	ifs_exit(process);
	if (ifs_kernel_shutdown(kernel) != 0)
		return 3;
	ifs_machine_free(machine);
	return 0;
}
