/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What the profiles about devices share: two contexts (open /dev/iommu) with objects of every kind
 * on the mock devices of a kernel with CONFIG_IOMMUFD_TEST, and the calls that make and destroy
 * them. Each picks ids of the right kind mostly, of another one sometimes.
 *
 * Not asked: to destroy a mock device that has a PASID attached. Linux forgets the attachment
 * and warns.
 */
#ifndef TESTS_DIFFTEST_MOCK_H
#define TESTS_DIFFTEST_MOCK_H

#include "difftest.h"

enum kind {
	IOAS, STDEV, IDEV, PARENT, PAGING, NESTED, FAULT, VIOMMU, VDEVICE, VEVENTQ, HW_QUEUE,
	NR_KINDS,
};

struct context {
	unsigned number;
	int fd;
	struct pool ids[NR_KINDS];
};
extern struct context contexts[2];

/* Descriptors of fault queues and of event queues of either context, which may be gone. */
extern struct pool fault_files, veventq_files;

int mock_start(void);
struct context *some_context(void);
uint32_t some_id(const struct context *ctx, enum kind kind);
void learn_id(struct context *ctx, enum kind kind, uint32_t id);
void forget_id(struct context *ctx, uint32_t id);

/*
 * The ioctl with a structure of @size bytes, whose first member becomes its size: now and then
 * another one, or a structure that cannot be read or cannot be written back. Prints the answer.
 */
long ask(const struct context *ctx, unsigned long cmd, void *structure, unsigned size);

/* Where driver data of @size bytes lies: now and then where it cannot be read. */
void *some_data(const void *data, unsigned size);

/* A queue's file, mostly of one that is there. */
int some_file(enum kind kind);
void learn_file(const struct context *ctx, enum kind kind, uint32_t id, uint32_t fd);

/* PASIDs that are attached. */
int pasids_are_full(void);
int has_pasids(const struct context *ctx, uint32_t stdev);
void learn_pasid(const struct context *ctx, uint32_t stdev, uint32_t pasid);
void forget_pasid(const struct context *ctx, uint32_t stdev, uint32_t pasid);

/* What a profile likes, in percent. */
struct taste {
	unsigned fault;         /* HWPTs that take faults */
	unsigned pasid;         /* HWPTs for PASIDs */
	unsigned on_viommu;     /* nested HWPTs on a vIOMMU, not on a nesting parent */
	unsigned to_nested;     /* devices that move to a nested HWPT */
	unsigned max_viommus;   /* not a percentage */
};
extern struct taste taste;

/* The operations. The first makes what is missing most. */
void mock_grow(void);
void mock_ioas(void);
void mock_device(void);
void mock_replace(void);
void mock_move(void);           /* the same, but to an HWPT that somebody made */
void mock_hwpt(void);
void mock_nested(void);
void mock_fault(void);
void mock_viommu(void);
void mock_vdevice(void);
void mock_destroy(void);
void mock_reopen(void);
void mock_close_file(void);
void mock_file(void);

/* Set by who wants to know: a vIOMMU was made that has something to map at @offset. */
extern void (*mock_viommu_made)(struct context *ctx, uint64_t offset);

#endif
