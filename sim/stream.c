/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The streaming engine: an endless DMA that knows what it wrote.
 *
 * Each burst takes a window and a place in it from the engine's own generator (splitmix64, so
 * that a burst is a function of seed and number), writes words that depend on device, burst and
 * position, reads them back through the IOMMU and compares. From a window that is not writable it
 * only reads. All of the engine's state is in the arena: it goes on where it was after kexec and
 * execve.
 *
 * A burst that reads back something else (two iovas with one frame, a translation that changed
 * between write and read) is a report of rule dma-corrupt.
 */
#include "sim/stream.h"


#include "sim/dma.h"
#include "sim/machine_internal.h"

#define BURST_DEFAULT 4096u
#define BURST_MIN 64u
#define BURST_MAX 65536u
#define PLACE_ALIGN 64u
#define WORD_STEP 0x9e3779b97f4a7c15ull

static u64 mix64(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static u64 stream_random(struct stream_state *stream)
{
	stream->random += WORD_STEP;
	return mix64(stream->random);
}

/* An even choice of 0 .. @n - 1. */
static u64 stream_choice(struct stream_state *stream, u64 n)
{
	return (u64)((unsigned __int128)stream_random(stream) * n >> 64);
}

static void pattern_fill(u8 *to, u64 length, u64 name)
{
	u64 *words = (u64 *)to, i, n = DIV_ROUND_UP(length, 8);

	for (i = 0; i < n; i++)
		words[i] = name + i * WORD_STEP;
}

/* Host memory of this process: a machine that was opened gets it on the first burst. */
static bool pattern_ready(struct ifs_device *device)
{
	if (!device->pattern)
		device->pattern = shared_heap_alloc(device->machine->heap, BURST_MAX);
	return device->pattern;
}

bool ifs_device_stream_start(struct ifs_device *device, const struct ifs_stream_config *config)
{
	struct stream_state *stream = &device->state->stream;
	struct ifs_stream_config given = { 0 };
	u32 i, burst;

	if (!config->size)
		return false;
	memcpy(&given, config, min(config->size, sizeof(given)));
	burst = given.burst_bytes ? given.burst_bytes : BURST_DEFAULT;
	if (!given.windows || !given.nr_windows || given.nr_windows > STREAM_MAX_WINDOWS ||
	    burst < BURST_MIN || burst > BURST_MAX)
		return false;
	for (i = 0; i < given.nr_windows; i++)
		if (given.windows[i].start > given.windows[i].last)
			return false;

	memset(stream, 0, sizeof(*stream));
	for (i = 0; i < given.nr_windows; i++) {
		const struct ifs_stream_window *from = &given.windows[i];

		stream->windows[i] = (struct stream_window){ .start = from->start,
							     .last = from->last,
							     .writable = from->writable };
	}
	stream->nr_windows = given.nr_windows;
	stream->burst_bytes = burst;
	stream->random = given.seed ? given.seed
				    : mix64(device->machine->state->seed ^
					    mix64((u64)device->state->segment << 16 |
						  device->state->bdf));
	stream->running = 1;
	return true;
}

void ifs_device_stream_stop(struct ifs_device *device)
{
	device->state->stream.running = 0;
}

static void report_corrupt(struct ifs_device *device, u64 burst, iova_t iova)
{
	char name[16];

	device->machine->state->counts.dma_corrupt++;
	device->state->counts.dma_corrupt++;
	ifs_device_name(device, name);
	sim_report(device->machine, IFS_RULE_DMA_CORRUPT,
		   "device %s: burst %llu reads back at iova 0x%llx other data than it wrote", name,
		   (unsigned long long)burst, (unsigned long long)iova);
}

void stream_burst(struct ifs_device *device)
{
	struct stream_state *stream = &device->state->stream;
	const struct stream_window *window;
	struct dma_result result;
	u64 length, places, burst;
	iova_t iova;

	if (!stream->running || sim_is_stopped(device->machine) || !pattern_ready(device))
		return;
	burst = stream->burst++;
	device->state->counts.bursts++;
	window = &stream->windows[stream_choice(stream, stream->nr_windows)];
	length = stream->burst_bytes;
	if (window->last - window->start < length)      /* a small window is one burst */
		length = min(length, window->last - window->start + 1);
	places = (window->last - window->start - (length - 1)) / PLACE_ALIGN + 1;
	iova = window->start + stream_choice(stream, places) * PLACE_ALIGN;

	if (!window->writable) {
		dma_request(device, DMA_READ, iova, device->pattern, length, &result);
		return;
	}
	pattern_fill(device->pattern, length,
		     mix64(((u64)device->state->segment << 48 | (u64)device->state->bdf << 32) ^
			   burst));
	dma_request(device, DMA_WRITE, iova, device->pattern, length, &result);
	if (result.status != IFS_DMA_OK)
		return;
	dma_request(device, DMA_COMPARE, iova, device->pattern, length, &result);
	if (result.differs)
		report_corrupt(device, burst, result.differs_at);
}

const char *stream_check_state(const struct stream_state *stream)
{
	u32 i;

	if (stream->running > 1)
		return "a stream's running is neither 0 nor 1";
	if (!stream->running)
		return NULL;
	if (!stream->nr_windows || stream->nr_windows > STREAM_MAX_WINDOWS)
		return "a stream's nr_windows is out of range";
	if (stream->burst_bytes < BURST_MIN || stream->burst_bytes > BURST_MAX)
		return "a stream's burst_bytes is out of range";
	for (i = 0; i < stream->nr_windows; i++)
		if (stream->windows[i].start > stream->windows[i].last)
			return "a stream's window ends before it starts";
	return NULL;
}
