/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The world that a fuzzed program of system calls runs in: a live update stopped at some step, up
 * to two processes, and what they have mapped.
 */
#ifndef TESTS_FUZZ_FUZZ_WORLD_H
#define TESTS_FUZZ_FUZZ_WORLD_H

#include "tests/fuzz/fuzz.h"
#include "tests/harness/lu_scenario.h"

#define FUZZ_PROCESSES 2
#define FUZZ_MAPPINGS 4

struct fuzz_mapping {
	struct ifs_process *process;    /* NULL: the slot is free */
	void *start;
	size_t length;
};

struct fuzz_world {
	struct lu_scenario scenario;    /* machine, kernel, devices */
	struct ifs_process *processes[FUZZ_PROCESSES];
	struct ifs_process *process;    /* the one that calls: one of @processes */
	struct fuzz_mapping mappings[FUZZ_MAPPINGS];
	struct fuzz_input in;
};

/* Prints @what and the machine's history, and ends the run as a find. */
void fuzz_die(struct fuzz_world *w, const char *what) __attribute__((noreturn));

/* What the first byte of a call says beside which call it is. */
#define FUZZ_CALL_SIZE 0x40     /* a byte follows with the size of an ioctl's struct */
#define FUZZ_CALL_FAIL 0x80     /* a byte follows: which allocation fails, and (0x80) all after */

/*
 * Does the next call of the program, which began with @opcode. Its result: negative only if a
 * system call failed.
 */
int fuzz_call(struct fuzz_world *w, uint8_t opcode);

#endif
