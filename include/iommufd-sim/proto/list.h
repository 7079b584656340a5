/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/* Intrusive doubly linked list with Linux's names and meaning (include/linux/list.h). */
#ifndef IOMMUFD_SIM_PROTO_LIST_H
#define IOMMUFD_SIM_PROTO_LIST_H

#include <iommufd-sim/proto/types.h>

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *h) { h->next = h->prev = h; }
static inline bool list_empty(const struct list_head *h) { return h->next == h; }

static inline void list_insert_between(struct list_head *n, struct list_head *prev,
				       struct list_head *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_add(struct list_head *n, struct list_head *h)
{
	list_insert_between(n, h, h->next);
}

static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	list_insert_between(n, h->prev, h);
}

/* After list_del() the node is empty, not poisoned, so that deleting twice is harmless. */
static inline void list_del(struct list_head *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	INIT_LIST_HEAD(n);
}

#define list_del_init list_del
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(h, type, member) list_entry((h)->next, type, member)
#define list_last_entry(h, type, member) list_entry((h)->prev, type, member)
#define list_next_entry(p, member) list_entry((p)->member.next, __typeof__(*(p)), member)
#define list_prev_entry(p, member) list_entry((p)->member.prev, __typeof__(*(p)), member)
#define list_for_each_entry(p, h, member)                                                   \
	for (p = list_first_entry(h, __typeof__(*p), member); &p->member != (h);            \
	     p = list_next_entry(p, member))
#define list_for_each_entry_reverse(p, h, member)                                           \
	for (p = list_last_entry(h, __typeof__(*p), member); &p->member != (h);             \
	     p = list_prev_entry(p, member))
#define list_for_each_entry_safe(p, n, h, member)                                           \
	for (p = list_first_entry(h, __typeof__(*p), member), n = list_next_entry(p, member); \
	     &p->member != (h); p = n, n = list_next_entry(n, member))
#define list_for_each_entry_safe_reverse(p, n, h, member)                                   \
	for (p = list_last_entry(h, __typeof__(*p), member), n = list_prev_entry(p, member); \
	     &p->member != (h); p = n, n = list_prev_entry(n, member))

#endif
