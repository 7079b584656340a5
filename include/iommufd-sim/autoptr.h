/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * For callers that use GLib: g_autoptr() for machines and processes. The only public header that
 * includes GLib. Kernels have none, on purpose: how a kernel ends (kexec, shutdown, drop) is what a
 * test is about, and not for a scope to decide.
 */
#ifndef IOMMUFD_SIM_AUTOPTR_H
#define IOMMUFD_SIM_AUTOPTR_H

#include <glib.h>

#include <iommufd-sim/machine.h>
#include <iommufd-sim/process.h>

typedef struct ifs_machine ifs_machine;
typedef struct ifs_process ifs_process;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ifs_machine, ifs_machine_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ifs_process, ifs_exit)

#endif
