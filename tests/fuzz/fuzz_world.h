/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The world that a fuzzed program of system calls runs in: a live update stopped at some step, up
 * to two processes, what they have mapped, and the ids that calls have answered.
 */
#ifndef TESTS_FUZZ_FUZZ_WORLD_H
#define TESTS_FUZZ_FUZZ_WORLD_H

#include "tests/fuzz/fuzz.h"
#include "tests/harness/lu_scenario.h"

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define FUZZ_PROCESSES 2
#define FUZZ_MAPPINGS 4
#define FUZZ_MAX_FD 24
#define FUZZ_BUFFER_PAGES 16

struct fuzz_mapping {
	struct ifs_process *process;    /* NULL: the slot is free */
	void *start;
	size_t length;
};

/*
 * Ids of objects, by the letter of their type:
 *
 *   a  IOAS    h  HWPT    d  device    q  fault queue    v  vIOMMU    w  vDEVICE
 *   e  vEVENTQ    x  HW queue    s  SELFTEST
 */
#define FUZZ_ID_TYPES "ahdqvwexs"
#define FUZZ_IDS 8

struct fuzz_ids {
	uint32_t ids[FUZZ_IDS];         /* the newest, in a ring */
	unsigned nr;                    /* ever */
};

struct fuzz_world {
	struct lu_scenario scenario;    /* machine, kernel, devices */
	struct ifs_process *processes[FUZZ_PROCESSES];
	struct ifs_process *process;    /* the one that calls: one of @processes */
	struct fuzz_mapping mappings[FUZZ_MAPPINGS];
	struct fuzz_ids ids[sizeof(FUZZ_ID_TYPES) - 1];
	char fd_kinds[FUZZ_MAX_FD];     /* see fuzz_fd_kind(); 0: not open */
	bool fd_kinds_known;            /* of the process that calls, until a call succeeds */
	bool watch_all;                 /* FUZZ_WATCH_ALL: look before and after each call */
	bool trace;                     /* FUZZ_TRACE: print calls and what they answer */
	struct fuzz_input in;
};

/* Prints @what and the machine's history, and ends the run as a find. */
void fuzz_die(struct fuzz_world *w, const char *what) __attribute__((noreturn));

/* What the first byte of a call says beside which call it is. */
#define FUZZ_CALL_SIZE 0x40     /* a byte follows: an odd size of an ioctl's struct, see below */
#define FUZZ_CALL_FAIL 0x80     /* a byte follows: which allocation fails, and (0x80) all after */
/* From here on that byte leaves the size alone: the answer cannot be written back. */
#define FUZZ_SIZE_READ_ONLY 0xf0

/*
 * Does the next call of the program, which began with @opcode. Its result: negative only if a
 * system call failed, and then that must have changed nothing, unless *@partial says that Linux
 * leaves something behind there as well.
 */
int fuzz_call(struct fuzz_world *w, uint8_t opcode, bool *partial);

/* fuzz_args.c: arguments, each taking a fixed number of bytes of the input. */
/* Memory of the program itself: a page of it, page aligned. */
unsigned char *fuzz_buffer(unsigned page);
void fuzz_buffer_reset(void);
/* A descriptor: of the open files of @kind (fuzz_args.c), or any number. */
int fuzz_fd(struct fuzz_world *w, char kind);
/* The letter of the file that @fd is; 0 if it is not open, '?' if it is none of ours. */
char fuzz_fd_kind(struct fuzz_world *w, int fd);
/* Remembers an id that a call answered, or forgets one that is gone. */
void fuzz_id_add(struct fuzz_world *w, char type, uint32_t id);
void fuzz_id_remove(struct fuzz_world *w, uint32_t id);
/* A user address: of the buffer, of a mapping, or a bad one. */
uint64_t fuzz_pointer(struct fuzz_world *w);
/* One field of a struct, at @to; returns how many bytes it has. The letters: fuzz_args.c. */
unsigned fuzz_put_field(struct fuzz_world *w, char letter, unsigned char *to);

/* fuzz_preserved.c: NULL, or what the design "reference" must not hand over and is about to. */
const char *fuzz_check_preserved(struct ifs_kernel *kernel);

/* fuzz_table.c: every ioctl. */
int fuzz_ioctl(struct fuzz_world *w, uint8_t opcode, bool *partial);

#endif
