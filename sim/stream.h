/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* The streaming engine of a device. */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include <iommufd-sim/proto/types.h>

#include "sim/machine_state.h"

struct ifs_device;

/* One burst, if the engine runs. */
void stream_burst(struct ifs_device *device);
const char *stream_check_state(const struct stream_state *stream);

#endif
