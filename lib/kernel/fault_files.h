/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The files of fault injection, in debugfs and /proc. */
#ifndef LIB_KERNEL_FAULT_FILES_H
#define LIB_KERNEL_FAULT_FILES_H

struct file_system;

int fault_files_register(struct file_system *fs);
/* Also where they were not registered. */
void fault_files_unregister(struct file_system *fs);

#endif
