/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The machine as a whole: power-on, opening an arena, kexec, statistics.
 *
 * A machine is the arena plus handles. Opening an arena in another process gives the same machine,
 * to the last counter; nothing is saved or loaded, only checked.
 */
#include <iommufd-sim/machine.h>

#include <assert.h>

#include "sim/fault_log.h"
#include "sim/iotlb.h"
#include "sim/machine_internal.h"
#include "sim/stream.h"

#define RAM_DEFAULT (1ull << 30)
#define IOTLB_MIN_ENTRIES 16u
#define IOTLB_DEFAULT_ENTRIES 256u
#define FAULT_DEFAULT_ENTRIES 8u

static bool is_power_of_two(u32 n)
{
	return n && !(n & (n - 1));
}

/* One sentence about the first number out of range, or NULL. Of a config and of an opened arena. */
static const char *numbers_check(const struct ifs_machine_config *numbers)
{
	if (!numbers->nr_iommus || numbers->nr_iommus > MACHINE_MAX_IOMMUS)
		return "nr_iommus is out of range: 1 to 8";
	if (numbers->pt_format > IFS_PT_X86_64)
		return "pt_format is out of range";
	if (!is_power_of_two(numbers->iotlb_entries) ||
	    numbers->iotlb_entries < IOTLB_MIN_ENTRIES ||
	    numbers->iotlb_entries > IOTLB_MAX_ENTRIES)
		return "iotlb_entries is out of range: a power of two from 16 to 4096";
	if (!numbers->fault_entries || numbers->fault_entries > FAULT_MAX_ENTRIES)
		return "fault_entries is out of range: 1 to 256";
	if (numbers->on_report > IFS_REPORT_AND_STOP)
		return "on_report is out of range";
	return NULL;
}

static const char *iommus_check(const struct machine_state *state, u64 ram_bytes)
{
	const char *wrong = NULL;
	u32 i;

	for (i = 0; i < state->nr_iommus && !wrong; i++) {
		const struct iommu_state *iommu = &state->iommus[i];

		wrong = fault_log_check_state(iommu, state->fault_entries);
		if (!wrong)
			wrong = iotlb_check_state(iommu, state->iotlb_entries, ram_bytes);
	}
	return wrong;
}

static const char *state_check(struct ifs_machine *machine)
{
	const struct machine_state *state = machine->state;
	struct ifs_machine_config numbers = {
		.nr_iommus = state->nr_iommus,
		.pt_format = state->pt_format,
		.iotlb_entries = state->iotlb_entries,
		.fault_entries = state->fault_entries,
		.on_report = state->on_report,
	};
	const char *wrong;

	wrong = numbers_check(&numbers);
	if (!wrong)
		wrong = report_check_state(state);
	if (!wrong)
		wrong = device_check_state(state);
	if (!wrong)
		wrong = iommus_check(state, machine->mem.ram_bytes);
	if (!wrong)
		wrong = dma_check_check_state(machine);
	return wrong;
}

static void machine_wire(struct ifs_machine *machine)
{
	u32 i;

	machine->state = machine->arena.state;
	phys_mem_init(&machine->mem, &machine->arena, machine->heap);
	for (i = 0; i < MACHINE_MAX_DEVICES; i++)
		device_init(&machine->devices[i], machine, i);
	for (i = 0; i < MACHINE_MAX_IOMMUS; i++)
		machine->iommus[i] = (struct iommu_hw){ .machine = machine, .unit = i,
							.state = &machine->state->iommus[i] };
	dma_check_init(machine);
}

static bool config_get(const struct ifs_machine_config *config, struct ifs_machine_config *out,
		       struct ifs_error *error)
{
	memset(out, 0, sizeof(*out));
	if (config && (!config->size || config->size > sizeof(*out)))
		return sim_error(error, EINVAL, "config.size is %zu; this library knows %zu",
				 config->size, sizeof(*out));
	if (config)
		memcpy(out, config, config->size);
	if (!out->ram_bytes)
		out->ram_bytes = RAM_DEFAULT;
	if (!out->nr_iommus)
		out->nr_iommus = 1;
	if (!out->iotlb_entries)
		out->iotlb_entries = IOTLB_DEFAULT_ENTRIES;
	if (!out->fault_entries)
		out->fault_entries = FAULT_DEFAULT_ENTRIES;
	if (!out->seed)
		out->seed = 1;
	return true;
}

/* NULL with @error filled. */
static struct ifs_machine *machine_alloc(bool shared, struct ifs_error *error)
{
	struct shared_heap *heap = shared ? shared_heap_new() : NULL;
	struct ifs_machine *machine = NULL;

	if (heap || !shared)
		machine = shared_heap_alloc(heap, sizeof(*machine));
	if (!machine) {
		sim_error(error, ENOMEM, "no memory for a machine");
		shared_heap_delete(heap);
		return NULL;
	}
	machine->heap = heap;
	return machine;
}

static void machine_dealloc(struct ifs_machine *machine)
{
	struct shared_heap *heap = machine->heap;

	shared_heap_free(heap, machine);
	shared_heap_delete(heap);
}

struct ifs_machine *ifs_machine_new(const struct ifs_machine_config *config,
				    struct ifs_error *error)
{
	struct ifs_machine_config given;
	struct ifs_machine *machine;
	const char *wrong;

	if (!config_get(config, &given, error))
		return NULL;
	wrong = numbers_check(&given);
	if (wrong) {
		sim_error(error, EINVAL, "%s", wrong);
		return NULL;
	}
	machine = machine_alloc(given.shared, error);
	if (!machine)
		return NULL;
	if (!arena_create(&machine->arena, given.ram_path, given.ram_bytes, error)) {
		machine_dealloc(machine);
		return NULL;
	}
	machine_wire(machine);
	machine->state->seed = given.seed;
	machine->state->nr_iommus = given.nr_iommus;
	machine->state->pt_format = given.pt_format;
	machine->state->iotlb_entries = given.iotlb_entries;
	machine->state->fault_entries = given.fault_entries;
	machine->state->on_report = given.on_report;
	return machine;
}

struct ifs_machine *ifs_machine_open(int fd, struct ifs_error *error)
{
	struct ifs_machine *machine;
	const char *wrong;

	machine = machine_alloc(false, error);
	if (!machine)
		return NULL;
	if (!arena_open(&machine->arena, fd, error)) {
		machine_dealloc(machine);
		return NULL;
	}
	machine_wire(machine);
	wrong = state_check(machine);
	if (wrong) {
		sim_error(error, EINVAL, "arena state: %s", wrong);
		machine->arena.fd = -1; /* stays the caller's */
		ifs_machine_free(machine);
		return NULL;
	}
	return machine;
}

void ifs_machine_free(struct ifs_machine *machine)
{
	u32 i;

	if (!machine)
		return;
	for (i = 0; i < MACHINE_MAX_DEVICES; i++)
		shared_heap_free(machine->heap, machine->devices[i].pattern);
	phys_mem_deinit(&machine->mem);
	arena_close(&machine->arena);
	machine_dealloc(machine);
}

struct shared_heap *machine_heap(const struct ifs_machine *machine)
{
	return machine->heap;
}

int ifs_machine_arena_fd(const struct ifs_machine *machine)
{
	return machine->arena.fd;
}

void ifs_machine_set_on_report(struct ifs_machine *machine, enum ifs_on_report what)
{
	if ((unsigned)what <= IFS_REPORT_AND_STOP)
		machine->state->on_report = what;
}

bool ifs_machine_is_stopped(const struct ifs_machine *machine)
{
	return sim_is_stopped(machine);
}

void ifs_machine_run(struct ifs_machine *machine, uint64_t bursts)
{
	const struct machine_state *state = machine->state;
	u32 i;

	while (bursts-- && !state->stopped)
		for (i = 0; i < state->nr_devices; i++)
			stream_burst(&machine->devices[state->device_order[i]]);
}

void ifs_machine_get_stats(struct ifs_machine *machine, struct ifs_machine_stats *out)
{
	const struct machine_state *state = machine->state;
	const struct machine_counts *counts = &state->counts;
	struct ifs_machine_stats stats = {
		.size = out->size,
		.steps = state->steps,
		.boots = state->boots,
		.dma_done = counts->dma_done,
		.dma_bytes = counts->dma_bytes,
		.dma_blocked = counts->dma_blocked,
		.dma_lost = counts->dma_lost,
		.dma_astray = counts->dma_astray,
		.dma_corrupt = counts->dma_corrupt,
		.iotlb_hits = counts->iotlb_hits,
		.iotlb_misses = counts->iotlb_misses,
		.iotlb_invalidations = counts->iotlb_invalidations,
		.faults_recorded = counts->faults_recorded,
		.faults_overflowed = counts->faults_overflowed,
		.ram_resident_bytes = phys_mem_resident_bytes(&machine->mem),
	};
	u32 rule;

	for (rule = 0; rule < IFS_NR_RULES; rule++)
		stats.reports += state->rule_counts[rule];
	memcpy(out, &stats, min(out->size, sizeof(stats)));
}

bool ifs_machine_read_ram(struct ifs_machine *machine, ifs_pa_t pa, void *to, uint64_t length)
{
	const void *from = ram_ptr(&machine->mem, pa, length);

	if (from)
		memcpy(to, from, length);
	return from;
}

bool ifs_machine_write_ram(struct ifs_machine *machine, ifs_pa_t pa, const void *from,
			   uint64_t length)
{
	void *to = ram_ptr(&machine->mem, pa, length);

	if (to)
		memcpy(to, from, length);
	return to;
}

void machine_get_boot_params(const struct ifs_machine *machine, struct machine_boot_params *out)
{
	*out = machine->state->boot_params;
}

void machine_set_boot_params(struct ifs_machine *machine, const struct machine_boot_params *params)
{
	machine->state->boot_params = *params;
}

void machine_kexec(struct ifs_machine *machine)
{
	sim_step(machine);
	machine->state->boots++;
	phys_mem_windows_drop(&machine->mem);
	dma_check_kexec(machine);
	/* Without address space for it the old pointers stay valid: less checked, not wrong. */
	if (!arena_remap_ram(&machine->arena))
		sim_log(machine, "RAM could not be moved at kexec");
}

u32 machine_boot_count(const struct ifs_machine *machine)
{
	return machine->state->boots;
}
