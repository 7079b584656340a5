/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* What the fuzz targets share: reading a program out of the fuzzer's bytes. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Of all inputs so far: has each ioctl been answered with success and with an error? Says which. */
bool fuzz_every_ioctl_was_answered(FILE *out);

struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

/* The next byte; 0 when the input is used up. */
static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static inline uint32_t fuzz_u16(struct fuzz_input *in)
{
	uint32_t low = fuzz_u8(in);

	return low | (uint32_t)fuzz_u8(in) << 8;
}

/*
 * A number as programs use them: small, a page count, near a power of two, or near the end of the
 * 64-bit space. Raw 64-bit values would almost never meet each other.
 */
static inline uint64_t fuzz_number(struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in), value = fuzz_u8(in);

	switch (kind % 8) {
	case 0: return value;
	case 1: return (uint64_t)value << 12;
	case 2: return (uint64_t)value << 21;
	case 3: return (1ull << (value % 64)) + (kind >> 5) - 4;
	case 4: return ~0ull - value;
	case 5: return (uint64_t)value << 16;
	case 6: return value ? 0x1000000 + ((uint64_t)value << 11) : 0; /* the mock's aperture */
	default: return ((uint64_t)value << 12) + (kind >> 3);
	}
}

#endif
