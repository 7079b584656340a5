/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* See guests.h. */
#include "tests/harness/guests.h"

#include <stdio.h>
#include <string.h>

static void add_devices(struct host *host)
{
	for (unsigned i = 0; i < host->config.nr_devices; i++) {
		unsigned unit = i % host->config.nr_units, place = i;
		struct ifs_device_config device = { .size = sizeof(device), .iommu = unit };

		if (host->config.segments) {
			device.segment = (uint16_t)unit;
			place = i / host->config.nr_units;
		}
		device.bus = (uint8_t)(1 + place / 8);
		device.slot = (uint8_t)(place % 8);
		host->devices[i] = ifs_machine_add_device(host->machine, &device, &host->error);
		if (!host->devices[i])
			fail_msg("device %u: %s", i, host->error.text);
	}
}

void host_start(struct host *host, const struct host_config *config)
{
	struct ifs_machine_config machine = { .size = sizeof(machine) };

	*host = (struct host){ .config = *config };
	host->kernel_config = (struct ifs_kernel_config){ .size = sizeof(host->kernel_config) };
	if (!host->config.nr_units)
		host->config.nr_units = 1;
	machine.ram_bytes = config->ram_bytes ? config->ram_bytes : 256ull << 20;
	machine.nr_iommus = host->config.nr_units;
	machine.pt_format = config->pt_format;
	host->machine = ifs_machine_new(&machine, &host->error);
	if (!host->machine)
		fail_msg("no machine: %s", host->error.text);
	add_devices(host);
	host_boot(host);
}

void host_boot(struct host *host)
{
	host->kernel = ifs_kernel_boot(host->machine, &host->kernel_config, &host->error);
	if (!host->kernel)
		fail_msg("no boot: %s", host->error.text);
}

static void check(struct host *host)
{
	const char *broken = ifs_kernel_check(host->kernel);

	if (broken)
		fail_msg("invariant broken: %s", broken);
}

void host_kexec(struct host *host)
{
	check(host);
	assert_int_equal(ifs_kernel_kexec(host->kernel), 0);
	host->kernel = NULL;
	ifs_machine_run(host->machine, 16);
	host_boot(host);
	check(host);
}

void host_end(struct host *host)
{
	struct ifs_machine_stats stats = { .size = sizeof(stats) };
	struct ifs_report report;
	uint64_t leaks;

	for (unsigned i = 0; i < host->config.nr_devices; i++)
		ifs_device_stream_stop(host->devices[i]);
	check(host);
	leaks = ifs_kernel_shutdown(host->kernel);
	ifs_machine_get_stats(host->machine, &stats);
	if (stats.reports != host->blocked || leaks)
		for (unsigned i = 0; ifs_machine_get_report(host->machine, i, &report); i++)
			print_error("  step %llu, %s: %s\n", (unsigned long long)report.step,
				    ifs_rule_name(report.rule), report.text);
	assert_int_equal(leaks, 0);
	assert_int_equal(ifs_machine_count_reports(host->machine, IFS_RULE_DEVICE_BLOCKED),
			 host->blocked);
	assert_int_equal(stats.reports, host->blocked);
	assert_int_equal(stats.dma_lost + stats.dma_astray + stats.dma_corrupt, 0);
	ifs_machine_free(host->machine);
}

struct guest guest_new(struct host *host, const char *name, unsigned first, unsigned count)
{
	struct guest guest = { .host = host, .name = name, .first = first, .count = count,
			       .bytes = VMM_GUEST_BYTES };

	guest_process(&guest);
	return guest;
}

void guest_process(struct guest *guest)
{
	guest->vmm.process = ifs_process_new(guest->host->kernel, NULL);
	assert_non_null(guest->vmm.process);
}

static unsigned unit_of(const struct guest *guest, unsigned i)
{
	return (guest->first + i) % guest->host->config.nr_units;
}

/* /dev/vfio/devices/vfioN: N in the order of segment and address. */
static unsigned number_of(struct host *host, unsigned index)
{
	unsigned number = 0;

	while (ifs_machine_get_device(host->machine, number) != host->devices[index])
		number++;
	return number;
}

static void open_all(struct guest *guest)
{
	struct vmm *vmm = &guest->vmm;
	char path[40];

	vmm->iommufd = vmm_open(vmm, "/dev/iommu");
	vmm->memfd = vmm_memfd(vmm, guest->bytes);
	for (unsigned i = 0; i < guest->count; i++) {
		snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%u",
			 number_of(guest->host, guest->first + i));
		guest->vfio[i] = vmm_open(vmm, path);
	}
}

static void bind_all(struct guest *guest)
{
	for (unsigned i = 0; i < guest->count; i++)
		assert_int_equal(vmm_try_bind(&guest->vmm, guest->vfio[i], guest->vmm.iommufd,
					      &guest->dev_id[i]), 0);
}

static void map_all(struct guest *guest)
{
	struct vmm *vmm = &guest->vmm;

	vmm->ioas = vmm_ioas(vmm, vmm->iommufd);
	assert_int_equal(vmm_try_map(vmm, vmm->iommufd, vmm->ioas, vmm->memfd, 0, guest->bytes), 0);
}

/* One per unit that a device of the guest sits behind. */
static void make_hwpts(struct guest *guest)
{
	memset(guest->hwpt, 0, sizeof(guest->hwpt));
	for (unsigned i = 0; i < guest->count; i++)
		if (!guest->hwpt[unit_of(guest, i)])
			guest->hwpt[unit_of(guest, i)] = vmm_hwpt(&guest->vmm, guest->vmm.iommufd,
								  guest->dev_id[i],
								  guest->vmm.ioas);
}

static void attach_all(struct guest *guest)
{
	for (unsigned i = 0; i < guest->count; i++)
		assert_int_equal(vmm_try_attach(&guest->vmm, guest->vfio[i],
						guest->hwpt[unit_of(guest, i)]), 0);
}

static void stream_all(struct guest *guest)
{
	struct ifs_stream_window window = { .start = 0, .last = guest->bytes - 1,
					    .writable = true };
	struct ifs_stream_config stream = { .size = sizeof(stream), .windows = &window,
					    .nr_windows = 1 };

	for (unsigned i = 0; i < guest->count; i++)
		assert_true(ifs_device_stream_start(guest->host->devices[guest->first + i],
						    &stream));
}

static void each_hwpt(struct guest *guest, enum guest_step step)
{
	struct vmm *vmm = &guest->vmm;

	for (unsigned unit = 0; unit < HOST_MAX_UNITS; unit++) {
		if (!guest->hwpt[unit])
			continue;
		if (step == GUEST_MARK)
			assert_int_equal(vmm_try_mark(vmm, guest->hwpt[unit],
						      VMM_TOKEN_HWPT + unit), 0);
		else if (step == GUEST_RESTORE)
			assert_int_equal(vmm_try_restore(vmm, VMM_TOKEN_HWPT + unit,
							 &guest->restored[unit]), 0);
		else
			assert_int_equal(vmm_try_destroy(vmm, vmm->iommufd, guest->restored[unit]),
					 0);
	}
}

static void open_session(struct guest *guest, bool create)
{
	struct vmm *vmm = &guest->vmm;

	vmm->liveupdate = vmm_open(vmm, "/dev/liveupdate");
	vmm->session = create ? vmm_try_create_session(vmm, guest->name) :
				vmm_try_retrieve_session(vmm, guest->name);
	assert_true(vmm->session >= 0);
	assert_int_equal(ifs_close(vmm->process, vmm->liveupdate), 0);
}

static void old_step(struct guest *guest, enum guest_step step)
{
	struct vmm *vmm = &guest->vmm;

	switch (step) {
	case GUEST_OPEN:
		return open_all(guest);
	case GUEST_BIND:
		return bind_all(guest);
	case GUEST_MAP:
		return map_all(guest);
	case GUEST_HWPT:
		return make_hwpts(guest);
	case GUEST_ATTACH:
		return attach_all(guest);
	case GUEST_STREAM:
		return stream_all(guest);
	case GUEST_MARK:
		return each_hwpt(guest, step);
	case GUEST_SESSION:
		return open_session(guest, true);
	case GUEST_KEEP_MEMFD:
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->memfd, VMM_TOKEN_MEMFD),
				 0);
		return;
	case GUEST_KEEP_IOMMUFD:
		assert_int_equal(vmm_try_preserve(vmm, vmm->session, vmm->iommufd,
						  VMM_TOKEN_IOMMUFD), 0);
		return;
	default:
		for (unsigned i = 0; i < guest->count; i++)
			assert_int_equal(vmm_try_preserve(vmm, vmm->session, guest->vfio[i],
							  VMM_TOKEN_DEVICE + i), 0);
	}
}

static void new_step(struct guest *guest, enum guest_step step)
{
	struct vmm *vmm = &guest->vmm;

	switch (step) {
	case GUEST_GET_SESSION:
		return open_session(guest, false);
	case GUEST_GET_MEMFD:
		vmm->memfd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_MEMFD);
		assert_true(vmm->memfd >= 0);
		return;
	case GUEST_GET_IOMMUFD:
		vmm->iommufd = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_IOMMUFD);
		assert_true(vmm->iommufd >= 0);
		return;
	case GUEST_GET_DEVICES:
		for (unsigned i = 0; i < guest->count; i++) {
			guest->vfio[i] = vmm_try_retrieve(vmm, vmm->session, VMM_TOKEN_DEVICE + i);
			assert_true(guest->vfio[i] >= 0);
		}
		return;
	case GUEST_REBIND:
		return bind_all(guest);
	case GUEST_REMAP:
		return map_all(guest);
	case GUEST_REHWPT:
		return make_hwpts(guest);
	case GUEST_SWAP:
		return attach_all(guest);
	case GUEST_FINISH:
		assert_int_equal(vmm_try_finish(vmm, vmm->session), 0);
		return;
	case GUEST_CLOSE:
		assert_int_equal(ifs_close(vmm->process, vmm->session), 0);
		return;
	default:
		return each_hwpt(guest, step);
	}
}

void guest_run(struct guest *guest, enum guest_step from, enum guest_step to)
{
	for (enum guest_step step = from; step < to; step++) {
		if (step < GUEST_OLD_END)
			old_step(guest, step);
		else
			new_step(guest, step);
		ifs_machine_run(guest->host->machine, 4);
		check(guest->host);
	}
}

void guest_die(struct guest *guest)
{
	ifs_exit(guest->vmm.process);
	guest->vmm.process = NULL;
	check(guest->host);
	/* Engines that nobody stopped go on, and must reach nothing they may not. */
	ifs_machine_run(guest->host->machine, 16);
	for (unsigned i = 0; i < guest->count; i++)
		ifs_device_stream_stop(guest->host->devices[guest->first + i]);
}

static struct ifs_device_stats stats_of(struct guest *guest, unsigned i)
{
	struct ifs_device_stats stats = { .size = sizeof(stats) };

	ifs_device_get_stats(guest->host->devices[guest->first + i], &stats);
	assert_int_equal(stats.dma_lost + stats.dma_astray + stats.dma_corrupt, 0);
	return stats;
}

void guest_assert_alive(struct guest *guest)
{
	struct ifs_device_stats before[HOST_MAX_DEVICES];

	for (unsigned i = 0; i < guest->count; i++)
		before[i] = stats_of(guest, i);
	ifs_machine_run(guest->host->machine, 4);
	for (unsigned i = 0; i < guest->count; i++) {
		struct ifs_device_stats after = stats_of(guest, i);

		assert_true(after.streaming && after.dma_done > before[i].dma_done);
		assert_int_equal(after.dma_blocked, before[i].dma_blocked);
	}
}

void guest_assert_cut_off(struct guest *guest)
{
	for (unsigned i = 0; i < guest->count; i++) {
		struct ifs_device *device = guest->host->devices[guest->first + i];

		stats_of(guest, i);
		assert_int_equal(ifs_device_dma_write(device, 0x1000, "x", 1, NULL), IFS_DMA_FAULT);
	}
}
